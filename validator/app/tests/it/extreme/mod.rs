//! Input far beyond what anyone means to send: each is judged to its last byte or refused by name, in bounded memory.

mod all_wrong;
mod columns;
mod deep;
mod messages;
mod partitions;
mod values;

use std::path::Path;
use std::process::Command;

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
    mib: u64,
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
    let ended = fixtures_harness::measure(&mut command).expect("the binary runs");
    let read = |name: &str| {
        std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}\n{}", ended.printed))
    };
    let json = |text: &str| serde_json::from_str(text).expect("reports and findings are JSON");
    Judged {
        report: json(&read("report.json")),
        findings: read("findings.jsonl").lines().map(json).collect(),
        mib: ended.resident_bytes >> 20,
    }
}
