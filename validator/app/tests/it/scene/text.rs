//! Messages and rows in one line each; `|` or a line's end stands between two.
//!
//! ```text
//! 0@7 a 1.5            partition 0, offset 7, id a, price 1.5
//! q:0@7/+90 a 1.5 +30  topic q, Kafka timestamp 90 s after the epoch of scenes, column at 30 s after it
//! 0@7/- a -            no Kafka timestamp; a price of null
//! 0@7 null             a null payload
//! 0@7 null {"id": "a"} a null payload with that Kafka key
//! 0@7 {"id": 1}        that payload
//! a 1.5 +30            a row of a key or content scene
//! ```
//! A row's topic, partition or offset may be `-`, NULL.

use fixtures_kit::value::Value;

use super::{EPOCH_MS, Message, Mode};

/// The topic of whatever names no other.
pub const TOPIC: &str = "trades";

pub fn messages(text: &str) -> Vec<Message> {
    items(text).map(message).collect()
}

pub fn rows(mode: Mode, text: &str) -> Vec<Vec<Value>> {
    let row = |item: &str| match mode {
        Mode::Offset => {
            let (place, rest) = item.split_once(' ').expect("a row is a place and its values");
            let [topic, partition, offset] = place_of(place);
            [vec![topic.map_or(Value::Null, Value::text)], vec![integer(partition), integer(offset)], values(rest)]
                .concat()
        }
        Mode::Key | Mode::KeyPlain | Mode::Content | Mode::ContentPlain | Mode::Upsert | Mode::UpsertByMap => {
            values(item)
        }
    };
    items(text).map(row).collect()
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '|']).map(str::trim).filter(|item| !item.is_empty())
}

fn message(item: &str) -> Message {
    let (place, rest) = item.split_once(' ').expect("a message is a place and what it says");
    let (place, time) = place.split_once('/').unwrap_or((place, "+0"));
    let [topic, partition, offset] = place_of(place).map(|part| part.expect("a message has a place"));
    Message {
        topic: topic.to_owned(),
        partition: partition.parse().expect("partitions are numbers"),
        offset: offset.parse().expect("offsets are numbers"),
        timestamp_ms: (time != "-").then(|| EPOCH_MS + seconds(time) * 1000),
        key: rest.trim().strip_prefix("null ").map(|key| key.as_bytes().to_vec()),
        payload: payload(rest.trim()),
    }
}

fn payload(text: &str) -> Option<Vec<u8>> {
    if text == "null" || text.starts_with("null ") {
        return None;
    }
    if text.starts_with('{') {
        return Some(text.as_bytes().to_vec());
    }
    let (id, price, at) = parts(text);
    let quoted = |text: &str| if text == "-" { "null".to_owned() } else { format!("{text:?}") };
    let at = at.map_or("null".to_owned(), |at| {
        let instant = chrono::DateTime::from_timestamp_millis(EPOCH_MS + at * 1000).expect("scenes play in 2024");
        format!("\"{}\"", instant.format("%Y-%m-%dT%H:%M:%SZ"))
    });
    Some(format!("{{\"id\": {}, \"price\": {}, \"at\": {at}}}", quoted(id), quoted(price)).into_bytes())
}

/// id, price and seconds after the epoch.
fn parts(text: &str) -> (&str, &str, Option<i64>) {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        [id, price] => (id, price, Some(0)),
        [id, price, "-"] => (id, price, None),
        [id, price, at] => (id, price, Some(seconds(at))),
        _ => panic!("`{text}` is not id, price and perhaps a time"),
    }
}

fn values(text: &str) -> Vec<Value> {
    let (id, price, at) = parts(text);
    let id = if id == "-" { Value::Null } else { Value::text(id) };
    let at = at.map_or(Value::Null, |at| Value::instant((EPOCH_MS + at * 1000) * 1000));
    vec![id, decimal(price), at]
}

fn decimal(text: &str) -> Value {
    if text == "-" {
        return Value::Null;
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let unscaled = format!("{whole}{fraction}").parse().expect("prices are decimals");
    Value::decimal(unscaled, u8::try_from(fraction.len()).expect("prices are short"))
}

fn seconds(text: &str) -> i64 {
    text.parse().expect("times are seconds with their sign: +30")
}

fn place_of(text: &str) -> [Option<&str>; 3] {
    let (topic, rest) = text.split_once(':').unwrap_or((TOPIC, text));
    let (partition, offset) = rest.split_once('@').expect("a place is partition@offset");
    [topic, partition, offset].map(|part| (part != "-").then_some(part))
}

fn integer(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |text| Value::long(text.parse().expect("partitions and offsets are numbers")))
}
