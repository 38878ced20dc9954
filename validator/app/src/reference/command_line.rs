//! The commands with their help, and the exit codes.

use std::fmt::Write as _;

use clap::CommandFactory;

use super::table;
use crate::cli::{Cli, Exit};

/// Columns of the help.
const WIDTH: usize = 100;

/// Each command's long help.
pub fn commands() -> String {
    let mut main = Cli::command().term_width(WIDTH).color(clap::ColorChoice::Never);
    main.build();
    let mut text = "# The command line\n\nstdout is data, stderr is talk. What a command ends with: \
                    [exit codes](exit-codes.md).\n"
        .to_owned();
    let mut add = |title: &str, command: &clap::Command| {
        let help = command.clone().render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        write!(text, "\n## {title}\n\n```text\n{}\n```\n", lines.join("\n").trim_end()).expect("a String takes all");
    };
    add("validator", &main);
    for command in main.get_subcommands().filter(|command| !command.is_hide_set()) {
        add(&format!("validator {}", command.get_name()), command);
    }
    text
}

/// The exit codes of a run.
pub fn exit_codes() -> String {
    let rows = Exit::ALL.map(|exit| vec![format!("`{}`", exit.code()), exit.means().to_owned()]);
    let codes = table(&["code", "means"], rows);
    format!(
        "# Exit codes\n\n{codes}Other commands use the same numbers: `check` ends with 0 where everything is sound, 2 where \
         something is wrong, 3 where a server could not be asked. `demo` ends with 0 where every injected fault was found \
         and nothing else, 1 where not. The help of each command says its own: [the command line](command-line.md).\n\n\
         A script that reads nothing else can rely on: 0 is the only number that means the table was proven.\n"
    )
}
