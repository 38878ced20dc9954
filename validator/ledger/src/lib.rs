//! The ledger: what a continuous run knows, durable, in SQLite or PostgreSQL.
//!
//! Contract: a checkpoint is one transaction and holds everything; a restart finds the last one that was committed, or
//! is refused. Bodies are bytes that the core made: the ledger keeps them, hashes them and never looks into them.

mod address;
mod book;
mod books;
mod checkpoint;
mod error;
mod ledger;
mod limits;
mod lock;
mod migrations;
mod outbox;
mod pipeline;
mod prepared;
mod prune;
mod read;
mod restore;
mod rows;
mod schema;
mod store;
mod value;
mod verify;

#[cfg(test)]
mod tests;

pub use address::Address;
pub use book::Book;
pub use checkpoint::{Posting, Written};
pub use error::LedgerError;
pub use ledger::Ledger;
pub use outbox::{Mail, Waiting};
pub use pipeline::PipelineIs;
pub use prune::Keep;
pub use read::{FindingCount, ReadLedger, Summary};
pub use verify::Verified;
