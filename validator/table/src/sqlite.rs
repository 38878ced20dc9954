//! Iceberg's SQL catalog in an SQLite file: the file is opened read-only and never created.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row};

use crate::catalog::{CatalogError, TableName};
use crate::sql::{Select, look_up};

pub(crate) async fn metadata_location(uri: &str, catalog_name: &str, name: &TableName) -> Result<String, CatalogError> {
    let path = database_path(uri)?;
    if !Path::new(&path).is_file() {
        return Err(CatalogError::NoDatabase { path });
    }
    let failed = |source| CatalogError::Query { path: path.clone(), source };
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .read_only(true)
        .immutable(is_closed_wal(Path::new(&path)))
        .create_if_missing(false)
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(failed)?;
    let found = look_up(&mut connection, catalog_name, name).await;
    connection.close().await.map_err(failed)?;
    found.map_err(failed)?.location(name, path)
}

#[async_trait]
impl Select for SqliteConnection {
    async fn columns(&mut self) -> Result<Vec<String>, sqlx::Error> {
        let sql = "SELECT name FROM pragma_table_info('iceberg_tables')";
        Ok(self.texts(sql, &[]).await?.into_iter().flatten().collect())
    }

    async fn texts(&mut self, sql: &str, parameters: &[&str]) -> Result<Vec<Option<String>>, sqlx::Error> {
        let query = parameters.iter().fold(sqlx::query(sql), |query, parameter| query.bind(*parameter));
        query.fetch_all(self).await?.iter().map(|row| row.try_get(0)).collect()
    }
}

/// Whether the database is in WAL mode with nothing in its log, so that nobody has it open for writing. SQLite would
/// leave a `-wal` and a `-shm` file beside such a database even when it opens it read-only; told that the file does not
/// change, it does not.
fn is_closed_wal(path: &Path) -> bool {
    const FORMAT_VERSIONS: std::ops::Range<usize> = 18..20;
    const WAL: [u8; 2] = [2, 2];
    let mut header = [0; FORMAT_VERSIONS.end];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    let log = std::fs::metadata(format!("{}-wal", path.display()));
    read.is_ok() && header[FORMAT_VERSIONS] == WAL && log.map_or(true, |log| log.len() == 0)
}

/// The file of `sqlite:///abs/path.db` (also PyIceberg's four slashes, and parameters after `?`, which are dropped).
fn database_path(uri: &str) -> Result<String, CatalogError> {
    let unsupported = || CatalogError::UnsupportedUri { uri: uri.to_owned() };
    let rest = uri.strip_prefix("sqlite://").ok_or_else(unsupported)?;
    let path = rest.split('?').next().unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(unsupported());
    }
    Ok(format!("/{}", path.trim_start_matches('/')))
}
