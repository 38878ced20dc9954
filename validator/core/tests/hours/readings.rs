//! What the service reads of a world of hours: batches of messages, files, answers to drills.

use std::collections::BTreeMap;
use std::ops::Range;

use fixtures_kit::hours::{DataFile, Log, SETTLE_MS, Said, WIDTH, World};
use fixtures_kit::story::StoryMode;
use validator_core::bag::Bag;
use validator_core::digest::{Digest, IdentityHash};
use validator_core::judge::{MessageEntry, MessageState, RowEntry, RowStanding};
use validator_core::limits::{KEY_SHARDS, WINDOW_SHARDS};
use validator_core::position::{FileIndex, MessageAt, PartitionIndex, RowAt};
use validator_core::segment::{SegmentKey, shard_of};
use validator_core::shadow::action::DrillAsk;
use validator_core::shadow::event::{Drilled, LanePart, SeenRow, SegmentPart};
use validator_core::shadow::file::{FileBags, FileId};
use validator_core::shadow::late::Lateness;
use validator_core::shadow::runs::{Offsets, Runs};
use validator_core::shadow::segment::Times;
use validator_core::shadow::slips::{FileSlips, Mark, OF_WINDOW, mark_of};
use validator_core::verdict::ExcludedCause;

/// Rows of a file beyond which a scan hands over no slips.
const SLIPPED_ROWS_MAX: u64 = 8_192;

fn hash<const N: usize>(parts: [u64; N]) -> Digest {
    let mut bytes = [0; 64];
    for (place, part) in bytes.chunks_exact_mut(8).zip(parts) {
        place.copy_from_slice(&part.to_le_bytes());
    }
    Digest(*blake3::hash(&bytes[..N * 8]).as_bytes())
}

/// A partition by its number.
pub fn lane_index(lane: usize) -> PartitionIndex {
    PartitionIndex(u32::try_from(lane).expect("few lanes"))
}

/// A row, or a message that asks for one.
struct Hashed {
    identity: IdentityHash,
    digest: Digest,
    segment: SegmentKey,
}

/// See the module.
pub struct Readings<'w> {
    log: &'w Log,
    world: &'w World,
}

impl<'w> Readings<'w> {
    /// Of a world as it is now.
    pub fn of(world: &'w World) -> Self {
        Self { log: &world.log, world }
    }

    fn hashed(&self, lane: usize, offset: i64) -> Hashed {
        let (number, at, value) = (lane as u64, offset.cast_unsigned(), self.log.value(lane, offset));
        match self.world.mode {
            StoryMode::Offset => {
                let index = offset.div_euclid(WIDTH.cast_signed());
                let segment = SegmentKey::Offsets { partition: lane_index(lane), index };
                let identity = hash([2, number, at]).identity();
                Hashed { identity, digest: hash([1, number, at, value]), segment }
            }
            StoryMode::Key | StoryMode::Content => {
                let window = self.log.window(lane, offset);
                let (identity, digest) = if self.world.mode == StoryMode::Key {
                    (hash([2, number, at]).identity(), hash([5, number, at, value, window.cast_unsigned()]))
                } else {
                    let digest = hash([6, value, window.cast_unsigned()]);
                    (digest.identity(), digest)
                };
                let segment = SegmentKey::Window { start: Some(window), shard: shard_of(&identity, WINDOW_SHARDS) };
                Hashed { identity, digest, segment }
            }
            StoryMode::Upsert => {
                let key = self.log.key(lane, offset);
                let identity = hash([10, number, key]).identity();
                let segment = SegmentKey::Keys { shard: shard_of(&identity, KEY_SHARDS) };
                Hashed { identity, digest: hash([8, number, key, value]), segment }
            }
        }
    }

    /// All columns beside the identity.
    fn rest(&self, lane: usize, offset: i64) -> Digest {
        hash([3, self.log.value(lane, offset)])
    }

    /// A message with its segment; none: the offset holds none.
    fn message(&self, lane: usize, offset: i64) -> Option<(MessageEntry, SegmentKey)> {
        let said = self.log.said(lane, offset)?;
        let Hashed { identity, digest, segment } = self.hashed(lane, offset);
        let is_row = said == Said::Row;
        let entry = MessageEntry {
            at: MessageAt { partition: lane_index(lane), offset },
            timestamp_ms: Some(self.log.lanes[lane].timestamp_ms(offset)),
            identity: Some(identity),
            digest: is_row.then_some(digest),
            rest: is_row.then(|| self.rest(lane, offset)),
            state: if is_row { MessageState::Judged } else { MessageState::Excluded(ExcludedCause::Tombstone) },
            loss: None,
            stood: false,
        };
        Some((entry, segment))
    }

    /// A batch of one lane.
    pub fn lane_part(&self, lane: usize, from: i64, to: i64) -> LanePart {
        let mode = self.world.mode;
        let mut parts: BTreeMap<SegmentKey, SegmentPart> = BTreeMap::new();
        let (mut excluded, mut versions, mut windows) = (BTreeMap::new(), Vec::new(), None::<(i64, i64)>);
        for (message, segment) in (from..to).filter_map(|offset| self.message(lane, offset)) {
            let is_judged = message.state == MessageState::Judged;
            if !is_judged {
                *excluded.entry(ExcludedCause::Tombstone).or_insert(0) += 1;
            }
            if mode == StoryMode::Upsert {
                versions.push(message);
                continue;
            }
            if !is_judged && mode != StoryMode::Offset {
                continue;
            }
            let offset = message.at.offset;
            let (bag, times, span) = (Bag::EMPTY, Times::default(), (offset, offset));
            let none = SegmentPart { segment, bag, times, offset_max: i64::MIN, span, excluded: 0, undecodable: 0 };
            let part = parts.entry(segment).or_insert(none);
            part.span.1 = offset + 1;
            match message.digest {
                Some(digest) => {
                    part.bag.add(&digest);
                    part.times.note(message.timestamp_ms);
                    part.offset_max = offset;
                }
                None => part.excluded += 1,
            }
            if let SegmentKey::Window { start: Some(window), .. } = segment {
                let (first, greatest) = windows.unwrap_or((window, window));
                windows = Some((first, greatest.max(window)));
            }
        }
        let gaps = self.log.lanes[lane].gaps(from, to).map(|offset| offset..offset + 1).collect();
        let (partition, parts, undecodable) = (lane_index(lane), parts.into_values().collect(), Vec::new());
        LanePart { partition, from, to, parts, gaps, undecodable, excluded, windows, versions }
    }

    /// What a file adds, and slips of its rows.
    pub fn file(&self, file: &DataFile) -> (FileBags, Option<FileSlips>) {
        let mut bags: BTreeMap<SegmentKey, Bag> = BTreeMap::new();
        let mut slips: BTreeMap<SegmentKey, Vec<(i64, Mark)>> = BTreeMap::new();
        let rows: u64 = file.runs.iter().map(|run| (run.to - run.from).cast_unsigned()).sum();
        let has_slips = rows <= SLIPPED_ROWS_MAX && self.world.mode != StoryMode::Upsert;
        for (lane, offset) in rows_of(file) {
            let row = self.hashed(lane, offset);
            bags.entry(row.segment).or_default().add(&row.digest);
            if has_slips {
                let place = if self.world.mode == StoryMode::Offset { offset } else { OF_WINDOW };
                slips.entry(row.segment).or_default().push((place, mark_of(&row.digest)));
            }
        }
        let slips = slips.into_iter().map(|(segment, slips)| (segment, slips.into_iter().collect())).collect();
        let slips = has_slips.then(|| FileSlips { rows: slips, ahead: BTreeMap::new() });
        let (bags, late) = (bags.into_iter().collect(), self.lateness(file));
        (FileBags { bags, rows, late, ..FileBags::default() }, slips)
    }

    fn is_late(&self, lane: usize, offset: i64, landed_ms: i64) -> bool {
        self.log.lanes[lane].timestamp_ms(offset) + SETTLE_MS < landed_ms
    }

    fn lateness(&self, file: &DataFile) -> Lateness {
        let is_of_offsets = self.world.mode == StoryMode::Offset;
        if self.world.mode == StoryMode::Upsert {
            return Lateness::Untold;
        }
        let offsets = |rows: &mut dyn Iterator<Item = (usize, i64)>| {
            let mut offsets = Offsets::default();
            rows.for_each(|(lane, at)| offsets.add(lane_index(lane), &Runs::from_iter([(at, at + 1)])));
            offsets
        };
        let Some(landed_ms) = self.world.table.landed_ms(file) else {
            if !is_of_offsets {
                return Lateness::Moved { rows: Offsets::default(), several: Offsets::default() };
            }
            let (mut rows, mut several) = (Offsets::default(), Offsets::default());
            for run in &file.runs {
                let mut one = Offsets::default();
                one.add(lane_index(run.lane), &Runs::from_iter([(run.from, run.to)]));
                several.extend(&rows.and(&one));
                rows.extend(&one);
            }
            return Lateness::Moved { rows, several };
        };
        let mut late = rows_of(file).filter(|(lane, offset)| self.is_late(*lane, *offset, landed_ms));
        if is_of_offsets {
            return Lateness::Told { late: offsets(&mut late), untold: 0 };
        }
        let mut by_segment: BTreeMap<SegmentKey, u64> = BTreeMap::new();
        late.for_each(|(lane, offset)| *by_segment.entry(self.hashed(lane, offset).segment).or_default() += 1);
        Lateness::Windows(by_segment.into_iter().collect())
    }

    /// The answer to a drill. `number`: which file of the world one is.
    pub fn drill(&self, ask: &DrillAsk, number: impl Fn(FileId) -> u64) -> Drilled {
        let offsets = |(partition, range): &(PartitionIndex, Range<i64>)| {
            let lane = partition.0 as usize;
            range.clone().map(move |offset| (lane, offset)).collect::<Vec<_>>()
        };
        let asked: Vec<(usize, i64)> = ask.messages.iter().flat_map(offsets).collect();
        let is_lost = |(lane, offset): &(usize, i64)| *offset < self.log.lanes[*lane].log_start;
        let lost_messages = asked.iter().any(is_lost);
        let read = asked.iter().filter(|at| !is_lost(at)).filter_map(|(lane, offset)| self.message(*lane, *offset));
        let found: Vec<MessageEntry> =
            read.filter(|(_, segment)| *segment == ask.segment).map(|(entry, _)| entry).collect();
        let debit: Vec<Digest> = found.iter().filter_map(|message| message.digest).collect();
        let rows = |file: &FileId| {
            let object = self.world.table.file(number(*file))?;
            Some(self.rows_in(object, *file, ask.segment))
        };
        let live = ask.files.iter().map(|file| (*file, rows(file).expect("a live file is there"))).collect();
        let gone = ask.gone.iter().map(|file| (*file, rows(file))).collect();
        let (segment, messages, debit) = (ask.segment, ask.messages.clone(), debit.iter().collect());
        Drilled { segment, messages, found, debit, files: live, gone, lost_messages }
    }

    fn rows_in(&self, object: &DataFile, file: FileId, segment: SegmentKey) -> Vec<SeenRow> {
        let landed_ms = self.world.table.landed_ms(object);
        let is_of_offsets = self.world.mode == StoryMode::Offset;
        let inside = |(lane, offset): (usize, i64)| match segment {
            SegmentKey::Offsets { partition, index } => {
                partition == lane_index(lane) && index == offset.div_euclid(WIDTH.cast_signed())
            }
            SegmentKey::Window { start: Some(window), .. } => window == self.log.window(lane, offset),
            _ => true,
        };
        let mut seen = Vec::new();
        for (position, (lane, offset)) in (0..).zip(rows_of(object)).filter(|(_, at)| inside(*at)) {
            let row = self.hashed(lane, offset);
            if row.segment != segment {
                continue;
            }
            let late = !is_of_offsets && landed_ms.is_some_and(|at| self.is_late(lane, offset, at));
            let entry = RowEntry {
                at: RowAt { file: FileIndex(file.0), position },
                identity: row.identity,
                digest: row.digest,
                rest: self.rest(lane, offset),
                standing: RowStanding::InScope,
                hole: None,
                late,
            };
            let (partition, offset) = (is_of_offsets.then(|| lane_index(lane)), is_of_offsets.then_some(offset));
            seen.push(SeenRow { entry, partition, offset });
        }
        seen
    }
}

/// The messages that rows of a file name, in their order.
fn rows_of(file: &DataFile) -> impl Iterator<Item = (usize, i64)> {
    file.runs.iter().flat_map(|run| (run.from..run.to).map(|offset| (run.lane, offset)))
}
