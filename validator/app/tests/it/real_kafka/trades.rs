//! Numbered trades: what each message says, and the row that it should be.

use fixtures_kit::schema::{Column, ColumnType, number};
use fixtures_kit::table::{DataFile, Operation, Row, Snapshot, Table};
use fixtures_kit::value::Value;

/// Places of the columns of [`columns`].
pub const TOPIC: usize = 0;
pub const OFFSET: usize = 2;
pub const ID: usize = 3;
pub const PRICE: usize = 4;

/// The columns: position, then what the payload says.
pub fn columns() -> Vec<Column> {
    let mut columns = vec![
        Column::optional("topic", ColumnType::String),
        Column::optional("partition", ColumnType::Int),
        Column::optional("offset", ColumnType::Long),
        Column::optional("id", ColumnType::Long),
        Column::optional("price", ColumnType::Decimal { precision: 18, scale: 8 }),
        Column::optional("venue", ColumnType::String),
    ];
    number(&mut columns);
    columns
}

/// The price of a trade, with eight digits after the point.
pub fn price(id: i64) -> (i128, u8) {
    (6_183_763_000_000 + i128::from(id) * 1_000_001, 8)
}

/// The venue of a trade; every fifth names none.
pub fn venue(id: i64) -> Option<String> {
    (id % 5 != 0).then(|| format!("venue-{}-é", id % 3))
}

/// The payload of a trade as JSON, the price as text.
pub fn payload(id: i64) -> Vec<u8> {
    let (unscaled, scale) = price(id);
    let price = fixtures_kit::value::Number::new(unscaled, scale).text_at_scale(scale);
    let venue = venue(id).map_or_else(|| "null".to_owned(), |venue| format!("{venue:?}"));
    format!(r#"{{"id":{id},"price":"{price}","venue":{venue}}}"#).into_bytes()
}

/// The row of a trade at a position.
pub fn row(topic: &str, partition: i32, offset: i64, id: i64) -> Vec<Value> {
    let (unscaled, scale) = price(id);
    vec![
        Value::text(topic),
        Value::long(partition.into()),
        Value::long(offset),
        Value::long(id),
        Value::decimal(unscaled, scale),
        venue(id).map_or(Value::Null, Value::Text),
    ]
}

/// The same row with another value in one column.
pub fn with(mut row: Vec<Value>, column: usize, value: Value) -> Vec<Value> {
    row[column] = value;
    row
}

/// A table `market.trades` of these columns: each file (`data/00000.parquet`, …) by an append of its own, committed now.
pub fn table(columns: Vec<Column>, files: Vec<Vec<Vec<Value>>>) -> Table {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let append = |(index, id)| Snapshot {
        id,
        commit_ms: now_ms,
        operation: Operation::Append,
        added: vec![index],
        removed: Vec::new(),
    };
    let snapshots: Vec<Snapshot> = (0..files.len()).zip(1..).map(append).collect();
    let file = |(index, rows): (usize, Vec<Vec<Value>>)| DataFile {
        path: format!("data/{index:05}.parquet"),
        rows: rows.into_iter().map(|values| Row { values, labels: Vec::new() }).collect(),
        row_group_rows: 1_000,
        partition: Vec::new(),
        bounds: true,
        breakage: None,
        record_count_error: 0,
    };
    Table {
        namespace: "market".to_owned(),
        name: "trades".to_owned(),
        columns,
        partitioning: Vec::new(),
        judged: snapshots.len().checked_sub(1),
        files: files.into_iter().enumerate().map(file).collect(),
        snapshots,
        deletes: Vec::new(),
        equality_deletes: false,
    }
}

/// The pipeline file of a topic of JSON trades into `lake.market.trades`, tied by offset.
pub fn pipeline(topic: &str) -> String {
    pipeline_with(topic, "")
}

/// The same with more lines of `[pipeline]`.
pub fn pipeline_with(topic: &str, lines: &str) -> String {
    head(topic, lines) + "[identity]\nmode = \"offset\"\ncolumns = [\"topic\", \"partition\", \"offset\"]\n"
}

/// The same tied by the trade's id, with more lines of `[pipeline]`.
pub fn pipeline_by_id(topic: &str, lines: &str) -> String {
    head(topic, lines) + "[identity]\nmode = \"key\"\ncolumns = [\"id\"]\n" + WITHOUT_POSITION
}

/// The same tied by nothing but the content.
pub fn pipeline_by_content(topic: &str, lines: &str) -> String {
    head(topic, lines) + "[identity]\nmode = \"content\"\n" + WITHOUT_POSITION
}

const WITHOUT_POSITION: &str =
    "[compare]\nignore = { topic = \"not in a message\", partition = \"neither\", offset = \"neither\" }\n";

fn head(topic: &str, lines: &str) -> String {
    format!(
        "[pipeline]\nname = \"trades\"\ntopic = {topic:?}\ntable = \"lake.market.trades\"\nformat = \"json\"\n{lines}\n"
    )
}
