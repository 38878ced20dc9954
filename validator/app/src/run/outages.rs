//! What cannot be asked, in the log.
//!
//! Contract: it is said when it begins and once in [`OUTAGE_SAID_EVERY`] while it lasts, however often it is asked; what is said in
//! other words is another thing.

use std::collections::BTreeMap;
use std::time::Instant;

use super::limits::{OUTAGE_SAID_EVERY, OUTAGES_SAID};

/// See the module.
#[derive(Debug, Default)]
pub struct Outages {
    said: BTreeMap<String, Instant>,
}

impl Outages {
    /// Says it, unless it was said a short while ago.
    pub fn say(&mut self, pipeline: &str, text: &str) {
        if self.is_news(text, Instant::now()) {
            tracing::warn!(pipeline, "{text}");
        } else {
            tracing::debug!(pipeline, "{text}");
        }
    }

    fn is_news(&mut self, text: &str, now: Instant) -> bool {
        self.said.retain(|_, at| now.duration_since(*at) < OUTAGE_SAID_EVERY);
        let is_news = !self.said.contains_key(text);
        if is_news && self.said.len() < OUTAGES_SAID {
            self.said.insert(text.to_owned(), now);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_lasts_is_said_once_in_a_while() {
        let (mut outages, begun) = (Outages::default(), Instant::now());
        let mut said = Vec::new();
        for second in 0..150 {
            if outages.is_news("the catalog is away", begun + Duration::from_secs(second)) {
                said.push(second);
            }
        }
        assert_eq!(said, [0, 60, 120]);
        assert!(outages.is_news("the brokers are away", begun + Duration::from_secs(150)));
    }

    #[test]
    fn words_that_always_differ_are_said_and_not_kept() {
        let (mut outages, now) = (Outages::default(), Instant::now());
        assert!((0..1_000).all(|n| outages.is_news(&n.to_string(), now)));
        assert_eq!(outages.said.len(), OUTAGES_SAID);
    }
}
