//! The runtime of the plans: memory that is shared fairly, and a place to spill.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

/// What plans run in.
pub type PlanContext = Arc<TaskContext>;

/// A context with `memory` bytes for aggregation; what does not fit spills to `temp` (the system's folder unless given).
///
/// # Errors
/// The folder cannot be used.
pub fn context(memory: usize, temp: Option<PathBuf>) -> Result<PlanContext> {
    let reported = const { NonZeroUsize::new(5).expect("five is not zero") };
    let pool = TrackConsumersPool::new(FairSpillPool::new(memory), reported);
    let mut runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool));
    if let Some(temp) = temp {
        runtime = runtime.with_temp_file_path(temp);
    }
    let config = SessionConfig::new().with_collect_statistics(false);
    let session = SessionContext::new_with_config_rt(config, runtime.build_arc()?);
    Ok(session.task_ctx())
}
