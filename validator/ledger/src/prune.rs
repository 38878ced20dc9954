//! How long the ledger keeps its own history.
//!
//! Contract: what is removed is removed by a checkpoint like any other, a bounded number of rows each; the last link of
//! the chain and everything that is open stay.

use std::collections::BTreeSet;

use validator_core::shadow::file::FileId;
use validator_core::shadow::page::Page;
use validator_core::shadow::residue::Residue;

use crate::books::Held;
use crate::error::LedgerError;
use crate::limits::PRUNED_ROWS_MAX;
use crate::pipeline::PipelineRow;
use crate::prepared::Preparing;
use crate::rows;
use crate::schema::{FILE_BODIES, FILES, FINDINGS, RUNS, Table};
use crate::store::Store;
use crate::value::{Kind, Value};

/// For how long what is over is kept, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Findings and runs since they were resolved.
    pub resolved_ms: i64,
    /// Links of the chain.
    pub chain_ms: i64,
    /// Messages of the outbox since they were sent or given up.
    pub mail_ms: i64,
    /// Bags of data files since they are gone, where no segment asks for them.
    pub bodies_ms: i64,
}

/// Removes findings and runs that were resolved long ago.
pub(crate) async fn findings(
    store: &mut Store,
    pipeline: i64,
    keep: &Keep,
    at_ms: i64,
    preparing: &mut Preparing<'_>,
) -> Result<(), LedgerError> {
    for table in [&FINDINGS, &RUNS] {
        let kinds = std::iter::once(Kind::Blob).chain(table.kinds().into_iter().take(table.keys)).collect::<Vec<_>>();
        let values: [Value; 2] = [pipeline.into(), at_ms.saturating_sub(keep.resolved_ms).into()];
        let sql = format!(
            "{} AND state = 'resolved' AND changed_ms < $2 ORDER BY changed_ms LIMIT {PRUNED_ROWS_MAX}",
            table.select_keys()
        );
        for row in store.rows(&sql, &values.iter().collect::<Vec<_>>(), &kinds).await? {
            remove(preparing, table, &row)?;
        }
    }
    Ok(())
}

/// Removes the bags of files that went long ago, and later what is known of the files, where nothing asks for them any more.
pub(crate) async fn files(
    store: &mut Store,
    pipeline: i64,
    keep: &Keep,
    at_ms: i64,
    preparing: &mut Preparing<'_>,
) -> Result<(), LedgerError> {
    let used = used(store, pipeline).await?;
    let bodies_before = at_ms.saturating_sub(keep.bodies_ms);
    let files_before = bodies_before.min(at_ms.saturating_sub(keep.resolved_ms));
    let bodies = "SELECT rows.hash, rows.file FROM file_bodies AS rows JOIN files ON files.pipeline = rows.pipeline \
                  AND files.file = rows.file WHERE rows.pipeline = $1 AND standing = 2 AND gone_ms < $2";
    let files = "SELECT rows.hash, rows.file FROM files AS rows WHERE rows.pipeline = $1 AND standing = 2 \
                 AND gone_ms < $2 AND NOT EXISTS (SELECT 1 FROM file_bodies AS bodies WHERE bodies.pipeline = $1 \
                 AND bodies.file = rows.file) AND NOT EXISTS (SELECT 1 FROM findings \
                 WHERE findings.pipeline = $1 AND findings.file = rows.file)";
    for (table, before, sql) in [(&FILE_BODIES, bodies_before, bodies), (&FILES, files_before, files)] {
        let values: [Value; 2] = [pipeline.into(), before.into()];
        let sql = format!("{sql} ORDER BY rows.file LIMIT {PRUNED_ROWS_MAX}");
        for row in store.rows(&sql, &[&values[0], &values[1]], &[Kind::Blob, Kind::Int]).await? {
            if !used.contains(&FileId(rows::small(&row[1])?)) {
                remove(preparing, table, &row)?;
            }
        }
    }
    Ok(())
}

/// Files that a segment or its residue names. Those that are gone are named by unsettled segments only.
async fn used(store: &mut Store, pipeline: i64) -> Result<BTreeSet<FileId>, LedgerError> {
    let mut used = BTreeSet::new();
    let sql = "SELECT body FROM pages WHERE pipeline = $1 AND unsettled = 1";
    store
        .each(sql, &[&pipeline.into()], &[Kind::Blob], |row| {
            let page = Page::from_bytes(row[0].blob()?)?;
            used.extend(page.iter().flat_map(|(_, segment)| &segment.gone));
            Ok(())
        })
        .await?;
    let sql = "SELECT body FROM residues WHERE pipeline = $1";
    store
        .each(sql, &[&pipeline.into()], &[Kind::Blob], |row| {
            let residue = Residue::from_bytes(row[0].blob()?)?;
            used.extend(residue.read_files.keys().chain(&residue.read_gone));
            used.extend(residue.rows.iter().map(|row| FileId(row.entry.at.file.0)));
            Ok(())
        })
        .await?;
    Ok(used)
}

fn remove(preparing: &mut Preparing<'_>, table: &'static Table, row: &[Value]) -> Result<(), LedgerError> {
    let held = Held { hash: row[0].array()?, open: false };
    let key = row[1..].to_vec();
    // One that this very checkpoint opens again stays.
    if preparing.touches(table, &key) { Ok(()) } else { preparing.delete_over(table, key, held) }
}

/// Removes the oldest links; the number of the oldest that stays.
pub(crate) async fn chain(store: &mut Store, row: &PipelineRow, keep: &Keep, at_ms: i64) -> Result<i64, LedgerError> {
    let values: [Value; 2] = [row.pipeline.into(), at_ms.saturating_sub(keep.chain_ms).into()];
    let sql = "SELECT MIN(checkpoint) FROM checkpoints WHERE pipeline = $1 AND at_ms >= $2";
    let rows = store.rows(sql, &values.iter().collect::<Vec<_>>(), &[Kind::Int]).await?;
    let young = rows.first().and_then(|row| row[0].int_or_none());
    let most = i64::try_from(PRUNED_ROWS_MAX).unwrap_or(i64::MAX);
    let from = young.unwrap_or(row.checkpoint).min(row.chain_from + most).min(row.checkpoint).max(row.chain_from);
    let sql = "DELETE FROM checkpoints WHERE pipeline = $1 AND checkpoint < $2";
    store.write(sql, &[&row.pipeline.into(), &from.into()]).await?;
    Ok(from)
}

/// Removes messages that were sent or given up long ago.
pub(crate) async fn mail(store: &mut Store, pipeline: i64, keep: &Keep, at_ms: i64) -> Result<(), LedgerError> {
    let before = at_ms.saturating_sub(keep.mail_ms);
    let sql = "DELETE FROM outbox WHERE pipeline = $1 AND state <> 'waiting' AND next_ms < $2";
    store.write(sql, &[&pipeline.into(), &before.into()]).await?;
    Ok(())
}
