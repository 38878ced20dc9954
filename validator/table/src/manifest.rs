//! Manifest lists and manifests: read, parsed, checked against what names them.
//!
//! A truncated Avro file can read as a shorter one without an error (a cut at a block's edge), so the number of
//! entries and the length are held against the manifest list's claims.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use iceberg::spec::{
    DataContentType, FormatVersion, Manifest, ManifestContentType, ManifestEntryRef, ManifestFile, ManifestList,
    ManifestStatus, PartitionSpec, SchemaRef, Snapshot,
};

use validator_core::verdict::TableVerdict;

use crate::avro_blocks;
use crate::contain::contained;
use crate::limits::MANIFESTS_AT_ONCE;
use crate::table::TableError;
use crate::{Storage, TableFinding};

/// One entry that is live in the snapshot, with what it inherits.
#[derive(Debug, Clone)]
pub(crate) struct LiveEntry {
    pub entry: ManifestEntryRef,
    pub snapshot_id: i64,
    pub sequence: Option<i64>,
    /// The spec and schema that the manifest was written under: the partition tuple's fields and bounds follow them.
    pub written_under: Arc<WrittenUnder>,
}

#[derive(Debug)]
pub(crate) struct WrittenUnder {
    pub spec: PartitionSpec,
    pub schema: SchemaRef,
}

/// What a snapshot's manifests say.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// Live data entries, in the order of the manifest list.
    pub data: Vec<LiveEntry>,
    /// Live entries of position delete files and deletion vectors.
    pub deletes: Vec<LiveEntry>,
    /// Live equality delete files.
    pub equality_deletes: u64,
    /// Their entries.
    pub equality: Vec<LiveEntry>,
    /// Contradictions that do not keep us from reading.
    pub findings: Vec<TableFinding>,
}

/// Reads a snapshot's whole graph.
///
/// # Errors
/// A list or manifest that is missing, unreadable, encrypted, or has fewer entries than it should.
pub(crate) async fn read_graph(
    storage: &Arc<Storage>,
    snapshot: &Snapshot,
    version: FormatVersion,
) -> Result<Graph, TableError> {
    let list = read_list(storage, snapshot, version).await?;
    let parts: Vec<Part> = futures::stream::iter(list)
        .map(|file| {
            let storage = Arc::clone(storage);
            async move { read_manifest(&storage, file).await }
        })
        .buffered(MANIFESTS_AT_ONCE)
        .try_collect()
        .await?;
    Ok(Graph::of(snapshot, parts.iter()))
}

impl Graph {
    /// What the manifests of a snapshot say together.
    pub(crate) fn of<'a>(snapshot: &Snapshot, parts: impl Iterator<Item = &'a Part>) -> Self {
        let mut graph = Self::default();
        for part in parts {
            graph.data.extend_from_slice(&part.data);
            graph.deletes.extend_from_slice(&part.deletes);
            graph.equality_deletes += part.equality_deletes;
            graph.equality.extend_from_slice(&part.equality);
            graph.findings.extend_from_slice(&part.findings);
        }
        graph.findings.extend(short_list(snapshot, snapshot.manifest_list(), &graph));
        graph
    }
}

/// Reads a snapshot's manifest list.
///
/// # Errors
/// It is missing, broken or encrypted.
pub(crate) async fn read_list(
    storage: &Storage,
    snapshot: &Snapshot,
    version: FormatVersion,
) -> Result<Vec<ManifestFile>, TableError> {
    if snapshot.encryption_key_id().is_some() {
        return Err(TableError::Unsupported { what: "encryption".to_owned() });
    }
    let path = snapshot.manifest_list();
    let bytes =
        storage.read(path).await.map_err(|source| TableError::ReadManifestList { path: path.to_owned(), source })?;
    let broken = |source| TableError::ParseManifestList { path: path.to_owned(), source };
    avro_blocks::check(&bytes).map_err(|e| broken(e.into()))?;
    let parsed = contained(|| ManifestList::parse_with_version(&bytes, version)).map_err(|e| broken(e.into()))?;
    Ok(parsed.map_err(|e| broken(e.into()))?.consume_entries().into_iter().collect())
}

/// What one manifest says.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub data: Vec<LiveEntry>,
    pub deletes: Vec<LiveEntry>,
    pub equality_deletes: u64,
    pub equality: Vec<LiveEntry>,
    pub findings: Vec<TableFinding>,
}

/// Reads one manifest.
///
/// # Errors
/// It is missing, broken, encrypted or truncated.
pub(crate) async fn read_manifest(storage: &Storage, file: ManifestFile) -> Result<Part, TableError> {
    let path = file.manifest_path.clone();
    if file.key_metadata.as_ref().is_some_and(|key| !key.is_empty()) {
        return Err(TableError::Unsupported { what: "encryption".to_owned() });
    }
    let bytes = storage.read(&path).await.map_err(|source| TableError::ReadManifest { path: path.clone(), source })?;
    // Parsing is CPU work of milliseconds to seconds: off the runtime's threads, where a panic is contained too.
    let parsed = tokio::task::spawn_blocking(move || {
        let length = bytes.len() as u64;
        (avro_blocks::check(&bytes).map(|()| contained(|| Manifest::parse_avro(&bytes))), length)
    });
    let unparsed = |source| TableError::ParseManifest { path: path.clone(), source };
    let (parsed, length) = parsed.await.map_err(|e| unparsed(e.into()))?;
    let parsed = parsed.map_err(|e| unparsed(e.into()))?.map_err(|e| unparsed(e.into()))?;
    let manifest = parsed.map_err(|e| unparsed(e.into()))?;
    let findings = check_claims(&file, &manifest, length)?;
    Ok(Part { findings, ..live_entries(&file, manifest)? })
}

fn live_entries(file: &ManifestFile, manifest: Manifest) -> Result<Part, TableError> {
    let (entries, metadata) = manifest.into_parts();
    let written_under =
        Arc::new(WrittenUnder { spec: metadata.partition_spec.clone(), schema: metadata.schema.clone() });
    let holds_data = (file.content, metadata.content) == (ManifestContentType::Data, ManifestContentType::Data);
    let mut part = Part::default();
    for entry in entries.into_iter().filter(|entry| entry.is_alive()) {
        let content = entry.content_type();
        if holds_data != (content == DataContentType::Data) {
            let what = format!("a manifest of both data and deletes ({})", file.manifest_path);
            return Err(TableError::Unsupported { what });
        }
        // Inheritance: spec, "Sequence Number Inheritance"; sequence 0 is what v1 manifests have.
        let inherits = entry.status() == ManifestStatus::Added || file.sequence_number == 0;
        let live = LiveEntry {
            snapshot_id: entry.snapshot_id().unwrap_or(file.added_snapshot_id),
            sequence: entry.sequence_number().or(inherits.then_some(file.sequence_number)),
            entry,
            written_under: Arc::clone(&written_under),
        };
        match content {
            DataContentType::Data => part.data.push(live),
            DataContentType::PositionDeletes => part.deletes.push(live),
            DataContentType::EqualityDeletes => {
                part.equality_deletes += 1;
                part.equality.push(live);
            }
        }
    }
    Ok(part)
}

/// Holds a manifest against its entry in the list.
fn check_claims(file: &ManifestFile, manifest: &Manifest, length: u64) -> Result<Vec<TableFinding>, TableError> {
    let count = |status| manifest.entries().iter().filter(|entry| entry.status() == status).count() as u64;
    let found = [count(ManifestStatus::Added), count(ManifestStatus::Existing), count(ManifestStatus::Deleted)];
    let claimed =
        [file.added_files_count, file.existing_files_count, file.deleted_files_count].map(|c| c.map(u64::from));
    let mut findings = Vec::new();
    let claimed_length = u64::try_from(file.manifest_length).unwrap_or(0);
    let contradicted = claimed.iter().zip(found).any(|(claimed, found)| claimed.is_some_and(|c| c != found));
    let claimed_all: Option<u64> = claimed.iter().copied().sum();
    let found_all: u64 = found.iter().sum();
    if claimed_all.is_some_and(|claimed| found_all < claimed) && length < claimed_length {
        return Err(TableError::TruncatedManifest {
            path: file.manifest_path.clone(),
            entries: found_all,
            claimed: claimed_all.unwrap_or(0),
        });
    }
    if contradicted {
        let [added, existing, deleted] = found;
        let claims = claimed.map(|c| c.map_or("?".to_owned(), |c| c.to_string()));
        findings.push(inconsistent(
            "manifest_entries",
            &file.manifest_path,
            format!(
                "the manifest has {added} added, {existing} existing and {deleted} deleted entries, the manifest list \
                 says {}, {} and {}",
                claims[0], claims[1], claims[2]
            ),
        ));
    }
    if length != claimed_length {
        let detail = format!("the manifest has {length} bytes, the manifest list says {claimed_length}");
        findings.push(inconsistent("manifest_length", &file.manifest_path, detail));
    }
    Ok(findings)
}

/// A manifest list has no count of its own; the summary's totals are the only claims that a cut list can be held against.
fn short_list(snapshot: &Snapshot, path: &str, graph: &Graph) -> Vec<TableFinding> {
    let live = [
        ("total-data-files", "data files", graph.data.len() as u64),
        ("total-delete-files", "delete files", graph.deletes.len() as u64 + graph.equality_deletes),
    ];
    let short = |(key, what, live): (&str, &str, u64)| {
        let claimed: u64 = snapshot.summary().additional_properties.get(key)?.parse().ok()?;
        (live < claimed).then(|| {
            let detail = format!("the manifests have {live} live {what}, the snapshot's summary says {claimed}");
            inconsistent("manifest_list_short", path, detail)
        })
    };
    live.into_iter().filter_map(short).collect()
}

pub(crate) fn inconsistent(cause: &'static str, path: &str, detail: String) -> TableFinding {
    TableFinding {
        verdict: TableVerdict::MetadataInconsistent,
        cause,
        path: path.to_owned(),
        row_groups: Vec::new(),
        rows: None,
        detail,
    }
}
