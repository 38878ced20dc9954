//! One connection to either database: statements with values in, rows of values out.
//!
//! Contract: a transaction that was begun and not ended, because an error or a dropped future came between, is rolled
//! back before the next one begins.

use std::time::Duration;

use futures::TryStreamExt;
use futures::stream::BoxStream;
use sqlx::query::Query;
use sqlx::{Connection, Database, Encode, Executor, IntoArguments, PgConnection, SqliteConnection, Type};
use tokio::time::timeout;

use crate::address::Address;
use crate::error::LedgerError;
use crate::limits::{ANSWER_SECONDS, STATEMENT_SECONDS};
use crate::value::{Kind, Value, decoded};

/// A connection.
pub(crate) enum Connected {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It reads.
    Reads,
    /// It writes, and keeps everybody else from writing.
    Alone,
    /// It writes beside others of a fleet, and keeps out who writes alone.
    Shared,
    /// It writes what is no part of the books, whoever else writes.
    Beside,
}

/// A connection that is made again when it was lost.
pub(crate) struct Store {
    address: Address,
    connected: Option<Connected>,
    in_transaction: bool,
    access: Access,
    /// How long the server may be silent; none: as long as it likes.
    pub(crate) patience: Option<Duration>,
    /// Statements that are left before the connection breaks.
    #[cfg(test)]
    pub(crate) fuse: Option<u32>,
    /// The next commit is done, and its answer is lost with the connection.
    #[cfg(test)]
    pub(crate) deaf_at_commit: bool,
}

impl Store {
    pub(crate) fn new(address: Address, connected: Connected, access: Access) -> Self {
        Self {
            address,
            connected: Some(connected),
            in_transaction: false,
            access,
            patience: patience(access),
            #[cfg(test)]
            fuse: None,
            #[cfg(test)]
            deaf_at_commit: false,
        }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// What locks the rows of a SELECT until the transaction ends; SQLite has one writer anyhow.
    pub(crate) fn for_update(&self) -> &'static str {
        match (&self.address, self.access) {
            (Address::Sqlite(_), _) | (_, Access::Reads) => "",
            (Address::Postgres(_), _) => " FOR UPDATE",
        }
    }

    /// Begins; what an earlier transaction left is rolled back, a lost connection is made again.
    pub(crate) async fn begin(&mut self) -> Result<(), LedgerError> {
        self.let_go().await;
        let connected = match &self.connected {
            Some(connected) => connected,
            None => self.connected.insert(self.address.connect(self.access).await?),
        };
        let begin = match (connected, self.access != Access::Reads) {
            (Connected::Sqlite(_), true) => "BEGIN IMMEDIATE",
            (Connected::Sqlite(_), false) => "BEGIN",
            (Connected::Postgres(_), true) => "BEGIN",
            (Connected::Postgres(_), false) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        self.in_transaction = true;
        self.statement(begin).await
    }

    /// Rolls back what an earlier transaction left.
    pub(crate) async fn let_go(&mut self) {
        if self.in_transaction {
            self.rollback().await;
        }
    }

    pub(crate) async fn commit(&mut self) -> Result<(), LedgerError> {
        self.statement("COMMIT").await?;
        self.in_transaction = false;
        #[cfg(test)]
        if std::mem::take(&mut self.deaf_at_commit) {
            self.connected = None;
            return Err(LedgerError::Unreachable { source: sqlx::Error::WorkerCrashed });
        }
        Ok(())
    }

    /// A connection on which even this fails is of no more use.
    pub(crate) async fn rollback(&mut self) {
        let patience = self.patience;
        let done = match &mut self.connected {
            // SQLite ends a transaction by itself where it must; it says so by refusing this.
            Some(Connected::Sqlite(connection)) => {
                let _ = connection.execute("ROLLBACK").await;
                connection.ping().await.is_ok()
            }
            Some(Connected::Postgres(connection)) => answered(patience, connection.execute("ROLLBACK")).await.is_ok(),
            None => false,
        };
        if !done {
            self.connected = None;
        }
        self.in_transaction = false;
    }

    /// A statement without values.
    pub(crate) async fn statement(&mut self, sql: &str) -> Result<(), LedgerError> {
        let patience = self.patience;
        let done = match self.live()? {
            Connected::Sqlite(connection) => connection.execute(sql).await.map(|_| ()),
            Connected::Postgres(connection) => answered(patience, connection.execute(sql)).await.map(|_| ()),
        };
        self.noted(done)
    }

    /// A statement that writes; how many rows it touched.
    pub(crate) async fn write(&mut self, sql: &str, values: &[&Value]) -> Result<u64, LedgerError> {
        let patience = self.patience;
        let done = match self.live()? {
            Connected::Sqlite(connection) => {
                let (sql, values) = without_numbers(sql, values);
                bound(sqlx::query(&sql), &values).execute(connection).await.map(|done| done.rows_affected())
            }
            Connected::Postgres(connection) => {
                let done = answered(patience, bound(sqlx::query(sql), values).execute(connection)).await;
                done.map(|done| done.rows_affected())
            }
        };
        self.noted(done)
    }

    /// All rows of a statement that reads.
    pub(crate) async fn rows(
        &mut self,
        sql: &str,
        values: &[&Value],
        kinds: &[Kind],
    ) -> Result<Vec<Vec<Value>>, LedgerError> {
        let mut rows = Vec::new();
        self.each(sql, values, kinds, |row| {
            rows.push(row);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Each row of a statement that reads, one at a time.
    pub(crate) async fn each(
        &mut self,
        sql: &str,
        values: &[&Value],
        kinds: &[Kind],
        mut take: impl FnMut(Vec<Value>) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let patience = self.patience;
        let done = match self.live()? {
            Connected::Sqlite(connection) => {
                let (sql, values) = without_numbers(sql, values);
                drained(bound(sqlx::query(&sql), &values).fetch(connection), |row| take(decoded(row, kinds)?)).await?
            }
            Connected::Postgres(connection) => {
                let rows = bound(sqlx::query(sql), values).fetch(connection);
                let taken = async { Ok(drained(rows, |row| take(decoded(row, kinds)?)).await) };
                answered(patience, taken).await.unwrap_or_else(|late| Ok(Err(late)))?
            }
        };
        self.noted(done)
    }

    fn live(&mut self) -> Result<&mut Connected, LedgerError> {
        #[cfg(test)]
        if let Some(left) = &mut self.fuse {
            if *left == 0 {
                // As if the process had gone: the connection is dropped in the middle of its transaction.
                self.fuse = None;
                self.connected = None;
                self.in_transaction = false;
            } else {
                *left -= 1;
            }
        }
        let lost = || LedgerError::Unreachable { source: sqlx::Error::WorkerCrashed };
        self.connected.as_mut().ok_or_else(lost)
    }

    /// A connection that broke is dropped: the next transaction makes a new one.
    fn noted<T>(&mut self, done: Result<T, sqlx::Error>) -> Result<T, LedgerError> {
        done.map_err(|error| {
            let error = LedgerError::from(error);
            if matches!(error, LedgerError::Unreachable { .. }) {
                self.connected = None;
                self.in_transaction = false;
            }
            error
        })
    }

    /// Ends the connection in an orderly way, so that SQLite folds its WAL into the file.
    pub(crate) async fn close(mut self) -> Result<(), LedgerError> {
        match self.connected.take() {
            Some(Connected::Sqlite(connection)) => connection.close().await?,
            Some(Connected::Postgres(connection)) => connection.close().await?,
            None => {}
        }
        Ok(())
    }
}

/// A statement with `?` for each of its values, and these in the order in which it asks for them: SQLite looks through the names of
/// all to find that of one.
fn without_numbers<'v>(sql: &str, values: &[&'v Value]) -> (String, Vec<&'v Value>) {
    let mut pieces = sql.split('$');
    let (mut unnamed, mut asked) = (pieces.next().unwrap_or_default().to_owned(), Vec::with_capacity(values.len()));
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = piece.split_at(digits);
        match number.parse::<usize>().ok().and_then(|number| values.get(number.checked_sub(1)?)) {
            Some(value) => {
                unnamed.push('?');
                asked.push(*value);
            }
            None => unnamed.extend(["$", number]),
        }
        unnamed.push_str(rest);
    }
    (unnamed, asked)
}

/// How long a server may be silent. Who only reads waits for as long as it likes: it may read all that there is in one statement.
fn patience(access: Access) -> Option<Duration> {
    match access {
        Access::Reads => None,
        Access::Beside => Some(Duration::from_secs(ANSWER_SECONDS)),
        Access::Alone | Access::Shared => Some(Duration::from_secs(STATEMENT_SECONDS + ANSWER_SECONDS)),
    }
}

/// What the server says within that time.
async fn answered<T>(patience: Option<Duration>, asked: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    match patience {
        Some(patience) => timeout(patience, asked).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)),
        None => asked.await,
    }
}

/// Takes the rows of a statement one at a time: what the database says of it, unless a row is refused.
async fn drained<R>(
    mut rows: BoxStream<'_, sqlx::Result<R>>,
    mut take: impl FnMut(&R) -> Result<(), LedgerError>,
) -> Result<sqlx::Result<()>, LedgerError> {
    loop {
        match rows.try_next().await {
            Ok(Some(row)) => take(&row)?,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        }
    }
}

fn bound<'q, D: Database>(
    query: Query<'q, D, <D as Database>::Arguments<'q>>,
    values: &[&'q Value],
) -> Query<'q, D, <D as Database>::Arguments<'q>>
where
    Option<i64>: Encode<'q, D> + Type<D>,
    Option<&'q str>: Encode<'q, D> + Type<D>,
    Option<&'q [u8]>: Encode<'q, D> + Type<D>,
    <D as Database>::Arguments<'q>: IntoArguments<'q, D>,
{
    values.iter().fold(query, |query, value| match value {
        Value::Int(value) => query.bind(*value),
        Value::Text(value) => query.bind(value.as_deref()),
        Value::Blob(value) => query.bind(value.as_deref()),
    })
}

#[cfg(test)]
mod tests {
    use super::without_numbers;
    use crate::value::Value;

    #[test]
    fn values_are_in_the_order_in_which_a_statement_asks_for_them() {
        let values = [Value::Int(Some(7)), Value::Int(Some(8)), Value::Int(Some(9))];
        let values: Vec<&Value> = values.iter().collect();
        let unnamed = |sql| {
            let (sql, asked) = without_numbers(sql, &values);
            let asked = asked.into_iter().map(|value| value.int().expect("a number")).collect::<Vec<_>>();
            (sql, asked)
        };
        assert_eq!(unnamed("VALUES ($1, $2), ($1, $3)"), ("VALUES (?, ?), (?, ?)".to_owned(), vec![7, 8, 7, 9]));
        assert_eq!(unnamed("a = $3 AND b > $3 OR $1"), ("a = ? AND b > ? OR ?".to_owned(), vec![9, 9, 7]));
        assert_eq!(unnamed("SELECT 1"), ("SELECT 1".to_owned(), vec![]));
        // What is no number of a value stays.
        assert_eq!(unnamed("a = '$' AND b = '$x' AND $1"), ("a = '$' AND b = '$x' AND ?".to_owned(), vec![7]));
    }
}
