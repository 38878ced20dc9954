//! The pure core of the validator: positions, contracts, canonical bytes, digests, bags, books, the judge and the report.
//!
//! Contract: no I/O, no clock, no threads, no Kafka, Iceberg or DataFusion. Events in, decisions out.

pub mod contract;
pub mod position;
pub mod schema;
