//! A plan for a person: what is to be read again, what is to go, what is left alone. Long lists are cut and counted.

use super::plan::{Plan, TopicRange, Undecided};
use super::rows::Rows;
use crate::render::short::name;
use crate::render::{Page, Palette, Role, counted, escape};

/// Lines of a list; JSON has them all.
const LINES_MAX: usize = 20;

/// The plan.
pub fn text(plan: &Plan, palette: Palette, width: usize) -> String {
    let mut page = Page::new(palette, width);
    page.heading(Role::Strong, "replay plan", &format!("of {}, {}", name(&plan.pipeline), origin(plan)));
    page.blank();
    page.line(0, Some(Role::Strong), &format!("read again: {}", wanted(plan)));
    listed(&mut page, &plan.ranges, range);
    for (title, rows) in [
        ("before that, delete rows that are replaced", &plan.replaced),
        ("delete surplus copies, one copy stays", &plan.surplus),
        ("left alone: rows that no message explains", &plan.phantoms),
    ] {
        let count: u64 = rows.iter().map(|rows| rows.positions.len() as u64).sum();
        if count > 0 {
            page.blank();
            page.line(0, Some(Role::Strong), &format!("{title}: {}", counted(count, "row", "rows")));
            listed(&mut page, rows, file);
        }
    }
    if !plan.undecided.is_empty() {
        page.blank();
        page.line(0, Some(Role::Strong), "undecided, and in none of the lists");
        listed(&mut page, &plan.undecided, undecided);
    }
    if plan.ignored > 0 {
        page.blank();
        page.line(0, None, &format!("{} ignored", counted(plan.ignored, "finding is", "findings are")));
    }
    page.finish()
}

fn origin(plan: &Plan) -> String {
    let Some(checkpoint) = plan.origin.checkpoint else {
        return if plan.origin.source == "ledger" { "from a ledger without checkpoint" } else { "from a file" }.into();
    };
    let snapshot = plan.origin.snapshot_id.map(|id| format!(", snapshot {id}")).unwrap_or_default();
    let judged = plan.origin.judged_at.map(|at| format!(" as of {at}")).unwrap_or_default();
    format!("from checkpoint {checkpoint} of the ledger{judged}{snapshot}")
}

/// `3 messages (1 missing, 2 corrupted)`
pub fn wanted(plan: &Plan) -> String {
    let of = &plan.messages;
    let parts = [
        (of.missing, "missing"),
        (of.corrupted, "corrupted"),
        (of.withdrawn, "withdrawn"),
        (of.duplicated, "duplicated with differing rows"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(many, _)| *many > 0).map(|(many, what)| format!("{many} {what}")).collect();
    let all = counted(of.total, "message", "messages");
    if parts.is_empty() { all } else { format!("{all} ({})", parts.join(", ")) }
}

fn listed<T>(page: &mut Page, all: &[T], shown: impl Fn(&T) -> String) {
    all.iter().take(LINES_MAX).for_each(|one| page.line(2, None, &shown(one)));
    if all.len() > LINES_MAX {
        let rest = (all.len() - LINES_MAX) as u64;
        page.line(2, Some(Role::Faint), &format!("and {} more: --format json", counted(rest, "line", "lines")));
    }
}

fn range(one: &TopicRange) -> String {
    let messages = counted(one.range.messages, "message", "messages");
    format!("{}[{}] {}..{}  {messages}", name(&one.topic), one.partition, one.range.from, one.range.to)
}

fn file(rows: &Rows) -> String {
    let shown: Vec<String> = rows.positions.iter().take(LINES_MAX).map(ToString::to_string).collect();
    let more = if rows.positions.len() > LINES_MAX { ", …" } else { "" };
    let what = if rows.positions.len() == 1 { "row" } else { "rows" };
    format!("{} {what} {}{more}", escape(&rows.file), shown.join(", "))
}

fn undecided(one: &Undecided) -> String {
    let place = match (one.from, one.to) {
        (Some(from), Some(to)) if to == from + 1 => format!("@{from}"),
        (Some(from), Some(to)) => format!(" {from}..{to}"),
        _ => String::new(),
    };
    format!("{}[{}]{place} {}: {}", name(&one.topic), one.partition, one.verdict, escape(&one.why))
}
