//! The two first passes of a run: messages into bags, then rows into bags, each with what was seen beside them.
//!
//! Contract: the messages go first, so that scope and holes are known when the rows come. A row pass whose row groups
//! failed after some of their rows had gone out is made again without them, until none does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::iter;
use std::sync::{Arc, Mutex, PoisonError};

use validator_core::bag::Bag;
use validator_core::hole::Holes;
use validator_core::judge::{MessageEntry, MessageState, ModeKind};
use validator_core::position::{FileIndex, MessageAt, PartitionIndex};
use validator_core::schema::Field;
use validator_core::segment::SegmentKey;
use validator_table::{FileFault, Pinned, RowGroups, TableFinding};
use validator_tap::Wanted;

use crate::bag_plan::{MessageBag, RowBag, message_bags, row_bags};
use crate::drill::share;
use crate::entries;
use crate::identity::row_spec;
use crate::late::LateRule;
use crate::limits::{SLIP_BYTES_MAX, SLIP_DISK_BYTES_MAX};
use crate::losses::Losses;
use crate::message_exec::{MessageExec, Witness};
use crate::message_reader::MessageSide;
use crate::misrouted::Routing;
use crate::observations::Observations;
use crate::reconcile::{Run, RunError};
use crate::row_reader::RowSide;
use crate::scan_exec::{IcebergScanExec, ScanLog, ScanTask};
use crate::scoping::{self, Scoping};
use crate::segment_exec::{RowCensus, RowCut, SegmentExec};
use crate::segments::RowSegments;
use crate::slips::Slips;
use crate::versions::{Tally, Versions};

/// What the first pass over the messages saw.
#[derive(Debug)]
pub struct MessagePass {
    pub(crate) bags: Vec<MessageBag>,
    pub(crate) seen: Observations,
    pub(crate) undecodable: Vec<MessageEntry>,
    pub(crate) details: BTreeMap<MessageAt, String>,
    /// Upsert tables: the last version of each key.
    pub(crate) versions: Option<Arc<Versions>>,
    /// Upsert tables: what the last versions took the place of.
    pub(crate) tally: Tally,
    /// What a drill can tell by what it need not read.
    pub(crate) slips: Arc<Slips>,
}

/// What the pass over the rows saw, made again without what it lost.
#[derive(Debug)]
pub struct RowPass {
    pub(crate) bags: Vec<RowBag>,
    pub(crate) census: RowCensus,
    pub(crate) faults: Vec<(FileIndex, FileFault)>,
    /// With the data file that was read when it was found; none: of delete files.
    pub(crate) findings: Vec<(Option<FileIndex>, TableFinding)>,
    pub(crate) lost: BTreeMap<FileIndex, RowGroups>,
    pub(crate) rows: RowSide,
    pub(crate) routing: Routing,
}

impl MessagePass {
    fn new(
        bags: Vec<MessageBag>,
        seen: Observations,
        noted: &Mutex<Vec<(MessageEntry, String)>>,
        slips: Arc<Slips>,
    ) -> Self {
        let noted = std::mem::take(&mut *noted.lock().unwrap_or_else(PoisonError::into_inner));
        let details = noted.iter().map(|(entry, why)| (entry.at, why.clone())).collect();
        let undecodable = noted.into_iter().map(|(entry, _)| entry).collect();
        Self { bags, seen, undecodable, details, versions: None, tally: Tally::default(), slips }
    }

    /// Judged messages in the bags.
    pub fn messages(&self) -> u64 {
        self.bags.iter().map(|bag| bag.bag.count).sum()
    }

    /// The bags by segment, each with the largest offset of its messages, which says something in mode `offset` only.
    pub fn bags(&self) -> impl Iterator<Item = (SegmentKey, Bag, i64)> {
        self.bags.iter().map(|bag| (bag.segment, bag.bag, bag.offset_max))
    }

    /// Messages that cannot be told, and why.
    pub fn undecodable(&self) -> impl Iterator<Item = (&MessageEntry, &str)> {
        let why = |entry: &MessageEntry| self.details.get(&entry.at).map_or("", String::as_str);
        self.undecodable.iter().map(move |entry| (entry, why(entry)))
    }

    /// Their bags by segment.
    pub fn by_segment(&self) -> BTreeMap<SegmentKey, Bag> {
        self.bags.iter().map(|bag| (bag.segment, bag.bag)).collect()
    }

    /// Their slips.
    pub fn slips(&self) -> &Arc<Slips> {
        &self.slips
    }

    /// What was seen beside them.
    pub fn seen(&self) -> &Observations {
        &self.seen
    }
}

impl RowPass {
    /// Rows in the bags.
    pub fn rows(&self) -> u64 {
        self.bags.iter().map(|bag| bag.bag.count).sum()
    }

    /// The bags of all files, by segment.
    pub fn by_segment(&self) -> BTreeMap<SegmentKey, Bag> {
        let mut sums: BTreeMap<SegmentKey, Bag> = BTreeMap::new();
        for bag in &self.bags {
            sums.entry(bag.segment).or_default().merge(&bag.bag);
        }
        sums
    }

    /// What was counted beside them.
    pub fn census(&self) -> &RowCensus {
        &self.census
    }
}

/// The tasks of a pass, given what of the files is lost.
pub(crate) type Tasks<'a> = dyn Fn(&RowSide, &BTreeMap<FileIndex, RowGroups>) -> Vec<ScanTask> + Sync + 'a;

impl Run {
    /// Reads all messages into bags.
    ///
    /// # Errors
    /// [`RunError`]; what is wrong with single messages is in the pass.
    pub async fn message_pass(&self) -> Result<MessagePass, RunError> {
        if self.is_upsert() {
            let noted: Arc<Mutex<Vec<(MessageEntry, String)>>> = Arc::default();
            let pass = self.versions_pass(self.witness(Arc::clone(&noted))).await?;
            let messages = MessagePass::new(pass.bags, pass.seen, &noted, self.slips());
            return Ok(MessagePass { versions: Some(pass.versions), tally: pass.tally, ..messages });
        }
        let wanted: Vec<Wanted> = ranges(&self.messages);
        let partitions = self.messages.tap.partitions().len();
        let observations = Arc::new(Mutex::new(Observations::new(partitions)));
        let noted: Arc<Mutex<Vec<(MessageEntry, String)>>> = Arc::default();
        let shares = share(wanted, self.threads);
        let witness = self.witness(Arc::clone(&noted));
        let slips = self.slips();
        let exec =
            MessageExec::new(self.messages.clone(), shares, Arc::clone(&observations), witness, Arc::clone(&slips));
        let spec = row_spec(&self.messages.binding.columns);
        let bags = message_bags(exec, spec, &self.key, &slips, Arc::clone(&self.context)).await?;
        let seen = std::mem::take(&mut *observations.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(MessagePass::new(bags, seen, &noted, slips))
    }

    /// Modes `offset` and `key` keep slips; in the others a name does not say which message a row is of.
    fn slips(&self) -> Arc<Slips> {
        let runtime = self.context.runtime_env();
        let by_offset = self.messages.binding.identity.is_offset();
        let has_names = by_offset || self.messages.binding.identity.mode() == ModeKind::Key;
        Arc::new(match has_names && !self.is_upsert() {
            true => Slips::new(by_offset, SLIP_BYTES_MAX, SLIP_DISK_BYTES_MAX, runtime),
            false => Slips::none(runtime),
        })
    }

    /// Notes every undecodable message with what is known of its identity.
    fn witness(&self, noted: Arc<Mutex<Vec<(MessageEntry, String)>>>) -> Witness {
        let digests = Arc::clone(&self.digests);
        let by_position = self.messages.binding.identity.is_offset();
        let progress = Arc::clone(&self.progress.messages);
        Arc::new(move |batch| {
            progress(batch.len() as u64);
            if batch.all_judged() {
                return;
            }
            let wanted = |row: usize| matches!(batch.states[row], MessageState::Undecodable(_));
            let entries = entries::of_messages(batch, &digests, by_position, &Losses::default(), wanted)
                .expect("the same columns were digested for the plan");
            let why: HashMap<i64, (u32, &String)> =
                batch.details.iter().map(|(row, why)| (batch.offset[*row], (batch.partition[*row], why))).collect();
            let with_why = entries.into_iter().map(|entry| {
                let why = why.get(&entry.at.offset).filter(|(partition, _)| *partition == entry.at.partition.0);
                (entry, why.map(|(_, why)| (*why).clone()).unwrap_or_default())
            });
            noted.lock().unwrap_or_else(PoisonError::into_inner).extend(with_why);
        })
    }

    /// Why the offsets between the messages hold none, by partition.
    ///
    /// # Errors
    /// The broker cannot be asked.
    pub async fn holes(&self, seen: &Observations) -> Result<Vec<Holes>, RunError> {
        let gaps: Vec<_> = (0..)
            .map(PartitionIndex)
            .zip(&seen.partitions)
            .flat_map(|(partition, seen)| seen.gaps.iter().map(move |gap| (partition, gap.clone())))
            .collect();
        let mut runs = vec![Vec::new(); seen.partitions.len()];
        if !gaps.is_empty() {
            let tap = Arc::clone(&self.messages.tap);
            let explained = tokio::task::spawn_blocking(move || tap.explain(&gaps)).await?;
            for (partition, hole) in explained.map_err(RunError::Holes)? {
                runs[partition.0 as usize].push(hole);
            }
        }
        Ok(runs.into_iter().map(Holes::new).collect())
    }

    /// Reads all rows into bags and `slips`, by the scope that the messages gave, but for parts that are `known` to be lost.
    ///
    /// # Errors
    /// [`RunError`]; what cannot be read of the table is in the pass.
    pub async fn row_pass(
        &self,
        scoping: &Scoping,
        slips: &Arc<Slips>,
        known: &[(FileIndex, FileFault)],
    ) -> Result<RowPass, RunError> {
        let fields: Arc<[Field]> = self.messages.binding.read_fields().into();
        let routing = Routing::new(&self.pinned, Arc::clone(&fields));
        let all = all_files(&self.pinned);
        let side = || self.row_side(scoping.row_segments(self), scoping::late_rule(self), &fields, &routing);
        let tasks = |rows: &RowSide, lost: &BTreeMap<FileIndex, RowGroups>| rows.tasks(&all, lost);
        let mut pass = self.row_pass_of(&side, &tasks, slips, known, self.is_by_file()).await?;
        pass.findings.extend(self.pinned.delete_findings().into_iter().map(|finding| (None, finding)));
        Ok(pass)
    }

    /// Reads the rows of some tasks; again, without the parts that failed when some of their rows had gone out, until none
    /// does.
    ///
    /// # Errors
    /// [`RunError`]; what cannot be read of the table is in the pass.
    pub(crate) async fn row_pass_of(
        &self,
        side: &(dyn Fn() -> RowSide + Sync),
        tasks: &Tasks<'_>,
        slips: &Arc<Slips>,
        known: &[(FileIndex, FileFault)],
        by_file: bool,
    ) -> Result<RowPass, RunError> {
        // What is not looked at is left out as what is lost is.
        let mut lost = self.within.clone();
        scoping::note_lost(&mut lost, known);
        let mut faults: Vec<(FileIndex, FileFault)> = known.to_vec();
        loop {
            slips.forget_rows();
            let rows = side();
            let cut = Arc::clone(&rows.cut);
            let (log, tasks) = (Arc::new(ScanLog::default()), tasks(&rows, &lost));
            let filter = rows.row_filter();
            let pinned = Arc::clone(&self.pinned);
            let scan = IcebergScanExec::new(pinned, &rows.fields, filter, tasks, self.threads, Arc::clone(&log));
            let segments = SegmentExec::new(Arc::new(scan), Arc::clone(&cut));
            let (spec, context) = (row_spec(&self.messages.binding.columns), Arc::clone(&self.context));
            let bags = row_bags(segments, spec, &self.key, slips, by_file, context).await?;
            let state = log.state();
            scoping::note_lost(&mut lost, &state.faults);
            faults.extend(state.faults);
            if state.tainted.is_empty() {
                let faults = scoping::merged(faults);
                let mut census = std::mem::take(&mut *cut.census.lock().unwrap_or_else(PoisonError::into_inner));
                state.beside.iter().for_each(|(file, rows)| census.note_beside(*file, *rows));
                let findings = state.findings.into_iter().map(|(file, finding)| (Some(file), finding)).collect();
                let routing = cut.routing.clone();
                return Ok(RowPass { bags, census, faults, findings, lost, rows, routing });
            }
        }
    }
}

impl Run {
    /// The rows as a pass reads them, with a census of its own.
    pub(crate) fn row_side(
        &self,
        segments: RowSegments,
        late: Option<LateRule>,
        fields: &Arc<[Field]>,
        routing: &Routing,
    ) -> RowSide {
        let cut = RowCut {
            segments,
            late,
            routing: routing.clone(),
            binding: Arc::clone(&self.messages.binding),
            census: Mutex::default(),
            progress: Arc::clone(&self.progress.rows),
        };
        RowSide {
            pinned: Arc::clone(&self.pinned),
            fields: Arc::clone(fields),
            compared: self.messages.binding.columns.len(),
            cut: Arc::new(cut),
            partitions: self.threads,
        }
    }

    /// Whether a file has bags of its own: without windows a segment has rows in most files.
    pub(crate) fn is_by_file(&self) -> bool {
        let identity = &self.messages.binding.identity;
        identity.is_offset() || identity.window().is_some()
    }
}

/// What the run asks of each partition.
pub(crate) fn ranges(messages: &MessageSide) -> Vec<Wanted> {
    let ranges = messages.tap.partitions().iter().enumerate();
    let wanted = ranges.filter(|(_, range)| range.from < range.to);
    wanted.map(|(index, range)| (PartitionIndex(index as u32), iter::once(range.from..range.to).collect())).collect()
}

/// What the first pass covered of it: less where a broker failed.
pub(crate) fn covered(run: &Run, seen: &Observations) -> Vec<Wanted> {
    let mut covered = ranges(&run.messages);
    for (partition, ranges) in &mut covered {
        if let Some(position) = seen.partitions[partition.0 as usize].position {
            ranges[0].end = ranges[0].end.min(position.max(ranges[0].start));
        }
    }
    covered
}

pub(crate) fn all_files(pinned: &Pinned) -> BTreeSet<FileIndex> {
    (0..pinned.files.len()).map(|index| FileIndex(index as u32)).collect()
}
