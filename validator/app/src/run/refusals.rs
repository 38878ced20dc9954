//! What a continuous run does not take.

use validator_core::contract::{Contract, DeadLetter, Identity};
use validator_tap::Tap;

use super::letters::{LetterSource, LettersNotes};
use crate::config::{Pipeline, Problem};

/// Refuses contracts that cannot be followed for ever.
///
/// # Errors
/// What stands against it, at its place in the pipeline file.
pub fn check(pipeline: &Pipeline, contract: &Contract) -> Result<(), Vec<Problem>> {
    let (what, hint) = match &contract.identity {
        // By keys, and not by windows.
        Identity::Key { upsert: Some(_), .. } => return Ok(()),
        Identity::Key { window: None, .. } | Identity::Content { window: None, .. } => (
            "`run` follows this mode by windows of time, and no `window` is named",
            "name a time column that both sides have: without one a difference could only be found by reading all of both sides",
        ),
        Identity::Offset { .. } | Identity::Key { .. } | Identity::Content { .. } => return Ok(()),
    };
    let hint = format!("{hint}; `validator reconcile` judges this one, as often as it is called");
    Err(vec![pipeline.problem_at("identity.mode", what).hint(hint)])
}

/// Refuses windows of time where partitions are left out: their rows are in the same windows.
///
/// # Errors
/// Some are, and segments are no ranges of offsets.
pub fn check_partitions(pipeline: &Pipeline, contract: &Contract, tap: &dyn Tap) -> Result<(), Vec<Problem>> {
    let left_out = tap.partitions().iter().find(|range| !range.listed).map(|range| range.tp.to_string());
    let Some(left_out) = left_out.filter(|_| !matches!(contract.identity, Identity::Offset { .. })) else {
        return Ok(());
    };
    let what = format!("{left_out} is not followed, and its rows cannot be told from those of the others");
    let hint = "`run` follows all partitions of a topic, unless rows have their offsets (`mode = \"offset\"`)";
    Err(vec![pipeline.problem_at("pipeline.start", what).hint(hint)])
}

/// Refuses another source of dead letters than the one that the ledger has letters of, and the same one by other names of positions: they
/// are evidence of what it says, and stay.
///
/// # Errors
/// It is another one, or none; its letters would name other messages.
pub fn check_letters(
    pipeline: &Pipeline,
    letters: Option<&LetterSource>,
    noted: Option<&LettersNotes>,
) -> Result<(), Vec<Problem>> {
    let declared = pipeline.contract.fidelity.dead_letter.as_ref().map(|declared| match declared {
        DeadLetter::Topic { topic, .. } => topic,
        DeadLetter::Table { table, .. } => table,
    });
    let Some(noted) = noted else { return Ok(()) };
    let by_others = letters.and_then(|letters| noted.other_names(letters.position()));
    let by = match by_others {
        _ if declared != Some(&noted.source) => String::new(),
        Some(names) => format!(", read by {names}"),
        None => return Ok(()),
    };
    let what = format!("the ledger has dead letters of {}{by}, by which messages are diverted", noted.source);
    let hint = "name them again, or begin new books (`validator ledger start-over`), or follow the table under another `name` in \
                [pipeline], with a ledger of its own";
    Err(vec![pipeline.problem_at("fidelity.dead_letter", what).hint(hint)])
}
