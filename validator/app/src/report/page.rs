//! What one page of a report shows, in the order in which it is read.
//!
//! Contract: every text is harmless to a terminal and not yet escaped for HTML; what is bounded is counted.

use validator_core::figures::{Figures, Outcome};
use validator_core::hole::HoleReason;
use validator_core::report::{PartitionReport, Report};
use validator_core::verdict::{MessageVerdict, Verdict};

use super::Shown;
use super::budget::{BudgetView, FigureView, budget, figures};
use super::chart::{TimelineView, timeline};
use super::counts::{self, CountView, class};
use super::heat::{HeatView, heat};
use crate::render::findings::{Group, groups};
use crate::render::report::sentence;
use crate::render::short::{name, text};
use crate::render::{count, counted, elapsed, figure, words};

/// Findings shown of one cause.
const EACH_MAX: usize = 10;

/// Partitions in the list of those with holes, and runs of holes of one partition; tolerances; warnings.
const PARTITIONS_MAX: usize = 50;
const POLICY_MAX: usize = 100;
const WARNINGS_MAX: usize = 50;

/// See the module.
pub struct PageView<'a> {
    /// The pipeline.
    pub pipeline: String,
    /// `holds`, `breached`, `unjudged`.
    pub outcome: &'static str,
    /// The outcome in a sentence.
    pub headline: String,
    /// What was set against what.
    pub sides: Vec<(&'static str, String)>,
    /// Why the outcome is what it is, and what could not be looked at.
    pub reasons: Vec<String>,
    /// Figures.
    pub figures: Vec<FigureView>,
    /// The error budget.
    pub budget: BudgetView,
    /// Messages by verdict.
    pub messages: Vec<CountView>,
    /// Consumed.
    pub consumed: String,
    /// Rows by verdict.
    pub rows: Vec<CountView>,
    /// Rows in scope.
    pub rows_total: String,
    /// Over time.
    pub timeline: TimelineView,
    /// Partitions × slices.
    pub heat: HeatView,
    /// Findings by cause.
    pub causes: Vec<CauseView>,
    /// The findings of each cause, to be written; in the order of `causes`.
    pub groups: Vec<Group<'a>>,
    /// All findings.
    pub findings_total: String,
    /// Where all of them are.
    pub findings_file: Option<String>,
    /// Partitions with holes.
    pub holes: Vec<HolesView>,
    /// More of them than shown.
    pub holes_more: Option<String>,
    /// Tolerances and roundings that were used.
    pub policy: Vec<(String, String, String, String)>,
    /// More of them than shown.
    pub policy_more: Option<String>,
    /// Warnings.
    pub warnings: Vec<String>,
    /// More of them than shown.
    pub warnings_more: Option<String>,
    /// How it was judged.
    pub judged: Vec<(&'static str, String)>,
    /// Makes it again.
    pub command: String,
}

/// One cause with its number.
pub struct CauseView {
    /// For links.
    pub anchor: String,
    /// `missing lost`
    pub name: String,
    /// How many.
    pub number: String,
    /// The class of its colour.
    pub class: &'static str,
    /// What it means.
    pub meaning: String,
}

/// Holes of one partition and reason.
pub struct HolesView {
    /// `trades[0]`
    pub partition: String,
    /// The reason's word, and what it means.
    pub reason: &'static str,
    /// In words.
    pub meaning: &'static str,
    /// Offsets that are not there.
    pub offsets: String,
    /// `3..5, 9..10`
    pub runs: String,
}

impl<'a> PageView<'a> {
    /// Of an answer.
    pub fn of(shown: &Shown<'a>) -> Self {
        let (answer, report) = (shown.answer, &shown.answer.report);
        let findings: Vec<_> = answer.findings.shown().collect();
        let groups = groups(report, &findings, EACH_MAX);
        let (holes, holes_more) = holes(report);
        let policy = report.policy.iter().take(POLICY_MAX);
        Self {
            pipeline: name(&report.pipeline),
            outcome: report.outcome.as_str(),
            headline: headline(shown),
            sides: sides(report),
            reasons: reasons(shown),
            figures: figures(answer),
            budget: budget(answer),
            messages: counts::messages(report),
            consumed: count(report.messages.consumed),
            rows: counts::rows(report),
            rows_total: count(report.rows.total),
            timeline: timeline(&answer.times, &answer.findings.spread.times),
            heat: heat(&report.partitions, &answer.slices, report.findings.total()),
            causes: groups.iter().map(cause).collect(),
            groups,
            findings_total: count(report.findings.total()),
            findings_file: shown.findings_file.map(text),
            holes,
            holes_more,
            policy: policy
                .map(|used| {
                    (
                        name(&used.column),
                        name(&used.tolerance),
                        count(used.messages),
                        used.rows.map_or_else(String::new, count),
                    )
                })
                .collect(),
            policy_more: more(report.policy.len(), POLICY_MAX, "entry", "entries"),
            warnings: report.warnings.iter().take(WARNINGS_MAX).map(|warning| text(warning)).collect(),
            warnings_more: more(report.warnings.len(), WARNINGS_MAX, "warning", "warnings"),
            judged: judged(report),
            command: text(&shown.again.whole(report)),
        }
    }
}

fn more(all: usize, max: usize, one: &str, many: &str) -> Option<String> {
    let rest = all.checked_sub(max).filter(|rest| *rest > 0)?;
    Some(format!("and {}", super::finding::more_of(rest as u64, one, many)))
}

/// The outcome in a sentence that needs no other: with all numbers that fidelity is made of.
pub fn headline(shown: &Shown<'_>) -> String {
    let (asked, report) = (&shown.answer.asked, &shown.answer.report);
    let figure = report.fidelity.value.map(figure);
    match (report.outcome, figure) {
        (_, None) if report.messages.consumed == 0 => "No message was read: there is nothing to measure.".to_owned(),
        (_, None) => {
            let read = counted(report.messages.consumed, "message was read", "messages were read");
            format!("{read}, and nothing could be judged: there is no fidelity to measure.")
        }
        (outcome, Some(figure)) => {
            let end = match outcome {
                Outcome::Holds => "what was promised holds",
                Outcome::Breached => "what was promised is broken",
                Outcome::Unjudged => "too little could be looked at to say whether what was promised holds",
            };
            format!("{}: fidelity {figure}; {end}.", landed(&asked.figures, report.messages.intact))
        }
    }
}

/// How many messages are in the table as they should be, and what is there beside them.
fn landed(figures: &Figures, intact: u64) -> String {
    let of = format!("{} of {}", count(figures.faithful), counted(figures.due, "due message", "due messages"));
    let is_are = if figures.due == 1 { "is" } else { "are" };
    let beside =
        [(figures.surplus, "surplus copy", "surplus copies"), (figures.phantom, "phantom row", "phantom rows")];
    let beside: Vec<String> = beside
        .into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, one, many)| counted(number, one, many))
        .collect();
    let beside = if beside.is_empty() { String::new() } else { format!(", beside {}", beside.join(" and ")) };
    match figures.faithful - intact {
        0 => format!("{of} {is_are} in the table, exactly once and unaltered{beside}"),
        more => format!("{of} {is_are} in the table unaltered, {} of them more than once{beside}", count(more)),
    }
}

fn reasons(shown: &Shown<'_>) -> Vec<String> {
    let mut reasons: Vec<String> = shown.answer.decision.reasons.iter().map(sentence).collect();
    if !shown.answer.report.complete {
        reasons.push("not complete: a part of what was asked for could not be looked at".to_owned());
    }
    reasons
}

/// The topics of a report: one, or the first and how many more.
pub fn topics(report: &Report) -> String {
    let mut topics: Vec<&str> = report.partitions.iter().map(|partition| partition.topic.as_str()).collect();
    topics.dedup();
    let partitions = counted(report.partitions.len() as u64, "partition", "partitions");
    match topics.as_slice() {
        [] => "no partition".to_owned(),
        [only] => format!("{}, {partitions}", name(only)),
        [first, rest @ ..] => format!("{} and {} more, {partitions}", name(first), rest.len()),
    }
}

fn sides(report: &Report) -> Vec<(&'static str, String)> {
    let snapshot = report.table.snapshot_id.map_or("no snapshot".to_owned(), |id| format!("snapshot {id}"));
    vec![
        ("Kafka topic", topics(report)),
        ("Iceberg table", format!("{}, {snapshot}", name(&report.table.name))),
        ("Judged at", report.judged_at.to_string()),
    ]
}

fn cause(group: &Group<'_>) -> CauseView {
    let name = group.name();
    CauseView {
        anchor: format!("c-{}", name.replace(' ', "-")),
        number: count(group.number),
        class: class(words::role(group.verdict)),
        meaning: words::cause(group.verdict, group.cause).unwrap_or_default(),
        name,
    }
}

fn holes(report: &Report) -> (Vec<HolesView>, Option<String>) {
    let of = |partition: &PartitionReport, reason: HoleReason| {
        let runs: Vec<_> = partition.holes.runs().iter().filter(|run| run.reason == reason).collect();
        let first: Vec<String> = runs.iter().take(3).map(|run| format!("{}..{}", run.from, run.to)).collect();
        let rest = runs.len().saturating_sub(3);
        let rest = if rest > 0 { format!(" and {} more", count(rest as u64)) } else { String::new() };
        (!runs.is_empty()).then(|| HolesView {
            partition: format!("{}[{}]", name(&partition.topic), partition.partition),
            reason: reason.as_str(),
            meaning: words::hole(reason),
            offsets: count(runs.iter().map(|run| run.to.abs_diff(run.from)).sum()),
            runs: format!("{}{rest}", first.join(", ")),
        })
    };
    let all =
        report.partitions.iter().flat_map(|one| HoleReason::ALL.iter().filter_map(move |reason| of(one, *reason)));
    let mut views: Vec<HolesView> = all.collect();
    let rest = more(views.len(), PARTITIONS_MAX, "line", "lines");
    views.truncate(PARTITIONS_MAX);
    (views, rest)
}

fn judged(report: &Report) -> Vec<(&'static str, String)> {
    let table = &report.table;
    let segments = &report.segments;
    let mut lines = vec![
        ("Table", format!("{}, {}", name(&table.name), counted(table.files, "live data file", "live data files"))),
        ("Table UUID", table.uuid.as_deref().map_or_else(|| "not known".to_owned(), name)),
        ("Snapshot", table.snapshot_id.map_or_else(|| "none".to_owned(), |id| id.to_string())),
        ("Metadata", text(&table.metadata_location)),
        ("Topic", topics(report)),
        ("Offsets", ranges(report)),
        (
            "Proof",
            format!(
                "{}, {} balanced, {} disputed, {} of these judged message by message",
                counted(segments.total, "segment", "segments"),
                count(segments.balanced),
                count(segments.disputed),
                count(segments.judged)
            ),
        ),
        ("Judged at", report.judged_at.to_string()),
        ("Run", format!("{} to {}, {}", report.started_at, report.finished_at, elapsed(report.elapsed_ms))),
        ("Validator", report.validator.clone()),
        ("Config hash", report.config_hash.clone()),
        ("Digest", report.digest.clone()),
        ("Report schema", report.schema.to_owned()),
    ];
    let corrupt = table.findings.iter().filter_map(|(verdict, number)| Some((verdict, (*number)?)));
    let looked: Vec<String> = corrupt.map(|(verdict, number)| format!("{verdict} {}", count(number))).collect();
    if !looked.is_empty() {
        lines.push(("Table itself", looked.join(", ")));
    }
    lines
}

/// The ranges of offsets, the first few by name.
fn ranges(report: &Report) -> String {
    const NAMED: usize = 8;
    let named = report.partitions.iter().take(NAMED);
    let named: Vec<String> =
        named.map(|one| format!("{}[{}] {}..{}", name(&one.topic), one.partition, one.from, one.to)).collect();
    match (named.is_empty(), more(report.partitions.len(), NAMED, "partition", "partitions")) {
        (true, _) => "none".to_owned(),
        (_, None) => named.join(", "),
        (_, Some(rest)) => format!("{} {rest}", named.join(", ")),
    }
}

/// Whether a verdict lowers fidelity.
pub fn lowers_fidelity(verdict: Verdict) -> bool {
    let messages =
        [MessageVerdict::Missing, MessageVerdict::Withdrawn, MessageVerdict::Corrupted, MessageVerdict::Duplicated];
    let row = validator_core::verdict::RowVerdict::Phantom;
    verdict == Verdict::Row(row) || messages.iter().any(|one| verdict == Verdict::Message(*one))
}
