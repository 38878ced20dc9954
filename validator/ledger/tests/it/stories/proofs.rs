//! What a reader says of a story's ledger must be what the machine knows.

use std::collections::BTreeSet;

use validator_core::shadow::standing::Standing;
use validator_ledger::{FindingFilter, FindingState, Listed, ReadLedger};

use super::machine::{Machine, terms};
use super::saved::DIGEST_KEY;

const NAME: &str = "story";
/// Nothing is ever marked, so any instant will do.
const NOW: i64 = 0;

impl Machine<'_> {
    /// Proves the ledger down to its bodies, and holds what readers are told against the state.
    pub fn prove(&self) {
        let (address, story) = (&self.ledger.address, self.world.story);
        self.ledger.runtime.block_on(async {
            let mut reader = ReadLedger::open(address).await.expect("readable");
            let proven = reader.verify_deep(NAME, DIGEST_KEY, terms(story, self.world.mode)).await;
            let proven = proven.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(proven.continuity.broken, None);
            let report = reader.report(NAME, NOW).await.expect("a report").expect("a checkpoint");
            self.check_report(&report.standing);
            let equal = reader.still_equal(NAME).await.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(equal.segments, report.standing.segments.balanced, "segments that are equal");
            let unequal = report.standing.segments.total() - report.standing.segments.balanced;
            assert_eq!(equal.unequal_segments, unequal, "segments that are not");

            let filter = FindingFilter { states: vec![FindingState::Open], ..FindingFilter::default() };
            let (mut open, mut of_runs) = (BTreeSet::new(), 0);
            let each = reader.each_finding(NAME, &filter, |listed| {
                match listed {
                    Listed::Finding(finding) => drop(open.insert(finding.id.clone())),
                    Listed::Run(run) => of_runs += run.messages,
                }
                Ok(())
            });
            each.await.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(open, self.ledger.findings.keys().cloned().collect(), "findings that are open");
            let runs = self.shadow.runs().values().map(|(_, _, messages)| messages).sum::<u64>();
            assert_eq!(of_runs, runs, "messages in runs that are open");
            let counted = report.findings.iter().filter(|count| count.state == FindingState::Open);
            let counted = counted.map(|count| count.findings).sum::<u64>();
            assert_eq!(counted, open.len() as u64 + runs, "findings that a report counts");
            let groups = reader.groups(NAME, NOW).await.expect("groups");
            assert_eq!(groups.iter().map(validator_ledger::Group::is_true).sum::<u64>(), counted, "findings in groups");
        });
    }

    fn check_report(&self, standing: &Standing) {
        assert_eq!(*standing, self.shadow.standing(), "I8: another process says the same");
    }
}
