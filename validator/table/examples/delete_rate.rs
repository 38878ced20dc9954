//! What deleted rows cost a scan: the same table without deletes, with position deletes and with deletion vectors on one
//! row in ten at random, decoded whole and side by side.
//!
//! `cargo run --release -p validator-table --example delete_rate [rows of a file] [rounds]`; prints the processor time of
//! all rounds, which other work on a shared machine hardly changes, and the best wall time of a round.

#![allow(clippy::unwrap_used, reason = "the writer of the tests ends a measurement when it fails")]
#![allow(dead_code, reason = "the writer of the tests does more than is measured here")]

#[path = "../tests/it/delete_files.rs"]
mod delete_files;
#[path = "../tests/it/lake.rs"]
mod lake;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray};
use futures::StreamExt;
use iceberg::spec::DataFile;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::json;
use validator_table::{Pinned, RowGroups, ScanItem};

use lake::{Lake, column, field};

/// Columns of a data file: as many as the tables of the other benchmarks have, a third of each type.
const COLUMNS: i32 = 14;
const FILES: usize = 2;
const TARGET: f64 = 1.3;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments.next().map_or(500_000, |text| text.parse().expect("rows of a file"));
    let rounds: usize = arguments.next().map_or(5, |text| text.parse().expect("rounds"));
    let mut tables: Vec<(&str, Lake, Pinned, Duration, Duration)> = Vec::new();
    for (name, version) in [("no deletes", 2), ("position deletes", 2), ("deletion vectors", 3)] {
        let columns =
            (1..=COLUMNS).map(|id| column(id, &format!("c{id}"), ["long", "string", "double"][id as usize % 3]));
        let mut lake = Lake::with(columns.collect(), json!([]), version);
        let files: Vec<DataFile> = (0..FILES).map(|file| data_file(&lake, file, rows)).collect();
        lake.append(files.clone()).await;
        let gone = one_in_ten(rows);
        let entries = match name {
            "no deletes" => Vec::new(),
            "position deletes" => {
                let at = |file: &DataFile, gone: &[u64]| -> Vec<(String, i64)> {
                    gone.iter().map(|position| (file.file_path().to_owned(), *position as i64)).collect()
                };
                let all: Vec<(String, i64)> = files.iter().flat_map(|file| at(file, &gone)).collect();
                let all: Vec<(&str, i64)> = all.iter().map(|(path, position)| (path.as_str(), *position)).collect();
                vec![delete_files::deletes(&lake, "d.parquet", &all, iceberg::spec::Struct::empty(), None)]
            }
            _ => {
                let of: Vec<(&DataFile, &[u64])> = files.iter().map(|file| (file, gone.as_slice())).collect();
                delete_files::vectors(&lake, "d.puffin", &of)
            }
        };
        if !entries.is_empty() {
            delete_files::delete(&mut lake, entries).await;
        }
        let pinned = lake.pin().await.expect("a table that was just written");
        tables.push((name, lake, pinned, Duration::MAX, Duration::ZERO));
    }
    for _ in 0..rounds {
        for (_, lake, pinned, best, cpu) in &mut tables {
            // A table that is pinned anew has read no deletes yet: their cost is part of the scan.
            *pinned = lake.pin().await.expect("a table that was just written");
            let (start, cpu_start) = (Instant::now(), processor_time());
            let live = scan(pinned).await;
            *best = start.elapsed().min(*best);
            *cpu += processor_time() - cpu_start;
            assert!(live == FILES as u64 * rows || live == FILES as u64 * (rows - rows / 10), "{live} rows");
        }
    }
    let all = FILES as u64 * rows;
    let (wall_base, cpu_base) = (tables[0].3.as_secs_f64(), tables[0].4.as_secs_f64());
    println!("{all} rows of {COLUMNS} columns in {FILES} files, {rounds} rounds; nanoseconds a row of the files");
    for (name, _, _, best, cpu) in &tables {
        let ns = |time: &Duration| time.as_nanos() as f64 / all as f64;
        let times = (cpu.as_secs_f64() / cpu_base, best.as_secs_f64() / wall_base);
        let (cpu, best) = (ns(cpu) / rounds as f64, ns(best));
        println!("{name:>17}: processor {cpu:6.1} ({:.2} ×), best wall {best:6.1} ({:.2} ×)", times.0, times.1);
    }
    println!("target: {TARGET} ×");
}

/// Of this process, in user and kernel mode, to a hundredth of a second.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells it");
    // Behind the name, which may hold anything, the 12th and 13th field; in hundredths of a second on every Linux.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    Duration::from_millis(
        10 * (11..13).map(|field| fields[field].parse::<u64>().expect("ticks are a number")).sum::<u64>(),
    )
}

fn data_file(lake: &Lake, file: usize, rows: u64) -> DataFile {
    let columns = (1..=COLUMNS).map(|id| {
        let mixed = move |row: u64| (row ^ (id as u64)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let array: ArrayRef = match id % 3 {
            0 => Arc::new(Int64Array::from_iter_values((0..rows).map(|row| mixed(row) as i64))),
            1 => Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("SYM{}", mixed(row) % 1_000)))),
            _ => Arc::new(Float64Array::from_iter_values((0..rows).map(|row| mixed(row) as f64 / 100.0))),
        };
        (field(id, &format!("c{id}"), array.data_type().clone()), array)
    });
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(250_000))
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    lake.write_with(&format!("f{file}.parquet"), columns.collect(), properties)
}

/// A tenth of the positions, spread at random, ascending.
fn one_in_ten(rows: u64) -> Vec<u64> {
    let hash = |row: u64| row.wrapping_mul(0xD134_2543_DE82_EF95) >> 11;
    let mut order: Vec<u64> = (0..rows).collect();
    order.sort_by_key(|row| hash(*row));
    order.truncate((rows / 10) as usize);
    order.sort_unstable();
    order
}

async fn scan(pinned: &Pinned) -> u64 {
    let mut live = 0;
    for file in &pinned.files {
        let reader = pinned.open(file, &pinned.schema.fields).await.expect("a file that was just written");
        let mut items = reader.scan(&RowGroups::All);
        while let Some(item) = items.next().await {
            match item {
                ScanItem::Rows(rows) => live += rows.batch.num_rows() as u64,
                ScanItem::End(end) => assert!(end.fault.is_none(), "{end:?}"),
            }
        }
    }
    live
}
