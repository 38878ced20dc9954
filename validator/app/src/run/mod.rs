//! `validator run`: every pipeline shadowed for as long as the process lives.
//!
//! Follow one message: `reading.rs` (the thread of the tap) ▶ `actor.rs` ▶ the shadow of the core ▶ `keeping.rs` (checkpoint). One
//! row: `looking.rs` (poll, barrier, pin, scan) ▶ the shadow; what it then asks for: `asking.rs`. Several processes: `fleet/`.

mod actor;
mod alerting;
pub mod alerts;
mod answering;
mod applying;
mod asking;
mod doubts;
mod fleet;
mod hanging;
pub mod http;
mod idle;
mod jobs;
mod keeping;
mod landing;
mod letters;
mod lifetime;
mod limits;
mod logs;
mod looking;
pub mod metrics;
mod notes;
mod opening;
mod outages;
mod outside;
mod publishing;
mod reading;
mod refusals;
mod retention;
mod sight;
mod stalls;
mod standing_by;
mod state;
pub mod status;
mod supervisor;
mod table;
mod telling;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use letters::LettersNotes;
pub use notes::Notes;
pub use outside::Outside;
pub use state::{address, open as opened, pipeline_is};

use crate::cli::{Exit, RunArgs};
use crate::config::{Loader, Pipeline, Problem, Service, alert_problems};
use crate::failure::Failure;
use crate::ledger::Reported;
use crate::open;
use crate::terminal::Terminal;
use fleet::Fleet;
use supervisor::Supervisor;

/// Runs the command.
///
/// # Errors
/// [`Failure`], with its exit code.
pub fn run(args: &RunArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let configured = configured(args.config.as_deref(), &args.pipelines)?;
    terminal.warn(&configured.service.warnings);
    let until = args.until_idle.map(|ms| Duration::from_millis(ms.unsigned_abs()));
    let fleet = Fleet::of(&configured.service, args.member.as_deref())?;
    let named = (args.config.clone(), args.pipelines.clone());
    let runtime = open::runtime()?;
    let ended =
        runtime.block_on(async { Supervisor::new(named, configured, fleet, until, terminal).await?.run().await });
    // Threads that wait for a broker or a store are not waited for.
    runtime.shutdown_timeout(Duration::from_millis(200));
    ended
}

/// Follows one pipeline until nothing was left to do for so long, over a ledger of its own, and says how it stands: for who
/// brings a clock or messages.
///
/// # Errors
/// [`Failure`].
pub async fn follow(
    pipeline: &Pipeline,
    service: &Service,
    until: Duration,
    outside: &Outside,
) -> Result<Reported, Failure> {
    let ledger = state::open(service, outside.now_ms()).await?;
    lifetime::follow(pipeline, service, &ledger, until, outside).await?;
    ledger.close().await?;
    let mut all = crate::ledger::all(service, std::slice::from_ref(pipeline)).await?;
    all.pop().ok_or_else(|| Failure::Following("the ledger has no report".to_owned()))
}

/// What the files say.
struct Configured {
    service: Arc<Service>,
    pipelines: Vec<Pipeline>,
}

/// The pipelines of the command line, else all of the service.
fn configured(config: Option<&Path>, named: &[String]) -> Result<Configured, Failure> {
    let loader = Loader::of_process(chrono::Utc::now().timestamp_millis());
    let service = loader.service(config)?;
    let mut pipelines = Vec::new();
    for argument in named {
        pipelines.push(loader.pipeline(argument, &service)?);
    }
    if named.is_empty() {
        for file in loader.pipeline_files(&service)? {
            pipelines.push(loader.pipeline_file(&file)?);
        }
    }
    if pipelines.is_empty() {
        let hint = "write `pipelines = [\"rules/suites/*.toml\"]` in [service] of validator.toml";
        return Err(vec![Problem::new("there is no pipeline to run").hint(hint)].into());
    }
    for (index, pipeline) in pipelines.iter().enumerate() {
        let name = &pipeline.contract.name;
        if pipelines[..index].iter().any(|other| other.contract.name == *name) {
            let what = format!("another file holds a pipeline `{name}` too");
            return Err(vec![pipeline.problem_at("pipeline.name", what)].into());
        }
    }
    let problems: Vec<_> = pipelines.iter().flat_map(|pipeline| alert_problems(pipeline, &service)).collect();
    if !problems.is_empty() {
        return Err(problems.into());
    }
    Ok(Configured { service: Arc::new(service), pipelines })
}
