//! Mode `content`: equal messages, of which it cannot be told which one a finding is about.
//!
//! Contract: counts are exact, the order of messages decides which one a finding names, and the finding lists all that
//! it may mean. Source: interface.md §4, Content mode.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::case::{Case, MessageState, ModeKind};
use super::judgement::{Draft, Equals};
use super::pairing::identities;
use crate::digest::IdentityHash;
use crate::limits::CANDIDATES_MAX;
use crate::position::MessageAt;
use crate::verdict::{MessageVerdict, Verdict};

/// Names the equal messages in the drafts of judged ones; `case` and `drafts` are sorted by message.
pub(super) fn name(case: &Case, drafts: &mut [Draft]) {
    if case.mode != ModeKind::Content || drafts.is_empty() {
        return;
    }
    let is = |draft: &Draft, verdict: MessageVerdict| draft.verdict == Verdict::Message(verdict);
    let diverted = drafts.iter().filter(|draft| is(draft, MessageVerdict::Diverted));
    let diverted: BTreeSet<MessageAt> = diverted.filter_map(|draft| draft.message).collect();
    let groups = groups(case, &diverted);
    let told = |draft: &Draft| is(draft, MessageVerdict::Undecodable) || is(draft, MessageVerdict::Diverted);
    for draft in drafts.iter_mut().filter(|draft| !told(draft)) {
        draft.equals = draft.message.and_then(|at| groups.get(&identity_of(case, at)?).cloned());
    }
}

/// The judged messages of each content that several of them have, but those of which dead letters tell.
fn groups(case: &Case, diverted: &BTreeSet<MessageAt>) -> HashMap<IdentityHash, Equals> {
    let mut judged = identities(case, |state| state == MessageState::Judged);
    judged.retain(|(_, index)| !diverted.contains(&case.messages[*index].at));
    judged.sort_unstable();
    let several = judged.chunk_by(|one, other| one.0 == other.0).filter(|group| group.len() > 1);
    let equals = |group: &[(IdentityHash, usize)]| Equals {
        messages: group.len() as u64,
        candidates: group.iter().take(CANDIDATES_MAX).map(|(_, index)| case.messages[*index].at).collect::<Arc<_>>(),
    };
    several.map(|group| (group[0].0, equals(group))).collect()
}

fn identity_of(case: &Case, at: MessageAt) -> Option<IdentityHash> {
    let index = case.messages.binary_search_by_key(&at, |message| message.at).ok()?;
    case.messages[index].identity
}
