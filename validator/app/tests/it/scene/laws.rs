//! What section 5 says of every report, recomputed from its own counts.

use serde_json::Value as Json;

use crate::schemas::assert_known;

/// The eleven verdicts that add up to `consumed`.
const VERDICTS: [&str; 11] = [
    "pending",
    "intact",
    "corrupted",
    "duplicated",
    "missing",
    "overdue",
    "withdrawn",
    "diverted",
    "excluded",
    "undecodable",
    "unobservable",
];

/// # Panics
/// When the report contradicts itself or its findings.
pub fn assert_laws(report: &Json, findings: &[Json]) {
    assert_sums(report);
    assert_figures(report);
    assert_findings(report, findings);
    assert_known(report, findings);
}

fn number(value: &Json) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn assert_sums(report: &Json) {
    let sum = |counts: &Json, names: &[&str]| names.iter().map(|name| number(&counts[*name])).sum::<u64>();
    let messages = &report["messages"];
    assert_eq!(sum(messages, &VERDICTS), number(&messages["consumed"]), "I1: {report:#}");
    let partitions = report["partitions"].as_array().expect("partitions are a list");
    for name in VERDICTS.iter().chain(&["consumed"]) {
        let of_partitions: u64 = partitions.iter().map(|partition| number(&partition["messages"][*name])).sum();
        assert_eq!(of_partitions, number(&messages[*name]), "{name} of the partitions: {report:#}");
    }
    let rows = &report["rows"];
    let parts = ["intact", "corrupted", "copies", "phantom", "unjudged", "unobservable"];
    assert_eq!(sum(rows, &parts), number(&rows["total"]), "rows.total: {report:#}");
    let segments = &report["segments"];
    assert_eq!(sum(segments, &["balanced", "disputed"]), number(&segments["total"]), "segments: {report:#}");
    assert_eq!(segments["judged"], segments["disputed"], "segments: {report:#}");
    assert!(messages["late"].as_u64().is_none_or(|late| late <= number(&messages["intact"])), "late: {report:#}");
}

fn assert_figures(report: &Json) {
    let messages = |name: &str| number(&report["messages"][name]);
    let rows = |name: &str| number(&report["rows"][name]);
    let landed = messages("intact") + messages("corrupted") + messages("duplicated");
    let due = landed + messages("missing") + messages("withdrawn");
    let surplus = rows("copies") - messages("duplicated");
    let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let figure = |name: &str| report["fidelity"][name].as_f64();
    let unseen = messages("overdue") + messages("undecodable") + messages("unobservable");
    assert_eq!(figure("completeness"), ratio(landed, due), "completeness: {report:#}");
    assert_eq!(figure("coverage"), ratio(due, due + unseen), "coverage: {report:#}");
    // Of duplicated messages only those with an equal row are faithful, which the report does not count.
    let least = ratio(messages("intact"), due + rows("phantom") + surplus);
    let most = ratio(messages("intact") + messages("duplicated"), due + rows("phantom") + surplus);
    let fidelity = figure("value");
    assert!(least <= fidelity && fidelity <= most, "{least:?} ≤ {fidelity:?} ≤ {most:?}: {report:#}");
    let target = figure("target").expect("there is a target");
    assert!(report["outcome"] != "holds" || fidelity.is_none_or(|value| value >= target), "outcome: {report:#}");
    assert!(report["outcome"] == "breached" || fidelity.is_none_or(|value| value >= target), "outcome: {report:#}");
}

fn assert_findings(report: &Json, findings: &[Json]) {
    assert_eq!(number(&report["findings"]["total"]), findings.len() as u64, "findings.total: {report:#}");
    let mut ids: Vec<&str> = findings.iter().filter_map(|finding| finding["id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), findings.len(), "two findings have one id: {findings:#?}");
    for line in report["findings"]["by_cause"].as_array().expect("by_cause is a list") {
        if line["verdict"] == "excluded" {
            continue;
        }
        let of_cause = findings.iter().filter(|f| f["verdict"] == line["verdict"] && f["cause"] == line["cause"]);
        assert_eq!(of_cause.count() as u64, number(&line["count"]), "{line}: {report:#}");
    }
    for verdict in ["corrupted", "duplicated", "missing", "overdue", "undecodable", "unobservable"] {
        let told = findings.iter().filter(|finding| finding["verdict"] == verdict).count() as u64;
        assert_eq!(told, number(&report["messages"][verdict]), "findings of {verdict}: {report:#}");
    }
    let phantoms = findings.iter().filter(|finding| finding["verdict"] == "phantom").count() as u64;
    assert_eq!(phantoms, number(&report["rows"]["phantom"]), "findings of phantom: {report:#}");
}
