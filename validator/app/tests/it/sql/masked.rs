//! What a pipeline masks is not read, unless it is asked for.

use std::fs;

use insta::assert_snapshot;

use super::{ask, rows, trades, written};
use crate::scene::{Folder, Scene};

/// No answer may hold it.
const MARK: &str = "secretmarker";

fn scene(mask: &str) -> Scene {
    let message = format!("0@0 {MARK} 1 | 0@1 b 2.125");
    Scene::offset().topic(&message).file(&message).section(&format!("[compare]\nmask = [{mask}]"))
}

/// Refused before anything is read: nothing on stdout, and the value nowhere.
fn refused(folder: &Folder, flags: &str, query: &str) -> String {
    let ran = ask(folder, flags, query);
    assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{query}\n{}", ran.all());
    assert!(!ran.stderr.contains(MARK) && ran.stderr.contains("masks"), "{query}\n{}", ran.all());
    ran.stderr
}

#[test]
fn a_query_that_reads_a_masked_column_is_refused() {
    let folder = written(&scene("\"id\""));
    assert_snapshot!(refused(&folder, "", "SELECT price, id FROM lake.market.trades"), @"
    error: `id` holds values that pipeline trades masks
     --> query:1:15
      |
    1 | SELECT price, id FROM lake.market.trades
      |               ^^
      = hint: `SELECT * EXCEPT (id)` does without; `--unmasked` reads all
    ");
    assert_snapshot!(refused(&folder, "", "SELECT * FROM source.trades"), @"
    error: `_error`, `_key`, `_value`, `id` hold values that pipeline trades masks
      = hint: `SELECT * EXCEPT (_error, _key, _value, id)` does without; `--unmasked` reads all
    ");
    for query in [
        "SELECT * FROM lake.market.trades",
        "SELECT price FROM lake.market.trades WHERE id = 'b'",
        "SELECT price FROM lake.market.trades ORDER BY id",
        "SELECT count(id) FROM lake.market.trades",
        "SELECT count(*) FROM lake.market.trades GROUP BY id",
        "SELECT count(*) FROM (SELECT DISTINCT id FROM lake.market.trades)",
        "SELECT a.price FROM lake.market.trades a JOIN lake.market.trades b ON a.id = b.id",
        "SELECT price FROM lake.market.trades t WHERE EXISTS (SELECT 1 FROM source.trades s WHERE s.id = t.id)",
        "SELECT (SELECT max(id) FROM lake.market.trades) AS greatest",
        "WITH t AS (SELECT * FROM lake.market.trades) SELECT id FROM t",
        "SELECT first_value(id) OVER (ORDER BY price) FROM lake.market.trades",
        "EXPLAIN SELECT id FROM lake.market.trades",
        "EXPLAIN ANALYZE SELECT id FROM lake.market.trades",
        "SELECT CAST(id AS INT) FROM lake.market.trades",
        "SELECT _value FROM source.trades",
        "SELECT _key FROM source.trades",
        "SELECT _error FROM source.trades",
        "SELECT lower_bounds FROM lake.market.\"trades$files\"",
        "SELECT upper_bounds FROM lake.market.\"trades$files\"",
        "SELECT * FROM lake.market.\"trades$files\"",
    ] {
        refused(&folder, "", query);
    }
    for query in ["SELECT id FROM named", "SELECT upper_bounds FROM \"named$files\""] {
        refused(&folder, "--table named=lake.market.trades", query);
    }
}

#[test]
fn what_needs_no_masked_column_is_answered() {
    let folder = written(&scene("\"id\""));
    for query in [
        "SELECT count(*) AS n FROM lake.market.trades",
        "SELECT count(*) AS n FROM (SELECT * FROM lake.market.trades)",
        "SELECT count(*) AS n FROM source.trades",
        "SELECT count(price) AS n FROM source.trades",
        "SELECT sum(record_count) AS n FROM lake.market.\"trades$files\"",
    ] {
        assert_eq!(rows(&folder, "", query), [r#"{"n":2}"#], "{query}");
    }
    let except = "SELECT * EXCEPT (id) FROM lake.market.trades ORDER BY price";
    assert_snapshot!(rows(&folder, "", except).join("\n"), @r#"
    {"topic":"trades","partition":0,"offset":0,"price":"1.00000000","at":"2024-08-08T12:00:00.000000Z"}
    {"topic":"trades","partition":0,"offset":1,"price":"2.12500000","at":"2024-08-08T12:00:00.000000Z"}
    "#);
    let except = "SELECT * EXCEPT (_error, _key, _value, id) FROM source.trades ORDER BY _offset";
    assert_snapshot!(rows(&folder, "", except).join("\n"), @r#"
    {"_topic":"trades","_partition":0,"_offset":0,"_timestamp":"2024-08-08T12:00:00.000000Z","_headers":{},"price":"1.00000000","at":"2024-08-08T12:00:00.000000Z"}
    {"_topic":"trades","_partition":0,"_offset":1,"_timestamp":"2024-08-08T12:00:00.000000Z","_headers":{},"price":"2.12500000","at":"2024-08-08T12:00:00.000000Z"}
    "#);
    assert_eq!(ask(&folder, "", "DESCRIBE lake.market.trades").exit, 0);
    assert_eq!(ask(&folder, "", "SHOW TABLES").exit, 0);
    assert_eq!(ask(&folder, "", "SELECT * FROM lake.market.\"trades$snapshots\"").exit, 0);
    let sizes = "SELECT column_sizes FROM lake.market.\"trades$files\"";
    assert_eq!(ask(&folder, "", sizes).exit, 0);
}

#[test]
fn who_asks_for_masked_columns_by_a_flag_reads_them() {
    let folder = written(&scene("\"id\""));
    let table = rows(&folder, "--unmasked", "SELECT id FROM lake.market.trades ORDER BY price LIMIT 1");
    assert_eq!(table, [format!(r#"{{"id":"{MARK}"}}"#)]);
    let messages = rows(&folder, "--unmasked", "SELECT id, _error FROM source.trades ORDER BY _offset LIMIT 1");
    assert_eq!(messages, [format!(r#"{{"id":"{MARK}","_error":null}}"#)]);
    assert_eq!(rows(&folder, "--unmasked", "SELECT upper_bounds FROM lake.market.\"trades$files\"").len(), 1);
    // Without pipelines in [service] there is nothing to hold to.
    folder.edit("validator.toml", "pipelines = [\"pipe*.toml\"]", "");
    assert_eq!(rows(&folder, "", "SELECT id FROM lake.market.trades").len(), 2);
}

#[test]
fn a_field_that_a_masked_column_is_made_of_is_not_read_either() {
    let scene = scene("\"id\"").section("[map]\nid = \"lower(raw)\"");
    let scene = scene.payload(9, format!(r#"{{"raw": "{MARK}", "price": "1", "at": "2024-08-08T12:00:00Z"}}"#));
    let folder = written(&scene);
    refused(&folder, "", "SELECT raw FROM source.trades");
    refused(&folder, "", "SELECT price FROM source.trades WHERE upper(raw) LIKE 'S%'");
    assert_eq!(rows(&folder, "", "SELECT count(price) AS n FROM source.trades"), [r#"{"n":3}"#]);
}

#[test]
fn a_pipeline_that_cannot_be_read_leaves_no_mask_unknown() {
    let folder = written(&scene("\"id\""));
    fs::write(folder.join("pipe-other.toml"), "[pipeline\n").expect("the folder takes files");
    let ran = ask(&folder, "", "SELECT id FROM lake.market.trades");
    assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{}", ran.all());
    assert!(ran.stderr.contains("pipe-other.toml"), "{}", ran.all());
    assert_eq!(ask(&folder, "--unmasked", "SELECT id FROM lake.market.trades").exit, 0);
}

#[test]
fn a_refused_query_writes_no_header_and_leaves_the_file() {
    let folder = written(&scene("\"id\""));
    refused(&folder, "--format csv", "SELECT price, id FROM lake.market.trades");
    fs::write(folder.join("a.csv"), "before").expect("the folder takes files");
    refused(&folder, "--format csv --output a.csv", "SELECT price, id FROM lake.market.trades");
    assert_eq!(fs::read_to_string(folder.join("a.csv")).expect("it is there"), "before");
}

#[test]
fn a_table_that_no_pipeline_masks_is_read_as_before() {
    let folder = written(&trades());
    assert_eq!(rows(&folder, "", "SELECT id FROM lake.market.trades WHERE id = 'a'"), [r#"{"id":"a"}"#]);
}
