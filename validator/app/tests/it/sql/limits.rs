//! What keeps a query from running away, and that an answer which is cut says so.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use fixtures_harness::{Look, wait_until};
use insta::assert_snapshot;

use super::{ask, trades, written};

/// Reads for days.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 1000000000000000)";

#[test]
fn more_rows_than_allowed_are_cut_and_said() {
    let folder = written(&trades());
    let query = "SELECT id FROM lake.market.trades WHERE id IS NOT NULL ORDER BY id";
    assert_snapshot!(ask(&folder, "--max-rows 2", query).all(), @"
    exit 3
    --- stdout
    id
    ──
    a
    b
    2 rows
    --- stderr
    error: the answer is cut: it has more than 2 rows
      hint:    `--max-rows 20` allows more; LIMIT asks for fewer
    ");
    assert_snapshot!(ask(&folder, "--max-rows 2 --format jsonl", query).all(), @r#"
    exit 3
    --- stdout
    {"id":"a"}
    {"id":"b"}
    --- stderr
    error: the answer is cut: it has more than 2 rows
      hint:    `--max-rows 20` allows more; LIMIT asks for fewer
    "#);
    assert_eq!(ask(&folder, "--max-rows 4 --format jsonl", query).exit, 0);
    let ran = ask(&folder, "", "SELECT value FROM generate_series(1, 1001)");
    assert_eq!((ran.exit, ran.stdout.lines().count()), (3, 1_003), "the default of a table is 1,000 rows");
}

#[test]
fn a_query_that_takes_too_long_ends() {
    assert_snapshot!(ask(&written(&trades()), "--timeout 300ms", ENDLESS).all(), @"
    exit 3
    --- stderr
    error: the answer is cut: it took longer than 300ms
      hint:    `--timeout 3s` allows more; fewer columns, _offset and _partition of messages take less
    ");
}

#[test]
fn a_query_that_needs_too_much_memory_ends() {
    let folder = written(&trades());
    folder.edit("validator.toml", "[service]\n", "[service]\nmemory = \"1MB\"\n");
    let query = "SELECT length(string_agg(CAST(value AS VARCHAR), ',')) FROM generate_series(1, 5000000)";
    let ran = ask(&folder, "", query);
    assert_snapshot!(ran.stderr.lines().filter(|line| !line.contains("because")).collect::<Vec<_>>().join("\n"), @"
    error: answer the query
      hint:    `[service] memory` in validator.toml says how much a query may take; fewer columns or
               rows need less
    ");
    assert_eq!(ran.exit, 3);
}

#[test]
fn what_is_too_large_to_be_planned_is_refused() {
    let folder = written(&trades());
    let deep = format!("SELECT {}1", "1+".repeat(3_000));
    assert_snapshot!(ask(&folder, "", &deep).stderr, @"
    error: the query has 3000 operators, and at most 500 are taken
      = hint: `validator sql --help` has examples of queries
    ");
    let fits = format!("SELECT {}1 AS n", "1+".repeat(450));
    let ran = ask(&folder, "--format jsonl", &fits);
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, "{\"n\":451}\n"), "{}", ran.stderr);
    let nested = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert_eq!(ask(&folder, "", &nested).exit, 2);
}

#[test]
fn a_query_may_come_from_stdin() {
    use std::io::Write;
    let folder = written(&trades());
    let mut child = Command::new(env!("CARGO_BIN_EXE_validator"))
        .args(["sql", "--format", "jsonl", "-"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(b"SELECT count(*) AS n\nFROM lake.market.trades;\n").expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"n\":5}\n");
}

#[test]
fn ctrl_c_ends_it_and_leaves_nothing_behind() {
    let folder = written(&trades());
    let begun = |folder: &Path| {
        let mut entries = std::fs::read_dir(folder).expect("the folder is there").flatten();
        entries.any(|entry| entry.file_name().to_string_lossy().starts_with(".validator-"))
    };
    let child = Command::new(env!("CARGO_BIN_EXE_validator"))
        .args(["sql", "--format", "csv", "--output", "a.csv", ENDLESS])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let started = wait_until("the query to begin", Duration::from_secs(60), || match begun(folder.path()) {
        true => Look::Done(()),
        false => Look::NotYet("no file yet".to_owned()),
    });
    started.expect("it begins");
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there");
    assert!(signalled.success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(said.contains("the answer is cut: interrupted"), "{said}");
    assert!(!begun(folder.path()) && !folder.join("a.csv").exists());
}

#[test]
fn a_function_that_makes_far_more_than_it_is_given_is_weighed_first() {
    let folder = written(&trades());
    folder.edit("validator.toml", "[service]\n", "[service]\nmemory = \"64MiB\"\n");
    let series = "FROM generate_series(1, 1)";
    for (made, function) in [
        ("length(repeat('x', 1000000000))", "repeat"),
        ("length(repeat('x', value * 1000000000))", "repeat"),
        ("length(lpad('x', value * 1000000000))", "lpad"),
        ("length(rpad('x', 1000000000, 'é'))", "rpad"),
        ("array_length(array_repeat(value, 1000000000))", "array_repeat"),
        ("array_length(list_resize([value], 1000000000, 0))", "array_resize"),
        ("array_length(generate_series(1, value * 1000000000))", "generate_series"),
        ("array_length(range(0, 1000000000))", "range"),
        ("length(replace(repeat('x', value * 100000), 'x', repeat('y', 10000)))", "replace"),
        ("length(regexp_replace(repeat('x', value * 100000), 'x', repeat('y', 10000), 'g'))", "regexp_replace"),
        ("length(array_to_string(array_repeat(value, 100000), repeat('y', 10000)))", "array_to_string"),
    ] {
        let query = format!("SELECT {made} AS n {series}");
        // Without the weight, the process itself would be ended.
        let words = format!("ulimit -v 6000000; exec \"$0\" sql \"{query}\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &words, env!("CARGO_BIN_EXE_validator")]).current_dir(folder.path()).stdin(Stdio::null());
        let output = shell.output().expect("there is a shell");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{made}: {said}");
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("`{function}` would make ")), "{made}: {said}");
        assert!(words.contains("for a batch of 1024 rows"), "{made}: {said}");
        assert!(words.contains(", and at most 33554432 are taken"), "{made}: {said}");
    }
    let fits = "SELECT length(repeat('x', 30000)) AS a, lpad('7', 3, '0') AS b, replace('a,b', ',', ', ') AS c, \
                array_length(generate_series(1, 1000)) AS d, concat('x', value, NULL) AS e, \
                concat_ws('-', 'a', NULL, 'b') AS f, regexp_replace('abc', '(b)', '[\\1]') AS g, \
                array_to_string([1, 2], '+') AS h, array_resize([1], 2, 0) AS i, array_repeat('x', 2) AS j, \
                range(DATE '2024-01-01', DATE '2024-01-03', INTERVAL '1 day') AS k FROM generate_series(1, 1)";
    assert_snapshot!(ask(&folder, "--format jsonl", fits).all(), @r#"
    exit 0
    --- stdout
    {"a":30000,"b":"007","c":"a, b","d":1000,"e":"x1","f":"a-b","g":"a[b]c","h":"1+2","i":[1,0],"j":["x","x"],"k":["2024-01-01","2024-01-02"]}
    "#);
}
