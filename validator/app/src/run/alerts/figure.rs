//! The figures that a condition may ask for, in one table: the parser, the reference page and the messages come from it.

use validator_core::verdict::{MessageVerdict, RowVerdict, Verdict};

/// What a figure is measured in, and so what it can be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// From 0 to 1.
    Share,
    /// How many.
    Count,
    /// A multiple.
    Multiple,
    /// Time.
    Seconds,
    /// It is so, or not.
    Flag,
}

/// What stands in the parentheses of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// No parentheses.
    Nothing,
    /// A window.
    Window,
    /// A window, or no parentheses.
    MaybeWindow,
    /// The verdict of messages, and perhaps a window.
    OfMessages,
    /// The verdict of rows, and perhaps a window.
    OfRows,
    /// The verdict of a finding, or no parentheses.
    MaybeVerdict,
    /// A share.
    Share,
}

/// A figure as people write it.
#[derive(Debug)]
pub struct Named {
    /// Its name.
    pub name: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// What stands in its parentheses.
    pub takes: Takes,
    /// What it says, in sentences.
    pub says: &'static str,
}

const fn named(name: &'static str, unit: Unit, takes: Takes, says: &'static str) -> Named {
    Named { name, unit, takes, says }
}

/// All figures.
pub static FIGURES: [Named; 19] = [
    named(
        "fidelity",
        Unit::Share,
        Takes::MaybeWindow,
        "Fidelity of all that was judged, or of what a window added. Unknown where nothing was judged.",
    ),
    named("completeness", Unit::Share, Takes::Nothing, "The report's figure. Unknown where nothing is due."),
    named("precision", Unit::Share, Takes::Nothing, "The report's figure. Unknown where there is no row."),
    named("coverage", Unit::Share, Takes::Nothing, "The report's figure. Unknown where nothing was consumed."),
    named(
        "burn_rate",
        Unit::Multiple,
        Takes::Window,
        "How many times faster than allowed the window spent the budget of unfaithful messages, 1 − `target`. 1 spends \
         exactly the budget.",
    ),
    named(
        "messages",
        Unit::Count,
        Takes::OfMessages,
        "Messages of a verdict: now, or how many more than before the window.",
    ),
    named("rows", Unit::Count, Takes::OfRows, "Rows of a verdict: now, or how many more than before the window."),
    named(
        "findings",
        Unit::Count,
        Takes::MaybeVerdict,
        "Open findings, of a verdict or of all, but for those that somebody ignores; with `by = \"cause\"` those of one cause.",
    ),
    named("consumed", Unit::Count, Takes::MaybeWindow, "Messages consumed: all, or in the window."),
    named("lag", Unit::Count, Takes::Nothing, "Stable offsets that are not consumed yet, of all partitions."),
    named(
        "age",
        Unit::Seconds,
        Takes::Nothing,
        "How long ago the last look began that could be applied: the freshness of every verdict.",
    ),
    named(
        "landing",
        Unit::Seconds,
        Takes::Share,
        "Within how long that share of the messages landed, of those that landed since the process began; a bound of the \
         histogram.",
    ),
    named(
        "head_room",
        Unit::Seconds,
        Takes::Nothing,
        "How long until the broker deletes what is not consumed, of the partition that is next. Unknown while \
         nothing waits and the first offset of no log has moved twice.",
    ),
    named("checkpoint_age", Unit::Seconds, Takes::Nothing, "How long ago the last checkpoint was committed."),
    named("disputed", Unit::Count, Takes::Nothing, "Segments whose two sides differ and that are looked at closer."),
    named("starting", Unit::Flag, Takes::Nothing, "The pipeline starts."),
    named("degraded", Unit::Flag, Takes::Nothing, "The pipeline is degraded."),
    named(
        "cannot_judge",
        Unit::Flag,
        Takes::Nothing,
        "The pipeline cannot look, or has failed: its verdicts stand still.",
    ),
    named("failed", Unit::Flag, Takes::Nothing, "The pipeline has ended and is not started again by itself."),
];

/// A figure with what stands in its parentheses. Windows are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// `fidelity`
    Fidelity(Option<i64>),
    /// `completeness`
    Completeness,
    /// `precision`
    Precision,
    /// `coverage`
    Coverage,
    /// `burn_rate`
    BurnRate(i64),
    /// `messages`
    Messages(MessageVerdict, Option<i64>),
    /// `rows`
    Rows(RowVerdict, Option<i64>),
    /// `findings`
    Findings(Option<Verdict>),
    /// `consumed`
    Consumed(Option<i64>),
    /// `lag`
    Lag,
    /// `age`
    Age,
    /// `landing`
    Landing(f64),
    /// `head_room`
    HeadRoom,
    /// `checkpoint_age`
    CheckpointAge,
    /// `disputed`
    Disputed,
    /// `starting`
    Starting,
    /// `degraded`
    Degraded,
    /// `cannot_judge`
    CannotJudge,
    /// `failed`
    Failed,
}

/// A count whose change over a window is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Series {
    /// Due messages, phantom rows and surplus copies: what fidelity is measured over.
    Whole,
    /// Those of them that are not faithful.
    Unfaithful,
    /// Messages consumed.
    Consumed,
    /// Messages of a verdict.
    Messages(MessageVerdict),
    /// Rows of a verdict.
    Rows(RowVerdict),
}

impl Series {
    /// Its name in the ledger.
    pub fn name(self) -> String {
        match self {
            Self::Whole => "whole".to_owned(),
            Self::Unfaithful => "unfaithful".to_owned(),
            Self::Consumed => "consumed".to_owned(),
            Self::Messages(verdict) => format!("messages {verdict}"),
            Self::Rows(verdict) => format!("rows {verdict}"),
        }
    }
}

impl Figure {
    /// The window that it looks back over, in milliseconds.
    pub fn window_ms(self) -> Option<i64> {
        match self {
            Self::BurnRate(window) => Some(window),
            Self::Fidelity(window) | Self::Messages(_, window) | Self::Rows(_, window) | Self::Consumed(window) => {
                window
            }
            _ => None,
        }
    }

    /// The counts whose past it asks for.
    pub fn series(self) -> Vec<Series> {
        match self {
            Self::BurnRate(_) | Self::Fidelity(Some(_)) => vec![Series::Whole, Series::Unfaithful],
            Self::Messages(verdict, Some(_)) => vec![Series::Messages(verdict)],
            Self::Rows(verdict, Some(_)) => vec![Series::Rows(verdict)],
            Self::Consumed(Some(_)) => vec![Series::Consumed],
            _ => Vec::new(),
        }
    }
}
