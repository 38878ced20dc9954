//! What waits to be sent, and the states of alerts, beside the process that writes them.

use super::{ReadLedger, row_of};
use crate::alerts::{self, Alert};
use crate::error::LedgerError;
use crate::rows;
use crate::store::Store;
use crate::value::Kind;

/// The messages of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailCount {
    /// The channel.
    pub channel: String,
    /// How many wait.
    pub waiting: u64,
    /// How many were given up.
    pub dead: u64,
    /// When the oldest that waits was written, milliseconds since the epoch.
    pub oldest_ms: Option<i64>,
    /// Why one of them could not be sent.
    pub why: Option<String>,
}

impl ReadLedger {
    /// The messages of each channel that wait or were given up.
    ///
    /// # Errors
    /// When there is no such pipeline, or it is damaged.
    pub async fn mail(&mut self, name: &str) -> Result<Vec<MailCount>, LedgerError> {
        self.store.begin().await?;
        let mail = mail(&mut self.store, name).await;
        self.store.rollback().await;
        mail
    }

    /// All alerts of a pipeline, by name and group.
    ///
    /// # Errors
    /// When there is no such pipeline, or it is damaged.
    pub async fn alerts(&mut self, name: &str) -> Result<Vec<Alert>, LedgerError> {
        self.store.begin().await?;
        let alerts = async {
            let (row, _) = row_of(&mut self.store, name).await?;
            alerts::all(&mut self.store, row.pipeline).await
        };
        let alerts = alerts.await;
        self.store.rollback().await;
        alerts
    }
}

async fn mail(store: &mut Store, name: &str) -> Result<Vec<MailCount>, LedgerError> {
    let (row, _) = row_of(store, name).await?;
    let sql = "SELECT channel, COUNT(CASE WHEN state = 'waiting' THEN 1 END), \
               COUNT(CASE WHEN state = 'given up' THEN 1 END), MIN(CASE WHEN state = 'waiting' THEN put_ms END), MAX(why) \
               FROM outbox WHERE pipeline = $1 AND state <> 'sent' GROUP BY channel ORDER BY channel";
    let kinds = [Kind::Text, Kind::Int, Kind::Int, Kind::Int, Kind::Text];
    let one = |row: &Vec<crate::value::Value>| {
        Ok(MailCount {
            channel: row[0].text()?.to_owned(),
            waiting: rows::small_count(&row[1])?,
            dead: rows::small_count(&row[2])?,
            oldest_ms: row[3].int_or_none(),
            why: row[4].text().ok().map(str::to_owned),
        })
    };
    store.rows(sql, &[&row.pipeline.into()], &kinds).await?.iter().map(one).collect()
}
