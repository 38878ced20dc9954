//! What people decide about findings: seen, or not to be told of. Decisions are added and never changed.
//!
//! Contract: no decision changes a verdict or a count. The newest on a finding or on its group holds: *acknowledged* as long
//! as the finding stays open, *ignored* until its time, *cleared* takes back what was decided before.

use validator_core::finding::FindingId;

use crate::book::Book;
use crate::checkpoint::Written;
use crate::error::LedgerError;
use crate::group::GroupId;
use crate::posting::Posting;
use crate::prepared::Preparing;
use crate::rows::Put;
use crate::schema::MARKS;
use crate::store::Store;
use crate::value::{Kind, Value};

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// About what.
    pub target: Target,
    /// What was decided.
    pub what: Decision,
    /// By whom.
    pub who: String,
    /// Why.
    pub reason: String,
    /// For how long, milliseconds since the epoch; none: for good.
    pub until_ms: Option<i64>,
    /// When, milliseconds since the epoch.
    pub at_ms: i64,
}

/// What a decision is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// One finding.
    Finding(FindingId),
    /// All findings that are alike, also those to come.
    Group(GroupId),
}

impl Target {
    /// Its digits.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Finding(id) => id.as_str(),
            Self::Group(id) => id.as_str(),
        }
    }

    /// A target of its digits; none where they are none.
    pub fn from_digits(digits: &str) -> Option<Self> {
        let finding = FindingId::from_digits(digits).map(Self::Finding);
        finding.or_else(|| GroupId::from_digits(digits).map(Self::Group))
    }
}

/// What can be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// Somebody has seen it, until it opens again.
    Acknowledged,
    /// Nobody is to be told of it, for a time.
    Ignored,
    /// What was decided before holds no longer.
    Cleared,
}

impl Decision {
    /// Every decision.
    pub const ALL: [Self; 3] = [Self::Acknowledged, Self::Ignored, Self::Cleared];

    /// The public word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Ignored => "ignored",
            Self::Cleared => "cleared",
        }
    }
}

/// The columns of [`mark_back`].
pub(crate) const MARK_KINDS: [Kind; 6] = [Kind::Text, Kind::Text, Kind::Text, Kind::Text, Kind::Int, Kind::Int];
pub(crate) const MARK_COLUMNS: [&str; 6] = ["target", "what", "who", "reason", "until_ms", "at_ms"];

pub(crate) fn mark_back(values: &[Value]) -> Result<Mark, LedgerError> {
    let (target, what) = (values[0].text()?, values[1].text()?);
    let unknown = |what: &str| LedgerError::damaged(format!("a mark has no {what}"));
    Ok(Mark {
        target: Target::from_digits(target).ok_or_else(|| unknown("target"))?,
        what: Decision::ALL.into_iter().find(|one| one.as_str() == what).ok_or_else(|| unknown("decision"))?,
        who: values[2].text()?.to_owned(),
        reason: values[3].text()?.to_owned(),
        until_ms: values[4].int_or_none(),
        at_ms: values[5].int()?,
    })
}

/// Puts marks after those that are there.
pub(crate) async fn put(
    store: &mut Store,
    pipeline: i64,
    marks: &[Mark],
    preparing: &mut Preparing<'_>,
) -> Result<(), LedgerError> {
    if marks.is_empty() {
        return Ok(());
    }
    let sql = "SELECT MAX(number) FROM marks WHERE pipeline = $1";
    let rows = store.rows(sql, &[&pipeline.into()], &[Kind::Int]).await?;
    let last = rows.first().and_then(|row| row[0].int_or_none()).unwrap_or(0);
    for (number, mark) in (last + 1..).zip(marks) {
        let values = vec![
            number.into(),
            mark.target.as_str().into(),
            mark.what.as_str().into(),
            mark.who.as_str().into(),
            mark.reason.as_str().into(),
            Value::Int(mark.until_ms),
            mark.at_ms.into(),
        ];
        preparing.put_over(Put { table: &MARKS, values, open: false }, None)?;
    }
    Ok(())
}

impl Book {
    /// Writes decisions by a checkpoint of its own, in which nothing else changes. Who runs the pipeline puts them into its
    /// next posting instead: its state machine would not know of the checkpoint.
    ///
    /// # Errors
    /// When the pipeline has no checkpoint yet, the book is fenced, or the database cannot.
    pub async fn mark(&mut self, marks: &[Mark], at_ms: i64) -> Result<Written, LedgerError> {
        let delta = self.unchanged().await?;
        self.checkpoint(&Posting { marks, ..Posting::of(&delta, at_ms) }).await
    }
}
