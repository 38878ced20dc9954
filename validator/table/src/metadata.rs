//! Reading metadata.json: plain or gzipped, with what we cannot do told before it is parsed.
//!
//! The iceberg crate parses; what it would drop without a word (a default of a type it cannot read) or answer with an
//! unhelpful text (an unknown format version or type) is looked for in the JSON first.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use iceberg::spec::TableMetadata;
use serde_json::Value as Json;
use thiserror::Error;
use validator_core::levels::{JSON_LEVELS_MAX, json_levels};

use crate::contain::{Panicked, contained};
use crate::limits::METADATA_BYTES_MAX;
use crate::schema::{children, initial_defaults};

const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];

/// Why bytes are not metadata that we can use.
#[derive(Debug, Error)]
pub(crate) enum MetadataError {
    #[error("not gzip")]
    Gunzip(#[source] std::io::Error),
    #[error("not JSON")]
    Json(#[source] serde_json::Error),
    #[error("not Iceberg metadata")]
    Parse(#[source] serde_json::Error),
    #[error("not Iceberg metadata")]
    Panicked(#[from] Panicked),
    #[error("{0}")]
    Unsupported(String),
}

/// What a table's references are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefKind {
    Branch,
    Tag,
}

/// Metadata, and the references that the iceberg crate keeps to itself.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub metadata: TableMetadata,
    pub refs: BTreeMap<String, RefKind>,
    /// BLAKE3 of the bytes that it was read from.
    pub fingerprint: [u8; 32],
}

pub(crate) fn parse(bytes: &Bytes) -> Result<Parsed, MetadataError> {
    let (metadata, refs) = contained(|| {
        if bytes.starts_with(&GZIP_MAGIC) { parse_json(&gunzip(bytes, METADATA_BYTES_MAX)?) } else { parse_json(bytes) }
    })??;
    Ok(Parsed { metadata, refs, fingerprint: fingerprint(bytes) })
}

/// Unzips as far as one byte beyond `most`: a gzip may promise anything.
fn gunzip(bytes: &[u8], most: u64) -> Result<Vec<u8>, MetadataError> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes).take(most + 1).read_to_end(&mut plain).map_err(MetadataError::Gunzip)?;
    match plain.len() as u64 > most {
        true => Err(MetadataError::Unsupported(format!("metadata of more than {most} bytes"))),
        false => Ok(plain),
    }
}

/// BLAKE3 of a metadata file: tells whether it was written over.
pub(crate) fn fingerprint(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

fn parse_json(bytes: &[u8]) -> Result<(TableMetadata, BTreeMap<String, RefKind>), MetadataError> {
    let raw: Json = serde_json::from_slice(bytes).map_err(|source| {
        // The parser stops there, whatever follows: sound metadata that nests this deep is not broken.
        match json_levels(bytes) > JSON_LEVELS_MAX {
            true => MetadataError::Unsupported(format!("metadata of more than {JSON_LEVELS_MAX} levels of JSON")),
            false => MetadataError::Json(source),
        }
    })?;
    if let Some(version) = raw.get("format-version").and_then(Json::as_u64)
        && !(1..=3).contains(&version)
    {
        return Err(MetadataError::Unsupported(format!("Iceberg format version {version}")));
    }
    let schemas: Vec<&Json> = match raw.get("schemas").and_then(Json::as_array) {
        Some(schemas) => schemas.iter().collect(),
        None => raw.get("schema").into_iter().collect(),
    };
    if let Some(what) = schemas.iter().find_map(|schema| unknown_type(schema)) {
        return Err(MetadataError::Unsupported(what));
    }
    let metadata: TableMetadata = serde_json::from_slice(bytes).map_err(MetadataError::Parse)?;
    for schema in &schemas {
        check_defaults(schema, &metadata)?;
    }
    Ok((metadata, refs(&raw)))
}

fn refs(raw: &Json) -> BTreeMap<String, RefKind> {
    let listed = raw.get("refs").and_then(Json::as_object).into_iter().flatten();
    let kind = |reference: &Json| match reference.get("type").and_then(Json::as_str) {
        Some("tag") => RefKind::Tag,
        _ => RefKind::Branch,
    };
    listed.map(|(name, reference)| (name.clone(), kind(reference))).collect()
}

/// A type in the schema that the spec has and we have not.
fn unknown_type(ty: &Json) -> Option<String> {
    for field in fields(ty) {
        let name = field.get("name").and_then(Json::as_str).unwrap_or("?");
        match field.get("type") {
            Some(Json::String(text)) if !known(text) => return Some(format!("column {name} has type {text}")),
            Some(nested @ Json::Object(_)) => {
                if let Some(what) = unknown_type(nested) {
                    return Some(format!("{what} (in {name})"));
                }
            }
            _ => {}
        }
    }
    for part in ["element", "key", "value"] {
        match ty.get(part) {
            Some(Json::String(text)) if !known(text) => return Some(format!("{part} has type {text}")),
            Some(nested @ Json::Object(_)) => {
                if let Some(what) = unknown_type(nested) {
                    return Some(what);
                }
            }
            _ => {}
        }
    }
    None
}

fn known(ty: &str) -> bool {
    const PLAIN: [&str; 14] = [
        "boolean",
        "int",
        "long",
        "float",
        "double",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "timestamp_ns",
        "timestamptz_ns",
        "string",
        "uuid",
        "binary",
    ];
    PLAIN.contains(&ty) || ty.starts_with("decimal(") || ty.starts_with("fixed[")
}

fn fields(ty: &Json) -> impl Iterator<Item = &Json> {
    ty.get("fields").and_then(Json::as_array).into_iter().flatten()
}

/// Every initial default of the JSON must have survived the parser, and be of a kind that the reader can fill in.
fn check_defaults(schema: &Json, metadata: &TableMetadata) -> Result<(), MetadataError> {
    let id = schema.get("schema-id").and_then(Json::as_i64).and_then(|id| i32::try_from(id).ok()).unwrap_or(0);
    let Some(parsed) = metadata.schema_by_id(id) else { return Ok(()) };
    let read = initial_defaults(parsed);
    for (field_id, name) in raw_defaults(schema) {
        let nested = parsed.field_by_id(field_id).is_none_or(|field| !children(&field.field_type).is_empty());
        if nested || !read.contains_key(&field_id) {
            return Err(MetadataError::Unsupported(format!("the initial default of column {name}")));
        }
    }
    Ok(())
}

fn raw_defaults(ty: &Json) -> Vec<(i32, String)> {
    let mut found = Vec::new();
    for field in fields(ty) {
        let id = field.get("id").and_then(Json::as_i64).and_then(|id| i32::try_from(id).ok());
        if let (Some(id), Some(default)) = (id, field.get("initial-default"))
            && !default.is_null()
        {
            found.push((id, field.get("name").and_then(Json::as_str).unwrap_or("?").to_owned()));
        }
        found.extend(field.get("type").map(raw_defaults).unwrap_or_default());
    }
    for part in ["element", "key", "value"] {
        found.extend(ty.get(part).map(raw_defaults).unwrap_or_default());
    }
    found
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn metadata_that_gzip_blows_up_is_refused_by_name() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&[b' '; 100_000]).unwrap();
        let zipped = gzip.finish().unwrap();
        assert!(zipped.len() < 10_000);
        assert_eq!(gunzip(&zipped, 100_000).unwrap().len(), 100_000);
        assert_eq!(gunzip(&zipped, 99_999).unwrap_err().to_string(), "metadata of more than 99999 bytes");
    }
}
