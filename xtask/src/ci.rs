//! The stages that must hold: one list for `cargo xtask ci`, `cargo xtask test` and `.ci/run`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::{Done, Failure, built, cargo, run as run_command, run_as_ci};
use crate::{demos, docs, package, packages, prerequisites, tidy};

/// Demo seeds in CI; `cargo xtask demos` runs more.
const DEMO_SEEDS: u64 = 5;

type Stage = (&'static str, fn() -> Done);

/// Cheap checks first, so that a slip costs seconds; what needs the whole build last.
const STAGES: [Stage; 10] = [
    ("format", || run_command(cargo(&["fmt", "--all", "--check"]))),
    ("tidy", tidy::run),
    ("packages", packages::check),
    ("prefetch", || run_command(Command::new(built("prefetch")?))),
    ("clippy", || run_command(cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))),
    ("rustdoc", rustdoc),
    ("reference", || docs::run_docs(&docs::Docs::CHECK)),
    ("demos", || demos::run(&demos::Demos::first(DEMO_SEEDS))),
    ("package", package::check),
    ("tests", tests),
];

/// Makes the machine ready, runs every stage, and prints what each took.
pub fn run(as_ci: bool) -> Done {
    if as_ci {
        run_as_ci();
    }
    prerequisites::ensure()?;
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for (name, stage) in STAGES {
        println!("\n== {name}");
        let started = Instant::now();
        let done = stage();
        times.push((name, started.elapsed()));
        if let Err(failure) = done {
            report(&times);
            return Err(match failure {
                Failure::Check(text) => Failure::Check(format!("{name} failed: {text}")),
                Failure::Machine(text) => Failure::Machine(format!("{name} could not run: {text}")),
            });
        }
    }
    report(&times);
    println!("all {} stages hold", STAGES.len());
    Ok(())
}

fn report(times: &[(&str, Duration)]) {
    println!("\n== time per stage");
    for (name, time) in times {
        println!("{name:<10} {:>8.1} s", time.as_secs_f64());
    }
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    println!("{:<10} {:>8.1} s", "total", total.as_secs_f64());
}

fn rustdoc() -> Done {
    let mut command = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    run_command(command)
}

/// `cargo test`, shown as it runs, with the closing lines of all test binaries once more at the end.
fn tests() -> Done {
    let command = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    println!("$ cargo test --workspace --locked --no-fail-fast");
    let (success, closing) = tee(command, |line| line.starts_with("test result:") || line.ends_with("... FAILED"))?;
    println!(
        "\n== closing lines of {} test binaries",
        closing.iter().filter(|line| line.starts_with("test result:")).count()
    );
    closing.iter().for_each(|line| println!("{line}"));
    let passed: u64 = closing.iter().filter_map(|line| passed(line)).sum();
    println!("{passed} tests passed");
    if success { Ok(()) } else { Err(Failure::Check("`cargo test` failed, see the lines above".into())) }
}

fn tee(mut command: Command, keep: impl Fn(&str) -> bool) -> Result<(bool, Vec<String>), Failure> {
    let failed = |error: std::io::Error| Failure::Machine(format!("cannot run `cargo test`: {error}"));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut kept = Vec::new();
    let mut out = std::io::stdout().lock();
    for line in BufReader::new(child.stdout.take().expect("piped")).split(b'\n') {
        let line = String::from_utf8_lossy(&line.map_err(failed)?).into_owned();
        writeln!(out, "{line}").map_err(failed)?;
        if keep(&line) {
            kept.push(line);
        }
    }
    Ok((child.wait().map_err(failed)?.success(), kept))
}

/// The count in `test result: ok. 12 passed; …`.
fn passed(line: &str) -> Option<u64> {
    let words: Vec<&str> = line.strip_prefix("test result:")?.split_whitespace().collect();
    let at = words.iter().position(|word| word.starts_with("passed"))?;
    words[at.checked_sub(1)?].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_of_a_test_binary_is_counted() {
        assert_eq!(passed("test result: ok. 12 passed; 0 failed; 0 ignored"), Some(12));
        assert_eq!(passed("test result: FAILED. 3 passed; 1 failed; 0 ignored"), Some(3));
        assert_eq!(passed("test kafka::passed ... ok"), None);
    }
}
