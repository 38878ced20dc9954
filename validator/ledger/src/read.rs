//! Reading a ledger beside the process that writes to it.
//!
//! Contract: nothing is written and no lock is taken; each call sees one committed checkpoint.

use validator_core::verdict::{Cause, Verdict};

use crate::address::Address;
use crate::error::LedgerError;
use crate::ledger::{is_sqlite, pipelines};
use crate::migrations::{self, FORMAT};
use crate::pipeline::PipelineRow;
use crate::rows;
use crate::store::Store;
use crate::value::Kind;

/// A ledger, opened for reading.
pub struct ReadLedger {
    pub(crate) store: Store,
}

/// What a report says of a pipeline.
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

/// How many findings are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingCount {
    /// Whether they are true now.
    pub open: bool,
    /// What is true.
    pub verdict: Verdict,
    /// Why.
    pub cause: Option<Cause>,
    /// How many; of a run each of its messages.
    pub findings: u64,
}

impl ReadLedger {
    /// Opens a ledger for reading.
    ///
    /// # Errors
    /// When there is none, it is of a newer or an older format, or not a ledger.
    pub async fn open(address: &Address) -> Result<Self, LedgerError> {
        if let Address::Sqlite(path) = address {
            is_sqlite(path)?;
        }
        let mut store = Store::new(address.clone(), address.connect(false).await?, false);
        let format = migrations::format(&mut store).await?;
        if format < FORMAT {
            return Err(LedgerError::NotALedger {
                place: address.shown(),
                what: "its format is older; the process that writes to it brings it up to date",
            });
        }
        Ok(Self { store })
    }

    /// The names of its pipelines.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub async fn names(&mut self) -> Result<Vec<String>, LedgerError> {
        self.store.begin().await?;
        let all = pipelines(&mut self.store).await;
        self.store.rollback().await;
        all?.1.iter().map(|(row, _)| row.name().map(str::to_owned)).collect()
    }

    /// The counts of a pipeline, from its last checkpoint; none where it has none yet.
    ///
    /// # Errors
    /// When there is no such pipeline, or it is damaged.
    pub async fn summary(&mut self, name: &str) -> Result<Option<Summary>, LedgerError> {
        self.store.begin().await?;
        let summary = summary(&mut self.store, name).await;
        self.store.rollback().await;
        summary
    }
}

/// The row of a pipeline by its name.
pub(crate) async fn row_of(store: &mut Store, name: &str) -> Result<(PipelineRow, [u8; 32]), LedgerError> {
    let (_, all) = pipelines(store).await?;
    let found = all.into_iter().find(|(row, _)| row.name().is_ok_and(|known| known == name));
    found.ok_or_else(|| LedgerError::Unknown { name: name.to_owned() })
}

async fn summary(store: &mut Store, name: &str) -> Result<Option<Summary>, LedgerError> {
    let (row, _) = row_of(store, name).await?;
    let sql = "SELECT at_ms, judged_at_ms, snapshot FROM checkpoints WHERE pipeline = $1 AND checkpoint = $2";
    let links = store.rows(sql, &[&row.pipeline.into(), &row.checkpoint.into()], &[Kind::Int; 3]).await?;
    let Some(link) = links.first() else { return Ok(None) };
    let sql = "SELECT state, verdict, cause, CAST(SUM(findings) AS BIGINT) FROM (\
               SELECT state, verdict, cause, COUNT(*) AS findings FROM findings WHERE pipeline = $1 GROUP BY 1, 2, 3 \
               UNION ALL SELECT state, verdict, cause, SUM(messages) AS findings FROM finding_runs WHERE pipeline = $1 \
               GROUP BY 1, 2, 3) AS both_kinds GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
    let kinds = [Kind::Text, Kind::Text, Kind::Text, Kind::Int];
    let mut findings = Vec::new();
    for counted in store.rows(sql, &[&row.pipeline.into()], &kinds).await? {
        let verdict = rows::verdict_back(&counted[1])?;
        findings.push(FindingCount {
            open: counted[0].text()? == rows::OPEN,
            verdict,
            cause: rows::cause_back(verdict, &counted[2])?,
            findings: rows::small_count(&counted[3])?,
        });
    }
    Ok(Some(Summary {
        checkpoint: row.checkpoint.unsigned_abs(),
        at_ms: link[0].int()?,
        judged_at_ms: link[1].int()?,
        snapshot: link[2].int_or_none(),
        totals: row.totals,
        findings,
    }))
}
