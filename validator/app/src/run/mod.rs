//! `validator run`, watched while it runs: what each pipeline says of itself, and who is told.

pub mod alerts;
pub mod http;
pub mod metrics;
pub mod status;
