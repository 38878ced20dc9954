//! Commands that answer from the ledger of `validator run`: `report`, `findings`, `explain`, `ledger verify`.
//!
//! Contract: they read one committed checkpoint and ask neither brokers nor catalog; but for decisions they take no lock; what they say is what the
//! run says, since both make it of the same standing.

mod continuity;
mod decide;
mod explain;
mod export;
mod export_columns;
mod export_place;
mod findings;
mod grouped;
mod named;
mod parsed;
mod report;
mod start_over;
mod verify;

pub use explain::explain;
pub use export::export;
pub use findings::{findings, told};
pub use parsed::finding as finding_of_line;
pub use report::{Reported, reported};
pub use start_over::start_over;
pub use verify::verify;

use validator_ledger::ReadLedger;

use crate::cli::{Exit, ReportArgs, ReportFormat};
use crate::config::{Loader, Pipeline, Problem, Service};
use crate::failure::Failure;
use crate::open;
use crate::render;
use crate::run;
use crate::terminal::Terminal;

/// `validator report`
///
/// # Errors
/// [`Failure`], with its exit code.
pub fn report(args: &ReportArgs, words: &[String], terminal: &Terminal) -> Result<Exit, Failure> {
    let loader = Loader::of_process(chrono::Utc::now().timestamp_millis());
    let service = loader.service(args.of.config.as_deref())?;
    let pipelines = pipelines(&loader, &service, args.of.pipeline.as_deref())?;
    let all = open::runtime()?.block_on(all(&service, &pipelines))?;
    for one in &all {
        terminal.answer(&match args.format {
            ReportFormat::Json => render::report_json(&one.report),
            ReportFormat::Text => told_whole(
                one,
                terminal.width(),
                render::TextReport {
                    report: &one.report,
                    reasons: &one.decision.reasons,
                    findings: &[],
                    findings_file: None,
                    command: &render::command_line(words.iter().cloned()),
                }
                .render(terminal.palette(), terminal.width()),
            ),
        })?;
    }
    Ok(worst(&all))
}

/// The report, and below it where each offset is.
fn told_whole(one: &Reported, width: usize, report: String) -> String {
    let mut page = render::Page::new(render::Palette::PLAIN, width);
    page.blank();
    for line in continuity::lines(&one.continuity) {
        page.line(0, None, &line);
    }
    report + &page.finish()
}

/// The pipelines whose books are asked for.
fn pipelines(loader: &Loader<'_>, service: &Service, named: Option<&str>) -> Result<Vec<Pipeline>, Failure> {
    if let Some(name) = named {
        return Ok(vec![loader.pipeline(name, service)?]);
    }
    let files = loader.pipeline_files(service)?;
    if files.is_empty() {
        let problem = Problem::new("there is no pipeline to report on");
        return Err(vec![problem.hint("name one: `--pipeline trades.toml`")].into());
    }
    files.iter().map(|file| Ok(loader.pipeline_file(file)?)).collect()
}

/// How each of the pipelines stands.
pub(crate) async fn all(service: &Service, pipelines: &[Pipeline]) -> Result<Vec<Reported>, Failure> {
    let mut ledger = ReadLedger::open(&run::address(service)).await?;
    let mut all = Vec::new();
    for pipeline in pipelines {
        all.push(reported(&mut ledger, pipeline, chrono::Utc::now().timestamp_millis()).await?);
    }
    Ok(all)
}

/// The worst outcome: what was breached goes before what could not be judged.
pub(crate) fn worst(all: &[Reported]) -> Exit {
    let codes: Vec<u8> = all.iter().map(|one| one.report.outcome.exit_code()).collect();
    match codes {
        codes if codes.contains(&1) => Exit::Breached,
        codes if codes.iter().any(|code| *code != 0) => Exit::Unjudged,
        _ => Exit::Holds,
    }
}
