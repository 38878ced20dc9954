//! The keys of answers and files as `validator schema` gives them, against what is really written: by our own tables for every
//! scene, and by two validators that others wrote (Python's jsonschema, and taplo for TOML).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use validator_app::schema::{FINDING, Field, REPLAY_PLAN, REPORT, Shape};

use crate::scene::Scene;
use crate::transcript::validator;

/// # Panics
/// When a report or a finding has a key that its schema does not know, lacks one, or has a value of another kind.
pub fn assert_known(report: &Json, findings: &[Json]) {
    let mut wrong = Vec::new();
    object("report", REPORT, report, &mut wrong);
    findings.iter().for_each(|finding| object("finding", FINDING, finding, &mut wrong));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// # Panics
/// When a replay plan has a key that its schema does not know, lacks one, or has a value of another kind.
pub fn assert_plan(plan: &Json) {
    let mut wrong = Vec::new();
    object("plan", REPLAY_PLAN, plan, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn object(path: &str, fields: &[Field], value: &Json, wrong: &mut Vec<String>) {
    let Some(there) = value.as_object() else { return wrong.push(format!("{path} is no object: {value}")) };
    for name in there.keys().filter(|name| !fields.iter().any(|field| field.name == *name)) {
        wrong.push(format!("{path}.{name} is in no schema"));
    }
    for field in fields {
        let path = format!("{path}.{}", field.name);
        match there.get(field.name) {
            Some(value) => fits(&path, field.shape, value, wrong),
            None if field.is_always => wrong.push(format!("{path} is not there")),
            None => {}
        }
    }
}

fn fits(path: &str, shape: Shape, value: &Json, wrong: &mut Vec<String>) {
    let fine = match shape {
        Shape::Const(text) => value == text,
        Shape::Text | Shape::Instant => value.is_string(),
        Shape::Hash => value.as_str().is_some_and(|text| text.len() == 64),
        Shape::Count => value.is_u64(),
        Shape::Whole => value.is_i64(),
        Shape::Share => value.as_f64().is_some_and(|share| (0.0..=1.0).contains(&share)),
        Shape::Flag => value.is_boolean(),
        Shape::Any => true,
        Shape::Named => value.is_object(),
        Shape::Words(words) => words().iter().any(|(word, _)| value == word),
        Shape::OrNull(inner) => {
            return if value.is_null() {
            } else {
                fits(path, *inner, value, wrong)
            };
        }
        Shape::Object(fields) => return object(path, fields, value, wrong),
        Shape::List(inner) => match value.as_array() {
            Some(items) => return items.iter().for_each(|item| fits(&format!("{path}[]"), *inner, item, wrong)),
            None => false,
        },
        Shape::ByWord(words, inner) => match value.as_object() {
            Some(entries) => {
                let known = |name: &String| words().iter().any(|(word, _)| word == name);
                entries.values().for_each(|value| fits(path, *inner, value, wrong));
                entries.keys().all(known)
            }
            None => false,
        },
    };
    if !fine {
        wrong.push(format!("{path} is {value}"));
    }
}

/// Validates `[schema, document]` pairs of files: a line for each, `ok` or what is wrong with it.
const VALIDATE: &str = r#"
import json, sys, tomllib
from jsonschema import Draft202012Validator
for line in open(sys.argv[1]):
    schema, document = json.loads(line)
    schema = json.load(open(schema))
    Draft202012Validator.check_schema(schema)
    text = open(document).read()
    values = tomllib.loads(text) if document.endswith(".toml") else json.loads(text)
    errors = [error.message for error in Draft202012Validator(schema).iter_errors(values)]
    print(errors[0].replace("\n", " ") if errors else "ok")
"#;

/// What Python's jsonschema says of each document.
fn validated(folder: &Path, pairs: &[(PathBuf, PathBuf)]) -> Vec<String> {
    let lines: String = pairs.iter().map(|pair| serde_json::to_string(pair).expect("paths are text") + "\n").collect();
    let list = folder.join("pairs.jsonl");
    fs::write(&list, lines).expect("the folder takes files");
    let said = fixtures_harness::run_python_with_schemas(VALIDATE, &[&list.display().to_string()]);
    let said = said.unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)));
    let lines: Vec<String> = said.lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), pairs.len(), "{said}");
    lines
}

/// Writes the four schemas into a folder.
fn schemas(folder: &Path) -> impl Fn(&str) -> PathBuf {
    for of in ["report", "finding", "config", "pipeline"] {
        let ran = validator(folder, &format!("schema {of}"));
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
        fs::write(folder.join(format!("{of}.schema.json")), ran.stdout).expect("the folder takes files");
    }
    let folder = folder.to_owned();
    move |of: &str| folder.join(format!("{of}.schema.json"))
}

/// Scenes with findings of many kinds: what is lost, damaged, doubled, undecodable, phantom, on its way.
fn scenes() -> Vec<Scene> {
    let topic = "0@0 a 1 | 0@1 b 2.125 | 0@2 c 3 | 1@0 d 4 | 1@1 null | 1@2 e 5";
    vec![
        Scene::offset().topic(topic).file("0@0 a 1 | 0@1 b 2.12 | 0@9 x 9").file("1@0 d 4").file("1@0 d 4 | 1@2 e 5"),
        Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1 | 0@1 b 2"),
        Scene::offset().payload(0, "<trade/>").topic("0@1 b 2").file("0@1 b 2 | 0@0 a 1"),
        Scene::content().topic("0@0 a 1 | 0@1 a 1 | 0@2 b 2").file("a 1 | b 3"),
        Scene::key().topic("0@0 a 1 | 0@1 b 2").file("a 1 | c 2"),
        Scene::offset().topic("0@0 a 1"),
    ]
}

#[test]
fn every_report_and_finding_is_valid_for_a_validator_of_others() {
    let home = tempfile::tempdir().expect("the system gives a folder");
    let schema = schemas(home.path());
    let mut pairs = Vec::new();
    for (n, scene) in (0..).zip(scenes()) {
        let answer = scene.answer();
        let report = home.path().join(format!("report{n}.json"));
        fs::write(&report, serde_json::to_string(&answer.report).expect("reports are JSON")).expect("room");
        pairs.push((schema("report"), report));
        for (at, finding) in answer.findings.at_hand.iter().enumerate() {
            let path = home.path().join(format!("finding{n}-{at}.json"));
            fs::write(&path, serde_json::to_string(finding).expect("findings are JSON")).expect("room");
            pairs.push((schema("finding"), path));
        }
    }
    let findings = pairs.iter().filter(|(schema, _)| schema.ends_with("finding.schema.json")).count();
    assert!(findings >= 8, "{findings} findings are too few to say much");
    for (said, (_, document)) in validated(home.path(), &pairs).iter().zip(&pairs) {
        assert_eq!(said, "ok", "{}", fs::read_to_string(document).expect("it was written"));
    }
}

const PIPELINE: &str = "[pipeline]\nname = \"t\"\ntopic = \"t\"\ntable = \"lake.ns.t\"\nformat = \"json\"\n\n";
const OFFSET: &str = "[identity]\nmode = \"offset\"\nprofile = \"redpanda\"\n";

/// Whether a file is sound for the schema, by its name, and the file.
fn files() -> Vec<(bool, &'static str, String)> {
    let pipeline = |fine: bool, rest: &str| (fine, "pipeline", format!("{PIPELINE}{rest}"));
    let config = |fine: bool, text: &str| (fine, "config", text.to_owned());
    let catalog = |fine: bool, text: &str| (fine, "config", format!("[catalogs.lake]\n{text}\n"));
    vec![
        pipeline(true, OFFSET),
        pipeline(
            true,
            "[identity]\nmode = \"key\"\ncolumns = [\"id\"]\nwindow = \"at\"\nevery = \"1h 30m\"\nupsert = true\n",
        ),
        pipeline(true, "[identity]\nmode = \"content\"\n[compare.tolerate]\na = \"trim\"\n[map]\na = \"lower(b)\"\n"),
        pipeline(true, "[identity]\nmode = \"${MODE}\"\n[fidelity]\nsettle = \"${SETTLE}\"\n"),
        pipeline(false, ""),
        pipeline(false, "[identity]\nmode = \"offset\"\n"),
        pipeline(false, "[identity]\nmode = \"ofset\"\n"),
        pipeline(false, "[identity]\nmode = \"key\"\n"),
        pipeline(false, &format!("{OFFSET}windw = \"at\"\n")),
        pipeline(false, &format!("{OFFSET}window = \"at\"\n")),
        pipeline(false, &format!("{OFFSET}width = 0\n")),
        pipeline(false, &format!("{OFFSET}columns = [\"a\", \"b\", \"c\"]\n")),
        pipeline(false, &format!("{OFFSET}[fidelity]\nsettle = \"90\"\n")),
        pipeline(false, &format!("{OFFSET}[fidelity]\ntarget = 1.5\n")),
        pipeline(false, &format!("{OFFSET}[compare.tolerate]\na = \"trimm\"\n")),
        pipeline(false, &format!("{OFFSET}[sorce]\nfiles = [\"a\"]\n")),
        config(true, ""),
        config(
            true,
            "[service]\nmemory = \"2GiB\"\n[kafka]\nbrokers = \"b:1\"\nproperties = { \"a.b\" = 1, c.d = \"x\" }\n",
        ),
        config(false, "[service]\nmemory = \"2\"\n"),
        config(false, "[kafka]\n"),
        config(false, "[kafka]\nbroker = \"b:1\"\n"),
        config(true, "[schema_registry]\nurl = \"http://r\"\nuser = \"u\"\npassword = { file = \"p\" }\n"),
        config(false, "[schema_registry]\nurl = \"http://r\"\npassword = \"p\"\n"),
        catalog(
            true,
            "type = \"rest\"\nuri = \"http://c\"\n\"header.X-A\" = \"1\"\nstorage = { \"s3.region\" = \"eu\", s3.endpoint = \"http://s\" }",
        ),
        catalog(true, "type = \"sql\"\nuri = \"sqlite:///c.db\"\nwarehouse = \"w\""),
        catalog(true, "type = \"filesystem\"\nwarehouse = \"w\""),
        catalog(false, "type = \"filesystem\""),
        catalog(false, "type = \"rest\""),
        catalog(false, "type = \"sql\"\nuri = \"sqlite:///c.db\"\ntoken = \"t\""),
        catalog(false, "type = \"rest\"\nuri = \"http://c\"\nstorage = { \"s3.regio\" = \"eu\" }"),
    ]
}

/// The repository's own pipelines, whose files end so.
fn suites() -> Vec<PathBuf> {
    let folder = crate::repository::root().join("rules/suites");
    let entries = fs::read_dir(folder).expect("the repository has suites").map(|entry| entry.expect("readable").path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect()
}

#[test]
fn files_of_people_are_valid_where_they_are_and_wrong_keys_are_not() {
    let home = tempfile::tempdir().expect("the system gives a folder");
    let schema = schemas(home.path());
    let files = files();
    let mut pairs: Vec<(PathBuf, PathBuf)> = Vec::new();
    for (n, (_, of, text)) in files.iter().enumerate() {
        let path = home.path().join(format!("file{n}.toml"));
        fs::write(&path, text).expect("the folder takes files");
        pairs.push((schema(of), path));
    }
    pairs.extend(suites().into_iter().map(|path| (schema("pipeline"), path)));
    let said = validated(home.path(), &pairs);
    for (said, (fine, _, text)) in said.iter().zip(&files) {
        assert_eq!(said == "ok", *fine, "{said}: {text}");
    }
    assert!(pairs.len() > files.len(), "there are suites");
    for (said, (_, path)) in said.iter().zip(&pairs).skip(files.len()) {
        assert_eq!(said, "ok", "{}", path.display());
    }
}

#[test]
fn an_editor_finds_the_schema_by_the_first_line_of_a_file() {
    let home = tempfile::tempdir().expect("the system gives a folder");
    assert!(schemas(home.path())("pipeline").is_file());
    let lint = |rest: &str| {
        let text = format!("#:schema ./pipeline.schema.json\n{PIPELINE}{rest}");
        fs::write(home.path().join("p.toml"), text).expect("the folder takes files");
        let ran = fixtures_harness::taplo(home.path(), &["lint", "p.toml"]);
        ran.unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)))
    };
    assert!(lint(OFFSET).is_sound());
    let wrong = lint(&format!("{OFFSET}windw = \"at\"\n"));
    assert!(!wrong.is_sound() && wrong.talk.contains("windw"), "{}", wrong.talk);
}

#[test]
fn schemas_that_are_not_built_are_refused_by_name() {
    let home = tempfile::tempdir().expect("the system gives a folder");
    let ran = validator(home.path(), "schema rules");
    assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("the schema of `rules` is not built yet"), "{}", ran.stderr);
}
