//! Opening a recorded source: its files, its partitions, their order and ranges.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use validator_core::contract::{Envelope, Format};
use validator_core::position::PartitionIndex;

use super::disorder;
use super::file::{Record, RecordedFile};
use super::index::{Found, Index};
use super::{RecordedConfig, RecordedTap, avro};
use crate::bounds::Edges;
use crate::registry::Schemas;
use crate::{PartitionRange, TapError, limits, topics};

impl RecordedTap {
    /// Reads the files through once and resolves the ranges.
    ///
    /// # Errors
    /// When no file is there, a file cannot be read, a line does not say where it belongs, none of the topics occurs, a
    /// bound names a partition that does not, or the messages cannot be brought into order.
    pub fn open(config: &RecordedConfig) -> Result<Self, TapError> {
        let files = find_files(config)?;
        let mut index = Index::new(config.bounds.times());
        let mut broken = Vec::new();
        for file in &files {
            broken.extend(read_through(file, &mut index)?);
        }
        let order = index.order_files();
        let places = disorder::sort(&files, &mut index)?;
        let mut tap = Self {
            partitions: Vec::new(),
            counts: Vec::new(),
            files,
            order,
            kept: vec![None; index.partitions.len()],
            places,
            disordered: index.partitions.iter().map(|seen| seen.disordered).collect(),
            warnings: said(broken),
            schemas: None,
            blocks: std::mem::take(&mut index.blocks),
            names: index.names.clone(),
        };
        tap.resolve(config, &index)?;
        tap.schemas = tap.recorded_schemas().map(Arc::new);
        tap.warn(config, &index);
        Ok(tap)
    }

    fn resolve(&mut self, config: &RecordedConfig, index: &Index) -> Result<(), TapError> {
        let there = || Ok(index.partitions.iter().map(|seen| seen.tp.topic.clone()).collect());
        let meant = topics::meant(&config.topics, there, true)?;
        let mut kept: Vec<Found> =
            (0..index.partitions.len()).filter(|found| meant.contains(&index.partitions[*found].tp.topic)).collect();
        if kept.is_empty() && !index.partitions.is_empty() {
            let mut there: Vec<&str> = index.partitions.iter().map(|seen| seen.tp.topic.as_str()).collect();
            there.sort_unstable();
            there.dedup();
            return Err(TapError::TopicNotRecorded { topics: config.topics.join(", "), there: there.join(", ") });
        }
        kept.sort_by(|a, b| index.partitions[*a].tp.cmp(&index.partitions[*b].tp));
        for topic in &meant {
            let of_topic = kept.iter().map(|found| &index.partitions[*found].tp).filter(|tp| tp.topic == *topic);
            let numbers: Vec<i32> = of_topic.map(|tp| tp.partition).collect();
            if !numbers.is_empty() {
                config.bounds.check_partitions(topic, &numbers)?;
            }
        }
        for found in kept {
            let seen = &index.partitions[found];
            let (first, end) = if seen.count == 0 { (0, 0) } else { (seen.first, seen.last + 1) };
            // A recording that is not cut is a whole topic (interface.md §4).
            let edges = Edges { log_start: first, last_stable: end, high_watermark: end, untrimmed: true };
            let partition = u32::try_from(self.partitions.len()).expect("partitions are numbered in 32 bits");
            self.kept[found] = Some(PartitionIndex(partition));
            self.partitions.push(config.bounds.range(seen.tp.clone(), edges, &|ms| index.at_time(found, ms))?);
            self.counts.push(seen.count - self.places[found].repeated);
        }
        Ok(())
    }

    fn warn(&mut self, config: &RecordedConfig, index: &Index) {
        let of_kept = |kept: bool| {
            let matching = self.kept.iter().enumerate().filter(move |(_, partition)| partition.is_some() == kept);
            matching.map(|(found, _)| found)
        };
        let others: u64 = of_kept(false).map(|found| index.partitions[found].count).sum();
        let repeated: u64 = of_kept(true).map(|found| self.places[found].repeated).sum();
        let absent = config
            .topics
            .iter()
            .filter(|topic| !self.partitions.iter().any(|partition| topics::is_meant([*topic], &partition.tp.topic)));
        let mut warnings: Vec<String> = absent.map(|topic| format!("topic {topic} has no recorded message")).collect();
        if others > 0 {
            warnings.push(format!("{others} recorded messages are of topics that were not asked for"));
        }
        if repeated > 0 {
            let counted = if repeated == 1 { "message is" } else { "messages are" };
            warnings.push(format!("{repeated} {counted} recorded more than once and count once"));
        }
        self.warnings.extend(warnings);
    }

    /// The schemas of Avro container files: each file is a partition.
    fn recorded_schemas(&self) -> Option<Schemas> {
        let (mut ids, mut schemas) = (HashMap::new(), Vec::new());
        let mut id_of = |partition: &PartitionRange| {
            let header = self.files.get(usize::try_from(partition.tp.partition).ok()?)?.avro.as_ref()?;
            Some(*ids.entry(Arc::clone(&header.text)).or_insert_with(|| {
                schemas.push(Arc::clone(&header.schema));
                u32::try_from(schemas.len() - 1).expect("files are bounded by limits")
            }))
        };
        let of_partition: Vec<u32> = self.partitions.iter().map(&mut id_of).collect::<Option<_>>()?;
        Some(Schemas::recorded(schemas, of_partition))
    }
}

/// The first sentences on broken blocks, and how many more there are.
fn said(mut broken: Vec<String>) -> Vec<String> {
    let more = broken.len().saturating_sub(limits::BROKEN_BLOCKS_NAMED);
    broken.truncate(limits::BROKEN_BLOCKS_NAMED);
    if more > 0 {
        broken.push(format!("{more} more blocks of recorded files are broken"));
    }
    broken
}

/// All files that the globs find, by name.
pub(crate) fn find_paths(config: &RecordedConfig) -> Result<Vec<PathBuf>, TapError> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for pattern in &config.source.files {
        let before = paths.len();
        let found = glob::glob(pattern).map_err(|source| TapError::Glob { pattern: pattern.clone(), source })?;
        for path in found {
            let path = path.map_err(|error| TapError::File { path: error.path().to_owned(), source: error.into() })?;
            if path.is_file() {
                paths.push(path);
            }
        }
        if paths.len() == before {
            return Err(TapError::NoFiles { pattern: pattern.clone() });
        }
    }
    paths.sort();
    paths.dedup();
    if paths.len() > limits::RECORDED_FILES_MAX {
        return Err(TapError::TooManyFiles { count: paths.len(), limit: limits::RECORDED_FILES_MAX });
    }
    Ok(paths)
}

fn find_files(config: &RecordedConfig) -> Result<Vec<RecordedFile>, TapError> {
    let envelope = config.source.envelope;
    let file = |(number, path): (usize, PathBuf)| {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let is_table = matches!(extension.as_str(), "parquet" | "parq");
        let is_avro = envelope == Envelope::None && config.format == Format::Avro;
        if is_table != (envelope == Envelope::Table) || (extension == "avro") != is_avro {
            return Err(TapError::EnvelopeMismatch { path, envelope, format: config.format });
        }
        let mut file = RecordedFile {
            path,
            envelope,
            topic: config.topics.first().cloned().unwrap_or_default(),
            partition: i32::try_from(number).expect("bounded by limits"),
            timestamp: config.source.timestamp.clone().map(|field| (field, config.timestamp_type.clone())),
            avro: None,
        };
        if is_avro {
            file.avro = Some(Arc::new(avro::header(&file)?));
        }
        Ok(file)
    };
    find_paths(config)?.into_iter().enumerate().map(file).collect()
}

/// Adds a file to the index; gives what is broken in it and can be told.
fn read_through(file: &RecordedFile, index: &mut Index) -> Result<Vec<String>, TapError> {
    index.begin_file();
    if file.envelope == Envelope::None {
        file.is_of_messages()?;
        index.declare(&file.topic, file.partition);
    }
    if let Some(header) = &file.avro {
        let broken = avro::read_through(file, header, index)?;
        index.end_file();
        return Ok(broken);
    }
    let mut block: Option<u64> = None;
    let flow = file.scan(None, &mut |record: &Record<'_>| {
        let next = match (block, file.envelope) {
            (None, _) => true,
            (Some(group), Envelope::Table) => record.at != group,
            (Some(from), _) => record.at - from >= limits::RECORDED_BLOCK_BYTES,
        };
        if next {
            index.begin_block(record.at, record.line);
            block = Some(record.at);
        }
        index.add(record.topic, record.partition, record.offset, record.timestamp_ms);
        Ok(ControlFlow::Continue(()))
    })?;
    debug_assert!(flow.is_continue(), "nothing stops the first pass");
    index.end_file();
    Ok(Vec::new())
}
