//! The keys of report.json and findings.jsonl.

use super::{cell, table};
use crate::schema::{FINDING, Field, REPORT, Shape};

/// report.json
pub fn report() -> String {
    format!(
        "# report.json\n\nWhat `validator reconcile --report FILE.json` writes: one object. All keys are always there; a \
         figure that was not looked at is null, never 0. Its JSON Schema: [report.schema.json](report.schema.json).\n\n{}",
        keys(REPORT)
    )
}

/// findings.jsonl
pub fn findings() -> String {
    format!(
        "# findings.jsonl\n\nWhat `validator reconcile --findings FILE.jsonl` writes: one object a line, those of messages by \
         topic, partition and offset, then those of rows, then those of files and the table. All keys are always there. Its \
         JSON Schema: [finding.schema.json](finding.schema.json). The words: [verdicts, causes and damage](verdicts.md).\n\n{}",
        keys(FINDING)
    )
}

fn keys(fields: &[Field]) -> String {
    let mut rows = Vec::new();
    add("", fields, &mut rows);
    table(&["key", "value", "means"], rows)
}

fn add(prefix: &str, fields: &[Field], rows: &mut Vec<Vec<String>>) {
    for field in fields {
        let path = format!("{prefix}{}", field.name);
        rows.push(vec![format!("`{path}`"), kind(field.shape), cell(field.says)]);
        let (shape, mark) = match field.shape {
            Shape::List(inner) => (*inner, "[]"),
            other => (other, ""),
        };
        // The counts of a partition are those of the total.
        if let Shape::Object(inner) = shape
            && !(mark.is_empty() && prefix == "partitions[].")
        {
            add(&format!("{path}{mark}."), inner, rows);
        }
    }
}

fn kind(shape: Shape) -> String {
    match shape {
        Shape::Const(text) => format!("`{text}`"),
        Shape::Text => "text".to_owned(),
        Shape::Hash => "64 hexadecimal digits".to_owned(),
        Shape::Instant => "time".to_owned(),
        Shape::Count | Shape::Whole => "whole number".to_owned(),
        Shape::Share => "number, 0 to 1".to_owned(),
        Shape::Flag => "true or false".to_owned(),
        Shape::Any => "any".to_owned(),
        Shape::Words(words) => {
            let words = words();
            let few = words.len() <= 5;
            let list = || words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
            if few { list() } else { "[a word](verdicts.md)".to_owned() }
        }
        Shape::OrNull(inner) => format!("{} or null", kind(*inner)),
        Shape::List(inner) => match inner {
            Shape::Object(_) => "list".to_owned(),
            other => format!("list of {}", kind(*other)),
        },
        Shape::Object(_) | Shape::Named | Shape::ByWord(..) => "object".to_owned(),
    }
}
