//! Sampling a topic: some messages of the head, the tail and some places between of each partition, by seeking.
//!
//! Contract: at most the asked number of messages (a few of each partition at least) and `SAMPLE_BYTES_MAX` of payloads are
//! kept; nothing is read through.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use validator_core::contract::FieldType;
use validator_core::position::PartitionIndex;
use validator_core::schema::Type;
use validator_core::value::Value;
use validator_engine::message_reader::ReadError;
use validator_tap::{
    AvroDecoder, Decoder, Message, NoHeaders, PartitionRange, ReadEnd, Schemas, Tap, Wanted, WantedField, schema_id,
};

use super::evidence::{MessageField, Messages, kept};
use super::limits::{NAMES_MAX, SAMPLE_BYTES_MAX, SPOTS};
use super::payload::{Looks, json_fields, looks};
use super::places::Place;
use super::sample_fields;
use crate::failure::Failure;

/// One sampled message.
#[derive(Debug, Clone)]
pub struct Raw {
    /// Its partition.
    pub partition: PartitionIndex,
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its payload.
    pub payload: Option<Vec<u8>>,
    /// Its fields, where it is a row and has no payload.
    pub fields: Option<Vec<Value>>,
}

/// Sampled messages, as they are.
#[derive(Debug, Clone, Default)]
pub struct RawMessages {
    /// The messages, by partition and offset.
    pub messages: Vec<Raw>,
    /// What was read, place by place.
    pub places: Vec<Place>,
    /// Names and types of the fields, where messages are rows.
    pub known: Vec<(String, Type)>,
    /// Whether that is everything there is.
    pub is_whole: bool,
}

/// The ranges of a sample of about `most` messages.
pub fn spots(partitions: &[PartitionRange], most: usize) -> (Vec<Wanted>, bool) {
    let there = partitions.iter().filter(|range| range.from.max(range.log_start) < range.to).count().max(1);
    let each = i64::try_from(most / there / SPOTS as usize).unwrap_or(i64::MAX).max(4);
    let mut is_whole = true;
    let ranges = partitions.iter().zip(0_u32..).filter_map(|(range, index)| {
        let (first, end) = (range.from.max(range.log_start), range.to);
        let ranges = spread(first, end, each);
        is_whole &= ranges.iter().map(|range| range.end - range.start).sum::<i64>() == (end - first).max(0);
        (!ranges.is_empty()).then_some((PartitionIndex(index), ranges))
    });
    let ranges = ranges.collect();
    (ranges, is_whole)
}

/// `SPOTS` ranges of `each` offsets, evenly between the ends; one of all where that is no less.
fn spread(first: i64, end: i64, each: i64) -> Vec<Range<i64>> {
    if first >= end {
        return Vec::new();
    }
    if end - first <= each.saturating_mul(SPOTS) {
        return std::iter::once(first..end).collect();
    }
    let free = end - first - each;
    (0..SPOTS).map(|spot| first + free / (SPOTS - 1) * spot).map(|start| start..start + each).collect()
}

/// Reads these ranges. Blocking.
///
/// # Errors
/// The source failed.
pub fn read(tap: &dyn Tap, wanted: Vec<Wanted>, is_whole: bool) -> Result<RawMessages, Failure> {
    let mut sample = RawMessages { is_whole, ..RawMessages::default() };
    let end = match tap.rows() {
        Some(source) => {
            sample.known = sample_fields::known(source);
            sample_fields::read(source, &wanted, &mut sample.messages)?
        }
        None => payloads(tap, &wanted, &mut sample.messages)?,
    };
    for ended in &end.partitions {
        if let Some(failure) = &ended.failure {
            let tp = tap.partitions()[ended.partition.0 as usize].tp.clone();
            return Err(Failure::Sample(ReadError::Unsampled { tp, source: Arc::clone(failure) }));
        }
    }
    sample.is_whole &= !end.stopped;
    sample.messages.sort_by_key(|message| (message.partition, message.offset));
    sample.messages.dedup_by_key(|message| (message.partition, message.offset));
    sample.places = places(&wanted);
    Ok(sample)
}

fn payloads(tap: &dyn Tap, wanted: &[Wanted], messages: &mut Vec<Raw>) -> Result<ReadEnd, Failure> {
    let mut bytes = 0;
    let end = tap.read(wanted, &mut |message| {
        bytes += message.payload.map_or(0, <[u8]>::len) + message.key.map_or(0, <[u8]>::len);
        messages.push(Raw {
            partition: message.partition,
            offset: message.offset,
            timestamp_ms: message.timestamp_ms,
            key: message.key.map(<[u8]>::to_vec),
            payload: message.payload.map(<[u8]>::to_vec),
            fields: None,
        });
        if bytes > SAMPLE_BYTES_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(end)
}

/// The first ranges of all partitions, the second ones, and so on.
fn places(wanted: &[Wanted]) -> Vec<Place> {
    let most = wanted.iter().map(|(_, ranges)| ranges.len()).max().unwrap_or(0);
    let nth = |nth: usize| {
        let range = |(index, ranges): &Wanted| Some((*index, ranges.get(nth)?.clone()));
        wanted.iter().filter_map(range).collect()
    };
    (0..most).map(nth).collect()
}

impl RawMessages {
    /// Adds the messages of further places.
    pub fn add(&mut self, other: Self) {
        self.messages.extend(other.messages);
        self.messages.sort_by_key(|message| (message.partition, message.offset));
        self.messages.dedup_by_key(|message| (message.partition, message.offset));
        self.places.extend(other.places);
    }

    /// From the first to the last timestamp; a millisecond where there is none.
    pub fn times_ms(&self) -> Range<i64> {
        let times = || self.messages.iter().filter_map(|message| message.timestamp_ms);
        let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
        first..last.saturating_add(1)
    }

    /// How many payloads have each of the looks, the most frequent first.
    pub fn looks(&self) -> Vec<(Looks, usize)> {
        let mut counted: BTreeMap<Looks, usize> = BTreeMap::new();
        let payloads = self.messages.iter().filter_map(|message| message.payload.as_deref());
        payloads.for_each(|payload| *counted.entry(looks(payload)).or_default() += 1);
        let mut counted: Vec<_> = counted.into_iter().collect();
        counted.sort_by_key(|(looks, count)| (std::cmp::Reverse(*count), *looks));
        counted
    }

    /// The schema ids that framed payloads name.
    pub fn schema_ids(&self) -> BTreeSet<u32> {
        self.messages.iter().filter_map(|message| message.payload.as_deref().and_then(schema_id)).collect()
    }

    /// The messages with nothing but what stands beside the payload, and the payload itself.
    pub fn plain(&self, partitions: &[PartitionRange]) -> Messages {
        self.decoded(partitions, &[], |_| Some(Vec::new()))
    }

    /// The messages that are rows.
    pub fn rows(&self, partitions: &[PartitionRange]) -> Messages {
        let fields: Vec<(String, Option<Type>)> =
            self.known.iter().map(|(name, ty)| (name.clone(), Some(ty.clone()))).collect();
        self.decoded(partitions, &fields, |at| self.messages[at].fields.clone())
    }

    /// The messages as JSON objects.
    pub fn json(&self, partitions: &[PartitionRange]) -> Messages {
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        let objects: Vec<Option<BTreeMap<String, Value>>> =
            self.messages.iter().map(|message| json_fields(message.payload.as_deref()?)).collect();
        objects
            .iter()
            .flatten()
            .flat_map(BTreeMap::keys)
            .for_each(|name| *counted.entry(name.clone()).or_default() += 1);
        let mut names: Vec<(String, usize)> = counted.into_iter().collect();
        names.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        names.truncate(NAMES_MAX);
        let fields: Vec<(String, Option<Type>)> = names.into_iter().map(|(name, _)| (name, None)).collect();
        self.decoded(partitions, &fields, |at| {
            let object = objects[at].as_ref()?;
            Some(fields.iter().map(|(name, _)| object.get(name).cloned().unwrap_or(Value::Null)).collect())
        })
    }

    /// The messages as records of these fields.
    ///
    /// # Errors
    /// The registry does not answer.
    pub fn avro(
        &self,
        partitions: &[PartitionRange],
        known: &[(String, Type)],
        schemas: &Arc<Schemas>,
    ) -> Result<Messages, Failure> {
        let known = &known[..known.len().min(NAMES_MAX)];
        let wanted = known.iter().map(|(name, ty)| WantedField::typed(name.clone(), FieldType::Plain(ty.clone())));
        let mut decoder = AvroDecoder::new(wanted.collect(), BTreeSet::new(), Arc::clone(schemas))
            .map_err(|error| Failure::Run(ReadError::from(error).into()))?;
        let mut records: Vec<Option<Vec<Value>>> = Vec::with_capacity(self.messages.len());
        for message in &self.messages {
            let payload = message.payload.as_deref();
            let read =
                Message { lazy_headers: &NoHeaders, ..Message::of_payload(message.partition, message.offset, payload) };
            let is_undecodable = decoder.append(&read)?.is_some();
            let fields: Vec<Type> = decoder.fields().iter().map(|field| field.ty.clone()).collect();
            let decoded = decoder.finish();
            let values = decoded.columns.iter().zip(&fields).map(|(column, ty)| Value::from_arrow(column, 0, ty));
            records.push((!is_undecodable).then(|| values.collect()));
        }
        let fields: Vec<(String, Option<Type>)> =
            known.iter().map(|(name, ty)| (name.clone(), Some(ty.clone()))).collect();
        Ok(self.decoded(partitions, &fields, |at| records[at].clone()))
    }

    fn decoded(
        &self,
        partitions: &[PartitionRange],
        fields: &[(String, Option<Type>)],
        values: impl Fn(usize) -> Option<Vec<Value>>,
    ) -> Messages {
        let meta = [
            ("_topic", Type::String),
            ("_partition", Type::Int),
            ("_offset", Type::Long),
            ("_timestamp", Type::Timestamptz),
            ("_key", Type::Binary),
            ("_value", Type::Binary),
        ];
        let meta = meta.map(|(name, ty)| MessageField { name: name.to_owned(), ty: Some(ty), is_meta: true });
        let fields =
            fields.iter().map(|(name, ty)| MessageField { name: name.clone(), ty: ty.clone(), is_meta: false });
        let mut messages = Messages { fields: meta.into_iter().chain(fields).collect(), ..Messages::default() };
        for (at, message) in self.messages.iter().enumerate() {
            if message.payload.is_none() && message.fields.is_none() {
                messages.tombstones += 1;
                continue;
            }
            let Some(values) = values(at) else {
                messages.undecodable += 1;
                continue;
            };
            let tp = &partitions[message.partition.0 as usize].tp;
            let bytes = |bytes: &Vec<u8>| Value::Bytes(bytes.clone());
            let meta = [
                Value::string(&tp.topic),
                Value::integer(i64::from(tp.partition)),
                Value::integer(message.offset),
                message.timestamp_ms.map_or(Value::Null, |ms| Value::timestamp_micros(ms * 1_000, true)),
                message.key.as_ref().map_or(Value::Null, bytes),
                message.payload.as_ref().map_or(Value::Null, bytes),
            ];
            messages.values.push(meta.into_iter().chain(values).map(kept).collect());
        }
        messages
    }
}
