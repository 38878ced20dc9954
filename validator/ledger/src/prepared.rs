//! A checkpoint made ready: rows to write and to remove, each with its hash before and after.
//!
//! Contract: what a delta says of a row must fit what is there: a finding is changed and
//! resolved when it is open. One that is opened while it is open happened once more.

use std::collections::{BTreeMap, BTreeSet};

use validator_core::finding::FindingId;
use validator_core::shadow::delta::{Change, Delta, FindingChange};

use crate::books::{Books, Held, Index, Key, RowChange, Slot, slot};
use crate::error::LedgerError;
use crate::limits::KEYS_PER_STATEMENT;
use crate::rows::{self, OPEN, Put, RESOLVED};
use crate::schema::{self, Table};
use crate::store::Store;
use crate::value::Value;

/// The bytes that a group of findings is named by.
const GROUP_BYTES: usize = 16;
// Columns of `findings` that a change needs of the row that is there.
const STATE: usize = 7;
const TIMES: usize = 8;
const FIRST_MS: usize = 9;
const OPENED_MS: usize = 10;
const EVIDENCE: usize = 14;
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
}

/// Gathers a checkpoint.
pub(crate) struct Preparing<'a> {
    key: Key,
    index: &'a Index,
    made: Prepared,
    /// Rows already touched: a second change of one row would be hashed against what is no longer there.
    touched: BTreeSet<Slot>,
}

impl<'a> Preparing<'a> {
    pub(crate) fn new(key: Key, index: &'a Index, books: Books) -> Self {
        let made = Prepared { puts: Vec::new(), deletes: Vec::new(), books, changes: Vec::new(), index: Vec::new() };
        Self { key, index, made, touched: BTreeSet::new() }
    }

    /// All of a delta. What is looked up is looked up in the transaction that writes.
    pub(crate) async fn delta(&mut self, store: &mut Store, pipeline: i64, delta: &Delta) -> Result<(), LedgerError> {
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
        self.findings(store, pipeline, &delta.findings).await
    }

    pub(crate) fn done(self) -> Prepared {
        self.made
    }

    fn held(&self, table: &Table, key: &[Value]) -> Option<Held> {
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

    fn put(&mut self, put: Put) -> Result<(), LedgerError> {
        let before = self.held(put.table, put.key());
        self.put_over(put, before)
    }

    fn put_over(&mut self, put: Put, before: Option<Held>) -> Result<(), LedgerError> {
        let slot = slot(put.table, put.key());
        self.touch(slot, put.table)?;
        let after = Held { hash: self.key.row(put.table, &put.values), open: put.open };
        self.note(put.table, slot, before, Some(after));
        self.made.puts.push((put, after.hash));
        Ok(())
    }

    fn delete(&mut self, table: &'static Table, key: Vec<Value>) -> Result<(), LedgerError> {
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
            self.put(rows::run(run, opened_ms)?)?;
        }
        Ok(())
    }

    async fn findings(
        &mut self,
        store: &mut Store,
        pipeline: i64,
        findings: &[FindingChange],
    ) -> Result<(), LedgerError> {
        // Of one that is told twice the last word holds.
        let last = findings.iter().map(|finding| (finding.id.as_str(), finding)).collect::<BTreeMap<_, _>>();
        let keys = last.keys().map(|id| vec![Value::from(*id)]).collect::<Vec<_>>();
        let there = fetched(store, &self.key, &schema::FINDINGS, pipeline, &keys).await?;
        for (finding, key) in last.values().zip(&keys) {
            let before = there.get(&slot(&schema::FINDINGS, key));
            let values = finding_values(finding, before.map(|row| row.values.as_slice()))?;
            let open = values[STATE].text()? == OPEN;
            let before = before.map(held_finding).transpose()?;
            self.put_over(Put { table: &schema::FINDINGS, values, open }, before)?;
        }
        Ok(())
    }

    /// Fills in evidence that came after the finding.
    pub(crate) async fn evidence(
        &mut self,
        store: &mut Store,
        pipeline: i64,
        evidence: &[(FindingId, Vec<u8>)],
    ) -> Result<(), LedgerError> {
        let keys = evidence.iter().map(|(id, _)| vec![Value::from(id.as_str())]).collect::<Vec<_>>();
        let there = fetched(store, &self.key, &schema::FINDINGS, pipeline, &keys).await?;
        for ((id, body), key) in evidence.iter().zip(&keys) {
            let Some(before) = there.get(&slot(&schema::FINDINGS, key)) else {
                return Err(contradiction(format!("evidence of {}, which is no finding", id.as_str())));
            };
            let mut values = before.values.clone();
            values[EVIDENCE] = body.as_slice().into();
            let before = held_finding(before)?;
            self.put_over(Put { table: &schema::FINDINGS, values, open: before.open }, Some(before))?;
        }
        Ok(())
    }
}

fn held_finding(row: &Standing) -> Result<Held, LedgerError> {
    Ok(Held { hash: row.hash, open: row.values[STATE].text()? == OPEN })
}

/// The row of a finding after a change.
fn finding_values(finding: &FindingChange, before: Option<&[Value]>) -> Result<Vec<Value>, LedgerError> {
    let open = before.map(|row| row[STATE].text()).transpose()? == Some(OPEN);
    fits(finding.change, open, || format!("finding {}", finding.id.as_str()))?;
    let cause = rows::cause(finding.verdict, finding.cause)?;
    let of_before = |at: usize, or: i64| before.map_or(Ok(or), |row| row[at].int());
    let times = of_before(TIMES, 0)? + i64::from(finding.change == Change::Opened);
    let first_ms = of_before(FIRST_MS, finding.at_ms)?;
    let opened_ms = if open { of_before(OPENED_MS, finding.at_ms)? } else { finding.at_ms };
    let resolved = finding.change == Change::Resolved;
    // What was resolved keeps what it was; what is true in another way needs other evidence.
    let (facts, evidence) = match before {
        Some(row) if resolved => (row[EVIDENCE - 1].clone(), row[EVIDENCE].clone()),
        _ => (finding.facts.as_slice().into(), Value::Blob(None)),
    };
    let [lane, at, file, path] = rows::place(&finding.place)?;
    let group = group(&[finding.verdict.as_str().into(), cause.clone(), path.clone()]);
    Ok(vec![
        finding.id.as_str().into(),
        finding.verdict.as_str().into(),
        cause,
        lane,
        at,
        file,
        path,
        (if resolved { RESOLVED } else { OPEN }).into(),
        times.into(),
        first_ms.into(),
        opened_ms.into(),
        finding.at_ms.into(),
        (&group).into(),
        facts,
        evidence,
    ])
}

fn group(values: &[Value]) -> [u8; GROUP_BYTES] {
    let mut hasher = blake3::Hasher::new();
    values.iter().for_each(|value| value.hash_into(&mut hasher));
    let mut group = [0; GROUP_BYTES];
    hasher.finalize_xof().fill(&mut group);
    group
}

fn fits(change: Change, open: bool, what: impl FnOnce() -> String) -> Result<(), LedgerError> {
    match (change, open) {
        (Change::Changed | Change::Resolved, false) => {
            Err(contradiction(format!("{} is changed or resolved and is not open", what())))
        }
        _ => Ok(()),
    }
}

fn contradiction(what: String) -> LedgerError {
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
