//! A summary in Markdown for the pages of CI servers (GitHub job summaries, merge requests).
//!
//! Contract: text from outside stands in code spans only, without a backtick or a bar in it, so that it can neither end
//! its span nor its cell; a code span makes no link, no mention and no HTML. Bounded; what is not shown is counted.

use std::fmt::Write as _;

use super::Shown;
use super::budget::{budget, figures};
use super::counts;
use super::difference::Marked;
use super::finding::{ColumnView, FindingView};
use super::page::{headline, topics};
use crate::render::findings::{Group, groups};
use crate::render::report::sentence;
use crate::render::short::{name, short};
use crate::render::{count, counted};

/// Findings shown of one cause, and in all.
const EACH_MAX: usize = 3;
const ALL_MAX: usize = 30;

/// Most characters of a cell.
const CELL_CHARS_MAX: usize = 160;

/// Most warnings.
const WARNINGS_MAX: usize = 10;

/// The summary.
pub fn markdown(shown: &Shown<'_>) -> String {
    let (answer, report) = (shown.answer, &shown.answer.report);
    let mut out = String::new();
    let sign = match report.outcome.exit_code() {
        0 => "✅",
        1 => "❌",
        _ => "⚠️",
    };
    line(&mut out, &format!("## {sign} {}: {}\n", report.outcome, code(&name(&report.pipeline))));
    line(&mut out, &format!("{}\n", headline(shown)));
    let reasons: Vec<String> = answer.decision.reasons.iter().map(|reason| format!("- {}", sentence(reason))).collect();
    if !reasons.is_empty() {
        line(&mut out, &format!("{}\n", reasons.join("\n")));
    }
    if !report.complete {
        line(&mut out, "**Not complete:** a part of what was asked for could not be looked at.\n");
    }
    let snapshot = report.table.snapshot_id.map_or_else(|| "none".to_owned(), |id| id.to_string());
    line(&mut out, "| | |\n|---|---|");
    line(&mut out, &format!("| topic | {} |", code(&topics(report))));
    line(&mut out, &format!("| table | {} |", code(&name(&report.table.name))));
    line(&mut out, &format!("| snapshot | {} |", code(&snapshot)));
    line(&mut out, &format!("| judged at | {} |\n", report.judged_at));
    write_figures(&mut out, shown);
    write_counts(&mut out, shown);
    write_findings(&mut out, shown);
    write_warnings(&mut out, &report.warnings);
    line(&mut out, &format!("Made again by\n\n```sh\n{}\n```", fenced(&shown.again.whole(report))));
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn write_figures(out: &mut String, shown: &Shown<'_>) {
    line(out, "| figure | value | target |\n|---|--:|--:|");
    for figure in figures(shown.answer) {
        let missed = if figure.is_missed { " **missed**" } else { "" };
        let target = figure.target.unwrap_or_default();
        line(out, &format!("| {} | {} | {target}{missed} |", figure.name, figure.value));
    }
    line(out, &format!("\n**Error budget:** {}\n", budget(shown.answer).sentence));
}

fn write_counts(out: &mut String, shown: &Shown<'_>) {
    let report = &shown.answer.report;
    let messages = counted(report.messages.consumed, "message", "messages");
    let rows = counted(report.rows.total, "row", "rows");
    for (title, counts) in [(messages, counts::messages(report)), (rows, counts::rows(report))] {
        let mut counts = counts.iter().filter(|row| !row.is_zero).peekable();
        if counts.peek().is_none() {
            continue;
        }
        line(out, &format!("| {title} | | share |\n|---|--:|--:|"));
        counts.for_each(|row| line(out, &format!("| {} | {} | {} |", row.name, row.number, row.share)));
        out.push('\n');
    }
}

fn write_findings(out: &mut String, shown: &Shown<'_>) {
    let report = &shown.answer.report;
    let findings: Vec<_> = shown.answer.findings.shown().collect();
    let groups = groups(report, &findings, EACH_MAX);
    if groups.is_empty() {
        return;
    }
    line(
        out,
        &format!(
            "### {}\n\n| verdict | cause | findings |\n|---|---|--:|",
            counted(report.findings.total(), "finding", "findings")
        ),
    );
    for group in &groups {
        let cause = group.cause.map_or("", |cause| cause.as_str());
        line(out, &format!("| {} | {cause} | {} |", group.verdict, count(group.number)));
    }
    out.push('\n');
    let mut left = ALL_MAX;
    for group in &groups {
        write_group(out, shown, group, &mut left);
    }
    if let Some(file) = shown.findings_file {
        line(out, &format!("All of them are in {}.\n", code(&short(file, CELL_CHARS_MAX))));
    }
}

fn write_group(out: &mut String, shown: &Shown<'_>, group: &Group<'_>, left: &mut usize) {
    let showing = group.findings.len().min(*left);
    *left -= showing;
    let rest = group.number - showing as u64;
    if showing == 0 {
        line(out, &format!("{} of {} not shown.\n", count(rest), group.name()));
        return;
    }
    line(out, &format!("#### {}\n", group.name()));
    let findings: Vec<FindingView> =
        group.findings[..showing].iter().map(|finding| FindingView::of(shown, finding)).collect();
    match findings.iter().any(|finding| !finding.columns.is_empty()) {
        true => write_columns(out, &findings),
        false => {
            line(out, "| where | what |\n|---|---|");
            findings.iter().for_each(|one| line(out, &format!("| {} | {} |", cell(&one.place), cell(&one.detail))));
        }
    }
    let more = if rest > 0 { format!("\nand {} more of {}\n", count(rest), group.name()) } else { String::new() };
    line(out, &more);
}

/// Findings with both values of each column.
fn write_columns(out: &mut String, findings: &[FindingView]) {
    line(out, "| where | column | message holds | row holds |\n|---|---|---|---|");
    for finding in findings {
        let place = cell(&finding.place);
        if finding.columns.is_empty() {
            line(out, &format!("| {place} | {} | | |", cell(&finding.detail)));
        }
        for (nth, column) in finding.columns.iter().enumerate() {
            let ColumnView { name, message, row, .. } = column;
            let place = if nth == 0 { place.as_str() } else { "" };
            let (name, message, row) = (cell(name), value(message), value(row));
            line(out, &format!("| {place} | {name} | {message} | {row} |"));
        }
        if !finding.more.is_empty() {
            line(out, &format!("| | {} | | |", finding.more.join(", ")));
        }
    }
}

fn write_warnings(out: &mut String, warnings: &[String]) {
    if warnings.is_empty() {
        return;
    }
    line(out, "### Warnings\n");
    for warning in warnings.iter().take(WARNINGS_MAX) {
        line(out, &format!("- {}", code(&short(warning, 600))));
    }
    let rest = warnings.len().saturating_sub(WARNINGS_MAX);
    if rest > 0 {
        line(out, &format!("- and {} more", count(rest as u64)));
    }
    out.push('\n');
}

/// A value in a cell.
fn value(of: &Marked) -> String {
    code(&of.line(CELL_CHARS_MAX))
}

/// Text from outside in a cell.
fn cell(text: &str) -> String {
    if text.is_empty() { String::new() } else { code(&short(text, CELL_CHARS_MAX)) }
}

/// Text from outside, already harmless to a terminal and so in one line, as a code span.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('`');
    for c in text.chars() {
        match c {
            '`' | '|' => {
                let _ = write!(out, "{}", c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    if text.is_empty() {
        out.push(' ');
    }
    out.push('`');
    out
}

/// Text in a fenced block: in one line, without what could end the block.
fn fenced(text: &str) -> String {
    crate::render::escape(text).replace("```", "` ` `")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_code_span_or_a_cell() {
        assert_eq!(code("a|b`c"), "`a\\u{7c}b\\u{60}c`");
        assert_eq!(cell(""), "");
        assert!(!code("``` <img src=x> | @all ```")[1..].trim_end_matches('`').contains(['`', '|']));
    }
}
