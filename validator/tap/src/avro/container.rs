//! Avro container files: the header with the writer's schema, and blocks of records (Avro 1.12, Object Container Files).
//!
//! Contract: a file whose structure is broken (magic, sizes, sync markers, an end inside a block) is refused with the byte
//! where it is: nothing after it can be placed. A block whose *data* is broken still says how many records it holds, so
//! that each of them is a message of its own that cannot be decoded.

use std::io::{self, Read};
use std::sync::Arc;

use super::extent::extents;
use super::schema::AvroSchema;
use crate::limits;

/// The bytes that begin a container file.
const MAGIC: &[u8] = b"Obj\x01";

/// Bytes of a sync marker.
const SYNC_BYTES: usize = 16;

/// How the data of a block is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
}

/// What a file says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    /// The schema of its records.
    pub(crate) schema: Arc<AvroSchema>,
    /// Its text: equal texts are one schema.
    pub(crate) text: Arc<str>,
    codec: Codec,
    sync: [u8; SYNC_BYTES],
    /// The byte where the first block begins.
    pub(crate) end: u64,
}

/// One block, its data uncompressed.
#[derive(Debug)]
pub(crate) struct Block {
    /// The byte of the file where it begins.
    pub(crate) at: u64,
    /// Records that it says it has.
    pub(crate) records: u64,
    data: Vec<u8>,
    /// Where the records lie in `data`; fewer than `records` where one is broken.
    ends: Vec<usize>,
    /// Why not all of them could be told apart, or the data could not be uncompressed.
    pub(crate) broken: Option<String>,
}

impl Block {
    /// The bytes of a record. Behind a broken one there are none: no decoder reads a record of them, unless the schema's
    /// records take no bytes, and then they are what they are.
    pub(crate) fn record(&self, number: u64) -> &[u8] {
        let Ok(number) = usize::try_from(number) else { return &[] };
        let from = match number.checked_sub(1) {
            None => 0,
            Some(before) => match self.ends.get(before) {
                Some(end) => *end,
                None => return &[],
            },
        };
        match self.ends.get(number) {
            Some(end) => &self.data[from..*end],
            // The broken one itself: its decoder says what is wrong with it.
            None => &self.data[from..],
        }
    }
}

/// Counts what is read, so that a fault has its byte.
pub(crate) struct Input<R> {
    inner: R,
    at: u64,
}

impl<R: Read> Input<R> {
    /// Reads from here on; `at` is the byte of the file where `inner` stands.
    pub(crate) fn new(inner: R, at: u64) -> Self {
        Self { inner, at }
    }

    /// The byte that comes next.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        loop {
            match self.inner.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) => {
                    self.at += 1;
                    return Ok(Some(byte[0]));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let from = self.at;
        self.inner.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => cut(from),
            _ => error,
        })?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// A whole number of variable length; `None` where the file ends before it.
    fn long(&mut self) -> io::Result<Option<i64>> {
        let from = self.at;
        let mut raw = 0_u64;
        for i in 0..10 {
            let Some(byte) = self.byte()? else { return if i == 0 { Ok(None) } else { Err(cut(from)) } };
            if i == 9 && byte > 1 {
                break;
            }
            raw |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                return Ok(Some((raw >> 1) as i64 ^ -((raw & 1) as i64)));
            }
        }
        Err(broken(from, "a number is over 64 bits"))
    }

    fn length(&mut self, limit: usize) -> io::Result<usize> {
        let from = self.at;
        let long = self.long()?.ok_or_else(|| cut(from))?;
        usize::try_from(long)
            .ok()
            .filter(|length| *length <= limit)
            .ok_or_else(|| broken(from, &format!("{long} is no length of at most {limit} bytes")))
    }

    fn bytes(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        let length = self.length(limit)?;
        self.bytes_of(length)
    }

    /// So many bytes, read piece by piece: a length is not believed before its bytes are there.
    fn bytes_of(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let (from, more) = (bytes.len(), (length - bytes.len()).min(limits::RECORDED_READ_BYTES));
            bytes.resize(from + more, 0);
            self.exact(&mut bytes[from..])?;
        }
        Ok(bytes)
    }
}

#[cold]
fn cut(at: u64) -> io::Error {
    broken(at, "the file ends inside")
}

#[cold]
fn broken(at: u64, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} (byte {at})"))
}

impl Header {
    /// Reads the header, from the first byte of the file.
    ///
    /// # Errors
    /// When it is no container file, its codec is not built, or its schema cannot be read.
    pub(crate) fn read<R: Read>(input: &mut Input<R>) -> io::Result<Self> {
        let mut magic = [0; MAGIC.len()];
        let is_container = input.exact(&mut magic).is_ok() && magic == MAGIC;
        if !is_container {
            return Err(broken(0, "it is no Avro container file: it does not begin with Obj and 1"));
        }
        let (mut schema, mut codec) = (None, None);
        loop {
            let from = input.at;
            let count = input.long()?.ok_or_else(|| cut(from))?;
            if count == 0 {
                break;
            }
            if count < 0 {
                input.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                let name = input.bytes(limits::AVRO_HEADER_BYTES_MAX)?;
                let value = input.bytes(limits::AVRO_HEADER_BYTES_MAX)?;
                match name.as_slice() {
                    b"avro.schema" => schema = Some(value),
                    b"avro.codec" => codec = Some(value),
                    _ => {}
                }
                if input.at > limits::AVRO_HEADER_BYTES_MAX as u64 {
                    return Err(broken(input.at, "its header does not end"));
                }
            }
        }
        let mut sync = [0; SYNC_BYTES];
        input.exact(&mut sync)?;
        let schema = schema.ok_or_else(|| broken(input.at, "its header has no avro.schema"))?;
        let text = std::str::from_utf8(&schema).map_err(|_| broken(0, "its avro.schema is no text"))?;
        let schema = AvroSchema::parse(text).map_err(|error| broken(0, &format!("its avro.schema: {error}")))?;
        if !schema.is_of_records() {
            let kind = schema.node(schema.root()).name();
            return Err(broken(0, &format!("its records are of type {kind}, which has no fields")));
        }
        let codec = codec_of(codec.as_deref())?;
        Ok(Self { schema: Arc::new(schema), text: text.into(), codec, sync, end: input.at })
    }

    /// The next block; `None` at the end of the file.
    ///
    /// # Errors
    /// When the file's structure is broken.
    pub(crate) fn block<R: Read>(&self, input: &mut Input<R>) -> io::Result<Option<Block>> {
        let at = input.at;
        let Some(count) = input.long()? else { return Ok(None) };
        let records = u64::try_from(count)
            .ok()
            .filter(|count| *count <= limits::AVRO_BLOCK_RECORDS_MAX)
            .ok_or_else(|| broken(at, &format!("a block cannot have {count} records")))?;
        let data = input.bytes(limits::AVRO_BLOCK_BYTES_MAX)?;
        let mut sync = [0; SYNC_BYTES];
        input.exact(&mut sync)?;
        if sync != self.sync {
            let what = format!("the sync marker after the block at byte {at} is not the file's");
            return Err(broken(input.at - SYNC_BYTES as u64, &what));
        }
        let (data, fault) = match self.codec.uncompressed(data) {
            Ok(data) => (data, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let (ends, fault) = match fault {
            Some(why) => (Vec::new(), Some(why)),
            None => extents(&self.schema, &data, records),
        };
        Ok(Some(Block { at, records, data, ends, broken: fault }))
    }
}

fn codec_of(name: Option<&[u8]>) -> io::Result<Codec> {
    Ok(match name {
        None | Some(b"null" | b"") => Codec::Null,
        Some(b"deflate") => Codec::Deflate,
        Some(b"snappy") => Codec::Snappy,
        Some(b"zstandard") => Codec::Zstandard,
        Some(other) => {
            let name = String::from_utf8_lossy(&other[..other.len().min(40)]).into_owned();
            let what = format!("its codec {name} is not built; null, deflate, snappy and zstandard are");
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
    })
}

impl Codec {
    /// The data of a block, or why it is none.
    fn uncompressed(self, data: Vec<u8>) -> Result<Vec<u8>, String> {
        match self {
            Codec::Null => Ok(data),
            Codec::Deflate => {
                let mut decoder = flate2::read::DeflateDecoder::new(data.as_slice());
                let plain = bounded(&mut decoder, "deflate")?;
                match decoder.total_in() == data.len() as u64 {
                    true => Ok(plain),
                    false => Err("bytes follow its deflate stream".to_owned()),
                }
            }
            Codec::Zstandard => {
                let decoder = zstd::stream::read::Decoder::new(data.as_slice());
                bounded(&mut decoder.map_err(|error| format!("its zstandard data: {error}"))?, "zstandard")
            }
            Codec::Snappy => snappy(&data),
        }
    }
}

/// Everything that a decoder gives, up to the bound.
fn bounded(decoder: &mut dyn Read, name: &str) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    let mut limited = decoder.take(limits::AVRO_BLOCK_BYTES_MAX as u64 + 1);
    limited.read_to_end(&mut plain).map_err(|error| format!("its {name} data: {error}"))?;
    match plain.len() <= limits::AVRO_BLOCK_BYTES_MAX {
        true => Ok(plain),
        false => Err(format!("it unfolds to over {} bytes", limits::AVRO_BLOCK_BYTES_MAX)),
    }
}

/// Snappy's raw format, and behind it the CRC-32 of the uncompressed bytes, big-endian.
fn snappy(data: &[u8]) -> Result<Vec<u8>, String> {
    let (data, crc) = data.split_last_chunk::<4>().ok_or("it is too short for its checksum")?;
    let length = snap::raw::decompress_len(data).map_err(|error| format!("its snappy data: {error}"))?;
    if length > limits::AVRO_BLOCK_BYTES_MAX {
        return Err(format!("it unfolds to over {} bytes", limits::AVRO_BLOCK_BYTES_MAX));
    }
    let plain = snap::raw::Decoder::new().decompress_vec(data).map_err(|error| format!("its snappy data: {error}"))?;
    match crc32fast::hash(&plain) == u32::from_be_bytes(*crc) {
        true => Ok(plain),
        false => Err("its checksum is not that of its data".to_owned()),
    }
}
