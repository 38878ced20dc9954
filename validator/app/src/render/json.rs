//! report.json, as scripts read it.
//!
//! Contract: one object, indented by two spaces, with a newline at the end. Keys and their order are those of the core's
//! report. What must not reach a terminal is an escape. Findings are written by the engine's `found.rs`.

use validator_core::harmless::harmless_json;
use validator_core::report::Report;

/// The report as JSON text.
pub fn report_json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("every key of a report is a string");
    text.push('\n');
    harmless_json(&text).into_owned()
}
