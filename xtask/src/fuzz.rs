//! Fuzzing by libFuzzer, on the stable compiler: its coverage counters are flags of code generation.
//!
//! The crates that read foreign bytes are instrumented, ours and the parsers below them; DataFusion and the C libraries
//! are not, which keeps the build small and the engine's eyes on what is fuzzed. Cargo has no flags for single packages,
//! so that this program stands in for rustc ([`as_rustc`]) and adds them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;

use crate::command::{Done, Failure, program, root, run as run_command, target_folder};

/// Set for the compiler that cargo starts while it builds the fuzzer.
const AS_RUSTC: &str = "VALIDATOR_FUZZ_RUSTC";
/// What the fuzzer's program reads, see fixtures/fuzz/src/main.rs.
const TARGET: &str = "VALIDATOR_FUZZ_TARGET";
const CRATE: &str = "fixtures/fuzz";

/// Crates whose branches the engine sees. None that a macro or a build script uses: those run without the engine.
const INSTRUMENTED: [&str; 8] = [
    "validator_core",
    "validator_tap",
    "validator_table",
    "validator_app",
    "fixtures_fuzz",
    "apache_avro",
    "iceberg",
    "parquet",
];

/// Counters per edge, their places, and the operands of comparisons. Optimised a little: twice the inputs a second.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Copt-level=1",
];

/// Seconds that one input may take before it counts as a hang.
const INPUT_SECONDS_MAX: u32 = 10;
/// Resident memory of the fuzzer, MiB: far more than any sound input of these sizes needs.
const MEMORY_MIB_MAX: u32 = 2_048;
/// Bytes of one input while it fuzzes.
const INPUT_BYTES_MAX: u32 = 65_536;
/// Bytes of one input that is kept in the repository.
const KEPT_BYTES_MAX: u32 = 8_192;

/// What to fuzz.
#[derive(Args)]
pub struct Fuzz {
    /// One target; all of them, one after the other, if left out
    target: Option<String>,
    /// How long each runs: `30s`, `10m`, `1h`
    #[arg(long = "for", default_value = "10m", value_parser = seconds)]
    seconds: u64,
    /// Afterwards keep the inputs that cover something in the repository's corpus, as few and as small as will do
    #[arg(long)]
    keep: bool,
}

fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no time such as 30s, 10m or 1h");
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

/// In the place of rustc when cargo builds the fuzzer: the compiler is the first argument.
pub fn as_rustc() -> Option<ExitCode> {
    std::env::var_os(AS_RUSTC)?;
    let mut arguments = std::env::args_os().skip(1);
    let mut rustc = Command::new(arguments.next()?);
    let arguments: Vec<OsString> = arguments.collect();
    rustc.args(&arguments).args(flags(&arguments));
    match rustc.status() {
        Ok(status) => Some(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))),
        Err(error) => {
            eprintln!("cannot start the compiler: {error}");
            Some(ExitCode::FAILURE)
        }
    }
}

/// What a crate gets beside cargo's own arguments. `___` is what cargo asks about the platform with.
fn flags(arguments: &[OsString]) -> Vec<&'static str> {
    let name = arguments.iter().position(|one| one == "--crate-name").and_then(|at| arguments.get(at + 1));
    let Some(name) = name.and_then(|name| name.to_str()) else { return Vec::new() };
    let mut flags = Vec::new();
    if name == "___" || name == "fixtures_fuzz" {
        flags.extend(["--cfg", "fuzzing"]);
    }
    if INSTRUMENTED.contains(&name) {
        flags.extend(COVERAGE);
    }
    flags
}

/// Builds the fuzzer and runs it.
pub fn run(fuzz: &Fuzz) -> Done {
    let known = targets()?;
    let chosen: Vec<&String> = match &fuzz.target {
        None => known.iter().collect(),
        Some(name) => known.iter().filter(|one| *one == name).collect(),
    };
    if chosen.is_empty() {
        return Err(Failure::Check(format!("no such target; there are {}", known.join(", "))));
    }
    let folder = folder();
    let fuzzer = build(&folder)?;
    for target in chosen {
        println!("\n== {target}");
        let seen = folder.join("corpus").join(target);
        fuzz_one(&fuzzer, target, &seen, fuzz.seconds)?;
        if fuzz.keep {
            keep(&fuzzer, target, &seen)?;
        }
    }
    Ok(())
}

/// The folders of the corpus are the targets: a test holds them together.
fn targets() -> Result<Vec<String>, Failure> {
    let corpus = root().join(CRATE).join("corpus");
    let failed = |error: std::io::Error| Failure::Machine(format!("cannot read {}: {error}", corpus.display()));
    let mut names = Vec::new();
    for entry in fs::read_dir(&corpus).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Apart from the ordinary build, whose crates are not instrumented.
fn folder() -> PathBuf {
    target_folder().join("fuzz")
}

fn build(folder: &Path) -> Result<PathBuf, Failure> {
    let own =
        std::env::current_exe().map_err(|error| Failure::Machine(format!("cannot find this program: {error}")))?;
    // Cargo takes another wrapper for another compiler and builds anew; this program changes with every change of it.
    let wrapper = folder.join("rustc-with-coverage");
    let same = fs::read(&wrapper).is_ok_and(|bytes| fs::read(&own).is_ok_and(|own| own == bytes));
    if !same {
        // Renamed into its place: a build that was stopped may still have the old one running.
        let fresh = folder.join("rustc-with-coverage.new");
        let copied = fs::create_dir_all(folder).and_then(|()| fs::copy(&own, &fresh).map(drop));
        copied
            .and_then(|()| fs::rename(&fresh, &wrapper))
            .map_err(|error| Failure::Machine(format!("cannot write {}: {error}", wrapper.display())))?;
    }
    program("fixtures-fuzz", |build| {
        build.args(["build", "--workspace", "--locked", "--bin", "fixtures-fuzz", "--target-dir"]).arg(folder);
        build.env("RUSTC_WRAPPER", &wrapper).env(AS_RUSTC, "1").env("CARGO_INCREMENTAL", "0");
    })
}

fn fuzz_one(fuzzer: &Path, target: &str, seen: &Path, seconds: u64) -> Done {
    let finds = seen.with_file_name(format!("{target}-finds"));
    for folder in [seen, &finds] {
        fs::create_dir_all(folder)
            .map_err(|error| Failure::Machine(format!("cannot make {}: {error}", folder.display())))?;
    }
    let mut command = Command::new(fuzzer);
    command.env(TARGET, target).current_dir(root());
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-timeout={INPUT_SECONDS_MAX}"));
    command.arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}")).arg(format!("-max_len={INPUT_BYTES_MAX}"));
    command
        .arg(format!("-artifact_prefix={}/", finds.display()))
        .args(["-print_final_stats=1", "-use_value_profile=1"]);
    let dictionary = root().join(CRATE).join("dictionaries").join(target);
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    // What is new goes into the first folder.
    command.arg(seen).arg(kept(target));
    run_command(command).map_err(|failure| match failure {
        Failure::Check(text) => Failure::Check(format!("{text}; the input is in {}", finds.display())),
        machine => machine,
    })
}

/// Reduces all inputs to those that cover something, and puts them into the repository.
fn keep(fuzzer: &Path, target: &str, seen: &Path) -> Done {
    let fresh = seen.with_file_name(format!("{target}-kept"));
    let failed = |error: std::io::Error| Failure::Machine(format!("cannot keep the corpus of {target}: {error}"));
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(failed)?;
    }
    fs::create_dir_all(&fresh).map_err(failed)?;
    let mut command = Command::new(fuzzer);
    command.env(TARGET, target).current_dir(root());
    command.arg("-merge=1").arg(format!("-max_len={KEPT_BYTES_MAX}")).arg(&fresh).arg(kept(target)).arg(seen);
    run_command(command)?;
    for file in fs::read_dir(&fresh).map_err(failed)? {
        let file = file.map_err(failed)?;
        fs::copy(file.path(), kept(target).join(file.file_name())).map_err(failed)?;
    }
    Ok(())
}

fn kept(target: &str) -> PathBuf {
    root().join(CRATE).join("corpus").join(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags_of(words: &str) -> Vec<&'static str> {
        flags(&words.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn only_crates_that_read_foreign_bytes_are_instrumented() {
        assert_eq!(flags_of("--crate-name iceberg --edition=2024 src/lib.rs"), COVERAGE);
        assert_eq!(flags_of("--crate-name datafusion src/lib.rs"), [""; 0]);
        assert_eq!(flags_of("-vV"), [""; 0]);
    }

    #[test]
    fn cargo_and_the_fuzzer_are_told_that_this_is_fuzzing() {
        assert_eq!(flags_of("- --crate-name ___ --print=cfg"), ["--cfg", "fuzzing"]);
        assert_eq!(flags_of("--crate-name fixtures_fuzz src/main.rs")[..2], ["--cfg", "fuzzing"]);
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(["30s", "10m", "1h"].map(|text| seconds(text).ok()), [Some(30), Some(600), Some(3_600)]);
        assert!(["", "10", "m", "1d", "-1s", "99999999999999999999h"].iter().all(|text| seconds(text).is_err()));
    }

    #[test]
    fn every_target_has_its_folder_in_the_corpus() {
        let text =
            fs::read_to_string(root().join(CRATE).join("src/lib.rs")).expect("the targets are in the repository");
        let targets = targets().expect("the corpus is in the repository");
        assert!(!targets.is_empty() && targets.iter().all(|name| text.contains(&format!("{name:?}"))), "{targets:?}");
    }
}
