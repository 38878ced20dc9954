//! Findings: drafts of the judge with columns named, both values, blame, and a sentence for a person.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::{StreamExt, stream};
use validator_core::clock::UtcMillis;
use validator_core::contract::Contract;
use validator_core::damage::{self, DamageContext};
use validator_core::finding::{Candidate, ColumnDifference, Finding, Named, RowPlace};
use validator_core::judge::{Draft, ModeKind};
use validator_core::position::{MessageAt, RowAt, TopicPartition};
use validator_core::schema::Field;
use validator_core::value::Value;
use validator_core::verdict::{Cause, Damage, MessageVerdict, RowVerdict, UndecodableCause, Verdict};
use validator_table::Pinned;

use crate::binding::{Binding, LeafPath, leaf_field};
use crate::captured::CapturedValues;
use crate::limits::PAIRS_AT_ONCE_MAX;
use crate::message_reader::{MessageSide, ReadError};
use crate::reconcile::RunError;
use crate::related::{Prints, Related};
use crate::removed::Removal;
use crate::swaps::Swaps;
use crate::tolerate::level;
use crate::values::{self, Values};

/// Everything that a finding's evidence comes from.
#[derive(Debug)]
pub struct Evidence {
    /// The pipeline.
    pub contract: Arc<Contract>,
    /// Messages.
    pub messages: MessageSide,
    /// Rows.
    pub pinned: Arc<Pinned>,
    /// The fields of the bound columns.
    pub fields: Arc<[Field]>,
    /// Why messages are undecodable.
    pub details: BTreeMap<MessageAt, String>,
    /// Values that the drill has read.
    pub captured: CapturedValues,
}

/// Both sides' values of one chunk of drafts.
#[derive(Debug)]
pub struct Sides {
    /// By position.
    pub messages: HashMap<MessageAt, Values>,
    /// By position.
    pub rows: HashMap<RowAt, Values>,
}

impl Evidence {
    /// The findings of these drafts, in their order, made `threads` chunks at a time and given to `each`; and how many of
    /// them could not be linked, as there are too many.
    ///
    /// # Errors
    /// The messages could not be read again; those of `each`.
    pub async fn findings(
        self: &Arc<Self>,
        drafts: Vec<Draft>,
        removed: HashMap<MessageAt, Removal>,
        threads: usize,
        mut each: impl FnMut(Finding) -> Result<(), RunError>,
    ) -> Result<u64, RunError> {
        let (mut linked, mut prints) = (Vec::new(), Prints::default());
        let related = Arc::new(Related::new(self.binding(), &drafts));
        let (drafts, removed) = (Arc::new(drafts), Arc::new(removed));
        let chunks = (0..drafts.len()).step_by(PAIRS_AT_ONCE_MAX).map(|from| {
            let (evidence, drafts, related) = (Arc::clone(self), Arc::clone(&drafts), Arc::clone(&related));
            let removed = Arc::clone(&removed);
            tokio::spawn(async move {
                let chunk = from..(from + PAIRS_AT_ONCE_MAX).min(drafts.len());
                let sides = evidence.sides(&drafts[chunk.clone()], &related).await?;
                let made = tokio::task::spawn_blocking(move || {
                    let prints = related.prints(from, &drafts[chunk.clone()], &sides.messages, &sides.rows);
                    (evidence.chunk(&drafts[chunk], &sides, &removed), prints)
                });
                made.await.map_err(lost)
            })
        });
        let mut chunks = stream::iter(chunks).buffered(threads.max(1));
        while let Some(chunk) = chunks.next().await {
            let (made, printed) = chunk.map_err(lost)??;
            prints.append(printed);
            match related.is_asked() {
                true => linked.extend(made),
                false => made.into_iter().try_for_each(&mut each)?,
            }
        }
        prints.link(self.binding(), &mut linked);
        linked.into_iter().try_for_each(&mut each)?;
        Ok(related.unlinked())
    }

    fn chunk(&self, drafts: &[Draft], sides: &Sides, removed: &HashMap<MessageAt, Removal>) -> Vec<Finding> {
        let swaps = Swaps::of(drafts, sides);
        drafts.iter().map(|draft| self.finding(draft, sides, &swaps, removed)).collect()
    }

    fn binding(&self) -> &Binding {
        &self.messages.binding
    }

    async fn sides(&self, drafts: &[Draft], related: &Related) -> Result<Sides, ReadError> {
        let by_columns = self.binding().identity.mode() == ModeKind::Key;
        let is_content = self.binding().identity.mode() == ModeKind::Content;
        let mut messages: BTreeSet<MessageAt> = BTreeSet::new();
        let mut rows: BTreeSet<RowAt> = BTreeSet::new();
        for draft in drafts {
            for (message, row) in &draft.compare {
                messages.insert(*message);
                rows.insert(*row);
            }
            match draft.message {
                Some(at)
                    if (by_columns && draft.verdict != Verdict::Message(MessageVerdict::Undecodable))
                        || related.wants(draft) =>
                {
                    messages.insert(at);
                }
                Some(_) => {}
                None if is_content && !related.wants(draft) => {}
                None => rows.extend(draft.rows.first()),
            }
        }
        let mut sides = Sides { messages: HashMap::new(), rows: HashMap::new() };
        messages.retain(|at| match self.captured.message(*at, self.binding()) {
            Some(values) => sides.messages.insert(*at, values).is_some(),
            None => true,
        });
        rows.retain(|at| match self.captured.row(*at, &self.fields) {
            Some(values) => sides.rows.insert(*at, values).is_some(),
            None => true,
        });
        let side = self.messages.clone();
        let read = tokio::task::spawn_blocking(move || values::of_messages(&side, &messages));
        sides.rows.extend(values::of_rows(&self.pinned, &self.fields, &rows).await);
        sides.messages.extend(read.await.map_err(lost)??);
        Ok(sides)
    }

    fn finding(&self, draft: &Draft, sides: &Sides, swaps: &Swaps, removed: &HashMap<MessageAt, Removal>) -> Finding {
        let mut finding = self.bare(draft);
        finding.identity = self.identity(draft, sides);
        finding.columns = self.columns(draft, sides, swaps);
        finding.cause = self.cause(draft, &finding.columns);
        finding.copies = draft.copies;
        if draft.message.is_some() {
            finding.rows = draft.rows.iter().map(|at| self.place(*at)).collect();
        }
        if let Some(first) = draft.rows.first() {
            let file = &self.pinned.files[first.file.0 as usize];
            finding.snapshot_id = Some(file.snapshot_id);
            finding.operation = file.added_by.as_ref().map(|by| by.operation.clone());
        }
        if let Some(removal) = draft.message.and_then(|at| removed.get(&at)) {
            finding.snapshot_id = Some(removal.snapshot_id);
            finding.operation.clone_from(&removal.operation);
        }
        finding.detail = self.detail(draft, &finding);
        if let Some(equals) = &draft.equals {
            finding.candidates = equals.candidates.iter().map(|at| self.candidate(*at)).collect();
            finding.detail += &format!("; which of {} equal messages it is cannot be told", equals.messages);
        }
        finding
    }

    fn candidate(&self, at: MessageAt) -> Candidate {
        let tp = self.tp(at);
        Candidate { topic: tp.topic, partition: tp.partition, offset: at.offset }
    }

    fn bare(&self, draft: &Draft) -> Finding {
        let name = &self.contract.name;
        match (draft.message, draft.verdict, draft.rows.first()) {
            (Some(at), Verdict::Message(verdict), _) => {
                let mut finding = Finding::of_message(name, verdict, draft.cause, &self.tp(at), at.offset);
                finding.timestamp = draft.timestamp_ms.map(UtcMillis);
                finding
            }
            (_, verdict, Some(row)) => {
                let place = self.place(*row);
                Finding::of_row(name, verdict, draft.cause, &place.file, row.position)
            }
            (_, verdict, None) => Finding::of_table(name, verdict, draft.cause, &self.pinned.metadata_location),
        }
    }

    fn tp(&self, at: MessageAt) -> TopicPartition {
        self.messages.tap.partitions()[at.partition.0 as usize].tp.clone()
    }

    fn place(&self, at: RowAt) -> RowPlace {
        RowPlace { file: self.pinned.files[at.file.0 as usize].path.clone(), position: Some(at.position) }
    }

    fn identity(&self, draft: &Draft, sides: &Sides) -> Option<Named> {
        let binding = self.binding();
        let leaves = binding.identity.leaves();
        if leaves.is_empty() {
            return None;
        }
        let name = |leaf: &LeafPath| leaf_name(binding, leaf);
        let values = match draft.message {
            Some(at) => match sides.messages.get(&at) {
                Some(values) => values,
                None if binding.identity.is_offset() => return Some(self.position_identity(at, &leaves)),
                None => return None,
            },
            None => sides.rows.get(draft.rows.first()?)?,
        };
        let json = |leaf: &LeafPath| leaf_value(values, leaf).to_json_of(&leaf_field(&binding.columns, leaf).ty);
        Some(Named(leaves.iter().map(|leaf| (name(leaf), json(leaf))).collect()))
    }

    /// The identity of mode `offset` needs no second look at the message.
    fn position_identity(&self, at: MessageAt, leaves: &[LeafPath]) -> Named {
        let tp = self.tp(at);
        let crate::binding::BoundIdentity::Offset { topic, partition, .. } = &self.binding().identity else {
            return Named::default();
        };
        let value = |leaf: &LeafPath| {
            if Some(leaf) == topic.as_ref() {
                Value::String(tp.topic.clone())
            } else if Some(leaf) == partition.as_ref() {
                Value::integer(i64::from(tp.partition))
            } else {
                Value::integer(at.offset)
            }
        };
        let columns = &self.binding().columns;
        let json = |leaf: &LeafPath| value(leaf).to_json_of(&leaf_field(columns, leaf).ty);
        Named(leaves.iter().map(|leaf| (leaf_name(self.binding(), leaf), json(leaf))).collect())
    }

    /// The columns in which any of the draft's pairs differ, in the table's order, each once, from the first pair that
    /// shows it.
    fn columns(&self, draft: &Draft, sides: &Sides, swaps: &Swaps) -> Vec<ColumnDifference> {
        let fields = &self.fields;
        let mut columns: Vec<ColumnDifference> = Vec::new();
        for (message, row) in &draft.compare {
            let (Some(expected), Some(actual)) = (sides.messages.get(message), sides.rows.get(row)) else { continue };
            let other_rows = |column: &str, value: &Value| swaps.exchanged(fields, column, *message, value, expected);
            let stale = draft.stale.contains(row);
            let context = DamageContext { defaults: &self.pinned.defaults, other_rows: &other_rows, stale };
            let levelled = level(&self.binding().tolerances, fields, expected, actual);
            for difference in damage::differences(fields, &levelled, actual, &context) {
                if columns.iter().all(|column| column.name != difference.column) {
                    columns.push(ColumnDifference {
                        name: difference.column,
                        message: difference.message.to_json_of(&difference.ty),
                        row: difference.row.to_json_of(&difference.ty),
                        damage: difference.damage,
                    });
                }
            }
        }
        let place = |name: &str| fields.iter().position(|field| is_of(name, &field.name));
        columns.sort_by_key(|column| place(&column.name));
        columns
    }

    fn cause(&self, draft: &Draft, columns: &[ColumnDifference]) -> Option<Cause> {
        let corrupted = draft.verdict == Verdict::Message(MessageVerdict::Corrupted);
        match draft.cause {
            None if corrupted => Some(Cause::Damage(columns.first().map_or(Damage::Other, |column| column.damage))),
            cause => cause,
        }
    }

    fn detail(&self, draft: &Draft, finding: &Finding) -> String {
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
            (Verdict::Message(MessageVerdict::Overdue), _) => {
                "no row yet, and the table has not moved past it: lag, not loss".to_owned()
            }
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

fn lost(error: tokio::task::JoinError) -> ReadError {
    ReadError::Lost { tp: "messages".into(), failure: error.to_string() }
}

/// Whether a difference of this name lies in the column: it is the column, or a leaf of it.
fn is_of(name: &str, column: &str) -> bool {
    name.strip_prefix(column).is_some_and(|leaf| leaf.is_empty() || leaf.starts_with(['.', '[']))
}

/// The dotted name of a leaf.
pub(crate) fn leaf_name(binding: &Binding, leaf: &LeafPath) -> String {
    (1..=leaf.len())
        .map(|depth| leaf_field(&binding.columns, &leaf[..depth]).name.as_str())
        .collect::<Vec<_>>()
        .join(".")
}

/// The value at a leaf of a row's values.
fn leaf_value(values: &[Value], leaf: &[usize]) -> Value {
    leaf[1..].iter().fold(values[leaf[0]].clone(), |value, child| match value {
        Value::Struct(mut fields) if *child < fields.len() => fields.swap_remove(*child).1,
        _ => Value::Null,
    })
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
