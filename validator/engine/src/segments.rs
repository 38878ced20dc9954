//! Which segment a message and a row belong to, computed in the same way on both sides.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, BinaryArray};
use arrow_schema::{DataType, TimeUnit};
use validator_core::digest::IdentityHash;
use validator_core::encode::EncodeError;
use validator_core::hole::HoleReason;
use validator_core::judge::{MessageState, RowStanding};
use validator_core::limits::{KEY_SHARDS, NO_WINDOW_SHARDS};
use validator_core::position::PartitionIndex;
use validator_core::scope::{OffsetScope, Place, WindowScope};
use validator_core::segment::{OffsetWidth, SegmentKey, WindowLength, shard_of};
use validator_core::shadow::windows::Floor;

use crate::binding::{BoundIdentity, LeafPath};
use crate::identity::IdentityDigests;
use crate::leaves::leaf_array;
use crate::message_batch::MessageBatch;
use crate::observations::Observations;
use crate::slips::Name;

/// Cuts messages into segments.
#[derive(Debug)]
pub enum MessageSegments {
    /// By offset.
    Offset(OffsetWidth),
    /// By window and shard: modes `key` and `content`.
    Key(Arc<KeyCut>),
}

/// The cut of the modes `key` and `content`, shared by both sides.
#[derive(Debug)]
pub struct KeyCut {
    /// The window column.
    pub window: Option<LeafPath>,
    /// The window's length.
    pub length: WindowLength,
    /// Shards per window; of a NULL beside a window column there are [`NO_WINDOW_SHARDS`].
    pub shards: u32,
    /// The digests of identities.
    pub digests: Arc<IdentityDigests>,
}

impl MessageSegments {
    /// The segment of each message. Messages of unknown identity get [`SegmentKey::Nowhere`] unless they are cut by offset.
    ///
    /// # Errors
    /// Columns that are not of the bound types.
    pub fn keys(&self, batch: &MessageBatch) -> Result<Vec<SegmentKey>, EncodeError> {
        Ok(self.places(batch)?.into_iter().map(|(segment, _)| segment).collect())
    }

    /// The segment and the name of each message.
    ///
    /// # Errors
    /// Columns that are not of the bound types.
    pub fn places(&self, batch: &MessageBatch) -> Result<Vec<(SegmentKey, Name)>, EncodeError> {
        match self {
            Self::Offset(width) => {
                let positions = batch.partition.iter().zip(&batch.offset);
                let place = |(partition, offset): (&u32, &i64)| {
                    let partition = PartitionIndex(*partition);
                    (width.segment_of(partition, *offset), Name::of_offset(partition, *offset))
                };
                Ok(positions.map(place).collect())
            }
            Self::Key(cut) => {
                let inexact = batch.inexact(|column| cut.digests.in_identity(column));
                let mut places = cut.places(batch.len(), &batch.columns, inexact.as_ref())?;
                for (row, fieldless) in batch.fieldless.iter().enumerate() {
                    if *fieldless {
                        places[row].0 = SegmentKey::Nowhere;
                    }
                }
                Ok(places)
            }
        }
    }

    /// [`Self::keys`] where the identities are at hand.
    ///
    /// # Errors
    /// Columns that are not of the bound types.
    pub fn keys_of(&self, batch: &MessageBatch, identities: &[IdentityHash]) -> Result<Vec<SegmentKey>, EncodeError> {
        match self {
            Self::Offset(_) => self.keys(batch),
            Self::Key(cut) => Ok(cut.keys_of(&batch.columns, identities)),
        }
    }

    /// Notes the windows of a batch's judged messages, in the order of reading: what is excluded or cannot be told may have
    /// any time.
    pub fn observe(&self, batch: &MessageBatch, observations: &mut Observations) {
        let Self::Key(cut) = self else { return };
        let Some(numbers) = cut.instants(&batch.columns) else { return };
        for (row, number) in numbers.iter().enumerate() {
            if let Some(number) = number
                && batch.states[row] == MessageState::Judged
            {
                observations.window(batch.partition[row], *number);
            }
        }
    }
}

impl KeyCut {
    /// The segment and the name of each row of these columns.
    ///
    /// # Errors
    /// Columns that are not of the bound types.
    pub fn places(
        &self,
        rows: usize,
        columns: &[ArrayRef],
        inexact: Option<&BinaryArray>,
    ) -> Result<Vec<(SegmentKey, Name)>, EncodeError> {
        let identities = self.digests.identities(rows, columns, inexact)?;
        let names = identities.iter().map(Name::of_identity);
        Ok(self.keys_of(columns, &identities).into_iter().zip(names).collect())
    }

    fn keys_of(&self, columns: &[ArrayRef], identities: &[IdentityHash]) -> Vec<SegmentKey> {
        let windows = self.windows(columns);
        let key = |(row, identity)| match windows.as_ref().map(|windows: &Vec<Option<i64>>| windows[row]) {
            Some(None) => SegmentKey::Window { start: None, shard: shard_of(identity, NO_WINDOW_SHARDS) },
            window => SegmentKey::Window { start: window.flatten(), shard: shard_of(identity, self.shards) },
        };
        identities.iter().enumerate().map(key).collect()
    }

    /// The window number of each row; `None` without a window column.
    pub fn windows(&self, columns: &[ArrayRef]) -> Option<Vec<Option<i64>>> {
        let instants = self.instants(columns)?;
        Some(instants.into_iter().map(|us| us.map(|us| self.length.number_of_us(us))).collect())
    }

    /// The window column's values in microseconds (nanoseconds rounded down).
    pub fn instants(&self, columns: &[ArrayRef]) -> Option<Vec<Option<i64>>> {
        let array = leaf_array(columns, self.window.as_ref()?);
        Some(match array.data_type() {
            DataType::Date32 => {
                let days = array.as_primitive::<Date32Type>();
                days.iter().map(|day| day.map(|day| i64::from(day) * 86_400_000_000)).collect()
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                let nanos = array.as_primitive::<TimestampNanosecondType>();
                nanos.iter().map(|ns| ns.map(|ns| ns.div_euclid(1000))).collect()
            }
            _ => array.as_primitive::<TimestampMicrosecondType>().iter().collect(),
        })
    }
}

/// What is known of a row of the table by its identity values alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowPlace {
    /// Its segment.
    pub segment: SegmentKey,
    /// How it stands to the run's scope.
    pub standing: RowStanding,
    /// The hole its offset lies in.
    pub hole: Option<HoleReason>,
    /// Mode `offset`: its offset and, where the run knows it, its partition.
    pub offset: Option<(Option<PartitionIndex>, i64)>,
    /// What it has in common with its message.
    pub name: Option<Name>,
}

/// Cuts rows into segments and tells how they stand to the run's scope.
#[derive(Debug)]
pub enum RowSegments {
    /// By offset.
    Offset {
        /// The run's ranges and holes.
        scope: OffsetScope,
        /// Offsets per segment.
        width: OffsetWidth,
        /// The topic column.
        topic: Option<LeafPath>,
        /// The partition column.
        partition: Option<LeafPath>,
        /// The offset column.
        offset: LeafPath,
    },
    /// By window and shard.
    Key {
        /// The run's windows.
        scope: WindowScope,
        /// The cut.
        cut: Arc<KeyCut>,
        /// Where the books of whoever follows the table begin: rows before it are nobody's. Undecided: nobody does, and each row
        /// may be a message's.
        floor: Floor,
    },
    /// By key alone: an upsert table that is followed.
    Keys(Arc<IdentityDigests>),
}

impl RowSegments {
    /// Whether rows out of scope may be those of messages all the same.
    pub fn keeps_outside(&self) -> bool {
        matches!(self, Self::Key { floor: Floor::Undecided, .. })
    }

    /// For each row of these columns, where it belongs.
    ///
    /// # Errors
    /// Columns that are not of the bound types.
    pub fn places(&self, rows: usize, columns: &[ArrayRef]) -> Result<Vec<RowPlace>, EncodeError> {
        match self {
            Self::Offset { scope, width, topic, partition, offset } => {
                let only_topic = scope.listed().first().map(|listed| listed.tp.topic.clone());
                let topics = topic.as_ref().map(|leaf| leaf_array(columns, leaf));
                let topics = topics.as_ref().map(|array| array.as_string::<i32>());
                let partitions = partition.as_ref().map(|leaf| integers(&leaf_array(columns, leaf)));
                let offsets = integers(&leaf_array(columns, offset));
                // Neighbours are mostly of one partition, which is looked up once.
                let mut last = None;
                let place = |row: usize| {
                    let topic = match topics {
                        Some(topics) => topics.is_valid(row).then(|| topics.value(row)),
                        None => only_topic.as_deref(),
                    };
                    let named = (topic, partitions.as_ref().map_or(Some(0), |partitions| partitions[row]));
                    let known = match last {
                        Some((before, known)) if before == named => known,
                        _ => scope.known(named.0, named.1),
                    };
                    last = Some((named, known));
                    row_place(scope.place_in(known, offsets[row]), offsets[row], *width)
                };
                Ok((0..rows).map(place).collect())
            }
            Self::Key { scope, cut, floor } => {
                let places = cut.places(rows, columns, None)?;
                let place = |(segment, name)| {
                    let window = match segment {
                        SegmentKey::Window { start, .. } => start,
                        _ => None,
                    };
                    let standing = match floor.is_above(segment) {
                        true => RowStanding::OutOfScope,
                        false => scope.standing(window),
                    };
                    RowPlace { segment, standing, hole: None, offset: None, name: Some(name) }
                };
                Ok(places.into_iter().map(place).collect())
            }
            Self::Keys(digests) => {
                let place = |identity: IdentityHash| RowPlace {
                    segment: SegmentKey::Keys { shard: shard_of(&identity, KEY_SHARDS) },
                    standing: RowStanding::InScope,
                    hole: None,
                    offset: None,
                    name: Some(Name::of_identity(&identity)),
                };
                Ok(digests.identities(rows, columns, None)?.into_iter().map(place).collect())
            }
        }
    }
}

fn row_place(place: Place, offset: Option<i64>, width: OffsetWidth) -> RowPlace {
    let segment = match (place.standing, place.partition, offset) {
        (RowStanding::Impossible, _, _) | (_, None, _) | (_, _, None) => SegmentKey::Nowhere,
        (_, Some(partition), Some(offset)) => width.segment_of(partition, offset),
    };
    let offset = offset.map(|offset| (place.partition, offset));
    let name = offset.and_then(|(partition, offset)| Some(Name::of_offset(partition?, offset)));
    RowPlace { segment, standing: place.standing, hole: place.hole, offset, name }
}

/// An integer column of either width.
fn integers(array: &ArrayRef) -> Vec<Option<i64>> {
    match array.data_type() {
        DataType::Int32 => array.as_primitive::<Int32Type>().iter().map(|v| v.map(i64::from)).collect(),
        _ => array.as_primitive::<Int64Type>().iter().collect(),
    }
}

impl BoundIdentity {
    /// Whether rows are paired by offset.
    pub fn is_offset(&self) -> bool {
        matches!(self, BoundIdentity::Offset { .. })
    }
}
