//! What is left to read of a file, and the streams that read it: each fetches row groups one ahead and decodes as it is polled.
//!
//! Contract: a row group is read by one stream, whole; streams that share a file take its row groups in file order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;

use crate::limits::WINDOW_BATCHES_QUEUED;
use crate::{FaultKind, FileFault};

use super::ScanItem;
use super::chunks::Chunks;
use super::footer::{may_pass, store_failure};
use super::open::Opened;
use super::rows::{Decoding, Task};

/// Row groups of one file that no stream has taken. Clones share them.
#[derive(Debug, Clone)]
pub struct Unread {
    file: Arc<Opened>,
    todo: Arc<Mutex<Todo>>,
}

/// Row groups in file order, and what they weigh: asked for whenever a stream looks for work, so that it is kept and not
/// summed up.
#[derive(Debug)]
struct Todo {
    tasks: VecDeque<Task>,
    /// Wide enough for whatever footers claim.
    bytes: u128,
}

impl Todo {
    fn new(tasks: Vec<Task>) -> Self {
        let bytes = tasks.iter().map(weight).sum();
        Self { tasks: tasks.into(), bytes }
    }

    fn take(&mut self) -> Option<Task> {
        let task = self.tasks.pop_front()?;
        self.bytes -= weight(&task);
        Some(task)
    }
}

/// A row group weighs something whatever its footer says: one that is left is never nothing.
fn weight(task: &Task) -> u128 {
    u128::from(task.group.bytes.max(1))
}

impl Unread {
    pub(crate) fn new(file: Arc<Opened>, tasks: Vec<Task>) -> Self {
        Self { file, todo: Arc::new(Mutex::new(Todo::new(tasks))) }
    }

    /// Compressed bytes of the columns that are read, in the row groups that no stream has taken; 0 where none is left.
    pub fn bytes(&self) -> u64 {
        u64::try_from(self.todo().bytes).unwrap_or(u64::MAX)
    }

    /// Takes row groups until there is none left. A row group that cannot be read ends with its fault and the next one
    /// follows. Dropping the stream ends its reading: what it has taken is read by nobody else.
    pub fn stream(&self) -> BoxStream<'static, ScanItem> {
        let scan = Scan { unread: self.clone(), ahead: None, current: None };
        stream::unfold(scan, Scan::next).boxed()
    }

    fn todo(&self) -> MutexGuard<'_, Todo> {
        self.todo.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Scan {
    unread: Unread,
    /// The next row group, which this stream has taken.
    ahead: Option<Ahead>,
    current: Option<Current>,
}

enum Current {
    Inline(Box<Decoding>),
    Thread { items: mpsc::Receiver<ScanItem>, task: Task, yielded: u64 },
}

struct Ahead {
    task: Task,
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
                        let fault = task.fault(&self.unread.file, FaultKind::Unreadable, detail);
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
            let ahead = self.ahead.take();
            let task = match &ahead {
                Some(ahead) => ahead.task.clone(),
                None => self.unread.todo().take()?,
            };
            if self.is_dead(&task) {
                return Some((task.end(0, None), self));
            }
            match self.begin(task.clone(), ahead).await {
                Ok(current) => self.current = Some(current),
                Err(fault) => return Some((task.end(0, Some(fault)), self)),
            }
            self.fetch_ahead();
        }
    }

    async fn begin(&mut self, task: Task, ahead: Option<Ahead>) -> Result<Current, FileFault> {
        let file = &self.unread.file;
        if let (true, Ok(handle)) = (self.is_large(&task), Handle::try_current()) {
            return windowed(file, task, handle);
        }
        let chunks = match ahead {
            Some(mut ahead) => match (&mut ahead.fetch).await {
                Ok(fetched) => fetched?,
                Err(_) => fetch(file, &task).await?,
            },
            None => fetch(file, &task).await?,
        };
        Ok(Current::Inline(Box::new(Decoding::new(Arc::clone(file), chunks, task)?)))
    }

    /// All rows of the row group are deleted: nothing of it is in the table, so that nothing of it is read.
    fn is_dead(&self, task: &Task) -> bool {
        task.positions.is_none() && task.group.rows > 0 && task.shown(&self.unread.file) == 0
    }

    fn is_large(&self, task: &Task) -> bool {
        task.group.bytes > self.unread.file.storage.limits().row_group_bytes
    }

    /// Takes the next row group and starts to fetch it while this one is decoded, if there is leave to hold its bytes.
    fn fetch_ahead(&mut self) {
        let Ok(handle) = Handle::try_current() else { return };
        let mut todo = self.unread.todo();
        let Some(task) = todo.tasks.front().filter(|task| !self.is_large(task) && !self.is_dead(task)) else { return };
        let Some(permit) = self.unread.file.storage.read_ahead(task.group.bytes) else { return };
        let Some(task) = todo.take() else { return };
        drop(todo);
        let (file, fetched) = (Arc::clone(&self.unread.file), task.clone());
        let fetch = handle.spawn(async move { fetch(&file, &fetched).await });
        self.ahead = Some(Ahead { task, fetch, _permit: permit });
    }
}

async fn fetch(file: &Opened, task: &Task) -> Result<Chunks, FileFault> {
    let ranges = file.ranges(task.group.index).map_err(|reason| task.fault(file, FaultKind::Corrupt, reason))?;
    Chunks::fetch(&file.object, &ranges).await.map_err(|failure| {
        let (kind, detail) = store_failure(&failure);
        FileFault { may_pass: may_pass(&failure), ..task.fault(file, kind, detail) }
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
