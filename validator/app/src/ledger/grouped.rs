//! `validator findings --by-cause`: how many findings are alike, the most first.

use serde_json::json;
use validator_core::clock::UtcMillis;
use validator_ledger::{About, FindingState, Group, ReadLedger};

use super::named::names;
use crate::cli::{Exit, FindingsAnswer, LedgerFindingsArgs};
use crate::config::Loader;
use crate::failure::Failure;
use crate::render::{Page, Role, count, escape, words};
use crate::terminal::Terminal;
use crate::{open, run};

/// See the module.
///
/// # Errors
/// [`Failure`], with its exit code.
pub fn grouped(args: &LedgerFindingsArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let service = Loader::of_process(now_ms).service(args.of.config.as_deref())?;
    let all = open::runtime()?.block_on(async {
        let mut ledger = ReadLedger::open(&run::address(&service)).await?;
        let mut all = Vec::new();
        for name in names(&mut ledger, args.of.pipeline.as_deref()).await? {
            let mut groups = ledger.groups(&name, now_ms).await?;
            groups.retain(|group| args.all || group.is_true() > 0);
            all.push((name, groups));
        }
        Ok::<_, Failure>(all)
    })?;
    let mut page = Page::new(terminal.palette(), terminal.width());
    let mut lines = String::new();
    for (name, groups) in &all {
        for group in groups {
            write_group(&mut page, name, group);
            lines += &line(name, group);
        }
    }
    terminal.answer(&match args.format {
        FindingsAnswer::Text => page.finish(),
        FindingsAnswer::Jsonl => lines,
    })?;
    Ok(Exit::Holds)
}

fn write_group(page: &mut Page, pipeline: &str, group: &Group) {
    let cause = group.cause.map(|cause| format!(" {cause}")).unwrap_or_default();
    let about = match &group.about {
        Some(About::Column(column)) => format!(" in column {}", escape(column)),
        Some(About::File(file)) => format!(" in {}", escape(file)),
        Some(About::Snapshot(id)) => format!(" of snapshot {id}"),
        None => String::new(),
    };
    let number = count(group.is_true());
    page.pair(0, words::role(group.verdict), &format!("{}{cause}", group.verdict), 0, &format!("{number}{about}"));
    let states = FindingState::ALL.iter().filter_map(|state| Some((state, *group.findings.get(state)?)));
    let states: Vec<String> = states.map(|(state, many)| format!("{} {}", count(many), state.as_str())).collect();
    let times = format!("first {}, last {}", UtcMillis(group.first_ms), UtcMillis(group.last_ms));
    page.line(2, None, &format!("{}; {times}", states.join(", ")));
    page.line(2, Some(Role::Faint), &format!("pipeline {}, group {}", escape(pipeline), group.id.as_str()));
    if let Some(example) = group.examples.first() {
        page.line(2, Some(Role::Faint), &format!("for example {example}"));
    }
}

fn line(pipeline: &str, group: &Group) -> String {
    let states: serde_json::Map<String, serde_json::Value> = FindingState::ALL
        .iter()
        .map(|state| (state.as_str().to_owned(), json!(group.findings.get(state).unwrap_or(&0))))
        .collect();
    let (column, file, snapshot) = match &group.about {
        Some(About::Column(column)) => (Some(column), None, None),
        Some(About::File(file)) => (None, Some(file), None),
        Some(About::Snapshot(id)) => (None, None, Some(id)),
        None => (None, None, None),
    };
    let object = json!({
        "group": group.id.as_str(),
        "pipeline": pipeline,
        "verdict": group.verdict.as_str(),
        "cause": group.cause.map(|cause| cause.as_str()),
        "column": column,
        "file": file,
        "snapshot_id": snapshot,
        "findings": states,
        "first_at": UtcMillis(group.first_ms),
        "last_at": UtcMillis(group.last_ms),
        "examples": group.examples.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
    });
    format!("{object}\n")
}
