//! Messages without a row whose row stands in an older snapshot that the table still keeps: taken away, not lost.

use std::collections::HashMap;

use futures::StreamExt;
use validator_core::digest::{Digest, IdentityHash};
use validator_core::judge::{Draft, ModeKind};
use validator_core::position::MessageAt;
use validator_core::schema::Field;
use validator_core::verdict::{Cause, MessageVerdict, Verdict};
use validator_table::{DataFile, FileFault, FileReader, RemovedRows, RowGroups, ScanItem, SnapshotInfo};

use crate::reconcile::{Run, RunError};
use crate::row_filter::FilteredRead;

/// The commit that took a row away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The snapshot; where its line was rolled back, the last one that had the row.
    pub snapshot_id: i64,
    /// Its operation; none where the line was rolled back.
    pub operation: Option<String>,
    committed_ms: i64,
}

/// For each missing or overdue message that an older snapshot holds, the commit that took its row away: the one after the
/// last snapshot that held more rows of its identity than the judged one. Rows that were rewritten were not taken away.
///
/// # Errors
/// Columns that are not of the bound types.
pub async fn removed(
    run: &Run,
    drafts: &[Draft],
    identities: &HashMap<MessageAt, IdentityHash>,
) -> Result<HashMap<MessageAt, Removal>, RunError> {
    let rowless: HashMap<IdentityHash, Vec<MessageAt>> = rowless(drafts, identities);
    if rowless.is_empty() {
        return Ok(HashMap::new());
    }
    let fields: Vec<Field> = run.messages.binding.columns.iter().map(|column| column.field.clone()).collect();
    let read = FilteredRead::new(&fields, run.messages.binding.row_filter.as_ref());
    let mut taken: Vec<(RemovedRows, Counts)> = Vec::new();
    for removed in run.pinned.removed_rows().await.rows {
        let counts = counts_in(run, &read, run.pinned.open_removed(&removed, read.fields()).await, &rowless).await?;
        if !counts.is_empty() {
            taken.push((removed, counts));
        }
    }
    // Only files that came after a row was taken away can have it again.
    let mut came: Vec<(&DataFile, Counts)> = Vec::new();
    for file in &run.pinned.files {
        if taken.iter().any(|(removed, _)| !stood(run, file, &removed.stood_in)) {
            let mut counts = counts_in(run, &read, run.pinned.open(file, read.fields()).await, &rowless).await?;
            counts.values_mut().for_each(|count| *count *= u64::from(file.entries.max(1)));
            came.push((file, counts));
        }
    }
    // Equal messages are as many messages: of those without a row, in order, as many lost theirs as rows were taken.
    let is_counted = run.messages.binding.identity.mode() == ModeKind::Content;
    let most_of = |taken: u64| match taken {
        0 => 0,
        taken if is_counted => usize::try_from(taken).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let mut found: HashMap<MessageAt, Removal> = HashMap::new();
    for (last, _) in &taken {
        let removal = Removal::of(last);
        let before = taken.iter().filter(|(removed, _)| {
            stood(run, &removed.file, &last.stood_in) && !is_before(run, &removed.stood_in, &last.stood_in)
        });
        let before = sum(before.map(|(_, counts)| counts));
        let since = sum(came.iter().filter(|(file, _)| !stood(run, file, &last.stood_in)).map(|(_, counts)| counts));
        for (identity, count) in before {
            let taken = count.saturating_sub(since.get(&identity).copied().unwrap_or(0));
            for at in rowless[&identity].iter().take(most_of(taken)) {
                let latest = found.entry(*at).or_insert_with(|| removal.clone());
                if latest.committed_ms < removal.committed_ms {
                    *latest = removal.clone();
                }
            }
        }
    }
    Ok(found)
}

/// Rows by identity.
type Counts = HashMap<IdentityHash, u64>;

fn sum<'c>(counts: impl Iterator<Item = &'c Counts>) -> Counts {
    let mut sum = Counts::new();
    for (identity, count) in counts.flatten() {
        *sum.entry(*identity).or_default() += count;
    }
    sum
}

/// Where a snapshot stands in the judged one's line, the oldest first.
fn place(run: &Run, snapshot_id: i64) -> Option<usize> {
    run.pinned.ancestry.iter().rev().position(|snapshot| snapshot.id == snapshot_id)
}

/// Whether a file had been added when the snapshot was made. A commit that is no longer retained came before all that are.
fn stood(run: &Run, file: &DataFile, snapshot: &SnapshotInfo) -> bool {
    match (place(run, file.snapshot_id), place(run, snapshot.id)) {
        (Some(added), Some(this)) => added <= this,
        _ => file.added_by.as_ref().is_none_or(|by| by.commit_ms <= snapshot.commit_ms),
    }
}

fn is_before(run: &Run, one: &SnapshotInfo, other: &SnapshotInfo) -> bool {
    match (place(run, one.id), place(run, other.id)) {
        (Some(one), Some(other)) => one < other,
        _ => one.commit_ms < other.commit_ms,
    }
}

impl Removal {
    fn of(removed: &RemovedRows) -> Self {
        let by = removed.removed_by.as_ref();
        let named = by.unwrap_or(&removed.stood_in);
        Self {
            snapshot_id: named.id,
            operation: by.map(|snapshot| snapshot.operation.clone()),
            committed_ms: named.commit_ms,
        }
    }
}

fn rowless(drafts: &[Draft], identities: &HashMap<MessageAt, IdentityHash>) -> HashMap<IdentityHash, Vec<MessageAt>> {
    let mut rowless: HashMap<IdentityHash, Vec<MessageAt>> = HashMap::new();
    for draft in drafts {
        let overdue = draft.verdict == Verdict::Message(MessageVerdict::Overdue);
        let lost = draft.verdict == Verdict::Message(MessageVerdict::Missing) && draft.cause == Some(Cause::Lost);
        if let Some(at) = draft.message.filter(|_| overdue || lost)
            && let Some(identity) = identities.get(&at)
        {
            rowless.entry(*identity).or_default().push(at);
        }
    }
    rowless
}

/// How many rows of these identities a file has; what can no longer be read is no evidence.
async fn counts_in(
    run: &Run,
    read: &FilteredRead,
    opened: Result<FileReader, FileFault>,
    wanted: &HashMap<IdentityHash, Vec<MessageAt>>,
) -> Result<Counts, RunError> {
    let mut counts = Counts::new();
    let Ok(reader) = opened else { return Ok(counts) };
    let mut items = reader.scan(&RowGroups::All);
    while let Some(item) = items.next().await {
        if let ScanItem::Rows(rows) = item {
            let (mut columns, count) = read.of_pipeline(rows.batch.columns(), rows.batch.num_rows())?;
            run.messages.binding.tolerate(&mut columns, &mut Vec::new());
            let identities: Vec<IdentityHash> = match run.is_upsert() {
                true => run.digests.rows(count, &columns, None)?.iter().map(Digest::identity).collect(),
                false => run.digests.identities(count, &columns, None)?,
            };
            for identity in identities.into_iter().filter(|identity| wanted.contains_key(identity)) {
                *counts.entry(identity).or_default() += 1;
            }
        }
    }
    Ok(counts)
}
