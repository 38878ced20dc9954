//! What a name in a query means: a table of a catalog, its metadata, a topic, a pipeline's messages, a table of `--table`.

use validator_engine::query::Place;
use validator_table::{MetadataTable, TableName};

use super::wrong::Wrong;
use crate::cli::NamedTable;
use crate::config::{Problem, Service, nearest};
use crate::identifier::identifier;

/// The schema of topics.
pub const KAFKA: &str = "kafka";
/// The schema of pipelines.
pub const SOURCE: &str = "source";
/// What `SHOW TABLES` reads.
pub const TABLES: &str = "$tables";

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// A table of `--table`, by its place among them.
    Named(usize, Option<MetadataTable>),
    /// A table of a catalog.
    Lake(TableName, Option<MetadataTable>),
    /// A topic.
    Topic(String),
    /// The messages of a pipeline.
    Source(String),
    /// The list of all that.
    Tables,
}

/// Finds out what a name means; nothing is opened.
///
/// # Errors
/// It can mean nothing.
pub fn meaning(
    parts: &[String],
    at: Option<Place>,
    service: &Service,
    tables: &[NamedTable],
    wrong: &Wrong,
) -> Result<Meaning, Problem> {
    let is_catalog = |name: &str| service.catalogs.contains_key(name);
    match parts {
        [only] if only == TABLES => Ok(Meaning::Tables),
        [only] => named(only, at, tables, wrong),
        // A topic may have dots in its name.
        [first, rest @ ..] if first == KAFKA && !is_catalog(first) => Ok(Meaning::Topic(rest.join("."))),
        [first, rest @ ..] if first == SOURCE && !is_catalog(first) => Ok(Meaning::Source(rest.join("."))),
        [catalog, namespace @ .., table] if !namespace.is_empty() => {
            if !is_catalog(catalog) {
                return Err(no_catalog(catalog, at, service, wrong));
            }
            let (table, kind) = split(table, at, wrong)?;
            let namespace = namespace.iter().flat_map(|level| level.split('.')).map(str::to_owned).collect();
            Ok(Meaning::Lake(TableName { catalog: catalog.clone(), namespace, table }, kind))
        }
        _ => {
            let said = parts.iter().map(|part| identifier(part)).collect::<Vec<_>>().join(".");
            let problem = wrong.at(at, format!("there is no table {said}"));
            let known = service.catalogs.keys().next().map_or("lake", String::as_str);
            Err(problem
                .hint(format!("a table is catalog.namespace.table, like {known}.{said}; a topic kafka.\"topic\"")))
        }
    }
}

/// Whether a name means a table of `--table`, or its metadata.
pub fn is_of(table: &NamedTable, name: &str) -> bool {
    name == table.name || name.rsplit_once('$').is_some_and(|(of, _)| of == table.name)
}

fn named(name: &str, at: Option<Place>, tables: &[NamedTable], wrong: &Wrong) -> Result<Meaning, Problem> {
    if let Some(index) = tables.iter().position(|table| table.name == name) {
        return Ok(Meaning::Named(index, None));
    }
    let (table, kind) = split(name, at, wrong)?;
    if let Some(index) = tables.iter().position(|known| known.name == table) {
        return Ok(Meaning::Named(index, kind));
    }
    let problem = wrong.at(at, format!("there is no table {}", identifier(name)));
    Err(match nearest(&table, tables.iter().map(|table| table.name.as_str())) {
        Some(meant) => problem.hint(format!("did you mean {}?", identifier(meant))),
        None if table.contains('.') => {
            let parts: Vec<String> = name.split('.').map(identifier).collect();
            problem.hint(format!("quotes join what dots part: did you mean {}?", parts.join(".")))
        }
        None if identifier(&table) == table => problem.hint(format!(
            "a table is catalog.namespace.table; `--table {table}=catalog.namespace.table` gives it this name"
        )),
        None => problem.hint("a table is catalog.namespace.table; a topic kafka.\"topic\""),
    })
}

/// A table's name and which of its metadata is meant.
fn split(name: &str, at: Option<Place>, wrong: &Wrong) -> Result<(String, Option<MetadataTable>), Problem> {
    let Some((table, kind)) = name.rsplit_once('$') else { return Ok((name.to_owned(), None)) };
    match MetadataTable::parse(kind) {
        Some(kind) => Ok((table.to_owned(), Some(kind))),
        None => {
            let problem = wrong.at(at, format!("tables have no metadata table ${kind}"));
            let known = MetadataTable::ALL.map(MetadataTable::word);
            Err(match nearest(kind, known) {
                Some(meant) => problem.hint(format!("did you mean {}?", identifier(&format!("{table}${meant}")))),
                None => problem.hint(format!("there are ${}", known.join(", $"))),
            })
        }
    }
}

fn no_catalog(name: &str, at: Option<Place>, service: &Service, wrong: &Wrong) -> Problem {
    let file = match &service.file {
        Some(file) => file.path().display().to_string(),
        None => "validator.toml (there is none here; name it with `-c`)".to_owned(),
    };
    let problem = wrong.at(at, format!("there is no catalog {} in {file}", identifier(name)));
    let known: Vec<&str> = service.catalogs.keys().map(String::as_str).chain([KAFKA, SOURCE]).collect();
    match nearest(name, known.iter().copied()) {
        Some(meant) => problem.hint(format!("did you mean {meant}?")),
        None => problem.hint(format!("there are {}", known.join(", "))),
    }
}
