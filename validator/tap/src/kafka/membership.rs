//! Membership in a consumer group of the fleet's own: which partitions fall to this member.
//!
//! Contract: it says who reads what and nothing else. No message is read through it, no offset is committed, no position is asked
//! of it. Members are static, so that one that starts again within the session time gets what it had, and partitions move one by
//! one (cooperative-sticky). That two members have one partition for a moment is possible, and must do no harm.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use validator_core::position::TopicPartition;

use super::KafkaConfig;
use super::client::{Ahead, Clients, Isolation, client_error, let_go};
use super::native::Logs;
use crate::{TapError, limits};

/// A member of a group, for as long as the value lives.
#[derive(Debug)]
pub struct Membership {
    group: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The topics that are to be shared.
    topics: BTreeSet<String>,
    /// What falls to this member.
    ours: BTreeSet<TopicPartition>,
    /// Why it is a member no longer.
    ended: Option<String>,
    /// The brokers do not let it in.
    is_forbidden: bool,
    /// What the client last complained of.
    last_word: Option<String>,
}

impl Shared {
    fn with<T>(&self, of: impl FnOnce(&mut State) -> T) -> T {
        of(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Takes over what the group gives, and reads nothing of it.
struct Sharing(Arc<Shared>);

impl ClientContext for Sharing {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "{reason}");
        self.0.with(|state| state.last_word = Some(reason.to_owned()));
    }
}

impl ConsumerContext for Sharing {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let named = |list: &TopicPartitionList| -> BTreeSet<TopicPartition> {
            let one = |topic: &str, partition| TopicPartition { topic: topic.to_owned(), partition };
            list.elements().iter().map(|element| one(element.topic(), element.partition())).collect()
        };
        let done = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                // With an offset of our own: none is asked of the group, and where it is paused nothing is fetched.
                let _ = list.set_all_offsets(Offset::End);
                self.0.with(|state| state.ours.extend(named(list)));
                consumer.incremental_assign(list).and_then(|()| consumer.pause(list))
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                let gone = named(list);
                self.0.with(|state| state.ours.retain(|tp| !gone.contains(tp)));
                consumer.incremental_unassign(list)
            }
            _ => {
                self.0.with(|state| state.ours.clear());
                consumer.unassign()
            }
        };
        if let Err(error) = done {
            tracing::debug!(%error, "a rebalance was not taken over");
        }
    }
}

impl Membership {
    /// Joins a group under a name that outlives the process, once there are topics to share.
    ///
    /// # Errors
    /// When a property is refused, or the system gives no thread.
    pub fn join(config: &KafkaConfig, group: &str, member: &str) -> Result<Self, TapError> {
        let clients = Clients::new(&config.brokers, &config.properties)?;
        let mut client = clients.config(Isolation::Committed, Ahead::Little);
        client
            .set("group.id", group)
            .set("group.instance.id", member)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", limits::GROUP_SESSION.as_millis().to_string())
            .set("heartbeat.interval.ms", limits::GROUP_HEARTBEAT.as_millis().to_string())
            // How soon new partitions of a topic are shared.
            .set("topic.metadata.refresh.interval.ms", limits::TOPICS_EVERY.as_millis().to_string())
            .set("enable.partition.eof", "false")
            .set("queued.min.messages", "1")
            .set("auto.offset.reset", "latest");
        let shared = Arc::new(Shared::default());
        let consumer: BaseConsumer<Sharing> =
            client.create_with_context(Sharing(Arc::clone(&shared))).map_err(|error| client_error(&error))?;
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("tap-group".to_owned()).spawn(move || {
            let logs = Logs::of(&consumer);
            take_part(&consumer, &logs, &of_thread);
            drop(logs);
            let_go(consumer);
        });
        let thread = thread.map_err(|error| TapError::Client { what: error.to_string() })?;
        Ok(Self { group: group.to_owned(), shared, thread: Some(thread) })
    }

    /// Shares these topics from now on. By name: a pattern of the contract is matched by who knows how it is meant.
    pub fn share(&self, topics: BTreeSet<String>) {
        self.shared.with(|state| state.topics = topics);
    }

    /// What falls to this member now.
    ///
    /// # Errors
    /// [`TapError::MemberReplaced`] where another process is this member now, [`TapError::GroupForbidden`].
    pub fn ours(&self) -> Result<BTreeSet<TopicPartition>, TapError> {
        self.shared.with(|state| match &state.ended {
            Some(what) => Err(TapError::MemberReplaced { what: what.clone() }),
            None if state.is_forbidden => Err(TapError::GroupForbidden { group: self.group.clone() }),
            None => Ok(state.ours.clone()),
        })
    }

    /// What the client last complained of.
    pub fn last_word(&self) -> Option<String> {
        self.shared.with(|state| state.last_word.clone())
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It waits for the client no longer than a client may take to end.
            let _ = thread.join();
        }
    }
}

/// Serves the group until it is told to stop, or is no member any more.
fn take_part(consumer: &BaseConsumer<Sharing>, logs: &Logs, shared: &Shared) {
    let mut shares = BTreeSet::new();
    while !shared.stop.load(Ordering::Relaxed) {
        let wanted = shared.with(|state| state.topics.clone());
        if wanted != shares {
            let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
            let done = match names.as_slice() {
                [] => {
                    consumer.unsubscribe();
                    Ok(())
                }
                names => consumer.subscribe(names),
            };
            match done {
                Ok(()) => shares = wanted,
                Err(error) => shared.with(|state| state.last_word = Some(error.to_string())),
            }
        }
        if let Some(Err(error)) = consumer.poll(limits::POLL) {
            shared.with(|state| {
                state.is_forbidden |= error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed);
                state.last_word = Some(error.to_string());
            });
        }
        while let Some((level, facility, text)) = logs.next() {
            tracing::debug!(level, facility, "{text}");
        }
        if let Some((code, text)) = consumer.client().fatal_error() {
            shared.with(|state| {
                state.ours.clear();
                state.ended = Some(match code {
                    RDKafkaErrorCode::FencedInstanceId => "another process is that member now".to_owned(),
                    _ => text,
                });
            });
            return;
        }
    }
}
