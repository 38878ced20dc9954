//! `/metrics`: the last status of each pipeline, and the process, as Prometheus reads them.
//!
//! Contract: [`METRICS`] is the only place where a name stands; the answer and docs/metrics.md are made from it. A figure that
//! is not known has no line, rather than one that says 0.

mod names;
mod page;
mod process;
mod text;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use names::{METRICS, Metric, Type};
pub use page::page;
pub use process::Process;
pub use text::CONTENT_TYPE;

use crate::run::status::Status;

/// The answer to `/metrics`.
pub fn metrics(statuses: &[Arc<Status>], process: &Process, now_ms: i64) -> String {
    text::text(statuses, process, now_ms)
}
