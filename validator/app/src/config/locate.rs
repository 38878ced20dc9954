//! Finds the pipeline that a command names: a file by its path, or a name through `[service] pipelines`.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::nearest::{list, nearest};
use super::problem::Problem;
use super::service::Service;
use super::source::SourceFile;

/// A file that a glob of `[service] pipelines` names, and the pipeline in it.
struct Candidate {
    path: PathBuf,
    name: Option<String>,
}

/// The file of a pipeline: the argument itself when it is a path, else the file with that `[pipeline] name`.
///
/// # Errors
/// No file or several hold a pipeline of that name, or a glob cannot be followed.
pub fn locate(argument: &str, service: &Service) -> Result<PathBuf, ConfigError> {
    find(argument, service, &mut None)
}

/// The files of several pipelines; what `[service] pipelines` names is read once for all of them.
pub fn locate_each(arguments: &[String], service: &Service) -> Vec<Result<PathBuf, ConfigError>> {
    let mut known = None;
    arguments.iter().map(|argument| find(argument, service, &mut known)).collect()
}

fn find(argument: &str, service: &Service, known: &mut Option<Vec<Candidate>>) -> Result<PathBuf, ConfigError> {
    let path = Path::new(argument);
    if argument.contains(['/', '\\']) || path.extension().is_some_and(|extension| extension == "toml") || path.is_file()
    {
        return Ok(path.to_owned());
    }
    let candidates = match known {
        Some(candidates) => candidates,
        None => known.insert(candidates(service)?),
    };
    let mut found = candidates.iter().filter(|candidate| candidate.name.as_deref() == Some(argument));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only.path.clone()),
        (Some(first), Some(second)) => {
            let files = format!("{} and {}", first.path.display(), second.path.display());
            let problem = Problem::new(format!("two files hold a pipeline `{argument}`: {files}"));
            Err(unknown(argument, problem.hint(format!("name the file: {}", first.path.display()))))
        }
        (None, _) => Err(unknown(argument, not_found(argument, service, candidates))),
    }
}

/// All pipelines that `[service] pipelines` names; files that hold none (suites of rules) are left out.
///
/// # Errors
/// A glob cannot be followed.
pub fn all(service: &Service) -> Result<Vec<PathBuf>, ConfigError> {
    let candidates = candidates(service)?;
    Ok(candidates.into_iter().filter(|candidate| candidate.name.is_some()).map(|candidate| candidate.path).collect())
}

fn candidates(service: &Service) -> Result<Vec<Candidate>, ConfigError> {
    let mut paths = Vec::new();
    for pattern in &service.pipelines {
        let wrong = |message: String| {
            unknown(pattern, Problem::new(message).hint("write `pipelines = [\"rules/suites/*.toml\"]` in [service]"))
        };
        let matches = glob::glob(pattern).map_err(|error| wrong(format!("`{pattern}` is no glob: {}", error.msg)))?;
        for path in matches {
            let path =
                path.map_err(|error| ConfigError::Read { path: error.path().to_owned(), source: error.into() })?;
            if path.is_file() {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.dedup();
    paths.into_iter().map(|path| Ok(Candidate { name: name_in(&SourceFile::load(&path)?), path })).collect()
}

/// The `[pipeline] name` of a file, however wrong the rest of it is; a pipeline without one has the name "".
fn name_in(file: &SourceFile) -> Option<String> {
    let (table, _) = DeTable::parse_recoverable(file.text());
    match table.get_ref().get("pipeline")?.get_ref() {
        DeValue::Table(pipeline) => match pipeline.get("name").map(toml::Spanned::get_ref) {
            Some(DeValue::String(name)) => Some(name.to_string()),
            _ => Some(String::new()),
        },
        _ => Some(String::new()),
    }
}

fn not_found(name: &str, service: &Service, candidates: &[Candidate]) -> Problem {
    let Some(file) = &service.file else {
        return Problem::new(format!(
            "no file is called `{name}`, and there is no validator.toml to look for pipelines in"
        ))
        .hint("name the pipeline's file, or the service's with `-c validator.toml`");
    };
    let place = file.path().display();
    if service.pipelines.is_empty() {
        return Problem::new(format!("no file is called `{name}`, and {place} names no pipelines"))
            .hint("write `pipelines = [\"rules/suites/*.toml\"]` in [service], or name the pipeline's file");
    }
    let names: Vec<&str> = candidates.iter().filter_map(|candidate| candidate.name.as_deref()).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    let problem = Problem::new(format!("no pipeline of {place} is called `{name}`"));
    match nearest(name, names.iter().copied()) {
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None if names.is_empty() => problem.hint(format!("`{}` finds no pipeline", service.pipelines.join("`, `"))),
        None => {
            let there = if names.len() == 1 { "there is" } else { "there are" };
            problem.hint(format!("{there} {}", list(&names, "and")))
        }
    }
}

fn unknown(name: &str, problem: Problem) -> ConfigError {
    ConfigError::UnknownPipeline { name: name.to_owned(), problem: Box::new(problem) }
}
