//! Dead letters of a pipeline that is followed: what came since the last look is read by each look before it is applied.
//!
//! Contract: the end of their topic is asked for once the tap has passed the look's barrier. What cannot be read ends the look: a
//! message whose letter was not seen would be called missing. Letters and how far they were read are in one checkpoint, so that one is
//! read again after a crash, and changes nothing then.

mod noted;
mod part;
mod reloaded;
mod stable;

use std::sync::Arc;
use std::time::Instant;

use validator_core::shadow::event::Event;
use validator_engine::dead_letters::refuse_several;

pub use noted::LettersNotes;
pub use part::{LetterSource, LettersSight, Ranges, Unread};

use super::actor::Actor;
use super::jobs::Done;
use super::limits::LETTERS_OF_EVENT;
use super::looking::{Looking, Plan};
use super::sight::Sight;
use crate::failure::Failure;
use part::{Asked, LettersSeen};

/// How far a look has come with the letters.
#[derive(Debug, Default)]
pub struct LettersOfLook {
    is_done: bool,
    ends: Option<Ranges>,
}

impl Actor {
    /// Begins to read the next part of the letters, where the look has not read all; false: it has.
    pub(super) fn begin_letters(&mut self, plan: &mut Plan) -> bool {
        let Some(source) = self.live.letters.clone().filter(|_| !plan.letters.is_done) else { return false };
        let noted = self.notes.dead_letters.as_ref();
        let notes = match noted.filter(|_| self.live.has_letters) {
            Some(noted) => noted.clone(),
            None => source.goes_on(noted),
        };
        let asked = Asked {
            source,
            notes,
            at_ms: plan.at_ms,
            ends: plan.letters.ends.take(),
            tap: Arc::clone(&self.live.run.messages.tap),
            lanes: self.topic_partitions(),
            high_watermarks: self.shadow.lanes().iter().map(|lane| lane.high_watermark).collect(),
        };
        self.jobs.begin(async move { Done::Look(Sight::Lettered(asked.read().await)) });
        true
    }

    /// A part was read.
    pub(super) async fn lettered(
        &mut self,
        sight: Result<LettersSight, Unread>,
        mut plan: Plan,
    ) -> Result<(), Failure> {
        let seen = match sight {
            Ok(LettersSight::Seen(seen)) => seen,
            Ok(LettersSight::Reopen(why)) => {
                self.reopen = Some(why);
                return Ok(());
            }
            Ok(LettersSight::NotYet { source, why }) => {
                self.live.letters = Some(*source);
                return self.letters_unread(*why).await;
            }
            Err(unread) => return self.letters_unread(unread).await,
        };
        let LettersSeen { letters, notes, source, ends, is_all, at_ms } = *seen;
        refuse_several(&notes.source, &notes.connectors)?;
        // Before any of this part is taken: what is refused later stays in the ledger.
        notes.read().refuse_many(&notes.source)?;
        if !letters.is_empty() {
            tracing::info!(pipeline = self.name, letters = letters.len(), "read dead letters");
            self.idle.moved();
            self.asking.due();
        }
        for some in letters.chunks(LETTERS_OF_EVENT) {
            self.must(Event::Letters(some.to_vec())).await?;
        }
        if self.notes.dead_letters.as_ref() != Some(&notes) {
            self.unsaved_since.get_or_insert_with(Instant::now);
        }
        self.notes.dead_letters = Some(notes);
        (self.live.letters, self.live.has_letters) = (Some(source), true);
        plan.letters = LettersOfLook { is_done: is_all, ends };
        plan.at_ms = at_ms;
        self.looking = Looking::Going(plan);
        Ok(())
    }

    /// The look is given up for them: the next one tries again.
    async fn letters_unread(&mut self, unread: Unread) -> Result<(), Failure> {
        let Some(what) = unread.cannot_look() else { return Err(unread.into()) };
        self.idle.moved();
        self.warn(&format!("dead letters cannot be read: {}", unread.in_words()));
        self.cannot_look(what).await
    }
}
