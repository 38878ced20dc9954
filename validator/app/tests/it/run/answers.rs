//! What is said of a play, held against its truth.

use std::collections::{BTreeMap, BTreeSet};

use fixtures_kit::compare::{finding_differences, report_differences};
use fixtures_kit::{Truth, Verdict};
use fixtures_warehouse::play::Play;
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
    take_late(&mut truth, report);
    let mut listed = truth.clone();
    listed.findings.sort();
    listed.findings.dedup();
    let mut differences = report_differences(&truth, report);
    differences.extend(finding_differences(&listed, findings));
    let shown: Vec<&str> = differences.iter().take(LINES_SHOWN).map(String::as_str).collect();
    let count = differences.len();
    assert!(differences.is_empty(), "{what}: {count} differences\n  {}", shown.join("\n  "));
}

/// A report that says that of some rows nobody knows whether they are late may have fewer late messages, by as many at most.
fn take_late(truth: &mut Truth, report: &Json) {
    let (Some(late), Some(said)) = (truth.messages.late, report["messages"]["late"].as_u64()) else { return };
    let untold = report["warnings"].as_array().into_iter().flatten().filter_map(Json::as_str).find_map(|warning| {
        let rows = warning.split_whitespace().next().filter(|_| warning.ends_with("late is not known of them"))?;
        rows.replace(',', "").parse::<u64>().ok()
    });
    println!("{said} of {late} late messages are told, and {untold:?} rows are not");
    if untold.is_some_and(|untold| said <= late && late - said <= untold) {
        truth.messages.late = Some(said);
    }
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

/// What was told of snapshots that were given up: the truth of a play does not say which of them were looked at before. Takes them
/// out, and returns which snapshots they name.
///
/// # Panics
/// When one of them was not given up.
pub fn forget_given_up(play: &Play, report: &mut Json, findings: &mut Vec<Json>) -> BTreeSet<i64> {
    let is_given_up = |finding: &Json| finding["verdict"] == "history_rewritten";
    let told: BTreeSet<i64> = findings
        .iter()
        .filter(|one| is_given_up(one))
        .map(|one| one["snapshot_id"].as_i64().expect("it names one"))
        .collect();
    let given_up = play.given_up();
    let wrong: Vec<&i64> = told.iter().filter(|snapshot| !given_up.contains_key(snapshot)).collect();
    assert!(wrong.is_empty(), "not given up: {wrong:?}");
    findings.retain(|finding| !is_given_up(finding));
    let total = report["findings"]["total"].as_u64().expect("a count");
    report["findings"]["total"] = (total - told.len() as u64).into();
    report["findings"]["by_cause"].as_array_mut().expect("a list").retain(|entry| !is_given_up(entry));
    told
}

/// Holds what was told against the snapshots of which the ledger has a checkpoint: of each that was given up, it or one that came
/// behind it was told.
///
/// # Panics
/// When one was passed over in silence.
pub fn assert_given_up_told(play: &Play, looked_at: &[i64], told: &BTreeSet<i64>) {
    let given_up = play.given_up();
    for snapshot in looked_at {
        let Some(here) = given_up.get(snapshot) else { continue };
        let is_it = |one: &i64| given_up[one].start >= here.start && given_up[one].end == here.end;
        assert!(told.iter().any(is_it), "{snapshot} was looked at and given up, and only {told:?} were told");
    }
}

/// The instant as of which a report judges.
pub fn judged_at_ms(report: &Json) -> i64 {
    let text = report["judged_at"].as_str().unwrap_or_else(|| panic!("no judged_at: {report}"));
    chrono::DateTime::parse_from_rfc3339(text).expect("RFC 3339").timestamp_millis()
}
