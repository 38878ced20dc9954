//! Decoders of a pipeline's format, and what fields its messages are known to have.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use validator_core::contract::{Contract, FieldType, Format, Identity, KeyFormat};
use validator_core::position::PartitionIndex;
use validator_core::schema::Type;
use validator_engine::binding::Binding;
use validator_engine::expr::ExprError;
use validator_engine::mapping::Mapper;
use validator_engine::message_reader::DecoderFactory;
use validator_tap::{
    AvroDecoder, BytesDecoder, Decoder, DecoderError, JsonDecoder, RegistryConfig, Schemas, Tap, TapError, WantedField,
    avro_fields, schema_id,
};

use crate::config::{SchemaRegistry, Service};
use crate::failure::Failure;
use crate::messages::topics_of;

/// See the module.
pub struct Decoders {
    format: Format,
    schemas: Option<Arc<Schemas>>,
    known: Option<Vec<(String, Type)>>,
    /// How Kafka keys hold the identity (upsert tables).
    key: Option<KeyFormat>,
    /// Schemas of Avro keys.
    key_schemas: Option<Arc<Schemas>>,
}

impl fmt::Debug for Decoders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoders").field("format", &self.format).field("known", &self.known).finish_non_exhaustive()
    }
}

impl Decoders {
    /// Decoders of the contract's format; Avro asks for its schemas. Blocking.
    ///
    /// # Errors
    /// The registry does not answer, or the schema file cannot be read.
    pub fn new(contract: &Contract, service: &Service, tap: &dyn Tap) -> Result<Self, Failure> {
        let (schemas, known) = match contract.format {
            Format::Json => (None, None),
            Format::Bytes => (None, Some(Vec::new())),
            Format::Parquet => (None, tap.rows().map(|rows| rows.columns().to_vec())),
            Format::Avro => {
                let (schemas, ids) = match tap.schemas() {
                    Some(recorded) => (recorded, Vec::new()),
                    None => (Arc::new(schemas(contract, service)?), sampled_ids(tap)?),
                };
                let found = avro_fields(&schemas, &topics_of(tap.partitions()), &ids)?;
                (Some(schemas), Some(found.fields))
            }
        };
        let key = match &contract.identity {
            Identity::Key { upsert: Some(upsert), .. } => upsert.key,
            _ => None,
        };
        let key_schemas = match (key, &service.schema_registry) {
            (Some(KeyFormat::Avro), Some(registry)) => Some(Arc::new(Schemas::registry(registry_config(registry))?)),
            _ => None,
        };
        Ok(Self { format: contract.format, schemas, known, key, key_schemas })
    }

    /// The fields that messages have; `None` where any may come.
    pub fn known_fields(&self) -> Option<&[(String, Type)]> {
        self.known.as_deref()
    }

    /// Decoders of Avro topics that no pipeline names, by what the registry knows of them. Blocking.
    ///
    /// # Errors
    /// The registry or the brokers do not answer.
    pub fn of_registry(service: &Service, topics: &[String], tap: &dyn Tap) -> Result<Self, Failure> {
        let mut decoders = Self { format: Format::Avro, schemas: None, known: None, key: None, key_schemas: None };
        if let Some(registry) = &service.schema_registry {
            let schemas = Schemas::registry(registry_config(registry))?;
            let found = avro_fields(&schemas, topics, &[])?;
            let found =
                if found.fields.is_empty() { found } else { avro_fields(&schemas, topics, &sampled_ids(tap)?)? };
            decoders.known = Some(found.fields);
            decoders.schemas = Some(Arc::new(schemas));
        }
        Ok(decoders)
    }

    /// The known fields, each as its type says.
    pub fn avro_fields(&self) -> Vec<WantedField> {
        let known = self.known.iter().flatten();
        known.map(|(name, ty)| WantedField::typed(name, FieldType::Plain(ty.clone()))).collect()
    }

    /// A decoder of these fields; those that are dropped are no news.
    ///
    /// # Errors
    /// A field that the format cannot deliver.
    pub fn decoder_of(
        &self,
        wanted: &[WantedField],
        dropped: &BTreeSet<String>,
    ) -> Result<Box<dyn Decoder>, DecoderError> {
        Ok(match (self.format, &self.schemas) {
            (Format::Avro, Some(schemas)) => {
                Box::new(AvroDecoder::new(wanted.to_vec(), dropped.clone(), Arc::clone(schemas))?)
            }
            (Format::Bytes, _) => Box::new(BytesDecoder::new()),
            (Format::Parquet, _) => return Err(DecoderError::NoPayload),
            _ => Box::new(JsonDecoder::new(wanted, dropped)?),
        })
    }

    /// Whether every expression compiles over what the decoder delivers.
    ///
    /// # Errors
    /// Each column (or `filter`) that does not, and why not.
    pub fn try_mapping(&self, binding: &Arc<Binding>) -> Result<(), Vec<(String, ExprError)>> {
        let fields = match self.format {
            Format::Parquet => self.row_fields(binding).map(|rows| rows.fields().to_vec()),
            _ => self.decoder(binding).map(|decoder| decoder.fields().to_vec()),
        };
        let fields = fields.map_err(|error| vec![error_of_decoder(&error)])?;
        Mapper::new(Arc::clone(binding), &fields).map(drop)
    }
}

impl DecoderFactory for Decoders {
    fn decoder(&self, binding: &Binding) -> Result<Box<dyn Decoder>, DecoderError> {
        self.decoder_of(&binding.wanted, &binding.dropped)
    }

    fn key_decoder(&self, binding: &Binding) -> Result<Option<Box<dyn Decoder>>, DecoderError> {
        let fields = binding.upsert.as_ref().and_then(|upsert| upsert.key_fields.as_ref());
        let Some(fields) = fields else { return Ok(None) };
        Ok(match (self.key, &self.key_schemas) {
            (Some(KeyFormat::Json), _) => Some(Box::new(JsonDecoder::new(fields, &BTreeSet::new())?)),
            (Some(KeyFormat::Avro), Some(schemas)) => {
                Some(Box::new(AvroDecoder::new(fields.clone(), BTreeSet::new(), Arc::clone(schemas))?))
            }
            _ => None,
        })
    }
}

/// Offsets at either end of each partition that schema ids are taken from.
const IDS_OFFSETS: i64 = 100;

/// Schema ids that messages have at the ends of the ranges: older ones than the registry's subject may know.
fn sampled_ids(tap: &dyn Tap) -> Result<Vec<u32>, TapError> {
    let mut ids = BTreeSet::new();
    let ends = tap.partitions().iter().enumerate().filter_map(|(index, range)| {
        let first = range.from.max(range.log_start);
        let middle = (first + IDS_OFFSETS).min(range.to);
        let tail = (range.to - IDS_OFFSETS).max(middle);
        let ranges: Vec<_> = [first..middle, tail..range.to].into_iter().filter(|range| !range.is_empty()).collect();
        (!ranges.is_empty()).then_some((PartitionIndex(index as u32), ranges))
    });
    tap.read(&ends.collect::<Vec<_>>(), &mut |message| {
        ids.extend(message.payload.and_then(schema_id));
        ControlFlow::Continue(())
    })?;
    Ok(ids.into_iter().collect())
}

fn error_of_decoder(error: &DecoderError) -> (String, ExprError) {
    let field = match error {
        DecoderError::FieldTwice { field } | DecoderError::NoJsonForm { field, .. } => field.clone(),
        _ => "filter".to_owned(),
    };
    (field, ExprError::Plan(error.to_string()))
}

fn schemas(contract: &Contract, service: &Service) -> Result<Schemas, Failure> {
    match (&contract.schema, &service.schema_registry) {
        (Some(path), _) => Ok(Schemas::file(path)?),
        (None, Some(registry)) => Ok(Schemas::registry(registry_config(registry))?),
        (None, None) => unreachable!("joined: Avro has a schema file or a registry"),
    }
}

/// The schemas of the service's registry; none where it has no registry.
pub(crate) fn registry_schemas(service: &Service) -> Option<Result<Schemas, Failure>> {
    let registry = service.schema_registry.as_ref()?;
    Some(Schemas::registry(registry_config(registry)).map_err(Failure::from))
}

fn registry_config(registry: &SchemaRegistry) -> RegistryConfig {
    RegistryConfig {
        url: registry.url.clone(),
        user: registry.user.clone(),
        password: registry.password.as_ref().map(|secret| secret.expose().to_owned()),
        token: registry.token.as_ref().map(|secret| secret.expose().to_owned()),
    }
}
