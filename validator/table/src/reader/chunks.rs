//! The bytes of one row group's wanted column chunks, for Parquet's own page reader.
//!
//! Row groups of usual size are fetched in one go, all columns together, and held; a larger one is read through a
//! window into each column chunk, from a thread that may block.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;

use crate::storage::{Object, StorageError};

/// Column chunks of one row group.
#[derive(Debug, Clone)]
pub(crate) struct Chunks {
    inner: Arc<Inner>,
}

#[derive(Debug)]
enum Inner {
    Held(Vec<(u64, Bytes)>),
    Windowed(Windowed),
}

#[derive(Debug)]
struct Windowed {
    object: Object,
    window_bytes: u64,
    handle: Handle,
    /// Sorted and apart from each other.
    chunks: Vec<Chunk>,
    failed: Mutex<Option<StorageError>>,
}

#[derive(Debug)]
struct Chunk {
    range: Range<u64>,
    window: Mutex<(u64, Bytes)>,
}

impl Chunks {
    /// Fetches the chunks whole.
    pub(crate) async fn fetch(object: &Object, ranges: &[Range<u64>]) -> Result<Self, StorageError> {
        let bytes = object.ranges(ranges).await?;
        let mut held: Vec<(u64, Bytes)> = ranges.iter().map(|range| range.start).zip(bytes).collect();
        held.sort_by_key(|(start, _)| *start);
        Ok(Self { inner: Arc::new(Inner::Held(held)) })
    }

    /// Will fetch windows as they are needed; only for threads that may block.
    pub(crate) fn windowed(object: &Object, window_bytes: u64, handle: Handle, ranges: &[Range<u64>]) -> Self {
        let window = |range: &Range<u64>| Mutex::new((range.start, Bytes::new()));
        let mut chunks: Vec<Chunk> =
            ranges.iter().map(|range| Chunk { range: range.clone(), window: window(range) }).collect();
        chunks.sort_by_key(|chunk| chunk.range.start);
        let (object, failed) = (object.clone(), Mutex::new(None));
        Self { inner: Arc::new(Inner::Windowed(Windowed { object, window_bytes, handle, chunks, failed })) }
    }

    /// The store's failure behind a read that failed, if it was the store.
    pub(crate) fn store_failure(&self) -> Option<StorageError> {
        match self.inner.as_ref() {
            Inner::Held(_) => None,
            Inner::Windowed(windowed) => windowed.failed.lock().unwrap_or_else(PoisonError::into_inner).take(),
        }
    }
}

impl Inner {
    /// From `start`, at least `least` bytes, or as many as the chunk has.
    fn from(&self, start: u64, least: usize) -> ParquetResult<Bytes> {
        match self {
            Inner::Held(held) => {
                let (at, bytes) = match held.partition_point(|(at, _)| *at <= start) {
                    0 => return Err(outside(start)),
                    after => &held[after - 1],
                };
                let skip = usize::try_from(start - at).map_err(|_| outside(start))?;
                if skip > bytes.len() { Err(outside(start)) } else { Ok(bytes.slice(skip..)) }
            }
            Inner::Windowed(windowed) => windowed.from(start, least),
        }
    }
}

impl Windowed {
    fn from(&self, start: u64, least: usize) -> ParquetResult<Bytes> {
        let chunk = match self.chunks.partition_point(|chunk| chunk.range.start <= start) {
            0 => return Err(outside(start)),
            after => &self.chunks[after - 1],
        };
        if start > chunk.range.end {
            return Err(outside(start));
        }
        let mut window = chunk.window.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, bytes) = &*window;
        let wanted_end = chunk.range.end.min(start.saturating_add(least as u64));
        if start < *at || wanted_end > at + bytes.len() as u64 {
            let end = chunk.range.end.min(wanted_end.max(start.saturating_add(self.window_bytes)));
            *window = (start, self.fetch(start..end)?);
        }
        let (at, bytes) = &*window;
        Ok(bytes.slice((start - at) as usize..))
    }

    fn fetch(&self, range: Range<u64>) -> ParquetResult<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let read = self.handle.block_on(self.object.ranges(std::slice::from_ref(&range)));
        match read {
            Ok(bytes) => bytes.into_iter().next().ok_or_else(|| outside(range.start)),
            Err(failure) => {
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                Err(ParquetError::General("the store failed".to_owned()))
            }
        }
    }
}

fn outside(start: u64) -> ParquetError {
    ParquetError::EOF(format!("no bytes of the column chunk at {start}"))
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        match self.inner.as_ref() {
            Inner::Held(held) => held.last().map_or(0, |(at, bytes)| at + bytes.len() as u64),
            Inner::Windowed(windowed) => windowed.chunks.last().map_or(0, |chunk| chunk.range.end),
        }
    }
}

impl ChunkReader for Chunks {
    type T = ChunkRead;

    fn get_read(&self, start: u64) -> ParquetResult<ChunkRead> {
        let bytes = self.inner.from(start, 1)?;
        Ok(ChunkRead { inner: Arc::clone(&self.inner), next: start + bytes.len() as u64, bytes })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let bytes = self.inner.from(start, length)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!("{} of {length} bytes at {start}", bytes.len())));
        }
        Ok(bytes.slice(..length))
    }
}

/// Reads on from some place, through as many windows as it takes.
#[derive(Debug)]
pub(crate) struct ChunkRead {
    inner: Arc<Inner>,
    bytes: Bytes,
    next: u64,
}

impl Read for ChunkRead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() && matches!(*self.inner, Inner::Windowed(_)) {
            self.bytes = self.inner.from(self.next, 1).map_err(io::Error::other)?;
            self.next += self.bytes.len() as u64;
        }
        let length = into.len().min(self.bytes.len());
        into[..length].copy_from_slice(&self.bytes[..length]);
        self.bytes.advance(length);
        Ok(length)
    }
}
