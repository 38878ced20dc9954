//! The wheel: maturin packs the binary, pip installs it into a fresh virtual environment, and it is tried there. pip also makes one
//! of the checkout by itself.
//!
//! maturin builds what it packs by `cargo rustc` of one package. That would build half of the dependencies once more, with
//! fewer features than the tests need, so this program stands in for its cargo (`CARGO`, see [`as_cargo`]) and gives it the
//! binary that is there. Without us `pip install .` builds all by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::{Value, json};

use super::{Binary, Profile, cannot, empty_folder, try_out};
use crate::command::{Done, Failure, built, cargo, output, root, run};

/// Makes this program a cargo: the binary that it says it has built.
const BINARY: &str = "VALIDATOR_XTASK_BINARY";
/// The cargo that this program asks for all else.
const REAL_CARGO: &str = "VALIDATOR_XTASK_CARGO";

/// Builds the wheel into `wheel/` and tries it.
pub fn make(binary: &Binary) -> Done {
    let version = binary.version()?;
    let wheels = binary.folder.join("wheel");
    empty_folder(&wheels)?;
    // Downloaded once, as every part of the tests.
    let mut prefetch = Command::new(built("prefetch")?);
    prefetch.arg("maturin");
    let python = PathBuf::from(output(prefetch)?.trim());
    // maturin reads the whole lockfile, with what only other systems need and no build here has downloaded.
    run(cargo(&["fetch", "--locked"]))?;
    let us = std::env::current_exe().map_err(|error| Failure::Machine(format!("no path of this program: {error}")))?;
    let real_cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let with_our_cargo = |command: &mut Command| {
        command.current_dir(root()).env("CARGO", &us).env(REAL_CARGO, &real_cargo).env(BINARY, &binary.path);
    };
    let mut maturin = Command::new(&python);
    maturin.args(["-m", "maturin", "build", "--offline", "--out"]).arg(&wheels);
    if binary.profile == Profile::Dev {
        maturin.args(["--profile", "dev"]);
    }
    with_our_cargo(&mut maturin);
    run(maturin)?;
    let mut pip = from_checkout(&python, binary)?;
    with_our_cargo(&mut pip);
    run(pip)?;
    let wheel = only_file(&wheels)?;
    println!("{}: {} MB", wheel.display(), fs::metadata(&wheel).map_or(0, |metadata| metadata.len() / 1_000_000));
    let environment = binary.folder.join("trial");
    empty_folder(&environment)?;
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(&environment);
    run(venv)?;
    let mut pip = Command::new(environment.join("bin/python"));
    // From the file alone.
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]).arg(&wheel);
    run(pip)?;
    // Found by its name, as by who has activated the environment, and with nothing else of ours around it.
    let installed = || {
        let mut command = Command::new(environment.join("bin/validator"));
        command.env_clear().env("PATH", environment.join("bin")).current_dir(&environment);
        command
    };
    try_out(installed, &version)?;
    println!("by pip: {}", only_file(&binary.folder.join("from-checkout"))?.display());
    fs::remove_dir_all(&environment).map_err(|error| cannot("remove", &environment, &error))
}

/// What `pip install .` does, with the maturin that is there instead of one from an index. Its wheel is for this machine alone.
fn from_checkout(python: &Path, binary: &Binary) -> Result<Command, Failure> {
    let wheels = binary.folder.join("from-checkout");
    empty_folder(&wheels)?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]);
    pip.args(["--no-build-isolation", "--wheel-dir"]).arg(&wheels).arg(".");
    // It calls maturin by its name.
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders = python.parent().map(PathBuf::from).into_iter().chain(std::env::split_paths(&folders));
    pip.env("PATH", std::env::join_paths(folders).map_err(|error| Failure::Machine(format!("PATH: {error}")))?);
    let profile = if binary.profile == Profile::Dev { "--profile dev" } else { "" };
    pip.env("MATURIN_PEP517_ARGS", format!("--offline {profile}"));
    Ok(pip)
}

fn only_file(folder: &Path) -> Result<PathBuf, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| cannot("read", folder, &error))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "whl"));
    match &files[..] {
        [wheel] => Ok(wheel.clone()),
        _ => Err(Failure::Check(format!("maturin made {} wheels, not one", files.len()))),
    }
}

/// If maturin runs us in place of cargo: `rustc` tells of the binary that is there, and all else is done by cargo.
pub fn as_cargo() -> Option<ExitCode> {
    let binary = PathBuf::from(std::env::var_os(BINARY)?);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut cargo = Command::new(std::env::var_os(REAL_CARGO).unwrap_or_else(|| "cargo".into()));
    cargo.args(&arguments).env_remove(BINARY);
    if arguments.first().is_none_or(|command| command != "rustc") {
        return Some(status_of(cargo));
    }
    match artifact(&binary) {
        Ok(message) => {
            println!("{message}");
            println!("{}", json!({"reason": "build-finished", "success": true}));
            Some(ExitCode::SUCCESS)
        }
        Err(failure) => {
            eprintln!("{failure}");
            Some(ExitCode::FAILURE)
        }
    }
}

fn status_of(mut command: Command) -> ExitCode {
    let code = command.status().ok().and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The message of cargo that the binary has been built.
fn artifact(binary: &Path) -> Result<Value, Failure> {
    let mut cargo = Command::new(std::env::var_os(REAL_CARGO).unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(root()).env_remove(BINARY);
    let metadata = output(cargo)?;
    let metadata: Value =
        serde_json::from_str(&metadata).map_err(|error| Failure::Check(format!("cargo metadata: {error}")))?;
    message(&metadata, binary).ok_or_else(|| Failure::Check("cargo knows no program `validator`".into()))
}

fn message(metadata: &Value, binary: &Path) -> Option<Value> {
    let package = metadata["packages"].as_array()?.iter().find(|package| package["name"] == "validator-app")?;
    let is_ours = |target: &&Value| target["name"] == "validator" && target["kind"] == json!(["bin"]);
    let target = package["targets"].as_array()?.iter().find(is_ours)?;
    Some(json!({
        "reason": "compiler-artifact",
        "package_id": package["id"],
        "manifest_path": package["manifest_path"],
        "target": target,
        "profile": {"opt_level": "0", "debuginfo": 0, "debug_assertions": false, "overflow_checks": false, "test": false},
        "features": [],
        "filenames": [binary],
        "executable": binary,
        "fresh": true,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_told_as_cargo_tells_it() {
        let metadata = json!({"packages": [
            {"name": "xtask", "id": "1", "targets": [{"name": "xtask", "kind": ["bin"]}]},
            {"name": "validator-app", "id": "2", "manifest_path": "a/Cargo.toml", "targets": [
                {"name": "validator_app", "kind": ["lib"]}, {"name": "validator", "kind": ["bin"]}]},
        ]});
        let told = message(&metadata, Path::new("b/validator")).expect("it is there");
        assert_eq!((&told["package_id"], &told["executable"]), (&json!("2"), &json!("b/validator")));
        assert_eq!(message(&json!({"packages": []}), Path::new("b/validator")), None);
    }
}
