//! Tables and their metadata.

use insta::assert_snapshot;

use super::{ask, rows, trades, written};

#[test]
fn a_table_is_shown_as_the_query_sorts_it() {
    let folder = written(&trades());
    let query = "SELECT id, price, at FROM lake.market.trades ORDER BY id DESC NULLS LAST";
    assert_snapshot!(ask(&folder, "", query).all(), @"");
}

#[test]
fn metadata_tables_tell_what_the_metadata_says() {
    let folder = written(&trades());
    assert_snapshot!(ask(&folder, "", "SELECT * FROM lake.market.\"trades$snapshots\"").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT * FROM lake.market.\"trades$history\"").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT * FROM lake.market.\"trades$refs\"").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT * FROM lake.market.\"trades$partitions\"").all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT * FROM lake.market.\"trades$files\"").all(), @"");
}

#[test]
fn virtual_columns_are_there_where_they_are_named() {
    let folder = written(&trades());
    assert_snapshot!(rows(&folder, "", "SELECT *, _pos FROM lake.market.trades ORDER BY id, _pos").join("\n"), @"");
}

#[test]
fn limit_explain_describe() {
    let folder = written(&trades());
    assert_snapshot!(ask(&folder, "", "EXPLAIN ANALYZE SELECT id FROM lake.market.trades LIMIT 2").all(), @"");
    assert_snapshot!(ask(&folder, "", "DESCRIBE lake.market.trades").all(), @"");
    assert_snapshot!(ask(&folder, "", "SHOW TABLES").all(), @"");
    assert_snapshot!(ask(&folder, "--table old=lake.market.trades@1001", "SELECT count(*) FROM old").all(), @"");
    assert_snapshot!(ask(&folder, "--max-rows 2", "SELECT id FROM lake.market.trades").all(), @"");
}
