//! A following on a thread of its own, and what it told.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use validator_core::position::PartitionIndex;
use validator_tap::{Followed, KafkaTap, Tap, TapError};

/// Far more than any wait of these tests needs.
const PATIENCE: Duration = Duration::from_secs(90);

/// What was told, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Message(u32, i64),
    End(u32, i64),
    Trimmed(u32, i64),
    Lost,
    /// Partition, asked, log start, high watermark.
    OutOfRange(u32, i64, i64, i64),
    Stopped(u32, String),
}

/// See the module.
pub struct Following<T = KafkaTap> {
    told: Receiver<Told>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<(T, Result<(), TapError>)>>,
}

impl<T: Tap + 'static> Following<T> {
    pub fn start(tap: T, from: &[(u32, i64)]) -> Self {
        let from: Vec<_> = from.iter().map(|(partition, at)| (PartitionIndex(*partition), *at)).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, told) = mpsc::channel();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut last = Instant::now();
            let end = tap.follow(&from, &mut |followed| {
                let now = match followed {
                    Followed::Message(message) => Told::Message(message.partition.0, message.offset),
                    Followed::End { partition, position } => Told::End(partition.0, position),
                    Followed::Trimmed { partition, log_start } => Told::Trimmed(partition.0, log_start),
                    Followed::Lost { .. } => Told::Lost,
                    Followed::OutOfRange { partition, asked, log_start, high_watermark, .. } => {
                        Told::OutOfRange(partition.0, asked, log_start, high_watermark)
                    }
                    Followed::Stopped { partition, why } => Told::Stopped(partition.0, why.to_string()),
                    Followed::Quiet => {
                        // Ten times what is promised: the machine may be busy.
                        assert!(last.elapsed() < Duration::from_secs(2), "{:?} without Quiet", last.elapsed());
                        last = Instant::now();
                        let over = stopped.load(Ordering::Relaxed);
                        return if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
                    }
                };
                let _ = tell.send(now);
                ControlFlow::Continue(())
            });
            (tap, end)
        });
        Self { told, stop, thread: Some(thread) }
    }

    /// All that is told up to the first one that `wanted` holds of.
    pub fn until(&self, what: &str, mut wanted: impl FnMut(&Told) -> bool) -> Vec<Told> {
        let deadline = Instant::now() + PATIENCE;
        let mut all = Vec::new();
        loop {
            let told = self.told.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let told = told.unwrap_or_else(|_| panic!("waited for {what}; last: {:?}", all.iter().rev().take(5)));
            all.push(told);
            if all.last().is_some_and(&mut wanted) {
                return all;
            }
        }
    }

    /// Stops it.
    pub fn stop(mut self) -> T {
        self.stop.store(true, Ordering::Relaxed);
        let (tap, end) = self.thread.take().expect("it runs").join().expect("no assertion failed");
        end.expect("it was followed to the end");
        tap
    }
}

impl<T> Drop for Following<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The offsets of messages, by partition, in the order told.
pub fn offsets(told: &[Told]) -> BTreeMap<u32, Vec<i64>> {
    let mut offsets: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    for told in told {
        if let Told::Message(partition, offset) = told {
            offsets.entry(*partition).or_default().push(*offset);
        }
    }
    offsets
}
