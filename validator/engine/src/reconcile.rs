//! `reconcile`: a range of messages against a pinned snapshot, from first read to report.
//!
//! ```text
//! messages ▶ bags ▶┐                        ┌▶ balanced: proven
//!                  ├▶ books ▶ disputed? ────┤
//! rows     ▶ bags ▶┘                        └▶ drill ▶ judge ▶ values ▶ findings
//! ```

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use validator_core::accounting::Accounts;
use validator_core::books::Books;
use validator_core::clock::Clock;
use validator_core::contract::Contract;
use validator_core::digest::{DigestKey, IdentityHash};
use validator_core::encode::EncodeError;
use validator_core::finding::Finding;
use validator_core::hole::Holes;
use validator_core::judge::{Case, Judgement, MessageEntry};
use validator_core::position::{FileIndex, MessageAt};
use validator_core::segment::SegmentKey;
use validator_core::spread::Spread;
use validator_table::{FileFault, Pinned, RowGroups, TableFinding};
use validator_tap::TapError;

use crate::accounts::{Balanced, accounts};
use crate::bag_plan;
use crate::captured::CapturedValues;
use crate::case::Drilling;
use crate::dead_letters::{DeadLetters, LettersJudged, LettersRead};
use crate::drill::{Drill, DrillError};
use crate::findings::Evidence;
use crate::found::{Findings, Keep};
use crate::identity::IdentityDigests;
use crate::limits::RUNS_MADE_AGAIN_MAX;
use crate::lookup::Lookup;
use crate::message_reader::{MessageSide, ReadError};
use crate::misrouted::{self, MisroutedRow};
use crate::observations::Observations;
use crate::passes::{MessagePass, RowPass, covered};
use crate::scoping::{self, Scoping};
use crate::segment_exec::RowCensus;
use crate::suspect::{Suspect, Suspects, heads};
use crate::telling::Telling;
use crate::tolerate::BoundTolerance;
use crate::upsert;

/// One run: both sides opened, the contract bound.
#[derive(Debug, Clone)]
pub struct Run {
    /// The contract.
    pub contract: Arc<Contract>,
    /// The message side.
    pub messages: MessageSide,
    /// The pinned snapshot.
    pub pinned: Arc<Pinned>,
    /// The row groups of a file that it looks at; all of a file that is not here. For who looks at a part of a table: other
    /// rows are as if they were not there.
    pub within: BTreeMap<FileIndex, RowGroups>,
    /// Digests of both sides.
    pub digests: Arc<IdentityDigests>,
    /// The key of the digests.
    pub key: DigestKey,
    /// The dead letters, where any are declared; read after the end of the range was known.
    pub dead_letters: Option<Arc<DeadLetters>>,
    /// What it judges by.
    pub clock: Clock,
    /// Threads on either side.
    pub threads: usize,
    /// Memory, spill and metrics of the plans.
    pub context: Arc<TaskContext>,
    /// Told how far the run is.
    pub progress: Progress,
    /// How much is kept of its findings.
    pub keep: Keep,
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
    /// The books are compared, and messages are about to be read again.
    pub disputed: Arc<dyn Fn(Dispute) + Send + Sync>,
}

/// What a run is about to read again.
#[derive(Debug, Clone, Copy)]
pub struct Dispute {
    /// All segments.
    pub segments: SegmentNumbers,
    /// Messages of the disputed ones.
    pub messages: u64,
}

impl Progress {
    /// Nobody watches.
    pub fn none() -> Self {
        Self { messages: Arc::new(|_| {}), rows: Arc::new(|_| {}), disputed: Arc::new(|_| {}) }
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
    /// Findings could not be put by.
    #[error("put findings by")]
    Findings(#[source] std::io::Error),
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
    /// Findings on messages and rows, in order.
    pub findings: Findings,
    /// Parts of the table that could not be read.
    pub faults: Vec<(FileIndex, FileFault)>,
    /// Per fault, by its place: messages that it explains.
    pub explained: Vec<u64>,
    /// Missing messages and phantom rows of mode `content` that were too many to be held against each other.
    pub unlinked: u64,
    /// What the dead letters name, and what became of it; none where none are declared.
    pub dead_letters: Option<(LettersRead, LettersJudged)>,
    /// How the disputed segments were read again.
    pub drilling: Drilling,
    /// Files that contradict their manifest entries.
    pub table_findings: Vec<TableFinding>,
    /// The census of rows.
    pub census: RowCensus,
    /// What says that the contract is probably wrong.
    pub suspect: Option<Suspect>,
    /// The tolerances that the census counts by their places.
    pub tolerances: Vec<BoundTolerance>,
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
        let mut lost = Vec::new();
        for _ in 0..RUNS_MADE_AGAIN_MAX {
            match self.without_lost(&lost).await {
                // What cannot be read again cannot be drilled: the run is made again without it, and says so.
                Err(RunError::Drill(DrillError::Unread(more))) => lost.extend(more),
                reconciled => return reconciled,
            }
        }
        self.without_lost(&lost).await
    }

    /// The run without parts of the table that are known to be lost.
    async fn without_lost(&self, lost: &[(FileIndex, FileFault)]) -> Result<Reconciled, RunError> {
        let mut messages = self.message_pass().await?;
        let holes = self.holes(&messages.seen).await?;
        let scoping = Scoping::new(self, &messages.seen, &holes);
        let mut rows = self.row_pass(&scoping, &messages.slips, lost).await?;
        scoping::check_offsets(self, &rows.census).map_err(RunError::NotOffsets)?;
        let books = Arc::new(bag_plan::books(&messages.bags, &rows.bags));
        let balanced = Balanced::of(&books, &rows.bags);
        let drill = self.drill(&messages, &rows);
        let disputed = self.disputed(&drill, &books, &messages).await?;
        let segments = numbers(&books, &disputed, &scoping);
        (self.progress.disputed)(Dispute { segments, messages: messages_of(&books, &disputed) });
        let forced: Balanced = Balanced::of(&without(&books, &disputed), &rows.bags);
        let mut balanced = if disputed.len() == books.disputed().len() { balanced } else { forced };
        let (case, mut agreement) = self.case(&drill, &books, &disputed, &messages, &rows.bags, &scoping).await?;
        let astray = std::mem::take(&mut rows.census.misrouted);
        let entered = misrouted::entered(&astray, &case);
        let (parts, case) = self.parts(agreement.apart.take(), case).await?;
        let lookup = Lookup::new(drill.clone(), Arc::clone(&disputed), agreement.proven.take());
        let (mut judgement, removed) = self.judged(case, lookup).await?;
        let astray = misrouted::in_scope(astray, &disputed, &entered, &judgement);
        upsert::settle(&mut messages.seen, agreement.superseded.as_ref(), &judgement);
        let mut telling = self.telling(std::mem::take(&mut messages.details), agreement.captured);
        telling.findings.put_between(self.misrouted(&rows, &astray).await);
        let lookup = || Lookup::new(drill.clone(), Arc::clone(&disputed), None);
        self.tell(&mut telling, (&mut judgement, removed), parts, lookup).await?;
        telling.findings.push_rest().map_err(RunError::Findings)?;
        messages.seen.release(&judgement.released);
        balanced.add(&agreement.by_partition, self.messages.binding.identity.is_offset());
        let beside = agreement.rows_beside;
        let (accounts, late) = accounts(&self.messages, &messages.seen, &rows.census, &balanced, &judgement, beside);
        accounts.assert_balanced();
        let dead_letters = self.letters_judged(accounts.messages.diverted, &messages.seen);
        let explained = (0..rows.faults.len()).map(|fault| explained(&judgement, fault)).collect();
        Ok(Reconciled {
            late: is_late_known(&rows, accounts.rows.intact).then_some(late),
            misrouted: rows.routing.figure(&astray),
            stale: self.is_upsert().then_some(judgement.stale),
            keys_spanning: messages.tally.keys_spanning,
            segments,
            accounts,
            suspect: telling
                .suspects
                .suspect(messages.seen.first_judged.saturating_sub(messages.tally.first_superseded)),
            seen: messages.seen,
            holes,
            findings: telling.findings,
            faults: rows.faults,
            explained,
            unlinked: telling.unlinked,
            dead_letters,
            drilling: agreement.drilling,
            table_findings: rows.findings.into_iter().map(|(_, finding)| finding).collect(),
            census: rows.census,
            tolerances: self.messages.binding.tolerances.clone(),
        })
    }

    fn drill(&self, messages: &MessagePass, rows: &RowPass) -> Drill {
        Drill {
            messages: self.messages.clone(),
            covered: covered(self, &messages.seen),
            rows: rows.rows.clone(),
            lost: Arc::new(rows.lost.clone()),
            digests: Arc::clone(&self.digests),
            losses: Arc::new(scoping::losses(self, &rows.faults)),
            threads: self.threads,
            gone: None,
        }
    }

    /// Where the evidence of findings comes from.
    pub(crate) fn evidence_from(&self, details: BTreeMap<MessageAt, String>, captured: CapturedValues) -> Evidence {
        Evidence {
            contract: Arc::clone(&self.contract),
            messages: self.messages.clone(),
            pinned: Arc::clone(&self.pinned),
            fields: self.messages.binding.columns.iter().map(|column| column.field.clone()).collect(),
            details,
            dead_letters: self.dead_letters.clone(),
            captured,
            heads: heads(self.messages.tap.partitions()),
        }
    }

    fn telling(&self, details: BTreeMap<MessageAt, String>, captured: CapturedValues) -> Telling {
        let ranges = self.messages.tap.partitions().iter();
        let mut findings = Findings::new(self.keep, self.context.runtime_env());
        findings.spread = Spread::new(ranges.map(|range| if range.listed { range.from..range.to } else { 0..0 }));
        Telling {
            evidence: Arc::new(self.evidence_from(details, captured)),
            threads: self.threads,
            findings,
            suspects: Suspects::new(self.messages.tap.partitions()),
            unlinked: 0,
        }
    }

    /// Those of the messages that dead letters name.
    pub(crate) fn diverted(&self, messages: &[MessageEntry]) -> BTreeSet<MessageAt> {
        self.dead_letters.as_ref().map_or_else(BTreeSet::new, |letters| letters.among(messages))
    }

    fn letters_judged(&self, diverted: u64, seen: &Observations) -> Option<(LettersRead, LettersJudged)> {
        let letters = self.dead_letters.as_ref()?;
        let read = self.messages.tap.partitions().iter().zip(&seen.partitions);
        let read = read.map(|(range, seen)| (range.from..seen.position.unwrap_or(range.from), seen.gaps.as_slice()));
        Some((letters.read, letters.judged(diverted, read)))
    }

    /// Findings of rows in the wrong partition.
    async fn misrouted(&self, rows: &RowPass, astray: &[MisroutedRow]) -> Vec<Finding> {
        let binding = &self.messages.binding;
        let mut findings = rows.routing.findings(&self.contract.name, binding, astray).await;
        findings.iter_mut().for_each(|finding| binding.mask.apply(finding));
        findings
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
}

fn messages_of(books: &Books, segments: &BTreeSet<SegmentKey>) -> u64 {
    segments.iter().filter_map(|segment| books.account(segment)).map(|account| account.debit.count).sum()
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
