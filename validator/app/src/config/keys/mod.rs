//! Every key of `validator.toml` and of a pipeline file: its kind, default, example and sentence, in one place.
//!
//! Contract: a key is here if and only if the readers of this module's siblings ask for it (a test compares the two). The
//! JSON Schemas, the reference pages and the hints of problems are made from it. Keys that a later release brings are not
//! here: the readers refuse them by name.

mod alerts;
mod pipeline;
mod service;

pub use pipeline::PIPELINE_FILE;
pub use service::SERVICE_FILE;

/// One table of a file; the file itself is the table of path "".
#[derive(Debug)]
pub struct Table {
    /// As in a header: `identity`, `catalogs.NAME`.
    pub path: &'static str,
    /// What it is for, in sentences.
    pub says: &'static str,
    /// The key whose word decides which of the others may stand there; "" where there is none.
    pub selector: &'static str,
    /// Pairs of keys of which one stands there, not both.
    pub either: &'static [Either],
    /// Its keys, in the order in which people write them.
    pub keys: &'static [Key],
    /// What any other name stands for; where there is none, another name is a mistake.
    pub free: Option<Free>,
}

/// One of two keys.
#[derive(Debug)]
pub struct Either {
    /// The words of the selector for which this holds; none: always.
    pub of: &'static [&'static str],
    /// The keys.
    pub keys: [&'static str; 2],
}

/// Keys whose names the user chooses.
#[derive(Debug)]
pub struct Free {
    /// What a name is: `COLUMN`, `FIELD`.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// One whole line.
    pub example: &'static str,
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// A value, as it is written.
    pub example: &'static str,
    /// What it says, in sentences.
    pub says: &'static str,
    /// What holds where it is left out; "" where the sentence says it, or it must be there.
    pub default: &'static str,
    /// Whether it must be there.
    pub need: Need,
    /// The words of the selector beside which it may stand; none: all.
    pub only: &'static [&'static str],
    /// The key without which it means nothing; "" where there is none.
    pub with: &'static str,
}

/// Whether a key must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It may be left out.
    Optional,
    /// It is there.
    Always,
    /// It is there beside these words of the selector.
    For(&'static [&'static str]),
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Text.
    Text,
    /// DataFusion SQL.
    Sql,
    /// A type in Iceberg's syntax, or an epoch.
    Type,
    /// `catalog.namespace.table`.
    TableName,
    /// A list of texts.
    Texts,
    /// `true` or `false`.
    Flag,
    /// A whole number, both ends included.
    Whole(i64, i64),
    /// A number from 0 to 1.
    Share,
    /// Text with a unit of time.
    Duration,
    /// Text with a unit of bytes.
    Size,
    /// One of these words.
    Words(fn() -> Vec<&'static str>),
    /// `OFFSETS`, `TIME` or `earliest`.
    Edge,
    /// Text, or `{ file = "path" }`.
    Secret,
    /// Text, a number, `true` or `false`; a name with dots may be a table in a table.
    Property,
    /// A table.
    Table(&'static Table),
    /// Tables, whose names the user chooses.
    Tables(&'static Table),
    /// A list of tables: `[[alerts]]`.
    Listed(&'static Table),
}

impl Key {
    /// A key that may be left out.
    pub const fn new(name: &'static str, kind: Kind, example: &'static str, says: &'static str) -> Self {
        Self { name, kind, example, says, default: "", need: Need::Optional, only: &[], with: "" }
    }

    /// A table that may be left out.
    pub const fn table(name: &'static str, table: &'static Table) -> Self {
        Self::new(name, Kind::Table(table), "", "")
    }

    /// A list of tables that may be left out.
    pub const fn listed(name: &'static str, table: &'static Table) -> Self {
        Self::new(name, Kind::Listed(table), "", "")
    }

    /// The same, with a default.
    pub const fn or(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    /// The same, that must be there.
    pub const fn always(self) -> Self {
        Self { need: Need::Always, ..self }
    }

    /// The same, that must be there beside these words.
    pub const fn always_for(self, words: &'static [&'static str]) -> Self {
        Self { need: Need::For(words), ..self }
    }

    /// The same, beside these words alone.
    pub const fn only(self, words: &'static [&'static str]) -> Self {
        Self { only: words, ..self }
    }

    /// The same, beside this key alone.
    pub const fn with(self, key: &'static str) -> Self {
        Self { with: key, ..self }
    }

    /// Whether it may stand beside that word of the selector.
    pub fn is_for(&self, word: &str) -> bool {
        self.only.is_empty() || self.only.contains(&word)
    }

    /// Whether it must stand beside that word of the selector.
    pub fn is_needed_for(&self, word: &str) -> bool {
        match self.need {
            Need::Optional => false,
            Need::Always => self.is_for(word),
            Need::For(words) => words.contains(&word),
        }
    }
}

impl Table {
    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// All tables of a file, from above, each with its path.
    pub fn with_inner(&'static self) -> Vec<&'static Table> {
        let inner = self.keys.iter().filter_map(|key| match key.kind {
            Kind::Table(table) | Kind::Tables(table) | Kind::Listed(table) => Some(table),
            _ => None,
        });
        std::iter::once(self).chain(inner.flat_map(Table::with_inner)).collect()
    }
}

impl Kind {
    /// What to expect, for a person.
    pub fn words(self) -> String {
        let quoted = |words: Vec<&str>| words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>();
        match self {
            Self::Text => "text".to_owned(),
            Self::Sql => "SQL".to_owned(),
            Self::Type => "a type".to_owned(),
            Self::TableName => "`catalog.namespace.table`".to_owned(),
            Self::Texts => "a list of texts".to_owned(),
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Whole(least, most) => format!("a whole number, {least} to {most}"),
            Self::Share => "a number from 0 to 1".to_owned(),
            Self::Duration => "a duration: `ms`, `s`, `m`, `h`, `d`".to_owned(),
            Self::Size => "a size: `kB`, `MB`, `GB`, `KiB`, `MiB`, `GiB`".to_owned(),
            Self::Words(words) => quoted(words()).join(", "),
            Self::Edge => "offsets or a time".to_owned(),
            Self::Secret => "a secret: `\"${NAME}\"` or `{ file = \"path\" }`".to_owned(),
            Self::Property => "text, a number, `true` or `false`".to_owned(),
            Self::Table(_) | Self::Tables(_) => "a table".to_owned(),
            Self::Listed(_) => "a list of tables".to_owned(),
        }
    }
}

/// The tables of both files.
fn tables() -> impl Iterator<Item = &'static Table> {
    PIPELINE_FILE.with_inner().into_iter().chain(SERVICE_FILE.with_inner())
}

/// The line to write for a key at a path (`identity.width`, `catalogs.lake.uri`, `map.price`): what a hint shows.
pub fn line_to_write(path: &str) -> Option<String> {
    tables().find_map(|table| {
        let name = name_in(table, path)?;
        if let Some(key) = table.key(name) {
            return (!key.example.is_empty()).then(|| format!("{name} = {}", key.example));
        }
        let (_, value) = table.free.as_ref()?.example.split_once(" = ")?;
        Some(format!("{name} = {value}"))
    })
}

/// What stands behind the table's own path.
fn name_in<'p>(table: &Table, path: &'p str) -> Option<&'p str> {
    let Some((before, after)) = table.path.split_once("NAME") else {
        return if table.path.is_empty() { Some(path) } else { path.strip_prefix(table.path)?.strip_prefix('.') };
    };
    let (_, behind) = path.strip_prefix(before)?.split_once('.')?;
    match after.strip_prefix('.') {
        Some(inner) => behind.strip_prefix(inner)?.strip_prefix('.'),
        None => Some(behind),
    }
}

/// The section of a pipeline file where a key belongs.
pub fn home_of(key: &str) -> Option<&'static str> {
    let sections = PIPELINE_FILE.keys.iter().filter_map(|key| match key.kind {
        Kind::Table(table) => Some(table),
        _ => None,
    });
    sections.into_iter().find(|table| table.key(key).is_some()).map(|table| table.path)
}

#[cfg(test)]
pub use tests::asked;

#[cfg(test)]
mod tests;
