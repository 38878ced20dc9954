//! The positions of a batch of messages: partition, offset, timestamp, key, as columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, MapBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray, UInt32Array, new_null_array,
};
use arrow_schema::{DataType, Field, TimeUnit};
use validator_core::convert;
use validator_core::position::{PartitionIndex, TopicPartition};
use validator_core::schema::{Type, UTC};
use validator_tap::Message;

use crate::binding::{Binding, ColumnSource, PositionPart};

/// Grows message by message, is read column by column, and is cleared after each batch.
#[derive(Debug)]
pub struct Positions {
    partitions: Arc<[TopicPartition]>,
    /// Partition indexes of the run.
    pub partition: Vec<u32>,
    /// Offsets.
    pub offset: Vec<i64>,
    /// Milliseconds since the epoch.
    pub timestamp_ms: Vec<Option<i64>>,
    keys: Option<BinaryBuilder>,
    values: Option<BinaryBuilder>,
    headers: Option<MapBuilder<StringBuilder, BinaryBuilder>>,
    key_array: Option<ArrayRef>,
    value_array: Option<ArrayRef>,
    header_array: Option<ArrayRef>,
}

impl Positions {
    /// Columns for what `binding` refers to; keys, values and headers are copied only where they are needed.
    pub fn new(partitions: Arc<[TopicPartition]>, binding: &Binding) -> Self {
        let keys = binding.meta_names.contains("_key")
            || binding.columns.iter().any(|column| match &column.source {
                ColumnSource::Position(part) => *part == PositionPart::Key,
                ColumnSource::PositionStruct(parts) => parts.contains(&PositionPart::Key),
                _ => false,
            });
        let mut names: BTreeSet<&str> = binding.meta_names.iter().map(String::as_str).collect();
        if keys {
            names.insert("_key");
        }
        Self::of_names(partitions, &names)
    }

    /// Columns for these names.
    pub fn of_names(partitions: Arc<[TopicPartition]>, names: &BTreeSet<&str>) -> Self {
        Self {
            partitions,
            partition: Vec::new(),
            offset: Vec::new(),
            timestamp_ms: Vec::new(),
            keys: names.contains("_key").then(BinaryBuilder::new),
            values: names.contains("_value").then(BinaryBuilder::new),
            headers: names
                .contains("_headers")
                .then(|| MapBuilder::new(None, StringBuilder::new(), BinaryBuilder::new())),
            key_array: None,
            value_array: None,
            header_array: None,
        }
    }

    /// Appends one message.
    pub fn push(&mut self, message: &Message<'_>) {
        self.partition.push(message.partition.0);
        self.offset.push(message.offset);
        self.timestamp_ms.push(message.timestamp_ms);
        if let Some(keys) = &mut self.keys {
            keys.append_option(message.key);
        }
        if let Some(values) = &mut self.values {
            values.append_option(message.payload);
        }
        if let Some(headers) = &mut self.headers {
            for (name, value) in message.headers() {
                headers.keys().append_value(name);
                headers.values().append_option(value);
            }
            headers.append(true).expect("keys and values are appended in pairs");
        }
    }

    /// Appends rows of one partition: they have neither key nor payload nor headers.
    pub fn push_rows(&mut self, partition: PartitionIndex, offsets: Vec<i64>, timestamps_ms: Vec<Option<i64>>) {
        let rows = offsets.len();
        self.partition.resize(self.partition.len() + rows, partition.0);
        self.offset.extend(offsets);
        self.timestamp_ms.extend(timestamps_ms);
        for nulls in [&mut self.keys, &mut self.values].into_iter().flatten() {
            nulls.append_nulls(rows);
        }
        if let Some(headers) = &mut self.headers {
            (0..rows).for_each(|_| headers.append(true).expect("an empty map has its pairs"));
        }
    }

    /// Messages in the batch.
    pub fn len(&self) -> usize {
        self.offset.len()
    }

    /// Whether the batch is empty.
    pub fn is_empty(&self) -> bool {
        self.offset.is_empty()
    }

    /// Ends the batch: copied parts become arrays. Call it once before reading columns.
    pub fn seal(&mut self) {
        self.key_array = self.keys.as_mut().map(|b| Arc::new(b.finish()) as ArrayRef);
        self.value_array = self.values.as_mut().map(|b| Arc::new(b.finish()) as ArrayRef);
        self.header_array = self.headers.as_mut().map(|b| Arc::new(b.finish()) as ArrayRef);
    }

    /// Starts the next batch.
    pub fn clear(&mut self) {
        self.partition.clear();
        self.offset.clear();
        self.timestamp_ms.clear();
    }

    /// The Arrow type of one of the names that every message offers to SQL.
    pub fn meta_type(name: &str) -> DataType {
        match name {
            "_topic" => DataType::Utf8,
            "_partition" => DataType::Int32,
            "_offset" => DataType::Int64,
            "_timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
            "_headers" => {
                let entries =
                    vec![Field::new("keys", DataType::Utf8, false), Field::new("values", DataType::Binary, true)];
                DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries.into()), false)), false)
            }
            _ => DataType::Binary,
        }
    }

    /// The column of one of the names that every message offers to SQL.
    pub fn meta(&self, name: &str) -> ArrayRef {
        let copied = |array: &Option<ArrayRef>| {
            array.clone().unwrap_or_else(|| new_null_array(&Self::meta_type(name), self.len()))
        };
        match name {
            "_topic" => self.topics(),
            "_partition" => self.numbers(),
            "_offset" => Arc::new(Int64Array::from(self.offset.clone())),
            "_timestamp" => self.instants(),
            "_headers" => copied(&self.header_array),
            "_value" => copied(&self.value_array),
            _ => copied(&self.key_array),
        }
    }

    /// A part of the position in the type of the column that holds it.
    pub fn part(&self, part: PositionPart, ty: &Type) -> ArrayRef {
        let (array, from): (ArrayRef, Type) = match part {
            PositionPart::Topic => (self.topics(), Type::String),
            PositionPart::Partition => (self.numbers(), Type::Int),
            PositionPart::Offset => (Arc::new(Int64Array::from(self.offset.clone())), Type::Long),
            PositionPart::Timestamp if *ty == Type::Long => {
                (Arc::new(Int64Array::from(self.timestamp_ms.clone())), Type::Long)
            }
            PositionPart::Timestamp => (self.instants(), Type::Timestamptz),
            PositionPart::Key => (self.meta("_key"), Type::Binary),
        };
        convert::convert(&array, &from, ty).array
    }

    /// Partition indexes as a column.
    pub fn partition_indexes(&self) -> UInt32Array {
        UInt32Array::from(self.partition.clone())
    }

    fn topics(&self) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(self.partition.iter().map(|p| &self.partitions[*p as usize].topic)))
    }

    fn numbers(&self) -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(self.partition.iter().map(|p| self.partitions[*p as usize].partition)))
    }

    fn instants(&self) -> ArrayRef {
        let micros = self.timestamp_ms.iter().map(|ms| ms.and_then(|ms| ms.checked_mul(1000)));
        Arc::new(TimestampMicrosecondArray::from_iter(micros).with_timezone(UTC))
    }
}
