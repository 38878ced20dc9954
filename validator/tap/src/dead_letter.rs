//! Which message a dead letter of a topic is of, and why it was put aside: read out of its headers.
//!
//! Contract: headers are written by others and may hold anything. What is said of the cause is bounded and holds no
//! character that a terminal must not see. Sources: KIP-298 and `DeadLetterQueueReporter` of Kafka Connect, which writes
//! numbers as text; Spring's `DeadLetterPublishingRecoverer`, which writes them as 4 and 8 bytes, big-endian.

use validator_core::contract::PositionNames;
use validator_core::harmless::is_hostile;
use validator_core::position::TopicPartition;

use crate::{Header, limits};

/// Headers that name the class of an error, of the sinks that are known.
const CLASSES: [&str; 2] = ["__connect.errors.exception.class.name", "kafka_dlt-exception-fqcn"];
/// The header that names who put it aside.
const CONNECTOR: &str = "__connect.errors.connector.name";
/// Headers with its message.
const MESSAGES: [&str; 2] = ["__connect.errors.exception.message", "kafka_dlt-exception-message"];

/// What the headers of a dead letter say of where its message stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// At this offset of a topic that was asked for.
    At(TopicPartition, i64),
    /// In another topic.
    Elsewhere,
    /// Nothing that names a message.
    Unknown,
}

/// The cause that the headers of a dead letter give.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cause {
    /// The class of the error.
    pub class: Option<String>,
    /// Its message, which may hold values of the message.
    pub message: Option<String>,
}

/// Where the message of a dead letter with these headers stood. A letter that was put aside again has a position for each
/// time: the last one in one of the `topics` counts.
pub fn origin(headers: &[Header], names: &PositionNames, topics: &[String]) -> Origin {
    let all = |name: &str| -> Vec<&[u8]> {
        headers.iter().filter(|(key, _)| key == name).filter_map(|(_, value)| value.as_deref()).collect()
    };
    let offsets = all(&names.offset);
    let of = |name: &Option<String>| name.as_deref().map(all);
    let (of_topics, of_partitions) = (of(&names.topic), of(&names.partition));
    // Headers of several times come in as many threes; where one of them is not whole, none can be told from another.
    let is_even = |values: &Option<Vec<&[u8]>>| values.as_ref().is_none_or(|values| values.len() == offsets.len());
    let times = if is_even(&of_topics) && is_even(&of_partitions) { offsets.len() } else { 0 };
    let mut found = Origin::Unknown;
    for back in 1..=times {
        let nth = |values: &[&[u8]]| values.len().checked_sub(back).map(|at| values[at].to_vec());
        let topic = match (&of_topics, topics) {
            (Some(values), _) => nth(values).and_then(|topic| String::from_utf8(topic).ok()),
            (None, [topic]) => Some(topic.clone()),
            (None, _) => None,
        };
        let partition = match &of_partitions {
            Some(values) => nth(values).and_then(|value| i32::try_from(number(&value)?).ok()),
            None => Some(0),
        };
        let offset = nth(&offsets).and_then(|value| number(&value));
        let (Some(topic), Some(partition), Some(offset)) = (topic, partition, offset) else { continue };
        if topics.contains(&topic) {
            return Origin::At(TopicPartition { topic, partition }, offset);
        }
        found = Origin::Elsewhere;
    }
    found
}

/// The connector that put it aside.
pub fn connector(headers: &[Header]) -> Option<String> {
    let named = headers.iter().rev().find(|(key, _)| key == CONNECTOR);
    named.and_then(|(_, value)| said(value.as_deref()?, limits::DEAD_LETTER_CLASS_CHARS))
}

/// Why it was put aside, as far as the headers say.
pub fn cause(headers: &[Header]) -> Cause {
    let last = |names: &[&str], most: usize| {
        let named = headers.iter().rev().find(|(key, _)| names.contains(&key.as_str()));
        named.and_then(|(_, value)| said(value.as_deref()?, most))
    };
    Cause {
        class: last(&CLASSES, limits::DEAD_LETTER_CLASS_CHARS),
        message: last(&MESSAGES, limits::DEAD_LETTER_MESSAGE_CHARS),
    }
}

/// Decimal text, or 4 or 8 bytes big-endian: bytes that are all text would be numbers that no topic has.
fn number(bytes: &[u8]) -> Option<i64> {
    if bytes.iter().all(u8::is_ascii_graphic) {
        let is_number = bytes.iter().all(u8::is_ascii_digit);
        return std::str::from_utf8(bytes).ok().filter(|_| is_number)?.parse().ok();
    }
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(i32::from_be_bytes(bytes).into());
    }
    <[u8; 8]>::try_from(bytes).ok().map(i64::from_be_bytes)
}

/// The beginning of a text in one line, what is hostile in it replaced.
fn said(bytes: &[u8], most: usize) -> Option<String> {
    // No character has more than four bytes.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * most + 4)]);
    let mut line = String::new();
    let mut words = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    line.extend(words.by_ref().take(most).map(|c| if is_hostile(c) { char::REPLACEMENT_CHARACTER } else { c }));
    if words.next().is_some() {
        line.push('…');
    }
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(&str, &[u8])]) -> Vec<Header> {
        of.iter().map(|(name, value)| ((*name).to_owned(), Some(value.to_vec()))).collect()
    }

    fn connect(topic: &str, partition: &str, offset: &str) -> Vec<Header> {
        headers(&[
            ("__connect.errors.topic", topic.as_bytes()),
            ("__connect.errors.partition", partition.as_bytes()),
            ("__connect.errors.offset", offset.as_bytes()),
        ])
    }

    fn at(partition: i32, offset: i64) -> Origin {
        Origin::At(TopicPartition { topic: "trades".to_owned(), partition }, offset)
    }

    fn origin_of(headers: &[Header]) -> Origin {
        origin(headers, &PositionNames::of_kafka_connect(), &["trades".to_owned()])
    }

    #[test]
    fn connects_headers_name_the_message() {
        assert_eq!(origin_of(&connect("trades", "3", "1234")), at(3, 1234));
        assert_eq!(origin_of(&connect("quotes", "3", "1234")), Origin::Elsewhere);
        assert_eq!(origin_of(&connect("trades", "3", "")), Origin::Unknown);
        assert_eq!(origin_of(&connect("trades", "many", "1")), Origin::Unknown, "four bytes of text are no number");
        assert_eq!(origin_of(&connect("trades", "3", "12345.78")), Origin::Unknown, "nor are eight");
        assert_eq!(origin_of(&connect("trades", "3", "99999999999999999999")), Origin::Unknown);
        assert_eq!(origin_of(&headers(&[("x", b"1")])), Origin::Unknown);
    }

    #[test]
    fn a_letter_that_was_put_aside_again_is_still_of_its_first_message() {
        let twice = [connect("trades", "1", "5"), connect("trades-dlq", "0", "77")].concat();
        assert_eq!(origin_of(&twice), at(1, 5));
        let twice = [connect("trades", "1", "5"), connect("trades", "2", "6")].concat();
        assert_eq!(origin_of(&twice), at(2, 6));
        // A topic without its partition would make other threes.
        let torn = [headers(&[("__connect.errors.topic", b"trades")]), connect("quotes", "0", "77")].concat();
        assert_eq!(origin_of(&torn), Origin::Unknown);
        let torn = [connect("trades", "1", "5"), headers(&[("__connect.errors.topic", b"trades")])].concat();
        assert_eq!(origin_of(&torn), Origin::Unknown, "no offset of one time goes with a topic of another");
    }

    #[test]
    fn numbers_of_other_sinks_are_bytes() {
        let names = PositionNames {
            topic: Some("kafka_dlt-original-topic".to_owned()),
            partition: Some("kafka_dlt-original-partition".to_owned()),
            offset: "kafka_dlt-original-offset".to_owned(),
        };
        let spring = headers(&[
            ("kafka_dlt-original-topic", b"trades"),
            ("kafka_dlt-original-partition", &7_i32.to_be_bytes()),
            ("kafka_dlt-original-offset", &808_464_433_i64.to_be_bytes()),
        ]);
        assert_eq!(origin(&spring, &names, &["trades".to_owned()]), at(7, 808_464_433));
    }

    #[test]
    fn what_is_not_named_must_be_the_only_one() {
        let alone = PositionNames { topic: None, partition: None, offset: "o".to_owned() };
        let letter = headers(&[("o", b"9")]);
        assert_eq!(origin(&letter, &alone, &["trades".to_owned()]), at(0, 9));
        assert_eq!(origin(&letter, &alone, &["trades".to_owned(), "quotes".to_owned()]), Origin::Unknown);
    }

    #[test]
    fn a_hostile_cause_is_bounded_and_harmless() {
        let long = format!("bad\u{1b}[31m\u{202e}gpj\n{}", "x".repeat(10_000));
        let found = cause(&headers(&[
            ("__connect.errors.exception.class.name", b"org.apache.kafka.connect.errors.DataException"),
            ("__connect.errors.exception.message", long.as_bytes()),
        ]));
        assert_eq!(found.class.as_deref(), Some("org.apache.kafka.connect.errors.DataException"));
        let message = found.message.expect("there is one");
        assert!(message.starts_with("bad\u{fffd}[31m\u{fffd}gpj xxx") && message.ends_with("x…"), "{message}");
        assert_eq!(message.chars().count(), limits::DEAD_LETTER_MESSAGE_CHARS + 1);
        assert_eq!(message.chars().find(|c| is_hostile(*c)), None);
        assert_eq!(cause(&headers(&[("__connect.errors.exception.message", b" \n")])), Cause::default());
        assert_eq!(
            cause(&headers(&[("__connect.errors.exception.message", &[0xff, 0xfe])])).message.as_deref(),
            Some("\u{fffd}\u{fffd}")
        );
    }
}
