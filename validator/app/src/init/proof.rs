//! The proof of a proposed file: the check, and a run of the real engine over what was sampled.
//!
//! Contract: the run reads one place of the sample, contiguous in each partition, and of the table
//! what may hold its rows; where those are more than `PROOF_ROWS_MAX` they are not read, and the proof says so.

use std::collections::BTreeMap;

use validator_core::contract::Bound;
use validator_core::report::Report;
use validator_engine::reconcile::{Progress, Run};

use super::limits::PROOF_ROWS_MAX;
use super::proof_part::{Part, part};
use super::sides::Looked;
use crate::answer::Frame;
use crate::check::{Checked, Depth, problems_of};
use crate::cli::Exit;
use crate::config::{Pipeline, Problem, Service};
use crate::failure::Failure;
use crate::open;
use crate::reconcile::{Request, clock};

/// What was proven.
#[derive(Debug)]
pub struct Proof {
    /// What `check` says of the file; none is sound.
    pub problems: Vec<Problem>,
    /// Messages that the check decoded.
    pub checked: u64,
    /// The run's report; none where there was none, and why.
    pub run: Result<Report, String>,
    /// Whether the run was over the whole topic.
    pub is_whole: bool,
}

impl Proof {
    /// The exit code: what the run of the sample would end with.
    pub fn exit(&self) -> Exit {
        match &self.run {
            _ if !self.problems.is_empty() => Exit::Usage,
            Ok(report) => match report.outcome.exit_code() {
                0 => Exit::Holds,
                1 => Exit::Breached,
                _ => Exit::Unjudged,
            },
            Err(_) => Exit::Unjudged,
        }
    }
}

/// Checks and runs.
///
/// # Errors
/// A side cannot be asked any more.
pub fn prove(
    pipeline: &Pipeline,
    service: &Service,
    looked: &Looked,
    runtime: &tokio::runtime::Runtime,
    now_ms: i64,
) -> Result<Proof, Failure> {
    let Checked { problems, sample, .. } = match problems_of(pipeline, service, Depth::Sample, now_ms, runtime) {
        Ok(checked) => checked,
        Err(Failure::Problems(problems)) => Checked { problems, sample: None, explained: None, letters: Vec::new() },
        Err(other) => return Err(other),
    };
    let checked = sample.map_or(0, |sample| sample.messages);
    let is_whole = looked.evidence.is_whole;
    if !problems.is_empty() {
        return Ok(Proof { problems, checked, run: Err("the file is not sound".to_owned()), is_whole });
    }
    let run = runtime.block_on(run(pipeline, service, looked, now_ms))?;
    Ok(Proof { problems, checked, run, is_whole })
}

async fn run(
    pipeline: &Pipeline,
    service: &Service,
    looked: &Looked,
    now_ms: i64,
) -> Result<Result<Report, String>, Failure> {
    let mut request = Request::talking(now_ms);
    if !looked.evidence.is_whole {
        let Some((from, to)) = place(looked) else {
            return Ok(Err("no place of the sample holds tied messages".to_owned()));
        };
        (request.from, request.to) = (Some(Bound::Offsets(from)), Some(Bound::Offsets(to)));
    }
    let mut sides = open::sides(pipeline, service, &request).await?;
    let Part { within, rows } = part(&mut sides, looked, &request).await;
    if rows > PROOF_ROWS_MAX {
        return Ok(Err(format!("it would read {rows} rows, and a proof reads {PROOF_ROWS_MAX} at most")));
    }
    let clock = clock(pipeline, &request, &sides);
    let run = open::run(pipeline, service, &sides, clock, &request, Progress::none())?;
    let run = Run { within, ..run };
    let result = run.reconcile().await?;
    let frame = Frame::ended(pipeline, &sides, now_ms, clock);
    Ok(Ok(frame.answer(result)?.report))
}

type Offsets = BTreeMap<i32, i64>;

/// The place of the sample that holds most tied messages: its first and last offset by partition.
fn place(looked: &Looked) -> Option<(Offsets, Offsets)> {
    let messages = &looked.evidence.messages;
    let (partition, offset) = (messages.field("_partition")?, messages.field("_offset")?);
    let number = |at: usize, field: usize| messages.values[at][field].as_integer().and_then(|n| i64::try_from(n).ok());
    let tied: Vec<(i64, i64)> = looked
        .proposal
        .tied_messages
        .iter()
        .filter_map(|at| Some((number(*at, partition)?, number(*at, offset)?)))
        .collect();
    let number_of = |index: u32| looked.evidence.partitions.get(index as usize).map(|(number, _)| *number);
    let places = looked.places.iter().map(|place| {
        let (mut from, mut to, mut held) = (Offsets::new(), Offsets::new(), 0_usize);
        for (index, range) in place {
            let Some(number) = number_of(index.0) else { continue };
            from.insert(number, range.start);
            to.insert(number, range.end);
            held += tied.iter().filter(|(of, at)| *of == i64::from(number) && range.contains(at)).count();
        }
        (held, from, to)
    });
    // Between equals the earlier: its rows have had the more time.
    let best = places.enumerate().max_by_key(|(nth, (held, ..))| (*held, std::cmp::Reverse(*nth)));
    best.filter(|(_, (held, ..))| *held > 0).map(|(_, (_, from, to))| (from, to))
}
