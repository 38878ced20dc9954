//! The drill: the disputed segments of a run are read again from both sides as entries, and judged together.
//!
//! Contract: the judge decides; this file only fetches what it asks for. With a [`Sieve`] it fetches only what slips
//! say differs; `settled.rs` proves that the rest balances.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::iter;
use std::ops::Range;
use std::sync::Arc;

use datafusion::error::DataFusionError;
use validator_core::digest::IdentityHash;
use validator_core::judge::{MessageEntry, MessageState, ModeKind, RowEntry, RowStanding};
use validator_core::position::{FileIndex, MessageAt, PartitionIndex};
use validator_core::segment::SegmentKey;
use validator_core::verdict::ExcludedCause;
use validator_table::{FileFault, RowGroups};
use validator_tap::{PartitionRange, Wanted};

use crate::captured::near;
use crate::disputed::{Disputed, Found, Sieve};
use crate::entries;
use crate::identity::IdentityDigests;
use crate::kept::{Kept, KeptRow};
use crate::limits::{LOCATED_ROWS_MAX, SPARSE_ROWS, STRETCHED_ROWS};
pub use crate::lookup::Lookup;
use crate::losses::Losses;
use crate::message_batch::MessageBatch;
use crate::message_reader::{MessageSide, ReadError};
use crate::rereading::reread;
use crate::row_reader::{RowBatch, RowSide, external};
use crate::scan_exec::ScanTask;
use crate::segments::{MessageSegments, RowPlace};
use crate::slips::{Name, Names};
use crate::stretches::Stretches;
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
    /// Parts of the table could be read before, and cannot be read again.
    #[error("read rows again: {}", first_of(.0))]
    Unread(Vec<(FileIndex, FileFault)>),
    /// A worker of this process ended.
    #[error("a reading task ended")]
    Task(#[source] tokio::task::JoinError),
}

fn first_of(faults: &[(FileIndex, FileFault)]) -> String {
    faults.first().map_or_else(String::new, |(_, fault)| format!("{}: {}", fault.path, fault.detail))
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
    /// Keeps messages and rows of the disputed segments: excluded messages too, undecodable ones are left to the first
    /// pass; rows that the run does not ask for only where a message may (modes `key` and `content`). With `only`, what
    /// has no name of it is passed by, and the values of the rest are captured.
    ///
    /// # Errors
    /// [`DrillError`].
    pub async fn keep(&self, disputed: &Disputed, only: Option<&Sieve>, kept: &Arc<Kept>) -> Result<Found, DrillError> {
        let mut found = Found::default();
        if !disputed.segments.is_empty() {
            let (messages, rows) =
                tokio::try_join!(self.keep_messages(disputed, only, kept), self.keep_rows(disputed, only, kept))?;
            found.merge(messages);
            found.merge(rows);
        }
        Ok(found)
    }

    async fn keep_messages(
        &self,
        disputed: &Disputed,
        only: Option<&Sieve>,
        kept: &Arc<Kept>,
    ) -> Result<Found, DrillError> {
        let by_position = matches!(*self.messages.segments, MessageSegments::Offset(_));
        let wanted = match only {
            Some(sieve) if by_position => self.near_offsets(&sieve.names),
            _ => self.message_ranges(&disputed.segments),
        };
        let (segments, digests) = (Arc::clone(&self.messages.segments), Arc::clone(&self.digests));
        let (disputed, losses) = (Arc::clone(&disputed.segments), Arc::clone(&self.losses));
        let (kept, sieve) = (Arc::clone(kept), only.cloned());
        let each = move |batch: MessageBatch| {
            let places = segments.places(&batch).map_err(external)?;
            let asked = |row: &usize| {
                sieve.as_ref().is_none_or(|sieve| sieve.names.contains(&places[*row].1))
                    && !matches!(batch.states[*row], MessageState::Undecodable(_))
                    && disputed.contains(&places[*row].0)
            };
            let rows: Vec<usize> = (0..batch.len()).filter(asked).collect();
            let batch = batch.select(&rows);
            let (entries, found_digests) =
                entries::of_all_messages(&batch, &digests, by_position, &losses).map_err(external)?;
            kept.add_messages(&entries)?;
            let mut found = Found::default();
            for ((row, entry), digest) in rows.iter().zip(&entries).zip(found_digests) {
                if entry.state == MessageState::Judged {
                    found.books.debit(places[*row].0, &iter::once(&digest).collect());
                }
            }
            if let Some(sieve) = &sieve {
                sieve.captured.add_messages(batch);
            }
            Ok(found)
        };
        let names = only.filter(|_| by_position).map(|sieve| Arc::clone(&sieve.names));
        let asked = move |at: MessageAt| {
            names.as_ref().is_none_or(|names| names.contains(&Name::of_offset(at.partition, at.offset)))
        };
        Ok(Found::sum(self.read_messages(wanted, asked, each).await?))
    }

    /// Keeps the rows alone.
    ///
    /// # Errors
    /// [`DrillError`].
    pub async fn keep_rows(
        &self,
        disputed: &Disputed,
        only: Option<&Sieve>,
        kept: &Arc<Kept>,
    ) -> Result<Found, DrillError> {
        let digests = Arc::clone(&self.digests);
        let (kept, sieve, gone) = (Arc::clone(kept), only.cloned(), self.gone.clone());
        let is_key = !matches!(*self.messages.segments, MessageSegments::Offset(_));
        let (segments, books) = (Arc::clone(&disputed.segments), Arc::clone(&disputed.books));
        let names = only.map(|sieve| Arc::clone(&sieve.names));
        let asked = move |place: &RowPlace| {
            (place.standing != RowStanding::InScope
                || names.as_ref().is_none_or(|names| place.name.is_none_or(|name| names.contains(&name))))
                && (is_key || place.standing != RowStanding::OutOfScope)
                && segments.contains(&place.segment)
        };
        let tasks = self.tasks_within(&disputed.files);
        let tasks = match only {
            Some(sieve) => self.narrowed(tasks, sieve.names.len(), asked.clone()).await?,
            None => tasks,
        };
        let each = move |batch: RowBatch| {
            let rows: Vec<usize> = (0..batch.at.len()).filter(|row| asked(&batch.places[*row])).collect();
            let batch = batch.select(&rows);
            let entries = entries::of_rows(&batch, &digests).map_err(external)?;
            let beside = |entry: &RowEntry, place: &RowPlace| {
                let is_gone = gone.as_ref().is_some_and(|gone| gone.may_hold(&entry.identity));
                let has_messages = || books.account(&place.segment).is_some_and(|account| account.debit.count > 0);
                place.standing == RowStanding::OutOfScope && !has_messages() && !is_gone
            };
            let mut found = Found::default();
            let mut rows = Vec::with_capacity(entries.len());
            for (entry, place) in entries.into_iter().zip(&batch.places) {
                found.books.credit(place.segment, &iter::once(&entry.digest).collect());
                *found.late.entry(place.segment).or_default() += u64::from(entry.late);
                rows.push(KeptRow { beside: beside(&entry, place), entry });
            }
            kept.add_rows(&rows)?;
            if let Some(sieve) = &sieve {
                sieve.captured.add_rows(batch);
            }
            Ok(found)
        };
        Ok(Found::sum(self.rows.read(tasks, each).await?))
    }

    /// Tasks of exactly the rows that `asked` holds of where it is asked for few names; else these tasks.
    async fn narrowed(
        &self,
        tasks: Vec<ScanTask>,
        names: usize,
        asked: impl Fn(&RowPlace) -> bool + Send + Sync + Clone + 'static,
    ) -> Result<Vec<ScanTask>, DrillError> {
        let rows = tasks.iter().fold(0_u64, |rows, task| rows.saturating_add(task.file.record_count));
        let most = (rows / SPARSE_ROWS).min(LOCATED_ROWS_MAX);
        if names as u64 > most {
            return Ok(tasks);
        }
        // What cannot be read here may not be among what is asked for.
        let found = match self.rows.locate(tasks.clone(), asked, most).await {
            Ok(Some(found)) => found,
            Ok(None) | Err(DrillError::Unread(_)) => return Ok(tasks),
            Err(error) => return Err(error),
        };
        let narrowed = |task: ScanTask| {
            let positions = Some(found.get(&task.index)?.iter().copied().collect());
            Some(ScanTask { positions, ..task })
        };
        Ok(tasks.into_iter().filter_map(narrowed).collect())
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
        let has_start = |range: &PartitionRange| range.start.is_some_and(|start| start > range.from);
        let may_start_later = self.messages.tap.partitions().iter().any(has_start);
        if !is_key || !(may_start_later || self.messages.binding.filter.is_some()) {
            return Ok(Vec::new());
        }
        // A message before the start takes the rows of its identity out of scope also where a later one has it.
        let before_start = MessageState::Excluded(ExcludedCause::BeforeStart);
        let known = messages.iter().filter(|message| !may_start_later || message.state == before_start);
        let known: HashSet<IdentityHash> = known.filter_map(|message| message.identity).collect();
        let names: HashSet<IdentityHash> =
            rows.iter().map(|row| row.identity).filter(|identity| !known.contains(identity)).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let (segments, digests) = (Arc::clone(&self.messages.segments), Arc::clone(&self.digests));
        let disputed = Arc::clone(disputed);
        let each = move |batch: MessageBatch| {
            if batch.all_judged() {
                return Ok(Vec::new());
            }
            let keys = segments.keys(&batch).map_err(external)?;
            let excluded =
                |row: usize| matches!(batch.states[row], MessageState::Excluded(_)) && !disputed.contains(&keys[row]);
            let found = entries::of_messages(&batch, &digests, false, &Losses::default(), excluded);
            let found = found.map_err(external)?.into_iter();
            Ok(found.filter(|message| message.identity.is_some_and(|name| names.contains(&name))).collect::<Vec<_>>())
        };
        let found = self.read_messages(self.covered.clone(), |_| true, each).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The segments in which rows of these identities lie.
    ///
    /// # Errors
    /// [`DrillError`].
    pub async fn segments_of(&self, names: HashSet<IdentityHash>) -> Result<BTreeSet<SegmentKey>, DrillError> {
        let (digests, names) = (Arc::clone(&self.digests), Arc::new(names));
        let found = self
            .rows
            .read(self.tasks(&self.all_files()), move |batch| {
                let identities = digests.identities(batch.at.len(), &batch.columns, None).map_err(external)?;
                let hits = identities.iter().zip(&batch.places).filter(|(identity, _)| names.contains(identity));
                Ok(hits.map(|(_, place)| place.segment).collect::<BTreeSet<_>>())
            })
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// All files of the snapshot.
    pub fn all_files(&self) -> BTreeSet<FileIndex> {
        (0..self.rows.pinned.files.len()).map(|index| FileIndex(index as u32)).collect()
    }

    /// Tasks over these files, as often as they are live, without what is lost.
    pub fn tasks(&self, files: &BTreeSet<FileIndex>) -> Vec<ScanTask> {
        self.rows.tasks(files, &self.lost)
    }

    /// Tasks over these stretches of files, where they are few enough to be listed; else over all of the files.
    fn tasks_within(&self, files: &BTreeMap<FileIndex, Stretches>) -> Vec<ScanTask> {
        let tasks = self.tasks(&files.keys().copied().collect());
        let rows_of = |task: &ScanTask| task.file.record_count;
        let rows = tasks.iter().map(|task| files[&task.index].rows(rows_of(task))).fold(0, u64::saturating_add);
        let all = tasks.iter().map(rows_of).fold(0, u64::saturating_add);
        if rows > LOCATED_ROWS_MAX.min(all / STRETCHED_ROWS) {
            return tasks;
        }
        tasks.into_iter().map(|task| ScanTask { positions: files[&task.index].positions(), ..task }).collect()
    }

    /// Reads messages again on several threads; those that `asked` does not hold of are not even decoded.
    pub(crate) async fn read_messages<R: Send + 'static>(
        &self,
        wanted: Vec<Wanted>,
        asked: impl Fn(MessageAt) -> bool + Send + Sync + 'static,
        each: impl Fn(MessageBatch) -> Result<R, DataFusionError> + Send + Sync + 'static,
    ) -> Result<Vec<R>, DrillError> {
        Ok(reread(&self.messages, wanted, self.threads, asked, each).await?.0)
    }

    /// Runs of near offsets of these names, inside of what the first pass covered.
    fn near_offsets(&self, names: &Names) -> Vec<Wanted> {
        let mut offsets: Vec<MessageAt> = names.iter().map(|name| name.offset()).collect();
        offsets.retain(|at| {
            let covered = self.covered.iter().find(|(partition, _)| *partition == at.partition);
            covered.is_some_and(|(_, ranges)| ranges.iter().any(|range| range.contains(&at.offset)))
        });
        offsets.sort_unstable();
        near(offsets)
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
