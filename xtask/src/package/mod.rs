//! `cargo xtask package`: the binary as people install it, built and tried.
//!
//! Contract: one stripped binary is made per profile, and each package is made of that one; a package that was made here
//! has been installed, or run, and has passed a demo. What is built lies in `target/package/PROFILE`.

mod image;
mod install;
mod wheel;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, Subcommand, ValueEnum};

use crate::command::{Done, Failure, built, output, program, root, run, target_folder};

pub use wheel::as_cargo;

/// What to make.
#[derive(Args)]
pub struct Package {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A Python wheel that carries the binary, and a trial in a fresh virtual environment
    Wheel(Options),
    /// A container image with the binary and nothing else, and a trial run in it
    Image(Options),
}

#[derive(Args)]
struct Options {
    /// How cargo builds the binary
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
}

/// A profile of cargo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// What is handed on
    Release,
    /// What the tests build anyway
    Dev,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dev => "dev",
        }
    }
}

/// A demo that takes a second.
const TRIAL: [&str; 5] = ["demo", "--seed", "7", "--messages", "500"];

/// Makes one package and tries it.
pub fn run_task(package: &Package) -> Done {
    match &package.what {
        What::Wheel(options) => wheel::make(&Binary::build(options.profile)?),
        What::Image(options) => image::make(&Binary::build(options.profile)?),
    }
}

/// Every package of the binary that the tests build; a stage of CI.
pub fn check() -> Done {
    let binary = Binary::build(Profile::Dev)?;
    install::try_it(&binary)?;
    wheel::make(&binary)?;
    image::make(&binary)
}

/// The stripped binary, and the folder of its packages.
struct Binary {
    path: PathBuf,
    folder: PathBuf,
    profile: Profile,
}

impl Binary {
    fn build(profile: Profile) -> Result<Self, Failure> {
        let made = match profile {
            // With the rest of the workspace: see `built`.
            Profile::Dev => built("validator")?,
            Profile::Release => program("validator", |cargo| {
                cargo.args(["build", "--release", "--locked", "-p", "validator-app", "--bin", "validator"]);
            })?,
        };
        let folder = target_folder().join("package").join(profile.name());
        make_folder(&folder)?;
        let path = folder.join("validator");
        let mut strip = Command::new("strip");
        strip.arg("--strip-all").arg("-o").arg(&path).arg(&made);
        run(strip)?;
        let megabytes = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len() / 1_000_000);
        println!("{}: {} MB, {} MB before it was stripped", path.display(), megabytes(&path), megabytes(&made));
        Ok(Self { path, folder, profile })
    }

    /// The version that it says it has.
    fn version(&self) -> Result<String, Failure> {
        let mut command = Command::new(&self.path);
        command.arg("-V");
        let text = output(command)?;
        let version = version_in(&text).map(str::to_owned);
        version.ok_or_else(|| Failure::Check(format!("`validator -V` says `{}`", text.trim())))
    }
}

/// The version in a line such as `validator 0.1.0 (1234abc 2026-11-28)`.
fn version_in(said: &str) -> Option<&str> {
    said.trim().strip_prefix("validator ")?.split_whitespace().next()
}

/// Runs what was installed, with these words before its own; `-V` and a demo must end with 0.
fn try_out(command: impl Fn() -> Command, version: &str) -> Done {
    let mut ask = command();
    ask.arg("-V");
    let said = output(ask)?;
    if version_in(&said) != Some(version) {
        return Err(Failure::Check(format!("what was installed says `{}`, not version {version}", said.trim())));
    }
    let mut demo = command();
    demo.args(TRIAL);
    let text = output(demo)?;
    match text.lines().last() {
        Some(line) if line.starts_with("exact: ") => {
            println!("{version} installed; demo: {line}");
            Ok(())
        }
        _ => Err(Failure::Check(format!("the demo of what was installed did not end with `exact`:\n{text}"))),
    }
}

/// An empty folder at that place.
fn empty_folder(path: &Path) -> Done {
    if path.exists() {
        fs::remove_dir_all(path).map_err(|error| cannot("empty", path, &error))?;
    }
    make_folder(path)
}

fn make_folder(path: &Path) -> Done {
    fs::create_dir_all(path).map_err(|error| cannot("make", path, &error))
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::Machine(format!("cannot {what} {}: {error}", path.display()))
}

/// `key=value` of text and a path, for programs that want both in one argument.
fn joined(key: &str, path: &Path) -> OsString {
    let mut text = OsString::from(key);
    text.push(path);
    text
}

/// The commit that is checked out; `unknown` outside of a clone.
fn commit() -> String {
    let mut git = Command::new("git");
    git.args(["rev-parse", "HEAD"]).current_dir(root());
    output(git).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}
