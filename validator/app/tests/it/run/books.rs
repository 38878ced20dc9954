//! The ledger's database, looked into beside the process that writes it: how many checkpoints there are, and whether the totals of each
//! balance.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use fixtures_harness::Postgres;
use fixtures_warehouse::SqliteFile;
use validator_core::shadow::standing::Standing;

/// Where the ledger is.
enum Place {
    File(tokio::runtime::Runtime, PathBuf),
    Server(Rc<Postgres>),
}

/// See the module.
pub struct Books {
    place: Place,
    pipeline: String,
    last: Cell<u64>,
    /// Checkpoints whose totals were looked at.
    balanced: RefCell<BTreeSet<i64>>,
    /// The table's snapshot as of each of them.
    snapshots: RefCell<BTreeMap<i64, i64>>,
}

impl Books {
    /// Of a pipeline of a ledger that may not be there yet.
    pub fn of(folder: &Path, pipeline: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self::at(Place::File(runtime, folder.join("state/ledger.db")), pipeline)
    }

    /// The same of a ledger on a server.
    pub fn of_server(server: &Rc<Postgres>, pipeline: &str) -> Self {
        Self::at(Place::Server(Rc::clone(server)), pipeline)
    }

    fn at(place: Place, pipeline: &str) -> Self {
        let (last, snapshots, balanced) = (Cell::new(0), RefCell::default(), RefCell::default());
        Self { place, pipeline: pipeline.to_owned(), last, snapshots, balanced }
    }

    /// The number of the last checkpoint, 0 before the first; its totals must balance, and it never goes back.
    pub fn checkpoints(&self) -> u64 {
        let rows = self.read("SELECT checkpoint, totals FROM pipelines WHERE name = ?");
        for (checkpoint, totals) in &rows {
            self.look_at(*checkpoint, totals.as_deref());
        }
        let now = rows.first().map_or(self.last.get(), |(checkpoint, _)| u64::try_from(*checkpoint).expect("a count"));
        assert!(now >= self.last.replace(now), "checkpoint {now} came after a larger one");
        now
    }

    /// Every checkpoint whose totals the chain still has balances; says how many were looked at in all.
    pub fn assert_balanced(&self) -> usize {
        let query = "SELECT checkpoint, totals FROM checkpoints \
                     WHERE pipeline = (SELECT pipeline FROM pipelines WHERE name = ?) ORDER BY checkpoint";
        let rows = self.read(query);
        assert!(!rows.is_empty(), "the ledger has no checkpoint");
        for (checkpoint, totals) in &rows {
            self.look_at(*checkpoint, totals.as_deref());
        }
        self.balanced.borrow().len()
    }

    fn look_at(&self, checkpoint: i64, totals: Option<&[u8]>) {
        let Some(totals) = totals.filter(|totals| !totals.is_empty()) else { return };
        if self.balanced.borrow_mut().insert(checkpoint) {
            let standing = Standing::from_bytes(totals).unwrap_or_else(|why| panic!("totals of {checkpoint}: {why}"));
            assert_balance(checkpoint, &standing);
            self.snapshots.borrow_mut().extend(standing.snapshot.map(|snapshot| (checkpoint, snapshot.id)));
        }
    }

    /// The table's snapshot as of the last checkpoint that was looked at.
    pub fn snapshot(&self) -> Option<i64> {
        self.snapshots.borrow().values().next_back().copied()
    }

    /// The table's snapshot as of each checkpoint that was looked at.
    pub fn snapshots(&self) -> Vec<i64> {
        self.snapshots.borrow().values().copied().collect()
    }

    /// Nothing while the ledger is not there, or is just being made.
    fn read(&self, query: &str) -> Vec<(i64, Option<Vec<u8>>)> {
        let (runtime, file) = match &self.place {
            Place::File(runtime, file) => (runtime, file),
            Place::Server(server) => return read_of(server, &query.replace('?', &format!("'{}'", self.pipeline))),
        };
        let read = async {
            let mut file = SqliteFile::open(file).await?;
            let rows = file.numbers_and_bytes(query, &self.pipeline).await;
            file.close().await?;
            rows
        };
        runtime.block_on(read).unwrap_or_default()
    }
}

fn read_of(server: &Postgres, query: &str) -> Vec<(i64, Option<Vec<u8>>)> {
    let query =
        format!("SELECT one.checkpoint || ' ' || encode(coalesce(one.totals, ''), 'hex') FROM ({query}) AS one");
    let Ok(text) = server.run(&query) else { return Vec::new() };
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("two digits");
    let row = |line: &str| {
        let (checkpoint, totals) = line.split_once(' ')?;
        let totals: Vec<u8> = totals.as_bytes().chunks(2).map(byte).collect();
        Some((checkpoint.parse().ok()?, Some(totals).filter(|totals| !totals.is_empty())))
    };
    text.lines().filter_map(row).collect()
}

/// consumed = the sum of the eleven verdicts, by partition; rows read = the sum of theirs.
fn assert_balance(checkpoint: i64, standing: &Standing) {
    for lane in &standing.lanes {
        let of = &lane.messages;
        let judged = of.pending + of.intact + of.corrupted + of.duplicated + of.missing + of.overdue + of.withdrawn;
        let sum = judged + of.diverted + of.excluded + of.undecodable + of.unobservable;
        assert_eq!(lane.consumed, sum, "messages of {:?} at checkpoint {checkpoint}", lane.tp);
        assert_eq!(
            lane.offsets,
            lane.consumed + lane.hole_offsets,
            "offsets of {:?} at checkpoint {checkpoint}",
            lane.tp
        );
    }
    let of = &standing.rows;
    let sum = of.intact + of.corrupted + of.copies + of.phantom + of.unjudged + of.unobservable + of.out_of_scope;
    assert_eq!(standing.rows_read, sum, "rows at checkpoint {checkpoint}");
}
