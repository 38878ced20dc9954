//! `[[alerts]]`: what is watched, and who is told. The same in both files: in `validator.toml` of every pipeline.

use std::collections::BTreeMap;

use super::nearest::nearest;
use super::pipeline::Pipeline;
use super::problem::Problem;
use super::section::Section;
use super::service::Service;
use crate::run::alerts::limits::RULES_MAX;
use crate::run::alerts::{Channel, Condition, Rule};

/// What `by` can be.
pub const GROUPINGS: [(&str, bool); 1] = [("cause", true)];

/// Reads all `[[alerts]]` of a file; where its channels are known, an alert names only these.
pub fn read_alerts(root: &Section<'_>, channels: Option<&BTreeMap<String, Channel>>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for (at, section) in root.sections("alerts").into_iter().enumerate() {
        let rule = read_alert(&section);
        if at == RULES_MAX {
            section
                .note(Problem::new(format!("a file has at most {RULES_MAX} [[alerts]]")).hint("join some with `or`"));
        }
        let Some(rule) = rule else { continue };
        if rules.iter().any(|known| known.name == rule.name) {
            let problem = Problem::new(format!("two alerts are called \"{}\"", rule.name));
            section.note_value("name", problem.hint("give each its own name"));
        }
        let unknown = |name: &&String| channels.is_some_and(|channels| !channels.contains_key(*name));
        for name in rule.notify.iter().filter(unknown) {
            section.note_value("notify", no_channel(name, channels.into_iter().flat_map(BTreeMap::keys)));
        }
        rules.push(rule);
    }
    rules
}

/// A channel that is named and not there.
pub fn no_channel<'c>(name: &str, channels: impl Iterator<Item = &'c String>) -> Problem {
    let hint = match nearest(name, channels.map(String::as_str)) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("write a section [channels.{name}] in validator.toml"),
    };
    Problem::new(format!("there is no channel \"{name}\"")).hint(hint)
}

/// What stands against the alerts of a pipeline file beside those of the service: nobody shall wait for one that is never sent.
pub fn alert_problems(pipeline: &Pipeline, service: &Service) -> Vec<Problem> {
    let mut problems = Vec::new();
    let place = |problem: Problem| {
        let placed = pipeline.problem_at("alerts", problem.message);
        placed.hint(problem.hint.unwrap_or_default())
    };
    for rule in &pipeline.alerts {
        for name in rule.notify.iter().filter(|name| !service.channels.contains_key(*name)) {
            let Problem { message, hint, .. } = no_channel(name, service.channels.keys());
            let message = format!("{message}, which alert \"{}\" names", rule.name);
            problems.push(place(Problem::new(message).hint(hint.unwrap_or_default())));
        }
        if service.alerts.iter().any(|other| other.name == rule.name) {
            let message = format!("alert \"{}\" is in validator.toml too, where it is of every pipeline", rule.name);
            problems.push(place(Problem::new(message).hint("give each its own name")));
        }
    }
    problems
}

fn read_alert(section: &Section<'_>) -> Option<Rule> {
    let name = section.required_text("name", "name = \"lost\"");
    let when = section.required_text("when", "when = \"messages(missing) > 0\"");
    let for_ms = section.duration_ms("for").map_or(0, |wait| wait.value);
    let resolve_after_ms = section.duration_ms("resolve_after").map_or(0, |wait| wait.value);
    let by_cause = section.choice("by", &GROUPINGS, &[]).is_some_and(|by| by.value);
    let severity = section.optional_text("severity").map(|text| text.value);
    if !section.has("notify") {
        section.missing("notify", "notify = [\"ops\"]");
    }
    let notify = section.texts("notify").map(|texts| texts.into_iter().map(|text| text.value).collect::<Vec<_>>());
    if notify.as_ref().is_some_and(Vec::is_empty) {
        let problem = Problem::new("`notify` is empty: nobody would be told");
        section.note_value("notify", problem.hint("write `notify = [\"ops\"]`"));
    }
    let notify = notify.unwrap_or_default();
    let says = section.optional_text("says").map(|text| text.value);
    let runbook = section.optional_text("runbook").map(|text| text.value);
    section.finish();
    let when = when?;
    let condition = match Condition::parse(&when.value) {
        Ok(condition) => condition,
        Err(error) => {
            let problem = Problem::new(format!("`when`, character {}: {error}", error.at));
            let hint = error.hint.unwrap_or_else(|| "write `when = \"messages(missing) > 0\"`".to_owned());
            section.note_at(problem.hint(hint), &when.span);
            return None;
        }
    };
    let rule = Rule {
        name: name?.value,
        when: condition,
        for_ms,
        resolve_after_ms,
        by_cause,
        severity,
        notify,
        says,
        runbook,
    };
    if rule.by_cause && !rule.has_findings() {
        let problem = Problem::new("`by = \"cause\"` is for a condition with `findings`, which alone have causes");
        section.note_value("by", problem.hint("write `when = \"findings > 0\"`, or take `by` out"));
    }
    Some(rule)
}
