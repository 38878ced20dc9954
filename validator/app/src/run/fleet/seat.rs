//! One pipeline of a member: its hand works all the time, and it judges while it holds the seat.
//!
//! Contract: who does not hold the seat stands by and says so. A seat is given up when the pipeline ends here, for good or for a
//! while, so that another member can take it; one that is lost ends the actor, whose checkpoints are fenced by then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use validator_core::error_chain::error_chain;
use validator_ledger::{Ledger, LedgerError, Link, Seat};

use super::hand::Hand;
use super::{Fleet, refuse_unshared, terms};
use crate::config::{Pipeline, Service};
use crate::failure::Failure;
use crate::run::Outside;
use crate::run::actor::End;
use crate::run::lifetime::{Patience, is_damage, once};
use crate::run::limits::{RETRY_FIRST, SEAT_ASK_MOST, SEAT_EVERY, SEAT_KEPT_EVERY};
use crate::run::publishing::Publisher;
use crate::run::standing_by::stand_by;

/// A pipeline of a member.
pub struct Seated<'a> {
    /// Its files.
    pub pipeline: &'a Pipeline,
    /// The service's.
    pub service: &'a Service,
    /// The connection that writes books.
    pub ledger: &'a Ledger,
    /// Who this is.
    pub fleet: &'a Fleet,
    /// `--until-idle`.
    pub until: Option<Duration>,
    /// Where it says how it is.
    pub publisher: &'a Publisher,
}

/// Works and, where it can, judges, until it is told to stop, is idle as the judge for as long as was asked, or is refused.
///
/// # Errors
/// Why it has ended for good.
pub async fn followed(seated: Seated<'_>, stop: &CancellationToken) -> Result<(), Failure> {
    refuse_unshared(seated.pipeline)?;
    let terms = terms(seated.pipeline, seated.service)?;
    // Whatever ends one half ends the other.
    let halves = stop.child_token();
    let hand = Hand::new(seated.pipeline, seated.service, seated.fleet, terms);
    let working = halves.clone();
    let mut hand = tokio::spawn(async move { hand.work(&working).await });
    let ended = {
        let mut judged = std::pin::pin!(seated.judge(terms, &halves));
        tokio::select! {
            ended = &mut judged => ended,
            refused = &mut hand => {
                halves.cancel();
                let ended = judged.await;
                return refused.unwrap_or_else(|error| Err(Failure::Following(error.to_string()))).and(ended);
            }
        }
    };
    halves.cancel();
    // Its reading thread ends within the quiet time of the tap.
    let _ = hand.await;
    if let Err(failure) = &ended {
        seated.publisher.failed(&error_chain(failure));
    }
    ended
}

/// Why a time with the seat is over.
enum Over {
    /// Nothing more is to be done here.
    Ended,
    /// Another member may judge, and this one stands by.
    Next,
}

impl Seated<'_> {
    async fn judge(&self, terms: [u8; 32], stop: &CancellationToken) -> Result<(), Failure> {
        let mut patience = Patience::of(self.ledger, &self.pipeline.contract.name).await;
        loop {
            let Some(link) = self.taken(terms, stop).await? else { return Ok(()) };
            tracing::info!(pipeline = self.pipeline.contract.name, member = self.fleet.member.name, "judges");
            let lost = stop.child_token();
            let keeping = Keeping::start(link, terms, lost.clone());
            let over = self.with_seat(&mut patience, stop, &lost).await;
            keeping.give_up().await;
            if let Over::Ended = over? {
                return Ok(());
            }
            // Who gave it up lets others go first.
            self.stands_by("another member");
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(SEAT_EVERY) => {}
            }
        }
    }

    /// Stands by until the seat is ours; none: it was told to stop.
    async fn taken(&self, terms: [u8; 32], stop: &CancellationToken) -> Result<Option<Link>, Failure> {
        let name = &self.pipeline.contract.name;
        let mut link = None;
        while !stop.is_cancelled() {
            let asked = async {
                let link = match &mut link {
                    Some(link) => link,
                    None => link.insert(Link::join(&self.fleet.address, name, &self.fleet.member).await?),
                };
                link.take_seat(terms).await
            };
            let pause = match asked.await {
                Ok(Seat::Ours { .. }) => return Ok(link),
                Ok(Seat::Theirs(theirs)) if theirs.terms != terms => {
                    return Err(LedgerError::OtherTerms { name: name.clone() }.into());
                }
                Ok(Seat::Theirs(theirs)) => {
                    self.stands_by(&format!("member {}", theirs.member));
                    SEAT_EVERY
                }
                Err(error) if error.may_pass() => {
                    self.publisher.again(&error_chain(&error));
                    RETRY_FIRST
                }
                Err(error) => return Err(error.into()),
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(pause) => {}
            }
        }
        Ok(None)
    }

    fn stands_by(&self, judge: &str) {
        self.publisher.stands_by(&format!("{judge} judges, and this one stands by"));
    }

    /// Judges until it ends, fails or loses the seat.
    async fn with_seat(
        &self,
        patience: &mut Patience,
        stop: &CancellationToken,
        lost: &CancellationToken,
    ) -> Result<Over, Failure> {
        let name = &self.pipeline.contract.name;
        self.publisher.starts();
        loop {
            let began = Instant::now();
            let (outside, within) = (Outside::default(), (lost, self.publisher));
            let of = (self.pipeline, self.service);
            let failure = match once(of, self.ledger, Some(self.fleet), self.until, within, &outside).await {
                Ok(End::Idle) => return Ok(Over::Ended),
                Ok(End::Stopped) if stop.is_cancelled() => return Ok(Over::Ended),
                Ok(End::Stopped) => return Ok(Over::Next),
                Ok(End::Reopen(why)) => {
                    tracing::info!(pipeline = name, "opened anew: {why}");
                    continue;
                }
                Err(Failure::Ledger(LedgerError::Fenced { .. })) => {
                    tracing::warn!(pipeline = name, "another member has taken the seat");
                    return Ok(Over::Next);
                }
                Err(failure) => failure,
            };
            let pause = patience.after(&failure, began, self.until, self.publisher);
            let Some(pause) = pause.filter(|_| !stop.is_cancelled()) else {
                if !stop.is_cancelled() && !is_damage(&failure) {
                    self.publisher.failed(&error_chain(&failure));
                    stand_by(self.pipeline, self.service, self.ledger, self.publisher, (Duration::ZERO, lost)).await;
                }
                return Err(failure);
            };
            self.publisher.again(&error_chain(&failure));
            tracing::error!(
                pipeline = name,
                "the seat is given up in {pause:?} after a failure: {}",
                error_chain(&failure)
            );
            stand_by(self.pipeline, self.service, self.ledger, self.publisher, (pause, lost)).await;
            return Ok(if stop.is_cancelled() { Over::Ended } else { Over::Next });
        }
    }
}

/// The seat, kept for as long as the value lives.
struct Keeping {
    link: Arc<Mutex<Link>>,
    task: JoinHandle<()>,
}

impl Keeping {
    /// Takes it again and again, and says so when it is lost.
    fn start(link: Link, terms: [u8; 32], lost: CancellationToken) -> Self {
        let link = Arc::new(Mutex::new(link));
        let kept = Arc::clone(&link);
        let task = tokio::spawn(async move {
            loop {
                sleep(SEAT_KEPT_EVERY).await;
                match kept.lock().await.take_seat(terms).await {
                    Ok(Seat::Ours { .. }) => {}
                    Ok(Seat::Theirs(_)) => break,
                    // It stays ours until somebody else takes it, and then the books are fenced.
                    Err(error) => tracing::debug!("the seat cannot be kept: {}", error_chain(&error)),
                }
            }
            lost.cancel();
        });
        Self { link, task }
    }

    /// Lets others have it; what the ledger does not take in time is over with the session, or the lease.
    async fn give_up(self) {
        self.task.abort();
        let _ = self.task.await;
        let given = async { self.link.lock().await.give_seat_up().await };
        if !matches!(timeout(SEAT_ASK_MOST, given).await, Ok(Ok(()))) {
            tracing::debug!("the seat is not given up, and is over with its session");
        }
    }
}
