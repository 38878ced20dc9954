//! A position delete file: rows of `file_path` and `pos`, by their reserved field ids.
//!
//! Contract: the rows are a set. Their order and copies mean nothing; a row without path or position makes the whole
//! file unreadable, and a negative position, which no row can have, is told.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use futures::StreamExt;
use iceberg::spec::{MappedField, NameMapping};
use roaring::RoaringTreemap;
use validator_core::schema::{Field, Type};

use crate::limits::{DELETE_ROWS_PER_LOOK, DELETES_OF_FILE_BYTES_MAX};
use crate::manifest::inconsistent;
use crate::reader::footer::whole;
use crate::reader::{FileReader, ReadContext, RowGroups, ScanItem};
use crate::storage::canonical_location;
use crate::{DataFile, FaultKind};

use super::plan::DeleteFile;
use super::{FileDeletes, Loaded, Unknown};

/// Reserved field ids (specification, "Reserved Field IDs").
const PATH_ID: i32 = 2_147_483_546;
const POSITION_ID: i32 = 2_147_483_545;

/// For delete files without field ids.
pub(crate) fn name_mapping() -> NameMapping {
    let field = |id, name: &str| MappedField::new(Some(id), vec![name.to_owned()], Vec::new());
    NameMapping::new(vec![field(PATH_ID, "file_path"), field(POSITION_ID, "pos")])
}

/// Reads all of it.
///
/// # Errors
/// Any part of it cannot be read.
pub(crate) async fn read(context: &ReadContext, delete: &DeleteFile) -> Result<Loaded, Unknown> {
    let file = &delete.file;
    let field = |id, name: &str, ty| Field { id, name: name.to_owned(), required: false, ty };
    let wanted = [field(PATH_ID, "file_path", Type::String), field(POSITION_ID, "pos", Type::Long)];
    let reader = FileReader::open(context, file, &wanted, &FileDeletes::default()).await.map_err(Unknown::of_fault)?;
    let mut rows = Rows::default();
    let mut items = reader.scan(&RowGroups::All);
    while let Some(item) = items.next().await {
        match item {
            ScanItem::Rows(group) => rows.add(&group.batch).map_err(|detail| broken(file, detail))?,
            ScanItem::End(end) => {
                if let Some(fault) = end.fault {
                    return Err(Unknown::of_fault(fault));
                }
            }
        }
        if rows.unlooked >= DELETE_ROWS_PER_LOOK {
            rows.check_bytes(file)?;
        }
    }
    rows.check_bytes(file)?;
    let mut loaded = Loaded { by_path: rows.by_path(), findings: reader.findings().to_vec() };
    if rows.negative > 0 {
        let detail = format!("{} of its rows have a negative position, which deletes nothing", rows.negative);
        loaded.findings.push(inconsistent("delete_out_of_range", &file.path, detail));
    }
    if let Some(referenced) = &delete.referenced {
        let others = loaded.by_path.keys().filter(|path| *path != referenced).count();
        if others > 0 {
            let detail = format!(
                "its manifest entry says that it deletes rows of {referenced} only, and it names {others} other data files"
            );
            loaded.findings.push(inconsistent("delete_target", &file.path, detail));
        }
    }
    Ok(loaded)
}

fn broken(file: &DataFile, detail: String) -> Unknown {
    Unknown::of_fault(whole(file, FaultKind::Corrupt, detail))
}

#[derive(Default)]
struct Rows {
    sets: Vec<(String, RoaringTreemap)>,
    /// Places in `sets` by the path as it is written.
    places: HashMap<String, usize>,
    read: u64,
    negative: u64,
    unlooked: u64,
}

impl Rows {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), String> {
        let paths = batch.column(0).as_string::<i32>();
        let positions = batch.column(1).as_primitive::<Int64Type>();
        let mut current: Option<(&str, usize)> = None;
        for row in 0..batch.num_rows() {
            if paths.is_null(row) || positions.is_null(row) {
                let number = self.read + row as u64;
                return Err(format!(
                    "its row {number} has no {}",
                    if paths.is_null(row) { "path" } else { "position" }
                ));
            }
            let path = paths.value(row);
            let place = match current {
                Some((last, place)) if last == path => place,
                _ => self.place(path),
            };
            current = Some((path, place));
            match u64::try_from(positions.value(row)) {
                Ok(position) => {
                    self.sets[place].1.insert(position);
                }
                Err(_) => self.negative += 1,
            }
        }
        self.read += batch.num_rows() as u64;
        self.unlooked += batch.num_rows() as u64;
        Ok(())
    }

    fn place(&mut self, path: &str) -> usize {
        if let Some(place) = self.places.get(path) {
            return *place;
        }
        self.sets.push((canonical_location(path), RoaringTreemap::new()));
        self.places.insert(path.to_owned(), self.sets.len() - 1);
        self.sets.len() - 1
    }

    fn check_bytes(&mut self, file: &DataFile) -> Result<(), Unknown> {
        self.unlooked = 0;
        let bytes: u64 = self.sets.iter().map(|(path, set)| (path.len() + set.serialized_size()) as u64).sum();
        if bytes > DELETES_OF_FILE_BYTES_MAX {
            let detail = format!("its positions take more than {DELETES_OF_FILE_BYTES_MAX} bytes");
            return Err(Unknown::of_fault(whole(file, FaultKind::Unreadable, detail)));
        }
        Ok(())
    }

    /// Several spellings of one location are put together.
    fn by_path(&mut self) -> HashMap<String, Arc<RoaringTreemap>> {
        let mut by_path: HashMap<String, RoaringTreemap> = HashMap::with_capacity(self.sets.len());
        for (path, set) in self.sets.drain(..) {
            *by_path.entry(path).or_default() |= set;
        }
        by_path.into_iter().map(|(path, set)| (path, Arc::new(set))).collect()
    }
}
