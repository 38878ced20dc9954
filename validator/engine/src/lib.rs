//! The DataFusion side: mapping, digests and bags as functions, the scan node, the reconcile plan and the drill.
//!
//! The way of a message: [`message_reader`] → [`mapping`] → [`message_exec`] → `bag_plan`. The way of a row:
//! [`scan_exec`] → [`segment_exec`] → `bag_plan`. Both meet in [`reconcile`], which keeps the books, drills
//! what is disputed and lets the core's judge decide.

mod accounts;
mod apart;
mod asked;
mod bag_exec;
mod bag_plan;
mod bag_sum;
pub mod binding;
mod captured;
pub mod case;
mod context;
mod digester;
pub mod disputed;
pub mod drill;
mod entries;
mod exact_cast;
pub mod explain;
pub mod expr;
mod findings;
pub mod found;
mod groups;
pub mod identity;
mod kept;
mod kept_codec;
mod key_names;
mod late;
mod leaves;
mod limits;
mod lookup;
mod losses;
mod map_fault;
mod map_type;
pub mod mapping;
pub mod mask;
pub mod message_batch;
pub mod message_exec;
pub mod message_reader;
pub mod misrouted;
pub mod observations;
pub mod passes;
mod place_hasher;
mod positions;
pub mod query;
mod quotient;
mod read_error;
pub mod reconcile;
mod related;
mod removed;
mod round;
mod row_reader;
pub mod sample;
pub mod scan_exec;
mod scan_queue;
pub mod scoping;
pub mod segment_exec;
pub mod segments;
mod selection;
mod sentence;
mod settled;
mod slip_bucket;
pub mod slips;
mod spill;
mod stretches;
pub mod suspect;
mod swaps;
mod telling;
pub mod tolerate;
mod upsert;
mod values;
mod versions;
mod wide_decimal;
mod workers;

pub use context::{PlanContext, context};
