//! Messages recorded as rows of Parquet files, envelope `none`: the columns are the fields.
//!
//! Contract: partition = index of the file in sorted order, offset = position of the row in its file. Files are opened by
//! their footers alone; rows go on in batches of columns, without a payload between. A page that cannot be read ends its
//! file at the row before: what follows is not delivered, and the read says why.

mod conform;
mod types;

use std::collections::VecDeque;
use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelectionPolicy,
};
use validator_core::convert;
use validator_core::hole::{Hole, HoleReason};
use validator_core::position::{PartitionIndex, TopicPartition};
use validator_core::schema::Type;

use self::conform::{Lost, conform};
use crate::bounds::Edges;
use crate::recorded::{RecordedConfig, find_paths, whole};
use crate::{
    Decoded, Message, PartitionEnd, PartitionRange, ReadEnd, RowBatch, RowFields, RowSource, Tap, TapError, Wanted,
    limits,
};

/// A recorded source of rows.
#[derive(Debug)]
pub struct RowsTap {
    partitions: Vec<PartitionRange>,
    files: Vec<RowFile>,
    columns: Vec<(String, Type)>,
    timestamp: Option<String>,
}

/// One file by its footer.
#[derive(Debug)]
struct RowFile {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    /// Name, type and root column of each field.
    columns: Vec<(String, Type, usize)>,
    rows: i64,
}

impl RowsTap {
    /// Reads the footers and resolves the ranges; reads the timestamps too where a bound is a time.
    ///
    /// # Errors
    /// When no file is there, a footer cannot be read, a column has no type here, or two files write a field in types
    /// that have none in common.
    pub fn open(config: &RecordedConfig) -> Result<Self, TapError> {
        let files = find_paths(config)?.into_iter().map(RowFile::open).collect::<Result<Vec<_>, _>>()?;
        let columns = columns_of(&files)?;
        let timestamp = config.source.timestamp.clone();
        if let Some(field) = &timestamp {
            check_timestamp(field, &columns, &files)?;
        }
        let mut tap = Self { partitions: Vec::new(), files, columns, timestamp };
        let topic = config.topics.first().cloned().unwrap_or_default();
        let numbers: Vec<i32> = (0..tap.files.len() as i32).collect();
        config.bounds.check_partitions(&topic, &numbers)?;
        let times = config.bounds.times();
        for number in numbers {
            let file = &tap.files[number as usize];
            let first = tap.first_at(file, &times)?;
            let tp = TopicPartition { topic: topic.clone(), partition: number };
            let edges = Edges { log_start: 0, last_stable: file.rows, high_watermark: file.rows, untrimmed: true };
            let at = |ms: i64| first[times.binary_search(&ms).ok()?];
            tap.partitions.push(config.bounds.range(tp, edges, &at)?);
        }
        Ok(tap)
    }

    /// The first row at or after each of the times.
    fn first_at(&self, file: &RowFile, times: &[i64]) -> Result<Vec<Option<i64>>, TapError> {
        let mut first = vec![None; times.len()];
        if times.is_empty() || self.timestamp.is_none() {
            return Ok(first);
        }
        let nothing = RowFields::new(&[], Default::default()).expect("no field is there twice");
        let ask = Ask { fields: &nothing, timestamp: self.timestamp.as_deref(), counts_unknown: false };
        let flow = file.read(std::slice::from_ref(&(0..file.rows)), &ask, &mut |offsets, stamps, _| {
            for (offset, ms) in offsets.iter().zip(stamps) {
                let Some(ms) = ms else { continue };
                for (time, at) in times.iter().zip(&mut first) {
                    if at.is_none() && ms >= *time {
                        *at = Some(*offset);
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        debug_assert!(flow.is_continue(), "nothing stops the look at the timestamps");
        Ok(first)
    }
}

/// The fields of all files, each of the type that holds what any of them writes.
fn columns_of(files: &[RowFile]) -> Result<Vec<(String, Type)>, TapError> {
    let mut columns: Vec<(String, Type)> = Vec::new();
    for file in files {
        for (name, ty, _) in &file.columns {
            match columns.iter_mut().find(|(known, _)| known == name) {
                None => columns.push((name.clone(), ty.clone())),
                Some((_, known)) => match types::common(known, ty) {
                    Some(common) => *known = common,
                    None => return Err(file.refuse(format!("column {name} is {ty} here and {known} in other files"))),
                },
            }
        }
    }
    Ok(columns)
}

fn check_timestamp(field: &str, columns: &[(String, Type)], files: &[RowFile]) -> Result<(), TapError> {
    use Type::{Int, Long, Timestamp, TimestampNs, Timestamptz, TimestamptzNs};
    let refuse = |what: String| match files.first() {
        Some(file) => Err(file.refuse(what)),
        None => Ok(()),
    };
    match columns.iter().find(|(name, _)| name == field) {
        None => refuse(format!("there is no column {field} to take timestamps from")),
        Some((_, Int | Long | Timestamp | Timestamptz | TimestampNs | TimestamptzNs)) => Ok(()),
        Some((_, ty)) => refuse(format!("column {field} is {ty}: timestamps are instants or whole milliseconds")),
    }
}

/// What is read of a file.
struct Ask<'a> {
    fields: &'a RowFields,
    timestamp: Option<&'a str>,
    /// Whether columns that nobody wants are looked at, to say that they are there.
    counts_unknown: bool,
}

/// Takes the offsets, timestamps and fields of a batch.
type EachRows<'a> = &'a mut dyn FnMut(Vec<i64>, Vec<Option<i64>>, Decoded) -> ControlFlow<()>;

impl RowFile {
    fn open(path: PathBuf) -> Result<Self, TapError> {
        let handle = File::open(&path).map_err(|source| TapError::File { path: path.clone(), source })?;
        // The types of the Parquet schema itself: no writer's hint makes dictionaries or views of them.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&handle, options)
            .map_err(|source| TapError::Parquet { path: path.clone(), source })?;
        let mut file = Self { path, metadata, columns: Vec::new(), rows: 0 };
        let groups = file.metadata.metadata().row_groups().iter();
        let mut rows = groups.map(|group| u64::try_from(group.num_rows()).ok());
        let rows = rows.try_fold(0_u64, |sum, rows| sum.checked_add(rows?)).and_then(|rows| i64::try_from(rows).ok());
        file.rows = rows.ok_or_else(|| file.refuse("its row groups have no sensible number of rows".to_owned()))?;
        let columns = types::fields(file.metadata.schema(), file.metadata.parquet_schema());
        file.columns = columns.map_err(|what| file.refuse(what))?;
        Ok(file)
    }

    fn refuse(&self, what: String) -> TapError {
        TapError::Record { path: self.path.clone(), line: 0, what }
    }

    fn failed(&self, source: parquet::errors::ParquetError) -> TapError {
        TapError::Parquet { path: self.path.clone(), source }
    }

    /// Reads ascending, disjoint ranges of rows.
    fn read(&self, ranges: &[Range<i64>], ask: &Ask<'_>, each: EachRows<'_>) -> Result<ControlFlow<()>, TapError> {
        let handle = File::open(&self.path).map_err(|source| TapError::File { path: self.path.clone(), source })?;
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), self.roots(ask));
        let mut first = 0;
        for (number, group) in self.metadata.metadata().row_groups().iter().enumerate() {
            let end = first + group.num_rows();
            let inside: Vec<Range<i64>> = ranges
                .iter()
                .map(|range| range.start.max(first)..range.end.min(end))
                .filter(|range| range.start < range.end)
                .collect();
            if !inside.is_empty()
                && self.read_group((number, first..end), &inside, &handle, &mask, ask, each)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            first = end;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads ranges of one row group, given by its number and the rows of the file that it holds.
    fn read_group(
        &self,
        (number, rows): (usize, Range<i64>),
        ranges: &[Range<i64>],
        handle: &File,
        mask: &ProjectionMask,
        ask: &Ask<'_>,
        each: EachRows<'_>,
    ) -> Result<ControlFlow<()>, TapError> {
        let handle = handle.try_clone().map_err(|source| TapError::File { path: self.path.clone(), source })?;
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(handle, self.metadata.clone())
            .with_row_groups(vec![number])
            .with_batch_size(limits::RECORDED_ROWS)
            .with_projection(mask.clone());
        if ranges != [rows.clone()] {
            let within = |row: i64| usize::try_from(row - rows.start).expect("inside the row group");
            let local = ranges.iter().map(|range| within(range.start)..within(range.end));
            let total = within(rows.end);
            // Masks would decode far more rows at once than a batch has.
            builder = builder
                .with_row_selection(RowSelection::from_consecutive_ranges(local, total))
                .with_row_selection_policy(RowSelectionPolicy::Selectors);
        }
        let mut left = VecDeque::from(ranges.to_vec());
        let reader = builder.build().map_err(|source| self.failed(source))?;
        for batch in reader {
            let batch = batch.map_err(|source| self.failed(source.into()))?;
            let of_batch = take_offsets(&mut left, batch.num_rows());
            if of_batch.len() != batch.num_rows() {
                return Err(self.refuse(format!("row group {number} holds more rows than its footer says")));
            }
            let stamps = self.timestamps(&batch, ask);
            if each(of_batch, stamps, self.decoded(&batch, ask)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        match left.is_empty() {
            true => Ok(ControlFlow::Continue(())),
            false => Err(self.refuse(format!("row group {number} holds fewer rows than its footer says"))),
        }
    }

    fn timestamps(&self, batch: &RecordBatch, ask: &Ask<'_>) -> Vec<Option<i64>> {
        let column = ask.timestamp.and_then(|wanted| {
            let (name, ty, _) = self.columns.iter().find(|(name, ..)| name == wanted)?;
            Some(conform(batch.column_by_name(name)?, ty, &mut Vec::new()))
        });
        match column {
            Some(column) => (0..batch.num_rows()).map(|row| whole(Some(&column), row)).collect(),
            None => vec![None; batch.num_rows()],
        }
    }

    /// The root columns to read.
    fn roots(&self, ask: &Ask<'_>) -> Vec<usize> {
        let is_read = |name: &String| {
            let wanted = ask.fields.fields().iter().any(|field| field.name == *name);
            wanted || ask.timestamp == Some(name.as_str()) || (ask.counts_unknown && !ask.fields.is_dropped(name))
        };
        self.columns.iter().filter(|(name, ..)| is_read(name)).map(|(_, _, root)| *root).collect()
    }

    fn decoded(&self, batch: &RecordBatch, ask: &Ask<'_>) -> Decoded {
        let rows = batch.num_rows();
        let mut decoded = Decoded { rows, ..Decoded::default() };
        let mut marks: Vec<(usize, usize, String)> = Vec::new();
        for (index, field) in ask.fields.fields().iter().enumerate() {
            let of_file = self.columns.iter().find(|(name, ..)| *name == field.name);
            let column = of_file.and_then(|(name, ty, _)| Some((ty, batch.column_by_name(name)?)));
            let Some((ty, array)) = column else {
                decoded.columns.push(new_null_array(&field.ty.to_arrow(), rows));
                continue;
            };
            let (array, inexact) = of_type(array, ty, &field.ty);
            marks.extend(inexact.into_iter().map(|(row, text)| (row, index, text)));
            decoded.columns.push(array);
        }
        marks.sort();
        decoded.inexact = marks;
        if ask.counts_unknown {
            self.note_unknown(batch, ask, &mut decoded);
        }
        decoded
    }

    fn note_unknown(&self, batch: &RecordBatch, ask: &Ask<'_>, decoded: &mut Decoded) {
        for (name, ..) in &self.columns {
            if ask.fields.fields().iter().any(|field| field.name == *name) || ask.fields.is_dropped(name) {
                continue;
            }
            let Some(column) = batch.column_by_name(name).filter(|column| column.null_count() < column.len()) else {
                continue;
            };
            let there = (0..column.len()).filter(|row| column.is_valid(*row)).collect();
            decoded.unknown_fields.insert(name.clone(), there);
        }
    }
}

/// The next so many offsets of ranges that are not empty, as far as there are any.
fn take_offsets(ranges: &mut VecDeque<Range<i64>>, count: usize) -> Vec<i64> {
    let mut taken = Vec::with_capacity(count);
    while taken.len() < count
        && let Some(range) = ranges.front_mut()
    {
        let end = range.end.min(range.start.saturating_add((count - taken.len()) as i64));
        taken.extend(range.start..end);
        range.start = end;
        if range.is_empty() {
            ranges.pop_front();
        }
    }
    taken
}

/// A column of a file in the type of its field, and the rows whose value that cannot hold.
fn of_type(array: &ArrayRef, from: &Type, to: &Type) -> (ArrayRef, Vec<(usize, String)>) {
    let mut lost = Vec::new();
    let array = conform(array, from, &mut lost);
    let mut inexact: Vec<(usize, String)> = lost.into_iter().map(Lost::into_mark).collect();
    if from == to {
        return (array, inexact);
    }
    let converted = convert::convert(&array, from, to);
    inexact.extend(converted.inexact);
    inexact.extend(converted.failed);
    (converted.array, inexact)
}

impl RowSource for RowsTap {
    fn columns(&self) -> &[(String, Type)] {
        &self.columns
    }

    fn read_rows(
        &self,
        wanted: &[Wanted],
        fields: &RowFields,
        each: &mut dyn FnMut(RowBatch) -> ControlFlow<()>,
    ) -> Result<ReadEnd, TapError> {
        let ask = Ask { fields, timestamp: self.timestamp.as_deref(), counts_unknown: true };
        let mut end = ReadEnd::default();
        for (partition, ranges) in wanted {
            let first = ranges.first().map_or(0, |range| range.start);
            let last = ranges.last().map_or(0, |range| range.end);
            let mut reached = first;
            let mut failure = None;
            if !end.stopped {
                let file = &self.files[self.partitions[partition.0 as usize].tp.partition as usize];
                let outcome = file.read(ranges, &ask, &mut |offsets, timestamps_ms, decoded| {
                    reached = offsets.last().map_or(reached, |last| last + 1);
                    each(RowBatch { partition: *partition, offsets, timestamps_ms, decoded })
                });
                match outcome {
                    Ok(ControlFlow::Continue(())) => reached = last,
                    Ok(ControlFlow::Break(())) => end.stopped = true,
                    Err(error) => failure = Some(Arc::new(error)),
                }
            }
            end.partitions.push(PartitionEnd { partition: *partition, position: reached, failure });
        }
        Ok(end)
    }
}

impl Tap for RowsTap {
    fn partitions(&self) -> &[PartitionRange] {
        &self.partitions
    }

    /// The positions and timestamps of the rows: they have no payloads.
    fn read(
        &self,
        wanted: &[Wanted],
        each: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>,
    ) -> Result<ReadEnd, TapError> {
        let nothing = RowFields::new(&[], self.columns.iter().map(|(name, _)| name.clone()).collect())
            .expect("no field is there twice");
        self.read_rows(wanted, &nothing, &mut |batch| {
            for (offset, timestamp_ms) in batch.offsets.iter().zip(&batch.timestamps_ms) {
                let message =
                    Message { timestamp_ms: *timestamp_ms, ..Message::of_payload(batch.partition, *offset, Some(&[])) };
                if each(&message).is_break() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })
    }

    fn explain(&self, gaps: &[(PartitionIndex, Range<i64>)]) -> Result<Vec<(PartitionIndex, Hole)>, TapError> {
        let hole = |range: &Range<i64>| Hole { from: range.start, to: range.end, reason: HoleReason::Unknown };
        Ok(gaps.iter().map(|(partition, range)| (*partition, hole(range))).collect())
    }

    fn compacted(&self, _topic: &str) -> Option<bool> {
        None
    }

    fn rows(&self) -> Option<&dyn RowSource> {
        Some(self)
    }
}
