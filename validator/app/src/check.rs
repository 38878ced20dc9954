//! `validator check`: lints the configuration and the pipelines, offline or against the live topic and table.

use std::path::PathBuf;

use validator_core::clock::Clock;
use validator_core::contract::Format;
use validator_engine::expr;
use validator_engine::reconcile::Progress;
use validator_engine::sample::{Sample, sample};

use crate::cli::{CheckArgs, Exit};
use crate::config::{ConfigError, Loader, Pipeline, Problem, Service, join};
use crate::failure::Failure;
use crate::open;
use crate::reconcile::Request;
use crate::render;
use crate::terminal::Terminal;

/// Runs the command.
///
/// # Errors
/// What could not be asked: brokers, registry, catalog.
pub fn check(args: &CheckArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let loader = Loader::of_process(now_ms);
    let service = loader.service(args.config.as_deref())?;
    let runtime = open::runtime()?;
    let mut problems = 0;
    for name in names(args, &loader, &service)? {
        let found = match loader.pipeline(&name, &service) {
            Ok(pipeline) => match problems_of(&pipeline, &service, args.offline, now_ms, &runtime) {
                Ok(checked) => {
                    terminal.answer(&sentence(&pipeline, &checked))?;
                    checked.problems
                }
                Err(Failure::Problems(found)) => found,
                Err(other) => return Err(other),
            },
            Err(error @ (ConfigError::Invalid { .. } | ConfigError::UnknownPipeline { .. })) => {
                error.problems().to_vec()
            }
            Err(error) => return Err(error.into()),
        };
        problems += found.len();
        if !found.is_empty() {
            terminal.talk(&render::problems(&found, "error", terminal.palette_of_talk(), terminal.width()));
        }
    }
    Ok(if problems == 0 { Exit::Holds } else { Exit::Usage })
}

/// The pipelines named, else all of the service's.
fn names(args: &CheckArgs, loader: &Loader<'_>, service: &Service) -> Result<Vec<String>, Failure> {
    if !args.pipelines.is_empty() {
        return Ok(args.pipelines.clone());
    }
    let files: Vec<PathBuf> = loader.pipeline_files(service)?;
    Ok(files.into_iter().map(|path| path.display().to_string()).collect())
}

/// What a check of one pipeline found.
struct Checked {
    problems: Vec<Problem>,
    sample: Option<Sample>,
}

fn problems_of(
    pipeline: &Pipeline,
    service: &Service,
    offline: bool,
    now_ms: i64,
    runtime: &tokio::runtime::Runtime,
) -> Result<Checked, Failure> {
    let problems = expressions(pipeline);
    if offline {
        return Ok(Checked { problems, sample: None });
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    join(pipeline, service)?;
    let request = Request::new(now_ms);
    let sides = runtime.block_on(open::sides(pipeline, service, &request))?;
    let clock = Clock { judged_at_ms: now_ms, settle_ms: 0, give_up_ms: 0 };
    let _entered = runtime.enter();
    let run = open::run(pipeline, service, &sides, clock, &request, Progress::none())?;
    let found = sample(&run.messages).map_err(|error| Failure::Run(error.into()))?;
    let problems = fields(pipeline, &found);
    Ok(Checked { problems, sample: Some(found) })
}

/// Expressions that do not parse, without asking anybody.
fn expressions(pipeline: &Pipeline) -> Vec<Problem> {
    let contract = &pipeline.contract;
    let map = contract.map.iter().map(|(column, sql)| (format!("map.{column}"), sql));
    let filter = contract.filter.iter().map(|sql| ("pipeline.filter".to_owned(), sql));
    let wrong = |(place, sql): (String, &String)| {
        let error = expr::referenced_names(sql).err()?;
        Some(pipeline.problem_at(&place, error.to_string()))
    };
    map.chain(filter).filter_map(wrong).collect()
}

/// Fields and columns that nobody accounts for, as the sample shows them.
fn fields(pipeline: &Pipeline, sample: &Sample) -> Vec<Problem> {
    let unknown = sample.unknown_fields.iter().map(|(name, messages)| {
        let what = format!("field {name} ({messages} of {} messages) is kept by no column", sample.messages);
        let hint = format!("use it in [map], or write [compare] drop = {{ \"{name}\" = \"reason\" }}");
        pipeline.problem_at("compare.drop", what).hint(hint)
    });
    let absent = sample.absent_columns.iter().map(|name| {
        let what =
            format!("column {name} is explained by nothing: none of {} messages has a field {name}", sample.messages);
        let hint = format!("write [map] {name} = \"…\", or [compare] ignore = {{ \"{name}\" = \"reason\" }}");
        pipeline.problem_at("compare.ignore", what).hint(hint)
    });
    let is_json = pipeline.contract.format == Format::Json;
    unknown.chain(absent.filter(|_| is_json)).collect()
}

fn sentence(pipeline: &Pipeline, checked: &Checked) -> String {
    let name = &pipeline.contract.name;
    match (&checked.sample, checked.problems.len()) {
        (Some(sample), 0) if sample.messages == 0 => format!("{name}: sound, but the topic is empty\n"),
        (Some(sample), 0) => format!("{name}: sound, on a sample of {} messages\n", sample.messages),
        (None, 0) => format!("{name}: sound as far as the files tell\n"),
        (_, problems) => format!("{name}: {problems} problems\n"),
    }
}
