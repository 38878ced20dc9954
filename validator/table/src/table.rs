//! A table loaded from its catalog: metadata without caches, snapshots, and pinning one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use iceberg::spec::TableMetadata;
use thiserror::Error;
use validator_core::schema::Schema;

use crate::catalog::{CatalogConfig, CatalogError, Pointer, TableName, look_up, offer};
use crate::manifest::inconsistent;
use crate::metadata::{self, MetadataError, Parsed, RefKind};
use crate::rest::RestTable;
use crate::schema::core_schema;
use crate::snapshot::{SnapshotInfo, SnapshotSelector, choose};
use crate::storage::{Storage, StorageError};
use crate::{Pinned, TableFinding, pin};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A table's metadata at one instant.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) name: TableName,
    pub(crate) metadata_location: String,
    pub(crate) metadata: Arc<TableMetadata>,
    pub(crate) refs: BTreeMap<String, RefKind>,
    /// BLAKE3 of the metadata file.
    pub(crate) fingerprint: [u8; 32],
    pub(crate) storage: Arc<Storage>,
    /// What the catalog and the store say of each other's metadata.
    pub(crate) findings: Vec<TableFinding>,
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
    match look_up(catalog, name, &storage).await? {
        Pointer::Location(location) => {
            let parsed = read_metadata(&storage, &location).await?;
            Ok(table(name, location, parsed, storage))
        }
        Pointer::Rest(answer) => of_rest(name, answer, storage).await,
    }
}

pub(crate) fn table(name: &TableName, metadata_location: String, parsed: Parsed, storage: Storage) -> Table {
    Table {
        name: name.clone(),
        metadata_location,
        metadata: Arc::new(parsed.metadata),
        refs: parsed.refs,
        fingerprint: parsed.fingerprint,
        storage: Arc::new(storage),
        findings: Vec::new(),
    }
}

/// The file that the catalog names goes before the copy in its answer, which is used only where there is no such file;
/// one is never completed by the other.
pub(crate) async fn of_rest(name: &TableName, answer: RestTable, storage: Storage) -> Result<Table, TableError> {
    let storage = storage.serving(answer.served, answer.lender);
    let copy = |bytes: &Bytes| parse_metadata(&answer.url, bytes);
    let (location, copied) = match (answer.metadata_location, &answer.metadata) {
        (Some(location), copied) => (location, copied.as_ref()),
        (None, Some(copied)) => return Ok(table(name, answer.url.clone(), copy(copied)?, storage)),
        (None, None) => return Err(CatalogError::NoMetadataLocation { name: name.to_string() }.into()),
    };
    match (read_metadata(&storage, &location).await, copied) {
        (Ok(read), Some(copied)) => {
            same_state(&location, &read, &copy(copied)?)?;
            Ok(table(name, location, read, storage))
        }
        (Err(TableError::ReadMetadata { source: StorageError::NotFound { .. }, .. }), Some(copied)) => {
            let detail = "the catalog names this metadata file, and it is not there: its own copy was used".to_owned();
            let mut table = table(name, answer.url.clone(), copy(copied)?, storage);
            table.findings.push(inconsistent("missing_metadata_file", &location, detail));
            Ok(table)
        }
        (read, _) => Ok(table(name, location, read?, storage)),
    }
}

/// Two metadata of one answer must tell of one state of one table.
fn same_state(location: &str, file: &Parsed, copy: &Parsed) -> Result<(), TableError> {
    let state = |parsed: &Parsed| {
        (parsed.metadata.uuid(), parsed.metadata.current_snapshot_id(), parsed.metadata.last_sequence_number())
    };
    if state(file) == state(copy) {
        return Ok(());
    }
    let of = |parsed: &Parsed| {
        let (uuid, snapshot, _) = state(parsed);
        format!("table {uuid} at snapshot {}", snapshot.map_or("none".to_owned(), |id| id.to_string()))
    };
    let (file, copy) = (of(file), of(copy));
    Err(TableError::MetadataDiffers { location: location.to_owned(), file, copy })
}

async fn read_metadata(storage: &Storage, location: &str) -> Result<Parsed, TableError> {
    let failed = |source| TableError::ReadMetadata { location: location.to_owned(), source };
    parse_metadata(location, &storage.read(location).await.map_err(failed)?)
}

pub(crate) fn parse_metadata(location: &str, bytes: &Bytes) -> Result<Parsed, TableError> {
    metadata::parse(bytes).map_err(|error| match error {
        MetadataError::Unsupported(what) => TableError::Unsupported { what },
        other => TableError::ParseMetadata { location: location.to_owned(), source: other.into() },
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
    /// The file that a REST catalog names and the copy in its answer are not the same.
    #[error("metadata {location} is of {file}, the catalog's own copy of {copy}: which is right cannot be known")]
    MetadataDiffers {
        /// The file's location.
        location: String,
        /// What the file tells of.
        file: String,
        /// What the copy tells of.
        copy: String,
    },
    /// What the catalog answers was overtaken by what it answered before.
    #[error(
        "the catalog answers with metadata that it had replaced: {location}, after {known}; a cache answers, or the table was \
         registered from an older file, which the next commit settles"
    )]
    OlderMetadata {
        /// Where the older one is.
        location: String,
        /// What is known of the table, in a few words.
        known: String,
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
            TableError::Catalog(error) => error.is_usage(),
            TableError::ReadMetadata { source: StorageError::NoKey { .. }, .. } => true,
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
