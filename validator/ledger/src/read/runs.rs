//! Runs: whole segments without rows, whose messages have one verdict. They are listed as runs, however many messages.

use std::ops::Range;

use validator_core::position::TopicPartition;
use validator_core::segment::SegmentKey;
use validator_core::shadow::blame::Blame;
use validator_core::shadow::page::{Page, PageKey};
use validator_core::verdict::{Cause, MessageVerdict, Verdict};

use super::filter::Asked;
use super::state::{FindingState, Marked};
use crate::error::LedgerError;
use crate::finding::ResolvedBy;
use crate::group::GroupId;
use crate::rows::{self, OPEN};
use crate::store::Store;
use crate::value::{Kind, Value};

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// The segment.
    pub segment: SegmentKey,
    /// Its partition.
    pub tp: TopicPartition,
    /// The consumed part of its range as it is now, half-open; an open run is of its judged messages.
    pub from: i64,
    /// See `from`.
    pub upto: i64,
    /// Its messages as runs without a hole; none: messages lie between that are none of it, and nobody knows where.
    pub offsets: Vec<Range<i64>>,
    /// The verdict of each.
    pub verdict: Verdict,
    /// Its cause.
    pub cause: Option<Cause>,
    /// How many.
    pub messages: u64,
    /// What holds of it; of decisions only those on its group.
    pub state: FindingState,
    /// When it opened last.
    pub opened_ms: i64,
    /// When it changed last.
    pub changed_ms: i64,
    /// What resolved it.
    pub resolved_by: Option<ResolvedBy>,
    /// Its group.
    pub group: GroupId,
    /// Of withdrawn messages: who took their rows away, as far as that is known now.
    pub blame: Option<Blame>,
}

const COLUMNS: &str = "f.kind, f.a, f.b, f.slot, f.verdict, f.cause, f.messages, f.opened_ms, f.changed_ms, \
                       f.resolved_by, f.group_id";
const KINDS: [Kind; 12] = [
    Kind::Int,
    Kind::Int,
    Kind::Int,
    Kind::Int,
    Kind::Text,
    Kind::Text,
    Kind::Int,
    Kind::Int,
    Kind::Int,
    Kind::Text,
    Kind::Text,
    Kind::Text,
];

/// Where a list of runs goes on: after this one.
pub(super) type RunKey = ([i64; 4], String);

impl RunRow {
    fn key(&self) -> RunKey {
        let (page, slot) = PageKey::of(self.segment);
        let slot = i64::try_from(slot).unwrap_or(i64::MAX);
        ([i64::from(page.kind), page.a, page.b, slot], self.verdict.as_str().to_owned())
    }
}

/// At most so many runs after one, in the order of their segments, and the last that was looked at; none: there are no more.
pub(super) async fn page(
    store: &mut Store,
    asked: &Asked<'_>,
    marked: &Marked,
    width: i64,
    after: Option<&RunKey>,
    limit: usize,
) -> Result<(Vec<RunRow>, Option<RunKey>), LedgerError> {
    // No run lies in a file.
    if asked.filter.file.is_some() {
        return Ok((Vec::new(), None));
    }
    let (mut conditions, mut values) = asked.conditions(marked.standing, "f.kind = 1 AND f.a");
    if let Some(offset) = asked.filter.offset {
        let number = offset.div_euclid(width.max(1));
        let (page, slot) =
            PageKey::of(SegmentKey::Offsets { partition: validator_core::position::PartitionIndex(0), index: number });
        values.extend([page.b.into(), i64::try_from(slot).unwrap_or(i64::MAX).into()]);
        conditions.push_str(&format!(" AND f.b = ${} AND f.slot = ${}", values.len() - 1, values.len()));
    }
    if let Some((key, verdict)) = after {
        values.extend(key.map(Value::from));
        values.push(verdict.as_str().into());
        let places = (values.len() - 4..=values.len()).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ");
        conditions.push_str(&format!(" AND (f.kind, f.a, f.b, f.slot, f.verdict) > ({places})"));
    }
    let sql = format!(
        "SELECT {COLUMNS}, {} FROM {} WHERE {conditions} ORDER BY f.kind, f.a, f.b, f.slot, f.verdict LIMIT {limit}",
        marked.standing, marked.runs
    );
    let mut runs = Vec::new();
    let mut held: Option<(PageKey, Page)> = None;
    let rows = store.rows(&sql, &values.iter().collect::<Vec<_>>(), &KINDS).await?;
    let is_full = rows.len() == limit;
    let mut last = None;
    for row in rows {
        let mut run = back(&row, &asked.lanes)?;
        let (key, slot) = PageKey::of(run.segment);
        if held.as_ref().is_none_or(|(own, _)| *own != key) {
            held = page_of(store, asked.pipeline, key).await?.map(|page| (key, page));
        }
        if let Some((_, page)) = &held {
            place(store, asked.pipeline, &mut run, (page, slot)).await?;
        }
        last = Some(run.key());
        // The range may go on beyond what was consumed.
        let passes = asked.filter.offset.is_none_or(|offset| (run.from..run.upto).contains(&offset));
        if passes {
            runs.push(run);
        }
    }
    Ok((runs, last.filter(|_| is_full)))
}

/// Says what the page of a run knows of it: its offsets, and who took its rows away.
async fn place(
    store: &mut Store,
    pipeline: i64,
    run: &mut RunRow,
    (page, slot): (&Page, usize),
) -> Result<(), LedgerError> {
    let Some(segment) = page.slots[slot].as_deref() else { return Ok(()) };
    (run.from, run.upto) = (segment.from, segment.upto);
    run.blame = segment.blame().filter(|_| run.verdict == MessageVerdict::Withdrawn.into());
    let mut between = holes(page);
    if segment.undecodable > 0 && segment.excluded == 0 {
        between.extend(undecodable(store, pipeline, run).await?);
    }
    run.offsets = without(run.from..run.upto, between);
    let count: i64 = run.offsets.iter().map(|run| run.end - run.start).sum();
    if u64::try_from(count) != Ok(run.messages) {
        run.offsets.clear();
    }
    Ok(())
}

/// Offsets of a page that hold no message.
fn holes(page: &Page) -> Vec<Range<i64>> {
    let explained = page.holes.runs().iter().map(|hole| hole.from..hole.to);
    explained.chain(page.unexplained.iter().map(|(from, to)| *from..*to)).collect()
}

/// Offsets in the range of a run whose messages cannot be told, each of which is a finding of its own; named by a dead letter it is
/// diverted.
async fn undecodable(store: &mut Store, pipeline: i64, run: &RunRow) -> Result<Vec<Range<i64>>, LedgerError> {
    let SegmentKey::Offsets { partition, .. } = run.segment else { return Ok(Vec::new()) };
    let sql = "SELECT DISTINCT place FROM findings WHERE pipeline = $1 AND (verdict = $2 OR verdict = $3 AND state = $4) \
               AND lane = $5 AND place >= $6 AND place < $7";
    let [verdict, named] = [MessageVerdict::Undecodable, MessageVerdict::Diverted].map(Verdict::Message);
    let values = [
        pipeline.into(),
        verdict.as_str().into(),
        named.as_str().into(),
        OPEN.into(),
        i64::from(partition.0).into(),
        run.from.into(),
        run.upto.into(),
    ];
    let rows = store.rows(sql, &values.each_ref(), &[Kind::Int]).await?;
    rows.iter().map(|row| row[0].int().map(|offset| offset..offset + 1)).collect()
}

/// What is left of a range without these.
fn without(range: Range<i64>, mut between: Vec<Range<i64>>) -> Vec<Range<i64>> {
    between.sort_unstable_by_key(|one| one.start);
    let (mut left, mut from) = (Vec::new(), range.start);
    for one in between {
        if from < one.start.min(range.end) {
            left.push(from..one.start.min(range.end));
        }
        from = from.max(one.end);
    }
    if from < range.end {
        left.push(from..range.end);
    }
    left
}

async fn page_of(store: &mut Store, pipeline: i64, key: PageKey) -> Result<Option<Page>, LedgerError> {
    let [kind, a, b] = rows::page_key(key);
    let sql = "SELECT body FROM pages WHERE pipeline = $1 AND kind = $2 AND a = $3 AND b = $4";
    let found = store.rows(sql, &[&pipeline.into(), &kind, &a, &b], &[Kind::Blob]).await?;
    found.first().map(|row| Ok(Page::from_bytes(row[0].blob()?)?)).transpose()
}

fn back(row: &[Value], lanes: &[TopicPartition]) -> Result<RunRow, LedgerError> {
    let (segment, verdict) = (rows::segment_back(row)?, rows::verdict_back(&row[4])?);
    let tp = match segment {
        SegmentKey::Offsets { partition, .. } => lanes.get(partition.0 as usize).cloned(),
        _ => None,
    };
    Ok(RunRow {
        segment,
        tp: tp.ok_or_else(|| LedgerError::damaged("a run is of no partition"))?,
        from: 0,
        upto: 0,
        offsets: Vec::new(),
        verdict,
        cause: rows::cause_back(verdict, &row[5])?,
        messages: rows::small_count(&row[6])?,
        state: FindingState::back(&row[11])?,
        opened_ms: row[7].int()?,
        changed_ms: row[8].int()?,
        resolved_by: ResolvedBy::from_value(&row[9])?,
        group: GroupId::from_digits(row[10].text()?).ok_or_else(|| LedgerError::damaged("a run has no group"))?,
        blame: None,
    })
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn what_lies_between_is_taken_out_of_a_range() {
        assert_eq!(without(10..20, Vec::new()), std::iter::once(10..20).collect::<Vec<_>>());
        assert_eq!(without(10..20, vec![15..16, 0..12, 18..30]), [12..15, 16..18]);
        assert_eq!(without(10..20, vec![12..14, 13..15, 30..31]), [10..12, 15..20]);
        assert!(without(10..20, vec![0..15, 15..40]).is_empty());
    }
}
