//! The speed of the product: release builds over real parts, each figure beside its bound.

use clap::Args;

use crate::command::{Done, cargo, run as run_command};

/// What to measure.
#[derive(Args)]
pub struct Bench {
    /// `core` (hot loops), `kafka` (end to end), and their options; `--help` shows them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    what: Vec<String>,
}

/// Hot loops without any part: examples of the crates they live in, with the bound of each.
const LOOPS: [(&str, &str, &str); 3] = [
    ("validator-core", "digest_rate", "digest + bag: at least 4 M rows/s per core (14 columns, 160 to 200 bytes)"),
    ("validator-tap", "decode_rate", "decode JSON: a part of what a message costs below"),
    ("validator-tap", "avro_rate", "decode Avro: a part of what a message costs below"),
];

/// Builds in the release profile, then measures one thing after the other.
pub fn run(bench: &Bench) -> Done {
    if bench.what.first().is_some_and(|what| what == "core") {
        for (package, example, bound) in LOOPS {
            println!("\n== {package} {example}: {bound}");
            run_command(cargo(&["run", "--quiet", "--release", "--locked", "-p", package, "--example", example]))?;
        }
        println!("\n== over real parts");
    }
    let mut command = cargo(&["run", "--quiet", "--release", "--locked", "-p", "fixtures-bench", "--"]);
    command.args(&bench.what);
    run_command(command)
}
