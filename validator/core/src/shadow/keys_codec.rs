//! Keys of an upsert table as bytes.
//!
//! Contract: see [`super::pack`]. What was lost is taken anew at each judging and not kept.

use super::keys::Keys;
use super::pack::{Reader, Writer};
use super::residue_codec::{read_message, write_message};
use super::versions::Versions;
use crate::digest::IdentityHash;
use crate::judge::MessageEntry;
use crate::position::{MessageAt, PartitionIndex};

impl Keys {
    pub(super) fn write(&self, to: &mut Writer) {
        to.byte(u8::from(self.has_refused));
        to.number(self.of.len() as u64);
        for (key, versions) in &self.of {
            to.raw(&key.0);
            to.number(versions.live.len() as u64);
            for version in &versions.live {
                write_message(to, &MessageEntry { identity: None, ..*version });
                to.byte(u8::from(version.stood));
            }
            to.number(versions.former.len() as u64);
            versions.former.iter().for_each(|mark| to.raw(mark));
            to.byte(u8::from(versions.is_blurred));
            to.number(versions.equalled.len() as u64);
            for at in &versions.equalled {
                to.number(u64::from(at.partition.0));
                to.signed(at.offset);
            }
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let version = |from: &mut Reader<'_>| {
            let message = read_message(from)?;
            Some(MessageEntry { stood: from.flag()?, ..message })
        };
        let has_refused = from.flag()?;
        let keys = from.list(|from| {
            let key = IdentityHash(from.raw()?);
            let (live, former, is_blurred) = (from.list(version)?, from.list(Reader::raw)?, from.flag()?);
            let place = |from: &mut Reader<'_>| {
                Some(MessageAt { partition: PartitionIndex(from.small()?), offset: from.signed()? })
            };
            let equalled = if from.has_retention() { from.list(place)? } else { Vec::new() };
            Some((key, Versions { live, former, is_blurred, equalled }))
        })?;
        Some(Self { of: keys.into_iter().collect(), has_refused })
    }
}
