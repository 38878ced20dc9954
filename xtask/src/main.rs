//! `cargo xtask …`: the repository's own commands. Each prints what it runs, and ends with 0, 1 (a check failed) or 2
//! (usage, or something that the machine lacks).

mod bench;
mod ci;
mod command;
mod demos;
mod licences;
mod packages;
mod prerequisites;
mod tidy;
mod worlds;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The repository's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that must hold before a change is merged; what `.ci/run` runs
    Ci,
    /// The same for a developer: makes the machine ready (a JDK, mvn, python3, openssl, downloaded parts), then runs every check
    Test,
    /// The house rules that compilers do not check
    Tidy,
    /// Counts the binary's packages, checks licences and bans
    Packages,
    /// Measures release builds over real parts and prints each figure beside its bound
    Bench(bench::Bench),
    /// Runs the property test over generated worlds; a failing seed is replayed by `--seeds N`
    Worlds(worlds::Worlds),
    /// Runs the demo for some seeds and compares its findings with the truth about what was injected
    Demos(demos::Demos),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Task::Ci => ci::run(true),
        Task::Test => ci::run(false),
        Task::Tidy => tidy::run(),
        Task::Packages => packages::check(),
        Task::Bench(bench) => bench::run(&bench),
        Task::Worlds(worlds) => worlds::run(&worlds),
        Task::Demos(demos) => demos::run(&demos),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
