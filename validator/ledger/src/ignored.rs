//! Which open findings nobody is to be told of: those whose newest decision, on themselves or on their group, says so and still holds.
//!
//! Contract: as the standing of findings is read (`read/state.rs`), at the instant of a checkpoint. Where nobody ignores anything, nothing
//! is asked.

use std::collections::BTreeMap;

use crate::error::LedgerError;
use crate::limits::KEYS_PER_STATEMENT;
use crate::marks::{Decision, MARK_COLUMNS, MARK_KINDS, Mark, Target, mark_back};
use crate::open_findings::OpenFindings;
use crate::rows;
use crate::store::Store;
use crate::value::{Kind, Value};

/// The newest decision on each target.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ignored {
    findings: BTreeMap<String, Newest>,
    groups: BTreeMap<String, Newest>,
    decisions: u64,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    number: u64,
    what: Decision,
    until_ms: Option<i64>,
}

impl Newest {
    fn ignores(&self, now_ms: i64) -> bool {
        self.what == Decision::Ignored && self.until_ms.is_none_or(|until| until > now_ms)
    }
}

impl Ignored {
    /// All decisions that the ledger has.
    pub(crate) async fn read(store: &mut Store, pipeline: i64) -> Result<Self, LedgerError> {
        let sql = format!("SELECT {} FROM marks WHERE pipeline = $1 ORDER BY number", MARK_COLUMNS.join(", "));
        let mut all = Self::default();
        for row in store.rows(&sql, &[&pipeline.into()], &MARK_KINDS).await? {
            all.note(&mark_back(&row)?);
        }
        Ok(all)
    }

    /// One more, behind the others.
    pub(crate) fn note(&mut self, mark: &Mark) {
        self.decisions += 1;
        let newest = Newest { number: self.decisions, what: mark.what, until_ms: mark.until_ms };
        let of = match mark.target {
            Target::Finding(_) => &mut self.findings,
            Target::Group(_) => &mut self.groups,
        };
        of.insert(mark.target.as_str().to_owned(), newest);
    }

    /// Whether nobody is to be told of a finding of that id, none of a run, and that group.
    pub(crate) fn holds(&self, id: Option<&str>, group: &str, now_ms: i64) -> bool {
        let own = id.and_then(|id| self.findings.get(id));
        let newest = own.into_iter().chain(self.groups.get(group)).max_by_key(|newest| newest.number);
        newest.is_some_and(|newest| newest.ignores(now_ms))
    }

    /// How many open ones those are, as the rows stand.
    pub(crate) async fn counted(
        &self,
        store: &mut Store,
        pipeline: i64,
        now_ms: i64,
    ) -> Result<OpenFindings, LedgerError> {
        if !self.findings.values().chain(self.groups.values()).any(|newest| newest.ignores(now_ms)) {
            return Ok(OpenFindings::new());
        }
        let mut counts = Counts::new();
        for (group, _) in self.groups.iter().filter(|(_, newest)| newest.ignores(now_ms)) {
            let sql = "SELECT verdict, cause, CAST(SUM(many) AS BIGINT) FROM (\
                       SELECT verdict, cause, COUNT(*) AS many FROM findings WHERE pipeline = $1 AND group_id = $2 \
                       AND state = 'open' GROUP BY 1, 2 UNION ALL SELECT verdict, cause, SUM(messages) AS many \
                       FROM finding_runs WHERE pipeline = $1 AND group_id = $2 AND state = 'open' GROUP BY 1, 2) \
                       AS both_kinds GROUP BY 1, 2";
            let values: [Value; 2] = [pipeline.into(), group.as_str().into()];
            for row in store.rows(sql, &[&values[0], &values[1]], &[Kind::Text, Kind::Text, Kind::Int]).await? {
                add(&mut counts, &row[0], &row[1], row[2].int()?)?;
            }
        }
        // One that was decided on by itself may stand otherwise than its group.
        let ids: Vec<&String> = self.findings.keys().collect();
        for some in ids.chunks(KEYS_PER_STATEMENT) {
            let places = (2..some.len() + 2).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ");
            let sql = format!(
                "SELECT verdict, cause, id, group_id FROM findings WHERE pipeline = $1 AND state = 'open' AND id IN ({places})"
            );
            let mut values = vec![Value::from(pipeline)];
            values.extend(some.iter().map(|id| Value::from(id.as_str())));
            let values: Vec<&Value> = values.iter().collect();
            for row in store.rows(&sql, &values, &[Kind::Text; 4]).await? {
                let (id, group) = (row[2].text()?, row[3].text()?);
                let (own, of_group) = (self.holds(Some(id), group, now_ms), self.holds(None, group, now_ms));
                add(&mut counts, &row[0], &row[1], i64::from(own) - i64::from(of_group))?;
            }
        }
        counts.retain(|_, many| *many > 0);
        Ok(counts.into_iter().map(|(of, many)| (of, many.unsigned_abs())).collect())
    }
}

type Counts = BTreeMap<(validator_core::verdict::Verdict, Option<validator_core::verdict::Cause>), i64>;

fn add(counts: &mut Counts, verdict: &Value, cause: &Value, many: i64) -> Result<(), LedgerError> {
    let verdict = rows::verdict_back(verdict)?;
    *counts.entry((verdict, rows::cause_back(verdict, cause)?)).or_default() += many;
    Ok(())
}
