//! A local folder as a store that counts what is read of it.

use std::fmt;
use std::path::Path as Folder;
use std::sync::Mutex;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};

#[derive(Debug)]
pub struct CountingStore {
    inner: LocalFileSystem,
    read: Mutex<Vec<String>>,
}

impl CountingStore {
    pub fn of(folder: &Folder) -> Self {
        Self { inner: LocalFileSystem::new_with_prefix(folder).unwrap(), read: Mutex::default() }
    }

    /// How many manifest lists and how many manifests were read since the last time.
    pub fn forget(&self) -> (usize, usize) {
        let read = std::mem::take(&mut *self.read.lock().unwrap());
        let of = |is: fn(&str) -> bool| read.iter().filter(|path| is(path)).count();
        (of(|path| path.contains("snap-")), of(|path| path.ends_with(".avro") && !path.contains("snap-")))
    }
}

impl fmt::Display for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountingStore")
    }
}

#[async_trait]
impl ObjectStore for CountingStore {
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.read.lock().unwrap().push(path.to_string());
        self.inner.get_opts(path, options).await
    }

    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
