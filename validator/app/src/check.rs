//! `validator check`: lints the configuration and the pipelines, offline or against the live topic and table.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use validator_core::clock::Clock;
use validator_core::contract::Format;
use validator_engine::binding::Binding;
use validator_engine::expr;
use validator_engine::reconcile::Progress;
use validator_engine::sample::{Sample, sample};

use crate::cli::{CheckArgs, Exit};
use crate::config::{Loader, Pipeline, Problem, Service, alert_problems, in_order, join, nearest};
use crate::dead_letters;
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
    let paths = loader.locate_each(&names, &service);
    // A pipeline that is named twice, by its name and by its file, is checked once.
    let mut seen = BTreeSet::new();
    let mut is_new = |path: &Path| seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
    let each = names.iter().zip(paths).filter(|(_, path)| path.as_ref().map_or(true, |path| is_new(path)));
    let each: Vec<_> = each.map(|(name, path)| (name, path.and_then(|path| loader.pipeline_file(&path)))).collect();
    let alike = alike(each.iter().filter_map(|(_, read)| read.as_ref().ok()));
    for (name, read) in each {
        let label = |pipeline: &Pipeline| label(pipeline, &alike);
        let (said, explained, failure) = match read {
            Ok(pipeline) => match problems_of(&pipeline, &service, depth(args), now_ms, &runtime) {
                Ok(checked) => (sentence(&label(&pipeline), &checked), checked.explained, failure_of(checked.problems)),
                Err(failure) => (verdict(&label(&pipeline), &failure), None, Some(failure)),
            },
            Err(error) => {
                let failure = Failure::from(error);
                (verdict(name, &failure), None, Some(failure))
            }
        };
        terminal.tell(&said)?;
        terminal.answer(&explained.unwrap_or_default())?;
        let Some(failure) = failure else { continue };
        let (palette, width) = (terminal.palette_of_talk(), terminal.width());
        let between = if exit == Exit::Holds { "" } else { "\n" };
        terminal.talk(&format!("{between}{}", render::failure(&failure, palette, width)));
        // What is wrong for certain goes before what could not be asked.
        exit = if exit == Exit::Usage { exit } else { failure.exit() };
    }
    Ok(exit)
}

/// The names that several of the pipelines have.
fn alike<'a>(pipelines: impl Iterator<Item = &'a Pipeline>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    pipelines.map(|pipeline| &pipeline.contract.name).filter(|name| !seen.insert(*name)).cloned().collect()
}

/// A pipeline's name, and its file where another one has that name too.
fn label(pipeline: &Pipeline, alike: &BTreeSet<String>) -> String {
    let name = &pipeline.contract.name;
    match alike.contains(name) {
        true => format!("{name} ({})", pipeline.file.path().display()),
        false => name.clone(),
    }
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
        return Err(vec![nothing_to_check(service)].into());
    }
    Ok(files.into_iter().map(|path| path.display().to_string()).collect())
}

fn nothing_to_check(service: &Service) -> Problem {
    let line = "`pipelines = [\"rules/suites/*.toml\"]`";
    match &service.file {
        None => Problem::new("no pipeline is named, and there is no validator.toml in this folder")
            .hint("name a pipeline's file, or the service's with `-c validator.toml`"),
        Some(file) if service.pipelines.is_empty() => {
            Problem::new(format!("no pipeline is named, and {} names none", file.path().display()))
                .hint(format!("name a pipeline's file, or write {line} in [service]"))
        }
        Some(file) => {
            let globs = service.pipelines.join(" ");
            Problem::new(format!("no pipeline is named, and `pipelines` of {} finds none", file.path().display()))
                .hint(format!("`ls {globs}` shows what is there, from the folder of that file on"))
        }
    }
}

/// What a check of one pipeline found.
pub(crate) struct Checked {
    pub(crate) problems: Vec<Problem>,
    pub(crate) sample: Option<Sample>,
    pub(crate) explained: Option<String>,
    /// Lines about the dead letters that were looked at.
    pub(crate) letters: Vec<String>,
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
    let of_alerts = alert_problems(pipeline, service);
    let mut problems = expressions(pipeline);
    problems.extend(of_alerts.clone());
    if depth == Depth::Files {
        return Ok(Checked { problems, sample: None, explained: None, letters: Vec::new() });
    }
    // What parses is looked at once more beside the fields, with all else that does not fit them.
    if pipeline.contract.expressions().any(|(_, sql)| expr::referenced_names(sql).is_err()) {
        return Err(problems.into());
    }
    join(pipeline, service)?;
    let request = Request::talking(now_ms);
    let sides = runtime.block_on(open::sides(pipeline, service, &request))?;
    let clock = Clock { judged_at_ms: now_ms, settle_ms: 0, give_up_ms: 0, retention_ms: None };
    let letters = runtime.block_on(dead_letters::looked_at(pipeline, service, &sides, &request))?;
    let _entered = runtime.enter();
    let run = open::run(pipeline, service, &sides, clock, &request, Progress::none())?;
    let found = sample(&run.messages).map_err(Failure::Sample)?;
    let mut problems = of_sample(pipeline, &run.messages.binding, &found);
    problems.extend(of_alerts);
    let explained = if depth == Depth::Explained { Some(explained(&run, &sides.estimate())?) } else { None };
    Ok(Checked { problems, sample: Some(found), explained, letters })
}

/// Expressions that no contract can hold, without asking anybody.
fn expressions(pipeline: &Pipeline) -> Vec<Problem> {
    let wrong = |(place, sql): (String, &String)| {
        let error = expr::check_alone(sql).err()?;
        Some(pipeline.problem_of_sql(&place, &error.to_string()))
    };
    in_order(pipeline.contract.expressions().filter_map(wrong).collect())
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

fn sentence(name: &str, checked: &Checked) -> String {
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
    let letters = checked.letters.iter().map(|line| format!("  {}\n", render::escape(line)));
    let lines = undecodable.chain(letters).collect::<String>();
    format!("{}: {said}\n{lines}", render::escape(name))
}
