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

    /// The ending names the format, so an ending that is not ours is refused; a path without one (`/dev/stdout`) is JSONL.
    fn from_str(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        match path.extension().and_then(|extension| extension.to_str()) {
            _ if text.is_empty() => Err("expected a file".to_owned()),
            Some("parquet") => Err("findings as Parquet are not built yet; name a FILE.jsonl".to_owned()),
            None | Some("jsonl" | "ndjson") => Ok(Self(path.to_owned())),
            Some(other) => Err(format!("findings are written as JSON lines: name a FILE.jsonl, not .{other}")),
        }
    }
}
