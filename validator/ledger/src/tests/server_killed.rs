//! A server of PostgreSQL that is killed while a checkpoint commits: what became of it is found out, and nothing is lost or
//! written twice.

use std::time::{Duration, Instant};

use fixtures_harness::Postgres;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::random::Model;
use super::restart::until_written;
use super::{NOW, Place, trades, within};
use crate::{Posting, ReadLedger};

/// How a round kills the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    /// COMMIT is on its way and not durable: a deferred trigger makes it wait.
    InCommit,
    /// It is durable, and the answer is lost.
    AfterCommit,
    /// Some time after the checkpoint began.
    Anywhere(Duration),
}

const WAITS: &str = "CREATE OR REPLACE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS \
                     'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'; \
                     CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON checkpoints DEFERRABLE INITIALLY DEFERRED \
                     FOR EACH ROW EXECUTE FUNCTION waits()";
const IN_COMMIT: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'";

/// Kills the server at its moment, from beside the checkpoint.
fn kill(server: &mut Postgres, how: Kill) {
    let deadline = Instant::now() + Duration::from_secs(60);
    match how {
        Kill::InCommit => {
            while server.run(IN_COMMIT).expect("a count").trim() != "1" {
                assert!(Instant::now() < deadline, "no checkpoint came to its COMMIT");
            }
        }
        Kill::AfterCommit => return,
        Kill::Anywhere(after) => {
            let until = Instant::now() + after;
            while Instant::now() < until {
                std::thread::yield_now();
            }
        }
    }
    server.kill();
}

#[test]
fn a_server_killed_at_commit_leaves_a_checkpoint_that_is_there_once_or_given_again() {
    let seed = std::env::var("LEDGER_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(71);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut place = Place::postgres();
    let mut server = place.server.take().expect("a server");
    // One for the whole life: a connection belongs to the runtime that made it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (ledger, mut book, _) = runtime.block_on(place.book());
    let mut model = Model::default();
    let rounds = 12;
    for round in 0..rounds {
        let how = match round % 3 {
            0 => Kill::InCommit,
            1 => Kill::AfterCommit,
            _ => Kill::Anywhere(Duration::from_micros(rng.random_range(0..20_000))),
        };
        let what = format!("seed {seed}, round {round}, {how:?}");
        let (delta, next) = model.step(&mut rng);
        if how == Kill::InCommit {
            server.run(WAITS).expect("a trigger");
        }
        let written = std::thread::scope(|scope| {
            let killing = scope.spawn(|| kill(&mut server, how));
            let written = runtime.block_on(async {
                book.store.lock().await.deaf_at_commit = how == Kill::AfterCommit;
                book.checkpoint(&Posting::of(&delta, NOW)).await
            });
            killing.join().expect("killed");
            written
        });
        if let Err(error) = &written {
            assert!(error.may_pass(), "{what}: {error:?}");
        }
        assert!(how != Kill::InCommit || written.is_err(), "{what}: it was not durable");
        server.restart().unwrap_or_else(|error| panic!("{what}: {error}: {:?}", std::error::Error::source(&error)));
        if how == Kill::InCommit {
            server.run("DROP TRIGGER waits ON checkpoints").expect("dropped");
        }
        assert_eq!(runtime.block_on(until_written(&mut book, &delta)), delta.checkpoint, "{what}");
        model = next;
    }
    drop((book, ledger));
    let (_ledger, _book, saved) = within(place.book());
    assert_eq!(saved, model.saved(), "seed {seed}");
    let verified =
        within(async { ReadLedger::open(&place.address).await?.verify("trades", trades().digest_key).await });
    assert_eq!(verified.expect("sound").links, rounds, "seed {seed}");
}
