//! A step of a pipeline that waits for its ledger, and says so.
//!
//! Contract: a database that is silent returns no error for as long as its connection stands, and nothing is judged meanwhile: who
//! asks for the state of the pipeline is told.

use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep;

use super::limits::HANGS_AFTER;
use super::publishing::Publisher;
use super::status::Phase;

impl Publisher {
    /// Waits for a step. Whether it took so long that it was said that the pipeline cannot judge.
    ///
    /// # Errors
    /// That of the step.
    pub(super) async fn patiently<E>(
        &self,
        pipeline: &str,
        step: impl Future<Output = Result<(), E>>,
    ) -> Result<bool, E> {
        self.waits(pipeline, step, HANGS_AFTER).await
    }

    async fn waits<E>(
        &self,
        pipeline: &str,
        step: impl Future<Output = Result<(), E>>,
        most: Duration,
    ) -> Result<bool, E> {
        let mut step = pin!(step);
        tokio::select! {
            biased;
            done = &mut step => return done.map(|()| false),
            () = sleep(most) => {}
        }
        // Where it has answered that it cannot, that has been said.
        if self.status().phase != Phase::CannotJudge {
            let why = format!("the ledger has not answered for {} s", most.as_secs());
            tracing::error!(pipeline, "{why}, and nothing is judged");
            self.cannot_keep(&why);
        }
        step.await.map(|()| true)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn a_step_that_waits_for_long_is_said_to_be_one_that_cannot_judge() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let (publisher, mut status) = Publisher::starting("trades", 0.9999, 0);
        publisher.change(|status| status.phase = Phase::Healthy);
        runtime.expect("a runtime").block_on(async {
            let at_once = publisher.waits("trades", async { Ok::<_, ()>(()) }, Duration::ZERO).await;
            assert_eq!((at_once, status.borrow_and_update().phase), (Ok(false), Phase::Healthy));
            let (answer, answered) = oneshot::channel();
            let silent = publisher.waits("trades", async { answered.await.map_err(drop) }, Duration::ZERO);
            let answers = async {
                status.changed().await.expect("it is said");
                answer.send(()).expect("the step waits");
            };
            assert_eq!(tokio::join!(silent, answers).0, Ok(true));
            let said = status.borrow().clone();
            assert_eq!(said.phase, Phase::CannotJudge);
            assert!(said.why.ends_with("the ledger has not answered for 0 s"), "{}", said.why);
        });
    }
}
