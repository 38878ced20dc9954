//! A new beginning of a pipeline: its book stays under another name, and the name is free.
//!
//! Contract: nothing is removed and nothing is hashed anew: no key is needed, and the old book can still be read and proven.

use validator_core::clock::UtcMillis;

use crate::error::LedgerError;
use crate::fleet;
use crate::ledger::{self, Ledger};
use crate::pipeline;
use crate::store::Store;
use crate::value::Value;

impl Ledger {
    /// Renames the book of a pipeline to `NAME@TIME`, and says so. Its messages that wait are sent by nobody.
    ///
    /// # Errors
    /// When there is no such pipeline, the new name is taken, or the database cannot.
    pub async fn start_over(&self, name: &str, at_ms: i64) -> Result<String, LedgerError> {
        let mut store = self.store.lock().await;
        store.begin().await?;
        match renamed(&mut store, name, at_ms).await {
            Ok(shown) => store.commit().await.map(|()| shown),
            Err(error) => {
                store.rollback().await;
                Err(error)
            }
        }
    }
}

async fn renamed(store: &mut Store, name: &str, at_ms: i64) -> Result<String, LedgerError> {
    let (head, all) = ledger::pipelines(store).await?;
    let shown = format!("{name}@{}", UtcMillis(at_ms));
    let names = all.iter().map(|(row, _)| row.shown.as_str());
    let Some((row, _)) = all.iter().find(|(row, _)| row.shown == name) else {
        return Err(LedgerError::Unknown { name: name.to_owned() });
    };
    if names.clone().any(|known| known == shown) {
        return Err(LedgerError::Contradiction { what: format!("there is a pipeline {shown} already") });
    }
    let names = names.map(|known| if known == name { shown.as_str() } else { known });
    let roll = pipeline::roll(names, head.format, &head.made_by, head.made_ms);
    let values: [Value; 2] = [row.pipeline.into(), shown.as_str().into()];
    store.write("UPDATE pipelines SET shown = $2 WHERE pipeline = $1", &[&values[0], &values[1]]).await?;
    let given_up: [Value; 2] = [row.pipeline.into(), at_ms.into()];
    let sql = "UPDATE outbox SET state = 'given up', next_ms = $2 WHERE pipeline = $1 AND state = 'waiting'";
    store.write(sql, &[&given_up[0], &given_up[1]]).await?;
    fleet::forget(store, name).await?;
    store.write("UPDATE ledger SET roll = $1", &[&(&roll).into()]).await?;
    Ok(shown)
}
