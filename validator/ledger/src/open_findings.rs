//! How many findings are open, by verdict and cause: what alerts speak of.
//!
//! Contract: counted once when a book is opened and changed by each checkpoint; of a segment whose messages all have one verdict
//! each message counts. Acknowledged and ignored ones are open too; how many are ignored is known beside it.

use std::collections::BTreeMap;

use validator_core::verdict::{Cause, Verdict};

use crate::alerts::AlertChange;
use crate::book::Book;
use crate::checkpoint::Written;
use crate::error::LedgerError;
use crate::finding;
use crate::ignored::Ignored;
use crate::outbox::Mail;
use crate::posting::Posting;
use crate::rows::{self, OPEN};
use crate::store::Store;
use crate::value::{Kind, Value};

/// By verdict and cause; none is 0.
pub type OpenFindings = BTreeMap<(Verdict, Option<Cause>), u64>;

/// Open findings, and those of them that nobody is to be told of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenCounts {
    /// All.
    pub all: OpenFindings,
    /// Those that somebody ignores, as of the time of the checkpoint.
    pub ignored: OpenFindings,
}

/// What is to be told of a checkpoint, asked inside its transaction once it is known how many findings will be open. Where the
/// checkpoint is given again it is asked again, and the last answer is the one that is written.
pub type Tell<'a> = dyn FnMut(&OpenCounts) -> Told + Send + 'a;

/// What a checkpoint writes for people beside its posting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// Alerts whose state changed.
    pub alerts: Vec<AlertChange>,
    /// Messages, to be sent after the commit.
    pub mail: Vec<Mail>,
}

impl Book {
    /// Writes what is to be told by a checkpoint of its own, in which nothing else changes. Who runs the pipeline tells by
    /// [`Book::checkpoint_telling`] instead: its state machine would not know of the checkpoint.
    ///
    /// # Errors
    /// When the pipeline has no checkpoint yet, the book is fenced, or the database cannot.
    pub async fn tell(&mut self, tell: &mut Tell<'_>, at_ms: i64) -> Result<Written, LedgerError> {
        let delta = self.unchanged().await?;
        self.checkpoint_telling(&Posting::of(&delta, at_ms), tell).await
    }
}

// Columns of `finding_runs` and `findings`.
const RUN: [usize; 5] = [4, 5, 6, 7, 11];

/// By how much counts change.
#[derive(Debug, Default)]
pub(crate) struct Shift {
    all: Moved,
    ignored: Moved,
}

type Moved = BTreeMap<(Verdict, Option<Cause>), i64>;

impl Shift {
    /// A row of `findings` comes, or goes (`sign` −1).
    pub(crate) fn finding(&mut self, values: &[Value], sign: i64, ignored: Ignoring<'_>) -> Result<(), LedgerError> {
        if values[finding::STATE].text()? != OPEN {
            return Ok(());
        }
        let is_ignored = ignored.holds(Some(values[0].text()?), values[finding::GROUP].text()?);
        self.add(&values[1], &values[finding::CAUSE], sign, is_ignored)
    }

    /// A row of `finding_runs` comes, or goes.
    pub(crate) fn run(&mut self, values: &[Value], sign: i64, ignored: Ignoring<'_>) -> Result<(), LedgerError> {
        let [verdict, cause, messages, state, group] = RUN;
        if values[state].text()? != OPEN {
            return Ok(());
        }
        let many = sign.saturating_mul(values[messages].int()?);
        self.add(&values[verdict], &values[cause], many, ignored.holds(None, values[group].text()?))
    }

    fn add(&mut self, verdict: &Value, cause: &Value, many: i64, is_ignored: bool) -> Result<(), LedgerError> {
        let verdict = rows::verdict_back(verdict)?;
        let of = (verdict, rows::cause_back(verdict, cause)?);
        *self.all.entry(of).or_default() += many;
        if is_ignored {
            *self.ignored.entry(of).or_default() += many;
        }
        Ok(())
    }

    /// The counts after it.
    pub(crate) fn over(&self, before: &OpenCounts) -> OpenCounts {
        OpenCounts { all: moved(&before.all, &self.all), ignored: moved(&before.ignored, &self.ignored) }
    }
}

fn moved(before: &OpenFindings, by: &Moved) -> OpenFindings {
    let mut after = before.clone();
    for (of, many) in by {
        let now = after.get(of).copied().unwrap_or(0).saturating_add_signed(*many);
        match now {
            0 => drop(after.remove(of)),
            now => drop(after.insert(*of, now)),
        }
    }
    after
}

/// What is ignored, at an instant.
#[derive(Clone, Copy)]
pub(crate) struct Ignoring<'a> {
    pub(crate) what: &'a Ignored,
    pub(crate) now_ms: i64,
}

impl Ignoring<'_> {
    fn holds(self, id: Option<&str>, group: &str) -> bool {
        self.what.holds(id, group, self.now_ms)
    }
}

/// As the rows stand.
pub(crate) async fn counted(store: &mut Store, pipeline: i64) -> Result<OpenFindings, LedgerError> {
    let sql = "SELECT verdict, cause, CAST(SUM(many) AS BIGINT) FROM (\
               SELECT verdict, cause, COUNT(*) AS many FROM findings WHERE pipeline = $1 AND state = 'open' GROUP BY 1, 2 \
               UNION ALL SELECT verdict, cause, SUM(messages) AS many FROM finding_runs \
               WHERE pipeline = $1 AND state = 'open' GROUP BY 1, 2) AS both_kinds GROUP BY 1, 2";
    let mut open = OpenFindings::new();
    for row in store.rows(sql, &[&pipeline.into()], &[Kind::Text, Kind::Text, Kind::Int]).await? {
        let verdict = rows::verdict_back(&row[0])?;
        open.insert((verdict, rows::cause_back(verdict, &row[1])?), rows::small_count(&row[2])?);
    }
    Ok(open)
}
