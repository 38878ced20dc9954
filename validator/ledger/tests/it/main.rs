//! Integration tests of the ledger, one binary.

mod dice;
mod stories;
