//! Where answers go: `--report FILE.json` or `-`, `--findings FILE.jsonl|FILE.parquet`, `--html`, `--junit`, `--markdown`.
//!
//! Contract: a file that cannot be written for want of its folder is refused before a run, not after it; so is one whose
//! ending names another format.

use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where report.json is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportTarget {
    /// `-`
    Stdout,
    /// A file.
    File(PathBuf),
}

/// Where findings are written: one JSON object a line, or rows of Parquet where the name ends so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingsFile(pub PathBuf);

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingsFormat {
    /// One JSON object a line.
    Jsonl,
    /// Columns.
    Parquet,
}

impl FindingsFile {
    /// By the ending of the name.
    pub fn format(&self) -> FindingsFormat {
        match ending(&self.0).as_deref() {
            Some("parquet") => FindingsFormat::Parquet,
            _ => FindingsFormat::Jsonl,
        }
    }
}

impl FromStr for ReportTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("expected a file, or - for stdout".to_owned()),
            "-" => Ok(Self::Stdout),
            path => of_format(path, "JSON", &["json"]).map(Self::File),
        }
    }
}

impl FromStr for FindingsFile {
    type Err = String;

    /// The ending names the format, so the ending of another format is refused; any other name (`/dev/stdout`, what
    /// `mktemp` gives) is JSONL.
    fn from_str(text: &str) -> Result<Self, String> {
        match ending(Path::new(text)).as_deref() {
            _ if text.is_empty() || text == "-" => Err(NO_FILE.to_owned()),
            Some(other @ ("json" | "csv" | "html" | "htm" | "xml" | "md")) => Err(format!(
                "findings are written as JSON lines or Parquet: name a FILE.jsonl or FILE.parquet, not .{other}"
            )),
            _ => in_a_folder(Path::new(text)).map(Self),
        }
    }
}

/// What an empty name and `-` are told, where stdout is not meant by it.
const NO_FILE: &str = "expected a file; /dev/stdout is stdout";

/// Endings of the formats that answers are written in.
const ENDINGS: [&str; 8] = ["json", "jsonl", "parquet", "csv", "html", "htm", "xml", "md"];

/// A file of JSON lines.
///
/// # Errors
/// The ending names another format; the folder is not there.
pub fn jsonl(text: &str) -> Result<FindingsFile, String> {
    of_format(text, "JSON lines", &["jsonl"]).map(FindingsFile)
}

/// `--html`
///
/// # Errors
/// As [`jsonl`].
pub fn html(text: &str) -> Result<PathBuf, String> {
    of_format(text, "HTML", &["html", "htm"])
}

/// `--junit`
///
/// # Errors
/// As [`jsonl`].
pub fn junit(text: &str) -> Result<PathBuf, String> {
    of_format(text, "JUnit XML", &["xml"])
}

/// `--markdown`
///
/// # Errors
/// As [`jsonl`].
pub fn markdown(text: &str) -> Result<PathBuf, String> {
    of_format(text, "Markdown", &["md"])
}

/// A file of that format; a name without an ending of any is as good (`/dev/stdout`, what a CI server gives).
fn of_format(text: &str, format: &str, endings: &[&str]) -> Result<PathBuf, String> {
    match ending(Path::new(text)).as_deref() {
        _ if text.is_empty() || text == "-" => Err(NO_FILE.to_owned()),
        Some(other) if ENDINGS.contains(&other) && !endings.contains(&other) => {
            Err(format!("this is written as {format}: name a FILE.{}, not .{other}", endings[0]))
        }
        _ => in_a_folder(Path::new(text)),
    }
}

/// In small letters: F.PARQUET is Parquet too.
fn ending(path: &Path) -> Option<String> {
    path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase)
}

/// The path, where its folder is there and it is none itself.
pub fn in_a_folder(path: &Path) -> Result<PathBuf, String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (path.is_dir(), folder.is_dir()) {
        (true, _) => Err(format!("{} is a folder", path.display())),
        (_, false) => Err(format!("there is no folder {}", folder.display())),
        _ => Ok(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_go_to_any_name_that_is_not_another_format() {
        for name in ["f.jsonl", "f", "/dev/stdout", "/tmp/tmp.X7aB2c"] {
            assert_eq!(name.parse(), Ok(FindingsFile(name.into())));
        }
        for name in ["f.json", "f.csv", "f.md", "", "/tmp", "no/such/folder/f.jsonl"] {
            assert!(name.parse::<FindingsFile>().is_err(), "{name}");
        }
        assert_eq!(FindingsFile("f.parquet".into()).format(), FindingsFormat::Parquet);
        assert_eq!(FindingsFile("f".into()).format(), FindingsFormat::Jsonl);
    }

    #[test]
    fn an_ending_of_another_format_is_refused() {
        for (of, good, bad) in [
            (html as fn(&str) -> _, ["r.html", "r.htm", "/dev/stdout"], "r.md"),
            (junit, ["r.xml", "r", "/tmp/step_summary_9"], "r.html"),
            (markdown, ["r.md", "r.txt", "/tmp/step_summary_9"], "r.xml"),
        ] {
            assert!(good.iter().all(|name| of(name).is_ok()));
            assert!([bad, "", "/tmp", "no/such/folder/r"].iter().all(|name| of(name).is_err()));
        }
        assert!(jsonl("t.parquet").is_err() && jsonl("t.jsonl").is_ok());
    }

    #[test]
    fn an_ending_is_one_in_capitals_too() {
        assert_eq!(FindingsFile("F.PARQUET".into()).format(), FindingsFormat::Parquet);
        assert!("F.CSV".parse::<FindingsFile>().is_err() && "F.JSONL".parse::<FindingsFile>().is_ok());
        assert!(html("r.MD").is_err() && html("r.HTML").is_ok());
    }

    #[test]
    fn only_the_report_takes_a_dash_for_stdout() {
        for of in [html, junit, markdown] {
            assert_eq!(of("-"), Err(NO_FILE.to_owned()));
        }
        assert!("-".parse::<FindingsFile>().is_err());
    }

    #[test]
    fn a_dash_is_stdout() {
        assert_eq!("-".parse(), Ok(ReportTarget::Stdout));
        assert_eq!("r.json".parse(), Ok(ReportTarget::File("r.json".into())));
        for name in ["", "/tmp", "no/such/folder/r.json", "r.html", "r.JSONL"] {
            assert!(name.parse::<ReportTarget>().is_err(), "{name}");
        }
    }
}
