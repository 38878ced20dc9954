//! Whatever was written, and wherever it was cut off: a restart has the last checkpoint, all of it and nothing else.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use validator_core::shadow::delta::{Delta, FileChange, FileStanding};
use validator_core::shadow::file::{FileId, PathHash};

use super::random::Model;
use super::{NOW, Place, trades, within};
use crate::{Book, LedgerError, Posting, ReadLedger, Written};

/// All that can be asked of a book is what the model says.
async fn same(book: &mut Book, model: &Model, seed: u64) {
    let keys = model.pages.keys().copied().collect::<Vec<_>>();
    let pages = book.pages(&keys).await.expect("pages");
    assert!(pages.iter().all(|(key, page)| page.as_ref() == model.pages.get(key)), "seed {seed}: pages");
    let files = model.bodies.keys().copied().collect::<Vec<_>>();
    for (file, body) in book.file_bags(&files).await.expect("bags") {
        assert_eq!(body.as_ref(), model.bodies.get(&file), "seed {seed}: {file:?}");
    }
}

/// A checkpoint; the lock of a session that was cut off goes when the server has noticed.
async fn written(book: &mut Book, posting: &Posting<'_>) -> Result<Written, LedgerError> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        match book.checkpoint(posting).await {
            Err(LedgerError::Held { .. }) if std::time::Instant::now() < deadline => tokio::task::yield_now().await,
            written => return written,
        }
    }
}

/// One life of a ledger: checkpoints, of which some are cut off after a random statement, and restarts.
async fn life(place: &Place, seed: u64, steps: usize) -> u32 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut model = Model::default();
    let mut cuts = 0;
    let (mut ledger, mut book, saved) = place.book().await;
    assert_eq!(saved, model.saved(), "seed {seed}: a new one is empty");
    for step in 0..steps {
        let (delta, next) = model.step(&mut rng);
        if rng.random_bool(0.4) {
            let after = rng.random_range(0..14);
            book.store.lock().await.fuse = Some(after);
            let written = written(&mut book, &Posting::of(&delta, NOW)).await;
            let burnt = book.store.lock().await.fuse.take().is_none();
            if written.is_ok() {
                model = next;
            } else {
                assert!(burnt, "seed {seed}, step {step}: {written:?}");
                cuts += 1;
            }
            if rng.random_bool(0.5) {
                continue;
            }
        } else {
            written(&mut book, &Posting::of(&delta, NOW)).await.unwrap_or_else(|error| {
                panic!("seed {seed}, step {step}: {error}: {:?}", std::error::Error::source(&error))
            });
            model = next;
        }
        assert_eq!(*book.open_findings(), model.open_counts(), "seed {seed}, step {step}");
        if rng.random_bool(0.3) {
            drop(book);
            ledger.close().await.expect("closed");
            ledger = place.open().await;
            let saved;
            (book, saved) = ledger.book(&trades()).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(saved, model.saved(), "seed {seed}, step {step}");
            same(&mut book, &model, seed).await;
            assert_eq!(*book.open_findings(), model.open_counts(), "seed {seed}, step {step}: opened");
        }
    }
    let verified =
        ReadLedger::open(&place.address).await.expect("readable").verify("trades", trades().digest_key).await;
    let verified = verified.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    assert_eq!(verified.checkpoint, model.saved().checkpoint, "seed {seed}");
    cuts
}

#[test]
fn a_restart_has_the_last_checkpoint_wherever_the_connection_was_dropped() {
    let cuts = (0..40).map(|seed| within(life(&Place::sqlite(), seed, 16))).sum::<u32>();
    assert!(cuts > 40, "{cuts} checkpoints were cut off");
}

#[test]
fn a_restart_has_the_last_checkpoint_on_postgresql_too() {
    let mut place = Place::postgres();
    let mut cuts = 0;
    for seed in 100..110 {
        place.renew();
        cuts += within(life(&place, seed, 12));
    }
    assert!(cuts > 5, "{cuts} checkpoints were cut off");
}

#[test]
fn a_checkpoint_that_does_not_follow_is_refused_and_changes_nothing() {
    within(async {
        let place = Place::sqlite();
        let (_ledger, mut book, _) = place.book().await;
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut delta, _) = Model::default().step(&mut rng);
        delta.checkpoint = 2;
        let refused = book.checkpoint(&Posting::of(&delta, NOW)).await;
        assert!(matches!(refused, Err(LedgerError::Contradiction { .. })), "{refused:?}");
        delta.checkpoint = 1;
        book.checkpoint(&Posting::of(&delta, NOW)).await.expect("the first");
        let again = book.checkpoint(&Posting::of(&delta, NOW)).await;
        assert!(matches!(again, Err(LedgerError::Contradiction { .. })), "{again:?}");
        let mut unknown = Delta { checkpoint: 2, ..Delta::default() };
        let path = "s3://lake/unknown.parquet".to_owned();
        let path_hash = PathHash::of(&path);
        let standing = FileStanding::Live;
        unknown.files_changed.push(FileChange { id: FileId(99), path, path_hash, standing, facts: Vec::new() });
        let refused = book.checkpoint(&Posting::of(&unknown, NOW)).await;
        assert!(matches!(refused, Err(LedgerError::Contradiction { .. })), "{refused:?}");
    });
}

#[test]
fn a_session_of_postgresql_that_dies_at_commit_leaves_an_outcome_that_is_found_out() {
    within(async {
        let place = Place::postgres();
        let (ledger, mut book, _) = place.book().await;
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut model = Model::default();
        for round in 0..12 {
            let (delta, next) = model.step(&mut rng);
            // The backend ends itself when the transaction commits: before it (deferred trigger), or after it is durable.
            place.run(
                "CREATE OR REPLACE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS \
                       'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
            );
            place.run("DROP TRIGGER IF EXISTS dies ON checkpoints");
            if round % 2 == 0 {
                place.run(
                    "CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON checkpoints DEFERRABLE INITIALLY DEFERRED \
                           FOR EACH ROW EXECUTE FUNCTION die()",
                );
                let failed = book.checkpoint(&Posting::of(&delta, NOW)).await;
                assert!(failed.is_err(), "round {round}: {failed:?}");
                place.run("DROP TRIGGER dies ON checkpoints");
            } else {
                // Committed, and nobody said so: the connection is lost while COMMIT is on its way back.
                book.store.lock().await.deaf_at_commit = true;
                let written = book.checkpoint(&Posting::of(&delta, NOW)).await;
                assert!(written.is_ok() || written.as_ref().is_err_and(LedgerError::may_pass), "{written:?}");
            }
            let written = until_written(&mut book, &delta).await;
            assert_eq!(written, delta.checkpoint, "round {round}");
            model = next;
        }
        drop(book);
        ledger.close().await.expect("closed");
        let (_ledger, _book, saved) = place.book().await;
        assert_eq!(saved, model.saved());
        let verified =
            ReadLedger::open(&place.address).await.expect("open").verify("trades", trades().digest_key).await;
        assert_eq!(verified.expect("sound").links, 12);
    });
}

/// The same posting again until it is said to be written; the old session may hold its lock for a moment.
pub(super) async fn until_written(book: &mut Book, delta: &Delta) -> u64 {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        if book.checkpoint_number() == delta.checkpoint {
            return delta.checkpoint;
        }
        match book.checkpoint(&Posting::of(delta, NOW)).await {
            Ok(written) => return written.checkpoint,
            Err(error) => {
                assert!(error.may_pass(), "{error}: {:?}", std::error::Error::source(&error));
                assert!(std::time::Instant::now() < deadline, "{error}");
            }
        }
    }
}
