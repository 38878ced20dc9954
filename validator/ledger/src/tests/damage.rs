//! A damaged byte is refused, or it changes no answer.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use validator_core::shadow::delta::Saved;

use super::random::Model;
use super::{NOW, Place, trades, within};
use crate::{Ledger, LedgerError, Posting, ReadLedger};

/// A ledger of a few checkpoints, closed, with the model after each.
async fn made(place: &Place, seed: u64) -> Vec<Model> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (ledger, mut book, _) = place.book().await;
    let mut models = vec![Model::default()];
    for _ in 0..5 {
        let (delta, next) = models.last().expect("one").step(&mut rng);
        book.checkpoint(&Posting::of(&delta, NOW)).await.expect("written");
        models.push(next);
    }
    drop(book);
    ledger.close().await.expect("closed");
    models
}

/// What a copy says after one byte was changed: what a restart reads, and whether all pages and bags can be had.
async fn asked(bytes: &[u8], wal: Option<&[u8]>, model: &Model) -> Result<Saved, LedgerError> {
    let place = copied(bytes);
    if let Some(wal) = wal {
        std::fs::write(crate::lock::beside(&place.path(), "-wal"), wal).expect("a copy");
    }
    let ledger = Ledger::open(&place.address, "validator 0.1.0", NOW).await?;
    let (mut book, saved) = ledger.book(&trades()).await?;
    if saved.checkpoint == model.saved().checkpoint {
        let keys = model.pages.keys().copied().collect::<Vec<_>>();
        for (key, page) in book.pages(&keys).await? {
            assert_eq!(page.as_ref(), model.pages.get(&key), "a wrong page");
        }
        let files = model.bodies.keys().copied().collect::<Vec<_>>();
        for (file, body) in book.file_bags(&files).await? {
            assert_eq!(body.as_ref(), model.bodies.get(&file), "wrong bags");
        }
    }
    drop(book);
    ledger.close().await?;
    Ok(saved)
}

#[test]
fn a_damaged_byte_of_the_file_is_refused_or_changes_no_answer() {
    within(async {
        let place = Place::sqlite();
        let models = made(&place, 21).await;
        let model = models.last().expect("one");
        let bytes = std::fs::read(place.path()).expect("a file");
        let untouched = asked(&bytes, None, model).await.expect("sound");
        assert_eq!(untouched, model.saved());
        let mut rng = ChaCha8Rng::seed_from_u64(22);
        // The file's header whole, then one place in each piece of the file.
        let pieces = 300;
        let places = (0..100).chain((0..pieces).map(|piece| {
            let piece_bytes = bytes.len() / pieces;
            piece * piece_bytes + rng.random_range(0..piece_bytes)
        }));
        let (mut refused, mut same) = (0, 0);
        let mut rng = ChaCha8Rng::seed_from_u64(23);
        for at in places.collect::<Vec<_>>() {
            let mut damaged = bytes.clone();
            let mask = rng.random_range(1..=255_u8);
            damaged[at] ^= mask;
            match asked(&damaged, None, model).await {
                Ok(saved) => {
                    assert_eq!(saved, model.saved(), "byte {at} by {mask:#x}: another answer");
                    same += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 100 && same > 10, "{refused} refused, {same} the same");
    });
}

#[test]
fn a_damaged_byte_of_the_log_leads_back_to_an_earlier_checkpoint_at_most() {
    within(async {
        let place = Place::sqlite();
        let mut rng = ChaCha8Rng::seed_from_u64(31);
        let (_ledger, mut book, _) = place.book().await;
        let mut models = vec![Model::default()];
        for _ in 0..5 {
            let (delta, next) = models.last().expect("one").step(&mut rng);
            book.checkpoint(&Posting::of(&delta, NOW)).await.expect("written");
            models.push(next);
        }
        // As a killed process leaves them.
        let bytes = std::fs::read(place.path()).expect("a file");
        let log = std::fs::read(crate::lock::beside(&place.path(), "-wal")).expect("a log");
        let (mut earlier, mut same) = (0, 0);
        for _ in 0..60 {
            let mut damaged = log.clone();
            let at = rng.random_range(0..damaged.len());
            damaged[at] ^= rng.random_range(1..=255_u8);
            let last = models.last().expect("one");
            if let Ok(saved) = asked(&bytes, Some(&damaged), last).await {
                let known = models.iter().any(|model| model.saved() == saved);
                assert!(known, "byte {at} of the log: an answer that was never committed");
                if saved == last.saved() { same += 1 } else { earlier += 1 }
            }
        }
        assert!(earlier > 10, "{earlier} led back, {same} the same");
    });
}

/// A file of its own: a connection that was dropped may still be closing the one before.
fn copied(bytes: &[u8]) -> Place {
    let place = Place::sqlite();
    std::fs::write(place.path(), bytes).expect("a copy");
    place
}

async fn restarted(place: &Place) -> Result<Saved, LedgerError> {
    let ledger = Ledger::open(&place.address, "validator 0.1.0", NOW).await?;
    let (_book, saved) = ledger.book(&trades()).await?;
    Ok(saved)
}

#[test]
fn a_row_that_was_changed_or_removed_is_found_by_verify_and_by_a_restart_that_reads_it() {
    within(async {
        let place = Place::sqlite();
        let models = made(&place, 41).await;
        let bytes = std::fs::read(place.path()).expect("a file");
        let verified = async |place: &Place, sql: &str| {
            let ledger = place.open().await;
            ledger.store.lock().await.statement(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            ledger.close().await.expect("closed");
            ReadLedger::open(&place.address).await?.verify("trades", trades().digest_key).await
        };
        let sound = verified(&copied(&bytes), "SELECT 1").await.expect("sound");
        assert_eq!((sound.checkpoint, sound.links), (5, 5));
        for sql in [
            "UPDATE pages SET unsettled = 1 - unsettled WHERE b = (SELECT MIN(b) FROM pages)".to_owned(),
            "DELETE FROM pages WHERE b = (SELECT MIN(b) FROM pages)".into(),
            "DELETE FROM file_bodies WHERE file = 1".into(),
            "UPDATE files SET standing = 2, gone_ms = 1 WHERE file = 1".into(),
            "DELETE FROM findings".into(),
            "UPDATE findings SET state = 'resolved', changed_ms = 1".into(),
            "DELETE FROM checkpoints WHERE checkpoint = 3".into(),
            "UPDATE checkpoints SET at_ms = at_ms + 1 WHERE checkpoint = 2".into(),
            "UPDATE pipelines SET state = x'00'".into(),
            "UPDATE pipelines SET fence = 0".into(),
            "UPDATE pipelines SET name = 'other'".into(),
            "DELETE FROM pipelines".into(),
        ] {
            let place = copied(&bytes);
            let found = verified(&place, &sql).await;
            assert!(matches!(found, Err(LedgerError::Damaged { .. })), "{sql}: {found:?}");
            // A restart reads no old link; whatever else it reads must be what was written.
            let unread = sql.contains(" checkpoints ");
            match restarted(&place).await {
                Ok(saved) => assert!(unread && saved == models[5].saved(), "{sql}: it was opened"),
                Err(error) => assert!(!unread && matches!(error, LedgerError::Damaged { .. }), "{sql}: {error:?}"),
            }
        }
        let place = copied(&bytes);
        let other = ReadLedger::open(&place.address).await.expect("open").verify("trades", [1; 32]).await;
        assert!(matches!(other, Err(LedgerError::OtherPipeline { what: "digest key", .. })), "{other:?}");
    });
}
