//! Reading chosen files into bags of their own.
//!
//! Contract: what a scan says of a file depends on the file, the deletes that reach it, the contract, the known partitions
//! and the positions, and on nothing else; each file counts for one live entry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use validator_core::limits::SLIPS_MAX;
use validator_core::position::{FileIndex, PartitionIndex};
use validator_core::segment::SegmentKey;
use validator_core::shadow::event::Scanned;
use validator_core::shadow::file::{FaultFact, FileBags};
use validator_core::shadow::late::Lateness;
use validator_core::shadow::slips::FileSlips;
use validator_core::value::Value;
use validator_table::{DataFile, FaultKind, FileFault, RowGroups, TableFinding};

pub use super::error::LookError;
use super::lanes::Lanes;
use super::times::Landed;
use crate::bag_plan::RowFiles;
use crate::binding::{BoundIdentity, LeafPath, leaf_field};
use crate::late::Noted;
use crate::limits::{SCAN_BYTES_MAX, SCAN_FILES_MAX};
use crate::losses::within;
use crate::passes::RowPass;
use crate::reconcile::Run;
use crate::row_reader::RowSide;
use crate::scan_exec::ScanTask;
use crate::segments::MessageSegments;
use crate::slips::Slips;

/// One file, read.
#[derive(Debug, Clone)]
pub struct FileScan {
    /// Its place in the pinned snapshot.
    pub file: FileIndex,
    /// The event.
    pub scanned: Scanned,
    /// Its parts that cannot be read, as a single run tells them.
    pub faults: Vec<FileFault>,
    /// Where it contradicts its manifest entry, and what is wrong with delete files that were read for it.
    pub findings: Vec<TableFinding>,
    /// Its object is not there. Of a snapshot that is not the head: it may have been expired meanwhile.
    pub is_gone: bool,
}

impl Run {
    /// These files in portions of one pass each, in their order.
    pub fn scan_portions(&self, files: &[FileIndex]) -> Vec<Vec<FileIndex>> {
        let (mut portions, mut bytes): (Vec<Vec<FileIndex>>, u64) = (Vec::new(), 0);
        for file in files {
            let size = self.pinned.files[file.0 as usize].size;
            match portions.last_mut() {
                Some(last) if last.len() < SCAN_FILES_MAX && bytes.saturating_add(size) <= SCAN_BYTES_MAX => {
                    last.push(*file);
                    bytes += size;
                }
                _ => {
                    portions.push(vec![*file]);
                    bytes = size;
                }
            }
        }
        portions
    }

    /// Reads these files of the pinned snapshot in one pass.
    ///
    /// # Errors
    /// [`LookError`]; what is wrong with a file is in its scan.
    pub async fn scan_files(&self, lanes: &Lanes, files: &[FileIndex]) -> Result<Vec<FileScan>, LookError> {
        let files: BTreeSet<FileIndex> = files.iter().copied().collect();
        let side = || self.live_rows(lanes, self.late_rule(lanes));
        let tasks = |rows: &RowSide, lost: &BTreeMap<FileIndex, RowGroups>| once_each(rows.tasks(&files, lost));
        let slips = Arc::new(Slips::of_files(SLIPS_MAX, self.context.runtime_env()));
        let pass = self.row_pass_of(&side, &tasks, &slips, &[], true).await?;
        if let Some(error) = LookError::of_store(pass.faults.iter().map(|(_, fault)| fault)) {
            return Err(error);
        }
        let (mut bags, landed) = bags(pass, self);
        for (file, late) in self.told_by_messages(lanes, landed).await? {
            bags.entry(file).or_default().bags.late = late;
        }
        let mut rows = slips.rows_of_files();
        let scan = |file| {
            let of_file = match (&mut rows, &*self.messages.segments) {
                (Some(rows), MessageSegments::Offset(width)) => rows.of(file, lanes, *width),
                _ => None,
            };
            self.scan_of(lanes, file, bags.remove(&file).unwrap_or_default(), of_file)
        };
        Ok(files.into_iter().map(scan).collect())
    }

    fn scan_of(&self, lanes: &Lanes, file: FileIndex, seen: Seen, slips: Option<FileSlips>) -> FileScan {
        let facts = self.pinned.facts_of(file);
        let mut findings = seen.findings;
        if facts.deletes != [0; 16] {
            findings.extend(self.pinned.delete_findings());
        }
        findings.sort();
        findings.dedup();
        let data_file = &self.pinned.files[file.0 as usize];
        let bounds = self.offsets_of(lanes, data_file);
        let fault = |fault: &FileFault| FaultFact {
            corrupt: fault.kind != FaultKind::Unreadable,
            rows: fault.rows.unwrap_or(data_file.record_count),
            bounds: bounds.clone(),
        };
        let is_gone = seen.faults.iter().any(|fault| fault.kind == FaultKind::Missing);
        let scanned = Scanned { facts, bags: seen.bags, faults: seen.faults.iter().map(fault).collect(), slips };
        FileScan { file, scanned, faults: seen.faults, findings, is_gone }
    }

    /// The windows that the manifest's bounds of a file allow, closed; none: it has no bounds of the window column.
    fn windows_of(&self, file: &DataFile) -> Option<Vec<(PartitionIndex, i64, i64)>> {
        let MessageSegments::Key(cut) = &*self.messages.segments else { return None };
        let (lower, upper) = file.bounds(leaf_field(&self.messages.binding.columns, cut.window.as_ref()?).id);
        let window = |value: Option<Value>| cut.length.number_of(&value?);
        Some(vec![(PartitionIndex(0), window(lower)?, window(upper)?)])
    }

    /// The offsets that the manifest's bounds of a file allow, closed, by partition; none: it has no bounds of the identity.
    fn offsets_of(&self, lanes: &Lanes, file: &DataFile) -> Option<Vec<(PartitionIndex, i64, i64)>> {
        let BoundIdentity::Offset { topic, partition, offset, .. } = &self.messages.binding.identity else {
            return self.windows_of(file);
        };
        let none = (None, None);
        let of = |leaf: &LeafPath| file.bounds(leaf_field(&self.messages.binding.columns, leaf).id);
        let topics = topic.as_ref().map_or(none.clone(), of);
        let partitions = partition.as_ref().map_or(none.clone(), of);
        let offsets = of(offset);
        if topics == none && partitions == none && offsets == none {
            return None;
        }
        let end = |value: &Option<Value>, open: i64| value.as_ref().and_then(integer).unwrap_or(open);
        let (first, last) = (end(&offsets.0, i64::MIN), end(&offsets.1, i64::MAX));
        let of_lane = lanes.iter().filter(|(_, lane)| {
            let has_topic = within(&Value::String(lane.tp.topic.clone()), &topics);
            let has_partition = within(&Value::integer(i64::from(lane.tp.partition)), &partitions);
            has_topic != Some(false) && has_partition != Some(false)
        });
        Some(of_lane.map(|(partition, _)| (partition, first, last)).collect())
    }
}

/// One task a file, however often it is live.
fn once_each(mut tasks: Vec<ScanTask>) -> Vec<ScanTask> {
    tasks.dedup_by_key(|task| task.index);
    tasks
}

/// What a pass has seen of one file.
#[derive(Debug, Default)]
struct Seen {
    bags: FileBags,
    faults: Vec<FileFault>,
    findings: Vec<TableFinding>,
}

/// By file what was seen of it; and files of whose rows only messages tell which are late.
fn bags(pass: RowPass, run: &Run) -> (BTreeMap<FileIndex, Seen>, Vec<Landed>) {
    let (mut seen, mut landed): (BTreeMap<FileIndex, Seen>, Vec<Landed>) = (BTreeMap::new(), Vec::new());
    let rule = pass.rows.cut.late.as_ref();
    let is_by_window = !run.messages.binding.identity.is_offset();
    let mut of_windows: BTreeMap<FileIndex, Vec<(SegmentKey, u64)>> = BTreeMap::new();
    for bag in pass.bags {
        let RowFiles::One(file, _) = bag.files else { continue };
        seen.entry(file).or_default().bags.bags.push((bag.segment, bag.bag));
        if is_by_window && bag.late > 0 {
            of_windows.entry(file).or_default().push((bag.segment, bag.late));
        }
    }
    for (file, census) in pass.census.files {
        let bags = &mut seen.entry(file).or_default().bags;
        (bags.rows, bags.out_of_scope, bags.tolerated) = (census.rows, census.out_of_scope, census.tolerated);
        (bags.ahead, bags.strangers) = (census.beyond, census.strangers);
        match rule.map(|rule| rule.lateness(file, &census.noted)) {
            // Rows of windows name no offsets.
            Some(Noted::Said(Lateness::Told { .. })) if is_by_window => {
                let mut late = of_windows.remove(&file).unwrap_or_default();
                late.sort_unstable();
                bags.late = Lateness::Windows(late);
            }
            Some(Noted::Said(late)) => bags.late = late,
            Some(Noted::Landed { commit_ms, rows }) => landed.push((file, commit_ms, rows)),
            None => {}
        }
    }
    for row in pass.census.misrouted {
        seen.entry(row.at.file).or_default().bags.misrouted.push((row.at.position, row.segment));
    }
    for (file, fault) in pass.faults {
        seen.entry(file).or_default().faults.push(fault);
    }
    for (file, finding) in pass.findings.into_iter().filter_map(|(file, finding)| Some((file?, finding))) {
        seen.entry(file).or_default().findings.push(finding);
    }
    for seen in seen.values_mut() {
        seen.bags.bags.sort_unstable_by_key(|(segment, _)| *segment);
        seen.bags.misrouted.sort_unstable();
        seen.bags.tolerated.resize(run.messages.binding.tolerances.len(), 0);
    }
    (seen, landed)
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number { unscaled, scale: 0 } => i64::try_from(*unscaled).ok(),
        _ => None,
    }
}
