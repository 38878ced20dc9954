//! The judge: from the entries of the disputed segments to a verdict on each message and row.
//!
//! Contract: a pure function of the case; no verdict depends on how messages and rows were cut into segments, nor on
//! the order of the entries. n log n in the number of entries. Source: interface.md §4, Pairing.

mod apart;
mod candidates;
mod case;
mod copies;
mod judgement;
mod leftover;
mod pairing;
mod tally;
mod verdicts;
mod versions;

pub use apart::{Apart, apart, may_be_left, note_pair, with_pairs};
pub use case::{
    BalancedLookup, BalancedPartner, Case, LossKind, MessageEntry, MessageState, ModeKind, NoBalanced, RowEntry,
    RowStanding,
};
pub use judgement::{Draft, Equals, Judgement, Place};
pub use tally::{MessageTally, MovedFromIntact, RowTally};
pub use versions::{can_be_superseded, is_version};

use copies::Copies;
use pairing::Pairing;
use versions::Versions;

/// Judges a case. `lookup` is asked at most once, in key mode, for identities of rows that step 3 left over.
///
/// # Errors
/// Those of `lookup`.
pub fn judge<L: BalancedLookup>(mut case: Case, lookup: &mut L) -> Result<Judgement, L::Error> {
    case.messages.sort_by_key(|message| message.at);
    // Stable: a file with several live entries gives the same positions again.
    case.rows.sort_by_key(|row| row.at);
    let versions = Versions::settle(&mut case);
    let mut pairing = Pairing::of(&mut case, &versions);
    let copies = Copies::claim(&case, &mut pairing, lookup)?;
    let entries = (case.messages.len() as u64, case.rows.len() as u64);
    let judgement = verdicts::of(case, &pairing, &copies, &versions);
    assert_every_entry_has_one_verdict(&judgement, entries);
    Ok(judgement)
}

/// I1 and the row equation within the case: nothing is dropped, nothing counted twice.
fn assert_every_entry_has_one_verdict(judgement: &Judgement, (messages, rows): (u64, u64)) {
    let moved = judgement.total_moved_from_intact().messages;
    let judged = judgement.total().total();
    assert!(
        judged == messages + moved,
        "I1: {messages} messages in the case and {moved} of balanced segments, {judged} verdicts"
    );
    let judged = judgement.rows.total() + judgement.rows.out_of_scope;
    assert!(judged == rows + moved, "I1: {rows} rows in the case and {moved} of balanced segments, {judged} verdicts");
}
