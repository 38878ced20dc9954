//! The footer of a Parquet file: found where the manifest says the file ends, or where it really ends.
//!
//! Statistics of values are not even decoded: nothing here may believe them. Sizes are, which make batches short and no more.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    FooterTail, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};

use crate::contain::contained;
use crate::limits::FOOTER_GUESS_BYTES;
use crate::manifest::inconsistent;
use crate::storage::{Object, StorageError, Tail};
use crate::{DataFile, FaultKind, FileFault, TableFinding};

const TAIL_BYTES: u64 = 8;
const MAGIC_BYTES: u64 = 4;

/// A file's footer.
#[derive(Debug)]
pub(crate) struct Footer {
    pub metadata: Arc<ParquetMetaData>,
    /// Where the Parquet file ends in the object, bytes.
    pub end: u64,
    /// Contradictions to the manifest entry.
    pub findings: Vec<TableFinding>,
}

/// Why there is no footer at some end of the file.
enum Refused {
    Store(StorageError),
    Bytes(String),
    Encrypted,
}

/// Reads the footer. Readers of the table go by the manifest's size, so bytes appended behind it change nothing; a
/// manifest with a wrong size is told from a cut file by a footer at the real end.
pub(crate) async fn read(object: &Object, file: &DataFile) -> Result<Footer, FileFault> {
    read_as(object, file, ParquetStatisticsPolicy::SkipAll).await
}

/// The same, with what it claims of the values in each row group.
pub(crate) async fn read_with_statistics(object: &Object, file: &DataFile) -> Result<Footer, FileFault> {
    read_as(object, file, ParquetStatisticsPolicy::KeepAll).await
}

async fn read_as(object: &Object, file: &DataFile, statistics: ParquetStatisticsPolicy) -> Result<Footer, FileFault> {
    let tail =
        object.tail(FOOTER_GUESS_BYTES.min(file.size.max(TAIL_BYTES))).await.map_err(|e| store_fault(&e, file))?;
    let mut ends = vec![tail.size];
    if file.size < tail.size {
        ends.insert(0, file.size);
    }
    let mut reasons = Vec::new();
    for end in ends {
        match footer_at(object, &tail, end, &statistics).await {
            Ok(metadata) => return accept(metadata, end, tail.size, file),
            Err(Refused::Store(source)) => return Err(store_fault(&source, file)),
            Err(Refused::Encrypted) => {
                return Err(whole(file, FaultKind::Unreadable, "the file is encrypted".to_owned()));
            }
            Err(Refused::Bytes(reason)) => reasons.push(reason),
        }
    }
    let size = if tail.size == file.size {
        String::new()
    } else {
        format!("; the file has {} bytes, the manifest says {}", tail.size, file.size)
    };
    Err(whole(file, FaultKind::Corrupt, format!("the footer does not read: {}{size}", reasons.join(", "))))
}

async fn footer_at(
    object: &Object,
    tail: &Tail,
    end: u64,
    statistics: &ParquetStatisticsPolicy,
) -> Result<Arc<ParquetMetaData>, Refused> {
    if end < TAIL_BYTES + MAGIC_BYTES {
        return Err(Refused::Bytes(format!("{end} bytes are no Parquet file")));
    }
    let last = bytes_at(object, tail, end - TAIL_BYTES..end).await?;
    let last: [u8; TAIL_BYTES as usize] =
        last.as_ref().try_into().map_err(|_| Refused::Bytes("short read at the end".to_owned()))?;
    let found = FooterTail::try_new(&last).map_err(|e| Refused::Bytes(text(&e)))?;
    if found.is_encrypted_footer() {
        return Err(Refused::Encrypted);
    }
    let length = found.metadata_length() as u64;
    let start = (end - TAIL_BYTES).checked_sub(length).filter(|start| *start >= MAGIC_BYTES);
    let start = start.ok_or_else(|| Refused::Bytes(format!("a footer of {length} bytes in {end} bytes")))?;
    let bytes = bytes_at(object, tail, start..end - TAIL_BYTES).await?;
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(statistics.clone())
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
    contained(|| ParquetMetaDataReader::decode_metadata_with_options(&bytes, Some(&options)))
        .map_err(|e| Refused::Bytes(e.to_string()))?
        .map(Arc::new)
        .map_err(|e| Refused::Bytes(text(&e)))
}

async fn bytes_at(object: &Object, tail: &Tail, range: Range<u64>) -> Result<Bytes, Refused> {
    let tail_start = tail.size - tail.bytes.len() as u64;
    if range.start >= tail_start {
        let from = (range.start - tail_start) as usize;
        return Ok(tail.bytes.slice(from..from + (range.end - range.start) as usize));
    }
    let read = object.ranges(std::slice::from_ref(&range)).await.map_err(Refused::Store)?;
    read.into_iter().next().ok_or_else(|| Refused::Bytes("short read".to_owned()))
}

/// Holds the footer against itself and against the manifest entry.
fn accept(metadata: Arc<ParquetMetaData>, end: u64, size: u64, file: &DataFile) -> Result<Footer, FileFault> {
    let mut rows = 0_u64;
    for group in metadata.row_groups() {
        let group_rows = u64::try_from(group.num_rows()).ok().and_then(|more| rows.checked_add(more));
        rows =
            group_rows.ok_or_else(|| whole(file, FaultKind::Corrupt, "the footer counts negative rows".to_owned()))?;
    }
    let total = metadata.file_metadata().num_rows();
    if u64::try_from(total) != Ok(rows) {
        let detail = format!("the footer counts {total} rows, its row groups {rows}");
        return Err(whole(file, FaultKind::Corrupt, detail));
    }
    let mut findings = Vec::new();
    if size != file.size {
        let detail = format!("the file has {size} bytes, its manifest entry says {}", file.size);
        findings.push(inconsistent("size_mismatch", &file.path, detail));
    }
    if rows != file.record_count {
        let detail = format!("the file has {rows} rows, its manifest entry says {}", file.record_count);
        findings.push(inconsistent("record_count", &file.path, detail));
    }
    Ok(Footer { metadata, end, findings })
}

/// The fault of a whole file.
pub(crate) fn whole(file: &DataFile, kind: FaultKind, detail: String) -> FileFault {
    FileFault {
        kind,
        path: file.path.clone(),
        row_groups: None,
        rows: Some(file.record_count),
        detail,
        may_pass: false,
    }
}

pub(crate) fn store_fault(error: &StorageError, file: &DataFile) -> FileFault {
    let (kind, detail) = store_failure(error);
    FileFault { may_pass: may_pass(error), ..whole(file, kind, detail) }
}

/// Whether a store that answered so may answer otherwise later.
pub(crate) fn may_pass(error: &StorageError) -> bool {
    matches!(error, StorageError::Store { .. } | StorageError::NoKey { .. })
}

/// What a store's failure says about what was asked of it.
pub(crate) fn store_failure(error: &StorageError) -> (FaultKind, String) {
    match error {
        StorageError::NotFound { .. } => (FaultKind::Missing, "the file is not there".to_owned()),
        StorageError::Store { source, .. } => (FaultKind::Unreadable, format!("the store failed: {source}")),
        StorageError::Contradiction { what, .. } => {
            (FaultKind::Unreadable, format!("the store contradicts itself: {what}"))
        }
        StorageError::NoKey { .. } => (FaultKind::Unreadable, "there is no key for its store".to_owned()),
        StorageError::NoStore { .. } => (FaultKind::Unreadable, "no store is configured for its location".to_owned()),
        StorageError::BadLocation { source, .. } => {
            (FaultKind::Unreadable, format!("its location is not a path of its store: {source}"))
        }
    }
}

/// The words of a Parquet error without the variant's name in front.
pub(crate) fn text(error: &ParquetError) -> String {
    let text = error.to_string();
    text.split_once(": ").map_or(text.clone(), |(_, words)| words.to_owned())
}
