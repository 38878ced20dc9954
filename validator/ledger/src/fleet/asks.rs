//! Asks: work that the judge leaves to whoever has time.
//!
//! Contract: an ask is named by what it asks, so that a judge who comes after finds the answers to what he asks too. A member
//! claims one for the length of a lease; one that is not answered by then is anybody's again. An answer is taken or not by who
//! asked: it may come twice, late, or never.

use super::{Link, NOW_MS};
use crate::error::LedgerError;
use crate::limits::{ASKS_AGAIN_MILLIS, ASKS_KEPT_MILLIS, LEASE_MILLIS};
use crate::value::{Kind, Value};

/// How an ask stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskState {
    /// Answered.
    Answered(Vec<u8>),
    /// Somebody has it, or has just given it back.
    Claimed,
    /// Nobody has it; so often somebody had, and did not answer.
    Open(u32),
}

impl Link {
    /// Asks; what was asked before stays as it is. What nobody has waited for in a long time is forgotten.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn ask(&mut self, asks: &[([u8; 32], Vec<u8>)]) -> Result<(), LedgerError> {
        self.store.begin().await?;
        let asked = self.asked(asks).await;
        self.ended(asked).await
    }

    async fn asked(&mut self, asks: &[([u8; 32], Vec<u8>)]) -> Result<(), LedgerError> {
        let name = self.name();
        let sql = format!("DELETE FROM asks WHERE pipeline = $1 AND asked_ms < {NOW_MS} - {ASKS_KEPT_MILLIS}");
        self.store.write(&sql, &[&name]).await?;
        for (ask, body) in asks {
            let (ask, body) = (Value::from(ask), Value::from(body.as_slice()));
            let sql = format!(
                "INSERT INTO asks (pipeline, ask, body, asked_ms, claimed_by, until_ms, tries) \
                 VALUES ($1, $2, $3, {NOW_MS}, '', 0, 0) ON CONFLICT DO NOTHING"
            );
            self.store.write(&sql, &[&name, &ask, &body]).await?;
        }
        Ok(())
    }

    /// How an ask stands; none: it is forgotten.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn ask_state(&mut self, ask: [u8; 32]) -> Result<Option<AskState>, LedgerError> {
        let sql = format!(
            "SELECT answer, (until_ms > {NOW_MS})::int::bigint, tries FROM asks WHERE pipeline = $1 AND ask = $2"
        );
        let (name, ask) = (self.name(), Value::from(&ask));
        self.store.begin().await?;
        let rows = self.store.rows(&sql, &[&name, &ask], &[Kind::Blob, Kind::Int, Kind::Int]).await;
        let rows = self.ended(rows).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(match (&row[0], row[1].int()? == 1) {
            (Value::Blob(Some(answer)), _) => AskState::Answered(answer.clone()),
            (_, true) => AskState::Claimed,
            (_, false) => AskState::Open(u32::try_from(row[2].int()?).unwrap_or(u32::MAX)),
        }))
    }

    /// Nobody waits for these any more.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn forget_asks(&mut self, asks: &[[u8; 32]]) -> Result<(), LedgerError> {
        let name = self.name();
        self.store.begin().await?;
        let mut forgotten = Ok(0);
        for ask in asks {
            let sql = "DELETE FROM asks WHERE pipeline = $1 AND ask = $2";
            forgotten = self.store.write(sql, &[&name, &ask.into()]).await;
            if forgotten.is_err() {
                break;
            }
        }
        self.ended(forgotten).await.map(|_| ())
    }

    /// Claims the oldest ask that nobody has, where the judge goes by this binding: its name and what is asked.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn claim(&mut self, binding: [u8; 32]) -> Result<Option<([u8; 32], Vec<u8>)>, LedgerError> {
        let sql = format!(
            "UPDATE asks SET claimed_by = $2, until_ms = {NOW_MS} + {LEASE_MILLIS}, tries = tries + 1 \
             WHERE pipeline = $1 AND EXISTS (SELECT 1 FROM seats WHERE pipeline = $1 AND binding = $3) AND ask = \
             (SELECT ask FROM asks WHERE pipeline = $1 AND answer IS NULL AND until_ms <= {NOW_MS} \
             ORDER BY tries, asked_ms, ask LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING ask, body"
        );
        let (name, holder) = (self.name(), Value::from(self.member.holder().as_str()));
        self.store.begin().await?;
        let rows = self.store.rows(&sql, &[&name, &holder, &(&binding).into()], &[Kind::Blob, Kind::Blob]).await;
        let rows = self.ended(rows).await?;
        rows.first().map(|row| Ok((row[0].array()?, row[1].blob()?.to_vec()))).transpose()
    }

    /// Keeps a claim for another lease.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn keep_claim(&mut self, ask: [u8; 32]) -> Result<(), LedgerError> {
        let sql = format!(
            "UPDATE asks SET until_ms = {NOW_MS} + {LEASE_MILLIS} \
             WHERE pipeline = $1 AND ask = $2 AND claimed_by = $3 AND answer IS NULL"
        );
        self.of_claim(&sql, ask, None).await
    }

    /// Answers a claimed ask; none: it is left to whoever comes first after a pause.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn answer(&mut self, ask: [u8; 32], answer: Option<Vec<u8>>) -> Result<(), LedgerError> {
        let until = if answer.is_some() { "0".to_owned() } else { format!("{NOW_MS} + {ASKS_AGAIN_MILLIS}") };
        let sql = format!(
            "UPDATE asks SET answer = $4, until_ms = {until} WHERE pipeline = $1 AND ask = $2 AND claimed_by = $3"
        );
        self.of_claim(&sql, ask, Some(Value::Blob(answer))).await
    }

    async fn of_claim(&mut self, sql: &str, ask: [u8; 32], more: Option<Value>) -> Result<(), LedgerError> {
        let (name, ask, holder) = (self.name(), Value::from(&ask), Value::from(self.member.holder().as_str()));
        let mut values = vec![&name, &ask, &holder];
        values.extend(more.as_ref());
        self.store.begin().await?;
        let done = self.store.write(sql, &values).await;
        self.ended(done).await.map(|_| ())
    }
}
