//! The Iceberg side of the validator: catalogs, storage, snapshots, live data files, and the reader of their rows.
//!
//! Contract: reads and never writes. Columns are matched by field id only; no statistic is believed and nothing is
//! pruned for a verdict. What the whole table needs and is not built is refused ([`TableError`]); what is wrong with
//! one file or one row group is a fault of that part ([`FileFault`]) and the rest goes on.
//!
//! The way of a row: [`CatalogConfig`] → [`load`] → [`Table::pin`] → [`Pinned::files`] → [`Pinned::open`] →
//! [`FileReader::scan`] → [`RowGroupBatch`].

mod avro_blocks;
mod catalog;
mod contain;
mod deletes;
mod facts;
mod fault;
mod file;
mod filesystem;
mod gone;
mod inspect;
mod inspect_files;
mod limits;
mod line;
mod literal;
mod manifest;
mod manifest_cache;
mod metadata;
mod nearest;
mod object;
mod partition;
mod pin;
mod postgres;
mod reader;
mod reload;
mod removed;
mod rest;
mod s3;
mod schema;
mod snapshot;
mod sql;
mod sqlite;
mod storage;
mod table;

pub use catalog::{CatalogConfig, CatalogError, TableName};
pub use contain::{Panicked, contained, quiet_contained_panics};
pub use fault::{FaultKind, FileFault, TableFinding};
pub use file::{AddedBy, DataFile, FileFormat};
pub use inspect::MetadataTable;
pub use line::StepPlan;
pub use manifest_cache::{CacheCounts, ManifestCache};
pub use partition::PartitionCheck;
pub use pin::Pinned;
pub use postgres::PostgresConfig;
pub use reader::{
    Claims, FileReader, Positions, RowGroupBatch, RowGroupEnd, RowGroupInfo, RowGroups, ScanItem, Unread,
};
pub use reload::Reloaded;
pub use removed::{Removed, RemovedRows};
pub use rest::{RestAccess, RestConfig};
pub use s3::{Pem, PropertyError, S3Config};
pub use snapshot::{SnapshotInfo, SnapshotSelector};
pub use storage::{ReadLimits, Storage, StorageError};
pub use table::{Table, TableError, load, load_with};
