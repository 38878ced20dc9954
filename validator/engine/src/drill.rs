//! The drill: all disputed segments of a run are read again from both sides as entries, and judged together.
//!
//! Contract: the judge decides; this file only fetches what it asks for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use datafusion::error::DataFusionError;
use validator_core::books::Books;
use validator_core::digest::{Digest, IdentityHash};
use validator_core::judge::{
    BalancedLookup, BalancedPartner, MessageEntry, MessageState, ModeKind, RowEntry, RowStanding,
};
use validator_core::position::{FileIndex, MessageAt, PartitionIndex, RowAt};
use validator_core::segment::SegmentKey;
use validator_table::RowGroups;
use validator_tap::Wanted;

use crate::entries;
use crate::identity::IdentityDigests;
use crate::kept::{Kept, KeptRow};
use crate::losses::Losses;
use crate::message_reader::{MessageSide, ReadError};
use crate::row_reader::{RowBatch, RowSide, external};
use crate::scan_exec::ScanTask;
use crate::segments::MessageSegments;
use crate::upsert::Proven;
use crate::versions::NameFilter;

/// Why a drill ended.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// The messages could not be read again.
    #[error("read disputed messages")]
    Messages(#[source] ReadError),
    /// The rows could not be read again.
    #[error("read disputed rows")]
    Rows(#[source] DataFusionError),
    /// A worker of this process ended.
    #[error("a reading task ended")]
    Task(#[source] tokio::task::JoinError),
}

/// Everything a drill reads from.
#[derive(Debug, Clone)]
pub struct Drill {
    /// Messages.
    pub messages: MessageSide,
    /// The ranges that the first pass covered.
    pub covered: Vec<Wanted>,
    /// Rows.
    pub rows: RowSide,
    /// Row groups that count as lost.
    pub lost: Arc<BTreeMap<FileIndex, RowGroups>>,
    /// Digests of both sides.
    pub digests: Arc<IdentityDigests>,
    /// Lost parts of the table.
    pub losses: Arc<Losses>,
    /// Threads that read messages.
    pub threads: usize,
    /// Upsert tables: keys whose last version may set nothing; rows of theirs are always put before the judge.
    pub gone: Option<Arc<NameFilter>>,
}

impl Drill {
    /// Keeps the messages of the disputed segments, excluded ones too; undecodable ones are left to the first pass.
    ///
    /// # Errors
    /// [`DrillError`].
    pub async fn keep_messages(
        &self,
        disputed: &Arc<BTreeSet<SegmentKey>>,
        kept: &Arc<Kept>,
    ) -> Result<(), DrillError> {
        let wanted = self.message_ranges(disputed);
        let (disputed, digests, losses) = (Arc::clone(disputed), Arc::clone(&self.digests), Arc::clone(&self.losses));
        let by_position = matches!(*self.messages.segments, MessageSegments::Offset(_));
        let (segments, kept) = (Arc::clone(&self.messages.segments), Arc::clone(kept));
        self.read_messages(wanted, move |batch| {
            let keys = segments.keys(&batch).map_err(external)?;
            let asked = |row: usize| {
                !matches!(batch.states[row], MessageState::Undecodable(_)) && disputed.contains(&keys[row])
            };
            let entries = entries::of_messages(&batch, &digests, by_position, &losses, asked).map_err(external)?;
            kept.add_messages(&entries)
        })
        .await?;
        Ok(())
    }

    /// Keeps the rows of the disputed segments; those that the run does not ask for only where a message may (modes
    /// `key` and `content`).
    ///
    /// # Errors
    /// [`DrillError`].
    pub async fn keep_rows(
        &self,
        disputed: &Arc<BTreeSet<SegmentKey>>,
        files: &BTreeSet<FileIndex>,
        books: &Arc<Books>,
        kept: &Arc<Kept>,
    ) -> Result<(), DrillError> {
        let (disputed, digests) = (Arc::clone(disputed), Arc::clone(&self.digests));
        let (books, kept, gone) = (Arc::clone(books), Arc::clone(kept), self.gone.clone());
        let is_key = !matches!(*self.messages.segments, MessageSegments::Offset(_));
        let each = move |batch: RowBatch| {
            let asked = |row: usize| {
                let place = &batch.places[row];
                disputed.contains(&place.segment) && (is_key || place.standing != RowStanding::OutOfScope)
            };
            let rows: Vec<usize> = (0..batch.at.len()).filter(|row| asked(*row)).collect();
            let entries = entries::of_rows(&batch.columns, &batch.at, &batch.places, &batch.late, &digests, &rows)
                .map_err(external)?;
            let beside = |row: &usize, entry: &RowEntry| {
                let place = &batch.places[*row];
                let is_gone = gone.as_ref().is_some_and(|gone| gone.may_hold(&entry.identity));
                let has_messages = || books.account(&place.segment).is_some_and(|account| account.debit.count > 0);
                place.standing == RowStanding::OutOfScope && !has_messages() && !is_gone
            };
            let rows = rows.iter().zip(entries);
            let rows: Vec<KeptRow> = rows.map(|(row, entry)| KeptRow { beside: beside(row, &entry), entry }).collect();
            kept.add_rows(&rows)
        };
        self.rows.read(self.tasks(files), each).await.map_err(DrillError::Rows)?;
        Ok(())
    }

    /// Mode `key`: excluded messages of other segments that have the identity of a row here: a damaged window takes a
    /// row away from its message's segment.
    ///
    /// # Errors
    /// [`DrillError`].
    pub async fn excluded_beside(
        &self,
        disputed: &Arc<BTreeSet<SegmentKey>>,
        messages: &[MessageEntry],
        rows: &[RowEntry],
    ) -> Result<Vec<MessageEntry>, DrillError> {
        // In the other modes an excluded message has the segment of its rows.
        let is_key = self.messages.binding.identity.mode() == ModeKind::Key;
        if !is_key || self.messages.binding.filter.is_none() {
            return Ok(Vec::new());
        }
        let known: HashSet<IdentityHash> = messages.iter().filter_map(|message| message.identity).collect();
        let names: HashSet<IdentityHash> =
            rows.iter().map(|row| row.identity).filter(|identity| !known.contains(identity)).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let (segments, digests) = (Arc::clone(&self.messages.segments), Arc::clone(&self.digests));
        let disputed = Arc::clone(disputed);
        let found = self
            .read_messages(self.covered.clone(), move |batch| {
                if batch.all_judged() {
                    return Ok(Vec::new());
                }
                let keys = segments.keys(&batch).map_err(external)?;
                let excluded = |row: usize| {
                    matches!(batch.states[row], MessageState::Excluded(_)) && !disputed.contains(&keys[row])
                };
                let found = entries::of_messages(&batch, &digests, false, &Losses::default(), excluded);
                let found = found.map_err(external)?.into_iter();
                Ok(found.filter(|message| message.identity.is_some_and(|name| names.contains(&name))).collect())
            })
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The segments in which rows of these identities lie.
    ///
    /// # Errors
    /// [`DrillError`].
    pub async fn segments_of(&self, names: HashSet<IdentityHash>) -> Result<BTreeSet<SegmentKey>, DrillError> {
        let (digests, names) = (Arc::clone(&self.digests), Arc::new(names));
        let (found, _) = self
            .rows
            .read(self.tasks(&self.all_files()), move |batch| {
                let identities = digests.identities(batch.at.len(), &batch.columns, None).map_err(external)?;
                let hits = identities.iter().zip(&batch.places).filter(|(identity, _)| names.contains(identity));
                Ok(hits.map(|(_, place)| place.segment).collect::<BTreeSet<_>>())
            })
            .await
            .map_err(DrillError::Rows)?;
        Ok(found.into_iter().flatten().collect())
    }

    /// All files of the snapshot.
    pub fn all_files(&self) -> BTreeSet<FileIndex> {
        (0..self.rows.pinned.files.len()).map(|index| FileIndex(index as u32)).collect()
    }

    /// Tasks over these files, as often as they are live, without what is lost.
    pub fn tasks(&self, files: &BTreeSet<FileIndex>) -> Vec<ScanTask> {
        scan_tasks(&self.rows, files, &self.lost)
    }

    pub(crate) async fn read_messages<R: Send + 'static>(
        &self,
        wanted: Vec<Wanted>,
        each: impl Fn(crate::message_batch::MessageBatch) -> Result<R, DataFusionError> + Send + Sync + 'static,
    ) -> Result<Vec<R>, DrillError> {
        let each = Arc::new(each);
        let shares = share(wanted, self.threads);
        let tasks: Vec<_> = shares
            .into_iter()
            .map(|share| {
                let (side, each) = (self.messages.clone(), Arc::clone(&each));
                tokio::task::spawn_blocking(move || {
                    let (mut results, mut failed) = (Vec::new(), None);
                    let read = side.read(&share, &mut |batch| match each(batch) {
                        Ok(result) => {
                            results.push(result);
                            ControlFlow::Continue(())
                        }
                        Err(error) => {
                            failed = Some(error);
                            ControlFlow::Break(())
                        }
                    });
                    let seen = read.map_err(DrillError::Messages)?;
                    for (index, partition) in seen.partitions.iter().enumerate() {
                        if let Some(failure) = &partition.failure {
                            let tp = side.tap.partitions()[index].tp.to_string();
                            return Err(DrillError::Messages(ReadError::Lost { tp, failure: failure.clone() }));
                        }
                    }
                    failed.map_or(Ok(results), |error| Err(DrillError::Rows(error)))
                })
            })
            .collect();
        let mut results = Vec::new();
        for task in tasks {
            results.extend(task.await.map_err(DrillError::Task)??);
        }
        Ok(results)
    }

    /// In mode `offset` only the disputed offsets are read again.
    fn message_ranges(&self, disputed: &BTreeSet<SegmentKey>) -> Vec<Wanted> {
        let MessageSegments::Offset(width) = *self.messages.segments else { return self.covered.clone() };
        let mut ranges: BTreeMap<PartitionIndex, Vec<Range<i64>>> = BTreeMap::new();
        for segment in disputed {
            let SegmentKey::Offsets { partition, index } = segment else { continue };
            let Some((_, covered)) = self.covered.iter().find(|(covered, _)| covered == partition) else { continue };
            let offsets = width.offsets(*index);
            for range in covered {
                let both = offsets.start.max(range.start)..offsets.end.min(range.end);
                if both.is_empty() {
                    continue;
                }
                let runs = ranges.entry(*partition).or_default();
                match runs.last_mut() {
                    Some(last) if last.end == both.start => last.end = both.end,
                    _ => runs.push(both),
                }
            }
        }
        ranges.into_iter().collect()
    }
}

/// Tasks over these files, as often as they are live, without what is lost.
pub fn scan_tasks(rows: &RowSide, files: &BTreeSet<FileIndex>, lost: &BTreeMap<FileIndex, RowGroups>) -> Vec<ScanTask> {
    let mut tasks = Vec::new();
    for index in files {
        let file = &rows.pinned.files[index.0 as usize];
        let row_groups = lost.get(index).cloned().unwrap_or_default();
        if matches!(&row_groups, RowGroups::Only(only) if only.is_empty()) {
            continue;
        }
        for _ in 0..file.entries.max(1) {
            tasks.push(ScanTask { index: *index, file: file.clone(), row_groups: row_groups.clone() });
        }
    }
    tasks
}

/// Partitions over at most `threads` shares, largest first.
pub fn share(mut wanted: Vec<Wanted>, threads: usize) -> Vec<Vec<Wanted>> {
    let size = |(_, ranges): &Wanted| ranges.iter().map(|range| range.end - range.start).sum::<i64>();
    wanted.sort_by_key(|wanted| std::cmp::Reverse(size(wanted)));
    let count = threads.clamp(1, wanted.len().max(1));
    let mut shares = vec![(0i64, Vec::new()); count];
    for one in wanted {
        let least = shares.iter_mut().min_by_key(|(messages, _)| *messages).expect("at least one share");
        least.0 = least.0.saturating_add(size(&one));
        least.1.push(one);
    }
    shares.into_iter().map(|(_, share)| share).collect()
}

/// Finds partners in balanced segments for rows that the judge has left over. Blocks its thread.
pub struct Lookup {
    /// The drill.
    pub drill: Drill,
    /// The disputed segments: their messages and rows are in the case already.
    pub disputed: Arc<BTreeSet<SegmentKey>>,
    /// The runtime that reads rows.
    pub runtime: tokio::runtime::Handle,
    /// Upsert tables: the last versions that are proven, of the keys that have something before the judge.
    pub proven: Option<Proven>,
}

impl BalancedLookup for Lookup {
    type Error = DrillError;

    fn find(&mut self, identities: &[IdentityHash]) -> Result<Vec<BalancedPartner>, DrillError> {
        if identities.is_empty() || matches!(*self.drill.messages.segments, MessageSegments::Offset(_)) {
            return Ok(Vec::new());
        }
        let names: Arc<HashSet<IdentityHash>> = Arc::new(identities.iter().copied().collect());
        self.runtime.block_on(self.partners(names))
    }
}

impl Lookup {
    /// A look-up on the runtime that this is called on.
    pub fn new(drill: Drill, disputed: Arc<BTreeSet<SegmentKey>>, proven: Option<Proven>) -> Self {
        Self { drill, disputed, runtime: tokio::runtime::Handle::current(), proven }
    }

    async fn partners(&self, names: Arc<HashSet<IdentityHash>>) -> Result<Vec<BalancedPartner>, DrillError> {
        let last = match &self.proven {
            Some(proven) => proven.iter().filter(|(name, _)| names.contains(name)).map(|(n, p)| (*n, *p)).collect(),
            None => self.last_messages(Arc::clone(&names)).await?,
        };
        let pairs: Arc<HashSet<(IdentityHash, Digest)>> =
            Arc::new(last.iter().map(|(identity, (_, digest, _))| (*identity, *digest)).collect());
        let rows = self.last_rows(pairs).await?;
        let partner =
            |(identity, (message, digest, timestamp_ms)): (IdentityHash, (MessageAt, Digest, Option<i64>))| {
                let (row, late) = *rows.get(&identity)?;
                Some(BalancedPartner { identity, digest, message, timestamp_ms, row, late })
            };
        Ok(last.into_iter().filter_map(partner).collect())
    }

    /// The last message of each identity in balanced segments.
    async fn last_messages(
        &self,
        names: Arc<HashSet<IdentityHash>>,
    ) -> Result<HashMap<IdentityHash, (MessageAt, Digest, Option<i64>)>, DrillError> {
        let (digests, disputed) = (Arc::clone(&self.drill.digests), Arc::clone(&self.disputed));
        let segments = Arc::clone(&self.drill.messages.segments);
        let found = self
            .drill
            .read_messages(self.drill.covered.clone(), move |batch| {
                let keys = segments.keys(&batch).map_err(external)?;
                let judged = |row: usize| batch.states[row] == MessageState::Judged && !disputed.contains(&keys[row]);
                let found =
                    entries::of_messages(&batch, &digests, false, &Losses::default(), judged).map_err(external)?;
                Ok(found
                    .into_iter()
                    .filter(|m| m.identity.is_some_and(|name| names.contains(&name)))
                    .collect::<Vec<_>>())
            })
            .await?;
        let mut last: HashMap<IdentityHash, (MessageAt, Digest, Option<i64>)> = HashMap::new();
        for message in found.into_iter().flatten() {
            let (Some(identity), Some(digest)) = (message.identity, message.digest) else { continue };
            let this = (message.at, digest, message.timestamp_ms);
            let so_far = last.entry(identity).or_insert(this);
            if so_far.0 < message.at {
                *so_far = this;
            }
        }
        Ok(last)
    }

    /// The last row of each (identity, digest) in balanced segments.
    async fn last_rows(
        &self,
        pairs: Arc<HashSet<(IdentityHash, Digest)>>,
    ) -> Result<HashMap<IdentityHash, (RowAt, bool)>, DrillError> {
        let (digests, disputed) = (Arc::clone(&self.drill.digests), Arc::clone(&self.disputed));
        let tasks = self.drill.tasks(&self.drill.all_files());
        let (found, _) = self
            .drill
            .rows
            .read(tasks, move |batch| {
                let balanced: Vec<usize> =
                    (0..batch.at.len()).filter(|row| !disputed.contains(&batch.places[*row].segment)).collect();
                let rows = entries::of_rows(&batch.columns, &batch.at, &batch.places, &batch.late, &digests, &balanced);
                let rows = rows.map_err(external)?;
                Ok(rows.into_iter().filter(|row| pairs.contains(&(row.identity, row.digest))).collect::<Vec<_>>())
            })
            .await
            .map_err(DrillError::Rows)?;
        let mut last: HashMap<IdentityHash, (RowAt, bool)> = HashMap::new();
        for row in found.into_iter().flatten() {
            let so_far = last.entry(row.identity).or_insert((row.at, row.late));
            if so_far.0 < row.at {
                *so_far = (row.at, row.late);
            }
        }
        Ok(last)
    }
}
