//! Opening partitions in an order that somebody else keeps, some of them with a start that is known.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use validator_core::position::TopicPartition;

use super::client::{Clients, Deadline};
use super::lookout::{Lookout, TopicState};
use super::{KafkaConfig, KafkaTap};
use crate::bounds::Edges;
use crate::topics::meant;
use crate::{PartitionRange, TapError};

/// A partition to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneToOpen {
    /// Which.
    pub tp: TopicPartition,
    /// Where it begins.
    pub begin: Begin,
}

/// Where a partition that is followed begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Where the bounds say, found out now.
    Bounds,
    /// It was found out before: `start = "now"` and instants mean what they meant then.
    Known {
        /// The declared start; none where none was declared.
        start: Option<i64>,
    },
}

impl KafkaTap {
    /// As [`KafkaTap::open`], of exactly these partitions in this order: a [`validator_core::position::PartitionIndex`] is an
    /// index into it. The topics of `config` say for which topics [`crate::Tap::grown`] looks.
    ///
    /// # Errors
    /// As [`KafkaTap::open`]; a partition that is not there is [`TapError::PartitionMissing`].
    pub fn open_lanes(config: &KafkaConfig, lanes: &[LaneToOpen]) -> Result<Self, TapError> {
        let clients = Clients::new(&config.brokers, &config.properties)?;
        let deadline = Deadline::after(config.open_timeout);
        let lookout = Lookout::new(&clients)?;
        let asked = meant(&config.topics, || lookout.committed(deadline).all_topics(), !lanes.is_empty())?;
        let names = lanes.iter().map(|lane| lane.tp.topic.as_str()).chain(asked.iter().map(String::as_str));
        for (topic, state) in lookout.topics(&names.collect(), deadline)? {
            let TopicState::There(partitions) = &state else {
                return Err(state.wrong(&topic).expect("it is not there"));
            };
            config.bounds.check_partitions(&topic, partitions)?;
            let of_topic = lanes.iter().filter(|lane| lane.tp.topic == topic).map(|lane| lane.tp.partition);
            if let Some(partition) = of_topic.into_iter().find(|partition| !partitions.contains(partition)) {
                return Err(TapError::PartitionMissing { topic, partition, count: partitions.len() });
            }
        }
        let tps: Vec<TopicPartition> = lanes.iter().map(|lane| lane.tp.clone()).collect();
        let mut at_times: BTreeMap<i64, BTreeMap<TopicPartition, i64>> = BTreeMap::new();
        for ms in config.bounds.times() {
            at_times.insert(ms, lookout.committed(deadline).offsets_at(&tps, ms)?);
        }
        let ends = lookout.ends(&tps, deadline)?;
        let ranges = lanes.iter().zip(ends).map(|(lane, ends)| {
            let edges = Edges {
                log_start: ends.log_start,
                last_stable: ends.last_stable,
                high_watermark: ends.high_watermark,
                untrimmed: ends.log_start == 0,
            };
            let at_time = |ms: i64| at_times.get(&ms)?.get(&lane.tp).copied();
            let range = config.bounds.range(lane.tp.clone(), edges, &at_time)?;
            Ok(match lane.begin {
                Begin::Bounds => range,
                Begin::Known { start } => {
                    PartitionRange { start, from: start.unwrap_or(range.log_start), listed: true, ..range }
                }
            })
        });
        let ranges = ranges.collect::<Result<_, TapError>>()?;
        Ok(Self::of(config, clients, ranges, Mutex::new(Some(Arc::new(lookout)))))
    }
}
