//! The keys of the two TOML files.

use std::fmt::Write as _;

use super::{cell, table};
use crate::config::keys::{Key, Kind, Need, PIPELINE_FILE, SERVICE_FILE, Table};
use crate::config::list;

/// Both files.
pub fn page() -> String {
    let mut text =
        "# Configuration\n\nEditors that read `#:schema` (Even Better TOML, taplo) check and complete keys: \
                    [pipeline.schema.json](pipeline.schema.json), [config.schema.json](config.schema.json), or \
                    `validator schema pipeline`. A key that is not listed is refused, with the nearest that is.\n"
            .to_owned();
    let mut told: Vec<&str> = Vec::new();
    for (name, file) in [("validator.toml", &SERVICE_FILE), ("A pipeline file", &PIPELINE_FILE)] {
        write!(text, "\n## {name}\n\n{}\n", file.says).expect("a String takes all");
        for table in file.with_inner().into_iter().skip(1) {
            if told.contains(&table.path) {
                write!(text, "\n[[{}]] stand here too, with the same keys.\n", table.path).expect("a String takes all");
            } else {
                text += &section(table, is_listed(file, table));
            }
            told.push(table.path);
        }
    }
    text
}

/// Whether the table is one of several: `[[alerts]]`.
fn is_listed(file: &Table, table: &Table) -> bool {
    file.keys.iter().any(|key| matches!(key.kind, Kind::Listed(inner) if inner.path == table.path))
}

fn section(of: &'static Table, is_listed: bool) -> String {
    let header = if is_listed { format!("[[{}]]", of.path) } else { format!("[{}]", of.path) };
    let mut text = format!("\n### {header}\n\n{}\n", of.says);
    let rows: Vec<Vec<String>> = of.keys.iter().filter(|key| !is_table(key)).map(|key| row(of, key)).collect();
    if !rows.is_empty() {
        text += "\n";
        text += table(&["key", "value", "means"], rows).trim_end();
        text += "\n";
    }
    for either in of.either {
        let [first, second] = either.keys;
        let beside = match either.of {
            [] => "Always: ".to_owned(),
            words => format!("Mode {}: ", quoted(words)),
        };
        write!(text, "\n{beside}one of `{first}` and `{second}`, not both.\n").expect("a String takes all");
    }
    if let Some(free) = &of.free {
        write!(text, "\nOne line for each {}: {}.\n", free.name, free.kind.words()).expect("a String takes all");
    }
    let examples: Vec<String> = of
        .keys
        .iter()
        .filter(|key| !key.example.is_empty() && !key.name.contains('.'))
        .map(|key| format!("{} = {}", key.name, key.example))
        .chain(of.free.as_ref().map(|free| free.example.to_owned()))
        .collect();
    // Keys that exclude each other would make no example.
    let is_whole = of.selector.is_empty() && of.either.is_empty() && of.keys.iter().all(|key| key.with.is_empty());
    if is_whole && !examples.is_empty() {
        write!(text, "\n```toml\n{header}\n{}\n```\n", examples.join("\n")).expect("a String takes all");
    }
    text
}

fn is_table(key: &Key) -> bool {
    matches!(key.kind, Kind::Table(_) | Kind::Tables(_) | Kind::Listed(_))
}

fn row(of: &Table, key: &Key) -> Vec<String> {
    let mut means = key.says.to_owned();
    let mut say = |sentence: String| {
        means.push(' ');
        means += &sentence;
    };
    if !key.only.is_empty() {
        say(format!("For {} {}.", of.selector, quoted(key.only)));
    }
    if !key.with.is_empty() {
        say(format!("Beside `{}`.", key.with));
    }
    match key.need {
        Need::Always => say("**Required.**".to_owned()),
        Need::For(words) => say(format!("**Required** for {}.", quoted(words))),
        Need::Optional if !key.default.is_empty() => say(format!("Default: {}.", default(key.default))),
        Need::Optional => {}
    }
    vec![format!("`{}`", key.name), key.kind.words(), cell(&means)]
}

/// A value as code, words as words.
fn default(text: &str) -> String {
    let is_value = text.starts_with('"') && text.matches('"').count() == 2 && text.ends_with('"');
    if is_value || text.parse::<f64>().is_ok() || matches!(text, "true" | "false") {
        format!("`{text}`")
    } else {
        text.to_owned()
    }
}

fn quoted(words: &[&str]) -> String {
    list(words, "and")
}
