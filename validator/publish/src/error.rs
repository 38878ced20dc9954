//! Why a table was not written.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The table is as it was before.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The folder holds a table of other columns.
    #[error("{} is a table of other columns", folder.display())]
    OtherColumns {
        /// Which.
        folder: PathBuf,
    },
    /// Another writer made the next version meanwhile.
    #[error("{} was written by another one meanwhile", metadata.display())]
    Overtaken {
        /// The version that both wanted to make.
        metadata: PathBuf,
    },
    /// A path that has no place in a URL of the table.
    #[error("{} is no path of UTF-8", path.display())]
    NotText {
        /// Which.
        path: PathBuf,
    },
    /// A file of the table.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Metadata that is no Iceberg.
    #[error("{what} of {}", folder.display())]
    Iceberg {
        /// What was tried.
        what: &'static str,
        /// Of which table.
        folder: PathBuf,
        /// What is wrong.
        source: Box<iceberg::Error>,
    },
}
