//! Messages for people that must not be lost and must not hold anything up: written by a checkpoint, sent after it.
//!
//! Contract: a message that was handed out and not told of is handed out again: it is sent at least once.

use crate::book::{Book, standing};
use crate::error::LedgerError;
use crate::limits::OUTBOX_ROWS_MAX;
use crate::store::Store;
use crate::value::{Kind, Value};

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The channel's name in the configuration.
    pub channel: String,
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
}

pub(crate) async fn put(store: &mut Store, pipeline: i64, mail: &[Mail], at_ms: i64) -> Result<(), LedgerError> {
    for mail in mail {
        let values: [Value; 4] =
            [pipeline.into(), mail.channel.as_str().into(), mail.body.as_slice().into(), at_ms.into()];
        let sql =
            "INSERT INTO outbox (pipeline, channel, body, tries, next_ms, state) VALUES ($1, $2, $3, 0, $4, 'waiting')";
        store.write(sql, &values.iter().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

impl Book {
    /// Messages whose time has come, oldest first, a bounded number.
    ///
    /// # Errors
    /// When the book is fenced or the database cannot.
    pub async fn outbox(&mut self, now_ms: i64) -> Result<Vec<Waiting>, LedgerError> {
        let mut store = self.store.lock().await;
        store.begin().await?;
        let found = async {
            standing(&mut store, &self.row, &self.name).await?;
            let sql = format!(
                "SELECT message, channel, body, tries FROM outbox WHERE pipeline = $1 AND state = 'waiting' \
                 AND next_ms <= $2 ORDER BY next_ms, message LIMIT {OUTBOX_ROWS_MAX}"
            );
            let kinds = [Kind::Int, Kind::Text, Kind::Blob, Kind::Int];
            store.rows(&sql, &[&self.row.pipeline.into(), &now_ms.into()], &kinds).await
        };
        let found = found.await;
        store.rollback().await;
        found?.iter().map(|row| waiting(row)).collect()
    }

    /// A message was sent.
    ///
    /// # Errors
    /// When the book is fenced or the database cannot.
    pub async fn sent(&mut self, message: i64, now_ms: i64) -> Result<(), LedgerError> {
        self.mark(message, "sent", now_ms).await
    }

    /// A message was tried and is tried again at that time.
    ///
    /// # Errors
    /// When the book is fenced or the database cannot.
    pub async fn put_off(&mut self, message: i64, next_ms: i64) -> Result<(), LedgerError> {
        self.mark(message, "waiting", next_ms).await
    }

    /// A message is tried no more.
    ///
    /// # Errors
    /// When the book is fenced or the database cannot.
    pub async fn give_up(&mut self, message: i64, now_ms: i64) -> Result<(), LedgerError> {
        self.mark(message, "given up", now_ms).await
    }

    async fn mark(&mut self, message: i64, state: &str, at_ms: i64) -> Result<(), LedgerError> {
        let mut store = self.store.lock().await;
        store.begin().await?;
        let marked = async {
            standing(&mut store, &self.row, &self.name).await?;
            let values: [Value; 4] = [self.row.pipeline.into(), message.into(), state.into(), at_ms.into()];
            let sql = "UPDATE outbox SET state = $3, next_ms = $4, tries = tries + 1 \
                       WHERE pipeline = $1 AND message = $2 AND state = 'waiting'";
            match store.write(sql, &values.iter().collect::<Vec<_>>()).await? {
                1 => Ok(()),
                _ => Err(LedgerError::Contradiction { what: format!("message {message} does not wait") }),
            }
        };
        match marked.await {
            Ok(()) => store.commit().await,
            Err(error) => {
                store.rollback().await;
                Err(error)
            }
        }
    }
}

fn waiting(row: &[Value]) -> Result<Waiting, LedgerError> {
    let mail = Mail { channel: row[1].text()?.to_owned(), body: row[2].blob()?.to_vec() };
    Ok(Waiting { message: row[0].int()?, mail, tries: row[3].int()? })
}
