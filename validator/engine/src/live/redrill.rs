//! Answers to drills: messages and rows of disputed segments, read again for all that is asked at once.
//!
//! Contract: an answer has each message and row that was asked for, whatever its state; bags decide whether it was whole. A
//! row is cut by the present positions, as a scan does it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use datafusion::error::Result as PlanResult;
use futures::StreamExt;
use validator_core::digest::Digest;
use validator_core::judge::{MessageEntry, MessageState, RowStanding};
use validator_core::position::{FileIndex, PartitionIndex, RowAt};
use validator_core::segment::SegmentKey;
use validator_core::shadow::action::DrillAsk;
use validator_core::shadow::event::{Drilled, SeenRow};
use validator_core::shadow::file::{FileFacts, FileId};
use validator_table::{FileFault, FileReader, ManifestCache, RemovedRows, RowGroups, ScanItem};
use validator_tap::Wanted;

use super::error::LookError;
use super::lanes::Lanes;
use crate::drill::DrillError;
use crate::entries;
use crate::identity::IdentityDigests;
use crate::late::LateRule;
use crate::limits::RUNS_MADE_AGAIN_MAX;
use crate::losses::Losses;
use crate::message_batch::MessageBatch;
use crate::observations::Observations;
use crate::reconcile::{Run, RunError};
use crate::rereading::reread;
use crate::row_filter::FilteredRead;
use crate::row_reader::{RowBatch, RowSide, external};
use crate::scoping::{late_rule, note_lost};

/// What a round of drills found.
#[derive(Debug, Default)]
pub struct Redrilled {
    /// The answers, in the order of the asks.
    pub answers: Vec<Drilled>,
    /// Segments that ask for a file which is not live in the pinned snapshot, or of which nothing is known: not answered.
    pub stale: Vec<SegmentKey>,
    /// Parts of live files that cannot be read; answers are without them. Those that were not known at the scan make it due
    /// again.
    pub faults: Vec<(FileId, FileFault)>,
}

/// Rows by segment and file.
type Rows = HashMap<(SegmentKey, FileId), Vec<SeenRow>>;

impl Run {
    /// Answers these asks in one pass over the messages and one over the rows. `files` are the facts of all files that are
    /// asked for, live and gone.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn redrill(
        &self,
        lanes: &Lanes,
        files: &BTreeMap<FileId, FileFacts>,
        cache: &ManifestCache,
        asks: &[DrillAsk],
    ) -> Result<Redrilled, LookError> {
        let live = |id: &FileId| self.pinned.index_of(&files.get(id)?.path);
        let is_known = |ask: &&DrillAsk| {
            ask.files.iter().all(|id| live(id).is_some()) && ask.gone.iter().all(|id| files.contains_key(id))
        };
        let (known, stale): (Vec<&DrillAsk>, Vec<&DrillAsk>) = asks.iter().partition(is_known);
        let rows = self.live_rows(lanes, self.landed_rule(files));
        let live_ids: HashMap<FileIndex, FileId> =
            known.iter().flat_map(|ask| &ask.files).filter_map(|id| Some((live(id)?, *id))).collect();
        let ((mut messages, lost), (mut seen, faults), gone) = tokio::try_join!(
            self.messages_of(&known),
            self.rows_of(&rows, &live_ids, pairs(&known, |ask| &ask.files)),
            self.gone_of(&rows, files, cache, &known)
        )?;
        let answers = known.iter().map(|ask| {
            let (found, debit) = messages.remove(&ask.segment).unwrap_or_default();
            let rows = ask.files.iter().map(|id| (*id, in_order(seen.remove(&(ask.segment, *id)))));
            let of_gone = |id: &FileId| {
                let rows = gone.get(id)?.as_ref()?;
                Some(in_order(rows.get(&ask.segment).cloned()))
            };
            Drilled {
                segment: ask.segment,
                messages: ask.messages.clone(),
                found,
                debit: debit.iter().collect(),
                files: rows.collect(),
                gone: ask.gone.iter().map(|id| (*id, of_gone(id))).collect(),
                lost_messages: lost.contains(&ask.segment),
            }
        });
        Ok(Redrilled { answers: answers.collect(), stale: stale.iter().map(|ask| ask.segment).collect(), faults })
    }

    /// Which rows of windows are late, by the commits that their files came with: the snapshots may be expired since. Of rows with
    /// offsets the state knows it.
    fn landed_rule(&self, files: &BTreeMap<FileId, FileFacts>) -> Option<LateRule> {
        if self.messages.binding.identity.is_offset() {
            return None;
        }
        let rule = late_rule(self)?;
        let mut commits_ms = vec![None; self.pinned.files.len()];
        for facts in files.values().filter(|facts| !facts.is_replace) {
            if let Some(index) = self.pinned.index_of(&facts.path) {
                commits_ms[index.0 as usize] = facts.commit_ms;
            }
        }
        Some(rule.with_commits(commits_ms))
    }

    /// Messages of the asked offsets by segment with the digests that judged ones have in debits, and the segments of which
    /// the log no longer has all.
    async fn messages_of(&self, asks: &[&DrillAsk]) -> Result<(Messages, BTreeSet<SegmentKey>), LookError> {
        let wanted = wanted(asks);
        let asked: HashSet<SegmentKey> = asks.iter().map(|ask| ask.segment).collect();
        let (segments, digests) = (Arc::clone(&self.messages.segments), Arc::clone(&self.digests));
        let by_position = self.messages.binding.identity.is_offset();
        let each = move |batch: MessageBatch| {
            let keys = segments.keys(&batch).map_err(external)?;
            let rows: Vec<usize> = (0..batch.len()).filter(|row| asked.contains(&keys[*row])).collect();
            let batch = batch.select(&rows);
            let (entries, digests) =
                entries::of_all_messages(&batch, &digests, by_position, &Losses::default()).map_err(external)?;
            let keys = rows.into_iter().map(|row| keys[row]);
            Ok(keys.zip(entries).zip(digests).collect::<Vec<_>>())
        };
        let (found, seen) = reread(&self.messages, wanted, self.threads, |_| true, each).await?;
        let mut messages = Messages::new();
        for ((segment, entry), digest) in found.into_iter().flatten() {
            let (entries, digests) = messages.entry(segment).or_default();
            if entry.state == MessageState::Judged {
                digests.push(digest);
            }
            entries.push(entry);
        }
        messages.values_mut().for_each(|(entries, _)| entries.sort_unstable_by_key(|entry| entry.at));
        Ok((messages, self.lost_of(asks, &seen).await?))
    }

    /// The segments of which the log no longer has what was asked for.
    async fn lost_of(&self, asks: &[&DrillAsk], seen: &Observations) -> Result<BTreeSet<SegmentKey>, LookError> {
        let gaps: Vec<(SegmentKey, PartitionIndex, Range<i64>)> =
            asks.iter().flat_map(|ask| gaps_of(ask, seen)).filter(|gap| self.is_suspect(asks, gap)).collect();
        if gaps.is_empty() {
            return Ok(BTreeSet::new());
        }
        let tap = Arc::clone(&self.messages.tap);
        let asked: Vec<(PartitionIndex, Range<i64>)> = gaps.iter().map(|(_, of, gap)| (*of, gap.clone())).collect();
        let explained = tokio::task::spawn_blocking(move || tap.explain(&asked)).await.map_err(RunError::Task)?;
        let holes = explained.map_err(RunError::Holes)?;
        let is_lost = |(_, of, gap): &&(SegmentKey, PartitionIndex, Range<i64>)| {
            let touches = holes.iter().filter(|(partition, hole)| {
                partition == of && hole.from < gap.end && gap.start < hole.to && hole.reason.hides_messages()
            });
            touches.count() > 0
        };
        Ok(gaps.iter().filter(is_lost).map(|(segment, _, _)| *segment).collect())
    }

    /// Whether messages may have gone from a gap: retention takes them from the front, and only compaction between others.
    fn is_suspect(&self, asks: &[&DrillAsk], (segment, of, gap): &(SegmentKey, PartitionIndex, Range<i64>)) -> bool {
        let topic = &self.messages.tap.partitions()[of.0 as usize].tp.topic;
        let begins = |ask: &DrillAsk| ask.messages.iter().any(|(part, range)| part == of && range.start == gap.start);
        let is_front = asks.iter().filter(|ask| ask.segment == *segment).any(|ask| begins(ask));
        is_front || self.messages.tap.compacted(topic) != Some(false)
    }

    /// Rows of live files, each live entry's, and what of them cannot be read.
    async fn rows_of(
        &self,
        side: &RowSide,
        ids: &HashMap<FileIndex, FileId>,
        asked: HashSet<(SegmentKey, FileId)>,
    ) -> Result<(Rows, Vec<(FileId, FileFault)>), LookError> {
        let files: BTreeSet<FileIndex> = ids.keys().copied().collect();
        let cut = Cut { digests: Arc::clone(&self.digests), asked: Arc::new(asked), ids: Arc::new(ids.clone()) };
        let (mut lost, mut faults) = (BTreeMap::new(), Vec::new());
        for _ in 0..RUNS_MADE_AGAIN_MAX {
            let cut = cut.clone();
            match side.read(side.tasks(&files, &lost), move |batch| cut.rows(batch)).await {
                Ok(found) => {
                    let mut rows = Rows::new();
                    for (segment, id, row) in found.into_iter().flatten() {
                        rows.entry((segment, id)).or_default().push(row);
                    }
                    return Ok((rows, faults));
                }
                Err(DrillError::Unread(more)) => {
                    if let Some(error) = LookError::of_store(more.iter().map(|(_, fault)| fault)) {
                        return Err(error);
                    }
                    note_lost(&mut lost, &more);
                    faults.extend(more.into_iter().filter_map(|(file, fault)| Some((*ids.get(&file)?, fault))));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(RunError::Drill(DrillError::Unread(Vec::new())).into())
    }

    /// Rows of files that are no longer live, by segment; none where the file is not there any more.
    async fn gone_of(
        &self,
        side: &RowSide,
        files: &BTreeMap<FileId, FileFacts>,
        cache: &ManifestCache,
        asks: &[&DrillAsk],
    ) -> Result<HashMap<FileId, Option<BySegment>>, LookError> {
        let ids: BTreeSet<FileId> = asks.iter().flat_map(|ask| &ask.gone).copied().collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let facts: Vec<FileFacts> = ids.iter().map(|id| files[id].clone()).collect();
        let found = self.pinned.gone_files(cache, &facts).await;
        let found = found.map_err(|(path, detail)| LookError::Store { path, detail })?;
        let asked = Arc::new(pairs(asks, |ask| &ask.gone));
        let mut gone = HashMap::new();
        for (id, removed) in ids.into_iter().zip(found) {
            let rows = match removed {
                Some(removed) => self.stood(side, id, &removed, &asked).await?,
                None => None,
            };
            gone.insert(id, rows);
        }
        Ok(gone)
    }

    async fn stood(
        &self,
        side: &RowSide,
        id: FileId,
        removed: &RemovedRows,
        asked: &Arc<HashSet<(SegmentKey, FileId)>>,
    ) -> Result<Option<BySegment>, LookError> {
        let read = FilteredRead::new(&side.fields[..side.compared], side.row_filter());
        let reader: FileReader = match self.pinned.open_removed(removed, read.fields()).await {
            Ok(reader) => reader,
            Err(fault) => return LookError::of_store([&fault]).map_or(Ok(None), Err),
        };
        // What is no longer live has no place among the live files.
        let ids = HashMap::from([(NO_INDEX, id)]);
        let cut = Cut { digests: Arc::clone(&self.digests), asked: Arc::clone(asked), ids: Arc::new(ids) };
        let (mut items, mut rows) = (reader.scan(&RowGroups::All), BySegment::new());
        while let Some(item) = items.next().await {
            let batch = match item {
                ScanItem::Rows(batch) => batch,
                ScanItem::End(end) => match end.fault {
                    Some(fault) if fault.may_pass => return Err(LookError::of_store([&fault]).expect("it may pass")),
                    // What cannot be read whole says nothing of the rows that it does not give.
                    Some(_) => return Ok(None),
                    None => continue,
                },
            };
            let count = batch.batch.num_rows();
            let at = (0..count).map(|row| RowAt { file: NO_INDEX, position: batch.positions.get(row) });
            let (columns, kept) = read.kept(batch.batch.columns(), count).map_err(RunError::Plan)?;
            let kept: Vec<usize> = (0..count).filter(|row| kept.as_ref().is_none_or(|kept| kept.value(*row))).collect();
            let batch = side.cut.row_batch(columns, at.collect(), vec![None; count]);
            let found = batch.and_then(|batch| cut.rows(batch.select(&kept)));
            for (segment, _, row) in found.map_err(RunError::Plan)? {
                rows.entry(segment).or_default().push(row);
            }
        }
        Ok(Some(rows))
    }
}

/// The place of a file that is not live.
const NO_INDEX: FileIndex = FileIndex(u32::MAX);

/// Messages by segment, and the digests of judged ones.
type Messages = HashMap<SegmentKey, (Vec<MessageEntry>, Vec<Digest>)>;

/// Rows of one file.
type BySegment = HashMap<SegmentKey, Vec<SeenRow>>;

/// Takes out of batches what is asked for.
#[derive(Clone)]
struct Cut {
    digests: Arc<IdentityDigests>,
    asked: Arc<HashSet<(SegmentKey, FileId)>>,
    ids: Arc<HashMap<FileIndex, FileId>>,
}

impl Cut {
    fn rows(&self, batch: RowBatch) -> PlanResult<Vec<(SegmentKey, FileId, SeenRow)>> {
        let id_of = |row: usize, batch: &RowBatch| self.ids.get(&batch.at[row].file).copied();
        let is_asked = |row: &usize| {
            let place = &batch.places[*row];
            let is_booked = place.standing != RowStanding::OutOfScope;
            is_booked && id_of(*row, &batch).is_some_and(|id| self.asked.contains(&(place.segment, id)))
        };
        let rows: Vec<usize> = (0..batch.at.len()).filter(is_asked).collect();
        let batch = batch.select(&rows);
        let entries = entries::of_rows(&batch, &self.digests).map_err(external)?;
        let seen = entries.into_iter().enumerate().map(|(row, mut entry)| {
            let (place, id) = (&batch.places[row], id_of(row, &batch).expect("it was asked for"));
            entry.at.file = FileIndex(id.0);
            let (partition, offset) = place.offset.map_or((None, None), |(of, offset)| (of, Some(offset)));
            (place.segment, id, SeenRow { entry, partition, offset })
        });
        Ok(seen.collect())
    }
}

fn pairs<'a>(asks: &[&'a DrillAsk], of: impl Fn(&'a DrillAsk) -> &'a Vec<FileId>) -> HashSet<(SegmentKey, FileId)> {
    asks.iter().flat_map(|ask| of(ask).iter().map(|id| (ask.segment, *id))).collect()
}

fn in_order(rows: Option<Vec<SeenRow>>) -> Vec<SeenRow> {
    let mut rows = rows.unwrap_or_default();
    rows.sort_by_key(|row| row.entry.at.position);
    rows
}

/// The offsets that are asked for, by partition, ascending; neighbours are one range.
fn wanted(asks: &[&DrillAsk]) -> Vec<Wanted> {
    let mut ranges: BTreeMap<PartitionIndex, Vec<Range<i64>>> = BTreeMap::new();
    for (partition, range) in asks.iter().flat_map(|ask| &ask.messages).filter(|(_, range)| !range.is_empty()) {
        ranges.entry(*partition).or_default().push(range.clone());
    }
    for ranges in ranges.values_mut() {
        ranges.sort_unstable_by_key(|range| range.start);
        ranges.dedup_by(|next, last| {
            let joins = next.start <= last.end;
            last.end = if joins { last.end.max(next.end) } else { last.end };
            joins
        });
    }
    ranges.into_iter().collect()
}

/// Offsets of what was asked that hold no message.
fn gaps_of<'a>(
    ask: &'a DrillAsk,
    seen: &'a Observations,
) -> impl Iterator<Item = (SegmentKey, PartitionIndex, Range<i64>)> + 'a {
    ask.messages.iter().flat_map(move |(of, asked)| {
        let gaps = seen.partitions[of.0 as usize].gaps.iter();
        let inside = gaps.map(|gap| gap.start.max(asked.start)..gap.end.min(asked.end));
        inside.filter(|gap| !gap.is_empty()).map(move |gap| (ask.segment, *of, gap))
    })
}
