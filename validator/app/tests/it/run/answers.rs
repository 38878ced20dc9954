//! What is said of a play, held against its truth.

use std::collections::BTreeMap;

use fixtures_kit::compare::{finding_differences, report_differences};
use fixtures_kit::{Truth, Verdict};
use serde_json::{Value as Json, json};

/// Lines that are shown of what differs.
const LINES_SHOWN: usize = 20;

/// Holds report and findings against the truth.
///
/// # Panics
/// When they differ, with the first differences.
pub fn assert_true(what: &str, truth: &Truth, report: &Json, findings: &[Json]) {
    let mut differences = report_differences(truth, report);
    differences.extend(finding_differences(truth, findings));
    let shown: Vec<&str> = differences.iter().take(LINES_SHOWN).map(String::as_str).collect();
    let count = differences.len();
    assert!(differences.is_empty(), "{what}: {count} differences\n  {}", shown.join("\n  "));
}

/// The same of what a ledger says: it keeps a finding of one id once, so that a row which no message explains, of a file that is
/// entered twice, is listed once and counted twice.
///
/// # Panics
/// When they differ, with the first differences.
pub fn assert_ledger_true(what: &str, truth: &Truth, report: &Json, findings: &[Json]) {
    let mut truth = truth.clone();
    // Which rows came late a run does not say yet: its report has null there.
    truth.messages.late = None;
    let mut listed = truth.clone();
    listed.findings.sort();
    listed.findings.dedup();
    let mut differences = report_differences(&truth, report);
    differences.extend(finding_differences(&listed, findings));
    let shown: Vec<&str> = differences.iter().take(LINES_SHOWN).map(String::as_str).collect();
    let count = differences.len();
    assert!(differences.is_empty(), "{what}: {count} differences\n  {}", shown.join("\n  "));
}

/// The lines of a JSONL text.
pub fn lines(jsonl: &str) -> Vec<Json> {
    jsonl.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))).collect()
}

/// Leaves open why a message is missing: of a row that was removed, a look at the end knows only while the snapshot that
/// showed it is retained.
pub fn forget_removed(truth: &mut Truth, report: &mut Json, findings: &mut [Json]) {
    for finding in truth.findings.iter_mut().filter(|finding| finding.verdict == Verdict::Missing) {
        (finding.cause, finding.operation) = (Some("lost"), None);
    }
    truth.findings.sort();
    let mut by_cause = BTreeMap::new();
    for ((verdict, cause), count) in std::mem::take(&mut truth.by_cause) {
        let cause = if verdict == Verdict::Missing { Some("lost") } else { cause };
        *by_cause.entry((verdict, cause)).or_insert(0) += count;
    }
    truth.by_cause = by_cause;
    let forget = |entry: &mut Json| {
        if entry["verdict"] == "missing" {
            entry["cause"] = json!("lost");
        }
    };
    report["findings"]["by_cause"].as_array_mut().into_iter().flatten().for_each(forget);
    findings.iter_mut().for_each(forget);
}

/// The instant as of which a report judges.
pub fn judged_at_ms(report: &Json) -> i64 {
    let text = report["judged_at"].as_str().unwrap_or_else(|| panic!("no judged_at: {report}"));
    chrono::DateTime::parse_from_rfc3339(text).expect("RFC 3339").timestamp_millis()
}
