//! Whether the table still equals the log, over everything that was ever settled.
//!
//! Contract: every account of the books is looked at, none is sampled; a billion messages are 3,815 pages.

use validator_core::position::PartitionIndex;
use validator_core::segment::SegmentKey;
use validator_core::shadow::page::{Page, PageKey};
use validator_core::shadow::segment::{Segment, Share};

use super::pages::{each_page, segment_of};
use super::report::lanes;
use super::{ReadLedger, row_of};
use crate::error::LedgerError;
use crate::limits::UNEQUAL_SHOWN_MAX;
use crate::store::Store;
use crate::value::Kind;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StillEqual {
    /// The checkpoint that was read.
    pub checkpoint: u64,
    /// The instant that it judges by.
    pub judged_at_ms: i64,
    /// The snapshot whose live set it has.
    pub snapshot: Option<i64>,
    /// Segments whose messages and rows are equal.
    pub segments: u64,
    /// Messages in them, and as many rows.
    pub messages: u64,
    /// Segments that are not equal, or not yet.
    pub unequal_segments: u64,
    /// Messages in them.
    pub unequal_messages: u64,
    /// Rows in them.
    pub unequal_rows: u64,
    /// The first of them.
    pub first_unequal: Vec<SegmentKey>,
}

/// What each partition counts of an equal segment: itself, once, and messages.
fn by_partition(key: SegmentKey, segment: &Segment) -> Vec<(PartitionIndex, i128, u64)> {
    if let SegmentKey::Offsets { partition, .. } = key {
        return vec![(partition, 1, segment.debit.count)];
    }
    if let SegmentKey::Keys { .. } = key {
        let counts = segment.keys.proven().into_iter().enumerate();
        let is_one = |at: usize| at == 0 && !segment.debit.is_empty();
        return counts.map(|(at, (partition, counts))| (partition, i128::from(is_one(at)), counts.intact)).collect();
    }
    let shares = segment.shares.iter().filter(|(_, share)| share.judged > 0);
    let part =
        |(at, (partition, share)): (usize, (&PartitionIndex, &Share))| (*partition, i128::from(at == 0), share.judged);
    shares.enumerate().map(part).collect()
}

impl StillEqual {
    /// Whether no segment with messages or rows is unequal.
    pub fn is_equal(&self) -> bool {
        self.unequal_segments == 0
    }
}

impl ReadLedger {
    /// Looks at all accounts of a pipeline.
    ///
    /// # Errors
    /// When there is no such pipeline, it is damaged, or its partitions count other segments than it has.
    pub async fn still_equal(&mut self, name: &str) -> Result<StillEqual, LedgerError> {
        self.store.begin().await?;
        let found = still_equal(&mut self.store, name).await;
        self.store.rollback().await;
        found
    }
}

pub(super) async fn still_equal(store: &mut Store, name: &str) -> Result<StillEqual, LedgerError> {
    let (row, _) = row_of(store, name).await?;
    let mut found = StillEqual { checkpoint: row.checkpoint.unsigned_abs(), ..StillEqual::default() };
    let sql = "SELECT judged_at_ms, snapshot FROM checkpoints WHERE pipeline = $1 AND checkpoint = $2";
    let links = store.rows(sql, &[&row.pipeline.into(), &row.checkpoint.into()], &[Kind::Int; 2]).await?;
    if let Some(link) = links.first() {
        (found.judged_at_ms, found.snapshot) = (link[0].int()?, link[1].int_or_none());
    }
    let lanes = lanes(store, row.pipeline).await?;
    // Sums of the lanes, from which the sums of their segments are taken.
    let mut left: Vec<(i128, i128)> =
        lanes.iter().map(|lane| (i128::from(lane.balanced_segments), i128::from(lane.balanced_messages))).collect();
    each_page(store, row.pipeline, |key, page| found.note(key, &page, &mut left)).await?;
    match left.iter().position(|sums| *sums != (0, 0)) {
        Some(at) => {
            let what = format!("equal segments of {} are not those that it counts", lanes[at].tp);
            Err(LedgerError::Broken { what })
        }
        None => Ok(found),
    }
}

impl StillEqual {
    fn note(&mut self, key: PageKey, page: &Page, left: &mut [(i128, i128)]) -> Result<(), LedgerError> {
        for (slot, segment) in page.iter() {
            let (messages, rows) = (segment.debit.count, segment.credit.count);
            if segment.is_balanced() {
                if segment.debit.is_empty() {
                    continue;
                }
                self.segments += 1;
                self.messages += messages;
                for (partition, segments, messages) in by_partition(segment_of(key, slot)?, segment) {
                    let lane = left.get_mut(partition.0 as usize);
                    let lane = lane.ok_or_else(|| LedgerError::Broken { what: format!("{key} is of no partition") })?;
                    *lane = (lane.0 - segments, lane.1 - i128::from(messages));
                }
                continue;
            }
            self.unequal_segments += 1;
            self.unequal_messages += messages;
            self.unequal_rows += rows;
            if self.first_unequal.len() < UNEQUAL_SHOWN_MAX {
                self.first_unequal.push(segment_of(key, slot)?);
            }
        }
        Ok(())
    }
}
