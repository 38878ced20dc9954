//! Findings of the ledger: those that are true and that nobody ignores.

use validator_core::clock::UtcMillis;
use validator_ledger::{FindingFilter, FindingState, Listed, ReadLedger};

use super::plan::{Origin, Planner};
use super::told::Told;
use crate::config::Service;
use crate::failure::Failure;
use crate::{open, run};

/// Hands all of them to a planner; where they are from, and how many are ignored.
pub fn read(service: &Service, name: &str, now_ms: i64, planner: &mut Planner) -> Result<(Origin, u64), Failure> {
    let states = vec![FindingState::Open, FindingState::Acknowledged, FindingState::Ignored];
    let filter = FindingFilter { states, now_ms, ..FindingFilter::default() };
    open::runtime()?.block_on(async {
        let mut ledger = ReadLedger::open(&run::address(service)).await?;
        for (tp, holes) in ledger.named_holes(name).await? {
            holes.into_iter().for_each(|(from, to)| planner.hole(&tp, from, to));
        }
        let mut ignored = 0;
        let take = |listed: Listed| {
            match &listed {
                Listed::Finding(row) if row.state == FindingState::Ignored => ignored += 1,
                Listed::Run(run) if run.state == FindingState::Ignored => ignored += run.messages,
                Listed::Finding(row) => planner.add(&Told::of_row(row)),
                Listed::Run(run) => planner.add(&Told::of_run(run)),
            }
            Ok(())
        };
        let seen = ledger.each_finding(name, &filter, take).await?;
        let origin = Origin {
            source: "ledger",
            checkpoint: seen.map(|seen| seen.checkpoint),
            judged_at: seen.map(|seen| UtcMillis(seen.judged_at_ms)),
            snapshot_id: seen.and_then(|seen| seen.snapshot),
        };
        Ok((origin, ignored))
    })
}
