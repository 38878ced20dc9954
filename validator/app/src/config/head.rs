//! `[pipeline]`: name, topics, table, format and what is read of them.

use toml::de::DeValue;
use validator_core::contract::{Format, NullPayload};
use validator_tap::TopicPattern;

use super::bound::Edge;
use super::problem::Problem;
use super::section::Section;
use super::service::read_poll;
use super::walk::Located;

/// Formats of this release, as `format` names them.
pub const FORMATS: [(&str, Format); 4] =
    [("json", Format::Json), ("avro", Format::Avro), ("bytes", Format::Bytes), ("parquet", Format::Parquet)];

/// What `null_payload` can be.
pub const NULL_PAYLOADS: [(&str, NullPayload); 2] = [("exclude", NullPayload::Exclude), ("row", NullPayload::Row)];

/// What `[pipeline]` says; what must be there and is not was noted.
pub struct Head {
    /// `name`
    pub name: Option<String>,
    /// `topic` or `topics`; at least one
    pub topics: Option<Vec<String>>,
    /// `table`, three parts at least
    pub table: Option<String>,
    /// `format`
    pub format: Option<Format>,
    /// `schema`, as written
    pub schema: Option<String>,
    /// `start`; none is the earliest
    pub start: Option<Edge>,
    /// `filter`
    pub filter: Option<String>,
    /// `row_filter`
    pub row_filter: Option<String>,
    /// How often `run` looks at the table, in milliseconds.
    pub poll_ms: Option<i64>,
    /// `null_payload`; its default depends on the format
    pub null_payload: Option<NullPayload>,
}

pub fn read_head(section: &Section<'_>) -> Option<Head> {
    if !section.is_present() {
        section.note(
            Problem::new("the file has no [pipeline]")
                .hint("a pipeline file starts with [pipeline]: name, topic, table, format"),
        );
        return None;
    }
    let name = section.required_text("name", "name = \"trades\"");
    let topics = read_topics(section);
    let table = section.required_text("table", "table = \"lake.market_data.trades\"");
    let table = table.filter(|table| {
        let whole = table.value.split('.').count() >= 3 && table.value.split('.').all(|part| !part.is_empty());
        if !whole {
            let message = format!("`table` is catalog.namespace.table, not \"{}\"", table.value);
            section.note_at(Problem::new(message), &table.span);
        }
        whole
    });
    if !section.has("format") {
        section.missing("format", "format = \"json\"");
    }
    let format = section.choice("format", &FORMATS, &["protobuf"]);
    let schema = section.optional_text("schema");
    if let (Some(schema), Some(format)) = (&schema, &format)
        && format.value != Format::Avro
    {
        section.note_at(Problem::new("`schema` is for `format = \"avro\"`").hint("take `schema` out"), &schema.span);
    }
    let start = read_start(section);
    let filter = section.optional_text("filter");
    let row_filter = section.optional_text("row_filter");
    let null_payload = section.choice("null_payload", &NULL_PAYLOADS, &[]);
    let poll_ms = read_poll(section);
    section.finish();
    Some(Head {
        name: name.map(|name| name.value),
        topics,
        table: table.map(|table| table.value),
        format: format.map(|format| format.value),
        schema: schema.map(|schema| schema.value),
        start,
        filter: filter.map(|filter| filter.value),
        row_filter: row_filter.map(|filter| filter.value),
        poll_ms,
        null_payload: null_payload.map(|null_payload| null_payload.value),
    })
}

fn read_topics(section: &Section<'_>) -> Option<Vec<String>> {
    let one = section.optional_text("topic");
    let many = section.item("topics");
    let topics = match (one, many) {
        (Some(_), Some(many)) => {
            section
                .note_at(Problem::new("give `topic` or `topics`, not both").hint("take `topic` out"), &many.key_span);
            return None;
        }
        (Some(one), None) => vec![one],
        (None, Some(many)) => {
            let topics = many.texts()?;
            if topics.is_empty() {
                section.note_at(Problem::new("`topics` is empty"), &many.span);
            }
            topics
        }
        (None, None) => {
            if !section.has("topic") {
                section.missing("topic", "topic = \"market.crypto.trades\"");
            }
            return None;
        }
    };
    for (index, topic) in topics.iter().enumerate() {
        check_topic(section, topic);
        if topics[..index].iter().any(|earlier| earlier.value == topic.value) {
            section.note_at(Problem::new(format!("`topics` names `{}` twice", topic.value)), &topic.span);
        }
    }
    Some(topics.into_iter().map(|topic| topic.value).collect())
}

/// A pattern, or Kafka's own rule for topic names: 1 to 249 of letters, digits, `.`, `_` and `-`.
fn check_topic(section: &Section<'_>, topic: &Located<String>) {
    if TopicPattern::is(&topic.value) {
        if let Err(why) = TopicPattern::new(&topic.value) {
            let problem = Problem::new(format!("no pattern of topics: {why}"));
            let hint = "what begins with `^` is a regular expression over the names of topics: `^market\\.trades\\.`";
            section.note_at(problem.hint(hint), &topic.span);
        }
        return;
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if topic.value.is_empty() || topic.value.len() > 249 || !topic.value.chars().all(legal) {
        let problem = Problem::new("no topic can have this name")
            .hint("a topic's name is 1 to 249 letters, digits, `.`, `_` and `-`; a pattern begins with `^`");
        section.note_at(problem, &topic.span);
    }
}

/// `start` is a whole number, a string of `OFFSETS` or `TIME`, or a TOML date-time.
fn read_start(section: &Section<'_>) -> Option<Edge> {
    let item = section.item("start")?;
    let text = match item.value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::String(_) => item.text()?.value,
        _ => return item.wrong("an offset, offsets by partition or a time"),
    };
    match Edge::parse_from(&text) {
        Ok(Edge::Earliest) => None,
        Ok(edge) => Some(edge),
        Err(error) => {
            section.note_at(Problem::new(format!("`start` cannot be \"{text}\": {error}")), &item.span);
            None
        }
    }
}
