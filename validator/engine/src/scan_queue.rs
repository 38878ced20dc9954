//! What the partitions of a scan share: files that nobody has opened, and row groups of opened ones that nobody has taken.
//!
//! Contract: each row group is taken once. A partition takes a file of its own while there is one, the largest first, then
//! helps with the file of which most is left; it ends when nothing is left, also not in a file that another one is opening.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use validator_core::position::FileIndex;
use validator_table::Unread;

use crate::scan_exec::ScanTask;

/// The queue; one for each execution of a scan.
#[derive(Debug)]
pub struct ScanQueue {
    state: Mutex<State>,
    /// A file was opened, or could not be.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// Largest first.
    files: VecDeque<ScanTask>,
    opened: Vec<(FileIndex, Unread)>,
    opening: usize,
}

/// What a partition does next.
#[derive(Debug)]
pub enum Next {
    /// Open this file.
    Open(Box<ScanTask>, Opening),
    /// Read of this one what nobody has taken.
    Help(FileIndex, Unread),
}

/// A file that is being opened; others wait for what it holds. Dropping it says that it holds nothing.
#[derive(Debug)]
pub struct Opening {
    queue: Arc<ScanQueue>,
}

impl ScanQueue {
    /// All of these tasks are still to be done.
    pub fn new(mut tasks: Vec<ScanTask>) -> Self {
        tasks.sort_by_key(|task| std::cmp::Reverse(task.file.size));
        let state = State { files: tasks.into(), opened: Vec::new(), opening: 0 };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// What to do next; `None`: everything is taken.
    pub async fn next(self: &Arc<Self>) -> Option<Next> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            {
                let mut state = self.state();
                if let Some(task) = state.files.pop_front() {
                    state.opening += 1;
                    return Some(Next::Open(Box::new(task), Opening { queue: Arc::clone(self) }));
                }
                if let Some((index, unread)) = state.most() {
                    return Some(Next::Help(index, unread));
                }
                if state.opening == 0 {
                    return None;
                }
            }
            changed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The file of which most is left; those of which nothing is are forgotten. Each is asked once: others take from them
    /// meanwhile.
    fn most(&mut self) -> Option<(FileIndex, Unread)> {
        let mut most: Option<(u64, usize)> = None;
        let mut kept = 0;
        self.opened.retain(|(_, unread)| {
            let bytes = unread.bytes();
            if bytes > most.map_or(0, |(most, _)| most) {
                most = Some((bytes, kept));
            }
            kept += usize::from(bytes > 0);
            bytes > 0
        });
        most.map(|(_, at)| self.opened[at].clone())
    }
}

impl Opening {
    /// The file is open: others may help with it.
    pub fn opened(self, index: FileIndex, unread: &Unread) {
        self.queue.state().opened.push((index, unread.clone()));
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.queue.state().opening -= 1;
        self.queue.changed.notify_waiters();
    }
}
