//! Resolving topics, partitions and ranges, each step within the time given.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::metadata::Metadata;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use validator_core::position::TopicPartition;

use super::client::{Ahead, Clients, Consumer, Deadline, Isolation};
use super::lookout::Lookout;
use super::{KafkaConfig, KafkaTap, Told, Waiting};
use crate::bounds::Edges;
use crate::topics::meant;
use crate::{PartitionRange, TapError, limits};

impl KafkaTap {
    /// Finds the topics' partitions and resolves the ranges; `now` is resolved here, so pin the snapshot before.
    ///
    /// # Errors
    /// When a property is refused, no broker answers in time, a topic does not exist or may not be read, or a bound names
    /// a partition that does not exist.
    pub fn open(config: &KafkaConfig) -> Result<Self, TapError> {
        let clients = Clients::new(&config.brokers, &config.properties)?;
        let deadline = Deadline::after(config.open_timeout);
        let silence = Silence::of(config);
        let committed = clients.consumer(Isolation::Committed, Ahead::Little)?;
        let committed = Asker { consumer: &committed, deadline, clients: &clients, silence: Some(&silence) };
        let uncommitted = clients.consumer(Isolation::Uncommitted, Ahead::Little)?;
        let uncommitted = Asker { consumer: &uncommitted, deadline, clients: &clients, silence: Some(&silence) };
        let mut tps = Vec::new();
        for topic in &meant(&config.topics, || committed.all_topics(), false)? {
            let partitions = committed.partitions(topic)?;
            config.bounds.check_partitions(topic, &partitions)?;
            tps.extend(partitions.into_iter().map(|partition| TopicPartition { topic: topic.clone(), partition }));
        }
        tps.sort();
        tps.dedup();
        let mut at_times: HashMap<i64, BTreeMap<TopicPartition, i64>> = HashMap::new();
        for ms in config.bounds.times() {
            at_times.insert(ms, committed.offsets_at(&tps, ms)?);
        }
        let mut partitions = Vec::with_capacity(tps.len());
        for tp in tps {
            // In this order the high watermark is never below the last stable offset.
            let (_, last_stable) = committed.watermarks(&tp)?;
            let (log_start, high_watermark) = uncommitted.watermarks(&tp)?;
            let edges = Edges {
                log_start,
                last_stable: last_stable.max(log_start),
                high_watermark: high_watermark.max(last_stable),
                untrimmed: log_start == 0,
            };
            let at_time = |ms: i64| at_times.get(&ms)?.get(&tp).copied();
            partitions.push(config.bounds.range(tp.clone(), edges, &at_time)?);
        }
        Ok(Self::of(config, clients, partitions, Mutex::default()))
    }

    pub(super) fn of(
        config: &KafkaConfig,
        clients: Clients,
        partitions: Vec<PartitionRange>,
        lookout: Mutex<Option<Arc<Lookout>>>,
    ) -> Self {
        Self {
            topics: config.topics.clone(),
            found: Mutex::default(),
            partitions,
            open_timeout: config.open_timeout,
            stall_timeout: config.stall_timeout,
            policies: Mutex::new(HashMap::new()),
            far: AtomicBool::new(false),
            lookout,
            clients,
        }
    }
}

impl KafkaTap {
    /// The names of all topics that the brokers tell of.
    ///
    /// # Errors
    /// When a property is refused or no broker answers in time.
    pub fn topics(config: &KafkaConfig) -> Result<Vec<String>, TapError> {
        let clients = Clients::new(&config.brokers, &config.properties)?;
        let deadline = Deadline::after(config.open_timeout);
        let consumer = clients.consumer(Isolation::Committed, Ahead::Little)?;
        Asker { consumer: &consumer, deadline, clients: &clients, silence: None }.all_topics()
    }
}

/// That the brokers do not answer, until somebody is told.
pub(super) struct Silence<'a> {
    config: &'a KafkaConfig,
    /// When it is told; none when it was.
    at: Cell<Option<Instant>>,
}

impl<'a> Silence<'a> {
    fn of(config: &'a KafkaConfig) -> Self {
        let at = config.waiting.as_ref().map(|_| Instant::now() + limits::OPEN_SILENCE);
        Self { config, at: Cell::new(at) }
    }

    /// How long one try may last so that it is told in time.
    fn left(&self) -> Option<Duration> {
        self.at.get().map(|at| at.saturating_duration_since(Instant::now()))
    }

    fn tell(&self, left: Duration, last: String) {
        let Some(at) = self.at.get() else { return };
        if let Some(Told(tell)) = self.config.waiting.as_ref().filter(|_| Instant::now() >= at) {
            self.at.set(None);
            tell(&Waiting { brokers: self.config.brokers.clone(), left, last });
        }
    }
}

/// Asks the brokers again and again until they answer or the time is over.
pub(super) struct Asker<'a> {
    pub(super) consumer: &'a Consumer,
    pub(super) deadline: Deadline,
    pub(super) clients: &'a Clients,
    pub(super) silence: Option<&'a Silence<'a>>,
}

/// One answer.
pub(super) enum Answer<T> {
    Is(T),
    /// A passing failure: ask again.
    NotYet(String),
}

impl Asker<'_> {
    fn partitions(&self, topic: &str) -> Result<Vec<i32>, TapError> {
        self.ask(|| {
            let metadata = match self.consumer.fetch_metadata(Some(topic), self.step()) {
                Ok(metadata) => metadata,
                Err(error) => return Ok(Answer::NotYet(error.to_string())),
            };
            let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
                return Ok(Answer::NotYet("the answer lacks the topic".to_owned()));
            };
            match found.error().map(RDKafkaErrorCode::from) {
                None => Ok(Answer::Is(found.partitions().iter().map(|partition| partition.id()).collect())),
                Some(
                    RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::InvalidTopic,
                ) => Err(TapError::TopicMissing { topic: topic.to_owned() }),
                Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                    Err(TapError::TopicForbidden { topic: topic.to_owned(), right: "DESCRIBE" })
                }
                Some(other) => Ok(Answer::NotYet(other.to_string())),
            }
        })
    }

    /// The names of all topics.
    pub(super) fn all_topics(&self) -> Result<Vec<String>, TapError> {
        let names = |metadata: Metadata| metadata.topics().iter().map(|topic| topic.name().to_owned()).collect();
        self.ask(|| Ok(answer(self.consumer.fetch_metadata(None, self.step()).map(names))))
    }

    /// The brokers of the cluster.
    pub(super) fn brokers(&self, topic: &str) -> Result<Vec<i32>, TapError> {
        self.ask(|| {
            let ids = |metadata: Metadata| metadata.brokers().iter().map(|broker| broker.id()).collect();
            Ok(answer(self.consumer.fetch_metadata(Some(topic), self.step()).map(ids)))
        })
    }

    /// The first offset there is and one past the last that the consumer's isolation shows.
    pub(super) fn watermarks(&self, tp: &TopicPartition) -> Result<(i64, i64), TapError> {
        self.ask(|| Ok(answer(self.consumer.fetch_watermarks(&tp.topic, tp.partition, self.step()))))
    }

    pub(super) fn offsets_at(
        &self,
        tps: &[TopicPartition],
        ms: i64,
    ) -> Result<BTreeMap<TopicPartition, i64>, TapError> {
        let mut asked = TopicPartitionList::with_capacity(tps.len());
        for tp in tps {
            asked.add_partition_offset(&tp.topic, tp.partition, Offset::Offset(ms)).map_err(unexpected)?;
        }
        let found = self.ask(|| Ok(answer(self.consumer.offsets_for_times(asked.clone(), self.step()))))?;
        let mut offsets = BTreeMap::new();
        for element in found.elements() {
            let tp = TopicPartition { topic: element.topic().to_owned(), partition: element.partition() };
            element.error().map_err(unexpected)?;
            if let Offset::Offset(offset) = element.offset() {
                offsets.insert(tp, offset);
            }
        }
        Ok(offsets)
    }

    /// The time for one try: short enough that a second one fits.
    pub(super) fn step(&self) -> Duration {
        let step = self.deadline.left().min(self.deadline.given() / 2);
        let silent = self.silence.and_then(Silence::left);
        silent.map_or(step, |silent| step.min(silent)).max(limits::POLL)
    }

    pub(super) fn ask<T>(&self, mut once: impl FnMut() -> Result<Answer<T>, TapError>) -> Result<T, TapError> {
        loop {
            let last = match once()? {
                Answer::Is(value) => return Ok(value),
                Answer::NotYet(why) => why,
            };
            if self.deadline.is_over() {
                let said = self.consumer.last_word();
                return Err(TapError::BrokersUnreachable {
                    brokers: self.clients.brokers().to_owned(),
                    seconds: self.deadline.given().as_secs(),
                    last: said.unwrap_or(last),
                });
            }
            if let Some(silence) = self.silence {
                silence.tell(self.deadline.left(), self.consumer.last_word().unwrap_or(last));
            }
            std::thread::sleep(limits::RETRY_PAUSE.min(self.deadline.left()));
        }
    }
}

fn answer<T>(result: Result<T, KafkaError>) -> Answer<T> {
    match result {
        Ok(value) => Answer::Is(value),
        Err(error) => Answer::NotYet(error.to_string()),
    }
}

fn unexpected(error: KafkaError) -> TapError {
    TapError::Client { what: error.to_string() }
}
