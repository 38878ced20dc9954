//! Partitions whose messages lie in the files out of order, or twice: every message's place, sorted by offset.

use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;

use super::file::{Each, Record, RecordedFile};
use super::index::Index;
use super::kcat::KcatLine;
use super::lines::{Line, is_compressed};
use crate::{TapError, limits};

/// The places of one partition's messages, by ascending offset, each offset once.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    entries: Vec<Entry>,
    /// Messages that were recorded more than once; all but one of each are dropped.
    pub(super) repeated: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: i64,
    at: u64,
    line: u64,
    file: u32,
    bytes: u32,
    content: u64,
}

impl Places {
    /// Gives the messages of an offset range to `each`, ascending.
    pub(super) fn read(
        &self,
        files: &[RecordedFile],
        range: std::ops::Range<i64>,
        each: Each<'_>,
    ) -> Result<ControlFlow<()>, TapError> {
        let from = self.entries.partition_point(|entry| entry.offset < range.start);
        let mut open: Option<(u32, File)> = None;
        let mut buffer = Vec::new();
        let mut parts = KcatLine::default();
        for entry in self.entries[from..].iter().take_while(|entry| entry.offset < range.end) {
            let file = &files[entry.file as usize];
            if open.as_ref().is_none_or(|(number, _)| *number != entry.file) {
                open = Some((entry.file, File::open(&file.path).map_err(|source| file.io(source))?));
            }
            let (_, handle) = open.as_ref().expect("opened above");
            buffer.resize(entry.bytes as usize, 0);
            handle.read_exact_at(&mut buffer, entry.at).map_err(|source| file.io(source))?;
            let line = Line { bytes: &buffer, start: entry.at };
            if file.line(&line, entry.line, &mut parts, each)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Finds the places of all disordered partitions in a second pass over their files; empty for the others.
///
/// # Errors
/// When the file cannot be read from the middle, when there are too many such messages, or when two messages of one
/// offset differ.
pub(super) fn sort(files: &[RecordedFile], index: &mut Index) -> Result<Vec<Places>, TapError> {
    let mut places = vec![Places::default(); index.partitions.len()];
    let mut total = 0;
    for (number, file) in files.iter().enumerate() {
        let holds = |found: &usize| index.partitions[*found].disordered;
        let Some(found) = index.blocks[number].iter().flat_map(|b| &b.spans).map(|(found, ..)| *found).find(holds)
        else {
            continue;
        };
        if is_compressed(&file.path) || file.envelope == validator_core::contract::Envelope::Table {
            let tp = index.partitions[found].tp.clone();
            return Err(TapError::OutOfOrder { path: file.path.clone(), tp });
        }
        let flow = file.scan(None, &mut |record: &Record<'_>| {
            let Some(found) = index.names.find(record.topic, record.partition) else {
                return Ok(ControlFlow::Continue(()));
            };
            if index.partitions[found].disordered {
                total += 1;
                if total > limits::RECORDED_DISORDER_MAX {
                    return Err(TapError::TooDisordered { limit: limits::RECORDED_DISORDER_MAX });
                }
                places[found].entries.push(entry(number, record));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        debug_assert!(flow.is_continue(), "nothing stops the second pass");
    }
    for (found, places) in places.iter_mut().enumerate() {
        places.entries.sort_unstable_by_key(|entry| (entry.offset, entry.file, entry.at));
        let before = places.entries.len();
        let differing = places.entries.windows(2).find(|p| p[0].offset == p[1].offset && p[0].content != p[1].content);
        if let Some(pair) = differing {
            return Err(TapError::Contradiction {
                path: files[pair[1].file as usize].path.clone(),
                line: pair[1].line,
                tp: index.partitions[found].tp.clone(),
                offset: pair[1].offset,
            });
        }
        places.entries.dedup_by_key(|entry| entry.offset);
        places.repeated = (before - places.entries.len()) as u64;
    }
    Ok(places)
}

fn entry(file: usize, record: &Record<'_>) -> Entry {
    let mut content = DefaultHasher::new();
    (record.timestamp_ms, record.key, record.payload).hash(&mut content);
    Entry {
        offset: record.offset,
        at: record.at,
        line: record.line,
        file: u32::try_from(file).expect("bounded by limits"),
        bytes: u32::try_from(record.length).expect("lines are bounded by limits"),
        content: content.finish(),
    }
}
