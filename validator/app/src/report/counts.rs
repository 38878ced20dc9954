//! Messages and rows by verdict, as a page shows them: number, share, and what the word means.

use validator_core::report::Report;
use validator_core::verdict::{MessageVerdict, RowVerdict};

use crate::render::counts::{by_verdict, excluded_causes, role_of, rows_by_verdict};
use crate::render::{Role, count, words};

/// One count.
#[derive(Debug, Clone)]
pub struct CountView {
    /// The verdict's word.
    pub name: String,
    /// With separators.
    pub number: String,
    /// Of all: `0.02 %`.
    pub share: String,
    /// The class of its colour: `good`, `bad`, `doubt`, `faint`.
    pub class: &'static str,
    /// What the word means.
    pub meaning: String,
    /// Whether it is 0.
    pub is_zero: bool,
}

/// The class of a colour.
pub fn class(role: Role) -> &'static str {
    match role {
        Role::Good => "good",
        Role::Bad => "bad",
        Role::Doubt => "doubt",
        _ => "faint",
    }
}

/// A share in per cent: never rounded to nothing or to all.
pub fn share(number: u64, whole: u64) -> String {
    if number == 0 || whole == 0 {
        return "0 %".to_owned();
    }
    if number == whole {
        return "100 %".to_owned();
    }
    let percent = number as f64 * 100.0 / whole as f64;
    match percent {
        ..0.01 => "< 0.01 %".to_owned(),
        99.99.. => "> 99.99 %".to_owned(),
        _ => format!("{percent:.2} %"),
    }
}

/// The messages; those verdicts that every report has stand there also with 0.
pub fn messages(report: &Report) -> Vec<CountView> {
    let messages = &report.messages;
    let always =
        [MessageVerdict::Intact, MessageVerdict::Missing, MessageVerdict::Corrupted, MessageVerdict::Duplicated];
    let mut views: Vec<CountView> = by_verdict(messages)
        .into_iter()
        .filter(|(verdict, number)| *number > 0 || always.contains(verdict))
        .map(|(verdict, number)| {
            let mut meaning = words::message(verdict).to_owned();
            if verdict == MessageVerdict::Excluded {
                meaning = format!("{meaning} ({})", excluded_causes(report));
            }
            view(verdict.as_str(), number, messages.consumed, class(role_of(verdict)), meaning)
        })
        .collect();
    let beside = [
        ("of them late", messages.late.unwrap_or(0), "intact, and committed later than settle allows"),
        ("of them with differing copies", messages.duplicated_differing, "duplicated, and not all rows are equal"),
    ];
    let beside = beside.into_iter().filter(|(_, number, _)| *number > 0);
    views.extend(
        beside.map(|(name, number, meaning)| view(name, number, messages.consumed, "faint", meaning.to_owned())),
    );
    views
}

/// The rows; those of no verdict are left out.
pub fn rows(report: &Report) -> Vec<CountView> {
    let rows = rows_by_verdict(&report.rows).into_iter();
    rows.filter(|(_, _, number, verdict)| *number > 0 || *verdict == RowVerdict::Intact)
        .map(|(name, role, number, verdict)| {
            let share_of = if verdict == RowVerdict::OutOfScope { 0 } else { report.rows.total };
            view(name, number, share_of, class(role), words::row(verdict).to_owned())
        })
        .collect()
}

fn view(name: &str, number: u64, whole: u64, class: &'static str, meaning: String) -> CountView {
    let share = if whole == 0 { "–".to_owned() } else { share(number, whole) };
    CountView { name: name.to_owned(), number: count(number), share, class, meaning, is_zero: number == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_to_nothing_or_to_all() {
        assert_eq!([share(0, 5), share(5, 5), share(1, 0)], ["0 %", "100 %", "0 %"]);
        assert_eq!([share(1, 1_000_000), share(999_999, 1_000_000)], ["< 0.01 %", "> 99.99 %"]);
        assert_eq!([share(1, 3), share(1, 10_000)], ["33.33 %", "0.01 %"]);
    }
}
