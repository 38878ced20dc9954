//! Where answers go: `--report FILE.json` or `-`, `--findings FILE.jsonl`.

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
            path => Ok(Self::File(path.into())),
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
            _ => Ok(Self(path.to_owned())),
        }
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
        for name in ["f.parquet", "f.json", "f.csv", ""] {
            assert!(name.parse::<FindingsFile>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_dash_is_stdout() {
        assert_eq!("-".parse(), Ok(ReportTarget::Stdout));
        assert_eq!("r.json".parse(), Ok(ReportTarget::File("r.json".into())));
        assert!("".parse::<ReportTarget>().is_err());
    }
}
