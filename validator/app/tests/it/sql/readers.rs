//! Readers that go away, readers that pause, and Ctrl-C: how a command ends then.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use fixtures_harness::{Look, wait_until};

use super::{trades, written};

/// Far longer than any of it takes.
const WITHIN: Duration = Duration::from_secs(60);
/// What a pipe takes at once.
const PAGE: libc::c_int = 4_096;
/// More than a pipe holds, and than anyone waits for.
const MUCH: &str = "SELECT value, repeat('x', 1000) AS text FROM generate_series(1, 1000000000000)";

/// The command over a folder, its streams in our hands.
fn begin(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_validator"))
        .arg("sql")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs")
}

/// Waits for the end; a command that does not end is ended, and the test fails.
fn end(mut child: Child) -> Output {
    let ended = wait_until("the command to end", WITHIN, || match child.try_wait() {
        Ok(Some(_)) => Look::Done(()),
        other => Look::NotYet(format!("{other:?}")),
    });
    if ended.is_err() {
        let _ = child.kill();
    }
    ended.expect("it ends");
    child.wait_with_output().expect("it has ended")
}

fn interrupt(child: &Child) {
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there");
    assert!(signalled.success());
}

/// A line of `/proc/PID/status`, as hexadecimal.
fn mask_of(child: &Child, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    u64::from_str_radix(line.trim(), 16).unwrap_or(0)
}

/// Whether the pipe behind the command's stdout takes no more.
fn is_full(child: &Child) -> bool {
    let pipe = child.stdout.as_ref().expect("it is piped").as_raw_fd();
    let mut waiting: libc::c_int = 0;
    // SAFETY: the descriptor is open as long as the child is ours, and the place is ours.
    let (asked, size) =
        unsafe { (libc::ioctl(pipe, libc::FIONREAD, &mut waiting), libc::fcntl(pipe, libc::F_GETPIPE_SZ)) };
    assert!(asked == 0 && size > PAGE, "{}", std::io::Error::last_os_error());
    // A write begins a page of its own where it does not fit into the last one.
    waiting > size - 3 * PAGE
}

#[test]
fn a_reader_that_has_enough_ends_it_with_0_and_without_a_word() {
    let folder = written(&trades());
    let most = ["--max-rows", "1000000000000"];
    for format in [&["--format", "jsonl"][..], &["--format", "csv"]] {
        for output in [&[][..], &["--output", "/dev/stdout"]] {
            let mut child = begin(folder.path(), &[format, output, &most, &[MUCH]].concat());
            let mut first = String::new();
            let mut reader = BufReader::new(child.stdout.take().expect("it is piped"));
            reader.read_line(&mut first).expect("it can be read");
            assert!(!first.is_empty());
            drop(reader);
            let output = end(child);
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            assert_eq!(output.status.code(), Some(0));
        }
    }
    // A table comes when it is whole: a thousand rows of a thousand characters.
    let table = MUCH.replace("1000000000000", "1000");
    let parquet = "SELECT md5(CAST(value AS VARCHAR)) AS a FROM generate_series(1, 300000)";
    for arguments in [&["--format", "table", &table][..], &["--format", "parquet", "--output", "/dev/stdout", parquet]]
    {
        let mut child = begin(folder.path(), arguments);
        let mut reader = child.stdout.take().expect("it is piped");
        reader.read_exact(&mut [0; 4]).expect("it can be read");
        drop(reader);
        let output = end(child);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_pauses_keeps_neither_ctrl_c_nor_the_timeout_waiting() {
    let folder = written(&trades());
    let most = ["--format", "jsonl", "--max-rows", "1000000000000"];
    let child = begin(folder.path(), &[&most[..], &[MUCH]].concat());
    let stuck = wait_until("the pipe to be full", WITHIN, || match is_full(&child) {
        true => Look::Done(()),
        false => Look::NotYet("it takes more".to_owned()),
    });
    stuck.expect("nobody reads");
    interrupt(&child);
    let output = end(child);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the answer is cut: interrupted"));

    let child = begin(folder.path(), &[&most[..], &["--timeout", "1s", MUCH]].concat());
    let output = end(child);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("it took longer than 1s"));
}

#[test]
fn ctrl_c_ends_the_wait_for_brokers_and_a_computation_of_constants() {
    let folder = written(&trades());
    folder.edit("validator.toml", "[catalogs.lake]", "[kafka]\nbrokers = \"127.0.0.1:9\"\n\n[catalogs.lake]");
    for query in ["SELECT * FROM kafka.raw", "SELECT count(*) FROM generate_series(1, 1000000000000000)"] {
        let child = begin(folder.path(), &[query]);
        // From the moment on that it heeds the signal.
        let heeds = wait_until("the signal to be heeded", WITHIN, || match mask_of(&child, "SigCgt:") & 0b10 {
            0 => Look::NotYet("SIGINT is not caught".to_owned()),
            _ => Look::Done(()),
        });
        heeds.expect("it begins");
        interrupt(&child);
        let output = end(child);
        assert_eq!(output.status.code(), Some(3), "{query}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"), "{query}");
        assert!(output.stdout.is_empty() || query.contains("generate_series"), "{query}");
    }
}
