//! A soak: the real binary beside a pipeline at work, for minutes or hours.

use std::path::PathBuf;
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::command::{Done, program, run as run_command};

/// What to run.
#[derive(Args)]
pub struct Soak {
    /// For how long: `20s`, `10m`, `4h`
    #[arg(long = "for", default_value = "10m")]
    time: String,
    /// Messages a second
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// By what rows are tied to messages
    #[arg(long, value_enum, default_value = "offset")]
    tied: Tied,
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
    let tied = match soak.tied {
        Tied::Offset => "offset",
        Tied::Key => "key",
        Tied::Content => "content",
        Tied::Upsert => "upsert",
    };
    let mut command = Command::new(bench);
    command.args(["soak", "--for", &soak.time, "--rate", &soak.rate.to_string(), "--broker", broker]);
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
