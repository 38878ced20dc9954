//! `validator sql`: its flags, and what stands behind `--table`.

// The help texts name sections of files as people write them: [service].
#![allow(rustdoc::broken_intra_doc_links)]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::config::{SnapshotSelector, parse_duration_ms};

/// What `validator sql --help` says below the flags.
pub const SQL_HELP: &str = "\
What can be read:
  lake.market.trades          a table of a catalog of validator.toml, without its deleted rows
  lake.market.\"trades$files\"  its metadata: $files, $snapshots, $history, $partitions, $refs
  kafka.\"trades\"              a topic of [kafka], up to the end that it has now
  source.\"trades\"             the messages of a pipeline that [service] pipelines names
  NAME, \"NAME$files\"          a table of --table, at a snapshot

Where a query names them, a table has _file and _pos too: the file of a row, and its place there. Of a table only the \
columns that the query needs are read, and every file: no statistic is believed. LIMIT opens no more than it needs.

Messages have _topic, _partition, _offset, _timestamp, _key, _value and _headers, and the fields of their payload where \
the format is known. Of a topic that a pipeline names, that is what its file says: of JSON the fields of [fields], those \
that [map] reads and those named as a column of its table; of Avro all. Of another topic it is the Avro schema that the \
registry has of it. Any other topic has its raw columns only: CAST(_value AS VARCHAR) is the text. _error says why a \
payload, or a value in it, could not be decoded. Conditions on _topic, _partition, _offset and the earliest _timestamp \
choose what is read at all.

The SQL is DataFusion's, with its functions; sums and products of BIGINT wrap as they do there, of DECIMAL(38, 0) they do \
not. Names are case-sensitive, 1.5 is a decimal, UUIDs are text, instants are in \
UTC. Only queries are taken: SELECT, WITH, VALUES, DESCRIBE, SHOW TABLES, EXPLAIN.

What a pipeline of [service] masks is not read: a query that needs such a column of its table, or of its messages a field \
that the column is made of, _key, _value or _error, is refused. SELECT * EXCEPT (email) and count(*) need none; \
--unmasked reads all. A table that is named by a metadata.json is no pipeline's.

Formats:
  table    for people: fits the terminal, or a line for each value; controls are written as escapes
  jsonl    exact: decimals, integers beyond 2^53, times and bytes (base64) are strings; a map is an
           object, and a list of keys and values where a key comes twice
  csv      for spreadsheets: a text that begins with = + - @, a tab or a line break, and is no
           number, has a ' in front, so that it is no formula; controls but tabs and line ends are
           written as escapes; NULL is an empty cell, an empty text is \"\"
  parquet  exact; needs --output

Examples:
  validator sql 'SELECT * FROM lake.market.trades LIMIT 10'
  validator sql 'SELECT _partition, count(*) FROM kafka.\"trades\" GROUP BY _partition'
  validator sql 'SELECT _value FROM kafka.\"trades\" WHERE _partition = 0 AND _offset = 1234'
  validator sql --table old=lake.market.trades@2024-08-08T12:00:00Z 'SELECT count(*) FROM old'
  validator sql --format jsonl 'SELECT * FROM lake.market.\"trades$snapshots\"'
  validator sql --format parquet -o trades.parquet 'SELECT * FROM lake.market.trades'

Exit codes:
  0  answered, whole
  2  the query, the command line or the configuration is wrong
  3  a broker, a catalog or a store failed, or the answer was cut: by --max-rows, --timeout, the
     memory that it may take, or Ctrl-C";

/// `validator sql`
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The service's file [default: ./validator.toml where there is one]
    #[arg(short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The query; - reads it from stdin
    #[arg(value_name = "QUERY")]
    pub query: String,

    /// A name for a table: catalog.namespace.table, or the path or URL of a metadata.json, at a snapshot id, a branch or
    /// tag, or a time [default: the current snapshot]
    #[arg(long = "table", value_name = "NAME=LOCATION[@AT]")]
    pub tables: Vec<NamedTable>,

    /// Read the columns too that a pipeline of [service] masks
    #[arg(long)]
    pub unmasked: bool,

    /// How the answer is written [default: what the ending of --output names, else table]
    #[arg(long, value_enum)]
    pub format: Option<AnswerFormat>,

    /// Where the answer is written; a file is there whole or not at all [default: stdout]
    #[arg(long, short = 'o', value_name = "FILE", value_parser = output)]
    pub output: Option<PathBuf>,

    /// Most rows of an answer; where there are more, it ends with exit code 3 [default: 1,000 of a table, else 1,000,000]
    #[arg(long, value_name = "N")]
    pub max_rows: Option<NonZeroUsize>,

    /// Longest time for an answer
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub timeout: Duration,
}

impl SqlArgs {
    /// How the answer is written: as --format says, else as the file's ending does.
    ///
    /// # Errors
    /// The two contradict each other, or nothing is written as the ending says; one sentence.
    pub fn answer_format(&self) -> Result<AnswerFormat, String> {
        let ending = self.output.as_deref().and_then(Path::extension).and_then(|ending| ending.to_str());
        let ending = ending.map(str::to_lowercase).filter(|ending| ENDINGS.contains(&ending.as_str()));
        let Some(ending) = ending else { return Ok(self.format.unwrap_or_default()) };
        match (AnswerFormat::of_ending(&ending), self.format) {
            (Some(of_name), None) => Ok(of_name),
            (Some(of_name), Some(format)) if of_name == format => Ok(format),
            (_, Some(format)) => {
                let (name, ending_of) = format.written();
                Err(format!("the answer is written as {name}: name a FILE.{ending_of}, not .{ending}"))
            }
            (None, None) => {
                Err(format!("no answer is written as .{ending}: name a FILE.jsonl, FILE.csv or FILE.parquet"))
            }
        }
    }
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum AnswerFormat {
    /// Columns for people
    #[default]
    Table,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
    /// A Parquet file
    Parquet,
}

/// Endings that name a format, also those of no answer.
const ENDINGS: [&str; 8] = ["json", "jsonl", "parquet", "csv", "html", "htm", "xml", "md"];

impl AnswerFormat {
    fn of_ending(ending: &str) -> Option<Self> {
        [Self::Jsonl, Self::Csv, Self::Parquet].into_iter().find(|format| format.written().1 == ending)
    }

    /// Its name, and the ending of its files.
    fn written(self) -> (&'static str, &'static str) {
        match self {
            Self::Table => ("a table for people", "txt"),
            Self::Jsonl => ("JSON lines", "jsonl"),
            Self::Csv => ("CSV", "csv"),
            Self::Parquet => ("Parquet", "parquet"),
        }
    }
}

/// `NAME=LOCATION[@AT]`: at a snapshot id, a ref or a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTable {
    /// The name in the query.
    pub name: String,
    /// `catalog.namespace.table`, or where a metadata.json is.
    pub location: String,
    /// The state.
    pub snapshot: Option<SnapshotSelector>,
}

impl NamedTable {
    /// Whether the location is a metadata.json and not a name.
    pub fn is_metadata(&self) -> bool {
        self.location.contains(['/', '\\']) || self.location.contains(".json")
    }
}

impl FromStr for NamedTable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "expected NAME=LOCATION or NAME=LOCATION@SNAPSHOT, like old=lake.market.trades@-2h".to_owned();
        let (name, location) = text.split_once('=').ok_or_else(form)?;
        if name.is_empty() || location.is_empty() {
            return Err(form());
        }
        if name.contains(['.', '$', '"']) {
            return Err(format!("`{name}` is no name of a table: one word without dots"));
        }
        // A reference may have slashes, and so has a path; an @ in a folder's name is none of ours.
        let is_path =
            location.split('@').next().is_some_and(|first| first.contains(['/', '\\']) || first.contains(':'));
        let split = match is_path {
            true => location.rsplit_once('@').filter(|(_, behind)| !behind.contains('/')),
            false => location.split_once('@'),
        };
        let (location, snapshot) = match split {
            Some((location, at)) => {
                let snapshot = SnapshotSelector::parse(at).map_err(|error| error.to_string())?;
                (location, Some(snapshot))
            }
            None => (location, None),
        };
        Ok(Self { name: name.to_owned(), location: location.to_owned(), snapshot })
    }
}

fn output(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text == "-" {
        return Err("expected a file; /dev/stdout is stdout".to_owned());
    }
    super::files::in_a_folder(Path::new(text))
}

fn duration(text: &str) -> Result<Duration, String> {
    let ms = parse_duration_ms(text).and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0);
    ms.map(Duration::from_millis).ok_or_else(|| "expected a duration above 0, like 30s or 10m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> (String, String, Option<SnapshotSelector>) {
        let table: NamedTable = text.parse().expect("it is a table");
        (table.name, table.location, table.snapshot)
    }

    #[test]
    fn a_named_table_is_a_name_a_location_and_a_state() {
        let of_name = ("t".to_owned(), "lake.ns.t".to_owned(), Some(SnapshotSelector::Id(17)));
        assert_eq!(named("t=lake.ns.t@17"), of_name);
        assert_eq!(named("t=lake.ns.t@a/b").2, Some(SnapshotSelector::Ref("a/b".to_owned())));
        assert_eq!(named("t=/a@b/v1.metadata.json").1, "/a@b/v1.metadata.json");
        assert_eq!(named("t=s3://b/v1.metadata.json@main").2, Some(SnapshotSelector::Ref("main".to_owned())));
        assert!(matches!(named("t=lake.ns.t@2024-08-08T00:00:00Z").2, Some(SnapshotSelector::Time(_))));
        for wrong in ["t", "=x", "t=", "a.b=lake.ns.t", "t=lake.ns.t@", "t=lake.ns.t@2024-08-08"] {
            assert!(wrong.parse::<NamedTable>().is_err(), "{wrong}");
        }
    }
}
