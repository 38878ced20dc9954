//! Answers as lines: JSON and CSV.

use std::io::{self, Write};

use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;

use super::cells::{Cell, cell, json, json_text, text};
use crate::render::is_hostile;

/// Writes the rows of a batch, one JSON object a line.
pub fn jsonl(out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
    let names: Vec<String> = batch.schema_ref().fields().iter().map(|field| named(field.name())).collect();
    let mut line = String::new();
    for row in 0..batch.num_rows() {
        line.clear();
        line.push('{');
        for (index, (name, column)) in names.iter().zip(batch.columns()).enumerate() {
            if index > 0 {
                line.push(',');
            }
            line.push_str(name);
            json(&mut line, column.as_ref(), row);
        }
        line.push_str("}\n");
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

fn named(name: &str) -> String {
    let mut out = String::new();
    json_text(&mut out, name);
    out.push(':');
    out
}

/// The first line of a CSV file.
pub fn csv_header(out: &mut dyn Write, schema: &SchemaRef) -> io::Result<()> {
    let names: Vec<String> = schema.fields().iter().map(|field| harmless(field.name())).collect();
    writeln_csv(out, names.iter().map(|name| quoted(name)))
}

/// Writes the rows of a batch.
pub fn csv(out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
    for row in 0..batch.num_rows() {
        writeln_csv(out, batch.columns().iter().map(|column| csv_cell(column.as_ref(), row)))?;
    }
    Ok(())
}

fn writeln_csv(out: &mut dyn Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let cells: Vec<String> = cells.collect();
    // A line with nothing in it is no row to most readers.
    let line = if cells.len() == 1 && cells[0].is_empty() { "NULL".to_owned() } else { cells.join(",") };
    out.write_all(line.as_bytes())?;
    out.write_all(b"\r\n")
}

fn csv_cell(array: &dyn Array, row: usize) -> String {
    match cell(array, row) {
        Cell::Null => String::new(),
        // Numbers are what they are, whatever they begin with.
        Cell::Plain(text) | Cell::Number(text) => text,
        Cell::Text(text) | Cell::Json(text) => quoted(&harmless(&text)),
        Cell::Bytes(_) => quoted(&harmless(&text(array, row).unwrap_or_default())),
    }
}

/// No formula, and nothing that must not reach a terminal.
fn harmless(text: &str) -> String {
    let begins = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let is_number = text.parse::<f64>().is_ok_and(f64::is_finite);
    let guard = if begins && !is_number { "'" } else { "" };
    let mut out = String::with_capacity(text.len() + 1);
    out.push_str(guard);
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(c),
            c if is_hostile(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

fn quoted(text: &str) -> String {
    let is_plain = !text.is_empty() && !text.contains([',', '"', '\n', '\r', '\t']);
    let edges = text.starts_with(' ') || text.ends_with(' ');
    // The word that stands for a line of nothing is told from the text.
    if is_plain && !edges && text != "NULL" { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_harmless_and_numbers_stay() {
        for hostile in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1+1"] {
            assert!(harmless(hostile).starts_with('\''), "{hostile:?}");
        }
        for plain in ["-2.5", "+1e3", "-0", "a=b", "x@y", ""] {
            assert_eq!(harmless(plain), plain);
        }
        assert_eq!(harmless("a\u{1b}[31m\u{202e}"), "a\\u{1b}[31m\\u{202e}");
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(quoted("a"), "a");
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(quoted("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
    }
}
