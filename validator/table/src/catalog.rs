//! Catalogs: from a configured catalog and a table's name to the location of its current metadata. Reads only.

use std::fmt;

use thiserror::Error;

use crate::sqlite;

/// A configured catalog (`[catalogs.NAME]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogConfig {
    /// Iceberg's SQL catalog; SELECT only. SQLite so far.
    Sql {
        /// `sqlite:///absolute/path.db`.
        uri: String,
        /// The `catalog_name` of the rows to read.
        catalog_name: String,
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

/// The location of the table's current metadata, asked anew each time.
pub(crate) async fn metadata_location(catalog: &CatalogConfig, name: &TableName) -> Result<String, CatalogError> {
    match catalog {
        CatalogConfig::Sql { uri, catalog_name } => sqlite::metadata_location(uri, catalog_name, name).await,
        CatalogConfig::Metadata { location } => absolute(location),
    }
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
