//! `validator run` in several processes over one ledger: who reads, who judges, and what a process that is killed changes.

mod crashes;
mod grows;
mod letters;
mod refused;
mod rights;
mod shares;
mod team;
mod windows;
