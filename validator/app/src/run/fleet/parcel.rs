//! What a member made of messages, as bytes for the ledger and back.
//!
//! Contract: a parcel is of one partition, and what was seen beside its messages is in it: who takes it takes all of it.

use serde::{Deserialize, Serialize};
use validator_core::shadow::event::LanePart;
use validator_engine::follow::{FollowedBatch, MessageNotes};
use validator_ledger::Parcel;

use super::super::notes::Notes;

/// A parcel, opened.
#[derive(Debug)]
pub struct Posted {
    /// Its messages.
    pub part: LanePart,
    /// What was seen beside them.
    pub beside: Beside,
}

/// What stands beside the messages.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Beside {
    /// For the report.
    pub notes: Notes,
    /// Bytes of keys and payloads.
    pub bytes: u64,
}

/// Bytes of the length before the part.
const LENGTH_BYTES: usize = 4;

/// The parcels of a batch that has messages of one partition at most.
pub fn parcels(batch: FollowedBatch) -> Vec<Parcel> {
    let FollowedBatch { consumed, notes, bytes, .. } = batch;
    let mut beside = Some((notes, bytes));
    let mut parcels = Vec::with_capacity(consumed.lanes.len());
    for part in consumed.lanes {
        let has_messages = !part.parts.is_empty() || !part.excluded.is_empty() || !part.undecodable.is_empty();
        let has_messages = has_messages || !part.versions.is_empty();
        let (notes, bytes) = beside.take_if(|_| has_messages).unwrap_or_default();
        parcels.push(parcel(&part, &notes, bytes));
    }
    parcels
}

fn parcel(part: &LanePart, notes: &MessageNotes, bytes: u64) -> Parcel {
    let mut beside = Beside { notes: Notes::default(), bytes };
    beside.notes.add(notes);
    let packed = part.to_bytes();
    let mut body = u32::try_from(packed.len()).expect("a batch is some KiB").to_le_bytes().to_vec();
    body.extend(packed);
    body.extend(serde_json::to_vec(&beside).expect("maps of text and numbers"));
    Parcel { lane: part.partition, offsets: part.from..part.to, body }
}

/// Opens a parcel; none: it is not what anybody packed, or not of these offsets.
pub fn opened(parcel: &Parcel) -> Option<Posted> {
    let (length, rest) = parcel.body.split_at_checked(LENGTH_BYTES)?;
    let length = u32::from_le_bytes(length.try_into().ok()?);
    let (packed, beside) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let part = LanePart::from_bytes(packed).ok()?;
    let is_of_it = part.partition == parcel.lane && (part.from..part.to) == parcel.offsets;
    is_of_it.then_some(Posted { part, beside: serde_json::from_slice(beside).ok()? })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use validator_core::position::PartitionIndex;
    use validator_core::shadow::event::Consumed;
    use validator_core::verdict::ExcludedCause;

    use super::*;

    fn part(partition: u32, excluded: u64) -> LanePart {
        let excluded =
            if excluded == 0 { BTreeMap::new() } else { BTreeMap::from([(ExcludedCause::ALL[0], excluded)]) };
        let partition = PartitionIndex(partition);
        LanePart {
            partition,
            from: 3,
            to: 9,
            parts: Vec::new(),
            gaps: vec![3..4, 5..6],
            undecodable: Vec::new(),
            excluded,
            windows: None,
            versions: Vec::new(),
        }
    }

    #[test]
    fn what_was_seen_beside_messages_goes_with_the_partition_that_has_them() {
        let lanes = vec![part(0, 0), part(4, 5)];
        let notes = MessageNotes { duplicate_keys: 2, ..MessageNotes::default() };
        let batch =
            FollowedBatch { consumed: Consumed { lanes: lanes.clone() }, notes, bytes: 70, ..FollowedBatch::default() };
        let parcels = parcels(batch);
        let back: Vec<Posted> = parcels.iter().map(|parcel| opened(parcel).expect("it comes back")).collect();
        assert_eq!(back.iter().map(|posted| posted.part.clone()).collect::<Vec<_>>(), lanes);
        let beside = back.iter().map(|posted| (posted.beside.notes.duplicate_keys, posted.beside.bytes));
        assert_eq!(beside.collect::<Vec<_>>(), [(0, 0), (2, 70)]);
        let other = Parcel { offsets: 3..10, ..parcels[0].clone() };
        assert!(opened(&other).is_none(), "it is of other offsets");
    }
}
