//! The states of alerts, so that a restart neither tells of one again nor forgets that it was told.

use crate::book::Book;
use crate::error::LedgerError;
use crate::prepared::{Preparing, checked, hashed_kinds};
use crate::rows::Put;
use crate::schema::ALERTS;
use crate::store::Store;
use crate::value::Value;

/// An alert, as whoever watches keeps it; the ledger does not look into its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The rule.
    pub name: String,
    /// Which of the things that the rule watches.
    pub group: String,
    /// A word of the rule's.
    pub state: String,
    /// Since when it has that state, milliseconds since the epoch.
    pub since_ms: i64,
    /// Whatever else is to be known.
    pub body: Vec<u8>,
}

/// A change of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertChange {
    /// It is so now.
    Set(Alert),
    /// It is nothing any more.
    Cleared {
        /// The rule.
        name: String,
        /// Of what.
        group: String,
    },
}

impl AlertChange {
    fn key(&self) -> (&str, &str) {
        match self {
            Self::Set(alert) => (&alert.name, &alert.group),
            Self::Cleared { name, group } => (name, group),
        }
    }
}

pub(crate) fn put(alerts: &[AlertChange], preparing: &mut Preparing<'_>) -> Result<(), LedgerError> {
    // Of one that changes twice the last word holds.
    let last = alerts.iter().map(|change| (change.key(), change)).collect::<std::collections::BTreeMap<_, _>>();
    for ((name, group), change) in last {
        match change {
            AlertChange::Set(alert) => {
                let Alert { state, since_ms, body, .. } = alert;
                let values = [name, group, state].map(Value::from).into_iter();
                let values = values.chain([(*since_ms).into(), body.as_slice().into()]).collect();
                preparing.put(Put { table: &ALERTS, values, open: false })?;
            }
            AlertChange::Cleared { .. } => preparing.delete(&ALERTS, vec![name.into(), group.into()])?,
        }
    }
    Ok(())
}

fn alert_back(values: &[Value]) -> Result<Alert, LedgerError> {
    Ok(Alert {
        name: values[0].text()?.to_owned(),
        group: values[1].text()?.to_owned(),
        state: values[2].text()?.to_owned(),
        since_ms: values[3].int()?,
        body: values[4].blob()?.to_vec(),
    })
}

/// All alerts of a pipeline by name and group, as they stand in the rows.
pub(crate) async fn all(store: &mut Store, pipeline: i64) -> Result<Vec<Alert>, LedgerError> {
    let sql = format!("{} ORDER BY name, group_key", ALERTS.select());
    let rows = store.rows(&sql, &[&pipeline.into()], &hashed_kinds(&ALERTS)).await?;
    rows.iter().map(|row| alert_back(&row[1..])).collect()
}

impl Book {
    /// All alerts, by name and group: what a restart goes on from.
    ///
    /// # Errors
    /// When one is not what was written, or the book is fenced.
    pub async fn alerts(&mut self) -> Result<Vec<Alert>, LedgerError> {
        let mut store = self.store.lock().await;
        store.begin().await?;
        let read = async {
            crate::book::standing(&mut store, &self.row, &self.name).await?;
            let sql = format!("{} ORDER BY name, group_key", ALERTS.select());
            store.rows(&sql, &[&self.row.pipeline.into()], &hashed_kinds(&ALERTS)).await
        };
        let read = read.await;
        store.rollback().await;
        let one = |row| {
            let standing = checked(&self.key, &ALERTS, row)?;
            let slot = crate::books::slot(&ALERTS, &standing.values[..ALERTS.keys]);
            // The index was proven when the book was opened: an older row has another hash there.
            if self.index.get(&slot).map(|held| held.hash) != Some(standing.hash) {
                return Err(LedgerError::damaged("an alert is not what was written"));
            }
            alert_back(&standing.values)
        };
        read?.into_iter().map(one).collect()
    }
}
