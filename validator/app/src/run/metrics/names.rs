//! Every metric: its name, type, labels and sentence, and where its value comes from.

use validator_core::verdict::{Cause, MessageVerdict, RowVerdict};

use super::process::Process;
use super::text::Samples;
use crate::run::alerts::count_rows;
use crate::run::status::{Phase, Status};

/// What Prometheus may do with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// It never falls while the process lives, so `rate()` holds.
    Counter,
    /// It is what it is now.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
    /// A count of the ledger that falls when a verdict changes: neither `rate()` nor `increase()` holds, `delta()` does.
    Untyped,
}

impl Type {
    /// The word of the text format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Untyped => "untyped",
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    /// From each pipeline, at this time of the wall clock; the label `pipeline` is added.
    Pipeline(fn(&Status, i64, &mut Samples<'_>)),
    /// From the process.
    Process(fn(&Process, &mut Samples<'_>)),
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// Its labels beside `pipeline`.
    pub labels: &'static [&'static str],
    /// What it says, in sentences.
    pub says: &'static str,
    /// Where its value comes from.
    pub of: Of,
    /// Whether a member of a fleet says it that stands by.
    pub of_members: bool,
}

const fn of_pipeline(
    name: &'static str,
    kind: Type,
    labels: &'static [&'static str],
    says: &'static str,
    of: fn(&Status, i64, &mut Samples<'_>),
) -> Metric {
    Metric { name, kind, labels, says, of: Of::Pipeline(of), of_members: false }
}

const fn of_members(metric: Metric) -> Metric {
    Metric { of_members: true, ..metric }
}

const fn of_process(name: &'static str, kind: Type, says: &'static str, of: fn(&Process, &mut Samples<'_>)) -> Metric {
    Metric { name, kind, labels: &[], says, of: Of::Process(of), of_members: true }
}

use Type::{Counter, Gauge, Histogram, Untyped};

const PARTITION: &[&str] = &["topic", "partition"];

/// All metrics.
pub static METRICS: &[Metric] = &[
    of_pipeline(
        "validator_messages_total",
        Untyped,
        &["verdict"],
        "Messages by verdict. The eleven add up to the messages consumed. A message changes its verdict, so a count can fall.",
        |status, _, samples| {
            for verdict in MessageVerdict::ALL {
                samples.count(&[verdict.as_str()], status.messages.of(*verdict));
            }
        },
    ),
    of_pipeline(
        "validator_rows_total",
        Untyped,
        &["verdict"],
        "Rows of the table by verdict. A row changes its verdict, so a count can fall.",
        |status, _, samples| {
            let apart = [RowVerdict::Misrouted, RowVerdict::Stale];
            for verdict in RowVerdict::ALL.iter().filter(|verdict| !apart.contains(verdict)) {
                samples.count(&[verdict.as_str()], count_rows(&status.rows, *verdict));
            }
        },
    ),
    of_pipeline(
        "validator_late_messages",
        Gauge,
        &[],
        "Intact messages whose row came after `settle`. Absent where no row says when it should have come.",
        |status, _, samples| samples.maybe_count(&[], status.late),
    ),
    of_pipeline(
        "validator_fidelity_ratio",
        Gauge,
        &[],
        "Fidelity of all that was judged. Absent where nothing was judged.",
        |status, _, samples| samples.maybe(&[], status.figures().fidelity),
    ),
    of_pipeline(
        "validator_fidelity_target_ratio",
        Gauge,
        &[],
        "The least fidelity that the contract asks for.",
        |status, _, samples| samples.value(&[], status.target),
    ),
    of_pipeline(
        "validator_completeness_ratio",
        Gauge,
        &[],
        "Completeness. Absent where nothing is due.",
        |status, _, samples| samples.maybe(&[], status.figures().completeness),
    ),
    of_pipeline(
        "validator_precision_ratio",
        Gauge,
        &[],
        "Precision. Absent where there is no row.",
        |status, _, samples| samples.maybe(&[], status.figures().precision),
    ),
    of_pipeline(
        "validator_coverage_ratio",
        Gauge,
        &[],
        "Coverage: the share of what was due that could be judged. Absent where nothing was.",
        |status, _, samples| samples.maybe(&[], status.figures().coverage),
    ),
    of_pipeline(
        "validator_findings",
        Gauge,
        &["verdict", "cause"],
        "Open findings, acknowledged and ignored ones too, and messages that count so and are not listed. `cause` is empty for verdicts that have no causes. Absent where there is none.",
        |status, _, samples| {
            for ((verdict, cause), count) in &status.findings {
                samples.count(&[verdict.as_str(), cause.map_or("", Cause::as_str)], *count);
            }
        },
    ),
    of_pipeline(
        "validator_consumed_messages_total",
        Counter,
        PARTITION,
        "Messages consumed, of the whole life of the ledger.",
        |status, _, samples| of_partitions(status, samples, |partition| Some(partition.consumed as f64)),
    ),
    of_pipeline(
        "validator_position_offset",
        Gauge,
        PARTITION,
        "The first offset that is not consumed.",
        |status, _, samples| of_partitions(status, samples, |partition| Some(partition.position as f64)),
    ),
    of_pipeline(
        "validator_last_stable_offset",
        Gauge,
        PARTITION,
        "The offset below which all is stable, at the last look.",
        |status, _, samples| of_partitions(status, samples, |partition| Some(partition.last_stable? as f64)),
    ),
    of_pipeline(
        "validator_lag_offsets",
        Gauge,
        PARTITION,
        "Stable offsets that are not consumed. Markers of transactions are offsets too.",
        |status, _, samples| of_partitions(status, samples, |partition| Some(partition.lag()? as f64)),
    ),
    of_pipeline(
        "validator_retention_headroom_seconds",
        Gauge,
        PARTITION,
        "How long until the broker deletes what is not consumed: by the age of what was read last and `retention.ms`, while messages wait from one look to the next, or by how the first offset of the log has moved, true to about one step of its deletion, once it has moved twice; the sooner counts. Absent where neither is known.",
        |status, _, samples| of_partitions(status, samples, |partition| partition.head_room_s),
    ),
    of_pipeline(
        "validator_landing_seconds",
        Histogram,
        &[],
        "From a message's timestamp to the commit that added its row, of rows since the process began. Rows of a segment count in the order of their messages, so a value is too large by up to a second, or by the messages that never land. Rows of rewritten files are left out.",
        |status, _, samples| {
            if let Some(landing) = &status.landing {
                samples.histogram(landing);
            }
        },
    ),
    of_pipeline(
        "validator_judged_timestamp_seconds",
        Gauge,
        &[],
        "When the last look that could be applied began: the clock of every verdict. Absent before the first.",
        |status, _, samples| samples.maybe(&[], status.judged_at_ms.map(seconds)),
    ),
    of_pipeline(
        "validator_judged_age_seconds",
        Gauge,
        &[],
        "How long ago that was; before the first look, how long the pipeline runs.",
        |status, now_ms, samples| samples.value(&[], status.age_s(now_ms)),
    ),
    of_pipeline(
        "validator_looks_total",
        Counter,
        &[],
        "Looks at the table that were applied.",
        |status, _, samples| samples.count(&[], status.looks),
    ),
    of_pipeline(
        "validator_looks_failed_total",
        Counter,
        &["what"],
        "Looks that could not be made, by what could not be looked at: `catalog`, `store`, `broker`, or `table`, which is not there.",
        |status, _, samples| status.looks_failed.iter().for_each(|(what, count)| samples.count(&[what], *count)),
    ),
    of_pipeline(
        "validator_segments",
        Gauge,
        &["state"],
        "Segments: `balanced` are proven, `open` wait for their time, `disputed` are looked at closer or have verdicts.",
        |status, _, samples| {
            samples.count(&["balanced"], status.segments.balanced);
            samples.count(&["open"], status.segments.open);
            samples.count(&["disputed"], status.segments.disputed);
        },
    ),
    of_pipeline(
        "validator_queue_items",
        Gauge,
        &["queue"],
        "Items that wait between two parts of the pipeline: `batches` of messages.",
        |status, _, samples| status.queues.iter().for_each(|(name, queue)| samples.count(&[name], queue.depth)),
    ),
    of_pipeline(
        "validator_queue_bound_items",
        Gauge,
        &["queue"],
        "Items that the queue can hold.",
        |status, _, samples| status.queues.iter().for_each(|(name, queue)| samples.count(&[name], queue.bound)),
    ),
    of_pipeline(
        "validator_checkpoints_total",
        Counter,
        &[],
        "The number of the last checkpoint, of the whole life of the ledger.",
        |status, _, samples| samples.maybe(&[], status.checkpoint.map(|checkpoint| checkpoint.number as f64)),
    ),
    of_pipeline(
        "validator_checkpoint_age_seconds",
        Gauge,
        &[],
        "How long ago the last checkpoint was committed.",
        |status, now_ms, samples| {
            let age = |at_ms: i64| (now_ms - at_ms).max(0) as f64 / 1_000.0;
            samples.maybe(&[], status.checkpoint.map(|checkpoint| age(checkpoint.at_ms)));
        },
    ),
    of_pipeline(
        "validator_checkpoint_duration_seconds",
        Gauge,
        &[],
        "How long the last checkpoint took.",
        |status, _, samples| {
            samples.maybe(&[], status.checkpoint.map(|checkpoint| checkpoint.took_ms as f64 / 1_000.0));
        },
    ),
    of_pipeline(
        "validator_outbox_messages",
        Gauge,
        &[],
        "Messages of alerts that wait to be delivered.",
        |status, _, samples| samples.maybe(&[], status.outbox.map(|waiting| waiting as f64)),
    ),
    of_pipeline(
        "validator_alerts",
        Gauge,
        &["alert", "state"],
        "Alerts of a rule that are `pending` (true, not yet for long enough) and `firing`. Absent where there is no rule.",
        |status, _, samples| {
            for (alert, (pending, firing)) in &status.alerts {
                samples.count(&[alert, "pending"], *pending);
                samples.count(&[alert, "firing"], *firing);
            }
        },
    ),
    of_pipeline(
        "validator_invariant_checks_total",
        Counter,
        &["id"],
        "How often an invariant was checked, before each checkpoint; where one does not hold nothing is written, and the pipeline is opened again.",
        |status, _, samples| status.invariant_checks.iter().for_each(|(id, count)| samples.count(&[id], *count)),
    ),
    of_pipeline(
        "validator_read_bytes_total",
        Counter,
        &["side"],
        "Bytes read: keys and payloads of `messages`, where they are no columns, and `files` of the table.",
        |status, _, samples| {
            samples.count(&["messages"], status.read_bytes.messages);
            samples.count(&["files"], status.read_bytes.files);
        },
    ),
    of_pipeline(
        "validator_memory_bytes",
        Gauge,
        &["part"],
        "Bytes that parts of the pipeline's state take in memory, about: the `index` of its ledger, `entries` of disputed segments.",
        |status, _, samples| status.memory_bytes.iter().for_each(|(part, bytes)| samples.count(&[part], *bytes)),
    ),
    of_members(of_pipeline(
        "validator_pipeline_state",
        Gauge,
        &["state"],
        "1 for the state in which the pipeline is, 0 for the others.",
        |status, _, samples| {
            for phase in Phase::ALL {
                samples.count(&[phase.as_str()], u64::from(phase == status.phase));
            }
        },
    )),
    of_members(of_pipeline(
        "validator_pipeline_start_timestamp_seconds",
        Gauge,
        &[],
        "When the present run of the pipeline began.",
        |status, _, samples| samples.value(&[], seconds(status.since_ms)),
    )),
    of_members(of_pipeline(
        "validator_pipeline_restarts_total",
        Counter,
        &[],
        "How often the pipeline was started again after a failure.",
        |status, _, samples| samples.count(&[], status.restarts),
    )),
    Metric {
        name: "validator_build_info",
        kind: Gauge,
        labels: &["version"],
        says: "1, with the version of the validator.",
        of_members: true,
        of: Of::Process(|process, samples| samples.count(&[process.version], 1)),
    },
    of_process(
        "process_resident_memory_bytes",
        Gauge,
        "Resident memory of the process. This and what follows are absent where the system does not tell.",
        |process, samples| samples.maybe(&[], process.resident_bytes.map(|bytes| bytes as f64)),
    ),
    of_process("process_virtual_memory_bytes", Gauge, "Virtual memory of the process.", |process, samples| {
        samples.maybe(&[], process.virtual_bytes.map(|bytes| bytes as f64));
    }),
    of_process("process_open_fds", Gauge, "Open file descriptors.", |process, samples| {
        samples.maybe(&[], process.open_fds.map(|fds| fds as f64));
    }),
    of_process("process_max_fds", Gauge, "File descriptors that may be open.", |process, samples| {
        samples.maybe(&[], process.max_fds.map(|fds| fds as f64));
    }),
    of_process("process_threads", Gauge, "Threads of the process.", |process, samples| {
        samples.maybe(&[], process.threads.map(|threads| threads as f64));
    }),
    of_process("process_cpu_seconds_total", Counter, "Time on the processor, user and system.", |process, samples| {
        samples.maybe(&[], process.cpu_seconds);
    }),
    of_process("process_start_time_seconds", Gauge, "When the process began.", |process, samples| {
        samples.maybe(&[], process.start_seconds);
    }),
];

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

fn of_partitions(
    status: &Status,
    samples: &mut Samples<'_>,
    value: impl Fn(&crate::run::status::PartitionStatus) -> Option<f64>,
) {
    for partition in &status.partitions {
        samples.maybe(&[&partition.topic, &partition.partition.to_string()], value(partition));
    }
}
