//! The alerts of a pipeline that cannot be followed: somebody has to tell that nobody looks.
//!
//! Contract: nothing of the pipeline but its alerts is touched, and its counts are shown as the ledger has them. Of a pipeline that never had a checkpoint nothing can be kept, so
//! nothing is told but by the log, the metrics and its health.

use std::time::{Duration, Instant};

use tokio::time::{sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use validator_core::shadow::standing::Standing;
use validator_ledger::{Book, Ledger, LedgerError, OpenCounts};

use super::alerting::{Alerting, findings};
use super::limits::{ALERTS_EVERY, FLUSH_MOST};
use super::outside::wall_ms;
use super::publishing::Publisher;
use super::status::Status;
use crate::config::{Pipeline, Service};
use crate::failure::Failure;

/// Watches for as long as that, or until it is told to stop. What goes wrong with it is said and ends it early.
pub async fn stand_by(
    pipeline: &Pipeline,
    service: &Service,
    ledger: &Ledger,
    publisher: &Publisher,
    (most, stop): (Duration, &CancellationToken),
) {
    let until = Instant::now() + most;
    if let Err(failure) = watched(pipeline, service, ledger, publisher, (until, stop)).await {
        let why = validator_core::error_chain::error_chain(&failure);
        tracing::warn!(pipeline = pipeline.contract.name, "its alerts cannot be told meanwhile: {why}");
    }
    tokio::select! {
        () = stop.cancelled() => {}
        () = sleep_until(until.into()) => {}
    }
}

async fn watched(
    pipeline: &Pipeline,
    service: &Service,
    ledger: &Ledger,
    publisher: &Publisher,
    (until, stop): (Instant, &CancellationToken),
) -> Result<(), Failure> {
    let name = &pipeline.contract.name;
    let Some(mut book) = ledger.book_again(name, service.digest_key_bytes()).await? else { return Ok(()) };
    let mut alerting = Alerting::open(pipeline, service, &mut book, wall_ms, wall_ms()).await?;
    let mut status = as_kept(&book, publisher)?;
    alerting.show(&mut status);
    publisher.change(|said| said.clone_from(&status));
    if alerting.wakes_at().is_none() {
        return Ok(());
    }
    loop {
        let now_ms = wall_ms();
        if alerting.tick(&status, now_ms) {
            let mut tell = |_: &OpenCounts| alerting.told(&status, now_ms);
            book.tell(&mut tell, now_ms).await?;
            alerting.saved(now_ms);
        }
        alerting.show(&mut status);
        publisher.change(|said| said.clone_from(&status));
        alerting.post(&mut book, now_ms).await?;
        let next = (Instant::now() + ALERTS_EVERY).min(until);
        while let Ok(outcome) = timeout_at(next.into(), alerting.outcome()).await {
            alerting.keep(outcome, &mut book, wall_ms()).await?;
        }
        if Instant::now() >= until || stop.is_cancelled() {
            return Ok(alerting.flush(&mut book, FLUSH_MOST, wall_ms).await?);
        }
    }
}

/// What the last checkpoint says of it, and that nobody looks.
fn as_kept(book: &Book, publisher: &Publisher) -> Result<Status, Failure> {
    let mut status = Status::clone(&publisher.status());
    let (phase, why) = (status.phase, std::mem::take(&mut status.why));
    let damaged = |error: validator_core::shadow::delta::Damaged| LedgerError::Damaged { what: error.to_string() };
    let standing = Standing::from_bytes(book.totals()).map_err(damaged)?;
    status.take(&standing);
    status.findings = findings(book.open_findings(), &standing);
    status.ignored.clone_from(&book.open_counts().ignored);
    (status.phase, status.why) = (phase, why);
    Ok(status)
}
