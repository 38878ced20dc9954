//! The house rules that no compiler checks, held from the first commit.
//!
//! One file per kind of rule; each is a function from the tree to faults, so that a test can feed it a tree of its own.

mod fences;
mod links;
mod places;
mod shape;
mod source;
mod tree;
mod words;
mod writers;

use crate::command::{Done, Failure, root};
use tree::Tree;

/// A broken rule, shown as `path:line: text`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    path: String,
    line: usize,
    text: String,
}

impl Fault {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

const RULES: [fn(&Tree) -> Vec<Fault>; 6] =
    [shape::faults, words::faults, fences::faults, writers::faults, places::faults, links::faults];

/// Checks the whole repository.
pub fn run() -> Done {
    let tree = Tree::read(&root()).map_err(|error| Failure::Machine(format!("cannot read the tree: {error}")))?;
    let mut faults: Vec<Fault> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    faults.sort();
    println!("tidy: {} files, {} of them Rust", tree.texts.len(), tree.sources.len());
    if faults.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> =
        faults.iter().map(|fault| format!("{}:{}: {}", fault.path, fault.line, fault.text)).collect();
    Err(Failure::Check(format!("{}\n{} faults", lines.join("\n"), faults.len())))
}
