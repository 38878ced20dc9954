//! A table in a folder: which version it is at, and how it gets to the next one.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::{Schema as ArrowSchema, SchemaRef};
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::io::FileIO;
use iceberg::spec::{FormatVersion, PartitionSpec, SortOrder, TableMetadata, TableMetadataBuilder};
use tempfile::NamedTempFile;
use uuid::Uuid;

use crate::columns;
use crate::error::PublishError;
use crate::snapshot::{NewFile, Next};

/// See the crate.
pub struct TableFolder {
    folder: PathBuf,
    location: String,
    io: FileIO,
    /// Of the newest version; 0: there is none yet.
    version: u64,
    metadata: TableMetadata,
}

/// A snapshot that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its id.
    pub snapshot_id: i64,
    /// The metadata file that names it.
    pub metadata: PathBuf,
}

impl TableFolder {
    /// The table of this folder; the folder is made where there is none.
    ///
    /// # Errors
    /// The folder cannot be used, holds no table that can be read, or one of other columns.
    pub async fn open(folder: &Path, columns: &ArrowSchema) -> Result<Self, PublishError> {
        for part in ["data", "metadata"] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(file(&path))?;
        }
        let folder = fs::canonicalize(folder).map_err(file(folder))?;
        let location = url(&folder)?;
        let io = FileIO::new_with_fs();
        let fresh = fresh(columns, &location).map_err(iceberg("make the columns", &folder))?;
        let version = newest(&folder.join("metadata"))?;
        if version == 0 {
            return Ok(Self { folder, location, io, version, metadata: fresh });
        }
        let path = url(&metadata_path(&folder, version))?;
        let metadata = TableMetadata::read_from(&io, path).await.map_err(iceberg("read the metadata", &folder))?;
        if metadata.current_schema().as_struct() != fresh.current_schema().as_struct() {
            return Err(PublishError::OtherColumns { folder });
        }
        Ok(Self { folder, location, io, version, metadata })
    }

    /// The columns that files of the table have, each with its field id.
    ///
    /// # Errors
    /// A column has no type in Arrow.
    pub fn schema(&self) -> Result<SchemaRef, PublishError> {
        let schema = schema_to_arrow_schema(self.metadata.current_schema());
        Ok(Arc::new(schema.map_err(iceberg("name the columns", &self.folder))?))
    }

    /// A path for a file of rows that nothing has yet.
    pub fn new_file(&self) -> PathBuf {
        self.folder.join("data").join(format!("00000-0-{}.parquet", Uuid::new_v4()))
    }

    /// Makes the rows of `written` (Parquet, its path, its rows), and no others, those of the table; none: it has no rows then.
    ///
    /// # Errors
    /// The table is as it was before.
    pub async fn replace(&self, written: Option<(&Path, u64)>, now_ms: i64) -> Result<Published, PublishError> {
        let new = written.map(|(path, rows)| self.new_data(path, rows)).transpose()?;
        let next = Next {
            io: &self.io,
            location: &self.location,
            metadata: &self.metadata,
            snapshot_id: snapshot_id(),
            // A clock that was set back is no reason to lose an export.
            at_ms: now_ms.max(self.metadata.last_updated_ms()),
        };
        let failed = iceberg("write a snapshot", &self.folder);
        let snapshot = next.write(new).await.map_err(&failed)?;
        let before = (self.version > 0).then(|| url(&metadata_path(&self.folder, self.version))).transpose()?;
        let metadata = TableMetadataBuilder::new_from_metadata(self.metadata.clone(), before)
            .set_branch_snapshot(snapshot, "main")
            .and_then(TableMetadataBuilder::build)
            .map_err(&failed)?
            .metadata;
        let path = metadata_path(&self.folder, self.version + 1);
        self.place(&metadata, &path)?;
        Ok(Published { snapshot_id: next.snapshot_id, metadata: path })
    }

    fn new_data(&self, path: &Path, rows: u64) -> Result<NewFile, PublishError> {
        let path = fs::canonicalize(path).map_err(file(path))?;
        let bytes = fs::metadata(&path).map_err(file(&path))?.len();
        Ok(NewFile { url: url(&path)?, rows, bytes })
    }

    /// The commit: the name of the next version is taken, or it is somebody else's.
    fn place(&self, metadata: &TableMetadata, path: &Path) -> Result<(), PublishError> {
        let bytes = serde_json::to_vec(metadata).map_err(|error| file(path)(io::Error::other(error)))?;
        let written = self.write(&bytes).map_err(file(path))?;
        written.persist_noclobber(path).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => PublishError::Overtaken { metadata: path.to_owned() },
            _ => file(path)(error.error),
        })?;
        // A hint: who reads the table looks for newer versions from there on.
        let hint = self.folder.join("metadata/version-hint.text");
        let written = self.write((self.version + 1).to_string().as_bytes()).map_err(file(&hint))?;
        written.persist(&hint).map_err(|error| file(&hint)(error.error))?;
        Ok(())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<NamedTempFile> {
        use std::os::unix::fs::PermissionsExt as _;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".validator-").permissions(fs::Permissions::from_mode(0o666));
        let mut written = builder.tempfile_in(self.folder.join("metadata"))?;
        written.write_all(bytes)?;
        written.as_file().sync_all()?;
        Ok(written)
    }
}

/// What a table of these columns is before its first snapshot.
fn fresh(columns: &ArrowSchema, location: &str) -> iceberg::Result<TableMetadata> {
    let builder = TableMetadataBuilder::new(
        columns::schema(columns)?,
        PartitionSpec::unpartition_spec(),
        SortOrder::unsorted_order(),
        location.to_owned(),
        FormatVersion::V2,
        HashMap::new(),
    )?;
    Ok(builder.build()?.metadata)
}

/// The greatest version that has metadata; 0: none.
fn newest(folder: &Path) -> Result<u64, PublishError> {
    let mut newest = 0;
    for entry in fs::read_dir(folder).map_err(file(folder))? {
        let name = entry.map_err(file(folder))?.file_name();
        let version =
            name.to_str().and_then(|name| name.strip_prefix('v')?.strip_suffix(".metadata.json")?.parse().ok());
        newest = newest.max(version.unwrap_or(0));
    }
    Ok(newest)
}

fn metadata_path(folder: &Path, version: u64) -> PathBuf {
    folder.join(format!("metadata/v{version}.metadata.json"))
}

fn url(path: &Path) -> Result<String, PublishError> {
    let text = path.to_str().ok_or_else(|| PublishError::NotText { path: path.to_owned() })?;
    Ok(format!("file://{text}"))
}

/// Random and positive, as Iceberg's own writers make them.
fn snapshot_id() -> i64 {
    let (high, low) = Uuid::new_v4().as_u64_pair();
    i64::try_from((high ^ low) >> 1).expect("63 bits")
}

fn file(path: &Path) -> impl Fn(io::Error) -> PublishError + use<> {
    let path = path.to_owned();
    move |source| PublishError::File { path: path.clone(), source }
}

fn iceberg(what: &'static str, folder: &Path) -> impl Fn(iceberg::Error) -> PublishError + use<> {
    let folder = folder.to_owned();
    move |error| PublishError::Iceberg { what, folder: folder.clone(), source: Box::new(error) }
}
