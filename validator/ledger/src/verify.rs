//! Proving a ledger: every row against its hash, all rows against the books, the books against the chain.
//!
//! Contract: one pass in one transaction, a row at a time. It proves that what is there is what validators with this
//! digest key wrote, all of it and nothing else; not that they were right.

use crate::books::{Books, Held, Key, Link};
use crate::error::LedgerError;
use crate::pipeline::PipelineRow;
use crate::prepared::{checked, hashed_kinds};
use crate::read::{ReadLedger, row_of};
use crate::restore::{LINK_COLUMNS, LINK_KINDS};
use crate::rows::OPEN;
use crate::schema::{FILES, FINDINGS, LANES, PAGES, RESIDUES, RUNS, TABLES, Table};
use crate::store::Store;
use crate::value::Value;

/// What was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The last checkpoint.
    pub checkpoint: u64,
    /// Links of the chain that were gone through.
    pub links: u64,
    /// Rows that were hashed.
    pub rows: u64,
    /// The head of the chain.
    pub head: [u8; 32],
}

impl ReadLedger {
    /// Proves a pipeline; the key is its digest key.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`] names the first thing that does not fit; [`LedgerError::OtherPipeline`]: it is another key.
    pub async fn verify(&mut self, name: &str, digest_key: [u8; 32]) -> Result<Verified, LedgerError> {
        self.store.begin().await?;
        let verified = verified(&mut self.store, name, &Key(digest_key)).await;
        self.store.rollback().await;
        verified
    }
}

pub(crate) async fn verified(store: &mut Store, name: &str, key: &Key) -> Result<Verified, LedgerError> {
    let (row, seal) = row_of(store, name).await?;
    if !row.is_keyed(key) {
        return Err(LedgerError::OtherPipeline { name: name.to_owned(), what: "digest key" });
    }
    if row.seal(key) != seal {
        return Err(LedgerError::damaged(format!("the row of pipeline {name} is not what was written")));
    }
    let links = chain(store, key, &row).await?;
    let mut books = Books::default();
    let mut rows = 0;
    for table in TABLES {
        store
            .each(&table.select(), &[&row.pipeline.into()], &hashed_kinds(table), |found| {
                let standing = checked(key, table, found)?;
                books.add(table, Held { hash: standing.hash, open: is_open(table, &standing.values)? });
                rows += 1;
                Ok(())
            })
            .await?;
    }
    for (what, found, said) in [
        ("all rows", books.resident, row.books.resident),
        ("the rows that a restart reads", books.open, row.books.open),
        ("the findings", books.findings, row.books.findings),
    ] {
        if found != said {
            let what = format!("{what} are {} and not the {} of its books", found.count, said.count);
            return Err(LedgerError::damaged(if found.count == said.count {
                "its rows are not those of its books".to_owned()
            } else {
                what
            }));
        }
    }
    Ok(Verified { checkpoint: row.checkpoint.unsigned_abs(), links, rows, head: row.head })
}

/// What the conditions of [`Table::open`] say, said of values.
fn is_open(table: &Table, values: &[Value]) -> Result<bool, LedgerError> {
    Ok(match table.tag {
        tag if tag == LANES.tag || tag == RESIDUES.tag => true,
        tag if tag == PAGES.tag => values[3].int()? == 1,
        tag if tag == FILES.tag => values[3].int()? < 2,
        tag if tag == RUNS.tag || tag == FINDINGS.tag => values[7].text()? == OPEN,
        _ => false,
    })
}

/// From the oldest link that is kept to the head; how many there are.
async fn chain(store: &mut Store, key: &Key, row: &PipelineRow) -> Result<u64, LedgerError> {
    let broken = |at: i64| LedgerError::damaged(format!("the chain is broken at checkpoint {at}"));
    let mut next = row.chain_from;
    // What was before the oldest that is kept is not there to be compared with.
    let mut before = (next == 1).then(|| row.genesis(key));
    let mut last = None;
    let sql = format!("SELECT {LINK_COLUMNS} FROM checkpoints WHERE pipeline = $1 ORDER BY checkpoint");
    store
        .each(&sql, &[&row.pipeline.into()], &LINK_KINDS, |found| {
            let (link, totals, hash) = Link::from_row(&found)?;
            let follows = before.is_none_or(|before| before == link.prev);
            let counted = totals.is_none_or(|totals| link.has_totals(key, totals));
            if link.checkpoint != next || !follows || !counted || link.hash(key) != hash {
                return Err(broken(next));
            }
            before = Some(hash);
            next += 1;
            last = Some(link);
            Ok(())
        })
        .await?;
    let head = before.unwrap_or(row.head);
    let state = key.of("state", &[row.state.as_slice().into()]);
    let says =
        last.is_none_or(|link| link.books == row.books && link.state == state && link.has_totals(key, &row.totals));
    if head != row.head || next != row.checkpoint + 1 || !says {
        return Err(broken(row.checkpoint));
    }
    Ok((next - row.chain_from).unsigned_abs())
}
