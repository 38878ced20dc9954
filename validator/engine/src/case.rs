//! The case of a run: what differs in its disputed segments, and the counts of what agrees.
//!
//! ```text
//! slips ▶ names that differ ▶ drill ▶ does the rest balance? ─┬─ yes ──────────────────────▶ kept ▶ case
//!                                                             └─ no ▶ drill of everything ▶ kept ▶ case
//! ```

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use validator_core::books::Books;
use validator_core::clock::{Past, note_paired};
use validator_core::judge::{Case, ModeKind};
use validator_core::position::{MessageAt, PartitionIndex};
use validator_core::segment::SegmentKey;

use crate::bag_plan::{MessageBag, RowBag, stretches_of};
use crate::captured::{Captured, CapturedValues};
use crate::disputed::{Disputed, Sieve};
use crate::drill::Drill;
use crate::groups::Groups;
use crate::kept::{Agreed, Kept, Reduced};
use crate::limits::KEPT_BYTES_MAX;
use crate::passes::{MessagePass, all_files};
use crate::place_hasher::PlaceHasher;
use crate::reconcile::{Run, RunError};
use crate::scoping::Scoping;
use crate::segments::MessageSegments;
use crate::settled::settled;
use crate::slips::{Differing, Name};
use crate::upsert::Proven;

/// What the identities of disputed segments agree on beside the case.
#[derive(Debug, Default)]
pub struct Agreement {
    /// By partition.
    pub by_partition: BTreeMap<PartitionIndex, Agreed>,
    /// Rows beside the run that no message explains.
    pub rows_beside: u64,
    /// Values that the drill has read.
    pub captured: CapturedValues,
    /// Upsert tables: superseded versions of keys that have nothing before the judge.
    pub superseded: Option<BTreeMap<PartitionIndex, u64>>,
    /// Upsert tables: last versions that are proven, of keys that have something before the judge.
    pub proven: Option<Proven>,
    /// How it was read again.
    pub drilling: Drilling,
    /// What is judged apart from the case.
    pub apart: Option<Groups>,
}

/// How the disputed segments of a run were read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Drilling {
    /// None was disputed.
    #[default]
    Nothing,
    /// Only what the slips say differs; the rest is proven to balance.
    Sifted {
        /// Messages of disputed segments that were not read again.
        passed_by: u64,
    },
    /// All of it: without slips.
    Whole,
    /// All of it, as what the slips passed by did not balance.
    WholeAfterAll,
}

impl Run {
    /// Drills the disputed segments.
    ///
    /// # Errors
    /// [`RunError`].
    pub(crate) async fn case(
        &self,
        drill: &Drill,
        books: &Arc<Books>,
        segments: &Arc<BTreeSet<SegmentKey>>,
        messages: &MessagePass,
        row_bags: &[RowBag],
        scoping: &Scoping,
    ) -> Result<(Case, Agreement), RunError> {
        let in_question = row_bags.iter().filter(|bag| segments.contains(&bag.segment));
        let files = stretches_of(in_question, all_files(&self.pinned).into_iter());
        let disputed = Disputed { segments: Arc::clone(segments), files, books: Arc::clone(books) };
        let mut agreement = Agreement::default();
        let reduced = if let Some(versions) = &messages.versions {
            let drilled = self.drill_upsert(drill, versions, &disputed, messages).await?;
            (agreement.superseded, agreement.proven) = (Some(drilled.superseded), Some(drilled.proven));
            agreement.drilling = if segments.is_empty() { Drilling::Nothing } else { Drilling::Whole };
            drilled.reduced
        } else {
            let (mut reduced, drilling, captured) = self.drilled(drill, &disputed, messages, row_bags).await?;
            let beside = drill.excluded_beside(segments, &reduced.messages, &reduced.rows).await?;
            reduced.messages.extend(beside);
            (agreement.captured, agreement.drilling) = (captured, drilling);
            reduced
        };
        let past = self.past(books, segments, &messages.bags, paired_max(&reduced));
        let case = Case {
            mode: self.mode(),
            diverted: self.diverted(&reduced.messages),
            messages: reduced.messages,
            rows: reduced.rows,
            clock: self.clock,
            past,
            whole_topic: scoping.whole_topic,
            remembers: false,
        };
        (agreement.by_partition, agreement.rows_beside) = (reduced.agreed, reduced.rows_beside);
        agreement.apart = reduced.apart;
        Ok((case, agreement))
    }

    fn mode(&self) -> ModeKind {
        if self.is_upsert() { ModeKind::Upsert } else { self.messages.binding.identity.mode() }
    }

    /// The drill of what differs, or of everything.
    async fn drilled(
        &self,
        drill: &Drill,
        disputed: &Disputed,
        messages: &MessagePass,
        row_bags: &[RowBag],
    ) -> Result<(Reduced, Drilling, CapturedValues), RunError> {
        let none = CapturedValues::default();
        if disputed.segments.is_empty() {
            return Ok((self.reduced(self.kept(), messages).await?, Drilling::Nothing, none));
        }
        let Some(differing) = self.differing(&disputed.segments, messages).await? else {
            return Ok((self.whole(drill, disputed, messages).await?, Drilling::Whole, none));
        };
        if let Some(sifted) = self.sifted(drill, disputed, messages, row_bags, differing).await? {
            return Ok(sifted);
        }
        Ok((self.whole(drill, disputed, messages).await?, Drilling::WholeAfterAll, none))
    }

    async fn whole(&self, drill: &Drill, disputed: &Disputed, messages: &MessagePass) -> Result<Reduced, RunError> {
        let kept = self.kept();
        drill.keep(disputed, None, &kept).await?;
        self.reduced(kept, messages).await
    }

    /// The drill of what slips say differs; `None` where the rest does not balance.
    async fn sifted(
        &self,
        drill: &Drill,
        disputed: &Disputed,
        messages: &MessagePass,
        row_bags: &[RowBag],
        mut differing: Differing,
    ) -> Result<Option<(Reduced, Drilling, CapturedValues)>, RunError> {
        let (kept, captured) = (self.kept(), Arc::new(Captured::default()));
        let sieve = Sieve { names: Arc::new(std::mem::take(&mut differing.names)), captured: Arc::clone(&captured) };
        let found = drill.keep(disputed, Some(&sieve), &kept).await?;
        let Some(agreed) = settled(disputed, &found, row_bags, &differing) else {
            tracing::warn!("what the drill passed by does not balance: the disputed segments are drilled whole");
            return Ok(None);
        };
        let mut reduced = self.reduced(kept, messages).await?;
        let passed_by = agreed.values().map(|agreed| agreed.messages).sum();
        reduced.add_agreed(agreed);
        Ok(Some((reduced, Drilling::Sifted { passed_by }, captured.take())))
    }

    async fn differing(
        &self,
        disputed: &Arc<BTreeSet<SegmentKey>>,
        messages: &MessagePass,
    ) -> Result<Option<Differing>, RunError> {
        let (slips, segments, threads) =
            (Arc::clone(&messages.slips), Arc::clone(&self.messages.segments), self.threads);
        let disputed: HashSet<SegmentKey, BuildHasherDefault<PlaceHasher>> = disputed.iter().copied().collect();
        let compare = move || match *segments {
            MessageSegments::Offset(width) => slips.differing(threads, || {
                // Neighbours are of one segment, which is looked up once.
                let (mut last, disputed) = (None, &disputed);
                move |name: Name| {
                    let at = name.offset();
                    let segment = width.segment_of(at.partition, at.offset);
                    let is_disputed = match last {
                        Some((before, is_disputed)) if before == segment => is_disputed,
                        _ => disputed.contains(&segment),
                    };
                    last = Some((segment, is_disputed));
                    is_disputed
                }
            }),
            MessageSegments::Key(_) => slips.differing(threads, || |_| true),
        };
        Ok(tokio::task::spawn_blocking(compare).await??)
    }

    fn kept(&self) -> Arc<Kept> {
        Arc::new(Kept::new(KEPT_BYTES_MAX, self.context.runtime_env()))
    }

    async fn reduced(&self, kept: Arc<Kept>, messages: &MessagePass) -> Result<Reduced, RunError> {
        kept.add_messages(&messages.undecodable)?;
        let (threads, mode) = (self.threads, self.mode());
        Ok(tokio::task::spawn_blocking(move || kept.reduce(threads, mode)).await??)
    }

    fn past(
        &self,
        books: &Books,
        disputed: &BTreeSet<SegmentKey>,
        bags: &[MessageBag],
        mut paired_max: BTreeMap<PartitionIndex, i64>,
    ) -> Past {
        if !self.messages.binding.identity.is_offset() {
            let adding =
                self.pinned.ancestry.iter().filter(|snapshot| snapshot.adds_rows && snapshot.operation != "replace");
            return Past::Commits { times_ms: adding.map(|snapshot| snapshot.commit_ms).collect() };
        }
        for bag in bags {
            let balanced = books.account(&bag.segment).is_some_and(|account| account.is_balanced());
            if let SegmentKey::Offsets { partition, .. } = bag.segment
                && balanced
                && !disputed.contains(&bag.segment)
            {
                note_paired(&mut paired_max, MessageAt { partition, offset: bag.offset_max });
            }
        }
        Past::Offsets { paired_max }
    }
}

/// The largest offset, by partition, that the disputed segments pair by equal digests beside the case.
fn paired_max(reduced: &Reduced) -> BTreeMap<PartitionIndex, i64> {
    let mut paired_max = reduced.paired_max.clone();
    for (partition, agreed) in &reduced.agreed {
        note_paired(&mut paired_max, MessageAt { partition: *partition, offset: agreed.offset_max });
    }
    paired_max
}
