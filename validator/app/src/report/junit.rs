//! JUnit XML: a suite for the pipeline, a case for each promise, so that a CI server shows which one is broken.
//!
//! Contract: there is a failure exactly where the outcome is `breached`, and an error exactly where it is `unjudged`; what
//! the budget allows is told and fails nothing. Names of cases are the same in every run.

use std::time::Duration;

use chrono::DateTime;
use quick_junit::{NonSuccessKind, Property, Report as Junit, SerializeError, TestCase, TestCaseStatus, TestSuite};
use validator_core::figures::{Outcome, Reason};
use validator_core::finding::Finding;
use validator_core::verdict::{MessageVerdict, RowVerdict, TableVerdict, Verdict};

use super::Shown;
use super::page::lowers_fidelity;
use crate::render::findings::{Group, groups};
use crate::render::report::sentence;
use crate::render::short::{name, short};
use crate::render::{Palette, count, counted, figure, finding_text};

/// Findings told of one verdict and cause.
const EACH_MAX: usize = 5;

/// Table findings that are cases of their own; the rest is counted.
const TABLE_CASES_MAX: usize = 50;

/// Most characters of one finding.
const FINDING_CHARS_MAX: usize = 4_000;

/// Columns of the text of a finding.
const WIDTH: usize = 120;

/// How a case went.
enum Went {
    Held,
    Broken(String),
    Unjudged(String),
    /// It is not held, and the run is breached already, so that nobody asks for it.
    Beside(String),
}

/// The XML.
///
/// # Errors
/// None but those of writing into memory.
pub fn junit(shown: &Shown<'_>) -> Result<String, SerializeError> {
    let report = &shown.answer.report;
    let mut suite = TestSuite::new(name(&report.pipeline));
    let started = DateTime::from_timestamp_millis(report.started_at.0).unwrap_or_default();
    suite.set_timestamp(started).set_time(Duration::from_millis(report.elapsed_ms));
    for (key, held) in properties(shown) {
        suite.add_property(Property::new(key, held));
    }
    let cases = Cases { shown, class: name(&report.pipeline) };
    suite.add_test_cases(cases.promises());
    suite.add_test_cases(cases.verdicts());
    let mut junit = Junit::new("validator");
    junit.set_timestamp(started).set_time(Duration::from_millis(report.elapsed_ms));
    junit.add_test_suite(suite);
    junit.to_string()
}

fn properties(shown: &Shown<'_>) -> Vec<(&'static str, String)> {
    let report = &shown.answer.report;
    vec![
        ("outcome", report.outcome.to_string()),
        ("complete", report.complete.to_string()),
        ("table", name(&report.table.name)),
        ("snapshot_id", report.table.snapshot_id.map_or_else(|| "none".to_owned(), |id| id.to_string())),
        ("judged_at", report.judged_at.to_string()),
        ("config_hash", report.config_hash.clone()),
        ("digest", report.digest.clone()),
        ("validator", report.validator.clone()),
        ("command", short(&shown.again.whole(report), FINDING_CHARS_MAX)),
    ]
}

struct Cases<'a> {
    shown: &'a Shown<'a>,
    class: String,
}

impl Cases<'_> {
    /// What the outcome is decided by.
    fn promises(&self) -> Vec<TestCase> {
        let (asked, report) = (&self.shown.answer.asked, &self.shown.answer.report);
        let value = |value: Option<f64>| value.map_or_else(|| "nothing to measure".to_owned(), figure);
        let is = |pick: fn(&Reason) -> bool| self.reason(pick);
        let fidelity = format!("fidelity {}, target {}", value(report.fidelity.value), asked.target);
        let coverage = format!("coverage {}, target {}", value(report.fidelity.coverage), asked.coverage_target);
        let strict = match asked.strict_fields {
            true => {
                let has = match asked.unknown_field_messages {
                    0 => "no message has".to_owned(),
                    number => counted(number, "message has", "messages have"),
                };
                format!("{has} a field that is neither used nor dropped")
            }
            false => "strict_fields = false: fields that are neither used nor dropped are a warning".to_owned(),
        };
        let diverted =
            format!("{} diverted, at most a share of {}", count(report.messages.diverted), asked.diverted_max);
        let read = if report.complete { "all that was asked for could be looked at" } else { "not complete" };
        vec![
            self.case("fidelity", is(|reason| matches!(reason, Reason::Fidelity { .. })), fidelity),
            self.case("coverage", self.coverage(), coverage),
            self.case("strict_fields", is(|reason| matches!(reason, Reason::UnknownFields { .. })), strict),
            self.case("diverted_max", is(|reason| matches!(reason, Reason::Diverted { .. })), diverted),
            self.case("readable", is(|reason| matches!(reason, Reason::FailedToLook)), read.to_owned()),
            self.case(
                "something_to_judge",
                match is(|reason| matches!(reason, Reason::NothingJudged)) {
                    Went::Held if report.messages.consumed == 0 => Went::Beside(
                        "there was nothing to judge: a silent time, or another range or topic than was meant"
                            .to_owned(),
                    ),
                    went => went,
                },
                counted(report.messages.consumed, "message was read", "messages were read"),
            ),
        ]
    }

    /// Coverage decides only where nothing is breached.
    fn coverage(&self) -> Went {
        let (asked, decision) = (&self.shown.answer.asked, &self.shown.answer.decision);
        let is_missed = self.shown.answer.report.fidelity.coverage.is_some_and(|value| value < asked.coverage_target);
        match decision.outcome {
            Outcome::Breached if is_missed => {
                Went::Beside("below its target, and the run is breached already".to_owned())
            }
            _ => self.reason(|reason| matches!(reason, Reason::Coverage { .. })),
        }
    }

    /// How a promise went, by the reasons of the outcome.
    fn reason(&self, pick: fn(&Reason) -> bool) -> Went {
        let decision = &self.shown.answer.decision;
        let Some(reason) = decision.reasons.iter().find(|reason| pick(reason)) else { return Went::Held };
        match decision.outcome {
            Outcome::Breached => Went::Broken(sentence(reason)),
            Outcome::Unjudged | Outcome::Holds => Went::Unjudged(sentence(reason)),
        }
    }

    /// A case for each kind of verdict that makes findings, and for each finding about the table.
    fn verdicts(&self) -> Vec<TestCase> {
        let report = &self.shown.answer.report;
        let findings: Vec<&Finding> = self.shown.answer.findings.shown().collect();
        let groups = groups(report, &findings, TABLE_CASES_MAX);
        let messages = [
            MessageVerdict::Missing,
            MessageVerdict::Withdrawn,
            MessageVerdict::Corrupted,
            MessageVerdict::Duplicated,
            MessageVerdict::Undecodable,
            MessageVerdict::Unobservable,
            MessageVerdict::Overdue,
            MessageVerdict::Diverted,
        ];
        let rows = [RowVerdict::Phantom, RowVerdict::Misrouted];
        let table = [TableVerdict::StorageCorrupt, TableVerdict::MetadataInconsistent];
        let kinds = messages.map(Verdict::Message).into_iter().chain(rows.map(Verdict::Row));
        let kinds = kinds.chain(table.map(Verdict::Table));
        let mut cases: Vec<TestCase> = kinds.map(|verdict| self.verdict(verdict, &groups)).collect();
        for group in groups.iter().filter(|group| matches!(group.verdict, Verdict::Table(_))) {
            let each = group.findings.iter().map(|finding| {
                let place = short(&crate::render::finding::head(finding).0, 400);
                let title = format!("{} {place}", group.name());
                self.case(&title, Went::Broken(short(&finding.detail, 600)), text(finding))
            });
            cases.extend(each);
        }
        cases
    }

    /// The case of a verdict, with the first findings of each of its causes.
    fn verdict(&self, verdict: Verdict, groups: &[Group<'_>]) -> TestCase {
        let decision = &self.shown.answer.decision;
        let of_it: Vec<&Group<'_>> = groups.iter().filter(|group| group.verdict == verdict).collect();
        let number: u64 = of_it.iter().map(|group| group.number).sum();
        let has = |pick: fn(&Reason) -> bool| decision.reasons.iter().any(pick);
        let message = || {
            if number == 0 {
                return "no finding".to_owned();
            }
            let causes: Vec<String> =
                of_it.iter().map(|group| format!("{} {}", group.name(), count(group.number))).collect();
            format!("{}: {}", counted(number, "finding", "findings"), causes.join(", "))
        };
        let lowers = lowers_fidelity(verdict) && has(|reason| matches!(reason, Reason::Fidelity { .. }));
        let counts_as_doubt = [MessageVerdict::Overdue, MessageVerdict::Undecodable, MessageVerdict::Unobservable];
        let doubts = counts_as_doubt.iter().any(|one| verdict == Verdict::Message(*one))
            && has(|reason| matches!(reason, Reason::Coverage { .. } | Reason::NothingJudged));
        let diverted = verdict == Verdict::Message(MessageVerdict::Diverted)
            && has(|reason| matches!(reason, Reason::Diverted { .. }));
        let went = match number {
            0 => Went::Held,
            _ if lowers || diverted || verdict.breaches() => Went::Broken(message()),
            _ if doubts => Went::Unjudged(message()),
            _ => Went::Held,
        };
        let mut told = message();
        for group in of_it {
            for finding in group.findings.iter().take(EACH_MAX) {
                told += &format!("\n\n{}", text(finding));
            }
            let rest = group.number - group.findings.len().min(EACH_MAX) as u64;
            if rest > 0 {
                told += &format!("\n\nand {} more of {}", count(rest), group.name());
            }
        }
        self.case(verdict.as_str(), went, told)
    }

    fn case(&self, title: &str, went: Went, told: String) -> TestCase {
        let status = |kind, message: String, kind_of: &str| {
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(message).set_type(kind_of).set_description(told.as_str());
            status
        };
        let mut is_held = false;
        let status = match went {
            Went::Held => {
                is_held = true;
                TestCaseStatus::success()
            }
            Went::Broken(message) => status(NonSuccessKind::Failure, message, "breached"),
            Went::Unjudged(message) => status(NonSuccessKind::Error, message, "unjudged"),
            Went::Beside(message) => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(message).set_description(told.as_str());
                status
            }
        };
        let mut case = TestCase::new(title, status);
        case.set_classname(self.class.as_str());
        if is_held {
            case.set_system_out(told);
        }
        case
    }
}

/// A finding as the text report has it.
fn text(finding: &Finding) -> String {
    let text = finding_text(finding, Palette::PLAIN, WIDTH);
    match text.char_indices().nth(FINDING_CHARS_MAX) {
        None => text.trim_end().to_owned(),
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], count(text.chars().count() as u64)),
    }
}
