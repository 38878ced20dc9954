//! What is refused, and what is said then.

use insta::assert_snapshot;

use super::{ask, trades, written};

#[test]
fn what_is_wrong_is_pointed_at() {
    let folder = written(&trades());
    assert_snapshot!(ask(&folder, "", "SELECT pric FROM lake.market.trades").all(), @"
    exit 2
    --- stderr
    error: there is no column `pric`
     --> query:1:8
      |
    1 | SELECT pric FROM lake.market.trades
      |        ^^^^
      = hint: did you mean price?
    ");
    assert_snapshot!(ask(&folder, "", "SELECT price\nFROM lake.market.trade").all(), @"
    exit 2
    --- stderr
    error: table not found: lake.market.trade; did you mean lake.market.trades?
     --> query:2:6
      |
    2 | FROM lake.market.trade
      |      ^^^^^^^^^^^^^^^^^
      = hint: a table is catalog.namespace.table; SHOW TABLES lists what the pipelines name
    ");
    assert_snapshot!(ask(&folder, "", "SELECT price FROM lakes.market.trades").all(), @"
    exit 2
    --- stderr
    error: there is no catalog lakes in validator.toml
     --> query:1:19
      |
    1 | SELECT price FROM lakes.market.trades
      |                   ^^^^^^^^^^^^^^^^^^^
      = hint: did you mean lake?
    ");
    assert_snapshot!(ask(&folder, "", "SELECT price FRM lake.market.trades").all(), @"
    exit 2
    --- stderr
    error: the query does not parse: Expected: end of statement, found: lake
     --> query:1:18
      |
    1 | SELECT price FRM lake.market.trades
      |                  ^^^^^^^^^^^^^^^^^^
      = hint: `validator sql --help` has examples of queries
    ");
    assert_snapshot!(ask(&folder, "", "SELECT price FROM lake.market.trades WHERE id > ").all(), @"
    exit 2
    --- stderr
    error: the query does not parse: Expected: an expression, found: EOF
     --> query:1:48
      |
    1 | SELECT price FROM lake.market.trades WHERE id >
      |                                                ^
      = hint: the query ends too early: `validator sql --help` has examples of queries
    ");
    assert_snapshot!(ask(&folder, "", "SELECT rond(price) FROM lake.market.trades").all(), @"
    exit 2
    --- stderr
    error: there is no function `rond`
     --> query:1:8
      |
    1 | SELECT rond(price) FROM lake.market.trades
      |        ^^^^
      = hint: did you mean round?
    ");
    assert_snapshot!(ask(&folder, "", "SELECT price FROM source.trade").all(), @"
    exit 2
    --- stderr
    error: [service] names no pipeline trade
     --> query:1:19
      |
    1 | SELECT price FROM source.trade
      |                   ^^^^^^^^^^^^
      = hint: did you mean source.trades?
    ");
    assert_snapshot!(ask(&folder, "", "SELECT price FROM kafka.trades").all(), @r#"
    exit 2
    --- stderr
    error: there are no brokers: [kafka] is not in validator.toml
     --> query:1:19
      |
    1 | SELECT price FROM kafka.trades
      |                   ^^^^^^^^^^^^
      = hint: write [kafka] with `brokers = "localhost:9092"`
    "#);
    assert_snapshot!(ask(&folder, "", "SELECT CAST(id AS INT) AS n FROM lake.market.trades WHERE id = 'a'").all(), @"
    exit 2
    --- stderr
    error: the query fails on a value: Cast error: Cannot cast string 'a' to value of Int32 type
      = hint: TRY_CAST gives NULL where CAST fails; a condition leaves rows out
    ");
    assert_snapshot!(ask(&folder, "", "SELECT * FROM trades").all(), @"
    exit 2
    --- stderr
    error: there is no table trades
     --> query:1:15
      |
    1 | SELECT * FROM trades
      |               ^^^^^^
      = hint: a table is catalog.namespace.table; `--table trades=catalog.namespace.table` gives it this
              name
    ");
    assert_snapshot!(ask(&folder, "", "SELECT * FROM lake.market.\"trades$file\"").all(), @r#"
    exit 2
    --- stderr
    error: tables have no metadata table $file
     --> query:1:15
      |
    1 | SELECT * FROM lake.market."trades$file"
      |               ^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: did you mean "trades$files"?
    "#);
}

#[test]
fn what_can_be_named_is_listed() {
    let folder = written(&trades());
    assert_snapshot!(ask(&folder, "--table old=lake.market.trades@1001", "SHOW TABLES").all(), @"
    exit 0
    --- stdout
    name                kind      named_by
    ──────────────────  ────────  ──────────────────
    lake.market.trades  table     pipeline trades
    old                 table     lake.market.trades
    source.trades       messages  pipeline trades
    3 rows
    ");
    assert_snapshot!(ask(&folder, "--table old=lake.market.trades@1001", "SELECT * FROM odl").all(), @"
    exit 2
    --- stderr
    error: there is no table odl
     --> query:1:15
      |
    1 | SELECT * FROM odl
      |               ^^^
      = hint: did you mean old?
    ");
    assert_snapshot!(ask(&folder, "--table old=lake.market.trades@7", "SELECT * FROM old").all(), @r#"
    exit 2
    --- stderr
    error: snapshot 7 not found; the current snapshot is 1003
     --> query:1:15
      |
    1 | SELECT * FROM old
      |               ^^^
      = hint: "TABLE$snapshots" and "TABLE$refs" list the states that there are
    "#);
    assert_snapshot!(ask(&folder, "", "SELECT 1; SELECT 2").all(), @"
    exit 2
    --- stderr
    error: expected one query, found 2 statements
      = hint: `validator sql --help` has examples of queries
    ");
}

#[test]
fn local_files_are_out_of_reach() {
    let folder = written(&trades());
    std::fs::write(folder.join("a.csv"), "a,b\n1,2\n").expect("the folder takes files");
    for query in [
        "SELECT * FROM 'a.csv'",
        "SELECT * FROM \"a.csv\"",
        "SELECT * FROM read_csv('a.csv')",
        "SELECT * FROM \"/etc/passwd\"",
    ] {
        let ran = ask(&folder, "", query);
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{query}\n{}", ran.all());
    }
}

#[test]
fn brokers_that_do_not_answer_are_waited_for_no_longer_than_allowed() {
    let folder = written(&trades());
    folder.edit("validator.toml", "[catalogs.lake]", "[kafka]\nbrokers = \"127.0.0.1:9\"\n\n[catalogs.lake]");
    let begun = std::time::Instant::now();
    let said = ask(&folder, "--timeout 2s", "SELECT * FROM kafka.raw").all();
    // Whether it says before the end that the broker is silent is a matter of a few milliseconds.
    let lines: Vec<&str> = said.lines().filter(|line| !line.contains("does not answer and is asked for")).collect();
    assert_snapshot!(lines.join("\n"), @"
    exit 3
    --- stderr
    error: the answer is cut: it took longer than 2s
      hint:    `--timeout 20s` allows more; fewer columns, _offset and _partition of messages take less
    ");
    assert!(begun.elapsed() < std::time::Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn clauses_that_would_be_passed_over_are_refused() {
    let folder = written(&trades());
    let table = "SELECT count(*) FROM lake.market.trades";
    for clause in [
        "FOR SYSTEM_TIME AS OF TIMESTAMP '2020-01-01 00:00:00'",
        "VERSION AS OF 1001",
        "TIMESTAMP AS OF '2020-01-01'",
        "TABLESAMPLE (10 PERCENT)",
        "TABLESAMPLE BERNOULLI (10)",
        "FOR UPDATE",
        "WITH (NOLOCK)",
        "FETCH FIRST 1 ROWS ONLY",
        "LIMIT 1 BY id",
        "SETTINGS a = 1",
        "FORMAT JSON",
    ] {
        let ran = ask(&folder, "", &format!("{table} {clause}"));
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{clause}\n{}", ran.all());
    }
    for query in [
        "SELECT TOP 1 id FROM lake.market.trades",
        "SELECT id FROM lake.market.trades CLUSTER BY id",
        "SELECT id FROM lake.market.trades SORT BY id",
        "SELECT id FROM lake.market.trades PREWHERE id = 'a'",
    ] {
        let ran = ask(&folder, "", query);
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{query}\n{}", ran.all());
    }
}

#[test]
fn nothing_but_queries_is_taken() {
    let folder = written(&trades());
    for (statement, name) in [
        ("COPY lake.market.trades TO 'x.csv'", "COPY"),
        ("COPY (SELECT 1) TO 'x.csv' STORED AS CSV", "COPY"),
        ("CREATE TABLE x AS SELECT 1", "CREATE TABLE"),
        ("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'", "CREATE EXTERNAL TABLE"),
        ("CREATE VIEW x AS SELECT 1", "CREATE VIEW"),
        ("INSERT INTO lake.market.trades SELECT * FROM lake.market.trades", "INSERT"),
        ("UPDATE lake.market.trades SET id = 'x'", "UPDATE"),
        ("DELETE FROM lake.market.trades", "DELETE"),
        ("DROP TABLE lake.market.trades", "DROP TABLE"),
        ("SET datafusion.execution.batch_size = 1", "SET"),
        ("EXPLAIN INSERT INTO lake.market.trades SELECT 1", "INSERT"),
        ("EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'", "COPY"),
        ("SELECT 1 INTO x", "SELECT INTO"),
        ("WITH a AS (INSERT INTO lake.market.trades SELECT 1) SELECT 1", "INSERT"),
        ("SHOW ALL", "SHOW"),
        ("RESET datafusion.execution.batch_size", "RESET"),
        ("BEGIN", "BEGIN"),
    ] {
        let ran = ask(&folder, "", statement);
        assert_eq!(ran.exit, 2, "{statement}\n{}", ran.all());
        let said = format!("error: {name}");
        assert!(ran.stderr.starts_with(&said) || ran.stderr.contains("does not parse"), "{statement}\n{}", ran.all());
        assert!(!folder.join("x.csv").exists());
    }
}
