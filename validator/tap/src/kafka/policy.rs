//! What brokers do with a topic's messages once they are old: its cleanup policy and its retention.
//!
//! Contract: what was said is held for a while; that nobody answered is not held for what somebody said.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::client::{Ahead, Clients, Deadline, Isolation, Quiet, let_go};
use super::open::Asker;
use crate::limits;

/// What the brokers say of a topic; of what they do not say (no right to, no such request) nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Policy {
    /// Whether `cleanup.policy` holds `compact`.
    pub is_compacted: Option<bool>,
    /// `retention.ms`, where messages go by it.
    pub retention_ms: Option<i64>,
}

/// An answer, or that there was none, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    at: Instant,
    /// How long an answer was waited for.
    patience: Duration,
    answered: Option<Policy>,
}

impl Asked {
    /// What is known by now of a topic of which `before` was; asks where that is too old, or nobody answered who was waited for less.
    pub(super) fn again(before: Option<Self>, patience: Duration, ask: impl FnOnce() -> Option<Policy>) -> Self {
        let is_fresh = |asked: &Self| match asked.answered {
            Some(_) => asked.at.elapsed() < limits::POLICY_KEPT,
            None => asked.patience >= patience && asked.at.elapsed() < limits::POLICY_ASKED_AGAIN,
        };
        match before.filter(is_fresh) {
            Some(fresh) => fresh,
            None => {
                let answered = ask().or(before.and_then(|before| before.answered));
                Self { at: Instant::now(), patience, answered }
            }
        }
    }

    /// What was said; none: nobody answered.
    pub(super) fn answered(&self) -> Option<Policy> {
        self.answered
    }
}

/// Asks for it; none: nobody answered.
pub(super) fn ask(clients: &Clients, topic: &str, timeout: Duration) -> Option<Policy> {
    let consumer = clients.consumer(Isolation::Committed, Ahead::Little).ok()?;
    let asker = Asker { consumer: &consumer, deadline: Deadline::after(timeout), clients, silence: None };
    let mut config = clients.config(Isolation::Committed, Ahead::Little);
    // Properties of consumers only; an admin client would warn of each.
    for name in
        ["group.id", "isolation.level", "enable.auto.commit", "enable.auto.offset.store", "enable.partition.eof"]
    {
        config.remove(name);
    }
    let admin = AdminClient::from_config_and_context(&config, Quiet).ok()?;
    // Any broker can say it. Left to itself the client would wait for the controller, which may not be one that
    // clients can reach (KRaft), and which librdkafka's mock cluster does not have.
    let brokers = asker.brokers(topic).ok()?;
    let mut policy = None;
    for broker in brokers.into_iter().take(limits::POLICY_BROKERS) {
        let each = asker.deadline.left() / 2;
        let options = AdminOptions::new().broker_id(broker).request_timeout(Some(each.max(limits::POLL)));
        match futures::executor::block_on(admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &options)) {
            Ok(resources) => {
                policy = Some(resources.into_iter().next().and_then(Result::ok).map_or_else(Policy::default, said));
                break;
            }
            Err(error) => {
                tracing::debug!(%error, topic, broker, "the topic's policy cannot be read");
                if !is_silence(&error) {
                    policy = Some(Policy::default());
                }
            }
        }
    }
    let_go(admin);
    policy
}

/// Whether nobody has answered: whoever is asked later may.
fn is_silence(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::TimedOutQueue
                | Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::NodeUpdate
        )
    )
}

fn said(config: ConfigResource) -> Policy {
    let value = |name: &str| config.get(name).and_then(|entry| entry.value.clone());
    let policy = value("cleanup.policy");
    let has = |word: &str| policy.as_ref().map(|policy| policy.split(',').any(|one| one.trim() == word));
    let retention_ms = value("retention.ms").and_then(|text| text.parse().ok()).filter(|ms| *ms >= 0);
    Policy { is_compacted: has("compact"), retention_ms: retention_ms.filter(|_| has("delete") == Some(true)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_held_and_silence_is_not_taken_for_one() {
        let compacted = Policy { is_compacted: Some(true), retention_ms: None };
        let (short, long) = (Duration::from_secs(2), Duration::from_secs(30));
        let silent = Asked::again(None, short, || None);
        assert_eq!(silent.answered(), None);
        let soon = Asked::again(Some(silent), short, || panic!("it was just asked"));
        let answered = Asked::again(Some(soon), long, || Some(compacted));
        assert_eq!(answered.answered(), Some(compacted), "who waits for longer asks");
        let long_ago = |asked: Asked, by: Duration| {
            asked.at.checked_sub(by + Duration::from_secs(1)).map(|at| Asked { at, ..asked })
        };
        let Some(old) = long_ago(soon, limits::POLICY_ASKED_AGAIN) else { return };
        assert_eq!(Asked::again(Some(old), short, || Some(compacted)).answered(), Some(compacted));
        let Some(old) = long_ago(answered, limits::POLICY_ASKED_AGAIN) else { return };
        assert_eq!(Asked::again(Some(old), long, || panic!("it is known")).answered(), Some(compacted));
        let Some(old) = long_ago(answered, limits::POLICY_KEPT) else { return };
        assert_eq!(
            Asked::again(Some(old), long, || None).answered(),
            Some(compacted),
            "it was, as far as anybody knows"
        );
    }
}
