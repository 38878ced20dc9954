//! One bucket, read only: every answer has as many bytes as it promised, or it is a failure of the store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::aws::AmazonS3;
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::{DELIMITER, Path};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use thiserror::Error as ThisError;

use super::key::ServedKey;
use crate::limits::LIST_PAGES_MAX;

/// A bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub inner: AmazonS3,
    /// The key that a catalog lends, if it does.
    pub key: Option<Arc<ServedKey>>,
}

/// A body of another length than its head promised.
#[derive(Debug, ThisError)]
#[error("the store sent {sent} of {promised} bytes")]
struct WrongLength {
    sent: u64,
    promised: u64,
}

/// Pages that never end.
#[derive(Debug, ThisError)]
#[error("the store's listing of a folder has no end")]
struct Endless;

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        let got = match (self.inner.get_opts(path, options.clone()).await, &self.key) {
            (Err(error), Some(key)) if is_ended_key(&error) => {
                key.end().await;
                self.inner.get_opts(path, options).await?
            }
            (got, _) => got?,
        };
        Ok(if head { got } else { counted(got) })
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    /// Page by page, since a store may list without end.
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.filter(|prefix| !prefix.as_ref().is_empty()).map(|prefix| format!("{prefix}/"));
        let mut all = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
        let mut token: Option<String> = None;
        for _ in 0..LIST_PAGES_MAX {
            let delimiter = Some(DELIMITER.into());
            let options = PaginatedListOptions { delimiter, page_token: token.clone(), ..Default::default() };
            let PaginatedListResult { result, page_token } =
                self.inner.list_paginated(prefix.as_deref(), options).await?;
            all.common_prefixes.extend(result.common_prefixes);
            all.objects.extend(result.objects);
            match page_token.filter(|next| !next.is_empty()) {
                None => {
                    // A folder may be named by more than one page.
                    all.common_prefixes.sort();
                    all.common_prefixes.dedup();
                    return Ok(all);
                }
                Some(next) if token.as_ref() == Some(&next) => break,
                next => token = next,
            }
        }
        Err(Error::Generic { store: "S3", source: Box::new(Endless) })
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(read_only("put"))
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(read_only("put_multipart"))
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        paths.map(|_| Err(read_only("delete"))).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(read_only("copy"))
    }
}

fn read_only(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: "a store that is only read".to_owned() }
}

/// Stores say so with 400 or 403; only their code tells it from a key that never was good.
fn is_ended_key(error: &Error) -> bool {
    let text = error.to_string();
    ["ExpiredToken", "TokenRefreshRequired"].iter().any(|code| text.contains(code))
}

/// The same answer; its body ends with an error when it is shorter or longer than promised.
fn counted(got: GetResult) -> GetResult {
    let GetResult { payload, meta, range, attributes } = got;
    let payload = match payload {
        GetResultPayload::Stream(parts) => {
            let promised = range.end - range.start;
            GetResultPayload::Stream(exactly(parts, promised))
        }
        other => other,
    };
    GetResult { payload, meta, range, attributes }
}

fn exactly(parts: BoxStream<'static, Result<bytes::Bytes>>, promised: u64) -> BoxStream<'static, Result<bytes::Bytes>> {
    let wrong = move |sent| Error::Generic { store: "S3", source: Box::new(WrongLength { sent, promised }) };
    futures::stream::try_unfold((parts, 0_u64), move |(mut parts, sent)| async move {
        match parts.next().await.transpose()? {
            Some(part) => {
                let sent = sent + part.len() as u64;
                if sent > promised { Err(wrong(sent)) } else { Ok(Some((part, (parts, sent)))) }
            }
            None if sent < promised => Err(wrong(sent)),
            None => Ok(None),
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    async fn read(parts: &[&'static str], promised: u64) -> Result<String> {
        let parts: Vec<Result<bytes::Bytes>> = parts.iter().map(|part| Ok(bytes::Bytes::from(*part))).collect();
        let read: Vec<bytes::Bytes> = exactly(futures::stream::iter(parts).boxed(), promised).try_collect().await?;
        Ok(read.iter().map(|part| String::from_utf8_lossy(part)).collect())
    }

    #[tokio::test]
    async fn a_body_has_as_many_bytes_as_promised() {
        assert_eq!(read(&["ab", "c"], 3).await.unwrap(), "abc");
        assert_eq!(read(&[], 0).await.unwrap(), "");
        for (parts, promised) in [(&["ab", "c"][..], 4), (&["ab", "c"], 2), (&[], 1), (&["a"], 0)] {
            let error = read(parts, promised).await.unwrap_err().to_string();
            assert!(error.contains(&format!("of {promised} bytes")), "{error}");
        }
    }
}
