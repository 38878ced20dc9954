//! Bytes of the ledger's bodies: variable-length numbers between a version and a checksum.
//!
//! Contract: reading never panics; what does not end where it should, or whose checksum differs, is damaged. The first byte
//! is the version, the last eight are the beginning of the plain BLAKE3 of what is before them.

use std::collections::BTreeMap;

use super::delta::Damaged;
use crate::bag::{BAG_BYTES, Bag};
use crate::verdict::ExcludedCause;

/// One more wherever bodies say something else, or the same state is counted otherwise (I8).
///
/// 3: slips; 4: which rows are late; 5: dead letters; 6: windows; 7: keys; 8: which rows of windows are late; 9: retention.
const VERSION: u8 = 9;
/// The oldest that is read.
const OLDEST: u8 = 2;
/// Facts of findings are compared by their bytes: what they say has not changed since.
const OF_FACTS: u8 = 2;
const SUM_BYTES: usize = 8;
/// Reasons why a message is excluded, before version 9.
const EXCLUDED_CAUSES_ONCE: usize = 4;
/// Bytes of the longest number: 64 bits in sevens.
const NUMBER_BYTES_MAX: u32 = 10;

/// Whether bytes are of a build that counts as this one does.
pub(super) fn is_of_now(bytes: &[u8]) -> bool {
    bytes.first() == Some(&VERSION)
}

/// Bytes as they are written.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub fn new() -> Self {
        Self(vec![VERSION])
    }

    /// For facts of findings.
    pub fn of_facts() -> Self {
        Self(vec![OF_FACTS])
    }

    /// With its checksum.
    pub fn seal(mut self) -> Vec<u8> {
        let sum = blake3::hash(&self.0);
        self.0.extend_from_slice(&sum.as_bytes()[..SUM_BYTES]);
        self.0
    }

    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    pub fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)) as u64);
    }

    pub fn maybe(&mut self, number: Option<i64>) {
        self.byte(u8::from(number.is_some()));
        if let Some(number) = number {
            self.signed(number);
        }
    }

    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.raw(text.as_bytes());
    }

    pub fn bag(&mut self, bag: &Bag) {
        self.number(bag.count);
        // Most bags of no digests have no sum either.
        if bag.count == 0 {
            self.byte(u8::from(!bag.is_empty()));
        }
        if !bag.is_empty() {
            self.raw(&bag.sum_bytes());
        }
    }
}

/// Bytes as they are read.
pub(super) struct Reader<'a>(&'a [u8], u8);

impl<'a> Reader<'a> {
    /// The bytes between version and checksum.
    pub fn open(bytes: &'a [u8], what: &'static str) -> Result<Self, Damaged> {
        let damaged = || Damaged { what };
        let (body, sum) = bytes.split_at(bytes.len().checked_sub(SUM_BYTES).ok_or_else(damaged)?);
        if blake3::hash(body).as_bytes()[..SUM_BYTES] != *sum {
            return Err(damaged());
        }
        match body.split_first() {
            Some((version @ OLDEST..=VERSION, rest)) => Ok(Self(rest, *version)),
            _ => Err(damaged()),
        }
    }

    /// Whether these are bytes of a build that kept slips.
    pub fn has_slips(&self) -> bool {
        self.1 >= 3
    }

    /// Whether these are bytes of a build that kept which rows are late.
    pub fn has_late(&self) -> bool {
        self.1 >= 4
    }

    /// Whether these are bytes of a build that read dead letters.
    pub fn has_letters(&self) -> bool {
        self.1 >= 5
    }

    /// Whether these are bytes of a build that followed windows.
    pub fn has_windows(&self) -> bool {
        self.1 >= 6
    }

    /// Whether these are bytes of a build that followed upsert tables.
    pub fn has_keys(&self) -> bool {
        self.1 >= 7
    }

    /// Whether these are bytes of a build that kept which rows of windows are late.
    pub fn has_late_of_windows(&self) -> bool {
        self.1 >= 8
    }

    /// Whether these are bytes of a build that knew of retention.
    pub fn has_retention(&self) -> bool {
        self.1 >= 9
    }

    /// A number for each reason why a message is excluded: those that the build knew.
    pub fn excluded(&mut self) -> Option<BTreeMap<ExcludedCause, u64>> {
        let known = if self.has_retention() { ExcludedCause::ALL.len() } else { EXCLUDED_CAUSES_ONCE };
        let mut counts = BTreeMap::new();
        for cause in &ExcludedCause::ALL[..known] {
            let count = self.number()?;
            if count > 0 {
                counts.insert(*cause, count);
            }
        }
        Some(counts)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn raw<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.raw::<1>().map(|[byte]| byte)
    }

    pub fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for nth in 0..NUMBER_BYTES_MAX {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(7 * nth)?;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub fn numbers<const N: usize>(&mut self) -> Option<[u64; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.number()?;
        }
        Some(numbers)
    }

    pub fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    pub fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub fn maybe(&mut self) -> Option<Option<i64>> {
        Some(if self.flag()? { Some(self.signed()?) } else { None })
    }

    pub fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    pub fn bag(&mut self) -> Option<Bag> {
        let count = self.number()?;
        if count == 0 && !self.flag()? {
            return Some(Bag::EMPTY);
        }
        let sum: [u8; 32] = self.raw()?;
        let mut bytes = [0; BAG_BYTES];
        bytes[..8].copy_from_slice(&count.to_le_bytes());
        bytes[8..].copy_from_slice(&sum);
        Some(Bag::from_bytes(&bytes))
    }

    /// As many as the number before them says; each takes at least a byte, so that no count asks for more than there is.
    pub fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = usize::try_from(self.number()?).ok().filter(|count| *count <= self.0.len())?;
        (0..count).map(|_| one(self)).collect()
    }
}

/// Reads a whole body.
pub(super) fn whole<T>(
    bytes: &[u8],
    what: &'static str,
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<T, Damaged> {
    let mut reader = Reader::open(bytes, what)?;
    let value = read(&mut reader).ok_or(Damaged { what })?;
    if reader.is_empty() { Ok(value) } else { Err(Damaged { what }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_damage_is_seen() {
        let numbers = [0, 1, 127, 128, u64::MAX, 1 << 63];
        let signed = [0, -1, 1, i64::MIN, i64::MAX];
        let mut writer = Writer::new();
        numbers.iter().for_each(|number| writer.number(*number));
        signed.iter().for_each(|number| writer.signed(*number));
        writer.text("päge");
        let bytes = writer.seal();
        let read = |reader: &mut Reader<'_>| {
            let numbers: Option<Vec<u64>> = (0..6).map(|_| reader.number()).collect();
            let signed: Option<Vec<i64>> = (0..5).map(|_| reader.signed()).collect();
            Some((numbers?, signed?, reader.text()?))
        };
        assert_eq!(whole(&bytes, "it", read), Ok((numbers.to_vec(), signed.to_vec(), "päge".to_owned())));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(whole(&damaged, "it", read), Err(Damaged { what: "it" }), "byte {at}");
            assert!(whole(&bytes[..at], "it", read).is_err());
        }
    }
}
