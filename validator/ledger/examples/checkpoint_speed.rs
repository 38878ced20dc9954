//! Measures a checkpoint of 100,000 dirty segments, a common one, and a restart over a billion messages.
//!
//! `cargo run --release -p validator-ledger --example checkpoint_speed [ADDRESS]`; without an address: SQLite in a
//! temporary folder. PostgreSQL needs an empty database.

use std::time::Instant;

use validator_core::shadow::delta::{Delta, PageRow};
use validator_core::shadow::page::PageKey;
use validator_ledger::{Address, Ledger, LedgerError, PipelineIs, Posting, ReadLedger};

/// Pages of 64 open segments of about 100 bytes.
const DIRTY_PAGES: i64 = 1_563;
const DIRTY_BYTES: usize = 6_400;
/// Pages of a billion messages at 4,096 a segment, settled.
const SETTLED_PAGES: i64 = 3_815;
const SETTLED_BYTES: usize = 2_900;
const TIMES: u64 = 5;

fn pages(lane: i64, count: i64, bytes: usize, unsettled: bool, salt: u64) -> Vec<PageRow> {
    let page = |b: i64| {
        let seed = salt ^ b.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let body = (0..bytes as u64).map(|at| (seed.rotate_left((at % 64) as u32) ^ at) as u8).collect();
        PageRow { key: PageKey { kind: 1, a: lane, b }, unsettled, body }
    };
    (0..count).map(page).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), LedgerError> {
    let folder = std::env::temp_dir().join(format!("ledger-speed-{}", std::process::id()));
    let address = match std::env::args().nth(1) {
        Some(address) => Address::new(&address),
        None => {
            let made = std::fs::create_dir_all(&folder);
            made.map_err(|source| LedgerError::File { what: "make", path: folder.clone(), source })?;
            Address::Sqlite(folder.join("ledger.db"))
        }
    };
    let measured = measured(&address).await;
    let _ = std::fs::remove_dir_all(&folder);
    measured
}

async fn measured(address: &Address) -> Result<(), LedgerError> {
    let is = PipelineIs {
        name: "speed".into(),
        contract: [1; 32],
        digest_key: [2; 32],
        topics: vec!["speed".into()],
        table: "lake.speed".into(),
        mode: "offset".into(),
        width: 4096,
    };
    let ledger = Ledger::open(address, "checkpoint_speed", 0).await?;
    let (mut book, _) = ledger.book(&is).await?;
    let mut checkpoint = book.checkpoint_number();
    for (what, lane, count, bytes, unsettled) in [
        ("a billion settled messages", 0, SETTLED_PAGES, SETTLED_BYTES, false),
        ("100,000 dirty segments", 1, DIRTY_PAGES, DIRTY_BYTES, true),
        ("20 pages", 1, 20, DIRTY_BYTES, true),
    ] {
        let mut times = Vec::new();
        for salt in 0..TIMES {
            checkpoint += 1;
            let pages = pages(lane, count, bytes, unsettled, salt);
            let delta = Delta { checkpoint, pages, ..Delta::default() };
            let begun = Instant::now();
            book.checkpoint(&Posting::of(&delta, 0)).await?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        println!("checkpoint, {what}: {}", shown(&mut times));
    }
    drop(book);
    ledger.close().await?;

    let mut times = Vec::new();
    for _ in 0..TIMES {
        let begun = Instant::now();
        let ledger = Ledger::open(address, "checkpoint_speed", 0).await?;
        let (book, saved) = ledger.book(&is).await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        assert_eq!(saved.pages.len() as i64, DIRTY_PAGES, "what is unsettled is read");
        drop(book);
        ledger.close().await?;
    }
    println!("open and restore, {SETTLED_PAGES} pages settled and {DIRTY_PAGES} unsettled: {}", shown(&mut times));

    let begun = Instant::now();
    let verified = ReadLedger::open(address).await?.verify(&is.name, is.digest_key).await?;
    println!(
        "verify, {} rows and {} links: {:.0} ms",
        verified.rows,
        verified.links,
        begun.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}

fn shown(times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    let [least, .., most] = times else { return String::new() };
    format!("{least:.0} to {most:.0} ms")
}
