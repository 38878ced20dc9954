//! Upsert tables: the first pass over the messages gives the last version of each key to the books, and the drill brings
//! all versions of the keys that are disputed before the judge.
//!
//! ```text
//! messages ▶ versions by key ▶ last of each ▶ debit of its segment
//!                     │
//! disputed segments ▶ last versions and rows ▶ agreed │ keys that disagree ▶ all their versions, read again ▶ judge
//! ```
//! Contract: the judge decides which version the table has to show. What is left out of its case is proven: the last
//! version of the key and its one row are equal.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use validator_core::bag::Bag;
use validator_core::digest::{Digest, IdentityHash};
use validator_core::judge::{Case, Judgement, MessageEntry, MessageState, ModeKind, can_be_superseded, is_version};
use validator_core::position::{MessageAt, PartitionIndex};
use validator_core::segment::SegmentKey;
use validator_core::verdict::{Cause, ExcludedCause};

use crate::bag_plan::MessageBag;
use crate::disputed::Disputed;
use crate::drill::{Drill, DrillError, share};
use crate::entries;
use crate::identity::IdentityDigests;
use crate::kept::{Kept, Reduced};
use crate::limits::{UPSERT_KEPT_BYTES_MAX, VERSIONS_BYTES_MAX};
use crate::message_batch::MessageBatch;
use crate::message_exec::Witness;
use crate::message_reader::ReadError;
use crate::observations::Observations;
use crate::passes::{MessagePass, ranges};
use crate::reconcile::{Run, RunError};
use crate::row_reader::external;
use crate::segments::MessageSegments;
use crate::suspect::heads;
use crate::versions::{Does, NameFilter, Tally, Version, Versions, segment_of};

/// The last message of a key whose row is proven: its digest and its timestamp.
pub type Proven = HashMap<IdentityHash, (MessageAt, Digest, Option<i64>)>;

/// Versions given to the entries for the judge at a time.
const LAST_AT_ONCE: usize = 4096;

/// What the first pass over the messages of an upsert table gives.
pub struct VersionsPass {
    /// The last versions, as debit of their segments.
    pub bags: Vec<MessageBag>,
    /// What was seen beside them.
    pub seen: Observations,
    /// The last version of each key.
    pub versions: Arc<Versions>,
    /// What the last versions took the place of.
    pub tally: Tally,
}

/// What the drill of an upsert table brings.
pub struct Drilled {
    /// Entries of both sides, and what agrees.
    pub reduced: Reduced,
    /// The last versions that are proven, of keys that have something before the judge.
    pub proven: Proven,
    /// Superseded versions of keys that have nothing before the judge, by partition.
    pub superseded: BTreeMap<PartitionIndex, u64>,
}

impl Run {
    /// Whether the table keeps the last version of each key.
    pub fn is_upsert(&self) -> bool {
        self.messages.binding.upsert.is_some()
    }

    /// Reads all messages; the last versions become the bags.
    ///
    /// # Errors
    /// [`RunError`]; a partition that cannot be read to its end: the last version of no key is known then.
    pub async fn versions_pass(&self, witness: Witness) -> Result<VersionsPass, RunError> {
        let versions = Arc::new(Versions::new(
            VERSIONS_BYTES_MAX,
            heads(self.messages.tap.partitions()),
            self.context.runtime_env(),
        ));
        let mut seen = Observations::new(self.messages.tap.partitions().len());
        let tasks: Vec<_> = share(ranges(&self.messages), self.threads)
            .into_iter()
            .map(|share| {
                let (side, witness) = (self.messages.clone(), Arc::clone(&witness));
                let (versions, digests) = (Arc::clone(&versions), Arc::clone(&self.digests));
                tokio::task::spawn_blocking(move || {
                    let mut failed = None;
                    let seen = side.read(&share, &mut |batch| {
                        witness(&batch);
                        match versions_of(&batch, &digests, &side.segments).and_then(|some| versions.add(&some)) {
                            Ok(()) => ControlFlow::Continue(()),
                            Err(error) => {
                                failed = Some(error);
                                ControlFlow::Break(())
                            }
                        }
                    })?;
                    failed.map_or(Ok(seen), |error| Err(RunError::Plan(error)))
                })
            })
            .collect();
        for task in tasks {
            seen.merge(task.await??);
        }
        for (index, partition) in seen.partitions.iter().enumerate() {
            if let Some(failure) = &partition.failure {
                let tp = self.messages.tap.partitions()[index].tp.to_string();
                return Err(RunError::Messages(ReadError::Unfinished { tp, failure: failure.clone() }));
            }
        }
        let (shared, threads) = (Arc::clone(&versions), self.threads);
        let (tally, bags) = tokio::task::spawn_blocking(move || bags(&shared, threads)).await??;
        Ok(VersionsPass { bags, seen, versions, tally })
    }

    /// The entries of the disputed segments, and of the keys that disagree all versions.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn drill_upsert(
        &self,
        drill: &Drill,
        versions: &Arc<Versions>,
        of: &Disputed,
        messages: &MessagePass,
    ) -> Result<Drilled, RunError> {
        let kept = Arc::new(Kept::new(UPSERT_KEPT_BYTES_MAX, self.context.runtime_env()));
        let threads = self.threads;
        if !of.segments.is_empty() {
            let shared = Arc::clone(versions);
            let gone = tokio::task::spawn_blocking(move || gone(&shared, threads)).await??;
            let drill = Drill { gone: Some(Arc::new(NameFilter::of(&gone))), ..drill.clone() };
            drill.keep_rows(of, None, &kept).await?;
            let (shared, kept, disputed) = (Arc::clone(versions), Arc::clone(&kept), Arc::clone(&of.segments));
            tokio::task::spawn_blocking(move || keep_last(&shared, &kept, &disputed, threads)).await??;
        }
        let mut reduced = tokio::task::spawn_blocking(move || kept.reduce(threads, ModeKind::Upsert)).await??;
        let asked: HashSet<MessageAt> = reduced.messages.iter().map(|message| message.at).collect();
        let mut names: HashSet<IdentityHash> = reduced.messages.iter().filter_map(|message| message.identity).collect();
        names.extend(reduced.rows.iter().map(|row| row.identity));
        names.extend(messages.undecodable.iter().filter_map(|message| message.identity));
        let found = self.all_versions(drill, names).await?;
        let mut superseded = messages.tally.superseded.clone();
        let (entries, proven) = disagreeing(found, &asked, &mut superseded);
        reduced.messages = entries;
        reduced.messages.extend(messages.undecodable.iter().filter(|message| message.identity.is_none()));
        Ok(Drilled { reduced, proven, superseded })
    }

    /// Every message of these keys.
    async fn all_versions(&self, drill: &Drill, names: HashSet<IdentityHash>) -> Result<Vec<MessageEntry>, DrillError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let (digests, losses) = (Arc::clone(&drill.digests), Arc::clone(&drill.losses));
        let found = drill
            .read_messages(
                drill.covered.clone(),
                |_| true,
                move |batch| {
                    let identities = identities(&batch, &digests)?;
                    let wanted = |row: usize| names.contains(&identities[row]);
                    let found = entries::of_messages(&batch, &digests, false, &losses, wanted).map_err(external)?;
                    Ok(found.into_iter().filter(|entry| entry.identity.is_some()).collect::<Vec<_>>())
                },
            )
            .await?;
        Ok(found.into_iter().flatten().collect())
    }
}

fn identities(batch: &MessageBatch, digests: &IdentityDigests) -> Result<Vec<IdentityHash>> {
    let inexact = batch.inexact(|column| digests.in_identity(column));
    digests.identities(batch.len(), &batch.columns, inexact.as_ref()).map_err(external)
}

/// The versions of a batch; messages of unknown key are none.
fn versions_of(batch: &MessageBatch, digests: &IdentityDigests, segments: &MessageSegments) -> Result<Vec<Version>> {
    let nameless: HashSet<usize> =
        batch.failed_cells.iter().filter(|(_, column)| digests.in_identity(*column)).map(|(row, _)| *row).collect();
    let identities = identities(batch, digests)?;
    let rows = digests.rows(batch.len(), &batch.columns, batch.inexact(|_| true).as_ref()).map_err(external)?;
    let keys = segments.keys_of(batch, &identities).map_err(external)?;
    let mut versions = Vec::with_capacity(batch.len());
    for row in 0..batch.len() {
        let state = batch.states[row];
        if !is_version(state) || batch.is_nameless(row) || nameless.contains(&row) {
            continue;
        }
        let does = match state {
            MessageState::Judged => Does::Sets,
            MessageState::Undecodable(_) => Does::Unreadable,
            MessageState::Excluded(_) => Does::Deletes,
        };
        versions.push(Version {
            identity: identities[row],
            at: MessageAt { partition: PartitionIndex(batch.partition[row]), offset: batch.offset[row] },
            digest: rows[row],
            segment: keys[row].to_pair(),
            does,
            spans: false,
        });
    }
    Ok(versions)
}

/// The last versions as the debit of their segments.
fn bags(versions: &Versions, threads: usize) -> Result<(Tally, Vec<MessageBag>)> {
    let each = |bags: &mut HashMap<(u64, i64), Bag>, last: &[Version]| {
        for version in last.iter().filter(|version| version.does == Does::Sets) {
            bags.entry(version.segment).or_default().add(&version.digest);
        }
        Ok(())
    };
    let (tally, parts) = versions.last(threads, HashMap::new, each)?;
    let mut bags: BTreeMap<(u64, i64), Bag> = BTreeMap::new();
    for (segment, bag) in parts.into_iter().flatten() {
        bags.entry(segment).or_default().merge(&bag);
    }
    let bag = |(pair, bag)| {
        let segment = SegmentKey::from_pair(pair);
        let segment = segment.ok_or_else(|| DataFusionError::Internal(format!("{pair:?} is no segment")))?;
        Ok(MessageBag { segment, bag, offset_max: 0 })
    };
    Ok((tally, bags.into_iter().map(bag).collect::<Result<_>>()?))
}

/// The keys whose last version sets nothing.
fn gone(versions: &Versions, threads: usize) -> Result<Vec<IdentityHash>> {
    let (_, parts) = versions.last(threads, Vec::new, |gone: &mut Vec<IdentityHash>, last| {
        gone.extend(last.iter().filter(|version| version.does != Does::Sets).map(|version| version.identity));
        Ok(())
    })?;
    Ok(parts.into_iter().flatten().collect())
}

/// Keeps the last versions whose segments are disputed, as far as agreement needs them.
fn keep_last(versions: &Versions, kept: &Kept, disputed: &BTreeSet<SegmentKey>, threads: usize) -> Result<()> {
    let each = |pending: &mut Vec<MessageEntry>, last: &[Version]| {
        let disputed = |version: &&Version| segment_of(version).is_some_and(|segment| disputed.contains(&segment));
        pending.extend(last.iter().filter(|version| version.does == Does::Sets).filter(disputed).map(entry_of));
        if pending.len() >= LAST_AT_ONCE {
            kept.add_messages(pending)?;
            pending.clear();
        }
        Ok(())
    };
    let (_, parts) = versions.last(threads, Vec::new, each)?;
    parts.iter().try_for_each(|pending| kept.add_messages(pending))
}

fn entry_of(version: &Version) -> MessageEntry {
    MessageEntry {
        at: version.at,
        timestamp_ms: None,
        identity: Some(version.identity),
        digest: Some(version.digest),
        rest: None,
        state: MessageState::Judged,
        loss: None,
        stood: false,
    }
}

/// The messages that stand before the judge, and the last versions that do not: those proven already. Takes the superseded
/// ones that do off `superseded`.
fn disagreeing(
    mut found: Vec<MessageEntry>,
    asked: &HashSet<MessageAt>,
    superseded: &mut BTreeMap<PartitionIndex, u64>,
) -> (Vec<MessageEntry>, Proven) {
    found.sort_unstable_by_key(|message| (message.identity, message.at));
    let (mut entries, mut proven) = (Vec::with_capacity(found.len()), Proven::new());
    for key in found.chunk_by(|one, other| one.identity == other.identity) {
        let Some(last) = key.iter().rposition(|message| is_version(message.state)) else {
            entries.extend_from_slice(key);
            continue;
        };
        for message in key[..last].iter().filter(|message| can_be_superseded(message.state)) {
            *superseded.get_mut(&message.at.partition).expect("the first pass counted it") -= 1;
        }
        let message = &key[last];
        if message.state != MessageState::Judged || asked.contains(&message.at) {
            entries.extend_from_slice(key);
            continue;
        }
        if let (Some(identity), Some(digest)) = (message.identity, message.digest) {
            proven.insert(identity, (message.at, digest, message.timestamp_ms));
        }
        let before = key[..last].iter().filter(|message| can_be_superseded(message.state));
        let state = MessageState::Excluded(ExcludedCause::Superseded);
        entries.extend(before.map(|message| MessageEntry { state, ..*message }));
    }
    (entries, proven)
}

/// Counts by the judgement what the first pass could only suppose: which versions are superseded, and which undecodable
/// ones are not. Nothing to do where the table keeps every message.
pub fn settle(seen: &mut Observations, superseded: Option<&BTreeMap<PartitionIndex, u64>>, judgement: &Judgement) {
    let Some(superseded) = superseded else { return };
    for (index, partition) in seen.partitions.iter_mut().enumerate() {
        let at = PartitionIndex(index as u32);
        let count = |counts: &BTreeMap<PartitionIndex, u64>| counts.get(&at).copied().unwrap_or(0);
        let all = count(superseded) + count(&judgement.superseded);
        if all > 0 {
            partition.excluded.insert(ExcludedCause::Superseded, all);
        }
        partition.undecodable.clear();
    }
    for draft in &judgement.drafts {
        if let (Some(at), Some(Cause::Undecodable(cause))) = (draft.message, draft.cause) {
            *seen.partitions[at.partition.0 as usize].undecodable.entry(cause).or_default() += 1;
        }
    }
}

/// The names of the case's messages, see [`name_of`].
pub fn names(case: &Case, is_upsert: bool) -> HashMap<MessageAt, IdentityHash> {
    case.messages.iter().filter_map(|message| Some((message.at, name_of(message, is_upsert)?))).collect()
}

/// The name under which a row of the table is looked for in older snapshots: in upsert tables a row of the same key may be
/// that of another version.
pub fn name_of(message: &MessageEntry, is_upsert: bool) -> Option<IdentityHash> {
    if is_upsert { message.digest.map(|digest| digest.identity()) } else { message.identity }
}
