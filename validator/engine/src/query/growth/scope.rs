//! What one operator has made of the batch that it is at, by each thread.
//!
//! Contract: an operator's calls are numbered in the order in which they are made of a batch, and a batch is worked off by one
//! thread without a pause. So a call whose number is not above the last one's belongs to the next batch. What a call was
//! given is dropped when it is done.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

/// A call's number, and how many were made before the first of those that it is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) before: usize,
    pub(super) call: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Scope {
    made: Mutex<HashMap<ThreadId, Made>>,
}

#[derive(Debug, Default)]
struct Made {
    last: usize,
    /// Each call whose value is still there, and its bytes.
    kept: Vec<(usize, i128)>,
}

impl Scope {
    /// Bytes that calls before this one have made of the batch, and that are still there.
    pub(super) fn beside(&self, place: Place) -> i128 {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let made = made.entry(thread::current().id()).or_default();
        if place.call <= made.last {
            *made = Made::default();
        }
        made.kept.iter().fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes))
    }

    /// The call has made so many.
    pub(super) fn add(&self, place: Place, bytes: i128) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let made = made.entry(thread::current().id()).or_default();
        made.kept.retain(|(call, _)| *call <= place.before);
        made.kept.push((place.call, bytes));
        made.last = place.call;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_of_a_batch_are_summed_and_the_next_batch_begins_anew() {
        let scope = Scope::default();
        let at = |before, call| Place { before, call };
        for _ in 0..2 {
            assert_eq!(scope.beside(at(0, 1)), 0);
            scope.add(at(0, 1), 5);
            assert_eq!(scope.beside(at(2, 3)), 5);
            scope.add(at(2, 3), 7);
            // This one is given the last one's value.
            assert_eq!(scope.beside(at(2, 4)), 12);
            scope.add(at(2, 4), 1);
            assert_eq!(scope.beside(at(4, 5)), 6);
            let other = thread::scope(|threads| threads.spawn(|| scope.beside(at(4, 5))).join().ok());
            assert_eq!(other, Some(0), "what another thread makes");
        }
    }
}
