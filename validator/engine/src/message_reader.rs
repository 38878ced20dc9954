//! Reading messages: tap → decoder → mapping, on the calling thread, batch by batch.
//!
//! Contract: each message of the wanted ranges is in exactly one batch, ascending within its partition;
//! what is wrong with one message is a state of that message. Nothing is written anywhere.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::ArrayRef;
use validator_core::contract::NullPayload;
use validator_core::judge::MessageState;
use validator_core::position::{MessageAt, TopicPartition};
use validator_core::verdict::{ExcludedCause, UndecodableCause};
use validator_tap::{Decoder, DecoderError, Message, Tap, TapError, Undecodable, Wanted};

use crate::binding::Binding;
use crate::expr::ExprError;
use crate::limits::{BATCH_PAYLOAD_BYTES_MAX, BATCH_ROWS_MAX};
use crate::mapping::Mapper;
use crate::message_batch::MessageBatch;
use crate::observations::Observations;
use crate::positions::Positions;
use crate::segments::MessageSegments;

/// Makes one decoder per reading thread.
pub trait DecoderFactory: Send + Sync + fmt::Debug {
    /// A decoder that delivers the fields `wanted` by the binding.
    ///
    /// # Errors
    /// A field that the format cannot deliver.
    fn decoder(&self, binding: &Binding) -> Result<Box<dyn Decoder>, DecoderError>;
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

/// Why a read could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source failed.
    #[error("read messages")]
    Tap(#[from] TapError),
    /// The format cannot deliver a field.
    #[error("prepare the decoder")]
    Decoder(#[from] DecoderError),
    /// What was read once could not be read again.
    #[error("{tp} could not be read again: {failure}")]
    Lost {
        /// The partition.
        tp: String,
        /// Why.
        failure: String,
    },
    /// An expression does not compile over the decoder's fields.
    #[error("compile [map] {column}")]
    Map {
        /// The column, or `filter`.
        column: String,
        /// Why.
        source: ExprError,
    },
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

    /// The same for the messages that `asked` holds of; the others are counted and not decoded.
    ///
    /// # Errors
    /// [`ReadError`]; a failure on the way is in the observations of its partition.
    pub fn read_asked(
        &self,
        wanted: &[Wanted],
        asked: &dyn Fn(MessageAt) -> bool,
        each: &mut dyn FnMut(MessageBatch) -> ControlFlow<()>,
    ) -> Result<Observations, ReadError> {
        let decoder = self.decoders.decoder(&self.binding)?;
        let mapper = Mapper::new(Arc::clone(&self.binding), decoder.fields())
            .map_err(|mut wrong| wrong.swap_remove(0))
            .map_err(|(column, source)| ReadError::Map { column, source })?;
        let partitions = self.topic_partitions();
        let mut reader = Reader {
            side: self,
            decoder,
            mapper,
            positions: Positions::new(Arc::clone(&partitions), &self.binding),
            undecodable: Vec::new(),
            tombstones: Vec::new(),
            observations: Observations::new(partitions.len()),
        };
        for (partition, ranges) in wanted {
            if let Some(first) = ranges.first() {
                reader.observations.expect_from(*partition, first.start);
            }
        }
        let mut failed = None;
        let end = self.tap.read(wanted, &mut |message| {
            if !asked(MessageAt { partition: message.partition, offset: message.offset }) {
                reader.observations.message(message.partition, message.offset);
                return ControlFlow::Continue(());
            }
            reader.take(message, each).unwrap_or_else(|error| {
                failed = Some(error);
                ControlFlow::Break(())
            })
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        if !end.stopped {
            let _ = reader.flush(each);
        }
        for partition in &end.partitions {
            reader.observations.end(partition);
        }
        reader.observations.policy = reader.mapper.policy().clone();
        reader.observations.sql_fields = reader.mapper.sql_fields();
        Ok(reader.observations)
    }
}

struct Reader<'a> {
    side: &'a MessageSide,
    decoder: Box<dyn Decoder>,
    mapper: Mapper,
    positions: Positions,
    /// Row → why.
    undecodable: Vec<(usize, Undecodable)>,
    /// Rows with a null payload.
    tombstones: Vec<usize>,
    observations: Observations,
}

impl Reader<'_> {
    fn take(
        &mut self,
        message: &Message<'_>,
        each: &mut dyn FnMut(MessageBatch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TapError> {
        let row = self.positions.len();
        if let Some(why) = self.decoder.append(message)? {
            self.undecodable.push((row, why));
        }
        if message.payload.is_none() {
            self.tombstones.push(row);
        }
        self.positions.push(message);
        self.observations.message(message.partition, message.offset);
        let full = row + 1 >= BATCH_ROWS_MAX || self.decoder.payload_bytes() >= BATCH_PAYLOAD_BYTES_MAX;
        Ok(if full { self.flush(each) } else { ControlFlow::Continue(()) })
    }

    fn flush(&mut self, each: &mut dyn FnMut(MessageBatch) -> ControlFlow<()>) -> ControlFlow<()> {
        if self.positions.is_empty() {
            return ControlFlow::Continue(());
        }
        let batch = self.batch();
        for (row, state) in batch.states.iter().enumerate() {
            if *state != MessageState::Judged {
                self.observations.state(batch.partition[row], *state);
            }
        }
        self.side.segments.observe(&batch, &mut self.observations);
        each(batch)
    }

    fn batch(&mut self) -> MessageBatch {
        let rows = self.positions.len();
        let decoded = self.decoder.finish();
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
        let mapped = self.mapper.map(&decoded, &self.positions, &alive);
        let (states, details) = self.states(&mapped.failed, &mapped.filtered);
        self.note_unknown_fields(&decoded.unknown_fields, &states);
        let columns: Vec<ArrayRef> = mapped.columns;
        let batch = MessageBatch {
            partition: std::mem::take(&mut self.positions.partition),
            offset: std::mem::take(&mut self.positions.offset),
            timestamp_ms: std::mem::take(&mut self.positions.timestamp_ms),
            states,
            columns,
            marks: mapped.marks,
            fieldless,
            failed_cells: mapped.failed_cells,
            details,
        };
        self.undecodable.clear();
        self.tombstones.clear();
        self.positions.clear();
        batch
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

    /// Excluded goes before undecodable.
    fn states(
        &self,
        failed: &BTreeMap<usize, (usize, String)>,
        filtered: &[usize],
    ) -> (Vec<MessageState>, Vec<(usize, String)>) {
        let mut states = vec![MessageState::Judged; self.positions.len()];
        let mut details = Vec::new();
        for (row, (column, why)) in failed {
            states[*row] = MessageState::Undecodable(UndecodableCause::MapFailed);
            let name = self.side.binding.columns.get(*column).map_or("filter", |c| c.field.name.as_str());
            details.push((*row, format!("{name}: {why}")));
        }
        for (row, why) in &self.undecodable {
            states[*row] = MessageState::Undecodable(why.cause);
            details.push((*row, why.detail.clone()));
        }
        filtered.iter().for_each(|row| states[*row] = MessageState::Excluded(ExcludedCause::Filter));
        if self.side.null_payload == NullPayload::Exclude {
            self.tombstones.iter().for_each(|row| states[*row] = MessageState::Excluded(ExcludedCause::Tombstone));
        }
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
}
