//! The validator against a real Kafka broker and a real schema registry: what is written into the log is known, and every
//! count, hole and finding of the answer is compared with it.
//!
//! Tests share one broker and name their own topics; those that kill or configure one start their own. Nothing waits for
//! time to pass: only for conditions.

mod broken_broker;
mod compaction;
mod dead_letters;
pub mod facts;
mod million;
mod new_fields;
mod proxy;
mod ranges;
mod retention;
pub mod schema_change;
mod secured;
pub mod stage;
pub mod trades;
mod transactions;
mod untouched;

/// The value, or a panic with the whole chain of causes.
pub fn good<T, E: std::error::Error>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{}", fixtures_harness::chain(&error)))
}
