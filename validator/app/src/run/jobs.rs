//! Work beside the actor: each job ends in one answer.

use std::future::Future;

use tokio::task::JoinSet;
use validator_tap::TapError;

use super::asking::Answer;
use super::sight::Sight;
use crate::failure::Failure;

/// What a job answers.
pub enum Done {
    /// A part of a look.
    Look(Sight),
    /// An answer to a question of the shadow.
    Asked(Answer),
}

/// All jobs of one actor: a look and a round of questions at most; they end with it.
#[derive(Default)]
pub struct Jobs(JoinSet<Done>);

impl Jobs {
    /// Begins a job.
    pub fn begin(&mut self, job: impl Future<Output = Done> + Send + 'static) {
        self.0.spawn(job);
    }

    /// The next answer.
    ///
    /// # Errors
    /// A job broke off: an assertion of our own.
    pub async fn next(&mut self) -> Result<Done, Failure> {
        match self.0.join_next().await {
            Some(done) => done.map_err(|error| Failure::Following(format!("a job broke off: {error}"))),
            None => std::future::pending().await,
        }
    }
}

/// Asks the source of messages, which blocks, beside the threads of the runtime.
pub async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, TapError> + Send + 'static,
) -> Result<T, TapError> {
    let asked = tokio::task::spawn_blocking(ask).await;
    asked.map_err(|error| TapError::Client { what: error.to_string() })?
}
