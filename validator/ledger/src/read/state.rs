//! What holds of a finding at an instant: its own state, and over it what people decided last.

use validator_core::verdict::{Cause, Verdict};

use crate::error::LedgerError;
use crate::rows;
use crate::store::Store;
use crate::value::{Kind, Value};

/// What holds of a finding at an instant. All but resolved ones are true: counts have them alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingState {
    /// It is true, and nobody decided anything.
    Open,
    /// It is true, and somebody has seen it.
    Acknowledged,
    /// It is true, and nobody is to be told of it.
    Ignored,
    /// It is true no longer.
    Resolved,
}

impl FindingState {
    /// Every state, in its order.
    pub const ALL: [Self; 4] = [Self::Open, Self::Acknowledged, Self::Ignored, Self::Resolved];

    /// The public word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Ignored => "ignored",
            Self::Resolved => "resolved",
        }
    }

    /// What it says.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Open => "it is true, and nobody decided anything",
            Self::Acknowledged => "it is true, and somebody has seen it",
            Self::Ignored => "it is true, and nobody is to be told of it",
            Self::Resolved => "it is true no longer",
        }
    }

    /// The state of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.as_str() == word)
    }

    pub(super) fn back(value: &Value) -> Result<Self, LedgerError> {
        Self::from_word(value.text()?).ok_or_else(|| LedgerError::damaged("no state has that word"))
    }
}

/// The standing of a row `f` with the mark `m` over it; `$2` is the instant.
pub(super) const STANDING: &str = "CASE WHEN f.state = 'resolved' THEN 'resolved' \
     WHEN m.what = 'ignored' AND (m.until_ms IS NULL OR m.until_ms > $2) THEN 'ignored' \
     WHEN m.what = 'acknowledged' AND m.at_ms >= f.opened_ms THEN 'acknowledged' ELSE 'open' END";

/// Findings with the newest mark on them or on their group.
pub(super) const FINDINGS_MARKED: &str = "findings AS f LEFT JOIN marks AS m ON m.pipeline = f.pipeline AND m.number = \
     (SELECT MAX(number) FROM marks AS n WHERE n.pipeline = f.pipeline AND n.target IN (f.id, f.group_id))";

/// Runs with the newest mark on their group.
pub(super) const RUNS_MARKED: &str = "finding_runs AS f LEFT JOIN marks AS m ON m.pipeline = f.pipeline AND m.number = \
     (SELECT MAX(number) FROM marks AS n WHERE n.pipeline = f.pipeline AND n.target = f.group_id)";

/// What a query over findings and runs stands on: without marks nothing need be joined.
pub(super) struct Marked {
    pub standing: &'static str,
    pub findings: &'static str,
    pub runs: &'static str,
}

pub(super) async fn marked(store: &mut Store, pipeline: i64) -> Result<Marked, LedgerError> {
    let sql = "SELECT number FROM marks WHERE pipeline = $1 LIMIT 1";
    Ok(if store.rows(sql, &[&pipeline.into()], &[Kind::Int]).await?.is_empty() {
        // The instant is a value of the statement all the same.
        let standing = "CASE WHEN $2 < 0 THEN f.state ELSE f.state END";
        Marked { standing, findings: "findings AS f", runs: "finding_runs AS f" }
    } else {
        Marked { standing: STANDING, findings: FINDINGS_MARKED, runs: RUNS_MARKED }
    })
}

/// How many findings are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingCount {
    /// What holds of them.
    pub state: FindingState,
    /// What is true.
    pub verdict: Verdict,
    /// Why.
    pub cause: Option<Cause>,
    /// How many; of a run each of its messages.
    pub findings: u64,
}

/// Findings and runs by standing, verdict and cause.
pub(super) async fn counts(store: &mut Store, pipeline: i64, now_ms: i64) -> Result<Vec<FindingCount>, LedgerError> {
    let Marked { standing, findings, runs } = marked(store, pipeline).await?;
    let sql = format!(
        "SELECT standing, verdict, cause, CAST(SUM(many) AS BIGINT) FROM (\
         SELECT {standing} AS standing, f.verdict AS verdict, f.cause AS cause, COUNT(*) AS many FROM {findings} \
         WHERE f.pipeline = $1 GROUP BY 1, 2, 3 \
         UNION ALL SELECT {standing} AS standing, f.verdict AS verdict, f.cause AS cause, SUM(f.messages) AS many \
         FROM {runs} WHERE f.pipeline = $1 GROUP BY 1, 2, 3) AS both_kinds GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    );
    let kinds = [Kind::Text, Kind::Text, Kind::Text, Kind::Int];
    let mut counts = Vec::new();
    for row in store.rows(&sql, &[&pipeline.into(), &now_ms.into()], &kinds).await? {
        let verdict = rows::verdict_back(&row[1])?;
        counts.push(FindingCount {
            state: FindingState::back(&row[0])?,
            verdict,
            cause: rows::cause_back(verdict, &row[2])?,
            findings: rows::small_count(&row[3])?,
        });
    }
    Ok(counts)
}
