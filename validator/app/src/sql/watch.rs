//! The clock and Ctrl-C, watched on a thread of its own.
//!
//! Contract: a query whose threads all compute, and give nobody else a turn, ends like any other.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::Cut;
use crate::failure::Failure;

/// What ends a query is said once, and once more where that is waited for too.
const CUTS: usize = 2;

/// See the module.
#[derive(Debug)]
pub struct Watch {
    cuts: mpsc::Receiver<Cut>,
}

impl Watch {
    /// Begins: from here on Ctrl-C ends no process.
    ///
    /// # Errors
    /// The process can have no thread, or heed no signal.
    pub fn begin(longest: Duration) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut interrupt = {
            let _guard = runtime.enter();
            signal(SignalKind::interrupt())?
        };
        let (said, cuts) = mpsc::channel(CUTS);
        std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
            runtime.block_on(async {
                let first = tokio::select! {
                    _ = interrupt.recv() => Cut::Interrupted,
                    () = tokio::time::sleep(longest) => Cut::Time(longest),
                };
                let mut heard = said.send(first).await;
                while heard.is_ok() && interrupt.recv().await.is_some() {
                    heard = said.send(Cut::Interrupted).await;
                }
            });
        })?;
        Ok(Self { cuts })
    }

    /// The end of this work, or of the patience with it.
    ///
    /// # Errors
    /// Those of the work, and [`Cut`].
    pub async fn over<T>(&mut self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            Some(cut) = self.cuts.recv() => Err(cut.into()),
        }
    }
}
