//! Decoding one row group: bytes to batches of the wanted columns, each counted against the footer.

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelectionPolicy,
};
use std::sync::Arc;

use crate::contain::contained;
use crate::deletes::Mask;
use crate::{FaultKind, FileFault};

use super::chunks::Chunks;
use super::convert::ConvertError;
use super::footer::{may_pass, store_failure};
use super::open::Opened;
use super::{Positions, RowGroupBatch, RowGroupEnd, RowGroupInfo, ScanItem};

/// One row group to read: all of it, or these positions (in the file, ascending, all within the row group).
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub group: RowGroupInfo,
    pub positions: Option<Vec<u64>>,
}

/// A row group that is being decoded.
pub(crate) struct Decoding {
    file: Arc<Opened>,
    chunks: Chunks,
    task: Task,
    reader: Option<ParquetRecordBatchReader>,
    /// Rows that were decoded, deleted ones too: what the footer's count is held against.
    decoded: u64,
    yielded: u64,
}

impl Task {
    /// Its rows that are not deleted.
    pub fn shown(&self, file: &Opened) -> u64 {
        let first = self.group.first_position;
        file.shown.count(first..first.saturating_add(self.group.rows))
    }

    fn wanted(&self) -> u64 {
        self.positions.as_ref().map_or(self.group.rows, |positions| positions.len() as u64)
    }

    /// The end of this row group.
    pub fn end(&self, yielded: u64, fault: Option<FileFault>) -> ScanItem {
        ScanItem::End(RowGroupEnd { row_group: self.group.index, rows: self.group.rows, yielded, fault })
    }

    /// The fault that loses this row group.
    pub fn fault(&self, file: &Opened, kind: FaultKind, detail: String) -> FileFault {
        FileFault {
            kind,
            path: file.path.clone(),
            row_groups: Some(vec![self.group.index]),
            rows: Some(self.shown(file)),
            detail: format!("row group {}: {detail}", self.group.index),
            may_pass: false,
        }
    }

    fn selection(&self) -> Option<RowSelection> {
        let positions = self.positions.as_ref()?;
        let ranges = positions.iter().map(|position| {
            let row = (position - self.group.first_position) as usize;
            row..row + 1
        });
        Some(RowSelection::from_consecutive_ranges(ranges, self.group.rows as usize))
    }
}

impl Decoding {
    pub(crate) fn new(file: Arc<Opened>, chunks: Chunks, task: Task) -> Result<Self, FileFault> {
        let built = contained(|| {
            let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks.clone(), file.arrow.clone())
                .with_row_groups(vec![task.group.index as usize])
                .with_projection(file.mask.clone())
                .with_batch_size(file.batch_rows(task.group.index));
            if let Some(selection) = task.selection() {
                // Masks would decode far more rows at once than a batch has.
                builder =
                    builder.with_row_selection(selection).with_row_selection_policy(RowSelectionPolicy::Selectors);
            }
            builder.build()
        });
        let reader = match built {
            Ok(Ok(reader)) => reader,
            Ok(Err(e)) => return Err(task.fault(&file, FaultKind::Corrupt, super::footer::text(&e))),
            Err(e) => return Err(task.fault(&file, FaultKind::Corrupt, e.to_string())),
        };
        Ok(Self { file, chunks, task, reader: Some(reader), decoded: 0, yielded: 0 })
    }

    /// The next batch that has live rows, then the end; nothing behind it.
    pub(crate) fn next(&mut self) -> Option<ScanItem> {
        let item = loop {
            let reader = self.reader.as_mut()?;
            let read = match contained(|| reader.next()) {
                Err(panicked) => break self.fail(FaultKind::Corrupt, panicked.to_string()),
                Ok(Some(Err(error))) => break self.decode_failed(&error),
                Ok(Some(Ok(read))) => read,
                Ok(None) if self.decoded == self.task.wanted() => break self.task.end(self.yielded, None),
                Ok(None) => {
                    let detail = format!("{} of {} rows are there", self.decoded, self.task.wanted());
                    break self.fail(FaultKind::Corrupt, detail);
                }
            };
            if let Some(item) = self.batch(&read) {
                break item;
            }
        };
        if matches!(item, ScanItem::End(_)) {
            self.reader = None;
        }
        Some(item)
    }

    /// The live rows of a batch; none where all of them are deleted.
    fn batch(&mut self, read: &RecordBatch) -> Option<ScanItem> {
        let decoded = read.num_rows();
        if self.decoded + decoded as u64 > self.task.wanted() {
            let detail = format!("more rows than the {} of the footer", self.task.wanted());
            return Some(self.fail(FaultKind::Corrupt, detail));
        }
        let positions = self.positions(decoded);
        self.decoded += decoded as u64;
        // Deleted rows go before anything is converted: what they hold is no matter of the table.
        let mask = match &positions {
            Positions::From(first) => self.file.shown.mask(*first, decoded),
            Positions::Listed(_) => Mask::All,
        };
        Some(match mask {
            Mask::Nothing => return None,
            Mask::All => self.convert(read, positions),
            Mask::Some(keep, listed) => match contained(|| filter_record_batch(read, &keep)) {
                Ok(Ok(live)) => self.convert(&live, Positions::Listed(listed)),
                Ok(Err(error)) => self.fail(FaultKind::Corrupt, error.to_string()),
                Err(panicked) => self.fail(FaultKind::Corrupt, panicked.to_string()),
            },
        })
    }

    fn convert(&mut self, read: &RecordBatch, positions: Positions) -> ScanItem {
        let rows = read.num_rows();
        // Conversion runs kernels over bytes that may be anything: contained like the decoding.
        let columns = contained(|| {
            self.file.plans.iter().map(|plan| plan.apply(read.columns(), rows)).collect::<Result<Vec<_>, _>>()
        });
        let columns = match columns {
            Ok(Ok(columns)) => columns,
            Ok(Err(ConvertError::Corrupt(detail))) => return self.fail(FaultKind::Corrupt, detail),
            Ok(Err(ConvertError::Unreadable(detail))) => return self.fail(FaultKind::Unreadable, detail),
            Err(panicked) => return self.fail(FaultKind::Corrupt, panicked.to_string()),
        };
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        match RecordBatch::try_new_with_options(Arc::clone(&self.file.schema), columns, &options) {
            Err(error) => self.fail(FaultKind::Corrupt, error.to_string()),
            Ok(batch) => {
                self.yielded += rows as u64;
                ScanItem::Rows(RowGroupBatch { row_group: self.task.group.index, positions, batch })
            }
        }
    }

    fn positions(&self, rows: usize) -> Positions {
        match &self.task.positions {
            None => Positions::From(self.task.group.first_position + self.decoded),
            Some(listed) => {
                let from = self.decoded as usize;
                Positions::Listed(listed[from..from + rows].to_vec())
            }
        }
    }

    fn decode_failed(&self, error: &ArrowError) -> ScanItem {
        if let Some(failure) = self.chunks.store_failure() {
            let (kind, detail) = store_failure(&failure);
            let fault = self.task.fault(&self.file, kind, detail);
            return self.task.end(self.yielded, Some(FileFault { may_pass: may_pass(&failure), ..fault }));
        }
        let text = match error {
            ArrowError::ParquetError(text) => text.split_once(": ").map_or(text.as_str(), |(_, words)| words),
            _ => &error.to_string(),
        };
        // Text beyond 2 GiB in one batch: our arrays' limit, not the file's fault.
        let kind = if text.contains("index overflow") { FaultKind::Unreadable } else { FaultKind::Corrupt };
        self.fail(kind, text.to_owned())
    }

    fn fail(&self, kind: FaultKind, detail: String) -> ScanItem {
        self.task.end(self.yielded, Some(self.task.fault(&self.file, kind, detail)))
    }
}
