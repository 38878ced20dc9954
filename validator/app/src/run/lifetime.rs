//! One pipeline for as long as it lives: opened, followed, and opened again after each failure that may pass.
//!
//! Contract: what failed is said and tried again, the longer the less often; what cannot pass ends the pipeline and no other one.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use validator_core::error_chain::error_chain;
use validator_ledger::{Keep, Ledger, LedgerError};

use super::actor::{Actor, End};
use super::fleet::{Fleet, Judging};
use super::idle::Idle;
use super::limits::{KEPT, PANICS_MAX, POLL_DEFAULT, RETRY_FIRST, RETRY_MOST, SEAT_ASK_MOST};
use super::publishing::Publisher;
use super::standing_by::stand_by;
use super::{Outside, opening};
use crate::cli::Exit;
use crate::config::{Pipeline, Service};
use crate::failure::Failure;

/// One pipeline, opened again after each failure that may pass.
///
/// # Errors
/// Why it has ended for good.
pub async fn followed(
    pipeline: &Pipeline,
    service: &Service,
    ledger: &Ledger,
    until: Option<Duration>,
    (stop, publisher): (&CancellationToken, &Publisher),
) -> Result<(), Failure> {
    let name = pipeline.contract.name.as_str();
    let mut patience = Patience::of(ledger, name).await;
    loop {
        let began = Instant::now();
        let ended = once((pipeline, service), ledger, None, until, (stop, publisher), &Outside::default()).await;
        let failure = match ended {
            Ok(End::Stopped | End::Idle) => return Ok(()),
            Ok(End::Reopen(why)) => {
                tracing::info!(pipeline = name, "opened anew: {why}");
                continue;
            }
            Err(failure) => failure,
        };
        let pause = patience.after(&failure, began, until, publisher);
        let Some(pause) = pause.filter(|_| !stop.is_cancelled()) else {
            if !stop.is_cancelled() && !is_damage(&failure) {
                publisher.failed(&error_chain(&failure));
                stand_by(pipeline, service, ledger, publisher, (Duration::ZERO, stop)).await;
            }
            return Err(failure);
        };
        publisher.again(&error_chain(&failure));
        tracing::error!(pipeline = name, "opened again in {pause:?} after a failure: {}", error_chain(&failure));
        stand_by(pipeline, service, ledger, publisher, (pause, stop)).await;
        if stop.is_cancelled() {
            return Ok(());
        }
    }
}

/// One pipeline until nothing was left to do for so long.
///
/// # Errors
/// The first failure.
pub async fn follow(
    pipeline: &Pipeline,
    service: &Service,
    ledger: &Ledger,
    until: Duration,
    outside: &Outside,
) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let (publisher, _statuses) = Publisher::starting(&pipeline.contract.name, 1.0, outside.now_ms());
    while let End::Reopen(_) =
        once((pipeline, service), ledger, None, Some(until), (&stop, &publisher), outside).await?
    {}
    Ok(())
}

/// How failures of one pipeline are taken.
pub struct Patience {
    pause: Duration,
    panics: u32,
    has_followed: bool,
}

impl Patience {
    /// Nothing has failed yet. A pipeline that the ledger knows was followed before.
    pub async fn of(ledger: &Ledger, pipeline: &str) -> Self {
        Self { pause: RETRY_FIRST, panics: 0, has_followed: ledger.knows(pipeline).await.unwrap_or(false) }
    }

    /// In how long it is to be opened again; none: this failure does not pass.
    pub fn after(
        &mut self,
        failure: &Failure,
        began: Instant,
        until: Option<Duration>,
        publisher: &Publisher,
    ) -> Option<Duration> {
        // What went well for a long while has nothing to do with what failed before.
        self.has_followed |= publisher.has_judged();
        if began.elapsed() > RETRY_MOST {
            (self.pause, self.panics) = (RETRY_FIRST, 0);
        }
        self.panics += u32::from(matches!(failure, Failure::Following(_)));
        // A table that was there may come back. A job or test that waits for the end is told at once what stands against it.
        let is_mistaken = failure.exit() == Exit::Usage && !(self.has_followed && matches!(failure, Failure::Table(_)));
        if until.is_some() || is_mistaken || is_damage(failure) || self.panics >= PANICS_MAX {
            return None;
        }
        let pause = self.pause;
        self.pause = (self.pause * 2).min(RETRY_MOST);
        Some(pause)
    }
}

/// Whether the books are not what they were, or not ours any more.
pub fn is_damage(failure: &Failure) -> bool {
    let Failure::Ledger(error) = failure else { return false };
    matches!(
        error,
        LedgerError::Damaged { .. }
            | LedgerError::Newer { .. }
            | LedgerError::NotALedger { .. }
            | LedgerError::Fenced { .. }
    )
}

/// Opens a pipeline, and follows it until it ends. Of a fleet: with the seat, which the ledger asks for.
///
/// # Errors
/// The first failure.
pub async fn once(
    (pipeline, service): (&Pipeline, &Service),
    ledger: &Ledger,
    fleet: Option<&Fleet>,
    until: Option<Duration>,
    (stop, publisher): (&CancellationToken, &Publisher),
    outside: &Outside,
) -> Result<End, Failure> {
    let opened = async {
        let opened = opening::opened(pipeline, service, ledger, outside).await?;
        let judging = match fleet {
            Some(fleet) => Some(Judging::begin(fleet, pipeline, service, &opened.live.run).await?),
            None => None,
        };
        Ok::<_, Failure>((opened, judging))
    };
    let opened = tokio::select! {
        () = stop.cancelled() => None,
        opened = opened => Some(opened?),
    };
    let Some((opened, judging)) = opened else {
        // Else the seat is held by what was dropped. What takes longer is over with the session.
        let _ = tokio::time::timeout(SEAT_ASK_MOST, ledger.let_go()).await;
        return Ok(End::Stopped);
    };
    let poll = pipeline.poll_ms.or(service.poll_ms).map(|ms| Duration::from_millis(ms.unsigned_abs()));
    tracing::info!(pipeline = pipeline.contract.name, checkpoint = opened.shadow.checkpoint(), "following");
    let mut actor = Actor::new(
        pipeline,
        poll.unwrap_or(POLL_DEFAULT),
        opened,
        Idle::after(until),
        (outside.clone(), stop.clone()),
        publisher.clone(),
    );
    actor.keep = service.keep_ms.map_or(KEPT, kept);
    actor.fleet = judging;
    // A task of its own: what it panics with ends this pipeline alone.
    match tokio::spawn(actor.run()).await {
        Ok(ended) => ended,
        Err(error) => Err(Failure::Following(error.to_string())),
    }
}

/// One age for all that is over.
fn kept(ms: i64) -> Keep {
    Keep { resolved_ms: ms, chain_ms: ms, mail_ms: ms, bodies_ms: ms }
}
