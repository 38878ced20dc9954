//! `validator run` beside real servers that fail and come back: what it says meanwhile, that it loses nothing, and that it recovers
//! by itself within a minute.
//!
//! Tests share one broker and name their own topics; those that kill one start their own.

mod broker;
mod catalog_away;
mod dead_letters;
mod emptied;
mod gate;
mod hostile;
mod ledger_away;
mod ledger_rights;
mod logs;
mod narrow;
mod registry_away;
mod retention;
pub mod running;
pub mod scene;
mod store_away;
mod transactions;

use std::time::Duration;

/// What a recovery may take.
const RECOVERED_WITHIN: Duration = Duration::from_secs(60);
