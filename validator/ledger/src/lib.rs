//! The ledger: what a continuous run knows, durable, in SQLite or PostgreSQL.
//!
//! Contract: a checkpoint is one transaction and holds everything; a restart finds the last one that was committed, or
//! is refused. Bodies are bytes that the core made: the ledger keeps them, hashes them and never looks into them.

mod address;
mod alerts;
mod book;
mod books;
mod checkpoint;
mod error;
mod finding;
mod fleet;
mod group;
mod ignored;
mod inbox;
mod ledger;
mod limits;
mod lock;
mod marks;
mod migrations;
mod open_findings;
mod outbox;
mod pipeline;
mod posting;
mod prepared;
mod prune;
mod read;
mod restore;
mod rows;
mod schema;
mod start_over;
mod store;
mod value;
mod verify;

#[cfg(test)]
mod tests;

pub use address::Address;
pub use alerts::{Alert, AlertChange};
pub use book::Book;
pub use checkpoint::Written;
pub use error::LedgerError;
pub use finding::ResolvedBy;
pub use fleet::{AskState, LaneHead, Link, MemberIs, Parcel, Seat, SeatTerms};
pub use group::{About, GroupId};
pub use inbox::leave;
pub use ledger::Ledger;
pub use marks::{Decision, Mark, Target};
pub use open_findings::{OpenCounts, OpenFindings, Tell, Told};
pub use outbox::{Fate, Mail, Retry, Waiting};
pub use pipeline::PipelineIs;
pub use posting::{Evidence, Posting};
pub use prune::Keep;
pub use read::{
    Broken, Continuity, DeepVerified, FindingCount, FindingFilter, FindingPage, FindingRow, FindingState, Group,
    LaneContinuity, Listed, MailCount, Place, ReadLedger, ReportFacts, RunRow, Seen, SegmentRow, SegmentState,
    StillEqual, Summary, is_nameless,
};
pub use rows::Untold;
pub use verify::Verified;
