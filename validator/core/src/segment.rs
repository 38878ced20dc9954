//! Segments: the units of proof. An offset range of one partition, or a window of time and a shard of the identities.
//!
//! Contract: both sides cut in the same way, from values that both have. Every offset is in exactly one segment of its
//! partition (invariant I6); a window number is `floor(instant / every)`, also before 1970.

use std::fmt;
use std::ops::Range;

use crate::digest::IdentityHash;
use crate::position::PartitionIndex;
use crate::value::Value;

/// Which segment. The order is that of reports: offsets, windows, keys, nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SegmentKey {
    /// `index * width .. (index + 1) * width` of one partition.
    Offsets {
        /// The partition of the run.
        partition: PartitionIndex,
        /// The range's number.
        index: i64,
    },
    /// One shard of one window of time.
    Window {
        /// The window's number: it starts at `start * every`. `None` is the pseudo-window `none`.
        start: Option<i64>,
        /// The shard of the identities, see [`shard_of`].
        shard: u32,
    },
    /// One shard of the keys of an upsert table that is followed: all versions and rows of a key are in one.
    Keys {
        /// The shard of the keys, of [`KEY_SHARDS`](crate::limits::KEY_SHARDS).
        shard: u32,
    },
    /// Rows that no message can have: a null in the identity, no such partition, an impossible offset.
    Nowhere,
}

const PAIR_NOWHERE: u64 = 0;
const PAIR_OFFSETS: u64 = 1;
const PAIR_WINDOW: u64 = 2;
const PAIR_NO_WINDOW: u64 = 3;
const PAIR_KEYS: u64 = 4;

impl SegmentKey {
    /// The key as two numbers without nulls, for engines that group by primitive columns: (kind and partition or
    /// shard, index or window number).
    #[inline]
    pub fn to_pair(self) -> (u64, i64) {
        match self {
            SegmentKey::Nowhere => (PAIR_NOWHERE << 32, 0),
            SegmentKey::Offsets { partition, index } => (PAIR_OFFSETS << 32 | u64::from(partition.0), index),
            SegmentKey::Window { start: Some(start), shard } => (PAIR_WINDOW << 32 | u64::from(shard), start),
            SegmentKey::Window { start: None, shard } => (PAIR_NO_WINDOW << 32 | u64::from(shard), 0),
            SegmentKey::Keys { shard } => (PAIR_KEYS << 32 | u64::from(shard), 0),
        }
    }

    /// The key of two numbers; `None` when [`SegmentKey::to_pair`] gives no such pair.
    pub fn from_pair((kind, number): (u64, i64)) -> Option<Self> {
        let low = kind as u32;
        let key = match kind >> 32 {
            PAIR_NOWHERE => SegmentKey::Nowhere,
            PAIR_OFFSETS => SegmentKey::Offsets { partition: PartitionIndex(low), index: number },
            PAIR_WINDOW => SegmentKey::Window { start: Some(number), shard: low },
            PAIR_NO_WINDOW => SegmentKey::Window { start: None, shard: low },
            PAIR_KEYS => SegmentKey::Keys { shard: low },
            _ => return None,
        };
        (key.to_pair() == (kind, number)).then_some(key)
    }
}

impl fmt::Display for SegmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SegmentKey::Offsets { partition, index } => write!(f, "offsets {}/{index}", partition.0),
            SegmentKey::Window { start: Some(start), shard } => write!(f, "window {start}/{shard}"),
            SegmentKey::Window { start: None, shard } => write!(f, "window none/{shard}"),
            SegmentKey::Keys { shard } => write!(f, "keys {shard}"),
            SegmentKey::Nowhere => f.write_str("nowhere"),
        }
    }
}

/// Why a cut is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// The width is not a power of two, or does not leave room for one segment of offsets.
    #[error("segment width {width} is not a power of two from 1 to 2^62")]
    Width {
        /// What was asked for.
        width: u64,
    },
    /// A window has no length, or one that overflows.
    #[error("window length {every_ms} ms is not in 1 ms to 2^43 ms")]
    WindowLength {
        /// What was asked for.
        every_ms: u64,
    },
}

/// Offsets per segment: a power of two, so that cutting is a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OffsetWidth {
    shift: u32,
}

impl OffsetWidth {
    /// The width of this many offsets.
    ///
    /// # Errors
    /// [`SegmentError::Width`] unless it is a power of two from 1 to 2^62.
    pub fn new(width: u64) -> Result<Self, SegmentError> {
        if !width.is_power_of_two() || width > 1 << 62 {
            return Err(SegmentError::Width { width });
        }
        Ok(Self { shift: width.trailing_zeros() })
    }

    /// The number of the segment that holds the offset.
    #[inline]
    pub fn index_of(self, offset: i64) -> i64 {
        offset >> self.shift
    }

    /// The segment that holds the offset of a partition.
    #[inline]
    pub fn segment_of(self, partition: PartitionIndex, offset: i64) -> SegmentKey {
        SegmentKey::Offsets { partition, index: self.index_of(offset) }
    }

    /// The offsets of a segment, half-open; its end saturates at the greatest offset there is.
    pub fn offsets(self, index: i64) -> Range<i64> {
        let start = index << self.shift;
        start..start.saturating_add(1 << self.shift)
    }
}

/// The length of a window of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WindowLength {
    every_us: i64,
}

impl WindowLength {
    /// Windows of this many milliseconds.
    ///
    /// # Errors
    /// [`SegmentError::WindowLength`] for 0 and for more than 2^43 ms (some 280 years).
    pub fn from_ms(every_ms: u64) -> Result<Self, SegmentError> {
        match every_ms {
            1..=0x0800_0000_0000 => Ok(Self { every_us: every_ms as i64 * 1000 }),
            _ => Err(SegmentError::WindowLength { every_ms }),
        }
    }

    /// The number of the window that holds an instant, microseconds since the epoch.
    #[inline]
    pub fn number_of_us(self, instant_us: i64) -> i64 {
        instant_us.div_euclid(self.every_us)
    }

    /// The number of the window that holds an instant, nanoseconds since the epoch.
    #[inline]
    pub fn number_of_ns(self, instant_ns: i64) -> i64 {
        self.number_of_us(instant_ns.div_euclid(1000))
    }

    /// The number of the window that holds a date or a timestamp; none: it is neither, or beyond what a number of microseconds says.
    pub fn number_of(self, value: &Value) -> Option<i64> {
        match value {
            Value::Date(day) => Some(self.number_of_day(*day)),
            Value::Timestamp { seconds, nanos, .. } => {
                let micros = seconds.checked_mul(1_000_000)?.checked_add(i64::from(*nanos / 1_000))?;
                Some(self.number_of_us(micros))
            }
            _ => None,
        }
    }

    /// The number of the window that holds the start of a day since the epoch.
    #[inline]
    pub fn number_of_day(self, day: i32) -> i64 {
        self.number_of_us(i64::from(day) * 86_400_000_000)
    }

    /// The instants of a window, microseconds since the epoch, half-open; saturating.
    pub fn span_us(self, number: i64) -> Range<i64> {
        let start = number.saturating_mul(self.every_us);
        start..start.saturating_add(self.every_us)
    }
}

/// The shard of an identity, `0..shards`: the first four bytes of its hash as a little-endian number, scaled down.
///
/// The hash is keyed and even, so shards are too, whatever the keys look like. `shards` of 0 counts as 1.
#[inline]
pub fn shard_of(identity: &IdentityHash, shards: u32) -> u32 {
    let [a, b, c, d, ..] = identity.0;
    let even = u64::from(u32::from_le_bytes([a, b, c, d]));
    ((even * u64::from(shards)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_offset_is_in_the_range_of_its_segment_only(offset in 0..i64::MAX, bits in 0u32..=62) {
            let width = OffsetWidth::new(1 << bits).expect("a power of two");
            let index = width.index_of(offset);
            prop_assert!(width.offsets(index).contains(&offset));
            prop_assert!(!width.offsets(index - 1).contains(&offset));
        }

        #[test]
        fn every_instant_is_in_the_span_of_its_window(instant_us in any::<i64>(), every_ms in 1u64..1 << 43) {
            let length = WindowLength::from_ms(every_ms).expect("in range");
            let span = length.span_us(length.number_of_us(instant_us));
            prop_assert!(span.start <= instant_us && (instant_us < span.end || span.end == i64::MAX));
        }

        #[test]
        fn pairs_name_one_key_each(a in key(), b in key()) {
            prop_assert_eq!(SegmentKey::from_pair(a.to_pair()), Some(a));
            prop_assert_eq!(a == b, a.to_pair() == b.to_pair());
        }

        #[test]
        fn shards_are_below_their_number(hash in any::<[u8; 16]>(), shards in 1u32..=65_536) {
            prop_assert!(shard_of(&IdentityHash(hash), shards) < shards);
        }
    }

    fn key() -> impl Strategy<Value = SegmentKey> {
        let number = prop_oneof![Just(0i64), Just(-1), any::<i64>()];
        let low = prop_oneof![Just(0u32), Just(u32::MAX), any::<u32>()];
        prop_oneof![
            Just(SegmentKey::Nowhere),
            (low.clone(), number.clone())
                .prop_map(|(p, index)| SegmentKey::Offsets { partition: PartitionIndex(p), index }),
            (prop::option::of(number), low.clone()).prop_map(|(start, shard)| SegmentKey::Window { start, shard }),
            low.prop_map(|shard| SegmentKey::Keys { shard }),
        ]
    }

    #[test]
    fn windows_count_down_before_the_epoch() {
        let minute = WindowLength::from_ms(60_000).expect("in range");
        assert_eq!((minute.number_of_us(-1), minute.number_of_us(0), minute.number_of_us(59_999_999)), (-1, 0, 0));
        assert_eq!((minute.number_of_ns(-1), minute.number_of_ns(60_000_000_000)), (-1, 1));
        assert_eq!(minute.number_of_day(-1), -1440);
    }

    #[test]
    fn cuts_without_extent_are_refused() {
        for width in [0, 3, 4095, 1 << 63] {
            assert_eq!(OffsetWidth::new(width), Err(SegmentError::Width { width }));
        }
        for every_ms in [0, (1 << 43) + 1, u64::MAX] {
            assert_eq!(WindowLength::from_ms(every_ms), Err(SegmentError::WindowLength { every_ms }));
        }
    }

    #[test]
    fn unknown_pairs_are_no_key() {
        for pair in [(1, 0), (0, 1), (5 << 32, 0), (4 << 32, 1), (3 << 32, 5)] {
            assert_eq!(SegmentKey::from_pair(pair), None, "{pair:?}");
        }
    }

    #[test]
    fn shards_spread_over_their_whole_range() {
        let first = |n: u32| {
            let mut hash = [0; 16];
            hash[..4].copy_from_slice(&n.to_le_bytes());
            IdentityHash(hash)
        };
        assert_eq!(
            (shard_of(&first(0), 64), shard_of(&first(u32::MAX), 64), shard_of(&first(1 << 31), 64)),
            (0, 63, 32)
        );
    }
}
