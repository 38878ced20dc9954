//! `cargo install --path`: as the README has it, but with the profile and the features that all else is built with.

use std::process::Command;

use super::{Binary, empty_folder, try_out};
use crate::command::{Done, cargo, run, target_folder};

/// Features of the whole workspace, for any other selection builds half of the dependencies once more; cargo has the setting, and has
/// it unstable.
const AS_THE_WORKSPACE: [(&str, &str); 3] = [
    ("__CARGO_TEST_CHANNEL_OVERRIDE_DO_NOT_USE_THIS", "nightly"),
    ("CARGO_UNSTABLE_FEATURE_UNIFICATION", "true"),
    ("CARGO_RESOLVER_FEATURE_UNIFICATION", "workspace"),
];

/// Installs it into a folder of its own and tries it there.
pub fn try_it(binary: &Binary) -> Done {
    let version = binary.version()?;
    let root = binary.folder.join("installed");
    empty_folder(&root)?;
    let mut install = cargo(&["install", "--locked", "--debug", "--path", "validator/app", "--root"]);
    install.arg(&root).env("CARGO_TARGET_DIR", target_folder()).envs(AS_THE_WORKSPACE);
    run(install)?;
    try_out(|| Command::new(root.join("bin/validator")), &version)
}
