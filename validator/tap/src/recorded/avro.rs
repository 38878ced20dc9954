//! Messages recorded as records of Avro container files: one record is one message, its payload the record's bytes.
//!
//! Contract: a block whose data are broken still has as many messages as it says; those that cannot be told apart have
//! payloads that no decoder reads. What is lost so is said in a warning. A block of the index is one or several of the file.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::sync::Arc;

use validator_core::position::PartitionIndex;
use validator_core::schema::Type;

use super::file::{Each, Record, RecordedFile};
use super::index::{Block, Index};
use super::table::whole;
use crate::avro::container::{Block as Found, Header, Input};
use crate::avro::{AvroDecoder, avro_fields};
use crate::decoder::Decoder;
use crate::registry::Schemas;
use crate::{Message, NoHeaders, TapError, WantedField, limits};

/// Looks at a container file, and at the field that is its timestamp.
type EachBlock<'a> = &'a mut dyn FnMut(&Found, u64, &[Option<i64>]) -> Result<ControlFlow<()>, TapError>;

/// Reads the header of a file.
///
/// # Errors
/// When it is no container file that we can read.
pub(super) fn header(file: &RecordedFile) -> Result<Header, TapError> {
    let handle = File::open(&file.path).map_err(|source| file.io(source))?;
    Header::read(&mut Input::new(BufReader::new(handle), 0)).map_err(|source| file.io(source))
}

/// Gives every message of the blocks (`None`: of the whole file) to `each`, in the file's order.
pub(super) fn scan(
    file: &RecordedFile,
    header: &Header,
    blocks: Option<&[Block]>,
    each: Each<'_>,
) -> Result<ControlFlow<()>, TapError> {
    each_block(file, header, blocks, &mut |found, first, times| {
        for number in 0..found.records {
            let line = first + number + 1;
            let record = Record {
                topic: &file.topic,
                partition: file.partition,
                offset: i64::try_from(line - 1).expect("a file has fewer records than 2^63"),
                timestamp_ms: times.get(number as usize).copied().flatten(),
                key: None,
                payload: Some(found.record(number)),
                headers: &NoHeaders,
                at: found.at,
                line,
                length: 0,
            };
            if each(&record)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// Adds a file to the index; gives the sentences on its broken blocks.
pub(super) fn read_through(file: &RecordedFile, header: &Header, index: &mut Index) -> Result<Vec<String>, TapError> {
    let mut begun: Option<u64> = None;
    let mut broken = Vec::new();
    let flow = each_block(file, header, None, &mut |found, first, times| {
        if found.records > 0 && begun.is_none_or(|from| found.at - from >= limits::RECORDED_BLOCK_BYTES) {
            index.begin_block(found.at, first + 1);
            begun = Some(found.at);
        }
        for number in 0..found.records {
            let offset = i64::try_from(first + number).expect("a file has fewer records than 2^63");
            index.add(&file.topic, file.partition, offset, times.get(number as usize).copied().flatten());
        }
        if let Some(why) = &found.broken {
            let (path, at, end) = (file.path.display(), found.at, first + found.records);
            broken.push(format!("{path}: the block at byte {at} (offsets {first} to {end}) is broken: {why}"));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    debug_assert!(flow.is_continue(), "nothing stops the first pass");
    Ok(broken)
}

/// Gives each block to `each`, with the number of its first record and the timestamps of all.
fn each_block(
    file: &RecordedFile,
    header: &Header,
    blocks: Option<&[Block]>,
    each: EachBlock<'_>,
) -> Result<ControlFlow<()>, TapError> {
    let mut handle = File::open(&file.path).map_err(|source| file.io(source))?;
    let whole = [Block { at: header.end, end: u64::MAX, line: 1, spans: Vec::new() }];
    let mut times = file.timestamp.as_ref().map(|(field, _)| Times::new(file, header, field)).transpose()?;
    for block in blocks.unwrap_or(&whole) {
        handle.seek(SeekFrom::Start(block.at)).map_err(|source| file.io(source))?;
        let mut input = Input::new(BufReader::with_capacity(limits::RECORDED_READ_BYTES, &handle), block.at);
        let mut first = block.line - 1;
        while input.at() < block.end
            && let Some(found) = header.block(&mut input).map_err(|source| file.io(source))?
        {
            let times = times.as_mut().map_or(Ok(Vec::new()), |times| times.of(&found))?;
            if each(&found, first, &times)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            first += found.records;
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Takes the timestamps out of records.
struct Times {
    decoder: AvroDecoder,
}

impl Times {
    fn new(file: &RecordedFile, header: &Header, field: &str) -> Result<Self, TapError> {
        let schemas = Arc::new(Schemas::recorded(vec![Arc::clone(&header.schema)], vec![0]));
        let fields = avro_fields(&schemas, &[], &[])?.fields;
        let refuse = |what: String| TapError::Record { path: file.path.clone(), line: 0, what };
        let (_, ty) = fields
            .into_iter()
            .find(|(name, _)| name == field)
            .ok_or_else(|| refuse(format!("its records have no field {field} to take timestamps from")))?;
        use Type::{Int, Long, Timestamp, TimestampNs, Timestamptz, TimestamptzNs};
        if !matches!(ty, Int | Long | Timestamp | Timestamptz | TimestampNs | TimestamptzNs) {
            let what = format!("field {field} is {ty}: timestamps are instants or whole milliseconds");
            return Err(refuse(what));
        }
        let wanted = vec![WantedField::typed(field, validator_core::contract::FieldType::Plain(ty))];
        let decoder = AvroDecoder::new(wanted, Default::default(), schemas).expect("one field");
        Ok(Self { decoder })
    }

    /// Milliseconds since the epoch of each record; none where it has none or cannot be read.
    fn of(&mut self, block: &Found) -> Result<Vec<Option<i64>>, TapError> {
        for number in 0..block.records {
            self.decoder.append(&Message::of_payload(PartitionIndex(0), 0, Some(block.record(number))))?;
        }
        let decoded = self.decoder.finish();
        Ok((0..decoded.rows).map(|row| whole(decoded.columns.first(), row)).collect())
    }
}
