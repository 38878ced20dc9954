//! Reading messages: tap → decoder → mapping, on the calling thread, batch by batch.
//!
//! Contract: each message of the wanted ranges is in exactly one batch, ascending within its partition;
//! what is wrong with one message is a state of that message. Nothing is written anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::ArrayRef;
use validator_core::contract::NullPayload;
use validator_core::judge::MessageState;
use validator_core::position::{MessageAt, TopicPartition};
use validator_core::schema::Field;
use validator_core::verdict::{ExcludedCause, UndecodableCause};
use validator_tap::{
    Decoded, Decoder, DecoderError, Message, ReadEnd, RowFields, RowSource, Tap, TapError, Undecodable, Wanted,
};

use crate::asked::of_asked;
use crate::binding::{Binding, ColumnSource};
use crate::key_names::{KeyNames, Named};
use crate::limits::{BATCH_PAYLOAD_BYTES_MAX, BATCH_ROWS_MAX};
use crate::mapping::{DELETE_WHEN, FILTER, Mapped, Mapper, Mark};
use crate::mask::MASKED;
use crate::message_batch::MessageBatch;
use crate::observations::Observations;
use crate::positions::Positions;
pub use crate::read_error::ReadError;
use crate::segments::MessageSegments;
use crate::suspect::heads;
use crate::tolerate::Tolerated;

/// Makes one decoder per reading thread.
pub trait DecoderFactory: Send + Sync + fmt::Debug {
    /// A decoder that delivers the fields `wanted` by the binding.
    ///
    /// # Errors
    /// A field that the format cannot deliver.
    fn decoder(&self, binding: &Binding) -> Result<Box<dyn Decoder>, DecoderError>;

    /// A decoder of Kafka keys that delivers `key_fields` of the binding; `None` where the contract gives them no format.
    ///
    /// # Errors
    /// A field that the format cannot deliver.
    fn key_decoder(&self, binding: &Binding) -> Result<Option<Box<dyn Decoder>>, DecoderError>;

    /// The fields `wanted` by the binding as rows deliver them, where messages are rows and have no payload to decode.
    ///
    /// # Errors
    /// A field that cannot be delivered.
    fn row_fields(&self, binding: &Binding) -> Result<RowFields, DecoderError> {
        RowFields::new(&binding.wanted, binding.dropped.clone())
    }
}

/// Everything that reading and mapping messages needs; shared by all threads and passes.
#[derive(Debug, Clone)]
pub struct MessageSide {
    /// The source.
    pub tap: Arc<dyn Tap>,
    /// Decoders.
    pub decoders: Arc<dyn DecoderFactory>,
    /// The mapping.
    pub binding: Arc<Binding>,
    /// What a null payload is.
    pub null_payload: NullPayload,
    /// How messages are cut into segments.
    pub segments: Arc<MessageSegments>,
}

impl MessageSide {
    /// The topics and partitions of the run.
    pub fn topic_partitions(&self) -> Arc<[TopicPartition]> {
        self.tap.partitions().iter().map(|range| range.tp.clone()).collect()
    }

    /// Reads the wanted ranges on this thread; `each` may end it with `Break`.
    ///
    /// # Errors
    /// [`ReadError`]; a failure on the way is in the observations of its partition.
    pub fn read(
        &self,
        wanted: &[Wanted],
        each: &mut dyn FnMut(MessageBatch) -> ControlFlow<()>,
    ) -> Result<Observations, ReadError> {
        self.read_asked(wanted, &|_| true, each)
    }

    /// The same where only the messages that `asked` holds of are needed: others may be left out, to be not even decoded.
    ///
    /// # Errors
    /// [`ReadError`]; a failure on the way is in the observations of its partition.
    pub fn read_asked(
        &self,
        wanted: &[Wanted],
        asked: &dyn Fn(MessageAt) -> bool,
        each: &mut dyn FnMut(MessageBatch) -> ControlFlow<()>,
    ) -> Result<Observations, ReadError> {
        if let Some(source) = self.tap.rows() {
            return self.read_rows(source, wanted, asked, each);
        }
        let mut decoder = self.decoders.decoder(&self.binding)?;
        let mut reader = Reader::new(self, decoder.fields(), wanted)?;
        let mut failed = None;
        let end = self.tap.read(wanted, &mut |message| {
            if !asked(MessageAt { partition: message.partition, offset: message.offset }) {
                reader.observations.message(message.partition, message.offset);
                return ControlFlow::Continue(());
            }
            reader.take(decoder.as_mut(), message, each).unwrap_or_else(|error| {
                failed = Some(error);
                ControlFlow::Break(())
            })
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        if !end.stopped && !reader.positions.is_empty() {
            let _ = reader.flush(&decoder.finish(), each);
        }
        Ok(reader.observed(&end))
    }

    /// As [`MessageSide::read`], of messages that are rows: their columns go straight into the mapping.
    fn read_rows(
        &self,
        source: &dyn RowSource,
        wanted: &[Wanted],
        asked: &dyn Fn(MessageAt) -> bool,
        each: &mut dyn FnMut(MessageBatch) -> ControlFlow<()>,
    ) -> Result<Observations, ReadError> {
        let fields = self.decoders.row_fields(&self.binding)?;
        let mut reader = Reader::new(self, fields.fields(), wanted)?;
        let end = source.read_rows(wanted, &fields, &mut |batch| {
            batch.offsets.iter().for_each(|offset| reader.observations.message(batch.partition, *offset));
            let Some(batch) = of_asked(batch, asked) else { return ControlFlow::Continue(()) };
            reader.positions.push_rows(batch.partition, batch.offsets, batch.timestamps_ms);
            reader.flush(&batch.decoded, each)
        })?;
        Ok(reader.observed(&end))
    }
}

/// Gathers messages and makes batches of them; a read or a following has one.
pub(crate) struct Reader<'a> {
    side: &'a MessageSide,
    /// One past the first offsets of each partition.
    heads: Vec<i64>,
    /// Upsert tables: what Kafka keys name.
    keys: Option<KeyNames>,
    pub(crate) mapper: Mapper,
    pub(crate) positions: Positions,
    /// Row → why.
    undecodable: Vec<(usize, Undecodable)>,
    /// Rows with a null payload.
    tombstones: Vec<usize>,
    pub(crate) observations: Observations,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(side: &'a MessageSide, fields: &[Field], wanted: &[Wanted]) -> Result<Self, ReadError> {
        let mapper = Mapper::new(Arc::clone(&side.binding), fields)
            .map_err(|mut wrong| wrong.swap_remove(0))
            .map_err(|(column, source)| ReadError::Map { column, source })?;
        let partitions = side.topic_partitions();
        let mut observations = Observations::new(partitions.len());
        for (partition, ranges) in wanted {
            if let Some(first) = ranges.first() {
                observations.expect_from(*partition, first.start);
            }
        }
        let positions = Positions::new(partitions, &side.binding);
        let heads = heads(side.tap.partitions());
        let keys = match &side.binding.upsert {
            Some(_) => Some(KeyNames::new(side.decoders.key_decoder(&side.binding)?)),
            None => None,
        };
        Ok(Self { side, heads, keys, mapper, positions, undecodable: Vec::new(), tombstones: Vec::new(), observations })
    }

    pub(crate) fn side(&self) -> &'a MessageSide {
        self.side
    }

    /// What was seen, when the read has ended.
    fn observed(mut self, end: &ReadEnd) -> Observations {
        for partition in &end.partitions {
            self.observations.end(partition);
        }
        self.observations.policy = self.mapper.policy().clone();
        self.observations.policy.add(&self.observations.tolerated);
        self.observations.sql_fields = self.mapper.sql_fields();
        self.observations
    }

    pub(crate) fn take(
        &mut self,
        decoder: &mut dyn Decoder,
        message: &Message<'_>,
        each: &mut dyn FnMut(MessageBatch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TapError> {
        let row = self.positions.len();
        let undecodable = decoder.append(message)?;
        if let Some(keys) = self.keys.as_mut().filter(|_| undecodable.is_some() || message.payload.is_none()) {
            keys.take(row, message)?;
        }
        if let Some(why) = undecodable {
            self.undecodable.push((row, why));
        }
        if message.payload.is_none() {
            self.tombstones.push(row);
        }
        self.positions.push(message);
        self.observations.message(message.partition, message.offset);
        let full = row + 1 >= BATCH_ROWS_MAX || decoder.payload_bytes() >= BATCH_PAYLOAD_BYTES_MAX;
        Ok(if full { self.flush(&decoder.finish(), each) } else { ControlFlow::Continue(()) })
    }

    pub(crate) fn flush(
        &mut self,
        decoded: &Decoded,
        each: &mut dyn FnMut(MessageBatch) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.positions.timestamp_ms.iter().for_each(|at| self.observations.times.note(*at));
        let batch = self.batch(decoded);
        for (row, state) in batch.states.iter().enumerate() {
            if *state != MessageState::Judged {
                self.observations.state(batch.partition[row], *state);
            }
        }
        self.observations.first_judged += self.first_judged(&batch);
        self.side.segments.observe(&batch, &mut self.observations);
        each(batch)
    }

    /// How many of its messages are judged and among the first of the run.
    fn first_judged(&self, batch: &MessageBatch) -> u64 {
        let is_first = |row: usize| batch.offset[row] < self.heads[batch.partition[row] as usize];
        let judged = (0..batch.len()).filter(|row| is_first(*row) && batch.states[*row] == MessageState::Judged);
        judged.count() as u64
    }

    fn batch(&mut self, decoded: &Decoded) -> MessageBatch {
        let rows = self.positions.len();
        self.observations.duplicate_keys += decoded.duplicate_keys;
        self.positions.seal();
        let mut fieldless = vec![false; rows];
        for (row, _) in &self.undecodable {
            fieldless[*row] = true;
        }
        if self.side.null_payload == NullPayload::Exclude {
            self.tombstones.iter().for_each(|row| fieldless[*row] = true);
        }
        let alive: Vec<bool> = fieldless.iter().map(|fieldless| !fieldless).collect();
        let mut mapped = self.mapper.map(decoded, &self.positions, &alive);
        let binding = Arc::clone(&self.side.binding);
        let named = match (&mut self.keys, &binding.upsert) {
            (Some(keys), Some(upsert)) => keys.finish(&binding, upsert, rows, &mut mapped),
            _ => Named::default(),
        };
        let (states, details) = self.states(&mapped, &named);
        self.note_unknown_fields(&decoded.unknown_fields, &states);
        let (mut columns, mut marks): (Vec<ArrayRef>, Vec<Mark>) = (mapped.columns, mapped.marks);
        let mut tolerated = self.tolerate(&states, &mut columns, &mut marks);
        // They came column by column.
        for marks in [&mut marks, &mut tolerated.settled] {
            marks.sort_unstable_by_key(|mark| (mark.row, mark.column));
        }
        let batch = MessageBatch {
            partition: std::mem::take(&mut self.positions.partition),
            offset: std::mem::take(&mut self.positions.offset),
            timestamp_ms: std::mem::take(&mut self.positions.timestamp_ms),
            states,
            columns,
            marks,
            originals: tolerated.originals,
            settled: tolerated.settled,
            fieldless,
            named: named.known,
            failed_cells: mapped.failed_cells,
            details,
        };
        self.undecodable.clear();
        self.tombstones.clear();
        self.positions.clear();
        batch
    }

    /// Brings the columns into the form that is digested; counts the judged messages that this changed.
    fn tolerate(&mut self, states: &[MessageState], columns: &mut [ArrayRef], marks: &mut Vec<Mark>) -> Tolerated {
        let binding = &self.side.binding;
        if binding.tolerances.is_empty() {
            return Tolerated::default();
        }
        let tolerated = binding.tolerate(columns, marks);
        for (bound, rows) in binding.tolerances.iter().zip(&tolerated.rows) {
            let judged = rows.iter().filter(|row| states[**row] == MessageState::Judged).count() as u64;
            let key = (bound.name.clone(), bound.tolerance.word());
            *self.observations.tolerated.messages.entry(key).or_default() += judged;
        }
        tolerated
    }

    /// Counts the messages that have a field which nobody accounts for; those that the contract leaves out may have any.
    fn note_unknown_fields(&mut self, fields: &BTreeMap<String, Vec<usize>>, states: &[MessageState]) {
        for (name, rows) in fields {
            let asked = rows.iter().filter(|row| !matches!(states[**row], MessageState::Excluded(_))).count();
            if asked > 0 {
                *self.observations.unknown_fields.entry(name.clone()).or_default() += asked as u64;
            }
        }
    }

    /// Why a column (or, beyond them, the filter) could not be mapped, without values that nobody is shown.
    fn shown<'b>(&self, column: usize, why: &'b str) -> &'b str {
        let binding = &self.side.binding;
        let is_hidden = match binding.columns.get(column) {
            None => {
                let deletes = binding.upsert.as_ref().and_then(|upsert| upsert.delete_when.as_ref());
                binding.filter.iter().chain(deletes).any(|sql| binding.mask.reads_hidden(sql))
            }
            Some(column) => {
                let sql = if let ColumnSource::Sql(sql) = &column.source { Some(sql) } else { None };
                binding.mask.hides(&column.field.name) || sql.is_some_and(|sql| binding.mask.reads_hidden(sql))
            }
        };
        if is_hidden { MASKED } else { why }
    }

    /// Excluded goes before undecodable.
    fn states(&self, mapped: &Mapped, named: &Named) -> (Vec<MessageState>, Vec<(usize, String)>) {
        let mut states = vec![MessageState::Judged; self.positions.len()];
        let mut details = Vec::new();
        for (row, (column, why)) in &mapped.failed {
            states[*row] = MessageState::Undecodable(UndecodableCause::MapFailed);
            let name = match *column {
                DELETE_WHEN => "delete_when",
                FILTER => "filter",
                column => self.side.binding.columns[column].field.name.as_str(),
            };
            details.push((*row, format!("{name}: {}", self.shown(*column, why))));
        }
        for (row, why) in &self.undecodable {
            states[*row] = MessageState::Undecodable(why.cause);
            details.push((*row, self.side.binding.mask.decoding(&why.detail)));
        }
        mapped.filtered.iter().for_each(|row| states[*row] = MessageState::Excluded(ExcludedCause::Filter));
        if self.side.null_payload == NullPayload::Exclude {
            self.tombstones.iter().for_each(|row| states[*row] = MessageState::Excluded(ExcludedCause::Tombstone));
        }
        self.deletions(mapped, named, &mut states, &mut details);
        let ranges = self.side.tap.partitions();
        for (row, state) in states.iter_mut().enumerate() {
            let range = &ranges[self.positions.partition[row] as usize];
            if range.start.is_some_and(|start| self.positions.offset[row] < start) {
                *state = MessageState::Excluded(ExcludedCause::BeforeStart);
            }
        }
        details.sort();
        (states, details)
    }

    /// Upsert tables: what deletes a key is excluded where the key is known, and cannot be told where it is not.
    fn deletions(
        &self,
        mapped: &Mapped,
        named: &Named,
        states: &mut [MessageState],
        details: &mut Vec<(usize, String)>,
    ) {
        let unknown = MessageState::Undecodable(UndecodableCause::KeyUnknown);
        let leaves = self.side.binding.identity.leaves();
        let cells = mapped.failed_cells.iter().filter(|(_, column)| leaves.iter().any(|leaf| leaf[0] == *column));
        let nameless: BTreeSet<usize> = cells.map(|(row, _)| *row).collect();
        let filtered: BTreeSet<usize> = mapped.filtered.iter().copied().collect();
        for row in mapped.deleting.iter().filter(|row| !filtered.contains(row)) {
            states[*row] = match nameless.contains(row) {
                true => unknown,
                false => {
                    details.retain(|(of, _)| of != row);
                    MessageState::Excluded(ExcludedCause::Tombstone)
                }
            };
        }
        let tombstones: BTreeSet<usize> = self.tombstones.iter().copied().collect();
        for (row, why) in named.unknown.iter().filter(|(row, _)| tombstones.contains(row)) {
            states[*row] = unknown;
            let columns = &self.side.binding.columns;
            let identity = leaves.iter().map(|leaf| columns[leaf[0]].field.name.clone());
            details.push((*row, self.side.binding.mask.naming(why, identity)));
        }
    }
}
