//! Verdicts, causes and hole reasons in words that a person understands without the manual.

use validator_core::hole::HoleReason;
use validator_core::verdict::{
    Cause, Damage, ExcludedCause, MessageVerdict, RowVerdict, TableVerdict, UndecodableCause, Verdict,
};

use super::paint::Role;

/// How a value was damaged, as the end of the sentence "the row …".
pub fn damage(damage: Damage) -> &'static str {
    match damage {
        Damage::NullForValue => "holds NULL where the message has a value",
        Damage::ValueForNull => "holds a value where the message has NULL",
        Damage::DefaultForNull => "holds a default where the message has NULL",
        Damage::SignFlip => "has the other sign",
        Damage::UnitShift => "is off by a power of a thousand: seconds, milliseconds and microseconds mixed up?",
        Damage::ZoneShift => "is off by a time zone's offset",
        Damage::Truncated => "is cut off at the end",
        Damage::PrecisionLost => "has fewer decimal places: rounded",
        Damage::FloatRoundTrip => "went through a binary float",
        Damage::OverflowWrap => "overflowed and wrapped around",
        Damage::EnumRemap => "holds another symbol of the enumeration",
        Damage::CaseOrTrim => "differs in upper and lower case or in spaces",
        Damage::Encoding => "went through another encoding or normal form",
        Damage::ColumnSwap => "holds the value of another column of the same message",
        Damage::RowMix => "holds the value of a neighbouring message",
        Damage::NestedFieldLost => "lost a field inside the value",
        Damage::StaleValue => "holds an older version of the key",
        Damage::BitFlip => "has a flipped bit, or a few",
        Damage::Inexact => "cannot hold the message's value exactly in this type",
        Damage::Other => "holds another value",
    }
}

/// Why a verdict holds, one short sentence without a period.
pub fn cause(verdict: Verdict, cause: Option<Cause>) -> Option<String> {
    let Some(cause) = cause else { return verdict_alone(verdict).map(str::to_owned) };
    let text = match cause {
        Cause::Damage(class) => return Some(format!("the row {}", damage(class))),
        Cause::Lost => "no row, and the table has moved past the message",
        Cause::Removed => "the row stands in an older snapshot and is gone now",
        Cause::StorageCorrupt => "the row may have been in a part of a file that cannot be read",
        Cause::Copied => "more than one row, all equal to the message",
        Cause::CopiesDiffer => "more than one row, and not all equal to the message",
        Cause::Unexplained => "a row that no message explains",
        Cause::Aborted => "a row of an aborted transaction",
        Cause::Filtered => "a row of a message that the filter drops",
        Cause::Tombstone => "a row of a message without a payload",
        Cause::Resurrected => "a row of a key whose last message deletes it",
        Cause::Excluded(ExcludedCause::Filter) => "dropped by the filter",
        Cause::Excluded(ExcludedCause::Tombstone) => "no payload",
        Cause::Excluded(ExcludedCause::Superseded) => "a later version of the key takes its place",
        Cause::Excluded(ExcludedCause::BeforeStart) => "below the declared start",
        Cause::Excluded(ExcludedCause::Expired) => "its retention is over",
        Cause::Undecodable(UndecodableCause::BadPayload) => "the payload is not what the format says",
        Cause::Undecodable(UndecodableCause::SchemaUnknown) => "the registry does not know the schema",
        Cause::Undecodable(UndecodableCause::KeyUnknown) => "it deletes a key, and does not name it",
        Cause::Undecodable(UndecodableCause::MapFailed) => "a conversion or expression fails on the message",
    };
    Some(text.to_owned())
}

/// What became of a message, one short sentence without a period.
pub fn message(verdict: MessageVerdict) -> &'static str {
    match verdict {
        MessageVerdict::Pending => "not yet due: it may still be on its way",
        MessageVerdict::Intact => "exactly one row in the table, equal in every compared column",
        MessageVerdict::Corrupted => "its row differs",
        MessageVerdict::Duplicated => "more than one row in the table",
        MessageVerdict::Missing => "due, no row, and the table has moved past it: lost",
        MessageVerdict::Overdue => "due, no row yet, and the table has not moved past it: lag, not loss",
        MessageVerdict::Withdrawn => "was in the table in an earlier look, and is gone",
        MessageVerdict::Diverted => "found in the dead letters",
        MessageVerdict::Excluded => "no row is asked for: filter, tombstone, older version, before the start",
        MessageVerdict::Undecodable => "its payload or values cannot be read as the contract says",
        MessageVerdict::Unobservable => "the part of the table that may hold it cannot be looked at",
    }
}

/// What a row is, one short sentence without a period.
pub fn row(verdict: RowVerdict) -> &'static str {
    match verdict {
        RowVerdict::Intact => "the one row of a message, equal to it",
        RowVerdict::Corrupted => "the row of a message, and it differs",
        RowVerdict::Copies => "one of the rows of a duplicated message",
        RowVerdict::Phantom => "no message explains it",
        RowVerdict::Unjudged => "belongs, or may belong, to a message that cannot be decoded",
        RowVerdict::Unobservable => "the message that it may come from is no longer in the topic",
        RowVerdict::OutOfScope => "the run does not ask about it",
        RowVerdict::Misrouted => "its values give another partition than the one its file stands in",
        RowVerdict::Stale => "it shows an older version of its key",
    }
}

fn verdict_alone(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Message(MessageVerdict::Overdue) => {
            Some("no row yet, and the table has not moved past it: lag, not loss")
        }
        Verdict::Message(MessageVerdict::Unobservable) => Some("the rows that could hold it cannot be read"),
        Verdict::Message(MessageVerdict::Withdrawn) => {
            Some("it was there, and nothing declared explains that it is gone")
        }
        Verdict::Message(MessageVerdict::Diverted) => Some("found in the dead letters"),
        Verdict::Row(RowVerdict::Misrouted) => Some("a row in a partition that its values do not give"),
        Verdict::Table(TableVerdict::StorageCorrupt) => Some("bytes of a file are not what was written"),
        Verdict::Table(TableVerdict::MetadataInconsistent) => Some("the metadata contradicts itself or the files"),
        Verdict::Table(TableVerdict::StatsLie) => Some("bounds or counts that do not enclose the data"),
        Verdict::Table(TableVerdict::RewriteNotPreserving) => Some("a rewrite changed rows"),
        Verdict::Table(TableVerdict::HistoryRewritten) => Some("a snapshot is gone from the history"),
        Verdict::Message(_) | Verdict::Row(_) => None,
    }
}

/// Why offsets are not there.
pub fn hole(reason: HoleReason) -> &'static str {
    match reason {
        HoleReason::Retention => "gone by retention before this run",
        HoleReason::Aborted => "of aborted transactions",
        HoleReason::Compacted => "gone by compaction",
        HoleReason::Control => "transaction markers",
        HoleReason::Unknown => "not there, for a reason that cannot be told",
    }
}

/// How urgent a verdict is: what cannot be trusted at all, then loss, then damage, then surplus, then doubt.
pub fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Table(_) => 0,
        Verdict::Message(MessageVerdict::Missing | MessageVerdict::Withdrawn) => 1,
        Verdict::Message(MessageVerdict::Corrupted) => 2,
        Verdict::Row(_) => 3,
        Verdict::Message(MessageVerdict::Duplicated) => 4,
        Verdict::Message(MessageVerdict::Undecodable) => 5,
        Verdict::Message(MessageVerdict::Unobservable) => 6,
        Verdict::Message(MessageVerdict::Overdue) => 7,
        Verdict::Message(_) => 8,
    }
}

/// The colour of a finding: doubt for what could not be judged, bad for the rest.
pub fn role(verdict: Verdict) -> Role {
    match verdict {
        Verdict::Message(MessageVerdict::Overdue | MessageVerdict::Undecodable | MessageVerdict::Unobservable) => {
            Role::Doubt
        }
        _ => Role::Bad,
    }
}
