//! An answer in few words, so that a test can say all that it should be: what is not mentioned is 0, and no finding is left
//! out.

use serde::Serialize;
use serde_json::Value;
use validator_app::Answer;
use validator_core::finding::Finding;

/// The counters that are not 0, in the order of their names: `consumed 16, intact 16`.
pub fn counts(counters: &impl Serialize) -> String {
    let counters = serde_json::to_value(counters).expect("counters are JSON");
    let counters = counters.as_object().expect("counters have names");
    let counted = counters.iter().filter(|(_, count)| count.as_u64().is_some_and(|count| count > 0));
    counted.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// `holds | consumed 16, intact 16 | intact 16, total 16`: outcome, messages and rows.
pub fn summary(answer: &Answer) -> String {
    let report = &answer.report;
    let complete = if report.complete { "" } else { ", incomplete" };
    format!("{}{complete} | {} | {}", report.outcome, counts(&report.messages), counts(&report.rows))
}

/// Each partition: `0: 0..15 consumed 9, intact 9 | control 5..6, aborted 6..9`.
pub fn partitions(answer: &Answer) -> Vec<String> {
    let holes = |of: &validator_core::hole::Holes| {
        let runs = of.runs().iter().map(|hole| format!("{} {}..{}", hole.reason, hole.from, hole.to));
        runs.collect::<Vec<_>>().join(", ")
    };
    let one = |of: &validator_core::report::PartitionReport| {
        format!("{}: {}..{} {} | {}", of.partition, of.from, of.to, counts(&of.messages), holes(&of.holes))
    };
    answer.report.partitions.iter().map(one).collect()
}

/// All findings in their order: `corrupted truncated 0@7 [price 1.25 → 1.2 truncated] 00000:3`; `-` where there is none.
pub fn findings(answer: &Answer) -> Vec<String> {
    let with_rows = |finding: &Finding| {
        let rows = finding.rows.iter().map(|row| {
            let name = row.file.rsplit('/').next().unwrap_or_default().trim_end_matches(".parquet");
            row.position.map_or(name.to_owned(), |position| format!("{name}:{position}"))
        });
        std::iter::once(verdict(finding)).chain(rows).collect::<Vec<_>>().join(" ")
    };
    answer.findings.at_hand.iter().map(with_rows).collect()
}

/// The same without rows, for files of names that nobody knows.
pub fn verdicts(answer: &Answer) -> Vec<String> {
    answer.findings.at_hand.iter().map(verdict).collect()
}

fn verdict(finding: &Finding) -> String {
    let mut words = vec![finding.verdict.to_string()];
    words.push(finding.cause.map_or("-".to_owned(), |cause| cause.to_string()));
    match (finding.partition, finding.offset) {
        (Some(partition), Some(offset)) => words.push(format!("{partition}@{offset}")),
        _ => words.push("-".to_owned()),
    }
    let columns = finding
        .columns
        .iter()
        .map(|column| format!("{} {} → {} {}", column.name, plain(&column.message), plain(&column.row), column.damage));
    words.extend(columns.map(|column| format!("[{column}]")));
    words.join(" ")
}

/// Text without quotes, everything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
