//! `validator sql`: one query over tables, messages and metadata that somebody else has opened.
//!
//! Contract: reads only, and only what the caller gives it a name for; a query that would write, set or define anything is
//! refused by name before anything is opened, and one that reads a hidden column before anything is read. Rows that cannot be read end the query: an answer is whole or is none.
//! The way of a query: [`parse`] → the caller opens what [`Parsed::relations`] names → [`plan`] → [`Query::run`].

mod anonymous;
mod cut;
mod error;
mod growth;
mod guarded;
mod lake_scan;
mod lake_table;
mod message_scan;
mod message_table;
mod plan;
mod readable;
mod statement;

pub use crate::limits::QUERY_BYTES_MAX as TEXT_BYTES_MAX;
pub use error::{Place, QueryError};
pub use guarded::Hidden;
pub use lake_table::{FILE, LakeTable, POSITION};
pub use message_table::{ERROR_COLUMN, FieldDecoders, MessageTable, Since};
pub use plan::{Answer, Limits, Opened, Query, Relation, plan};
pub use statement::{Parsed, parse};
