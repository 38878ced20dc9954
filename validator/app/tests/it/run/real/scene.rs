//! A topic of numbered trades, a table that a test commits to, and the two files of a user.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fixtures_harness::{KafkaCluster, Producer, Record, producer_config};
use fixtures_kit::schema::Column;
use fixtures_kit::table::{DataFile, Operation, Row, Table};
use fixtures_kit::value::Value;
use fixtures_warehouse::{LiveTable, Warehouse};
use serde_json::Value as Json;

use super::super::service::{Service, assert_sound, run_until_idle, told};
use super::running::{Running, now_ms};
use crate::real_kafka::facts::counts;
use crate::real_kafka::good;
use crate::real_kafka::trades::{self, columns, row, table};

/// The name of the pipeline.
pub const PIPELINE: &str = "trades";
/// Longer than a sink needs here, and short enough to be waited for.
pub const SETTLE_MS: i64 = 2_000;

/// See the module.
pub struct Scene {
    runtime: tokio::runtime::Runtime,
    warehouse: Warehouse,
    live: LiveTable,
    /// Further tables, by their names.
    others: BTreeMap<String, LiveTable>,
    topic: String,
    files: usize,
    state: String,
    sections: String,
    pipeline: String,
    // Removed last.
    folder: tempfile::TempDir,
}

impl Scene {
    /// An empty table beside a topic.
    pub fn of(cluster: &KafkaCluster, topic: &str) -> Self {
        Self::made(cluster, topic, columns(), |warehouse| warehouse)
    }

    /// The same, whose files are objects of that bucket.
    pub fn in_bucket(cluster: &KafkaCluster, topic: &str, bucket: &str) -> Self {
        Self::made(cluster, topic, columns(), |warehouse| warehouse.in_bucket(bucket))
    }

    /// A table of these columns.
    pub fn of_columns(cluster: &KafkaCluster, topic: &str, columns: Vec<Column>) -> Self {
        Self::made(cluster, topic, columns, |warehouse| warehouse)
    }

    fn made(
        cluster: &KafkaCluster,
        topic: &str,
        columns: Vec<Column>,
        make: impl FnOnce(Warehouse) -> Warehouse,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("the system gives threads");
        let folder = fixtures_harness::scratch_dir("real");
        let warehouse = make(good(runtime.block_on(Warehouse::create(&folder.path().join("warehouse")))));
        let live = good(runtime.block_on(LiveTable::create(&warehouse, &table(columns, Vec::new()))));
        let sections =
            fixtures_kit::World::service_toml(&warehouse.catalog_uri(), &warehouse.url(), Some(cluster.bootstrap()));
        let scene = Self {
            runtime,
            warehouse,
            live,
            others: BTreeMap::new(),
            topic: topic.to_owned(),
            files: 0,
            state: "sqlite://state/ledger.db".to_owned(),
            sections,
            pipeline: pipeline(topic, ""),
            folder,
        };
        scene.write_files();
        scene
    }

    /// With another ledger.
    pub fn with_state(mut self, state: &str) -> Self {
        state.clone_into(&mut self.state);
        self.write_files();
        self
    }

    /// With another section in place of `[catalogs.lake]`, or more of it.
    pub fn with_sections(mut self, change: impl FnOnce(&str, &Warehouse) -> String) -> Self {
        self.sections = change(&self.sections, &self.warehouse);
        self.write_files();
        self
    }

    /// With more lines of `[pipeline]`.
    pub fn with_lines(mut self, lines: &str) -> Self {
        self.pipeline = pipeline(&self.topic, lines);
        self.write_files();
        self
    }

    /// With dead letters that are declared so, as many of them as there may be.
    pub fn with_dead_letters(mut self, declared: &str) -> Self {
        self.pipeline += &format!("diverted_max = 1.0\ndead_letter = {{ {declared} }}\n");
        self.write_files();
        self
    }

    /// Without them again.
    pub fn without_dead_letters(mut self) -> Self {
        self.pipeline = self
            .pipeline
            .lines()
            .filter(|line| !line.starts_with("dead_letter") && !line.starts_with("diverted_max"))
            .fold(String::new(), |text, line| text + line + "\n");
        self.write_files();
        self
    }

    /// With segments of so many offsets.
    pub fn with_width(mut self, offsets: u32) -> Self {
        self.pipeline = self.pipeline.replace("[fidelity]", &format!("width = {offsets}\n[fidelity]"));
        self.write_files();
        self
    }

    /// With another format of messages.
    pub fn with_format(mut self, format: &str) -> Self {
        self.pipeline = self.pipeline.replace("\"json\"", &format!("{format:?}"));
        self.write_files();
        self
    }

    fn write_files(&self) {
        let state = &self.state;
        let own = format!(
            "[service]\nstate = {state:?}\npoll = \"200ms\"\nlisten = \"127.0.0.1:0\"\npipelines = [\"pipeline.toml\"]\n\n"
        );
        let write = |name: &str, text: &str| std::fs::write(self.join(name), text).expect("the folder takes files");
        write("validator.toml", &(own + &self.sections));
        write("pipeline.toml", &self.pipeline);
    }

    /// Where the files of a user are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The table.
    pub fn live(&mut self) -> &mut LiveTable {
        &mut self.live
    }

    /// A commit of these rows: partition, offset, id.
    pub fn land(&mut self, rows: &[(i32, i64, i64)]) {
        let topic = self.topic.clone();
        self.land_rows(rows.iter().map(|(partition, offset, id)| row(&topic, *partition, *offset, *id)).collect());
    }

    /// A commit of these rows.
    pub fn land_rows(&mut self, rows: Vec<Vec<Value>>) {
        let file = self.file(rows);
        let index = good(self.live.stage(file));
        good(self.runtime.block_on(self.live.commit(Operation::Append, &[index], &[], now_ms())));
    }

    /// One commit of several files, each of these rows: partition, offset, id.
    pub fn land_files(&mut self, files: &[Vec<(i32, i64, i64)>]) {
        let topic = self.topic.clone();
        let mut indices = Vec::new();
        for rows in files {
            let rows = rows.iter().map(|(partition, offset, id)| row(&topic, *partition, *offset, *id)).collect();
            let file = self.file(rows);
            indices.push(good(self.live.stage(file)));
        }
        good(self.runtime.block_on(self.live.commit(Operation::Append, &indices, &[], now_ms())));
    }

    /// An empty table of the same name in its place.
    pub fn make_anew(&mut self) {
        good(self.runtime.block_on(self.live.recreate(now_ms())));
    }

    /// Another table beside it, empty.
    pub fn add_table(&mut self, name: &str, columns: Vec<Column>) {
        let model = Table { name: name.to_owned(), ..table(columns, Vec::new()) };
        let live = good(self.runtime.block_on(LiveTable::create(&self.warehouse, &model)));
        self.others.insert(name.to_owned(), live);
    }

    /// A commit of these rows to another table.
    pub fn land_in(&mut self, name: &str, rows: Vec<Vec<Value>>) {
        let file = self.file(rows);
        let live = self.others.get_mut(name).expect("it was added");
        let index = good(live.stage(file));
        good(self.runtime.block_on(live.commit(Operation::Append, &[index], &[], now_ms())));
    }

    fn file(&mut self, rows: Vec<Vec<Value>>) -> DataFile {
        let path = format!("data/{:05}.parquet", self.files);
        self.files += 1;
        DataFile {
            path,
            rows: rows.into_iter().map(|values| Row { values, labels: Vec::new() }).collect(),
            row_group_rows: 1_000,
            partition: Vec::new(),
            bounds: true,
            breakage: None,
            record_count_error: 0,
        }
    }

    /// The service of the folder.
    pub fn start(&self) -> Running {
        Running::start(self.folder(), PIPELINE)
    }

    /// The service, started by another command.
    pub fn start_by(&self, service: Service) -> Running {
        Running::of(service, self.folder(), PIPELINE)
    }

    /// A run until nothing is left to do, whose ledger must be sound; its report and findings in few words.
    pub fn at_rest(&self) -> Rest {
        run_until_idle(self.folder());
        assert_sound(self.folder());
        self.told()
    }

    /// What the ledger says now.
    pub fn told(&self) -> Rest {
        let (report, findings) = told(self.folder(), PIPELINE);
        Rest { report, findings }
    }
}

fn pipeline(topic: &str, lines: &str) -> String {
    trades::pipeline_with(topic, lines) + &format!("[fidelity]\nsettle = \"{SETTLE_MS}ms\"\n")
}

/// What a ledger says, in few words.
#[derive(Debug)]
pub struct Rest {
    pub report: Json,
    pub findings: Vec<Json>,
}

/// Counts of messages, but for how many rows were late: that is decided by how fast this machine is.
fn in_time(messages: &Json) -> String {
    let mut messages = messages.clone();
    messages["late"] = Json::Null;
    counts(&messages)
}

impl Rest {
    /// `holds | consumed 16, intact 16 | intact 16, total 16`: outcome, messages and rows.
    pub fn summary(&self) -> String {
        let outcome = self.report["outcome"].as_str().unwrap_or_default();
        let complete = if self.report["complete"] == true { "" } else { ", incomplete" };
        format!("{outcome}{complete} | {} | {}", in_time(&self.report["messages"]), counts(&self.report["rows"]))
    }

    /// Each partition: `0: 0..15 consumed 9, intact 9 | retention 5..8`.
    pub fn partitions(&self) -> Vec<String> {
        let one = |of: &Json| {
            let holes = of["holes"].as_array().into_iter().flatten();
            let holes = holes.map(|hole| format!("{} {}..{}", word(&hole["reason"]), hole["from"], hole["to"]));
            let holes = holes.collect::<Vec<_>>().join(", ");
            let messages = in_time(&of["messages"]);
            format!("{}: {}..{} {messages} | {holes}", of["partition"], of["from"], of["to"])
        };
        self.report["partitions"].as_array().into_iter().flatten().map(one).collect()
    }

    /// All findings, sorted: `missing lost 0@7`.
    pub fn findings(&self) -> Vec<String> {
        let one = |finding: &Json| {
            let at = if finding["offset"].is_null() {
                "-".to_owned()
            } else {
                format!("{}@{}", finding["partition"], finding["offset"])
            };
            format!("{} {} {at}", word(&finding["verdict"]), word(&finding["cause"]))
        };
        let mut findings: Vec<String> = self.findings.iter().map(one).collect();
        findings.sort();
        findings
    }
}

fn word(value: &Json) -> String {
    value.as_str().map_or_else(|| "-".to_owned(), str::to_owned)
}

/// Sends the trades of these ids to a partition of a topic.
pub fn send(cluster: &KafkaCluster, topic: &str, partition: i32, ids: std::ops::Range<i64>) {
    let payloads: Vec<Vec<u8>> = ids.map(trades::payload).collect();
    let records: Vec<Record<'_>> = payloads.iter().map(|payload| Record::new(partition, None, Some(payload))).collect();
    let producer = good(Producer::connect(&producer_config(cluster)));
    good(producer.produce(topic, &records));
}

/// Rows of trades that lie at the offset of their id.
pub fn straight(partition: i32, ids: std::ops::Range<i64>) -> Vec<(i32, i64, i64)> {
    ids.map(|id| (partition, id, id)).collect()
}
