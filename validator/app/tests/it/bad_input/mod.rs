//! Bad input: each is a clear error or a verdict, and nothing is lost. What a person sees is pinned here, as the real
//! binary prints it.

mod catalog;
mod catalogs;
mod columns;
mod data_files;
mod expressions;
mod keys;
mod messages;
mod metadata;
mod servers;
mod stores;
mod unbuilt;

use crate::scene::{Folder, Scene};
use crate::transcript::validator;

/// Writes the scene.
pub(crate) fn written(scene: &Scene) -> Folder {
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    runtime.block_on(scene.write())
}

/// A sound topic and table of two messages; what is wrong comes on top.
fn sound() -> Scene {
    Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1 | 0@1 b 2")
}

/// What `validator reconcile` says in a folder; of a report without context and figures, which cli.rs shows whole.
pub(crate) fn reconcile(folder: &Folder) -> String {
    let ran = validator(folder.path(), "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z").assert_no_panic();
    let said = ran.all();
    match (said.find("\n  topic   "), said.find("\nmessages  ")) {
        (Some(from), Some(to)) => said[..from].to_owned() + &said[to..],
        _ => said,
    }
}

/// What `validator check` says in a folder.
fn check(folder: &Folder) -> String {
    validator(folder.path(), "check pipeline.toml").assert_no_panic().all()
}
