//! Writing messages to a repair topic: the one exception to the rule that the tap never writes (I5).
//!
//! Contract: nothing but `validator replay --yes` makes a [`Republisher`], and nothing but this file a producer (`cargo xtask
//! tidy` holds both). A topic that messages come from is refused. Each message is acknowledged by all replicas in sync, once,
//! and in the order in which it was sent; what was not acknowledged is an error.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header as WrittenHeader, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, ClientContext};
use validator_core::position::TopicPartition;

use super::KafkaConfig;
use super::client::{Clients, client_error, let_go};
use crate::{Header, Message, TapError, is_meant, limits};

/// Headers that say which message it is.
pub const SOURCE_HEADERS: [&str; 3] =
    ["validator.source.topic", "validator.source.partition", "validator.source.offset"];

/// How long to wait for room in the producer's queue before looking again.
const QUEUE_WAIT: Duration = Duration::from_millis(50);

/// What no user may set otherwise.
const RESERVED: [(&str, &str); 4] = [
    ("enable.metrics.push", "false"),
    ("acks", "all"),
    // At most five requests in flight, each message once, in order.
    ("enable.idempotence", "true"),
    ("transactional.id", ""),
];

/// See the module.
pub struct Republisher {
    /// Until it is let go.
    producer: Option<BaseProducer<Deliveries>>,
    topic: String,
    partitions: i32,
    timeout: Duration,
}

/// A copy of a message's headers, with those that say which message it is behind them.
pub fn with_source(mut headers: Vec<Header>, tp: &TopicPartition, offset: i64) -> Vec<Header> {
    let values = [tp.topic.clone(), tp.partition.to_string(), offset.to_string()];
    let own = SOURCE_HEADERS.iter().zip(values).map(|(name, value)| ((*name).to_owned(), Some(value.into_bytes())));
    headers.extend(own);
    headers
}

impl Republisher {
    /// To the one topic of `config`, which has so many partitions; `sources` are the topics that messages come from.
    ///
    /// # Errors
    /// The topic is one of the sources; a property is refused.
    pub fn open(config: &KafkaConfig, partitions: i32, sources: &BTreeSet<String>) -> Result<Self, TapError> {
        let topic = config.topics.first().cloned().unwrap_or_default();
        if is_meant(sources, &topic) {
            return Err(TapError::WritesToSource { topic });
        }
        // Refuses what the tap refuses.
        Clients::new(&config.brokers, &config.properties)?;
        let mut client = ClientConfig::new();
        client.set("client.id", "validator-replay");
        for (name, value) in &config.properties {
            client.set(name, value);
        }
        for (name, value) in RESERVED {
            if value.is_empty() {
                client.remove(name);
            } else {
                client.set(name, value);
            }
        }
        client.set("bootstrap.servers", &config.brokers);
        client.set("message.timeout.ms", config.stall_timeout.as_millis().to_string());
        let producer = client.create_with_context(Deliveries::default()).map_err(|error| client_error(&error))?;
        Ok(Self { producer: Some(producer), topic, partitions: partitions.max(1), timeout: config.stall_timeout })
    }

    fn producer(&self) -> &BaseProducer<Deliveries> {
        self.producer.as_ref().expect("it is there until it is dropped")
    }

    /// Why a message was not written, if one was not.
    fn failed(&self) -> Result<(), TapError> {
        let failed = self.producer().context().lock().failed.clone();
        failed.map_or(Ok(()), |(tp, offset, error)| Err(self.not_written(&tp, offset, &error)))
    }

    fn not_written(&self, tp: &TopicPartition, offset: i64, error: &KafkaError) -> TapError {
        // Who may write nowhere is refused before the first message, which is then only let go.
        let fatal = self.producer().client().fatal_error();
        if fatal.as_ref().map(|(code, _)| *code).or(error.rdkafka_error_code()).is_some_and(is_forbidden) {
            return TapError::WriteForbidden { topic: self.topic.clone() };
        }
        let what = fatal.map_or_else(|| error.to_string(), |(_, reason)| reason);
        TapError::NotWritten { tp: tp.clone(), offset, what }
    }

    /// The partition that messages of a partition go to: in it they keep their order.
    pub fn partition_of(&self, tp: &TopicPartition) -> i32 {
        tp.partition.rem_euclid(self.partitions)
    }

    /// Queues a message of `tp` with these headers.
    ///
    /// # Errors
    /// A message before it was not acknowledged; this one cannot be written as it is.
    pub fn send(&self, tp: &TopicPartition, message: &Message<'_>, headers: &[Header]) -> Result<(), TapError> {
        let refused = |what: String| TapError::NotWritten { tp: tp.clone(), offset: message.offset, what };
        let mut written = OwnedHeaders::new_with_capacity(headers.len());
        for (name, value) in headers {
            // So a name reads that is no text: its bytes are not known.
            if name.contains(char::REPLACEMENT_CHARACTER) {
                return Err(refused("the name of a header is no text".to_owned()));
            }
            written = written.insert(WrittenHeader { key: name, value: value.as_deref() });
        }
        let source = Box::new((tp.clone(), message.offset));
        let mut record: BaseRecord<'_, [u8], [u8], _> =
            BaseRecord::with_opaque_to(&self.topic, source).partition(self.partition_of(tp)).headers(written);
        (record.key, record.payload, record.timestamp) = (message.key, message.payload, message.timestamp_ms);
        loop {
            self.failed()?;
            match self.producer().send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.producer().poll(QUEUE_WAIT);
                }
                Err((error, _)) => return Err(self.not_written(tp, message.offset, &error)),
            }
        }
        self.producer().poll(Duration::ZERO);
        Ok(())
    }

    /// Waits for all acknowledgements: partition and offset of each message in the repair topic, sorted.
    ///
    /// # Errors
    /// One was not acknowledged.
    pub fn finish(self) -> Result<Vec<(i32, i64)>, TapError> {
        let flushed = self.producer().flush(self.timeout + limits::CLIENT_DROP);
        self.failed()?;
        flushed.map_err(|error| TapError::Client { what: error.to_string() })?;
        let mut written = std::mem::take(&mut *self.producer().context().lock()).written;
        written.sort_unstable();
        Ok(written)
    }
}

impl Drop for Republisher {
    fn drop(&mut self) {
        if let Some(producer) = self.producer.take() {
            let_go(producer);
        }
    }
}

fn is_forbidden(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed)
}

/// What became of the messages.
#[derive(Debug, Default)]
struct Deliveries(Mutex<Fates>);

#[derive(Debug, Default)]
struct Fates {
    written: Vec<(i32, i64)>,
    failed: Option<(TopicPartition, i64, KafkaError)>,
}

impl Deliveries {
    fn lock(&self) -> std::sync::MutexGuard<'_, Fates> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "{reason}");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<(TopicPartition, i64)>;

    fn delivery(&self, result: &DeliveryResult<'_>, source: Self::DeliveryOpaque) {
        let mut fates = self.lock();
        match result {
            Ok(message) => fates.written.push((message.partition(), message.offset())),
            Err((error, _)) => {
                let (tp, offset) = *source;
                fates.failed.get_or_insert((tp, offset, error.clone()));
            }
        }
    }
}
