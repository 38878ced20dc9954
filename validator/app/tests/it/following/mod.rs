//! The message side of a continuous run against that of a single run: the same bags, states, segments, gaps and notes,
//! however the stream is cut into batches and wherever it is taken up again.
//!
//! Contract: a seed makes one world and one way of cutting it; `SEEDS=a..b` chooses the seeds.

mod cut;
mod kafka;
mod sums;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fixtures_kit::{Options, World};
use validator_app::{Failure, Request, prepare};
use validator_core::position::PartitionIndex;
use validator_engine::follow::{BATCH_MESSAGES, Following, follow};
use validator_engine::reconcile::Run;

use crate::worlds::scratch;
use cut::CutTap;
use sums::{Seen, of_pass};

/// Seeds of a run where `SEEDS` says nothing else.
const SEEDS: std::ops::Range<u64> = 0..300;

#[test]
fn a_follower_sees_what_a_single_run_sees_however_it_is_cut() {
    let seeds = crate::worlds::seeds_or(SEEDS);
    let next = Arc::new(AtomicU64::new(seeds.start));
    let workers: Vec<_> = (0..std::thread::available_parallelism().map_or(1, usize::from))
        .map(|_| {
            let (next, end) = (Arc::clone(&next), seeds.end);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
                let runtime = runtime.expect("the system gives threads");
                let mut all = Looked::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return all;
                    }
                    all.add(&runtime.block_on(looked(seed)));
                }
            })
        })
        .collect();
    let mut all = Looked::default();
    workers.into_iter().for_each(|worker| all.add(&worker.join().expect("a world differs")));
    println!("{all:?}");
    if all.worlds >= 100 {
        let seen = [all.judged, all.excluded, all.undecodable, all.gaps, all.restarts, all.ends];
        assert!(seen.iter().all(|count| *count > all.worlds / 10), "hardly anything of a kind was seen: {all:?}");
    }
}

/// What was looked at in some worlds.
#[derive(Debug, Default)]
struct Looked {
    worlds: u64,
    judged: u64,
    excluded: u64,
    undecodable: u64,
    gaps: u64,
    batches: u64,
    restarts: u64,
    ends: u64,
}

impl Looked {
    fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.judged += other.judged;
        self.excluded += other.excluded;
        self.undecodable += other.undecodable;
        self.gaps += other.gaps;
        self.batches += other.batches;
        self.restarts += other.restarts;
        self.ends += other.ends;
    }
}

/// One world by both ways.
async fn looked(seed: u64) -> Looked {
    let options = Options::any(seed);
    let world = World::generate(seed, &Options { upsert: false, ..options });
    let directory = scratch().expect("a folder");
    let run = match prepared(&world, directory.path()).await {
        Ok(run) => run,
        // A table that is refused has no run.
        Err(_) => return Looked::default(),
    };
    let pass = run.message_pass().await.expect("a recording is read");
    let tap = Arc::new(CutTap::new(Arc::clone(&run.messages.tap), seed));
    let (seen, looked) = tokio::task::spawn_blocking(move || followed(&run, &tap, seed)).await.expect("it ends");
    let truth = of_pass(&pass);
    assert_eq!(seen.differences(&truth), Vec::<String>::new(), "seed {seed}");
    looked
}

/// Follows all of a run's source, stopping and starting again at some batches.
fn followed(run: &Run, tap: &Arc<CutTap>, seed: u64) -> (Seen, Looked) {
    let mut side = run.messages.clone();
    side.tap = Arc::<CutTap>::clone(tap);
    let ranges = side.tap.partitions();
    let mut seen = Seen::new(ranges.iter().map(|range| range.from).collect());
    let mut looked = Looked { worlds: 1, ..Looked::default() };
    let mut random = cut::Dice::new(seed);
    while !seen.is_at(ranges) {
        assert!(looked.restarts < 10_000, "seed {seed}: it does not end");
        let from: Vec<(PartitionIndex, i64)> = (0..).map(PartitionIndex).zip(seen.positions.iter().copied()).collect();
        let patience = random.below(30);
        let mut left = patience;
        let outcome = follow(&side, &run.key, &from, &mut |told| {
            if let Following::Batch(batch) = told {
                assert!(batch.messages <= BATCH_MESSAGES as u64);
                looked.batches += 1;
                looked.ends += batch.ends.len() as u64;
                for (partition, position) in &batch.ends {
                    let lane = batch.consumed.lanes.iter().find(|lane| lane.partition == *partition);
                    let at = lane.map_or(seen.positions[partition.0 as usize], |lane| lane.to);
                    assert_eq!(at, *position, "seed {seed}: an end lies where the batch does not come to");
                }
                seen.take(batch.consumed, batch.notes);
                left = left.saturating_sub(1);
            }
            if left == 0 || seen.is_at(ranges) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        outcome.expect("a recording is followed");
        looked.restarts += 1;
    }
    looked.judged = seen.judged();
    looked.excluded = seen.excluded();
    looked.undecodable = seen.undecodable.len() as u64;
    looked.gaps = seen.gaps.iter().map(|gaps| gaps.len() as u64).sum();
    (seen, looked)
}

/// Writes both sides and opens the run over them, whole.
async fn prepared(world: &World, directory: &Path) -> Result<Run, Failure> {
    let (pipeline, service) = crate::worlds::written(world, directory).await?;
    let request = Request { threads: 2, ..Request::new(world.judged_at_ms) };
    prepare(&pipeline, &service, &request).await
}
