//! What a person and a script see: problems, errors, the text report, report.json, findings.jsonl and progress.
//!
//! Contract: text that came from data, files or servers is escaped before it reaches a terminal; nothing here decides
//! anything, the numbers are those of the report.

mod command;
pub(crate) mod counts;
mod dry_run;
mod escape;
mod failure;
pub(crate) mod finding;
pub(crate) mod findings;
mod holes;
mod json;
mod number;
mod page;
mod paint;
mod problem;
mod progress;
pub(crate) mod report;
pub(crate) mod short;
pub(crate) mod value;
pub(crate) mod words;
mod wrap;

pub use command::command_line;
pub use dry_run::dry_run;
pub use escape::{escape, is_hostile, quoted};
pub use failure::{error_chain, failure};
pub use finding::finding_text;
pub use json::report_json;
pub use number::{bytes, count, counted, elapsed, figure};
pub use page::Page;
pub use paint::{Palette, Role};
pub use problem::problems;
pub use progress::{Phase, Progress};
pub use report::{TextReport, text_report};
pub use wrap::{WIDTH_DEFAULT, WIDTH_MIN, width_of, wrap, wrap_lines};

#[cfg(test)]
mod tests;
