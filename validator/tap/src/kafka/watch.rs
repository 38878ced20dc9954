//! The looks beside a followed read: on a thread of its own, so that no question keeps messages waiting.
//!
//! Contract: one look at a time, each bounded; the thread ends by itself when nobody wants its answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};

use validator_core::position::TopicPartition;

use super::client::Deadline;
use super::lookout::{Lookout, TopicState};
use crate::{TapError, limits};

/// What one look saw.
#[derive(Debug)]
pub(super) struct Look {
    /// How many questions had been asked when it began.
    pub(super) asked: u64,
    /// What became of each topic.
    pub(super) topics: BTreeMap<String, TopicState>,
    /// By lane: the first offset and one past the last; none where the partition is not there.
    pub(super) bounds: Vec<Option<(i64, i64)>>,
}

/// The other end of the thread.
pub(super) struct Watch {
    ask: Sender<()>,
    asked: u64,
    looks: Receiver<Result<Look, String>>,
}

impl Watch {
    pub(super) fn start(lookout: Arc<Lookout>, tps: Vec<TopicPartition>) -> Result<Self, TapError> {
        let (ask, asked) = mpsc::channel();
        let (tell, looks) = mpsc::sync_channel(limits::FOLLOW_LOOKS);
        let watching = std::thread::Builder::new().name("tap-lookout".to_owned());
        let thread = watching.spawn(move || {
            let mut questions = 0;
            loop {
                let look = look(&lookout, &tps, questions).map_err(|error| error.to_string());
                let misses = |look: &Look| look.topics.values().any(|state| *state == TopicState::Missing);
                let pause = match &look {
                    Ok(look) if !misses(look) => limits::FOLLOW_LOOK,
                    _ => limits::FOLLOW_LOOK_AGAIN,
                };
                if tell.send(look).is_err() {
                    return;
                }
                match asked.recv_timeout(pause) {
                    Ok(()) => questions += 1 + asked.try_iter().count() as u64,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        thread.map_err(|error| TapError::Client { what: error.to_string() })?;
        Ok(Self { ask, asked: 0, looks })
    }

    /// Asks for a look that begins after now; its number.
    pub(super) fn ask(&mut self) -> u64 {
        // The thread ends after this end of it only.
        let _ = self.ask.send(());
        self.asked += 1;
        self.asked
    }

    /// The next answer that is there.
    pub(super) fn next(&self) -> Option<Result<Look, String>> {
        self.looks.try_recv().ok()
    }
}

fn look(lookout: &Lookout, tps: &[TopicPartition], asked: u64) -> Result<Look, TapError> {
    let deadline = Deadline::after(limits::ENDS_TIMEOUT);
    let names: BTreeSet<&str> = tps.iter().map(|tp| tp.topic.as_str()).collect();
    let topics = lookout.topics(&names, deadline)?;
    let there: Vec<usize> = (0..tps.len())
        .filter(|lane| match topics.get(&tps[*lane].topic) {
            Some(TopicState::There(partitions)) => partitions.contains(&tps[*lane].partition),
            _ => false,
        })
        .collect();
    let wanted: Vec<TopicPartition> = there.iter().map(|lane| tps[*lane].clone()).collect();
    let mut bounds = vec![None; tps.len()];
    for (lane, found) in there.into_iter().zip(lookout.bounds(&wanted, deadline)?) {
        bounds[lane] = Some(found);
    }
    // Offsets are of the topics that were seen before only if these are still the same.
    let after = lookout.topics(&names, deadline)?;
    for (lane, tp) in tps.iter().enumerate() {
        if !matches!(after.get(&tp.topic), Some(TopicState::There(_))) {
            bounds[lane] = None;
        }
    }
    Ok(Look { asked, bounds, topics: after })
}
