//! Messages of a following, summed by segment.
//!
//! Contract: of judged messages the digests that a single run would put into its bags; of the others their number, and of
//! undecodable ones why.

use std::collections::BTreeMap;

use validator_core::bag::Bag;
use validator_core::digest::{Digest, IdentityHash};
use validator_core::encode::EncodeError;
use validator_core::judge::{MessageEntry, MessageState};
use validator_core::position::{MessageAt, PartitionIndex};
use validator_core::segment::{SegmentKey, WindowLength};
use validator_core::shadow::event::{SegmentPart, Undecodable};
use validator_core::shadow::segment::Times;

use crate::digester::Digester;
use crate::entries;
use crate::identity::IdentityDigests;
use crate::losses::Losses;
use crate::message_batch::MessageBatch;
use crate::segments::MessageSegments;
use crate::summing::Runs;

/// How far the time of a message may lie behind that of its record.
const CLOCKS_DIFFER_MS: i64 = 3_600_000;

/// Sums of one partition.
#[derive(Debug, Default)]
pub struct OfPartition {
    /// By segment, ascending.
    pub parts: BTreeMap<SegmentKey, SegmentPart>,
    /// By offset.
    pub undecodable: Vec<Undecodable>,
    /// Of judged messages with a window, that of the first one and the greatest.
    pub windows: Option<(i64, i64)>,
    /// Of an upsert table: messages of known keys but for undecodable ones, by offset.
    pub versions: Vec<MessageEntry>,
}

/// Sums by partition.
#[derive(Debug, Default)]
pub struct Sums(BTreeMap<PartitionIndex, OfPartition>);

/// What is noted of judged messages beside their digests.
#[derive(Debug, Clone, Copy)]
struct Note {
    times: Times,
    offset_max: i64,
    from: i64,
}

impl Sums {
    /// Adds a batch, whose messages are of these segments.
    ///
    /// # Errors
    /// Columns that are not of the bound types.
    pub fn add(
        &mut self,
        batch: &MessageBatch,
        segments: &[SegmentKey],
        digester: &Digester,
        cut: &MessageSegments,
    ) -> Result<(), EncodeError> {
        let judged: Vec<usize> = (0..batch.len()).filter(|row| batch.states[*row] == MessageState::Judged).collect();
        // Where most are judged, digests of the others cost less than leaving them out.
        if judged.len() * 2 >= batch.len() {
            let inexact = batch.inexact(|_| true);
            digester.digest(batch.len(), &batch.columns, inexact.as_ref(), |digests| {
                self.judged(batch, segments, judged.iter().map(|row| (*row, &digests[*row])));
            })?;
        } else if !judged.is_empty() {
            let only = batch.select(&judged);
            let inexact = only.inexact(|_| true);
            digester.digest(only.len(), &only.columns, inexact.as_ref(), |digests| {
                self.judged(batch, segments, judged.iter().copied().zip(digests));
            })?;
        }
        if judged.len() < batch.len() {
            self.beside(batch, segments, cut)?;
        }
        if let MessageSegments::Key(cut) = cut {
            self.note_windows(batch, segments, &judged, cut.length);
        }
        Ok(())
    }

    /// Adds a batch of an upsert table: its messages, since later ones take the place of earlier ones.
    ///
    /// # Errors
    /// Columns that are not of the bound types.
    pub fn add_versions(&mut self, batch: &MessageBatch, digests: &IdentityDigests) -> Result<(), EncodeError> {
        let why: BTreeMap<usize, &String> = batch.details.iter().map(|(row, why)| (*row, why)).collect();
        let (entries, _) = entries::of_all_messages(batch, digests, false, &Losses::default())?;
        for (row, entry) in entries.into_iter().enumerate() {
            let of = self.0.entry(entry.at.partition).or_default();
            match entry.state {
                MessageState::Undecodable(cause) => of.undecodable.push(Undecodable {
                    at: entry.at,
                    cause,
                    timestamp_ms: entry.timestamp_ms,
                    detail: why.get(&row).map(|why| (*why).clone()).unwrap_or_default(),
                    identity: entry.identity,
                }),
                _ if entry.identity.is_some() => of.versions.push(entry),
                MessageState::Judged | MessageState::Excluded(_) => {}
            }
        }
        Ok(())
    }

    /// No window lies far ahead of when its message was sent: where a clock is wrong the instant of that counts.
    fn note_windows(&mut self, batch: &MessageBatch, segments: &[SegmentKey], judged: &[usize], length: WindowLength) {
        for row in judged {
            let SegmentKey::Window { start: Some(window), .. } = segments[*row] else { continue };
            let sent_us = batch.timestamp_ms[*row].map(|at| at.saturating_add(CLOCKS_DIFFER_MS).saturating_mul(1_000));
            let window = sent_us.map_or(window, |sent| window.min(length.number_of_us(sent)));
            let of = self.0.entry(PartitionIndex(batch.partition[*row])).or_default();
            let (first, greatest) = of.windows.unwrap_or((window, window));
            of.windows = Some((first, greatest.max(window)));
        }
    }

    fn judged<'d>(
        &mut self,
        batch: &MessageBatch,
        segments: &[SegmentKey],
        digests: impl Iterator<Item = (usize, &'d Digest)>,
    ) {
        let mut runs: Runs<(u32, SegmentKey), Note> = Runs::default();
        for (row, digest) in digests {
            let mut times = Times::default();
            times.note(batch.timestamp_ms[row]);
            let note = Note { times, offset_max: batch.offset[row], from: batch.offset[row] };
            runs.add((batch.partition[row], segments[row]), digest, note, |all, one| {
                all.times.merge(&one.times);
                all.offset_max = all.offset_max.max(one.offset_max);
                all.from = all.from.min(one.from);
            });
        }
        for run in runs.into_vec() {
            let part = self.part(run.key.0, run.key.1);
            part.bag.merge(&run.bag);
            part.times.merge(&run.note.times);
            part.offset_max = part.offset_max.max(run.note.offset_max);
            spread(part, (run.note.from, run.note.offset_max.saturating_add(1)));
        }
    }

    /// Messages that are not judged.
    fn beside(
        &mut self,
        batch: &MessageBatch,
        segments: &[SegmentKey],
        cut: &MessageSegments,
    ) -> Result<(), EncodeError> {
        let identities = identities(batch, cut)?;
        let why: BTreeMap<usize, &String> = batch.details.iter().map(|(row, why)| (*row, why)).collect();
        for (row, state) in batch.states.iter().enumerate() {
            match state {
                MessageState::Judged => continue,
                MessageState::Excluded(_) => self.part(batch.partition[row], segments[row]).excluded += 1,
                MessageState::Undecodable(cause) => {
                    self.part(batch.partition[row], segments[row]).undecodable += 1;
                    let partition = PartitionIndex(batch.partition[row]);
                    self.0.entry(partition).or_default().undecodable.push(Undecodable {
                        at: MessageAt { partition, offset: batch.offset[row] },
                        cause: *cause,
                        timestamp_ms: batch.timestamp_ms[row],
                        detail: why.get(&row).map(|why| (*why).clone()).unwrap_or_default(),
                        identity: identities.get(&row).copied(),
                    });
                }
            }
            let offset = batch.offset[row];
            spread(self.part(batch.partition[row], segments[row]), (offset, offset.saturating_add(1)));
        }
        Ok(())
    }

    fn part(&mut self, partition: u32, segment: SegmentKey) -> &mut SegmentPart {
        let of = self.0.entry(PartitionIndex(partition)).or_default();
        of.parts.entry(segment).or_insert_with(|| SegmentPart {
            segment,
            bag: Bag::EMPTY,
            times: Times::default(),
            offset_max: i64::MIN,
            span: (i64::MAX, i64::MIN),
            excluded: 0,
            undecodable: 0,
        })
    }

    /// The sums of a partition, which begin anew.
    pub fn take(&mut self, partition: PartitionIndex) -> OfPartition {
        self.0.remove(&partition).unwrap_or_default()
    }
}

fn spread(part: &mut SegmentPart, (from, to): (i64, i64)) {
    part.span = (part.span.0.min(from), part.span.1.max(to));
}

/// By row, the identities of undecodable messages, where offsets do not say it and where they are known.
fn identities(batch: &MessageBatch, cut: &MessageSegments) -> Result<BTreeMap<usize, IdentityHash>, EncodeError> {
    let MessageSegments::Key(cut) = cut else { return Ok(BTreeMap::new()) };
    let is_undecodable = |row: &usize| matches!(batch.states[*row], MessageState::Undecodable(_));
    let rows: Vec<usize> = (0..batch.len()).filter(is_undecodable).collect();
    let entries = entries::of_all_messages(&batch.select(&rows), &cut.digests, false, &Losses::default())?.0;
    Ok(rows.into_iter().zip(entries).filter_map(|(row, entry)| Some((row, entry.identity?))).collect())
}
