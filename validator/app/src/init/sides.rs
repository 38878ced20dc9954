//! Looking at both sides: samples of the topic and the table, the format, and the proposal that they give.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use validator_core::contract::{Bound, Format};
use validator_core::schema::Type;
use validator_core::value::Value;
use validator_tap::{Schemas, avro_fields};

use super::columns::Explanation;
use super::error::InitError;
use super::evidence::{Evidence, Messages};
use super::limits::{PLACES_BY_TIME_MAX, PLACES_MAX, ROWS_PER_MESSAGE};
use super::payload::Looks;
use super::places::{Hint, Place, from_offsets, hints};
use super::proposal::{Proposal, Unpaired, propose};
use super::sample_messages::{self, RawMessages, format_of, spots};
use super::sample_rows::{self, SampledRows};
use crate::cli::InitArgs;
use crate::config::{Loader, Pipeline, Service, SourceFile};
use crate::decoders::registry_schemas;
use crate::failure::Failure;
use crate::messages::open_tap;
use crate::open::{self, Sides};
use crate::reconcile::Request;

/// What was seen, and what follows.
#[derive(Debug)]
pub struct Looked {
    /// What was seen.
    pub evidence: Evidence,
    /// What follows.
    pub proposal: Proposal,
    /// The places of messages that were read.
    pub places: Vec<Place>,
}

impl Looked {
    /// What the messages between these offsets should have in a column; their own offsets for one that the position
    /// explains.
    pub fn values_of(&self, column: &str, from: &BTreeMap<i32, i64>, to: &BTreeMap<i32, i64>) -> Vec<Value> {
        let messages = &self.evidence.messages;
        let meta = |name: &str| messages.field(name).unwrap_or_default();
        let (partition, offset) = (meta("_partition"), meta("_offset"));
        let number = |value: &Value| value.as_integer().and_then(|number| i64::try_from(number).ok());
        let is_inside = |values: &&Vec<Value>| {
            let bounds = number(&values[partition]).and_then(|number| i32::try_from(number).ok());
            let bounds = bounds.and_then(|number| Some((from.get(&number)?, to.get(&number)?)));
            bounds.zip(number(&values[offset])).is_some_and(|((from, to), at)| *from <= at && at < *to)
        };
        let inside = messages.values.iter().filter(is_inside);
        let source = self.evidence.rows.leaf(column).map(|leaf| (leaf, &self.proposal.explained[leaf]));
        match source {
            Some((leaf, Explanation::Field { field, reading, .. })) => {
                let ty = &self.evidence.rows.leaves[leaf].field.ty;
                inside.filter_map(|values| reading.apply(&values[*field], ty)).collect()
            }
            _ => inside.map(|values| values[offset].clone()).collect(),
        }
    }
}

/// Share of messages of one format, of a hundred, from which on the others are damage and no second format.
const ONE_FORMAT: usize = 95;

/// Samples both sides and proposes.
///
/// # Errors
/// A side cannot be opened, or does not show what a proposal needs.
pub async fn look(args: &InitArgs, service: &Service, loader: &Loader<'_>, most: usize) -> Result<Looked, Failure> {
    let draft = draft(args, loader)?;
    let sides = Arc::new(open::sides(&draft, service, &Request::new(loader.now_ms)).await?);
    let mut raw = sample(&sides, most).await?;
    if raw.messages.is_empty() {
        return Err(InitError::EmptyTopic { topic: args.topic.clone() }.into());
    }
    let rows = rows(args, &sides, &raw, most).await?;
    if !(raw.is_whole && rows.is_whole) {
        meet(&draft, service, &sides, &mut raw, &rows).await?;
    }
    let looks = raw.looks();
    let Some((first, _)) = looks.first().copied() else {
        return Err(InitError::OnlyTombstones { topic: args.topic.clone(), messages: raw.messages.len() }.into());
    };
    let plain = evidence(args, &sides, &raw, rows, Format::Bytes, raw.plain(sides.tap.partitions()));
    let as_bytes = as_bytes(&plain);
    let all: usize = looks.iter().map(|(_, count)| count).sum();
    if as_bytes.is_none() && looks[0].1 * 100 < all * ONE_FORMAT {
        let share = |(looks, count): &(Looks, usize)| format!("{count} of {all} messages sampled are {}", looks.name());
        return Err(
            InitError::MixedFormats { topic: args.topic.clone(), shares: looks.iter().map(share).collect() }.into()
        );
    }
    let places = raw.places.clone();
    if let Some(proposal) = as_bytes {
        return Ok(Looked { evidence: plain, proposal, places });
    }
    let messages = match first {
        Looks::Json => raw.json(sides.tap.partitions()),
        Looks::Bytes => return Err(no_schema(args, first)),
        Looks::Framed => framed(args, service, &sides, raw).await?,
    };
    let evidence = Evidence { messages, format: format_of(first), ..plain };
    let proposal = propose(&evidence).map_err(|Unpaired { seen }| InitError::Unpaired {
        topic: args.topic.clone(),
        table: args.table.clone(),
        seen,
    })?;
    Ok(Looked { evidence, proposal, places })
}

/// A pipeline that names both sides and says nothing else.
fn draft(args: &InitArgs, loader: &Loader<'_>) -> Result<Pipeline, Failure> {
    let string = |text: &str| toml::Value::String(text.replace("${", "$${")).to_string();
    let text = format!(
        "[pipeline]\nname = \"draft\"\ntopic = {}\ntable = {}\nformat = \"bytes\"\n\n[identity]\nmode = \"content\"\n",
        string(&args.topic),
        string(&args.table)
    );
    Ok(Pipeline::read(Arc::new(SourceFile::new("--topic and --table", text)), loader)?)
}

async fn sample(sides: &Arc<Sides>, most: usize) -> Result<RawMessages, Failure> {
    let tap = Arc::clone(&sides.tap);
    let (wanted, is_whole) = spots(tap.partitions(), most);
    blocking(move || sample_messages::read(tap.as_ref(), wanted, is_whole)).await
}

/// Brings the messages of the sampled rows into the sample, as far as the rows say where they are.
async fn meet(
    draft: &Pipeline,
    service: &Service,
    sides: &Arc<Sides>,
    raw: &mut RawMessages,
    sampled: &SampledRows,
) -> Result<(), Failure> {
    let hints = hints(&sampled.rows, &sampled.runs, sides.tap.partitions(), raw.times_ms());
    let step = hints.len().div_ceil(PLACES_MAX).max(1);
    let mut by_time = 0;
    for hint in hints.into_iter().step_by(step) {
        let place = match hint {
            Hint::Offsets(place) => place,
            Hint::Time(..) if by_time >= PLACES_BY_TIME_MAX => continue,
            Hint::Time(ms, messages) => {
                by_time += 1;
                let request = Request { from: Some(Bound::Time(ms)), ..Request::new(ms) };
                let (contract, service) = (draft.contract.clone(), service.clone());
                // A broker that finds no offset by time is no reason to give up: the sample is then what it is.
                let opened = blocking(move || open_tap(&contract, &service, &request)).await;
                opened.map(|tap| from_offsets(tap.partitions(), messages)).unwrap_or_default()
            }
        };
        if place.is_empty() {
            continue;
        }
        let tap = Arc::clone(&sides.tap);
        let wanted = place.into_iter().map(|(index, range)| (index, vec![range])).collect();
        raw.add(blocking(move || sample_messages::read(tap.as_ref(), wanted, false)).await?);
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::Runtime(std::io::Error::other(error)))?
}

async fn rows(args: &InitArgs, sides: &Sides, raw: &RawMessages, most: usize) -> Result<SampledRows, Failure> {
    let table = || args.table.clone();
    if sides.pinned.files.iter().all(|file| file.record_count == 0) {
        return Err(InitError::EmptyTable { table: table() }.into());
    }
    let mut times: Vec<i64> = raw.messages.iter().filter_map(|message| message.timestamp_ms).collect();
    times.sort_unstable();
    let spread: Vec<i64> =
        (0..=8).filter_map(|part| times.get(times.len().saturating_sub(1) * part / 8)).copied().collect();
    let sampled = sample_rows::read(&sides.pinned, &spread, most.saturating_mul(ROWS_PER_MESSAGE)).await;
    match (&sampled.fault, sampled.rows.values.is_empty()) {
        (Some(why), true) => Err(InitError::UnreadableTable { table: table(), why: why.clone() }.into()),
        (None, true) => Err(InitError::EmptyTable { table: table() }.into()),
        _ => Ok(sampled),
    }
}

fn evidence(
    args: &InitArgs,
    sides: &Sides,
    raw: &RawMessages,
    sampled: SampledRows,
    format: Format,
    messages: Messages,
) -> Evidence {
    let mut commits_ms = sides.pinned.commits_that_added_rows_ms();
    commits_ms.reverse();
    Evidence {
        topic: args.topic.clone(),
        partitions: sides.tap.partitions().iter().map(|range| (range.tp.partition, range.high_watermark)).collect(),
        format,
        schema: sides.pinned.schema.clone(),
        messages,
        rows: sampled.rows,
        is_whole: raw.is_whole && sampled.is_whole,
        partitioned_by: open::partitioning(&sides.pinned),
        commits_ms,
    }
}

/// The proposal of a table that keeps payloads as they are, if this is one.
fn as_bytes(plain: &Evidence) -> Option<Proposal> {
    let has_bytes = plain.schema.fields.iter().any(|field| matches!(field.ty, Type::Binary | Type::Fixed(_)));
    let proposal = has_bytes.then(|| propose(plain).ok())??;
    proposal.map.iter().any(|line| line.value == "_value").then_some(proposal)
}

fn no_schema(args: &InitArgs, looks: Looks) -> Failure {
    InitError::NoSchema { topic: args.topic.clone(), looks: looks.name() }.into()
}

/// The messages as Avro, by the registry's schemas.
async fn framed(args: &InitArgs, service: &Service, sides: &Sides, raw: RawMessages) -> Result<Messages, Failure> {
    let ids: BTreeSet<u32> = raw.schema_ids();
    let shown = ids.iter().take(5).map(u32::to_string).collect::<Vec<_>>().join(", ");
    let topic = args.topic.clone();
    let partitions = sides.tap.partitions().to_vec();
    let service = service.clone();
    blocking(move || {
        let Some(schemas) = registry_schemas(&service) else {
            return Err(InitError::NoRegistry { topic, ids: shown }.into());
        };
        let schemas: Arc<Schemas> = Arc::new(schemas?);
        let ids: Vec<u32> = ids.into_iter().collect();
        let known = avro_fields(&schemas, std::slice::from_ref(&topic), &ids)?.fields;
        let messages = raw.avro(&partitions, &known, &schemas)?;
        // Not one message of a schema that is known: the ids are another registry's.
        if known.is_empty() || messages.values.is_empty() {
            return Err(InitError::UnknownSchemas { topic, ids: shown }.into());
        }
        Ok(messages)
    })
    .await
}
