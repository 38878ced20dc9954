//! `validator man`: whereto.

use std::path::PathBuf;

use clap::Args;

/// `validator man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write a page for each command into this folder, which must be there [default: the main page on stdout]
    #[arg(long, value_name = "FOLDER", value_parser = folder)]
    pub output: Option<PathBuf>,
}

fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err(format!("there is no folder {text}")) }
}
