//! `validator man`: whereto.

use std::path::PathBuf;

use clap::Args;

/// `validator man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write a page for each command into this folder, which must be there [default: the main page on stdout]
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
}
