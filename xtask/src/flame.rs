//! Flame graphs on demand: the validator's release build under `perf`, drawn by inferno.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;

use crate::bench;
use crate::command::{Done, Failure, program, root, run as run_command, target_folder};

/// Stacks a second: not a round number, so that the samples keep no step with anything periodic.
const SAMPLES_PER_SECOND: &str = "997";
/// Bytes of stack that are kept of each sample. Stacks are unwound by the tables that exceptions use, since Rust keeps no
/// frame pointers; plans of DataFusion are deep.
const CALL_GRAPH: &str = "dwarf,32768";

/// What to look at.
#[derive(Args)]
pub struct Flame {
    /// Arguments of `validator`, behind `--`
    #[arg(last = true, required = true)]
    arguments: Vec<OsString>,
}

/// A program that this needs, and how to get it.
struct Tool {
    name: &'static str,
    get: &'static str,
}

const TOOLS: [Tool; 3] = [
    Tool { name: "perf", get: "apt-get install linux-perf" },
    Tool { name: "inferno-collapse-perf", get: "cargo install inferno" },
    Tool { name: "inferno-flamegraph", get: "cargo install inferno" },
];

/// Records one run and draws it.
pub fn run(flame: &Flame) -> Done {
    ensure(|name| {
        let mut probe = Command::new(name);
        probe.arg("--help").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    })?;
    let binary = program("fixtures-bench", bench::build)?;
    let folder = target_folder().join("flame");
    let failed = |error: std::io::Error| Failure::Machine(format!("cannot write into {}: {error}", folder.display()));
    fs::create_dir_all(&folder).map_err(failed)?;
    let recorded = folder.join("perf.data");
    let mut perf = Command::new("perf");
    perf.args(["record", "-F", SAMPLES_PER_SECOND, "--call-graph", CALL_GRAPH, "-o"]).arg(&recorded);
    perf.arg("--").arg(binary).arg("validator").args(&flame.arguments).current_dir(root());
    // perf ends as the validator does, and 1 is a verdict.
    if let Err(failure) = run_command(perf)
        && !fs::metadata(&recorded).is_ok_and(|file| file.len() > 0)
    {
        return Err(failure);
    }
    let graph = folder.join("flame.svg");
    draw(&recorded, &graph).map_err(failed)??;
    println!("{}", graph.display());
    Ok(())
}

/// `perf script | inferno-collapse-perf | inferno-flamegraph`, each a process of its own.
fn draw(recorded: &Path, graph: &Path) -> std::io::Result<Done> {
    let mut script = Command::new("perf");
    script.args(["script", "--no-inline", "-i"]).arg(recorded);
    let mut script = script.stdout(Stdio::piped()).spawn()?;
    let mut collapse = Command::new("inferno-collapse-perf");
    collapse.stdin(script.stdout.take().expect("piped"));
    let mut collapse = collapse.stdout(Stdio::piped()).spawn()?;
    let mut flame = Command::new("inferno-flamegraph");
    flame.stdin(collapse.stdout.take().expect("piped")).stdout(File::create(graph)?);
    let drawn = flame.status()?;
    let done = script.wait()?.success() && collapse.wait()?.success() && drawn.success();
    Ok(if done { Ok(()) } else { Err(Failure::Check("no flame graph could be drawn of the samples".into())) })
}

/// Says what is not there and how to get it.
fn ensure(there: impl Fn(&str) -> bool) -> Done {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !there(tool.name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = missing.iter().map(|tool| format!("  {}: {}", tool.name, tool.get)).collect();
    Err(Failure::Machine(format!("a flame graph needs what is not there:\n{}", lines.join("\n"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_way_to_get_it() {
        let said =
            |there: fn(&str) -> bool| ensure(there).map_err(|failure| (failure.exit_code(), failure.to_string()));
        assert_eq!(said(|_| true), Ok(()));
        let (code, text) = said(|name| name == "perf").expect_err("inferno is not there");
        assert_eq!(code, 2);
        assert_eq!(
            text,
            "a flame graph needs what is not there:\n  inferno-collapse-perf: cargo install inferno\n  \
             inferno-flamegraph: cargo install inferno"
        );
        let (_, text) = said(|_| false).expect_err("nothing is there");
        assert!(text.contains("perf: apt-get install linux-perf"), "{text}");
    }
}
