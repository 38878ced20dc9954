//! A new beginning, and what the ledger forgets of its own history.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use validator_core::shadow::delta::{Delta, FileChange, FileRow, FileStanding, PageRow, Saved};
use validator_core::shadow::file::{FileBags, FileId, PathHash};
use validator_core::shadow::page::{Page, PageKey};
use validator_core::shadow::segment::Segment;

use super::random::Model;
use super::{NOW, Place, trades, within};
use crate::{Book, Keep, LedgerError, PipelineIs, Posting, ReadLedger};

const DAY: i64 = 86_400_000;
const KEEP: Keep = Keep { resolved_ms: 90 * DAY, chain_ms: 7 * DAY, mail_ms: 7 * DAY, bodies_ms: 7 * DAY };

async fn begun_again(place: Place) {
    let (ledger, mut book, _) = place.book().await;
    let (delta, model) = Model::default().step(&mut ChaCha8Rng::seed_from_u64(81));
    book.checkpoint(&Posting::of(&delta, NOW)).await.expect("written");
    drop(book);
    let other = PipelineIs { contract: [8; 32], ..trades() };
    let refused = ledger.book(&other).await.map(|_| ());
    assert!(matches!(refused, Err(LedgerError::OtherPipeline { what: "contract", .. })), "{refused:?}");
    let aside = ledger.start_over("trades", NOW).await.expect("put aside");
    assert_eq!(aside, "trades@2023-11-14T22:13:20.000Z");
    let unknown = ledger.start_over("quotes", NOW).await;
    assert!(matches!(unknown, Err(LedgerError::Unknown { .. })), "{unknown:?}");

    let (mut book, saved) = ledger.book(&other).await.expect("the name is free");
    assert_eq!(saved, Saved::default());
    let (delta, _) = Model::default().step(&mut ChaCha8Rng::seed_from_u64(82));
    book.checkpoint(&Posting::of(&delta, NOW)).await.expect("written");
    let again = ledger.start_over("trades", NOW).await;
    assert!(matches!(again, Err(LedgerError::Contradiction { .. })), "the same instant: {again:?}");

    let mut reader = ReadLedger::open(&place.address).await.expect("readable");
    assert_eq!(reader.names().await.expect("names"), [aside.as_str(), "trades"]);
    for name in [aside.as_str(), "trades"] {
        reader.verify(name, trades().digest_key).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    drop(book);
    ledger.close().await.expect("closed");
    let ledger = place.open().await;
    let old = ledger.book(&PipelineIs { name: aside, ..trades() }).await.map(|_| ());
    assert!(matches!(old, Err(LedgerError::OtherPipeline { what: "name", .. })), "it is not gone on with: {old:?}");
    drop(model);
}

#[test]
fn a_new_beginning_puts_the_old_book_aside_and_removes_nothing() {
    within(begun_again(Place::sqlite()));
    within(begun_again(Place::postgres()));
}

fn file(number: u32, standing: FileStanding) -> FileChange {
    let path = format!("s3://lake/trades/{number}.parquet");
    FileChange { id: FileId(number), path_hash: PathHash::of(&path), path, standing, facts: Vec::new() }
}

/// A page with one segment that waits for what stood in a file.
fn page(gone: Vec<FileId>) -> PageRow {
    let mut page = Page::default();
    let mut segment = Segment { gone, ..Segment::default() };
    segment.debit.add(&validator_core::digest::Digest([1; 32]));
    page.slots[0] = Some(Box::new(segment));
    PageRow { key: PageKey { kind: 1, a: 0, b: 0 }, unsettled: page.is_unsettled(), body: page.to_bytes() }
}

async fn bodies(book: &mut Book) -> Vec<bool> {
    let found = book.file_bags(&[FileId(1), FileId(2), FileId(3)]).await.expect("bodies");
    found.into_iter().map(|(_, body)| body.is_some()).collect()
}

async fn known(book: &mut Book) -> Vec<bool> {
    let found = book.files(&[FileId(1), FileId(2), FileId(3)]).await.expect("files");
    found.into_iter().map(|(_, file)| file.is_some()).collect()
}

async fn forgotten(place: Place) {
    let (_ledger, mut book, _) = place.book().await;
    let post = async |book: &mut Book, mut delta: Delta, at_ms: i64, keep: Option<Keep>| {
        delta.checkpoint = book.checkpoint_number() + 1;
        book.checkpoint(&Posting { keep, ..Posting::of(&delta, at_ms) }).await.expect("written");
    };
    let row = |number| FileRow { file: file(number, FileStanding::Live), body: FileBags::default().to_bytes() };
    let files_new = (1..=3).map(row).collect();
    post(&mut book, Delta { files_new, pages: vec![page(vec![FileId(2)])], ..Delta::default() }, NOW, None).await;
    let gone = FileStanding::Gone { since_ms: NOW };
    let files_changed = vec![file(1, gone), file(2, gone)];
    post(&mut book, Delta { files_changed, ..Delta::default() }, NOW, Some(KEEP)).await;
    assert_eq!(bodies(&mut book).await, [true; 3], "young");
    post(&mut book, Delta::default(), NOW + 8 * DAY, Some(KEEP)).await;
    assert_eq!(bodies(&mut book).await, [false, true, true], "a segment asks for file 2, and file 3 is live");
    assert_eq!(known(&mut book).await, [true; 3]);
    post(&mut book, Delta { pages: vec![page(Vec::new())], ..Delta::default() }, NOW + 8 * DAY, None).await;
    post(&mut book, Delta::default(), NOW + 8 * DAY, Some(KEEP)).await;
    assert_eq!(bodies(&mut book).await, [false, false, true]);
    post(&mut book, Delta::default(), NOW + 91 * DAY, Some(KEEP)).await;
    assert_eq!(known(&mut book).await, [false, false, true]);
    let mut reader = ReadLedger::open(&place.address).await.expect("readable");
    reader.verify("trades", trades().digest_key).await.expect("sound");
}

#[test]
fn bags_of_gone_files_are_forgotten_when_no_segment_asks_for_them() {
    within(forgotten(Place::sqlite()));
    within(forgotten(Place::postgres()));
}

#[test]
fn counts_are_kept_once_a_minute_and_the_chain_is_whole() {
    within(async {
        let place = Place::sqlite();
        let (_ledger, mut book, _) = place.book().await;
        for second in 0..150 {
            let checkpoint = book.checkpoint_number() + 1;
            let delta = Delta { checkpoint, totals: vec![1, second], ..Delta::default() };
            let at_ms = NOW + i64::from(second) * 1_000;
            book.checkpoint(&Posting::of(&delta, at_ms)).await.expect("written");
        }
        let mut store = book.store.lock().await;
        store.begin().await.expect("begun");
        let sql = "SELECT at_ms FROM checkpoints WHERE totals IS NOT NULL ORDER BY checkpoint";
        let kept = store.rows(sql, &[], &[crate::value::Kind::Int]).await.expect("rows");
        store.rollback().await;
        let minutes = kept.iter().map(|row| row[0].int().expect("a number") / 60_000).collect::<Vec<_>>();
        assert!(minutes.len() >= 3 && minutes.is_sorted() && minutes.windows(2).all(|two| two[0] < two[1]), "{kept:?}");
        drop(store);
        let mut reader = ReadLedger::open(&place.address).await.expect("readable");
        assert_eq!(reader.verify("trades", trades().digest_key).await.expect("sound").links, 150);
    });
}
