//! Reading one Parquet data file by field id, row group by row group.
//!
//! Contract: batches come in file order, at most 8,192 rows each, with exactly the Arrow types of
//! `Type::to_arrow` and in the wanted order; every row group ends with one [`RowGroupEnd`] that says whether all its
//! rows were read.

mod chunks;
mod claims;
mod convert;
mod evolve;
pub(crate) mod footer;
mod nodes;
mod open;
mod rows;
mod scan;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::stream::BoxStream;
use iceberg::spec::{Literal, NameMapping};
use validator_core::schema::Field;

use crate::deletes::FileDeletes;
use crate::{DataFile, FileFault, Storage, TableFinding};

pub use claims::Claims;
use open::Opened;
use rows::Task;
pub use scan::Unread;

/// An opened data file: footer read, columns resolved. Cheap to clone; each scan is independent.
#[derive(Debug, Clone)]
pub struct FileReader {
    opened: Arc<Opened>,
}

/// What every file of a pinned snapshot is read with.
#[derive(Debug)]
pub(crate) struct ReadContext {
    pub storage: Arc<Storage>,
    /// `schema.name-mapping.default`.
    pub name_mapping: Option<NameMapping>,
    /// Initial defaults by field id.
    pub defaults: HashMap<i32, Literal>,
}

/// One row group, as the footer tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowGroupInfo {
    /// Its index in the file.
    pub index: u32,
    /// The position of its first row in the file.
    pub first_position: u64,
    /// Its rows.
    pub rows: u64,
    /// Compressed bytes of the columns that are read.
    pub bytes: u64,
}

/// Which row groups to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RowGroups {
    /// All.
    #[default]
    All,
    /// Only these.
    Only(BTreeSet<u32>),
    /// All but these.
    Except(BTreeSet<u32>),
}

/// What a scan yields.
#[derive(Debug, Clone)]
pub enum ScanItem {
    /// Rows.
    Rows(RowGroupBatch),
    /// A row group has ended; when `fault` is set, all its rows are lost, also those already yielded.
    End(RowGroupEnd),
}

/// Rows of one row group.
#[derive(Debug, Clone)]
pub struct RowGroupBatch {
    /// The row group.
    pub row_group: u32,
    /// Where the rows stand in the file.
    pub positions: Positions,
    /// The rows: the wanted columns in their order. Columns are nullable here whatever the table says.
    pub batch: RecordBatch,
}

/// Positions of a batch's rows in their file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Positions {
    /// Row `i` stands at this plus `i`.
    From(u64),
    /// One position for each row, ascending.
    Listed(Vec<u64>),
}

/// The end of one row group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowGroupEnd {
    /// The row group.
    pub row_group: u32,
    /// Its rows, as the footer says, deleted ones too.
    pub rows: u64,
    /// Rows of it that this scan has yielded.
    pub yielded: u64,
    /// Why the row group is lost, if it is.
    pub fault: Option<FileFault>,
}

impl Positions {
    /// The position of the batch's `row`.
    pub fn get(&self, row: usize) -> u64 {
        match self {
            Positions::From(first) => first + row as u64,
            Positions::Listed(listed) => listed[row],
        }
    }
}

impl RowGroups {
    /// Whether the row group is to be read.
    pub fn contains(&self, index: u32) -> bool {
        match self {
            RowGroups::All => true,
            RowGroups::Only(only) => only.contains(&index),
            RowGroups::Except(except) => !except.contains(&index),
        }
    }
}

impl FileReader {
    pub(crate) async fn open(
        context: &ReadContext,
        file: &DataFile,
        wanted: &[Field],
        deletes: &FileDeletes,
    ) -> Result<Self, FileFault> {
        Ok(Self { opened: Arc::new(open::open(context, file, wanted, deletes).await?) })
    }

    /// The schema of every batch: the wanted columns, all nullable.
    pub fn schema(&self) -> &SchemaRef {
        &self.opened.schema
    }

    /// The file's row groups in order.
    pub fn row_groups(&self) -> &[RowGroupInfo] {
        &self.opened.row_groups
    }

    /// Rows of the file, as its footer says, deleted ones too.
    pub fn rows(&self) -> u64 {
        self.row_groups().iter().map(|group| group.rows).sum()
    }

    /// Where the file contradicts its manifest entry though its rows can be read: size, number of rows.
    pub fn findings(&self) -> &[TableFinding] {
        &self.opened.findings
    }

    /// Reads row groups in file order, without the rows that the table's deletes take away. A row group that cannot be read ends with its fault and the next one follows.
    /// Dropping the stream ends the reading. Decoding happens as the stream is polled.
    pub fn scan(&self, row_groups: &RowGroups) -> BoxStream<'static, ScanItem> {
        self.unread(row_groups).stream()
    }

    /// The same for several streams that share the row groups.
    pub fn unread(&self, row_groups: &RowGroups) -> Unread {
        let wanted = self.row_groups().iter().filter(|group| row_groups.contains(group.index));
        Unread::new(Arc::clone(&self.opened), wanted.map(|group| Task { group: *group, positions: None }).collect())
    }

    /// Reads exactly the rows at these positions (ascending, unique, each below [`FileReader::rows`]), in their order, as
    /// far as they are not deleted.
    /// A row group that cannot be read ends with its fault, as in [`FileReader::scan`].
    ///
    /// # Panics
    /// When the positions are not ascending and unique or one lies behind the last row.
    pub fn rows_at(&self, positions: &[u64]) -> BoxStream<'static, ScanItem> {
        self.unread_at(positions, &RowGroups::All).stream()
    }

    /// The same for several streams that share the row groups, and only in these row groups.
    ///
    /// # Panics
    /// As [`FileReader::rows_at`].
    pub fn unread_at(&self, positions: &[u64], row_groups: &RowGroups) -> Unread {
        assert!(positions.is_sorted_by(|a, b| a < b), "positions must be ascending and unique");
        assert!(positions.last().is_none_or(|last| *last < self.rows()), "a position lies behind the last row");
        let mut rest = positions;
        let mut tasks = Vec::new();
        for group in self.row_groups() {
            let end = group.first_position + group.rows;
            let (here, behind) = rest.split_at(rest.partition_point(|position| *position < end));
            rest = behind;
            if !row_groups.contains(group.index) {
                continue;
            }
            let shown = &self.opened.shown;
            let here: Vec<u64> = here.iter().copied().filter(|position| shown.contains(*position)).collect();
            if !here.is_empty() {
                tasks.push(Task { group: *group, positions: Some(here) });
            }
        }
        Unread::new(Arc::clone(&self.opened), tasks)
    }
}
