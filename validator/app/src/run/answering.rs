//! What the API answers from the ledger, beside the pipelines that write to it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use validator_core::harmless::harmless_json;
use validator_engine::mask::Mask;
use validator_ledger::{FindingFilter, FindingState as Kept, LedgerError, ReadLedger};

use super::http::{AnswerError, Answers, FindingState, FindingsPage, FindingsQuery};
use super::state;
use crate::config::{Pipeline, Service};
use crate::failure::Failure;
use crate::ledger::{reported, told};

/// The pipelines by name, as their files stand.
pub type Pipelines = Arc<RwLock<BTreeMap<String, Pipeline>>>;

/// See the module.
pub struct LedgerAnswers {
    /// Where the ledger is.
    pub service: Arc<Service>,
    /// Whose targets a report is held against.
    pub pipelines: Pipelines,
}

#[async_trait]
impl Answers for LedgerAnswers {
    async fn report(&self, pipeline: &str, now_ms: i64) -> Result<String, AnswerError> {
        let not_yet = || AnswerError::NotYet { pipeline: pipeline.to_owned() };
        let known = self.pipelines.read().unwrap_or_else(PoisonError::into_inner).get(pipeline).cloned();
        let known = known.ok_or_else(not_yet)?;
        let mut ledger = ReadLedger::open(&state::address(&self.service)).await.map_err(of_ledger)?;
        let answer = reported(&mut ledger, &known, now_ms).await.map_err(|failure| match failure {
            Failure::Ledger(LedgerError::Unknown { .. }) => not_yet(),
            other => AnswerError::Ledger(other.into()),
        })?;
        let report = serde_json::to_string(&answer.report).map_err(|error| AnswerError::Ledger(error.into()))?;
        Ok(harmless_json(&report).into_owned())
    }

    async fn findings(&self, pipeline: &str, query: &FindingsQuery, now_ms: i64) -> Result<FindingsPage, AnswerError> {
        let states = query.states.iter().map(|state| match state {
            FindingState::Open => Kept::Open,
            FindingState::Acknowledged => Kept::Acknowledged,
            FindingState::Ignored => Kept::Ignored,
            FindingState::Resolved => Kept::Resolved,
        });
        let filter =
            FindingFilter { states: states.collect(), verdict: query.verdict, now_ms, ..FindingFilter::default() };
        let mut ledger = ReadLedger::open(&state::address(&self.service)).await.map_err(of_ledger)?;
        let page = ledger.findings(pipeline, &filter, query.after.as_deref(), query.limit).await;
        let page = page.map_err(|error| match error {
            LedgerError::Cursor { .. } => AnswerError::After,
            LedgerError::Unknown { .. } => AnswerError::NotYet { pipeline: pipeline.to_owned() },
            other => of_ledger(other),
        })?;
        let known = self.pipelines.read().unwrap_or_else(PoisonError::into_inner).get(pipeline).cloned();
        let mask = known.map(|known| Mask::of_columns(&known.contract.compare.mask)).unwrap_or_default();
        let findings = page.listed.iter().flat_map(|listed| told(pipeline, &mask, listed)).collect();
        Ok(FindingsPage { findings, next: page.next })
    }
}

fn of_ledger(error: LedgerError) -> AnswerError {
    AnswerError::Ledger(error.into())
}
