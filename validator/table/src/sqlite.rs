//! Iceberg's SQL catalog in an SQLite file: SELECT only, the file is opened read-only and never created.
//!
//! Reads the tables that PyIceberg, Java and iceberg-rust share; V0 catalogs have no column `iceberg_type`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row};

use crate::catalog::{CatalogError, TableName};
use crate::nearest::nearest;

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
    match found.map_err(failed)? {
        Found::Location(location) => Ok(location),
        Found::NoLocation => Err(CatalogError::NoMetadataLocation { name: name.to_string() }),
        Found::NoCatalog => Err(CatalogError::NoCatalog { path }),
        Found::NoTable { others } => Err(CatalogError::NoTable {
            name: name.to_string(),
            nearest: nearest(&in_catalog(name), others.iter().map(String::as_str))
                .into_iter()
                .map(|near| format!("{}.{near}", name.catalog))
                .collect(),
        }),
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

enum Found {
    Location(String),
    NoLocation,
    NoCatalog,
    NoTable { others: Vec<String> },
}

async fn look_up(
    connection: &mut SqliteConnection,
    catalog_name: &str,
    name: &TableName,
) -> Result<Found, sqlx::Error> {
    let columns =
        sqlx::query("SELECT name FROM pragma_table_info('iceberg_tables')").fetch_all(&mut *connection).await?;
    if columns.is_empty() {
        return Ok(Found::NoCatalog);
    }
    let typed = columns.iter().any(|row| row.try_get::<String, _>(0).is_ok_and(|column| column == "iceberg_type"));
    let tables_only = if typed { " AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)" } else { "" };
    let one = format!(
        "SELECT metadata_location FROM iceberg_tables \
         WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3{tables_only}"
    );
    let row = sqlx::query(&one)
        .bind(catalog_name)
        .bind(name.namespace.join("."))
        .bind(&name.table)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(row) = row {
        let location: Option<String> = row.try_get(0)?;
        return Ok(location.filter(|l| !l.is_empty()).map_or(Found::NoLocation, Found::Location));
    }
    let all =
        format!("SELECT table_namespace || '.' || table_name FROM iceberg_tables WHERE catalog_name = ?1{tables_only}");
    let rows = sqlx::query(&all).bind(catalog_name).fetch_all(&mut *connection).await?;
    let others = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(Found::NoTable { others })
}

fn in_catalog(name: &TableName) -> String {
    format!("{}.{}", name.namespace.join("."), name.table)
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
