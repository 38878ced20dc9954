//! One finding as a page shows it: where, both values of each column, rows and commit, and the command that shows it again.

use validator_core::finding::Finding;
use validator_core::verdict::Damage;

use super::Shown;
use super::difference::{Marked, difference};
use crate::render::short::{name, short, text};
use crate::render::value::value;
use crate::render::{counted, finding, words};

/// Most columns, identity columns, rows and candidates shown of one finding; the rest is counted.
const PARTS_MAX: usize = 8;

/// Most characters of a command: one that is cut is none.
const COMMAND_CHARS_MAX: usize = 2_000;

/// See the module. Every text is harmless to a terminal, and not yet escaped for a format.
#[derive(Debug, Clone)]
pub struct FindingView {
    /// 64 hexadecimal digits.
    pub id: String,
    /// `trades[0]@12`, a row of a file, a file, or the table.
    pub place: String,
    /// The message's Kafka timestamp.
    pub time: Option<String>,
    /// Names and values.
    pub identity: Vec<(String, String)>,
    /// Columns that differ.
    pub columns: Vec<ColumnView>,
    /// Rows, one line each.
    pub rows: Vec<String>,
    /// Which commit wrote them or took them away.
    pub commit: Option<String>,
    /// Messages that it may be about instead.
    pub candidates: Vec<String>,
    /// What of it is not shown: `3 more columns`.
    pub more: Vec<String>,
    /// All rows of a duplicated message.
    pub copies: Option<String>,
    /// Another finding about the same thing.
    pub related: Option<String>,
    /// The sentence.
    pub detail: String,
    /// Shows it again.
    pub command: Option<String>,
}

/// One column that differs.
#[derive(Debug, Clone)]
pub struct ColumnView {
    /// Its name.
    pub name: String,
    /// What the row should hold.
    pub message: Marked,
    /// What it holds.
    pub row: Marked,
    /// The damage's word.
    pub damage: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

impl ColumnView {
    /// Message and row, in the order of the page.
    pub fn sides(&self) -> [&Marked; 2] {
        [&self.message, &self.row]
    }
}

impl FindingView {
    /// Of a finding of the answer.
    pub fn of(shown: &Shown<'_>, of: &Finding) -> Self {
        let report = &shown.answer.report;
        let (place, time) = finding::head(of);
        let (identity, identity_more) = of.identity.as_ref().map_or((Vec::new(), 0), |named| {
            let parts = named.0.iter().take(PARTS_MAX).map(|(key, held)| (name(key), short(&value(held), 400)));
            (parts.collect(), named.0.len().saturating_sub(PARTS_MAX))
        });
        let columns: Vec<ColumnView> = of.columns.iter().take(PARTS_MAX).map(column).collect();
        let candidates = finding::other_candidates(of);
        // Without a message the first row is the heading.
        let rows = if of.topic.is_some() { &of.rows[..] } else { of.rows.get(1..).unwrap_or_default() };
        let more = [
            (identity_more, "identity column", "identity columns"),
            (of.columns.len().saturating_sub(PARTS_MAX), "column", "columns"),
            (rows.len().saturating_sub(PARTS_MAX), "row", "rows"),
            (candidates.len().saturating_sub(PARTS_MAX), "candidate", "candidates"),
        ];
        let more = more.into_iter().filter(|(number, _, _)| *number > 0);
        let command = shown.again.one(report, of).filter(|command| command.chars().count() <= COMMAND_CHARS_MAX);
        Self {
            id: of.id.to_string(),
            place: short(&place, 400),
            time: (!time.is_empty()).then_some(time),
            identity,
            columns,
            rows: rows.iter().take(PARTS_MAX).map(|row| text(&finding::place(row))).collect(),
            commit: finding::commit(of).map(|commit| text(&commit)),
            candidates: candidates
                .iter()
                .take(PARTS_MAX)
                .map(|one| format!("{}[{}]@{}", name(&one.topic), one.partition, one.offset))
                .collect(),
            more: more.map(|(number, one, many)| more_of(number as u64, one, many)).collect(),
            copies: (of.copies > 0).then(|| counted(of.copies, "row in all", "rows in all")),
            related: of.related.as_ref().map(ToString::to_string),
            detail: text(&of.detail),
            command,
        }
    }
}

/// `3 more columns`
pub fn more_of(number: u64, one: &str, many: &str) -> String {
    format!("{} more {}", crate::render::count(number), if number == 1 { one } else { many })
}

fn column(of: &validator_core::finding::ColumnDifference) -> ColumnView {
    let (message, row) = difference(&of.message, &of.row);
    let meaning = if of.damage == Damage::Other { "" } else { words::damage(of.damage) };
    ColumnView { name: name(&of.name), message, row, damage: of.damage.as_str(), meaning }
}
