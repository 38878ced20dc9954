//! `validator completions`: of which shell.

use clap::Args;
use clap_complete::Shell;

/// `validator completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}
