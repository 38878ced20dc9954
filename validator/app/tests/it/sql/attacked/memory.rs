//! Queries whose values grow from step to step: each ends by a sentence, and none by the system.

use std::process::{Command, Stdio};

use super::{ask, rows, trades, written};
use crate::scene::Folder;

/// Text of a few letters, of one row; not known before the query runs.
const SEED: &str = "SELECT CAST(value AS VARCHAR) AS a FROM generate_series(1, 1)";

/// 64 MiB of memory, of which one operator may fill half for a batch.
fn small() -> Folder {
    let folder = written(&trades());
    folder.edit("validator.toml", "[service]\n", "[service]\nmemory = \"64MiB\"\n");
    folder
}

/// What is said of a query that is refused as it grows. The process has 3 GB and a minute, and needs neither.
fn refused(folder: &Folder, query: &str) -> String {
    let words = "ulimit -v 3000000; exec timeout 60 \"$0\" sql --format jsonl --timeout 50s \"$1\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", words, env!("CARGO_BIN_EXE_validator"), query]).current_dir(folder.path()).stdin(Stdio::null());
    let output = shell.output().expect("there is a shell");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{query}: {said}");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("bytes for a batch of 1024 rows") && said.contains("33554432 are taken"), "{query}: {said}");
    said
}

/// The step, again and again, each over the one before.
fn steps(of: &str, step: &str, count: usize) -> String {
    let parts = (1..=count).map(|n| format!("t{n} AS (SELECT {step} AS a FROM t{})", n - 1));
    let parts = parts.collect::<Vec<_>>().join(", ");
    format!("WITH t0 AS ({of}), {parts} SELECT count(a) AS n FROM t{count} WHERE a IS NOT NULL")
}

#[test]
fn what_doubles_from_sub_query_to_sub_query_is_refused_as_it_grows() {
    let folder = small();
    let said = refused(&folder, &steps(SEED, "a || a", 35));
    assert!(said.contains("`||` would make "), "{said}");
    // The planner writes one step into the next of some functions, so that many steps take it longer than is allowed.
    let long = "SELECT repeat('x', value * 100000) AS a FROM generate_series(1, 1)";
    let list = "SELECT array_repeat(value, 100000) AS a FROM generate_series(1, 1)";
    for (of, step, function) in [
        (long, "concat(a, a)", "`concat`"),
        (long, "repeat(a, 2)", "`repeat`"),
        (long, "overlay(a PLACING a FROM 1 FOR 0)", "`overlay`"),
        (long, "array_to_string(make_array(a, a), '')", "`array_to_string`"),
        (long, "encode(CAST(a AS BYTEA), 'hex')", "`encode`"),
        (list, "a || a", "`array_concat`"),
        (list, "array_concat(a, a)", "`array_concat`"),
    ] {
        let said = refused(&folder, &steps(of, step, 10));
        assert!(said.contains(&format!("{function} would make ")), "{step}: {said}");
    }
    // It triples: ten steps would be sixty thousand expressions.
    let said = refused(&folder, &steps(long, "concat_ws(a, a, a)", 7));
    assert!(said.contains("`concat_ws` would make "), "{said}");
    let seed = "SELECT repeat('x', value * 100000) AS a FROM generate_series(1, 1)";
    let nested = (0..10).fold(seed.to_owned(), |inner, _| format!("SELECT a || a AS a FROM ({inner})"));
    assert!(refused(&folder, &format!("SELECT length(a) AS n FROM ({nested})")).contains("`||` would make "));
}

#[test]
fn what_doubles_in_each_round_of_a_recursion_is_refused_as_it_grows() {
    let query = "WITH RECURSIVE r AS (SELECT 'x' AS a, 1 AS n UNION ALL SELECT a || a, n + 1 FROM r WHERE n < 60) \
                 SELECT max(length(a)), max(n) FROM r";
    assert!(refused(&small(), query).contains("`||` would make "));
}

#[test]
fn all_that_is_made_of_one_batch_is_weighed_together() {
    let folder = small();
    let row = |value: &dyn Fn(usize) -> String, of: &str| {
        let columns: Vec<String> = (0..200).map(|n| format!("{} AS a{n}", value(n))).collect();
        format!(
            "SELECT count(a0), count(a199) FROM (SELECT {} FROM {of} LIMIT 9999) WHERE a1 <> a198",
            columns.join(", ")
        )
    };
    let one = "generate_series(1, 1)";
    let said = refused(&folder, &row(&|n| format!("repeat('x', value * 20000000 + {n})"), one));
    assert!(said.contains("beside 20000"), "{said}");
    let whole = |call: &str| format!("SELECT {call} AS n FROM {one}");
    let calls: Vec<String> = (0..200).map(|n| format!("repeat('x', value * 20000000 + {n})")).collect();
    refused(&folder, &whole(&format!("length(concat({}))", calls.join(", "))));
    let texts = "(SELECT repeat('x', value * 20000000) AS a, value FROM generate_series(1, 1))";
    for value in [
        |n: usize| format!("upper(a || {n})"),
        |n: usize| format!("replace(a, 'y', '{n}')"),
        |n: usize| format!("substr(a, {n})"),
        |n: usize| format!("CASE value WHEN {n} THEN '' ELSE a END"),
        |n: usize| format!("reverse(rpad(a, 20000000 + {n}))"),
    ] {
        refused(&folder, &row(&value, texts));
    }
}

#[test]
fn constants_that_stand_in_each_row_are_weighed_together() {
    let folder = small();
    let columns = |value: &str| {
        let columns: Vec<String> = (0..100).map(|n| format!("{value} AS a{n}")).collect();
        columns.join(", ")
    };
    let many = "generate_series(1, 5000)";
    let repeated = format!("SELECT {} FROM {many}", columns("repeat('x', 30000)"));
    assert!(refused(&folder, &repeated).contains("a constant would make "));
    let named = format!("SELECT {} FROM (SELECT '{}' AS x FROM {many})", columns("x"), "x".repeat(60_000));
    refused(&folder, &named);
    // One row of them is no more than they are.
    let one = rows(&folder, "", &format!("SELECT {}", columns("repeat('x', 30000)")));
    assert_eq!((one.len(), one[0].len()), (1, 100 * (30_000 + 8) + 91));
}

#[test]
fn long_chains_of_small_values_are_answered() {
    let folder = small();
    let chain = (0..300).map(|n| format!(" || '{}'", n % 10)).collect::<String>();
    let query = format!(
        "SELECT count(*) AS n, max(length(a)) AS l FROM (SELECT id{chain} AS a FROM source.trades, \
                         generate_series(1, 2000)) WHERE a IS NOT NULL"
    );
    assert_eq!(rows(&folder, "", &query), [r#"{"n":8000,"l":301}"#]);
    let names = "SELECT id || '-' || id, concat(id, 1), CASE id WHEN 'a' THEN id || 'x' ELSE upper(id) END, NULL || id, \
                 [id] || ['z'] FROM lake.market.trades WHERE id < 'c' ORDER BY id";
    let said = ask(&folder, "--format csv", names).all();
    insta::assert_snapshot!(said, @r#"
    exit 0
    --- stdout
    "lake.market.trades.id || Utf8(""-"") || lake.market.trades.id","concat(lake.market.trades.id,Int64(1))","CASE lake.market.trades.id WHEN Utf8(""a"") THEN lake.market.trades.id || Utf8(""x"") ELSE upper(lake.market.trades.id) END",NULL || lake.market.trades.id,"array_concat(make_array(lake.market.trades.id),make_array(Utf8(""z"")))"
    a-a,a1,ax,,"[""a"",""z""]"
    b-b,b1,B,,"[""b"",""z""]"
    "#);
    let grouped = "SELECT id || 'x' AS g, count(*) AS n, max(id || 'y') AS m FROM lake.market.trades WHERE id < 'c' \
                   GROUP BY id || 'x' ORDER BY id || 'x'";
    assert_eq!(rows(&folder, "", grouped), [r#"{"g":"ax","n":1,"m":"ay"}"#, r#"{"g":"bx","n":1,"m":"by"}"#]);
}
