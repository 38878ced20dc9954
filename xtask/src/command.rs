//! Running other programs from the repository's root, and what it means when they fail.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once at the start of a CI run, see [`run_as_ci`].
static AS_CI: AtomicBool = AtomicBool::new(false);

/// From now on every cargo is told that this is CI (snapshots are never written), and keeps nothing for a next
/// incremental build.
pub fn run_as_ci() {
    AS_CI.store(true, Ordering::Relaxed);
}

/// Whether this is a CI run.
pub fn is_ci() -> bool {
    AS_CI.load(Ordering::Relaxed)
}

/// Why a task did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// A check does not hold; exit 1.
    Check(String),
    /// The machine lacks something; exit 2.
    Machine(String),
}

impl Failure {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Check(_) => 1,
            Self::Machine(_) => 2,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(text) | Self::Machine(text) => f.write_str(text),
        }
    }
}

/// What every task returns.
pub type Done = Result<(), Failure>;

/// The repository's root. Asked of cargo as it runs us: a binary that was built in another clone says the other's.
pub fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().expect("xtask is a folder of the repository").to_owned()
}

/// Where cargo builds.
pub fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs us, in the repository's root.
pub fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    // `cargo run` describes us in the environment. Build scripts that watch these variables (ring's) would take each
    // start from here for a change, and build themselves and all that depends on them anew.
    for (name, _) in std::env::vars_os().filter(|(name, _)| describes_a_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    if is_ci() {
        command.env("CI", "true").env("CARGO_INCREMENTAL", "0");
    }
    command
}

/// Whether cargo sets this variable for a program that it runs, in contrast to those that configure cargo itself.
fn describes_a_package(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_NAME", "CARGO_BIN_", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// Runs a command, its output going where ours goes.
pub fn run(mut command: Command) -> Done {
    let shown = show(&command);
    println!("$ {shown}");
    let status = command.status().map_err(|error| Failure::Machine(format!("cannot start `{shown}`: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failure::Check(format!("`{shown}` ended with {status}"))) }
}

/// Runs a command and returns its standard output; standard error goes where ours goes.
pub fn output(mut command: Command) -> Result<String, Failure> {
    let shown = show(&command);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| Failure::Machine(format!("cannot start `{shown}`: {error}")))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Failure::Check(format!("`{shown}` ended with {}", output.status)))
    }
}

/// Builds our own programs and returns the path of the one called `name`: `validator`, `prefetch` or `reference`.
///
/// All at once and with the features of the whole workspace and its tests: any other selection turns on other features
/// in shared dependencies, and half of DataFusion would be built once more for it.
pub fn built(name: &str) -> Result<PathBuf, Failure> {
    program(name, |build| {
        build.args(["build", "--workspace", "--locked", "--bin", "validator"]);
        build.args(["--example", "prefetch", "--example", "reference"]);
    })
}

/// Builds as told and returns the program `name`.
pub fn program(name: &str, tell: impl FnOnce(&mut Command)) -> Result<PathBuf, Failure> {
    let mut command = cargo(&[]);
    tell(&mut command);
    println!("$ {}", show(&command));
    command.arg("--message-format=json-render-diagnostics");
    let messages = output(command)?;
    executable(&messages, name).ok_or_else(|| Failure::Check(format!("cargo built no `{name}`")))
}

/// The program `name` among cargo's messages, one JSON object a line.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let of_name = |message: &serde_json::Value| message["target"]["name"] == name;
    messages.filter(of_name).find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_cargo_is_not_told_that_it_is_xtask() {
        let kept =
            ["CARGO", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_INCREMENTAL", "CARGO_TERM_COLOR", "CARGO_BUILD_JOBS"];
        assert!(!kept.iter().any(|name| describes_a_package(name)));
        assert!(
            ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"]
                .iter()
                .all(|name| describes_a_package(name))
        );
        let removed: Vec<String> = cargo(&["tree"])
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .collect();
        // This test is run by cargo, which sets it.
        assert!(removed.contains(&"CARGO_MANIFEST_DIR".to_owned()), "{removed:?}");
    }

    #[test]
    fn a_program_is_found_among_the_messages_of_cargo() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"validator"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"validator"},"executable":"/t/debug/validator"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "validator"), Some(PathBuf::from("/t/debug/validator")));
        assert_eq!(executable(messages, "prefetch"), None);
    }
}
