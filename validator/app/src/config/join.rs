//! What a pipeline needs of the service: its catalog, the brokers, the registry.

use validator_core::contract::{Contract, DeadLetter, Envelope, Format, Identity, KeyFormat, Upsert};

use validator_tap::{TopicPattern, is_meant};

use super::catalog::Catalog;
use super::nearest::{list, nearest};
use super::pipeline::Pipeline;
use super::problem::Problem;
use super::service::Service;

/// The catalog of the pipeline's table, when the service has all that the pipeline needs.
///
/// # Errors
/// All that is missing, each at its place in the pipeline file.
pub fn join<'a>(pipeline: &Pipeline, service: &'a Service) -> Result<&'a Catalog, Vec<Problem>> {
    let contract = &pipeline.contract;
    let file = match &service.file {
        Some(file) => file.path().display().to_string(),
        None => "validator.toml (there is none here; name it with `-c`)".to_owned(),
    };
    let mut problems = Vec::new();
    let catalog = service.catalogs.get(pipeline.catalog_name());
    if catalog.is_none() {
        problems.push(no_catalog(pipeline, service, ("pipeline.table", pipeline.catalog_name()), &file));
    }
    if contract.source.is_none() && service.kafka.is_none() {
        let message = format!("the messages have no source: {file} has no [kafka]");
        let problem = pipeline.problem_at("pipeline.topic", message);
        problems.push(problem.hint("write [kafka] with `brokers = \"localhost:9092\"`, or read files with `--source`"));
    }
    let is_plain = contract.source.as_ref().is_some_and(|source| source.envelope == Envelope::None);
    if contract.format == Format::Parquet && !is_plain {
        let message = "`format = \"parquet\"` is for recorded files: no broker has rows of Parquet";
        let problem = pipeline.problem_at("pipeline.format", message);
        problems.push(problem.hint("name the files: [source] files = [\"capture/*.parquet\"], or `--source`"));
    }
    let has_schemas = contract.schema.is_some() || service.schema_registry.is_some() || is_plain;
    if contract.format == Format::Avro && !has_schemas {
        let message = format!("Avro messages need their schemas: {file} has no [schema_registry]");
        let problem = pipeline.problem_at("pipeline.format", message);
        problems
            .push(problem.hint("write [schema_registry] with its `url`, or `schema = \"file.avsc\"` in [pipeline]"));
    }
    if let Identity::Key { upsert: Some(Upsert { key: Some(KeyFormat::Avro), .. }), .. } = contract.identity
        && service.schema_registry.is_none()
    {
        let message = format!("Avro keys need their schemas: {file} has no [schema_registry]");
        let problem = pipeline.problem_at("identity.key", message);
        problems.push(problem.hint("write [schema_registry] with its `url`"));
    }
    if let Identity::Offset { topic: None, .. } = contract.identity
        && !contract.is_of_one_topic()
    {
        let message = format!("{} go into one table that keeps no topic column", topics(contract));
        let problem = pipeline.problem_at("identity.columns", message);
        problems.push(problem.hint("name the topic column: `columns = [\"topic\", \"partition\", \"offset\"]`"));
    }
    problems.extend(dead_letters(pipeline, service, &file));
    match catalog {
        Some(catalog) if problems.is_empty() => Ok(catalog),
        _ => Err(problems),
    }
}

/// What the dead letters need.
fn dead_letters(pipeline: &Pipeline, service: &Service, file: &str) -> Vec<Problem> {
    let contract = &pipeline.contract;
    let Some(dead_letter) = &contract.fidelity.dead_letter else { return Vec::new() };
    let mut problems = Vec::new();
    let mut refuse = |place: &str, what: String, hint: &str| {
        problems.push(pipeline.problem_at(&format!("fidelity.dead_letter{place}"), what).hint(hint));
    };
    let position = match dead_letter {
        DeadLetter::Topic { topic, position } => {
            match contract.source.as_ref().map(|source| source.envelope) {
                None if service.kafka.is_none() => {
                    let hint = "write [kafka] with `brokers = \"localhost:9092\"`";
                    refuse(".topic", format!("the dead letters have no source: {file} has no [kafka]"), hint);
                }
                Some(Envelope::None) => {
                    let what = "a recording of plain messages has no headers, so its dead letters name no message";
                    let hint = "record with `kcat -J` and `envelope = \"kcat\"`, or take `dead_letter` out";
                    refuse(".topic", what.to_owned(), hint);
                }
                _ => {}
            }
            if is_meant(&contract.topics, topic) {
                let what = format!("{topic} is a topic of the pipeline, and not one of dead letters");
                refuse(".topic", what, "name the topic that the sink puts aside to");
            }
            Some(position)
        }
        DeadLetter::Table { table, position } => {
            let name = table.split('.').next().unwrap_or_default();
            if !service.catalogs.contains_key(name) {
                problems.push(no_catalog(pipeline, service, ("fidelity.dead_letter.table", name), file));
            } else if *table == contract.table {
                let what = format!("{table} is the table of the pipeline, and not one of dead letters");
                refuse(".table", what, "name the table that the sink puts aside to");
            }
            position.as_ref()
        }
    };
    let mut refuse = |what: String, hint: &str| {
        problems.push(pipeline.problem_at("fidelity.dead_letter", what).hint(hint));
    };
    if position.is_some_and(|position| position.topic.is_none()) && !contract.is_of_one_topic() {
        let what = format!("dead letters of {} do not say which of them each is of", topics(contract));
        refuse(what, "name three: topic, partition and offset");
    }
    if matches!(contract.identity, Identity::Key { upsert: Some(_), .. }) {
        // Which version of a key a table has to show depends on those that were put aside.
        let what = "`dead_letter` beside `upsert = true` is not built yet".to_owned();
        refuse(what, "take `dead_letter` out: what was put aside is then judged as any other version");
    }
    problems
}

/// How many topics, as far as the file says.
fn topics(contract: &Contract) -> String {
    match contract.topics.iter().find(|topic| TopicPattern::is(topic)) {
        Some(pattern) => format!("the topics that {pattern} matches"),
        None => format!("{} topics", contract.topics.len()),
    }
}

fn no_catalog(pipeline: &Pipeline, service: &Service, (place, name): (&str, &str), file: &str) -> Problem {
    let problem = pipeline.problem_at(place, format!("there is no catalog `{name}` in {file}"));
    let names: Vec<&str> = service.catalogs.keys().map(String::as_str).collect();
    match nearest(name, names.iter().copied()) {
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None if names.is_empty() => {
            problem.hint(format!("write [catalogs.{name}] with `type = \"sql\"` and `uri = \"sqlite:///…\"`"))
        }
        None => problem.hint(format!("there is {}", list(&names, "and"))),
    }
}
