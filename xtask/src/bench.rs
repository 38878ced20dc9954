//! The hot loops, measured: release examples of the crates they live in, printed beside their targets.

use clap::Subcommand;

use crate::command::{Done, cargo, run as run_command};

/// What to measure.
#[derive(Subcommand)]
pub enum Bench {
    /// Digest and bag, decoding, scanning: CPU time per message and row on one core
    Core,
}

struct Measure {
    package: &'static str,
    example: &'static str,
    target: &'static str,
}

const CORE: [Measure; 3] = [
    Measure {
        package: "validator-core",
        example: "digest_rate",
        target: "digest + bag: at least 4 M rows/s per core (14 columns, 160 to 200 canonical bytes)",
    },
    Measure {
        package: "validator-tap",
        example: "decode_rate",
        target: "decode JSON, a part of poll + decode + digest: at most 2.0 µs CPU per message of 300 bytes",
    },
    Measure {
        package: "validator-tap",
        example: "avro_rate",
        target: "decode Avro, a part of poll + decode + digest: at most 1.3 µs CPU per message",
    },
];

/// Runs every measure in the release profile, one after the other.
pub fn run(what: &Bench) -> Done {
    let measures = match what {
        Bench::Core => &CORE,
    };
    for measure in measures {
        println!("\n== {} {}\ntarget    {}", measure.package, measure.example, measure.target);
        run_command(cargo(&[
            "run",
            "--quiet",
            "--release",
            "--locked",
            "-p",
            measure.package,
            "--example",
            measure.example,
        ]))?;
    }
    Ok(())
}
