//! How many findings are open, by verdict and cause: what alerts speak of.
//!
//! Contract: counted once when a book is opened and changed by each checkpoint; of a segment whose messages all have one verdict
//! each message counts. Acknowledged and ignored ones are open too.

use std::collections::BTreeMap;

use validator_core::verdict::{Cause, Verdict};

use crate::alerts::AlertChange;
use crate::book::Book;
use crate::checkpoint::Written;
use crate::error::LedgerError;
use crate::finding;
use crate::outbox::Mail;
use crate::posting::Posting;
use crate::rows::{self, OPEN};
use crate::store::Store;
use crate::value::{Kind, Value};

/// By verdict and cause; none is 0.
pub type OpenFindings = BTreeMap<(Verdict, Option<Cause>), u64>;

/// What is to be told of a checkpoint, asked inside its transaction once it is known how many findings will be open. Where the
/// checkpoint is given again it is asked again, and the last answer is the one that is written.
pub type Tell<'a> = dyn FnMut(&OpenFindings) -> Told + Send + 'a;

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
const RUN: [usize; 4] = [4, 5, 6, 7];

/// By how much counts change.
#[derive(Debug, Default)]
pub(crate) struct Shift(BTreeMap<(Verdict, Option<Cause>), i64>);

impl Shift {
    /// A row of `findings` comes, or goes (`sign` −1).
    pub(crate) fn finding(&mut self, values: &[Value], sign: i64) -> Result<(), LedgerError> {
        if values[finding::STATE].text()? == OPEN {
            self.add(&values[1], &values[finding::CAUSE], sign)?;
        }
        Ok(())
    }

    /// A row of `finding_runs` comes, or goes.
    pub(crate) fn run(&mut self, values: &[Value], sign: i64) -> Result<(), LedgerError> {
        let [verdict, cause, messages, state] = RUN;
        if values[state].text()? == OPEN {
            self.add(&values[verdict], &values[cause], sign.saturating_mul(values[messages].int()?))?;
        }
        Ok(())
    }

    fn add(&mut self, verdict: &Value, cause: &Value, many: i64) -> Result<(), LedgerError> {
        let verdict = rows::verdict_back(verdict)?;
        *self.0.entry((verdict, rows::cause_back(verdict, cause)?)).or_default() += many;
        Ok(())
    }

    /// The counts after it.
    pub(crate) fn over(&self, before: &OpenFindings) -> OpenFindings {
        let mut after = before.clone();
        for (of, many) in &self.0 {
            let now = after.get(of).copied().unwrap_or(0).saturating_add_signed(*many);
            match now {
                0 => drop(after.remove(of)),
                now => drop(after.insert(*of, now)),
            }
        }
        after
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
