//! The cleanup policy of a topic.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig;

use super::client::{Ahead, Clients, Isolation, let_go};

/// Whether `cleanup.policy` holds `compact`; `None` where the brokers do not say (no right to, no such request, no answer).
pub(super) fn compacted(clients: &Clients, topic: &str, timeout: Duration) -> Option<bool> {
    let mut config = clients.config(Isolation::Committed, Ahead::Little);
    // Properties of consumers only; an admin client would warn of each.
    for name in
        ["group.id", "isolation.level", "enable.auto.commit", "enable.auto.offset.store", "enable.partition.eof"]
    {
        config.remove(name);
    }
    let admin = AdminClient::<DefaultClientContext>::from_config(&config).ok()?;
    let options = AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout));
    let described = futures::executor::block_on(admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &options));
    let_go(admin);
    match described {
        Ok(resources) => {
            let resource = resources.into_iter().next()?.ok()?;
            let policy = resource.get("cleanup.policy")?.value.as_deref()?.to_owned();
            Some(policy.split(',').any(|word| word.trim() == "compact"))
        }
        Err(error) => {
            tracing::debug!(%error, topic, "the topic's policy cannot be read");
            None
        }
    }
}
