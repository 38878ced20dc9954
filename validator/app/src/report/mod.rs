//! The forms in which an answer is handed on: one page of HTML, JUnit, Markdown, and findings as Parquet.
//!
//! Contract: every number is the report's or counted from all findings; what is not shown is counted, exactly. Text from
//! outside is escaped twice: what a terminal would obey is made visible (`render::escape`), and what the format would obey
//! is written in the format's own way. What is shown is worked out here; one file for each format writes it.
//!
//! ```text
//! answer ─▶ page (view) ─▶ html
//!       └─▶ groups, finding (view) ─▶ junit, markdown
//! findings.each_line ─▶ line ─▶ parquet
//! ```

mod again;
mod budget;
mod chart;
mod counts;
mod difference;
mod finding;
mod heat;
mod html;
mod junit;
mod line;
mod markdown;
mod page;
mod parquet;
mod written;

pub use again::Again;
pub use html::html;
pub use junit::junit;
pub use line::FindingLine;
pub use markdown::markdown;
pub use parquet::{FindingsWriter, ParquetError, RowsWriter, findings_schema, write_findings};
pub use written::{BegunFile, WrittenFile, begin, named_twice, try_place, write_whole};

use crate::answer::Answer;

/// What every form is made of.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The answer.
    pub answer: &'a Answer,
    /// How it is made again.
    pub again: &'a Again,
    /// Where all findings were written.
    pub findings_file: Option<&'a str>,
}
