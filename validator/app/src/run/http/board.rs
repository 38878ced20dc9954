//! The pipelines of the process: each publishes its status here, and whoever shows it reads it here.
//!
//! Contract: reading never waits for a pipeline, and publishing never waits for a reader.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::run::status::Status;

/// The last status of each pipeline.
#[derive(Debug, Default)]
pub struct Board {
    pipelines: RwLock<BTreeMap<String, watch::Receiver<Arc<Status>>>>,
}

impl Board {
    /// A pipeline is there; its statuses come over the receiver. One of the same name goes.
    pub fn put(&self, name: impl Into<String>, statuses: watch::Receiver<Arc<Status>>) {
        self.pipelines.write().unwrap_or_else(PoisonError::into_inner).insert(name.into(), statuses);
    }

    /// A pipeline is no more.
    pub fn remove(&self, name: &str) {
        self.pipelines.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// The last status of each, by name.
    pub fn statuses(&self) -> Vec<Arc<Status>> {
        let pipelines = self.pipelines.read().unwrap_or_else(PoisonError::into_inner);
        pipelines.values().map(|statuses| Arc::clone(&statuses.borrow())).collect()
    }

    /// The last status of one.
    pub fn status(&self, name: &str) -> Option<Arc<Status>> {
        let pipelines = self.pipelines.read().unwrap_or_else(PoisonError::into_inner);
        pipelines.get(name).map(|statuses| Arc::clone(&statuses.borrow()))
    }
}
