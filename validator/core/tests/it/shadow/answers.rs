//! What the simulated service reads: messages of the log, rows of files.

use std::collections::BTreeMap;
use std::ops::Range;

use fixtures_kit::story::{Content, Message, Row, StoryMode, key_of};
use validator_core::bag::Bag;
use validator_core::digest::{Digest, IdentityHash};
use validator_core::hole::{Hole, HoleReason};
use validator_core::judge::{MessageEntry, MessageState, RowEntry, RowStanding};
use validator_core::limits::KEY_SHARDS;
use validator_core::position::{FileIndex, MessageAt, PartitionIndex, RowAt};
use validator_core::segment::{SegmentKey, shard_of};
use validator_core::shadow::action::DrillAsk;
use validator_core::shadow::event::{Drilled, LanePart, SeenRow, SegmentPart, SnapshotFact, Step, Undecodable, Why};
use validator_core::shadow::file::{FileBags, FileFacts, FileId};
use validator_core::shadow::late::Lateness;
use validator_core::shadow::runs::{Offsets, Runs};
use validator_core::shadow::segment::Times;
use validator_core::shadow::slips::{FileSlips, OF_WINDOW, mark_of};
use validator_core::verdict::{ExcludedCause, UndecodableCause};

use super::machine::{Bug, Machine};

fn hash<const N: usize>(parts: [u64; N]) -> Digest {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_le_bytes()).collect();
    Digest(*blake3::hash(&bytes).as_bytes())
}

/// Shards of a window.
const SHARDS: u32 = 2;

fn window_of(window: i64, identity: &IdentityHash) -> SegmentKey {
    SegmentKey::Window { start: Some(window), shard: shard_of(identity, SHARDS) }
}

fn shard_of_key(identity: &IdentityHash) -> SegmentKey {
    SegmentKey::Keys { shard: shard_of(identity, KEY_SHARDS) }
}

/// A key as numbers.
fn key_words(lane: usize, offset: i64) -> [u64; 2] {
    let (lane, number) = key_of(lane, offset);
    [lane.map_or(0, |lane| lane as u64 + 1), number as u64]
}

fn lane_index(lane: usize) -> PartitionIndex {
    PartitionIndex(u32::try_from(lane).expect("few lanes"))
}

fn offsets<'a>(rows: impl Iterator<Item = &'a Row>) -> Offsets {
    let mut offsets = Offsets::default();
    rows.for_each(|row| offsets.add(lane_index(row.lane), &Runs::from_iter([(row.offset, row.offset + 1)])));
    offsets
}

impl Machine<'_> {
    /// `read` is what is handed over as the messages from `from` on: the same unless the service is wrong.
    pub fn lane_part(&self, lane: usize, from: i64, read: Range<i64>) -> LanePart {
        let story = self.world.story;
        let mut parts: BTreeMap<SegmentKey, SegmentPart> = BTreeMap::new();
        let (mut undecodable, mut excluded) = (Vec::new(), BTreeMap::new());
        let versions = self.versions(lane, &read);
        for message in self.messages(lane, &read) {
            let segment = self.segment_of_message(&message);
            let part = parts.entry(segment).or_insert(SegmentPart {
                segment,
                bag: Bag::EMPTY,
                times: Times::default(),
                offset_max: i64::MIN,
                span: (message.at.offset, message.at.offset),
                excluded: 0,
                undecodable: 0,
            });
            part.span.1 = message.at.offset + 1;
            match message.state {
                MessageState::Judged => {
                    part.bag.add(&self.debit_digest(&message));
                    part.times.note(message.timestamp_ms);
                    part.offset_max = message.at.offset;
                }
                MessageState::Excluded(cause) => {
                    part.excluded += 1;
                    *excluded.entry(cause).or_insert(0) += 1;
                }
                MessageState::Undecodable(cause) => {
                    part.undecodable += 1;
                    let (at, timestamp_ms) = (message.at, message.timestamp_ms);
                    let identity = message.identity.filter(|_| self.bug != Bug::StraysNameless);
                    undecodable.push(Undecodable { at, cause, timestamp_ms, detail: String::new(), identity });
                }
            }
        }
        let windows = parts.values().filter(|part| part.bag.count > 0).filter_map(|part| match part.segment {
            SegmentKey::Window { start, .. } => Some((part.span.0, start?)),
            _ => None,
        });
        let windows: Vec<(i64, i64)> = windows.collect();
        let first = windows.iter().min().map(|(_, window)| *window);
        let windows = first.zip(windows.iter().map(|(_, window)| *window).max());
        let gaps = story.lanes[lane].gaps.iter().map(|gap| gap.from.max(read.start)..gap.to.min(read.end));
        let gaps = gaps.filter(|gap| gap.start < gap.end).collect();
        let (partition, to) = (lane_index(lane), from + (read.end - read.start));
        // Books of keys have their messages, and no sums of them.
        parts.retain(|_, _| self.world.mode != StoryMode::Upsert);
        let parts = parts.into_values().collect();
        LanePart { partition, from, to, parts, gaps, undecodable, excluded, windows, versions }
    }

    /// What an upsert table is told of messages whose key is known.
    fn versions(&self, lane: usize, read: &Range<i64>) -> Vec<MessageEntry> {
        if self.world.mode != StoryMode::Upsert {
            return Vec::new();
        }
        let deletes = MessageState::Excluded(ExcludedCause::Tombstone);
        let is_version = |message: &MessageEntry| {
            let is_told = message.identity.is_some() && !matches!(message.state, MessageState::Undecodable(_));
            is_told && (message.state != deletes || self.bug != Bug::DeletionsForgotten)
        };
        self.messages(lane, read).into_iter().filter(is_version).collect()
    }

    /// An inexact message has a digest in its debit that no row has, and none as an entry.
    fn debit_digest(&self, message: &MessageEntry) -> Digest {
        message.digest.unwrap_or_else(|| hash([4, u64::from(message.at.partition.0), message.at.offset as u64, 0]))
    }

    /// The digest of a row, which is that of the message that asks for it.
    fn row_digest(&self, row: &Row) -> Digest {
        let (lane, offset, window) = (row.lane as u64, row.offset as u64, self.world.story.window_of_row(row) as u64);
        match self.world.mode {
            StoryMode::Offset => hash([1, lane, offset, row.value]),
            StoryMode::Key => hash([5, lane, offset, row.value, window]),
            StoryMode::Content => hash([6, row.value, window]),
            StoryMode::Upsert => {
                let [lane, number] = key_words(row.lane, row.offset);
                hash([8, lane, number, row.value])
            }
        }
    }

    fn rest(&self, row: &Row) -> Digest {
        match self.world.mode {
            StoryMode::Offset => hash([3, row.value, 0, 0]),
            StoryMode::Upsert => hash([9, row.value, 0, 0]),
            _ => hash([7, row.value, self.world.story.window_of_row(row) as u64]),
        }
    }

    fn identity(&self, row: &Row) -> IdentityHash {
        match self.world.mode {
            StoryMode::Content => self.row_digest(row).identity(),
            StoryMode::Upsert => {
                let [lane, number] = key_words(row.lane, row.offset);
                hash([10, lane, number, 0]).identity()
            }
            _ => hash([2, row.lane as u64, row.offset as u64, 0]).identity(),
        }
    }

    fn identity_of(&self, lane: usize, message: &Message) -> Option<IdentityHash> {
        let (story, mode) = (self.world.story, self.world.mode);
        let value = match message.content {
            Content::Row(value) => value,
            _ => 0,
        };
        let is_known = mode == StoryMode::Offset || story.knows_key(message, mode);
        is_known.then(|| self.identity(&Row { lane, offset: message.offset, value }))
    }

    pub(super) fn segment_of_message(&self, message: &MessageEntry) -> SegmentKey {
        let (partition, width) = (message.at.partition, self.world.story.width as i64);
        let index = message.at.offset.div_euclid(width);
        match (self.world.mode, message.identity) {
            (StoryMode::Offset, _) => SegmentKey::Offsets { partition, index },
            (StoryMode::Upsert, Some(identity)) => shard_of_key(&identity),
            (_, Some(identity)) => window_of(index, &identity),
            // What cannot be held exactly has a digest all the same.
            (_, None) if message.state == MessageState::Judged => {
                window_of(index, &self.debit_digest(message).identity())
            }
            (_, None) => SegmentKey::Nowhere,
        }
    }

    /// Whether a message deletes a key that nobody can tell.
    pub fn is_unknown_deletion(&self, message: &Message) -> bool {
        let (story, mode) = (self.world.story, self.world.mode);
        mode == StoryMode::Upsert && message.content == Content::Tombstone && !story.knows_key(message, mode)
    }

    pub(super) fn messages(&self, lane: usize, range: &Range<i64>) -> Vec<MessageEntry> {
        let messages = self.world.story.lanes[lane].messages.iter();
        let inside = messages.filter(|message| range.contains(&message.offset));
        let entry = |message: &Message| {
            let (mut digest, mut of_rest) = (None, None);
            let state = match message.content {
                Content::Row(value) => {
                    let row = Row { lane, offset: message.offset, value };
                    digest = Some(self.row_digest(&row));
                    of_rest = Some(self.rest(&row));
                    MessageState::Judged
                }
                Content::Inexact(_) => MessageState::Judged,
                Content::Filtered => MessageState::Excluded(ExcludedCause::Filter),
                Content::Tombstone if self.is_unknown_deletion(message) => {
                    MessageState::Undecodable(UndecodableCause::KeyUnknown)
                }
                Content::Tombstone => MessageState::Excluded(ExcludedCause::Tombstone),
                Content::Undecodable => MessageState::Undecodable(UndecodableCause::BadPayload),
            };
            MessageEntry {
                at: MessageAt { partition: lane_index(lane), offset: message.offset },
                timestamp_ms: message.timestamp_ms,
                identity: self.identity_of(lane, message),
                digest,
                rest: of_rest,
                state,
                loss: None,
                stood: false,
            }
        };
        inside.map(entry).collect()
    }

    /// Where a row is booked, at the present positions; none: below a declared start.
    fn segment_of(&self, row: &Row) -> Option<SegmentKey> {
        let story = self.world.story;
        if self.world.mode == StoryMode::Upsert {
            return Some(shard_of_key(&self.identity(row)));
        }
        if self.world.mode != StoryMode::Offset {
            let segment = window_of(story.window_of_row(row), &self.identity(row));
            let is_before = self.shadow.floor().is_above(segment) && self.bug != Bug::FloorIgnored;
            return (!is_before).then_some(segment);
        }
        let Some(lane) = story.lanes.get(row.lane) else { return Some(SegmentKey::Nowhere) };
        if row.offset < 0 || row.offset >= self.positions()[row.lane] {
            return Some(SegmentKey::Nowhere);
        }
        if lane.start.is_some_and(|start| row.offset < start) {
            return None;
        }
        let index = row.offset.div_euclid(story.width as i64);
        Some(SegmentKey::Offsets { partition: lane_index(row.lane), index })
    }

    pub fn bags_of(&self, number: usize) -> FileBags {
        let mut bags: BTreeMap<SegmentKey, Bag> = BTreeMap::new();
        let mut file = FileBags::default();
        let positions = self.positions();
        for row in &self.world.story.files[number].rows {
            file.rows += 1;
            match self.segment_of(row) {
                Some(segment) => bags.entry(segment).or_default().add(&self.row_digest(row)),
                None => file.out_of_scope += 1,
            }
            let is_ahead = positions.get(row.lane).is_some_and(|position| row.offset >= *position);
            if is_ahead && self.world.mode == StoryMode::Offset {
                let least = file.ahead.entry(lane_index(row.lane)).or_insert(row.offset);
                *least = row.offset.min(*least);
            }
        }
        file.bags = bags.into_iter().collect();
        file.late = self.lateness_of(number);
        file
    }

    /// Which rows are late, where their file says when they landed.
    fn lateness_of(&self, number: usize) -> Lateness {
        let story = self.world.story;
        match self.world.mode {
            StoryMode::Offset => {}
            StoryMode::Key | StoryMode::Content => return self.late_of_windows(number),
            StoryMode::Upsert => return Lateness::Untold,
        }
        let is_of_lane = |row: &&Row| row.offset >= 0 && row.lane < story.lanes.len() && self.segment_of(row).is_some();
        let rows = story.files[number].rows.iter().filter(is_of_lane);
        let Some(landed_ms) = story.landed_ms(number) else {
            if self.bug == Bug::MovedInTime {
                return Lateness::Told { late: Offsets::default(), untold: 0 };
            }
            let (mut seen, mut several) = (Offsets::default(), Offsets::default());
            for one in rows.map(|row| offsets([row].into_iter())) {
                several.extend(&seen.and(&one));
                seen.extend(&one);
            }
            return Lateness::Moved { rows: seen, several };
        };
        let late = |row: &&Row| story.is_late(row, landed_ms, self.world.mode) || self.bug == Bug::AllLate;
        Lateness::Told { late: offsets(rows.filter(late)), untold: 0 }
    }

    fn late_of_windows(&self, number: usize) -> Lateness {
        if self.world.story.landed_ms(number).is_none() && self.bug != Bug::MovedInTime {
            return Lateness::Moved { rows: Offsets::default(), several: Offsets::default() };
        }
        let mut late: BTreeMap<SegmentKey, u64> = BTreeMap::new();
        for row in self.world.story.files[number].rows.iter().filter(|row| self.is_late(number, row)) {
            if let Some(segment) = self.segment_of(row) {
                *late.entry(segment).or_default() += 1;
            }
        }
        Lateness::Windows(late.into_iter().collect())
    }

    /// What the own time of a row says.
    fn is_late(&self, file: usize, row: &Row) -> bool {
        let story = self.world.story;
        let landed_ms = story.landed_ms(file);
        landed_ms.is_some_and(|at| self.bug == Bug::AllLate || story.is_late(row, at, self.world.mode))
    }

    /// Slips of the rows that are in segments, or not below the position.
    pub fn slips_of(&self, number: usize) -> FileSlips {
        let mut slips = FileSlips::default();
        let positions = self.positions();
        let rows = self.world.story.files[number].rows.iter().filter(|_| self.bug != Bug::SlipsForgotten);
        for row in rows {
            let offset = if self.world.mode == StoryMode::Offset { row.offset } else { OF_WINDOW };
            let slip = (offset, mark_of(&self.row_digest(row)));
            match self.segment_of(row) {
                Some(segment) if segment != SegmentKey::Nowhere => {
                    slips.rows.entry(segment).or_default().extend([slip])
                }
                Some(_) if self.bug == Bug::SlipsAheadForgotten => {}
                Some(_) if positions.get(row.lane).is_some_and(|position| row.offset >= *position) => {
                    slips.ahead.entry(lane_index(row.lane)).or_default().extend([slip]);
                }
                Some(_) | None => {}
            }
        }
        slips
    }

    /// The answer to a drill.
    pub fn drill(&self, ask: &DrillAsk) -> Drilled {
        let asked = ask.messages.iter().flat_map(|(of, asked)| self.messages(of.0 as usize, asked));
        let found: Vec<MessageEntry> =
            asked.filter(|message| self.segment_of_message(message) == ask.segment).collect();
        let judged = found.iter().filter(|message| message.state == MessageState::Judged);
        let debit = judged.map(|message| self.debit_digest(message)).collect::<Vec<_>>().iter().collect();
        let files = ask.files.iter().map(|file| (*file, self.rows_of(*file, ask.segment)));
        let gone = ask.gone.iter().map(|file| {
            let number = self.of_story[file];
            let rows = match self.bug {
                Bug::StoodForgotten => Vec::new(),
                _ => self.rows_of(*file, ask.segment),
            };
            (*file, (!self.world.objects_gone.contains(&number)).then_some(rows))
        });
        let (segment, messages) = (ask.segment, ask.messages.clone());
        Drilled { segment, messages, found, debit, files: files.collect(), gone: gone.collect(), lost_messages: false }
    }

    fn rows_of(&self, file: FileId, segment: SegmentKey) -> Vec<SeenRow> {
        let entries = self.shadow.entries_of(file).unwrap_or(1);
        let mut seen = Vec::new();
        for (position, row) in (0..).zip(&self.world.story.files[self.of_story[&file]].rows) {
            if self.segment_of(row) != Some(segment) {
                continue;
            }
            let entry = RowEntry {
                at: RowAt { file: FileIndex(file.0), position },
                identity: self.identity(row),
                digest: self.row_digest(row),
                rest: self.rest(row),
                standing: RowStanding::InScope,
                hole: None,
                late: self.world.mode != StoryMode::Offset && self.is_late(self.of_story[&file], row),
            };
            let partition = (row.lane < self.world.story.lanes.len()).then(|| lane_index(row.lane));
            let one = match self.world.mode {
                StoryMode::Offset => SeenRow { entry, partition, offset: Some(row.offset) },
                _ => SeenRow { entry, partition: None, offset: None },
            };
            seen.extend(std::iter::repeat_n(one, entries as usize));
        }
        seen
    }

    /// A snapshot as the metadata has it.
    pub fn step(&self, number: usize, why: Why) -> Step {
        let snapshot = &self.world.story.snapshots[number];
        let mut files = snapshot.live.clone();
        let last = self.cursor().filter(|_| snapshot.operation == "replace" && why == Why::Next);
        if let (Bug::ReplaceAsAppend, Some(last)) = (self.bug, last) {
            let old = self.world.story.snapshots[last].live.iter();
            files.extend(old.filter(|(file, _)| !snapshot.live.iter().any(|(one, _)| one == file)));
        }
        let live = files.into_iter().map(|(file, entries)| FileFacts {
            path: self.world.story.files[file].path.clone(),
            size: file as u64,
            entries,
            sequence: Some(1),
            added_by: number as i64,
            commit_ms: self.world.story.landed_ms(file),
            is_replace: false,
            deletes: [0; 16],
            spec_id: 0,
        });
        let snapshot = SnapshotFact {
            id: number as i64,
            parent: snapshot.parent.map(|parent| parent as i64),
            sequence: number as i64,
            commit_ms: snapshot.commit_ms,
            operation: snapshot.operation.to_owned(),
        };
        let moved_ms = self.world.story.moved_ms(number).filter(|_| self.world.mode != StoryMode::Offset);
        let moved_ms = moved_ms.filter(|_| self.bug != Bug::NeverMoved);
        let uuid = self.world.story.snapshots[number].table.to_string();
        let why = if self.bug == Bug::EachStepNext { Why::Next } else { why };
        Step { snapshot, uuid, why, live: live.collect(), moved_ms }
    }

    /// Why offsets hold no message.
    pub fn explained(&self, asked: &[(PartitionIndex, i64, i64)]) -> Vec<(PartitionIndex, Hole)> {
        let mut holes = Vec::new();
        for (partition, from, to) in asked {
            for gap in &self.world.story.lanes[partition.0 as usize].gaps {
                let (from, to) = (gap.from.max(*from), gap.to.min(*to));
                let reason = if gap.aborted { HoleReason::Aborted } else { HoleReason::Control };
                if from < to {
                    holes.push((*partition, Hole { from, to, reason }));
                }
            }
        }
        holes
    }
}
