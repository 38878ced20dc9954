//! `reconcile`: a range of messages against a pinned snapshot, from first read to report.
//!
//! ```text
//! messages ▶ bags ▶┐                        ┌▶ balanced: proven
//!                  ├▶ books ▶ disputed? ────┤
//! rows     ▶ bags ▶┘                        └▶ drill ▶ judge ▶ values ▶ findings
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use validator_core::accounting::Accounts;
use validator_core::books::Books;
use validator_core::clock::{Clock, Past};
use validator_core::contract::Contract;
use validator_core::digest::{DigestKey, IdentityHash};
use validator_core::encode::EncodeError;
use validator_core::finding::Finding;
use validator_core::hole::Holes;
use validator_core::judge::{Case, Judgement, ModeKind};
use validator_core::position::{FileIndex, MessageAt, PartitionIndex};
use validator_core::segment::SegmentKey;
use validator_table::{FileFault, Pinned, TableFinding};
use validator_tap::TapError;

use crate::accounts::{Balanced, accounts};
use crate::bag_plan::{self, MessageBag, RowBag};
use crate::drill::{Drill, DrillError, Lookup};
use crate::findings::Evidence;
use crate::identity::IdentityDigests;
use crate::kept::{Agreed, Kept, Reduced};
use crate::limits::{KEPT_BYTES_MAX, PAIRS_AT_ONCE_MAX};
use crate::message_reader::{MessageSide, ReadError};
use crate::misrouted;
use crate::observations::Observations;
use crate::passes::{MessagePass, RowPass, covered};
use crate::related::Related;
use crate::removed::{Removal, removed};
use crate::scoping::{self, Scoping};
use crate::segment_exec::RowCensus;
use crate::suspect::{Suspect, suspect};
use crate::tolerate::BoundTolerance;
use crate::upsert::{self, Proven};

/// One run: both sides opened, the contract bound.
#[derive(Debug, Clone)]
pub struct Run {
    /// The contract.
    pub contract: Arc<Contract>,
    /// The message side.
    pub messages: MessageSide,
    /// The pinned snapshot.
    pub pinned: Arc<Pinned>,
    /// Digests of both sides.
    pub digests: Arc<IdentityDigests>,
    /// The key of the digests.
    pub key: DigestKey,
    /// What it judges by.
    pub clock: Clock,
    /// Threads on either side.
    pub threads: usize,
    /// Memory, spill and metrics of the plans.
    pub context: Arc<TaskContext>,
    /// Told how far the run is.
    pub progress: Progress,
    /// Who decides: [`validator_core::judge::judge`], or a test's broken one that must be noticed.
    pub judge: Judge,
}

/// Decides a case.
pub type Judge = fn(Case, &mut Lookup) -> Result<Judgement, DrillError>;

/// How far a run is; called by batch, from any thread.
#[derive(Clone)]
pub struct Progress {
    /// So many more messages were read in the first pass.
    pub messages: Arc<dyn Fn(u64) + Send + Sync>,
    /// So many more rows were read in the first pass.
    pub rows: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Progress {
    /// Nobody watches.
    pub fn none() -> Self {
        Self { messages: Arc::new(|_| {}), rows: Arc::new(|_| {}) }
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

/// Why a run could not be made or finished.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The messages could not be read.
    #[error("read the topic")]
    Messages(#[from] ReadError),
    /// The reasons of holes could not be looked up.
    #[error("explain the offsets that hold no message")]
    Holes(#[source] TapError),
    /// A plan failed.
    #[error("run the reconcile plan")]
    Plan(#[from] DataFusionError),
    /// The disputed segments could not be read again.
    #[error("drill the disputed segments")]
    Drill(#[from] DrillError),
    /// The columns have no canonical bytes.
    #[error("encode rows")]
    Encode(#[from] EncodeError),
    /// The table's offset column does not hold offsets.
    #[error("{0}")]
    NotOffsets(String),
    /// A worker of this process ended.
    #[error("a task of the run ended")]
    Task(#[from] tokio::task::JoinError),
}

/// Everything that a report is made of.
#[derive(Debug)]
pub struct Reconciled {
    /// The counts.
    pub accounts: Accounts,
    /// Intact messages that came late; `None` where it was not asked for.
    pub late: Option<u64>,
    /// Rows in scope whose values give another partition than their file's; `None` where it was not looked at.
    pub misrouted: Option<u64>,
    /// Rows that show an older version of their key; `None` where the table keeps every message.
    pub stale: Option<u64>,
    /// Upsert tables: keys that have versions in several partitions.
    pub keys_spanning: u64,
    /// What was seen of the messages.
    pub seen: Observations,
    /// Holes by partition.
    pub holes: Vec<Holes>,
    /// The books.
    pub segments: SegmentNumbers,
    /// Findings on messages and rows, unsorted.
    pub findings: Vec<Finding>,
    /// Parts of the table that could not be read.
    pub faults: Vec<(FileIndex, FileFault)>,
    /// Per fault, by its place: messages that it explains.
    pub explained: Vec<u64>,
    /// Missing messages and phantom rows of mode `content` that were too many to be held against each other.
    pub unlinked: u64,
    /// Files that contradict their manifest entries.
    pub table_findings: Vec<TableFinding>,
    /// The census of rows.
    pub census: RowCensus,
    /// What says that the contract is probably wrong.
    pub suspect: Option<Suspect>,
    /// The tolerances that the census counts by their places.
    pub tolerances: Vec<BoundTolerance>,
}

/// What the identities of disputed segments agree on beside the case.
struct Agreement {
    by_partition: BTreeMap<PartitionIndex, Agreed>,
    /// Rows beside the run that no message explains.
    rows_beside: u64,
    /// Upsert tables: superseded versions of keys that have nothing before the judge.
    superseded: Option<BTreeMap<PartitionIndex, u64>>,
    /// Upsert tables: last versions that are proven, of keys that have something before the judge.
    proven: Option<Proven>,
}

/// Segments of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct SegmentNumbers {
    /// Both bags equal.
    pub balanced: u64,
    /// The bags differ.
    pub disputed: u64,
}

impl Run {
    /// Makes the run.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn reconcile(self) -> Result<Reconciled, RunError> {
        let mut messages = self.message_pass().await?;
        let holes = self.holes(&messages.seen).await?;
        let scoping = Scoping::new(&self, &messages.seen, &holes);
        let mut rows = self.row_pass(&scoping).await?;
        scoping::check_offsets(&self, &rows.census).map_err(RunError::NotOffsets)?;
        let books = Arc::new(bag_plan::books(&messages.bags, &rows.bags));
        let balanced = Balanced::of(&books, &rows.bags);
        let losses = Arc::new(scoping::losses(&self, &rows.faults));
        let drill = Drill {
            messages: self.messages.clone(),
            covered: covered(&self, &messages.seen),
            rows: rows.rows.clone(),
            lost: Arc::new(rows.lost.clone()),
            digests: Arc::clone(&self.digests),
            losses,
            threads: self.threads,
            gone: None,
        };
        let disputed = self.disputed(&drill, &books, &messages).await?;
        let forced: Balanced = Balanced::of(&without(&books, &disputed), &rows.bags);
        let mut balanced = if disputed.len() == books.disputed().len() { balanced } else { forced };
        let (case, agreement) = self.case(&drill, &books, &disputed, &messages, &rows.bags, &scoping).await?;
        let astray = std::mem::take(&mut rows.census.misrouted);
        let entered = misrouted::entered(&astray, &case);
        let names = upsert::names(&case, self.is_upsert());
        let lookup = Lookup::new(drill.clone(), Arc::clone(&disputed), agreement.proven);
        let mut judgement = judge_case(self.judge, case, lookup).await?;
        let astray = misrouted::in_scope(astray, &disputed, &entered, &judgement);
        let removed = removed(&self, &judgement, &names).await?;
        judgement.mark_removed(&removed.keys().copied().collect());
        upsert::settle(&mut messages.seen, agreement.superseded.as_ref(), &judgement);
        balanced.add(&agreement.by_partition, self.messages.binding.identity.is_offset());
        let beside = agreement.rows_beside;
        let (accounts, late) = accounts(&self.messages, &messages.seen, &rows.census, &balanced, &judgement, beside);
        accounts.assert_balanced();
        let (mut findings, unlinked) = self.findings(&judgement, &messages.details, &removed).await?;
        findings.extend(rows.routing.findings(&self.contract.name, &self.messages.binding, &astray).await);
        findings.iter_mut().for_each(|finding| self.messages.binding.mask.apply(finding));
        let suspect = suspect(&findings, self.messages.tap.partitions(), messages.seen.first_judged);
        let explained = (0..rows.faults.len()).map(|fault| explained(&judgement, fault)).collect();
        Ok(Reconciled {
            late: is_late_known(&rows, accounts.rows.intact).then_some(late),
            misrouted: rows.routing.figure(&astray),
            stale: self.is_upsert().then_some(judgement.stale),
            keys_spanning: messages.keys_spanning,
            segments: numbers(&books, &disputed, &scoping),
            accounts,
            seen: messages.seen,
            holes,
            findings,
            faults: rows.faults,
            explained,
            unlinked,
            table_findings: rows.findings,
            census: rows.census,
            suspect,
            tolerances: self.messages.binding.tolerances.clone(),
        })
    }

    /// The disputed segments, and in mode `key` those in which an undecodable message of known identity has rows.
    async fn disputed(
        &self,
        drill: &Drill,
        books: &Books,
        messages: &MessagePass,
    ) -> Result<Arc<BTreeSet<SegmentKey>>, RunError> {
        let mut disputed = books.disputed();
        if !self.messages.binding.identity.is_offset() && !self.is_upsert() {
            let names: HashSet<IdentityHash> = messages.undecodable.iter().filter_map(|entry| entry.identity).collect();
            if !names.is_empty() {
                disputed.extend(drill.segments_of(names).await?);
            }
        }
        Ok(Arc::new(disputed))
    }

    async fn case(
        &self,
        drill: &Drill,
        books: &Arc<Books>,
        disputed: &Arc<BTreeSet<SegmentKey>>,
        messages: &MessagePass,
        row_bags: &[RowBag],
        scoping: &Scoping,
    ) -> Result<(Case, Agreement), RunError> {
        let files: BTreeSet<FileIndex> =
            row_bags.iter().filter(|bag| disputed.contains(&bag.segment)).map(|bag| bag.file).collect();
        if let Some(versions) = &messages.versions {
            let drilled = self.drill_upsert(drill, versions, books, disputed, &files, messages).await?;
            let (superseded, proven) = (Some(drilled.superseded), Some(drilled.proven));
            let past = self.past(books, disputed, &messages.bags, &drilled.reduced.agreed);
            return Ok(self.to_judge(ModeKind::Upsert, drilled.reduced, past, scoping, superseded, proven));
        }
        let kept = Arc::new(Kept::new(KEPT_BYTES_MAX, self.context.runtime_env()));
        if !disputed.is_empty() {
            drill.keep_messages(disputed, &kept).await?;
            drill.keep_rows(disputed, &files, books, &kept).await?;
        }
        kept.add_messages(&messages.undecodable)?;
        let threads = self.threads;
        let mut reduced = tokio::task::spawn_blocking(move || kept.reduce(threads)).await??;
        let beside = drill.excluded_beside(disputed, &reduced.messages, &reduced.rows).await?;
        reduced.messages.extend(beside);
        let mode = self.messages.binding.identity.mode();
        let past = self.past(books, disputed, &messages.bags, &reduced.agreed);
        Ok(self.to_judge(mode, reduced, past, scoping, None, None))
    }

    fn to_judge(
        &self,
        mode: ModeKind,
        reduced: Reduced,
        past: Past,
        scoping: &Scoping,
        superseded: Option<BTreeMap<PartitionIndex, u64>>,
        proven: Option<Proven>,
    ) -> (Case, Agreement) {
        let case = Case {
            mode,
            messages: reduced.messages,
            rows: reduced.rows,
            clock: self.clock,
            past,
            whole_topic: scoping.whole_topic,
        };
        let (by_partition, rows_beside) = (reduced.agreed, reduced.rows_beside);
        (case, Agreement { by_partition, rows_beside, superseded, proven })
    }

    fn past(
        &self,
        books: &Books,
        disputed: &BTreeSet<SegmentKey>,
        bags: &[MessageBag],
        agreed: &BTreeMap<PartitionIndex, Agreed>,
    ) -> Past {
        if !self.messages.binding.identity.is_offset() {
            let adding =
                self.pinned.ancestry.iter().filter(|snapshot| snapshot.adds_rows && snapshot.operation != "replace");
            return Past::Commits { times_ms: adding.map(|snapshot| snapshot.commit_ms).collect() };
        }
        let mut paired_max: BTreeMap<PartitionIndex, i64> =
            agreed.iter().map(|(partition, agreed)| (*partition, agreed.offset_max)).collect();
        for bag in bags {
            let balanced = books.account(&bag.segment).is_some_and(|account| account.is_balanced());
            if let SegmentKey::Offsets { partition, .. } = bag.segment
                && balanced
                && !disputed.contains(&bag.segment)
            {
                let largest = paired_max.entry(partition).or_insert(bag.offset_max);
                *largest = bag.offset_max.max(*largest);
            }
        }
        Past::Offsets { paired_max }
    }

    async fn findings(
        &self,
        judgement: &Judgement,
        details: &BTreeMap<MessageAt, String>,
        removed: &HashMap<MessageAt, Removal>,
    ) -> Result<(Vec<Finding>, u64), RunError> {
        let evidence =
            Evidence { contract: &self.contract, messages: &self.messages, pinned: &self.pinned, details, removed };
        let mut findings = Vec::with_capacity(judgement.drafts.len());
        let mut related = Related::new(&self.messages.binding, &judgement.drafts);
        for drafts in judgement.drafts.chunks(PAIRS_AT_ONCE_MAX) {
            findings.extend(evidence.findings(drafts, &mut related).await?);
        }
        related.link(&self.messages.binding, &mut findings);
        Ok((findings, related.unlinked()))
    }
}

/// Judges on a thread of its own: the look-up in balanced segments reads both sides.
async fn judge_case(judge: Judge, case: Case, mut lookup: Lookup) -> Result<Judgement, RunError> {
    Ok(tokio::task::spawn_blocking(move || judge(case, &mut lookup)).await??)
}

/// The books without segments that are drilled although they balance.
fn without(books: &Books, disputed: &BTreeSet<SegmentKey>) -> Books {
    let mut rest = Books::new();
    for (segment, account) in books.iter().filter(|(segment, _)| !disputed.contains(segment)) {
        rest.debit(*segment, &account.debit);
        rest.credit(*segment, &account.credit);
    }
    rest
}

/// Whether there is a rule of lateness, and a row that it could be asked of.
fn is_late_known(rows: &RowPass, intact: u64) -> bool {
    rows.rows.cut.late.is_some() && !(intact > 0 && rows.census.late_unknown == rows.census.rows)
}

fn explained(judgement: &Judgement, fault: usize) -> u64 {
    let of_fault = judgement.losses.iter().filter(|(loss, _)| loss.number() as usize == fault);
    of_fault.map(|(_, messages)| messages).sum()
}

/// Segments that hold only rows beside the run are not counted.
fn numbers(books: &Books, disputed: &BTreeSet<SegmentKey>, scoping: &Scoping) -> SegmentNumbers {
    let counted = |segment: &SegmentKey| {
        let has_messages = books.account(segment).is_some_and(|account| account.debit.count > 0);
        has_messages || scoping.counts(segment)
    };
    SegmentNumbers {
        balanced: books.iter().filter(|(segment, _)| !disputed.contains(segment) && counted(segment)).count() as u64,
        disputed: disputed.iter().filter(|segment| counted(segment)).count() as u64,
    }
}
