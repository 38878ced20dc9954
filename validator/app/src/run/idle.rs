//! Whether a run that ends when nothing is left to do has nothing left to do.
//!
//! Contract: two looks were applied since anything happened, so that one of them began after it; nothing is pending, asked for or
//! open; and it stayed so for as long as was asked.

use std::time::{Duration, Instant};

use super::actor::Actor;

/// `--until-idle`.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    /// For how long nothing must happen; none: it never ends by itself.
    most: Option<Duration>,
    /// Looks that were applied since something happened.
    looks: u32,
    /// Since when nothing is left to do.
    since: Option<Instant>,
}

/// One may have begun before the last change.
const LOOKS: u32 = 2;

impl Idle {
    /// Of a command line.
    pub fn after(most: Option<Duration>) -> Self {
        Self { most, looks: 0, since: None }
    }

    /// Something happened.
    pub fn moved(&mut self) {
        (self.looks, self.since) = (0, None);
    }

    /// A look was applied.
    pub fn looked(&mut self) {
        self.looks = self.looks.saturating_add(1);
    }

    /// When it may be over.
    pub fn ends_at(&self) -> Option<Instant> {
        self.since.zip(self.most).map(|(since, most)| since + most)
    }
}

impl Actor {
    /// Whether it is over.
    pub(super) fn is_idle(&mut self) -> bool {
        let is_resting = self.looking.is_resting() && self.asking.is_resting();
        if self.idle.most.is_none() || !is_resting || self.idle.looks < LOOKS {
            return false;
        }
        if self.idle.since.is_none() {
            let standing = self.shadow.standing();
            // Books that do not begin have nothing to wait for but messages.
            if self.shadow.has_begun() && (!standing.can_judge() || !standing.is_idle()) {
                return false;
            }
            self.idle.since = Some(Instant::now());
        }
        self.idle.ends_at().is_some_and(|at| Instant::now() >= at)
    }
}
