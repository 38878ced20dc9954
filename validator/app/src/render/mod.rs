//! What a person and a script see: problems, errors, the text report, report.json, findings.jsonl and progress.
//!
//! Contract: text that came from data, files or servers is escaped before it reaches a terminal; nothing here decides
//! anything, the numbers are those of the report.

mod escape;
mod paint;
mod problem;
mod wrap;

pub use escape::{escape, quoted};
pub use paint::{Palette, Role};
pub use problem::problems;
