//! `validator init`: its flags.

// The help texts name sections of files as people write them: [map].
#![allow(rustdoc::broken_intra_doc_links)]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use validator_core::contract::Envelope;

use super::args::envelope;
use super::files::in_a_folder;
use crate::init::SAMPLE_MAX;
use crate::render::count;

/// Shown below the help of the command.
pub const INIT_EXAMPLES: &str = "\
Examples:
  validator init --topic market.trades --table lake.market.trades --output trades.toml
  validator init -c validator.toml --topic orders --table lake.shop.orders > orders.toml
  validator init --topic orders --table lake.shop.orders --source 'dump/*.jsonl' --envelope kcat

Exit codes:
  0  the file is written, sound, and holds on the sample
  1  the file is written; the sample of the table differs from what the file says
  2  the command line or validator.toml is wrong; nothing is written unless stderr says so
  3  the sides do not show enough, and stderr says what was seen; or the file could not be proven";

/// `validator init`
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The service's file [default: ./validator.toml where there is one]
    #[arg(short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The topic
    #[arg(long, value_name = "TOPIC")]
    pub topic: String,

    /// The table that a sink writes the topic to
    #[arg(long, value_name = "CATALOG.NS.TABLE")]
    pub table: String,

    /// Write the pipeline file there; a file that is there stays [default: to stdout]
    #[arg(long, value_name = "FILE.toml", value_parser = output)]
    pub output: Option<PathBuf>,

    /// Overwrite the file of --output
    #[arg(long, requires = "output")]
    pub force: bool,

    /// The schema file of Avro payloads without the frame of a registry
    #[arg(long, value_name = "FILE.avsc")]
    pub schema: Option<PathBuf>,

    /// Look at recorded messages in these files (globs) in place of the brokers
    #[arg(long, value_name = "FILES", num_args = 1..)]
    pub source: Vec<String>,

    /// How messages lie in the files of --source [default: none]
    #[arg(long, value_name = "none|kcat|table", value_parser = envelope, requires = "source")]
    pub envelope: Option<Envelope>,

    /// About how many messages to look at, 1 to 100,000 [default: 2000]
    #[arg(long, value_name = "N", value_parser = sample)]
    pub sample: Option<NonZeroUsize>,
}

fn sample(text: &str) -> Result<NonZeroUsize, String> {
    let number: Option<NonZeroUsize> = text.parse().ok();
    number
        .filter(|number| number.get() <= SAMPLE_MAX)
        .ok_or_else(|| format!("expected a whole number of messages, 1 to {}", count(SAMPLE_MAX as u64)))
}

fn output(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text == "-" {
        return Err("expected a file; without --output it goes to stdout".to_owned());
    }
    in_a_folder(Path::new(text))
}
