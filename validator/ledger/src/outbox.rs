//! Messages for people that must not be lost and must not hold anything up: written by a checkpoint, sent after it.
//!
//! Contract: a message that was handed out and not told of is handed out again: it is sent at least once. Channels do not
//! wait for each other.

use std::collections::BTreeMap;

use crate::book::{Book, standing};
use crate::error::LedgerError;
use crate::limits::{MAIL_WAITS_MAX_MS, OUTBOX_ROWS_MAX};
use crate::store::Store;
use crate::value::{Kind, Value};

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The channel's name in the configuration.
    pub channel: String,
    /// Of one key there is one message in a channel, as long as the ledger remembers it; a second one is left out.
    pub dedupe: Option<String>,
    /// What it says.
    pub body: Vec<u8>,
}

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub message: i64,
    /// Where it goes, and what it says.
    pub mail: Mail,
    /// How often it was tried.
    pub tries: i64,
    /// When it was written, milliseconds since the epoch.
    pub put_ms: i64,
}

/// How often and how soon a message is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Milliseconds after the first failure; they double.
    pub first_ms: i64,
    /// Milliseconds at most.
    pub most_ms: i64,
    /// How often it is tried at all.
    pub tries: u32,
}

/// What becomes of a message that could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is tried again.
    Again {
        /// When.
        at_ms: i64,
    },
    /// It was tried often enough.
    Dead,
}

impl Retry {
    fn fate(&self, tries: i64, now_ms: i64) -> Fate {
        if tries >= i64::from(self.tries) {
            return Fate::Dead;
        }
        let doubled = u32::try_from(tries - 1).ok().and_then(|times| 1_i64.checked_shl(times)).unwrap_or(i64::MAX);
        let wait = self.first_ms.saturating_mul(doubled.max(1)).min(self.most_ms).min(MAIL_WAITS_MAX_MS);
        Fate::Again { at_ms: now_ms.saturating_add(wait) }
    }
}

pub(crate) async fn put(store: &mut Store, pipeline: i64, mail: &[Mail], at_ms: i64) -> Result<(), LedgerError> {
    for mail in mail {
        let dedupe = Value::Text(mail.dedupe.clone());
        let values: [Value; 5] =
            [pipeline.into(), mail.channel.as_str().into(), dedupe, mail.body.as_slice().into(), at_ms.into()];
        let sql = "INSERT INTO outbox (pipeline, channel, dedupe, body, tries, put_ms, next_ms, state) \
                   VALUES ($1, $2, $3, $4, 0, $5, $5, 'waiting') \
                   ON CONFLICT (pipeline, channel, dedupe) WHERE dedupe IS NOT NULL DO NOTHING";
        store.write(sql, &values.iter().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

impl Book {
    /// Messages of a channel whose time has come, in the order in which they were put, a bounded number: none overtakes one that waits for
    /// its next try. What was never tried waits for
    /// nothing, and a time that is further away than any try was noted by a clock that has gone back since.
    ///
    /// # Errors
    /// When the book is fenced or the database cannot.
    pub async fn outbox(&mut self, channel: &str, now_ms: i64) -> Result<Vec<Waiting>, LedgerError> {
        let waits = format!("tries > 0 AND next_ms > $3 AND next_ms <= $3 + {MAIL_WAITS_MAX_MS}");
        let sql = format!(
            "SELECT message, channel, dedupe, body, tries, put_ms FROM outbox WHERE pipeline = $1 AND channel = $2 \
             AND state = 'waiting' AND message < COALESCE((SELECT MIN(message) FROM outbox WHERE pipeline = $1 \
             AND channel = $2 AND state = 'waiting' AND {waits}), 9223372036854775807) ORDER BY message LIMIT {OUTBOX_ROWS_MAX}"
        );
        let kinds = [Kind::Int, Kind::Text, Kind::Text, Kind::Blob, Kind::Int, Kind::Int];
        let values: [Value; 3] = [self.row.pipeline.into(), channel.into(), now_ms.into()];
        self.asked(&sql, &values, &kinds).await?.iter().map(|row| waiting(row)).collect()
    }

    /// Channels for which messages wait, due or not, and how many.
    ///
    /// # Errors
    /// When the book is fenced or the database cannot.
    pub async fn channels(&mut self) -> Result<BTreeMap<String, u64>, LedgerError> {
        let sql = "SELECT channel, COUNT(*) FROM outbox WHERE pipeline = $1 AND state = 'waiting' GROUP BY channel";
        let rows = self.asked(sql, &[self.row.pipeline.into()], &[Kind::Text, Kind::Int]).await?;
        rows.iter().map(|row| Ok((row[0].text()?.to_owned(), crate::rows::small_count(&row[1])?))).collect()
    }

    async fn asked(&mut self, sql: &str, values: &[Value], kinds: &[Kind]) -> Result<Vec<Vec<Value>>, LedgerError> {
        let mut store = self.store.lock().await;
        store.begin().await?;
        let found = async {
            standing(&mut store, &self.row, &self.name).await?;
            store.rows(sql, &values.iter().collect::<Vec<_>>(), kinds).await
        };
        let found = found.await;
        store.rollback().await;
        found
    }

    /// A message was sent.
    ///
    /// # Errors
    /// When the book is fenced, the message does not wait, or the database cannot.
    pub async fn sent(&mut self, message: i64, now_ms: i64) -> Result<(), LedgerError> {
        self.end(message, "sent", None, &|_| (Fate::Dead, now_ms)).await.map(drop)
    }

    /// A message could not be sent: it is tried again later, or no more.
    ///
    /// # Errors
    /// When the book is fenced, the message does not wait, or the database cannot.
    pub async fn failed(&mut self, message: i64, why: &str, now_ms: i64, retry: &Retry) -> Result<Fate, LedgerError> {
        let fate = |tries| match retry.fate(tries, now_ms) {
            Fate::Again { at_ms } => (Fate::Again { at_ms }, at_ms),
            Fate::Dead => (Fate::Dead, now_ms),
        };
        self.end(message, "given up", Some(why), &fate).await
    }

    /// A message is tried no more.
    ///
    /// # Errors
    /// When the book is fenced, the message does not wait, or the database cannot.
    pub async fn give_up(&mut self, message: i64, now_ms: i64) -> Result<(), LedgerError> {
        self.end(message, "given up", None, &|_| (Fate::Dead, now_ms)).await.map(drop)
    }

    /// Counts a try; `fate` says of the number of tries what comes next and the time to note.
    async fn end(
        &mut self,
        message: i64,
        over: &str,
        why: Option<&str>,
        fate: &(dyn Fn(i64) -> (Fate, i64) + Sync),
    ) -> Result<Fate, LedgerError> {
        let mut store = self.store.lock().await;
        store.begin().await?;
        let marked = async {
            standing(&mut store, &self.row, &self.name).await?;
            let sql = "SELECT tries FROM outbox WHERE pipeline = $1 AND message = $2 AND state = 'waiting'";
            let rows = store.rows(sql, &[&self.row.pipeline.into(), &message.into()], &[Kind::Int]).await?;
            let [row] = rows.as_slice() else {
                return Err(LedgerError::Contradiction { what: format!("message {message} does not wait") });
            };
            let tries = row[0].int()? + 1;
            let (fate, next_ms) = fate(tries);
            let state = if fate == Fate::Dead { over } else { "waiting" };
            let why = Value::Text(why.map(str::to_owned));
            let values: [Value; 5] = [message.into(), state.into(), next_ms.into(), tries.into(), why];
            let sql = "UPDATE outbox SET state = $2, next_ms = $3, tries = $4, why = $5 WHERE message = $1";
            store.write(sql, &values.iter().collect::<Vec<_>>()).await?;
            Ok(fate)
        };
        match marked.await {
            Ok(fate) => store.commit().await.map(|()| fate),
            Err(error) => {
                store.rollback().await;
                Err(error)
            }
        }
    }
}

fn waiting(row: &[Value]) -> Result<Waiting, LedgerError> {
    let dedupe = row[2].text().ok().map(str::to_owned);
    let mail = Mail { channel: row[1].text()?.to_owned(), dedupe, body: row[3].blob()?.to_vec() };
    Ok(Waiting { message: row[0].int()?, mail, tries: row[4].int()?, put_ms: row[5].int()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let retry = Retry { first_ms: 1_000, most_ms: 60_000, tries: 70 };
        let after = |tries| retry.fate(tries, 0);
        assert_eq!(after(1), Fate::Again { at_ms: 1_000 });
        assert_eq!(after(4), Fate::Again { at_ms: 8_000 });
        assert_eq!(after(69), Fate::Again { at_ms: 60_000 });
        assert_eq!(after(70), Fate::Dead);
    }
}
