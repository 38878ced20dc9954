//! What a continuous run does not take.

use validator_core::contract::{Contract, Identity};

use crate::config::{Pipeline, Problem};

/// Refuses contracts that cannot be followed for ever.
///
/// # Errors
/// What stands against it, at its place in the pipeline file.
pub fn check(pipeline: &Pipeline, contract: &Contract) -> Result<(), Vec<Problem>> {
    if contract.fidelity.dead_letter.is_some() {
        let what = "`run` does not look at dead letters yet: what is diverted would be told as missing";
        let hint = "`validator reconcile` looks at them; take `dead_letter` out to follow the pipeline without";
        return Err(vec![pipeline.problem_at("fidelity.dead_letter", what).hint(hint)]);
    }
    let what = match &contract.identity {
        Identity::Offset { .. } => return Ok(()),
        Identity::Key { upsert: Some(_), .. } => "`run` does not follow upsert tables yet",
        Identity::Key { .. } => "`run` does not follow `mode = \"key\"` yet",
        Identity::Content { .. } => "`run` does not follow `mode = \"content\"` yet",
    };
    let hint = "`validator reconcile` judges it, as often as it is called; `mode = \"offset\"` is followed";
    Err(vec![pipeline.problem_at("identity.mode", what).hint(hint)])
}
