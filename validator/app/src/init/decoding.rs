//! The messages of a sample as fields: by what their source, a schema file or the registry says of them, else by their looks.

use std::path::PathBuf;
use std::sync::Arc;

use validator_core::contract::Format;
use validator_tap::{PartitionRange, Schemas, Tap, avro_fields};

use super::error::InitError;
use super::evidence::Messages;
use super::payload::Looks;
use super::sample_messages::RawMessages;
use crate::cli::InitArgs;
use crate::config::Service;
use crate::decoders::registry_schemas;
use crate::failure::Failure;

/// Share of messages of one format, of a hundred, from which on the others are damage and no second format.
const ONE_FORMAT: usize = 95;

/// What says how payloads are encoded.
#[derive(Debug, Clone)]
pub enum Encoding {
    /// There are none: messages are rows.
    Rows,
    /// The writers' schemas in recorded files.
    Recorded(Arc<Schemas>),
    /// A schema file.
    File(PathBuf, Arc<Schemas>),
    /// Nothing but their looks.
    Looks,
}

impl Encoding {
    /// What there is.
    ///
    /// # Errors
    /// The schema file cannot be read.
    pub fn of(args: &InitArgs, tap: &dyn Tap) -> Result<Self, Failure> {
        Ok(match (tap.rows(), tap.schemas(), &args.schema) {
            (Some(_), ..) => Self::Rows,
            (_, Some(schemas), _) => Self::Recorded(schemas),
            (_, _, Some(path)) => Self::File(path.clone(), Arc::new(Schemas::file(path)?)),
            _ => Self::Looks,
        })
    }

    /// Whether messages have payloads that a table may keep as they are.
    pub fn has_payloads(&self) -> bool {
        !matches!(self, Self::Rows | Self::Recorded(_))
    }
}

/// What payloads look like, and how many of them do; empty where none has any.
type Shares = Vec<(Looks, usize)>;

/// Refuses several formats in one topic.
///
/// # Errors
/// The shares of each.
pub fn refuse_mixed(args: &InitArgs, looks: &Shares) -> Result<(), InitError> {
    let all: usize = looks.iter().map(|(_, count)| count).sum();
    if looks.first().is_none_or(|(_, most)| most * 100 >= all * ONE_FORMAT) {
        return Ok(());
    }
    let share = |(looks, count): &(Looks, usize)| format!("{count} of {all} messages sampled are {}", looks.name());
    Err(InitError::MixedFormats { topic: args.topic.clone(), shares: looks.iter().map(share).collect() })
}

/// The messages as fields, and their format. Blocking where a registry is asked.
///
/// # Errors
/// Nothing says what the payloads are, or what says so does not fit them.
pub fn decoded(
    args: &InitArgs,
    service: &Service,
    partitions: &[PartitionRange],
    raw: &RawMessages,
    encoding: &Encoding,
) -> Result<(Messages, Format), Failure> {
    let by_schema = |schemas: &Arc<Schemas>, ids: &[u32]| {
        let known = avro_fields(schemas, std::slice::from_ref(&args.topic), ids)?.fields;
        raw.avro(partitions, &known, schemas)
    };
    match encoding {
        Encoding::Rows => Ok((raw.rows(partitions), Format::Parquet)),
        Encoding::Recorded(schemas) => Ok((by_schema(schemas, &[])?, Format::Avro)),
        Encoding::File(path, schemas) => {
            let messages = by_schema(schemas, &[])?;
            // A schema that fits fewer is another one's, and decodes some by chance.
            if messages.values.len() * 100 < (messages.values.len() + messages.undecodable) * ONE_FORMAT {
                let (topic, schema) = (args.topic.clone(), path.clone());
                let (undecodable, of) = (messages.undecodable, messages.values.len() + messages.undecodable);
                return Err(InitError::SchemaMisfit { topic, schema, undecodable, of }.into());
            }
            Ok((messages, Format::Avro))
        }
        Encoding::Looks => {
            let looks = raw.looks();
            refuse_mixed(args, &looks)?;
            match looks.first() {
                Some((Looks::Json, _)) => Ok((raw.json(partitions), Format::Json)),
                Some((Looks::Framed, _)) => Ok((framed(args, service, raw, by_schema)?, Format::Avro)),
                Some((Looks::Bytes, _)) | None => {
                    let looks = Looks::Bytes.name();
                    Err(InitError::NoSchema { topic: args.topic.clone(), looks }.into())
                }
            }
        }
    }
}

/// The messages as Avro, by the registry's schemas.
fn framed(
    args: &InitArgs,
    service: &Service,
    raw: &RawMessages,
    by_schema: impl Fn(&Arc<Schemas>, &[u32]) -> Result<Messages, Failure>,
) -> Result<Messages, Failure> {
    let ids: Vec<u32> = raw.schema_ids().into_iter().collect();
    let shown = ids.iter().take(5).map(u32::to_string).collect::<Vec<_>>().join(", ");
    let topic = args.topic.clone();
    let Some(schemas) = registry_schemas(service) else {
        return Err(InitError::NoRegistry { topic, ids: shown }.into());
    };
    let messages = by_schema(&Arc::new(schemas?), &ids)?;
    // Not one message of a schema that is known: the ids are another registry's.
    if messages.values.is_empty() {
        return Err(InitError::UnknownSchemas { topic, ids: shown }.into());
    }
    Ok(messages)
}
