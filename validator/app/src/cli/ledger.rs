//! Commands that answer from the ledger: `report`, `findings`, `ledger verify`.

// The help texts name sections of files as people write them: [service].
#![allow(rustdoc::broken_intra_doc_links)]

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

pub(super) const REPORT_HELP: &str = "\
Examples:
  validator report
  validator report --pipeline trades --format json

It answers from the last checkpoint of `validator run`, which may be running, and asks neither brokers nor catalog.

Exit codes:
  0  every pipeline holds
  1  a pipeline is breached
  2  the command line or the configuration is wrong
  3  a pipeline is unjudged, or the ledger could not be read";

pub(super) const FINDINGS_HELP: &str = "\
Examples:
  validator findings --pipeline trades
  validator findings --pipeline trades --format jsonl

Exit codes:
  0  answered
  2  the command line or the configuration is wrong
  3  the ledger could not be read";

pub(super) const LEDGER_HELP: &str = "\
Examples:
  validator ledger verify
  validator ledger start-over --pipeline trades";

pub(super) const VERIFY_HELP: &str = "\
Exit codes:
  0  every row is what was written, and every law of the books holds
  2  the command line or the configuration is wrong
  3  the ledger is damaged, or could not be read";

/// `validator report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Which ledger and pipelines.
    #[command(flatten)]
    pub of: LedgerOf,

    /// How the answer is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: ReportFormat,
}

/// `validator findings`
#[derive(Debug, Args)]
pub struct LedgerFindingsArgs {
    /// Which ledger and pipelines.
    #[command(flatten)]
    pub of: LedgerOf,

    /// Those that are resolved too
    #[arg(long)]
    pub all: bool,

    /// How the answer is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: FindingsAnswer,
}

/// `validator ledger`
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct LedgerArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: LedgerCommand,
}

/// The commands of `validator ledger`.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Check every row, the chain of checkpoints and the laws of the books
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyArgs),
    /// Begin new books for a pipeline; the old ones are kept under another name
    StartOver(StartOverArgs),
}

/// `validator ledger verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Which ledger and pipelines.
    #[command(flatten)]
    pub of: LedgerOf,
}

/// `validator ledger start-over`
#[derive(Debug, Args)]
pub struct StartOverArgs {
    /// The service's file [default: ./validator.toml where there is one]
    #[arg(short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The pipeline's name
    #[arg(long, value_name = "NAME")]
    pub pipeline: String,
}

/// Which ledger, and what of it.
#[derive(Debug, Args)]
pub struct LedgerOf {
    /// The service's file [default: ./validator.toml where there is one]
    #[arg(short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// One pipeline [default: all of the ledger]
    #[arg(long, value_name = "NAME")]
    pub pipeline: Option<String>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ReportFormat {
    /// For a person
    #[default]
    Text,
    /// report.json; of several pipelines one object a line
    Json,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum FindingsAnswer {
    /// For a person
    #[default]
    Text,
    /// One object a line
    Jsonl,
}
