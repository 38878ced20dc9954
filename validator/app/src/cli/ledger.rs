//! Commands that answer from the ledger: `report`, `findings`, `ledger verify`.

// The help texts name sections of files as people write them: [service].
#![allow(rustdoc::broken_intra_doc_links)]

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::config::parse_duration_ms;

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
  validator findings --by-cause
  validator findings acknowledge 1f0c2ab9 --reason 'replayed, waits for the sink'
  validator findings ignore 1f0c2ab9 --reason 'test orders' --until 30d
  validator findings reopen 1f0c2ab9

A finding is resolved by the table alone: when what it says is true no longer. Decisions change no verdict and no figure.

Exit codes:
  0  answered, or decided
  2  the command line or the configuration is wrong
  3  the ledger could not be read or written";

pub(super) const EXPLAIN_HELP: &str = "\
Examples:
  validator explain 1f0c2ab9
  validator explain 1f0c2ab9 --format json

Exit codes:
  0  answered
  2  there is no such finding, or the command line or the configuration is wrong
  3  the ledger could not be read";

pub(super) const LEDGER_HELP: &str = "\
Examples:
  validator ledger verify
  validator ledger export --to export
  validator ledger start-over --pipeline trades";

pub(super) const EXPORT_HELP: &str = "\
Examples:
  validator ledger export --to export
  validator ledger export --to lake --format iceberg

Of each pipeline: DIR/NAME/findings.parquet (as `reconcile --findings` writes it), states.parquet (how each stands, by id) and \
segments.parquet. With `--format iceberg`: the tables DIR/NAME/findings, states and segments, which engines open by their path \
or register in a catalog; old snapshots stay until you expire them.

Exit codes:
  0  written
  2  the command line or the configuration is wrong
  3  the ledger could not be read, or a file not be written";

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
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct LedgerFindingsArgs {
    /// What is decided; nothing: they are listed.
    #[command(subcommand)]
    pub decide: Option<DecideCommand>,

    /// Which ledger and pipelines.
    #[command(flatten)]
    pub of: LedgerOf,

    /// Those that are resolved too
    #[arg(long)]
    pub all: bool,

    /// Count them by verdict, cause and what they are about, with the id of each group
    #[arg(long)]
    pub by_cause: bool,

    /// How the answer is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: FindingsAnswer,
}

/// The decisions of `validator findings`.
#[derive(Debug, Subcommand)]
pub enum DecideCommand {
    /// Somebody has seen them: they are listed as acknowledged until they open again
    Acknowledge(DecideArgs),
    /// Nobody is to be told of them, for a time and a reason
    Ignore(IgnoreArgs),
    /// What was decided about them holds no longer
    Reopen(DecideArgs),
    /// Refused: only the table resolves a finding
    #[command(hide = true)]
    Resolve(DecideArgs),
}

/// Which findings, and why.
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// Which ledger and pipelines.
    #[command(flatten)]
    pub of: LedgerOf,

    /// Ids of findings, or their first 8 digits or more; or ids of groups, which take in findings to come
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,

    /// Why
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,

    /// Who decides [default: the user of this process]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

/// `validator findings ignore`
#[derive(Debug, Args)]
pub struct IgnoreArgs {
    /// Which ledger and pipelines.
    #[command(flatten)]
    pub of: LedgerOf,

    /// Ids of findings, or their first 8 digits or more; or ids of groups, which take in findings to come
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,

    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,

    /// For how long: a duration from now (30d), a time (RFC 3339), or forever
    #[arg(long, value_name = "TIME|DURATION|forever", value_parser = until)]
    pub until: Until,

    /// Who decides [default: the user of this process]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

/// The end of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// None.
    Forever,
    /// Milliseconds from now.
    After(i64),
    /// Milliseconds since the epoch.
    At(i64),
}

fn until(text: &str) -> Result<Until, String> {
    if text == "forever" {
        return Ok(Until::Forever);
    }
    if let Some(ms) = parse_duration_ms(text) {
        return Ok(Until::After(ms));
    }
    let at = chrono::DateTime::parse_from_rfc3339(text).map(|at| Until::At(at.timestamp_millis()));
    at.map_err(|_| {
        "expected a duration with its unit like 30d, a time like 2030-01-01T00:00:00Z, or forever".to_owned()
    })
}

/// `validator explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Which ledger and pipelines.
    #[command(flatten)]
    pub of: LedgerOf,

    /// The finding's id, or its first 8 digits or more
    #[arg(value_name = "ID")]
    pub id: String,

    /// How the answer is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: ExplainFormat,
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
    /// Write findings, their states and segments as files of Parquet or as Iceberg tables
    #[command(after_help = EXPORT_HELP)]
    Export(ExportArgs),
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

/// `validator ledger export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Which ledger and pipelines.
    #[command(flatten)]
    pub of: LedgerOf,

    /// The folder to write to; each pipeline has one of its own in it
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,

    /// What is written
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportFormat,
}

/// What an export is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ExportFormat {
    /// One file for each kind of rows, the one before replaced
    #[default]
    Parquet,
    /// One table for each kind of rows, each export a snapshot that replaces all rows
    Iceberg,
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

/// How one finding is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ExplainFormat {
    /// For a person
    #[default]
    Text,
    /// One object: the finding, how it stands, what was decided, and the command that shows it again
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
