//! What every member does, the judge's process too: it reads the partitions that fall to it and does what is asked.
//!
//! Contract: it decides nothing and writes nothing but parcels and answers. What goes wrong is tried again for ever, unless this
//! process is no member: its files are others than the judge's, or another process has its name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use validator_core::error_chain::error_chain;
use validator_core::shadow::lane::Lane;
use validator_core::shadow::told::lane_of;
use validator_ledger::{LaneHead, LedgerError, Link};
use validator_tap::{Bounds, Membership, TapError};

use super::work::Working;
use super::{Fleet, binding};
use crate::config::{Pipeline, Service};
use crate::failure::Failure;
use crate::messages::kafka_config;
use crate::run::keeping::damaged;
use crate::run::limits::{HAND_EVERY, RETRY_FIRST, RETRY_MOST};
use crate::run::{Outside, opening};

/// A member's hand in one pipeline.
pub struct Hand {
    pipeline: Pipeline,
    service: Service,
    fleet: Fleet,
    terms: [u8; 32],
    /// Kept over whatever is opened anew: partitions stay where they are.
    membership: Option<Arc<Membership>>,
}

impl Hand {
    /// Of a pipeline.
    pub fn new(pipeline: &Pipeline, service: &Service, fleet: &Fleet, terms: [u8; 32]) -> Self {
        let (pipeline, service, fleet) = (pipeline.clone(), service.clone(), fleet.clone());
        Self { pipeline, service, fleet, terms, membership: None }
    }

    /// Works until it is told to stop.
    ///
    /// # Errors
    /// It is no member.
    pub async fn work(mut self, stop: &CancellationToken) -> Result<(), Failure> {
        let mut pause = RETRY_FIRST;
        while !stop.is_cancelled() {
            let began = Instant::now();
            let again = match self.once(stop).await {
                Ok(()) => HAND_EVERY,
                Err(failure) if is_refused(&failure) => {
                    self.leave();
                    return Err(failure);
                }
                Err(failure) => {
                    if began.elapsed() > RETRY_MOST {
                        pause = RETRY_FIRST;
                    }
                    let name = &self.pipeline.contract.name;
                    tracing::warn!(pipeline = name, "reads again in {pause:?}: {}", error_chain(&failure));
                    // Who cannot read for long leaves its partitions to others.
                    self.leave();
                    let again = pause;
                    pause = (pause * 2).min(RETRY_MOST);
                    again
                }
            };
            pause_for(again, stop).await;
        }
        self.leave();
        Ok(())
    }

    async fn once(&mut self, stop: &CancellationToken) -> Result<(), Failure> {
        let name = self.pipeline.contract.name.clone();
        let mut link = Link::join(&self.fleet.address, &name, &self.fleet.member).await?;
        let Some((judged_by, heads)) = self.judged(&mut link, stop).await? else { return Ok(()) };
        let lanes = lanes(heads)?;
        let outside = Outside::default();
        let live = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            live = opening::beside(&self.pipeline, &self.service, &lanes, &outside) => live?,
        };
        if !self.agrees(binding(self.terms, &live.run), judged_by) {
            tracing::info!(
                pipeline = name,
                "the judge goes by another state of the table, by other topics of these names, or is of another version"
            );
            pause_for(RETRY_FIRST, stop).await;
            return Ok(());
        }
        let membership = match &self.membership {
            Some(membership) => Arc::clone(membership),
            None => Arc::clone(self.membership.insert(Arc::new(self.joined(&mut link).await?))),
        };
        membership.share(lanes.iter().map(|lane| lane.tp.topic.clone()).collect());
        let member = self.fleet.member.name.clone();
        Working::new((name, member), link, membership, live, lanes, (self.terms, judged_by)).run(stop).await
    }

    /// Waits until somebody judges, and the ledger has partitions: by what, and which. None: it was told to stop.
    async fn judged(
        &self,
        link: &mut Link,
        stop: &CancellationToken,
    ) -> Result<Option<([u8; 32], Vec<LaneHead>)>, Failure> {
        while !stop.is_cancelled() {
            if let Some(seat) = link.seat().await? {
                if seat.terms != self.terms {
                    return Err(LedgerError::OtherTerms { name: self.pipeline.contract.name.clone() }.into());
                }
                let heads = link.lane_heads().await?;
                if let Some(binding) = seat.binding.filter(|_| !heads.is_empty()) {
                    return Ok(Some((binding, heads)));
                }
            }
            pause_for(HAND_EVERY, stop).await;
        }
        Ok(None)
    }

    /// Joins the group of this pipeline of this ledger, which no other ledger has.
    async fn joined(&self, link: &mut Link) -> Result<Membership, Failure> {
        let made_ms = link.ledger_made_ms().await?;
        let group = format!("validator.{}.{made_ms:x}", self.pipeline.contract.name);
        let kafka = self.service.kafka.as_ref().expect("joined: without a recorded source there are brokers");
        let config = kafka_config(kafka, Vec::new(), Bounds::default());
        Ok(Membership::join(&config, &group, &self.fleet.member.name)?)
    }

    /// Whether what is open here is what the judge goes by; who has something else leaves its partitions to others.
    fn agrees(&mut self, binding: [u8; 32], judged_by: [u8; 32]) -> bool {
        if binding != judged_by {
            self.leave();
        }
        binding == judged_by
    }

    /// Is no member for now. The client may wait for brokers that are gone.
    fn leave(&mut self) {
        if let Some(membership) = self.membership.take() {
            tokio::task::spawn_blocking(move || drop(membership));
        }
    }
}

/// The partitions of a ledger.
pub fn lanes(heads: Vec<LaneHead>) -> Result<Vec<Lane>, Failure> {
    heads.into_iter().map(|head| lane_of(head.row).map_err(damaged)).collect()
}

fn is_refused(failure: &Failure) -> bool {
    matches!(failure, Failure::Ledger(LedgerError::OtherTerms { .. }) | Failure::Tap(TapError::MemberReplaced { .. }))
}

async fn pause_for(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = sleep(time) => {}
    }
}

#[cfg(test)]
mod tests {
    use validator_ledger::{Address, MemberIs};
    use validator_tap::KafkaConfig;

    use super::*;
    use crate::config::{Loader, SourceFile};

    const PIPELINE: &str = "[pipeline]\nname = \"trades\"\ntopic = \"t\"\ntable = \"lake.ns.trades\"\nformat = \"json\"\n\
                            [identity]\nmode = \"offset\"\ncolumns = [\"topic\", \"partition\", \"offset\"]\n";

    #[test]
    fn who_has_another_binding_than_the_judge_leaves_the_group() {
        let nothing = |_: &str| None;
        let loader = Loader { environment: &nothing, now_ms: 0 };
        let file = |name, text| Arc::new(SourceFile::new(name, text));
        let pipeline = Pipeline::read(file("trades.toml", PIPELINE), &loader).expect("it is sound");
        let service = "[kafka]\nbrokers = \"127.0.0.1:1\"\n";
        let service = Service::read(file("validator.toml", service), &nothing).expect("it is sound");
        let member = MemberIs { name: "a".to_owned(), instance: "1".to_owned() };
        let mut hand = Hand::new(&pipeline, &service, &Fleet { address: Address::new("x"), member }, [1; 32]);
        let kafka = service.kafka.as_ref().expect("brokers");
        let config: KafkaConfig = kafka_config(kafka, Vec::new(), Bounds::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let within = runtime.enter();
        hand.membership =
            Some(Arc::new(Membership::join(&config, "validator.trades.0", "a").expect("no broker is asked")));
        assert!(hand.agrees([2; 32], [2; 32]) && hand.membership.is_some());
        assert!(!hand.agrees([2; 32], [3; 32]) && hand.membership.is_none());
        drop(within);
        // Its client may wait for a broker that is not there.
        runtime.shutdown_background();
    }
}
