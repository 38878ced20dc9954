//! A topic and a table of a few messages and rows, written by hand: what the law says of them can be read off the page.
//!
//! A message is `partition@offset id price` (see [`text`]), a row of an offset scene the same, of a key scene `id price`.
//! Everything has one time, [`EPOCH_MS`], unless it says otherwise; files come an hour later, and the run judges an hour
//! after that.

mod judged;
mod laws;
pub mod letters;
mod text;
mod written;

use fixtures_kit::schema::{Column, ColumnType, number};
use fixtures_kit::table::{Breakage, DataFile, Operation, Row, Snapshot, Table};

pub use judged::alike;
pub use written::Folder;

/// 2024-08-08T12:00:00Z, the time of every message and row that names no other, in milliseconds.
pub const EPOCH_MS: i64 = 1_723_118_400_000;
/// Seconds from [`EPOCH_MS`] to the commit of the first file; each further one comes a second later.
const COMMIT_S: i64 = 3_600;
/// Seconds from [`EPOCH_MS`] to `--as-of`.
const JUDGED_S: i64 = 7_200;

/// How rows are tied to messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Columns topic, partition and offset.
    Offset,
    /// Column id, in windows of column at.
    Key,
    /// Column id, without a window.
    KeyPlain,
    /// The whole row, in windows of column at.
    Content,
    /// The whole row, without a window.
    ContentPlain,
    /// Column id, in windows of column at; the table keeps the last version of each.
    Upsert,
    /// The same, without a format of the Kafka key.
    UpsertByMap,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
}

/// A topic, a table, a contract and a clock.
#[derive(Debug, Clone)]
pub struct Scene {
    pub mode: Mode,
    pub messages: Vec<Message>,
    pub table: Table,
    /// Lines below `[pipeline]`.
    pub pipeline: String,
    /// More lines below `[identity]`.
    pub identity: String,
    /// Lines below `[fidelity]`.
    pub fidelity: String,
    /// Whole sections.
    pub sections: String,
    /// More lines of the recording: dead letters, see [`letters`].
    pub letters: Vec<String>,
    /// More tables of the warehouse.
    pub beside: Vec<Table>,
    /// `--from`, `--to`, `--snapshot`.
    pub from: Option<String>,
    pub to: Option<String>,
    pub snapshot: Option<i64>,
    /// `--as-of`, in milliseconds; none leaves the flag out.
    pub as_of_ms: Option<i64>,
}

impl Scene {
    /// An empty topic and a table without snapshot, tied by offset.
    pub fn offset() -> Self {
        let position = [("topic", ColumnType::String), ("partition", ColumnType::Int), ("offset", ColumnType::Long)];
        Self::new(Mode::Offset, position.map(|(name, kind)| Column::optional(name, kind)).to_vec())
    }

    /// The same, tied by `id` in windows of a minute.
    pub fn key() -> Self {
        Self::new(Mode::Key, Vec::new())
    }

    /// The same, tied by `id`, without windows.
    pub fn key_plain() -> Self {
        Self::new(Mode::KeyPlain, Vec::new())
    }

    /// The same, tied by nothing but the content, in windows of a minute.
    pub fn content() -> Self {
        Self::new(Mode::Content, Vec::new())
    }

    /// The same, tied by the content, without windows.
    pub fn content_plain() -> Self {
        Self::new(Mode::ContentPlain, Vec::new())
    }

    /// The same, tied by `id` in windows of a minute, of an upsert table whose Kafka keys are JSON.
    pub fn upsert() -> Self {
        Self::new(Mode::Upsert, Vec::new())
    }

    fn new(mode: Mode, mut columns: Vec<Column>) -> Self {
        columns.push(Column::optional("id", ColumnType::String));
        columns.push(Column::optional("price", ColumnType::Decimal { precision: 18, scale: 8 }));
        columns.push(Column::optional("at", ColumnType::Timestamptz));
        number(&mut columns);
        let table = Table {
            namespace: "market".into(),
            name: "trades".into(),
            columns,
            partitioning: Vec::new(),
            files: Vec::new(),
            snapshots: Vec::new(),
            judged: None,
            deletes: Vec::new(),
            equality_deletes: false,
        };
        Self {
            mode,
            messages: Vec::new(),
            table,
            pipeline: String::new(),
            identity: String::new(),
            fidelity: String::new(),
            sections: String::new(),
            letters: Vec::new(),
            beside: Vec::new(),
            from: None,
            to: None,
            snapshot: None,
            as_of_ms: Some(EPOCH_MS + JUDGED_S * 1000),
        }
    }

    /// More messages, as [`text`] writes them.
    pub fn topic(mut self, messages: &str) -> Self {
        self.messages.extend(text::messages(messages));
        self
    }

    /// A message of these very bytes.
    pub fn payload(mut self, offset: i64, payload: impl AsRef<[u8]>) -> Self {
        let message = &text::messages(&format!("0@{offset} null"))[0];
        self.messages.push(Message { payload: Some(payload.as_ref().to_vec()), ..message.clone() });
        self
    }

    /// A new data file with these rows, committed by an append of its own.
    pub fn file(mut self, rows: &str) -> Self {
        let rows = text::rows(self.mode, rows);
        self.table.files.push(DataFile {
            path: format!("data/f{}.parquet", self.table.files.len() + 1),
            row_group_rows: rows.len().max(1),
            rows: rows.into_iter().map(|values| Row { values, labels: Vec::new() }).collect(),
            partition: Vec::new(),
            bounds: true,
            breakage: None,
            record_count_error: 0,
        });
        let file = self.table.files.len() - 1;
        self.commit(Operation::Append, &[file], &[])
    }

    /// A commit that adds and removes these files (from 0), a second after the last one.
    pub fn commit(mut self, operation: Operation, added: &[usize], removed: &[usize]) -> Self {
        let number = self.table.snapshots.len() as i64;
        self.table.snapshots.push(Snapshot {
            id: 1001 + number,
            commit_ms: EPOCH_MS + (COMMIT_S + number) * 1000,
            operation,
            added: added.to_vec(),
            removed: removed.to_vec(),
        });
        self.table.judged = Some(self.table.snapshots.len() - 1);
        self
    }

    /// Changes the file that came last.
    pub fn last_file(mut self, change: impl FnOnce(&mut DataFile)) -> Self {
        change(self.table.files.last_mut().expect("a file comes first"));
        self
    }

    /// Breaks the file that came last.
    pub fn broken(self, breakage: Breakage) -> Self {
        self.last_file(|file| file.breakage = Some(breakage))
    }

    /// The last commit came this many seconds after [`EPOCH_MS`].
    pub fn committed_at(mut self, seconds: i64) -> Self {
        self.table.snapshots.last_mut().expect("a commit comes first").commit_ms = EPOCH_MS + seconds * 1000;
        self
    }

    /// The run judges this many seconds after [`EPOCH_MS`].
    pub fn judged_at(self, seconds: i64) -> Self {
        self.judged_at_ms(EPOCH_MS + seconds * 1000)
    }

    /// The same in milliseconds since the epoch.
    pub fn judged_at_ms(mut self, ms: i64) -> Self {
        self.as_of_ms = Some(ms);
        self
    }

    /// A line of `[pipeline]`.
    pub fn pipeline(mut self, line: &str) -> Self {
        self.pipeline += &format!("{line}\n");
        self
    }

    /// A line of `[identity]`.
    pub fn identity(mut self, line: &str) -> Self {
        self.identity += &format!("{line}\n");
        self
    }

    /// A line of `[fidelity]`.
    pub fn fidelity(mut self, line: &str) -> Self {
        self.fidelity += &format!("{line}\n");
        self
    }

    /// A section with its lines.
    pub fn section(mut self, lines: &str) -> Self {
        self.sections += &format!("\n{lines}\n");
        self
    }

    /// `--from`
    pub fn from(mut self, edge: &str) -> Self {
        self.from = Some(edge.to_owned());
        self
    }

    /// `--to`
    pub fn to(mut self, edge: &str) -> Self {
        self.to = Some(edge.to_owned());
        self
    }

    /// `--snapshot`, without `--as-of`.
    pub fn snapshot(mut self, id: i64) -> Self {
        (self.snapshot, self.as_of_ms) = (Some(id), None);
        self
    }
}
