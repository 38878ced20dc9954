//! The stream of a scan: fetches row groups one ahead, decodes as it is polled.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;

use crate::limits::WINDOW_BATCHES_QUEUED;
use crate::{FaultKind, FileFault};

use super::ScanItem;
use super::chunks::Chunks;
use super::footer::store_failure;
use super::open::Opened;
use super::rows::{Decoding, Task};

pub(crate) fn stream(file: Arc<Opened>, tasks: Vec<Task>) -> BoxStream<'static, ScanItem> {
    let scan = Scan { file, todo: tasks.into(), ahead: None, current: None };
    stream::unfold(scan, Scan::next).boxed()
}

struct Scan {
    file: Arc<Opened>,
    todo: VecDeque<Task>,
    /// The fetch of the front of `todo`.
    ahead: Option<Ahead>,
    current: Option<Current>,
}

enum Current {
    Inline(Box<Decoding>),
    Thread { items: mpsc::Receiver<ScanItem>, task: Task, yielded: u64 },
}

struct Ahead {
    fetch: JoinHandle<Result<Chunks, FileFault>>,
    /// Given back once the row group is the current one.
    _permit: OwnedSemaphorePermit,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.fetch.abort();
    }
}

impl Scan {
    async fn next(mut self) -> Option<(ScanItem, Self)> {
        loop {
            let item = match &mut self.current {
                None => None,
                Some(Current::Inline(decoding)) => decoding.next(),
                Some(Current::Thread { items, task, yielded }) => match items.recv().await {
                    Some(item) => {
                        if let ScanItem::Rows(rows) = &item {
                            *yielded += rows.batch.num_rows() as u64;
                        }
                        Some(item)
                    }
                    None => {
                        let detail = "the decoding thread ended early".to_owned();
                        let fault = task.fault(&self.file, FaultKind::Unreadable, detail);
                        Some(task.end(*yielded, Some(fault)))
                    }
                },
            };
            if let Some(item) = item {
                if matches!(item, ScanItem::End(_)) {
                    self.current = None;
                }
                return Some((item, self));
            }
            let task = self.todo.pop_front()?;
            if self.is_dead(&task) {
                return Some((task.end(0, None), self));
            }
            match self.begin(task.clone()).await {
                Ok(current) => self.current = Some(current),
                Err(fault) => return Some((task.end(0, Some(fault)), self)),
            }
            self.fetch_ahead();
        }
    }

    async fn begin(&mut self, task: Task) -> Result<Current, FileFault> {
        if let (true, Ok(handle)) = (self.is_large(&task), Handle::try_current()) {
            return windowed(&self.file, task, handle);
        }
        let chunks = match self.ahead.take() {
            Some(mut ahead) => match (&mut ahead.fetch).await {
                Ok(fetched) => fetched?,
                Err(_) => fetch(&self.file, &task).await?,
            },
            None => fetch(&self.file, &task).await?,
        };
        Ok(Current::Inline(Box::new(Decoding::new(Arc::clone(&self.file), chunks, task)?)))
    }

    /// All rows of the row group are deleted: nothing of it is in the table, so that nothing of it is read.
    fn is_dead(&self, task: &Task) -> bool {
        task.positions.is_none() && task.group.rows > 0 && task.shown(&self.file) == 0
    }

    fn is_large(&self, task: &Task) -> bool {
        task.group.bytes > self.file.storage.limits().row_group_bytes
    }

    /// Starts on the next row group while this one is decoded, if there is leave to hold its bytes.
    fn fetch_ahead(&mut self) {
        let (Some(task), Ok(handle)) = (self.todo.front(), Handle::try_current()) else { return };
        if self.is_large(task) || self.is_dead(task) {
            return;
        }
        let Some(permit) = self.file.storage.read_ahead(task.group.bytes) else { return };
        let (file, task) = (Arc::clone(&self.file), task.clone());
        let fetch = handle.spawn(async move { fetch(&file, &task).await });
        self.ahead = Some(Ahead { fetch, _permit: permit });
    }
}

async fn fetch(file: &Opened, task: &Task) -> Result<Chunks, FileFault> {
    let ranges = file.ranges(task.group.index).map_err(|reason| task.fault(file, FaultKind::Corrupt, reason))?;
    Chunks::fetch(&file.object, &ranges).await.map_err(|failure| {
        let (kind, detail) = store_failure(&failure);
        task.fault(file, kind, detail)
    })
}

/// Decodes a row group that is too large to hold on a thread that may block for its windows.
fn windowed(file: &Arc<Opened>, task: Task, handle: Handle) -> Result<Current, FileFault> {
    let ranges = file.ranges(task.group.index).map_err(|reason| task.fault(file, FaultKind::Corrupt, reason))?;
    let (send, items) = mpsc::channel(WINDOW_BATCHES_QUEUED);
    let (file, thread_task) = (Arc::clone(file), task.clone());
    let chunks = Chunks::windowed(&file.object, file.storage.limits().window_bytes, handle.clone(), &ranges);
    handle.spawn_blocking(move || {
        let mut decoding = match Decoding::new(file, chunks, thread_task.clone()) {
            Ok(decoding) => decoding,
            Err(fault) => {
                let _ = send.blocking_send(thread_task.end(0, Some(fault)));
                return;
            }
        };
        // A closed channel means that the stream was dropped.
        while let Some(item) = decoding.next() {
            if send.blocking_send(item).is_err() {
                return;
            }
        }
    });
    Ok(Current::Thread { items, task, yielded: 0 })
}
