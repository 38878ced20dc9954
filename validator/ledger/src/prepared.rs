//! A checkpoint made ready: rows to write and to remove, each with its hash before and after.
//!
//! Contract: what a delta says of a row must fit what is there: a finding is changed and
//! resolved when it is open. One that is opened while it is open happened once more.

use std::collections::{BTreeMap, BTreeSet};

use validator_core::shadow::delta::{Change, Delta};

use crate::books::{Books, Held, Index, Key, RowChange, Slot, slot};
use crate::error::LedgerError;
use crate::finding;
use crate::limits::KEYS_PER_STATEMENT;
use crate::open_findings::{Ignoring, Shift};
use crate::posting::Evidence;
use crate::rows::{self, OPEN, Put};
use crate::schema::{self, Table};
use crate::store::Store;
use crate::value::Value;

// Columns of `finding_runs`.
const RUN_STATE: usize = 7;
const RUN_OPENED_MS: usize = 8;

/// Everything of one checkpoint but its link.
pub(crate) struct Prepared {
    pub(crate) puts: Vec<(Put, [u8; 32])>,
    pub(crate) deletes: Vec<(&'static Table, Vec<Value>)>,
    pub(crate) books: Books,
    pub(crate) changes: Vec<RowChange>,
    /// What becomes of the index.
    pub(crate) index: Vec<(Slot, Option<Held>)>,
    /// What becomes of the counts of open findings.
    pub(crate) shift: Shift,
}

/// Gathers a checkpoint.
pub(crate) struct Preparing<'a> {
    pub(crate) key: Key,
    index: &'a Index,
    /// Offsets of a segment.
    pub(crate) width: i64,
    pub(crate) ignoring: Ignoring<'a>,
    pub(crate) made: Prepared,
    /// Rows already touched: a second change of one row would be hashed against what is no longer there.
    touched: BTreeSet<Slot>,
}

impl<'a> Preparing<'a> {
    pub(crate) fn new(key: Key, index: &'a Index, books: Books, width: i64, ignoring: Ignoring<'a>) -> Self {
        let (puts, deletes, changes, index_changes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let made = Prepared { puts, deletes, books, changes, index: index_changes, shift: Shift::default() };
        Self { key, index, width, ignoring, made, touched: BTreeSet::new() }
    }

    /// All of a delta. What is looked up is looked up in the transaction that writes.
    pub(crate) async fn delta(
        &mut self,
        store: &mut Store,
        pipeline: i64,
        delta: &Delta,
        evidence: &[Evidence],
    ) -> Result<(), LedgerError> {
        for row in &delta.lanes {
            self.put(rows::lane(row))?;
        }
        for row in &delta.pages {
            self.put(rows::page(row))?;
        }
        for row in &delta.files_new {
            if self.held(&schema::FILES, &[i64::from(row.file.id.0).into()]).is_some() {
                return Err(contradiction(format!("file {} is new and known", row.file.id.0)));
            }
            self.put(rows::file(&row.file))?;
            self.put(rows::file_body(row.file.id, &row.body))?;
        }
        for row in &delta.files_changed {
            if self.held(&schema::FILES, &[i64::from(row.id.0).into()]).is_none() {
                return Err(contradiction(format!("file {} changes and is not known", row.id.0)));
            }
            self.put(rows::file(row))?;
        }
        for row in &delta.residues {
            match &row.body {
                Some(body) => self.put(rows::residue(row.segment, body)?)?,
                None => self.delete(&schema::RESIDUES, rows::segment_key(row.segment)?)?,
            }
        }
        self.runs(store, pipeline, delta).await?;
        self.findings(store, pipeline, delta, evidence).await
    }

    pub(crate) fn done(self) -> Prepared {
        self.made
    }

    pub(crate) fn held(&self, table: &Table, key: &[Value]) -> Option<Held> {
        self.index.get(&slot(table, key)).copied()
    }

    /// Whether this checkpoint changes a row already.
    pub(crate) fn touches(&self, table: &Table, key: &[Value]) -> bool {
        self.touched.contains(&slot(table, key))
    }

    fn touch(&mut self, slot: Slot, table: &Table) -> Result<(), LedgerError> {
        if self.touched.insert(slot) {
            Ok(())
        } else {
            Err(contradiction(format!("a row of {} changes twice", table.name)))
        }
    }

    pub(crate) fn put(&mut self, put: Put) -> Result<(), LedgerError> {
        let before = self.held(put.table, put.key());
        self.put_over(put, before)
    }

    pub(crate) fn put_over(&mut self, put: Put, before: Option<Held>) -> Result<(), LedgerError> {
        let slot = slot(put.table, put.key());
        self.touch(slot, put.table)?;
        let after = Held { hash: self.key.row(put.table, &put.values), open: put.open };
        self.note(put.table, slot, before, Some(after));
        self.made.puts.push((put, after.hash));
        Ok(())
    }

    pub(crate) fn delete(&mut self, table: &'static Table, key: Vec<Value>) -> Result<(), LedgerError> {
        // What was disputed and settled between two checkpoints never came to the ledger.
        let Some(before) = self.held(table, &key) else { return Ok(()) };
        self.delete_over(table, key, before)
    }

    /// Removes a row whose hash is known.
    pub(crate) fn delete_over(
        &mut self,
        table: &'static Table,
        key: Vec<Value>,
        before: Held,
    ) -> Result<(), LedgerError> {
        let slot = slot(table, &key);
        self.touch(slot, table)?;
        self.note(table, slot, Some(before), None);
        self.made.deletes.push((table, key));
        Ok(())
    }

    fn note(&mut self, table: &Table, slot: Slot, before: Option<Held>, after: Option<Held>) {
        if let Some(before) = before {
            self.made.books.remove(table, before);
        }
        if let Some(after) = after {
            self.made.books.add(table, after);
        }
        self.made.changes.push((slot, before.map(|held| held.hash), after.map(|held| held.hash)));
        if table.resident {
            self.made.index.push((slot, after));
        }
    }

    async fn runs(&mut self, store: &mut Store, pipeline: i64, delta: &Delta) -> Result<(), LedgerError> {
        let keys = delta.runs.iter().map(rows::run_key).collect::<Result<Vec<_>, _>>()?;
        let there = fetched(store, &self.key, &schema::RUNS, pipeline, &keys).await?;
        for (run, key) in delta.runs.iter().zip(&keys) {
            let slot = slot(&schema::RUNS, key);
            let before = there.get(&slot);
            if before.map(|row| row.hash) != self.index.get(&slot).map(|held| held.hash) {
                return Err(LedgerError::damaged("a finding run is not what was written"));
            }
            let open = before.map(|row| row.values[RUN_STATE].text()).transpose()? == Some(OPEN);
            fits(run.change, open, || format!("the run of {} in {}", run.verdict, run.segment))?;
            let opened_ms = match before {
                Some(row) if open => row.values[RUN_OPENED_MS].int()?,
                _ => run.at_ms,
            };
            let put = rows::run(run, opened_ms, finding::run_resolved_by(delta, run, self.width))?;
            if let Some(before) = before {
                self.made.shift.run(&before.values, -1, self.ignoring)?;
            }
            self.made.shift.run(&put.values, 1, self.ignoring)?;
            self.put(put)?;
        }
        Ok(())
    }
}

pub(crate) fn fits(change: Change, open: bool, what: impl FnOnce() -> String) -> Result<(), LedgerError> {
    match (change, open) {
        (Change::Changed | Change::Resolved, false) => {
            Err(contradiction(format!("{} is changed or resolved and is not open", what())))
        }
        _ => Ok(()),
    }
}

pub(crate) fn contradiction(what: String) -> LedgerError {
    LedgerError::Contradiction { what }
}

/// A row as it stands.
pub(crate) struct Standing {
    pub(crate) hash: [u8; 32],
    pub(crate) values: Vec<Value>,
}

/// Rows of some keys, by slot; each must hash to what its column says.
pub(crate) async fn fetched(
    store: &mut Store,
    key: &Key,
    table: &Table,
    pipeline: i64,
    keys: &[Vec<Value>],
) -> Result<BTreeMap<Slot, Standing>, LedgerError> {
    let mut found = BTreeMap::new();
    let pipeline = Value::from(pipeline);
    for some in keys.chunks(KEYS_PER_STATEMENT) {
        let values = std::iter::once(&pipeline).chain(some.iter().flatten()).collect::<Vec<_>>();
        for row in store.rows(&table.select_some(some.len()), &values, &hashed_kinds(table)).await? {
            let standing = checked(key, table, row)?;
            found.insert(slot(table, &standing.values[..table.keys]), standing);
        }
    }
    Ok(found)
}

/// The kinds of [`Table::select`].
pub(crate) fn hashed_kinds(table: &Table) -> Vec<crate::value::Kind> {
    std::iter::once(crate::value::Kind::Blob).chain(table.kinds()).collect()
}

/// Hash and columns of a row, where they agree.
pub(crate) fn checked(key: &Key, table: &Table, mut row: Vec<Value>) -> Result<Standing, LedgerError> {
    let values = row.split_off(1);
    let hash = row[0].array()?;
    if key.row(table, &values) != hash {
        return Err(LedgerError::damaged(format!("a row of {} is not what was written", table.name)));
    }
    Ok(Standing { hash, values })
}
