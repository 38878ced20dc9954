//! Pairing step 4: surplus rows of an identity are copies of its last paired message.
//!
//! Contract: the last one of all segments, disputed or balanced, so that no verdict depends on how they were cut.

use std::collections::{BTreeMap, HashMap};

use super::case::{BalancedLookup, BalancedPartner, Case, ModeKind, RowStanding};
use super::pairing::{Pairing, Tie, join};
use crate::digest::IdentityHash;
use crate::position::MessageAt;

/// Surplus rows by the message that they are copies of; rows by index, ascending.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// By index of the message in the case.
    pub of_message: BTreeMap<usize, Vec<usize>>,
    /// Of messages in balanced segments.
    pub of_partner: BTreeMap<MessageAt, (BalancedPartner, Vec<usize>)>,
}

impl Copies {
    /// Claims the rows in `pairing`.
    pub(super) fn claim<L: BalancedLookup>(
        case: &Case,
        pairing: &mut Pairing,
        lookup: &mut L,
    ) -> Result<Self, L::Error> {
        let mut surplus = pairing.left_rows(case, |row| may_be_copy(case.mode, row.standing), |row| row.identity);
        surplus.sort_unstable();
        let partners = look_up(case.mode, &surplus, lookup)?;
        let lasts = last_paired(case, pairing, &surplus);
        let mut copies = Self::default();
        for (identity, row) in surplus {
            let in_case = lasts.get(&identity).copied();
            let balanced = partners.get(&identity).copied();
            match (in_case, balanced) {
                (None, None) => continue,
                (Some(message), None) => copies.of_message.entry(message).or_default().push(row),
                (Some(message), Some(partner)) if case.messages[message].at > partner.message => {
                    copies.of_message.entry(message).or_default().push(row);
                }
                (_, Some(partner)) => {
                    copies.of_partner.entry(partner.message).or_insert_with(|| (partner, Vec::new())).1.push(row);
                }
            }
            pairing.of_row[row] = Tie::Copy;
        }
        Ok(copies)
    }
}

/// In mode `content` a row of a compacted topic may be that of an equal message that is gone.
fn may_be_copy(mode: ModeKind, standing: RowStanding) -> bool {
    match standing {
        RowStanding::OutOfScope => false,
        RowStanding::Unobservable => mode != ModeKind::Content,
        RowStanding::InScope | RowStanding::Impossible => true,
    }
}

/// In the modes `offset` and `content` an identity has one segment, so a row left over in a disputed one has no message
/// in a balanced one.
fn look_up<L: BalancedLookup>(
    mode: ModeKind,
    surplus: &[(IdentityHash, usize)],
    lookup: &mut L,
) -> Result<HashMap<IdentityHash, BalancedPartner>, L::Error> {
    let mut identities: Vec<IdentityHash> = surplus.iter().map(|(identity, _)| *identity).collect();
    identities.dedup();
    if matches!(mode, ModeKind::Offset | ModeKind::Content) || identities.is_empty() {
        return Ok(HashMap::new());
    }
    let mut last: HashMap<IdentityHash, BalancedPartner> = HashMap::new();
    for partner in lookup.find(&identities)? {
        let so_far = last.entry(partner.identity).or_insert(partner);
        if so_far.message < partner.message {
            *so_far = partner;
        }
    }
    Ok(last)
}

/// The last paired message of each surplus identity within the case.
fn last_paired(case: &Case, pairing: &Pairing, surplus: &[(IdentityHash, usize)]) -> HashMap<IdentityHash, usize> {
    let mut lasts = HashMap::new();
    if surplus.is_empty() {
        return lasts;
    }
    let with_pair = case.messages.iter().zip(&pairing.of_message).enumerate().filter(|(_, (_, pair))| pair.is_some());
    let paired = with_pair.filter_map(|(index, (message, _))| Some((message.identity?, index))).collect();
    join(paired, surplus.to_vec(), |messages, _| {
        if let Some((identity, message)) = messages.last() {
            lasts.insert(*identity, *message);
        }
    });
    lasts
}
