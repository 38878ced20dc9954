//! Catalogs: from a configured catalog and a table's name to the location of its current metadata. Reads only.

use std::fmt;

use thiserror::Error;

use crate::postgres::PostgresConfig;
use crate::rest::{RestConfig, RestTable};
use crate::storage::{Storage, StorageError};
use crate::{filesystem, postgres, rest, sqlite};

/// A configured catalog (`[catalogs.NAME]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogConfig {
    /// Iceberg's SQL catalog in an SQLite file; SELECT only.
    Sql {
        /// `sqlite:///absolute/path.db`.
        uri: String,
        /// The `catalog_name` of the rows to read.
        catalog_name: String,
    },
    /// Iceberg's SQL catalog in PostgreSQL; SELECT only.
    Postgres(PostgresConfig),
    /// Iceberg's REST catalog.
    Rest(RestConfig),
    /// Iceberg's filesystem (Hadoop) catalog: folders, `version-hint.text` and numbered metadata.
    Filesystem {
        /// The folder of the namespaces, a path or URL; a relative path starts at the working directory.
        warehouse: String,
    },
    /// One metadata.json (also gzipped); the table's name is not looked at.
    Metadata {
        /// A path or URL; a relative path starts at the working directory.
        location: String,
    },
}

/// `catalog.namespace.table`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The configured catalog's name.
    pub catalog: String,
    /// The namespace, its levels outermost first; at least one.
    pub namespace: Vec<String>,
    /// The table.
    pub table: String,
}

impl TableName {
    /// Splits `catalog.namespace.table`; the namespace may have several levels.
    ///
    /// # Errors
    /// [`CatalogError::BadName`] unless there are at least three non-empty parts.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        let parts: Vec<&str> = text.split('.').collect();
        let bad = || CatalogError::BadName { name: text.to_owned() };
        if parts.iter().any(|part| part.is_empty()) {
            return Err(bad());
        }
        match parts.as_slice() {
            [catalog, namespace @ .., table] if !namespace.is_empty() => Ok(Self {
                catalog: (*catalog).to_owned(),
                namespace: namespace.iter().map(|level| (*level).to_owned()).collect(),
                table: (*table).to_owned(),
            }),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.catalog, self.namespace.join("."), self.table)
    }
}

/// What can go wrong between a catalog and a metadata location.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// Not `catalog.namespace.table`.
    #[error("table name `{name}` is not catalog.namespace.table")]
    BadName {
        /// The text.
        name: String,
    },
    /// The URI is of no kind that is built.
    #[error("catalog uri `{uri}` is not supported: sqlite:///absolute/path.db is")]
    UnsupportedUri {
        /// The URI.
        uri: String,
    },
    /// The URI of a PostgreSQL database cannot be read.
    #[error("catalog uri is not one of PostgreSQL: {what}")]
    BadUri {
        /// What is wrong; it does not repeat the URI, which may hold a password.
        what: String,
    },
    /// The database file is not there; it is never created.
    #[error("catalog database not found: {path}")]
    NoDatabase {
        /// Its path.
        path: String,
    },
    /// The database does not open or a SELECT failed.
    #[error("catalog query failed: {path}")]
    Query {
        /// The database's path.
        path: String,
        /// The driver's words.
        source: sqlx::Error,
    },
    /// The database did not answer in time.
    #[error("catalog gave no answer in {seconds} s: {path}")]
    Silent {
        /// The database.
        path: String,
        /// For how long it was asked.
        seconds: u64,
    },
    /// The database holds no Iceberg catalog.
    #[error("no iceberg_tables in catalog database {path}")]
    NoCatalog {
        /// Its path.
        path: String,
    },
    /// No such table.
    #[error("table not found: {name}{}", offer(.nearest))]
    NoTable {
        /// `namespace.table` under the catalog's name.
        name: String,
        /// Tables of the catalog with names near to it, nearest first.
        nearest: Vec<String>,
    },
    /// A REST catalog cannot be asked as it is configured.
    #[error("rest catalog {uri} cannot be asked: {what}")]
    RestSetup {
        /// Its URI.
        uri: String,
        /// Why.
        what: String,
    },
    /// A REST catalog knows no such warehouse.
    #[error("rest catalog has not what is asked for at {url}{said}")]
    RestNotThere {
        /// What was asked.
        url: String,
        /// Its words, after a colon.
        said: String,
    },
    /// A REST catalog did not answer, also after its repetitions.
    #[error("rest catalog gave no answer for {url} in {seconds} s and {attempts} attempts: {last}")]
    RestSilent {
        /// What was asked.
        url: String,
        /// For how long.
        seconds: u64,
        /// How often.
        attempts: u32,
        /// What the last attempt met.
        last: String,
    },
    /// A REST catalog, or the server of its tokens, refuses.
    #[error("rest catalog refuses {url}: {status}{said}")]
    RestRefused {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: String,
        /// Its words, after a colon.
        said: String,
    },
    /// A REST catalog sends us to another host.
    #[error("rest catalog redirects {url} to {to}: not followed, for what is sent with it is for this host only")]
    RestRedirect {
        /// What was asked.
        url: String,
        /// Where it points.
        to: String,
    },
    /// A REST catalog's answer is none.
    #[error("answer of the rest catalog for {url} cannot be used: {what}")]
    RestAnswer {
        /// What was asked.
        url: String,
        /// Why.
        what: String,
    },
    /// A REST catalog wants what is not built.
    #[error("rest catalog wants what this version cannot do: {what}")]
    RestNotBuilt {
        /// What.
        what: &'static str,
    },
    /// A folder of a filesystem catalog could not be looked at.
    #[error("catalog folder not readable: {location}")]
    Folder {
        /// The folder of the table's metadata.
        location: String,
        /// Why.
        source: StorageError,
    },
    /// More versions follow a filesystem table's hint than are probed.
    #[error("version-hint.text is too far behind: {location} has version {version} and more")]
    TooManyVersions {
        /// The folder of the table's metadata.
        location: String,
        /// The last version that was probed.
        version: u64,
    },
    /// The catalog's row has no metadata location.
    #[error("catalog names no metadata of table {name}")]
    NoMetadataLocation {
        /// The table.
        name: String,
    },
    /// The working directory, from which a relative location starts, is gone.
    #[error("working directory not found for location {location}")]
    NoWorkingDirectory {
        /// The location.
        location: String,
        /// The system's words.
        source: std::io::Error,
    },
}

impl CatalogError {
    /// Whether what was asked for is at fault, and not the catalog or its store.
    pub(crate) fn is_usage(&self) -> bool {
        match self {
            Self::Folder { source, .. } => matches!(source, StorageError::NoKey { .. }),
            Self::BadName { .. }
            | Self::UnsupportedUri { .. }
            | Self::BadUri { .. }
            | Self::NoDatabase { .. }
            | Self::NoCatalog { .. }
            | Self::NoTable { .. }
            | Self::NoMetadataLocation { .. }
            | Self::NoWorkingDirectory { .. }
            | Self::RestSetup { .. }
            | Self::RestNotThere { .. } => true,
            Self::Query { .. }
            | Self::Silent { .. }
            | Self::RestSilent { .. }
            | Self::RestRefused { .. }
            | Self::RestRedirect { .. }
            | Self::RestAnswer { .. }
            | Self::RestNotBuilt { .. }
            | Self::TooManyVersions { .. } => false,
        }
    }
}

/// What a catalog says of a table.
pub(crate) enum Pointer {
    /// Where its current metadata is.
    Location(String),
    /// What a REST catalog answered.
    Rest(RestTable),
}

/// Looks a table up, anew each time.
pub(crate) async fn look_up(
    catalog: &CatalogConfig,
    name: &TableName,
    storage: &Storage,
) -> Result<Pointer, CatalogError> {
    Ok(Pointer::Location(match catalog {
        CatalogConfig::Sql { uri, catalog_name } => sqlite::metadata_location(uri, catalog_name, name).await?,
        CatalogConfig::Postgres(config) => postgres::metadata_location(config, name).await?,
        CatalogConfig::Rest(config) => return rest::load_table(config, name).await.map(Pointer::Rest),
        CatalogConfig::Filesystem { warehouse } => {
            filesystem::metadata_location(&absolute(warehouse)?, name, storage).await?
        }
        CatalogConfig::Metadata { location } => absolute(location)?,
    }))
}

fn absolute(location: &str) -> Result<String, CatalogError> {
    if location.contains("://") || location.starts_with("file:") {
        return Ok(location.to_owned());
    }
    match std::path::absolute(location) {
        Ok(path) => Ok(path.to_string_lossy().into_owned()),
        Err(source) => Err(CatalogError::NoWorkingDirectory { location: location.to_owned(), source }),
    }
}

/// `; did you mean a or b?`, or nothing.
pub(crate) fn offer(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; did you mean {}?", names.join(" or ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_names_have_a_catalog_a_namespace_and_a_table() {
        let name = TableName::parse("lake.market.data.trades").unwrap();
        assert_eq!(name.namespace, ["market", "data"]);
        assert_eq!(name.to_string(), "lake.market.data.trades");
        for bad in ["", "trades", "lake.trades", "lake..trades", "lake.ns."] {
            assert!(matches!(TableName::parse(bad), Err(CatalogError::BadName { .. })), "{bad}");
        }
    }

    #[test]
    fn relative_metadata_locations_start_at_the_working_directory() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(absolute("t/v1.metadata.json").unwrap(), here.join("t/v1.metadata.json").to_string_lossy());
        assert_eq!(absolute("s3://b/v1.metadata.json").unwrap(), "s3://b/v1.metadata.json");
    }
}
