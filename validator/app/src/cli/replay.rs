//! `validator replay-plan` and `validator replay`: what of the findings is to be read into the table once more.

// The help texts name sections of files as people write them: [service].
#![allow(rustdoc::broken_intra_doc_links)]

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::files::FindingsFile;

pub(super) const PLAN_HELP: &str = "\
Examples:
  validator replay-plan trades
  validator replay-plan trades --format json > plan.json
  validator replay-plan trades --format commands > plan.sh
  validator replay-plan trades.toml --findings findings.jsonl

It reads the ledger of `validator run`, or what `validator reconcile --findings` wrote, and does nothing else.

Exit codes:
  0  answered
  2  the command line, the configuration or the file of findings is wrong
  3  the ledger could not be read";

pub(super) const REPLAY_HELP: &str = "\
Examples:
  validator replay trades --to trades-repair
  validator replay trades --to trades-repair --yes
  validator replay trades.toml --findings findings.jsonl --to trades-repair --yes

This is the one command that writes to Kafka, and only with --yes. Each message keeps key, value, headers and timestamp, and gets \
the headers validator.source.topic, .partition and .offset. The topic must be there, and must not be one that a pipeline reads.

Exit codes:
  0  every message of the plan is in the topic and was read back as it is in the source; without --yes: answered
  2  the command line, the configuration or the topic is not one to write to
  3  not every message could be written and read back";

/// `validator replay-plan`
#[derive(Debug, Args)]
pub struct ReplayPlanArgs {
    /// Of which findings.
    #[command(flatten)]
    pub of: ReplayOf,

    /// How the plan is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: PlanFormat,
}

/// `validator replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Of which findings.
    #[command(flatten)]
    pub of: ReplayOf,

    /// The topic to write to, of the brokers of [kafka]
    #[arg(long, value_name = "TOPIC")]
    pub to: String,

    /// Write. Without it only what would be written is said
    #[arg(long)]
    pub yes: bool,

    /// Write behind messages that are in the topic already
    #[arg(long)]
    pub append: bool,
}

/// Of which findings.
#[derive(Debug, Args)]
pub struct ReplayOf {
    /// The service's file [default: ./validator.toml where there is one]
    #[arg(short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The pipeline's file, or its name in a file of [service] pipelines
    #[arg(value_name = "PIPELINE.toml|NAME")]
    pub pipeline: String,

    /// Take the findings from this file of `reconcile --findings` in place of the ledger
    #[arg(long, value_name = "FILE.jsonl|.parquet")]
    pub findings: Option<FindingsFile>,
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PlanFormat {
    /// For a person
    #[default]
    Text,
    /// One object, as `validator schema replay-plan` has it
    Json,
    /// A shell script: kcat reads the messages; resets of Kafka Connect and deletes in SQL stand in it as comments
    Commands,
}
