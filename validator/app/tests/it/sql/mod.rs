//! `validator sql`, as a user types it: what is answered, in which format, and what is refused.

mod attacked;
mod avro;
mod formats;
mod inspected;
mod lake;
mod limits;
mod masked;
mod messages;
mod queries;
mod readers;
mod refused;
mod remote;
mod written;

use std::path::Path;

use crate::scene::{Folder, Scene};
use crate::transcript::{Ran, run_arguments};

/// Asks a query, with flags in front of it.
fn ask(folder: &Folder, flags: &str, query: &str) -> Ran {
    ask_in(folder.path(), flags, query)
}

fn ask_in(folder: &Path, flags: &str, query: &str) -> Ran {
    let arguments: Vec<&str> = ["sql"].into_iter().chain(flags.split_whitespace()).chain([query]).collect();
    run_arguments(folder, &arguments, &[]).assert_no_panic()
}

/// The rows that a query answers, as JSON lines.
fn rows(folder: &Folder, flags: &str, query: &str) -> Vec<String> {
    let ran = ask(folder, &format!("--format jsonl {flags}"), query);
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{query}\n{}", ran.all());
    ran.stdout.lines().map(str::to_owned).collect()
}

fn written(scene: &Scene) -> Folder {
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    let folder = runtime.block_on(scene.write());
    folder.edit("validator.toml", "[catalogs.lake]", "[service]\npipelines = [\"pipe*.toml\"]\n\n[catalogs.lake]");
    folder
}

/// Three files, of which the last two were added later; row `b` of the first is deleted.
fn trades() -> Scene {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2.125 | 0@2 c 3 | 1@0 d 4.5 | 1@1 null");
    scene.file("0@0 a 1 | 0@1 b 2.125 | 0@2 c 3").file("1@0 d 4.5").file("1@1 - -")
}
