//! Where partitions begin and end now: asked again and again, by clients that are kept with their connections.
//!
//! Contract: one request a kind (a broker), whatever the number of partitions; every question has a time limit. A topic is
//! the one that was first seen, by its id, or it is not there: offsets of one that was made again mean other messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use validator_core::position::{PartitionIndex, TopicPartition};

use super::KafkaTap;
use super::client::{Ahead, Clients, Consumer, Deadline, Isolation};
use super::described::{Described, TopicId, describe};
use super::open::{Answer, Asker};
use crate::{Ends, TapError, limits, topics};

/// No broker is known.
const NONE: i32 = -1;

/// See the module.
#[derive(Debug)]
pub(super) struct Lookout {
    clients: Clients,
    committed: Consumer,
    uncommitted: Consumer,
    /// The broker that answered last.
    broker: AtomicI32,
    /// Topics as they were first seen.
    ids: Mutex<BTreeMap<String, TopicId>>,
}

/// What became of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TopicState {
    /// It is there, with these partitions.
    There(Vec<i32>),
    Missing,
    Recreated,
    Forbidden,
}

impl TopicState {
    /// Why it cannot be followed.
    pub(super) fn wrong(&self, topic: &str) -> Option<TapError> {
        let topic = topic.to_owned();
        match self {
            Self::There(_) => None,
            Self::Missing => Some(TapError::TopicMissing { topic }),
            Self::Recreated => Some(TapError::TopicRecreated { topic }),
            Self::Forbidden => Some(TapError::TopicForbidden { topic, right: "DESCRIBE" }),
        }
    }
}

/// One kind of end.
#[derive(Debug, Clone, Copy)]
enum Edge {
    First,
    LastStable,
    Last,
}

impl Lookout {
    pub(super) fn new(clients: &Clients) -> Result<Self, TapError> {
        Ok(Self {
            clients: clients.clone(),
            committed: clients.consumer(Isolation::Committed, Ahead::Little)?,
            uncommitted: clients.consumer(Isolation::Uncommitted, Ahead::Little)?,
            broker: AtomicI32::new(NONE),
            ids: Mutex::default(),
        })
    }

    /// The topics as they were first seen.
    pub(super) fn ids(&self) -> BTreeMap<String, String> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().map(|(name, TopicId(high, low))| (name.clone(), format!("{high:016x}{low:016x}"))).collect()
    }

    /// What the client last complained of.
    pub(super) fn last_word(&self) -> Option<String> {
        self.committed.last_word().or_else(|| self.uncommitted.last_word())
    }

    fn asker<'a>(&'a self, consumer: &'a Consumer, deadline: Deadline) -> Asker<'a> {
        Asker { consumer, deadline, clients: &self.clients, silence: None }
    }

    pub(super) fn committed(&self, deadline: Deadline) -> Asker<'_> {
        self.asker(&self.committed, deadline)
    }

    /// What became of each topic.
    pub(super) fn topics(
        &self,
        names: &BTreeSet<&str>,
        deadline: Deadline,
    ) -> Result<BTreeMap<String, TopicState>, TapError> {
        let names: Vec<&str> = names.iter().copied().collect();
        let Some(first) = names.first() else { return Ok(BTreeMap::new()) };
        let asker = self.asker(&self.uncommitted, deadline);
        let described = asker.ask(|| {
            if self.broker.load(Ordering::Relaxed) == NONE {
                let metadata = match self.uncommitted.fetch_metadata(Some(first), asker.step()) {
                    Ok(metadata) => metadata,
                    Err(error) => return Ok(Answer::NotYet(error.to_string())),
                };
                // Whoever answers is there; over the very first connection nobody knows yet who that was.
                let any = metadata.brokers().first().map_or(NONE, |broker| broker.id());
                let answered = Some(metadata.orig_broker_id()).filter(|id| *id != NONE);
                self.broker.store(answered.unwrap_or(any), Ordering::Relaxed);
            }
            let broker = self.broker.load(Ordering::Relaxed);
            Ok(match describe(&self.uncommitted, &names, broker, asker.step()) {
                Ok(described) => match described.iter().find_map(passing) {
                    None => Answer::Is(described),
                    Some(why) => Answer::NotYet(why),
                },
                Err(why) => {
                    self.broker.store(NONE, Ordering::Relaxed);
                    Answer::NotYet(why)
                }
            })
        })?;
        Ok(described.into_iter().map(|topic| self.state(topic)).collect())
    }

    fn state(&self, topic: Described) -> (String, TopicState) {
        let state = match topic.is {
            Ok(is) => {
                let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
                let known = is.id.map(|id| *ids.entry(topic.name.clone()).or_insert(id));
                if is.id == known { TopicState::There(is.partitions) } else { TopicState::Recreated }
            }
            Err(RDKafkaErrorCode::TopicAuthorizationFailed) => TopicState::Forbidden,
            Err(_) => TopicState::Missing,
        };
        (topic.name, state)
    }

    /// The first offset of each partition, and one past its last one.
    pub(super) fn bounds(&self, tps: &[TopicPartition], deadline: Deadline) -> Result<Vec<(i64, i64)>, TapError> {
        let first = self.edges(tps, Edge::First, deadline)?;
        Ok(first.into_iter().zip(self.edges(tps, Edge::Last, deadline)?).collect())
    }

    /// All ends of each partition, in their order.
    pub(super) fn ends(&self, tps: &[TopicPartition], deadline: Deadline) -> Result<Vec<Ends>, TapError> {
        // In this order the high watermark is never below the last stable offset.
        let stable = self.edges(tps, Edge::LastStable, deadline)?;
        let bounds = self.bounds(tps, deadline)?;
        let ends = (0..).map(PartitionIndex).zip(stable).zip(bounds);
        let ends = ends.map(|((partition, last_stable), (log_start, high_watermark))| Ends {
            partition,
            log_start,
            last_stable: last_stable.max(log_start),
            high_watermark: high_watermark.max(last_stable).max(log_start),
        });
        Ok(ends.collect())
    }

    fn edges(&self, tps: &[TopicPartition], edge: Edge, deadline: Deadline) -> Result<Vec<i64>, TapError> {
        if tps.is_empty() {
            return Ok(Vec::new());
        }
        let (consumer, at) = match edge {
            Edge::First => (&self.uncommitted, Offset::Beginning),
            Edge::LastStable => (&self.committed, Offset::End),
            Edge::Last => (&self.uncommitted, Offset::End),
        };
        let asker = self.asker(consumer, deadline);
        let mut asked = TopicPartitionList::with_capacity(tps.len());
        for tp in tps {
            asked
                .add_partition_offset(&tp.topic, tp.partition, at)
                .map_err(|error| TapError::Client { what: error.to_string() })?;
        }
        asker.ask(|| {
            // Both are instants too: librdkafka hands them to the brokers as they are.
            let found = match consumer.offsets_for_times(asked.clone(), asker.step()) {
                Ok(found) => found,
                Err(error) => return Ok(Answer::NotYet(error.to_string())),
            };
            let mut offsets = Vec::with_capacity(tps.len());
            for (element, tp) in found.elements().iter().zip(tps) {
                debug_assert_eq!((element.topic(), element.partition()), (tp.topic.as_str(), tp.partition));
                match (element.error(), element.offset()) {
                    (Ok(()), Offset::Offset(offset)) => offsets.push(offset),
                    (Ok(()), _) => return Ok(Answer::NotYet(format!("the answer lacks {tp}"))),
                    (Err(error), _) => return Ok(Answer::NotYet(error.to_string())),
                }
            }
            Ok(Answer::Is(offsets))
        })
    }
}

/// Why a description says nothing yet.
fn passing(topic: &Described) -> Option<String> {
    match topic.is {
        Ok(_)
        | Err(
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::InvalidTopic
            | RDKafkaErrorCode::TopicAuthorizationFailed,
        ) => None,
        Err(other) => Some(other.to_string()),
    }
}

impl KafkaTap {
    /// The one that is kept.
    pub(super) fn lookout(&self) -> Result<Arc<Lookout>, TapError> {
        let mut kept = self.lookout.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lookout) = kept.as_ref() {
            return Ok(Arc::clone(lookout));
        }
        let lookout = Arc::new(Lookout::new(&self.clients)?);
        *kept = Some(Arc::clone(&lookout));
        Ok(lookout)
    }

    pub(super) fn ends_now(&self) -> Result<Vec<Ends>, TapError> {
        let deadline = Deadline::after(self.ends_timeout());
        let lookout = self.lookout()?;
        let tps: Vec<TopicPartition> = self.partitions.iter().map(|range| range.tp.clone()).collect();
        let names = tps.iter().map(|tp| tp.topic.as_str()).collect();
        let wrong = |topics: BTreeMap<String, TopicState>| topics.iter().find_map(|(topic, state)| state.wrong(topic));
        // The ids last: what was made again meanwhile is noticed.
        let ends = lookout.ends(&tps, deadline);
        match wrong(lookout.topics(&names, Deadline::after(self.ends_timeout()))?) {
            Some(wrong) => Err(wrong),
            None => ends,
        }
    }

    pub(super) fn partitions_beside(&self) -> Result<Vec<TopicPartition>, TapError> {
        let meant = self.meant()?;
        let names = meant.iter().map(String::as_str).collect();
        let topics = self.lookout()?.topics(&names, Deadline::after(self.ends_timeout()))?;
        let mut beside = Vec::new();
        for (topic, state) in topics {
            match state {
                TopicState::There(partitions) => {
                    beside.extend(
                        partitions.into_iter().map(|partition| TopicPartition { topic: topic.clone(), partition }),
                    );
                }
                // It went since its pattern matched it, and nobody follows it.
                _ if !self.is_asked_for(&topic) => {}
                other => return Err(other.wrong(&topic).expect("it is not there")),
            }
        }
        beside.retain(|tp| !self.partitions.iter().any(|range| range.tp == *tp));
        beside.sort();
        Ok(beside)
    }

    /// The topics that are meant now. All are asked for only so often: a cluster has thousands.
    fn meant(&self) -> Result<BTreeSet<String>, TapError> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, names)) = found.as_ref()
            && at.elapsed() < limits::TOPICS_EVERY
        {
            return Ok(names.clone());
        }
        let lookout = self.lookout()?;
        let all = || lookout.committed(Deadline::after(self.ends_timeout())).all_topics();
        let names = topics::meant(&self.topics, all, true)?;
        *found = Some((Instant::now(), names.clone()));
        Ok(names)
    }

    fn is_asked_for(&self, topic: &str) -> bool {
        self.topics.iter().any(|asked| asked == topic) || self.partitions.iter().any(|range| range.tp.topic == topic)
    }

    fn ends_timeout(&self) -> Duration {
        limits::ENDS_TIMEOUT.min(self.open_timeout)
    }
}
