//! The shadow: the state machine of a continuous run. Events in, actions and deltas out.
//!
//! Contract: no I/O, no clock, no threads. What it says is a function of the messages consumed, the steps applied and the
//! instant of the last applied look; neither the order of answers nor a restart changes a count. When nothing is open it
//! says what a single run over the same messages and snapshot says.

pub mod action;
pub mod delta;
pub mod event;
pub mod file;
pub mod nets;
pub mod page;
pub mod segment;
