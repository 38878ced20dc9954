//! What must be true of a service that follows a world of hours: at each checkpoint of what it tells, at rest of all that it says.

use std::collections::BTreeSet;

use fixtures_kit::hours::{Fault, SETTLE_MS, World};
use fixtures_kit::story::StoryMode;
use validator_core::judge::RowTally;
use validator_core::shadow::delta::{Change, Delta, FindingPlace};
use validator_core::shadow::invariants;
use validator_core::verdict::{MessageVerdict, Verdict};

use crate::service::{Done, Service};

/// Nothing is told of a message that nothing happened to, but that it is overdue where the service's clock is ahead; of the others
/// what happened.
pub fn check_told(delta: &Delta, world: &World, done: &mut Done) {
    let overdue = Verdict::Message(MessageVerdict::Overdue);
    let is_ahead = world.clock_error_ms() > 0;
    let ahead_ms = world.clock_error_ms();
    for finding in delta.findings.iter().filter(|finding| finding.change != Change::Resolved) {
        let FindingPlace::Message { lane, offset } = finding.place else {
            panic!("nothing is wrong, and yet {finding:?} at {} ms", world.age_ms());
        };
        let fault = world.log.faults.at(lane.0 as usize, offset);
        let rowless = [Verdict::Message(MessageVerdict::Missing), overdue];
        let is_so = match fault {
            Some(Fault::Twice) => finding.verdict == Verdict::Message(MessageVerdict::Duplicated),
            Some(Fault::Lost | Fault::Late { .. }) => rowless.contains(&finding.verdict),
            None => false,
        };
        if is_so {
            done.faults += 1;
            continue;
        }
        assert!(
            finding.verdict == overdue && is_ahead,
            "{fault:?} happened to {lane:?}@{offset}, and yet {finding:?} at {} ms, the clock {ahead_ms} ms ahead",
            world.age_ms()
        );
        done.early += 1;
    }
    for run in delta.runs.iter().filter(|run| run.change != Change::Resolved) {
        let is_early = run.verdict == overdue && ahead_ms > SETTLE_MS / 2;
        assert!(is_early, "nothing is wrong, and yet {run:?} at {} ms, the clock {ahead_ms} ms ahead", world.age_ms());
        done.early += 1;
    }
}

impl Service {
    /// What a clock that was ahead made overdue is taken back with the first look by a clock that is not.
    pub fn check_taken_back(&self) {
        if self.world.clock_error_ms() > 0 {
            return;
        }
        let happened = |lane: usize, offset: i64| self.world.log.faults.at(lane, offset).is_some();
        for finding in self.ledger.findings.values() {
            let FindingPlace::Message { lane, offset } = finding.place else { continue };
            assert!(happened(lane.0 as usize, offset), "{finding:?} is open, and the clock is right");
        }
        assert!(self.ledger.runs.is_empty(), "{:?}", self.ledger.runs);
    }

    /// All has landed and is due: what is said is the truth, nothing is open, and a restart would say the same.
    pub fn check_rest(&self) {
        let (world, shadow, truth) = (&self.world, &self.held.shadow, self.world.truth());
        let standing = shadow.standing();
        let said = standing.messages();
        let counts = (standing.consumed(), said.intact, said.excluded, said.missing, said.duplicated);
        let expected = (truth.consumed, truth.intact, truth.excluded, truth.missing, truth.duplicated);
        assert_eq!(
            counts,
            expected,
            "consumed, intact, excluded, missing, duplicated at {} ms: {said:?}",
            world.age_ms()
        );
        let others = truth.consumed - truth.intact - truth.excluded - truth.missing - truth.duplicated;
        assert_eq!((said.total(), others), (truth.consumed, 0), "{said:?}");
        let RowTally { intact, copies, .. } = standing.rows;
        assert_eq!((intact, copies), (truth.intact, truth.duplicated * 2), "{:?}", standing.rows);
        assert_eq!(standing.rows_read, intact + copies, "{:?}", standing.rows);
        assert!(standing.is_idle(), "something is open at {} ms: {:?}", world.age_ms(), standing.segments);
        assert!(shadow.actions().is_empty(), "something is asked: {:?}", shadow.actions());
        if world.mode != StoryMode::Upsert {
            let (late, untold) = (said.late, standing.untold);
            let fits = late <= truth.late && truth.late <= late + untold;
            assert!(fits, "{} are late, {late} are said, {untold} rows are not known", truth.late);
        }
        let live = world.table.head().map_or(0, |head| head.live.len() as u64);
        assert_eq!(shadow.holdings().files_live, live, "files that are live");
        self.check_findings();
        invariants::check_kept(shadow).unwrap_or_else(|broken| panic!("{broken}"));
    }

    /// The ledger has open what happened, and nothing else; what is restored from it is what was saved (I4).
    fn check_findings(&self) {
        let of_fault = |fault: Fault| match fault {
            Fault::Lost => Some(MessageVerdict::Missing),
            Fault::Twice => Some(MessageVerdict::Duplicated),
            Fault::Late { lands_ms } => (lands_ms > self.world.now_ms()).then_some(MessageVerdict::Missing),
        };
        let happened = self.world.log.faults.iter().filter_map(|((lane, offset), fault)| {
            let lane = crate::readings::lane_index(lane);
            Some((FindingPlace::Message { lane, offset }, Verdict::Message(of_fault(fault)?)))
        });
        let open = self.ledger.findings.values().map(|finding| (finding.place.clone(), finding.verdict));
        assert_eq!(open.collect::<BTreeSet<_>>(), happened.collect::<BTreeSet<_>>(), "open findings are what happened");
        assert!(self.ledger.runs.is_empty(), "{:?}", self.ledger.runs);
        let mut settled = self.held.shadow.clone();
        settled.let_go();
        assert!(settled == self.restored(), "I4: what was restored is not what was saved");
    }
}
