//! One finding as a person reads it: which message, which columns with both values, which row, which commit.

use validator_core::finding::{Candidate, ColumnDifference, Finding, RowPlace};
use validator_core::verdict::{Cause, Damage, MessageVerdict};

use super::number::{count, counted};
use super::page::Page;
use super::paint::{Palette, Role};
use super::short::{name, text};
use super::value::{pair, value};
use super::words;

/// Most columns, rows and candidates shown of one finding; the rest is counted.
const PARTS_MAX: usize = 8;

/// One finding as text, its verdict and cause in words first.
pub fn finding_text(finding: &Finding, palette: Palette, width: usize) -> String {
    let mut page = Page::new(palette, width);
    let heading = words::cause(finding.verdict, finding.cause).unwrap_or_default();
    page.heading(words::role(finding.verdict), finding.verdict.as_str(), &heading);
    write_finding(&mut page, finding);
    page.finish()
}

/// Writes one finding, indented.
pub fn write_finding(page: &mut Page, finding: &Finding) {
    let (head, when) = head(finding);
    page.pair(2, Role::Place, &head, 0, &when);
    if let Some(identity) = &finding.identity {
        let parts: Vec<String> =
            identity.0.iter().map(|(key, held)| format!("{} = {}", name(key), value(held))).collect();
        if !parts.is_empty() {
            page.line(4, None, &parts.join(", "));
        }
    }
    for column in finding.columns.iter().take(PARTS_MAX) {
        write_column(page, column, finding.cause);
    }
    more(page, finding.columns.len(), "column", "columns");
    write_rows(page, finding);
    write_candidates(page, finding);
    if !finding.detail.is_empty() {
        page.line(4, None, &text(&finding.detail));
    }
}

/// The message, or what else the finding is about, and the message's time.
pub(crate) fn head(finding: &Finding) -> (String, String) {
    let when = finding.timestamp.map(|at| at.to_string()).unwrap_or_default();
    match (&finding.topic, finding.partition, finding.offset) {
        (Some(topic), Some(partition), Some(offset)) => (format!("{}[{partition}]@{offset}", name(topic)), when),
        _ => (finding.rows.first().map_or_else(|| "the table".to_owned(), place), when),
    }
}

/// A row of a file, or a file.
pub(crate) fn place(row: &RowPlace) -> String {
    match row.position {
        Some(position) => format!("{} row {position}", text(&row.file)),
        None => text(&row.file),
    }
}

fn write_column(page: &mut Page, column: &ColumnDifference, cause: Option<Cause>) {
    let (message, row) = pair(&column.message, &column.row);
    page.line(4, Some(Role::Strong), &name(&column.name));
    page.pair(6, Role::Faint, "message", 7, &message);
    page.pair(6, Role::Faint, "row", 7, &row);
    // The cause of the finding is its first column's damage and stands in the heading.
    if cause != Some(Cause::Damage(column.damage)) && column.damage != Damage::Other {
        page.line(6, None, &format!("{}: the row {}", column.damage, words::damage(column.damage)));
    }
}

fn write_rows(page: &mut Page, finding: &Finding) {
    // Without a message the first row is the heading.
    let rows = if finding.topic.is_some() { &finding.rows[..] } else { finding.rows.get(1..).unwrap_or_default() };
    for row in rows.iter().take(PARTS_MAX) {
        page.line(4, None, &place(row));
    }
    more(page, rows.len(), "row", "rows");
    if let Some(commit) = commit(finding) {
        page.line(4, None, &commit);
    }
    if finding.copies > 0 {
        page.line(4, None, &counted(finding.copies, "row in all", "rows in all"));
    }
}

/// Which commit wrote the row or took it away, as far as it is known.
pub(crate) fn commit(finding: &Finding) -> Option<String> {
    let operation = finding.operation.as_deref().map(name);
    let is_gone = finding.verdict == MessageVerdict::Withdrawn.into() || finding.cause == Some(Cause::Removed);
    let done = if is_gone { "taken away" } else { "written" };
    Some(match (finding.snapshot_id, operation) {
        (Some(id), Some(operation)) => format!("{done} by snapshot {id} ({operation})"),
        // The line of snapshots was rolled back: the last one that had the row is known, no commit removed it.
        (Some(id), None) if done != "written" => format!("stood in snapshot {id}"),
        (Some(id), None) => format!("written by snapshot {id}"),
        (None, Some(operation)) => format!("{done} by a commit of operation {operation}"),
        (None, None) => return None,
    })
}

/// The other messages that may be meant; the finding's own stands in the heading.
fn write_candidates(page: &mut Page, finding: &Finding) {
    let others = other_candidates(finding);
    for candidate in others.iter().take(PARTS_MAX) {
        page.line(4, None, &format!("or {}[{}]@{}", name(&candidate.topic), candidate.partition, candidate.offset));
    }
    more(page, others.len(), "candidate", "candidates");
}

/// The messages equal to the finding's own.
pub(crate) fn other_candidates(finding: &Finding) -> Vec<&Candidate> {
    let is_own = |candidate: &&Candidate| {
        (finding.topic.as_ref(), finding.partition, finding.offset)
            == (Some(&candidate.topic), Some(candidate.partition), Some(candidate.offset))
    };
    finding.candidates.iter().filter(|candidate| !is_own(candidate)).collect()
}

fn more(page: &mut Page, all: usize, one: &str, many: &str) {
    if all > PARTS_MAX {
        let rest = (all - PARTS_MAX) as u64;
        let what = if rest == 1 { one } else { many };
        page.line(4, Some(Role::Faint), &format!("and {} more {what}", count(rest)));
    }
}
