//! Transcripts of the commands: what a person and a script see, and the exit code.

mod check;
mod errors;
mod explain;
mod help;
mod json;
mod ranges;
mod report;
mod screens;
mod silence;
mod streams;
mod threads;
mod version;

use crate::scene::{Folder, Scene};
use crate::transcript::{Ran, run};

/// Four messages and rows in three files: one lost, one changed, one row too many.
fn damaged() -> Scene {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2.125 | 0@2 c 3 | 1@0 d 4 | 1@1 null");
    scene.file("0@0 a 1 | 0@1 b 2.12").file("1@0 d 4").file("1@0 d 4")
}

fn sound() -> Scene {
    Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 1@0 c 3").file("0@0 a 1 | 0@1 b 2").file("1@0 c 3")
}

fn written(scene: &Scene) -> Folder {
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    runtime.block_on(scene.write())
}

/// Runs the command in a folder, judging two hours after the scene.
fn reconcile(folder: &Folder, flags: &str) -> Ran {
    reconcile_in(folder, flags, &[])
}

fn reconcile_in(folder: &Folder, flags: &str, environment: &[(&str, &str)]) -> Ran {
    let words = format!("reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z {flags}");
    run(folder.path(), &words, environment).assert_no_panic()
}
