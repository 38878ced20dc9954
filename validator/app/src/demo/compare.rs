//! Whether the findings are exactly what was injected: verdict, message, columns.

use std::collections::BTreeMap;

use fixtures_kit::Truth;
use serde_json::Value as Json;
use validator_core::finding::Finding;

/// What differs between findings and truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In the truth, not found.
    pub unseen: Vec<String>,
    /// Found, not in the truth.
    pub false_alarms: Vec<String>,
}

/// `None` where they are the same.
pub fn compare(truth: &Truth, findings: &[Finding]) -> Option<Difference> {
    let expected = counted(truth.findings.iter().map(|finding| key(&finding.to_json())));
    let actual = counted(findings.iter().map(|finding| key(&serde_json::to_value(finding).unwrap_or(Json::Null))));
    let beyond = |these: &BTreeMap<String, usize>, those: &BTreeMap<String, usize>| -> Vec<String> {
        let more = these.iter().filter(|(key, count)| those.get(*key).unwrap_or(&0) < count);
        more.map(|(key, _)| key.clone()).collect()
    };
    let difference = Difference { unseen: beyond(&expected, &actual), false_alarms: beyond(&actual, &expected) };
    (difference != Difference { unseen: Vec::new(), false_alarms: Vec::new() }).then_some(difference)
}

/// The column itself, without the leaf in it.
fn top(name: &Json) -> Option<&str> {
    name.as_str()?.split(['.', '[']).next()
}

fn counted(keys: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
    counts
}

/// Verdict, message, columns; findings about rows and files alone by their verdict.
fn key(finding: &Json) -> String {
    let columns: Vec<&str> =
        finding["columns"].as_array().into_iter().flatten().filter_map(|column| top(&column["name"])).collect();
    let verdict = finding["verdict"].as_str().unwrap_or_default();
    match finding["topic"].as_str() {
        Some(topic) => {
            format!("{verdict} {topic}[{}]@{} {}", finding["partition"], finding["offset"], columns.join(","))
        }
        None => verdict.to_owned(),
    }
}
