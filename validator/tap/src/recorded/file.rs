//! One recorded file, message by message.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use validator_core::contract::{Envelope, FieldType};

use super::index::Block;
use super::kcat::{KcatLine, is_of_kcat};
use super::lines::{Line, Lines};
use super::{avro, table};
use crate::avro::container::Header;
use crate::{Headers, NoHeaders, TapError, json};

/// A file and how messages lie in it.
#[derive(Debug, Clone)]
pub(super) struct RecordedFile {
    pub(super) path: PathBuf,
    pub(super) envelope: Envelope,
    /// The topic and the partition where the envelope names none.
    pub(super) topic: String,
    pub(super) partition: i32,
    /// The message field that is the timestamp where the envelope has none.
    pub(super) timestamp: Option<(String, FieldType)>,
    /// The header of an Avro container file, where messages are its records.
    pub(super) avro: Option<Arc<Header>>,
}

/// A message as it was recorded.
pub(super) struct Record<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) key: Option<&'a [u8]>,
    pub(super) payload: Option<&'a [u8]>,
    pub(super) headers: &'a dyn Headers,
    /// The uncompressed byte its line starts at, or the number of its row group.
    pub(super) at: u64,
    /// 1-based number of its line or row in the file.
    pub(super) line: u64,
    /// Bytes of its line; 0 in a row.
    pub(super) length: usize,
}

pub(super) type Each<'a> = &'a mut dyn FnMut(&Record<'_>) -> Result<ControlFlow<()>, TapError>;

impl RecordedFile {
    /// Gives every message of the blocks (`None`: of the whole file) to `each`, in the file's order.
    pub(super) fn scan(&self, blocks: Option<&[Block]>, each: Each<'_>) -> Result<ControlFlow<()>, TapError> {
        if self.envelope == Envelope::Table {
            return table::scan(self, blocks, each);
        }
        if let Some(header) = &self.avro {
            return avro::scan(self, header, blocks, each);
        }
        let mut lines = Lines::open(&self.path, 0).map_err(|source| self.io(source))?;
        let mut parts = KcatLine::default();
        let Some(blocks) = blocks else {
            return self.scan_to(&mut lines, 1, u64::MAX, &mut parts, each);
        };
        for block in blocks {
            lines.skip_to(&self.path, block.at).map_err(|source| self.io(source))?;
            if self.scan_to(&mut lines, block.line, block.end, &mut parts, each)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Refuses lines that hold messages where they should be messages.
    pub(super) fn is_of_messages(&self) -> Result<(), TapError> {
        if self.avro.is_some() {
            return Ok(());
        }
        let mut lines = Lines::open(&self.path, 0).map_err(|source| self.io(source))?;
        match lines.next().map_err(|source| self.io(source))? {
            Some(line) if is_of_kcat(line.bytes) => Err(TapError::RecordedByKcat { path: self.path.clone() }),
            _ => Ok(()),
        }
    }

    fn scan_to(
        &self,
        lines: &mut Lines,
        mut number: u64,
        end: u64,
        parts: &mut KcatLine,
        each: Each<'_>,
    ) -> Result<ControlFlow<()>, TapError> {
        while lines.stands_before(end)
            && let Some(line) = lines.next().map_err(|source| self.io(source))?
        {
            if self.line(&line, number, parts, each)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            number += 1;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Gives the message of one line to `each`.
    pub(super) fn line(
        &self,
        line: &Line<'_>,
        number: u64,
        parts: &mut KcatLine,
        each: Each<'_>,
    ) -> Result<ControlFlow<()>, TapError> {
        if self.envelope == Envelope::Kcat {
            parts.read(line.bytes).map_err(|fault| TapError::Record {
                path: self.path.clone(),
                line: number,
                what: format!("{} (byte {})", fault.what, fault.at),
            })?;
            return each(&Record {
                topic: &parts.topic,
                partition: parts.partition,
                offset: parts.offset,
                timestamp_ms: parts.timestamp_ms,
                key: parts.key(),
                payload: parts.payload(),
                headers: parts,
                at: line.start,
                line: number,
                length: line.bytes.len(),
            });
        }
        let timestamp_ms = self.timestamp.as_ref().and_then(|(field, ty)| json::instant_ms(line.bytes, field, ty));
        each(&Record {
            topic: &self.topic,
            partition: self.partition,
            offset: i64::try_from(number - 1).expect("a file has fewer lines than 2^63"),
            timestamp_ms,
            key: None,
            payload: Some(line.bytes),
            headers: &NoHeaders,
            at: line.start,
            line: number,
            length: line.bytes.len(),
        })
    }

    pub(super) fn io(&self, source: std::io::Error) -> TapError {
        TapError::File { path: self.path.clone(), source }
    }
}
