//! Alerts: what is true of a pipeline for long enough is told once, and once more when it is over.
//!
//! The way of an alert: [`rule`] (as it is configured) → [`Alerts::evaluate`] (pure: status and clock in, messages out) →
//! the ledger's outbox, in the same checkpoint as [`Alerts::unsaved`] → [`sender`] → a channel.
//!
//! Contract: evaluation has no clock, no network and no disk of its own; a restart from what was saved fires nothing a
//! second time; nothing here can hold a pipeline up.

pub mod condition;
mod deliver;
pub mod evaluate;
pub mod figure;
mod history;
pub mod limits;
pub mod notice;
mod parse;
pub mod rule;
pub mod sender;
mod state;
mod view;

pub use condition::Condition;
pub use deliver::{Undelivered, signature};
pub use evaluate::{Alerts, Begin, Outgoing};
pub use parse::ConditionError;
pub use rule::{Channel, Rule};
pub use sender::{Letter, Outcome, Sender};
pub use state::{Change, HISTORY_ROW, Kept};
pub(crate) use view::count_rows;

#[cfg(test)]
mod tests;
