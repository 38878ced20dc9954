//! Mode `content`: equal messages, of which it cannot be told which one a finding is about.
//!
//! Contract: counts are exact, the order of messages decides which one a finding names, and the finding lists all that
//! it may mean. Source: interface.md §4, Content mode.

use std::collections::HashMap;
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
    let groups = groups(case);
    for draft in drafts.iter_mut().filter(|draft| draft.verdict != Verdict::Message(MessageVerdict::Undecodable)) {
        draft.equals = draft.message.and_then(|at| groups.get(&identity_of(case, at)?).cloned());
    }
}

/// The judged messages of each content that several of them have.
fn groups(case: &Case) -> HashMap<IdentityHash, Equals> {
    let mut judged = identities(case, |state| state == MessageState::Judged);
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
