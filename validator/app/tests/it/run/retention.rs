//! A table of which a job deletes what is older than its declared retention: a run that follows it and a single run say that it holds,
//! and without the rule both say that rows are gone.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fixtures_kit::table::{DataFile, Operation, Row};
use fixtures_warehouse::{LiveTable, Warehouse};
use serde_json::{Value as Json, json};
use validator_app::config::{Loader, Pipeline, Service};
use validator_app::{Outside, Progress, Request, follow, judge};
use validator_core::contract::Envelope;

use super::followed::text_of;
use crate::real_kafka::good;
use crate::real_kafka::trades::{self, columns, row, table};

const TOPIC: &str = "trades";
/// Messages of one partition, one a minute until now.
const MESSAGES: i64 = 60;
const MINUTE_MS: i64 = 60_000;

struct Lake {
    live: LiveTable,
    pipeline: Pipeline,
    service: Service,
    now_ms: i64,
    commits: i64,
}

/// A topic, a table without rows, and the files of a user who declares that rows stay for half an hour.
async fn begun(folder: &Path, now_ms: i64) -> Lake {
    let mut lines = String::new();
    for offset in 0..MESSAGES {
        let payload = String::from_utf8(trades::payload(offset)).expect("trades are text");
        let ts = now_ms - (MESSAGES - offset) * MINUTE_MS;
        let message = json!({
            "topic": TOPIC, "partition": 0, "offset": offset, "tstype": "create", "ts": ts, "payload": payload,
        });
        lines += &format!("{message}\n");
    }
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("the folder takes files");
    write("messages.jsonl", &lines);
    let warehouse = good(Warehouse::create(&folder.join("warehouse")).await);
    let live = good(LiveTable::create(&warehouse, &table(columns(), Vec::new())).await);
    write("validator.toml", &fixtures_kit::World::service_toml(&warehouse.catalog_uri(), &warehouse.url(), None));
    write("pipeline.toml", &(trades::pipeline(TOPIC) + "[fidelity]\nsettle = \"1s\"\nretention = \"30m\"\n"));
    let loader = Loader::of_process(now_ms);
    let service = good(loader.service(Some(&folder.join("validator.toml"))));
    let mut pipeline = good(loader.pipeline_file(&folder.join("pipeline.toml")));
    pipeline.read_from_files(vec![folder.join("messages.jsonl").display().to_string()], Some(Envelope::Kcat));
    pipeline.poll_ms = Some(30);
    Lake { live, pipeline, service, now_ms, commits: 0 }
}

impl Lake {
    /// A file with the rows of these messages.
    fn stage(&mut self, path: &str, offsets: impl IntoIterator<Item = i64>) -> usize {
        let rows = offsets.into_iter().map(|offset| Row { values: row(TOPIC, 0, offset, offset), labels: Vec::new() });
        good(self.live.stage(DataFile {
            path: format!("data/{path}.parquet"),
            rows: rows.collect(),
            row_group_rows: 7,
            partition: Vec::new(),
            bounds: true,
            breakage: None,
            record_count_error: 0,
        }))
    }

    async fn commit(&mut self, operation: Operation, added: &[usize], removed: &[usize]) {
        self.commits += 1;
        good(self.live.commit(operation, added, removed, self.now_ms + self.commits).await);
    }

    /// Without the rule, where it is not told.
    fn pipeline(&self, is_told: bool) -> Pipeline {
        let mut pipeline = self.pipeline.clone();
        if !is_told {
            pipeline.contract.fidelity.retention_ms = None;
        }
        pipeline
    }

    /// What a single run says some minutes after now.
    async fn judged(&self, minutes: i64, is_told: bool) -> String {
        let at_ms = self.now_ms + minutes * MINUTE_MS;
        let request = Request { as_of_ms: Some(at_ms), threads: 2, ..Request::new(at_ms) };
        let judged = judge(&self.pipeline(is_told), &self.service, &request, &Progress::none()).await;
        said(&json!(judged.unwrap_or_else(|failure| panic!("{}", text_of(&failure))).report))
    }

    /// What a run says that follows the table until it rests, then.
    async fn followed(&self, minutes: i64, is_told: bool) -> String {
        let at_ms = self.now_ms + minutes * MINUTE_MS;
        let outside = Outside { now_ms: Arc::new(move || at_ms), tap: None };
        let followed = follow(&self.pipeline(is_told), &self.service, Duration::from_millis(40), &outside).await;
        said(&json!(followed.unwrap_or_else(|failure| panic!("{}", text_of(&failure))).report))
    }
}

/// The outcome, counts that are not 0, and why messages are excluded.
fn said(report: &Json) -> String {
    let mut words = vec![report["outcome"].as_str().unwrap_or_default().to_owned()];
    for name in ["intact", "corrupted", "missing", "overdue", "withdrawn", "excluded"] {
        if let Some(count) = report["messages"][name].as_u64().filter(|count| *count > 0) {
            words.push(format!("{name} {count}"));
        }
    }
    let excluded = |one: &&Json| one["verdict"] == "excluded";
    let causes = report["findings"]["by_cause"].as_array().into_iter().flatten().filter(excluded);
    words.extend(causes.map(|one| format!("({} {})", one["cause"].as_str().unwrap_or_default(), one["count"])));
    words.join(" ")
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("the system gives threads").block_on(future)
}

#[test]
fn what_a_job_deletes_by_rule_has_expired_and_what_it_deletes_too_early_is_withdrawn_until_then() {
    block_on(rows_are_deleted());
}

#[test]
fn a_run_that_lost_nothing_holds_however_much_has_expired() {
    block_on(all_old_rows_are_deleted());
}

async fn rows_are_deleted() {
    let folder = crate::worlds::scratch().expect("the system gives a folder");
    let mut lake = begun(folder.path(), chrono::Utc::now().timestamp_millis()).await;
    // Offset 5 never lands.
    let old = lake.stage("old", (0..30).filter(|offset| *offset != 5));
    let new = lake.stage("new", 30..MESSAGES);
    lake.commit(Operation::Append, &[old, new], &[]).await;
    assert_eq!(lake.followed(0, true).await, "breached intact 59 missing 1");

    // The job comes: what is half an hour old goes.
    lake.commit(Operation::Delete, &[], &[old]).await;
    let (told, untold) = (lake.followed(1, true).await, lake.followed(1, false).await);
    assert_eq!(told, "breached intact 30 missing 1 excluded 29 (expired 29)", "what was lost stays so");
    assert_eq!(untold, "breached intact 30 missing 1 withdrawn 29");
    assert_eq!(lake.judged(1, true).await, "holds intact 30 excluded 30 (expired 30)");
    assert_eq!(lake.judged(1, false).await, "breached intact 30 missing 30");

    // It goes too far: rows of the last minutes go with it. They are missed until they are old enough.
    let left = lake.stage("left", 30..MESSAGES - 10);
    lake.commit(Operation::Overwrite, &[left], &[new]).await;
    assert_eq!(lake.followed(2, true).await, "breached intact 20 missing 1 withdrawn 10 excluded 29 (expired 29)");
    assert_eq!(lake.judged(2, true).await, "breached intact 20 missing 10 excluded 30 (expired 30)");
    assert_eq!(lake.followed(40, true).await, "breached intact 20 missing 1 excluded 39 (expired 39)");
    assert_eq!(lake.judged(40, true).await, "holds intact 20 excluded 40 (expired 40)");
}

async fn all_old_rows_are_deleted() {
    let folder = crate::worlds::scratch().expect("the system gives a folder");
    let mut lake = begun(folder.path(), chrono::Utc::now().timestamp_millis()).await;
    let (old, new) = (lake.stage("old", 0..30), lake.stage("new", 30..MESSAGES));
    lake.commit(Operation::Append, &[old, new], &[]).await;
    assert_eq!(lake.followed(0, true).await, "holds intact 60");
    lake.commit(Operation::Delete, &[], &[old]).await;
    assert_eq!(lake.followed(1, true).await, "holds intact 30 excluded 30 (expired 30)");
    assert_eq!(lake.judged(1, true).await, "holds intact 30 excluded 30 (expired 30)");
}
