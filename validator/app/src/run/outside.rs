//! What a continuous run has from outside beside its files: the wall clock, and in tests the messages.

use std::fmt;
use std::sync::Arc;

use validator_tap::Tap;

/// See the module.
#[derive(Clone)]
pub struct Outside {
    /// Milliseconds since the epoch.
    pub now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Messages of the caller's own, in place of those that the pipeline names.
    pub tap: Option<Arc<dyn Tap>>,
}

/// The wall clock of the process, milliseconds since the epoch.
pub fn wall_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

impl Default for Outside {
    fn default() -> Self {
        Self { now_ms: Arc::new(wall_ms), tap: None }
    }
}

impl Outside {
    /// The wall clock.
    pub fn now_ms(&self) -> i64 {
        (self.now_ms)()
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("tap", &self.tap).finish_non_exhaustive()
    }
}
