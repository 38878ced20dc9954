//! Reading delete files, each once for all its data files as long as what they say fits the bound.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use roaring::RoaringTreemap;
use tokio::sync::OnceCell;

use crate::limits::DELETES_BYTES_HELD;
use crate::reader::ReadContext;
use crate::storage::canonical_location;
use crate::{DataFile, FaultKind, FileFormat, Storage, TableFinding};

use super::plan::{DeleteFile, Plan};
use super::puffin::Footers;
use super::shown::Shown;
use super::{FileDeletes, Loaded, Unknown, position, vector};

type Cell = Arc<OnceCell<Result<Arc<Loaded>, Unknown>>>;

/// Reads delete files.
#[derive(Debug)]
pub(crate) struct Loader {
    context: ReadContext,
    footers: Footers,
    held: Mutex<Held>,
    bytes_max: u64,
}

/// What has been read, the oldest first.
#[derive(Debug, Default)]
struct Held {
    cells: HashMap<String, Cell>,
    order: VecDeque<(String, u64)>,
    bytes: u64,
}

impl Loader {
    pub(crate) fn new(storage: Arc<Storage>) -> Self {
        let context = ReadContext { storage, name_mapping: Some(position::name_mapping()), defaults: HashMap::new() };
        Self { context, footers: Footers::default(), held: Mutex::default(), bytes_max: DELETES_BYTES_HELD }
    }

    /// What the plan's deletes say of a data file, and what is wrong with them.
    pub(crate) async fn of(&self, plan: &Plan, data: &DataFile) -> Result<(FileDeletes, Vec<TableFinding>), Unknown> {
        let location = canonical_location(&data.path);
        let (mut sets, mut largest, mut findings) = (Vec::new(), Vec::new(), Vec::new());
        for file in plan.of(data, &location)? {
            let loaded = self.load(&file).await?;
            findings.extend(loaded.findings.iter().cloned());
            if let Some(set) = loaded.by_path.get(&location)
                && let Some(last) = set.max()
            {
                largest.push((file.file.path.clone(), last));
                sets.push(Arc::clone(set));
            }
        }
        Ok((FileDeletes { shown: all_but(sets), largest }, findings))
    }

    async fn load(&self, file: &DeleteFile) -> Result<Arc<Loaded>, Unknown> {
        let key = file.key();
        let cell = Arc::clone(self.lock().cells.entry(key.clone()).or_default());
        let read = || async {
            let loaded = self.read(file).await.map(Arc::new);
            self.keep(key, loaded.as_ref().map_or(0, |loaded| loaded.bytes()));
            loaded
        };
        let loaded = cell.get_or_init(read).await.clone();
        if matches!(&loaded, Err(unknown) if unknown.may_pass) {
            self.lock().cells.remove(&file.key());
        }
        loaded
    }

    async fn read(&self, file: &DeleteFile) -> Result<Loaded, Unknown> {
        match file.file.format {
            FileFormat::Parquet => position::read(&self.context, file).await,
            FileFormat::Puffin => vector::read(&self.context.storage, &self.footers, file).await,
            format => {
                let detail = format!("delete files of format {format} are not read");
                Err(Unknown::of_fault(crate::reader::footer::whole(&file.file, FaultKind::Unreadable, detail)))
            }
        }
    }

    /// Counts what was read and drops the oldest beyond the bound.
    fn keep(&self, key: String, bytes: u64) {
        let mut held = self.lock();
        held.bytes += bytes;
        held.order.push_back((key, bytes));
        while held.bytes > self.bytes_max && held.order.len() > 1 {
            let Some((oldest, bytes)) = held.order.pop_front() else { break };
            held.bytes -= bytes;
            held.cells.remove(&oldest);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    /// Bytes in memory, as near as the sets tell.
    fn bytes(&self) -> u64 {
        let of = |(path, set): (&String, &Arc<RoaringTreemap>)| (path.len() + set.serialized_size()) as u64;
        self.by_path.iter().map(of).sum()
    }
}

fn all_but(mut sets: Vec<Arc<RoaringTreemap>>) -> Shown {
    match sets.len() {
        0 => Shown::All,
        1 => Shown::AllBut(sets.swap_remove(0)),
        _ => Shown::AllBut(Arc::new(sets.iter().fold(RoaringTreemap::new(), |union, set| union | set.as_ref()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_the_oldest_are_dropped_and_the_newest_stays_whatever_its_size() {
        let loader = Loader { bytes_max: 10, ..Loader::new(Arc::new(Storage::local())) };
        let held = |key: &str, bytes: u64| {
            loader.lock().cells.entry(key.to_owned()).or_default();
            loader.keep(key.to_owned(), bytes);
            let mut held: Vec<String> = loader.lock().cells.keys().cloned().collect();
            held.sort();
            (held.join(" "), loader.lock().bytes)
        };
        assert_eq!(held("a", 6), ("a".to_owned(), 6));
        assert_eq!(held("b", 4), ("a b".to_owned(), 10));
        assert_eq!(held("c", 1), ("b c".to_owned(), 5));
        assert_eq!(held("d", 99), ("d".to_owned(), 99));
        assert_eq!(held("e", 2), ("e".to_owned(), 2));
    }
}
