//! Warnings: what a person should know beside the outcome.
//!
//! Contract: one sentence each, in the `warnings` of the report; they never change the outcome. Source: interface.md
//! §2 (`strict_fields`), §4 (Holes, Late), §5 (Outcome).

use std::fmt;

use crate::figures::Decision;
use crate::position::TopicPartition;

/// One warning. The order of the variants is the order in a report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    /// The outcome is `holds` because nothing was to be judged.
    NothingToJudge,
    /// Offsets that the range asks for were gone before we came; the report is not `complete`.
    Retention {
        /// In which partition.
        tp: TopicPartition,
        /// How many.
        offsets: u64,
    },
    /// A message field that is neither used nor in `drop`; it breaches too unless `strict_fields = false`.
    UnknownField {
        /// The field.
        field: String,
        /// Messages in which it is not null.
        messages: u64,
    },
    /// Rows whose lateness cannot be known: their file was added by a rewrite, or by a snapshot no longer in the metadata.
    LateSkipped {
        /// How many.
        rows: u64,
    },
}

impl Warning {
    /// The warning that an outcome brings with it.
    pub fn of_decision(decision: &Decision) -> Option<Self> {
        decision.is_vacuous.then_some(Self::NothingToJudge)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToJudge => f.write_str("there was nothing to judge"),
            Self::Retention { tp, offsets } => {
                write!(f, "{tp}: {offsets} offsets of the range were gone before the run (retention)")
            }
            Self::UnknownField { field, messages } => {
                write!(
                    f,
                    "message field {field:?} is neither used nor in [compare] drop, but not null in {messages} messages"
                )
            }
            Self::LateSkipped { rows } => {
                write!(
                    f,
                    "{rows} rows were not looked at for lateness: their files come from rewrites or expired snapshots"
                )
            }
        }
    }
}

/// The sentences of a report: sorted, each once.
pub fn sentences(mut warnings: Vec<Warning>) -> Vec<String> {
    warnings.sort();
    warnings.dedup();
    warnings.iter().map(Warning::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Outcome;

    #[test]
    fn a_vacuous_outcome_brings_its_warning() {
        let decision = |is_vacuous| Decision { outcome: Outcome::Holds, reasons: Vec::new(), is_vacuous };
        assert_eq!(Warning::of_decision(&decision(true)), Some(Warning::NothingToJudge));
        assert_eq!(Warning::of_decision(&decision(false)), None);
    }

    #[test]
    fn sentences_are_sorted_and_said_once() {
        let retention =
            |partition| Warning::Retention { tp: TopicPartition { topic: "t".into(), partition }, offsets: 3 };
        let field = Warning::UnknownField { field: "new".into(), messages: 2 };
        let said = sentences(vec![Warning::LateSkipped { rows: 1 }, field, retention(10), retention(2), retention(10)]);
        let expected = [
            "t[2]: 3 offsets of the range were gone before the run (retention)",
            "t[10]: 3 offsets of the range were gone before the run (retention)",
            "message field \"new\" is neither used nor in [compare] drop, but not null in 2 messages",
            "1 rows were not looked at for lateness: their files come from rewrites or expired snapshots",
        ];
        assert_eq!(said, expected);
    }
}
