//! Where the files of this repository are. Asked of cargo as it runs the tests: a binary that was built in another clone
//! with the same target folder says the other's.

use std::path::PathBuf;

/// The folder of this package.
pub fn package() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// The repository's root.
pub fn root() -> PathBuf {
    package().join("../..")
}
