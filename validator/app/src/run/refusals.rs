//! What a continuous run does not take.

use validator_core::contract::{Contract, DeadLetter, Identity};

use super::letters::{LetterSource, LettersNotes};
use crate::config::{Pipeline, Problem};

/// Refuses contracts that cannot be followed for ever.
///
/// # Errors
/// What stands against it, at its place in the pipeline file.
pub fn check(pipeline: &Pipeline, contract: &Contract) -> Result<(), Vec<Problem>> {
    let what = match &contract.identity {
        Identity::Offset { .. } => return Ok(()),
        Identity::Key { upsert: Some(_), .. } => "`run` does not follow upsert tables yet",
        Identity::Key { .. } => "`run` does not follow `mode = \"key\"` yet",
        Identity::Content { .. } => "`run` does not follow `mode = \"content\"` yet",
    };
    let hint = "`validator reconcile` judges it, as often as it is called; `mode = \"offset\"` is followed";
    Err(vec![pipeline.problem_at("identity.mode", what).hint(hint)])
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
