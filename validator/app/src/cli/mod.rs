//! The command line: commands, flags, their help and what they mean together. Nothing is run here.
//!
//! Contract: flags are those of interface.md section 1, and a flag that a later release brings is not there; what is
//! wrong with a command line ends the program with exit code 2.

mod args;
mod color;
mod exit;
mod files;
mod init;
mod sql;

pub use args::{CheckArgs, Cli, Command, DemoArgs, ReconcileArgs};
pub use color::ColorChoice;
pub use exit::Exit;
pub use files::{FindingsFile, FindingsFormat, ReportTarget};
pub use init::InitArgs;
pub use sql::{AnswerFormat, NamedTable, SqlArgs};

#[cfg(test)]
mod tests;
