//! Edges of a range of messages as people write them: `OFFSETS` and `TIME` of interface.md section 1.
//!
//! `OFFSETS` is `12345` (every partition) or `0:100,1:2500`; `TIME` is RFC 3339 or a duration back from now (`-2h`).
//! Contract: nothing here looks at a clock; what is relative to now is resolved by the caller.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use thiserror::Error;
use validator_core::contract::Bound;

use super::units::parse_duration_ms;

/// What an instant looks like, for messages.
const TIME_EXAMPLES: &str = "RFC 3339 with its zone like 2024-08-08T00:00:00Z, or a duration back from now like -2h";

/// A point in time, perhaps relative to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instant {
    /// Nanoseconds since the epoch.
    At(i128),
    /// Milliseconds back from now.
    Ago(i64),
}

/// An edge of a range, perhaps relative to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edge {
    /// The first offset there is.
    Earliest,
    /// Each partition's end when the run starts.
    Now,
    /// The same offset in every partition.
    Offset(i64),
    /// Offsets by partition.
    Offsets(BTreeMap<i32, i64>),
    /// A point in time.
    Time(Instant),
}

/// Which state of the table is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotSelector {
    /// The snapshot of that id.
    Id(i64),
    /// A branch or tag.
    Ref(String),
    /// The snapshot that was current at that time.
    Time(Instant),
}

/// Why a text is no edge.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BoundError {
    /// Neither offsets nor a time.
    #[error("expected an offset like 12345, offsets by partition like 0:100,1:2500, or a time: {TIME_EXAMPLES}")]
    NotAnEdge,
    /// Not a time.
    #[error("expected a time: {TIME_EXAMPLES}")]
    NotATime,
    /// A duration without the minus.
    #[error("a duration back from now has a minus: -{0}")]
    NoMinus(String),
    /// A date and time without a zone.
    #[error("the time has no zone: write {0}Z, or an offset like +02:00")]
    NoZone(String),
    /// A date without a time.
    #[error("a date alone is no instant: write {0}T00:00:00Z")]
    DateAlone(String),
    /// One item of `0:100,1:2500` is wrong.
    #[error("`{0}` is not partition:offset, like 0:100")]
    NotPartitionOffset(String),
    /// A partition is named twice.
    #[error("partition {0} is named twice")]
    PartitionTwice(i32),
    /// `now` where a range starts.
    #[error("a range cannot start at `now`")]
    StartsNow,
    /// `earliest` where a range ends.
    #[error("a range cannot end at `earliest`")]
    EndsEarliest,
}

impl Instant {
    /// Reads a `TIME`.
    ///
    /// # Errors
    /// The text is neither RFC 3339 nor a negative duration.
    pub fn parse(text: &str) -> Result<Self, BoundError> {
        let text = text.trim();
        if let Some(ago) = text.strip_prefix('-').and_then(parse_duration_ms) {
            return Ok(Self::Ago(ago));
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::at(&time));
        }
        if DateTime::parse_from_rfc3339(&format!("{text}Z")).is_ok() {
            return Err(BoundError::NoZone(text.to_owned()));
        }
        if DateTime::parse_from_rfc3339(&format!("{text}T00:00:00Z")).is_ok() {
            return Err(BoundError::DateAlone(text.to_owned()));
        }
        match parse_duration_ms(text) {
            Some(_) => Err(BoundError::NoMinus(text.to_owned())),
            None => Err(BoundError::NotATime),
        }
    }

    fn at(time: &DateTime<FixedOffset>) -> Self {
        Self::At(i128::from(time.timestamp()) * 1_000_000_000 + i128::from(time.timestamp_subsec_nanos()))
    }

    /// The last millisecond since the epoch that is not after the instant: for clocks (`--as-of`, snapshots).
    pub fn floor_ms(self, now_ms: i64) -> i64 {
        match self {
            Self::At(nanos) => nanos.div_euclid(1_000_000) as i64,
            Self::Ago(ms) => now_ms.saturating_sub(ms),
        }
    }

    /// The first millisecond since the epoch that is not before the instant: for half-open ranges of Kafka timestamps.
    pub fn ceil_ms(self, now_ms: i64) -> i64 {
        match self {
            Self::At(nanos) => (-(-nanos).div_euclid(1_000_000)) as i64,
            Self::Ago(ms) => now_ms.saturating_sub(ms),
        }
    }
}

impl Edge {
    /// Reads where a range starts: `OFFSETS`, `TIME` or `earliest`.
    ///
    /// # Errors
    /// The text is none of these.
    pub fn parse_from(text: &str) -> Result<Self, BoundError> {
        match text.trim() {
            "earliest" => Ok(Self::Earliest),
            "now" => Err(BoundError::StartsNow),
            other => Self::parse(other),
        }
    }

    /// Reads where a range ends: `OFFSETS`, `TIME` or `now`.
    ///
    /// # Errors
    /// The text is none of these.
    pub fn parse_to(text: &str) -> Result<Self, BoundError> {
        match text.trim() {
            "now" => Ok(Self::Now),
            "earliest" => Err(BoundError::EndsEarliest),
            other => Self::parse(other),
        }
    }

    fn parse(text: &str) -> Result<Self, BoundError> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().map(Self::Offset).map_err(|_| BoundError::NotAnEdge);
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(':') && !text.contains('-') {
            return offsets(text).map(Self::Offsets);
        }
        Instant::parse(text).map(Self::Time).map_err(|error| match error {
            BoundError::NotATime => BoundError::NotAnEdge,
            other => other,
        })
    }

    /// The bound of a run that starts at `now_ms`.
    pub fn resolve(&self, now_ms: i64) -> Bound {
        match self {
            Self::Earliest => Bound::Earliest,
            Self::Now => Bound::Now,
            Self::Offset(offset) => Bound::Offset(*offset),
            Self::Offsets(offsets) => Bound::Offsets(offsets.clone()),
            Self::Time(instant) => Bound::Time(instant.ceil_ms(now_ms)),
        }
    }
}

impl SnapshotSelector {
    /// Reads a snapshot: digits are an id, RFC 3339 and `-2h` a time, anything else a branch or tag.
    ///
    /// # Errors
    /// The text is empty, a time without a zone, or an id that no snapshot can have.
    pub fn parse(text: &str) -> Result<Self, BoundError> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().map(Self::Id).map_err(|_| BoundError::NotATime);
        }
        match Instant::parse(text) {
            Ok(instant) => Ok(Self::Time(instant)),
            Err(error @ (BoundError::NoZone(_) | BoundError::DateAlone(_))) => Err(error),
            Err(error) if text.is_empty() => Err(error),
            Err(_) => Ok(Self::Ref(text.to_owned())),
        }
    }
}

fn offsets(text: &str) -> Result<BTreeMap<i32, i64>, BoundError> {
    let mut offsets = BTreeMap::new();
    for item in text.split(',') {
        let wrong = || BoundError::NotPartitionOffset(item.trim().to_owned());
        let (partition, offset) = item.split_once(':').ok_or_else(wrong)?;
        let partition: i32 = number(partition).and_then(|n| n.try_into().ok()).ok_or_else(wrong)?;
        let offset = number(offset).ok_or_else(wrong)?;
        if offsets.insert(partition, offset).is_some() {
            return Err(BoundError::PartitionTwice(partition));
        }
    }
    Ok(offsets)
}

fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_723_075_200_000;

    #[test]
    fn offsets_are_for_every_partition_or_by_partition() {
        assert_eq!(Edge::parse_from("12345"), Ok(Edge::Offset(12345)));
        let by_partition = Edge::Offsets(BTreeMap::from([(0, 100), (1, 2500)]));
        assert_eq!(Edge::parse_to("0:100,1:2500"), Ok(by_partition.clone()));
        assert_eq!(Edge::parse_to(" 0:100, 1:2500 "), Ok(by_partition));
        assert_eq!(Edge::parse_from("0:1,0:2"), Err(BoundError::PartitionTwice(0)));
        assert_eq!(Edge::parse_from("0:1,x"), Err(BoundError::NotPartitionOffset("x".to_owned())));
        assert_eq!(Edge::parse_from("0:1,"), Err(BoundError::NotPartitionOffset(String::new())));
        assert_eq!(Edge::parse_from("99999999999:1"), Err(BoundError::NotPartitionOffset("99999999999:1".to_owned())));
        assert_eq!(Edge::parse_from("99999999999999999999"), Err(BoundError::NotAnEdge));
        assert_eq!(Edge::parse_from("-5"), Err(BoundError::NotAnEdge));
        assert_eq!(Edge::parse_from(""), Err(BoundError::NotAnEdge));
    }

    #[test]
    fn times_are_rfc_3339_or_a_duration_back_from_now() {
        let at = |text: &str| Edge::parse_from(text).map(|edge| edge.resolve(NOW));
        assert_eq!(at("2024-08-08T00:00:00Z"), Ok(Bound::Time(NOW)));
        assert_eq!(at("2024-08-08T02:00:00.5+02:00"), Ok(Bound::Time(NOW + 500)));
        assert_eq!(at("-2h"), Ok(Bound::Time(NOW - 7_200_000)));
        assert_eq!(at("2h"), Err(BoundError::NoMinus("2h".to_owned())));
        assert_eq!(at("2024-08-08"), Err(BoundError::DateAlone("2024-08-08".to_owned())));
        assert_eq!(at("2024-08-08T00:00:00"), Err(BoundError::NoZone("2024-08-08T00:00:00".to_owned())));
        assert_eq!(at("yesterday"), Err(BoundError::NotAnEdge));
    }

    #[test]
    fn a_range_starts_at_the_first_and_a_clock_at_the_last_whole_millisecond() {
        let instant = Instant::parse("2024-08-08T00:00:00.000001Z").expect("the time is RFC 3339");
        assert_eq!((instant.ceil_ms(0), instant.floor_ms(0)), (NOW + 1, NOW));
        let early = Instant::parse("1969-12-31T23:59:59.9995Z").expect("the time is RFC 3339");
        assert_eq!((early.ceil_ms(0), early.floor_ms(0)), (0, -1));
    }

    #[test]
    fn only_a_start_is_earliest_and_only_an_end_is_now() {
        assert_eq!(Edge::parse_from("earliest"), Ok(Edge::Earliest));
        assert_eq!(Edge::parse_to("now"), Ok(Edge::Now));
        assert_eq!(Edge::parse_from("now"), Err(BoundError::StartsNow));
        assert_eq!(Edge::parse_to("earliest"), Err(BoundError::EndsEarliest));
    }

    #[test]
    fn a_snapshot_is_an_id_a_time_or_a_ref() {
        assert_eq!(SnapshotSelector::parse("8744736658442914487"), Ok(SnapshotSelector::Id(8_744_736_658_442_914_487)));
        assert_eq!(SnapshotSelector::parse("main"), Ok(SnapshotSelector::Ref("main".to_owned())));
        assert_eq!(SnapshotSelector::parse("-2h"), Ok(SnapshotSelector::Time(Instant::Ago(7_200_000))));
        assert!(matches!(SnapshotSelector::parse("2024-08-08T00:00:00Z"), Ok(SnapshotSelector::Time(Instant::At(_)))));
        assert_eq!(SnapshotSelector::parse("2024-08-08"), Err(BoundError::DateAlone("2024-08-08".to_owned())));
        assert_eq!(SnapshotSelector::parse(""), Err(BoundError::NotATime));
    }
}
