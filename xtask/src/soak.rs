//! A soak: the real binary beside a pipeline at work, for minutes or hours; or its core beside a simulated one, hours in minutes.

use std::path::PathBuf;
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::command::{Done, cargo, program, run as run_command};

/// What to run.
#[derive(Args)]
pub struct Soak {
    /// For how long: `20s`, `10m`, `4h`; without it ten minutes, or six simulated hours
    #[arg(long = "for", value_name = "TIME")]
    time: Option<String>,
    /// The core alone beside topics and tables of a simulated clock, in every mode: what it says must be true and its memory must not grow
    #[arg(long, conflicts_with_all = ["rate", "keys", "broker", "binary", "profile", "leak_canary", "samples", "json"])]
    simulated: bool,
    /// Of which the simulated ones are made; a run that fails says it
    #[arg(long, default_value_t = 1, requires = "simulated")]
    seed: u64,
    /// Messages a second
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// By what rows are tied to messages; without it offset, or, simulated, each in turn
    #[arg(long, value_enum)]
    tied: Option<Tied>,
    /// Keys of an upsert table
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// The brokers: a real Kafka, or librdkafka's mock, which keeps 5 MiB of a partition
    #[arg(long, value_enum, default_value = "real")]
    broker: Broker,
    /// The `validator` that is measured; without it one is built
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// How it is built
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
    /// Measures a process beside it that leaks 1 MiB a minute: the soak must fail
    #[arg(long)]
    leak_canary: bool,
    /// Writes all samples there
    #[arg(long, value_name = "FILE.csv")]
    samples: Option<PathBuf>,
    /// Writes the figures there
    #[arg(long, value_name = "FILE.json")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Tied {
    Offset,
    Key,
    Content,
    Upsert,
}

#[derive(Clone, Copy, ValueEnum)]
enum Broker {
    Real,
    Mock,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profile {
    Release,
    Dev,
}

/// Builds what is measured and what measures it, and runs it.
pub fn run(soak: &Soak) -> Done {
    if soak.simulated {
        return run_simulated(soak);
    }
    let build = |build: &mut Command| {
        build.args(["build", "--locked", "-p", "fixtures-bench", "-p", "validator-app"]);
        build.args(["--bin", "fixtures-bench", "--bin", "validator"]);
        if soak.profile == Profile::Release {
            build.arg("--release");
        }
    };
    let bench = program("fixtures-bench", build)?;
    let binary = soak.binary.clone().map_or_else(|| program("validator", build), Ok)?;
    let broker = match soak.broker {
        Broker::Real => "real",
        Broker::Mock => "mock",
    };
    let tied = match soak.tied.unwrap_or(Tied::Offset) {
        Tied::Offset => "offset",
        Tied::Key => "key",
        Tied::Content => "content",
        Tied::Upsert => "upsert",
    };
    let mut command = Command::new(bench);
    let time = soak.time.as_deref().unwrap_or("10m");
    command.args(["soak", "--for", time, "--rate", &soak.rate.to_string(), "--broker", broker]);
    command.args(["--tied", tied, "--keys", &soak.keys.to_string()]);
    command.arg("--binary").arg(binary);
    if soak.leak_canary {
        command.arg("--leak-canary");
    }
    for (flag, path) in [("--samples", &soak.samples), ("--json", &soak.json)] {
        if let Some(path) = path {
            command.arg(flag).arg(path);
        }
    }
    run_command(command)
}

/// Forwards to the test binary `hours` of the core, which reads `HOURS_FOR` and `HOURS_SEED`. Its worlds take turns: one allocator
/// counts for all of them.
fn run_simulated(soak: &Soak) -> Done {
    let (time, seed) = (soak.time.as_deref().unwrap_or("6h"), soak.seed.to_string());
    let tests = match soak.tied {
        None => "hours_of_",
        Some(Tied::Offset) => "hours_of_offsets",
        Some(Tied::Key) => "hours_of_keys",
        Some(Tied::Content) => "hours_of_contents",
        Some(Tied::Upsert) => "hours_of_an_upsert_table",
    };
    let mut command = cargo(&["test", "--locked", "-p", "validator-core", "--test", "hours"]);
    command.args([tests, "--", "--nocapture", "--test-threads", "1"]);
    command.env("HOURS_FOR", time).env("HOURS_SEED", &seed);
    println!("HOURS_FOR={time} HOURS_SEED={seed}");
    run_command(command)
}
