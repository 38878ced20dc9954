//! The footer of a Puffin file: which blobs it holds, and where.
//!
//! Source: Iceberg specification, "Puffin file format". A footer whose payload is compressed (LZ4) is not looked into:
//! the blobs of deletion vectors have a checksum of their own.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::Value as Json;

use crate::limits::{FOOTER_GUESS_BYTES, PUFFIN_FOOTER_BYTES_MAX, PUFFIN_FOOTERS_HELD};
use crate::reader::footer::{store_fault, whole};
use crate::storage::{Object, Tail};
use crate::{DataFile, FaultKind, FileFault, Storage};

const MAGIC: [u8; 4] = *b"PFA1";
/// Length of the payload, flags and magic at the end of the file.
const END_BYTES: u64 = 12;
/// The lowest bit of the flags: the payload is compressed.
const COMPRESSED: u8 = 1;

/// The footer of one file.
#[derive(Debug)]
pub(crate) struct Footer {
    /// Bytes of the file.
    pub size: u64,
    /// Where the blobs end.
    pub blobs_end: u64,
    /// The blobs by offset and length; `None` where the payload is compressed.
    pub blobs: Option<HashMap<(u64, u64), Blob>>,
}

/// What the footer says of one blob.
#[derive(Debug)]
pub(crate) struct Blob {
    pub kind: String,
    /// `referenced-data-file`, as it is written.
    pub referenced: Option<String>,
    pub cardinality: Option<u64>,
}

/// Footers that were read.
#[derive(Debug, Default)]
pub(crate) struct Footers {
    held: Mutex<HashMap<String, Arc<Footer>>>,
}

impl Footers {
    /// The footer of a file.
    ///
    /// # Errors
    /// The fault of the file: it is not there, or its end is no footer.
    pub(crate) async fn of(&self, storage: &Storage, file: &DataFile) -> Result<(Object, Arc<Footer>), FileFault> {
        let object = storage.object(&file.path).map_err(|error| store_fault(&error, file))?;
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).get(&file.path).cloned();
        if let Some(footer) = held {
            return Ok((object, footer));
        }
        let footer = Arc::new(read(&object, file).await?);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= PUFFIN_FOOTERS_HELD {
            held.clear();
        }
        held.insert(file.path.clone(), Arc::clone(&footer));
        Ok((object, footer))
    }
}

async fn read(object: &Object, file: &DataFile) -> Result<Footer, FileFault> {
    let corrupt = |detail: String| whole(file, FaultKind::Corrupt, detail);
    let guess = FOOTER_GUESS_BYTES.min(file.size.max(END_BYTES));
    let tail = object.tail(guess).await.map_err(|error| store_fault(&error, file))?;
    let size = tail.size;
    let short = || corrupt(format!("the Puffin footer does not read: {size} bytes are no Puffin file"));
    if size < END_BYTES + 2 * MAGIC.len() as u64 {
        return Err(short());
    }
    let end = bytes_at(object, &tail, size - END_BYTES..size, file).await?;
    let (Some(length), Some(flags), true) = (end.first_chunk(), end.get(4), end.ends_with(&MAGIC)) else {
        return Err(corrupt("the Puffin footer does not read: no magic at the end".to_owned()));
    };
    let length = u64::from(u32::from_le_bytes(*length));
    let start = (size - END_BYTES).checked_sub(length + MAGIC.len() as u64);
    let start = start.filter(|start| *start >= MAGIC.len() as u64 && length <= PUFFIN_FOOTER_BYTES_MAX);
    let start = start.ok_or_else(|| {
        corrupt(format!("the Puffin footer does not read: a payload of {length} bytes in {size} bytes"))
    })?;
    let footer = bytes_at(object, &tail, start..size - END_BYTES, file).await?;
    let Some(payload) = footer.strip_prefix(&MAGIC) else {
        return Err(corrupt("the Puffin footer does not read: no magic at its start".to_owned()));
    };
    let blobs = match flags & COMPRESSED {
        0 => Some(blobs(payload).map_err(|detail| corrupt(format!("the Puffin footer does not read: {detail}")))?),
        _ => None,
    };
    Ok(Footer { size, blobs_end: start, blobs })
}

fn blobs(payload: &[u8]) -> Result<HashMap<(u64, u64), Blob>, String> {
    let json: Json = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    let listed = json.get("blobs").and_then(Json::as_array).ok_or("it lists no blobs")?;
    let blob = |blob: &Json| {
        let number = |key: &str| blob.get(key).and_then(Json::as_u64);
        let property = |key: &str| blob.get("properties")?.get(key)?.as_str().map(str::to_owned);
        let place = number("offset").zip(number("length")).ok_or("a blob has no place")?;
        let kind = blob.get("type").and_then(Json::as_str).ok_or("a blob has no type")?.to_owned();
        let cardinality = property("cardinality").and_then(|text| text.parse().ok());
        Ok((place, Blob { kind, referenced: property("referenced-data-file"), cardinality }))
    };
    listed.iter().map(blob).collect()
}

/// Bytes of the file, from its tail where they lie in it. The range lies inside the file.
async fn bytes_at(object: &Object, tail: &Tail, range: Range<u64>, file: &DataFile) -> Result<Bytes, FileFault> {
    let tail_start = tail.size - tail.bytes.len() as u64;
    if range.start >= tail_start {
        let from = (range.start - tail_start) as usize;
        return Ok(tail.bytes.slice(from..from + (range.end - range.start) as usize));
    }
    let read = object.ranges(std::slice::from_ref(&range)).await.map_err(|error| store_fault(&error, file))?;
    read.into_iter().next().ok_or_else(|| whole(file, FaultKind::Corrupt, "short read".to_owned()))
}
