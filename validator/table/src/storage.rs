//! Object stores by location: one stack for metadata and data, read only.
//!
//! Contract: a location is used as the table writes it, byte for byte: nothing is percent-decoded or encoded, so
//! Hive-style keys such as `dt=2024%2F01` reach the object of that very name.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ListResult, ObjectMeta, ObjectStore};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{READ_AHEAD_BYTES, ROW_GROUP_BYTES_HELD, WINDOW_BYTES};
pub(crate) use crate::object::{Object, Tail};
use crate::s3::{self, Buckets, Lender, S3Config, Served};

/// The stores that a table's locations lead to, and the bytes that may be read ahead from them.
#[derive(Clone)]
pub struct Storage {
    local: Arc<dyn ObjectStore>,
    others: Vec<(String, Arc<dyn ObjectStore>)>,
    buckets: Option<Arc<Buckets>>,
    limits: ReadLimits,
    read_ahead: Arc<Semaphore>,
}

/// How many bytes reading may hold. The defaults suit 2 GiB of memory and a few scans side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Bytes of the wanted columns of a row group that a scan holds at once; a larger row group is read through
    /// windows. 128 MiB.
    pub row_group_bytes: u64,
    /// Bytes of one window into one column chunk of such a row group. 4 MiB.
    pub window_bytes: u64,
    /// Bytes that all scans together may fetch before they are needed. 256 MiB.
    pub read_ahead_bytes: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { row_group_bytes: ROW_GROUP_BYTES_HELD, window_bytes: WINDOW_BYTES, read_ahead_bytes: READ_AHEAD_BYTES }
    }
}

/// What can go wrong with an object.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StorageError {
    /// There is no such object.
    #[error("object not found: {location}")]
    NotFound {
        /// The location.
        location: String,
        /// The store's words.
        source: Box<object_store::Error>,
    },
    /// The store failed, also after its retries.
    #[error("store failed at {location}")]
    Store {
        /// The location.
        location: String,
        /// The store's words.
        source: Box<object_store::Error>,
    },
    /// The store says one thing and then another, or promises what cannot be.
    #[error("store contradicts itself at {location}: {what}")]
    Contradiction {
        /// The location.
        location: String,
        /// What it said.
        what: String,
    },
    /// There is no key for the store.
    #[error("no key for the store of {location}: s3.access-key-id and s3.secret-access-key are not given")]
    NoKey {
        /// The location.
        location: String,
    },
    /// The location leads to no store that is configured or built.
    #[error("no store for location {location}")]
    NoStore {
        /// The location.
        location: String,
    },
    /// The location is not a path of its store.
    #[error("not a location: {location}")]
    BadLocation {
        /// The location.
        location: String,
        /// Why.
        source: Box<object_store::path::Error>,
    },
}

impl Storage {
    /// The local file system: `/abs`, `file:/abs`, `file:///abs`.
    pub fn local() -> Self {
        Self {
            local: Arc::new(LocalFileSystem::new()),
            others: Vec::new(),
            buckets: None,
            limits: ReadLimits::default(),
            read_ahead: Arc::new(Semaphore::new(READ_AHEAD_BYTES / 1024)),
        }
    }

    /// Other limits than the defaults.
    #[must_use]
    pub fn with_limits(mut self, limits: ReadLimits) -> Self {
        self.read_ahead = Arc::new(Semaphore::new((limits.read_ahead_bytes / 1024).min(Semaphore::MAX_PERMITS)));
        self.limits = limits;
        self
    }

    /// Adds a store for every location that starts with `prefix` (`s3://bucket/`); what follows it is the key.
    /// The longest prefix wins, also over the local file system.
    #[must_use]
    pub fn with_store(mut self, prefix: impl Into<String>, store: Arc<dyn ObjectStore>) -> Self {
        self.others.push((prefix.into(), store));
        self.others.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        self
    }

    /// Adds the buckets of an S3-compatible store: `s3://bucket/key`, also `s3a` and `s3n`.
    #[must_use]
    pub fn with_s3(mut self, config: S3Config) -> Self {
        self.buckets = Some(Arc::new(Buckets::new(config)));
        self
    }

    /// The same with what a catalog serves for one table; without buckets there is nothing to serve.
    pub(crate) fn serving(mut self, served: Vec<Served>, lender: Arc<dyn Lender>) -> Self {
        self.buckets = self.buckets.map(|buckets| Arc::new(buckets.serving(served, lender)));
        self
    }

    pub(crate) fn object(&self, location: &str) -> Result<Object, StorageError> {
        let (store, key, remote) = self.route(location)?;
        let path = Path::parse(&key)
            .map_err(|source| StorageError::BadLocation { location: location.to_owned(), source: source.into() })?;
        Ok(Object { store, path, location: location.to_owned(), seen: remote.then(Arc::default) })
    }

    /// A whole object of metadata.
    pub(crate) async fn read(&self, location: &str) -> Result<Bytes, StorageError> {
        let object = self.object(location)?;
        object.repeated(|| object.whole()).await
    }

    /// [`Storage::read`], of an object that may well not be there: the store is asked for it once.
    pub(crate) async fn look(&self, location: &str) -> Result<Option<Bytes>, StorageError> {
        match self.object(location)?.whole().await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StorageError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether there is such an object; asked for a byte of it, since a store gives reasons for a refusal only then.
    pub(crate) async fn exists(&self, location: &str) -> Result<bool, StorageError> {
        let object = self.object(location)?;
        let options = GetOptions { range: Some(GetRange::Bounded(0..1)), ..GetOptions::default() };
        match object.store.get_opts(&object.path, options).await.map_err(|error| object.failed(error)) {
            Ok(_) => Ok(true),
            Err(StorageError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What lies directly in a folder: names of objects, and of folders.
    pub(crate) async fn list(&self, folder: &str) -> Result<(Vec<String>, Vec<String>), StorageError> {
        let object = self.object(&format!("{}/", folder.trim_end_matches('/')))?;
        let ListResult { common_prefixes, objects } =
            object.store.list_with_delimiter(Some(&object.path)).await.map_err(|error| object.failed(error))?;
        let inside = |path: &Path| {
            let mut parts = path.prefix_match(&object.path)?;
            let name = parts.next()?.as_ref().to_owned();
            parts.next().is_none().then_some(name)
        };
        // What a store lists outside of the folder that was asked for is not in it.
        let names = objects.iter().filter_map(|meta: &ObjectMeta| inside(&meta.location)).collect();
        Ok((names, common_prefixes.iter().filter_map(inside).collect()))
    }

    pub(crate) fn limits(&self) -> ReadLimits {
        self.limits
    }

    /// Leave to hold so many bytes ahead of need, if there is any left.
    pub(crate) fn read_ahead(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1024)).ok()?;
        Arc::clone(&self.read_ahead).try_acquire_many_owned(kib).ok()
    }

    /// The store, the key in it, and whether it is asked over a network.
    fn route(&self, location: &str) -> Result<(Arc<dyn ObjectStore>, String, bool), StorageError> {
        if let Some((prefix, store)) = self.others.iter().find(|(prefix, _)| location.starts_with(prefix)) {
            return Ok((Arc::clone(store), location[prefix.len()..].to_owned(), false));
        }
        if let Some(buckets) = &self.buckets
            && let Some((store, key)) = buckets.route(location)?
        {
            return Ok((store, key, true));
        }
        match local_path(location) {
            Some(path) => Ok((Arc::clone(&self.local), path, false)),
            None => Err(StorageError::NoStore { location: location.to_owned() }),
        }
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others: Vec<&str> = self.others.iter().map(|(prefix, _)| prefix.as_str()).collect();
        f.debug_struct("Storage").field("others", &others).finish_non_exhaustive()
    }
}

/// The absolute path of a local location, its `.`, `..` and doubled slashes resolved; `None` when it is not local.
fn local_path(location: &str) -> Option<String> {
    let path = match location.strip_prefix("file:") {
        Some(rest) => match rest.strip_prefix("//") {
            Some(with_host) => with_host.strip_prefix("localhost").unwrap_or(with_host),
            None => rest,
        },
        None => location,
    };
    if !path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// One spelling for locations that lead to the same object: `file:/x`, `file:///x` and `/x` are one, and so are
/// `s3://b/x`, `s3a://b/x` and `s3n://b/x`, which writers of one table mix.
pub(crate) fn canonical_location(location: &str) -> String {
    local_path(location).or_else(|| s3::canonical(location)).unwrap_or_else(|| location.to_owned())
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    #[test]
    fn local_locations_are_accepted_in_every_spelling() {
        for location in
            ["/w/t/a.parquet", "file:/w/t/a.parquet", "file:///w/t/a.parquet", "file://localhost/w/t/a.parquet"]
        {
            assert_eq!(local_path(location).as_deref(), Some("/w/t/a.parquet"), "{location}");
        }
        assert_eq!(local_path("/w//t/./x/../a").as_deref(), Some("/w/t/a"));
        assert_eq!(local_path("s3://bucket/a"), None);
        assert_eq!(local_path("relative/a"), None);
        assert_eq!(local_path("file://host/a"), None);
    }

    #[test]
    fn spellings_of_one_object_are_one() {
        let one = |spellings: &[&str]| {
            let canonical: Vec<String> = spellings.iter().map(|location| canonical_location(location)).collect();
            assert!(canonical.iter().all(|location| *location == canonical[0]), "{canonical:?}");
        };
        one(&["s3://b/k", "s3a://b/k", "s3n://b/k", "S3A://b/k"]);
        one(&["/w/k", "file:/w/k", "file:///w/k", "file://localhost/w/k", "/w//./k"]);
        // A key of an object store may have empty parts.
        assert_ne!(canonical_location("s3://b/a//k"), canonical_location("s3://b/a/k"));
        assert_ne!(canonical_location("s3://b/k"), canonical_location("gs://b/k"));
    }

    #[tokio::test]
    async fn odd_names_reach_the_file_of_that_very_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["dt=2024%2F01", "a b", "ü~#x?y", "100%", "x=__HIVE_DEFAULT_PARTITION__"] {
            let path = dir.path().join(name);
            std::fs::write(&path, name.as_bytes()).unwrap();
            let read = Storage::local().read(&format!("file://{}", path.display())).await.unwrap();
            assert_eq!(read, name.as_bytes());
        }
    }

    #[tokio::test]
    async fn tail_gives_size_and_last_bytes_also_of_short_and_empty_files() {
        let dir = tempfile::tempdir().unwrap();
        for (name, len) in [("empty", 0_u64), ("short", 3), ("long", 5_000)] {
            let path = dir.path().join(name);
            std::fs::write(&path, vec![7; len as usize]).unwrap();
            let storage = Storage::local();
            let tail = storage.object(path.to_str().unwrap()).unwrap().tail(1_000).await.unwrap();
            assert_eq!((tail.size, tail.bytes.len() as u64), (len, len.min(1_000)), "{name}");
        }
    }

    #[tokio::test]
    async fn missing_object_and_unknown_store_are_told_apart() {
        let storage = Storage::local();
        assert!(matches!(storage.read("/no/such/file").await, Err(StorageError::NotFound { .. })));
        assert!(matches!(storage.read("s3://bucket/file").await, Err(StorageError::NoStore { .. })));
    }

    #[tokio::test]
    async fn longest_registered_prefix_wins() {
        let (a, b) = (object_store::memory::InMemory::new(), object_store::memory::InMemory::new());
        a.put(&Path::from("deep/k"), "a".into()).await.unwrap();
        b.put(&Path::from("k"), "b".into()).await.unwrap();
        let storage = Storage::local().with_store("mem://x/", Arc::new(a)).with_store("mem://x/deep/", Arc::new(b));
        assert_eq!(storage.read("mem://x/deep/k").await.unwrap(), "b");
    }
}
