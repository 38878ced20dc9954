//! What one pipeline says of itself while it runs: the one source of metrics, health and alerts.
//!
//! Contract: a plain value, made whole at one moment; what was not looked at is `None`, never 0. The service publishes it
//! over a watch channel after each applied look, each checkpoint and each change of phase, and nobody who reads it can
//! hold the pipeline up.

use std::collections::BTreeMap;

use validator_core::figures::Figures;
use validator_core::judge::{MessageTally, RowTally};
use validator_core::verdict::{Cause, Verdict};

/// How a pipeline is, for whoever asks whether it can be relied on; from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It looks, and keeps what it finds.
    Healthy,
    /// Another process of the fleet judges; this one reads, scans, and takes over where it has to.
    StandingBy,
    /// Its verdicts hold, and something about it wants attention.
    Degraded,
    /// It restores its state, and has judged nothing since it started.
    Starting,
    /// It cannot look: its verdicts stand still.
    CannotJudge,
    /// It has ended and is not started again by itself.
    Failed,
}

impl Phase {
    /// All, from the best to the worst.
    pub const ALL: [Self; 6] =
        [Self::Healthy, Self::StandingBy, Self::Degraded, Self::Starting, Self::CannotJudge, Self::Failed];

    /// The public word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::StandingBy => "standing_by",
            Self::Degraded => "degraded",
            Self::Starting => "starting",
            Self::CannotJudge => "cannot_judge",
            Self::Failed => "failed",
        }
    }
}

/// Everything that is shown of one pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The pipeline's name.
    pub pipeline: String,
    /// How it is.
    pub phase: Phase,
    /// Why it is not healthy, one sentence for a person; empty where it is.
    pub why: String,
    /// When its present run began, milliseconds since the epoch.
    pub since_ms: i64,
    /// Messages by verdict, of all that were consumed.
    pub messages: MessageTally,
    /// Late ones of them; none where it is not known.
    pub late: Option<u64>,
    /// Rows by verdict.
    pub rows: RowTally,
    /// Least fidelity, of the contract.
    pub target: f64,
    /// Its partitions, in the order of the ledger.
    pub partitions: Vec<PartitionStatus>,
    /// From a message's timestamp to the commit that showed its row.
    pub landing: Option<Histogram>,
    /// Segments.
    pub segments: SegmentStatus,
    /// Queues between its parts, by name.
    pub queues: BTreeMap<&'static str, Queue>,
    /// The last checkpoint.
    pub checkpoint: Option<CheckpointStatus>,
    /// Wall time at which the last applied look began; none before the first.
    pub judged_at_ms: Option<i64>,
    /// The snapshot it judges by.
    pub snapshot: Option<i64>,
    /// Looks that were applied since the process began.
    pub looks: u64,
    /// Looks that could not be made, by what could not be looked at.
    pub looks_failed: BTreeMap<&'static str, u64>,
    /// Open findings.
    pub findings: BTreeMap<(Verdict, Option<Cause>), u64>,
    /// Those of them that somebody ignores.
    pub ignored: BTreeMap<(Verdict, Option<Cause>), u64>,
    /// How often each invariant was checked since the process began.
    pub invariant_checks: BTreeMap<&'static str, u64>,
    /// Bytes of messages and of data files read since the process began.
    pub read_bytes: ReadBytes,
    /// Bytes that the pipeline's state takes in memory, by part.
    pub memory_bytes: BTreeMap<&'static str, u64>,
    /// How often it was started again after a failure.
    pub restarts: u64,
    /// Alerts of each rule that are pending, and that fire.
    pub alerts: BTreeMap<String, (u64, u64)>,
    /// Messages of alerts that wait to be sent; none where it was not looked at.
    pub outbox: Option<u64>,
}

/// What a look may fail by, in public words.
pub const WHAT_CANNOT_BE_LOOKED_AT: [&str; 4] = ["broker", "catalog", "store", "table"];

/// One partition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionStatus {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// Messages consumed of it.
    pub consumed: u64,
    /// The first offset that is not consumed.
    pub position: i64,
    /// The offset below which all is stable, at the last look.
    pub last_stable: Option<i64>,
    /// How long until the broker deletes what is not consumed, in seconds; none where nothing waits, or nothing says that it
    /// deletes.
    pub head_room_s: Option<f64>,
}

impl PartitionStatus {
    /// Offsets that are stable and not consumed.
    pub fn lag(&self) -> Option<u64> {
        self.last_stable.map(|stable| u64::try_from(stable - self.position).unwrap_or(0))
    }
}

/// Segments by what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SegmentStatus {
    /// Both bags are equal.
    pub balanced: u64,
    /// They differ, and it is not time yet to look closer.
    pub open: u64,
    /// They differ, and it is being looked at, or has a verdict.
    pub disputed: u64,
}

/// One queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queue {
    /// Items in it.
    pub depth: u64,
    /// Items that it can hold.
    pub bound: u64,
}

/// One checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckpointStatus {
    /// Its number.
    pub number: u64,
    /// When it was committed, milliseconds since the epoch.
    pub at_ms: i64,
    /// How long it took.
    pub took_ms: u64,
}

/// Bytes read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadBytes {
    /// Of messages: keys and payloads, where they did not come as columns.
    pub messages: u64,
    /// Of data files.
    pub files: u64,
}

/// How long things took, by bounds that never change.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// How many took at most [`LANDING_BOUNDS_S`] of the same index, and not less; the last: longer than all.
    counts: [u64; LANDING_BOUNDS_S.len() + 1],
    /// The sum of all, in seconds.
    sum_s: f64,
}

/// Upper bounds in seconds: a commit a second, the first user's 60 s and 120 s, an offload every 15 to 30 minutes, a day.
pub const LANDING_BOUNDS_S: [f64; 14] =
    [0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1_800.0, 3_600.0, 21_600.0, 86_400.0];

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; LANDING_BOUNDS_S.len() + 1], sum_s: 0.0 }
    }
}

impl Histogram {
    /// Counts `many` that took so long.
    pub fn add(&mut self, seconds: f64, many: u64) {
        let seconds = seconds.max(0.0);
        let at = LANDING_BOUNDS_S.iter().position(|bound| seconds <= *bound).unwrap_or(LANDING_BOUNDS_S.len());
        self.counts[at] += many;
        self.sum_s += seconds * many as f64;
    }

    /// How many took at most each bound, then how many there are.
    pub fn cumulative(&self) -> [u64; LANDING_BOUNDS_S.len() + 1] {
        let mut sum = 0;
        self.counts.map(|count| {
            sum += count;
            sum
        })
    }

    /// The sum of all, in seconds.
    pub fn sum_s(&self) -> f64 {
        self.sum_s
    }

    /// The least bound within which that share of them lies, in seconds; none where there are none. Beyond the last bound
    /// it is infinite: an alert on it must not be silent.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let cumulative = self.cumulative();
        let all = cumulative[LANDING_BOUNDS_S.len()];
        let wanted = (share * all as f64).ceil().max(1.0) as u64;
        let at = cumulative.iter().position(|count| *count >= wanted)?;
        (all > 0).then(|| LANDING_BOUNDS_S.get(at).copied().unwrap_or(f64::INFINITY))
    }
}

impl Status {
    /// Of a pipeline that starts and has judged nothing.
    pub fn starting(pipeline: impl Into<String>, target: f64, now_ms: i64) -> Self {
        Self {
            pipeline: pipeline.into(),
            phase: Phase::Starting,
            why: "it restores its state and has judged nothing yet".to_owned(),
            since_ms: now_ms,
            messages: MessageTally::default(),
            late: None,
            rows: RowTally::default(),
            target,
            partitions: Vec::new(),
            landing: None,
            segments: SegmentStatus::default(),
            queues: BTreeMap::new(),
            checkpoint: None,
            judged_at_ms: None,
            snapshot: None,
            looks: 0,
            looks_failed: WHAT_CANNOT_BE_LOOKED_AT.map(|what| (what, 0)).into(),
            findings: BTreeMap::new(),
            ignored: BTreeMap::new(),
            invariant_checks: BTreeMap::new(),
            read_bytes: ReadBytes::default(),
            memory_bytes: BTreeMap::new(),
            restarts: 0,
            alerts: BTreeMap::new(),
            outbox: None,
        }
    }

    /// The figures of its counts.
    pub fn figures(&self) -> Figures {
        Figures::of(&self.messages, &self.rows)
    }

    /// Stable offsets that are not consumed, of all partitions; none while one of them is not known.
    pub fn lag(&self) -> Option<u64> {
        self.partitions.iter().map(PartitionStatus::lag).sum()
    }

    /// The least head-room of its partitions, in seconds.
    pub fn head_room_s(&self) -> Option<f64> {
        self.partitions.iter().filter_map(|partition| partition.head_room_s).reduce(f64::min)
    }

    /// How long ago the last applied look began, in seconds; before the first, since the run began.
    pub fn age_s(&self, now_ms: i64) -> f64 {
        // A clock that steps back makes nothing younger than now.
        (now_ms - self.judged_at_ms.unwrap_or(self.since_ms)).max(0) as f64 / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_each_once_and_its_quantiles_are_bounds() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.99), None);
        histogram.add(0.4, 90);
        histogram.add(0.5, 8);
        histogram.add(61.0, 1);
        histogram.add(1e9, 1);
        let cumulative = histogram.cumulative();
        assert_eq!((cumulative[0], cumulative[6], cumulative[7], cumulative[14]), (98, 98, 99, 100));
        let quantiles = [0.5, 0.98, 0.99, 1.0].map(|share| histogram.quantile(share).expect("it has some"));
        assert_eq!(quantiles, [0.5, 0.5, 120.0, f64::INFINITY]);
        histogram.add(-1.0, 1);
        assert_eq!(histogram.cumulative()[0], 99);
    }

    #[test]
    fn a_lag_that_is_not_known_everywhere_is_not_known() {
        let mut status = Status::starting("t", 0.9999, 1_000);
        let known = PartitionStatus {
            topic: "t".into(),
            partition: 0,
            consumed: 3,
            position: 3,
            last_stable: Some(10),
            head_room_s: Some(9.0),
        };
        status.partitions = vec![known.clone(), PartitionStatus { position: 12, head_room_s: None, ..known }];
        assert_eq!((status.lag(), status.head_room_s()), (Some(7), Some(9.0)));
        status.partitions[1].last_stable = None;
        assert_eq!(status.lag(), None);
    }

    #[test]
    fn age_counts_from_the_start_until_there_is_a_look_and_is_never_negative() {
        let mut status = Status::starting("t", 0.9999, 1_000);
        assert_eq!(status.age_s(4_000), 3.0);
        status.judged_at_ms = Some(3_500);
        assert_eq!((status.age_s(4_000), status.age_s(0)), (0.5, 0.0));
    }
}
