//! The real binary as a service: started, ended, killed, and asked what its ledger knows.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fixtures_harness::{ChildProcess, Look};
use serde_json::Value as Json;

use super::answers::lines;
use crate::transcript;

/// A run that has everything at hand needs a second or two to be idle; a loaded machine much longer.
const IDLE_WITHIN: Duration = Duration::from_secs(180);
/// What a stop may take, and a little for the process to go.
pub const STOP_WITHIN: Duration = Duration::from_secs(10);

/// `validator run` in a folder.
pub fn command(folder: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_validator"));
    command.args(words.split_whitespace()).current_dir(folder).env_clear();
    command
}

/// A running service.
pub struct Service {
    child: ChildProcess,
}

impl Service {
    /// Starts `validator run`, its talk in `run.log`.
    pub fn start(folder: &Path) -> Self {
        Self::start_as(folder, "run -c validator.toml")
    }

    /// Starts it with these words.
    pub fn start_as(folder: &Path, words: &str) -> Self {
        let child = ChildProcess::spawn("validator run", command(folder, words), &folder.join("run.log"));
        Self { child: child.expect("the binary starts") }
    }

    /// Starts a member of a fleet, its talk in `run-NAME.log`.
    pub fn start_member(folder: &Path, name: &str) -> Self {
        Self::start_member_with(folder, name, "")
    }

    /// The same with more words.
    pub fn start_member_with(folder: &Path, name: &str, words: &str) -> Self {
        let command = command(folder, &format!("run -c validator.toml {words} --member {name}"));
        let child = ChildProcess::spawn(&format!("member {name}"), command, &folder.join(format!("run-{name}.log")));
        Self { child: child.expect("the binary starts") }
    }

    /// Starts it by a command of one's own.
    pub fn start_by(folder: &Path, command: Command) -> Self {
        let child = ChildProcess::spawn("validator run", command, &folder.join("run.log"));
        Self { child: child.expect("the command starts") }
    }

    /// The process.
    pub fn child(&mut self) -> &mut ChildProcess {
        &mut self.child
    }

    /// SIGKILL.
    pub fn kill(self) {
        self.child.kill();
    }

    /// SIGTERM; the exit code, and how long it took.
    ///
    /// # Panics
    /// When it takes longer than a minute.
    pub fn stop(mut self) -> (Option<i32>, Duration) {
        let asked = Instant::now();
        self.child.ask_to_end();
        let ended = self.child_ended(Duration::from_secs(60));
        (ended, asked.elapsed())
    }

    /// Its exit code, once it has ended.
    ///
    /// # Panics
    /// When that takes longer.
    pub fn child_ended(&mut self, within: Duration) -> Option<i32> {
        let ended = fixtures_harness::wait_until("the end of validator run", within, || match self.child.ended() {
            Some(status) => Look::Done(status.code()),
            None => Look::NotYet("it runs".into()),
        });
        ended.unwrap_or_else(|why| panic!("{why}\n{}", self.child.log_tail()))
    }
}

/// `validator run --until-idle 1s`; its exit code.
///
/// # Panics
/// When it is not idle in time, or fails.
pub fn run_until_idle(folder: &Path) -> i32 {
    let mut service = Service::start_as(folder, "run -c validator.toml --until-idle 1s");
    let code = service.child_ended(IDLE_WITHIN);
    let code = code.unwrap_or_else(|| panic!("a signal ended it:\n{}", service.child.log_tail()));
    assert!([0, 1, 3].contains(&code), "it ended with {code}:\n{}", service.child.log_tail());
    code
}

/// Report and open findings of the pipeline, as the ledger knows them.
///
/// # Panics
/// When they cannot be had.
pub fn told(folder: &Path, pipeline: &str) -> (Json, Vec<Json>) {
    let ask = |words: String| {
        let output = command(folder, &words).output().expect("the binary runs");
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code();
        assert!(
            code.is_some_and(|code| [0, 1, 3].contains(&code)) && !talk.contains("panicked"),
            "{words}: {code:?}\n{talk}"
        );
        String::from_utf8(output.stdout).expect("answers are UTF-8")
    };
    let report = ask(format!("report -c validator.toml --pipeline {pipeline} --format json"));
    let findings = ask(format!("findings -c validator.toml --pipeline {pipeline} --format jsonl"));
    let report = serde_json::from_str(&report).unwrap_or_else(|why| panic!("{why}: {report}"));
    (report, lines(&findings).into_iter().filter(is_open).collect())
}

fn is_open(finding: &Json) -> bool {
    finding.get("state").is_none_or(|state| state == "open")
}

/// `validator ledger verify` finds it sound.
///
/// # Panics
/// When it does not.
pub fn assert_sound(folder: &Path) {
    let ran = transcript::run(folder, "ledger verify -c validator.toml", &[]).assert_no_panic();
    assert_eq!(ran.exit, 0, "{}", ran.all());
}
