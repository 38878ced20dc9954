//! `validator run`: how long.

// The help texts name sections of files as people write them: [service].
#![allow(rustdoc::broken_intra_doc_links)]

use std::path::PathBuf;

use clap::Args;

use crate::config::parse_duration_ms;

pub(super) const RUN_HELP: &str = "\
Examples:
  validator run
  validator run -c validator.toml trades quotes
  validator run --until-idle 10s
  validator run --member a

It joins no group (but that of a fleet) and commits nothing: where it is stands in its ledger ([service] state), and a run that \
was killed goes on there. SIGTERM and SIGINT end it in an orderly way; SIGHUP reads the files again, with all that they name; \
SIGUSR1 looks at every table at once.

Exit codes:
  0  ended as asked for; with --until-idle: every pipeline holds
  1  with --until-idle: a pipeline is breached
  2  the command line or the configuration is wrong, or the ledger is of another contract
  3  with --until-idle: a pipeline is unjudged; or the ledger could not be written";

/// `validator run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The service's file [default: ./validator.toml where there is one]
    #[arg(short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Files or names of pipelines [default: all of [service] pipelines]
    #[arg(value_name = "PIPELINE")]
    pub pipelines: Vec<String>,

    /// The name of this process in a fleet ([service] fleet), which it keeps when it starts again [default: the name of the machine]
    #[arg(long, value_name = "NAME")]
    pub member: Option<String>,

    /// End when for so long nothing was due and nothing is left to do, and answer by the exit code: for jobs and tests
    #[arg(long, value_name = "DURATION", value_parser = duration_ms)]
    pub until_idle: Option<i64>,
}

fn duration_ms(text: &str) -> Result<i64, String> {
    parse_duration_ms(text).ok_or_else(|| "expected a duration with its unit, like 500ms, 10s or 2m".to_owned())
}
