//! What no section of a pipeline file can see alone: keys of two sections that contradict each other.

use std::ops::Range;

use toml::de::DeValue;
use validator_core::contract::{Envelope, Format, RecordedSource};
use validator_tap::TopicPattern;

use super::problem::Problem;
use super::section::Section;

/// Notes every contradiction.
pub fn refuse_contradictions(root: &Section<'_>, format: Option<Format>, source: Option<&RecordedSource>) {
    let map = root.section("map");
    let ignore = root.section("compare").section("ignore");
    for item in ignore.entries().iter().filter(|item| map.has(&item.key)) {
        let problem = Problem::new(format!("column `{}` is mapped in [map] and ignored here", item.key));
        ignore.note_at(problem.hint("keep one of the two"), &item.key_span);
    }
    let identity = root.section("identity");
    let columns = identity.entries().into_iter().find(|item| item.key == "columns").and_then(|item| item.texts());
    for column in columns.iter().flatten() {
        let whole = column.value.split('.').next().unwrap_or_default();
        for item in ignore.entries().iter().filter(|item| item.key == column.value || item.key == whole) {
            let problem = Problem::new(format!("column `{}` is part of the identity and cannot be ignored", item.key));
            ignore.note_at(problem.hint(format!("take `{}` out", item.key)), &item.key_span);
        }
    }
    let window = identity.entries().into_iter().find(|item| item.key == "window").and_then(|item| item.text());
    if let Some(window) = window {
        let whole = window.value.split('.').next().unwrap_or_default();
        for item in ignore.entries().iter().filter(|item| item.key == window.value || item.key == whole) {
            let problem =
                Problem::new(format!("column `{}` is the window of the identity and cannot be ignored", item.key));
            ignore.note_at(problem.hint(format!("take `{}` out", item.key)), &item.key_span);
        }
    }
    let fields = root.section("fields");
    if format.is_some_and(|format| format != Format::Json) && fields.is_present() {
        let message = "[fields] is for `format = \"json\"`: other formats know the types of their fields";
        fields.note(Problem::new(message).hint("take [fields] out"));
    }
    if let Some(source) = source {
        refuse_source(root, format, source);
    }
}

/// Files whose messages cannot lie so.
/// Where the file names topics by a pattern.
fn pattern(root: &Section<'_>) -> Option<Range<usize>> {
    let section = root.section("pipeline");
    let is_pattern = |value: &DeValue<'_>| matches!(value, DeValue::String(text) if TopicPattern::is(text));
    let one = section.item("topic").filter(|item| is_pattern(item.value)).map(|item| item.span);
    one.or_else(|| {
        let many = section.item("topics")?;
        let DeValue::Array(values) = many.value else { return None };
        values.iter().find(|value| is_pattern(value.get_ref())).map(|value| value.span())
    })
}

fn refuse_source(root: &Section<'_>, format: Option<Format>, source: &RecordedSource) {
    let section = root.section("source");
    let plain = source.envelope == Envelope::None;
    if format == Some(Format::Parquet) && !plain {
        let problem = Problem::new("`format = \"parquet\"` is for `envelope = \"none\"`: rows that are messages");
        section.note(problem.hint("payloads in the rows of a file with topic, partition and offset are json or avro"));
    }
    if plain && let Some(topics) = pattern(root) {
        let problem = Problem::new("messages recorded without their topic match no pattern");
        root.section("pipeline").note_at(problem.hint("name the topic that they are of"), &topics);
    }
    if format == Some(Format::Avro) && plain && root.section("pipeline").has("schema") {
        let problem = Problem::new("Avro files hold their own schema: `schema` in [pipeline] means nothing here");
        section.note(problem.hint("take `schema` out"));
    }
    let is_rows = |file: &String| file.ends_with(".parquet");
    if format.is_some_and(|format| format != Format::Parquet) && plain && source.files.iter().any(is_rows) {
        let problem = Problem::new("rows of Parquet files that are messages are `format = \"parquet\"`");
        section.note(problem.hint("files with topic, partition, offset, key and value are `envelope = \"table\"`"));
    }
}
