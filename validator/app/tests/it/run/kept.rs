//! What is over leaves the ledger by and by, and what is left is sound.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fixtures_kit::{Options, World};
use fixtures_warehouse::SqliteFile;
use validator_app::{Outside, follow};
use validator_ledger::{Address, ReadLedger};

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// Links of the chain: the first and the last.
async fn links(folder: &std::path::Path) -> (i64, i64) {
    let mut file = SqliteFile::open(&folder.join("state/ledger.db")).await.expect("there is a ledger");
    let query = "SELECT checkpoint, NULL FROM checkpoints WHERE ? <> '' ORDER BY checkpoint";
    let links = file.numbers_and_bytes(query, "all").await.expect("it has links");
    file.close().await.expect("it closes");
    (links.first().expect("a link").0, links.last().expect("a link").0)
}

#[test]
fn links_of_two_weeks_ago_leave_the_ledger_and_it_is_sound() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("the system gives threads");
    runtime.block_on(async {
        let world = World::generate(7, &Options { mode: fixtures_kit::options::Mode::OffsetPlain, ..Options::clean() });
        let folder = crate::worlds::scratch().expect("the system gives a folder");
        let (mut pipeline, service) = crate::worlds::written(&world, folder.path()).await.expect("it is written");
        (pipeline.has_settle, pipeline.poll_ms) = (true, Some(50));
        let idle = Duration::from_millis(300);
        let at_ms = world.judged_at_ms;
        let first = Outside { now_ms: Arc::new(move || at_ms), tap: None };
        let before = follow(&pipeline, &service, idle, &first).await.expect("it is followed");
        let (oldest, last) = links(folder.path()).await;
        assert_eq!(oldest, 1, "nothing is old yet");
        // Two weeks later, by a clock that strides ahead.
        let now_ms = Arc::new(AtomicI64::new(at_ms + 14 * DAY_MS));
        let later = Outside { now_ms: Arc::new(move || now_ms.fetch_add(MINUTE_MS, Ordering::SeqCst)), tap: None };
        let after = follow(&pipeline, &service, idle, &later).await.expect("it is followed");
        let (oldest, _) = links(folder.path()).await;
        assert!(oldest > last, "link {oldest} is the oldest, {last} was the last two weeks ago");
        assert_eq!(before.report.messages.consumed, after.report.messages.consumed);
        assert_eq!(before.report.messages.intact, after.report.messages.intact);
        let file = Address::Sqlite(folder.path().join("state/ledger.db"));
        let mut ledger = ReadLedger::open(&file).await.expect("it opens");
        ledger.verify(&pipeline.contract.name, service.digest_key_bytes()).await.expect("it is sound");
    });
}
