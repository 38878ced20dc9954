//! The figures of a run and its outcome.
//!
//! Contract: computed from integers, once, by the formulas of interface.md §5; a figure whose denominator is 0 does
//! not exist (`None`, null in the report), it is neither 0 nor 1.

use std::collections::BTreeMap;
use std::fmt;

use crate::judge::{MessageTally, RowTally};
use crate::verdict::{Verdict, words};

/// What the counts say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// intact + corrupted + duplicated + missing + withdrawn, messages.
    pub due: u64,
    /// intact + duplicated messages with at least one equal row.
    pub faithful: u64,
    /// Copies beyond the first of each duplicated message, rows.
    pub surplus: u64,
    /// Rows that no message explains.
    pub phantom: u64,
    /// fidelity = faithful / (due + phantom + surplus).
    pub fidelity: Option<f64>,
    /// (intact + corrupted + duplicated) / due.
    pub completeness: Option<f64>,
    /// faithful / (rows.total − unjudged − unobservable).
    pub precision: Option<f64>,
    /// due / (due + overdue + undecodable + unobservable).
    pub coverage: Option<f64>,
}

impl Figures {
    /// The figures of these counts. `rows.copies` holds all n ≥ 2 rows of each duplicated message.
    pub fn of(messages: &MessageTally, rows: &RowTally) -> Self {
        let landed = messages.intact + messages.corrupted + messages.duplicated;
        let due = landed + messages.missing + messages.withdrawn;
        let faithful = messages.intact + messages.duplicated_faithful;
        assert!(rows.copies >= messages.duplicated, "I1: a duplicated message has more than one row");
        let surplus = rows.copies - messages.duplicated;
        let phantom = rows.phantom;
        Self {
            due,
            faithful,
            surplus,
            phantom,
            fidelity: ratio(faithful, due + phantom + surplus),
            completeness: ratio(landed, due),
            precision: ratio(faithful, rows.total() - rows.unjudged - rows.unobservable),
            coverage: ratio(due, due + messages.overdue + messages.undecodable + messages.unobservable),
        }
    }

    /// Whether there was nothing that fidelity could be measured on.
    pub fn is_nothing_judged(&self) -> bool {
        self.due + self.phantom + self.surplus == 0
    }
}

/// The correctly rounded quotient (counts stay below 2^53), so that 9,999 / 10,000 is the very number that `0.9999` parses to.
/// How many unfaithful messages and surplus rows the target of fidelity allows in a range, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// What fidelity is measured over: due messages, phantom rows and surplus copies.
    pub whole: u64,
    /// The most of them that may be unfaithful at that target.
    pub allowed: u64,
    /// Those that are.
    pub used: u64,
}

impl Figures {
    /// The budget at this target; `used` is above `allowed` exactly where fidelity is below the target.
    pub fn budget(&self, target: f64) -> Budget {
        let whole = self.due + self.phantom + self.surplus;
        let keeps = |unfaithful: u64| ratio(whole - unfaithful, whole).is_none_or(|value| value >= target);
        // Fidelity falls with each unfaithful one: the largest number that keeps the target, by halving.
        let (mut allowed, mut too_many) = (0, whole + 1);
        while too_many - allowed > 1 {
            let middle = allowed + (too_many - allowed) / 2;
            if keeps(middle) { allowed = middle } else { too_many = middle }
        }
        Budget { whole, allowed, used: whole - self.faithful }
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

words! {
    /// The outcome of a run; its exit code is 0, 1 or 3.
    Outcome {
        /// The table holds what the topic carried.
        Holds = "holds",
        /// It does not.
        Breached = "breached",
        /// It could not be told.
        Unjudged = "unjudged",
    }
}

impl Outcome {
    /// The process's exit code (interface.md §1).
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::Breached => 1,
            Self::Unjudged => 3,
        }
    }
}

/// What the outcome depends on beside the figures.
#[derive(Debug, Clone, PartialEq)]
pub struct OutcomeInput {
    /// The counts of all partitions.
    pub messages: MessageTally,
    /// Their figures.
    pub figures: Figures,
    /// Least fidelity.
    pub target: f64,
    /// Least coverage.
    pub coverage_target: f64,
    /// Greatest share of consumed messages that may be diverted.
    pub diverted_max: f64,
    /// Whether unknown fields breach.
    pub strict_fields: bool,
    /// Messages with a non-null field that is neither used nor in `drop`.
    pub unknown_field_messages: u64,
    /// Open findings by verdict; those that do not breach by themselves are ignored.
    pub findings: BTreeMap<Verdict, u64>,
    /// Whether a file could not be read for its codec, its format or a failing store, or a broker failed in mid-range.
    pub failed_to_look: bool,
}

/// Why an outcome is not `holds`.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// Fidelity is below its target.
    Fidelity {
        /// The figure.
        value: f64,
        /// Its target.
        target: f64,
    },
    /// Message fields that nobody declared.
    UnknownFields {
        /// Messages that have one.
        messages: u64,
    },
    /// Too many messages were diverted.
    Diverted {
        /// Share of consumed messages.
        share: f64,
        /// Its maximum.
        maximum: f64,
    },
    /// A finding that breaches by itself.
    Finding {
        /// Its verdict.
        verdict: Verdict,
        /// How many are open.
        count: u64,
    },
    /// Something could not be looked at.
    FailedToLook,
    /// Coverage is below its target.
    Coverage {
        /// The figure.
        value: f64,
        /// Its target.
        target: f64,
    },
    /// Messages were consumed and not excluded, but nothing could be judged.
    NothingJudged,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fidelity { value, target } => write!(f, "fidelity {value} is below its target {target}"),
            Self::UnknownFields { messages } => {
                write!(f, "{messages} messages have a field that is neither used nor declared as dropped")
            }
            Self::Diverted { share, maximum } => {
                write!(f, "{share} of the messages were diverted, at most {maximum} may be")
            }
            Self::Finding { verdict, count } => write!(f, "{count} open findings of {verdict}"),
            Self::FailedToLook => f.write_str("a part of the topic or the table could not be read"),
            Self::Coverage { value, target } => write!(f, "coverage {value} is below its target {target}"),
            Self::NothingJudged => f.write_str("messages were consumed, but none could be judged yet"),
        }
    }
}

/// The outcome and all reasons for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The outcome.
    pub outcome: Outcome,
    /// All reasons of that outcome, in the order of interface.md §5; none for `holds`.
    pub reasons: Vec<Reason>,
    /// The outcome is `holds` because there was nothing to judge: the report warns.
    pub is_vacuous: bool,
}

/// The outcome by the rules of interface.md §5: breached before unjudged before holds.
pub fn decide(input: &OutcomeInput) -> Decision {
    let breaches = breaches(input);
    if !breaches.is_empty() {
        return Decision { outcome: Outcome::Breached, reasons: breaches, is_vacuous: false };
    }
    let doubts = doubts(input);
    if !doubts.is_empty() {
        return Decision { outcome: Outcome::Unjudged, reasons: doubts, is_vacuous: false };
    }
    Decision { outcome: Outcome::Holds, reasons: Vec::new(), is_vacuous: input.figures.is_nothing_judged() }
}

fn breaches(input: &OutcomeInput) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if let Some(value) = input.figures.fidelity.filter(|value| *value < input.target) {
        reasons.push(Reason::Fidelity { value, target: input.target });
    }
    if input.strict_fields && input.unknown_field_messages > 0 {
        reasons.push(Reason::UnknownFields { messages: input.unknown_field_messages });
    }
    let diverted = ratio(input.messages.diverted, input.messages.total());
    if let Some(share) = diverted.filter(|share| *share > input.diverted_max) {
        reasons.push(Reason::Diverted { share, maximum: input.diverted_max });
    }
    let open = input.findings.iter().filter(|(verdict, count)| verdict.breaches() && **count > 0);
    reasons.extend(open.map(|(verdict, count)| Reason::Finding { verdict: *verdict, count: *count }));
    reasons
}

fn doubts(input: &OutcomeInput) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if input.failed_to_look {
        reasons.push(Reason::FailedToLook);
    }
    if let Some(value) = input.figures.coverage.filter(|value| *value < input.coverage_target) {
        reasons.push(Reason::Coverage { value, target: input.coverage_target });
    }
    if input.figures.is_nothing_judged() && input.messages.total() > input.messages.excluded {
        reasons.push(Reason::NothingJudged);
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{MessageVerdict, RowVerdict, TableVerdict};

    #[test]
    fn the_budget_is_used_up_exactly_where_the_target_is_missed() {
        let budget = |intact, missing, target| {
            let messages = MessageTally { intact, missing, ..Default::default() };
            let rows = RowTally { intact, ..Default::default() };
            Figures::of(&messages, &rows).budget(target)
        };
        assert_eq!(budget(9_999, 1, 0.9999), Budget { whole: 10_000, allowed: 1, used: 1 });
        assert_eq!(budget(10, 0, 1.0), Budget { whole: 10, allowed: 0, used: 0 });
        assert_eq!(budget(0, 7, 0.0), Budget { whole: 7, allowed: 7, used: 7 });
        assert_eq!(budget(0, 0, 0.9999), Budget { whole: 0, allowed: 0, used: 0 });
        for whole in 1..400u64 {
            for target in [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0, 1.0 / 3.0] {
                for missing in 0..=whole.min(9) {
                    let Budget { allowed, used, .. } = budget(whole - missing, missing, target);
                    assert_eq!(
                        used > allowed,
                        ((whole - missing) as f64 / whole as f64) < target,
                        "{whole} {missing} {target}"
                    );
                }
            }
        }
    }

    fn input(messages: MessageTally, rows: RowTally) -> OutcomeInput {
        OutcomeInput {
            messages,
            figures: Figures::of(&messages, &rows),
            target: 0.9999,
            coverage_target: 0.9999,
            diverted_max: 0.001,
            strict_fields: true,
            unknown_field_messages: 0,
            findings: BTreeMap::new(),
            failed_to_look: false,
        }
    }

    fn intact(count: u64) -> OutcomeInput {
        input(MessageTally { intact: count, ..Default::default() }, RowTally { intact: count, ..Default::default() })
    }

    #[test]
    fn figures_do_not_exist_without_a_denominator() {
        let figures = Figures::of(&MessageTally::default(), &RowTally::default());
        assert_eq!((figures.fidelity, figures.completeness), (None, None));
        assert_eq!((figures.precision, figures.coverage), (None, None));
        let lagging = Figures::of(&MessageTally { overdue: 1, ..Default::default() }, &RowTally::default());
        assert_eq!((lagging.fidelity, lagging.coverage), (None, Some(0.0)));
    }

    #[test]
    fn a_ratio_that_meets_its_target_is_not_below_it() {
        for denominator in [10_000, 20_000, 1_230_000] {
            let missing = denominator / 10_000;
            let messages = MessageTally { intact: denominator - missing, missing, ..Default::default() };
            let rows = RowTally { intact: denominator - missing, ..Default::default() };
            let met = input(messages, rows);
            assert_eq!(met.figures.fidelity, Some(0.9999));
            assert_eq!(decide(&met).outcome, Outcome::Holds);
        }
    }

    #[test]
    fn overdue_lowers_coverage_not_fidelity() {
        let messages = MessageTally { intact: 9_000, overdue: 1_000, ..Default::default() };
        let figures = Figures::of(&messages, &RowTally { intact: 9_000, ..Default::default() });
        assert_eq!((figures.fidelity, figures.coverage), (Some(1.0), Some(0.9)));
        assert_eq!(
            decide(&input(messages, RowTally { intact: 9_000, ..Default::default() })).outcome,
            Outcome::Unjudged
        );
    }

    #[test]
    fn every_rule_of_a_breach_breaches_alone() {
        let mut strict = intact(10);
        strict.unknown_field_messages = 3;
        assert_eq!(decide(&strict).reasons, [Reason::UnknownFields { messages: 3 }]);
        strict.strict_fields = false;
        assert_eq!(decide(&strict).outcome, Outcome::Holds);

        let messages = MessageTally { intact: 996, diverted: 4, ..Default::default() };
        let diverted = input(messages, RowTally { intact: 996, ..Default::default() });
        assert_eq!(decide(&diverted).reasons, [Reason::Diverted { share: 0.004, maximum: 0.001 }]);

        let verdicts = TableVerdict::ALL.iter().map(|verdict| Verdict::Table(*verdict));
        for verdict in verdicts.chain([Verdict::Row(RowVerdict::Misrouted)]) {
            let mut open = intact(10);
            open.findings = BTreeMap::from([(verdict, 2), (MessageVerdict::Overdue.into(), 9)]);
            let decision = decide(&open);
            assert_eq!(decision.outcome, Outcome::Breached);
            assert_eq!(decision.reasons, [Reason::Finding { verdict, count: 2 }]);
        }
    }

    #[test]
    fn failing_to_look_is_never_holds_and_a_breach_goes_before_it() {
        let mut failed = intact(10);
        failed.failed_to_look = true;
        assert_eq!(decide(&failed).reasons, [Reason::FailedToLook]);
        assert_eq!(decide(&failed).outcome, Outcome::Unjudged);
        let messages = MessageTally { intact: 1, missing: 1, ..Default::default() };
        let mut breached = input(messages, RowTally { intact: 1, ..Default::default() });
        breached.failed_to_look = true;
        assert_eq!(decide(&breached).outcome, Outcome::Breached);
    }

    #[test]
    fn nothing_judged_is_unjudged_unless_nothing_was_asked() {
        let pending = input(MessageTally { pending: 5, excluded: 1, ..Default::default() }, RowTally::default());
        assert_eq!(decide(&pending).reasons, [Reason::NothingJudged]);
        let excluded = input(MessageTally { excluded: 5, ..Default::default() }, RowTally::default());
        let decision = decide(&excluded);
        assert_eq!((decision.outcome, decision.is_vacuous), (Outcome::Holds, true));
        assert!(!decide(&intact(1)).is_vacuous);
    }

    #[test]
    fn a_phantom_alone_breaches() {
        let alone = input(MessageTally::default(), RowTally { phantom: 1, ..Default::default() });
        assert_eq!(decide(&alone).reasons, [Reason::Fidelity { value: 0.0, target: 0.9999 }]);
    }

    #[test]
    fn outcomes_have_their_exit_codes() {
        let codes: Vec<u8> = Outcome::ALL.iter().map(|outcome| outcome.exit_code()).collect();
        assert_eq!(codes, [0, 1, 3]);
    }

    #[test]
    fn reasons_read_as_sentences() {
        let mut breached = intact(3);
        breached.messages.missing = 1;
        breached.figures = Figures::of(&breached.messages, &RowTally { intact: 3, ..Default::default() });
        assert_eq!(decide(&breached).reasons[0].to_string(), "fidelity 0.75 is below its target 0.9999");
    }
}
