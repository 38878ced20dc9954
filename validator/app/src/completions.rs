//! `validator completions`: the script of a shell, made from the definition of the command line.

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs, Exit};
use crate::failure::Failure;
use crate::terminal::Terminal;

/// Runs the command.
///
/// # Errors
/// stdout cannot be written.
pub fn completions(args: &CompletionsArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "validator", &mut script);
    terminal.answer(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Holds)
}
