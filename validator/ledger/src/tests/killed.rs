//! A process that is killed while it writes checkpoints.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use validator_core::shadow::delta::Saved;

use super::random::Model;
use super::{NOW, Place, trades, within};
use crate::{Address, Book, Ledger, Posting, ReadLedger};

/// Says to this very program, run again, where it writes.
const WHERE: &str = "LEDGER_TEST_WRITES_TO";
/// Checkpoints of one seed; each life goes on where the last one was.
const MOST: usize = 10_000;
const SEED: u64 = 51;

/// Ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Goes on from wherever the ledger stands, so many checkpoints.
async fn writes(path: PathBuf, most: usize) -> Saved {
    let ledger = Ledger::open(&Address::Sqlite(path), "validator 0.1.0", NOW).await.expect("a ledger");
    let (mut book, saved): (Book, Saved) = ledger.book(&trades()).await.expect("a book");
    println!("opened {}", saved.checkpoint);
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut model = Model::default();
    for _ in 0..most {
        let (delta, next) = model.step(&mut rng);
        model = next;
        if delta.checkpoint <= saved.checkpoint {
            continue;
        }
        book.checkpoint(&Posting::of(&delta, NOW)).await.expect("written");
        println!("written {}", delta.checkpoint);
    }
    model.saved()
}

/// Run by [`a_killed_writer_leaves_a_committed_checkpoint`] with a folder to write to; else it writes a few of its own.
#[test]
fn a_writer_goes_on_from_wherever_the_ledger_stands() {
    if let Some(path) = std::env::var_os(WHERE) {
        within(writes(path.into(), MOST));
        return;
    }
    let place = Place::sqlite();
    within(writes(place.path(), 3));
    let model = within(writes(place.path(), 7));
    let (_, _, saved) = within(place.book());
    assert_eq!(saved, model);
}

fn started(path: &Path) -> (Killed, BufReader<std::process::ChildStdout>) {
    let program = std::env::current_exe().expect("this program");
    let test = "tests::killed::a_writer_goes_on_from_wherever_the_ledger_stands";
    let mut child = Command::new(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(WHERE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let out = BufReader::new(child.stdout.take().expect("its output"));
    (Killed(child), out)
}

#[test]
fn a_killed_writer_leaves_a_committed_checkpoint() {
    let seed = std::env::var("LEDGER_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(52);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let place = Place::sqlite();
    // What each checkpoint must give back, made as it is needed.
    let mut models = vec![Model::default()];
    let mut of_models = ChaCha8Rng::seed_from_u64(SEED);
    let mut least = 0;
    for round in 0..25 {
        let (mut child, out) = started(&place.path());
        let mut lines = out.lines().map_while(Result::ok);
        // Anywhere from before the file is there to the middle of a checkpoint.
        let after = rng.random_range(0..4);
        let mut told = least;
        let mut seen = 0;
        while seen < after {
            let line = lines.next().unwrap_or_else(|| panic!("seed {seed}, round {round}: the writer ended"));
            if let Some(number) = line.strip_prefix("written ") {
                told = number.parse().expect("a number");
                seen += 1;
            }
        }
        let until = Instant::now() + Duration::from_micros(rng.random_range(0..30_000));
        while Instant::now() < until {
            std::thread::yield_now();
        }
        child.0.kill().expect("killed");
        child.0.wait().expect("reaped");
        let (_ledger, _book, saved) = within(place.book());
        assert!(saved.checkpoint >= told, "seed {seed}, round {round}: {} is back, {told} was told", saved.checkpoint);
        let number = usize::try_from(saved.checkpoint).expect("few");
        while models.len() <= number {
            let next = models.last().expect("one").step(&mut of_models).1;
            models.push(next);
        }
        assert_eq!(saved, models[number].saved(), "seed {seed}, round {round}");
        if number > 0 {
            let verified =
                within(async { ReadLedger::open(&place.address).await?.verify("trades", trades().digest_key).await });
            let verified = verified.unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error}"));
            assert_eq!(verified.links, saved.checkpoint, "seed {seed}, round {round}");
        }
        least = saved.checkpoint;
    }
    assert!(least > 20, "{least} checkpoints");
}
