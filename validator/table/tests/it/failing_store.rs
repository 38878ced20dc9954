//! An object store with one object that fails for some of its bytes, as a real one does after its retries.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

#[derive(Debug)]
pub struct FailingStore {
    inner: InMemory,
    failing: Range<u64>,
    message: &'static str,
}

impl FailingStore {
    /// Fails every read.
    pub fn always(message: &'static str) -> Self {
        Self { inner: InMemory::new(), failing: 0..u64::MAX, message }
    }

    /// Serves these bytes under every name, but fails reads of a bounded range that touches `failing`.
    pub fn serving(bytes: Vec<u8>, failing: Range<u64>) -> Self {
        let inner = InMemory::new();
        futures::executor::block_on(inner.put(&Path::from("object"), bytes.into())).unwrap();
        Self { inner, failing, message: "503" }
    }

    fn refused(&self) -> Error {
        Error::Generic { store: "failing", source: self.message.into() }
    }
}

impl fmt::Display for FailingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FailingStore")
    }
}

#[async_trait]
impl ObjectStore for FailingStore {
    async fn get_opts(&self, _: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(&Path::from("object"), options).await.map_err(|_| self.refused())
    }

    async fn get_ranges(&self, _: &Path, ranges: &[Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        let touches = |range: &Range<u64>| range.start < self.failing.end && self.failing.start < range.end;
        if ranges.iter().any(touches) {
            return Err(self.refused());
        }
        self.inner.get_ranges(&Path::from("object"), ranges).await
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(self.refused())
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(self.refused())
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        locations
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(self.refused())
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(self.refused())
    }
}
