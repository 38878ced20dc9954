//! The property test over generated worlds, by seed range.

use clap::Args;

use crate::command::{Done, cargo, run as run_command};

/// What of the property test to run.
#[derive(Args)]
pub struct Worlds {
    /// `FROM..TO` (half-open) or one seed
    #[arg(long, default_value = "0..2000")]
    seeds: String,
    /// Further arguments for cargo, before the `--` of the test binary
    #[arg(last = true)]
    cargo: Vec<String>,
}

/// Forwards to the test `worlds` of the binary's integration tests, which reads `SEEDS`.
pub fn run(worlds: &Worlds) -> Done {
    let mut command = cargo(&["test", "--locked", "-p", "validator-app", "--test", "it"]);
    command.args(&worlds.cargo).args(["worlds", "--", "--nocapture"]).env("SEEDS", &worlds.seeds);
    println!("SEEDS={}", worlds.seeds);
    run_command(command)
}
