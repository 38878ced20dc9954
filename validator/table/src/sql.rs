//! Iceberg's SQL catalog, whatever database it is in: SELECT only, from the table that PyIceberg, Java and iceberg-rust
//! share. V0 catalogs have no column `iceberg_type`.

use async_trait::async_trait;

use crate::catalog::{CatalogError, TableName};
use crate::nearest::nearest;

/// A connection to some database.
#[async_trait]
pub(crate) trait Select: Send {
    /// The columns of `iceberg_tables`; none where there is no such table.
    async fn columns(&mut self) -> Result<Vec<String>, sqlx::Error>;

    /// The first column of a query; parameters are `$1`, `$2`, …
    async fn texts(&mut self, sql: &str, parameters: &[&str]) -> Result<Vec<Option<String>>, sqlx::Error>;
}

/// What the catalog has under a name.
pub(crate) enum Found {
    Location(String),
    NoLocation,
    NoCatalog,
    NoTable {
        /// `namespace.table` of all others.
        others: Vec<String>,
    },
}

pub(crate) async fn look_up(
    connection: &mut dyn Select,
    catalog_name: &str,
    name: &TableName,
) -> Result<Found, sqlx::Error> {
    let columns = connection.columns().await?;
    if columns.is_empty() {
        return Ok(Found::NoCatalog);
    }
    let typed = columns.iter().any(|column| column == "iceberg_type");
    let tables_only = if typed { " AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)" } else { "" };
    let one = format!(
        "SELECT metadata_location FROM iceberg_tables \
         WHERE catalog_name = $1 AND table_namespace = $2 AND table_name = $3{tables_only}"
    );
    let found = connection.texts(&one, &[catalog_name, &name.namespace.join("."), &name.table]).await?;
    if let Some(location) = found.into_iter().next() {
        return Ok(location.filter(|l| !l.is_empty()).map_or(Found::NoLocation, Found::Location));
    }
    let all =
        format!("SELECT table_namespace || '.' || table_name FROM iceberg_tables WHERE catalog_name = $1{tables_only}");
    let others = connection.texts(&all, &[catalog_name]).await?;
    Ok(Found::NoTable { others: others.into_iter().flatten().collect() })
}

impl Found {
    /// The location; `database` says where it was looked up.
    pub(crate) fn location(self, name: &TableName, database: String) -> Result<String, CatalogError> {
        match self {
            Found::Location(location) => Ok(location),
            Found::NoLocation => Err(CatalogError::NoMetadataLocation { name: name.to_string() }),
            Found::NoCatalog => Err(CatalogError::NoCatalog { path: database }),
            Found::NoTable { others } => {
                let wanted = format!("{}.{}", name.namespace.join("."), name.table);
                let near = nearest(&wanted, others.iter().map(String::as_str));
                let near = near.into_iter().map(|near| format!("{}.{near}", name.catalog)).collect();
                Err(CatalogError::NoTable { name: name.to_string(), nearest: near })
            }
        }
    }
}
