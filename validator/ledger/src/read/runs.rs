//! Runs: whole segments without rows, whose messages have one verdict. They are listed as runs, however many messages.

use validator_core::position::TopicPartition;
use validator_core::segment::SegmentKey;
use validator_core::shadow::page::{Page, PageKey};
use validator_core::verdict::{Cause, Verdict};

use super::filter::Asked;
use super::state::{FindingState, Marked};
use crate::error::LedgerError;
use crate::finding::ResolvedBy;
use crate::group::GroupId;
use crate::rows;
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
    /// Whether each offset of the range is a judged message.
    pub whole: bool,
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
        if let Some(segment) = held.as_ref().and_then(|(_, page)| page.slots[slot].as_deref()) {
            (run.from, run.upto) = (segment.from, segment.upto);
            run.whole = u64::try_from(segment.upto - segment.from) == Ok(run.messages);
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
        whole: false,
        verdict,
        cause: rows::cause_back(verdict, &row[5])?,
        messages: rows::small_count(&row[6])?,
        state: FindingState::back(&row[11])?,
        opened_ms: row[7].int()?,
        changed_ms: row[8].int()?,
        resolved_by: ResolvedBy::from_value(&row[9])?,
        group: GroupId::from_digits(row[10].text()?).ok_or_else(|| LedgerError::damaged("a run has no group"))?,
    })
}
