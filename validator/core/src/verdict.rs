//! The words of the judge: verdicts on messages, rows and tables, causes, damage classes.
//!
//! Contract: every word is public (interface.md §3 to §6): it is the JSON value, the metric label and the key of a
//! count. Words are added, never renamed. The order of the variants is the order in reports.

use std::fmt;

use serde::{Serialize, Serializer};

/// Defines an enum whose variants have one public word each, and one sentence: `ALL`, `as_str`, `meaning`, Display
/// and Serialize.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $(#[doc = $meaning:literal] $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $(#[doc = $meaning] $variant,)+ }

        impl $name {
            /// Every variant, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The public word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// What the word says, one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning.trim_ascii(),)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What is true of one message; each message has exactly one. Source: design.md §3.
    MessageVerdict {
        /// Not yet due.
        Pending = "pending",
        /// Exactly one row, equal.
        Intact = "intact",
        /// Its row differs.
        Corrupted = "corrupted",
        /// More than one row.
        Duplicated = "duplicated",
        /// Due, no row, and the table has moved past it.
        Missing = "missing",
        /// Due, no row, and the table has not moved past it.
        Overdue = "overdue",
        /// Was intact, the row is gone, nothing declared explains it.
        Withdrawn = "withdrawn",
        /// Found in the dead-letter topic or table.
        Diverted = "diverted",
        /// No row is asked for.
        Excluded = "excluded",
        /// Not decodable or not mappable.
        Undecodable = "undecodable",
        /// Its side of the table cannot be read.
        Unobservable = "unobservable",
    }
}

words! {
    /// What is true of one row: the keys of `rows` in the report. `misrouted` and `stale` stand beside another one.
    RowVerdict {
        /// The one row of an intact message.
        Intact = "intact",
        /// The one row of a corrupted message.
        Corrupted = "corrupted",
        /// One of the n rows of a duplicated message.
        Copies = "copies",
        /// No message explains it.
        Phantom = "phantom",
        /// It belongs, or may belong, to an undecodable message.
        Unjudged = "unjudged",
        /// Its message can no longer be read.
        Unobservable = "unobservable",
        /// The run does not ask about it.
        OutOfScope = "out_of_scope",
        /// It lies in a partition tuple that its values do not give.
        Misrouted = "misrouted",
        /// It shows a version that is not the last of its key.
        Stale = "stale",
    }
}

words! {
    /// What is true of the table or one of its files.
    TableVerdict {
        /// Bytes that cannot be read as what they should be.
        StorageCorrupt = "storage_corrupt",
        /// The metadata contradicts itself or the storage.
        MetadataInconsistent = "metadata_inconsistent",
        /// Bounds or counts that do not enclose the data.
        StatsLie = "stats_lie",
        /// A rewrite that changed rows.
        RewriteNotPreserving = "rewrite_not_preserving",
        /// A snapshot that was in the history is no longer.
        HistoryRewritten = "history_rewritten",
    }
}

words! {
    /// How two values of a column differ, by priority: the first that fits names the difference (interface.md §6).
    Damage {
        /// NULL in the row where the message has a value.
        NullForValue = "null_for_value",
        /// A value in the row where the message has NULL.
        ValueForNull = "value_for_null",
        /// An empty value (zero, false, the epoch, empty text) or the column's declared default where the message has NULL.
        DefaultForNull = "default_for_null",
        /// The same magnitude with the other sign.
        SignFlip = "sign_flip",
        /// Off by a power of a thousand, number or instant: seconds, milliseconds and microseconds mixed up.
        UnitShift = "unit_shift",
        /// Two instants apart by a zone's offset, or two dates apart by one day.
        ZoneShift = "zone_shift",
        /// Digits, characters or elements cut off at the end.
        Truncated = "truncated",
        /// Rounded to fewer digits.
        PrecisionLost = "precision_lost",
        /// What a binary float gives back.
        FloatRoundTrip = "float_round_trip",
        /// Wrapped around, or stopped, at a type's limit.
        OverflowWrap = "overflow_wrap",
        /// Another name of a constant, or its number.
        EnumRemap = "enum_remap",
        /// Only case or surrounding white space differs.
        CaseOrTrim = "case_or_trim",
        /// The same text or bytes in another encoding or normal form.
        Encoding = "encoding",
        /// The value of another column of the same message, in exchange.
        ColumnSwap = "column_swap",
        /// The value of another message, in exchange.
        RowMix = "row_mix",
        /// A field inside a struct, list or map is gone.
        NestedFieldLost = "nested_field_lost",
        /// The value of an older version of the key.
        StaleValue = "stale_value",
        /// A few bits, or one byte, differ.
        BitFlip = "bit_flip",
        /// The column cannot hold the message's value exactly, and no other class fits.
        Inexact = "inexact",
        /// None of the above.
        Other = "other",
    }
}

words! {
    /// Why a message is excluded.
    ExcludedCause {
        /// The declared filter drops it.
        Filter = "filter",
        /// A null payload; in an upsert table every message that deletes its key.
        Tombstone = "tombstone",
        /// Upsert tables: a later version of its key takes its place.
        Superseded = "superseded",
        /// Below the declared start.
        BeforeStart = "before_start",
        /// Its declared retention is over, and its row is gone.
        Expired = "expired",
    }
}

words! {
    /// Why a message is undecodable.
    UndecodableCause {
        /// The payload is not what the format or a field's type says.
        BadPayload = "bad_payload",
        /// The registry does not know its schema.
        SchemaUnknown = "schema_unknown",
        /// A conversion, CAST or expression failed on its values.
        MapFailed = "map_failed",
        /// Upsert tables: it deletes a key, and nothing says which.
        KeyUnknown = "key_unknown",
    }
}

/// Why a verdict holds: the `cause` of a finding (interface.md §6). A corrupted message's cause is its first column's damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Corrupted: the damage of the first column that differs.
    Damage(Damage),
    /// Missing: no row anywhere.
    Lost,
    /// Missing: its row stands in a retained older snapshot.
    Removed,
    /// Missing: its row may have been in a part of a file that is lost.
    StorageCorrupt,
    /// Duplicated: all rows are equal to the message.
    Copied,
    /// Duplicated: at least one row differs.
    CopiesDiffer,
    /// Phantom: nothing tells where it comes from.
    Unexplained,
    /// Phantom: its offset is of an aborted transaction.
    Aborted,
    /// Phantom: its message is dropped by the filter.
    Filtered,
    /// Phantom: its message is a tombstone.
    Tombstone,
    /// Phantom: the last message of its key deletes it.
    Resurrected,
    /// Why a message is excluded (counted, never a finding).
    Excluded(ExcludedCause),
    /// Why a message is undecodable.
    Undecodable(UndecodableCause),
}

impl Cause {
    /// The public word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Damage(damage) => damage.as_str(),
            Self::Lost => "lost",
            Self::Removed => "removed",
            Self::StorageCorrupt => "storage_corrupt",
            Self::Copied => "copied",
            Self::CopiesDiffer => "copies_differ",
            Self::Unexplained => "unexplained",
            Self::Aborted => "aborted",
            Self::Filtered => "filtered",
            Self::Tombstone => "tombstone",
            Self::Resurrected => "resurrected",
            Self::Excluded(cause) => cause.as_str(),
            Self::Undecodable(cause) => cause.as_str(),
        }
    }

    /// What the word says, one sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Damage(damage) => damage.meaning(),
            Self::Lost => "No row anywhere.",
            Self::Removed => "Its row stands in a retained older snapshot.",
            Self::StorageCorrupt => "Its row may have been in a part of a file that is lost.",
            Self::Copied => "All rows are equal to the message.",
            Self::CopiesDiffer => "At least one row differs.",
            Self::Unexplained => "Nothing tells where it comes from.",
            Self::Aborted => "Its offset is of an aborted transaction.",
            Self::Filtered => "Its message is dropped by the filter.",
            Self::Tombstone => "Its message is a tombstone.",
            Self::Resurrected => "The last message of its key deletes it.",
            Self::Excluded(cause) => cause.meaning(),
            Self::Undecodable(cause) => cause.meaning(),
        }
    }

    /// The causes that a verdict can have, in their order; none of a verdict that has no causes.
    pub fn of(verdict: Verdict) -> Vec<Self> {
        let Verdict::Message(verdict) = verdict else {
            let phantom =
                [Self::Unexplained, Self::Aborted, Self::Filtered, Self::Tombstone, Self::Resurrected].to_vec();
            return if verdict == Verdict::Row(RowVerdict::Phantom) { phantom } else { Vec::new() };
        };
        match verdict {
            MessageVerdict::Corrupted => Damage::ALL.iter().copied().map(Self::Damage).collect(),
            MessageVerdict::Missing => vec![Self::Lost, Self::Removed, Self::StorageCorrupt],
            MessageVerdict::Duplicated => vec![Self::Copied, Self::CopiesDiffer],
            MessageVerdict::Excluded => ExcludedCause::ALL.iter().copied().map(Self::Excluded).collect(),
            MessageVerdict::Undecodable => UndecodableCause::ALL.iter().copied().map(Self::Undecodable).collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The verdict of a finding: of a message, a row, or the table. Ordered in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// On a message.
    Message(MessageVerdict),
    /// On a row alone: `phantom` or `misrouted`.
    Row(RowVerdict),
    /// On the table or a file.
    Table(TableVerdict),
}

impl Verdict {
    /// The public word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message(verdict) => verdict.as_str(),
            Self::Row(verdict) => verdict.as_str(),
            Self::Table(verdict) => verdict.as_str(),
        }
    }

    /// What the word says, one sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Message(verdict) => verdict.meaning(),
            Self::Row(verdict) => verdict.meaning(),
            Self::Table(verdict) => verdict.meaning(),
        }
    }

    /// Every verdict that a finding or a count of causes can have, in their order.
    pub fn all() -> impl Iterator<Item = Self> {
        let messages = MessageVerdict::ALL.iter().copied().map(Self::Message);
        let rows = [RowVerdict::Phantom, RowVerdict::Misrouted].map(Self::Row);
        messages.chain(rows).chain(TableVerdict::ALL.iter().copied().map(Self::Table))
    }

    /// Whether an open finding of it breaches by itself, whatever the fidelity (interface.md §5, Outcome).
    pub const fn breaches(self) -> bool {
        matches!(self, Self::Table(_) | Self::Row(RowVerdict::Misrouted))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl From<MessageVerdict> for Verdict {
    fn from(verdict: MessageVerdict) -> Self {
        Self::Message(verdict)
    }
}

impl From<TableVerdict> for Verdict {
    fn from(verdict: TableVerdict) -> Self {
        Self::Table(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_has_the_priority_of_the_interface() {
        let listed = "null_for_value, value_for_null, default_for_null, sign_flip, unit_shift, zone_shift, truncated, \
                      precision_lost, float_round_trip, overflow_wrap, enum_remap, case_or_trim, encoding, column_swap, \
                      row_mix, nested_field_lost, stale_value, bit_flip, inexact, other";
        let ours: Vec<&str> = Damage::ALL.iter().map(|damage| damage.as_str()).collect();
        assert_eq!(ours.join(", "), listed);
        assert!(Damage::ALL.is_sorted());
    }

    #[test]
    fn message_verdicts_stand_in_the_order_of_the_report() {
        let listed =
            "pending intact corrupted duplicated missing overdue withdrawn diverted excluded undecodable unobservable";
        let ours: Vec<&str> = MessageVerdict::ALL.iter().map(|verdict| verdict.as_str()).collect();
        assert_eq!(ours.join(" "), listed);
    }

    #[test]
    fn words_are_json_strings() {
        let words = serde_json::to_string(&(
            Verdict::from(MessageVerdict::Intact),
            Verdict::from(TableVerdict::StatsLie),
            Cause::Damage(Damage::UnitShift),
            Cause::Excluded(ExcludedCause::BeforeStart),
        ));
        assert_eq!(words.expect("words serialise"), r#"["intact","stats_lie","unit_shift","before_start"]"#);
    }

    #[test]
    fn only_table_findings_and_misrouted_rows_breach_by_themselves() {
        assert!(TableVerdict::ALL.iter().all(|verdict| Verdict::Table(*verdict).breaches()));
        assert!(Verdict::Row(RowVerdict::Misrouted).breaches());
        assert!(!Verdict::Row(RowVerdict::Phantom).breaches());
        assert!(MessageVerdict::ALL.iter().all(|verdict| !Verdict::Message(*verdict).breaches()));
    }
}
