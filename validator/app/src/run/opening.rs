//! Opening one pipeline of a continuous run: the table, its book, the partitions where the book left them, and the shadow.
//!
//! Contract: the table is loaded first, since a profile's identity depends on it; partitions keep the order in which the book
//! first saw them, and where they began keeps the meaning that it had then.

use std::collections::BTreeSet;
use std::sync::Arc;

use validator_core::clock::Clock;
use validator_core::contract::{Contract, Identity};
use validator_core::judge::ModeKind;
use validator_core::limits::SEGMENT_WIDTH_OFFSETS;
use validator_core::position::TopicPartition;
use validator_core::segment::OffsetWidth;
use validator_core::shadow::Shadow;
use validator_core::shadow::delta::Saved;
use validator_core::shadow::event::{Event, NewLane};
use validator_core::shadow::lane::Lane;
use validator_core::shadow::terms::{Cut, Terms, TimedBy, Windows};
use validator_engine::reconcile::{Progress, Run};
use validator_ledger::{Book, Ledger};
use validator_table::{ManifestCache, Pinned, SnapshotSelector, Table};
use validator_tap::{Begin, Bounds, KafkaTap, LaneToOpen, Tap};

use super::alerting::Alerting;
use super::letters::LetterSource;
use super::logs;
use super::notes::Notes;
use super::outside::{Outside, wall_ms};
use super::state::pipeline_is;
use crate::config::{Pipeline, SETTLE_MS_OF_RUN, Service};
use crate::dead_letters;
use crate::failure::Failure;
use crate::messages::{kafka_config, open_tap};
use crate::open::{self, Sides, TableSource};
use crate::reconcile::Request;

/// Both sides of a pipeline, as they are now.
pub struct Live {
    /// Where the table is looked up.
    pub source: TableSource,
    /// Its metadata, as last loaded.
    pub table: Table,
    /// Manifests that were read.
    pub cache: Arc<ManifestCache>,
    /// Opened sides over the snapshot that was last applied; before the first one over the head.
    pub run: Run,
    /// Whether `run` is pinned at the snapshot whose live set the shadow has.
    pub is_at_line: bool,
    /// Dead letters, where the pipeline declares some.
    pub letters: Option<LetterSource>,
    /// Whether this process has read some of them.
    pub has_letters: bool,
}

/// A pipeline, opened.
pub struct Opened {
    /// Both sides.
    pub live: Live,
    /// Its part of the ledger.
    pub book: Book,
    /// Its state.
    pub shadow: Shadow,
    /// What a report says beside.
    pub notes: Notes,
    /// Its alerts.
    pub alerting: Alerting,
}

/// Opens a pipeline where its book left it.
///
/// # Errors
/// [`Failure`].
pub async fn opened(
    pipeline: &Pipeline,
    service: &Service,
    ledger: &Ledger,
    outside: &Outside,
) -> Result<Opened, Failure> {
    let Head { source, table, head, contract } = head(pipeline, service).await?;
    super::refusals::check(pipeline, &contract)?;
    let (mut book, saved) = ledger.book(&pipeline_is(pipeline, service, &contract)).await?;
    let known = saved.opened_lanes().map_err(damaged)?;
    let (sides, run) = both(pipeline, service, (contract, head), &known, outside).await?;
    super::refusals::check_partitions(pipeline, &sides.contract, sides.tap.as_ref())?;
    let mut terms = terms(pipeline, &sides.contract)?;
    terms.timed = match terms.settle_ms {
        ..=0 => TimedBy::Nobody,
        _ if run.rows_tell_late() => TimedBy::Rows,
        // No row of a window says which message it is of; a commit of an upsert table writes rows again.
        _ if terms.windows().is_some() => TimedBy::Nobody,
        // Members of a fleet do not have the times of messages that others have read.
        _ if service.fleet => TimedBy::Nobody,
        _ => TimedBy::Messages,
    };
    if let Some(every_ms) = windows_of(&sides.contract).filter(|every_ms| *every_ms as i64 > terms.settle_ms) {
        let (settle_ms, name) = (terms.settle_ms, &pipeline.contract.name);
        tracing::warn!(
            pipeline = name.as_str(),
            every_ms,
            settle_ms,
            "a window is longer than `settle`: what differs in one is read whole, and told once nothing comes to it any more"
        );
    }
    let shadow = restored(terms, saved, &known, sides.tap.as_ref())?;
    let cache = Arc::new(ManifestCache::new());
    let letters = letters(pipeline, service, &sides, outside).await.map_err(|failure| logs::away(failure, &known))?;
    let mut live = Live { source, table, cache, run, is_at_line: false, letters, has_letters: false };
    live.go_to_line(&shadow).await;
    let mut notes = Notes::from_text(shadow.notes()).map_err(damaged)?;
    super::refusals::check_letters(pipeline, live.letters.as_ref(), notes.dead_letters.as_ref())?;
    logs::are_those_of(&mut notes, &known, sides.tap.as_ref())?;
    let alerting = Alerting::open(pipeline, service, &mut book, wall_ms, outside.now_ms()).await?;
    Ok(Opened { live, book, shadow, notes, alerting })
}

/// The table as it is now, and the contract that it has.
struct Head {
    source: TableSource,
    table: Table,
    head: Arc<Pinned>,
    contract: Contract,
}

async fn head(pipeline: &Pipeline, service: &Service) -> Result<Head, Failure> {
    let source = TableSource::of(pipeline, service)?;
    let table = source.load().await?;
    let head = Arc::new(table.pin(&SnapshotSelector::Current).await?);
    let mut contract = pipeline.contract.clone();
    contract.identity = open::identity(pipeline, &head.schema)?;
    Ok(Head { source, table, head, contract })
}

/// Both sides, opened, the partitions in the order of those that are known.
async fn both(
    pipeline: &Pipeline,
    service: &Service,
    (contract, head): (Contract, Arc<Pinned>),
    known: &[Lane],
    outside: &Outside,
) -> Result<(Sides, Run), Failure> {
    let request = Request { tap: outside.tap.clone(), ..Request::new(outside.now_ms()) };
    let (lanes, asked) = (known.iter().map(known_lane).collect::<Vec<_>>(), request.clone());
    let opened = open::over(contract, service, head, move |contract, service| tap(contract, service, lanes, &asked));
    let sides = opened.await.map_err(|failure| logs::away(failure, known))?;
    // Verdicts are the shadow's, and nothing here is judged by it; which rows are late the scans say.
    let settle_ms = terms(pipeline, &sides.contract)?.settle_ms;
    let clock = Clock { judged_at_ms: request.started_ms, settle_ms, give_up_ms: 0, retention_ms: None };
    let run = open::run(pipeline, service, &sides, clock, &request, Progress::none())?;
    Ok((sides, run))
}

/// What the pipeline declares of dead letters, opened behind both sides.
async fn letters(
    pipeline: &Pipeline,
    service: &Service,
    sides: &Sides,
    outside: &Outside,
) -> Result<Option<LetterSource>, Failure> {
    let request = Request::new(outside.now_ms());
    let Some(letters) = dead_letters::open(pipeline, service, sides, &request).await? else { return Ok(None) };
    Ok(Some(LetterSource::of(letters, pipeline.contract.compare.mask.is_empty()).await?))
}

/// Opens both sides beside the process that has the book, over the partitions that the book has.
///
/// # Errors
/// [`Failure`].
pub async fn beside(
    pipeline: &Pipeline,
    service: &Service,
    known: &[Lane],
    outside: &Outside,
) -> Result<Live, Failure> {
    let Head { source, table, head, contract } = head(pipeline, service).await?;
    super::refusals::check(pipeline, &contract)?;
    let (_, run) = both(pipeline, service, (contract, head), known, outside).await?;
    let cache = Arc::new(ManifestCache::new());
    // Whoever has the seat reads them.
    Ok(Live { source, table, cache, run, is_at_line: false, letters: None, has_letters: false })
}

impl Live {
    /// Pins the snapshot whose live set the shadow has, if it is still there: what drills read.
    async fn go_to_line(&mut self, shadow: &Shadow) {
        let Some(cursor) = &shadow.line().cursor else {
            // Nothing is live in the shadow, and nothing that it asks for is of a file.
            self.is_at_line = true;
            return;
        };
        let pinned = self.table.pin_with(&self.cache, cursor.id).await;
        self.is_at_line = pinned.is_ok_and(|pinned| self.go_to(Arc::new(pinned)));
    }

    /// Goes on over another snapshot; false: its schema is another, so that the contract is to be bound anew.
    pub fn go_to(&mut self, pinned: Arc<Pinned>) -> bool {
        let Some(run) = self.run.repinned(pinned) else { return false };
        self.run = run;
        true
    }
}

/// The source, its partitions in the book's order with new ones behind. Blocking.
fn tap(
    contract: &Contract,
    service: &Service,
    known: Vec<LaneToOpen>,
    request: &Request,
) -> Result<Arc<dyn Tap>, Failure> {
    let (Some(kafka), None, None) = (&service.kafka, &contract.source, &request.tap) else {
        return open_tap(contract, service, request);
    };
    let bounds = Bounds { from: None, to: None, start: contract.start.clone() };
    let config = kafka_config(kafka, contract.topics.clone(), bounds);
    let tap = match known.is_empty() {
        true => KafkaTap::open(&config)?,
        false => KafkaTap::open_lanes(&config, &with_new(&config, known)?)?,
    };
    // From here on it is known which topics these are: what is made again under their names is another one.
    tap.ends()?;
    // Those that the contract leaves out come last: a partition has the number of its place among those that are followed.
    let (followed, left_out): (Vec<_>, Vec<_>) = tap.partitions().iter().partition(|range| range.listed);
    if tap.partitions().iter().take(followed.len()).all(|range| range.listed) {
        return Ok(Arc::new(tap));
    }
    let followed = followed.into_iter().map(|range| (range, Begin::Known { start: range.start }));
    let all = followed.chain(left_out.into_iter().map(|range| (range, Begin::Bounds)));
    let lanes: Vec<LaneToOpen> = all.map(|(range, begin)| LaneToOpen { tp: range.tp.clone(), begin }).collect();
    Ok(Arc::new(KafkaTap::open_lanes(&config, &lanes)?))
}

fn known_lane(lane: &Lane) -> LaneToOpen {
    LaneToOpen { tp: lane.tp.clone(), begin: Begin::Known { start: lane.declared.then_some(lane.start) } }
}

/// The lanes of the book, and partitions that came while nobody looked.
fn with_new(
    config: &validator_tap::KafkaConfig,
    mut lanes: Vec<LaneToOpen>,
) -> Result<Vec<LaneToOpen>, validator_tap::TapError> {
    let tap = KafkaTap::open_lanes(config, &lanes)?;
    lanes.extend(tap.grown()?.into_iter().map(|tp| LaneToOpen { tp, begin: Begin::Bounds }));
    Ok(lanes)
}

/// The cut, with whether a topic is compacted; where the brokers do not say it, as it was known before.
fn with_policy(cut: Cut, before: Cut, tap: &dyn Tap) -> Cut {
    let (Cut::Windows(windows), Cut::Windows(known)) = (cut, before) else { return cut };
    let topics: BTreeSet<&str> = tap.partitions().iter().map(|range| range.tp.topic.as_str()).collect();
    let policies: Vec<Option<bool>> = topics.into_iter().map(|topic| tap.compacted(topic)).collect();
    let is_any = policies.contains(&Some(true));
    let compacted = is_any || known.compacted && policies.contains(&None);
    Cut::Windows(Windows { compacted, ..windows })
}

/// The shadow as the book has it, with the partitions that are new.
fn restored(terms: Terms, saved: Saved, known: &[Lane], tap: &dyn Tap) -> Result<Shadow, Failure> {
    let there: BTreeSet<&TopicPartition> = known.iter().map(|lane| &lane.tp).collect();
    let new: Vec<NewLane> = tap
        .partitions()
        .iter()
        .filter(|range| range.listed && !there.contains(&range.tp))
        .map(|range| NewLane {
            tp: range.tp.clone(),
            start: range.from,
            declared: range.start.is_some(),
            log_start: range.log_start,
            high_watermark: range.high_watermark,
        })
        .collect();
    // A recording that is not cut is whole, wherever its offsets begin.
    let recorded: BTreeSet<&TopicPartition> =
        tap.partitions().iter().filter(|range| range.starts_at_first).map(|range| &range.tp).collect();
    let is_whole =
        |tp: &TopicPartition, start: i64, log_start: i64| log_start == 0 && start <= 0 || recorded.contains(tp);
    let is_left_out = tap.partitions().iter().any(|range| !range.listed);
    let known_whole = !is_left_out && known.iter().all(|lane| is_whole(&lane.tp, lane.start, lane.log_start));
    let whole_topic = known_whole && new.iter().all(|lane| is_whole(&lane.tp, lane.start, lane.log_start));
    let cut = with_policy(terms.cut, terms.cut, tap);
    let before = Terms { whole_topic: known_whole, cut, ..terms.clone() };
    let mut shadow = Shadow::restore(before, saved).map_err(damaged)?;
    if !new.is_empty() {
        shadow.apply(Event::Partitions(new)).map_err(|refused| Failure::Following(refused.to_string()))?;
    }
    let cut = with_policy(terms.cut, shadow.terms().cut, tap);
    let terms = Terms { whole_topic, cut, ..terms };
    if *shadow.terms() != terms {
        shadow.set_terms(terms);
    }
    // By the schema of before it could perhaps not be read.
    shadow.ask_anew();
    Ok(shadow)
}

/// The length of the windows that segments are of.
fn windows_of(contract: &Contract) -> Option<u64> {
    match contract.identity {
        Identity::Offset { .. } | Identity::Key { upsert: Some(_), .. } => None,
        Identity::Key { every_ms, .. } | Identity::Content { every_ms, .. } => Some(every_ms),
    }
}

/// The terms of a pipeline, without what the topic and the table say.
///
/// # Errors
/// The width is none.
fn terms(pipeline: &Pipeline, contract: &Contract) -> Result<Terms, Failure> {
    let windows = |mode| Cut::Windows(Windows { mode, compacted: false });
    let (width, cut) = match contract.identity {
        Identity::Offset { width, .. } => (width, Cut::Offsets),
        Identity::Key { upsert: Some(_), .. } => (SEGMENT_WIDTH_OFFSETS, windows(ModeKind::Upsert)),
        Identity::Key { .. } => (SEGMENT_WIDTH_OFFSETS, windows(ModeKind::Key)),
        Identity::Content { .. } => (SEGMENT_WIDTH_OFFSETS, windows(ModeKind::Content)),
    };
    let fidelity = &contract.fidelity;
    Ok(Terms {
        pipeline: contract.name.clone(),
        settle_ms: if pipeline.has_settle { fidelity.settle_ms } else { SETTLE_MS_OF_RUN },
        give_up_ms: fidelity.give_up_ms,
        retention_ms: fidelity.retention_ms,
        width: OffsetWidth::new(width)?,
        whole_topic: false,
        timed: TimedBy::Nobody,
        cut,
    })
}

fn damaged(error: impl std::fmt::Display) -> Failure {
    validator_ledger::LedgerError::Damaged { what: error.to_string() }.into()
}
