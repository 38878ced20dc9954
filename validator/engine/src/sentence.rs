//! The sentence of a finding: what is wrong, for a person.

use validator_core::finding::Finding;
use validator_core::judge::Draft;
use validator_core::verdict::{Cause, Damage, MessageVerdict, RowVerdict, UndecodableCause, Verdict};

use crate::findings::Evidence;

impl Evidence {
    /// The sentence of a finding.
    pub(crate) fn sentence(&self, draft: &Draft, finding: &Finding) -> String {
        let column = || match finding.columns.as_slice() {
            [] => "a value differs".to_owned(),
            [one] => format!("{} differs: {}", one.name, in_words(one.damage)),
            [first, rest @ ..] => {
                let more = if rest.len() == 1 { "column differs" } else { "columns differ" };
                format!("{} differs: {}; {} more {more}", first.name, in_words(first.damage), rest.len())
            }
        };
        match (draft.verdict, finding.cause) {
            (Verdict::Message(MessageVerdict::Corrupted), Some(Cause::Damage(Damage::StaleValue)))
                if !draft.stale.is_empty() =>
            {
                format!("the row shows an older version of its key: {}", column())
            }
            (Verdict::Message(MessageVerdict::Corrupted), _) => match draft.identity_moved {
                true => format!("the row was found by its other columns: {}", column()),
                false => column(),
            },
            (Verdict::Message(MessageVerdict::Duplicated), Some(Cause::CopiesDiffer)) => {
                format!("{} rows for one message, and not all are equal: {}", draft.copies, column())
            }
            (Verdict::Message(MessageVerdict::Duplicated), _) => format!("{} equal rows for one message", draft.copies),
            (Verdict::Message(MessageVerdict::Missing), Some(Cause::Removed)) => {
                "the row was in an earlier snapshot and was taken away".to_owned()
            }
            (Verdict::Message(MessageVerdict::Missing), Some(Cause::StorageCorrupt)) => {
                "no row, and a part of the table that may have held it can no longer be read".to_owned()
            }
            (Verdict::Message(MessageVerdict::Missing), _) => "no row, and the table has moved past it".to_owned(),
            (Verdict::Message(MessageVerdict::Withdrawn), _) => {
                "the row stood in an earlier snapshot and is no longer there".to_owned()
            }
            (Verdict::Message(MessageVerdict::Overdue), _) => {
                "no row yet, and the table has not moved past it: lag, not loss".to_owned()
            }
            (Verdict::Message(MessageVerdict::Diverted), _) => self.diverted(draft),
            (Verdict::Message(MessageVerdict::Undecodable), cause) => self.undecodable(draft, cause),
            (Verdict::Message(MessageVerdict::Unobservable), _) if draft.loss.is_none() => {
                "no row, and a later message deletes a key that it does not name".to_owned()
            }
            (Verdict::Message(MessageVerdict::Unobservable), _) => {
                "its row may lie in a file that this run could not look at".to_owned()
            }
            (Verdict::Row(RowVerdict::Phantom), Some(Cause::Aborted)) => {
                "the row's offset belongs to an aborted transaction".to_owned()
            }
            (Verdict::Row(RowVerdict::Phantom), Some(Cause::Filtered)) => {
                "the message of this row is excluded by the filter".to_owned()
            }
            (Verdict::Row(RowVerdict::Phantom), Some(Cause::Tombstone)) => {
                "the message of this row has a null payload".to_owned()
            }
            (Verdict::Row(RowVerdict::Phantom), Some(Cause::Resurrected)) => {
                "the last message of this key deletes it".to_owned()
            }
            _ => "no message explains this row".to_owned(),
        }
    }

    fn diverted(&self, draft: &Draft) -> String {
        let letters = self.dead_letters.as_deref();
        let source = letters.map_or("", |letters| letters.source.as_str());
        let cause = draft.message.zip(letters).and_then(|(at, letters)| letters.cause(at));
        let mut said = format!("no row: it is among the dead letters of {source}");
        if let Some(cause) = cause {
            said += &format!(", put aside for {cause}");
        }
        if let Some(why) = draft.message.and_then(|at| self.details.get(&at)) {
            said += &format!("; here it cannot be decoded either: {why}");
        }
        said
    }

    fn undecodable(&self, draft: &Draft, cause: Option<Cause>) -> String {
        let why = draft.message.and_then(|at| self.details.get(&at)).map_or("", String::as_str);
        match cause {
            Some(Cause::Undecodable(UndecodableCause::SchemaUnknown)) => format!("schema unknown: {why}"),
            Some(Cause::Undecodable(UndecodableCause::KeyUnknown)) => {
                format!("deletes a key, and none is named: {why}")
            }
            Some(Cause::Undecodable(UndecodableCause::MapFailed)) => format!("cannot be mapped: {why}"),
            _ => format!("cannot be decoded: {why}"),
        }
    }
}

/// Damage in a person's words.
fn in_words(damage: Damage) -> &'static str {
    match damage {
        Damage::NullForValue => "the row has NULL where the message has a value",
        Damage::ValueForNull => "the row has a value where the message has null",
        Damage::DefaultForNull => "the row has a default where the message has null",
        Damage::SignFlip => "the sign is flipped",
        Damage::UnitShift => "off by a power of a thousand: another unit",
        Damage::ZoneShift => "shifted by whole hours or quarters: another time zone",
        Damage::Truncated => "cut off",
        Damage::PrecisionLost => "rounded to fewer digits",
        Damage::FloatRoundTrip => "went through a binary float",
        Damage::OverflowWrap => "wrapped around at the type's limit",
        Damage::EnumRemap => "another name of the same set",
        Damage::CaseOrTrim => "differs in case or surrounding blanks only",
        Damage::Encoding => "text read in the wrong encoding",
        Damage::ColumnSwap => "two columns of the row are swapped",
        Damage::RowMix => "the value belongs to another message",
        Damage::NestedFieldLost => "a nested field is lost",
        Damage::StaleValue => "an older version of the key",
        Damage::BitFlip => "a bit is flipped, or a few",
        Damage::Inexact => "the column cannot hold the message's value",
        Damage::Other => "another value",
    }
}
