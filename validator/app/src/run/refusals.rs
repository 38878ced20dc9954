//! What a continuous run does not take.

use validator_core::contract::{Contract, Identity};

use crate::config::{Pipeline, Problem, Service};

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

/// Refuses what a file asks for and `run` does not do yet: nobody shall wait for an alert that is never sent.
///
/// # Errors
/// What it is.
pub fn unwired(service: &Service, pipelines: &[Pipeline]) -> Result<(), Vec<Problem>> {
    let of_service = !service.alerts.is_empty() || !service.channels.is_empty();
    if of_service || pipelines.iter().any(|pipeline| !pipeline.alerts.is_empty()) {
        let problem = Problem::new("`run` does not send alerts yet: [[alerts]] and [channels]");
        return Err(vec![
            problem.hint("take them out for now; Prometheus can alert on `/metrics` (`listen` in [service])"),
        ]);
    }
    Ok(())
}
