//! Decisions that wait for the process that writes: who may not write leaves them here.
//!
//! Contract: no part of the books. A checkpoint of the writer turns what waits into marks and takes it away in the same
//! transaction, so that a decision becomes a mark once, or still waits.

use crate::address::Address;
use crate::book::{Book, standing};
use crate::error::LedgerError;
use crate::limits::INBOX_ROWS_MAX;
use crate::marks::{MARK_COLUMNS, MARK_KINDS, Mark, mark_back};
use crate::migrations::{self, FORMAT};
use crate::read::{ReadLedger, row_of};
use crate::store::{Access, Store};
use crate::value::{Kind, Value};

/// What makes the table, in both databases.
pub(crate) const CREATE: &str = "CREATE TABLE inbox (number BIGINT NOT NULL PRIMARY KEY, pipeline BIGINT NOT NULL, \
    target TEXT NOT NULL, what TEXT NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL, until_ms BIGINT, at_ms BIGINT NOT NULL)";

/// Leaves decisions for the process that writes to the ledger; their numbers.
///
/// # Errors
/// When there is no such ledger or pipeline, or the database cannot.
pub async fn leave(address: &Address, name: &str, marks: &[Mark]) -> Result<Vec<i64>, LedgerError> {
    let mut store = Store::new(address.clone(), address.connect(Access::Beside).await?, Access::Beside);
    let format = migrations::format(&mut store).await?;
    if format != FORMAT {
        let what = "its format is older; the process that writes to it brings it up to date";
        return Err(LedgerError::NotALedger { place: address.shown(), what });
    }
    store.begin().await?;
    match left(&mut store, name, marks).await {
        Ok(numbers) => {
            store.commit().await?;
            store.close().await?;
            Ok(numbers)
        }
        Err(error) => {
            store.rollback().await;
            Err(error)
        }
    }
}

async fn left(store: &mut Store, name: &str, marks: &[Mark]) -> Result<Vec<i64>, LedgerError> {
    let (row, _) = row_of(store, name).await?;
    let last = store.rows("SELECT MAX(number) FROM inbox", &[], &[Kind::Int]).await?;
    let last = last.first().and_then(|row| row[0].int_or_none()).unwrap_or(0);
    let sql = format!(
        "INSERT INTO inbox (number, pipeline, {}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        MARK_COLUMNS.join(", ")
    );
    let mut numbers = Vec::with_capacity(marks.len());
    for (number, mark) in (last + 1..).zip(marks) {
        let values: [Value; 8] = [
            number.into(),
            row.pipeline.into(),
            mark.target.as_str().into(),
            mark.what.as_str().into(),
            mark.who.as_str().into(),
            mark.reason.as_str().into(),
            Value::Int(mark.until_ms),
            mark.at_ms.into(),
        ];
        store.write(&sql, &values.iter().collect::<Vec<_>>()).await?;
        numbers.push(number);
    }
    Ok(numbers)
}

impl ReadLedger {
    /// How many decisions about a pipeline wait for the process that writes.
    ///
    /// # Errors
    /// When there is no such pipeline, or the ledger cannot be read.
    pub async fn waiting_marks(&mut self, name: &str) -> Result<u64, LedgerError> {
        self.store.begin().await?;
        let count = async {
            let (row, _) = row_of(&mut self.store, name).await?;
            let sql = "SELECT COUNT(*) FROM inbox WHERE pipeline = $1";
            let rows = self.store.rows(sql, &[&row.pipeline.into()], &[Kind::Int]).await?;
            rows.first().map_or(Ok(0), |row| row[0].int())
        };
        let count = count.await;
        self.store.rollback().await;
        count.map(i64::unsigned_abs)
    }
}

impl Book {
    /// Decisions that wait, oldest first, a bounded number: the numbers that a posting takes, and the marks that it puts.
    ///
    /// # Errors
    /// When the book is fenced, or the database cannot.
    pub async fn inbox(&mut self) -> Result<(Vec<i64>, Vec<Mark>), LedgerError> {
        let sql = format!(
            "SELECT {}, number FROM inbox WHERE pipeline = $1 ORDER BY number LIMIT {INBOX_ROWS_MAX}",
            MARK_COLUMNS.join(", ")
        );
        let kinds = [MARK_KINDS.as_slice(), &[Kind::Int]].concat();
        let mut store = self.store.lock().await;
        store.begin().await?;
        let found = async {
            standing(&mut store, &self.row, &self.name).await?;
            store.rows(&sql, &[&self.row.pipeline.into()], &kinds).await
        };
        let found = found.await;
        store.rollback().await;
        found?.iter().map(|row| Ok((row[MARK_COLUMNS.len()].int()?, mark_back(row)?))).collect()
    }
}

/// Takes away what a checkpoint turns into marks.
pub(crate) async fn take(store: &mut Store, pipeline: i64, taken: &[i64]) -> Result<(), LedgerError> {
    for number in taken {
        let values: [Value; 2] = [pipeline.into(), (*number).into()];
        let sql = "DELETE FROM inbox WHERE pipeline = $1 AND number = $2";
        if store.write(sql, &[&values[0], &values[1]]).await? != 1 {
            return Err(LedgerError::Contradiction { what: format!("decision {number} does not wait") });
        }
    }
    Ok(())
}
