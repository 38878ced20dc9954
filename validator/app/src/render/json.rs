//! report.json and findings.jsonl, as scripts read them.
//!
//! Contract: report.json is one object, indented by two spaces, with a newline at the end; findings are one object a
//! line, in the order in which they are given. Keys and their order are those of the core's report and finding.

use std::io::{self, Write};

use serde::Serialize;
use validator_core::report::Report;

/// The report as JSON text.
pub fn report_json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("every key of a report is a string");
    text.push('\n');
    text
}

/// Writes findings (or truths that look like findings), one JSON object a line. The writer should be buffered.
///
/// # Errors
/// The writer fails.
pub fn write_findings<T: Serialize>(findings: &[T], out: &mut impl Write) -> io::Result<()> {
    for finding in findings {
        serde_json::to_writer(&mut *out, finding)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
