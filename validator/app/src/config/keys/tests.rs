//! The table of keys against the readers: what is in one is in the other.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use validator_table::S3Config;

use super::{Key, Kind, PIPELINE_FILE, SERVICE_FILE, Table, line_to_write, tables};
use crate::config::{ConfigError, Loader, Pipeline, Service, SourceFile};

thread_local! {
    /// The keys that readers asked for, by the path of their table, since this thread began.
    static ASKED: RefCell<BTreeMap<String, BTreeSet<String>>> = RefCell::default();
}

/// A reader is done with a table, and asked for these keys.
pub fn asked(path: &str, keys: &[&'static str], families: &[&'static str]) {
    ASKED.with_borrow_mut(|asked| {
        let keys = keys.iter().chain(families).map(|key| (*key).to_owned());
        let path = path.replace("catalogs.lake", "catalogs.NAME").replace("channels.ops", "channels.NAME");
        asked.entry(path).or_default().extend(keys);
    });
}

const PIPELINE: &str = "[pipeline]\nname = \"t\"\ntopic = \"t\"\ntable = \"lake.ns.t\"\nformat = \"json\"\n";
const IDENTITY: &str = "[identity]\nmode = \"content\"\n";

fn environment(_: &str) -> Option<String> {
    Some("id:5e".to_owned())
}

/// What is wrong with a pipeline file.
fn pipeline(text: &str) -> Vec<String> {
    let file = Arc::new(SourceFile::new("t.toml", text));
    said(Pipeline::read(file, &Loader { environment: &environment, now_ms: 0 }).err())
}

/// What is wrong with a service file.
fn service(text: &str) -> Vec<String> {
    said(Service::read(Arc::new(SourceFile::new("v.toml", text)), &environment).err())
}

fn said(error: Option<ConfigError>) -> Vec<String> {
    error.iter().flat_map(ConfigError::problems).map(|problem| problem.message.clone()).collect()
}

/// The words of a table's selector.
fn words(table: &Table) -> Vec<&'static str> {
    match table.key(table.selector).map(|key| key.kind) {
        Some(Kind::Words(words)) => words(),
        _ => Vec::new(),
    }
}

/// A sound table of that word: the selector and what must be there beside it.
fn least(table: &Table, word: &str) -> BTreeMap<&'static str, String> {
    let mut lines = BTreeMap::from([(table.selector, format!("\"{word}\""))]);
    for key in table.keys.iter().filter(|key| key.is_needed_for(word) && key.name != table.selector) {
        lines.insert(key.name, example(key, word).to_owned());
    }
    for either in table.either.iter().filter(|either| either.of.contains(&word)) {
        let key = table.key(either.keys[0]).expect("the keys of a pair are keys");
        lines.insert(key.name, key.example.to_owned());
    }
    lines
}

/// One key has another example for another word.
fn example(key: &Key, word: &str) -> &'static str {
    if key.name == "uri" && word == "sql" { "\"postgres://me@localhost:5432/catalog\"" } else { key.example }
}

fn text(header: &str, lines: &BTreeMap<&'static str, String>) -> String {
    let lines: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!("[{header}]\n{lines}")
}

/// Reads a table of a selector's word.
fn read(table: &Table, lines: &BTreeMap<&'static str, String>) -> Vec<String> {
    match table.path {
        "identity" => pipeline(&format!("{PIPELINE}{}", text("identity", lines))),
        "catalogs.NAME" => service(&text("catalogs.lake", lines)),
        "channels.NAME" => service(&text("channels.ops", lines)),
        other => panic!("no reader of [{other}] is known here"),
    }
}

fn is_refused(key: &str, problems: &[String]) -> bool {
    let starts = [format!("unknown key `{key}`"), format!("`{key}` is for"), format!("`{key}` has no meaning")];
    problems.iter().any(|problem| starts.iter().any(|start| problem.starts_with(start)))
}

fn selecting() -> impl Iterator<Item = &'static Table> {
    tables().filter(|table| !table.selector.is_empty())
}

#[test]
fn each_key_that_a_reader_asks_for_is_in_the_table_and_each_of_the_table_is_asked_for() {
    for table in selecting() {
        for word in words(table) {
            let lines = least(table, word);
            assert_eq!(read(table, &lines), [""; 0], "{}", text(table.path, &lines));
        }
    }
    let all = "[service]\n[kafka]\nbrokers = \"b:1\"\n[schema_registry]\nurl = \"http://r\"\n";
    assert_eq!(service(all), [""; 0]);
    let alert = "[[alerts]]\nname = \"lost\"\nwhen = \"findings > 0\"\nnotify = [\"ops\"]\n";
    let others = "[compare]\n[fidelity]\ndead_letter = { topic = \"d\" }\n[source]\nfiles = [\"f\"]\n";
    assert_eq!(pipeline(&format!("{PIPELINE}{IDENTITY}{others}{alert}")), [""; 0]);
    let asked = ASKED.take();
    for table in tables().filter(|table| table.free.is_none() && table.path != "catalogs.NAME.storage") {
        let known: BTreeSet<String> = table.keys.iter().map(|key| key.name.to_owned()).collect();
        let mut asked = asked.get(table.path).cloned().unwrap_or_default();
        if table.path.is_empty() {
            // Both files have a root.
            asked.retain(|key| known.contains(key));
        }
        assert_eq!(known, asked, "[{}]", table.path);
    }
    let roots: BTreeSet<&str> = PIPELINE_FILE.keys.iter().chain(SERVICE_FILE.keys).map(|key| key.name).collect();
    let asked: BTreeSet<&str> = asked[""].iter().map(String::as_str).collect();
    assert_eq!(roots, asked);
}

#[test]
fn the_properties_of_a_store_are_those_that_it_takes() {
    let storage = tables().find(|table| table.path == "catalogs.NAME.storage").expect("it is there");
    let known: BTreeSet<&str> = storage.keys.iter().map(|key| key.name).collect();
    assert_eq!(known, S3Config::PROPERTIES.into_iter().chain(["s3.ca"]).collect());
    for key in storage.keys.iter().filter(|key| key.name != "s3.ca") {
        let value = key.example.replace("${AWS_ACCESS_KEY_ID}", "a").trim_matches('"').to_owned();
        assert_eq!(S3Config::default().set(key.name, &value), Ok(()), "{} = {}", key.name, key.example);
    }
}

#[test]
fn a_key_is_refused_beside_the_words_that_the_table_does_not_name() {
    for table in selecting() {
        for word in words(table) {
            for key in table.keys.iter().filter(|key| !matches!(key.kind, Kind::Table(_))) {
                let mut lines = least(table, word);
                if let Some(beside) = table.key(key.with).filter(|beside| beside.is_for(word)) {
                    lines.insert(beside.name, example(beside, word).to_owned());
                }
                lines.entry(key.name).or_insert_with(|| example(key, word).to_owned());
                let problems = read(table, &lines);
                let (refused, path) = (is_refused(key.name, &problems), table.path);
                assert_eq!(refused, !key.is_for(word), "[{path}] {word}, {}: {problems:?}", key.name);
            }
        }
    }
}

#[test]
fn what_must_be_there_is_missed() {
    for table in selecting() {
        for word in words(table) {
            for key in table.keys.iter().filter(|key| key.is_needed_for(word) && key.name != table.selector) {
                let mut lines = least(table, word);
                lines.remove(key.name);
                let problems = read(table, &lines);
                let said = format!("has no `{}`", key.name);
                assert!(problems.iter().any(|problem| problem.contains(&said)), "{word}: {problems:?}");
            }
        }
    }
}

#[test]
fn every_example_is_one() {
    for table in PIPELINE_FILE.with_inner().into_iter().filter(|table| table.selector.is_empty()) {
        let lines = table.keys.iter().filter(|key| !key.example.is_empty());
        let lines = lines.map(|key| (key.name, format!("{} = {}", key.name, key.example)));
        let free = table.free.as_ref().map(|free| (free.name, free.example.to_owned()));
        for (name, line) in lines.chain(free) {
            let text = match table.path {
                // Its own line takes the place of the one that is there.
                "pipeline" => {
                    let kept: Vec<&str> = PIPELINE
                        .lines()
                        .filter(|kept| !line.starts_with(&format!("{} ", kept.split(' ').next().unwrap_or(""))))
                        .collect();
                    format!("{}\n{line}\n{IDENTITY}", kept.join("\n"))
                }
                "alerts" => format!("{PIPELINE}{IDENTITY}[[alerts]]\n{line}\n"),
                path => format!("{PIPELINE}{IDENTITY}[{path}]\n{line}\n"),
            };
            let of_it = |problem: &&String| {
                problem.contains(&format!("`{name}` is ")) && !problem.contains("is for")
                    || problem.contains("not TOML")
            };
            let problems = pipeline(&text);
            assert_eq!(problems.iter().find(of_it), None, "{text}");
        }
    }
    for table in SERVICE_FILE.with_inner() {
        for key in table.keys.iter().filter(|key| !key.example.is_empty()) {
            let line = format!("{} = {}", key.name, key.example);
            assert!(line.parse::<toml::Table>().is_ok(), "{line}");
        }
    }
}

#[test]
fn a_hint_shows_a_line_for_every_key() {
    assert_eq!(line_to_write("identity.width").as_deref(), Some("width = 4096"));
    assert_eq!(line_to_write("catalogs.lake.type").as_deref(), Some("type = \"rest\""));
    let region = Some("s3.region = \"eu-central-1\"");
    assert_eq!(line_to_write("catalogs.lake.storage.s3.region").as_deref(), region);
    assert_eq!(line_to_write("map.price").as_deref(), Some("price = \"round(price * quantity, 8)\""));
    assert_eq!(line_to_write("identity").as_deref(), None);
    assert_eq!(line_to_write("nowhere.x"), None);
    for table in tables() {
        for key in table.keys.iter().filter(|key| !key.example.is_empty()) {
            let path = format!("{}.{}", table.path.replace("NAME", "lake"), key.name);
            assert_eq!(line_to_write(&path), Some(format!("{} = {}", key.name, key.example)));
        }
    }
}

#[test]
fn what_is_said_of_a_key_is_sentences() {
    for table in tables() {
        assert!(table.says.ends_with('.'), "[{}]", table.path);
        for key in table.keys.iter().filter(|key| !matches!(key.kind, Kind::Table(_) | Kind::Listed(_))) {
            assert!(key.says.ends_with('.') && key.says.len() < 300, "[{}] {}", table.path, key.name);
            assert!(key.default.is_empty() || key.need != super::Need::Always, "[{}] {}", table.path, key.name);
        }
    }
}
