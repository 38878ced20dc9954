//! Mode `content`: links between a missing message and a phantom row that are the halves of one damaged row.
//!
//! Contract: only missing messages and phantom rows that nothing explains are held against each other, all of a run or
//! none of it: a link among a part of them would not be known to be unique.

use std::collections::HashMap;

use validator_core::finding::Finding;
use validator_core::judge::{Draft, ModeKind};
use validator_core::position::{MessageAt, RowAt};
use validator_core::related::{Print, links};
use validator_core::verdict::{Cause, MessageVerdict, RowVerdict, Verdict};

use crate::binding::Binding;
use crate::limits::RELATED_VALUES_MAX;
use crate::values::Values;

/// Whether links are asked for.
#[derive(Debug, Default)]
pub struct Related {
    is_asked: bool,
    too_many: u64,
}

/// What may be linked, as it is gathered: place of the finding and fingerprints of its values.
#[derive(Debug, Default)]
pub struct Prints {
    messages: Vec<(usize, Print)>,
    rows: Vec<(usize, Print)>,
}

impl Related {
    /// For the findings of these drafts. One side alone has nothing to be linked to.
    pub fn new(binding: &Binding, drafts: &[Draft]) -> Self {
        if binding.identity.mode() != ModeKind::Content {
            return Self::default();
        }
        let messages = drafts.iter().filter(|draft| is_missing(draft)).count();
        let rows = drafts.iter().filter(|draft| is_unexplained(draft)).count();
        Self::of_counts(messages, rows, binding.columns.len())
    }

    fn of_counts(messages: usize, rows: usize, columns: usize) -> Self {
        let has_both = messages > 0 && rows > 0;
        let is_over = messages.saturating_add(rows).saturating_mul(columns) > RELATED_VALUES_MAX;
        let too_many = if has_both && is_over { (messages + rows) as u64 } else { 0 };
        Self { is_asked: has_both && !is_over, too_many }
    }

    /// Whether anything may be linked.
    pub fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Whether the values of this draft's message or row are asked for.
    pub fn wants(&self, draft: &Draft) -> bool {
        self.is_asked && (is_missing(draft) || is_unexplained(draft))
    }

    /// The fingerprints of these drafts, the first of which stands at `first`, in the form that is digested; values that
    /// could no longer be read link nothing.
    pub fn prints(
        &self,
        binding: &Binding,
        first: usize,
        drafts: &[Draft],
        messages: &HashMap<MessageAt, Values>,
        rows: &HashMap<RowAt, Values>,
    ) -> Prints {
        let mut prints = Prints::default();
        for (place, draft) in (first..).zip(drafts) {
            if !self.wants(draft) {
                continue;
            }
            let (values, side) = match draft.message {
                Some(at) => (messages.get(&at), &mut prints.messages),
                None => (draft.rows.first().and_then(|at| rows.get(at)), &mut prints.rows),
            };
            side.extend(values.map(|values| (place, Print::of(&binding.canonical(values)))));
        }
        prints
    }

    /// Missing messages and phantom rows that were too many to be held against each other.
    pub fn unlinked(&self) -> u64 {
        self.too_many
    }
}

impl Prints {
    /// Takes the prints of later drafts.
    pub fn append(&mut self, mut later: Self) {
        self.messages.append(&mut later.messages);
        self.rows.append(&mut later.rows);
    }

    /// Links the findings, which stand in the order of the drafts.
    pub fn link(self, binding: &Binding, findings: &mut [Finding]) {
        let (messages, of_messages): (Vec<usize>, Vec<Print>) = self.messages.into_iter().unzip();
        let (rows, of_rows): (Vec<usize>, Vec<Print>) = self.rows.into_iter().unzip();
        for link in links(&of_messages, &of_rows) {
            let (message, row) = (messages[link.message], rows[link.row]);
            let column = &binding.columns[link.column].field.name;
            let ids = (findings[message].id.clone(), findings[row].id.clone());
            (findings[row].related, findings[message].related) = (Some(ids.0), Some(ids.1));
            findings[message].detail += &format!("; one phantom row differs from it in {column} alone");
            findings[row].detail += &format!("; one missing message differs from it in {column} alone");
        }
    }
}

fn is_missing(draft: &Draft) -> bool {
    draft.verdict == Verdict::Message(MessageVerdict::Missing)
}

/// A phantom that a filtered message or an aborted transaction explains is no damaged row.
fn is_unexplained(draft: &Draft) -> bool {
    draft.verdict == Verdict::Row(RowVerdict::Phantom) && draft.cause == Some(Cause::Unexplained)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_alone_asks_for_no_values_and_too_many_are_counted() {
        let asked = |messages, rows, columns| {
            let related = Related::of_counts(messages, rows, columns);
            (related.is_asked, related.unlinked())
        };
        assert_eq!(asked(RELATED_VALUES_MAX, 0, 14), (false, 0));
        assert_eq!(asked(0, RELATED_VALUES_MAX, 14), (false, 0));
        assert_eq!(asked(RELATED_VALUES_MAX / 2, RELATED_VALUES_MAX / 2, 1), (true, 0));
        assert_eq!(
            asked(RELATED_VALUES_MAX / 2, RELATED_VALUES_MAX / 2 + 1, 1),
            (false, RELATED_VALUES_MAX as u64 + 1)
        );
    }
}
