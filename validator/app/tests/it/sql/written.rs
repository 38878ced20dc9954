//! Answers in files: whole or not there, with the mode that they had, and `/dev/stdout` is stdout.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use super::{ask, trades, written};
use crate::scene::Folder;

const QUERY: &str = "SELECT id FROM lake.market.trades WHERE id IS NOT NULL ORDER BY id";

fn text(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.join(name)).expect("it is there")
}

fn mode(folder: &Folder, name: &str) -> u32 {
    fs::metadata(folder.join(name)).expect("it is there").permissions().mode() & 0o777
}

fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).expect("the folder is there").flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_file_keeps_its_mode_and_a_link_stays_a_link() {
    let folder = written(&trades());
    for format in ["table", "jsonl", "csv", "parquet"] {
        fs::write(folder.join("answer"), "before").expect("the folder takes files");
        fs::set_permissions(folder.join("answer"), Permissions::from_mode(0o640)).expect("it is ours");
        symlink("answer", folder.join("link")).expect("the folder takes links");
        let ran = ask(&folder, &format!("--format {format} --output link"), QUERY);
        assert_eq!(ran.all(), "exit 0\n", "{format}");
        assert_eq!(mode(&folder, "answer"), 0o640, "{format}");
        assert!(fs::symlink_metadata(folder.join("link")).expect("it is there").is_symlink(), "{format}");
        assert_ne!(fs::read(folder.join("answer")).expect("it is there"), b"before", "{format}");
        fs::remove_file(folder.join("link")).expect("it is there");
    }
    assert_eq!(ask(&folder, "--format csv --output new.csv", QUERY).exit, 0);
    assert_eq!(text(&folder, "new.csv"), "id\r\na\r\nb\r\nc\r\nd\r\n");
    assert!(!names(&folder).iter().any(|name| name.starts_with(".validator-")), "{:?}", names(&folder));
}

#[test]
fn a_query_that_fails_or_is_cut_leaves_the_old_file_untouched() {
    let folder = written(&trades());
    fs::write(folder.join("answer"), "before").expect("the folder takes files");
    let there = names(&folder);
    for (flags, query, exit) in [
        ("", "SELECT CAST(id AS INT) FROM lake.market.trades", 2),
        ("", "SELECT nothere FROM lake.market.trades", 2),
        ("--max-rows 2", QUERY, 3),
        ("--timeout 300ms", "SELECT count(*) FROM generate_series(1, 1000000000000000)", 3),
    ] {
        for format in ["table", "jsonl", "csv", "parquet"] {
            let ran = ask(&folder, &format!("--format {format} --output answer {flags}"), query);
            assert_eq!((ran.exit, ran.stdout.as_str()), (exit, ""), "{format} {query}\n{}", ran.all());
            assert_eq!(text(&folder, "answer"), "before", "{format} {query}");
            assert_eq!(names(&folder), there, "{format} {query}");
        }
    }
}

#[test]
fn dev_stdout_is_stdout() {
    let folder = written(&trades());
    for format in ["table", "jsonl", "csv"] {
        let plain = ask(&folder, &format!("--format {format}"), QUERY);
        let named = ask(&folder, &format!("--format {format} --output /dev/stdout"), QUERY);
        assert!(plain.exit == 0 && !plain.stdout.is_empty());
        assert_eq!(named, plain, "{format}");
    }
    let ran = Command::new(env!("CARGO_BIN_EXE_validator"))
        .args(["sql", "--format", "parquet", "--output", "/dev/stdout", QUERY])
        .current_dir(folder.path())
        .output()
        .expect("the binary runs");
    assert!(ran.status.success() && ran.stderr.is_empty(), "{ran:?}");
    fs::write(folder.join("piped.parquet"), &ran.stdout).expect("the folder takes files");
    let file = File::open(folder.join("piped.parquet")).expect("it is there");
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 100).expect("it is Parquet");
    assert_eq!(reader.map(|batch| batch.expect("a batch").num_rows()).sum::<usize>(), 4);
}

#[test]
fn dev_stdout_that_leads_to_a_file_goes_on_where_the_file_ends() {
    let folder = written(&trades());
    fs::write(folder.join("log"), "before\n").expect("the folder takes files");
    let log = OpenOptions::new().append(true).open(folder.join("log")).expect("it is there");
    let ended = Command::new(env!("CARGO_BIN_EXE_validator"))
        .args(["sql", "--format", "csv", "--output", "/dev/stdout", QUERY])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(log)
        .status()
        .expect("the binary runs");
    assert!(ended.success());
    assert_eq!(text(&folder, "log"), "before\nid\r\na\r\nb\r\nc\r\nd\r\n");
}

#[test]
fn a_place_that_takes_no_file_is_said_with_what_to_look_at() {
    let folder = written(&trades());
    let ran = ask(&folder, "--format csv --output nothere/answer.csv", QUERY);
    assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{}", ran.all());
    let ran = ask(&folder, "--format csv --output /dev/full", QUERY);
    assert_eq!((ran.exit, ran.stdout.as_str()), (3, ""), "{}", ran.all());
    assert!(ran.stderr.contains("write /dev/full"), "{}", ran.all());
    let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let ran = Command::new(env!("CARGO_BIN_EXE_validator"))
        .args(["sql", "--format", "csv", QUERY])
        .current_dir(folder.path())
        .stdout(full)
        .output()
        .expect("the binary runs");
    assert_eq!(ran.status.code(), Some(3));
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(said.contains("write to stdout") && !said.contains("--report"), "{said}");
}
