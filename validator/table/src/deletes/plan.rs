//! Which delete files touch which data file.
//!
//! Contract: a position delete file touches the data file that its entry names, or else each of its own partition and
//! spec, whose sequence number is not above its own. A deletion vector replaces all position deletes of its data file.
//! No bound prunes: what a delete file may touch is told by what the specification says, not by statistics.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use iceberg::spec::{Literal, PrimitiveLiteral};

use crate::manifest::{LiveEntry, inconsistent};
use crate::storage::canonical_location;
use crate::{DataFile, FileFormat, TableFinding};

use super::Unknown;

/// One live delete file, or one deletion vector of a Puffin file.
#[derive(Debug)]
pub(crate) struct DeleteFile {
    pub file: DataFile,
    /// The canonical location of the only data file it touches.
    pub referenced: Option<String>,
    /// Where its blob lies, of a deletion vector: offset and length, where its entry says so.
    pub blob: Option<(u64, u64)>,
}

/// The delete files of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    by_path: HashMap<String, Vec<Arc<DeleteFile>>>,
    by_partition: HashMap<Partition, Vec<Arc<DeleteFile>>>,
}

/// A spec and a tuple of it.
type Partition = (i32, Vec<Option<Literal>>);

impl DeleteFile {
    fn new(entry: LiveEntry) -> Self {
        let data_file = entry.entry.data_file();
        let referenced = data_file.referenced_data_file().map(|path| canonical_location(&path));
        let part = |part: Option<i64>| part.and_then(|part| u64::try_from(part).ok());
        let blob = part(data_file.content_offset()).zip(part(data_file.content_size_in_bytes()));
        Self { file: DataFile::new(entry, 1, None), referenced, blob }
    }

    pub(crate) fn is_vector(&self) -> bool {
        self.file.format == FileFormat::Puffin
    }

    /// What tells it from every other one.
    pub(crate) fn key(&self) -> String {
        let path = canonical_location(&self.file.path);
        self.blob.map_or_else(|| path.clone(), |(offset, length)| format!("{path}#{offset}+{length}"))
    }
}

impl Plan {
    /// The plan over the live entries of a snapshot, and what is wrong with them.
    pub(crate) fn new(entries: Vec<LiveEntry>) -> (Self, Vec<TableFinding>) {
        let (mut plan, mut findings, mut seen) = (Self::default(), Vec::new(), HashSet::new());
        for entry in entries {
            let file = Arc::new(DeleteFile::new(entry));
            if !seen.insert(file.key()) {
                let detail = "more than one live manifest entry names these deletes".to_owned();
                findings.push(inconsistent("double_reference", &file.file.path, detail));
            }
            let group = match &file.referenced {
                Some(path) => plan.by_path.entry(path.clone()).or_default(),
                None => plan.by_partition.entry(partition(&file.file)).or_default(),
            };
            group.push(file);
        }
        (plan, findings)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_path.is_empty() && self.by_partition.is_empty()
    }

    /// The delete files of a data file, at this canonical location.
    ///
    /// # Errors
    /// It cannot be told which there are.
    pub(crate) fn of(&self, data: &DataFile, location: &str) -> Result<Vec<Arc<DeleteFile>>, Unknown> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let named = self.by_path.get(location).map_or(&[][..], Vec::as_slice);
        let mut vectors: Vec<&Arc<DeleteFile>> = named.iter().filter(|file| file.is_vector()).collect();
        vectors.dedup_by_key(|vector| vector.key());
        match vectors[..] {
            [] => {}
            [vector] => return only_vector(vector, data),
            _ => {
                let detail = format!("{} deletion vectors of this data file are live", vectors.len());
                return Err(Unknown::inconsistent("two_deletion_vectors", &data.path, detail));
            }
        }
        let of_partition = match self.by_partition.is_empty() {
            true => &[][..],
            false => self.by_partition.get(&partition(data)).map_or(&[][..], Vec::as_slice),
        };
        let mut files = Vec::new();
        for file in named.iter().chain(of_partition) {
            if reaches(file, data)? {
                files.push(Arc::clone(file));
            }
        }
        Ok(files)
    }
}

fn only_vector(vector: &Arc<DeleteFile>, data: &DataFile) -> Result<Vec<Arc<DeleteFile>>, Unknown> {
    if reaches(vector, data)? {
        return Ok(vec![Arc::clone(vector)]);
    }
    let detail = format!("the deletion vector of {} is older than that data file", data.path);
    Err(Unknown::inconsistent("sequence_number", &vector.file.path, detail))
}

/// Whether the data file is not newer than the deletes: they touch data of their own commit too.
fn reaches(deletes: &DeleteFile, data: &DataFile) -> Result<bool, Unknown> {
    let unnumbered = |path: &str| {
        let detail = "a manifest entry of it has no sequence number".to_owned();
        Unknown::inconsistent("sequence_number", path, detail)
    };
    let newest = deletes.file.sequence.ok_or_else(|| unnumbered(&deletes.file.path))?;
    let first = data.sequence.ok_or_else(|| unnumbered(&data.path))? <= newest;
    for other in &data.other_sequences {
        if (other.ok_or_else(|| unnumbered(&data.path))? <= newest) != first {
            let detail = "deletes touch some of its live entries only".to_owned();
            return Err(Unknown::inconsistent("double_reference", &data.path, detail));
        }
    }
    Ok(first)
}

/// Manifests of before and after a promotion of the source column write the same value as another type.
fn partition(file: &DataFile) -> Partition {
    let promoted = |value: &Option<Literal>| match value {
        Some(Literal::Primitive(PrimitiveLiteral::Int(value))) => Some(Literal::long(i64::from(*value))),
        Some(Literal::Primitive(PrimitiveLiteral::Float(value))) => Some(Literal::double(f64::from(value.0))),
        value => value.clone(),
    };
    let tuple = file.entry.entry.data_file().partition();
    (file.spec_id, tuple.fields().iter().map(promoted).collect())
}
