//! Figures against their targets, and the error budget: how many may be unfaithful, and how many are.

use validator_core::figures::Budget;

use crate::answer::Answer;
use crate::render::{count, counted, figure};

/// A figure as a page shows it.
#[derive(Debug, Clone)]
pub struct FigureView {
    /// Its word.
    pub name: &'static str,
    /// Cut, never rounded up.
    pub value: String,
    /// What it has to reach.
    pub target: Option<String>,
    /// Whether it does not.
    pub is_missed: bool,
    /// What it says.
    pub meaning: &'static str,
}

/// The figures of a report.
pub fn figures(answer: &Answer) -> Vec<FigureView> {
    let report = &answer.report;
    let (target, coverage) = (answer.asked.target, answer.asked.coverage_target);
    let view = |name, value: Option<f64>, target: Option<f64>, meaning| FigureView {
        name,
        value: value.map_or_else(|| "nothing to measure".to_owned(), figure),
        target: target.map(|target| target.to_string()),
        is_missed: value.zip(target).is_some_and(|(value, target)| value < target),
        meaning,
    };
    let fidelity = &report.fidelity;
    vec![
        view(
            "fidelity",
            fidelity.value,
            Some(target),
            "the share that is in the table unaltered, of all due messages, phantom rows and surplus copies",
        ),
        view(
            "coverage",
            fidelity.coverage,
            Some(coverage),
            "the share of messages that could be judged, of those that were due",
        ),
        view("completeness", fidelity.completeness, None, "the share of due messages that have a row at all"),
        view(
            "precision",
            fidelity.precision,
            None,
            "the share of rows that are what a message says, of all rows judged",
        ),
    ]
}

/// The error budget as a page shows it.
#[derive(Debug, Clone)]
pub struct BudgetView {
    /// Allowed, used, left, each counted.
    pub allowed: String,
    /// Used.
    pub used: String,
    /// Left, or by how many it is exceeded.
    pub left: String,
    /// Whether more is used than allowed.
    pub is_exceeded: bool,
    /// In one sentence.
    pub sentence: String,
    /// Used as a share of what the bar shows, in thousandths.
    pub used_per_mille: u64,
    /// Where the budget ends on the bar, in thousandths.
    pub allowed_per_mille: u64,
}

/// The budget of an answer.
pub fn budget(answer: &Answer) -> BudgetView {
    let Budget { whole, allowed, used } = answer.asked.figures.budget(answer.asked.target);
    let target = answer.asked.target;
    let is_exceeded = used > allowed;
    let of = counted(whole, "message or row", "messages and rows");
    let sentence = match (whole, used) {
        (0, _) => "Nothing was due in this range, so there is no budget to use.".to_owned(),
        (_, 0) => format!("At a target of {target}, {} of {of} may be unfaithful; none is.", count(allowed)),
        _ if is_exceeded => format!(
            "At a target of {target}, {} of {of} may be unfaithful; {} are, {} too many.",
            count(allowed),
            count(used),
            count(used - allowed)
        ),
        _ => format!("At a target of {target}, {} of {of} may be unfaithful; {} are.", count(allowed), count(used)),
    };
    let scale = used.max(allowed).max(1);
    let per_mille = |number: u64| u64::try_from(u128::from(number) * 1000 / u128::from(scale)).expect("at most 1000");
    BudgetView {
        allowed: count(allowed),
        used: count(used),
        left: count(allowed.abs_diff(used)),
        is_exceeded,
        sentence,
        // What is used is seen, however little it is.
        used_per_mille: if used > 0 { per_mille(used).max(4) } else { 0 },
        allowed_per_mille: per_mille(allowed),
    }
}
