//! `validator run`: a table and a topic that go on, the real binary beside them, and what it says held against a truth that is told
//! from messages and rows.

mod answers;
mod books;
mod crashes;
mod followed;
mod lifecycle;
mod played;
mod service;
mod stage;
mod worlds;
