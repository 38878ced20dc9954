//! A topic in a mock cluster and a table on disk, and the command over both.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fixtures_kit::World;
use fixtures_kit::log::{Content, Message, Partition};
use fixtures_kit::options::Options;
use fixtures_kit::schema::{Column, number};
use fixtures_kit::table::{DataFile, Operation, PartitionField, Row, Snapshot, Table, Transform};
use fixtures_kit::value::Value;
use fixtures_warehouse::{MockKafka, Warehouse, WrittenTable};

use crate::registry_stub::RegistryStub;
use crate::transcript::{self, Ran};

/// 2024-08-08T12:00:00Z, the time of the first message, in milliseconds.
pub const EPOCH_MS: i64 = 1_723_118_400_000;
/// From one message to the next, milliseconds.
pub const STEP_MS: i64 = 250;

/// One message.
#[derive(Debug, Clone)]
pub struct Sent {
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
}

/// Where a message came to stand.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    pub topic: &'a str,
    /// Its number among all messages.
    pub nth: i64,
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: i64,
}

/// A topic, and the schema that its payloads are framed with.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    pub name: &'static str,
    /// At least these; as many as messages name if those are more.
    pub partitions: i32,
    pub schema: Option<Registered>,
}

/// A schema of the registry.
#[derive(Debug, Clone, Copy)]
pub struct Registered {
    pub id: u32,
    pub subject: &'static str,
    pub text: &'static str,
}

/// Where a test has no topic of its own.
pub const TRADES: Topic = Topic { name: "trades", partitions: 1, schema: None };

/// The topic with these messages, each a step after the last.
pub fn partitions(topic: &Topic, sent: &[Sent]) -> (Vec<Partition>, Vec<(i32, i64, i64)>) {
    let count = sent.iter().map(|sent| sent.partition + 1).max().unwrap_or(0).max(topic.partitions);
    let mut partitions: Vec<Partition> = (0..count)
        .map(|partition| Partition {
            topic: topic.name.to_owned(),
            partition,
            log_start: 0,
            high_watermark: 0,
            messages: Vec::new(),
            aborted: Vec::new(),
            from: 0,
            to: 0,
            start: None,
        })
        .collect();
    let mut places = Vec::new();
    for (nth, sent) in (0_i64..).zip(sent) {
        let partition = &mut partitions[usize::try_from(sent.partition).expect("partitions count from 0")];
        let (offset, timestamp_ms) = (partition.high_watermark, EPOCH_MS + nth * STEP_MS);
        partition.messages.push(Message {
            offset,
            timestamp_ms: Some(timestamp_ms),
            key: sent.key.clone(),
            payload: sent.payload.clone(),
            content: Content::Tombstone,
        });
        partition.high_watermark += 1;
        partition.to += 1;
        places.push((sent.partition, offset, timestamp_ms));
    }
    (partitions, places)
}

/// A table of these columns in files of `of_file` rows, one committed each minute.
pub fn table(columns: Vec<Column>, rows: Vec<Vec<Value>>, of_file: usize) -> Table {
    partitioned(columns, &[], rows, of_file)
}

/// The same of commits of `of_commit` rows, each a file for each partition of its rows.
pub fn partitioned(
    mut columns: Vec<Column>,
    by: &[(&str, Transform)],
    rows: Vec<Vec<Value>>,
    of_commit: usize,
) -> Table {
    number(&mut columns);
    let of_column = |name: &str| columns.iter().position(|column| column.name == name).expect("a column of the table");
    let partitioning: Vec<PartitionField> =
        by.iter().map(|(name, transform)| PartitionField { column: of_column(name), transform: *transform }).collect();
    let (mut files, mut snapshots) = (Vec::new(), Vec::new());
    for (nth, rows) in (0_i64..).zip(rows.chunks(of_commit.max(1))) {
        let mut groups: BTreeMap<Vec<Value>, Vec<Row>> = BTreeMap::new();
        for values in rows {
            let tuple = partitioning.iter().map(|field| field.value_of(values)).collect();
            groups.entry(tuple).or_default().push(Row { values: values.clone(), labels: Vec::new() });
        }
        let begun = files.len();
        files.extend(groups.into_iter().zip(begun..).map(|((partition, rows), index)| DataFile {
            path: format!("data/{index:05}.parquet"),
            rows,
            row_group_rows: 1_000,
            partition,
            bounds: true,
            breakage: None,
            record_count_error: 0,
        }));
        snapshots.push(Snapshot {
            id: 1001 + nth,
            commit_ms: EPOCH_MS + 3_600_000 + nth * 60_000,
            operation: Operation::Append,
            added: (begun..files.len()).collect(),
            removed: Vec::new(),
        });
    }
    Table {
        namespace: "market".to_owned(),
        name: "trades".to_owned(),
        columns,
        partitioning,
        judged: snapshots.len().checked_sub(1),
        files,
        snapshots,
        deletes: Vec::new(),
        equality_deletes: false,
    }
}

/// Both sides and a service file.
pub struct Stage {
    topic: Topic,
    runtime: tokio::runtime::Runtime,
    warehouse: Warehouse,
    /// URL of the table's metadata.
    metadata: String,
    folder: tempfile::TempDir,
    _kafka: MockKafka,
    _registry: Option<RegistryStub>,
}

impl Stage {
    /// A topic `trades` with these messages, and the table.
    pub fn new(sent: &[Sent], table: &Table) -> Self {
        Self::of(TRADES, sent, table)
    }

    /// The topic with these messages, the table, and the registry if the topic has a schema.
    pub fn of(topic: Topic, sent: &[Sent], table: &Table) -> Self {
        let kafka = MockKafka::start().expect("a mock cluster");
        let mut world = World::generate(1, &Options::clean());
        world.contract.topics = vec![topic.name.to_owned()];
        world.partitions = partitions(&topic, sent).0;
        match sent.is_empty() {
            true => kafka.cluster().create_topic(topic.name, topic.partitions, 1).expect("a topic"),
            false => kafka.load(&world).expect("the messages fit"),
        }
        let folder = tempfile::Builder::new().prefix("v-").tempdir_in("/tmp").expect("/tmp takes folders");
        let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
        let warehouse = runtime.block_on(Warehouse::create(&folder.path().join("warehouse"))).expect("a warehouse");
        let mut service = World::service_toml(&warehouse.catalog_uri(), &warehouse.url(), Some(&kafka.bootstrap()));
        let registry = topic.schema.map(|schema| RegistryStub::of_subject(schema.subject, schema.id, schema.text));
        if let Some(registry) = &registry {
            service += &format!("\n[schema_registry]\nurl = \"http://{}\"\n", registry.address());
        }
        std::fs::write(folder.path().join("validator.toml"), service).expect("the folder takes files");
        let mut stage =
            Self { topic, runtime, warehouse, metadata: String::new(), folder, _kafka: kafka, _registry: registry };
        stage.metadata = stage.write_as(table, &table.name).metadata_location;
        stage
    }

    /// One more table, of that name.
    pub fn write_as(&self, table: &Table, name: &str) -> WrittenTable {
        self.runtime.block_on(self.warehouse.write_as(table, name)).expect("a table")
    }

    /// Lets what the metadata of the table says of itself be changed: snapshots, properties.
    pub fn say(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let path = self.metadata.strip_prefix("file://").expect("the warehouse is a folder");
        let text = std::fs::read(path).expect("the metadata is there");
        let mut metadata = serde_json::from_slice(&text).expect("metadata is JSON");
        change(&mut metadata);
        std::fs::write(path, metadata.to_string()).expect("the folder takes files");
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `init` of topic and table, with more flags.
    pub fn init(&self, flags: &str) -> Ran {
        self.run(&format!("init --topic {} --table lake.market.trades {flags}", self.topic.name))
    }

    pub fn run(&self, words: &str) -> Ran {
        transcript::run(self.folder.path(), words, &[]).assert_no_panic()
    }

    /// `init` into `pipeline.toml`, which must hold; the file's text and what was said.
    pub fn written(&self) -> (String, Ran) {
        let ran = self.init("--output pipeline.toml");
        let text = std::fs::read_to_string(self.join("pipeline.toml")).unwrap_or_default();
        assert_eq!(ran.exit, 0, "{}\n{text}", ran.all());
        (text, ran)
    }
}
