//! A small Iceberg table on disk, written with the iceberg crate's manifest writers and parquet's `ArrowWriter`. The
//! metadata is JSON by hand, so that it can also be wrong.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema as ArrowSchema};
use futures::StreamExt;
use iceberg::io::FileIO;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Literal, ManifestFile, ManifestListWriter,
    ManifestWriterBuilder, PartitionSpec, Schema, Struct,
};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use validator_core::value::Value;
use validator_table::{
    CatalogConfig, FileFault, FileReader, Pinned, RowGroupEnd, RowGroups, ScanItem, SnapshotSelector, Storage, Table,
    TableError, TableName, load, load_with,
};

/// The time of the first commit; each commit is a second later.
pub const FIRST_COMMIT_MS: i64 = 1_700_000_000_000;

/// One table in its own directory.
pub struct Lake {
    pub dir: TempDir,
    pub metadata: Json,
    /// Live manifests of the current snapshot.
    pub manifests: Vec<ManifestFile>,
    commits: i64,
}

/// `{"id": …, "name": …, "required": false, "type": …}`
pub fn column(id: i32, name: &str, ty: impl Into<Json>) -> Json {
    json!({ "id": id, "name": name, "required": false, "type": ty.into() })
}

/// An Arrow field with a field id.
pub fn field(id: i32, name: &str, ty: DataType) -> Field {
    Field::new(name, ty, true).with_metadata(HashMap::from([("PARQUET:field_id".to_owned(), id.to_string())]))
}

impl Lake {
    pub fn new(columns: Vec<Json>) -> Self {
        Self::with(columns, json!([]), 2)
    }

    pub fn with(columns: Vec<Json>, partition_fields: Json, version: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("metadata")).unwrap();
        std::fs::create_dir_all(dir.path().join("data")).unwrap();
        let mut metadata = json!({
            "format-version": version,
            "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1",
            "location": format!("file://{}", dir.path().display()),
            "last-sequence-number": 0,
            "last-updated-ms": FIRST_COMMIT_MS,
            "last-column-id": 1000,
            "current-schema-id": 0,
            "schemas": [{ "type": "struct", "schema-id": 0, "fields": columns }],
            "default-spec-id": 0,
            "partition-specs": [{ "spec-id": 0, "fields": partition_fields }],
            "last-partition-id": 1000,
            "default-sort-order-id": 0,
            "sort-orders": [{ "order-id": 0, "fields": [] }],
            "properties": {},
            "refs": {},
            "snapshots": [],
            "snapshot-log": [],
            "metadata-log": [],
        });
        if version == 3 {
            metadata["next-row-id"] = json!(0);
        }
        Self { dir, metadata, manifests: Vec::new(), commits: 0 }
    }

    /// Makes these the current columns, as a new schema.
    pub fn evolve(&mut self, columns: Vec<Json>) {
        let schemas = self.metadata["schemas"].as_array_mut().unwrap();
        let id = schemas.len();
        schemas.push(json!({ "type": "struct", "schema-id": id, "fields": columns }));
        self.metadata["current-schema-id"] = json!(id);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn schema(&self) -> Schema {
        let current = self.metadata["current-schema-id"].as_i64().unwrap();
        serde_json::from_value(self.metadata["schemas"][current as usize].clone()).unwrap()
    }

    pub fn spec(&self) -> PartitionSpec {
        let default = self.metadata["default-spec-id"].as_i64().unwrap();
        serde_json::from_value(self.metadata["partition-specs"][default as usize].clone()).unwrap()
    }

    /// Writes a Parquet file of these columns and describes it.
    pub fn write(&self, name: &str, columns: Vec<(Field, ArrayRef)>) -> DataFile {
        self.write_with(name, columns, WriterProperties::builder().build())
    }

    pub fn write_with(&self, name: &str, columns: Vec<(Field, ArrayRef)>, properties: WriterProperties) -> DataFile {
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
        let batch = RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), arrays).unwrap();
        let path = self.path("data").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        self.describe(name, batch.num_rows() as u64)
    }

    /// The manifest entry of a file under `data/`.
    pub fn describe(&self, name: &str, rows: u64) -> DataFile {
        self.describe_in(name, rows, Struct::empty())
    }

    pub fn describe_in(&self, name: &str, rows: u64, partition: Struct) -> DataFile {
        let path = self.path("data").join(name);
        let size = std::fs::metadata(&path).map_or(1_000, |file| file.len());
        self.builder(name, rows, size).partition(partition).build().unwrap()
    }

    pub fn builder(&self, name: &str, rows: u64, size: u64) -> DataFileBuilder {
        let mut builder = DataFileBuilder::default();
        builder
            .content(DataContentType::Data)
            .file_path(format!("file://{}", self.path("data").join(name).display()))
            .file_format(DataFileFormat::Parquet)
            .record_count(rows)
            .file_size_in_bytes(size)
            .partition_spec_id(self.spec().spec_id());
        builder
    }

    fn next_snapshot(&self) -> i64 {
        101 + self.commits
    }

    /// A manifest of added files of the next snapshot.
    pub async fn manifest(&self, name: &str, files: Vec<DataFile>) -> ManifestFile {
        let io = FileIO::new_with_fs();
        let output = io.new_output(self.path("metadata").join(name).display().to_string()).unwrap();
        let builder =
            ManifestWriterBuilder::new(output, Some(self.next_snapshot()), Arc::new(self.schema()), self.spec());
        let deletes = files.first().is_some_and(|file| file.content_type() != DataContentType::Data);
        let mut writer = match (self.metadata["format-version"].as_u64().unwrap(), deletes) {
            (1, _) => builder.build_v1(),
            (3, false) => builder.build_v3_data(),
            (3, true) => builder.build_v3_deletes(),
            (_, false) => builder.build_v2_data(),
            (_, true) => builder.build_v2_deletes(),
        };
        for file in files {
            writer.add_file(file, self.next_snapshot() - 100).unwrap();
        }
        writer.write_manifest_file().await.unwrap()
    }

    /// A delete manifest of which no entry is live: its one file was deleted by the next snapshot.
    pub async fn empty_delete_manifest(&self, name: &str, file: DataFile) -> ManifestFile {
        let output = FileIO::new_with_fs().new_output(self.path("metadata").join(name).display().to_string()).unwrap();
        let id = self.next_snapshot();
        let builder = ManifestWriterBuilder::new(output, Some(id), Arc::new(self.schema()), self.spec());
        let mut writer = builder.build_v2_deletes();
        writer.add_delete_file(file, 1, Some(1)).unwrap();
        assigned(writer.write_manifest_file().await.unwrap(), id)
    }

    /// Commits a snapshot of exactly these manifests; returns its id.
    pub async fn commit(&mut self, operation: &str, manifests: Vec<ManifestFile>) -> i64 {
        let id = self.next_snapshot();
        let parent = self.metadata["current-snapshot-id"].as_i64();
        let sequence = id - 100;
        let list = self.path("metadata").join(format!("snap-{id}.avro")).display().to_string();
        let output = FileIO::new_with_fs().new_output(&list).unwrap();
        let writer = output.writer().await.unwrap();
        let mut writer = match self.metadata["format-version"].as_u64().unwrap() {
            1 => ManifestListWriter::v1(writer, id, parent),
            3 => ManifestListWriter::v3(writer, id, parent, sequence, Some(0)),
            _ => ManifestListWriter::v2(writer, id, parent, sequence),
        };
        writer.add_manifests(manifests.clone().into_iter()).unwrap();
        writer.close().await.unwrap();
        let at = FIRST_COMMIT_MS + self.commits * 1_000;
        let mut snapshot = json!({
            "snapshot-id": id, "sequence-number": sequence, "timestamp-ms": at, "manifest-list": list,
            "schema-id": self.metadata["current-schema-id"], "summary": { "operation": operation },
        });
        if let Some(parent) = parent {
            snapshot["parent-snapshot-id"] = json!(parent);
        }
        self.metadata["snapshots"].as_array_mut().unwrap().push(snapshot);
        let log = json!({ "snapshot-id": id, "timestamp-ms": at });
        self.metadata["snapshot-log"].as_array_mut().unwrap().push(log);
        self.metadata["current-snapshot-id"] = json!(id);
        self.metadata["refs"]["main"] = json!({ "snapshot-id": id, "type": "branch" });
        self.metadata["last-sequence-number"] = json!(sequence);
        self.metadata["last-updated-ms"] = json!(at);
        self.manifests = manifests;
        self.commits += 1;
        id
    }

    /// Appends data files as one manifest beside the live ones; returns the snapshot's id.
    pub async fn append(&mut self, files: Vec<DataFile>) -> i64 {
        let manifest = self.manifest(&format!("m{}.avro", self.commits), files).await;
        let mut manifests = self.manifests.clone();
        manifests.push(assigned(manifest, self.next_snapshot()));
        self.commit("append", manifests).await
    }

    pub fn save(&self) -> String {
        let path = self.path("metadata").join(format!("v{}.metadata.json", self.commits));
        std::fs::write(&path, serde_json::to_vec_pretty(&self.metadata).unwrap()).unwrap();
        path.display().to_string()
    }

    pub async fn load(&self) -> Result<Table, TableError> {
        load_at(&self.save()).await
    }

    pub async fn pin(&self) -> Result<Pinned, TableError> {
        self.load().await?.pin(&SnapshotSelector::Current).await
    }

    /// All rows of the current snapshot, in the order of files and positions: `a=1, b=x`.
    pub async fn rows(&self) -> Vec<String> {
        let pinned = self.pin().await.unwrap();
        let mut rows = Vec::new();
        for file in &pinned.files {
            let reader = pinned.open(file, &pinned.schema.fields).await.unwrap();
            rows.extend(read(&reader, &RowGroups::All, &pinned).await.0);
        }
        rows
    }

    /// What opening the only live file fails with.
    pub async fn open_fault(&self) -> FileFault {
        let pinned = self.pin().await.unwrap();
        pinned.open(&pinned.files[0], &pinned.schema.fields).await.map(|_| ()).unwrap_err()
    }
}

/// What a commit does to a new manifest: its sequence number is the snapshot's.
pub fn assigned(mut manifest: ManifestFile, snapshot: i64) -> ManifestFile {
    manifest.sequence_number = snapshot - 100;
    manifest.min_sequence_number = snapshot - 100;
    manifest
}

pub async fn load_at(location: &str) -> Result<Table, TableError> {
    let name = TableName::parse("lake.md.trades").unwrap();
    load(&CatalogConfig::Metadata { location: location.to_owned() }, &name).await
}

pub async fn load_in(location: &str, storage: Storage) -> Result<Table, TableError> {
    let name = TableName::parse("lake.md.trades").unwrap();
    load_with(&CatalogConfig::Metadata { location: location.to_owned() }, &name, storage).await
}

/// Rows and row-group ends of a scan of all columns of the pinned schema.
pub async fn read(reader: &FileReader, groups: &RowGroups, pinned: &Pinned) -> (Vec<String>, Vec<RowGroupEnd>) {
    let items: Vec<ScanItem> = reader.scan(groups).collect().await;
    shown(items, pinned)
}

pub fn shown(items: Vec<ScanItem>, pinned: &Pinned) -> (Vec<String>, Vec<RowGroupEnd>) {
    let (mut rows, mut ends) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            ScanItem::End(end) => ends.push(end),
            ScanItem::Rows(rows_of) => {
                for row in 0..rows_of.batch.num_rows() {
                    let cells = pinned.schema.fields.iter().zip(rows_of.batch.columns()).map(|(field, array)| {
                        assert_eq!(array.data_type(), &field.ty.to_arrow(), "{}", field.name);
                        format!("{}={}", field.name, Value::from_arrow(array.as_ref(), row, &field.ty))
                    });
                    rows.push(cells.collect::<Vec<_>>().join(", "));
                }
            }
        }
    }
    (rows, ends)
}

/// One partition tuple.
pub fn tuple(values: Vec<Option<Literal>>) -> Struct {
    Struct::from_iter(values)
}
