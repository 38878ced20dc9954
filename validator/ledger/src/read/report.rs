//! What a report says of a pipeline: from its last checkpoint, and from nothing else.

use validator_core::position::TopicPartition;
use validator_core::shadow::lane::Lane;
use validator_core::shadow::standing::Standing;
use validator_core::shadow::told::lane_of;

use super::state::{FindingCount, counts};
use super::{ReadLedger, row_of};
use crate::error::LedgerError;
use crate::pipeline::PipelineRow;
use crate::rows;
use crate::schema::LANES;
use crate::store::Store;
use crate::value::Kind;

/// Where a pipeline stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The last checkpoint.
    pub checkpoint: u64,
    /// When it was written, milliseconds since the epoch.
    pub at_ms: i64,
    /// The instant that it judges by.
    pub judged_at_ms: i64,
    /// The snapshot whose live set it has.
    pub snapshot: Option<i64>,
    /// All counts, as the core packs them.
    pub totals: Vec<u8>,
    /// Findings and runs by state, verdict and cause.
    pub findings: Vec<FindingCount>,
}

/// What a report says of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportFacts {
    /// Its name in the ledger.
    pub name: String,
    /// Its topics.
    pub topics: Vec<String>,
    /// Its table.
    pub table: String,
    /// How messages and rows are matched.
    pub mode: String,
    /// Offsets of a segment.
    pub width: u64,
    /// The last checkpoint.
    pub checkpoint: u64,
    /// When it was written, milliseconds since the epoch.
    pub at_ms: i64,
    /// The instant that it judges by.
    pub judged_at_ms: i64,
    /// The snapshot whose live set it has.
    pub snapshot: Option<i64>,
    /// All counts; of partitions their positions and sums too.
    pub standing: Standing,
    /// Findings and runs by state, verdict and cause.
    pub findings: Vec<FindingCount>,
    /// What belongs to no other row, as the core packs it.
    pub state: Vec<u8>,
}

impl ReadLedger {
    /// Where a pipeline stands; none: it has no checkpoint yet.
    ///
    /// # Errors
    /// When there is no such pipeline, or it is damaged.
    pub async fn summary(&mut self, name: &str, now_ms: i64) -> Result<Option<Summary>, LedgerError> {
        self.store.begin().await?;
        let summary = async {
            let (row, _) = row_of(&mut self.store, name).await?;
            summary(&mut self.store, &row, now_ms).await
        };
        let summary = summary.await;
        self.store.rollback().await;
        summary
    }

    /// What a report says of a pipeline; none: it has no checkpoint yet.
    ///
    /// # Errors
    /// When there is no such pipeline, or it is damaged.
    pub async fn report(&mut self, name: &str, now_ms: i64) -> Result<Option<ReportFacts>, LedgerError> {
        self.store.begin().await?;
        let facts = facts(&mut self.store, name, now_ms).await;
        self.store.rollback().await;
        facts
    }
}

async fn summary(store: &mut Store, row: &PipelineRow, now_ms: i64) -> Result<Option<Summary>, LedgerError> {
    let sql = "SELECT at_ms, judged_at_ms, snapshot FROM checkpoints WHERE pipeline = $1 AND checkpoint = $2";
    let links = store.rows(sql, &[&row.pipeline.into(), &row.checkpoint.into()], &[Kind::Int; 3]).await?;
    let Some(link) = links.first() else { return Ok(None) };
    Ok(Some(Summary {
        checkpoint: row.checkpoint.unsigned_abs(),
        at_ms: link[0].int()?,
        judged_at_ms: link[1].int()?,
        snapshot: link[2].int_or_none(),
        totals: row.totals.clone(),
        findings: counts(store, row.pipeline, now_ms).await?,
    }))
}

async fn facts(store: &mut Store, name: &str, now_ms: i64) -> Result<Option<ReportFacts>, LedgerError> {
    let (row, _) = row_of(store, name).await?;
    let Some(summary) = summary(store, &row, now_ms).await? else { return Ok(None) };
    let text = |at: usize| row.names[at].text().map(str::to_owned);
    Ok(Some(ReportFacts {
        name: row.shown.clone(),
        topics: text(3)?.lines().map(str::to_owned).collect(),
        table: text(4)?,
        mode: text(5)?,
        width: row.width()?.unsigned_abs(),
        checkpoint: summary.checkpoint,
        at_ms: summary.at_ms,
        judged_at_ms: summary.judged_at_ms,
        snapshot: summary.snapshot,
        standing: Standing::from_bytes(&summary.totals)?,
        findings: summary.findings,
        state: row.state.clone(),
    }))
}

/// All partitions by number; a number that is left out is damage.
pub(super) async fn lanes(store: &mut Store, pipeline: i64) -> Result<Vec<Lane>, LedgerError> {
    let sql = format!("SELECT {} FROM lanes WHERE pipeline = $1 ORDER BY lane", LANES.names());
    let mut lanes = Vec::new();
    for row in store.rows(&sql, &[&pipeline.into()], &LANES.kinds()).await? {
        let row = rows::lane_back(&row)?;
        if row.lane.0 as usize != lanes.len() {
            return Err(LedgerError::damaged("a lane is not there"));
        }
        lanes.push(lane_of(row)?);
    }
    Ok(lanes)
}

/// The partitions without their bodies.
pub(super) async fn partitions(store: &mut Store, pipeline: i64) -> Result<Vec<TopicPartition>, LedgerError> {
    let sql = "SELECT topic, number FROM lanes WHERE pipeline = $1 ORDER BY lane";
    let one = |row: &Vec<crate::value::Value>| {
        Ok(TopicPartition { topic: row[0].text()?.to_owned(), partition: rows::small(&row[1])? })
    };
    store.rows(sql, &[&pipeline.into()], &[Kind::Text, Kind::Int]).await?.iter().map(one).collect()
}
