//! `validator ledger start-over`: new books for a pipeline; the old ones keep their rows under another name.

use crate::cli::{Exit, StartOverArgs};
use crate::config::Loader;
use crate::failure::Failure;
use crate::open;
use crate::run;
use crate::terminal::Terminal;

/// See the module.
///
/// # Errors
/// [`Failure`], with its exit code: a run writes to the ledger, or there is no such pipeline.
pub fn start_over(args: &StartOverArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let service = Loader::of_process(now_ms).service(args.config.as_deref())?;
    let kept = open::runtime()?.block_on(async {
        let ledger = run::opened(&service, now_ms).await?;
        let kept = ledger.start_over(&args.pipeline, now_ms).await?;
        ledger.close().await?;
        Ok::<_, Failure>(kept)
    })?;
    terminal.tell(&format!("{}: begins anew with the next run; what was kept is {kept}\n", args.pipeline))?;
    Ok(Exit::Holds)
}
