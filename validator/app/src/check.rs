//! `validator check`: lints the configuration and the pipelines, offline or against the live topic and table.

use std::path::PathBuf;

use validator_core::clock::Clock;
use validator_core::contract::{Format, Identity};
use validator_engine::binding::Binding;
use validator_engine::expr;
use validator_engine::reconcile::Progress;
use validator_engine::sample::{Sample, sample};

use crate::cli::{CheckArgs, Exit};
use crate::config::{Loader, Pipeline, Problem, Service, in_order, join, nearest};
use crate::explain::explained;
use crate::failure::Failure;
use crate::open;
use crate::reconcile::Request;
use crate::render::{self, counted};
use crate::terminal::Terminal;

/// Runs the command.
///
/// # Errors
/// What could not be asked: brokers, registry, catalog.
pub fn check(args: &CheckArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let loader = Loader::of_process(now_ms);
    let service = loader.service(args.config.as_deref())?;
    terminal.warn(&service.warnings);
    let runtime = open::runtime()?;
    let mut exit = Exit::Holds;
    let names = names(args, &loader, &service)?;
    for (name, path) in names.iter().zip(loader.locate_each(&names, &service)) {
        let (said, failure) = match path.and_then(|path| loader.pipeline_file(&path)) {
            Ok(pipeline) => match problems_of(&pipeline, &service, depth(args), now_ms, &runtime) {
                Ok(checked) => {
                    let explained = checked.explained.as_deref().unwrap_or_default();
                    (format!("{}{explained}", sentence(&pipeline, &checked)), failure_of(checked.problems))
                }
                Err(failure) => (verdict(&pipeline.contract.name, &failure), Some(failure)),
            },
            Err(error) => {
                let failure = Failure::from(error);
                (verdict(name, &failure), Some(failure))
            }
        };
        terminal.answer(&said)?;
        let Some(failure) = failure else { continue };
        let (palette, width) = (terminal.palette_of_talk(), terminal.width());
        let between = if exit == Exit::Holds { "" } else { "\n" };
        terminal.talk(&format!("{between}{}", render::failure(&failure, palette, width)));
        // What is wrong for certain goes before what could not be asked.
        exit = if exit == Exit::Usage { exit } else { failure.exit() };
    }
    Ok(exit)
}

fn failure_of(problems: Vec<Problem>) -> Option<Failure> {
    (!problems.is_empty()).then(|| problems.into())
}

/// The line of a pipeline that could not be looked at whole.
fn verdict(name: &str, failure: &Failure) -> String {
    let problems = match failure {
        Failure::Problems(problems) => problems.len(),
        Failure::Config(error) => error.problems().len(),
        _ => 0,
    };
    let said = match problems {
        0 => "could not be checked".to_owned(),
        some => counted(some as u64, "problem", "problems"),
    };
    format!("{}: {said}\n", render::escape(name))
}

/// The pipelines named, else all of the service's.
fn names(args: &CheckArgs, loader: &Loader<'_>, service: &Service) -> Result<Vec<String>, Failure> {
    if !args.pipelines.is_empty() {
        return Ok(args.pipelines.clone());
    }
    let files: Vec<PathBuf> = loader.pipeline_files(service)?;
    if files.is_empty() {
        let hint = "name a pipeline's file, or write `pipelines = [\"rules/suites/*.toml\"]` in [service]";
        return Err(vec![Problem::new("there is no pipeline to check").hint(hint)].into());
    }
    Ok(files.into_iter().map(|path| path.display().to_string()).collect())
}

/// What a check of one pipeline found.
pub(crate) struct Checked {
    pub(crate) problems: Vec<Problem>,
    pub(crate) sample: Option<Sample>,
    pub(crate) explained: Option<String>,
}

/// How far a check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The files alone.
    Files,
    /// Both sides, and a sample of the messages.
    Sample,
    /// The same, and the mapping and the plans in words.
    Explained,
}

fn depth(args: &CheckArgs) -> Depth {
    match (args.offline, args.explain) {
        (true, _) => Depth::Files,
        (false, true) => Depth::Explained,
        (false, false) => Depth::Sample,
    }
}

pub(crate) fn problems_of(
    pipeline: &Pipeline,
    service: &Service,
    depth: Depth,
    now_ms: i64,
    runtime: &tokio::runtime::Runtime,
) -> Result<Checked, Failure> {
    let problems = expressions(pipeline);
    if depth == Depth::Files {
        return Ok(Checked { problems, sample: None, explained: None });
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
    let found = sample(&run.messages).map_err(Failure::Sample)?;
    let problems = of_sample(pipeline, &run.messages.binding, &found);
    let explained = if depth == Depth::Explained { Some(explained(&run)?) } else { None };
    Ok(Checked { problems, sample: Some(found), explained })
}

/// Expressions that do not parse, without asking anybody.
fn expressions(pipeline: &Pipeline) -> Vec<Problem> {
    let contract = &pipeline.contract;
    let map = contract.map.iter().map(|(column, sql)| (format!("map.{column}"), sql));
    let filter = contract.filter.iter().map(|sql| ("pipeline.filter".to_owned(), sql));
    let delete_when = match &contract.identity {
        Identity::Key { upsert: Some(upsert), .. } => upsert.delete_when.as_ref(),
        _ => None,
    };
    let delete_when = delete_when.map(|sql| ("identity.delete_when".to_owned(), sql));
    let wrong = |(place, sql): (String, &String)| {
        let error = expr::referenced_names(sql).err()?;
        Some(pipeline.problem_of_sql(&place, &error.to_string()))
    };
    in_order(map.chain(filter).chain(delete_when).filter_map(wrong).collect())
}

/// What the sample shows: messages that nobody can decode, fields that no column keeps, fields that no message has.
fn of_sample(pipeline: &Pipeline, binding: &Binding, sample: &Sample) -> Vec<Problem> {
    let of = sample.messages;
    let undecodable: u64 = sample.undecodable.values().sum();
    if undecodable > 0 && undecodable == sample.messages {
        let why = sample.undecodable.keys().next().map_or("", String::as_str);
        let problem =
            pipeline.problem_at("pipeline.format", format!("no message of {of} sampled can be decoded: {why}"));
        return vec![problem];
    }
    let unknown = sample.unknown_fields.iter().map(|(name, messages)| {
        let what = format!("field {name} is kept by no column; it is in {messages} of {of} messages sampled");
        let hint = format!("use it in [map], or write [compare] drop = {{ \"{name}\" = \"reason\" }}");
        pipeline.problem_at("compare.drop", what).hint(hint)
    });
    let is_json = pipeline.contract.format == Format::Json && !sample.names.is_empty();
    let absent = if is_json { sample.absent(binding) } else { Vec::new() };
    let absent = absent.into_iter().map(|field| {
        let name = &field.name;
        match &field.key {
            None => {
                let what = format!("nothing explains column {name}: no message of {of} sampled has a field {name}");
                let meant = nearest(name, sample.unknown_fields.keys().map(String::as_str)).unwrap_or("…");
                let hint =
                    format!("write [map] {name} = \"{meant}\", or [compare] ignore = {{ \"{name}\" = \"reason\" }}");
                pipeline.problem_at("compare.ignore", what).hint(hint)
            }
            Some(key) => {
                let what = format!("no message of {of} sampled has a field {name}");
                let problem = pipeline.problem_at_word(key, name, what);
                match nearest(name, sample.names.iter().map(String::as_str)) {
                    Some(meant) => problem.hint(format!("did you mean {meant}?")),
                    None => problem,
                }
            }
        }
    });
    unknown.chain(absent).collect()
}

fn sentence(pipeline: &Pipeline, checked: &Checked) -> String {
    let name = &pipeline.contract.name;
    let problems = checked.problems.len() as u64;
    let said = match &checked.sample {
        _ if problems > 0 => counted(problems, "problem", "problems"),
        None => "sound as far as the files tell".to_owned(),
        Some(sample) if sample.messages == 0 => "sound, but the topic is empty".to_owned(),
        Some(sample) => format!("sound, on a sample of {}", counted(sample.messages, "message", "messages")),
    };
    let undecodable = checked.sample.iter().flat_map(|sample| &sample.undecodable);
    let undecodable = undecodable.map(|(why, messages)| {
        format!("  {} cannot be decoded: {}\n", counted(*messages, "message", "messages"), render::escape(why))
    });
    format!("{name}: {said}\n{}", undecodable.collect::<String>())
}
