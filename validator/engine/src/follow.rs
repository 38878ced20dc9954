//! The message side of a continuous run: a followed tap into batches that the shadow consumes.
//!
//! Contract: every batch of a partition begins where its last one ended; each offset is judged, excluded, undecodable or in a
//! gap, and in one batch. Digests, states and segments are those of a single run, made by the same code. What is wrong with
//! one message is a state of that message. No plan is made.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use validator_core::digest::DigestKey;
use validator_core::position::PartitionIndex;
use validator_core::schema::Field;
use validator_core::shadow::event::{Consumed, LanePart};
use validator_core::timeline::Timeline;
use validator_tap::{Decoded, Decoder, Followed, Message, RowBatch, RowSource, TapError, tell_ends, wanted_of};

use crate::digester::Digester;
use crate::identity::row_spec;
use crate::limits::BATCH_ROWS_MAX;
use crate::mapping::PolicyCounts;
use crate::message_batch::MessageBatch;
use crate::message_reader::{MessageSide, ReadError, Reader};
use crate::segments::MessageSegments;
use crate::sums::{OfPartition, Sums};

/// What a follower tells.
#[derive(Debug)]
pub enum Following {
    /// Messages, gaps, or both.
    Batch(FollowedBatch),
    /// Told at least every [`validator_tap::limits::FOLLOW_QUIET`]; whatever was gathered has gone before it.
    Quiet,
    /// As [`validator_tap::Followed::Trimmed`].
    Trimmed {
        /// The partition.
        partition: PartitionIndex,
        /// Its first offset.
        log_start: i64,
    },
    /// As [`validator_tap::Followed::OutOfRange`]. Where `asked` lies below `log_start`, the offsets between come as a gap of a batch.
    OutOfRange {
        /// The partition.
        partition: PartitionIndex,
        /// The offset that was to come.
        asked: i64,
        /// The first one that is there.
        log_start: i64,
        /// One past the last one.
        high_watermark: i64,
        /// Whether a broker refused the offset.
        refused: bool,
    },
    /// As [`validator_tap::Followed::Lost`].
    Lost {
        /// What the client last said.
        text: String,
        /// How long nothing was heard.
        since: Duration,
    },
    /// As [`validator_tap::Followed::Stopped`].
    Stopped {
        /// The partition.
        partition: PartitionIndex,
        /// Why.
        why: Arc<TapError>,
    },
}

/// One batch: at most [`BATCH_MESSAGES`] messages.
#[derive(Debug, Default)]
pub struct FollowedBatch {
    /// For the shadow.
    pub consumed: Consumed,
    /// What a report counts beside it.
    pub notes: MessageNotes,
    /// Messages of it, each state.
    pub messages: u64,
    /// Bytes of their keys and payloads; 0 where they came as columns.
    pub bytes: u64,
    /// Partitions that were at the end of what is committed when the batch ended, and their positions.
    pub ends: Vec<(PartitionIndex, i64)>,
}

/// What is seen beside messages; the notes of batches add up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageNotes {
    /// Non-null fields that are neither used nor dropped → messages.
    pub unknown_fields: BTreeMap<String, u64>,
    /// Messages that name a key of an object twice.
    pub duplicate_keys: u64,
    /// Messages over their Kafka timestamps.
    pub times: Timeline,
    /// Fields that expressions refer to → whether any message has a value there.
    pub sql_fields: BTreeMap<String, bool>,
    /// Tolerances and roundings used.
    pub policy: PolicyCounts,
}

/// Messages of one batch at most, as of a single run.
pub const BATCH_MESSAGES: usize = BATCH_ROWS_MAX;

/// Follows the partitions of `side` from the offsets given until `each` says `Break`. Blocking: for a thread of its own.
///
/// # Errors
/// [`ReadError`]: a contract that does not fit the messages, a client that cannot be made, a schema registry that does not
/// answer. What concerns one message or one partition is told.
pub fn follow(
    side: &MessageSide,
    key: &DigestKey,
    from: &[(PartitionIndex, i64)],
    each: &mut dyn FnMut(Following) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    match side.tap.rows() {
        Some(source) => follow_rows(side, source, key, from, each),
        None => follow_messages(side, (key, false), from, each),
    }
}

/// The same, where each batch has messages of one partition at most: what is seen beside messages is then of that one. Others may
/// move in it by gaps alone.
///
/// # Errors
/// As [`follow`].
pub fn follow_apart(
    side: &MessageSide,
    key: &DigestKey,
    from: &[(PartitionIndex, i64)],
    each: &mut dyn FnMut(Following) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    follow_messages(side, (key, true), from, each)
}

fn follow_messages(
    side: &MessageSide,
    (key, is_apart): (&DigestKey, bool),
    from: &[(PartitionIndex, i64)],
    each: &mut dyn FnMut(Following) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let mut decoder = side.decoders.decoder(&side.binding)?;
    let mut gathering = Gathering::new(side, decoder.fields(), key, from)?;
    gathering.is_apart = is_apart;
    let mut failed = None;
    side.tap.follow(from, &mut |followed| {
        let told = match followed {
            Followed::Message(message) => gathering.message(decoder.as_mut(), message, each),
            followed => gathering.beside(Some(decoder.as_mut()), followed, each),
        };
        told.unwrap_or_else(|error| {
            failed = Some(error);
            ControlFlow::Break(())
        })
    })?;
    failed.map_or(Ok(()), Err)
}

/// Of messages that are rows: their columns go straight into the mapping.
fn follow_rows(
    side: &MessageSide,
    source: &dyn RowSource,
    key: &DigestKey,
    from: &[(PartitionIndex, i64)],
    each: &mut dyn FnMut(Following) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let fields = side.decoders.row_fields(&side.binding)?;
    let mut gathering = Gathering::new(side, fields.fields(), key, from)?;
    let mut failed = None;
    let end = source.read_rows(&wanted_of(side.tap.as_ref(), from), &fields, &mut |batch| {
        gathering.rows(batch, each).unwrap_or_else(|error| {
            failed = Some(error);
            ControlFlow::Break(())
        })
    })?;
    if !end.stopped {
        // How it ends is what `each` said, or what failed.
        let _ = tell_ends(&end.partitions, &mut |followed| {
            gathering.beside(None, followed, each).unwrap_or_else(|error| {
                failed = Some(error);
                ControlFlow::Break(())
            })
        });
    }
    failed.map_or(Ok(()), Err)
}

/// What was gathered since the last batch.
struct Gathering<'a> {
    reader: Reader<'a>,
    digester: Digester,
    /// By partition: where its next batch begins.
    positions: Vec<i64>,
    /// Partitions whose position has moved.
    moved: BTreeSet<PartitionIndex>,
    /// The one that moved last: most messages come in runs.
    last: Option<PartitionIndex>,
    /// Messages of different partitions go into different batches.
    is_apart: bool,
    /// Whose messages were gathered last.
    of: Option<PartitionIndex>,
    sums: Sums,
    messages: u64,
    bytes: u64,
    ends: BTreeMap<PartitionIndex, i64>,
}

type Told = Result<ControlFlow<()>, ReadError>;

impl<'a> Gathering<'a> {
    fn new(
        side: &'a MessageSide,
        fields: &[Field],
        key: &DigestKey,
        from: &[(PartitionIndex, i64)],
    ) -> Result<Self, ReadError> {
        let mut reader = Reader::new(side, fields, &[])?;
        let mut positions = vec![0; side.tap.partitions().len()];
        for (partition, at) in from {
            reader.observations.expect_from(*partition, *at);
            positions[partition.0 as usize] = *at;
        }
        Ok(Self {
            reader,
            digester: Digester::new(&row_spec(&side.binding.columns), key)?,
            positions,
            moved: BTreeSet::new(),
            last: None,
            is_apart: false,
            of: None,
            sums: Sums::default(),
            messages: 0,
            bytes: 0,
            ends: BTreeMap::new(),
        })
    }

    fn message(
        &mut self,
        decoder: &mut dyn Decoder,
        message: &Message<'_>,
        each: &mut dyn FnMut(Following) -> ControlFlow<()>,
    ) -> Told {
        if self.is_apart && self.of.replace(message.partition).is_some_and(|of| of != message.partition) {
            if !self.reader.positions.is_empty() {
                self.flush(&decoder.finish())?;
            }
            if self.hand_on(each).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if self.last != Some(message.partition) {
            self.last = Some(message.partition);
            self.moved.insert(message.partition);
            self.ends.remove(&message.partition);
        }
        let sizes = [message.key, message.payload].map(|bytes| bytes.map_or(0, <[u8]>::len) as u64);
        self.bytes += sizes.iter().sum::<u64>();
        let mut full = None;
        let _ = self.reader.take(decoder, message, &mut |batch| {
            full = Some(batch);
            ControlFlow::Continue(())
        })?;
        match full {
            None => Ok(ControlFlow::Continue(())),
            Some(batch) => {
                self.sum(&batch)?;
                Ok(self.hand_on(each))
            }
        }
    }

    fn rows(&mut self, batch: RowBatch, each: &mut dyn FnMut(Following) -> ControlFlow<()>) -> Told {
        batch.offsets.iter().for_each(|offset| self.reader.observations.message(batch.partition, *offset));
        self.moved.insert(batch.partition);
        self.reader.positions.push_rows(batch.partition, batch.offsets, batch.timestamps_ms);
        self.flush(&batch.decoded)?;
        Ok(self.hand_on(each))
    }

    /// What is told beside messages. `decoder`: of those that were gathered and are in no batch yet.
    fn beside(
        &mut self,
        decoder: Option<&mut dyn Decoder>,
        followed: Followed<'_>,
        each: &mut dyn FnMut(Following) -> ControlFlow<()>,
    ) -> Told {
        if let Followed::End { partition, position } = followed {
            self.pass_to(partition, position);
            self.ends.insert(partition, position);
            return Ok(ControlFlow::Continue(()));
        }
        if let Some(decoder) = decoder.filter(|_| !self.reader.positions.is_empty()) {
            self.flush(&decoder.finish())?;
        }
        if self.hand_on(each).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        Ok(each(match followed {
            Followed::Quiet => Following::Quiet,
            Followed::Trimmed { partition, log_start } => Following::Trimmed { partition, log_start },
            Followed::Lost { text, since } => Following::Lost { text, since },
            Followed::Stopped { partition, why } => Following::Stopped { partition, why },
            Followed::OutOfRange { partition, asked, log_start, high_watermark, refused } => {
                if log_start > asked {
                    self.pass_to(partition, log_start);
                }
                Following::OutOfRange { partition, asked, log_start, high_watermark, refused }
            }
            Followed::Message(_) | Followed::End { .. } => return Ok(ControlFlow::Continue(())),
        }))
    }

    fn pass_to(&mut self, partition: PartitionIndex, position: i64) {
        self.reader.observations.pass_to(partition, position);
        self.moved.insert(partition);
        // The next message of it is the first after the end.
        self.last = None;
    }

    fn flush(&mut self, decoded: &Decoded) -> Result<(), ReadError> {
        let mut flushed = None;
        let _ = self.reader.flush(decoded, &mut |batch| {
            flushed = Some(batch);
            ControlFlow::Continue(())
        });
        flushed.map_or(Ok(()), |batch| self.sum(&batch))
    }

    fn sum(&mut self, batch: &MessageBatch) -> Result<(), ReadError> {
        self.messages += batch.len() as u64;
        let cut = Arc::clone(&self.reader.side().segments);
        if let (MessageSegments::Key(cut), true) = (&*cut, self.reader.side().binding.upsert.is_some()) {
            return Ok(self.sums.add_versions(batch, &cut.digests)?);
        }
        Ok(self.sums.add(batch, &cut.keys(batch)?, &self.digester, &cut)?)
    }

    /// Hands on what was gathered, if anything was.
    fn hand_on(&mut self, each: &mut dyn FnMut(Following) -> ControlFlow<()>) -> ControlFlow<()> {
        self.last = None;
        let observations = &mut self.reader.observations;
        let mut lanes = Vec::new();
        for partition in std::mem::take(&mut self.moved) {
            let seen = observations.partitions[partition.0 as usize].drain();
            let from = self.positions[partition.0 as usize];
            let to = seen.next().unwrap_or(from);
            let OfPartition { parts, undecodable, windows, versions } = self.sums.take(partition);
            let parts = parts.into_values().collect();
            self.positions[partition.0 as usize] = to;
            if from < to {
                let (gaps, excluded) = (seen.gaps, seen.excluded);
                lanes.push(LanePart { partition, from, to, parts, gaps, undecodable, excluded, windows, versions });
            }
        }
        let ends: Vec<_> = std::mem::take(&mut self.ends).into_iter().collect();
        if lanes.is_empty() && ends.is_empty() {
            return ControlFlow::Continue(());
        }
        let notes = self.notes();
        let (messages, bytes) = (std::mem::take(&mut self.messages), std::mem::take(&mut self.bytes));
        each(Following::Batch(FollowedBatch { consumed: Consumed { lanes }, notes, messages, bytes, ends }))
    }

    fn notes(&mut self) -> MessageNotes {
        let observations = &mut self.reader.observations;
        let mut policy = self.reader.mapper.take_policy();
        policy.add(&std::mem::take(&mut observations.tolerated));
        MessageNotes {
            unknown_fields: std::mem::take(&mut observations.unknown_fields),
            duplicate_keys: std::mem::take(&mut observations.duplicate_keys),
            times: std::mem::take(&mut observations.times),
            sql_fields: self.reader.mapper.sql_fields(),
            policy,
        }
    }
}
