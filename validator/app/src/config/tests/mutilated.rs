//! Files that are broken in any way: a list of problems, never a panic, always readable in forty columns.

use super::{pipeline, service};
use crate::config::ConfigError;
use crate::render::{Palette, problems};

const PIPELINE: &str = r#"
[pipeline]
name = "trades" # é
topics = ["a", "b"]
table = "lake.ns.trades"
format = "json"
start = "0:100,1:2500"
[fields]
T = "epoch_ms"
[map]
side = """
CASE WHEN m THEN '東京' END"""
[identity]
mode = "key"
columns = ["a", "b.c"]
window = "ts"
every = "5m"
[compare]
ignore = { x = "y" }
[fidelity]
target = 0.999
[source]
files = ["x/*.jsonl"]
"#;

const SERVICE: &str = r#"
[service]
memory = "2GiB"
digest_key = "${KEY}"
[kafka]
brokers = "b:9092"
properties = { "sasl.password" = "${PW}", a.b = 1 }
[schema_registry]
url = "http://u:p@r/x"
password = { file = "p" }
[catalogs.lake]
type = "sql"
uri = "sqlite:///c.db"
"#;

/// The text with one character taken out, put in or replaced, at every place.
fn mutilations(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (at, c) in text.char_indices() {
        let (before, behind) = (&text[..at], &text[at + c.len_utf8()..]);
        all.push(format!("{before}{behind}"));
        for put in ["\"", "[", "=", "\n", "$", "0", "\u{1b}", "東"] {
            all.push(format!("{before}{put}{c}{behind}"));
            all.push(format!("{before}{put}{behind}"));
        }
        all.push(before.to_owned());
    }
    all
}

fn readable(error: &ConfigError, text: &str) {
    assert!(!error.problems().is_empty(), "nothing is said of {text:?}");
    for problem in error.problems() {
        assert!(problem.hint.as_ref().is_some_and(|hint| !hint.is_empty()), "no hint: {problem} in {text:?}");
    }
    let shown = problems(error.problems(), "error", Palette::PLAIN, 40);
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    let wide = shown.lines().find(|line| unicode_width::UnicodeWidthStr::width(*line) > 41);
    assert_eq!(wide, None, "{shown}");
}

#[test]
fn a_mutilated_pipeline_file_is_a_list_of_problems() {
    for text in mutilations(PIPELINE) {
        if let Err(error) = pipeline(&text) {
            readable(&error, &text);
        }
    }
}

#[test]
fn a_mutilated_service_file_is_a_list_of_problems() {
    for text in mutilations(SERVICE) {
        if let Err(error) = service(&text) {
            readable(&error, &text);
        }
    }
}
