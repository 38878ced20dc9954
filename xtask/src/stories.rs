//! The simulation of the continuous shadow over stories, by seed range.

use clap::Args;

use crate::command::{Done, cargo, run as run_command};

/// What of the simulation to run.
#[derive(Args)]
pub struct Stories {
    /// `FROM..TO` (half-open), or one seed, whose script and schedule are printed where it fails
    #[arg(long, default_value = "0..2000")]
    seeds: String,
}

/// Forwards to the test `stories` of the core's integration tests, which reads `SEEDS`.
pub fn run(stories: &Stories) -> Done {
    let mut command = cargo(&["test", "--locked", "-p", "validator-core", "--test", "it"]);
    command.args(["shadow::stories", "--", "--nocapture"]).env("SEEDS", &stories.seeds);
    println!("SEEDS={}", stories.seeds);
    run_command(command)
}
