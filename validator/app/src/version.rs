//! What `-V` and `--version` print: version, commit and date, and the versions of what decides how data is read.
//!
//! The build script gives all of it; outside of a clone there is no commit.

/// `0.1.0 (c8af896 2026-11-28)`
pub const SHORT: &str = env!("VALIDATOR_VERSION");

/// The same, with a line for each library.
pub const LONG: &str =
    concat!(env!("VALIDATOR_VERSION"), "\n\n", include_str!(concat!(env!("OUT_DIR"), "/libraries.txt")));
