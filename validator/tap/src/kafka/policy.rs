//! The cleanup policy of a topic.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::config::FromClientConfigAndContext;

use super::client::{Ahead, Clients, Deadline, Isolation, Quiet, let_go};
use super::open::Asker;
use crate::limits;

/// Whether `cleanup.policy` holds `compact`; `None` where the brokers do not say (no right to, no such request, no answer).
pub(super) fn compacted(clients: &Clients, topic: &str, timeout: Duration) -> Option<bool> {
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
                policy = resources.into_iter().next().and_then(Result::ok);
                break;
            }
            Err(error) => tracing::debug!(%error, topic, broker, "the topic's policy cannot be read"),
        }
    }
    let_go(admin);
    let policy = policy?.get("cleanup.policy")?.value.clone()?;
    Some(policy.split(',').any(|word| word.trim() == "compact"))
}
