//! Streams that take nothing, words that are no UTF-8, numbers that no machine has: a documented exit code in any case.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{sound, written};
use crate::transcript::validator;

const FULL: &str = "/dev/full";

fn command(folder: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_validator"));
    command.args(words.split_whitespace()).current_dir(folder).env_clear().stdin(Stdio::null());
    command
}

fn full() -> File {
    File::options().write(true).open(FULL).expect("Linux has it")
}

#[test]
fn where_stderr_takes_nothing_the_exit_code_is_the_same() {
    let folder = written(&sound());
    for (words, exit) in
        [("check nope.toml", 2), ("reconcile nope", 2), ("reconcile pipeline.toml", 0), ("demo --messages 1", 2)]
    {
        let mut on_full = command(folder.path(), words);
        let status = on_full.stdout(Stdio::null()).stderr(full()).status().expect("the binary runs");
        assert_eq!(status.code(), Some(exit), "{words}, to {FULL}");
        // A pipe that nobody reads any more.
        let (reader, writer) = std::io::pipe().expect("the system has pipes");
        drop(reader);
        let mut on_pipe = command(folder.path(), words);
        let status = on_pipe.stdout(Stdio::null()).stderr(writer).status().expect("the binary runs");
        assert_eq!(status.code(), Some(exit), "{words}, to a closed pipe");
    }
}

#[test]
fn a_full_stdout_is_said_with_what_helps_in_every_command() {
    let folder = written(&sound());
    for words in
        ["check --offline pipeline.toml", "schema report", "completions bash", "man", "reconcile pipeline.toml"]
    {
        let output = command(folder.path(), words).stdout(full()).output().expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{words}: {said}");
        assert!(said.contains("error: write to stdout") && said.contains("hint:    `df -h`"), "{words}: {said}");
    }
}

#[test]
fn a_word_that_is_no_utf_8_costs_no_report() {
    let folder = written(&sound());
    let name = OsStr::from_bytes(b"v\xff.toml");
    fs::copy(folder.join("validator.toml"), folder.path().join(name)).expect("the folder takes files");
    let mut words = command(folder.path(), "reconcile --quiet --html r.html -c");
    let output = words.arg(name).arg("pipeline.toml").output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(!output.stdout.is_empty() && fs::read(folder.join("r.html")).is_ok(), "{said}");
}

#[test]
fn numbers_that_no_machine_has_are_refused_on_the_command_line() {
    let folder = written(&sound());
    for (words, says) in [
        ("reconcile pipeline.toml --threads 100000", "expected a whole number of threads, 1 to 1024"),
        ("reconcile pipeline.toml --threads 0", "expected a whole number of threads, 1 to 1024"),
        ("demo --messages 1", "expected a number of messages, 50 to 1000000"),
        ("demo --messages 18446744073709551615", "expected a number of messages, 50 to 1000000"),
    ] {
        let ran = validator(folder.path(), words).assert_no_panic();
        assert!(ran.exit == 2 && ran.stderr.contains(says), "{words}: {}", ran.all());
    }
    let most = validator(folder.path(), "reconcile pipeline.toml --quiet --threads 1024").assert_no_panic();
    assert_eq!(most.exit, 0, "{}", most.all());
    for seed in 1..=6 {
        let least = validator(folder.path(), &format!("demo --messages 50 --seed {seed}")).assert_no_panic();
        assert_eq!(least.exit, 0, "{}", least.all());
    }
}
