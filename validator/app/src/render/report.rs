//! The text report: what a person reads at three in the morning, the answer first.
//!
//! Contract: every number is the report's; what is not shown is counted, exactly; nothing that came from outside
//! reaches the terminal unescaped.

use validator_core::figures::{Outcome, Reason};
use validator_core::finding::Finding;
use validator_core::report::Report;

use crate::answer::Answer;

use super::counts::{write_messages, write_partitions, write_policy, write_rows};
use super::escape::escape;
use super::findings::write_findings;
use super::holes::write_holes;
use super::number::{count, counted, elapsed, figure};
use super::page::Page;
use super::paint::{Palette, Role};

/// What the text report is made of.
#[derive(Debug, Clone, Copy)]
pub struct TextReport<'a> {
    /// The report.
    pub report: &'a Report,
    /// Why the outcome is what it is.
    pub reasons: &'a [Reason],
    /// Findings, sorted; they may be fewer than there are: `report.findings` has the counts.
    pub findings: &'a [&'a Finding],
    /// Where all findings were written.
    pub findings_file: Option<&'a str>,
    /// The command that made the report, to build the next one from: `validator reconcile rules/suites/trades.toml`.
    pub command: &'a str,
}

/// The text report of an answer, for a terminal of that many columns.
pub fn text_report(answer: &Answer, palette: Palette, width: usize) -> String {
    let command = format!("validator reconcile {}", answer.report.pipeline);
    let (report, reasons) = (&answer.report, &answer.decision.reasons);
    let findings: &[&Finding] = &answer.findings.shown().collect::<Vec<_>>();
    TextReport { report, reasons, findings, findings_file: None, command: &command }.render(palette, width)
}

impl TextReport<'_> {
    /// The text, for a terminal of that many columns.
    pub fn render(&self, palette: Palette, width: usize) -> String {
        let report = self.report;
        let mut page = Page::new(palette, width);
        self.write_outcome(&mut page);
        self.write_context(&mut page);
        self.write_figures(&mut page);
        write_messages(&mut page, report);
        write_rows(&mut page, report);
        write_partitions(&mut page, report);
        write_findings(&mut page, report, self.findings, self.findings_file);
        write_holes(&mut page, report);
        write_policy(&mut page, report);
        for warning in &report.warnings {
            page.blank();
            page.heading(Role::Doubt, "warning", &escape(warning));
        }
        self.write_next(&mut page);
        page.finish()
    }

    fn write_outcome(&self, page: &mut Page) {
        let (role, word) = match self.report.outcome {
            Outcome::Holds => (Role::Good, "HOLDS"),
            Outcome::Breached => (Role::Bad, "BREACHED"),
            Outcome::Unjudged => (Role::Doubt, "UNJUDGED"),
        };
        page.heading(role, word, &escape(&self.report.pipeline));
        for reason in self.reasons {
            page.line(2, Some(role), &sentence(reason));
        }
        if !self.report.complete {
            page.line(2, Some(Role::Doubt), "not complete: a part of what was asked for could not be looked at");
        }
        page.blank();
    }

    fn write_context(&self, page: &mut Page) {
        let report = self.report;
        let mut topics: Vec<&str> = report.partitions.iter().map(|partition| partition.topic.as_str()).collect();
        topics.dedup();
        let partitions = counted(report.partitions.len() as u64, "partition", "partitions");
        let topics = match topics.as_slice() {
            [] => "no partition".to_owned(),
            [only] => format!("{}, {partitions}", escape(only)),
            [first, rest @ ..] => format!("{} and {} more, {partitions}", escape(first), rest.len()),
        };
        page.pair(2, Role::Faint, "topic", 6, &topics);
        let snapshot = report.table.snapshot_id.map_or("no snapshot".to_owned(), |id| format!("snapshot {id}"));
        let files = counted(report.table.files, "file", "files");
        page.pair(2, Role::Faint, "table", 6, &format!("{}, {snapshot}, {files}", escape(&report.table.name)));
        let took = format!("{}, took {}", report.judged_at, elapsed(report.elapsed_ms));
        page.pair(2, Role::Faint, "judged", 6, &took);
        let segments = &report.segments;
        let proof = format!(
            "{}, {} balanced, {} disputed, {} of these judged",
            counted(segments.total, "segment", "segments"),
            count(segments.balanced),
            count(segments.disputed),
            count(segments.judged),
        );
        page.pair(2, Role::Faint, "proof", 6, &proof);
        page.blank();
    }

    fn write_figures(&self, page: &mut Page) {
        let fidelity = &self.report.fidelity;
        let figures = [
            ("fidelity", fidelity.value, Some(fidelity.target)),
            ("completeness", fidelity.completeness, None),
            ("precision", fidelity.precision, None),
            ("coverage", fidelity.coverage, self.coverage_target()),
        ];
        for (name, value, target) in figures {
            let shown = value.map_or_else(|| "nothing to measure".to_owned(), figure);
            let role = match (value, target) {
                (Some(value), Some(target)) if value < target && name == "coverage" => Role::Doubt,
                (Some(value), Some(target)) if value < target => Role::Bad,
                _ => Role::Strong,
            };
            let target = target.map_or_else(String::new, |target| format!("  (target {target})"));
            page.pair(0, role, name, 12, &format!("{shown}{target}"));
        }
    }

    /// The target of coverage where it is missed; the report itself has none.
    fn coverage_target(&self) -> Option<f64> {
        self.reasons.iter().find_map(|reason| match reason {
            Reason::Coverage { target, .. } => Some(*target),
            _ => None,
        })
    }

    fn write_next(&self, page: &mut Page) {
        let report = self.report;
        let mut next = Vec::new();
        let total = report.findings.total();
        match self.findings_file {
            Some(file) if total > 0 => next.push(format!("all {} are in {}", findings(total), escape(file))),
            None if total > 0 => {
                next.push(format!("{} --findings findings.jsonl", escape(self.command)));
            }
            _ => {}
        }
        if report.messages.overdue + report.messages.pending > 0 {
            next.push(format!(
                "{}  (again, after the table's next commit: what is on its way is not lost)",
                escape(self.command)
            ));
        }
        if next.is_empty() {
            return;
        }
        page.blank();
        page.heading(Role::Strong, "next", "");
        for step in next {
            page.line(2, None, &step);
        }
    }
}

fn findings(total: u64) -> String {
    counted(total, "finding", "findings")
}

/// A reason with its figures cut for a person.
pub(crate) fn sentence(reason: &Reason) -> String {
    match reason {
        Reason::Fidelity { value, target } => format!("fidelity {} is below its target {target}", figure(*value)),
        Reason::UnknownFields { messages } => format!(
            "{} with a field that is neither used nor in [compare] drop",
            counted(*messages, "message", "messages")
        ),
        Reason::Diverted { share, maximum } => {
            format!("a share of {} was diverted, at most {maximum} may be", figure(*share))
        }
        Reason::Finding { verdict, count } => format!("{} of {verdict}", findings(*count)),
        Reason::FailedToLook => "a part of the topic or the table could not be read".to_owned(),
        Reason::Coverage { value, target } => {
            format!(
                "coverage {} is below its target {target}: too much could not be judged, or not yet",
                figure(*value)
            )
        }
        Reason::NothingJudged => "messages were consumed, but none could be judged yet".to_owned(),
    }
}
