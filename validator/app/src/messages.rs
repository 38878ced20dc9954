//! The source of messages that a pipeline names: brokers, or recorded files.

use std::sync::Arc;

use validator_core::contract::{Contract, FieldType, Format};
use validator_core::schema::Type;
use validator_tap::{Bounds, KafkaConfig, KafkaTap, RecordedConfig, RecordedTap, RowsTap, Tap};

use crate::config::{Kafka, Service};
use crate::failure::Failure;
use crate::reconcile::Request;

/// Opens it and resolves the range. Blocking.
///
/// # Errors
/// The brokers do not answer, a topic or a file does not exist.
pub fn open_tap(contract: &Contract, service: &Service, request: &Request) -> Result<Arc<dyn Tap>, Failure> {
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
    Ok(Arc::new(KafkaTap::open(&kafka_config(kafka, contract.topics.clone(), bounds))?))
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
