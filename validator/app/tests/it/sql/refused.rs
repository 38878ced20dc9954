//! What is refused, and what is said then.

use insta::assert_snapshot;

use super::{ask, trades, written};

#[test]
fn what_is_wrong_is_pointed_at() {
    let folder = written(&trades());
    assert_snapshot!(ask(&folder, "", "SELECT pric FROM lake.market.trades").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT price\nFROM lake.market.trade").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT price FROM lakes.market.trades").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT price FRM lake.market.trades").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT price FROM lake.market.trades WHERE id > ").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT nofunc(price) FROM lake.market.trades").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT price FROM source.trade").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT price FROM kafka.trades").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT CAST(id AS INT) FROM lake.market.trades").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT * FROM trades").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT * FROM lake.market.\"trades$file\"").all(), @"");
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
