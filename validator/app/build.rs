//! Says which commit is built and with which libraries, for `validator --version`.
//!
//! Contract: outside of a clone of this repository, or without git, there is no commit and no failure. The script runs
//! again when HEAD moves or Cargo.lock changes, and at no other time. The date is that of the commit, or that of
//! SOURCE_DATE_EPOCH where it is given.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What decides how data is read: the name in Cargo.lock, and the one that people know.
const LIBRARIES: [(&str, &str); 5] = [
    ("arrow-array", "arrow"),
    ("datafusion", "datafusion"),
    ("iceberg", "iceberg"),
    ("parquet", "parquet"),
    ("rdkafka-sys", "librdkafka"),
];

fn main() {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = package.join("../..");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let version = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    let built = match (commit(&root), epoch()) {
        (Some((hash, _)), Some(date)) | (Some((hash, date)), None) => format!("{version} ({hash} {date})"),
        (None, Some(date)) => format!("{version} ({date})"),
        (None, None) => version,
    };
    println!("cargo:rustc-env=VALIDATOR_VERSION={built}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("libraries.txt"), libraries(&root)).expect("cargo made the folder for us to write to");
}

/// Short hash and date of the commit that is checked out, in a clone whose root is this folder.
fn commit(root: &Path) -> Option<(String, String)> {
    let top = git(root, &["rev-parse", "--show-toplevel"])?;
    // Sources that were unpacked inside of somebody's own repository are not that repository's commit.
    if Path::new(&top).canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    // HEAD names a branch; the branch is a file of its own, or a line of packed-refs. The log of HEAD has a line for each
    // commit and checkout, also for the first commit of a branch that had no file.
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let path = root.join(git(root, &["rev-parse", "--git-path", name])?);
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    let said = git(root, &["show", "--no-patch", "--format=%h %cs", "HEAD"])?;
    let (hash, date) = said.split_once(' ')?;
    Some((hash.to_owned(), date.to_owned()))
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).current_dir(root).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(text.trim().to_owned())
}

/// The day of SOURCE_DATE_EPOCH, which builds that must not differ set.
fn epoch() -> Option<String> {
    let seconds: i64 = env::var("SOURCE_DATE_EPOCH").ok()?.trim().parse().ok()?;
    // Days since 1970 as a date of the Gregorian calendar, by Howard Hinnant's `civil_from_days`.
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

/// A line for each library, from the lock file; what is not locked is not said.
fn libraries(root: &Path) -> String {
    let path = root.join("Cargo.lock");
    // To watch what is not there would make every build anew.
    if path.exists() {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    let lock = fs::read_to_string(path).unwrap_or_default();
    let locked = |name: &str| {
        let package = lock.split("[[package]]").find(|package| value(package, "name") == Some(name))?;
        let version = value(package, "version")?;
        // rdkafka-sys says which librdkafka it holds behind a plus.
        Some(version.split_once('+').map_or(version, |(_, inner)| inner))
    };
    let lines = LIBRARIES.iter().filter_map(|(name, known)| Some(format!("{known:<12}{}", locked(name)?)));
    lines.collect::<Vec<_>>().join("\n")
}

fn value<'a>(package: &'a str, key: &str) -> Option<&'a str> {
    let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""))?;
    line.strip_suffix('"')
}
