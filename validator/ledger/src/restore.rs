//! What a restart reads.
//!
//! Contract: it is complete and exactly what the last checkpoint left. The bag of the rows that were read is that of the
//! rows that a restart reads; the bag of the hashes of all others is that of the books.

use validator_core::shadow::delta::Saved;

use crate::books::{Books, Held, Index, Key, Link, slot};
use crate::error::LedgerError;
use crate::pipeline::PipelineRow;
use crate::prepared::{checked, hashed_kinds};
use crate::rows;
use crate::schema::{FILES, FINDINGS, LANES, PAGES, RESIDUES, RUNS, TABLES, Table};
use crate::store::Store;
use crate::value::{Kind, Value};

/// The columns of a link in the order of [`Link::from_values`], then its hash.
pub(crate) const LINK_COLUMNS: &str =
    "checkpoint, at_ms, judged_at_ms, snapshot, changes, books, state, totals_hash, prev, totals, hash";
pub(crate) const LINK_KINDS: [Kind; 11] = [
    Kind::Int,
    Kind::Int,
    Kind::Int,
    Kind::Int,
    Kind::Blob,
    Kind::Blob,
    Kind::Blob,
    Kind::Blob,
    Kind::Blob,
    Kind::Blob,
    Kind::Blob,
];

/// Everything of the last checkpoint that a restart needs, and the hashes of the rest.
pub(crate) async fn restored(store: &mut Store, key: &Key, row: &PipelineRow) -> Result<(Index, Saved), LedgerError> {
    newest_link(store, key, row).await?;
    let mut index = Index::new();
    let mut books = Books::default();
    for table in TABLES.iter().filter(|table| table.resident) {
        let kinds = std::iter::once(Kind::Blob).chain(table.kinds().into_iter().take(table.keys)).collect::<Vec<_>>();
        store
            .each(&table.select_keys(), &[&row.pipeline.into()], &kinds, |found| {
                let held = Held { hash: found[0].array()?, open: false };
                books.add(table, held);
                index.insert(slot(table, &found[1..]), held);
                Ok(())
            })
            .await?;
    }
    if books.resident != row.books.resident {
        return Err(LedgerError::damaged("its rows are not those of its books"));
    }
    let mut open = Opened { store, key, row, index: &mut index, books: &mut books };
    let saved = Saved {
        checkpoint: row.checkpoint.unsigned_abs(),
        state: row.state.clone(),
        lanes: open.all(&LANES, rows::lane_back).await?,
        pages: open.all(&PAGES, rows::page_back).await?,
        files: open.all(&FILES, rows::file_back).await?,
        residues: open.all(&RESIDUES, rows::residue_back).await?,
        findings: open.some(&FINDINGS, rows::finding_back).await?,
        runs: open.all(&RUNS, rows::run_back).await?,
        totals: row.totals.clone(),
    };
    if books.open != row.books.open {
        return Err(LedgerError::damaged("what a restart reads is not what its books say"));
    }
    Ok((index, saved))
}

struct Opened<'a> {
    store: &'a mut Store,
    key: &'a Key,
    row: &'a PipelineRow,
    index: &'a mut Index,
    books: &'a mut Books,
}

impl Opened<'_> {
    /// The rows of a table that a restart reads, in the order of their keys.
    async fn all<T>(
        &mut self,
        table: &'static Table,
        back: impl Fn(&[Value]) -> Result<T, LedgerError>,
    ) -> Result<Vec<T>, LedgerError> {
        self.some(table, |values| back(values).map(Some)).await
    }

    /// [`Opened::all`], of which not all are kept: each is proven, and of a million findings little stays.
    async fn some<T>(
        &mut self,
        table: &'static Table,
        back: impl Fn(&[Value]) -> Result<Option<T>, LedgerError>,
    ) -> Result<Vec<T>, LedgerError> {
        let Some(condition) = table.open else { return Ok(Vec::new()) };
        let order = (2..table.keys + 2).map(|at| at.to_string()).collect::<Vec<_>>().join(", ");
        let sql = format!("{} AND {condition} ORDER BY {order}", table.select());
        let mut all = Vec::new();
        let Self { store, key, row, index, books } = self;
        store
            .each(&sql, &[&row.pipeline.into()], &hashed_kinds(table), |found| {
                let standing = checked(key, table, found)?;
                let held = Held { hash: standing.hash, open: true };
                if table.resident {
                    match index.insert(slot(table, &standing.values[..table.keys]), held) {
                        Some(before) if before.hash == held.hash => {}
                        _ => return Err(LedgerError::damaged(format!("a row of {} is there in two ways", table.name))),
                    }
                }
                // Counted as one of all already.
                let mut counted = Books::default();
                counted.add(table, held);
                books.open.merge(&counted.open);
                all.extend(back(&standing.values)?);
                Ok(())
            })
            .await?;
        Ok(all)
    }
}

/// The newest link must be the head of the chain and say what the pipeline's row says.
async fn newest_link(store: &mut Store, key: &Key, row: &PipelineRow) -> Result<(), LedgerError> {
    let sql = format!("SELECT {LINK_COLUMNS} FROM checkpoints WHERE pipeline = $1 ORDER BY checkpoint DESC LIMIT 1");
    let rows = store.rows(&sql, &[&row.pipeline.into()], &LINK_KINDS).await?;
    let Some(values) = rows.first() else {
        let new = row.checkpoint == 0 && row.head == row.genesis(key);
        return if new { Ok(()) } else { Err(LedgerError::damaged("the chain of its checkpoints is not there")) };
    };
    let (link, totals, hash) = Link::from_row(values)?;
    let state = key.of("state", &[row.state.as_slice().into()]);
    let fits = link.hash(key) == hash
        && hash == row.head
        && link.checkpoint == row.checkpoint
        && link.books == row.books
        && link.state == state
        && totals == Some(row.totals.as_slice())
        && link.has_totals(key, &row.totals);
    if fits { Ok(()) } else { Err(LedgerError::damaged("its last checkpoint is not the head of its chain")) }
}
