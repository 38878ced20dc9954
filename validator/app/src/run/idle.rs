//! Whether a run that ends when nothing is left to do has nothing left to do.

use std::time::{Duration, Instant};

use super::actor::Actor;

/// `--until-idle`.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    /// For how long nothing must happen; none: it never ends by itself.
    most: Option<Duration>,
    /// Since when a look found nothing new and nothing was left to do.
    since: Option<Instant>,
}

impl Idle {
    /// Of a command line.
    pub fn after(most: Option<Duration>) -> Self {
        Self { most, since: None }
    }

    /// Something happened.
    pub fn moved(&mut self) {
        self.since = None;
    }

    /// When it may be over.
    pub fn ends_at(&self) -> Option<Instant> {
        self.since.zip(self.most).map(|(since, most)| since + most)
    }
}

impl Actor {
    /// A look was applied: from now on nothing may be left to do.
    pub(super) fn note_look(&mut self) {
        if self.idle.most.is_none() {
            return;
        }
        let standing = self.shadow.standing();
        let is_done = standing.can_judge() && standing.is_idle() && self.asking.is_resting();
        match is_done {
            true => drop(self.idle.since.get_or_insert_with(Instant::now)),
            false => self.idle.moved(),
        }
    }

    /// Whether it is over.
    pub(super) fn is_idle(&self) -> bool {
        self.looking.is_resting() && self.asking.is_resting() && self.idle.ends_at().is_some_and(|at| Instant::now() >= at)
    }
}
