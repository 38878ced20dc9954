//! What the machine saves to: a ledger of `validator_ledger`, and beside it what every test needs to know of it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::pin;

use fixtures_kit::story::StoryMode;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use validator_core::finding::FindingId;
use validator_core::shadow::Shadow;
use validator_core::shadow::delta::{Change, Delta, FindingChange, Saved};
use validator_core::shadow::event::Why;
use validator_core::shadow::file::{FileBags, FileId};
use validator_core::shadow::page::{Page, PageKey};
use validator_ledger::{Address, Book, LedgerError, PipelineIs, Posting, Written};

use super::machine::{Machine, World, terms};
use crate::dice::Dice;

/// The key of all hashes.
pub const DIGEST_KEY: [u8; 32] = [3; 32];
/// The wall clock.
const NOW: i64 = 1_700_000_000_000;
/// Of a hundred checkpoints, how many are cut off.
const CUT_PERCENT: u64 = 30;
/// How often a checkpoint is gone on with before it is dropped, at most.
const POLLS_MAX: u64 = 60;

thread_local! {
    /// Where the next machine saves to.
    pub static LEDGERS: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Where a story's ledger is, and how often its checkpoints were cut off.
pub struct Place {
    pub address: Address,
    pub cut: Cell<usize>,
    pub seed: u64,
    pub width: u64,
    pub mode: StoryMode,
    // Removed with the value.
    _folder: Option<TempDir>,
}

impl Place {
    pub fn sqlite(seed: u64, width: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = Address::Sqlite(folder.path().join("ledger.db"));
        Self { address, cut: Cell::new(0), seed, width, mode: mode_of(seed), _folder: Some(folder) }
    }

    pub fn at(address: Address, seed: u64, width: u64) -> Self {
        Self { address, cut: Cell::new(0), seed, width, mode: mode_of(seed), _folder: None }
    }
}

/// One after the other.
pub fn mode_of(seed: u64) -> StoryMode {
    match seed % 4 {
        0 => StoryMode::Offset,
        1 => StoryMode::Key,
        2 => StoryMode::Upsert,
        _ => StoryMode::Content,
    }
}

/// See the module.
pub struct Ledger {
    pub runtime: Runtime,
    pub address: Address,
    width: u64,
    mode: StoryMode,
    open: RefCell<Option<(validator_ledger::Ledger, Book)>>,
    dice: RefCell<Dice>,
    checkpoint: u64,
    /// Every file that was written, with its path.
    files: BTreeMap<FileId, String>,
    pub findings: BTreeMap<FindingId, FindingChange>,
    letters: usize,
    steps: Vec<(usize, Why)>,
    lost_sight: bool,
}

impl Default for Ledger {
    fn default() -> Self {
        let (address, seed, width, mode) = LEDGERS.with_borrow(|place| {
            let place = place.as_ref().expect("a place for the ledger");
            (place.address.clone(), place.seed, place.width, place.mode)
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let ledger = Self {
            runtime,
            address,
            width,
            mode,
            open: RefCell::new(None),
            dice: RefCell::new(Dice::new(seed + 7)),
            checkpoint: 0,
            files: BTreeMap::new(),
            findings: BTreeMap::new(),
            letters: 0,
            steps: Vec::new(),
            lost_sight: false,
        };
        assert_eq!(ledger.reopened(), Saved::default(), "a new ledger is empty");
        ledger
    }
}

fn is(width: u64, mode: StoryMode) -> PipelineIs {
    PipelineIs {
        name: "story".into(),
        contract: [7; 32],
        digest_key: DIGEST_KEY,
        topics: vec!["story".into()],
        table: "lake.story".into(),
        mode: format!("{mode:?}").to_lowercase(),
        width,
    }
}

impl Ledger {
    /// The process dies: its connection is dropped, and another one begins.
    fn reopened(&self) -> Saved {
        drop(self.open.take());
        let opened = self.runtime.block_on(async {
            // The session that was dropped holds its lock until the server has noticed.
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
            let ledger = loop {
                match validator_ledger::Ledger::open(&self.address, "stories", NOW).await {
                    Ok(ledger) => break ledger,
                    Err(error) => assert!(error.may_pass() && std::time::Instant::now() < deadline, "{error:?}"),
                }
            };
            let (book, saved) =
                ledger.book(&is(self.width, self.mode)).await.unwrap_or_else(|error| panic!("{error:?}"));
            (ledger, book, saved)
        });
        let (ledger, book, saved) = opened;
        self.open.replace(Some((ledger, book)));
        saved
    }

    /// What a restart would begin with; the book is taken over by its own process.
    fn saved(&self) -> Saved {
        let mut open = self.open.borrow_mut();
        let (ledger, book) = open.as_mut().expect("an open ledger");
        let (taken, saved) =
            self.runtime.block_on(ledger.book(&is(self.width, self.mode))).unwrap_or_else(|error| panic!("{error:?}"));
        *book = taken;
        saved
    }

    /// A page that the shadow let go.
    pub fn page(&self, key: &PageKey) -> Option<Page> {
        let mut open = self.open.borrow_mut();
        let (_, book) = open.as_mut().expect("an open ledger");
        let found = self.runtime.block_on(book.pages(&[*key])).expect("a page");
        let [(_, row)] = found.as_slice() else { panic!("one page was asked for") };
        row.as_ref().map(|row| Page::from_bytes(&row.body).expect("as it was written"))
    }

    fn bodies(&self) -> BTreeMap<FileId, FileBags> {
        let mut open = self.open.borrow_mut();
        let (_, book) = open.as_mut().expect("an open ledger");
        let files = self.files.keys().copied().collect::<Vec<_>>();
        let found = self.runtime.block_on(book.file_bags(&files)).expect("bodies");
        let body =
            |body: Option<Vec<u8>>| FileBags::from_bytes(&body.expect("it was written")).expect("as it was written");
        found.into_iter().map(|(file, bytes)| (file, body(bytes))).collect()
    }

    /// Writes a checkpoint. Some are dropped in the middle, and given again: to the same book, or after a restart.
    fn write(&mut self, delta: &Delta) {
        assert_eq!(delta.checkpoint, self.checkpoint + 1, "checkpoints have numbers without gaps");
        let cut = self.dice.get_mut().percent(CUT_PERCENT);
        let polls = self.dice.get_mut().below(POLLS_MAX);
        if cut && self.dropped_after(delta, polls).is_none() {
            LEDGERS.with_borrow(|place| {
                let cut = &place.as_ref().expect("a place").cut;
                cut.set(cut.get() + 1);
            });
            if self.dice.get_mut().percent(50) {
                let saved = self.reopened();
                let either = [self.checkpoint, delta.checkpoint];
                assert!(either.contains(&saved.checkpoint), "{} is back, of {either:?}", saved.checkpoint);
            }
        }
        self.until_written(delta);
        self.note(delta);
    }

    /// Goes on with a checkpoint so many times, then drops it; what came of it where it was done before.
    fn dropped_after(&self, delta: &Delta, polls: u64) -> Option<Result<Written, LedgerError>> {
        let mut open = self.open.borrow_mut();
        let (_, book) = open.as_mut().expect("an open ledger");
        let posting = Posting::of(delta, NOW);
        self.runtime.block_on(async {
            let mut writing = pin!(book.checkpoint(&posting));
            for _ in 0..polls {
                if let std::task::Poll::Ready(done) = futures::poll!(writing.as_mut()) {
                    return Some(done);
                }
                tokio::task::yield_now().await;
                std::thread::yield_now();
            }
            None
        })
    }

    /// The same checkpoint again, until it stands.
    fn until_written(&self, delta: &Delta) {
        let mut open = self.open.borrow_mut();
        let (_, book) = open.as_mut().expect("an open ledger");
        self.runtime.block_on(async {
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
            while book.checkpoint_number() != delta.checkpoint {
                match book.checkpoint(&Posting::of(delta, NOW)).await {
                    Ok(written) => assert_eq!(written.checkpoint, delta.checkpoint),
                    Err(error) => {
                        assert!(error.may_pass() && std::time::Instant::now() < deadline, "{error:?}");
                    }
                }
            }
        });
    }

    /// What was written, as a list of its own.
    fn note(&mut self, delta: &Delta) {
        self.checkpoint = delta.checkpoint;
        self.files.extend(delta.files_new.iter().map(|row| (row.file.id, row.file.path.clone())));
        for change in &delta.findings {
            match change.change {
                Change::Resolved => drop(self.findings.remove(&change.id)),
                Change::Opened | Change::Changed => drop(self.findings.insert(change.id.clone(), change.clone())),
            }
        }
    }
}

impl Machine<'_> {
    /// A checkpoint; what is restored from it must be what was saved (I4).
    pub fn save(&mut self) {
        self.ledger.write(&self.shadow.delta());
        self.ledger.letters = self.letters;
        self.ledger.steps.clone_from(&self.steps);
        self.ledger.lost_sight = self.lost_sight;
        self.shadow.saved(self.ledger.checkpoint);
        let mut settled = self.shadow.clone();
        settled.let_go();
        assert!(settled == restored(&self.world, self.ledger.saved()), "I4: what was restored is not what was saved");
        self.shadow = settled;
        let rests = self.shadow.standing().is_idle();
        if self.world.is_over() && (rests || self.ledger.dice.get_mut().percent(10)) {
            self.prove();
        }
    }

    /// The process dies and begins again with what the ledger has.
    pub fn crash(&mut self) {
        self.log.push("crash".to_owned());
        let saved = self.ledger.reopened();
        assert_eq!(saved.checkpoint, self.ledger.checkpoint, "the last checkpoint is back");
        self.shadow = restored(&self.world, saved);
        self.bodies = self.ledger.bodies();
        let number = |path: &str| self.world.story.files.iter().position(|file| file.path == path);
        let files = self.ledger.files.iter();
        self.of_story = files.map(|(file, path)| (*file, number(path).expect("a file of the story"))).collect();
        self.letters = self.ledger.letters;
        self.steps.clone_from(&self.ledger.steps);
        self.lost_sight = self.ledger.lost_sight;
        self.look = None;
        (self.readers, self.batches) = (self.positions(), Vec::new());
        self.inflight.clear();
    }

    /// A wrong service, which is the core's to notice.
    pub fn crash_without_bags(&mut self) {
        self.crash();
    }
}

fn restored(world: &World<'_>, saved: Saved) -> Shadow {
    Shadow::restore(terms(world.story, world.mode), saved).unwrap_or_else(|broken| panic!("{broken}"))
}
