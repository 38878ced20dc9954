//! What a look hands to the shadow: sums of the files that come and go, and what tells books of windows where they are.
//!
//! Contract: bodies of files are read a portion at a time and not held.

use validator_core::shadow::event::{Event, Look};
use validator_core::shadow::nets::Sign;
use validator_engine::reconcile::Run;

use super::actor::Actor;
use super::landing::rows_of;
use crate::failure::Failure;

/// Bags of files that are held at once.
const BODIES_AT_ONCE: usize = 64;

impl Actor {
    /// Whether the books have begun: those of windows do with what came until the first look.
    pub(super) async fn has_begun(&mut self) -> Result<bool, Failure> {
        if !self.shadow.has_begun() {
            self.must(Event::Begin).await?;
        }
        Ok(self.shadow.has_begun())
    }

    /// What shows that the table has moved on, where the offsets of rows do not.
    pub(super) fn moved_ms(&self, run: &Run) -> Option<i64> {
        self.shadow.terms().windows()?;
        run.pinned.commits_that_added_rows_ms().into_iter().max()
    }

    /// What was read again takes its own place; false: nothing was.
    pub(super) async fn swap(&mut self) -> Result<bool, Failure> {
        let swap = Look { at_ms: self.shadow.judged_at_ms(), barrier: Vec::new(), step: None };
        if self.shadow.difference(&swap).added.is_empty() {
            return Ok(false);
        }
        self.apply_look(swap).await?;
        Ok(true)
    }

    pub(super) async fn apply_look(&mut self, look: Look) -> Result<(), Failure> {
        let difference = self.shadow.difference(&look);
        let (mut nets, mut landed) = (self.shadow.nets(&difference), Vec::new());
        for (files, sign) in [(&difference.added, Sign::Added), (&difference.removed, Sign::Removed)] {
            for some in files.chunks(BODIES_AT_ONCE) {
                let ids: Vec<_> = some.iter().map(|(file, _)| *file).collect();
                for ((file, entries), bags) in some.iter().zip(self.bodies(&ids).await?) {
                    // One that takes its own place has landed before.
                    if sign == Sign::Added && look.step.is_some() {
                        landed.push((*file, rows_of(&bags)));
                    }
                    nets.add(*file, &bags, *entries, sign);
                }
            }
        }
        self.must(Event::Looked(look, nets)).await?;
        self.landed(&landed);
        Ok(())
    }
}
