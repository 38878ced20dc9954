//! One object of a store: its end, ranges of it, or all of it.
//!
//! Contract: of a store over a network, fewer or other bytes than it promised, or an object that is not the one of the
//! first answer, are a failure of the store, never the object; that it has no such object is believed when it says so
//! repeatedly.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, GetResult, OBJECT_STORE_COALESCE_DEFAULT, ObjectStore, ObjectStoreExt, coalesce_ranges,
};

use crate::limits::{METADATA_BYTES_MAX, NOT_FOUND_ASKED, STORE_PAUSE_MILLIS};
use crate::s3::LIE;
use crate::storage::StorageError;

/// One object of a store.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    pub(crate) location: String,
    /// Of a store over a network: what its first answer said of the object, once there was one.
    pub(crate) seen: Option<Arc<OnceLock<Seen>>>,
}

/// What an object must go on being while it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    size: u64,
    e_tag: Option<String>,
}

/// The end of an object.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    /// The object's size, bytes.
    pub size: u64,
    /// Its last bytes.
    pub bytes: Bytes,
}

impl Object {
    /// The last bytes of the object, at most `want`, and its size.
    pub async fn tail(&self, want: u64) -> Result<Tail, StorageError> {
        self.repeated(|| self.tail_once(want)).await
    }

    async fn tail_once(&self, want: u64) -> Result<Tail, StorageError> {
        let options = GetOptions { range: Some(GetRange::Suffix(want)), ..GetOptions::default() };
        match self.store.get_opts(&self.path, options).await {
            Ok(got) => {
                let size = got.meta.size;
                self.hold(&got)?;
                let bytes = got.bytes().await.map_err(|e| self.failed(e))?;
                Ok(Tail { size, bytes })
            }
            Err(source @ object_store::Error::NotFound { .. }) => Err(self.failed(source)),
            // Some stores cannot answer a suffix that is longer than the object; its size tells that from a failing one.
            Err(source) => match self.size_after(&source).await {
                // It is then read whole: a size alone is no evidence of what is in it.
                Some(size) if size < want => {
                    let bytes = self.whole().await?;
                    Ok(Tail { size: bytes.len() as u64, bytes })
                }
                _ => Err(self.failed(source)),
            },
        }
    }

    /// The object's size, asked for after a suffix was not answered; not of a store that was silent, forbids it, or gave
    /// another answer.
    async fn size_after(&self, failure: &object_store::Error) -> Option<u64> {
        const OF_NO_USE: [&str; 4] = ["timed out", "status code: 401", "status code: 403", LIE];
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(failure);
        while let Some(error) = cause {
            let text = error.to_string();
            if self.seen.is_some() && OF_NO_USE.iter().any(|words| text.contains(words)) {
                return None;
            }
            cause = error.source();
        }
        self.store.head(&self.path).await.ok().map(|meta| meta.size)
    }

    /// These byte ranges; the store reads neighbours in one request and far ones side by side.
    pub async fn ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StorageError> {
        let Some(seen) = &self.seen else {
            return self.store.get_ranges(&self.path, ranges).await.map_err(|e| self.failed(e));
        };
        // What lies behind the end of the object is not there, as in a local file.
        let end = seen.get().map_or(u64::MAX, |seen| seen.size);
        let asked: Vec<Range<u64>> = ranges.iter().map(|range| range.start.min(end)..range.end.min(end)).collect();
        let there: Vec<Range<u64>> = asked.iter().filter(|range| !range.is_empty()).cloned().collect();
        let fetch = |range: Range<u64>| self.repeated(move || self.range(range.clone()));
        let mut read = coalesce_ranges(&there, fetch, OBJECT_STORE_COALESCE_DEFAULT).await?.into_iter();
        Ok(asked
            .iter()
            .map(|range| if range.is_empty() { Bytes::new() } else { read.next().unwrap_or_default() })
            .collect())
    }

    async fn range(&self, range: Range<u64>) -> Result<Bytes, StorageError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        let got = self.store.get_opts(&self.path, options).await.map_err(|e| self.failed(e))?;
        self.hold(&got)?;
        if got.range != range {
            return Err(self.contradiction(format!("asked for bytes {range:?}, it has {:?}", got.range)));
        }
        got.bytes().await.map_err(|e| self.failed(e))
    }

    pub(crate) async fn whole(&self) -> Result<Bytes, StorageError> {
        let got = self.store.get(&self.path).await.map_err(|e| self.failed(e))?;
        self.hold(&got)?;
        if got.meta.size > METADATA_BYTES_MAX {
            let what = format!("{} bytes of metadata, more than {METADATA_BYTES_MAX}", got.meta.size);
            return Err(self.contradiction(what));
        }
        got.bytes().await.map_err(|e| self.failed(e))
    }

    /// Holds an answer against the first one about this object.
    fn hold(&self, got: &GetResult) -> Result<(), StorageError> {
        let Some(seen) = &self.seen else { return Ok(()) };
        let now = Seen { size: got.meta.size, e_tag: got.meta.e_tag.clone() };
        let first = seen.get_or_init(|| now.clone());
        let same_tag = first.e_tag.is_none() || now.e_tag.is_none() || first.e_tag == now.e_tag;
        if first.size == now.size && same_tag {
            return Ok(());
        }
        Err(self.contradiction(format!("an object of {} bytes has {} now", first.size, now.size)))
    }

    /// Asks again, as often as it takes to believe a store that it has no such object.
    pub(crate) fn repeated<'a, T: Send + 'a, F>(
        &'a self,
        ask: impl Fn() -> F + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StorageError>>
    where
        F: Future<Output = Result<T, StorageError>> + Send + 'a,
    {
        Box::pin(async move {
            let mut pause = Duration::from_millis(STORE_PAUSE_MILLIS);
            for _ in 1..NOT_FOUND_ASKED {
                match ask().await {
                    Err(StorageError::NotFound { .. }) if self.seen.is_some() => {}
                    other => return other,
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            ask().await
        })
    }

    fn contradiction(&self, what: String) -> StorageError {
        StorageError::Contradiction { location: self.location.clone(), what }
    }

    pub(crate) fn failed(&self, source: object_store::Error) -> StorageError {
        let location = self.location.clone();
        match source {
            object_store::Error::NotFound { .. } => StorageError::NotFound { location, source: source.into() },
            _ => StorageError::Store { location, source: source.into() },
        }
    }
}
