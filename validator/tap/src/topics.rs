//! Topics by name, and by pattern as Kafka's clients subscribe: what begins with `^` is a regular expression over the names of all
//! topics (librdkafka, `rd_kafka_subscribe`).
//!
//! Contract: a pattern finds its match anywhere from the start of a name; topics of the brokers themselves (`__consumer_offsets`) match
//! none, as for Kafka's own consumer (`exclude.internal.topics`).

use std::collections::BTreeSet;

use regex::Regex;

use crate::TapError;

/// What the names of the brokers' own topics begin with.
const INTERNAL: &str = "__";

/// A pattern of topics.
#[derive(Debug, Clone)]
pub struct TopicPattern(Regex);

impl TopicPattern {
    /// Whether a text is one, and not the name of a topic.
    pub fn is(text: &str) -> bool {
        text.starts_with('^')
    }

    /// Reads one.
    ///
    /// # Errors
    /// Why it is no regular expression.
    pub fn new(text: &str) -> Result<Self, String> {
        Regex::new(text).map(Self).map_err(|error| match error {
            // Its text draws the expression over several lines.
            regex::Error::Syntax(drawn) => {
                let said = drawn.lines().last().unwrap_or_default().trim();
                said.strip_prefix("error: ").unwrap_or(said).to_owned()
            }
            other => other.to_string(),
        })
    }

    /// Whether a topic is meant.
    pub fn matches(&self, topic: &str) -> bool {
        !topic.starts_with(INTERNAL) && self.0.is_match(topic)
    }
}

/// Whether a topic is one of those asked for, by name or by pattern. What is no pattern matches nothing.
pub fn is_meant<'a>(asked: impl IntoIterator<Item = &'a String>, topic: &str) -> bool {
    asked.into_iter().any(|text| match TopicPattern::is(text) {
        true => TopicPattern::new(text).is_ok_and(|pattern| pattern.matches(topic)),
        false => text == topic,
    })
}

/// The topics that are meant: names as they are, and of those that are `there` what patterns match. A pattern without any is an error
/// only if nothing else is `known` of it.
pub(crate) fn meant<'a>(
    asked: impl IntoIterator<Item = &'a String>,
    there: impl FnOnce() -> Result<Vec<String>, TapError>,
    known: bool,
) -> Result<BTreeSet<String>, TapError> {
    let (patterns, names): (Vec<&String>, Vec<&String>) = asked.into_iter().partition(|text| TopicPattern::is(text));
    let mut meant: BTreeSet<String> = names.into_iter().cloned().collect();
    if patterns.is_empty() {
        return Ok(meant);
    }
    let there = there()?;
    for text in patterns {
        let pattern = TopicPattern::new(text).map_err(|why| TapError::BadPattern { pattern: text.clone(), why })?;
        let matching = there.iter().filter(|topic| pattern.matches(topic));
        if !known && matching.clone().next().is_none() {
            return Err(TapError::NoTopicMatches { pattern: text.clone(), there: there.len() });
        }
        meant.extend(matching.cloned());
    }
    Ok(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there() -> Result<Vec<String>, TapError> {
        let topics = ["__consumer_offsets", "trades.a", "trades.b", "old.trades.c", "trades"];
        Ok(topics.map(str::to_owned).to_vec())
    }

    fn meant_by(asked: &[&str], known: bool) -> Result<Vec<String>, TapError> {
        let asked: Vec<String> = asked.iter().map(|text| (*text).to_owned()).collect();
        Ok(meant(&asked, there, known)?.into_iter().collect())
    }

    #[test]
    fn names_are_taken_as_they_are_and_patterns_by_what_is_there() {
        assert_eq!(meant_by(&["nowhere"], false).expect("a name"), ["nowhere"]);
        assert_eq!(meant_by(&["^trades\\."], false).expect("two match"), ["trades.a", "trades.b"]);
        assert_eq!(meant_by(&["^trades$", "other"], false).expect("one matches"), ["other", "trades"]);
        assert_eq!(meant_by(&["^.*"], false).expect("all match").len(), 4, "the brokers' own are none of them");
        assert_eq!(meant_by(&["^__consumer", "^trades$"], true).expect("known"), ["trades"]);
    }

    #[test]
    fn a_pattern_of_nothing_is_an_error_unless_its_topics_are_known() {
        let error = meant_by(&["^quotes\\."], false).expect_err("nothing matches");
        assert_eq!(error.to_string(), "no topic matches ^quotes\\. (the brokers show 5 topics)");
        assert!(meant_by(&["^quotes\\."], true).expect("it had some").is_empty());
        let error = meant_by(&["^trades("], false).expect_err("it is no expression");
        assert_eq!(error.to_string(), "`^trades(` is no pattern of topics: unclosed group");
    }

    #[test]
    fn nobody_is_asked_where_there_is_no_pattern() {
        let asked = ["trades".to_owned()];
        let names = meant(&asked, || panic!("asked"), false).expect("a name");
        assert_eq!(names.len(), 1);
    }
}
