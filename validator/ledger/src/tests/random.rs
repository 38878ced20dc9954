//! Deltas by seed, and what a restart must give after them: a model of lists and maps that knows no database.

use std::collections::BTreeMap;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use validator_core::finding::FindingId;
use validator_core::position::{PartitionIndex, TopicPartition};
use validator_core::segment::SegmentKey;
use validator_core::shadow::delta::{
    Change, Delta, FileChange, FileRow, FileStanding, FindingChange, FindingPlace, LaneRow, PageRow, ResidueRow,
    RunChange, Saved,
};
use validator_core::shadow::file::{FileId, PathHash};
use validator_core::shadow::page::PageKey;
use validator_core::shadow::told::{Facts, OpenFinding};
use validator_core::verdict::{Cause, MessageVerdict, Verdict};

use crate::OpenFindings;

/// Each finding as it last changed, and when it opened.
pub(super) type Findings = BTreeMap<u64, (i64, FindingChange)>;

/// Everything that was written so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Model {
    checkpoint: u64,
    state: Vec<u8>,
    totals: Vec<u8>,
    lanes: BTreeMap<u32, LaneRow>,
    pub(super) pages: BTreeMap<PageKey, PageRow>,
    files: BTreeMap<u32, FileChange>,
    pub(super) bodies: BTreeMap<FileId, Vec<u8>>,
    residues: BTreeMap<(PageKey, usize), ResidueRow>,
    runs: BTreeMap<(PageKey, usize), (i64, RunChange)>,
    pub(super) findings: Findings,
}

const MISSING: Verdict = Verdict::Message(MessageVerdict::Missing);

fn bytes(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let length = if rng.random_ratio(1, 10) { rng.random_range(0..20_000) } else { rng.random_range(0..200) };
    let mut bytes = vec![0; length];
    rng.fill(bytes.as_mut_slice());
    bytes
}

fn segment(rng: &mut ChaCha8Rng) -> SegmentKey {
    SegmentKey::Offsets { partition: PartitionIndex(rng.random_range(0..3)), index: rng.random_range(0..200) }
}

impl Model {
    /// What a restart reads.
    pub(super) fn saved(&self) -> Saved {
        Saved {
            checkpoint: self.checkpoint,
            state: self.state.clone(),
            lanes: self.lanes.values().cloned().collect(),
            pages: self.pages.values().filter(|page| page.unsettled).cloned().collect(),
            files: self
                .files
                .values()
                .filter(|file| !matches!(file.standing, FileStanding::Gone { .. }))
                .cloned()
                .collect(),
            residues: self.residues.values().cloned().collect(),
            findings: self.open_findings(),
            runs: self
                .runs
                .values()
                .filter(|(_, run)| run.change != Change::Resolved)
                .map(|(opened_ms, run)| {
                    let change = if *opened_ms == run.at_ms { Change::Opened } else { Change::Changed };
                    RunChange { change, ..run.clone() }
                })
                .collect(),
            totals: self.totals.clone(),
        }
    }

    /// How many findings are open, of a run each of its messages.
    pub(super) fn open_counts(&self) -> OpenFindings {
        let mut counts = OpenFindings::new();
        let findings = self.findings.values().map(|(_, one)| (one.verdict, one.cause, one.change, 1));
        let runs = self.runs.values().map(|(_, one)| (one.verdict, one.cause, one.change, one.messages));
        for (verdict, cause, change, many) in findings.chain(runs) {
            if change != Change::Resolved && many > 0 {
                *counts.entry((verdict, cause)).or_default() += many;
            }
        }
        counts
    }

    /// By id, as the ledger has them.
    fn open_findings(&self) -> Vec<OpenFinding> {
        let open = self.findings.values().filter(|(_, finding)| finding.change != Change::Resolved);
        let mut open = open.map(|(_, finding)| OpenFinding::from(finding)).collect::<Vec<_>>();
        open.sort_by(|one, other| one.id.cmp(&other.id));
        open
    }

    /// Some delta that can follow, and the model after it.
    pub(super) fn step(&self, rng: &mut ChaCha8Rng) -> (Delta, Self) {
        let mut next = self.clone();
        next.checkpoint += 1;
        next.state = bytes(rng);
        next.totals = bytes(rng);
        let at_ms = super::NOW + i64::try_from(next.checkpoint).expect("few");
        let mut delta = Delta {
            checkpoint: next.checkpoint,
            judged_at_ms: at_ms,
            snapshot: rng.random_bool(0.5).then(|| rng.random()),
            state: next.state.clone(),
            totals: next.totals.clone(),
            ..Delta::default()
        };
        next.rows(rng, &mut delta);
        next.files(rng, &mut delta, at_ms);
        next.said(rng, &mut delta, at_ms);
        (delta, next)
    }

    fn rows(&mut self, rng: &mut ChaCha8Rng, delta: &mut Delta) {
        if rng.random_bool(0.7) {
            let lane = rng.random_range(0..3_u32);
            let tp = TopicPartition { topic: "trades".into(), partition: i32::try_from(lane).expect("small") };
            let row = LaneRow { lane: PartitionIndex(lane), tp, body: bytes(rng) };
            self.lanes.insert(lane, row.clone());
            delta.lanes.push(row);
        }
        let mut pages = BTreeMap::new();
        for _ in 0..rng.random_range(0..70) {
            let key = PageKey { kind: 1, a: rng.random_range(0..3), b: rng.random_range(0..60) };
            pages.insert(key, PageRow { key, unsettled: rng.random_bool(0.5), body: bytes(rng) });
        }
        delta.pages = pages.values().cloned().collect();
        self.pages.extend(pages);
        let mut residues = BTreeMap::new();
        for _ in 0..rng.random_range(0..4) {
            let segment = segment(rng);
            let body = rng.random_bool(0.6).then(|| bytes(rng));
            residues.insert(PageKey::of(segment), ResidueRow { segment, body });
        }
        for (place, residue) in residues {
            match residue.body {
                Some(_) => self.residues.insert(place, residue.clone()),
                None => self.residues.remove(&place),
            };
            delta.residues.push(residue);
        }
    }

    fn files(&mut self, rng: &mut ChaCha8Rng, delta: &mut Delta, at_ms: i64) {
        let known = u32::try_from(self.files.len()).expect("few");
        if known > 0 && rng.random_bool(0.5) {
            let id = rng.random_range(1..=known);
            let standing =
                if rng.random_bool(0.5) { FileStanding::Live } else { FileStanding::Gone { since_ms: at_ms } };
            let file = self.files.get_mut(&id).expect("known");
            *file = FileChange { standing, facts: bytes(rng), ..file.clone() };
            delta.files_changed.push(file.clone());
        }
        for id in known + 1..known + 1 + rng.random_range(0..3) {
            let path = format!("s3://lake/trades/{id}.parquet");
            let file = FileChange {
                id: FileId(id),
                path_hash: PathHash::of(&path),
                path,
                standing: FileStanding::Waiting,
                facts: bytes(rng),
            };
            let body = bytes(rng);
            self.files.insert(id, file.clone());
            self.bodies.insert(FileId(id), body.clone());
            delta.files_new.push(FileRow { file, body });
        }
    }

    fn said(&mut self, rng: &mut ChaCha8Rng, delta: &mut Delta, at_ms: i64) {
        let change = |rng: &mut ChaCha8Rng, open: bool| match (open, rng.random_bool(0.5)) {
            (false, _) => Change::Opened,
            (true, true) => Change::Changed,
            (true, false) => Change::Resolved,
        };
        if rng.random_bool(0.5) {
            let segment = segment(rng);
            let before = self.runs.get(&PageKey::of(segment)).filter(|(_, run)| run.change != Change::Resolved);
            let change = change(rng, before.is_some());
            let opened_ms = before.map_or(at_ms, |(opened_ms, _)| *opened_ms);
            let messages = rng.random_range(1..4096);
            let run = RunChange { segment, verdict: MISSING, cause: Some(Cause::Lost), messages, change, at_ms };
            self.runs.insert(PageKey::of(segment), (opened_ms, run.clone()));
            delta.runs.push(run);
        }
        if rng.random_bool(0.6) {
            let number = rng.random_range(0..6_u64);
            let before = self.findings.get(&number).filter(|(_, finding)| finding.change != Change::Resolved);
            let change = change(rng, before.is_some());
            let opened_ms = before.map_or(at_ms, |(opened_ms, _)| *opened_ms);
            let finding = FindingChange { facts: bytes(rng), ..finding(number, change, at_ms) };
            self.findings.insert(number, (opened_ms, finding.clone()));
            delta.findings.push(finding);
        }
    }
}

/// A change of a finding about a message.
pub(super) fn finding(number: u64, change: Change, at_ms: i64) -> FindingChange {
    let offset = i64::try_from(number).expect("small");
    let tp = TopicPartition { topic: "trades".into(), partition: 0 };
    FindingChange {
        id: FindingId::of_message("trades", MISSING, &tp, offset),
        verdict: MISSING,
        cause: Some(Cause::Lost),
        place: FindingPlace::Message { lane: PartitionIndex(0), offset },
        change,
        at_ms,
        facts: Facts::default().to_bytes(),
    }
}
