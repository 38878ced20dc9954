//! Where a ledger is, and how a connection to it is made.
//!
//! Contract: SQLite writes ahead and waits for the disk at each commit. Whether a connection to PostgreSQL is encrypted
//! is for the address's `sslmode` to say.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Executor};
use validator_core::secret::Secret;

use crate::error::LedgerError;
use crate::ledger::is_sqlite;
use crate::limits::{
    BUSY_MILLIS, CONNECT_SECONDS, FILE_PAGE_BYTES, IDLE_SECONDS, STATEMENT_BESIDE_SECONDS, STATEMENT_SECONDS, WAL_PAGES,
};
use crate::lock::take_advisory;
use crate::store::{Access, Connected};

/// Where a ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A file of SQLite; a file `.lock` stands beside it.
    Sqlite(PathBuf),
    /// `postgres://user@host:port/database`; its tables are made in the first schema of the search path.
    Postgres(Secret),
}

impl Address {
    /// An address as the configuration has it: `postgres://…`, or a path.
    pub fn new(text: &str) -> Self {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Self::Postgres(Secret::new(text))
        } else {
            Self::Sqlite(PathBuf::from(text.strip_prefix("sqlite://").unwrap_or(text)))
        }
    }

    /// The address without user and password.
    pub fn shown(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(uri) => match PgConnectOptions::from_str(uri.expose()) {
                Ok(options) => {
                    let database = options.get_database().unwrap_or_default();
                    format!("postgres://{}:{}/{database}", options.get_host(), options.get_port())
                }
                Err(_) => "postgres://".to_owned(),
            },
        }
    }

    /// A connection; one that writes to the books in PostgreSQL holds the ledger's lock.
    pub(crate) async fn connect(&self, access: Access) -> Result<Connected, LedgerError> {
        match self {
            Self::Sqlite(path) => {
                let options = match access {
                    Access::Reads => sqlite(path).read_only(true),
                    Access::Alone | Access::Shared => sqlite(path).journal_mode(SqliteJournalMode::Wal),
                    Access::Beside => {
                        is_sqlite(path)?;
                        sqlite(path)
                    }
                };
                Ok(Connected::Sqlite(options.connect().await?))
            }
            Self::Postgres(uri) => {
                let options = PgConnectOptions::from_str(uri.expose())
                    .map_err(|error| LedgerError::BadUrl { what: error.to_string() })?
                    .application_name("validator")
                    .disable_statement_logging();
                let connecting = tokio::time::timeout(Duration::from_secs(CONNECT_SECONDS), options.connect());
                let late = |_| sqlx::Error::PoolTimedOut;
                let mut connection = connecting.await.map_err(late)??;
                let seconds = if access == Access::Beside { STATEMENT_BESIDE_SECONDS } else { STATEMENT_SECONDS };
                let bound = format!("SET statement_timeout = '{seconds}s'");
                connection.execute(bound.as_str()).await?;
                if matches!(access, Access::Shared | Access::Beside) {
                    // What a member that is paused holds in a transaction others wait for.
                    let bound = format!("SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'");
                    connection.execute(bound.as_str()).await?;
                }
                if matches!(access, Access::Alone | Access::Shared) {
                    take_advisory(&mut connection, access, || self.shown()).await?;
                }
                Ok(Connected::Postgres(connection))
            }
        }
    }
}

/// What all connections to a file share.
pub(crate) fn sqlite(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .page_size(FILE_PAGE_BYTES)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_millis(BUSY_MILLIS))
        .pragma("wal_autocheckpoint", WAL_PAGES.to_string())
        .disable_statement_logging()
}
