//! Looking at both sides: samples of the topic and the table, the format, and the proposal that they give.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use validator_core::contract::{Bound, Format};
use validator_core::schema::Type;
use validator_core::value::Value;
use validator_table::{Pinned, SnapshotInfo};
use validator_tap::TopicPattern;

use super::claims::{Claims, Commit};
use super::columns::Explanation;
use super::decoding::{Encoding, decoded};
use super::error::InitError;
use super::evidence::{Evidence, Messages};
use super::limits::{CLAIMS_MAX, PLACES_BY_TIME_MAX, PLACES_MAX, ROWS_PER_MESSAGE};
use super::origin::format_of_files;
use super::pipeline_file::format_word;
use super::places::{Hint, Place, from_offsets, hints};
use super::proposal::{Proposal, Unpaired, propose};
use super::sample_messages::{self, RawMessages, spots};
use super::sample_rows::{self, SampledRows};
use crate::cli::InitArgs;
use crate::config::{ConfigError, Loader, Pipeline, Problem, Service, SourceFile};
use crate::failure::Failure;
use crate::messages::open_tap;
use crate::open::{self, Sides};
use crate::reconcile::Request;

/// The name of the draft, which no file has.
const DRAFT: &str = "--topic and --table";

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

/// Samples both sides and proposes.
///
/// # Errors
/// A side cannot be opened, or does not show what a proposal needs.
pub async fn look(args: &InitArgs, service: &Service, loader: &Loader<'_>, most: usize) -> Result<Looked, Failure> {
    if TopicPattern::is(&args.topic) {
        let problem = Problem::new("--topic: one topic is looked at, and no pattern");
        let hint = "name one of the topics; the file that is made takes a pattern in its place";
        return Err(vec![problem.hint(hint)].into());
    }
    let draft = draft(args, loader).map_err(of_flags)?;
    let sides = open::sides(&draft, service, &Request::talking(loader.now_ms)).await;
    let sides = Arc::new(sides.map_err(of_flags)?);
    let mut raw = sample(&sides, most).await?;
    if raw.messages.is_empty() {
        return Err(InitError::EmptyTopic { topic: args.topic.clone() }.into());
    }
    let rows = rows(args, &sides, &raw, most).await?;
    if !(raw.is_whole && rows.is_whole) {
        meet(&draft, service, &sides, &mut raw, &rows).await?;
    }
    let encoding = Encoding::of(args, sides.tap.as_ref())?;
    let looks = raw.looks();
    if looks.is_empty() && encoding.has_payloads() {
        return Err(InitError::OnlyTombstones { topic: args.topic.clone(), messages: raw.messages.len() }.into());
    }
    let places = raw.places.clone();
    let compacted_away = compacted_away(args, &sides, &raw).await?;
    let plain = evidence(args, &sides, &raw, rows, Format::Bytes, raw.plain(sides.tap.partitions()));
    let plain = Evidence { compacted_away, ..plain };
    let refused = |unpaired| refused(args, unpaired);
    if let Some(proposal) = encoding.has_payloads().then(|| as_bytes(&plain)).flatten() {
        let proposal = proposal.map_err(refused)?;
        return Ok(Looked { evidence: plain, proposal, places });
    }
    let (of_args, of_service, tap) = (args.clone(), service.clone(), Arc::clone(&sides.tap));
    let (messages, format) =
        blocking(move || decoded(&of_args, &of_service, tap.partitions(), &raw, &encoding)).await?;
    let evidence = Evidence { messages, format, ..plain };
    let proposal = propose(&evidence).map_err(refused)?;
    Ok(Looked { evidence, proposal, places })
}

fn refused(args: &InitArgs, unpaired: Unpaired) -> InitError {
    let (topic, table) = (args.topic.clone(), args.table.clone());
    match unpaired {
        Unpaired::Untied { seen } => InitError::Unpaired { topic, table, seen },
        Unpaired::Aggregated { seen } => InitError::Aggregated { topic, table, seen },
        Unpaired::DeadLetters { seen } => InitError::DeadLetters { topic, table, seen },
    }
}

/// A pipeline that names both sides and says nothing else.
fn draft(args: &InitArgs, loader: &Loader<'_>) -> Result<Pipeline, Failure> {
    let string = |text: &str| toml::Value::String(text.replace("${", "$${")).to_string();
    let text = format!(
        "[pipeline]\nname = \"draft\"\ntopic = {}\ntable = {}\nformat = \"{}\"\n\n[identity]\nmode = \"content\"\n",
        string(&args.topic),
        string(&args.table),
        format_word(format_of_files(&args.source, args.envelope)),
    );
    let mut draft = Pipeline::read(Arc::new(SourceFile::new(DRAFT, text)), loader)?;
    if !args.source.is_empty() {
        draft.read_from_files(args.source.clone(), args.envelope);
    }
    Ok(draft)
}

/// What is wrong with the draft is wrong with a flag: nobody wrote that file.
fn of_flags(failure: Failure) -> Failure {
    let problems = match failure {
        Failure::Config(ConfigError::Invalid { problems, .. }) | Failure::Problems(problems) => problems,
        other => return other,
    };
    let of_flag = |mut problem: Problem| {
        let (Some(file), Some(span)) = (&problem.file, &problem.span) else { return problem };
        if file.path() != Path::new(DRAFT) {
            return problem;
        }
        let line = file.text()[..span.start].rsplit('\n').next().map_or(0, |begun| span.start - begun.len());
        if let Some(key) = ["topic", "table"].into_iter().find(|key| file.text()[line..].starts_with(key)) {
            problem.message = format!("--{key}: {}", problem.message);
            // What is to be written in a file is given by the flag.
            let in_a_file = format!("`{key} = \"");
            let of_flag = |hint: String| match hint.contains(&in_a_file) {
                true => hint.replace(&in_a_file, &format!("`--{key} ")).replace("\"`", "`"),
                false => hint,
            };
            problem.hint = problem.hint.map(of_flag);
        }
        (problem.file, problem.span) = (None, None);
        problem
    };
    Failure::from(problems.into_iter().map(of_flag).collect::<Vec<_>>())
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
                let request = Request { from: Some(Bound::Time(ms)), ..Request::talking(ms) };
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

/// The messages that are gone from a compacted topic, of one that was read whole.
async fn compacted_away(args: &InitArgs, sides: &Arc<Sides>, raw: &RawMessages) -> Result<Option<u64>, Failure> {
    let (tap, topic) = (Arc::clone(&sides.tap), args.topic.clone());
    let is_compacted = blocking(move || Ok(tap.compacted(&topic) == Some(true))).await?;
    let offsets = sides.tap.partitions().iter().map(|range| u64::try_from(range.to - range.from.max(range.log_start)));
    let gone = offsets.map(Result::unwrap_or_default).sum::<u64>().saturating_sub(raw.messages.len() as u64);
    Ok(is_compacted.then_some(if raw.is_whole { gone } else { 0 }))
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
        compacted_away: None,
        claims: claims(&sides.pinned),
    }
}

/// What the newest commits and the properties say; a `replace` is of whoever compacts the table.
fn claims(pinned: &Pinned) -> Claims {
    let written = pinned.ancestry.iter().filter(|snapshot| snapshot.operation != "replace").take(CLAIMS_MAX);
    let commit = |snapshot: &SnapshotInfo| Commit {
        operation: snapshot.operation.clone(),
        summary: pinned.summary(snapshot.id).into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
    };
    let properties = pinned.properties().iter().map(|(key, value)| (key.clone(), value.clone()));
    Claims { commits: written.map(commit).collect(), properties: properties.collect() }
}

/// The proposal of a table that keeps payloads as they are, or why there is none, if this is one.
fn as_bytes(plain: &Evidence) -> Option<Result<Proposal, Unpaired>> {
    let is_bytes = |ty: &Type| matches!(ty, Type::Binary | Type::Fixed(_));
    if !plain.schema.fields.iter().any(|field| is_bytes(&field.ty)) {
        return None;
    }
    match propose(plain) {
        Ok(proposal) => proposal.map.iter().any(|line| line.value == "_value").then_some(Ok(proposal)),
        Err(letters @ Unpaired::DeadLetters { .. }) => Some(Err(letters)),
        Err(_) => None,
    }
}
