//! Scans of files that the judge leaves to whoever has time.
//!
//! Contract: what a scan says depends on the file, its deletes, the contract and the positions, which are all in the ask; so it does
//! not matter who reads. When rows landed the metadata says, and that of a member may be newer: what it cannot know and the judge can,
//! the judge reads itself. Only a file without any fault or finding is answered for: what is wrong with one the judge sees itself.
//! The judge works along, so that nothing waits for members that are not there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::sleep;
use validator_core::error_chain::error_chain;
use validator_core::position::{FileIndex, TopicPartition};
use validator_core::shadow::event::Scanned;
use validator_core::shadow::file::{FileBags, FileFacts};
use validator_core::shadow::late::Lateness;
use validator_core::shadow::slips::FileSlips;
use validator_core::shadow::windows::Floor;
use validator_engine::live::error::LookError;
use validator_engine::live::lanes::{LaneAt, Lanes};
use validator_engine::live::scan::FileScan;
use validator_engine::reconcile::Run;
use validator_ledger::{AskState, LedgerError, Link};

use crate::run::limits::{ANSWERS_EVERY, ANSWERS_WITHIN, ASKS_MOST, DIVIDED_FILES};

/// What of a table is to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanAsk {
    /// The snapshot.
    pub snapshot: i64,
    /// Files that are live in it.
    pub paths: Vec<String>,
    /// Topic, partition, start, whether that was declared, position.
    lanes: Vec<(String, i32, i64, bool, i64)>,
    /// Whether the books of windows have begun, and with which.
    #[serde(default)]
    floor: (bool, Option<i64>),
}

impl ScanAsk {
    fn new(run: &Run, lanes: &Lanes, files: &[FileIndex]) -> Option<Self> {
        let lane = |lane: &LaneAt| (lane.tp.topic.clone(), lane.tp.partition, lane.start, lane.declared, lane.position);
        Some(Self {
            snapshot: run.pinned.snapshot_id?,
            paths: files.iter().map(|file| run.pinned.files[file.0 as usize].path.clone()).collect(),
            lanes: lanes.at.iter().map(lane).collect(),
            floor: (lanes.floor != Floor::Undecided, lanes.floor.first()),
        })
    }

    /// Where the judge was in each partition.
    pub fn lanes(&self) -> Lanes {
        let lane = |(topic, partition, start, declared, position): &(String, i32, i64, bool, i64)| LaneAt {
            tp: TopicPartition { topic: topic.clone(), partition: *partition },
            start: *start,
            declared: *declared,
            position: *position,
        };
        let floor = match self.floor {
            (_, Some(first)) => Floor::At(first),
            (true, None) => Floor::Open,
            (false, None) => Floor::Undecided,
        };
        Lanes { floor, ..self.lanes.iter().map(lane).collect::<Vec<_>>().into() }
    }
}

/// What is answered of files in which nothing is wrong; none: the judge is to see them itself.
pub fn answer(scans: &[FileScan]) -> Vec<u8> {
    let is_plain = |scan: &FileScan| {
        scan.scanned.faults.is_empty() && scan.faults.is_empty() && scan.findings.is_empty() && !scan.is_gone
    };
    if !scans.iter().all(is_plain) {
        return Vec::new();
    }
    let mut answer = Vec::new();
    for scan in scans {
        // A body without a byte: there was no room for slips.
        let slips = scan.scanned.slips.as_ref().map(FileSlips::to_bytes).unwrap_or_default();
        for body in [scan.scanned.bags.to_bytes(), slips] {
            answer.extend(u32::try_from(body.len()).expect("a body of one file").to_le_bytes());
            answer.extend(body);
        }
    }
    answer
}

/// What an answer says of so many files; none: it is none.
fn told(answer: &[u8], many: usize) -> Option<Vec<(FileBags, Option<FileSlips>)>> {
    let (mut rest, mut bodies) = (answer, Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (body, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        bodies.push(body);
        rest = after;
    }
    if !rest.is_empty() || bodies.len() != many * 2 {
        return None;
    }
    let of_file = |pair: &[&[u8]]| {
        let slips = if pair[1].is_empty() { None } else { Some(FileSlips::from_bytes(pair[1]).ok()?) };
        Some((FileBags::from_bytes(pair[0]).ok()?, slips))
    };
    bodies.chunks_exact(2).map(of_file).collect()
}

/// The judge's way to other members.
#[derive(Clone)]
pub struct Dividing {
    name: String,
    link: Arc<Mutex<Link>>,
    binding: [u8; 32],
}

/// Asks of one round that are open, and the files of each.
type Open = BTreeMap<[u8; 32], Vec<FileIndex>>;

impl Dividing {
    /// Over this connection, by this contract as bound.
    pub fn new(name: &str, link: Arc<Mutex<Link>>, binding: [u8; 32]) -> Self {
        Self { name: name.to_owned(), link, binding }
    }

    /// Reads these files of the pinned snapshot, with whoever has time.
    ///
    /// # Errors
    /// [`LookError`], of what this process read itself.
    pub async fn scans(self, run: Run, lanes: Lanes, files: Vec<FileIndex>) -> Result<Vec<FileScan>, LookError> {
        let files: Vec<FileIndex> = files.into_iter().take(DIVIDED_FILES).collect();
        let (mut done, mut left) = (Vec::new(), files.clone());
        if files.len() > 1 {
            let link = Arc::clone(&self.link);
            let mut link = link.lock().await;
            match self.divided(&mut link, &run, &lanes, &files).await? {
                Ok(scans) => (done, left) = (scans, Vec::new()),
                Err(error) => tracing::warn!(pipeline = self.name, "scans are not shared: {}", error_chain(&error)),
            }
        }
        for portion in run.scan_portions(&left) {
            done.extend(run.scan_files(&lanes, &portion).await?);
        }
        done.sort_by_key(|scan| scan.file);
        Ok(done)
    }

    /// The inner error: the ledger cannot be asked.
    async fn divided(
        &self,
        link: &mut Link,
        run: &Run,
        lanes: &Lanes,
        files: &[FileIndex],
    ) -> Result<Result<Vec<FileScan>, LedgerError>, LookError> {
        let (mut open, mut asks, mut done) = (Open::new(), Vec::new(), Vec::new());
        for some in files.chunks(files.len().div_ceil(ASKS_MOST)) {
            for portion in run.scan_portions(some) {
                let Some(ask) = ScanAsk::new(run, lanes, &portion) else { continue };
                let body = serde_json::to_vec(&ask).expect("text and numbers");
                let name = self.hash(&body);
                asks.push((name, body));
                open.insert(name, portion);
            }
        }
        let names: Vec<[u8; 32]> = open.keys().copied().collect();
        if let Err(error) = link.ask(&asks).await {
            return Ok(Err(error));
        }
        let (mut by_others, mut since) = (0, Instant::now());
        while !open.is_empty() {
            match self.step(link, run, &mut open).await {
                Err(error) => return Ok(Err(error)),
                Ok(Step::Read(files)) => done.extend(run.scan_files(lanes, &files).await?),
                Ok(Step::Answered(scans)) => {
                    by_others += scans.len();
                    done.extend(scans);
                }
                Ok(Step::Wait) if since.elapsed() < ANSWERS_WITHIN => {
                    sleep(ANSWERS_EVERY).await;
                    continue;
                }
                // Who has it hangs. Both may read it: it is taken once.
                Ok(Step::Wait) => {
                    let (_, files) = open.pop_first().expect("some are open");
                    done.extend(run.scan_files(lanes, &files).await?);
                }
            }
            since = Instant::now();
        }
        tracing::info!(pipeline = self.name, files = done.len(), by_others, "scanned files, with others");
        Ok(link.forget_asks(&names).await.map(|()| done))
    }

    /// The next thing to do of a round.
    async fn step(&self, link: &mut Link, run: &Run, open: &mut Open) -> Result<Step, LedgerError> {
        if let Some((name, _)) = link.claim(self.binding).await? {
            return Ok(match open.remove(&name) {
                Some(files) => Step::Read(files),
                // Of an earlier round, that nobody waits for.
                None => {
                    link.forget_asks(&[name]).await?;
                    Step::Answered(Vec::new())
                }
            });
        }
        for (name, files) in open.iter() {
            let answer = match link.ask_state(*name).await? {
                Some(AskState::Claimed | AskState::Open(_)) => continue,
                Some(AskState::Answered(answer)) => answer,
                None => Vec::new(),
            };
            let (name, files) = (*name, files.clone());
            open.remove(&name);
            let scans = told(&answer, files.len()).and_then(|told| plain(run, &files, told));
            return Ok(scans.map_or(Step::Read(files), Step::Answered));
        }
        Ok(Step::Wait)
    }

    fn hash(&self, body: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("validator fleet: an ask");
        hasher.update(&self.binding);
        hasher.update(body);
        *hasher.finalize().as_bytes()
    }
}

enum Step {
    /// To be read here.
    Read(Vec<FileIndex>),
    /// Read by another member.
    Answered(Vec<FileScan>),
    /// Others have what is open.
    Wait,
}

/// The scans of files in which nothing is wrong; none: the judge knows more of one than who read it.
fn plain(run: &Run, files: &[FileIndex], told: Vec<(FileBags, Option<FileSlips>)>) -> Option<Vec<FileScan>> {
    let of_file = |(file, (bags, slips)): (&FileIndex, (FileBags, Option<FileSlips>))| {
        let facts = run.pinned.facts_of(*file);
        let scanned = Scanned { facts, bags, faults: Vec::new(), slips };
        let scan = FileScan { file: *file, scanned, faults: Vec::new(), findings: Vec::new(), is_gone: false };
        (!knows_less(&scan.scanned.bags.late, &scan.scanned.facts)).then_some(scan)
    };
    files.iter().zip(told).map(of_file).collect()
}

/// Whether it is not said when rows landed, though the file's commit is known: its snapshot was expired for who read it.
fn knows_less(late: &Lateness, facts: &FileFacts) -> bool {
    matches!(late, Lateness::Moved { .. }) && facts.commit_ms.is_some() && !facts.is_replace
}

#[cfg(test)]
mod tests {
    use validator_core::shadow::runs::Offsets;

    use super::*;

    #[test]
    fn who_does_not_know_the_commit_of_a_file_is_not_believed_by_who_does() {
        let facts = |commit_ms: Option<i64>, is_replace: bool| FileFacts {
            path: "a".to_owned(),
            size: 1,
            entries: 1,
            sequence: Some(1),
            added_by: 1,
            commit_ms,
            is_replace,
            deletes: [0; 16],
            spec_id: 0,
        };
        let moved = Lateness::Moved { rows: Offsets::default(), several: Offsets::default() };
        assert!(knows_less(&moved, &facts(Some(7), false)));
        assert!(!knows_less(&moved, &facts(Some(7), true)), "a rewrite lands nothing");
        assert!(!knows_less(&moved, &facts(None, false)), "expired for both");
        let told = Lateness::Told { late: Offsets::default(), untold: 0 };
        assert!(!knows_less(&told, &facts(Some(7), false)) && !knows_less(&told, &facts(None, false)));
    }

    #[test]
    fn an_answer_is_taken_only_whole_and_of_as_many_files() {
        let body = |bytes: Vec<u8>| [&u32::try_from(bytes.len()).expect("few").to_le_bytes()[..], &bytes].concat();
        let bags = body(FileBags { rows: 7, ..FileBags::default() }.to_bytes());
        let with = [bags.clone(), body(FileSlips::default().to_bytes())].concat();
        let two = [with, bags, body(Vec::new())].concat();
        let both = told(&two, 2).expect("two");
        assert_eq!(
            both.iter().map(|(bags, slips)| (bags.rows, slips.is_some())).collect::<Vec<_>>(),
            [(7, true), (7, false)]
        );
        assert!(told(&two, 1).is_none() && told(&two, 3).is_none());
        assert!(told(&two[..two.len() - 1], 2).is_none());
        assert!(told(&[], 1).is_none(), "the judge is to see it itself");
    }
}
