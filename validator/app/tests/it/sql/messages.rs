//! Topics and recorded sources.

use insta::assert_snapshot;

use super::{ask, trades, written};

#[test]
fn a_recorded_source_has_its_positions_and_its_fields() {
    let folder = written(&trades());
    let query = "SELECT * FROM source.trades ORDER BY _partition, _offset";
    assert_snapshot!(ask(&folder, "", query).all(), @"");
    assert_snapshot!(ask(&folder, "", "SELECT _topic, id, price FROM source.trades WHERE _partition = 0 AND _offset > 0").all(), @"");
}
