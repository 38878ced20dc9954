//! Iceberg's SQL catalog in PostgreSQL: one read-only transaction, for which a role needs nothing but SELECT on
//! `iceberg_tables`.
//!
//! Contract: statements are not named and settings are local to the transaction, so that a pool between us and the
//! server is no obstacle; the whole look-up has a bound in time. Whether the connection is encrypted is for the URI's
//! `sslmode` to say, as everywhere with PostgreSQL; `verify-ca` is refused, since the client library takes it for
//! `verify-full` (transact-rs/sqlx#3793).

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection, Executor, Row};
use validator_core::secret::Secret;

use crate::catalog::{CatalogError, TableName};
use crate::limits::{POSTGRES_ATTEMPTS_MAX, POSTGRES_PAUSE_MILLIS, POSTGRES_SECONDS};
use crate::sql::{Found, Select, look_up};

/// A catalog in PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresConfig {
    /// `postgres://user@host:port/database?sslmode=…`; it may hold a password.
    pub uri: Secret,
    /// The user's password, where the URI has none.
    pub password: Option<Secret>,
    /// The `catalog_name` of the rows to read.
    pub catalog_name: String,
    /// For the whole look-up; default 30 s.
    pub timeout: Option<Duration>,
}

impl PostgresConfig {
    /// Where the URI leads, without user and password.
    ///
    /// # Errors
    /// What is wrong with the URI, for a sentence.
    pub fn database(&self) -> Result<String, String> {
        options(self).map(|options| shown(&options))
    }
}

pub(crate) async fn metadata_location(config: &PostgresConfig, name: &TableName) -> Result<String, CatalogError> {
    let options = options(config).map_err(|what| CatalogError::BadUri { what })?;
    let path = shown(&options);
    let within = config.timeout.unwrap_or(Duration::from_secs(POSTGRES_SECONDS));
    match tokio::time::timeout(within, found(&options, config, name, within)).await {
        Ok(found) => found.map_err(|source| CatalogError::Query { path: path.clone(), source })?.location(name, path),
        Err(_) => Err(CatalogError::Silent { path, seconds: within.as_secs().max(1) }),
    }
}

fn options(config: &PostgresConfig) -> Result<PgConnectOptions, String> {
    let uri = config.uri.expose();
    let (scheme, rest) = uri.split_once("://").ok_or("it has no `://`")?;
    // SQLAlchemy, and so PyIceberg, names the driver too.
    let known = matches!(scheme.split('+').next(), Some("postgres" | "postgresql"));
    if !known {
        return Err("it starts with postgres://".to_owned());
    }
    let options = PgConnectOptions::from_str(&format!("postgres://{rest}")).map_err(|error| error.to_string())?;
    if matches!(options.get_ssl_mode(), PgSslMode::VerifyCa) {
        return Err("sslmode=verify-ca is not built: verify-full asks for the server's name too".to_owned());
    }
    let options = options.application_name("validator").extra_float_digits(None).disable_statement_logging();
    Ok(match &config.password {
        Some(password) => options.password(password.expose()),
        None => options,
    })
}

fn shown(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_default();
    format!("postgres://{}:{}/{database}", options.get_host(), options.get_port())
}

async fn found(
    options: &PgConnectOptions,
    config: &PostgresConfig,
    name: &TableName,
    within: Duration,
) -> Result<Found, sqlx::Error> {
    let mut connection = connected(options).await?;
    connection.execute("BEGIN READ ONLY").await?;
    // The server stops what we no longer wait for.
    connection.execute(format!("SET LOCAL statement_timeout = {}", within.as_millis()).as_str()).await?;
    let found = look_up(&mut connection, &config.catalog_name, name).await?;
    connection.execute("ROLLBACK").await?;
    connection.close().await?;
    Ok(found)
}

async fn connected(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut pause = Duration::from_millis(POSTGRES_PAUSE_MILLIS);
    for _ in 1..POSTGRES_ATTEMPTS_MAX {
        match options.connect().await {
            Err(error) if may_pass(&error) => {}
            other => return other,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    options.connect().await
}

/// Nobody listens, or the server is starting, stopping or full.
fn may_pass(error: &sqlx::Error) -> bool {
    const PASSING: [&str; 3] = ["57P03", "57P01", "53300"];
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| PASSING.contains(&code.as_ref())),
        _ => false,
    }
}

#[async_trait]
impl Select for PgConnection {
    /// By the search path, and without a right to the table itself.
    async fn columns(&mut self) -> Result<Vec<String>, sqlx::Error> {
        let sql = "SELECT attname::text FROM pg_catalog.pg_attribute \
                   WHERE attrelid = to_regclass('iceberg_tables') AND attnum > 0 AND NOT attisdropped";
        Ok(self.texts(sql, &[]).await?.into_iter().flatten().collect())
    }

    async fn texts(&mut self, sql: &str, parameters: &[&str]) -> Result<Vec<Option<String>>, sqlx::Error> {
        let query = parameters.iter().fold(sqlx::query(sql), |query, parameter| query.bind(*parameter));
        query.persistent(false).fetch_all(self).await?.iter().map(|row| row.try_get(0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(uri: &str) -> PostgresConfig {
        PostgresConfig { uri: Secret::new(uri), password: None, catalog_name: "lake".to_owned(), timeout: None }
    }

    #[test]
    fn uris_of_other_clients_are_read_and_shown_without_who_and_how() {
        for scheme in ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+asyncpg"] {
            let shown = config(&format!("{scheme}://me:hunter2@db.example:5433/lake?sslmode=disable")).database();
            assert_eq!(shown.as_deref(), Ok("postgres://db.example:5433/lake"));
        }
        for uri in ["mysql://db/lake", "postgres:db", "postgres://db:port/lake"] {
            let wrong = config(uri).database().unwrap_err();
            assert!(!wrong.contains("hunter2"), "{wrong}");
        }
        assert!(!format!("{:?}", config("postgres://me:hunter2@db/lake")).contains("hunter2"));
    }
}
