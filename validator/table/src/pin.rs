//! A snapshot pinned for one run: its schema, its ancestry, its live data files and what is inconsistent about them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use iceberg::spec::{DEFAULT_SCHEMA_NAME_MAPPING, NameMapping, SchemaRef, TableMetadata};
use validator_core::schema::{Field, Schema};
use validator_core::value::Value;

use crate::deletes::{Deletes, Loader, Plan};
use crate::manifest::{Graph, LiveEntry, inconsistent, read_graph};
use crate::reader::{Claims, ReadContext};
use crate::schema::{core_schema, declared_defaults, initial_defaults};
use crate::snapshot::{Chosen, SnapshotInfo, ancestry};
use crate::storage::canonical_location;
use crate::table::{Table, TableError};
use crate::{AddedBy, DataFile, FileFault, FileReader, TableFinding, TableName};

/// A pinned snapshot.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// The table.
    pub name: TableName,
    /// The table's UUID, hyphenated lower case.
    pub uuid: String,
    /// Where the metadata was read.
    pub metadata_location: String,
    /// The schema to read by: the table's current one for the current snapshot and branches, else the snapshot's own.
    /// Fields inside structs, lists and maps are never `required` here (map keys are): a file may hold NULL where the
    /// table forbids it, and that must reach the judge as a NULL.
    pub schema: Schema,
    /// Declared initial and write defaults by the dotted path of their column or struct field.
    pub defaults: BTreeMap<String, Vec<Value>>,
    /// The snapshot; `None` when the table has none.
    pub snapshot_id: Option<i64>,
    /// Its commit time, milliseconds since the epoch.
    pub commit_ms: Option<i64>,
    /// Its operation.
    pub operation: Option<String>,
    /// The snapshot and its ancestors, newest first, as far as they are retained.
    pub ancestry: Vec<SnapshotInfo>,
    /// All retained snapshots, by commit time.
    pub snapshots: Vec<SnapshotInfo>,
    /// Live data files, sorted by path; the index of a file here is its `FileIndex`.
    pub files: Vec<DataFile>,
    /// What is inconsistent in the metadata graph, sorted.
    pub findings: Vec<TableFinding>,
    pub(crate) context: Arc<ReadContext>,
    pub(crate) deletes: Arc<Deletes>,
    pub(crate) metadata: Arc<TableMetadata>,
}

impl Pinned {
    /// Opens a live data file to read the wanted columns, which are fields of [`Pinned::schema`], of its rows that no
    /// delete takes away.
    ///
    /// # Errors
    /// The fault of the whole file: it is missing, its footer does not read, it cannot be read at all, or it is not known
    /// which of its rows are deleted.
    pub async fn open(&self, file: &DataFile, wanted: &[Field]) -> Result<FileReader, FileFault> {
        let deletes = self.deletes.of(file).await;
        // What is wrong with the data file itself goes before what is wrong with its deletes.
        let known = deletes.as_ref().cloned().unwrap_or_default();
        let opened = FileReader::open(&self.context, file, wanted, &known).await.map_err(|mut fault| {
            fault.rows = fault.rows.map(|rows| known.shown.count(0..rows));
            fault
        })?;
        deletes.map(|_| opened)
    }

    /// What the footer of a live data file claims of its values; none where it does not read. No verdict may rest on it.
    pub async fn claims(&self, file: &DataFile) -> Option<Claims> {
        Claims::read(&self.context, file).await
    }

    /// What is wrong with the delete files that opening data files has read so far, sorted.
    pub fn delete_findings(&self) -> Vec<TableFinding> {
        self.deletes.findings()
    }

    /// What a retained snapshot's summary says beside its operation; none of a snapshot that is not there. No verdict may
    /// rest on it.
    pub fn summary(&self, snapshot_id: i64) -> Option<&HashMap<String, String>> {
        self.metadata.snapshot_by_id(snapshot_id).map(|snapshot| &snapshot.summary().additional_properties)
    }

    /// The table's properties, as its metadata has them. No verdict may rest on them.
    pub fn properties(&self) -> &HashMap<String, String> {
        self.metadata.properties()
    }

    /// Commit times of the snapshots of the ancestry that added rows and are not of operation `replace`, milliseconds
    /// since the epoch, newest first: what a message's time is held against to say that the table has moved past it.
    pub fn commits_that_added_rows_ms(&self) -> Vec<i64> {
        let adding = self.ancestry.iter().filter(|snapshot| snapshot.adds_rows && snapshot.operation != "replace");
        adding.map(|snapshot| snapshot.commit_ms).collect()
    }
}

pub(crate) async fn pin(table: &Table, chosen: Chosen) -> Result<Pinned, TableError> {
    let graph = match &chosen.snapshot {
        Some(snapshot) => read_graph(&table.storage, snapshot, table.metadata.format_version()).await?,
        None => Graph::default(),
    };
    pin_graph(table, chosen, graph)
}

/// Pins a snapshot whose manifests were read.
pub(crate) fn pin_graph(table: &Table, chosen: Chosen, graph: Graph) -> Result<Pinned, TableError> {
    let metadata = &table.metadata;
    let unsupported = |what| TableError::Unsupported { what };
    let schema = schema_of(metadata, &chosen)?;
    refuse_unsupported(&graph)?;
    let (plan, of_deletes) = Plan::new(graph.deletes);
    let adding: BTreeSet<i64> = graph.data.iter().map(|live| live.snapshot_id).collect();
    let mut findings = graph.findings;
    findings.extend(of_deletes);
    findings.extend(table.findings.iter().cloned());
    let files = live_files(metadata, graph.data, &mut findings);
    findings.sort();
    let snapshot = chosen.snapshot.as_ref();
    Ok(Pinned {
        name: table.name.clone(),
        uuid: table.uuid(),
        metadata_location: table.metadata_location.clone(),
        schema: core_schema(&schema).map_err(unsupported)?,
        defaults: declared_defaults(&schema),
        snapshot_id: snapshot.map(|s| s.snapshot_id()),
        commit_ms: snapshot.map(|s| s.timestamp_ms()),
        operation: snapshot.map(|s| s.summary().operation.as_str().to_owned()),
        ancestry: snapshot.map_or_else(Vec::new, |s| {
            ancestry(metadata, s).iter().map(|ancestor| SnapshotInfo::new(ancestor, &adding)).collect()
        }),
        snapshots: snapshots(metadata, &adding),
        files,
        findings,
        context: Arc::new(ReadContext {
            storage: Arc::clone(&table.storage),
            name_mapping: name_mapping(metadata)?,
            defaults: initial_defaults(&schema),
        }),
        deletes: Arc::new(Deletes::new(plan, Loader::new(Arc::clone(&table.storage)))),
        metadata: Arc::clone(metadata),
    })
}

/// All retained snapshots, by commit time.
pub(crate) fn snapshots(metadata: &TableMetadata, adding: &BTreeSet<i64>) -> Vec<SnapshotInfo> {
    let mut all: Vec<SnapshotInfo> = metadata.snapshots().map(|snapshot| SnapshotInfo::new(snapshot, adding)).collect();
    all.sort_by_key(|snapshot| (snapshot.commit_ms, snapshot.id));
    all
}

fn schema_of(metadata: &TableMetadata, chosen: &Chosen) -> Result<SchemaRef, TableError> {
    let own = chosen.snapshot.as_ref().filter(|_| !chosen.head);
    match own.and_then(|snapshot| snapshot.schema_id()) {
        None => Ok(metadata.current_schema().clone()),
        Some(id) => metadata.schema_by_id(id).cloned().ok_or_else(|| TableError::Unsupported {
            what: format!("a snapshot of schema {id}, which the metadata does not have"),
        }),
    }
}

fn refuse_unsupported(graph: &Graph) -> Result<(), TableError> {
    if graph.equality_deletes > 0 {
        let what = format!("equality delete files ({} live)", graph.equality_deletes);
        return Err(TableError::Unsupported { what });
    }
    let is_encrypted = |live: &LiveEntry| live.entry.data_file().key_metadata().is_some_and(|key| !key.is_empty());
    if graph.data.iter().chain(&graph.deletes).any(is_encrypted) {
        return Err(TableError::Unsupported { what: "encryption".to_owned() });
    }
    Ok(())
}

fn name_mapping(metadata: &TableMetadata) -> Result<Option<NameMapping>, TableError> {
    let Some(text) = metadata.properties().get(DEFAULT_SCHEMA_NAME_MAPPING) else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|source| TableError::ParseMetadata {
        location: format!("property {DEFAULT_SCHEMA_NAME_MAPPING}"),
        source: source.into(),
    })
}

/// One [`DataFile`] per object, sorted by path; further entries of the same object are counted and found.
fn live_files(metadata: &TableMetadata, entries: Vec<LiveEntry>, findings: &mut Vec<TableFinding>) -> Vec<DataFile> {
    let mut by_location: BTreeMap<String, Vec<LiveEntry>> = BTreeMap::new();
    for live in entries {
        by_location.entry(canonical_location(live.entry.file_path())).or_default().push(live);
    }
    let mut commits: HashMap<i64, Option<AddedBy>> = HashMap::new();
    let mut files = Vec::with_capacity(by_location.len());
    for mut references in by_location.into_values() {
        let count = u32::try_from(references.len()).unwrap_or(u32::MAX);
        let first = references.swap_remove(0);
        let added_by = commits.entry(first.snapshot_id).or_insert_with(|| commit(metadata, first.snapshot_id)).clone();
        let mut file = DataFile::new(first, count, added_by);
        file.other_sequences = references.iter().map(|other| other.sequence).collect();
        if count > 1 {
            let detail =
                format!("{count} live manifest entries name this file: its rows are in the table {count} times");
            findings.push(inconsistent("double_reference", &file.path, detail));
        }
        files.push(file);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

pub(crate) fn commit(metadata: &TableMetadata, snapshot_id: i64) -> Option<AddedBy> {
    let snapshot = metadata.snapshot_by_id(snapshot_id)?;
    let operation = snapshot.summary().operation.as_str().to_owned();
    Some(AddedBy { commit_ms: snapshot.timestamp_ms(), operation })
}
