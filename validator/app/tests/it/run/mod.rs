//! `validator run`: a table and a topic that go on, the real binary beside them, and what it says held against a truth that is told
//! from messages and rows.

mod answers;
pub mod books;
mod crashes;
mod fleet;
mod followed;
mod kept;
mod lifecycle;
mod played;
mod real;
mod retention;
pub mod service;
mod stage;
mod table_side;
mod telling;
mod upserts;
mod worlds;

pub use lifecycle::LOOKED_WITHIN;
pub use service::{Service, run_until_idle};
pub use stage::{Stage, chapter, every_fault};
