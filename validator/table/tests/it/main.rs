//! Integration tests of the table side: tables written here, in every state a table can be in, and read back.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, in what tests share too")]

mod bad_deletes;
mod corruption;
mod counting_store;
mod delete_files;
mod deletes;
mod evolution;
mod extreme;
mod failing_store;
mod filesystem_catalog;
mod graph;
mod lake;
mod lent_keys;
mod listings;
mod loading;
mod nested;
mod parquet_bytes;
mod partitions;
mod postgres_catalog;
mod postgres_tls;
mod removal;
mod rest_catalog;
mod rest_repeats;
mod rest_tokens;
mod s3_stub;
mod scans;
mod steps;
mod stores;
