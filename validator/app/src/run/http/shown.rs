//! The JSON of the API: a pipeline's status, and pages of findings.

use serde_json::{Value, json};
use validator_core::clock::UtcMillis;
use validator_core::report::{FidelityReport, MessageCounts, RowCounts};

use super::answers::FindingsPage;
use crate::run::status::{PartitionStatus, Phase, Status};

/// One pipeline, as it is now.
pub fn pipeline(status: &Status, now_ms: i64) -> Value {
    if status.phase == Phase::StandingBy {
        // Its counts the judge says, who is another process.
        return json!({
            "pipeline": status.pipeline,
            "state": status.phase.as_str(),
            "why": status.why,
            "since": UtcMillis(status.since_ms),
            "restarts": status.restarts,
        });
    }
    let findings = status.findings.iter().map(|((verdict, cause), count)| {
        json!({ "verdict": verdict.as_str(), "cause": cause.map(validator_core::verdict::Cause::as_str), "count": count })
    });
    let checkpoint = status.checkpoint.map(|checkpoint| {
        json!({ "number": checkpoint.number, "at": UtcMillis(checkpoint.at_ms), "took_ms": checkpoint.took_ms })
    });
    let alerts = status
        .alerts
        .iter()
        .map(|(alert, (pending, firing))| json!({ "alert": alert, "pending": pending, "firing": firing }));
    json!({
        "pipeline": status.pipeline,
        "state": status.phase.as_str(),
        "why": status.why,
        "since": UtcMillis(status.since_ms),
        "judged_at": status.judged_at_ms.map(UtcMillis),
        "judged_age_s": status.age_s(now_ms),
        "snapshot_id": status.snapshot,
        "fidelity": FidelityReport::new(&status.figures(), status.target),
        "messages": MessageCounts::new(&status.messages, status.late.is_some()),
        "rows": RowCounts::new(&status.rows, None, None),
        "segments": {
            "balanced": status.segments.balanced, "open": status.segments.open, "disputed": status.segments.disputed,
        },
        "lag": status.lag(),
        "partitions": status.partitions.iter().map(partition).collect::<Vec<_>>(),
        "checkpoint": checkpoint,
        "findings": findings.collect::<Vec<_>>(),
        "alerts": alerts.collect::<Vec<_>>(),
        "restarts": status.restarts,
    })
}

fn partition(partition: &PartitionStatus) -> Value {
    json!({
        "topic": partition.topic,
        "partition": partition.partition,
        "consumed": partition.consumed,
        "position": partition.position,
        "last_stable": partition.last_stable,
        "lag": partition.lag(),
        "head_room_s": partition.head_room_s,
    })
}

/// A page as one object; the findings are JSON already.
pub fn page(page: &FindingsPage) -> String {
    let next = json!(page.next);
    format!("{{\"findings\":[{}],\"next\":{next}}}\n", page.findings.join(","))
}

/// A page as one finding a line.
pub fn lines(page: &FindingsPage) -> String {
    page.findings.iter().map(|finding| format!("{finding}\n")).collect()
}
