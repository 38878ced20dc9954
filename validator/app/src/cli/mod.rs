//! The command line: commands, flags, their help and what they mean together. Nothing is run here.
//!
//! Contract: flags are those of interface.md section 1, and a flag that a later release brings is not there; what is
//! wrong with a command line ends the program with exit code 2.

mod args;
mod color;
mod completions;
mod exit;
mod files;
mod init;
mod ledger;
mod man;
mod replay;
mod run;
mod schema;
mod sql;

pub use args::{CheckArgs, Cli, Command, DemoArgs, ReconcileArgs};
pub use color::ColorChoice;
pub use completions::CompletionsArgs;
pub use exit::Exit;
pub use files::{FindingsFile, FindingsFormat, ReportTarget};
pub use init::InitArgs;
pub use ledger::{
    DecideArgs, DecideCommand, ExplainArgs, ExplainFormat, ExportArgs, ExportFormat, FindingsAnswer, IgnoreArgs,
    LedgerArgs, LedgerCommand, LedgerFindingsArgs, LedgerOf, ReportArgs, ReportFormat, StartOverArgs, Until,
    VerifyArgs,
};
pub use man::ManArgs;
pub use replay::{PlanFormat, ReplayArgs, ReplayOf, ReplayPlanArgs};
pub use run::RunArgs;
pub use schema::{SchemaArgs, SchemaOf};
pub use sql::{AnswerFormat, NamedTable, SqlArgs};

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches};

use crate::render::{width_of, wrap_lines};

/// Reads the command line. Help, versions and what is wrong with it are printed, and end the program.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Cli {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut command = Cli::command().color(color::of_help(&arguments));
    let read =
        command.try_get_matches_from_mut(arguments).and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
    read.unwrap_or_else(|error| tell(&error.format(&mut command)))
}

/// Prints help, a version, or what is wrong with the command line, and ends. The library breaks the lines of the first two alone.
fn tell(error: &clap::Error) -> ! {
    let width = terminal_size::terminal_size_of(std::io::stderr()).filter(|_| error.use_stderr());
    let text = error.render().to_string();
    if let Some((width, _)) = width
        && text.lines().any(|line| width_of(line) > usize::from(width.0))
    {
        eprint!("{}", text.lines().map(|line| narrowed(line, width.0.into())).collect::<String>());
        std::process::exit(error.exit_code());
    }
    error.exit()
}

/// A line that is no command, in lines of at most so many columns.
fn narrowed(line: &str, width: usize) -> String {
    let is_command = ["Usage:", "validator "].iter().any(|word| line.trim_start().starts_with(word));
    if is_command { format!("{line}\n") } else { wrap_lines(line, width) }
}

#[cfg(test)]
mod tests;
