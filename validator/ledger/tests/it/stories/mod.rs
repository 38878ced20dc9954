//! The core's stories over a real ledger: each checkpoint goes through a database and comes back from it, some are cut off in
//! the middle, and the process dies as often as there. The machine is the core's own; only what it saves to is another.
//!
//! `SEEDS=17` or `SEEDS=0..100` chooses the stories.

#[path = "../../../../core/tests/it/shadow/answers.rs"]
mod answers;
#[path = "../../../../core/tests/it/shadow/compare.rs"]
mod compare;
#[expect(dead_code, reason = "the wrong services are the core's to notice")]
#[path = "../../../../core/tests/it/shadow/machine.rs"]
mod machine;
mod proofs;
mod saved;
#[expect(dead_code, reason = "logs are for the core's own runs")]
#[path = "../../../../core/tests/it/shadow/schedule.rs"]
mod schedule;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fixtures_harness::Postgres;
use fixtures_kit::story::Story;
use validator_core::secret::Secret;
use validator_ledger::Address;

use machine::Bug;
use saved::{LEDGERS, Place, mode_of};

/// The stories of a run: `SEEDS`, one or half-open; else those that are given.
fn seeds(else_these: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("SEEDS") else { return else_these };
    let number = |text: &str| text.trim().parse::<u64>().expect("SEEDS is N or N..M");
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    }
}

/// Plays stories, each over a ledger of its own; how many checkpoints were cut off.
fn play(seeds: Range<u64>, place: impl Fn(u64, u64) -> Place) -> usize {
    let (mut failed, mut cut, mut crashes) = (Vec::new(), 0, 0);
    for seed in seeds {
        let story = Story::generate(seed);
        LEDGERS.set(Some(place(seed, story.width)));
        let ended = catch_unwind(AssertUnwindSafe(|| schedule::run(&story, mode_of(seed), seed, Bug::None)));
        let place = LEDGERS.take().expect("it was set");
        cut += place.cut.get();
        let why = match ended {
            Ok(ended) if ended.said == ended.truth => {
                crashes += ended.crashes;
                continue;
            }
            Ok(ended) => format!("said {:?}, true {:?}", ended.said, ended.truth),
            Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
        };
        eprintln!("seed {seed}: {why}");
        failed.push(seed);
    }
    eprintln!("{cut} checkpoints cut off, {crashes} crashes");
    assert!(failed.is_empty(), "stories {failed:?} failed");
    assert!(crashes > 0, "nothing crashed");
    cut
}

#[test]
fn stories_over_sqlite_end_with_the_truth_and_their_ledgers_prove_sound() {
    let cut = play(seeds(0..30), Place::sqlite);
    assert!(cut > 0, "no checkpoint was cut off");
}

#[test]
fn stories_over_postgresql_end_with_the_truth_and_their_ledgers_prove_sound() {
    let server = Postgres::start().expect("PostgreSQL");
    let cut = play(seeds(200..206), |seed, width| {
        server.run(&format!("CREATE DATABASE story{seed}")).expect("a database");
        let uri = format!("postgres://postgres@{}/story{seed}", server.address());
        Place::at(Address::Postgres(Secret::new(uri)), seed, width)
    });
    assert!(cut > 0, "no checkpoint was cut off");
}
