//! The manifests of a snapshot that replaces all rows.
//!
//! Contract: files that were live before are entries of status deleted, in a manifest of their own, so that readers of
//! changes see what went (Iceberg spec, "Manifests").

use std::collections::HashMap;
use std::sync::Arc;

use iceberg::io::FileIO;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, ManifestFile, ManifestList, ManifestListWriter,
    ManifestWriter, ManifestWriterBuilder, Operation, Snapshot, Struct, Summary, TableMetadata,
};
use iceberg::{Error, ErrorKind, Result};
use uuid::Uuid;

/// A file of rows that is to be live.
pub struct NewFile {
    pub url: String,
    pub rows: u64,
    pub bytes: u64,
}

/// The snapshot that follows a version of the table.
pub struct Next<'a> {
    pub io: &'a FileIO,
    pub location: &'a str,
    pub metadata: &'a TableMetadata,
    pub snapshot_id: i64,
    pub at_ms: i64,
}

/// A file that is live, with its sequence numbers: of the data, of the file.
type Live = (DataFile, i64, Option<i64>);

impl Next<'_> {
    /// Writes manifests and their list.
    pub async fn write(&self, new: Option<NewFile>) -> Result<Snapshot> {
        let old = self.live().await?;
        let new = new.map(|file| self.data_file(file)).transpose()?;
        let summary = summary(&old, new.as_ref());
        let mut manifests = Vec::new();
        if let Some(file) = new {
            let mut writer = self.manifest()?;
            writer.add_file(file, self.sequence())?;
            manifests.push(writer.write_manifest_file().await?);
        }
        if !old.is_empty() {
            let mut writer = self.manifest()?;
            for (file, sequence, file_sequence) in old {
                writer.add_delete_file(file, sequence, file_sequence)?;
            }
            manifests.push(writer.write_manifest_file().await?);
        }
        let list = self.list(manifests).await?;
        let snapshot = Snapshot::builder()
            .with_snapshot_id(self.snapshot_id)
            .with_parent_snapshot_id(self.metadata.current_snapshot_id())
            .with_sequence_number(self.sequence())
            .with_timestamp_ms(self.at_ms)
            .with_manifest_list(list)
            .with_summary(summary)
            .with_schema_id(self.metadata.current_schema_id());
        Ok(snapshot.build())
    }

    fn sequence(&self) -> i64 {
        self.metadata.last_sequence_number() + 1
    }

    async fn live(&self) -> Result<Vec<Live>> {
        let Some(snapshot) = self.metadata.current_snapshot() else { return Ok(Vec::new()) };
        let list = self.io.new_input(snapshot.manifest_list())?.read().await?;
        let list = ManifestList::parse_with_version(&list, self.metadata.format_version())?;
        let mut live = Vec::new();
        for file in list.entries() {
            let manifest = file.load_manifest(self.io).await?;
            for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
                let no_sequence = || Error::new(ErrorKind::DataInvalid, "an entry has no sequence number");
                let sequence = entry.sequence_number().ok_or_else(no_sequence)?;
                live.push((entry.data_file().clone(), sequence, entry.file_sequence_number));
            }
        }
        Ok(live)
    }

    fn data_file(&self, file: NewFile) -> Result<DataFile> {
        let built = DataFileBuilder::default()
            .content(DataContentType::Data)
            .file_path(file.url)
            .file_format(DataFileFormat::Parquet)
            .partition(Struct::empty())
            .partition_spec_id(self.metadata.default_partition_spec_id())
            .record_count(file.rows)
            .file_size_in_bytes(file.bytes)
            .build();
        built.map_err(|error| Error::new(ErrorKind::Unexpected, "make an entry").with_source(error))
    }

    fn manifest(&self) -> Result<ManifestWriter> {
        let path = format!("{}/metadata/{}-m0.avro", self.location, Uuid::new_v4());
        let output = self.io.new_output(path)?;
        let (schema, spec) = (Arc::clone(self.metadata.current_schema()), self.metadata.default_partition_spec());
        Ok(ManifestWriterBuilder::new(output, Some(self.snapshot_id), schema, spec.as_ref().clone()).build_v2_data())
    }

    async fn list(&self, manifests: Vec<ManifestFile>) -> Result<String> {
        let path = format!("{}/metadata/snap-{}-1-{}.avro", self.location, self.snapshot_id, Uuid::new_v4());
        let output = self.io.new_output(&path)?.writer().await?;
        let parent = self.metadata.current_snapshot_id();
        let mut writer = ManifestListWriter::v2(output, self.snapshot_id, parent, self.sequence());
        writer.add_manifests(manifests.into_iter())?;
        writer.close().await?;
        Ok(path)
    }
}

/// What snapshots say of themselves (Iceberg spec, "Optional Snapshot Summary Fields").
fn summary(old: &[Live], new: Option<&DataFile>) -> Summary {
    let operation = match (old.is_empty(), new) {
        (true, _) => Operation::Append,
        (false, Some(_)) => Operation::Overwrite,
        (false, None) => Operation::Delete,
    };
    let (files, rows) = (u64::from(new.is_some()), new.map_or(0, DataFile::record_count));
    let mut counts = vec![("total-data-files", files), ("total-records", rows)];
    counts.push(("total-files-size", new.map_or(0, DataFile::file_size_in_bytes)));
    counts.extend([("total-delete-files", 0), ("total-position-deletes", 0), ("total-equality-deletes", 0)]);
    if new.is_some() {
        counts.extend([("added-data-files", files), ("added-records", rows)]);
    }
    if !old.is_empty() {
        counts.push(("deleted-data-files", old.len() as u64));
        counts.push(("deleted-records", old.iter().map(|(file, ..)| file.record_count()).sum()));
    }
    let additional_properties: HashMap<String, String> =
        counts.into_iter().map(|(name, count)| (name.to_owned(), count.to_string())).collect();
    Summary { operation, additional_properties }
}
