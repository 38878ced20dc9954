//! `check --explain`: what a contract does with a message, as SQL over `source."pipeline"`, and what a run would read.
//!
//! Contract: each compared column stands there once with the expression that it gets; what no line maps is named with its
//! reason. The SQL is that of the contract: there every conversion is exact. It can be asked with `validator sql`, where a
//! conversion that SQL has no words for is told in a comment and left out.

use std::fmt::Write as _;

use validator_core::contract::{Contract, Identity, NullPayload};
use validator_core::schema::Type;
use validator_engine::binding::{Binding, BoundColumn, ColumnSource, PositionPart};
use validator_engine::reconcile::{Run, RunError};

use crate::identifier::identifier;
use crate::open::Estimate;
use crate::render::{bytes, count, counted, escape};

/// Columns of an expression behind which its comment stands.
const EXPRESSION_WIDTH_MAX: usize = 48;

/// The whole explanation of a run that could be made, and would read so much.
///
/// # Errors
/// Its plans cannot be made.
pub fn explained(run: &Run, estimate: &Estimate) -> Result<String, RunError> {
    let plans = run.plans()?;
    let mut out = String::from("\n");
    mapping(&mut out, &run.contract, &run.messages.binding);
    left_out(&mut out, &run.contract, &run.messages.binding);
    read(&mut out, &run.contract, estimate);
    let of_messages = plans.messages.as_deref().unwrap_or("versions by key, the last of each, then bags by segment");
    for (side, plan) in [("messages", of_messages), ("rows", plans.rows.as_str())] {
        let _ = writeln!(out, "-- plan of the {side}");
        for line in plan.lines() {
            let _ = writeln!(out, "--   {}", escape(line));
        }
    }
    out.push('\n');
    Ok(out)
}

/// What a run reads, and how it compares.
fn read(out: &mut String, contract: &Contract, estimate: &Estimate) {
    let partitions = counted(estimate.partitions as u64, "partition", "partitions");
    let messages = counted(estimate.messages, "message", "messages");
    let rows =
        format!("{} in {}", counted(estimate.rows, "row", "rows"), counted(estimate.files as u64, "file", "files"));
    let versions = match contract.identity {
        Identity::Key { upsert: Some(_), .. } => "; of each key the last version counts",
        _ => "",
    };
    let _ = writeln!(out, "-- a run reads each message once: at most {messages} of {partitions}{versions}");
    let _ = writeln!(out, "-- a run reads each row once: {rows}, {}", bytes(estimate.bytes));
    out.push_str("-- both are summed by segment; segments whose sums differ are read again, message by message\n");
}

fn mapping(out: &mut String, contract: &Contract, binding: &Binding) {
    let rows: Vec<(String, String)> = binding.columns.iter().map(|column| mapped(contract, binding, column)).collect();
    let width = rows.iter().map(|(expression, _)| expression.chars().count()).max().unwrap_or(0);
    let width = width.min(EXPRESSION_WIDTH_MAX) + 1;
    out.push_str("SELECT\n");
    let last = rows.len().saturating_sub(1);
    for (index, (expression, comment)) in rows.iter().enumerate() {
        let comma = if index == last { "" } else { "," };
        let _ = writeln!(out, "  {:width$}  -- {comment}", format!("{expression}{comma}"));
    }
    let _ = writeln!(out, "FROM source.{}", escape(&identifier(&contract.name)));
    if let Some(filter) = &contract.filter {
        let _ = writeln!(out, "WHERE {}  -- filter: what it does not keep is excluded", one_line(filter));
    }
    if let Some(filter) = &contract.row_filter {
        let _ = writeln!(out, "-- of the rows only those of this pipeline: {}", one_line(filter));
    }
}

/// `expression AS column`, and where it comes from.
fn mapped(contract: &Contract, binding: &Binding, column: &BoundColumn) -> (String, String) {
    let name = escape(&identifier(&column.field.name)).into_owned();
    let ty = &column.field.ty;
    let (expression, comment) = match &column.source {
        ColumnSource::Sql(sql) => (one_line(sql), "[map]".to_owned()),
        ColumnSource::Position(part) => (meta(*part).to_owned(), "the message's position".to_owned()),
        ColumnSource::PositionStruct(parts) => {
            let children = if let Type::Struct(children) = ty { children.as_slice() } else { &[] };
            let pairs = children.iter().zip(parts);
            let members =
                pairs.map(|(child, part)| format!("'{}', {}", escape(&child.name.replace('\'', "''")), meta(*part)));
            let members: Vec<String> = members.collect();
            (format!("named_struct({})", members.join(", ")), "the message's position".to_owned())
        }
        ColumnSource::Field { index, from } => {
            let wanted = &binding.wanted[*index];
            let field = escape(&identifier(&wanted.name)).into_owned();
            let declared = contract.fields.iter().any(|(declared, _)| *declared == wanted.name);
            let source = if declared { ", type of [fields]" } else { "" };
            let comment = format!("by name: a field of {}{source}", wanted.ty);
            // Types may differ in the ids of their parts alone.
            match (from.to_string() == ty.to_string(), sql_type(ty)) {
                (true, _) => (field, comment),
                (false, Some(word)) => (format!("CAST({field} AS {word})"), format!("{comment}, converted exactly")),
                (false, None) => (field, format!("{comment}, converted exactly to {ty}")),
            }
        }
    };
    if expression == name { (name, comment) } else { (format!("{expression} AS {name}"), comment) }
}

/// A type as a query writes it; none for those that it has no words for.
fn sql_type(ty: &Type) -> Option<String> {
    let word = match ty {
        Type::Boolean => "BOOLEAN",
        Type::Int => "INT",
        Type::Long => "BIGINT",
        Type::Float => "REAL",
        Type::Double => "DOUBLE",
        Type::Date => "DATE",
        Type::Time => "TIME",
        Type::Timestamp => "TIMESTAMP",
        Type::Timestamptz => "TIMESTAMPTZ",
        Type::String => "VARCHAR",
        Type::Binary => "BYTEA",
        Type::TimestampNs => "TIMESTAMP(9)",
        Type::TimestamptzNs => "TIMESTAMP(9) WITH TIME ZONE",
        Type::Decimal { .. } => return Some(ty.to_string().to_uppercase()),
        _ => return None,
    };
    Some(word.to_owned())
}

fn meta(part: PositionPart) -> &'static str {
    match part {
        PositionPart::Topic => "_topic",
        PositionPart::Partition => "_partition",
        PositionPart::Offset => "_offset",
        PositionPart::Timestamp => "_timestamp",
        PositionPart::Key => "_key",
    }
}

/// An expression on one line, unless a comment in it goes to the end of its line.
fn one_line(sql: &str) -> String {
    let sql =
        if sql.contains("--") { sql.trim().to_owned() } else { sql.split_whitespace().collect::<Vec<_>>().join(" ") };
    sql.lines().map(escape).collect::<Vec<_>>().join("\n    ")
}

/// What stands beside the mapping, a comment each.
fn left_out(out: &mut String, contract: &Contract, binding: &Binding) {
    let mut say = |text: String| {
        let _ = writeln!(out, "-- {}", escape(&text));
    };
    identity(&contract.identity, &mut say);
    say(match contract.null_payload {
        NullPayload::Row => "null payload: a row of NULLs".to_owned(),
        NullPayload::Exclude => "null payload: excluded, cause tombstone".to_owned(),
    });
    for (column, reason) in &contract.compare.ignore {
        say(format!("ignored column {}: {reason}", identifier(column)));
    }
    for (field, reason) in &contract.compare.drop {
        say(format!("dropped field {}: {reason}", identifier(field)));
    }
    for bound in &binding.tolerances {
        say(format!("tolerated in {}: {}", identifier(&bound.name), bound.tolerance.word()));
    }
    if !contract.compare.mask.is_empty() {
        say(format!("values that nobody is shown: {}", contract.compare.mask.join(", ")));
    }
}

fn identity(identity: &Identity, say: &mut impl FnMut(String)) {
    match identity {
        Identity::Offset { topic, partition, offset, width, .. } => {
            let paths = [topic.as_deref(), partition.as_deref(), Some(offset.as_str())];
            let columns: Vec<&str> = paths.into_iter().flatten().collect();
            say(format!("identity: mode offset, columns {}; {} offsets a segment", columns.join(", "), count(*width)));
        }
        Identity::Key { columns, window, every_ms, shards, upsert } => {
            let table = if upsert.is_some() { "; the table keeps the last version of each" } else { "" };
            say(format!("identity: mode key, columns {}{table}", columns.join(", ")));
            windows(window.as_deref(), *every_ms, *shards, say);
            if let Some(delete_when) = upsert.as_ref().and_then(|upsert| upsert.delete_when.as_ref()) {
                say(format!("a key is deleted by a null payload and where {}", one_line(delete_when)));
            }
        }
        Identity::Content { window, every_ms, shards } => {
            say("identity: mode content, the whole row".to_owned());
            windows(window.as_deref(), *every_ms, *shards, say);
        }
    }
}

fn windows(window: Option<&str>, every_ms: u64, shards: u32, say: &mut impl FnMut(String)) {
    let every = humantime::format_duration(std::time::Duration::from_millis(every_ms));
    say(match window {
        Some(column) => format!("window: column {column}, every {every}, {shards} shards a window"),
        None => "window: none".to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use validator_core::type_syntax::parse_type;
    use validator_engine::expr::check_alone;

    use super::*;

    #[test]
    fn a_type_is_one_that_sql_reads_or_none() {
        let plain = ["boolean", "int", "long", "float", "double", "date", "time", "timestamp", "timestamptz", "string"];
        for text in plain.into_iter().chain(["binary", "timestamp_ns", "timestamptz_ns", "decimal(18, 8)"]) {
            let word = sql_word(text).unwrap_or_else(|| panic!("{text} has none"));
            assert!(check_alone(&format!("CAST(a AS {word})")).is_ok(), "{word}");
        }
        for none in ["uuid", "fixed[4]", "struct<pX: string, qY: long>", "list<long>", "map<string, long>"] {
            assert_eq!(sql_word(none), None);
        }
    }

    fn sql_word(text: &str) -> Option<String> {
        match parse_type(text).expect("it is a type") {
            validator_core::contract::FieldType::Plain(ty) => sql_type(&ty),
            other => panic!("{other:?} is no column's type"),
        }
    }
}
