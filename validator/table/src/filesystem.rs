//! Iceberg's filesystem (Hadoop) catalog: `warehouse/ns/table/metadata`, its versions found as Hadoop's own table
//! operations find them.
//!
//! `version-hint.text` says where to begin; it is written after the commit and may lag, be missing or be half written.
//! From there versions are probed upwards one by one, since a commit is the file of the next number. Only without a
//! usable hint, or when its file has been cleaned away, is the folder listed, and the highest version listed is where
//! probing begins: a number beyond a gap is no commit.

use crate::Storage;
use crate::catalog::{CatalogError, TableName};
use crate::limits::{HINT_BYTES_READ, VERSIONS_PROBED_MAX};
use crate::nearest::nearest;
use crate::storage::StorageError;

const HINT: &str = "version-hint.text";

pub(crate) async fn metadata_location(
    warehouse: &str,
    name: &TableName,
    storage: &Storage,
) -> Result<String, CatalogError> {
    let warehouse = warehouse.trim_end_matches('/');
    let namespace = format!("{warehouse}/{}", name.namespace.join("/"));
    let folder = format!("{namespace}/{}/metadata", name.table);
    let failed = |source| CatalogError::Folder { location: folder.clone(), source };
    match current(&folder, storage).await.map_err(failed)? {
        Some(Current::At(location)) => Ok(location),
        Some(Current::Beyond(version)) => Err(CatalogError::TooManyVersions { location: folder, version }),
        None => Err(CatalogError::NoTable { name: name.to_string(), nearest: near(&namespace, name, storage).await }),
    }
}

enum Current {
    At(String),
    /// More versions than are probed follow this one.
    Beyond(u64),
}

async fn current(folder: &str, storage: &Storage) -> Result<Option<Current>, StorageError> {
    let hint = storage.look(&format!("{folder}/{HINT}")).await?.and_then(|bytes| parse_hint(&bytes));
    let hinted = match hint {
        Some(version) => file_of(folder, version, storage).await?.map(|location| (version, location)),
        None => None,
    };
    let begin = match hinted {
        Some(found) => Some(found),
        None => highest(folder, storage).await?,
    };
    let Some((mut version, mut location)) = begin else { return Ok(None) };
    for _ in 0..VERSIONS_PROBED_MAX {
        match file_of(folder, version + 1, storage).await? {
            Some(next) => (version, location) = (version + 1, next),
            None => return Ok(Some(Current::At(location))),
        }
    }
    Ok(Some(Current::Beyond(version)))
}

/// The first line, a number; anything else is as good as no hint.
fn parse_hint(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes.get(..HINT_BYTES_READ).unwrap_or(bytes)).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// Names of a version's file: plain, gzipped, and gzipped as before Iceberg 1.0.
fn names(version: u64) -> [String; 3] {
    [
        format!("v{version}.metadata.json"),
        format!("v{version}.gz.metadata.json"),
        format!("v{version}.metadata.json.gz"),
    ]
}

async fn file_of(folder: &str, version: u64, storage: &Storage) -> Result<Option<String>, StorageError> {
    for name in names(version) {
        let location = format!("{folder}/{name}");
        if storage.exists(&location).await? {
            return Ok(Some(location));
        }
    }
    Ok(None)
}

/// The highest version that the folder lists, if it is there; without one, the first version, should a listing lag.
async fn highest(folder: &str, storage: &Storage) -> Result<Option<(u64, String)>, StorageError> {
    let (files, _) = storage.list(folder).await?;
    let mut versions: Vec<u64> = files.iter().filter_map(|name| version_of(name)).collect();
    versions.sort_unstable();
    versions.dedup();
    // A store may still list what is gone, or not yet list what is there.
    for version in versions.into_iter().rev().chain([1]) {
        if let Some(location) = file_of(folder, version, storage).await? {
            return Ok(Some((version, location)));
        }
    }
    Ok(None)
}

fn version_of(name: &str) -> Option<u64> {
    let version = name.strip_prefix('v')?.split('.').next()?.parse().ok()?;
    names(version).iter().any(|known| known == name).then_some(version)
}

/// Tables of the namespace, else namespaces, with a name near to the one that is not there. What cannot be listed
/// offers nothing.
async fn near(namespace: &str, name: &TableName, storage: &Storage) -> Vec<String> {
    let folders =
        |folder: String| async move { storage.list(&folder).await.map(|(_, folders)| folders).unwrap_or_default() };
    let tables = folders(namespace.to_owned()).await;
    let prefix = format!("{}.{}", name.catalog, name.namespace.join("."));
    if !tables.is_empty() {
        let near = nearest(&name.table, tables.iter().map(String::as_str));
        return near.into_iter().map(|table| format!("{prefix}.{table}")).collect();
    }
    let Some((parent, last)) = namespace.rsplit_once('/') else { return Vec::new() };
    let above: String = name.namespace[..name.namespace.len() - 1].iter().map(|level| format!("{level}.")).collect();
    let near = nearest(last, folders(parent.to_owned()).await.iter().map(String::as_str));
    near.into_iter().map(|level| format!("{}.{above}{level}.{}", name.catalog, name.table)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_a_number_on_its_first_line() {
        for (text, version) in [("7", Some(7)), ("7\n", Some(7)), (" 12 \r\nx", Some(12)), ("0", Some(0))] {
            assert_eq!(parse_hint(text.as_bytes()), version, "{text:?}");
        }
        for text in ["", "\n7", "v7", "-1", "7.5", "99999999999999999999", "\u{0}\u{0}"] {
            assert_eq!(parse_hint(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_hint(&[0xFF]), None);
        assert_eq!(parse_hint(&[b'7'; 1 << 20]), None);
    }

    #[test]
    fn only_names_of_versions_are_versions() {
        for (name, version) in [
            ("v3.metadata.json", Some(3)),
            ("v3.gz.metadata.json", Some(3)),
            ("v3.metadata.json.gz", Some(3)),
            ("v03.metadata.json", None),
            ("v3.metadata.json.crc", None),
            (".v3.metadata.json.crc", None),
            ("00003-abc.metadata.json", None),
            ("v.metadata.json", None),
            ("vx.metadata.json", None),
        ] {
            assert_eq!(version_of(name), version, "{name}");
        }
    }
}
