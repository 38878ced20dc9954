//! Where answers go: `--report FILE.json` or `-`, `--findings FILE.jsonl`.
//!
//! Contract: a file that cannot be written for want of its folder is refused before a run, not after it.

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

/// Where findings are written, one JSON object a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingsFile(pub PathBuf);

impl FromStr for ReportTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("expected a file, or - for stdout".to_owned()),
            "-" => Ok(Self::Stdout),
            path => in_a_folder(Path::new(path)).map(Self::File),
        }
    }
}

impl FromStr for FindingsFile {
    type Err = String;

    /// The ending names the format, so the ending of another format is refused; any other name (`/dev/stdout`, what
    /// `mktemp` gives) is JSONL.
    fn from_str(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        match path.extension().and_then(|extension| extension.to_str()) {
            _ if text.is_empty() => Err("expected a file".to_owned()),
            Some("parquet") => Err("findings as Parquet are not built yet; name a FILE.jsonl".to_owned()),
            Some(other @ ("json" | "csv" | "html" | "xml")) => {
                Err(format!("findings are written as JSON lines: name a FILE.jsonl, not .{other}"))
            }
            _ => in_a_folder(path).map(Self),
        }
    }
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
        for name in ["f.parquet", "f.json", "f.csv", "", "/tmp", "no/such/folder/f.jsonl"] {
            assert!(name.parse::<FindingsFile>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_dash_is_stdout() {
        assert_eq!("-".parse(), Ok(ReportTarget::Stdout));
        assert_eq!("r.json".parse(), Ok(ReportTarget::File("r.json".into())));
        for name in ["", "/tmp", "no/such/folder/r.json"] {
            assert!(name.parse::<ReportTarget>().is_err(), "{name}");
        }
    }
}
