//! `validator replay-plan` and `validator replay`: from findings to messages that are read into the table once more.
//!
//! ```text
//! ledger, or a file of findings ─▶ told.rs ─▶ plan.rs (ranges.rs, rows.rs) ─▶ text.rs, commands.rs, JSON
//!                                                       └▶ publish.rs ─▶ validator/tap ─▶ repair topic
//! ```
//! Contract: a plan is exact: a message that is not meant is in no range. Nothing is written but by `replay --yes`.

mod commands;
mod of_file;
mod of_ledger;
mod plan;
mod publish;
mod ranges;
mod rows;
mod text;
mod told;

pub use plan::PLAN_SCHEMA;
pub use publish::replay;

use validator_core::contract::Identity;
use validator_core::harmless::harmless_json;

use self::plan::{Origin, Plan, Planner};
use crate::cli::{Exit, PlanFormat, ReplayOf, ReplayPlanArgs};
use crate::config::{Loader, Pipeline, Problem, Service};
use crate::failure::Failure;
use crate::terminal::Terminal;

/// `validator replay-plan`
///
/// # Errors
/// [`Failure`], with its exit code.
pub fn plan(args: &ReplayPlanArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let asked = Asked::new(&args.of)?;
    let plan = asked.plan()?;
    terminal.answer(&match args.format {
        PlanFormat::Json => json(&plan),
        PlanFormat::Text => text::text(&plan, terminal.palette(), terminal.width()),
        PlanFormat::Commands => {
            let brokers = asked.service.kafka.as_ref().map(|kafka| kafka.brokers.as_str());
            commands::commands(&plan, brokers)
        }
    })?;
    Ok(Exit::Holds)
}

/// One object, indented, with a newline at the end.
fn json(plan: &Plan) -> String {
    let text = serde_json::to_string_pretty(plan).expect("every key of a plan is a string") + "\n";
    harmless_json(&text).into_owned()
}

/// What a command was asked for.
struct Asked<'a> {
    of: &'a ReplayOf,
    loader: Loader<'a>,
    service: Service,
    pipeline: Pipeline,
}

impl<'a> Asked<'a> {
    fn new(of: &'a ReplayOf) -> Result<Self, Failure> {
        let loader = Loader::of_process(chrono::Utc::now().timestamp_millis());
        let service = loader.service(of.config.as_deref())?;
        let pipeline = loader.pipeline(&of.pipeline, &service)?;
        Ok(Self { of, loader, service, pipeline })
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let name = &self.pipeline.contract.name;
        let is_upsert = matches!(&self.pipeline.contract.identity, Identity::Key { upsert: Some(_), .. });
        let mut planner = Planner::new(is_upsert);
        let (origin, ignored) = match &self.of.findings {
            Some(file) => {
                of_file::read(file, name, &mut planner)?;
                (Origin { source: "findings", checkpoint: None, judged_at: None, snapshot_id: None }, 0)
            }
            None => of_ledger::read(&self.service, name, self.loader.now_ms, &mut planner)?,
        };
        let names = (name.as_str(), self.pipeline.contract.table.as_str());
        let made = planner.plan(names, origin, ignored, offset_column(&self.pipeline));
        made.map_err(|contradiction| {
            let problem = Problem::new(contradiction.to_string());
            vec![problem.hint("hand over the findings of one run: those of two cannot both be true")].into()
        })
    }
}

/// The table's column of offsets, where the pipeline file names it. Those of a profile depend on the table.
fn offset_column(pipeline: &Pipeline) -> Option<&str> {
    match (&pipeline.contract.identity, pipeline.profile) {
        (Identity::Offset { offset, .. }, None) => Some(offset),
        _ => None,
    }
}
