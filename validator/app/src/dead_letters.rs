//! The dead letters of a pipeline: opened, read, and what is said of them beside the verdicts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use validator_core::contract::{DeadLetter, Identity, PositionNames};
use validator_engine::dead_letters::{
    DeadLetterError, DeadLetters, LetterColumns, LetterTopic, LettersJudged, LettersRead, of_table, of_topic,
};
use validator_table::{Pinned, SnapshotSelector};
use validator_tap::{PartitionRange, Tap};

use crate::config::{PROFILES, Pipeline, Problem, Service, list};
use crate::failure::Failure;
use crate::messages::{open_letters, topics_of};
use crate::open::{Sides, TableSource};
use crate::reconcile::Request;
use crate::render::counted;

/// The place of a pipeline file that declares them.
const PLACE: &str = "fidelity.dead_letter";

/// Dead letters that a look at both sides looks at.
pub const SAMPLED: i64 = 500;

/// Dead letters, opened after both sides.
#[derive(Debug, Clone)]
pub enum Letters {
    /// Of a topic.
    Topic {
        /// Its messages.
        tap: Arc<dyn Tap>,
        /// Its name.
        topic: String,
        /// Headers.
        position: PositionNames,
    },
    /// Of a table.
    Table {
        /// Where it is looked up.
        source: Box<TableSource>,
        /// Its current state.
        pinned: Arc<Pinned>,
        /// As the pipeline file names it.
        name: String,
        /// Columns.
        columns: LetterColumns,
        /// Their names.
        position: PositionNames,
    },
}

/// Opens what the pipeline declares; none where it declares none.
///
/// # Errors
/// It is not there, cannot be looked at, or says too little of which message a dead letter is of.
pub async fn open(
    pipeline: &Pipeline,
    service: &Service,
    sides: &Sides,
    request: &Request,
) -> Result<Option<Letters>, Failure> {
    let Some(dead_letter) = &pipeline.contract.fidelity.dead_letter else { return Ok(None) };
    match dead_letter {
        DeadLetter::Topic { topic, position } => {
            refuse_unplaced(pipeline, position, sides.tap.partitions())?;
            let tap = opened(topic, sides, service, request).await?;
            Ok(Some(Letters::Topic { tap, topic: topic.clone(), position: position.clone() }))
        }
        DeadLetter::Table { table, position } => {
            let catalog = table.split('.').next().and_then(|name| service.catalogs.get(name));
            let catalog = catalog.expect("joined: the catalog of the dead letters is there");
            let source = Box::new(TableSource::at(catalog, table)?);
            let pinned = Arc::new(source.load().await?.pin(&SnapshotSelector::Current).await?);
            let position = match position {
                Some(position) => position.clone(),
                None => of_known_sink(pipeline, table, &pinned)?,
            };
            refuse_unplaced(pipeline, &position, sides.tap.partitions())?;
            let columns = LetterColumns::of(&pinned.schema, &position).map_err(|(what, word)| {
                let names: Vec<&str> = pinned.schema.fields.iter().map(|field| field.name.as_str()).collect();
                let problem = pipeline.problem_at_word("fidelity.dead_letter.columns", &word, what);
                vec![problem.hint(format!("{table} has {}", list(&names, "and")))]
            })?;
            Ok(Some(Letters::Table { source, pinned, name: table.clone(), columns, position }))
        }
    }
}

/// How long a run waits for transactions in the topic of dead letters to end, and how long between two looks.
const BEHIND_MOST: Duration = Duration::from_secs(10);
const BEHIND_EVERY: Duration = Duration::from_millis(500);

/// The same, opened again until all that had been written when it was opened first is told by the brokers.
///
/// # Errors
/// A transaction is open for longer than a sink's.
pub async fn whole(
    letters: Option<Letters>,
    sides: &Sides,
    service: &Service,
    request: &Request,
) -> Result<Option<Letters>, Failure> {
    let Some(Letters::Topic { mut tap, topic, position }) = letters else { return Ok(letters) };
    let written: Vec<i64> = tap.partitions().iter().map(|range| range.high_watermark).collect();
    let began = Instant::now();
    loop {
        let mut told = tap.partitions().iter().zip(&written);
        let Some((behind, _)) = told.find(|(range, written)| range.last_stable < **written) else {
            return Ok(Some(Letters::Topic { tap, topic, position }));
        };
        if began.elapsed() >= BEHIND_MOST {
            return Err(DeadLetterError::Behind { tp: behind.tp.clone(), offset: behind.last_stable }.into());
        }
        sleep(BEHIND_EVERY).await;
        tap = opened(&topic, sides, service, request).await?;
    }
}

/// Opens their topic.
async fn opened(topic: &str, sides: &Sides, service: &Service, request: &Request) -> Result<Arc<dyn Tap>, Failure> {
    let (contract, service, request) = (Arc::clone(&sides.contract), service.clone(), request.clone());
    let name = topic.to_owned();
    let opened = tokio::task::spawn_blocking(move || open_letters(&contract, &name, &service, &request));
    let opened = opened.await.map_err(|error| Failure::Runtime(std::io::Error::other(error)))?;
    Ok(opened.map_err(|source| DeadLetterError::Topic { topic: topic.to_owned(), source })?)
}

/// The columns of the first known sink that the table has.
fn of_known_sink(pipeline: &Pipeline, table: &str, pinned: &Pinned) -> Result<PositionNames, Vec<Problem>> {
    let width = crate::config::WIDTH_DEFAULT;
    let known = PROFILES.iter().find_map(|(_, profile)| profile.resolve(&pinned.schema, width).ok());
    if let Some(Identity::Offset { topic, partition, offset, .. }) = known {
        return Ok(PositionNames { topic, partition, offset });
    }
    let names: Vec<&str> = pinned.schema.fields.iter().map(|field| field.name.as_str()).collect();
    let what = format!("{table} has the columns of no known sink that say which message a dead letter is of");
    let hint = format!("name them: `columns = [\"topic\", \"partition\", \"offset\"]`; it has {}", list(&names, "and"));
    Err(vec![pipeline.problem_at(&format!("{PLACE}.table"), what).hint(hint)])
}

/// Refuses positions without a topic or a partition where there are several.
fn refuse_unplaced(
    pipeline: &Pipeline,
    position: &PositionNames,
    partitions: &[PartitionRange],
) -> Result<(), Vec<Problem>> {
    let topics = topics_of(partitions);
    let refuse = |what: String, hint: &str| Err(vec![pipeline.problem_at(PLACE, what).hint(hint)]);
    if position.topic.is_none() && topics.len() > 1 {
        let what = format!("dead letters of {} topics do not say which of them each is of", topics.len());
        return refuse(what, "name three: topic, partition and offset");
    }
    if position.partition.is_none()
        && let Some(several) = topics
            .iter()
            .find(|topic| partitions.iter().any(|range| range.tp.topic == **topic && range.tp.partition > 0))
    {
        let count = partitions.iter().filter(|range| range.tp.topic == *several).count();
        let what = format!(
            "{} alone does not say which message a dead letter is of: {several} has {count} partitions, and each has \
             that offset",
            position.offset
        );
        return refuse(what, "name the partition too, or take `dead_letter` out: a guess would hide losses");
    }
    // A recording holds the partitions that were recorded, not those that there are.
    if position.partition.is_none() && pipeline.contract.source.is_some() {
        let what = format!("{} alone does not say which message of a recording a dead letter is of", position.offset);
        return refuse(what, "name the partition too, or take `dead_letter` out: a guess would hide losses");
    }
    Ok(())
}

/// Reads them, the last `most` where it is not all; and what should be known of them.
///
/// # Errors
/// They cannot be read to their end, or none of them names a message.
pub async fn read(
    pipeline: &Pipeline,
    letters: Option<Letters>,
    sides: &Sides,
    most: Option<i64>,
) -> Result<(Option<Arc<DeadLetters>>, Vec<String>), Failure> {
    let tap = Arc::clone(&sides.tap);
    match letters {
        None => Ok((None, Vec::new())),
        Some(Letters::Table { pinned, name, columns, .. }) => {
            let topics = topics_of(tap.partitions());
            let only = topics.first().map_or("", String::as_str);
            let most = most.map(i64::cast_unsigned);
            let found = of_table(&pinned, &columns, (&name, only, most), tap.partitions()).await?;
            Ok((Some(Arc::new(found)), Vec::new()))
        }
        Some(Letters::Topic { tap: letters, topic, position }) => {
            // A recording begins where it was begun.
            let said = if sides.contract.source.is_none() { trimmed(letters.as_ref()) } else { Vec::new() };
            let topics = topics_of(tap.partitions());
            // A message of an error may hold a value that is masked.
            let tell_messages = pipeline.contract.compare.mask.is_empty();
            let read = move || {
                let (tap_of, topics) = (letters.as_ref(), topics.as_slice());
                let (topic, position, last) = (topic.as_str(), &position, most);
                of_topic(LetterTopic { tap: tap_of, topic, position, topics, tell_messages, last }, tap.partitions())
            };
            let read = tokio::task::spawn_blocking(read).await;
            let found = read.map_err(|error| Failure::Runtime(std::io::Error::other(error)))??;
            Ok((Some(Arc::new(found)), said))
        }
    }
}

/// Looks at some of them, and says what there is.
///
/// # Errors
/// As [`open`] and [`read`].
pub async fn looked_at(
    pipeline: &Pipeline,
    service: &Service,
    sides: &Sides,
    request: &Request,
) -> Result<Vec<String>, Failure> {
    let letters = open(pipeline, service, sides, request).await?;
    let (Some(found), mut said) = read(pipeline, letters, sides, Some(SAMPLED)).await? else { return Ok(Vec::new()) };
    let LettersRead { letters, inside, outside, .. } = found.read;
    let looked = counted(letters, "dead letter", "dead letters");
    let lines = format!("{looked} of {} looked at: {} of messages of this pipeline", found.source, inside + outside);
    said.insert(0, lines);
    said.extend(warnings(&found.read, &LettersJudged::default()));
    Ok(said)
}

/// Dead letters that are gone say nothing of their messages any more.
fn trimmed(letters: &dyn Tap) -> Vec<String> {
    let trimmed = letters.partitions().iter().filter(|range| range.log_start > 0);
    let said = trimmed.map(|range| {
        let (tp, start) = (&range.tp, range.log_start);
        format!(
            "dead letters of {tp} before offset {start} are gone: messages that only they name are not diverted here"
        )
    });
    said.collect()
}

/// What is said of dead letters in the warnings of a report.
pub fn warnings(read: &LettersRead, judged: &LettersJudged) -> Vec<String> {
    let letters = |count: u64| counted(count, "dead letter", "dead letters");
    let mut said = Vec::new();
    if read.nameless > 0 {
        let (nameless, all) = (letters(read.nameless), read.letters);
        said.push(format!(
            "{nameless} of {all} do not say which message they are of: in Kafka Connect, \
             errors.deadletterqueue.context.headers.enable writes it"
        ));
    }
    if read.impossible > 0 {
        said.push(format!("{} name offsets that the topic does not have", letters(read.impossible)));
    }
    if judged.holes > 0 {
        said.push(format!("dead letters name {} that hold no message", counted(judged.holes, "offset", "offsets")));
    }
    if judged.other > 0 {
        let messages = counted(judged.other, "message", "messages");
        said.push(format!(
            "dead letters name {messages} that have a row, or of which none is asked for: that goes before"
        ));
    }
    said
}
