//! One writer: a second process is kept out, and who was taken over writes no more.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::random::Model;
use super::{NOW, Place, trades, within};
use crate::{Ledger, LedgerError, Posting};

#[test]
fn a_second_process_is_refused_and_does_not_fence_the_first() {
    within(async {
        for place in [Place::sqlite(), Place::postgres()] {
            let (ledger, mut book, _) = place.book().await;
            let second = Ledger::open(&place.address, "validator", NOW).await.map(|_| ());
            assert!(matches!(second, Err(LedgerError::Held { .. })), "{second:?}");
            let (delta, _) = Model::default().step(&mut ChaCha8Rng::seed_from_u64(5));
            book.checkpoint(&Posting::of(&delta, NOW)).await.expect("the first goes on");
            drop(book);
            ledger.close().await.expect("closed");
            place.open().await;
        }
    });
}

#[test]
fn a_book_that_was_taken_over_reads_and_writes_no_more() {
    within(async {
        for place in [Place::sqlite(), Place::postgres()] {
            let (ledger, mut first, _) = place.book().await;
            let (mut second, _) = ledger.book(&trades()).await.expect("taken over");
            let (delta, model) = Model::default().step(&mut ChaCha8Rng::seed_from_u64(6));
            let fenced = first.checkpoint(&Posting::of(&delta, NOW)).await;
            assert!(matches!(fenced, Err(LedgerError::Fenced { .. })), "{fenced:?}");
            second.checkpoint(&Posting::of(&delta, NOW)).await.expect("the new one writes");
            let fenced = first.outbox("log", NOW).await;
            assert!(matches!(fenced, Err(LedgerError::Fenced { .. })), "{fenced:?}");
            let (_, saved) = ledger.book(&trades()).await.expect("taken over again");
            assert_eq!(saved, model.saved());
        }
    });
}

/// A standby that lacks the last commits takes over: nobody else writes, and who opens the pipeline again goes on from what there is.
#[test]
fn a_database_that_has_gone_back_is_not_taken_for_another_writer() {
    within(async {
        for place in [Place::sqlite(), Place::postgres()] {
            let (_ledger, mut book, _) = place.book().await;
            let mut rng = ChaCha8Rng::seed_from_u64(8);
            let (first, model) = Model::default().step(&mut rng);
            let (second, model) = model.step(&mut rng);
            let (third, _) = model.step(&mut rng);
            book.checkpoint(&Posting::of(&first, NOW)).await.expect("written");
            book.checkpoint(&Posting::of(&second, NOW)).await.expect("written");
            for sql in [
                "UPDATE pipelines SET checkpoint = checkpoint - 1",
                "UPDATE pipelines SET checkpoint = checkpoint + 1, fence = fence - 1",
            ] {
                let mut store = book.store.lock().await;
                store.begin().await.expect("begun");
                store.statement(sql).await.expect("done");
                store.commit().await.expect("committed");
                drop(store);
                let behind = book.checkpoint(&Posting::of(&third, NOW)).await.expect_err("it is not what it was");
                assert!(matches!(behind, LedgerError::Behind { checkpoint: 2, .. }), "{behind:?}");
                assert!(!behind.may_pass(), "the same would come of the same state");
            }
        }
    });
}

#[test]
fn a_session_that_postgresql_ended_is_fenced_by_who_came_after() {
    within(async {
        let place = Place::postgres();
        let (_ledger, mut first, _) = place.book().await;
        place.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'validator'");
        // Its lock goes when the server has noticed.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let ledger = loop {
            match Ledger::open(&place.address, "validator", NOW).await {
                Ok(ledger) => break ledger,
                Err(error) => assert!(error.may_pass() && std::time::Instant::now() < deadline, "{error}"),
            }
        };
        let (second, _) = ledger.book(&trades()).await.expect("taken over");
        let (delta, _) = Model::default().step(&mut ChaCha8Rng::seed_from_u64(7));
        let lost = first.checkpoint(&Posting::of(&delta, NOW)).await;
        assert!(lost.is_err(), "the lock is the other's");
        drop(second);
        ledger.close().await.expect("closed");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            match first.checkpoint(&Posting::of(&delta, NOW)).await {
                Err(LedgerError::Fenced { .. }) => break,
                Err(error) => assert!(error.may_pass() && std::time::Instant::now() < deadline, "{error}"),
                Ok(written) => panic!("{written:?} over a newer fence"),
            }
        }
    });
}
