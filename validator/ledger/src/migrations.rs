//! Formats of the ledger, and the way from an older one to this one.
//!
//! Contract: each step is one transaction; a file is copied before the first. A newer format is refused, nothing of it is
//! read but its number and its maker.

use crate::address::Address;
use crate::error::LedgerError;
use crate::fleet;
use crate::inbox;
use crate::ledger;
use crate::lock::beside;
use crate::pipeline;
use crate::store::Store;
use crate::value::{Kind, Value};

/// The format that this validator writes.
pub(crate) const FORMAT: i64 = 3;

/// The statements that lead from one format to the next.
pub(crate) struct Step {
    pub(crate) from: i64,
    pub(crate) statements: &'static [&'static str],
    /// Those of PostgreSQL alone, after them.
    pub(crate) of_postgres: &'static [&'static str],
}

/// All steps, oldest first. Format 1 is the first.
pub(crate) const STEPS: &[Step] = &[
    Step { from: 1, statements: &[inbox::CREATE], of_postgres: &[] },
    Step { from: 2, statements: &[], of_postgres: fleet::CREATE },
];

/// The format of an open database.
pub(crate) async fn format(store: &mut Store) -> Result<i64, LedgerError> {
    let kinds = [Kind::Int, Kind::Text];
    let rows = match store.rows("SELECT format, made_by FROM ledger", &[], &kinds).await {
        Err(LedgerError::Query { source: sqlx::Error::Database(_) }) => {
            let place = store.address().shown();
            return Err(LedgerError::NotALedger { place, what: "it has no table of that name" });
        }
        rows => rows?,
    };
    let [row] = rows.as_slice() else { return Err(LedgerError::damaged("its first row is not there")) };
    let format = row[0].int()?;
    if format > FORMAT {
        return Err(LedgerError::Newer { format, made_by: row[1].text()?.to_owned(), known: FORMAT });
    }
    Ok(format)
}

/// Goes the steps from a format on, one transaction each.
pub(crate) async fn migrate(store: &mut Store, from: i64, steps: &[Step], made_by: &str) -> Result<(), LedgerError> {
    copied(store, from).await?;
    for step in steps.iter().filter(|step| step.from >= from) {
        store.begin().await?;
        let (head, pipelines) = ledger::pipelines(store).await?;
        if head.format != step.from {
            return Err(LedgerError::damaged(format!("no way leads from format {}", head.format)));
        }
        let of_postgres = match store.address() {
            Address::Postgres(_) => step.of_postgres,
            Address::Sqlite(_) => &[],
        };
        for statement in step.statements.iter().chain(of_postgres) {
            store.statement(statement).await?;
        }
        let names = pipelines.iter().map(|(row, _)| row.shown.as_str());
        let roll = pipeline::roll(names, step.from + 1, made_by, head.made_ms);
        let values: [Value; 3] = [(step.from + 1).into(), made_by.into(), (&roll).into()];
        let sql = "UPDATE ledger SET format = $1, made_by = $2, roll = $3";
        store.write(sql, &values.iter().collect::<Vec<_>>()).await?;
        store.commit().await?;
    }
    Ok(())
}

/// SQLite writes a whole copy, also of what stands in the WAL. A copy that is there is of an attempt that failed.
async fn copied(store: &mut Store, from: i64) -> Result<(), LedgerError> {
    let Address::Sqlite(path) = store.address() else { return Ok(()) };
    let copy = beside(path, &format!(".before-{from}"));
    if copy.exists() {
        std::fs::remove_file(&copy).map_err(|source| LedgerError::File {
            what: "remove",
            path: copy.clone(),
            source,
        })?;
    }
    let into = Value::from(copy.to_string_lossy().as_ref());
    store.write("VACUUM INTO $1", &[&into]).await?;
    Ok(())
}
