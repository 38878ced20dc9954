//! Findings of a shadow with all that a single run tells of them: values, columns, damage, identity, places, a sentence.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::iter;
use std::ops::Range;
use std::sync::Arc;

use validator_core::digest::IdentityHash;
use validator_core::finding::Finding;
use validator_core::judge::{Draft, MessageEntry, MessageState};
use validator_core::position::{FileIndex, MessageAt, PartitionIndex, RowAt};
use validator_core::shadow::file::FileId;
use validator_core::verdict::{Cause, MessageVerdict, Verdict};
use validator_tap::Wanted;

use super::error::LookError;
use crate::captured::{CapturedValues, near};
use crate::entries;
use crate::findings::Told;
use crate::losses::Losses;
use crate::misrouted::{MisroutedRow, Routing};
use crate::reconcile::Run;
use crate::removed::{Removal, removed};
use crate::rereading::reread;
use crate::row_reader::external;
use crate::upsert::name_of;

/// Messages of a whole segment that have one verdict: a run of findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Of which partition.
    pub partition: PartitionIndex,
    /// The consumed part of the segment.
    pub offsets: Range<i64>,
    /// What is true of them.
    pub verdict: MessageVerdict,
    /// Why.
    pub cause: Option<Cause>,
}

/// Whether older snapshots are searched for rows of messages that have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// What stood before the first look is told as removed. Reads the manifests of all retained snapshots.
    Searched,
    /// Only what the shadow itself knows is told.
    LeftOut,
}

impl Run {
    /// The findings of these drafts, whose rows name files by [`FileId`]; none where a file is no longer live. `paths` are
    /// those of the files; `details` say why messages are undecodable. Values that were exchanged between rows are noticed
    /// among the drafts of one call.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn evidence(
        &self,
        paths: &BTreeMap<FileId, String>,
        drafts: &[Draft],
        details: BTreeMap<MessageAt, String>,
        history: History,
    ) -> Result<Vec<Option<Finding>>, LookError> {
        let mut places = Vec::with_capacity(drafts.len());
        let mut known = Vec::with_capacity(drafts.len());
        for (place, draft) in drafts.iter().enumerate() {
            if let Some(draft) = self.by_index(paths, draft) {
                places.push(place);
                known.push(draft);
            }
        }
        let removals = match history {
            History::Searched => self.removals(&mut known).await?,
            History::LeftOut => HashMap::new(),
        };
        let mut findings = Vec::with_capacity(drafts.len());
        let each = |told| {
            if let Told::Whole(mut finding) = told {
                self.messages.binding.mask.apply(&mut finding);
                findings.push(*finding);
            }
            Ok(())
        };
        let evidence = Arc::new(self.evidence_from(details, CapturedValues::default()));
        evidence.findings(known, removals, (self.threads, usize::MAX), each).await?;
        let mut all: Vec<Option<Finding>> = vec![None; drafts.len()];
        for (place, finding) in places.into_iter().zip(findings) {
            all[place] = Some(finding);
        }
        Ok(all)
    }

    /// The drafts of a whole segment's judged messages, which are read for it.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn drafts_of(&self, whole: &Whole) -> Result<Vec<Draft>, LookError> {
        let wanted = vec![(whole.partition, iter::once(whole.offsets.clone()).collect())];
        let judged = |entry: &MessageEntry| entry.state == MessageState::Judged;
        let entries = self.entries_at(wanted, None).await?;
        Ok(entries.iter().filter(|entry| judged(entry)).map(|entry| draft_of(whole, entry)).collect())
    }

    /// Findings of rows in the wrong partition: path and position of each.
    pub async fn misrouted_findings(&self, rows: &[(String, u64)]) -> Vec<Finding> {
        let binding = &self.messages.binding;
        let routing = Routing::new(&self.pinned, binding.read_fields().into());
        let at = rows
            .iter()
            .filter_map(|(path, position)| Some(RowAt { file: self.pinned.index_of(path)?, position: *position }));
        let segment = validator_core::segment::SegmentKey::Nowhere;
        let rows: Vec<MisroutedRow> = at.map(|at| MisroutedRow { at, segment, beside: false }).collect();
        let mut findings = routing.findings(&self.contract.name, binding, &rows).await;
        findings.iter_mut().for_each(|finding| binding.mask.apply(finding));
        findings
    }

    /// The draft with places of the pinned snapshot.
    fn by_index(&self, paths: &BTreeMap<FileId, String>, draft: &Draft) -> Option<Draft> {
        let index = |at: &RowAt| {
            let file: FileIndex = self.pinned.index_of(paths.get(&FileId(at.file.0))?)?;
            Some(RowAt { file, position: at.position })
        };
        let pair = |(message, row): &(MessageAt, RowAt)| Some((*message, index(row)?));
        Some(Draft {
            rows: draft.rows.iter().map(index).collect::<Option<_>>()?,
            stale: draft.stale.iter().map(index).collect::<Option<_>>()?,
            compare: draft.compare.iter().map(pair).collect::<Option<_>>()?,
            ..draft.clone()
        })
    }

    /// What older snapshots say of messages without a row; lost ones that are found there were removed.
    async fn removals(&self, drafts: &mut [Draft]) -> Result<HashMap<MessageAt, Removal>, LookError> {
        let is_rowless = |draft: &&Draft| {
            let overdue = draft.verdict == Verdict::Message(MessageVerdict::Overdue);
            overdue || draft.cause == Some(Cause::Lost)
        };
        let rowless: BTreeSet<MessageAt> = drafts.iter().filter(is_rowless).filter_map(|draft| draft.message).collect();
        if rowless.is_empty() {
            return Ok(HashMap::new());
        }
        let entries = self.entries_at(near(rowless.iter().copied()), Some(rowless)).await?;
        let identities: HashMap<MessageAt, IdentityHash> =
            entries.iter().filter_map(|entry| Some((entry.at, name_of(entry, self.is_upsert())?))).collect();
        let removals = removed(self, drafts, &identities).await?;
        for draft in drafts.iter_mut() {
            let is_removed = draft.message.is_some_and(|at| removals.contains_key(&at));
            if is_removed && draft.cause == Some(Cause::Lost) {
                draft.cause = Some(Cause::Removed);
            }
        }
        Ok(removals)
    }

    /// The entries of messages at these offsets, in order; with `only`, of those alone.
    async fn entries_at(
        &self,
        wanted: Vec<Wanted>,
        only: Option<BTreeSet<MessageAt>>,
    ) -> Result<Vec<MessageEntry>, LookError> {
        let digests = Arc::clone(&self.digests);
        let by_position = self.messages.binding.identity.is_offset();
        let asked = move |at: MessageAt| only.as_ref().is_none_or(|only| only.contains(&at));
        let each = move |batch| {
            let read = entries::of_all_messages(&batch, &digests, by_position, &Losses::default());
            Ok(read.map_err(external)?.0)
        };
        let (found, _) = reread(&self.messages, wanted, self.threads, asked, each).await?;
        let mut entries: Vec<MessageEntry> = found.into_iter().flatten().collect();
        entries.sort_unstable_by_key(|entry| entry.at);
        Ok(entries)
    }
}

fn draft_of(whole: &Whole, entry: &MessageEntry) -> Draft {
    Draft {
        verdict: whole.verdict.into(),
        cause: whole.cause,
        message: Some(entry.at),
        timestamp_ms: entry.timestamp_ms,
        rows: Vec::new(),
        compare: Vec::new(),
        stale: Vec::new(),
        identity_moved: false,
        copies: 0,
        loss: None,
        hole: None,
        equals: None,
    }
}
