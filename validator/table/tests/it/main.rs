//! Integration tests of the table side: tables written here, in every state a table can be in, and read back.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, in what tests share too")]

mod corruption;
mod evolution;
mod extreme;
mod failing_store;
mod graph;
mod lake;
mod loading;
mod nested;
mod parquet_bytes;
mod partitions;
mod removal;
mod scans;
