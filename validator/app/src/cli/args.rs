//! The flags: definition, help and default of each in one place.

// The help texts name sections of files as people write them: [service].
#![allow(rustdoc::broken_intra_doc_links)]

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use validator_core::contract::Envelope;

use super::color::ColorChoice;
use super::completions::CompletionsArgs;
use super::files::{self, FindingsFile, ReportTarget};
use super::init::{INIT_EXAMPLES, InitArgs};
use super::ledger::{
    EXPLAIN_HELP, ExplainArgs, FINDINGS_HELP, LEDGER_HELP, LedgerArgs, LedgerFindingsArgs, REPORT_HELP, ReportArgs,
};
use super::man::ManArgs;
use super::replay::{PLAN_HELP, REPLAY_HELP, ReplayArgs, ReplayPlanArgs};
use super::run::{RUN_HELP, RunArgs};
use super::schema::SchemaArgs;
use super::sql::{SQL_HELP, SqlArgs};
use crate::config::{BoundError, Edge, Instant, SnapshotSelector};
use crate::version;

const EXIT_CODES: &str = "\
Exit codes:
  0  holds: what Kafka carried is what the table holds, at least to the target
  1  breached: fidelity is below its target, or another rule of the contract is broken
  2  the command line or the configuration is wrong
  3  unjudged: too little could be looked at, or the run could not be made or finished";

const RECONCILE_EXAMPLES: &str = "\
Examples:
  validator reconcile rules/suites/trades.toml
  validator reconcile trades --from -2h --to now
  validator reconcile trades --from 0:1000,1:2500 --to 0:9000,1:8000 --findings findings.jsonl
  validator reconcile trades --snapshot 2024-08-08T12:00:00Z --report report.json
  validator reconcile trades --html report.html --junit report.xml --findings findings.parquet
  validator reconcile trades.toml --source 'capture/*.jsonl.gz' --envelope kcat";

const CHECK_EXAMPLES: &str = "\
Examples:
  validator check
  validator check rules/suites/trades.toml
  validator check --offline rules/suites/*.toml
  validator check --explain rules/suites/trades.toml

Exit codes:
  0  sound
  2  not sound; every problem is listed
  3  the brokers, the registry or the catalog could not be asked";

const DEMO_EXAMPLES: &str = "\
Examples:
  validator demo
  validator demo --html report.html
  validator demo --seed 7 --findings findings.jsonl --truth truth.jsonl

Nothing needs to be installed or running: Kafka runs inside this process, catalog and warehouse lie in a temporary folder \
that is removed at the end.

Exit codes:
  0  every fault that was injected was found and named, and nothing else
  1  not so
  3  the demo could not be run";

/// Headings of the flags of `reconcile`.
const JUDGED: &str = "What is judged";
const RECORDED: &str = "Recorded messages";
const ANSWERS: &str = "Answers";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  validator schema report > report.schema.json
  validator schema pipeline > pipeline.schema.json
  validator schema config > validator.schema.json

The first line of a pipeline file that an editor shall check:
  #:schema ./pipeline.schema.json";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  validator completions bash > ~/.local/share/bash-completion/completions/validator
  validator completions zsh > ~/.zfunc/_validator
  validator completions fish > ~/.config/fish/completions/validator.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  validator man | man -l -
  validator man --output ~/.local/share/man/man1";

const ABOUT: &str = "\
Proves, message by message, that what Kafka carried is what an Iceberg table holds.

It reads both sides and writes to neither: no offset is committed, no row is touched.";

const HELP_OF_A_COMMAND: &str = "`validator COMMAND --help` has the examples and exit codes of a command.";

/// Proves, message by message, that what Kafka carried is what an Iceberg table holds.
#[derive(Debug, Parser)]
#[command(name = "validator", version = version::SHORT, long_version = version::LONG, about, long_about = ABOUT)]
#[command(after_help = HELP_OF_A_COMMAND, after_long_help = EXIT_CODES)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Colours: auto (on a terminal, unless NO_COLOR is set), always or never [default: auto]
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        hide_default_value = true,
        help_heading = "Global options",
        display_order = 900
    )]
    pub color: ColorChoice,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge a range of a topic against a snapshot of a table
    ///
    /// Reads both sides once, writes to neither. The report goes to stdout.
    #[command(after_help = EXIT_CODES, after_long_help = format!("{RECONCILE_EXAMPLES}\n\n{EXIT_CODES}"))]
    Reconcile(Box<ReconcileArgs>),
    /// Lint the configuration and pipelines against the live topic and table
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Write a pipeline file from what a topic and a table show, and prove it on a sample
    #[command(after_help = INIT_EXAMPLES)]
    Init(InitArgs),
    /// Shadow every pipeline for as long as it lives
    ///
    /// Reads along with the topics, looks at the tables, and keeps the books in a ledger.
    #[command(after_help = RUN_HELP)]
    Run(RunArgs),
    /// Say how a pipeline stands, from the ledger of `run`
    #[command(after_help = REPORT_HELP)]
    Report(ReportArgs),
    /// List what is not as it should be, or decide about it
    #[command(after_help = FINDINGS_HELP)]
    Findings(LedgerFindingsArgs),
    /// Say all of one finding, from the ledger of `run`
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
    /// Say which messages to read in again, and which rows are to go
    #[command(after_help = PLAN_HELP)]
    ReplayPlan(ReplayPlanArgs),
    /// Write the messages of a plan to a repair topic, with --yes
    #[command(after_help = REPLAY_HELP)]
    Replay(ReplayArgs),
    /// Look after the ledger of `run`
    #[command(after_help = LEDGER_HELP)]
    Ledger(LedgerArgs),
    /// Query tables, topics and recorded messages in SQL; reads and does nothing else
    #[command(after_help = SQL_HELP)]
    Sql(SqlArgs),
    /// Watch the validator at work on market data with injected faults; needs nothing installed
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Print the JSON Schema of an answer or of a file that people write
    ///
    /// Draft 2020-12. Editors that read `#:schema` (Even Better TOML, taplo) complete and check keys with the schemas of
    /// the two TOML files.
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema(SchemaArgs),
    /// Print the completions of a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Print the man page, or write those of all commands into a folder
    #[command(after_help = MAN_EXAMPLES)]
    Man(ManArgs),
}

/// `validator reconcile`
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// The service's file [default: ./validator.toml where there is one]
    #[arg(short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The pipeline's file, or its name in a file of [service] pipelines
    #[arg(value_name = "PIPELINE.toml|NAME")]
    pub pipeline: String,

    /// First message: offsets (12345, or 0:100,1:2500 by partition), a time (RFC 3339, or -2h), or earliest [default:
    /// the pipeline's start, else earliest]
    #[arg(
        long,
        help_heading = JUDGED,
        value_name = "OFFSETS|TIME|earliest",
        value_parser = from_edge,
        allow_hyphen_values = true
    )]
    pub from: Option<Edge>,

    /// End, itself not read: offsets, a time, or now [default: now]
    #[arg(
        long,
        help_heading = JUDGED,
        value_name = "OFFSETS|TIME|now",
        value_parser = to_edge,
        allow_hyphen_values = true
    )]
    pub to: Option<Edge>,

    /// The table's state to judge: a snapshot id, a branch or tag, or a time [default: the current one]
    #[arg(
        long,
        help_heading = JUDGED,
        value_name = "ID|REF|TIME",
        value_parser = snapshot,
        allow_hyphen_values = true
    )]
    pub snapshot: Option<SnapshotSelector>,

    /// The time of the judgement, to which settle and give_up are measured [default: the snapshot's when one is
    /// named, else now]
    #[arg(long, help_heading = JUDGED, value_name = "TIME", value_parser = instant, allow_hyphen_values = true)]
    pub as_of: Option<Instant>,

    /// Read recorded messages from these files (globs) in place of the brokers
    #[arg(long, help_heading = RECORDED, value_name = "FILES", num_args = 1..)]
    pub source: Vec<String>,

    /// How messages lie in the files of --source [default: as [source] says, else none]
    #[arg(long, help_heading = RECORDED, value_name = "none|kcat|table", value_parser = envelope, requires = "source")]
    pub envelope: Option<Envelope>,

    /// Write the report as JSON; - is stdout [default: a text report on stdout]
    #[arg(long, help_heading = ANSWERS, value_name = "FILE.json")]
    pub report: Option<ReportTarget>,

    /// Write a report that can be handed on: one HTML page that needs nothing else
    #[arg(long, help_heading = ANSWERS, value_name = "FILE.html", value_parser = files::html)]
    pub html: Option<PathBuf>,

    /// Write JUnit XML for a CI server: a test case for each promise
    #[arg(long, help_heading = ANSWERS, value_name = "FILE.xml", value_parser = files::junit)]
    pub junit: Option<PathBuf>,

    /// Write a summary in Markdown, for the job page of a CI server
    #[arg(long, help_heading = ANSWERS, value_name = "FILE.md", value_parser = files::markdown)]
    pub markdown: Option<PathBuf>,

    /// Write every finding: one JSON object a line, or rows of Parquet
    #[arg(long, help_heading = ANSWERS, value_name = "FILE.jsonl|.parquet")]
    pub findings: Option<FindingsFile>,

    /// Threads that read and digest [default: one for each core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<NonZeroUsize>,

    /// Say what would be read (messages, files, bytes) and stop
    #[arg(long)]
    pub dry_run: bool,

    /// End with exit code 2 after the first 10,000 messages where nearly all of them differ in the same column: the
    /// contract is probably wrong, not the data. Costs one more pass over the rows
    #[arg(long)]
    pub stop_if_contract: bool,

    /// No progress on stderr
    #[arg(long)]
    pub quiet: bool,
}

/// `validator check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The service's file [default: ./validator.toml where there is one]
    #[arg(short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Files or names of pipelines [default: all of [service] pipelines]
    #[arg(value_name = "PIPELINE")]
    pub pipelines: Vec<String>,

    /// Look at the files only, at no topic, registry or table
    #[arg(long)]
    pub offline: bool,

    /// Print for each pipeline the whole mapping as SQL, what it leaves out, and what a run would read
    #[arg(long, conflicts_with = "offline")]
    pub explain: bool,
}

/// `validator demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The same seed makes the same messages and the same faults
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// How many messages: 50 to 1,000,000 [default: 2000]
    #[arg(long, value_name = "N", value_parser = demo_messages)]
    pub messages: Option<u64>,

    /// Write the report as JSON; - is stdout
    #[arg(long, value_name = "FILE")]
    pub report: Option<ReportTarget>,

    /// Write a report that can be handed on: one HTML page that needs nothing else
    #[arg(long, value_name = "FILE.html", value_parser = files::html)]
    pub html: Option<PathBuf>,

    /// Write every finding: one JSON object a line, or rows of Parquet where the name ends in .parquet
    #[arg(long, value_name = "FILE")]
    pub findings: Option<FindingsFile>,

    /// Write what was injected as the findings it must give, made without the validator
    #[arg(long, value_name = "FILE", value_parser = files::jsonl)]
    pub truth: Option<FindingsFile>,
}

fn from_edge(text: &str) -> Result<Edge, BoundError> {
    Edge::parse_from(text)
}

fn to_edge(text: &str) -> Result<Edge, BoundError> {
    Edge::parse_to(text)
}

fn snapshot(text: &str) -> Result<SnapshotSelector, BoundError> {
    SnapshotSelector::parse(text)
}

fn instant(text: &str) -> Result<Instant, BoundError> {
    Instant::parse(text)
}

/// Threads on either side of a run, at most: more than any machine has cores, and fewer than a process may start.
const THREADS_MAX: usize = 1_024;

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse().ok().filter(|threads: &NonZeroUsize| threads.get() <= THREADS_MAX);
    threads.ok_or_else(|| format!("expected a whole number of threads, 1 to {THREADS_MAX}"))
}

/// Messages of a demo: enough for each kind of fault in each partition, few enough for a worldful in memory.
const DEMO_MESSAGES: RangeInclusive<u64> = 50..=1_000_000;

fn demo_messages(text: &str) -> Result<u64, String> {
    let messages = text.parse().ok().filter(|messages| DEMO_MESSAGES.contains(messages));
    messages
        .ok_or_else(|| format!("expected a number of messages, {} to {}", DEMO_MESSAGES.start(), DEMO_MESSAGES.end()))
}

pub(super) fn envelope(text: &str) -> Result<Envelope, String> {
    match text {
        "none" => Ok(Envelope::None),
        "kcat" => Ok(Envelope::Kcat),
        "table" => Ok(Envelope::Table),
        _ => Err("expected none, kcat or table".to_owned()),
    }
}
