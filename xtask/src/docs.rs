//! The pages of docs/reference: made from the code, and compared with it.

use std::process::Command;

use clap::Args;

use crate::command::{Done, Failure, built, root, run};

/// `cargo xtask docs`
#[derive(Args)]
pub struct Docs {
    /// Write nothing, and fail where a page is not what the code says
    #[arg(long)]
    check: bool,
}

impl Docs {
    /// What CI runs.
    pub const CHECK: Self = Self { check: true };
}

/// Writes the pages, or compares them.
pub fn run_docs(docs: &Docs) -> Done {
    let mut command = Command::new(built("reference")?);
    if docs.check {
        command.arg("--check");
    }
    let made = run({
        command.arg("docs/reference").current_dir(root());
        command
    });
    match made {
        Err(Failure::Check(_)) if docs.check => {
            Err(Failure::Check("docs/reference is out of date: run `cargo xtask docs`".into()))
        }
        other => other,
    }
}
