//! From where a continuous run is to the head: over any history the steps end with the head's live files, each step follows
//! the one before as it says, and a look reads only manifests that are new.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::json;
use validator_core::shadow::Line;
use validator_core::shadow::event::{NO_SNAPSHOT, SnapshotFact, Why};
use validator_core::shadow::file::{FileFacts, PathHash};
use validator_table::{ManifestCache, Pinned, SnapshotSelector, StepPlan, Storage, Table};

use super::counting_store::CountingStore;
use super::lake::{Lake, column, load_at, load_in};

/// A draw of numbers that is the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// What a continuous run knows.
#[derive(Default)]
struct Follower {
    line: Line,
    live: BTreeMap<PathHash, FileFacts>,
    cache: ManifestCache,
    whys: BTreeMap<Why, u32>,
}

impl Follower {
    async fn look(&mut self, table: &Table) -> Vec<StepPlan> {
        let plan = table.steps(&self.line, &SnapshotSelector::Current).unwrap();
        self.check(table, &plan);
        let (mut steps, mut applied) = (VecDeque::from(plan), Vec::new());
        while let Some((step, pinned)) = table.pin_next(&self.cache, &mut steps).await.unwrap() {
            assert_eq!(pinned.snapshot_id, Some(step.snapshot.id));
            self.live = by_hash(pinned.facts());
            self.line = Line { uuid: Some(pinned.uuid.clone()), cursor: Some(step.snapshot.clone()) };
            *self.whys.entry(step.why).or_default() += 1;
            applied.push(step);
        }
        applied
    }

    /// Each step follows the one before as it says.
    fn check(&self, table: &Table, plan: &[StepPlan]) {
        let mut before = self.line.cursor.as_ref().map(|cursor| cursor.id);
        for (place, step) in plan.iter().enumerate() {
            let is_first = place == 0;
            match step.why {
                Why::Next => assert_eq!(step.snapshot.parent, before, "it follows"),
                Why::Recreated => {
                    assert!(is_first && plan.len() == 1 && self.line.uuid.as_ref() != Some(&table.uuid()));
                }
                Why::RolledBack => assert!(is_first && self.line.cursor.is_some()),
                Why::Jumped => assert!(is_first && before != step.snapshot.parent),
            }
            before = Some(step.snapshot.id);
        }
    }
}

fn by_hash(facts: Vec<FileFacts>) -> BTreeMap<PathHash, FileFacts> {
    let hashes: Vec<PathHash> = facts.iter().map(|facts| PathHash::of(&facts.path)).collect();
    assert!(hashes.is_sorted(), "a step's live set is sorted by the hash of its paths");
    hashes.into_iter().zip(facts).collect()
}

/// What says which rows are live; commit times go with the snapshots that they are of.
fn rows(live: &BTreeMap<PathHash, FileFacts>) -> Vec<String> {
    let of = |facts: &FileFacts| {
        format!("{} {} {} {:?} {:?}", facts.path, facts.size, facts.entries, facts.sequence, facts.deletes)
    };
    live.values().map(of).collect()
}

/// A table whose history is drawn.
struct History {
    lake: Lake,
    dice: Dice,
    /// Manifests of each snapshot, to go back to.
    states: BTreeMap<i64, Vec<iceberg::spec::ManifestFile>>,
    files: u32,
    tables: u32,
}

impl History {
    fn new(seed: u64) -> Self {
        let lake = Lake::new(vec![column(1, "a", "long")]);
        Self { lake, dice: Dice(seed), states: BTreeMap::new(), files: 0, tables: 0 }
    }

    fn file(&mut self) -> iceberg::spec::DataFile {
        self.files += 1;
        self.lake.describe(&format!("{}.parquet", self.files), 10)
    }

    async fn act(&mut self) {
        match self.dice.below(14) {
            0..=6 => {
                let files = (0..=self.dice.below(3)).map(|_| self.file()).collect();
                self.lake.append(files).await;
            }
            // All of some manifests becomes one file; or some of it goes.
            7 | 8 => self.rewrite("replace").await,
            9 => self.rewrite("delete").await,
            10 | 11 => self.roll_back(),
            12 => self.expire(),
            _ => {
                self.tables += 1;
                let uuid = format!("9c12d441-03fe-4693-9a96-{:012x}", self.tables);
                self.lake.metadata["table-uuid"] = json!(uuid);
                self.lake.metadata["snapshots"] = json!([]);
                self.lake.metadata["snapshot-log"] = json!([]);
                self.lake.metadata["refs"] = json!({});
                self.lake.metadata.as_object_mut().unwrap().remove("current-snapshot-id");
                self.lake.manifests.clear();
                self.states.clear();
                let file = self.file();
                self.lake.append(vec![file]).await;
            }
        }
        if let Some(id) = self.lake.metadata["current-snapshot-id"].as_i64() {
            self.states.insert(id, self.lake.manifests.clone());
        }
    }

    async fn rewrite(&mut self, operation: &str) {
        let mut manifests = self.lake.manifests.clone();
        let kept = self.dice.below(manifests.len() + 1);
        manifests.truncate(kept);
        if operation == "replace" {
            let file = self.file();
            let name = format!("r{}.avro", self.files);
            let manifest = self.lake.manifest(&name, vec![file]).await;
            let id = 101 + self.lake.metadata["last-sequence-number"].as_i64().unwrap();
            manifests.push(super::lake::assigned(manifest, id));
        }
        self.lake.commit(operation, manifests).await;
    }

    fn retained(&self) -> Vec<i64> {
        let snapshots = self.lake.metadata["snapshots"].as_array().unwrap();
        snapshots.iter().map(|snapshot| snapshot["snapshot-id"].as_i64().unwrap()).collect()
    }

    fn roll_back(&mut self) {
        let is_there = |id: &i64| self.lake.path("metadata").join(format!("snap-{id}.avro")).exists();
        let retained: Vec<i64> = self.retained().into_iter().filter(is_there).collect();
        if retained.is_empty() {
            return;
        }
        let id = retained[self.dice.below(retained.len())];
        self.lake.metadata["current-snapshot-id"] = json!(id);
        self.lake.metadata["refs"]["main"] = json!({ "snapshot-id": id, "type": "branch" });
        let at = self.lake.metadata["last-updated-ms"].clone();
        let log = json!({ "snapshot-id": id, "timestamp-ms": at });
        self.lake.metadata["snapshot-log"].as_array_mut().unwrap().push(log);
        self.lake.manifests = self.states[&id].clone();
    }

    /// Forgets old snapshots; their manifest lists are gone. Sometimes a list goes while its snapshot is still named.
    fn expire(&mut self) {
        let retained = self.retained();
        let Some(head) = self.lake.metadata["current-snapshot-id"].as_i64() else { return };
        let keep = self.dice.below(4);
        let is_early = self.dice.below(2) == 0;
        let gone: BTreeSet<i64> =
            retained.iter().copied().filter(|id| *id != head).take(retained.len().saturating_sub(keep)).collect();
        for id in &gone {
            let _ = std::fs::remove_file(self.lake.path("metadata").join(format!("snap-{id}.avro")));
        }
        if !is_early {
            let snapshots = self.lake.metadata["snapshots"].as_array_mut().unwrap();
            snapshots.retain(|snapshot| !gone.contains(&snapshot["snapshot-id"].as_i64().unwrap()));
        }
    }
}

#[tokio::test]
async fn over_any_history_the_steps_end_with_the_live_files_of_the_head() {
    let mut whys: BTreeMap<Why, u32> = BTreeMap::new();
    for seed in 0..30 {
        let mut history = History::new(seed);
        let mut follower = Follower::default();
        for act in 0..40 {
            history.act().await;
            if history.dice.below(3) > 0 {
                continue;
            }
            let table = history.lake.load().await.unwrap();
            let applied = follower.look(&table).await;
            let head = table.pin(&SnapshotSelector::Current).await.unwrap();
            let at = format!("seed {seed}, act {act}: {applied:?}");
            assert_eq!(follower.line.cursor.as_ref().map(|cursor| cursor.id), head.snapshot_id, "{at}");
            assert_eq!(rows(&follower.live), rows(&by_hash(head.facts())), "{at}");
            assert!(follower.look(&table).await.is_empty(), "{at}: where nothing changed there is no step");
        }
        follower.whys.into_iter().for_each(|(why, times)| *whys.entry(why).or_default() += times);
    }
    println!("{whys:?}");
    assert!(whys.len() == 4 && whys.values().all(|times| *times >= 10), "hardly any of a kind: {whys:?}");
}

#[tokio::test]
async fn a_run_that_begins_goes_straight_to_the_head_and_holds_no_rewrite_against_nothing() {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    assert_eq!(plan(&lake, &Line::default()).await, []);
    let first = lake.append(vec![lake.describe("1.parquet", 10)]).await;
    assert_eq!(plan(&lake, &Line::default()).await, [(first, Why::Next)]);
    let second = lake.append(vec![lake.describe("2.parquet", 10)]).await;
    assert_eq!(plan(&lake, &Line::default()).await, [(second, Why::Jumped)]);
}

async fn plan(lake: &Lake, line: &Line) -> Vec<(i64, Why)> {
    let table = lake.load().await.unwrap();
    let steps = table.steps(line, &SnapshotSelector::Current).unwrap();
    steps.iter().map(|step| (step.snapshot.id, step.why)).collect()
}

#[tokio::test]
async fn far_behind_the_head_the_oldest_snapshots_are_jumped_over() {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    lake.append(vec![lake.describe("1.parquet", 10)]).await;
    // Metadata alone: nobody reads the lists of these.
    let one = lake.metadata["snapshots"][0].clone();
    let snapshots = lake.metadata["snapshots"].as_array_mut().unwrap();
    for id in 102..=10_202_i64 {
        let mut snapshot = one.clone();
        snapshot["snapshot-id"] = json!(id);
        snapshot["parent-snapshot-id"] = json!(id - 1);
        snapshot["sequence-number"] = json!(id - 100);
        snapshot["timestamp-ms"] = json!(one["timestamp-ms"].as_i64().unwrap() + id - 101);
        snapshots.push(snapshot);
    }
    lake.metadata["current-snapshot-id"] = json!(10_202);
    lake.metadata["last-sequence-number"] = json!(10_102);
    lake.metadata["refs"]["main"] = json!({ "snapshot-id": 10_202, "type": "branch" });
    let table = lake.load().await.unwrap();
    let line_at = |id: i64| Line {
        uuid: Some(table.uuid()),
        cursor: Some(SnapshotFact {
            id,
            parent: None,
            sequence: id - 100,
            commit_ms: one["timestamp-ms"].as_i64().unwrap() + id - 101,
            operation: "append".to_owned(),
        }),
    };
    let steps = table.steps(&line_at(101), &SnapshotSelector::Current).unwrap();
    assert_eq!((steps.len(), steps[0].snapshot.id, steps[0].why), (10_000, 203, Why::Jumped));
    assert!(steps[1..].iter().all(|step| step.why == Why::Next));
    let steps = table.steps(&line_at(202), &SnapshotSelector::Current).unwrap();
    assert_eq!((steps.len(), steps[0].snapshot.id, steps[0].why), (10_000, 203, Why::Next));
    // An id alone says nothing of metadata that was made anew.
    let mut other = line_at(150);
    other.cursor.as_mut().unwrap().commit_ms += 1;
    let steps = table.steps(&other, &SnapshotSelector::Current).unwrap();
    assert_eq!((steps[0].why, steps.last().unwrap().snapshot.id), (Why::Jumped, 10_202));
}

#[tokio::test]
async fn a_look_at_the_next_snapshot_reads_only_its_list_and_its_new_manifest() {
    const SNAPSHOTS: usize = 1_000;
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    for snapshot in 0..SNAPSHOTS {
        let files = (0..10).map(|file| lake.describe(&format!("{snapshot}-{file}.parquet"), 10)).collect();
        lake.append(files).await;
    }
    let location = lake.save();
    let store = Arc::new(CountingStore::of(lake.dir.path()));
    let storage =
        Storage::local().with_store(format!("{}/", lake.dir.path().display()), Arc::<CountingStore>::clone(&store));
    let table = load_in(&location, storage).await.unwrap();
    let first = SnapshotFact { id: 1, parent: None, sequence: 0, commit_ms: 0, operation: "append".to_owned() };
    let line = Line { uuid: Some(table.uuid()), cursor: Some(first) };
    let mut steps = VecDeque::from(table.steps(&line, &SnapshotSelector::Current).unwrap());
    assert_eq!(steps.len(), SNAPSHOTS);
    let cache = ManifestCache::new();
    store.forget();
    let begun = std::time::Instant::now();
    let mut last: Option<Pinned> = None;
    while let Some((_, pinned)) = table.pin_next(&cache, &mut steps).await.unwrap() {
        let (lists, manifests) = store.forget();
        assert_eq!((lists, manifests), (1, 1), "snapshot {:?}", pinned.snapshot_id);
        last = Some(pinned);
    }
    println!("{SNAPSHOTS} snapshots of 10 files each: {:?}, {:?}", begun.elapsed(), cache.counts());
    let (last, plain) =
        (last.unwrap(), load_at(&location).await.unwrap().pin(&SnapshotSelector::Current).await.unwrap());
    assert_eq!((last.files.len(), last.facts()), (SNAPSHOTS * 10, plain.facts()));
    assert_eq!((last.findings, last.ancestry), (plain.findings, plain.ancestry));
}

#[tokio::test]
async fn a_cache_that_is_full_forgets_what_is_live_no_longer_and_never_errs() {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    for file in 0..20 {
        lake.append(vec![lake.describe(&format!("{file}.parquet"), 10)]).await;
    }
    let table = lake.load().await.unwrap();
    let whole = table.pin(&SnapshotSelector::Current).await.unwrap().facts();
    // Room for about five manifests of one entry.
    let cache = ManifestCache::with_bytes_max(5_000);
    for _ in 0..3 {
        assert_eq!(table.pin_with(&cache, 120).await.unwrap().facts(), whole);
        assert!(cache.counts().bytes <= 5_000, "{:?}", cache.counts());
    }
    let counts = cache.counts();
    assert!(counts.found >= 8 && counts.read < 60, "what fits is there the next time: {counts:?}");
}

fn cursor_of(table: &Table, id: i64) -> Line {
    let one = table.snapshots().into_iter().find(|one| one.id == id).unwrap();
    let cursor =
        SnapshotFact { id, parent: one.parent, sequence: id - 100, commit_ms: one.commit_ms, operation: one.operation };
    Line { uuid: Some(table.uuid()), cursor: Some(cursor) }
}

/// One step to where there is no snapshot, and none behind it until there is one.
async fn emptied(table: &Table, line: Line, why: Why) {
    let mut steps = VecDeque::from(table.steps(&line, &SnapshotSelector::Current).unwrap());
    assert_eq!(steps.iter().map(|step| (step.snapshot.id, step.why)).collect::<Vec<_>>(), [(NO_SNAPSHOT, why)]);
    let (step, pinned) = table.pin_next(&ManifestCache::new(), &mut steps).await.unwrap().unwrap();
    assert!(pinned.files.is_empty() && pinned.snapshot_id.is_none() && pinned.uuid == table.uuid());
    let line = Line { uuid: Some(pinned.uuid), cursor: Some(step.snapshot) };
    assert_eq!(table.steps(&line, &SnapshotSelector::Current).unwrap(), []);
}

#[tokio::test]
async fn a_table_that_has_lost_its_current_snapshot_is_not_one_where_nothing_changed() {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    let first = lake.append(vec![lake.describe("1.parquet", 10)]).await;
    let line = cursor_of(&lake.load().await.unwrap(), first);
    // REPLACE TABLE / CREATE OR REPLACE TABLE without rows: the same uuid, snapshots kept, no main branch.
    lake.metadata.as_object_mut().unwrap().remove("current-snapshot-id");
    lake.metadata["refs"] = json!({});
    lake.manifests.clear();
    let table = lake.load().await.unwrap();
    assert!(table.pin(&SnapshotSelector::Current).await.unwrap().files.is_empty(), "the table shows no row");
    emptied(&table, line, Why::RolledBack).await;
}

#[tokio::test]
async fn an_empty_table_made_anew_is_not_one_where_nothing_changed() {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    let first = lake.append(vec![lake.describe("1.parquet", 10)]).await;
    let line = cursor_of(&lake.load().await.unwrap(), first);
    // DROP TABLE; CREATE TABLE: another uuid, no snapshot until the sink commits.
    lake.metadata["table-uuid"] = json!("9c12d441-03fe-4693-9a96-000000000001");
    lake.metadata["snapshots"] = json!([]);
    lake.metadata["snapshot-log"] = json!([]);
    lake.metadata["refs"] = json!({});
    lake.metadata.as_object_mut().unwrap().remove("current-snapshot-id");
    lake.manifests.clear();
    let table = lake.load().await.unwrap();
    emptied(&table, line, Why::Recreated).await;
}
