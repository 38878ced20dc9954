//! A part of a batch as bytes: what a member of a fleet made of messages, on its way to the member that judges. Contract: see
//! [`super::pack`].

use super::delta::Damaged;
use super::event::{LanePart, SegmentPart, Undecodable};
use super::pack::{Reader, Writer, whole};
use super::page_codec::{read_key, write_key};
use super::residue_codec::{read_message, read_some, write_message, write_some};
use super::segment::Times;
use crate::digest::IdentityHash;
use crate::position::{MessageAt, PartitionIndex};
use crate::verdict::{ExcludedCause, UndecodableCause};

impl LanePart {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.number(u64::from(self.partition.0));
        to.signed(self.from);
        to.signed(self.to);
        to.number(self.parts.len() as u64);
        self.parts.iter().for_each(|part| write_part(&mut to, part));
        to.number(self.gaps.len() as u64);
        for gap in &self.gaps {
            to.signed(gap.start);
            to.signed(gap.end);
        }
        to.number(self.undecodable.len() as u64);
        for message in &self.undecodable {
            let place = UndecodableCause::ALL.iter().position(|cause| *cause == message.cause);
            to.signed(message.at.offset);
            to.byte(place.expect("each cause is among all") as u8);
            to.maybe(message.timestamp_ms);
            to.text(&message.detail);
            write_some(&mut to, message.identity.map(|identity| identity.0));
        }
        for cause in ExcludedCause::ALL {
            to.number(self.excluded.get(cause).copied().unwrap_or(0));
        }
        to.maybe(self.windows.map(|(first, _)| first));
        to.maybe(self.windows.map(|(_, greatest)| greatest));
        to.number(self.versions.len() as u64);
        self.versions.iter().for_each(|message| write_message(&mut to, message));
        to.seal()
    }

    /// The part of these bytes.
    ///
    /// # Errors
    /// They are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, "a parcel", |from| {
            let partition = PartitionIndex(from.small()?);
            Some(Self {
                partition,
                from: from.signed()?,
                to: from.signed()?,
                parts: from.list(read_part)?,
                gaps: from.list(|from| Some(from.signed()?..from.signed()?))?,
                undecodable: from.list(|from| read_undecodable(from, partition))?,
                excluded: from.excluded()?,
                windows: if from.has_windows() { from.maybe()?.zip(from.maybe()?) } else { None },
                versions: if from.has_keys() { from.list(read_message)? } else { Vec::new() },
            })
        })
    }
}

fn write_part(to: &mut Writer, part: &SegmentPart) {
    write_key(to, part.segment);
    to.bag(&part.bag);
    to.maybe(part.times.min_ms);
    to.maybe(part.times.max_ms);
    to.number(u64::from(part.times.untimed));
    to.maybe((part.offset_max > i64::MIN).then_some(part.offset_max));
    to.number(u64::from(part.excluded));
    to.number(u64::from(part.undecodable));
    to.signed(part.span.0);
    to.signed(part.span.1);
}

fn read_part(from: &mut Reader<'_>) -> Option<SegmentPart> {
    Some(SegmentPart {
        segment: read_key(from)?,
        bag: from.bag()?,
        times: Times { min_ms: from.maybe()?, max_ms: from.maybe()?, untimed: from.small()? },
        offset_max: from.maybe()?.unwrap_or(i64::MIN),
        excluded: from.small()?,
        undecodable: from.small()?,
        span: if from.has_windows() { (from.signed()?, from.signed()?) } else { (0, 0) },
    })
}

fn read_undecodable(from: &mut Reader<'_>, partition: PartitionIndex) -> Option<Undecodable> {
    Some(Undecodable {
        at: MessageAt { partition, offset: from.signed()? },
        cause: *UndecodableCause::ALL.get(usize::from(from.byte()?))?,
        timestamp_ms: from.maybe()?,
        detail: from.text()?,
        identity: if from.has_windows() { read_some(from)?.map(IdentityHash) } else { None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::Bag;
    use crate::digest::Digest;
    use crate::judge::{MessageEntry, MessageState};
    use crate::segment::SegmentKey;

    #[test]
    fn a_part_comes_back_and_damage_is_seen() {
        let partition = PartitionIndex(3);
        let part = |index, offset_max| SegmentPart {
            segment: SegmentKey::Offsets { partition, index },
            bag: Bag::from_iter(&[Digest([7; 32]), Digest([9; 32])]),
            times: Times { min_ms: Some(-4), max_ms: None, untimed: 2 },
            offset_max,
            excluded: 1,
            undecodable: 70_000,
            span: (4_000, 8_192),
        };
        let undecodable = |(place, cause): (usize, &UndecodableCause)| Undecodable {
            at: MessageAt { partition, offset: 4_096 + place as i64 },
            cause: *cause,
            timestamp_ms: Some(5),
            detail: "no JSON".to_owned(),
            identity: (place % 2 == 0).then_some(IdentityHash([5; 16])),
        };
        let version = MessageEntry {
            at: MessageAt { partition, offset: 4_100 },
            timestamp_ms: None,
            identity: Some(IdentityHash([8; 16])),
            digest: Some(Digest([6; 32])),
            rest: None,
            state: MessageState::Excluded(ExcludedCause::Tombstone),
            loss: None,
            stood: false,
        };
        let parcel = LanePart {
            partition,
            from: 4_000,
            to: 9_000,
            parts: vec![part(0, i64::MIN), part(1, 8_191)],
            gaps: vec![4_000..4_001, 8_000..9_000],
            undecodable: UndecodableCause::ALL.iter().enumerate().map(undecodable).collect(),
            excluded: ExcludedCause::ALL.iter().map(|cause| (*cause, 6)).collect(),
            windows: Some((-3, 9)),
            versions: vec![version],
        };
        let bytes = parcel.to_bytes();
        assert_eq!(LanePart::from_bytes(&bytes).as_ref(), Ok(&parcel));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x20;
            assert!(LanePart::from_bytes(&damaged).is_err(), "byte {at}");
        }
    }
}
