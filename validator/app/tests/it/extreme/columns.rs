//! Five thousand columns.

use std::fmt::Write as _;

use fixtures_kit::schema::{Column, ColumnType, number};
use fixtures_kit::value::Value;

use super::{judged, written};
use crate::scene::Scene;

const COLUMNS: usize = 5_000;
const MESSAGES: i64 = 3;

/// The value of a column in a message.
fn value(message: i64, column: usize) -> i64 {
    message * 1_000_003 + column as i64
}

#[test]
fn five_thousand_columns_are_judged_and_the_one_that_differs_is_named() {
    let mut scene = Scene::offset();
    let own = scene.table.columns.len();
    let names: Vec<String> = (own..COLUMNS).map(|column| format!("c{column:04}")).collect();
    scene.table.columns.extend(names.iter().map(|name| Column::optional(name, ColumnType::Long)));
    number(&mut scene.table.columns);
    for message in 0..MESSAGES {
        let mut payload = "{\"id\": \"a\", \"price\": \"1\", \"at\": \"2024-08-08T12:00:00Z\"".to_owned();
        for (column, name) in names.iter().enumerate() {
            write!(payload, ", \"{name}\": {}", value(message, column)).expect("a string takes text");
        }
        scene = scene.payload(message, payload + "}");
    }
    scene = scene.file("0@0 a 1 | 0@1 a 1 | 0@2 a 1");
    for (message, row) in (0..).zip(&mut scene.table.files[0].rows) {
        row.values.extend((0..names.len()).map(|column| Value::long(value(message, column))));
    }
    scene.table.files[0].rows[1].values[4_321] = Value::long(-1);
    let judged = judged(written(&scene).path());
    assert_eq!(judged.counts(), "consumed 3, corrupted 1, intact 2 | corrupted 1, intact 2, total 3");
    let columns = judged.findings[0]["columns"].as_array().expect("the columns that differ");
    assert_eq!(columns.len(), 1);
    assert_eq!(columns[0]["name"], "c4321");
    assert!(judged.mib < 600, "{} MiB for three rows", judged.mib);
}
