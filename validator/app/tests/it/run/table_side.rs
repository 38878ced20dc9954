//! A table to which anything happens that can, drawn at random, and a run that follows it: whenever it rests it says what a single run
//! over the same messages and the same snapshot says.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fixtures_kit::table::{DataFile, DeleteFile, DeleteKind, Operation, Row};
use fixtures_kit::value::Value;
use fixtures_warehouse::{LiveTable, Warehouse};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};
use validator_app::config::{Loader, Pipeline, Service};
use validator_app::{Outside, Progress, Request, follow, judge};
use validator_core::contract::Envelope;

use super::followed::{compare, seeds_or, text_of};
use crate::real_kafka::good;
use crate::real_kafka::trades::{self, PRICE, columns, row, table, with};

const TOPIC: &str = "trades";
/// Messages of each of two partitions.
const MESSAGES: i64 = 60;
/// Things that happen to a table.
const ACTS: usize = 24;
/// So long after now everything is due, and nothing is given up.
const LATER_MS: i64 = 600_000;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Rows of messages, some twice, some damaged, some of no message.
    Append,
    /// A file that is live is entered once more.
    AppendAgain,
    DeleteFile,
    /// A file is written anew without some of its rows.
    Overwrite,
    DeletePositions,
    Compact,
    CompactLossy,
    RollBack,
    Expire,
    Recreate,
}

struct Lake {
    live: LiveTable,
    rng: ChaCha8Rng,
    files: usize,
    /// Rows by position stay deleted: such a table is neither set back nor made anew.
    deletes: bool,
    now_ms: i64,
}

impl Lake {
    fn draw(&mut self) -> Act {
        let any = [
            (6, Act::Append),
            (1, Act::AppendAgain),
            (2, Act::DeleteFile),
            (2, Act::Overwrite),
            (if self.deletes { 4 } else { 0 }, Act::DeletePositions),
            (3, Act::Compact),
            (1, Act::CompactLossy),
            (if self.deletes { 0 } else { 2 }, Act::RollBack),
            (1, Act::Expire),
            (usize::from(!self.deletes), Act::Recreate),
        ];
        let all: Vec<Act> = any.iter().flat_map(|(weight, act)| std::iter::repeat_n(*act, *weight)).collect();
        all[self.rng.random_range(0..all.len())]
    }

    /// Live files of one entry whose rows are all live.
    fn plain(&self) -> Vec<usize> {
        let live = self.live.live();
        let model = self.live.model();
        let is_deleted = |file: &usize| model.deletes.iter().any(|one| one.rows.iter().any(|(of, _)| of == file));
        let once = |file: &usize| live.iter().filter(|(other, _)| other == file).count() == 1;
        live.iter().map(|(file, _)| *file).filter(|file| once(file) && !is_deleted(file)).collect()
    }

    fn stage(&mut self, rows: Vec<Row>) -> usize {
        let path = format!("data/{:05}.parquet", self.files);
        self.files += 1;
        good(self.live.stage(DataFile {
            path,
            rows,
            row_group_rows: 7,
            partition: Vec::new(),
            bounds: true,
            breakage: None,
            record_count_error: 0,
        }))
    }

    fn drawn_rows(&mut self) -> Vec<Row> {
        let rng = &mut self.rng;
        let partition = rng.random_range(0..2);
        let from = rng.random_range(0..MESSAGES);
        let mut rows = Vec::new();
        for offset in from..(from + rng.random_range(1..25)).min(MESSAGES + 2) {
            let plain = row(TOPIC, partition, offset, offset);
            match rng.random_range(0..20) {
                0 => {}
                1 => rows.push(with(plain, PRICE, Value::decimal(1, 8))),
                2 => rows.extend([plain.clone(), plain]),
                3 => rows.push(row(TOPIC, 9, offset, offset)),
                _ => rows.push(plain),
            }
        }
        rows.into_iter().map(|values| Row { values, labels: Vec::new() }).collect()
    }

    fn rows_of(&self, file: usize) -> Vec<Row> {
        self.live.model().files[file].rows.clone()
    }

    /// Does it, where the table has what it needs.
    async fn act(&mut self, act: Act) {
        self.now_ms += 1;
        let now = self.now_ms;
        let mut plain = self.plain();
        plain.shuffle(&mut self.rng);
        match act {
            Act::Append => {
                let rows = self.drawn_rows();
                let file = self.stage(rows);
                good(self.live.commit(Operation::Append, &[file], &[], now).await);
            }
            Act::AppendAgain => {
                let Some(file) = plain.first() else { return };
                good(self.live.commit(Operation::Append, &[*file], &[], now).await);
            }
            Act::DeleteFile => {
                let Some(file) = plain.first() else { return };
                good(self.live.commit(Operation::Delete, &[], &[*file], now).await);
            }
            Act::Overwrite => {
                let Some(file) = plain.first().copied() else { return };
                let mut rows = self.rows_of(file);
                rows.retain(|_| self.rng.random_bool(0.7));
                let added = self.stage(rows);
                good(self.live.commit(Operation::Overwrite, &[added], &[file], now).await);
            }
            Act::DeletePositions => {
                let Some(file) = plain.first().copied() else { return };
                let count = self.rows_of(file).len() as u64;
                let rows: Vec<_> = (0..count).filter(|_| self.rng.random_bool(0.3)).map(|at| (file, at)).collect();
                if rows.is_empty() {
                    return;
                }
                let path = format!("data/deletes-{:05}.parquet", self.files);
                self.files += 1;
                let kind = DeleteKind::PositionsOfFile;
                let delete = DeleteFile { path, kind, rows, added_by: 0, removed_by: None, breakage: None };
                good(self.live.stage_deletes(vec![delete]));
                good(self.live.commit(Operation::Delete, &[], &[], now).await);
            }
            Act::Compact | Act::CompactLossy => {
                plain.truncate(3);
                if plain.len() < 2 {
                    return;
                }
                let mut rows: Vec<Row> = plain.iter().flat_map(|file| self.rows_of(*file)).collect();
                rows.shuffle(&mut self.rng);
                if act == Act::CompactLossy {
                    rows.pop();
                }
                let added = self.stage(rows);
                good(self.live.commit(Operation::Replace, &[added], &plain, now).await);
            }
            Act::RollBack => {
                let line = self.live.line();
                let Some(to) = line.get(self.rng.random_range(1..4)) else { return };
                good(self.live.roll_back(*to, now).await);
            }
            Act::Expire => {
                good(self.live.expire(self.rng.random_range(1..4)).await);
            }
            Act::Recreate => {
                let rows: Vec<Row> = plain.iter().flat_map(|file| self.rows_of(*file)).collect();
                good(self.live.drop_table().await);
                good(self.live.recreate(now).await);
                let file = self.stage(rows);
                good(self.live.commit(Operation::Append, &[file], &[], now).await);
            }
        }
    }
}

/// Both files of a user, and the messages beside them.
async fn begun(folder: &Path, rng: &mut ChaCha8Rng, now_ms: i64) -> (Pipeline, Service, LiveTable) {
    let mut lines = String::new();
    for partition in 0..2 {
        for offset in 0..MESSAGES {
            let payload = String::from_utf8(trades::payload(offset)).expect("trades are text");
            let payload = if rng.random_bool(0.03) { "no trade".to_owned() } else { payload };
            let message = json!({
                "topic": TOPIC, "partition": partition, "offset": offset, "tstype": "create", "ts": now_ms,
                "payload": payload,
            });
            lines += &format!("{message}\n");
        }
    }
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("the folder takes files");
    write("messages.jsonl", &lines);
    let warehouse = good(Warehouse::create(&folder.join("warehouse")).await);
    let live = good(LiveTable::create(&warehouse, &table(columns(), Vec::new())).await);
    write("validator.toml", &fixtures_kit::World::service_toml(&warehouse.catalog_uri(), &warehouse.url(), None));
    write("pipeline.toml", &(trades::pipeline(TOPIC) + "[fidelity]\nsettle = \"1s\"\n"));
    let loader = Loader::of_process(now_ms);
    let service = good(loader.service(Some(&folder.join("validator.toml"))));
    let mut pipeline = good(loader.pipeline_file(&folder.join("pipeline.toml")));
    pipeline.read_from_files(vec![folder.join("messages.jsonl").display().to_string()], Some(Envelope::Kcat));
    pipeline.poll_ms = Some(30);
    (pipeline, service, live)
}

/// Where a run at rest and a single run differ.
async fn differences(pipeline: &Pipeline, service: &Service, at_ms: i64) -> Vec<String> {
    let request = Request { as_of_ms: Some(at_ms), threads: 2, ..Request::new(at_ms) };
    let judged = judge(pipeline, service, &request, &Progress::none()).await;
    let judged = judged.unwrap_or_else(|failure| panic!("{}", text_of(&failure))).report;
    let outside = Outside { now_ms: Arc::new(move || at_ms), tap: None };
    let followed = follow(pipeline, service, Duration::from_millis(40), &outside).await;
    let followed = followed.unwrap_or_else(|failure| panic!("{}", text_of(&failure))).report;
    let [judged, followed] =
        [json!(judged), json!(followed)].map(|report| json!({
            "messages": level(&report["messages"]),
            "rows": report["rows"],
            "partitions": report["partitions"].as_array().map(|all| {
                all.iter().map(|one| json!({ "holes": one["holes"], "messages": level(&one["messages"]) })).collect::<Vec<_>>()
            }),
            "findings": by_cause(&report["findings"]),
        }));
    let mut differences = Vec::new();
    compare("", &judged, &followed, &mut differences);
    differences
}

/// A run knows of rows that stood once, and how far the table had come; a single run does not: of messages without a row it says
/// that there is none.
const ABSENT: [&str; 3] = ["missing", "withdrawn", "overdue"];
/// What only who follows a table sees.
const OF_HISTORY: [&str; 2] = ["rewrite_not_preserving", "history_rewritten"];

fn level(messages: &Json) -> Json {
    let mut messages = messages.clone();
    let counts = messages.as_object_mut().expect("counts have names");
    let absent: u64 = ABSENT.iter().filter_map(|name| counts.remove(*name)?.as_u64()).sum();
    counts.insert("absent".to_owned(), absent.into());
    messages
}

fn by_cause(findings: &Json) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for count in findings["by_cause"].as_array().into_iter().flatten() {
        let verdict = count["verdict"].as_str().unwrap_or_default();
        let key = match verdict {
            _ if OF_HISTORY.contains(&verdict) => continue,
            _ if ABSENT.contains(&verdict) => "absent".to_owned(),
            // That values were exchanged between rows is seen among those that are looked at together.
            "corrupted" => verdict.to_owned(),
            _ => format!("{verdict} {}", count["cause"]),
        };
        *counts.entry(key).or_default() += count["count"].as_u64().unwrap_or(0);
    }
    counts
}

async fn play(seed: u64) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let folder = crate::worlds::scratch().expect("the system gives a folder");
    let now_ms = chrono::Utc::now().timestamp_millis();
    let (pipeline, service, live) = begun(folder.path(), &mut rng, now_ms).await;
    let mut lake = Lake { live, rng, files: 0, deletes: seed.is_multiple_of(2), now_ms };
    lake.act(Act::Append).await;
    let (mut acts, mut rests) = (Vec::new(), 0);
    for _ in 0..ACTS {
        let act = lake.draw();
        acts.push(act);
        lake.act(act).await;
        // Several things happen while nobody looks.
        if lake.rng.random_bool(0.6) {
            rests += 1;
            let differ = differences(&pipeline, &service, now_ms + LATER_MS).await;
            assert!(differ.is_empty(), "seed {seed}, after {acts:?}:\n  {}", differ.join("\n  "));
        }
    }
    rests
}

#[test]
fn whatever_happens_to_a_table_a_run_at_rest_says_what_a_single_run_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("the system gives threads");
    let rests: usize = seeds_or(0..4).map(|seed| runtime.block_on(play(seed))).sum();
    println!("{rests} rests");
}
