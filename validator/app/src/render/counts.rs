//! The counts of a report: messages, rows, partitions and tolerances; only what is not zero.

use validator_core::report::{MessageCounts, Report, RowCounts};
use validator_core::verdict::{MessageVerdict, RowVerdict, Verdict};

use super::escape::escape;
use super::number::{count, counted};
use super::page::Page;
use super::paint::Role;

/// Most partitions that are listed; the rest is counted.
const PARTITIONS_MAX: usize = 10;

/// Columns of the names of counts.
const NAME_COLUMNS: usize = 21;

/// Writes counts that are not zero, their digits below each other; a note may stand behind one.
fn write_counts(page: &mut Page, counts: &[(&str, Role, u64, String)]) {
    let counts = counts.iter().filter(|(_, _, number, _)| *number > 0);
    let digits = counts.clone().map(|(_, _, number, _)| count(*number).len()).max().unwrap_or(0);
    for (name, role, number, note) in counts {
        let padding = digits - count(*number).len();
        let note = if note.is_empty() { String::new() } else { format!("({note})") };
        page.pair(2, *role, name, NAME_COLUMNS + padding, &format!("{} {note}", count(*number)));
    }
}

/// The messages by verdict.
pub fn write_messages(page: &mut Page, report: &Report) {
    let messages = &report.messages;
    page.blank();
    page.heading(Role::Strong, "messages", &count(messages.consumed));
    let mut counts: Vec<(&str, Role, u64, String)> = by_verdict(messages)
        .into_iter()
        .map(|(verdict, number)| (verdict.as_str(), role_of(verdict), number, String::new()))
        .collect();
    if let Some(excluded) = counts.last_mut() {
        excluded.3 = excluded_causes(report);
    }
    counts.push(("of them late", Role::Faint, messages.late.unwrap_or(0), String::new()));
    counts.push(("with differing copies", Role::Faint, messages.duplicated_differing, String::new()));
    write_counts(page, &counts);
}

/// Messages by verdict, what people look for first in front.
pub(crate) fn by_verdict(messages: &MessageCounts) -> [(MessageVerdict, u64); 11] {
    [
        (MessageVerdict::Intact, messages.intact),
        (MessageVerdict::Missing, messages.missing),
        (MessageVerdict::Withdrawn, messages.withdrawn),
        (MessageVerdict::Corrupted, messages.corrupted),
        (MessageVerdict::Duplicated, messages.duplicated),
        (MessageVerdict::Undecodable, messages.undecodable),
        (MessageVerdict::Unobservable, messages.unobservable),
        (MessageVerdict::Overdue, messages.overdue),
        (MessageVerdict::Pending, messages.pending),
        (MessageVerdict::Diverted, messages.diverted),
        (MessageVerdict::Excluded, messages.excluded),
    ]
}

/// The colour of a verdict.
pub(crate) fn role_of(verdict: MessageVerdict) -> Role {
    match verdict {
        MessageVerdict::Intact => Role::Good,
        MessageVerdict::Missing
        | MessageVerdict::Withdrawn
        | MessageVerdict::Corrupted
        | MessageVerdict::Duplicated => Role::Bad,
        MessageVerdict::Undecodable | MessageVerdict::Unobservable | MessageVerdict::Overdue => Role::Doubt,
        MessageVerdict::Pending | MessageVerdict::Diverted | MessageVerdict::Excluded => Role::Faint,
    }
}

/// `filter 10, tombstone 2`
pub(crate) fn excluded_causes(report: &Report) -> String {
    let excluded = Verdict::Message(MessageVerdict::Excluded);
    let causes: Vec<String> = report
        .findings
        .by_cause()
        .filter(|(verdict, _, _)| *verdict == excluded)
        .filter_map(|(_, cause, number)| Some(format!("{} {}", cause?, count(number))))
        .collect();
    causes.join(", ")
}

/// The rows by verdict.
pub fn write_rows(page: &mut Page, report: &Report) {
    let rows = &report.rows;
    page.blank();
    page.heading(Role::Strong, "rows", &format!("{} in scope", count(rows.total)));
    write_counts(page, &rows_by_verdict(rows).map(|(name, role, number, _)| (name, role, number, String::new())));
}

/// Rows by verdict: name, colour, number, and the verdict; the last three are also, or only, counted beside the others.
pub(crate) fn rows_by_verdict(rows: &RowCounts) -> [(&'static str, Role, u64, RowVerdict); 9] {
    [
        ("intact", Role::Good, rows.intact, RowVerdict::Intact),
        ("corrupted", Role::Bad, rows.corrupted, RowVerdict::Corrupted),
        ("copies", Role::Bad, rows.copies, RowVerdict::Copies),
        ("phantom", Role::Bad, rows.phantom, RowVerdict::Phantom),
        ("unjudged", Role::Doubt, rows.unjudged, RowVerdict::Unjudged),
        ("unobservable", Role::Doubt, rows.unobservable, RowVerdict::Unobservable),
        ("of them misrouted", Role::Bad, rows.misrouted.unwrap_or(0), RowVerdict::Misrouted),
        ("of them stale", Role::Bad, rows.stale.unwrap_or(0), RowVerdict::Stale),
        ("out of scope", Role::Faint, rows.out_of_scope, RowVerdict::OutOfScope),
    ]
}

/// The partitions in which something is not intact, the worst first.
pub fn write_partitions(page: &mut Page, report: &Report) {
    if report.partitions.len() < 2 {
        return;
    }
    let wrong = |messages: &MessageCounts| {
        messages.missing
            + messages.withdrawn
            + messages.corrupted
            + messages.duplicated
            + messages.undecodable
            + messages.unobservable
            + messages.overdue
    };
    let mut partitions: Vec<_> = report.partitions.iter().filter(|partition| wrong(&partition.messages) > 0).collect();
    partitions.sort_by_key(|partition| std::cmp::Reverse(wrong(&partition.messages)));
    if partitions.is_empty() {
        return;
    }
    page.blank();
    page.heading(Role::Strong, "partitions", "");
    for partition in partitions.iter().take(PARTITIONS_MAX) {
        let counts: Vec<String> = by_verdict(&partition.messages)
            .into_iter()
            .filter(|(verdict, number)| *number > 0 && matches!(role_of(*verdict), Role::Bad | Role::Doubt))
            .map(|(verdict, number)| format!("{verdict} {}", count(number)))
            .collect();
        let name = format!("{}[{}]", escape(&partition.topic), partition.partition);
        page.pair(2, Role::Place, &name, 0, &format!("{} of {}", counts.join(", "), count(partition.consumed)));
    }
    if let Some(rest) = partitions.len().checked_sub(PARTITIONS_MAX).filter(|rest| *rest > 0) {
        let more = counted(rest as u64, "more partition", "more partitions");
        page.line(2, Some(Role::Faint), &format!("and {more}"));
    }
}

/// The tolerances and roundings that were used.
pub fn write_policy(page: &mut Page, report: &Report) {
    if report.policy.is_empty() {
        return;
    }
    page.blank();
    page.heading(Role::Strong, "matched under policy", "");
    for used in &report.policy {
        let mut counts = Vec::new();
        if used.messages > 0 {
            counts.push(counted(used.messages, "message", "messages"));
        }
        if let Some(rows) = used.rows.filter(|rows| *rows > 0) {
            counts.push(counted(rows, "row", "rows"));
        }
        let text = format!("{}: {}", escape(&used.tolerance), counts.join(", "));
        page.pair(2, Role::Place, &escape(&used.column), 0, &text);
    }
}
