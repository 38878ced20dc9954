//! The worked examples of interface.md §5, judged from their entries.

use validator_core::figures::{Figures, Outcome, OutcomeInput, decide};
use validator_core::judge::{Case, MessageEntry, RowEntry};

use crate::entries::{counts, judged, message, offset_case, row};

const MESSAGES: i64 = 10_000;

fn messages() -> Vec<MessageEntry> {
    (0..MESSAGES).map(|offset| message(offset, offset as u64, 1_000 + offset as u64)).collect()
}

fn rows() -> Vec<RowEntry> {
    (0..MESSAGES as u64).map(|offset| row(offset, offset, 1_000 + offset)).collect()
}

fn figures(case: Case) -> (Figures, Outcome) {
    let judgement = judged(case);
    let messages = judgement.total();
    let figures = Figures::of(&messages, &judgement.rows);
    let input = OutcomeInput {
        messages,
        figures,
        target: 0.9999,
        coverage_target: 0.9999,
        diverted_max: 0.001,
        strict_fields: true,
        unknown_field_messages: 0,
        findings: Default::default(),
        failed_to_look: false,
    };
    (figures, decide(&input).outcome)
}

#[test]
fn ten_thousand_messages_one_lost() {
    let mut rows = rows();
    rows.remove(5_000);
    let (figures, outcome) = figures(offset_case(messages(), rows));
    assert_eq!(figures.fidelity, Some(0.9999));
    assert_eq!((figures.completeness, figures.precision, figures.coverage), (Some(0.9999), Some(1.0), Some(1.0)));
    assert_eq!(outcome, Outcome::Holds);
}

#[test]
fn one_written_twice() {
    let mut rows = rows();
    rows.push(row(99_999, 5_000, 6_000));
    let (figures, outcome) = figures(offset_case(messages(), rows));
    assert_eq!(figures.fidelity, Some(10_000.0 / 10_001.0));
    assert_eq!((figures.completeness, figures.precision), (Some(1.0), Some(10_000.0 / 10_001.0)));
    assert_eq!(outcome, Outcome::Holds);
}

#[test]
fn one_phantom_the_same() {
    let mut rows = rows();
    rows.push(row(99_999, 77_777, 0));
    let (figures, _) = figures(offset_case(messages(), rows));
    assert_eq!(figures.fidelity, Some(10_000.0 / 10_001.0));
    assert_eq!((figures.phantom, figures.surplus), (1, 0));
}

#[test]
fn all_written_twice() {
    let twice = rows().into_iter().chain(rows().into_iter().map(|mut row| {
        row.at.file.0 = 1;
        row
    }));
    let (figures, outcome) = figures(offset_case(messages(), twice.collect()));
    assert_eq!(figures.fidelity, Some(0.5));
    assert_eq!((figures.due, figures.faithful, figures.surplus), (10_000, 10_000, 10_000));
    assert_eq!(outcome, Outcome::Breached);
}

#[test]
fn two_rows_that_swapped_a_value() {
    let mut rows = rows();
    rows[10] = row(10, 10, 1_011);
    rows[11] = row(11, 11, 1_010);
    let case = offset_case(messages(), rows);
    assert_eq!(counts(&judged(case.clone())), "intact 9998, corrupted 2; intact 9998, corrupted 2");
    let (figures, outcome) = figures(case);
    assert_eq!(figures.fidelity, Some(9_998.0 / 10_000.0));
    assert_eq!(figures.completeness, Some(1.0));
    assert_eq!(outcome, Outcome::Breached);
}
