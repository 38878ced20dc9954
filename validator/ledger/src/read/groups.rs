//! Findings by group: what a person looks at first when there are many.

use std::collections::BTreeMap;

use validator_core::finding::FindingId;
use validator_core::verdict::{Cause, Verdict};

use super::state::{FindingState, Marked, marked};
use super::{ReadLedger, row_of};
use crate::error::LedgerError;
use crate::group::{About, GroupId};
use crate::limits::{EXAMPLES_MAX, GROUPS_MAX};
use crate::rows;
use crate::store::Store;
use crate::value::{Kind, Value};

/// Findings that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// What is true.
    pub verdict: Verdict,
    /// Why.
    pub cause: Option<Cause>,
    /// What they are about, beside that.
    pub about: Option<About>,
    /// How many stand in which way; of a run each of its messages.
    pub findings: BTreeMap<FindingState, u64>,
    /// When the first of them opened for the first time.
    pub first_ms: i64,
    /// When one of them changed last.
    pub last_ms: i64,
    /// Some of them, open ones first; none where all are runs.
    pub examples: Vec<FindingId>,
}

impl Group {
    /// How many are true.
    pub fn is_true(&self) -> u64 {
        true_ones(&self.findings)
    }
}

fn true_ones(findings: &BTreeMap<FindingState, u64>) -> u64 {
    findings.iter().filter(|(standing, _)| **standing != FindingState::Resolved).map(|(_, many)| many).sum()
}

impl ReadLedger {
    /// The groups of a pipeline's findings: those with most true findings first, a bounded number.
    ///
    /// # Errors
    /// When there is no such pipeline, or it is damaged.
    pub async fn groups(&mut self, name: &str, now_ms: i64) -> Result<Vec<Group>, LedgerError> {
        self.store.begin().await?;
        let groups = groups(&mut self.store, name, now_ms).await;
        self.store.rollback().await;
        groups
    }
}

/// What is counted of a group before it is known what it is.
#[derive(Default)]
struct Counted {
    findings: BTreeMap<FindingState, u64>,
    first_ms: Option<i64>,
    last_ms: i64,
    of_runs: Option<(Verdict, Option<Cause>)>,
}

async fn groups(store: &mut Store, name: &str, now_ms: i64) -> Result<Vec<Group>, LedgerError> {
    let (row, _) = row_of(store, name).await?;
    let counted = counted(store, row.pipeline, now_ms).await?;
    let mut counted: Vec<(String, Counted)> = counted.into_iter().collect();
    counted.sort_by_key(|(_, one)| std::cmp::Reverse(true_ones(&one.findings)));
    counted.truncate(GROUPS_MAX);
    let mut groups = Vec::new();
    for (id, counted) in counted {
        groups.push(group(store, row.pipeline, id, counted).await?);
    }
    Ok(groups)
}

async fn counted(store: &mut Store, pipeline: i64, now_ms: i64) -> Result<BTreeMap<String, Counted>, LedgerError> {
    let Marked { standing, findings, runs } = marked(store, pipeline).await?;
    let none = "CAST(NULL AS TEXT)";
    let of_findings = format!(
        "SELECT f.group_id, {standing}, COUNT(*), MIN(f.first_ms), MAX(f.changed_ms), {none}, {none} FROM {findings} \
         WHERE f.pipeline = $1 GROUP BY 1, 2"
    );
    let of_runs = format!(
        "SELECT f.group_id, {standing}, CAST(SUM(f.messages) AS BIGINT), MIN(f.opened_ms), MAX(f.changed_ms), \
         MIN(f.verdict), MIN(f.cause) FROM {runs} WHERE f.pipeline = $1 GROUP BY 1, 2"
    );
    let kinds = [Kind::Text, Kind::Text, Kind::Int, Kind::Int, Kind::Int, Kind::Text, Kind::Text];
    let mut counted: BTreeMap<String, Counted> = BTreeMap::new();
    for sql in [of_findings, of_runs] {
        for row in store.rows(&sql, &[&pipeline.into(), &now_ms.into()], &kinds).await? {
            let one = counted.entry(row[0].text()?.to_owned()).or_default();
            *one.findings.entry(FindingState::back(&row[1])?).or_default() += rows::small_count(&row[2])?;
            let first = row[3].int()?;
            one.first_ms = Some(one.first_ms.map_or(first, |known| known.min(first)));
            one.last_ms = one.last_ms.max(row[4].int()?);
            if row[5].text().is_ok() {
                let verdict = rows::verdict_back(&row[5])?;
                one.of_runs = Some((verdict, rows::cause_back(verdict, &row[6])?));
            }
        }
    }
    Ok(counted)
}

/// What a group is, by its first findings.
async fn group(store: &mut Store, pipeline: i64, id: String, counted: Counted) -> Result<Group, LedgerError> {
    let sql = format!(
        "SELECT id, verdict, cause, about FROM findings WHERE pipeline = $1 AND group_id = $2 \
         ORDER BY state, first_ms LIMIT {EXAMPLES_MAX}"
    );
    let values: [Value; 2] = [pipeline.into(), id.as_str().into()];
    let found = store.rows(&sql, &[&values[0], &values[1]], &[Kind::Text; 4]).await?;
    let examples = found.iter().map(|row| rows::id_back(&row[0])).collect::<Result<_, _>>()?;
    let unknown = || LedgerError::damaged("a group is of nothing");
    let (verdict, cause, about) = match found.first() {
        Some(row) => {
            let verdict = rows::verdict_back(&row[1])?;
            let about = row[3].text().ok().map(|text| About::from_text(text).ok_or_else(unknown));
            (verdict, rows::cause_back(verdict, &row[2])?, about.transpose()?)
        }
        None => counted.of_runs.map(|(verdict, cause)| (verdict, cause, None)).ok_or_else(unknown)?,
    };
    Ok(Group {
        id: GroupId::from_digits(&id).ok_or_else(unknown)?,
        verdict,
        cause,
        about,
        findings: counted.findings,
        first_ms: counted.first_ms.unwrap_or_default(),
        last_ms: counted.last_ms,
        examples,
    })
}
