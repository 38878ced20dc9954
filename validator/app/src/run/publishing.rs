//! What a pipeline publishes of itself, for metrics, health, the API and alerts.
//!
//! Contract: made from the standing that the ledger's totals are made from, so that they say the same; what no standing has is
//! gathered in [`Watching`] as it happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Notify, watch};
use validator_core::position::PartitionIndex;
use validator_core::segment::SegmentKey;
use validator_core::shadow::event::{CannotLook, LanePart};
use validator_core::shadow::file::FileId;
use validator_core::shadow::standing::{LaneStanding, Standing};
use validator_tap::Ends;

use super::actor::{Actor, contradiction_of};
use super::alerting::findings;
use super::landing::Landing;
use super::limits::{BATCHES_QUEUED, BYTES_OF_ENTRY, BYTES_OF_ROW, HASTE_LEAST, HEAD_ROOM_WARNS_S};
use super::retention::Retention;
use super::status::{PartitionStatus, Phase, Queue, SegmentStatus, Status};
use crate::failure::Failure;

/// Where the statuses of a pipeline go, and where it is asked to look.
#[derive(Debug, Clone)]
pub struct Publisher {
    statuses: watch::Sender<Arc<Status>>,
    looks: Arc<Notify>,
}

impl Publisher {
    /// Of a pipeline that starts.
    pub fn starting(pipeline: &str, target: f64, now_ms: i64) -> (Self, watch::Receiver<Arc<Status>>) {
        let (sender, receiver) = watch::channel(Arc::new(Status::starting(pipeline, target, now_ms)));
        (Self { statuses: sender, looks: Arc::default() }, receiver)
    }

    /// What was last said.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.statuses.borrow())
    }

    /// Changes what was last said.
    pub fn change(&self, change: impl FnOnce(&mut Status)) {
        self.statuses.send_modify(|status| change(Arc::make_mut(status)));
    }

    /// Asks for a look as soon as one can be made.
    pub fn ask_to_look(&self) {
        self.looks.notify_one();
    }

    /// Waits until somebody asks for a look.
    pub async fn asked_to_look(&self) {
        self.looks.notified().await;
    }

    /// It has ended and is not started again.
    pub fn failed(&self, why: &str) {
        self.change(|status| (status.phase, status.why) = (Phase::Failed, why.to_owned()));
    }

    /// Whether it has judged anything since the process began.
    pub fn has_judged(&self) -> bool {
        self.statuses.borrow().looks > 0
    }

    /// It cannot go on, and is started again.
    pub fn again(&self, why: &str) {
        self.change(|status| {
            (status.phase, status.why) =
                (Phase::CannotJudge, format!("its verdicts stand still until it can be opened again: {why}"));
            status.restarts += 1;
        });
    }

    /// Another member of the fleet judges.
    pub fn stands_by(&self, why: &str) {
        self.change(|status| (status.phase, status.why) = (Phase::StandingBy, why.to_owned()));
    }

    /// It begins to judge, and restores its state.
    pub fn starts(&self) {
        let why = "it restores its state and has judged nothing yet".to_owned();
        self.change(|status| (status.phase, status.why) = (Phase::Starting, why));
    }

    /// The ledger takes nothing: no work is done until it does.
    pub fn cannot_keep(&self, why: &str) {
        let why = format!("it cannot keep what it finds, and its verdicts stand still: {why}");
        self.change(|status| (status.phase, status.why) = (Phase::CannotJudge, why));
    }
}

/// What happens beside the state.
#[derive(Debug, Default)]
pub struct Watching {
    retention: Retention,
    landing: Landing,
    /// By partition, the offset below which all is stable, as last asked.
    last_stable: BTreeMap<u32, i64>,
    /// A look was applied since it was opened.
    has_looked: bool,
    /// Batches that wait for the actor.
    pub(super) batches_queued: usize,
    /// Whether messages are about to be deleted that are not consumed.
    pub(super) is_short: bool,
    /// When that was last seen.
    short_at: Option<Instant>,
}

impl Watching {
    /// The ends of the partitions, as they were at that time.
    /// `retention_ms` says for how long the brokers keep messages of a partition.
    pub fn ends(&mut self, at_ms: i64, ends: &[Ends], retention_ms: impl Fn(PartitionIndex) -> Option<i64>) {
        for end in ends {
            self.retention.observe_retention(end.partition.0, retention_ms(end.partition));
            self.last_stable.insert(end.partition.0, end.last_stable);
            self.retention.observe_end(end.partition.0, end.last_stable);
            self.retention.observe(end.partition.0, at_ms, end.log_start);
        }
    }

    /// A log begins there.
    pub fn log_start(&mut self, at_ms: i64, partition: PartitionIndex, log_start: i64) {
        self.retention.observe(partition.0, at_ms, log_start);
    }

    /// Messages were consumed.
    pub fn consumed(&mut self, publisher: &Publisher, lanes: &[LanePart], bytes: u64) {
        self.landing.consumed(lanes);
        for lane in lanes {
            let of_parts = lane.parts.iter().filter_map(|part| part.times.max_ms);
            let of_versions = lane.versions.iter().filter_map(|version| version.timestamp_ms);
            if let Some(read_ms) = of_parts.chain(of_versions).max() {
                self.retention.observe_read(lane.partition.0, read_ms);
            }
        }
        publisher.change(|status| status.read_bytes.messages += bytes);
    }

    /// Whether messages are about to be deleted that are not consumed. Back and forth around the bound is none: each time a reading begins anew.
    fn note_head_room(&mut self, head_room_s: Option<f64>) {
        let now = Instant::now();
        match head_room_s {
            Some(seconds) if seconds < HEAD_ROOM_WARNS_S => (self.is_short, self.short_at) = (true, Some(now)),
            Some(seconds) if seconds > 2.0 * HEAD_ROOM_WARNS_S => self.is_short = false,
            _ => self.is_short &= self.short_at.is_some_and(|at| now.duration_since(at) < HASTE_LEAST),
        }
    }

    /// A look was applied.
    pub fn looked(&mut self, publisher: &Publisher) {
        self.has_looked = true;
        publisher.change(|status| status.looks += 1);
    }
}

impl Status {
    /// Takes over what a standing says.
    pub fn take(&mut self, standing: &Standing) {
        (self.messages, self.rows) = (standing.messages(), standing.rows);
        self.late = standing.late();
        self.partitions = standing.lanes.iter().map(partition).collect();
        let segments = &standing.segments;
        self.segments =
            SegmentStatus { balanced: segments.balanced, open: segments.open, disputed: segments.disputed() };
        self.judged_at_ms = standing.judged_at_ms;
        self.snapshot = standing.snapshot.as_ref().map(|snapshot| snapshot.id);
        (self.phase, self.why) = phase(standing);
    }
}

/// The public word of what could not be looked at.
pub fn word(what: CannotLook) -> &'static str {
    match what {
        CannotLook::Catalog => "catalog",
        CannotLook::Store => "store",
        CannotLook::Broker => "broker",
        CannotLook::TableGone => "table",
    }
}

fn phase(standing: &Standing) -> (Phase, String) {
    if let Some(no_look) = standing.cannot_look {
        let what = match no_look.what {
            CannotLook::Catalog => "the catalog",
            CannotLook::Store => "the object store",
            CannotLook::Broker => "the brokers",
            CannotLook::TableGone => "the table, which is not there",
        };
        return (Phase::CannotJudge, format!("it cannot look at {what}: its verdicts stand still"));
    }
    match standing.judged_at_ms {
        None => (Phase::Starting, "it has judged nothing yet".to_owned()),
        Some(_) if standing.has_failed_to_look() => {
            (Phase::Degraded, "a part of the table cannot be read, or too much differs to be judged".to_owned())
        }
        Some(_) => (Phase::Healthy, String::new()),
    }
}

fn partition(lane: &LaneStanding) -> PartitionStatus {
    PartitionStatus {
        topic: lane.tp.topic.clone(),
        partition: lane.tp.partition,
        consumed: lane.consumed,
        position: lane.position,
        last_stable: Some(lane.barrier),
        head_room_s: None,
    }
}

impl Actor {
    /// How it is, but for findings and alerts. Checks I1 and I6 of what it shows.
    ///
    /// # Errors
    /// One of them does not hold.
    pub(super) fn status(&self, standing: &Standing) -> Result<Status, Failure> {
        standing.accounts().check().map_err(|imbalance| contradiction_of(&imbalance))?;
        for lane in &standing.lanes {
            if lane.offsets != lane.consumed + lane.hole_offsets {
                let what = format!("I6 violated in {}: {} offsets are not accounted for", lane.tp, lane.offsets);
                return Err(Failure::Following(what));
            }
        }
        let mut status = Status::clone(&self.publisher.status());
        status.take(standing);
        for law in ["I1", "I6"] {
            *status.invariant_checks.entry(law).or_default() += 1;
        }
        let now_ms = self.outside.now_ms();
        for (lane, partition) in (0..).zip(&mut status.partitions) {
            let known = partition.last_stable;
            partition.last_stable = self.watching.last_stable.get(&lane).copied().max(known);
            partition.head_room_s = self.watching.retention.head_room_s(lane, partition.position, now_ms);
        }
        let is_sound = matches!(status.phase, Phase::Healthy | Phase::Degraded);
        if is_sound && !self.watching.has_looked {
            (status.phase, status.why) =
                (Phase::Starting, "it goes on from its ledger and has judged nothing yet".to_owned());
        } else if let (Phase::Healthy, Some(seconds)) = (status.phase, short(&status)) {
            let why = format!("the brokers delete what is not consumed in {seconds:.0} s");
            (status.phase, status.why) = (Phase::Degraded, why);
        }
        let depth = self.watching.batches_queued as u64;
        status.queues = BTreeMap::from([("batches", Queue { depth, bound: BATCHES_QUEUED as u64 })]);
        let rows = self.book.rows_held() as u64;
        status.memory_bytes =
            BTreeMap::from([("entries", standing.entries * BYTES_OF_ENTRY), ("index", rows * BYTES_OF_ROW)]);
        Ok(status)
    }

    /// Says how it is, where no checkpoint does.
    pub(super) fn publish(&mut self) -> Result<(), Failure> {
        let standing = self.shadow.standing();
        let mut status = self.status(&standing)?;
        // As of the last checkpoint, as the open findings are: else what was told since would be none or both.
        let saved = Standing::from_bytes(self.book.totals()).unwrap_or_default();
        status.findings = findings(self.book.open_findings(), &saved);
        status.ignored.clone_from(&self.book.open_counts().ignored);
        self.say(status);
        Ok(())
    }

    /// Says how it is.
    pub(super) fn say(&mut self, mut status: Status) {
        self.alerting.show(&mut status);
        self.watching.note_head_room(status.head_room_s());
        self.warn_of_retention(&status);
        self.publisher.change(|said| *said = status);
    }

    fn warn_of_retention(&mut self, status: &Status) {
        for (lane, partition) in (0..).zip(&status.partitions) {
            if self.watching.retention.warns(lane, partition.head_room_s) {
                tracing::warn!(
                    pipeline = self.name,
                    topic = partition.topic,
                    partition = partition.partition,
                    position = partition.position,
                    seconds = partition.head_room_s,
                    "the brokers will soon delete messages that are not consumed; raise retention.ms of the topic"
                );
            }
        }
    }

    /// Files became live that their commits added.
    pub(super) fn landed(&mut self, files: &[(FileId, Vec<(SegmentKey, u64)>)]) {
        let Self { shadow, watching, publisher, .. } = self;
        publisher.change(|status| {
            let landing = status.landing.get_or_insert_default();
            for (file, rows) in files {
                if let Some(facts) = shadow.file(*file) {
                    watching.landing.landed(facts, rows, landing);
                }
            }
        });
    }
}

/// Seconds until something is deleted that is not consumed, where they are few.
fn short(status: &Status) -> Option<f64> {
    status.head_room_s().filter(|seconds| *seconds < HEAD_ROOM_WARNS_S)
}
