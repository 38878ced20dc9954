//! The source of messages that a pipeline names: brokers, or recorded files.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::sync::Arc;

use validator_core::contract::{Bound, Contract, FieldType, Format};
use validator_core::schema::Type;
use validator_tap::{
    Bounds, KafkaConfig, KafkaTap, PartitionRange, RecordedConfig, RecordedTap, RowsTap, Tap, TapError, Told, Waiting,
};

use crate::config::{Kafka, Service};
use crate::failure::Failure;
use crate::reconcile::Request;
use crate::render::{counted, escape};

/// Opens it and resolves the range. Blocking.
///
/// # Errors
/// The brokers do not answer, a topic or a file does not exist.
pub fn open_tap(contract: &Contract, service: &Service, request: &Request) -> Result<Arc<dyn Tap>, Failure> {
    if let Some(tap) = &request.tap {
        return Ok(Arc::clone(tap));
    }
    let bounds = Bounds { from: request.from.clone(), to: request.to.clone(), start: contract.start.clone() };
    if let Some(source) = &contract.source {
        let config = RecordedConfig {
            source: source.clone(),
            topics: contract.topics.clone(),
            bounds,
            format: contract.format,
            timestamp_type: timestamp_type(contract),
        };
        return Ok(match contract.format {
            Format::Parquet => Arc::new(RowsTap::open(&config)?),
            _ => Arc::new(RecordedTap::open(&config)?),
        });
    }
    let kafka = service.kafka.as_ref().expect("joined: without a recorded source there are brokers");
    let config =
        KafkaConfig { waiting: request.waiting.clone(), ..kafka_config(kafka, contract.topics.clone(), bounds) };
    Ok(Arc::new(KafkaTap::open(&config)?))
}

/// The topics that there are of those that a contract means.
pub fn topics_of(partitions: &[PartitionRange]) -> Vec<String> {
    let topics: BTreeSet<&String> = partitions.iter().map(|range| &range.tp.topic).collect();
    topics.into_iter().cloned().collect()
}

/// Opens all of a topic of dead letters, of the pipeline's brokers or recording. Blocking.
///
/// # Errors
/// As [`open_tap`].
pub fn open_letters(
    contract: &Contract,
    topic: &str,
    service: &Service,
    request: &Request,
) -> Result<Arc<dyn Tap>, TapError> {
    let (topics, bounds) = (vec![topic.to_owned()], Bounds { from: Some(Bound::Earliest), ..Bounds::default() });
    if let Some(source) = &contract.source {
        // Whatever its payloads are: they are not decoded.
        let (format, timestamp_type) = (Format::Bytes, FieldType::Plain(Type::Timestamptz));
        let config = RecordedConfig { source: source.clone(), topics, bounds, format, timestamp_type };
        return Ok(Arc::new(RecordedTap::open(&config)?));
    }
    let kafka = service.kafka.as_ref().expect("joined: dead letters of a topic have brokers or a recording");
    let config = KafkaConfig { waiting: request.waiting.clone(), ..kafka_config(kafka, topics, bounds) };
    Ok(Arc::new(KafkaTap::open(&config)?))
}

/// Says on stderr that the brokers do not answer, so that nobody wonders what is waited for.
pub fn waiting() -> Told {
    Told::by(|Waiting { brokers, left, last }| {
        let seconds = counted(left.as_secs().max(1), "second", "seconds");
        let said = format!("{} does not answer and is asked for {seconds} more: {}", escape(brokers), escape(last));
        // Where stderr is closed the command goes on without its talk.
        let _ = writeln!(io::stderr(), "{said}");
    })
}

/// What topics of the brokers are opened with.
pub fn kafka_config(kafka: &Kafka, topics: Vec<String>, bounds: Bounds) -> KafkaConfig {
    let properties = kafka.properties.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
    KafkaConfig { properties: properties.collect(), topics, bounds, ..KafkaConfig::new(kafka.brokers.clone(), "") }
}

/// The declared type of the field that a recorded source takes its timestamps from: an instant in text unless given.
fn timestamp_type(contract: &Contract) -> FieldType {
    let name = contract.source.as_ref().and_then(|source| source.timestamp.as_ref());
    let declared = contract.fields.iter().find(|(field, _)| Some(field) == name).map(|(_, ty)| ty.clone());
    declared.unwrap_or(FieldType::Plain(Type::Timestamptz))
}
