//! A finding back from its line of JSON, to be shown to a person.

use chrono::DateTime;
use serde_json::Value as Json;
use validator_core::clock::UtcMillis;
use validator_core::finding::{Candidate, ColumnDifference, Finding, FindingId, Named, RowPlace};
use validator_core::verdict::{Cause, Damage, Verdict};

/// The finding of a line; none: it is no finding.
pub fn finding(line: &str) -> Option<Finding> {
    let json: Json = serde_json::from_str(line).ok()?;
    let text = |key: &str| json.get(key).and_then(Json::as_str);
    let number = |key: &str| json.get(key).and_then(Json::as_i64);
    let list = |key: &str| json.get(key).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let verdict = Verdict::all().find(|verdict| Some(verdict.as_str()) == text("verdict"))?;
    let identity = json.get("identity").and_then(Json::as_object);
    Some(Finding {
        id: FindingId::from_digits(text("id")?)?,
        pipeline: text("pipeline")?.to_owned(),
        verdict,
        cause: Cause::of(verdict).into_iter().find(|cause| Some(cause.as_str()) == text("cause")),
        topic: text("topic").map(str::to_owned),
        partition: number("partition").and_then(|partition| i32::try_from(partition).ok()),
        offset: number("offset"),
        timestamp: text("timestamp").and_then(instant),
        identity: identity.map(|named| Named(named.iter().map(|(key, value)| (key.clone(), value.clone())).collect())),
        columns: list("columns").iter().map(column).collect::<Option<_>>()?,
        rows: list("rows").iter().map(row).collect::<Option<_>>()?,
        copies: number("copies").and_then(|copies| u64::try_from(copies).ok()).unwrap_or(0),
        candidates: list("candidates").iter().map(candidate).collect::<Option<_>>()?,
        related: text("related").and_then(FindingId::from_digits),
        snapshot_id: number("snapshot_id"),
        operation: text("operation").map(str::to_owned),
        detail: text("detail").unwrap_or_default().to_owned(),
    })
}

fn instant(text: &str) -> Option<UtcMillis> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| UtcMillis(at.timestamp_millis()))
}

fn column(json: &Json) -> Option<ColumnDifference> {
    let damage = json.get("damage")?.as_str()?;
    Some(ColumnDifference {
        name: json.get("name")?.as_str()?.to_owned(),
        message: json.get("message").cloned().unwrap_or_default(),
        row: json.get("row").cloned().unwrap_or_default(),
        damage: Damage::ALL.iter().copied().find(|one| one.as_str() == damage)?,
    })
}

fn row(json: &Json) -> Option<RowPlace> {
    Some(RowPlace {
        file: json.get("file")?.as_str()?.to_owned(),
        position: json.get("position").and_then(Json::as_u64),
    })
}

fn candidate(json: &Json) -> Option<Candidate> {
    Some(Candidate {
        topic: json.get("topic")?.as_str()?.to_owned(),
        partition: i32::try_from(json.get("partition")?.as_i64()?).ok()?,
        offset: json.get("offset")?.as_i64()?,
    })
}

#[cfg(test)]
mod tests {
    use validator_core::position::TopicPartition;
    use validator_core::verdict::MessageVerdict;

    use super::*;

    #[test]
    fn a_finding_comes_back_as_it_was_written() {
        let tp = TopicPartition { topic: "trades".to_owned(), partition: 3 };
        let cause = Some(Cause::Damage(Damage::PrecisionLost));
        let mut whole = Finding::of_message("p", MessageVerdict::Corrupted, cause, &tp, 7);
        whole.timestamp = Some(UtcMillis(1_723_118_400_123));
        whole.identity = Some(Named(vec![("message_id".to_owned(), Json::from("a"))]));
        whole.columns = vec![ColumnDifference {
            name: "price".to_owned(),
            message: Json::from("0.123456785"),
            row: Json::Null,
            damage: Damage::PrecisionLost,
        }];
        whole.rows = vec![RowPlace { file: "f.parquet".to_owned(), position: Some(17) }];
        whole.candidates = vec![Candidate { topic: "trades".to_owned(), partition: 1, offset: 2 }];
        whole.related = Some(whole.id.clone());
        (whole.copies, whole.snapshot_id, whole.operation) = (2, Some(-5), Some("append".to_owned()));
        whole.detail = "one sentence".to_owned();
        let line = serde_json::to_string(&whole).expect("a finding is JSON");
        assert_eq!(finding(&line), Some(whole));
        assert_eq!(finding("{}"), None);
    }
}
