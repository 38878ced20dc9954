//! The four formats.

use insta::assert_snapshot;

use super::{ask, trades, written};

#[test]
fn formats() {
    let folder = written(&trades());
    let query = "SELECT id, price, at, CAST(at AS TIMESTAMP) AS local, 9007199254740993 AS big, 1.5e0 AS f, X'00ff' AS bytes, [1,2] AS list, NULL AS n, '=1+1' AS formula FROM lake.market.trades ORDER BY id LIMIT 2";
    assert_snapshot!(ask(&folder, "--format jsonl", query).all(), @"");
    assert_snapshot!(ask(&folder, "--format csv", query).all(), @"");
    assert_snapshot!(ask(&folder, "--format parquet --output a.parquet", query).all(), @"");
}
