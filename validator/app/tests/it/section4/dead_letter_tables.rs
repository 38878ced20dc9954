//! **Pairing**, Precedence: dead letters in a table, and what says which message each is of.

use super::dead_letters::assert_says;
use crate::scene::Scene;
use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::table::Breakage;
use fixtures_kit::value::Value;

const TEXT: ColumnType = ColumnType::String;

fn scene() -> Scene {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 1@0 d 4 | 1@1 e 5");
    scene.file("0@0 a 1 | 0@2 c 3 | 1@1 e 5").fidelity("diverted_max = 1.0")
}

fn declared(scene: Scene, name: &str, more: &str) -> Scene {
    scene.fidelity(&format!("dead_letter = {{ table = \"lake.market.{name}\"{more} }}"))
}

/// Redpanda's table of what it could not translate, `topic~dlq`: the struct of its tables, and the value.
fn redpanda(rows: &[(i64, i64)]) -> Scene {
    let position = vec![Column::optional("partition", ColumnType::Int), Column::optional("offset", ColumnType::Long)];
    let columns = [("redpanda", ColumnType::Struct(position)), ("value", ColumnType::Binary)];
    let row = |(partition, offset): &(i64, i64)| {
        let position = [("partition".to_owned(), Value::long(*partition)), ("offset".to_owned(), Value::long(*offset))];
        vec![Value::Struct(position.to_vec()), Value::Null]
    };
    declared(scene().table_beside("trades~dlq", &columns, rows.iter().map(row).collect()), "trades~dlq", "")
}

#[test]
fn the_table_of_redpanda_needs_no_words() {
    assert_says(
        &redpanda(&[(0, 1), (1, 0)]),
        &["messages 5: 2 diverted, 3 intact", "diverted trades[0]@1", "diverted trades[1]@0"],
    );
    // Offset 1 of partition 1 is another message than offset 1 of partition 0, and has its row.
    assert_says(
        &redpanda(&[(1, 1)]),
        &["messages 5: 3 intact, 2 missing", "warning: dead letters name 1 message that have a row"],
    );
}

#[test]
fn columns_of_its_own_are_named() {
    let columns = [("t", TEXT), ("p", ColumnType::Long), ("o", ColumnType::Long), ("why", TEXT)];
    let row =
        |topic: Value, partition: Value, offset: i64| vec![topic, partition, Value::long(offset), Value::text("w")];
    let rows = vec![
        row(Value::text("trades"), Value::long(0), 1),
        row(Value::text("quotes"), Value::long(1), 0),
        row(Value::Null, Value::long(1), 0),
        row(Value::text("trades"), Value::Null, 0),
    ];
    let scene =
        declared(scene().table_beside("rejects", &columns, rows), "rejects", ", columns = [\"t\", \"p\", \"o\"]");
    assert_says(
        &scene,
        &[
            "diverted trades[0]@1",
            "missing lost trades[1]@0",
            "warning: 2 dead letters of 4 do not say which message they are of",
        ],
    );
}

/// The table of K2: `kafka_offset`, and no partition.
#[test]
fn an_offset_without_a_partition_is_refused_unless_the_topic_has_one() {
    let columns = [("raw_record", ColumnType::Binary), ("error_reason", TEXT), ("kafka_offset", ColumnType::Long)];
    let rows = || vec![vec![Value::Null, Value::text("bad"), Value::long(1)]];
    let several = scene().table_beside("silver_dlq_trades", &columns, rows());
    let named = ", columns = [\"kafka_offset\"]";
    assert_says(
        &declared(several.clone(), "silver_dlq_trades", named),
        &["error: kafka_offset alone does not say which message a dead letter is of: trades has 2 partitions"],
    );
    assert_says(
        &declared(several, "silver_dlq_trades", ""),
        &["error: lake.market.silver_dlq_trades has the columns of no known sink"],
    );
    let one = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("0@0 a 1 | 0@2 c 3");
    let one = one.fidelity("diverted_max = 1.0").table_beside("silver_dlq_trades", &columns, rows());
    assert_says(
        &declared(one, "silver_dlq_trades", named),
        &["error: kafka_offset alone does not say which message of a recording a dead letter is of"],
    );
}

#[test]
fn columns_that_are_not_there_or_hold_no_numbers_are_refused() {
    let columns = [("p", TEXT), ("o", ColumnType::Long)];
    let scene = || scene().table_beside("rejects", &columns, Vec::new());
    assert_says(
        &declared(scene(), "rejects", ", columns = [\"q\", \"o\"]"),
        &["error: the table of dead letters has no column q"],
    );
    assert_says(
        &declared(scene(), "rejects", ", columns = [\"p\", \"o\"]"),
        &["error: column p of the dead letters is string, not a whole number"],
    );
}

#[test]
fn a_table_that_cannot_be_read_ends_the_run() {
    let mut scene = redpanda(&[(0, 1)]);
    scene.beside[0].files[0].breakage = Some(Breakage::Missing);
    assert_says(&scene, &["error: read the dead letters in "]);
    let scene = declared(self::scene(), "nowhere", "");
    assert_says(&scene, &["error: open the table"]);
}

#[test]
fn positions_that_the_topic_does_not_have_are_none() {
    let rows: Vec<(i64, i64)> = (0..20).map(|n| (0, 1_000 + n)).collect();
    assert_says(
        &redpanda(&rows),
        &["error: 20 of 20 dead letters of lake.market.trades~dlq name offsets that the topic does not have"],
    );
}
