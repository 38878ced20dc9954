//! Which finding a person means by an id, or the first digits of one.

use validator_core::finding::{Finding, FindingId};
use validator_core::position::TopicPartition;
use validator_core::verdict::{MessageVerdict, Verdict};
use validator_ledger::{FindingFilter, FindingState, GroupId, LedgerError, Listed, ReadLedger, RunRow};

use crate::config::Problem;
use crate::failure::Failure;

/// Digits below which too many findings may be meant.
const DIGITS_MIN: usize = 8;

/// What is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// A finding with a row of its own.
    Finding(FindingId),
    /// A message of a whole segment that has one verdict.
    InRun(Box<RunRow>, i64),
    /// All that are alike.
    Group(GroupId),
}

/// The pipelines that are asked for: one, or all of the ledger.
pub async fn names(ledger: &mut ReadLedger, named: Option<&str>) -> Result<Vec<String>, LedgerError> {
    match named {
        Some(name) => Ok(vec![name.to_owned()]),
        None => ledger.names().await,
    }
}

/// What digits mean, and in which pipeline: one and only one thing.
pub async fn meant(ledger: &mut ReadLedger, names: &[String], digits: &str) -> Result<(String, Meant), Failure> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digits.len() < DIGITS_MIN || !digits.bytes().all(is_digit) {
        let what = format!("`{digits}` is no id: it has at least {DIGITS_MIN} of the digits 0 to 9 and a to f");
        return Err(problem(what, "`validator findings` shows the id of each"));
    }
    let mut all = Vec::new();
    for name in names {
        let ids = ledger.ids_from(name, digits).await?;
        all.extend(ids.into_iter().map(|id| (name.clone(), Meant::Finding(id))));
        if let Some(group) = GroupId::from_digits(digits)
            && ledger.groups(name, 0).await?.iter().any(|one| one.id == group)
        {
            all.push((name.clone(), Meant::Group(group)));
        }
    }
    if all.is_empty() {
        for name in names {
            all.extend(in_runs(ledger, name, digits).await?.into_iter().map(|meant| (name.clone(), meant)));
        }
    }
    match all.len() {
        1 => Ok(all.remove(0)),
        0 => {
            Err(problem(format!("no finding has the id {digits}"), "`validator findings --all` lists those there are"))
        }
        _ => Err(problem(format!("{digits} is more than one finding"), "give more of its digits, or `--pipeline`")),
    }
}

/// Messages of whole segments whose ids begin so. Those have no row: their ids are made of their offsets.
async fn in_runs(ledger: &mut ReadLedger, name: &str, digits: &str) -> Result<Vec<Meant>, LedgerError> {
    let states = vec![FindingState::Open, FindingState::Acknowledged, FindingState::Ignored];
    let filter = FindingFilter { states, now_ms: 0, ..FindingFilter::default() };
    let mut all = Vec::new();
    let take = |listed: Listed| {
        if let Listed::Run(run) = listed {
            for offset in run.offsets.iter().cloned().flatten() {
                if id_of(name, &run.tp, run.verdict, offset).as_str().starts_with(digits) {
                    all.push(Meant::InRun(Box::new(run.clone()), offset));
                }
            }
        }
        Ok(())
    };
    ledger.each_finding(name, &filter, take).await?;
    Ok(all)
}

fn id_of(name: &str, tp: &TopicPartition, verdict: Verdict, offset: i64) -> FindingId {
    FindingId::of_message(name, verdict, tp, offset)
}

/// The finding of a message of a run.
pub fn of_run(name: &str, run: &RunRow, offset: i64) -> Option<Finding> {
    let Verdict::Message(verdict) = run.verdict else { return None };
    let mut finding = Finding::of_message(name, verdict, run.cause, &run.tp, offset);
    finding.detail = format!("no message of offsets {} to {} has a row", run.from, run.upto);
    if verdict == MessageVerdict::Diverted {
        finding.detail += ": all of them are among the dead letters";
    }
    Some(finding)
}

pub fn problem(what: impl Into<String>, hint: &str) -> Failure {
    vec![Problem::new(what).hint(hint)].into()
}
