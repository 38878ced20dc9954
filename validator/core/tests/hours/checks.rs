//! What must be true of a service that follows a world of hours: at each checkpoint of what it tells, at rest of all that it says.

use std::collections::BTreeSet;

use fixtures_kit::hours::{Fault, GIVE_UP_MS, World};
use fixtures_kit::story::StoryMode;
use validator_core::judge::RowTally;
use validator_core::shadow::delta::{Change, Delta, FindingPlace};
use validator_core::shadow::invariants;
use validator_core::verdict::{Cause, Damage, MessageVerdict, RowVerdict, Verdict};

use crate::service::{Done, Service};

/// Whether a clock that is ahead by so much says this of a message that is on its way: it is overdue, and once `give_up` is over lost: missing,
/// or of an upsert table what still shows an older version, or a row that should be deleted.
fn is_early(verdict: Verdict, cause: Option<Cause>, ahead_ms: i64) -> bool {
    let is_given_up = ahead_ms > GIVE_UP_MS;
    match (verdict, cause) {
        (Verdict::Message(MessageVerdict::Overdue), _) => ahead_ms > 0,
        (Verdict::Message(MessageVerdict::Missing), _) => is_given_up,
        (Verdict::Message(MessageVerdict::Corrupted), Some(Cause::Damage(Damage::StaleValue))) => is_given_up,
        (Verdict::Row(RowVerdict::Phantom), Some(Cause::Resurrected)) => is_given_up,
        _ => false,
    }
}

/// Nothing is told of a message that nothing happened to, but what the clock makes of it; of the others what happened.
pub fn check_told(delta: &Delta, world: &World, ahead_ms: i64, done: &mut Done) {
    let rowless = [MessageVerdict::Missing, MessageVerdict::Overdue].map(Verdict::Message);
    for finding in delta.findings.iter().filter(|finding| finding.change != Change::Resolved) {
        let fault = match finding.place {
            FindingPlace::Message { lane, offset } => world.log.faults.at(lane.0 as usize, offset),
            _ => None,
        };
        let is_so = match fault {
            Some(Fault::Twice) => finding.verdict == Verdict::Message(MessageVerdict::Duplicated),
            Some(Fault::Lost | Fault::Late { .. }) => rowless.contains(&finding.verdict),
            None => false,
        };
        assert!(
            is_so || is_early(finding.verdict, finding.cause, ahead_ms),
            "{fault:?} happened, and yet {finding:?} at {} ms, the clock {ahead_ms} ms ahead",
            world.age_ms()
        );
        *(if is_so { &mut done.faults } else { &mut done.early }) += 1;
    }
    for run in delta.runs.iter().filter(|run| run.change != Change::Resolved) {
        assert!(
            is_early(run.verdict, run.cause, ahead_ms),
            "nothing is wrong, and yet {run:?} at {} ms, the clock {ahead_ms} ms ahead",
            world.age_ms()
        );
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
            let is_so = match finding.place {
                FindingPlace::Message { lane, offset } => happened(lane.0 as usize, offset),
                _ => false,
            };
            assert!(is_so, "{finding:?} is open, and the clock is right");
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
        self.check_holdings();
        self.check_findings();
        invariants::check_kept(shadow).unwrap_or_else(|broken| panic!("{broken}"));
    }

    /// What no copy counts, or what would be forgotten with a restart: nothing but what is live or open is held.
    fn check_holdings(&self) {
        let held = self.held.shadow.holdings();
        let live = self.world.table.head().map_or(0, |head| head.live.len() as u64);
        let open = self.ledger.findings.len();
        assert_eq!((held.files_live, held.findings_told), (live, open), "{held:?}");
        assert!(held.residues <= open, "{held:?}");
        assert_eq!((held.files_waiting, held.files_unsaved, held.news, held.runs), (0, 0, 0, 0), "{held:?}");
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
