//! Verdicts, causes and damage classes, with the sentences that reports say of them.

use validator_core::hole::HoleReason;
use validator_core::verdict::{Cause, Damage, MessageVerdict, RowVerdict, TableVerdict, Verdict};

use super::{cell, table};
use crate::render::words;

/// All words of reports and findings.
pub fn page() -> String {
    let word = |word: &str, says: &str| vec![format!("`{word}`"), cell(says)];
    let messages = MessageVerdict::ALL.iter().map(|verdict| word(verdict.as_str(), verdict.meaning()));
    let rows = RowVerdict::ALL.iter().map(|verdict| word(verdict.as_str(), verdict.meaning()));
    let tables = TableVerdict::ALL.iter().map(|verdict| word(verdict.as_str(), verdict.meaning()));
    let holes = HoleReason::ALL.iter().map(|reason| word(reason.as_str(), reason.meaning()));
    let head = ["word", "means"];
    [
        "# Verdicts, causes and damage\n\nWords are added, never renamed.\n\n## Of a message\n\nEach message that was read has \
         exactly one.\n\n"
            .to_owned(),
        table(&head, messages),
        "## Of a row\n\n`misrouted` and `stale` stand beside another one.\n\n".to_owned(),
        table(&head, rows),
        "## Of the table or a file\n\n".to_owned(),
        table(&head, tables),
        "## Causes\n\nThe cause of a `corrupted` message is the damage of its first column, below.\n\n".to_owned(),
        table(&["verdict", "cause", "means", "in a report"], causes()),
        "## Damage\n\nBy priority: the first that fits names the difference. Where several leaves of a nested column differ, \
         the column has the first of their classes. A class is a probable cause, not a proof.\n\n"
            .to_owned(),
        table(&["damage", "means", "in a report: the row …"], Damage::ALL.iter().map(damage)),
        "## Holes\n\nWhy offsets hold no message.\n\n".to_owned(),
        table(&head, holes),
    ]
    .concat()
}

fn causes() -> impl Iterator<Item = Vec<String>> {
    let of = |verdict: Verdict| Cause::of(verdict).into_iter().map(move |cause| (verdict, cause));
    let damage = |cause: &Cause| matches!(cause, Cause::Damage(_));
    Verdict::all().flat_map(of).filter(move |(_, cause)| !damage(cause)).map(|(verdict, cause)| {
        let said = words::cause(verdict, Some(cause)).unwrap_or_default();
        vec![format!("`{verdict}`"), format!("`{cause}`"), cell(cause.meaning()), said]
    })
}

fn damage(damage: &Damage) -> Vec<String> {
    vec![format!("`{damage}`"), cell(damage.meaning()), words::damage(*damage).to_owned()]
}
