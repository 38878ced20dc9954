//! Brokers that do not answer: somebody who waits is told so, and what for.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{sound, written};
use crate::scene::Folder;

/// A port that nobody listens at any more, and a folder whose brokers are there.
fn silent() -> (Folder, String) {
    let folder = written(&sound());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the system has ports");
    let broker = listener.local_addr().expect("it is bound").to_string();
    drop(listener);
    let file = folder.join("validator.toml");
    let service = std::fs::read_to_string(&file).expect("it was written");
    std::fs::write(&file, format!("{service}\n[kafka]\nbrokers = \"{broker}\"\n")).expect("the folder takes files");
    folder.edit("pipeline.toml", "\n[source]\nfiles = [\"topic.jsonl\"]\nenvelope = \"kcat\"\n", "");
    (folder, broker)
}

/// The first line on stderr and when it came, the rest, and the exit code.
fn waited(folder: &Folder, arguments: &[&str]) -> (String, Duration, String, Option<i32>) {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_validator"))
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut said = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut first = String::new();
    said.read_line(&mut first).expect("UTF-8");
    let after = begun.elapsed();
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("UTF-8");
    (first, after, rest, child.wait().expect("it ends").code())
}

#[test]
fn a_broker_that_does_not_answer_is_named_within_three_seconds() {
    let (folder, broker) = silent();
    let commands: [&[&str]; 5] = [
        &["reconcile", "pipeline.toml"],
        &["reconcile", "pipeline.toml", "--dry-run"],
        &["check", "pipeline.toml"],
        &["init", "--topic", "trades", "--table", "lake.market.trades"],
        &["sql", "SELECT * FROM kafka.trades"],
    ];
    std::thread::scope(|scope| {
        for arguments in commands {
            let (folder, broker) = (&folder, &broker);
            scope.spawn(move || {
                let (first, after, rest, exit) = waited(folder, arguments);
                let begins = format!("{broker} does not answer and is asked for ");
                assert!(first.starts_with(&begins), "{arguments:?}: {first}{rest}");
                let left = first[begins.len()..].split(' ').next().and_then(|left| left.parse::<u64>().ok());
                assert!(left.is_some_and(|left| (20..=29).contains(&left)), "{arguments:?}: {first}");
                assert!(first.contains("Connection refused"), "{arguments:?}: {first}");
                // The debug binary takes part of a second to begin, and other tests run beside it.
                assert!(after < Duration::from_secs(5), "{arguments:?}: after {after:?}");
                assert!(!rest.contains("does not answer"), "once is enough: {rest}");
                assert!(rest.contains("no broker answered") || rest.contains(broker.as_str()), "{rest}");
                assert_eq!(exit, Some(3), "{arguments:?}: {rest}");
            });
        }
    });
}

#[test]
fn who_asks_for_quiet_is_told_at_the_end_only() {
    let (folder, _) = silent();
    let (first, after, _, exit) = waited(&folder, &["reconcile", "pipeline.toml", "--quiet"]);
    assert!(first.starts_with("error: "), "{first}");
    assert!(after > Duration::from_secs(20) && exit == Some(3), "{after:?} {exit:?}");
}
