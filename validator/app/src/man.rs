//! `validator man`: man pages, made from the definition of the command line.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::{Cli, Exit, ManArgs};
use crate::failure::Failure;
use crate::terminal::Terminal;

/// Runs the command.
///
/// # Errors
/// stdout or a page cannot be written.
pub fn man(args: &ManArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    match &args.output {
        None => {
            let (_, page) = pages().map_err(Failure::Stdout)?.swap_remove(0);
            terminal.answer(&String::from_utf8_lossy(&page))?;
        }
        Some(folder) => write(folder)?,
    }
    Ok(Exit::Holds)
}

fn write(folder: &Path) -> Result<(), Failure> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| Failure::Write { path, source }
    };
    for (name, page) in pages().map_err(failed(folder))? {
        let path = folder.join(name);
        fs::write(&path, page).map_err(failed(&path))?;
    }
    Ok(())
}

/// File name and text of each page, the main one first.
///
/// # Errors
/// None that memory does not give.
pub fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut main = Cli::command();
    // Gives each command the name of its page: `validator-check`.
    main.build();
    let commands: Vec<clap::Command> =
        main.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    let page = |command: clap::Command| {
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let mut text = Vec::new();
        // A page that differs from day to day cannot be built twice.
        Man::new(command).date("").render(&mut text)?;
        Ok((format!("{name}.1"), text))
    };
    std::iter::once(main.clone()).chain(commands).map(page).collect()
}
