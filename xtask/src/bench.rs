//! The speed of the product: release builds over real parts, each figure beside its bound.

use std::process::Command;

use clap::Args;

use crate::command::{Done, program, run as run_command};

/// What to measure.
#[derive(Args)]
pub struct Bench {
    /// `core` (hot loops), `faces` (help and reports), `report` (a million findings handed on), `kafka` (end to end), `peers`
    /// (what people use instead), `init`, `scale` (long runs, everything damaged) or `all`, and their options; `--help` shows
    /// them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    what: Vec<String>,
}

/// Hot loops without any part: examples of the crates they live in, with the bound of each.
const LOOPS: [(&str, &[&str], &str); 4] = [
    ("digest_rate", &[], "digest + bag: at least 4 M rows/s per core (14 columns, 160 to 200 bytes)"),
    ("decode_rate", &[], "decode JSON: a part of what a message costs below"),
    ("avro_rate", &[], "decode Avro: a part of what a message costs below"),
    ("delete_rate", &["500000", "8"], "decode with 10 % of the rows deleted: at most 1.3 x without deletes"),
];

/// One selection of packages for all of it, so that what they share is built once.
const BUILD: [&str; 15] = [
    "build",
    "--release",
    "--locked",
    "-p",
    "fixtures-bench",
    "-p",
    "validator-core",
    "-p",
    "validator-tap",
    "-p",
    "validator-table",
    "--bin",
    "fixtures-bench",
    "--example",
    "*_rate",
];

/// Tells cargo to build what the benchmarks run.
pub fn build(cargo: &mut Command) {
    cargo.args(BUILD);
}

/// Builds in the release profile, then measures one thing after the other.
pub fn run(bench: &Bench) -> Done {
    if bench.what.first().is_some_and(|what| what == "core" || what == "all") {
        for (name, arguments, bound) in LOOPS {
            println!("\n== {name}: {bound}");
            let mut command = Command::new(program(name, build)?);
            command.args(arguments);
            run_command(command)?;
        }
        println!("\n== over real parts");
    }
    let mut command = Command::new(program("fixtures-bench", build)?);
    command.args(&bench.what);
    run_command(command)
}
