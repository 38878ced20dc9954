//! The laws of a shadow's state, checked after each event in tests and before each checkpoint always.
//!
//! I1: verdicts add up to what was consumed and read. I3: of each disputed segment, what was read is agreed or kept. I6:
//! each consumed offset is in one segment, or in a hole. I2 needs the bodies of files: see [`check_credit`].

use std::collections::BTreeMap;

use super::Shadow;
use super::event::SeenRow;
use super::file::{FileBags, FileId};
use super::late_windows::is_late_of_files;
use super::residue::Residue;
use super::runs::Runs;
use super::segment::Segment;
use crate::accounting::Imbalance;
use crate::bag::Bag;
use crate::position::PartitionIndex;
use crate::segment::{OffsetWidth, SegmentKey};

/// A law that does not hold: our own fault, never that of what was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// I1.
    #[error(transparent)]
    Imbalance(#[from] Imbalance),
    /// I2.
    #[error("I2 violated in {segment}: its credit is not the sum of its files")]
    Credit {
        /// Where.
        segment: SegmentKey,
    },
    /// I3.
    #[error("I3 violated in {segment}: {what}")]
    Residue {
        /// Where.
        segment: SegmentKey,
        /// What differs.
        what: &'static str,
    },
    /// What is kept is not what the state says.
    #[error("{what} are not those of the state")]
    Kept {
        /// Of what.
        what: &'static str,
    },
    /// I8.
    #[error("I8 violated: the counts of the state are not those that were saved")]
    Totals,
    /// Late rows are rows, and those of a balanced segment those of its messages.
    #[error("{place} has late rows that are none of its rows")]
    Late {
        /// Segment.
        place: String,
    },
    /// I6.
    #[error("I6 violated in {place}: {offsets} offsets, {counted} counted")]
    Offsets {
        /// Segment or lane.
        place: String,
        /// By position.
        offsets: u64,
        /// By state.
        counted: u64,
    },
}

/// Checks I1, I3 and I6.
///
/// # Errors
/// The first law that does not hold.
pub fn check(shadow: &Shadow) -> Result<(), Contradiction> {
    shadow.standing().accounts().check()?;
    // What cannot be told of windows is of no segment.
    let strays = shadow.terms.windows().map(|_| SegmentKey::Nowhere);
    for (key, residue) in shadow.residues.iter().filter(|(key, _)| Some(**key) != strays) {
        let segment = shadow.pages.segment(*key).ok_or(Contradiction::Residue { segment: *key, what: "no segment" })?;
        check_residue(segment, residue).map_err(|what| Contradiction::Residue { segment: *key, what })?;
    }
    for (partition, lane) in (0..).map(PartitionIndex).zip(&shadow.lanes) {
        let counted = lane.consumed() + lane.hole_offsets;
        check_offsets(lane.position - lane.start, counted, || format!("lane {}", partition.0))?;
    }
    for (page_key, page) in shadow.pages.iter() {
        for (slot, segment) in page.iter() {
            let place = || page_key.segment(slot).map(|key| key.to_string()).unwrap_or_default();
            if matches!(page_key.segment(slot), Some(SegmentKey::Keys { .. })) {
                if segment.debit != segment.keys.debit() {
                    return Err(Contradiction::Kept { what: "debits" });
                }
                continue;
            }
            if shadow.terms.windows().is_some() {
                let judged: u64 = segment.shares.values().map(|share| share.judged).sum();
                check_offsets(judged as i64, segment.debit.count, place)?;
                if !is_late_of_files(segment) {
                    return Err(Contradiction::Late { place: place() });
                }
                continue;
            }
            check_offsets(segment.upto - segment.from, segment.offsets(), place)?;
            if !is_late_of_rows(segment, page_key.segment(slot), shadow.terms.width) {
                return Err(Contradiction::Late { place: place() });
            }
        }
    }
    Ok(())
}

fn check_offsets(offsets: i64, counted: u64, place: impl Fn() -> String) -> Result<(), Contradiction> {
    match u64::try_from(offsets) {
        Ok(offsets) if offsets == counted => Ok(()),
        _ => Err(Contradiction::Offsets { place: place(), offsets: offsets.unsigned_abs(), counted }),
    }
}

/// Late rows may lie outside the consumed part, below an undeclared start or in a hole: no message is equal to such a row, since
/// its digest has its offset, and so none counts as late with it.
fn is_late_of_rows(segment: &Segment, key: Option<SegmentKey>, width: OffsetWidth) -> bool {
    let range = match key {
        Some(SegmentKey::Offsets { index, .. }) => width.offsets(index),
        _ => 0..0,
    };
    let is_inside = |runs: &Runs| runs.iter().all(|(from, to)| from >= range.start && to <= range.end);
    let is_of_files = segment.late.iter().all(|(file, runs)| segment.files.contains(file) && is_inside(runs));
    is_of_files && (!segment.is_balanced() || segment.late_rows(FileId::default()) <= segment.debit.count)
}

fn check_residue(segment: &Segment, residue: &Residue) -> Result<(), &'static str> {
    if segment.is_balanced() {
        return Err("the segment is balanced");
    }
    if residue.unreadable {
        return Ok(());
    }
    if !segment.keys.is_empty() || !residue.keys.is_empty() {
        let is_of_key = |row: &SeenRow| residue.keys.contains(&row.entry.identity);
        return if residue.rows.iter().all(is_of_key) { Ok(()) } else { Err("rows are of no key that is kept") };
    }
    if residue.judged() + residue.agreed.count != residue.read_debit.count {
        return Err("messages read are not agreed or kept");
    }
    let is_all = residue.read_upto == segment.upto && residue.is_of(&segment.shares);
    if is_all && residue.read_debit != segment.debit {
        return Err("messages read are not those of the debit");
    }
    let mut rows: Bag = residue.rows.iter().map(|row| &row.entry.digest).collect();
    rows.merge(&residue.agreed);
    let read = residue.read_credit();
    if rows != read {
        return Err("rows read are not agreed or kept");
    }
    let all = segment.files.iter().all(|file| residue.read_files.contains_key(file));
    if all && !residue.whole && read != segment.credit {
        return Err("rows read are not those of the credit");
    }
    Ok(())
}

/// Checks that what is kept up as the state changes is what would be made of it anew.
///
/// # Errors
/// What is not.
pub fn check_kept(shadow: &Shadow) -> Result<(), Contradiction> {
    let mut anew = shadow.clone();
    anew.recount_all();
    if anew.board != shadow.board {
        return Err(Contradiction::Kept { what: "counts of segments" });
    }
    let Some(kept) = shadow.judged.kept() else { return Ok(()) };
    if kept.judgement != shadow.judge().judgement {
        return Err(Contradiction::Kept { what: "verdicts" });
    }
    Ok(())
}

/// Checks I2 of every held segment.
///
/// # Errors
/// A credit that is not the sum of what its files add.
pub fn check_credit(shadow: &Shadow, bodies: &BTreeMap<FileId, FileBags>) -> Result<(), Contradiction> {
    for (page_key, page) in shadow.pages.iter() {
        for (slot, segment) in page.iter() {
            let Some(key) = page_key.segment(slot) else { continue };
            let mut credit = Bag::EMPTY;
            for file in &segment.files {
                let bags = bodies.get(file).map(|body| body.bags.as_slice()).unwrap_or_default();
                if let Ok(at) = bags.binary_search_by_key(&key, |(own, _)| *own) {
                    credit.merge(&bags[at].1);
                }
            }
            if credit != segment.credit {
                return Err(Contradiction::Credit { segment: key });
            }
        }
    }
    Ok(())
}
