//! The tables of the ledger, described once: what makes them, writes them, reads them and hashes them comes from here.
//!
//! Contract: a table of rows has the pipeline's number and its key columns as its primary key, then the row's hash, then
//! the rest. SQLite refuses values of another type (`STRICT`).

use std::fmt::Write as _;

use crate::value::Kind;
use crate::{fleet, inbox};

/// A column.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether it may be absent.
    pub(crate) absent: bool,
}

const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int, absent: false }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text, absent: false }
}

const fn blob(name: &'static str) -> Column {
    Column { name, kind: Kind::Blob, absent: false }
}

const fn or_none(column: Column) -> Column {
    Column { absent: true, ..column }
}

/// A table whose rows are in the books.
pub(crate) struct Table {
    /// Goes into the hash of each row; never used twice.
    pub(crate) tag: u8,
    pub(crate) name: &'static str,
    /// Without the pipeline and the hash; the key first.
    pub(crate) columns: &'static [Column],
    pub(crate) keys: usize,
    /// Which rows a restart reads; none: no row of it.
    pub(crate) open: Option<&'static str>,
    /// Whether the hash of each row is kept in memory while the pipeline is open.
    pub(crate) resident: bool,
}

pub(crate) static LANES: Table = Table {
    tag: 1,
    name: "lanes",
    columns: &[int("lane"), text("topic"), int("number"), blob("body")],
    keys: 1,
    open: Some("1 = 1"),
    resident: true,
};

pub(crate) static PAGES: Table = Table {
    tag: 2,
    name: "pages",
    columns: &[int("kind"), int("a"), int("b"), int("unsettled"), blob("body")],
    keys: 3,
    open: Some("unsettled = 1"),
    resident: true,
};

/// A file's standing is 0 waiting, 1 live, 2 gone.
pub(crate) static FILES: Table = Table {
    tag: 3,
    name: "files",
    columns: &[int("file"), text("path"), blob("path_hash"), int("standing"), or_none(int("gone_ms")), blob("facts")],
    keys: 1,
    open: Some("standing < 2"),
    resident: true,
};

/// The bags of a file, apart from what a restart reads of it.
pub(crate) static FILE_BODIES: Table =
    Table { tag: 4, name: "file_bodies", columns: &[int("file"), blob("body")], keys: 1, open: None, resident: true };

pub(crate) static RESIDUES: Table = Table {
    tag: 5,
    name: "residues",
    columns: &[int("kind"), int("a"), int("b"), int("slot"), blob("body")],
    keys: 4,
    open: Some("1 = 1"),
    resident: true,
};

pub(crate) static RUNS: Table = Table {
    tag: 6,
    name: "finding_runs",
    columns: &[
        int("kind"),
        int("a"),
        int("b"),
        int("slot"),
        text("verdict"),
        or_none(text("cause")),
        int("messages"),
        text("state"),
        int("opened_ms"),
        int("changed_ms"),
        or_none(text("resolved_by")),
        text("group_id"),
    ],
    keys: 5,
    open: Some("state = 'open'"),
    resident: true,
};

/// There may be millions: a restart reads the open ones, the others are read by whoever asks.
pub(crate) static FINDINGS: Table = Table {
    tag: 7,
    name: "findings",
    columns: &[
        text("id"),
        text("verdict"),
        or_none(text("cause")),
        or_none(int("lane")),
        or_none(int("place")),
        or_none(int("file")),
        or_none(text("path")),
        text("state"),
        int("times"),
        int("first_ms"),
        int("opened_ms"),
        int("changed_ms"),
        or_none(text("resolved_by")),
        text("group_id"),
        or_none(text("about")),
        blob("facts"),
        or_none(blob("evidence")),
    ],
    keys: 1,
    open: Some("state = 'open'"),
    resident: false,
};

/// What people decided: rows are added and never changed.
pub(crate) static MARKS: Table = Table {
    tag: 8,
    name: "marks",
    columns: &[
        int("number"),
        text("target"),
        text("what"),
        text("who"),
        text("reason"),
        or_none(int("until_ms")),
        int("at_ms"),
    ],
    keys: 1,
    open: None,
    resident: false,
};

pub(crate) static ALERTS: Table = Table {
    tag: 9,
    name: "alerts",
    columns: &[text("name"), text("group_key"), text("state"), int("since_ms"), blob("body")],
    keys: 2,
    open: None,
    resident: true,
};

/// All tables of rows.
pub(crate) static TABLES: [&Table; 9] =
    [&LANES, &PAGES, &FILES, &FILE_BODIES, &RESIDUES, &RUNS, &FINDINGS, &MARKS, &ALERTS];

impl Table {
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        self.columns.iter().map(|column| column.kind).collect()
    }

    pub(crate) fn names(&self) -> String {
        joined(self.columns.iter().map(|column| column.name))
    }

    fn key_names(&self) -> String {
        joined(self.columns[..self.keys].iter().map(|column| column.name))
    }

    /// `SELECT hash, … FROM … WHERE pipeline = $1`
    pub(crate) fn select(&self) -> String {
        format!("SELECT hash, {} FROM {} WHERE pipeline = $1", self.names(), self.name)
    }

    /// `SELECT hash, key … FROM … WHERE pipeline = $1`
    pub(crate) fn select_keys(&self) -> String {
        format!("SELECT hash, {} FROM {} WHERE pipeline = $1", self.key_names(), self.name)
    }

    /// [`Table::select`] for so many keys, whose columns follow the pipeline in the values.
    pub(crate) fn select_some(&self, keys: usize) -> String {
        let names = self.key_names();
        format!("{} AND ({names}) IN (VALUES {})", self.select(), tuples(keys, self.keys, None))
    }

    /// Writes so many rows: hash and columns of each follow the pipeline in the values.
    pub(crate) fn upsert(&self, rows: usize) -> String {
        let rest = self.columns[self.keys..].iter().map(|column| column.name);
        let set = joined(std::iter::once("hash").chain(rest).map(|name| format!("{name} = excluded.{name}")));
        format!(
            "INSERT INTO {} (pipeline, hash, {}) VALUES {} ON CONFLICT (pipeline, {}) DO UPDATE SET {set}",
            self.name,
            self.names(),
            tuples(rows, self.columns.len() + 1, Some("$1")),
            self.key_names(),
        )
    }

    /// Removes one row, whose key follows the pipeline in the values.
    pub(crate) fn delete(&self) -> String {
        let mut sql = format!("DELETE FROM {} WHERE pipeline = $1", self.name);
        for (at, column) in self.columns[..self.keys].iter().enumerate() {
            let _ = write!(sql, " AND {} = ${}", column.name, at + 2);
        }
        sql
    }
}

fn tuples(rows: usize, columns: usize, first: Option<&str>) -> String {
    joined((0..rows).map(|row| {
        let own = (0..columns).map(|column| format!("${}", row * columns + column + 2));
        format!("({})", joined(first.map(str::to_owned).into_iter().chain(own)))
    }))
}

fn joined(parts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut all = String::new();
    for part in parts {
        if !all.is_empty() {
            all.push_str(", ");
        }
        all.push_str(part.as_ref());
    }
    all
}

/// The words in which the two databases differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    int: &'static str,
    blob: &'static str,
    /// After the columns of a table of rows.
    rows: &'static str,
    /// After the columns of any other table.
    plain: &'static str,
    /// Of the outbox: numbers itself.
    numbered: &'static str,
    /// Whether bodies can be kept from being compressed.
    external: bool,
    /// Whether several processes can share it.
    fleet: bool,
}

pub(crate) const SQLITE: Dialect = Dialect {
    int: "INTEGER",
    blob: "BLOB",
    rows: "STRICT, WITHOUT ROWID",
    plain: "STRICT",
    numbered: "INTEGER PRIMARY KEY AUTOINCREMENT",
    external: false,
    fleet: false,
};

pub(crate) const POSTGRES: Dialect = Dialect {
    int: "BIGINT",
    blob: "BYTEA",
    rows: "",
    plain: "",
    numbered: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    external: true,
    fleet: true,
};

/// The statements that make a ledger.
pub(crate) fn statements(dialect: Dialect) -> Vec<String> {
    let Dialect { int, blob, plain, numbered, .. } = dialect;
    let mut all = vec![
        format!(
            "CREATE TABLE ledger (number {int} PRIMARY KEY CHECK (number = 1), format {int} NOT NULL, made_by TEXT NOT NULL, \
             made_ms {int} NOT NULL, roll {blob} NOT NULL) {plain}"
        ),
        format!(
            "CREATE TABLE pipelines (pipeline {int} PRIMARY KEY, shown TEXT NOT NULL UNIQUE, name TEXT NOT NULL, \
             contract {blob} NOT NULL, \
             digest_key {blob} NOT NULL, topics TEXT NOT NULL, table_name TEXT NOT NULL, mode TEXT NOT NULL, \
             width {int} NOT NULL, fence {int} NOT NULL, checkpoint {int} NOT NULL, chain_from {int} NOT NULL, \
             head {blob} NOT NULL, books {blob} NOT NULL, state {blob} NOT NULL, totals {blob} NOT NULL, \
             seal {blob} NOT NULL) {plain}"
        ),
        format!(
            "CREATE TABLE checkpoints (pipeline {int} NOT NULL, checkpoint {int} NOT NULL, at_ms {int} NOT NULL, \
             judged_at_ms {int} NOT NULL, snapshot {int}, changes {blob} NOT NULL, books {blob} NOT NULL, \
             state {blob} NOT NULL, totals_hash {blob} NOT NULL, prev {blob} NOT NULL, totals {blob}, hash {blob} NOT NULL, \
             PRIMARY KEY (pipeline, checkpoint)) {plain}"
        ),
        format!(
            "CREATE TABLE outbox (message {numbered}, pipeline {int} NOT NULL, channel TEXT NOT NULL, \
             dedupe TEXT, body {blob} NOT NULL, tries {int} NOT NULL, put_ms {int} NOT NULL, next_ms {int} NOT NULL, \
             state TEXT NOT NULL, why TEXT) {plain}"
        ),
        "CREATE INDEX outbox_waiting ON outbox (pipeline, channel, next_ms) WHERE state = 'waiting'".to_owned(),
        "CREATE UNIQUE INDEX outbox_once ON outbox (pipeline, channel, dedupe) WHERE dedupe IS NOT NULL".to_owned(),
    ];
    all.push(inbox::CREATE.to_owned());
    if dialect.fleet {
        all.extend(fleet::CREATE.iter().map(|sql| (*sql).to_owned()));
    }
    for table in TABLES {
        all.push(create(table, dialect));
        if dialect.external {
            for column in table.columns.iter().filter(|column| matches!(column.kind, Kind::Blob)) {
                all.push(format!("ALTER TABLE {} ALTER {} SET STORAGE EXTERNAL", table.name, column.name));
            }
        }
    }
    for (name, on) in [
        ("pages_unsettled", "pages (pipeline) WHERE unsettled = 1"),
        ("files_open", "files (pipeline) WHERE standing < 2"),
        ("finding_runs_open", "finding_runs (pipeline) WHERE state = 'open'"),
        ("findings_by_state", "findings (pipeline, state, verdict, cause)"),
        ("findings_by_group", "findings (pipeline, group_id, state, first_ms, changed_ms)"),
        ("findings_by_place", "findings (pipeline, lane, place)"),
        ("findings_by_file", "findings (pipeline, file) WHERE file IS NOT NULL"),
        ("marks_by_target", "marks (pipeline, target, number)"),
        ("findings_resolved", "findings (pipeline, changed_ms) WHERE state = 'resolved'"),
    ] {
        all.push(format!("CREATE INDEX {name} ON {on}"));
    }
    all
}

fn create(table: &Table, dialect: Dialect) -> String {
    let column = |column: &Column| {
        let kind = match column.kind {
            Kind::Int => dialect.int,
            Kind::Text => "TEXT",
            Kind::Blob => dialect.blob,
        };
        format!("{} {kind}{}", column.name, if column.absent { "" } else { " NOT NULL" })
    };
    format!(
        "CREATE TABLE {} (pipeline {} NOT NULL, {}, hash {} NOT NULL, {}, PRIMARY KEY (pipeline, {})) {}",
        table.name,
        dialect.int,
        joined(table.columns[..table.keys].iter().map(column)),
        dialect.blob,
        joined(table.columns[table.keys..].iter().map(column)),
        table.key_names(),
        dialect.rows,
    )
}
