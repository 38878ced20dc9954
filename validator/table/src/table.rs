//! A table loaded from its catalog: metadata without caches, snapshots, and pinning one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use iceberg::spec::TableMetadata;
use thiserror::Error;
use validator_core::schema::Schema;

use crate::catalog::{CatalogConfig, CatalogError, TableName, metadata_location, offer};
use crate::metadata::{self, MetadataError, RefKind};
use crate::schema::core_schema;
use crate::snapshot::{SnapshotInfo, SnapshotSelector, choose};
use crate::storage::{Storage, StorageError};
use crate::{Pinned, pin};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A table's metadata at one instant.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) name: TableName,
    pub(crate) metadata_location: String,
    pub(crate) metadata: Arc<TableMetadata>,
    pub(crate) refs: BTreeMap<String, RefKind>,
    pub(crate) storage: Arc<Storage>,
}

/// Loads a table's current metadata from its catalog; files on the local file system.
///
/// # Errors
/// The catalog cannot be read or does not know the table, the metadata cannot be read, or it needs what is not built.
pub async fn load(catalog: &CatalogConfig, name: &TableName) -> Result<Table, TableError> {
    load_with(catalog, name, Storage::local()).await
}

/// [`load`], with stores of one's own.
///
/// # Errors
/// As [`load`].
pub async fn load_with(catalog: &CatalogConfig, name: &TableName, storage: Storage) -> Result<Table, TableError> {
    let location = metadata_location(catalog, name).await?;
    let bytes = storage
        .read(&location)
        .await
        .map_err(|source| TableError::ReadMetadata { location: location.clone(), source })?;
    let parsed = metadata::parse(&bytes).map_err(|error| match error {
        MetadataError::Unsupported(what) => TableError::Unsupported { what },
        other => TableError::ParseMetadata { location: location.clone(), source: other.into() },
    })?;
    Ok(Table {
        name: name.clone(),
        metadata_location: location,
        metadata: Arc::new(parsed.metadata),
        refs: parsed.refs,
        storage: Arc::new(storage),
    })
}

impl Table {
    /// The table's name.
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// The table's UUID, hyphenated lower case.
    pub fn uuid(&self) -> String {
        self.metadata.uuid().to_string()
    }

    /// Where the metadata was read.
    pub fn metadata_location(&self) -> &str {
        &self.metadata_location
    }

    /// The table's current schema, as [`Pinned::schema`] gives it: enough to check a contract without reading manifests.
    ///
    /// # Errors
    /// A column has a type that is not supported.
    pub fn schema(&self) -> Result<Schema, TableError> {
        core_schema(self.metadata.current_schema()).map_err(|what| TableError::Unsupported { what })
    }

    /// All retained snapshots, by commit time, as their summaries tell them.
    pub fn snapshots(&self) -> Vec<SnapshotInfo> {
        pin::snapshots(&self.metadata, &BTreeSet::new())
    }

    /// Pins a snapshot: reads its manifest list and manifests.
    ///
    /// # Errors
    /// The snapshot does not exist, the metadata graph cannot be read, or it needs what is not built.
    pub async fn pin(&self, selector: &SnapshotSelector) -> Result<Pinned, TableError> {
        pin::pin(self, choose(self, selector)?).await
    }
}

/// What refuses a run on the table's side.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TableError {
    /// The catalog failed or does not know the table.
    #[error("catalog lookup failed")]
    Catalog(#[from] CatalogError),
    /// metadata.json could not be fetched.
    #[error("table metadata not readable: {location}")]
    ReadMetadata {
        /// Its location.
        location: String,
        /// Why.
        source: StorageError,
    },
    /// metadata.json is broken.
    #[error("table metadata broken: {location}")]
    ParseMetadata {
        /// Its location.
        location: String,
        /// Why.
        source: Source,
    },
    /// No snapshot of that id is retained.
    #[error("snapshot {id} not found; {}", current_snapshot(.current))]
    NoSnapshot {
        /// The id asked for.
        id: i64,
        /// The current one.
        current: Option<i64>,
    },
    /// No such branch or tag.
    #[error("branch or tag `{name}` not found{}", offer(.nearest))]
    NoRef {
        /// The name asked for.
        name: String,
        /// Names near to it.
        nearest: Vec<String>,
    },
    /// The snapshot log does not reach back so far.
    #[error("no snapshot was current at {}; {}", time(*.ms), first_known(.first_ms))]
    NoSnapshotAt {
        /// The instant, milliseconds since the epoch.
        ms: i64,
        /// The first entry of the snapshot log.
        first_ms: Option<i64>,
    },
    /// A manifest list could not be fetched.
    #[error("manifest list not readable: {path}")]
    ReadManifestList {
        /// Its path.
        path: String,
        /// Why.
        source: StorageError,
    },
    /// A manifest list is broken.
    #[error("manifest list broken: {path}")]
    ParseManifestList {
        /// Its path.
        path: String,
        /// Why.
        source: Source,
    },
    /// A manifest could not be fetched.
    #[error("manifest not readable: {path}")]
    ReadManifest {
        /// Its path.
        path: String,
        /// Why.
        source: StorageError,
    },
    /// A manifest is broken.
    #[error("manifest broken: {path}")]
    ParseManifest {
        /// Its path.
        path: String,
        /// Why.
        source: Source,
    },
    /// A manifest is shorter than the manifest list says, in bytes and in entries.
    #[error("manifest truncated: {path} has {entries} of {claimed} entries")]
    TruncatedManifest {
        /// Its path.
        path: String,
        /// Entries that are there.
        entries: u64,
        /// Entries that the manifest list counts.
        claimed: u64,
    },
    /// The table needs what is not built: it is refused, never read wrong.
    #[error("table needs what this version cannot do: {what}")]
    Unsupported {
        /// What.
        what: String,
    },
}

impl TableError {
    /// Whether what was asked for is at fault (a name, a URI, a snapshot that is not there) and not the table, its
    /// catalog or its store: exit 2 rather than 3.
    pub fn is_usage(&self) -> bool {
        match self {
            TableError::Catalog(error) => !matches!(error, CatalogError::Query { .. }),
            TableError::NoSnapshot { .. } | TableError::NoRef { .. } | TableError::NoSnapshotAt { .. } => true,
            _ => false,
        }
    }
}

fn current_snapshot(id: &Option<i64>) -> String {
    id.map_or("the table has no snapshot".to_owned(), |id| format!("the current snapshot is {id}"))
}

fn first_known(ms: &Option<i64>) -> String {
    ms.map_or("the table has no snapshot log".to_owned(), |ms| format!("the first known is of {}", time(ms)))
}

fn time(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms)
        .map_or_else(|| format!("{ms} ms"), |t| t.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}
