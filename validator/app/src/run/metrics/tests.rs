//! What Prometheus is given of two pipelines.

use std::collections::{BTreeMap, BTreeSet};

use validator_core::verdict::{Cause, MessageVerdict, RowVerdict, Verdict};

use super::*;
use crate::run::status::{
    CheckpointStatus, Histogram, PartitionStatus, Phase, Queue, ReadBytes, SegmentStatus, Status,
};

const NOW_MS: i64 = 1_700_000_060_000;

/// A pipeline of which everything is known.
fn whole() -> Status {
    let mut status = Status::starting("trades", 0.9999, NOW_MS - 60_000);
    status.phase = Phase::Healthy;
    status.messages.intact = 9_999;
    status.messages.missing = 1;
    (status.messages.late, status.late) = (7, Some(7));
    status.rows.intact = 9_999;
    status.partitions = vec![PartitionStatus {
        topic: "market.trades".into(),
        partition: 3,
        consumed: 10_000,
        position: 10_004,
        last_stable: Some(10_010),
        head_room_s: Some(86_400.0),
    }];
    let mut landing = Histogram::default();
    landing.add(1.5, 9_999);
    status.landing = Some(landing);
    status.segments = SegmentStatus { balanced: 2, open: 1, disputed: 1 };
    status.queues = BTreeMap::from([("consumed", Queue { depth: 1, bound: 4 })]);
    status.checkpoint = Some(CheckpointStatus { number: 42, at_ms: NOW_MS - 500, took_ms: 9 });
    status.judged_at_ms = Some(NOW_MS - 2_250);
    status.looks = 30;
    status.looks_failed = BTreeMap::from([("catalog", 2)]);
    status.findings = BTreeMap::from([
        ((Verdict::Message(MessageVerdict::Missing), Some(Cause::Lost)), 1),
        ((Verdict::Row(RowVerdict::Misrouted), None), 2),
    ]);
    status.invariant_checks = BTreeMap::from([("I1", 30)]);
    status.read_bytes = ReadBytes { messages: 1_000_000, files: 500_000 };
    status.memory_bytes = BTreeMap::from([("pages", 4_096)]);
    status.alerts = BTreeMap::from([("lost".to_owned(), (0, 1))]);
    status.outbox = Some(1);
    status
}

fn process() -> Process {
    Process {
        version: "0.1.0",
        resident_bytes: Some(50 << 20),
        virtual_bytes: Some(1 << 30),
        open_fds: Some(20),
        max_fds: Some(1_024),
        threads: Some(8),
        cpu_seconds: Some(1.25),
        start_seconds: Some(1.7e9),
    }
}

fn shown(statuses: Vec<Status>) -> String {
    metrics(&statuses.into_iter().map(Arc::new).collect::<Vec<_>>(), &process(), NOW_MS)
}

#[test]
fn a_pipeline_that_stands_by_says_its_state_and_counts_nothing() {
    let text = shown(vec![Status { phase: Phase::StandingBy, ..whole() }]);
    let of_pipeline = text.lines().filter(|line| line.contains("pipeline=\"trades\""));
    let names: BTreeSet<&str> = of_pipeline.filter_map(|line| line.split_once('{')).map(|(name, _)| name).collect();
    let members = METRICS.iter().filter(|metric| metric.of_members).map(|metric| metric.name);
    assert_eq!(names, members.filter(|name| name.starts_with("validator_pipeline_")).collect());
    assert!(text.contains("validator_pipeline_state{pipeline=\"trades\",state=\"standing_by\"} 1\n"), "{text}");
}

#[test]
fn a_pipeline_is_shown_under_the_names_of_the_table() {
    let text = shown(vec![whole()]);
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    insta::assert_snapshot!(samples.join("\n"), @r#"
    validator_messages_total{pipeline="trades",verdict="pending"} 0
    validator_messages_total{pipeline="trades",verdict="intact"} 9999
    validator_messages_total{pipeline="trades",verdict="corrupted"} 0
    validator_messages_total{pipeline="trades",verdict="duplicated"} 0
    validator_messages_total{pipeline="trades",verdict="missing"} 1
    validator_messages_total{pipeline="trades",verdict="overdue"} 0
    validator_messages_total{pipeline="trades",verdict="withdrawn"} 0
    validator_messages_total{pipeline="trades",verdict="diverted"} 0
    validator_messages_total{pipeline="trades",verdict="excluded"} 0
    validator_messages_total{pipeline="trades",verdict="undecodable"} 0
    validator_messages_total{pipeline="trades",verdict="unobservable"} 0
    validator_rows_total{pipeline="trades",verdict="intact"} 9999
    validator_rows_total{pipeline="trades",verdict="corrupted"} 0
    validator_rows_total{pipeline="trades",verdict="copies"} 0
    validator_rows_total{pipeline="trades",verdict="phantom"} 0
    validator_rows_total{pipeline="trades",verdict="unjudged"} 0
    validator_rows_total{pipeline="trades",verdict="unobservable"} 0
    validator_rows_total{pipeline="trades",verdict="out_of_scope"} 0
    validator_late_messages{pipeline="trades"} 7
    validator_fidelity_ratio{pipeline="trades"} 0.9999
    validator_fidelity_target_ratio{pipeline="trades"} 0.9999
    validator_completeness_ratio{pipeline="trades"} 0.9999
    validator_precision_ratio{pipeline="trades"} 1
    validator_coverage_ratio{pipeline="trades"} 1
    validator_findings{pipeline="trades",verdict="missing",cause="lost"} 1
    validator_findings{pipeline="trades",verdict="misrouted",cause=""} 2
    validator_consumed_messages_total{pipeline="trades",topic="market.trades",partition="3"} 10000
    validator_position_offset{pipeline="trades",topic="market.trades",partition="3"} 10004
    validator_last_stable_offset{pipeline="trades",topic="market.trades",partition="3"} 10010
    validator_lag_offsets{pipeline="trades",topic="market.trades",partition="3"} 6
    validator_retention_headroom_seconds{pipeline="trades",topic="market.trades",partition="3"} 86400
    validator_landing_seconds_bucket{pipeline="trades",le="0.5"} 0
    validator_landing_seconds_bucket{pipeline="trades",le="1"} 0
    validator_landing_seconds_bucket{pipeline="trades",le="2"} 9999
    validator_landing_seconds_bucket{pipeline="trades",le="5"} 9999
    validator_landing_seconds_bucket{pipeline="trades",le="10"} 9999
    validator_landing_seconds_bucket{pipeline="trades",le="30"} 9999
    validator_landing_seconds_bucket{pipeline="trades",le="60"} 9999
    validator_landing_seconds_bucket{pipeline="trades",le="120"} 9999
    validator_landing_seconds_bucket{pipeline="trades",le="300"} 9999
    validator_landing_seconds_bucket{pipeline="trades",le="900"} 9999
    validator_landing_seconds_bucket{pipeline="trades",le="1800"} 9999
    validator_landing_seconds_bucket{pipeline="trades",le="3600"} 9999
    validator_landing_seconds_bucket{pipeline="trades",le="21600"} 9999
    validator_landing_seconds_bucket{pipeline="trades",le="86400"} 9999
    validator_landing_seconds_bucket{pipeline="trades",le="+Inf"} 9999
    validator_landing_seconds_sum{pipeline="trades"} 14998.5
    validator_landing_seconds_count{pipeline="trades"} 9999
    validator_judged_timestamp_seconds{pipeline="trades"} 1700000057.75
    validator_judged_age_seconds{pipeline="trades"} 2.25
    validator_looks_total{pipeline="trades"} 30
    validator_looks_failed_total{pipeline="trades",what="catalog"} 2
    validator_segments{pipeline="trades",state="balanced"} 2
    validator_segments{pipeline="trades",state="open"} 1
    validator_segments{pipeline="trades",state="disputed"} 1
    validator_queue_items{pipeline="trades",queue="consumed"} 1
    validator_queue_bound_items{pipeline="trades",queue="consumed"} 4
    validator_checkpoints_total{pipeline="trades"} 42
    validator_checkpoint_age_seconds{pipeline="trades"} 0.5
    validator_checkpoint_duration_seconds{pipeline="trades"} 0.009
    validator_outbox_messages{pipeline="trades"} 1
    validator_alerts{pipeline="trades",alert="lost",state="pending"} 0
    validator_alerts{pipeline="trades",alert="lost",state="firing"} 1
    validator_invariant_checks_total{pipeline="trades",id="I1"} 30
    validator_read_bytes_total{pipeline="trades",side="messages"} 1000000
    validator_read_bytes_total{pipeline="trades",side="files"} 500000
    validator_memory_bytes{pipeline="trades",part="pages"} 4096
    validator_pipeline_state{pipeline="trades",state="healthy"} 1
    validator_pipeline_state{pipeline="trades",state="standing_by"} 0
    validator_pipeline_state{pipeline="trades",state="degraded"} 0
    validator_pipeline_state{pipeline="trades",state="starting"} 0
    validator_pipeline_state{pipeline="trades",state="cannot_judge"} 0
    validator_pipeline_state{pipeline="trades",state="failed"} 0
    validator_pipeline_start_timestamp_seconds{pipeline="trades"} 1700000000
    validator_pipeline_restarts_total{pipeline="trades"} 0
    validator_build_info{version="0.1.0"} 1
    process_resident_memory_bytes 52428800
    process_virtual_memory_bytes 1073741824
    process_open_fds 20
    process_max_fds 1024
    process_threads 8
    process_cpu_seconds_total 1.25
    process_start_time_seconds 1700000000
    "#);
}

#[test]
fn every_name_of_the_table_is_there_once_and_in_order() {
    let text = shown(vec![whole(), Status { pipeline: "other".into(), ..whole() }]);
    let types: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let expected: Vec<String> =
        METRICS.iter().map(|metric| format!("{} {}", metric.name, metric.kind.as_str())).collect();
    assert_eq!(types, expected);
    let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len());
}

#[test]
fn what_is_not_known_has_no_line() {
    let text = shown(vec![Status::starting("new", 0.9999, NOW_MS)]);
    for name in ["fidelity_ratio", "completeness_ratio", "landing_seconds", "judged_timestamp_seconds", "lag_offsets"] {
        assert!(!text.contains(&format!("validator_{name}")), "{name}");
    }
    assert!(text.contains("validator_pipeline_state{pipeline=\"new\",state=\"starting\"} 1\n"));
    assert!(text.contains("validator_judged_age_seconds{pipeline=\"new\"} 0\n"));
}

#[test]
fn names_of_any_kind_stay_on_their_line() {
    let mut status = whole();
    status.pipeline = "a\"b\\c\nd".into();
    let text = shown(vec![status]);
    assert!(text.contains("validator_looks_total{pipeline=\"a\\\"b\\\\c\\nd\"} 30\n"), "{text}");
    assert!(
        text.lines()
            .all(|line| line.starts_with("# ") || line.starts_with("validator_") || line.starts_with("process_"))
    );
}

#[test]
fn sentences_and_names_are_those_of_the_house() {
    for metric in METRICS {
        assert!(metric.says.ends_with('.') && !metric.says.contains('\n'), "{}", metric.name);
        let is_total = metric.name.ends_with("_total");
        assert_eq!(is_total, matches!(metric.kind, Type::Counter | Type::Untyped), "{}", metric.name);
    }
}
