//! `cargo xtask …`: the repository's own commands. Each prints what it runs, and ends with 0, 1 (a check failed) or 2
//! (usage, or something that the machine lacks).

mod bench;
mod ci;
mod command;
mod demos;
mod docs;
mod flame;
mod fuzz;
mod licences;
mod package;
mod packages;
mod prerequisites;
mod soak;
mod stories;
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
    /// Makes what people install, a wheel or an image, and tries it
    Package(package::Package),
    /// Counts the binary's packages, checks licences and bans
    Packages,
    /// Writes docs/reference from the code; CI runs it with `--check`
    Docs(docs::Docs),
    /// Measures release builds over real parts and prints each figure beside its bound
    Bench(bench::Bench),
    /// Runs the real binary beside a pipeline at work: memory must not grow, descriptors, threads and connections stay flat
    Soak(soak::Soak),
    /// Records `validator` with these arguments under perf and draws a flame graph of it
    Flame(flame::Flame),
    /// Looks for bytes that break a promise, by libFuzzer; new ones are kept and replayed by an ordinary test
    Fuzz(fuzz::Fuzz),
    /// Runs the property test over generated worlds; a failing seed is replayed by `--seeds N`
    Worlds(worlds::Worlds),
    /// Runs the simulation of the continuous shadow over stories in time; a failing seed is replayed by `--seeds N`
    Stories(stories::Stories),
    /// Runs the demo for some seeds and compares its findings with the truth about what was injected
    Demos(demos::Demos),
}

fn main() -> ExitCode {
    if let Some(exit) = fuzz::as_rustc() {
        return exit;
    }
    if let Some(exit) = package::as_cargo() {
        return exit;
    }
    let done = match Arguments::parse().command {
        Task::Ci => ci::run(true),
        Task::Test => ci::run(false),
        Task::Tidy => tidy::run(),
        Task::Package(package) => package::run_task(&package),
        Task::Packages => packages::check(),
        Task::Docs(docs) => docs::run_docs(&docs),
        Task::Bench(bench) => bench::run(&bench),
        Task::Soak(soak) => soak::run(&soak),
        Task::Flame(flame) => flame::run(&flame),
        Task::Fuzz(fuzz) => fuzz::run(&fuzz),
        Task::Worlds(worlds) => worlds::run(&worlds),
        Task::Stories(stories) => stories::run(&stories),
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
