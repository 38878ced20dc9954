//! All pages of a pipeline, one at a time, and the segments in them.

use std::collections::BTreeSet;

use validator_core::position::TopicPartition;
use validator_core::segment::SegmentKey;
use validator_core::shadow::page::{Page, PageKey};
use validator_core::shadow::segment::Segment;

use super::report::partitions;
use super::{ReadLedger, row_of};
use crate::error::LedgerError;
use crate::rows;
use crate::schema::PAGES;
use crate::store::Store;
use crate::value::Kind;

/// How an account of a segment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SegmentState {
    /// Its two bags are equal.
    Equal,
    /// It was read again, and what does not agree is known.
    Disputed,
    /// It waits: for the clock, for rows, or to be read again.
    Open,
}

impl SegmentState {
    /// The public word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Disputed => "disputed",
            Self::Open => "open",
        }
    }
}

/// A segment, as the books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRow {
    /// Which.
    pub segment: SegmentKey,
    /// Its partition, where segments are ranges of offsets.
    pub tp: Option<TopicPartition>,
    /// The consumed part of its range, half-open; 0, 0 where nothing was, or segments are no ranges.
    pub from: i64,
    /// See `from`.
    pub upto: i64,
    /// Judged messages.
    pub messages: u64,
    /// Rows of live files.
    pub rows: u64,
    /// Messages that ask for no row.
    pub excluded: u32,
    /// Messages that cannot be told.
    pub undecodable: u32,
    /// Offsets that hold no message.
    pub hole_offsets: u32,
    /// The sum of the messages' digests.
    pub debit: [u8; 32],
    /// The sum of the rows' digests.
    pub credit: [u8; 32],
    /// How it stands.
    pub state: SegmentState,
}

impl ReadLedger {
    /// Hands over all segments in order, one at a time.
    ///
    /// # Errors
    /// When there is no such pipeline, it is damaged, or what takes them refuses.
    pub async fn each_segment(
        &mut self,
        name: &str,
        take: impl FnMut(SegmentRow) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.store.begin().await?;
        let done = segments(&mut self.store, name, take).await;
        self.store.rollback().await;
        done
    }
}

async fn segments(
    store: &mut Store,
    name: &str,
    mut take: impl FnMut(SegmentRow) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let (row, _) = row_of(store, name).await?;
    let lanes = partitions(store, row.pipeline).await?;
    let mut disputed = BTreeSet::new();
    let sql = "SELECT kind, a, b, slot FROM residues WHERE pipeline = $1";
    for key in store.rows(sql, &[&row.pipeline.into()], &[Kind::Int; 4]).await? {
        disputed.insert(rows::segment_back(&key)?);
    }
    each_page(store, row.pipeline, |key, page| {
        for (slot, segment) in page.iter() {
            let segment_key = segment_of(key, slot)?;
            let tp = match segment_key {
                SegmentKey::Offsets { partition, .. } => lanes.get(partition.0 as usize).cloned(),
                _ => None,
            };
            take(segment_row(segment_key, tp, segment, disputed.contains(&segment_key)))?;
        }
        Ok(())
    })
    .await
}

fn segment_row(key: SegmentKey, tp: Option<TopicPartition>, segment: &Segment, disputed: bool) -> SegmentRow {
    let state = match (segment.is_balanced(), disputed) {
        (true, _) => SegmentState::Equal,
        (false, true) => SegmentState::Disputed,
        (false, false) => SegmentState::Open,
    };
    SegmentRow {
        segment: key,
        tp,
        from: segment.from,
        upto: segment.upto,
        messages: segment.debit.count,
        rows: segment.credit.count,
        excluded: segment.excluded,
        undecodable: segment.undecodable,
        hole_offsets: segment.hole_offsets,
        debit: segment.debit.sum_bytes(),
        credit: segment.credit.sum_bytes(),
        state,
    }
}

pub(super) fn segment_of(key: PageKey, slot: usize) -> Result<SegmentKey, LedgerError> {
    key.segment(slot).ok_or_else(|| LedgerError::damaged("no segment has that place"))
}

/// Hands over all pages in the order of their keys, one at a time.
pub(super) async fn each_page(
    store: &mut Store,
    pipeline: i64,
    mut take: impl FnMut(PageKey, Page) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let sql = format!("SELECT {} FROM pages WHERE pipeline = $1 ORDER BY kind, a, b", PAGES.names());
    store
        .each(&sql, &[&pipeline.into()], &PAGES.kinds(), |row| {
            let row = rows::page_back(&row)?;
            let page = Page::from_bytes(&row.body)?;
            // Where segments are of windows pages with letters stay with those that are not settled.
            let may_be = page.is_unsettled() || !page.letters.is_empty();
            if page.is_unsettled() && !row.unsettled || row.unsettled && !may_be {
                return Err(LedgerError::Broken { what: format!("{} is not as settled as it says", row.key) });
            }
            take(row.key, page)
        })
        .await
}
