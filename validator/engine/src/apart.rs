//! What disagrees, sorted: what can be judged apart, part by part, and what has to be judged together.
//!
//! Contract: the core says what can be judged apart (`judge/apart.rs`). What depends on others is asked by a filter of
//! what those leave, which may say yes where no is true: then it is judged together with them, as it may always be.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use validator_core::judge::{Apart, MessageEntry, MessageState, ModeKind, apart, may_be_left, note_pair};

use crate::groups::{Group, Groups};
use crate::kept::Reduced;
use crate::versions::NameFilter;

/// What is taken out of the kept entries as one bucket is reduced after the other.
pub struct Sorting {
    mode: ModeKind,
    /// Counts, and what is judged together.
    pub reduced: Reduced,
    apart: Groups,
    /// Groups of which it depends on what others leave.
    open: Groups,
}

impl Sorting {
    /// Nothing so far; each of two kinds holds up to `held_max` bytes in memory.
    pub fn new(mode: ModeKind, held_max: usize, runtime: &Arc<RuntimeEnv>) -> Self {
        let groups = || Groups::new(held_max, Arc::clone(runtime));
        Self { mode, reduced: Reduced::default(), apart: groups(), open: groups() }
    }

    /// Takes what disagrees of one identity.
    ///
    /// # Errors
    /// No room to spill.
    pub fn add(&mut self, group: Group) -> Result<()> {
        match group.apart(self.mode, false) {
            Apart::Never => self.reduced.add(group),
            Apart::Always => self.apart.add(&group)?,
            Apart::UnlessRowLeft | Apart::UnlessMessageLeft => self.open.add(&group)?,
        }
        Ok(())
    }

    /// Takes what another has sorted.
    ///
    /// # Errors
    /// No room to spill.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        self.reduced.messages.extend(other.reduced.messages);
        self.reduced.rows.extend(other.reduced.rows);
        self.reduced.rows_beside += other.reduced.rows_beside;
        self.reduced.add_agreed(other.reduced.agreed);
        self.apart.merge(other.apart)?;
        self.open.merge(other.open)
    }

    /// All groups are there: what depends on others can be told.
    ///
    /// # Errors
    /// No room to spill; what was spilled cannot be read back.
    pub fn settle(mut self) -> Result<Reduced> {
        let is_undecodable = |message: &MessageEntry| matches!(message.state, MessageState::Undecodable(_));
        let nameless = self.reduced.messages.iter().any(|entry| entry.identity.is_none() && is_undecodable(entry));
        let left = self.left()?;
        let (mode, apart, reduced) = (self.mode, &mut self.apart, &mut self.reduced);
        self.open.each(|group| {
            let is_apart = match group.apart(mode, nameless) {
                Apart::Never => false,
                Apart::Always => true,
                Apart::UnlessRowLeft => !group
                    .messages
                    .iter()
                    .any(|entry| entry.rest.is_some_and(|rest| left.rows.may_hold(&rest.identity()))),
                Apart::UnlessMessageLeft => !group.rows.iter().any(|row| left.messages.may_hold(&row.rest.identity())),
            };
            if !is_apart {
                reduced.add(group.clone());
                return Ok(());
            }
            group.messages.iter().for_each(|message| note_pair(&mut reduced.paired_max, message, &group.rows));
            apart.add(group)
        })?;
        if self.apart.count() > 0 {
            self.reduced.apart = Some(self.apart);
        }
        Ok(self.reduced)
    }

    /// The digests beside the identity of all that may be left over for pairing step 3.
    fn left(&self) -> Result<Left> {
        let (messages, rows) = (self.reduced.messages.len(), self.reduced.rows.len());
        let room = usize::try_from(self.open.count()).unwrap_or(usize::MAX);
        let mut left = Left {
            messages: NameFilter::with_room(room.saturating_add(messages)),
            rows: NameFilter::with_room(room.saturating_add(rows)),
        };
        self.reduced
            .messages
            .iter()
            .filter_map(|entry| entry.rest)
            .for_each(|rest| left.messages.put(&rest.identity()));
        self.reduced.rows.iter().for_each(|row| left.rows.put(&row.rest.identity()));
        self.open.each(|group| {
            let (messages, rows) = may_be_left(&group.messages, &group.rows);
            messages.for_each(|rest| left.messages.put(&rest.identity()));
            rows.for_each(|rest| left.rows.put(&rest.identity()));
            Ok(())
        })?;
        Ok(left)
    }
}

/// See [`Sorting::left`].
struct Left {
    messages: NameFilter,
    rows: NameFilter,
}

impl Group {
    /// Whether it can be judged apart; entries whose identities only begin alike cannot.
    fn apart(&self, mode: ModeKind, nameless: bool) -> Apart {
        let mut identities = self.messages.iter().map(|message| message.identity);
        let first = identities.next().unwrap_or_else(|| self.rows.first().map(|row| row.identity));
        let is_one =
            identities.all(|identity| identity == first) && self.rows.iter().all(|row| Some(row.identity) == first);
        if is_one { apart(mode, &self.messages, &self.rows, nameless) } else { Apart::Never }
    }
}
