//! A system that gives fewer threads than were asked for.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{damaged, written};
use crate::scene::Folder;

const AS_OF: &str = "2024-08-08T14:00:00Z";

/// A user whose threads are counted: root's are not. Where tests are not run by root, the one who runs them.
fn user() -> (u32, bool) {
    let own = fs::metadata("/proc/self").expect("Linux has it").uid();
    if own == 0 { (600_000 + std::process::id() % 50_000, true) } else { (own, false) }
}

/// Threads that the user has already.
fn threads_of(user: u32) -> usize {
    let processes = fs::read_dir("/proc").expect("Linux has it").flatten().map(|entry| entry.path());
    let own = processes.filter(|path| fs::metadata(path).is_ok_and(|there| there.uid() == user));
    own.filter_map(|path| Some(fs::read_dir(path.join("task")).ok()?.count())).sum()
}

/// Lets everybody read what is below.
fn opened(path: &Path) {
    let mode = if path.is_dir() { 0o777 } else { 0o666 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    if path.is_dir() {
        fs::read_dir(path).expect("it is a folder").flatten().for_each(|entry| opened(&entry.path()));
    }
}

/// The binary where that user finds it.
fn binary(folder: &Folder) -> PathBuf {
    let (built, here) = (Path::new(env!("CARGO_BIN_EXE_validator")), folder.join("validator"));
    if fs::hard_link(built, &here).is_err() {
        fs::copy(built, &here).expect("the folder takes files");
    }
    here
}

fn run(folder: &Folder, binary: &Path, threads: usize, words: &str) -> Output {
    let (user, is_other) = user();
    let mut command = Command::new("prlimit");
    command.arg(format!("--nproc={}", threads_of(user) + threads)).arg("--").arg(binary);
    command.args(words.split_whitespace()).current_dir(folder.path()).stdin(Stdio::null());
    if is_other {
        command.uid(user).gid(user);
    }
    command.output().expect("util-linux has prlimit")
}

#[test]
fn a_run_judges_the_same_with_as_many_threads_as_there_are() {
    let folder = written(&damaged());
    opened(folder.path());
    let binary = binary(&folder);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let all = format!("reconcile pipeline.toml --as-of {AS_OF} --quiet --threads 1024 --findings");
    let free = run(&folder, &binary, 10_000, &format!("{all} free.jsonl"));
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(free.status.code(), Some(1), "{}", said(&free));
    let few = run(&folder, &binary, cores + 16, &format!("{all} few.jsonl"));
    assert_eq!(few.status.code(), Some(1), "{}", said(&few));
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("it was written");
    assert!(!said(&few).contains("panicked"), "{}", said(&few));
    assert_eq!(read("few.jsonl"), read("free.jsonl"));
}

#[test]
fn a_system_that_gives_hardly_any_thread_is_said_in_a_sentence() {
    let folder = written(&damaged());
    opened(folder.path());
    let binary = binary(&folder);
    for words in [
        &*format!("reconcile pipeline.toml --as-of {AS_OF}"),
        "check pipeline.toml",
        "sql SELECT/**/1",
        "demo --messages 50 --seed 1",
    ] {
        let output = run(&folder, &binary, 1, words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{words}: {said}");
        assert!(said.contains("threads") && !said.contains("panicked"), "{words}: {said}");
    }
}
