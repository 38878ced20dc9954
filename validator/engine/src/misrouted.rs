//! Misrouted rows: rows whose values give another partition than the one that their file's manifest entry names.
//!
//! Contract: every row of the first pass is looked at, by the columns that the pass reads anyway: a column that the
//! contract ignores must not cost a message its verdict because its pages are broken. Partition fields of such columns
//! are not looked at, and then the figure is null unless rows were found. Source: interface.md §4 and §5.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use futures::StreamExt;
use validator_core::finding::{Finding, Named};
use validator_core::judge::{Case, Judgement};
use validator_core::position::{FileIndex, RowAt};
use validator_core::schema::Field;
use validator_core::segment::SegmentKey;
use validator_core::value::Value;
use validator_core::verdict::{RowVerdict, Verdict};
use validator_table::{PartitionCheck, Pinned, ScanItem};

use crate::binding::Binding;
use crate::leaves::leaf_array;

/// How the rows of one run are held against their files' partitions.
#[derive(Clone)]
pub struct Routing {
    pinned: Arc<Pinned>,
    /// The columns that are read.
    fields: Arc<[Field]>,
    /// Whether every partition field of every file is looked at.
    is_complete: bool,
}

/// A misrouted row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MisroutedRow {
    /// Where it stands.
    pub at: RowAt,
    /// Its segment.
    pub segment: SegmentKey,
    /// Whether it lies beside the run unless a message pairs it.
    pub beside: bool,
}

impl fmt::Debug for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routing").field("is_complete", &self.is_complete).finish_non_exhaustive()
    }
}

impl Routing {
    /// The check of these files by these columns.
    pub fn new(pinned: &Arc<Pinned>, fields: Arc<[Field]>) -> Self {
        let mut routing = Self { pinned: Arc::clone(pinned), fields, is_complete: true };
        let specs: BTreeMap<i32, FileIndex> =
            pinned.files.iter().zip(0..).map(|(file, index)| (file.spec_id, FileIndex(index))).collect();
        let mut checks = specs.into_values().filter_map(|file| routing.check(file));
        routing.is_complete = checks.all(|check| check.unchecked().is_empty());
        routing
    }

    fn check(&self, file: FileIndex) -> Option<PartitionCheck> {
        let check = self.pinned.partition_check(&self.pinned.files[file.0 as usize])?;
        Some(check.by_columns(&self.fields))
    }

    /// The columns that `check` needs, of those that were read.
    fn sources(&self, check: &PartitionCheck, columns: &[ArrayRef]) -> Vec<ArrayRef> {
        let place = |source: &Field| self.fields.iter().position(|field| field.id == source.id);
        let sources = check.sources().iter().filter_map(place);
        sources.map(|place| Arc::clone(&columns[place])).collect()
    }

    /// Which rows of a batch of one file are misrouted.
    pub fn misrouted(&self, columns: &[ArrayRef], at: &[RowAt]) -> Vec<usize> {
        let check = at.first().and_then(|first| self.check(first.file));
        check.map_or_else(Vec::new, |check| check.misrouted(&self.sources(&check, columns)))
    }

    /// How many rows are misrouted, of these found; `None` where too little was looked at.
    pub fn figure(&self, found: &[MisroutedRow]) -> Option<u64> {
        (self.is_complete || !found.is_empty()).then_some(found.len() as u64)
    }

    /// One finding for each of these rows, with its identity and the values that belong elsewhere. A row of a file with
    /// several live entries is told once.
    pub async fn findings(&self, pipeline: &str, binding: &Binding, rows: &[MisroutedRow]) -> Vec<Finding> {
        let mut by_file: BTreeMap<FileIndex, BTreeSet<u64>> = BTreeMap::new();
        for row in rows {
            by_file.entry(row.at.file).or_default().insert(row.at.position);
        }
        let mut findings = Vec::with_capacity(rows.len());
        for (index, positions) in by_file {
            let file = &self.pinned.files[index.0 as usize];
            let told = self.told(index, binding, &positions).await;
            findings.extend(positions.iter().map(|position| {
                let verdict = Verdict::Row(RowVerdict::Misrouted);
                let mut finding = Finding::of_row(pipeline, verdict, None, &file.path, *position);
                finding.snapshot_id = Some(file.snapshot_id);
                finding.operation = file.added_by.as_ref().map(|by| by.operation.clone());
                match told.get(position) {
                    Some((identity, why)) => {
                        finding.identity = Some(identity.clone()).filter(|identity| !identity.0.is_empty());
                        finding.detail.clone_from(why);
                    }
                    None => finding.detail = "its values give another partition than its file's".to_owned(),
                }
                finding
            }));
        }
        findings
    }

    /// Identity and reason of rows of one file, as far as it can be read once more.
    async fn told(
        &self,
        index: FileIndex,
        binding: &Binding,
        positions: &BTreeSet<u64>,
    ) -> HashMap<u64, (Named, String)> {
        let mut told = HashMap::with_capacity(positions.len());
        let Some(check) = self.check(index) else { return told };
        let file = &self.pinned.files[index.0 as usize];
        let Ok(reader) = self.pinned.open(file, &self.fields).await else { return told };
        let positions: Vec<u64> = positions.iter().copied().collect();
        let mut items = reader.rows_at(&positions);
        while let Some(item) = items.next().await {
            let ScanItem::Rows(rows) = item else { continue };
            let sources = self.sources(&check, rows.batch.columns());
            for row in 0..rows.batch.num_rows() {
                let why = check.explain(&sources, row);
                told.insert(rows.positions.get(row), (identity(binding, &rows.batch, row), why));
            }
        }
        told
    }
}

fn identity(binding: &Binding, batch: &RecordBatch, row: usize) -> Named {
    let json = |leaf: &Vec<usize>| {
        let ty = &crate::binding::leaf_field(&binding.columns, leaf).ty;
        let value = Value::from_arrow(leaf_array(batch.columns(), leaf).as_ref(), row, ty);
        (crate::findings::leaf_name(binding, leaf), value.to_json_of(ty))
    };
    Named(binding.identity.leaves().iter().map(json).collect())
}

/// Of the rows found, those that stand in the case: what agrees with a message, or lies beside a run's windows, is not put before the judge.
pub fn entered(found: &[MisroutedRow], case: &Case) -> HashSet<RowAt> {
    let found: HashSet<RowAt> = found.iter().map(|row| row.at).collect();
    case.rows.iter().map(|row| row.at).filter(|at| found.contains(at)).collect()
}

/// Of the rows found, those in scope: all of balanced segments, which are paired, and those of disputed ones that the
/// judge has not put out of scope.
pub fn in_scope(
    found: Vec<MisroutedRow>,
    disputed: &BTreeSet<SegmentKey>,
    entered: &HashSet<RowAt>,
    judgement: &Judgement,
) -> Vec<MisroutedRow> {
    let mut outside: HashMap<RowAt, usize> = HashMap::new();
    for at in judgement.rows_out_of_scope.iter().filter(|at| entered.contains(at)) {
        *outside.entry(*at).or_default() += 1;
    }
    let mut is_inside = |row: &MisroutedRow| match outside.get_mut(&row.at) {
        _ if !disputed.contains(&row.segment) => true,
        // A file with several live entries has its rows as often, and the judge may have paired some of them.
        Some(times) if *times > 0 => {
            *times -= 1;
            false
        }
        // What is not in the case agreed with a message, unless it lies beside the run.
        _ => entered.contains(&row.at) || !row.beside,
    };
    found.into_iter().filter(|row| is_inside(row)).collect()
}
