//! Why a configuration could not be used. Every error of this module ends the program with exit code 2.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::problem::Problem;
use super::source::SourceFile;

/// Why a configuration could not be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file was read and is wrong; all that is wrong with it is listed in the order of the file.
    #[error("{} in {}", count(problems.len()), path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// At least one.
        problems: Vec<Problem>,
    },
    /// No pipeline has that name.
    #[error("find the pipeline `{name}`")]
    UnknownPipeline {
        /// The name that was asked for.
        name: String,
        /// Why, and what to do.
        problem: Box<Problem>,
    },
}

impl ConfigError {
    /// All that is wrong with a file.
    pub fn invalid(file: &SourceFile, problems: Vec<Problem>) -> Self {
        Self::Invalid { path: file.path().to_owned(), problems }
    }

    /// The problems of an invalid file; one for the other errors where they have one.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Read { .. } => &[],
            Self::Invalid { problems, .. } => problems,
            Self::UnknownPipeline { problem, .. } => std::slice::from_ref(problem),
        }
    }
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}
