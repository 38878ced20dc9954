//! The pure core of the validator: positions, contracts, canonical bytes, digests, bags, books, the judge and the report.
//!
//! Contract: no I/O, no clock, no threads, no Kafka, Iceberg or DataFusion. Events in, decisions out.

pub mod accounting;
pub mod bag;
pub mod books;
pub mod clock;
pub mod contract;
pub mod convert;
pub mod damage;
pub mod digest;
pub mod encode;
pub mod error_chain;
pub mod figures;
pub mod finding;
pub mod harmless;
pub mod hole;
pub mod judge;
pub mod levels;
pub mod limits;
pub mod position;
pub mod related;
pub mod report;
pub mod schema;
pub mod scope;
pub mod secret;
pub mod segment;
pub mod shadow;
pub mod spread;
pub mod timeline;
pub mod tolerance;
pub mod type_syntax;
pub mod value;
pub mod verdict;
pub mod warning;
