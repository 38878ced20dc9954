//! `[fidelity] dead_letter`: where the sink puts aside what it cannot write, and what in it names the message.

use std::ops::Range;

use validator_core::contract::{DeadLetter, PositionNames};
use validator_tap::TopicPattern;

use super::problem::Problem;
use super::section::Section;

/// Reads the table; none where it is not there, or wrong.
pub fn read_dead_letter(section: &Section<'_>) -> Option<DeadLetter> {
    if !section.is_present() {
        return None;
    }
    let (topic, table) = (section.optional_text("topic"), section.optional_text("table"));
    let (headers, columns) = (read_names(section, "headers"), read_names(section, "columns"));
    let misplaced = |key: &str, why: &str| {
        let problem = Problem::new(format!("`{key}` {why}")).hint(format!("take `{key}` out"));
        section.note_value(key, problem);
    };
    let read = match (topic, table) {
        (Some(_), Some(table)) => {
            let problem = Problem::new("dead letters are in a `topic` or in a `table`, not in both");
            section.note_at(problem.hint("take one of them out"), &table.span);
            None
        }
        (Some(topic), None) => {
            if TopicPattern::is(&topic.value) {
                let problem = Problem::new("dead letters are in one topic, and no pattern names it");
                section.note_at(problem.hint("name the topic that the sink puts aside to"), &topic.span);
            }
            if section.has("columns") {
                misplaced("columns", "is for dead letters of a `table`: those of a topic have `headers`");
            }
            let position = headers.unwrap_or_else(PositionNames::of_kafka_connect);
            Some(DeadLetter::Topic { topic: topic.value, position })
        }
        (None, Some(table)) => {
            if section.has("headers") {
                misplaced("headers", "is for dead letters of a `topic`: those of a table have `columns`");
            }
            refuse_no_name(section, &table.value, &table.span);
            Some(DeadLetter::Table { table: table.value, position: columns })
        }
        (None, None) => {
            if !section.has("topic") && !section.has("table") {
                let problem = Problem::new("`dead_letter` says neither `topic` nor `table`");
                section.note(problem.hint("write `dead_letter = { topic = \"trades-dlq\" }`"));
            }
            None
        }
    };
    section.finish();
    read
}

fn refuse_no_name(section: &Section<'_>, table: &str, span: &Range<usize>) {
    let parts: Vec<&str> = table.split('.').collect();
    if parts.len() < 3 || parts.iter().any(|part| part.is_empty()) {
        let problem = Problem::new(format!("`{table}` names no table"));
        section.note_at(problem.hint("write catalog.namespace.table"), span);
    }
}

/// Names of topic, partition and offset: three, two where there is one topic, one where that has one partition too.
fn read_names(section: &Section<'_>, key: &'static str) -> Option<PositionNames> {
    let item = section.item(key)?;
    let names = item.texts()?;
    if names.is_empty() || names.len() > 3 || names.iter().any(|name| name.value.trim().is_empty()) {
        let problem = Problem::new(format!("`{key}` are those of topic, partition and offset"));
        section.note_at(problem.hint(format!("write `{key} = [\"topic\", \"partition\", \"offset\"]`")), &item.span);
        return None;
    }
    let mut names = names.into_iter().map(|name| name.value).rev();
    let offset = names.next()?;
    Some(PositionNames { offset, partition: names.next(), topic: names.next() })
}
