//! Input far beyond what anyone means to send: each is judged to its last byte or refused by name, in bounded memory.

mod columns;
mod deep;
mod messages;
mod partitions;
mod values;

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use fixtures_harness::{Look, wait_until};
use serde_json::Value as Json;

use crate::scene::{Folder, Scene};

/// Writes the scene.
fn written(scene: &Scene) -> Folder {
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    runtime.block_on(scene.write())
}

/// A run of the real binary that made a report.
struct Judged {
    report: Json,
    findings: Vec<Json>,
    /// Greatest resident memory.
    mib: i64,
}

impl Judged {
    /// The counts that are not 0: `consumed 2, intact 2 | intact 2, total 2`.
    fn counts(&self) -> String {
        let side = |name: &str| {
            let counts = self.report[name].as_object().expect("counts are an object");
            let told = counts.iter().filter(|(_, count)| count.as_u64().is_some_and(|count| count > 0));
            let mut told: Vec<String> = told.map(|(name, count)| format!("{name} {count}")).collect();
            told.sort();
            told.join(", ")
        };
        format!("{} | {}", side("messages"), side("rows"))
    }
}

/// `validator reconcile pipeline.toml` in a folder, judged two hours after the epoch of scenes.
fn judged(folder: &Path) -> Judged {
    let words = "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --report report.json --findings findings.jsonl";
    let mut command = Command::new(env!("CARGO_BIN_EXE_validator"));
    command.args(words.split(' ')).current_dir(folder).env_clear();
    let said = folder.join("said");
    let out = File::create(&said).expect("the folder takes files");
    command.stdin(Stdio::null()).stdout(out.try_clone().expect("one more handle")).stderr(out);
    let mib = run_to_end(command);
    let read = |name: &str| {
        let said = std::fs::read_to_string(&said).unwrap_or_default();
        std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}\n{said}"))
    };
    let json = |text: &str| serde_json::from_str(text).expect("reports and findings are JSON");
    Judged { report: json(&read("report.json")), findings: read("findings.jsonl").lines().map(json).collect(), mib }
}

/// For the dev build on a busy machine.
const WITHIN: Duration = Duration::from_secs(300);

/// Runs a command to its end; its greatest resident memory in MiB.
///
/// Looked at as it runs: what the system tells of an ended child also holds what its parent had when it was started.
fn run_to_end(mut command: Command) -> i64 {
    let mut child = command.spawn().expect("the binary runs");
    let mut mib = 0;
    let ended = wait_until("the validator to end", WITHIN, || {
        mib = resident_mib(child.id()).max(mib);
        match child.try_wait() {
            Ok(Some(status)) => Look::Done(status),
            Ok(None) => Look::NotYet(format!("it runs, with {mib} MiB")),
            Err(error) => Look::Never(error.to_string()),
        }
    });
    let status = ended.unwrap_or_else(|error| {
        let _ = child.kill().and_then(|()| child.wait().map(drop));
        panic!("{error}")
    });
    assert!(status.code().is_some(), "a signal ended it: {status}");
    mib
}

/// The greatest resident memory of a process so far; 0 when it has ended.
fn resident_mib(process: u32) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|line| line.split_whitespace().next()?.parse::<i64>().ok()).unwrap_or(0) / 1024
}
