//! Dead letters of a scene: of a topic beside its own in the recording, or of a table beside its own in the warehouse.

use fixtures_kit::schema::{Column, ColumnType, number};
use fixtures_kit::table::{DataFile, Operation, Row, Snapshot, Table};
use fixtures_kit::value::Value;
use serde_json::json;

use super::{EPOCH_MS, Scene};

/// The topic of dead letters.
pub const DLQ: &str = "trades-dlq";

impl Scene {
    /// Dead letters of these messages of topic `trades`, as Kafka Connect writes them: `0@2 0@3`.
    pub fn letters(self, of: &str) -> Self {
        of.split_whitespace().fold(self, |scene, place| {
            let (partition, offset) = place.split_once('@').expect("a place is partition@offset");
            let class = "org.apache.kafka.connect.errors.DataException";
            scene.letter(&[
                ("__connect.errors.topic", "trades"),
                ("__connect.errors.partition", partition),
                ("__connect.errors.offset", offset),
                ("__connect.errors.exception.class.name", class),
                ("__connect.errors.exception.message", "Failed to convert"),
            ])
        })
    }

    /// A dead letter with these headers.
    pub fn letter(mut self, headers: &[(&str, &str)]) -> Self {
        let headers: Vec<&str> = headers.iter().flat_map(|(name, value)| [*name, *value]).collect();
        let line = json!({
            "topic": DLQ, "partition": 0, "offset": self.letters.len(), "headers": headers, "payload": "put aside",
        });
        self.letters.push(line.to_string());
        self
    }

    /// The contract declares the topic of dead letters; any share of messages may be there.
    pub fn with_dlq(self) -> Self {
        self.fidelity(&format!("dead_letter = {{ topic = \"{DLQ}\" }}")).fidelity("diverted_max = 1.0")
    }

    /// A table `lake.market.NAME` of these columns with these rows, in one file.
    pub fn table_beside(mut self, name: &str, columns: &[(&str, ColumnType)], rows: Vec<Vec<Value>>) -> Self {
        let columns = columns.iter().map(|(name, kind)| Column::optional(name, kind.clone()));
        let mut columns: Vec<Column> = columns.collect();
        number(&mut columns);
        let file = DataFile {
            path: "data/d1.parquet".to_owned(),
            row_group_rows: rows.len().max(1),
            rows: rows.into_iter().map(|values| Row { values, labels: Vec::new() }).collect(),
            partition: Vec::new(),
            bounds: true,
            breakage: None,
            record_count_error: 0,
        };
        let snapshot =
            Snapshot { id: 1, commit_ms: EPOCH_MS, operation: Operation::Append, added: vec![0], removed: Vec::new() };
        self.beside.push(Table {
            namespace: "market".to_owned(),
            name: name.to_owned(),
            columns,
            partitioning: Vec::new(),
            files: vec![file],
            snapshots: vec![snapshot],
            judged: Some(0),
            deletes: Vec::new(),
            equality_deletes: false,
        });
        self
    }
}
