//! `validator run`: every pipeline shadowed for as long as the process lives.
//!
//! Contract: pipelines share the ledger and the threads and nothing else: one that fails is opened again from its last
//! checkpoint while the others go on. Nothing is written but the ledger.

mod actor;
mod asking;
mod idle;
mod jobs;
mod keeping;
mod limits;
mod looking;
mod notes;
mod opening;
mod reading;
mod refusals;
mod state;

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use validator_ledger::Ledger;

pub use notes::Notes;
pub use state::address;

use crate::cli::{Exit, RunArgs};
use crate::config::{Loader, Pipeline, Problem, Service};
use crate::failure::Failure;
use crate::open;
use crate::render;
use crate::terminal::Terminal;
use actor::{Actor, End};
use idle::Idle;
use limits::{PANICS_MAX, POLL_DEFAULT, RETRY_FIRST, RETRY_MOST, STOP_MOST};

/// Runs the command.
///
/// # Errors
/// [`Failure`], with its exit code.
pub fn run(args: &RunArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let loader = Loader::of_process(now_ms);
    let service = loader.service(args.config.as_deref())?;
    terminal.warn(&service.warnings);
    let pipelines = pipelines(&loader, &service, &args.pipelines)?;
    let until = args.until_idle.map(|ms| Duration::from_millis(ms.unsigned_abs()));
    let runtime = open::runtime()?;
    let ended = runtime.block_on(shadow(pipelines, Arc::new(service), until, terminal));
    // Threads that wait for a broker or a store are not waited for.
    runtime.shutdown_timeout(Duration::from_millis(200));
    ended
}

/// The pipelines of the command line, else all of the service.
fn pipelines(loader: &Loader<'_>, service: &Service, named: &[String]) -> Result<Vec<Pipeline>, Failure> {
    let mut pipelines = Vec::new();
    for argument in named {
        pipelines.push(loader.pipeline(argument, service)?);
    }
    if named.is_empty() {
        for file in loader.pipeline_files(service)? {
            pipelines.push(loader.pipeline_file(&file)?);
        }
    }
    if pipelines.is_empty() {
        let problem = Problem::new("there is no pipeline to run");
        return Err(vec![problem.hint("write `pipelines = [\"rules/suites/*.toml\"]` in [service] of validator.toml")].into());
    }
    for (index, pipeline) in pipelines.iter().enumerate() {
        if pipelines[..index].iter().any(|other| other.contract.name == pipeline.contract.name) {
            let what = format!("another file holds a pipeline `{}` too", pipeline.contract.name);
            return Err(vec![pipeline.problem_at("pipeline.name", what)].into());
        }
    }
    Ok(pipelines)
}

async fn shadow(
    pipelines: Vec<Pipeline>,
    service: Arc<Service>,
    until: Option<Duration>,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let ledger = Arc::new(state::open(&service, chrono::Utc::now().timestamp_millis()).await?);
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    for pipeline in pipelines.clone() {
        let (service, ledger, stop) = (Arc::clone(&service), Arc::clone(&ledger), stop.clone());
        running.spawn(async move { followed(pipeline, &service, &ledger, until, stop).await });
    }
    let mut signals = [SignalKind::terminate(), SignalKind::interrupt()]
        .into_iter()
        .map(signal)
        .collect::<Result<Vec<_>, _>>()
        .map_err(Failure::Runtime)?;
    let (second, first) = (signals.pop(), signals.pop());
    let (Some(mut terminate), Some(mut interrupt)) = (first, second) else { unreachable!("two signals") };
    let mut failed = None;
    loop {
        tokio::select! {
            _ = terminate.recv(), if !stop.is_cancelled() => stop.cancel(),
            _ = interrupt.recv(), if !stop.is_cancelled() => stop.cancel(),
            () = tokio::time::sleep(STOP_MOST), if stop.is_cancelled() => {
                return Err(Failure::Following("a pipeline did not end in time; it goes on from its last checkpoint".to_owned()));
            }
            ended = running.join_next() => match ended {
                None => break,
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(failure))) => {
                    terminal.talk(&render::failure(&failure, terminal.palette_of_talk(), terminal.width()));
                    let worse = failed.as_ref().is_none_or(|other: &Failure| failure.exit().code() > other.exit().code());
                    if worse {
                        failed = Some(failure);
                    }
                }
                Some(Err(error)) => return Err(Failure::Runtime(std::io::Error::other(error))),
            }
        }
    }
    drop(ledger);
    match (failed, until) {
        (Some(failure), _) => Ok(failure.exit()),
        (None, None) => Ok(Exit::Holds),
        (None, Some(_)) if stop.is_cancelled() => Ok(Exit::Unjudged),
        (None, Some(_)) => Ok(crate::ledger::worst(&crate::ledger::all(&service, &pipelines).await?)),
    }
}

/// One pipeline, opened again after each failure that may pass.
async fn followed(
    pipeline: Pipeline,
    service: &Service,
    ledger: &Ledger,
    until: Option<Duration>,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let name = pipeline.contract.name.clone();
    let (mut pause, mut panics) = (RETRY_FIRST, 0);
    loop {
        let failure = match once(&pipeline, service, ledger, until, stop.clone()).await {
            Ok(End::Stopped | End::Idle) => return Ok(()),
            Err(Failure::SchemaChanged) => {
                tracing::info!(pipeline = name, "the schema of the table has changed: it is opened anew");
                continue;
            }
            Err(failure) => failure,
        };
        let is_final = matches!(failure.exit(), Exit::Usage) || is_damage(&failure);
        panics += u32::from(matches!(failure, Failure::Following(_) | Failure::Internal(_)));
        if is_final || stop.is_cancelled() || panics >= PANICS_MAX {
            return Err(failure);
        }
        tracing::error!(pipeline = name, seconds = pause.as_secs(), "opened again after a failure: {}", looking::chain(&failure));
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(RETRY_MOST),
        }
    }
}

fn is_damage(failure: &Failure) -> bool {
    use validator_ledger::LedgerError as Error;
    matches!(failure, Failure::Ledger(Error::Damaged { .. } | Error::Newer { .. } | Error::NotALedger { .. } | Error::Fenced { .. }))
}

async fn once(
    pipeline: &Pipeline,
    service: &Service,
    ledger: &Ledger,
    until: Option<Duration>,
    stop: CancellationToken,
) -> Result<End, Failure> {
    let opened = tokio::select! {
        () = stop.cancelled() => return Ok(End::Stopped),
        opened = opening::opened(pipeline, service, ledger) => opened?,
    };
    let poll_ms = pipeline.poll_ms.or(service.poll_ms).map(|ms| Duration::from_millis(ms.unsigned_abs()));
    let poll = poll_ms.unwrap_or(POLL_DEFAULT);
    tracing::info!(pipeline = pipeline.contract.name, checkpoint = opened.shadow.checkpoint(), "following");
    let actor = Actor::new(pipeline, poll, opened, Idle::after(until), stop);
    // A task of its own: what it panics with ends this pipeline alone.
    match tokio::spawn(actor.run()).await {
        Ok(ended) => ended,
        Err(error) => Err(Failure::Following(error.to_string())),
    }
}
