//! Messages of Kafka topics, as brokers hold them.
//!
//! Contract: reads with read_committed isolation and checked CRCs, assigns partitions by explicit offsets, commits nothing,
//! writes nothing, joins no group; the exceptions are `republish.rs`, and the group of a fleet in `membership.rs`. Every wait has a bound.

mod client;
mod described;
mod explain;
mod follow;
mod lanes;
mod lookout;
mod membership;
mod native;
mod open;
mod policy;
mod progress;
mod read;
mod republish;
mod sources;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use validator_core::hole::Hole;
use validator_core::position::{PartitionIndex, TopicPartition};

use self::client::{Ahead, Clients, Isolation};
pub use self::lanes::{Begin, LaneToOpen};
use self::lookout::Lookout;
pub use self::membership::Membership;
use self::policy::Policy;
pub use self::republish::{Republisher, SOURCE_HEADERS, with_source};
use crate::bounds::Bounds;
use crate::{Ends, Follow, Message, PartitionRange, ReadEnd, Tap, TapError, Wanted, limits};

/// Which brokers, which topics, and what of them is asked for.
#[derive(Clone)]
pub struct KafkaConfig {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// Properties for librdkafka, handed over as they are; those that keep the tap harmless are refused.
    pub properties: BTreeMap<String, String>,
    /// The topics; at least one.
    pub topics: Vec<String>,
    /// The range.
    pub bounds: Bounds,
    /// Time for the brokers to answer while the tap is opened; see [`limits::OPEN_TIMEOUT`].
    pub open_timeout: Duration,
    /// Time without progress after which a read gives up; see [`limits::READ_STALL`].
    pub stall_timeout: Duration,
    /// Told once where no broker has answered for [`limits::OPEN_SILENCE`] while the tap is opened.
    pub waiting: Option<Told>,
}

/// Who is told that the brokers do not answer.
#[derive(Clone)]
pub struct Told(Arc<dyn Fn(&Waiting) + Send + Sync>);

impl Told {
    /// By a call, on the thread that opens the tap.
    pub fn by(call: impl Fn(&Waiting) + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

/// The brokers do not answer so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Those that are asked.
    pub brokers: String,
    /// How long they are asked still.
    pub left: Duration,
    /// What the client last complained of.
    pub last: String,
}

impl KafkaConfig {
    /// A configuration that reads the whole of one topic, without properties, with the time limits of this crate.
    pub fn new(brokers: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            properties: BTreeMap::new(),
            topics: vec![topic.into()],
            bounds: Bounds::default(),
            open_timeout: limits::OPEN_TIMEOUT,
            stall_timeout: limits::READ_STALL,
            waiting: None,
        }
    }

    /// What a consumer that reads a long range is made with: for who compares with one of their own.
    ///
    /// # Errors
    /// A property that the tap must set itself.
    pub fn consumer_config(&self) -> Result<ClientConfig, TapError> {
        Ok(Clients::new(&self.brokers, &self.properties)?.config(Isolation::Committed, Ahead::Far))
    }
}

impl fmt::Debug for KafkaConfig {
    /// Without the properties: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("brokers", &self.brokers)
            .field("topics", &self.topics)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

/// Topics on brokers.
#[derive(Debug)]
pub struct KafkaTap {
    clients: Clients,
    /// Those that were asked for: names and patterns.
    topics: Vec<String>,
    /// Topics that patterns matched, and when all were asked for.
    found: Mutex<Option<(Instant, BTreeSet<String>)>>,
    partitions: Vec<PartitionRange>,
    open_timeout: Duration,
    stall_timeout: Duration,
    /// Policies of topics that were asked for.
    policies: Mutex<HashMap<String, policy::Asked>>,
    /// Whether who follows reads ahead as far as a single read does.
    far: AtomicBool,
    /// Made when it is first needed, and kept with its connections.
    lookout: Mutex<Option<Arc<Lookout>>>,
}

impl Tap for KafkaTap {
    fn partitions(&self) -> &[PartitionRange] {
        &self.partitions
    }

    fn read(
        &self,
        wanted: &[Wanted],
        each: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>,
    ) -> Result<ReadEnd, TapError> {
        self.read_as(Isolation::Committed, wanted, each)
    }

    fn follow(&self, from: &[(PartitionIndex, i64)], each: Follow<'_>) -> Result<(), TapError> {
        self.follow_from(from, each)
    }

    fn ends(&self) -> Result<Vec<Ends>, TapError> {
        self.ends_now()
    }

    fn grown(&self) -> Result<Vec<TopicPartition>, TapError> {
        self.partitions_beside()
    }

    fn topic_ids(&self) -> BTreeMap<String, String> {
        let lookout = self.lookout.lock().unwrap_or_else(PoisonError::into_inner);
        lookout.as_ref().map(|lookout| lookout.ids()).unwrap_or_default()
    }

    fn explain(&self, gaps: &[(PartitionIndex, Range<i64>)]) -> Result<Vec<(PartitionIndex, Hole)>, TapError> {
        self.explain_gaps(gaps)
    }

    fn compacted(&self, topic: &str) -> Option<bool> {
        self.policy(topic, self.open_timeout)?.is_compacted
    }

    fn retention_ms(&self, topic: &str) -> Option<i64> {
        self.policy(topic, self.open_timeout.min(limits::RETENTION_TIMEOUT))?.retention_ms
    }

    fn read_ahead_far(&self, far: bool) {
        self.far.store(far, Ordering::Relaxed);
    }
}

impl KafkaTap {
    /// What the brokers say of a topic; none: nobody answers.
    fn policy(&self, topic: &str, timeout: Duration) -> Option<Policy> {
        let mut policies = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
        let before = policies.get(topic).copied();
        let asked = policy::Asked::again(before, timeout, || policy::ask(&self.clients, topic, timeout));
        policies.insert(topic.to_owned(), asked);
        asked.answered()
    }
}
