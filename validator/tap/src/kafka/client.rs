//! Consumers that cannot do harm: how they are configured, what they last said, and how they are let go.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use validator_core::position::TopicPartition;

use super::native::Logs;
use crate::{TapError, limits};

/// Properties that no user may set: with others the tap could write, commit, skip or see what it must not.
const RESERVED: [(&str, &str); 10] = [
    // Else the client would push its metrics to brokers that collect them (KIP-714).
    ("enable.metrics.push", "false"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("check.crcs", "true"),
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "true"),
    ("allow.auto.create.topics", "false"),
    // Assigning partitions needs a group's name; this one is never joined and nothing is committed under it.
    ("group.id", ""),
    ("isolation.level", ""),
    ("bootstrap.servers", ""),
];

/// Properties that a user may set otherwise.
const DEFAULTS: [(&str, &str); 8] = [
    ("client.id", "validator"),
    ("fetch.max.bytes", "52428800"),
    ("max.partition.fetch.bytes", "4194304"),
    ("queued.max.messages.kbytes", "65536"),
    ("socket.keepalive.enable", "true"),
    // How soon the end of a partition is told, and how soon fetching resumes after a full queue was drained (1 s unless
    // set, in which a decoder would stand still) or a broker came back.
    ("fetch.wait.max.ms", "100"),
    ("fetch.queue.backoff.ms", "10"),
    ("reconnect.backoff.max.ms", "2000"),
];

/// Which records a consumer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    /// Those of committed transactions and of none.
    Committed,
    /// Those of aborted and open transactions too.
    Uncommitted,
}

/// How far a consumer may read ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// As far as memory allows: long ranges.
    Far,
    /// Some: partitions that are followed for ever beside others. A backlog is read by 1.7 instead of 1.9 M messages/s, and what
    /// waits in the client takes some 60 MiB instead of 200.
    Some,
    /// Little: short ranges with wide gaps, where what is read ahead is thrown away.
    Little,
}

/// Brokers and the user's properties.
#[derive(Clone)]
pub(super) struct Clients {
    brokers: String,
    properties: BTreeMap<String, String>,
}

impl fmt::Debug for Clients {
    /// Without the properties: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("brokers", &self.brokers).finish_non_exhaustive()
    }
}

impl Clients {
    /// # Errors
    /// When a property is one that the tap must set itself.
    pub(super) fn new(brokers: &str, properties: &BTreeMap<String, String>) -> Result<Self, TapError> {
        for (name, needed) in RESERVED {
            if properties.get(name).is_some_and(|value| value != needed) {
                return Err(TapError::ReservedProperty { name: name.to_owned() });
            }
        }
        if let Some(name) = ["metadata.broker.list", "group.protocol"].into_iter().find(|n| properties.contains_key(*n))
        {
            return Err(TapError::ReservedProperty { name: name.to_owned() });
        }
        Ok(Self { brokers: brokers.to_owned(), properties: properties.clone() })
    }

    pub(super) fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The properties of a consumer, the user's over our defaults, ours over the user's.
    pub(super) fn config(&self, isolation: Isolation, ahead: Ahead) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        for (name, value) in DEFAULTS {
            config.set(name, value);
        }
        let bounds: &[(&str, &str)] = match ahead {
            Ahead::Far => &[],
            Ahead::Some => &[
                ("fetch.max.bytes", "16777216"),
                ("max.partition.fetch.bytes", "1048576"),
                ("queued.max.messages.kbytes", "16384"),
                // Of all partitions together, as they share a queue; each is some hundred bytes more than its payload.
                ("queued.min.messages", "16384"),
            ],
            Ahead::Little => &[("max.partition.fetch.bytes", "262144"), ("queued.min.messages", "1000")],
        };
        for (name, value) in bounds {
            config.set(*name, *value);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        for (name, value) in RESERVED {
            config.set(name, value);
        }
        config.set("group.id", private_group());
        config.set("bootstrap.servers", &self.brokers);
        config.set(
            "isolation.level",
            match isolation {
                Isolation::Committed => "read_committed",
                Isolation::Uncommitted => "read_uncommitted",
            },
        );
        config
    }

    pub(super) fn consumer(&self, isolation: Isolation, ahead: Ahead) -> Result<Consumer, TapError> {
        let config = self.config(isolation, ahead);
        let inner: BaseConsumer<Quiet> = config.create_with_context(Quiet).map_err(|error| client_error(&error))?;
        Ok(Consumer { logs: Some(Logs::of(&inner)), inner: Some(inner), last_word: Mutex::default() })
    }
}

/// A name that no other consumer has.
fn private_group() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |t| t.as_nanos());
    format!("validator-tap-{}-{started:x}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The error of a client that could not be made, without the values of properties.
pub(super) fn client_error(error: &KafkaError) -> TapError {
    match error {
        KafkaError::ClientConfig(_, description, name, _) => {
            TapError::Property { name: name.clone(), what: description.clone() }
        }
        // Files that properties name are opened only when the client is made: `ssl.ca.location failed: …`.
        KafkaError::ClientCreation(description) => match description.split_once(" failed: ") {
            Some((name, what)) if name.starts_with("ssl.") && !name.contains(' ') => {
                TapError::Property { name: name.to_owned(), what: what.to_owned() }
            }
            _ => TapError::Client { what: error.to_string() },
        },
        other => TapError::Client { what: other.to_string() },
    }
}

/// Takes what rdkafka itself hands over to the crate's log; the log lines of librdkafka go through [`Logs`].
#[derive(Debug, Clone, Default)]
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, _facility: &str, message: &str) {
        tracing::debug!(?level, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "{reason}");
    }
}

impl ConsumerContext for Quiet {}

/// A consumer whose end cannot block its owner.
pub(super) struct Consumer {
    /// Let go before the client, as it must be.
    logs: Option<Logs>,
    inner: Option<BaseConsumer<Quiet>>,
    last_word: Mutex<Option<String>>,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Consumer")
    }
}

impl Consumer {
    /// What the client last complained of. Brokers that cannot be reached, or that refuse a password, tell it only in
    /// the log: the calls themselves just time out.
    pub(super) fn last_word(&self) -> Option<String> {
        while let Some((level, facility, text)) = self.logs.as_ref().and_then(Logs::next) {
            tracing::debug!(level, facility, "{text}");
            const WARNING: i32 = 4;
            if level <= WARNING || facility == "FAIL" {
                self.heard(text);
            }
        }
        self.last_word.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a partition anew: one whose offset was out of range is stopped and takes no seek.
    pub(super) fn assign_again(&self, tp: &TopicPartition, offset: i64) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&tp.topic, tp.partition, Offset::Offset(offset))?;
        self.incremental_unassign(&list)?;
        self.incremental_assign(&list)
    }

    /// Notes a complaint that came another way.
    pub(super) fn heard(&self, text: impl Into<String>) {
        *self.last_word.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.into());
    }
}

impl std::ops::Deref for Consumer {
    type Target = BaseConsumer<Quiet>;

    fn deref(&self) -> &Self::Target {
        self.inner.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.logs = None;
        if let Some(inner) = self.inner.take() {
            let_go(inner);
        }
    }
}

/// Drops a client on a thread of its own, and waits for it no longer than [`limits::CLIENT_DROP`]: librdkafka may wait
/// for brokers that are gone (rust-rdkafka#509).
pub(super) fn let_go<T: Send + 'static>(client: T) {
    let (done, ended) = mpsc::channel();
    let spawned = std::thread::Builder::new().name("tap-drop".to_owned()).spawn(move || {
        drop(client);
        // Nobody may be waiting any more.
        let _ = done.send(());
    });
    if spawned.is_ok() && ended.recv_timeout(limits::CLIENT_DROP) == Err(mpsc::RecvTimeoutError::Timeout) {
        tracing::warn!("a Kafka client did not end within {:?} and is left behind", limits::CLIENT_DROP);
    }
}

/// What is left of a time that was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    end: std::time::Instant,
    given: Duration,
}

impl Deadline {
    pub(super) fn after(given: Duration) -> Self {
        Self { end: std::time::Instant::now() + given, given }
    }

    pub(super) fn left(&self) -> Duration {
        self.end.saturating_duration_since(std::time::Instant::now())
    }

    pub(super) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    pub(super) fn given(&self) -> Duration {
        self.given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(properties: &[(&str, &str)]) -> Result<Clients, TapError> {
        Clients::new("localhost:1", &properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn what_keeps_the_tap_harmless_cannot_be_overridden() {
        for (name, value) in [
            ("enable.auto.commit", "true"),
            ("enable.auto.offset.store", "true"),
            ("check.crcs", "false"),
            ("auto.offset.reset", "earliest"),
            ("isolation.level", "read_uncommitted"),
            ("group.id", "production"),
            ("bootstrap.servers", "elsewhere:1"),
            ("metadata.broker.list", "elsewhere:1"),
            ("allow.auto.create.topics", "true"),
            ("enable.partition.eof", "false"),
        ] {
            assert!(matches!(clients(&[(name, value)]), Err(TapError::ReservedProperty { name: n }) if n == name));
        }
        let config = clients(&[("enable.auto.commit", "false"), ("client.id", "mine")]).expect("as it must be");
        let config = config.config(Isolation::Committed, Ahead::Far);
        assert_eq!(config.get("enable.auto.commit"), Some("false"));
        assert_eq!((config.get("isolation.level"), config.get("client.id")), (Some("read_committed"), Some("mine")));
        assert!(config.get("group.id").is_some_and(|group| group.starts_with("validator-tap-")));
        assert_ne!(private_group(), private_group());
    }

    #[test]
    fn a_property_whose_file_is_not_there_is_named() {
        let clients =
            clients(&[("security.protocol", "ssl"), ("ssl.ca.location", "no/such/ca.pem")]).expect("not ours");
        let error = clients.consumer(Isolation::Committed, Ahead::Far).map(|_| ()).expect_err("no such file");
        assert!(matches!(&error, TapError::Property { name, .. } if name == "ssl.ca.location"), "{error}");
    }

    #[test]
    fn a_property_that_does_not_exist_is_named_without_its_value() {
        let clients = clients(&[("sasl.pasword", "secret")]).expect("not ours to refuse");
        let error = clients.consumer(Isolation::Committed, Ahead::Far).map(|_| ()).expect_err("unknown");
        let text = error.to_string();
        assert!(text.contains("sasl.pasword") && !text.contains("secret"), "{text}");
        assert!(!format!("{clients:?}").contains("secret"));
    }
}
