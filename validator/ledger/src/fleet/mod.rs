//! What the members of a fleet share beside the books: who judges, what they read, and which work is divided.
//!
//! Contract: PostgreSQL alone, and no part of the books. Whatever stands here may be lost and is made again: messages are read
//! again from the position of the last checkpoint, files are scanned again. What of it counts is decided by a checkpoint, which
//! takes parcels away in the transaction that holds what they add (see [`crate::Posting::parcels`]).

mod asks;
mod parcels;
mod seat;

pub use asks::AskState;
pub use parcels::{LaneHead, Parcel};
pub(crate) use seat::is_seated;
pub use seat::{Seat, SeatTerms};

use validator_core::position::PartitionIndex;

use crate::address::Address;
use crate::error::LedgerError;
use crate::store::{Access, Store};
use crate::value::{Kind, Value};

/// What makes the tables. A pipeline is named by what it is shown as: a member reads before the book is there.
pub(crate) const CREATE: &[&str] = &[
    "CREATE TABLE seats (pipeline TEXT NOT NULL PRIMARY KEY, holder TEXT NOT NULL, member TEXT NOT NULL, epoch BIGINT NOT NULL, \
     session BIGINT NOT NULL, session_us BIGINT NOT NULL, until_ms BIGINT NOT NULL, terms BYTEA NOT NULL, binding BYTEA)",
    "CREATE TABLE parcels (pipeline TEXT NOT NULL, lane BIGINT NOT NULL, from_offset BIGINT NOT NULL, upto BIGINT NOT NULL, \
     binding BYTEA NOT NULL, reader TEXT NOT NULL, body BYTEA NOT NULL, PRIMARY KEY (pipeline, lane, from_offset))",
    "CREATE TABLE asks (pipeline TEXT NOT NULL, ask BYTEA NOT NULL, body BYTEA NOT NULL, asked_ms BIGINT NOT NULL, \
     claimed_by TEXT NOT NULL, until_ms BIGINT NOT NULL, tries BIGINT NOT NULL, answer BYTEA, PRIMARY KEY (pipeline, ask))",
];

/// The server's clock: members of a fleet need not agree on the time.
const NOW_MS: &str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint";

/// One process of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberIs {
    /// Its name, which outlives the process.
    pub name: String,
    /// Tells the process from an earlier one of the same name.
    pub instance: String,
}

impl MemberIs {
    /// Name and instance.
    pub(crate) fn holder(&self) -> String {
        format!("{}#{}", self.name, self.instance)
    }
}

/// A connection of one member for one pipeline, beside the one that writes books.
pub struct Link {
    store: Store,
    pipeline: String,
    member: MemberIs,
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// [`LedgerError::NotOfAFleet`] of SQLite; when the database cannot be reached.
    pub async fn join(address: &Address, pipeline: &str, member: &MemberIs) -> Result<Self, LedgerError> {
        let Address::Postgres(_) = address else { return Err(LedgerError::NotOfAFleet { place: address.shown() }) };
        let store = Store::new(address.clone(), address.connect(Access::Beside).await?, Access::Beside);
        Ok(Self { store, pipeline: pipeline.to_owned(), member: member.clone() })
    }

    /// When the ledger was made, milliseconds since the epoch: tells it from all others.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn ledger_made_ms(&mut self) -> Result<i64, LedgerError> {
        self.store.begin().await?;
        let rows = self.store.rows("SELECT made_ms FROM ledger", &[], &[Kind::Int]).await;
        let rows = self.ended(rows).await?;
        rows.first().map_or_else(|| Err(LedgerError::damaged("its first row is not there")), |row| row[0].int())
    }

    /// The pipeline's name as a value.
    fn name(&self) -> Value {
        self.pipeline.as_str().into()
    }

    /// Ends a transaction by how its work went.
    async fn ended<T>(&mut self, done: Result<T, LedgerError>) -> Result<T, LedgerError> {
        match done {
            Ok(value) => self.store.commit().await.map(|()| value),
            Err(error) => {
                self.store.rollback().await;
                Err(error)
            }
        }
    }
}

/// Takes away what a checkpoint holds, or what is behind it.
pub(crate) async fn taken(
    store: &mut Store,
    pipeline: &str,
    below: &[(PartitionIndex, i64)],
) -> Result<(), LedgerError> {
    for (lane, position) in below {
        let values: [Value; 3] = [pipeline.into(), i64::from(lane.0).into(), (*position).into()];
        let sql = "DELETE FROM parcels WHERE pipeline = $1 AND lane = $2 AND from_offset < $3";
        store.write(sql, &values.iter().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// Forgets all that is shared of a pipeline, whose name becomes that of another one.
pub(crate) async fn forget(store: &mut Store, pipeline: &str) -> Result<(), LedgerError> {
    if let Address::Sqlite(_) = store.address() {
        return Ok(());
    }
    for table in ["seats", "parcels", "asks"] {
        store.write(&format!("DELETE FROM {table} WHERE pipeline = $1"), &[&pipeline.into()]).await?;
    }
    Ok(())
}
