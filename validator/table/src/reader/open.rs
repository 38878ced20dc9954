//! Opening a file: footer, columns by field id, and what each row group's columns weigh.

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{Schema as ArrowSchema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use validator_core::schema::Field;

use crate::contain::contained;
use crate::deletes::{FileDeletes, Shown};
use crate::limits::{BATCH_COLUMN_BYTES, BATCH_ROWS};
use crate::storage::{Object, Storage};
use crate::{DataFile, FaultKind, FileFault, FileFormat, TableFinding};

use super::evolve::{Absent, ColumnPlan, plan};
use super::footer::{self, store_fault, whole};
use super::nodes::{arrow_schema, nodes};
use super::{ReadContext, RowGroupInfo};

/// An opened file: everything that its row groups are read with.
#[derive(Debug)]
pub(crate) struct Opened {
    pub path: String,
    pub object: Object,
    pub storage: Arc<Storage>,
    /// Where the Parquet file ends in the object.
    pub end: u64,
    pub arrow: ArrowReaderMetadata,
    pub mask: ProjectionMask,
    pub plans: Vec<ColumnPlan>,
    pub schema: SchemaRef,
    pub row_groups: Vec<RowGroupInfo>,
    pub findings: Vec<TableFinding>,
    /// The rows that are read.
    pub shown: Shown,
    leaves: Vec<usize>,
}

pub(crate) async fn open(
    context: &ReadContext,
    file: &DataFile,
    wanted: &[Field],
    deletes: &FileDeletes,
) -> Result<Opened, FileFault> {
    if file.format != FileFormat::Parquet {
        return Err(whole(file, FaultKind::Unreadable, format!("data files of format {} are not read", file.format)));
    }
    let object = context.storage.object(&file.path).map_err(|e| store_fault(&e, file))?;
    let footer = footer::read(&object, file).await?;
    let resolved = contained(|| resolve(context, file, wanted, &footer.metadata));
    let (arrow, plans, leaves) = match resolved {
        Ok(Ok(resolved)) => resolved,
        Ok(Err(reason)) => return Err(whole(file, FaultKind::Unreadable, reason)),
        Err(panicked) => return Err(whole(file, FaultKind::Corrupt, panicked.to_string())),
    };
    let columns = wanted.iter().map(|field| field.to_arrow().with_nullable(true)).collect::<Vec<_>>();
    let mut opened = Opened {
        path: file.path.clone(),
        object,
        storage: Arc::clone(&context.storage),
        end: footer.end,
        mask: ProjectionMask::leaves(arrow.parquet_schema(), leaves.iter().copied()),
        arrow,
        plans,
        schema: Arc::new(ArrowSchema::new(columns)),
        row_groups: Vec::new(),
        findings: footer.findings,
        shown: deletes.shown.clone(),
        leaves,
    };
    opened.refuse_codecs().map_err(|reason| whole(file, FaultKind::Unreadable, reason))?;
    opened.row_groups = opened.list_row_groups();
    let rows = opened.row_groups.iter().map(|group| group.rows).sum();
    opened.findings.extend(deletes.out_of_range(file, rows));
    Ok(opened)
}

type Resolved = (ArrowReaderMetadata, Vec<ColumnPlan>, Vec<usize>);

fn resolve(
    context: &ReadContext,
    file: &DataFile,
    wanted: &[Field],
    metadata: &Arc<ParquetMetaData>,
) -> Result<Resolved, String> {
    let schema = arrow_schema(metadata.file_metadata().schema_descr()).map_err(|e| footer::text(&e))?;
    let nodes = nodes(&schema, context.name_mapping.as_ref())?;
    let absent = Absent { identity: file.identity_values(), defaults: &context.defaults };
    let (plans, leaves) = plan(wanted, &nodes, &absent)?;
    let options = ArrowReaderOptions::new().with_schema(schema);
    let arrow = ArrowReaderMetadata::try_new(Arc::clone(metadata), options).map_err(|e| footer::text(&e))?;
    Ok((arrow, plans, leaves.into_iter().collect()))
}

impl Opened {
    fn chunks(&self, group: u32) -> impl Iterator<Item = &ColumnChunkMetaData> {
        let group = self.arrow.metadata().row_group(group as usize);
        self.leaves.iter().map(move |leaf| group.column(*leaf))
    }

    /// Where the wanted columns of a row group lie.
    ///
    /// # Errors
    /// A sentence, when the footer places one outside of the file.
    pub(crate) fn ranges(&self, group: u32) -> Result<Vec<Range<u64>>, String> {
        self.chunks(group).map(|chunk| self.range(chunk)).collect()
    }

    fn range(&self, chunk: &ColumnChunkMetaData) -> Result<Range<u64>, String> {
        let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
        let range = u64::try_from(start).ok().zip(u64::try_from(chunk.compressed_size()).ok());
        let range = range.and_then(|(start, length)| Some(start..start.checked_add(length)?));
        range.filter(|range| range.end <= self.end).ok_or_else(|| {
            let (name, size, end) = (chunk.column_path(), chunk.compressed_size(), self.end);
            format!("the footer places {size} bytes of column {name} at {start}, the file ends at {end}")
        })
    }

    /// Rows of a batch: fewer than usual where values are huge. A dictionary holds a value once that many rows have, so
    /// that the writer's count of decoded bytes goes before the size of the chunk where it is larger; a lie changes the
    /// length of batches and nothing else.
    pub(crate) fn batch_rows(&self, group: u32) -> usize {
        let rows = u64::try_from(self.arrow.metadata().row_group(group as usize).num_rows()).unwrap_or(0).max(1);
        let decoded = |chunk: &ColumnChunkMetaData| {
            let bytes = chunk.unencoded_byte_array_data_bytes().unwrap_or(0).max(chunk.uncompressed_size());
            u64::try_from(bytes).unwrap_or(0)
        };
        let widest = self.chunks(group).map(decoded).max();
        let row_bytes = widest.unwrap_or(0).div_ceil(rows).max(1);
        usize::try_from(BATCH_COLUMN_BYTES / row_bytes).unwrap_or(BATCH_ROWS).clamp(1, BATCH_ROWS)
    }

    fn refuse_codecs(&self) -> Result<(), String> {
        let groups = 0..self.arrow.metadata().num_row_groups() as u32;
        match groups.flat_map(|group| self.chunks(group)).find(|chunk| chunk.compression() == Compression::LZO) {
            Some(chunk) => Err(format!("column {} is compressed with LZO", chunk.column_path())),
            None => Ok(()),
        }
    }

    fn list_row_groups(&self) -> Vec<RowGroupInfo> {
        let mut first_position = 0;
        let groups = self.arrow.metadata().row_groups().iter().zip(0_u32..);
        groups
            .map(|(group, index)| {
                let rows = u64::try_from(group.num_rows()).unwrap_or(0);
                let bytes = self.chunks(index).map(|chunk| u64::try_from(chunk.compressed_size()).unwrap_or(0)).sum();
                let info = RowGroupInfo { index, first_position, rows, bytes };
                first_position += rows;
                info
            })
            .collect()
    }
}
