//! The words of the judge: verdicts on messages, rows and tables, causes, damage classes.
//!
//! Contract: every word is public (interface.md §3 to §6): it is the JSON value, the metric label and the key of a
//! count. Words are added, never renamed. The order of the variants is the order in reports.

use std::fmt;

use serde::{Serialize, Serializer};

/// Defines an enum whose variants have one public word each: `ALL`, `as_str`, Display and Serialize.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $name {
            /// Every variant, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The public word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
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
        /// The column's default where the message has NULL or another value.
        DefaultForNull = "default_for_null",
        /// The same magnitude with the other sign.
        SignFlip = "sign_flip",
        /// A ratio of 10^3k between two instants or numbers.
        UnitShift = "unit_shift",
        /// Two instants apart by a zone's offset.
        ZoneShift = "zone_shift",
        /// Digits or characters cut off at the end.
        Truncated = "truncated",
        /// Decimal places rounded off.
        PrecisionLost = "precision_lost",
        /// The decimal that a binary float gives back.
        FloatRoundTrip = "float_round_trip",
        /// The value modulo 2^32 or 2^64.
        OverflowWrap = "overflow_wrap",
        /// Another symbol of an enumeration.
        EnumRemap = "enum_remap",
        /// Only case or surrounding spaces differ.
        CaseOrTrim = "case_or_trim",
        /// The same text in another encoding or normal form.
        Encoding = "encoding",
        /// The value of another column of the same message.
        ColumnSwap = "column_swap",
        /// The value of a neighbouring message.
        RowMix = "row_mix",
        /// A field inside a struct, list or map is gone.
        NestedFieldLost = "nested_field_lost",
        /// The value of an older version of the key.
        StaleValue = "stale_value",
        /// One bit differs.
        BitFlip = "bit_flip",
        /// The message's value cannot be held exactly by the column.
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
