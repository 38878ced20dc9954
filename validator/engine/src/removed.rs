//! Messages without a row whose row stands in an older snapshot that the table still keeps: taken away, not lost.

use std::collections::{BTreeSet, HashMap};

use futures::StreamExt;
use validator_core::digest::IdentityHash;
use validator_core::judge::Judgement;
use validator_core::position::MessageAt;
use validator_core::schema::Field;
use validator_core::verdict::{Cause, MessageVerdict, Verdict};
use validator_table::{RemovedFile, RowGroups, ScanItem};

use crate::reconcile::{Run, RunError};

/// The commit that took a row away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The snapshot; where its line was rolled back, the last one that had the row.
    pub snapshot_id: i64,
    /// Its operation; none where the line was rolled back.
    pub operation: Option<String>,
    committed_ms: i64,
}

/// For each missing or overdue message that an older snapshot holds, the commit that took its row away.
///
/// # Errors
/// Columns that are not of the bound types.
pub async fn removed(
    run: &Run,
    judgement: &Judgement,
    identities: &HashMap<MessageAt, IdentityHash>,
) -> Result<HashMap<MessageAt, Removal>, RunError> {
    let rowless: HashMap<IdentityHash, Vec<MessageAt>> = rowless(judgement, identities);
    let mut found: HashMap<MessageAt, Removal> = HashMap::new();
    if rowless.is_empty() {
        return Ok(found);
    }
    let fields: Vec<Field> = run.messages.binding.columns.iter().map(|column| column.field.clone()).collect();
    for removed in run.pinned.removed_files().await.files {
        let removal = Removal::of(&removed);
        for identity in identities_in(run, &removed, &fields).await? {
            for at in rowless.get(&identity).into_iter().flatten() {
                let latest = found.entry(*at).or_insert_with(|| removal.clone());
                if latest.committed_ms < removal.committed_ms {
                    *latest = removal.clone();
                }
            }
        }
    }
    Ok(found)
}

impl Removal {
    fn of(removed: &RemovedFile) -> Self {
        let by = removed.removed_by.as_ref();
        let named = by.unwrap_or(&removed.stood_in);
        Self {
            snapshot_id: named.id,
            operation: by.map(|snapshot| snapshot.operation.clone()),
            committed_ms: named.commit_ms,
        }
    }
}

fn rowless(
    judgement: &Judgement,
    identities: &HashMap<MessageAt, IdentityHash>,
) -> HashMap<IdentityHash, Vec<MessageAt>> {
    let mut rowless: HashMap<IdentityHash, Vec<MessageAt>> = HashMap::new();
    for draft in &judgement.drafts {
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

/// The identities of a removed file's rows; what can no longer be read is no evidence.
async fn identities_in(run: &Run, removed: &RemovedFile, fields: &[Field]) -> Result<BTreeSet<IdentityHash>, RunError> {
    let mut identities = BTreeSet::new();
    let Ok(reader) = run.pinned.open(&removed.file, fields).await else { return Ok(identities) };
    let mut items = reader.scan(&RowGroups::All);
    while let Some(item) = items.next().await {
        if let ScanItem::Rows(rows) = item {
            identities.extend(run.digests.identities(rows.batch.num_rows(), rows.batch.columns(), None)?);
        }
    }
    Ok(identities)
}
