//! The jobs in docs/guide/ci.md: read by a reader of YAML and by Python, and run as their servers run them, with each outcome.
//!
//! Airflow itself is not there: two modules of its names stand in for what the task imports, so that the task's own code runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use fixtures_harness::run_python;
use serde_json::Value as Json;

use crate::guide::blocks;
use crate::repository::root;
use crate::scene::{EPOCH_MS, Folder, Scene};

const READ_YAML: &str =
    "import json, sys\nfrom strictyaml import ruamel\nprint(json.dumps(ruamel.safe_load(sys.argv[1])))";
/// The two names that the task imports of Airflow.
const AIRFLOW: [(&str, &str); 3] = [
    ("__init__.py", ""),
    (
        "decorators.py",
        "def task(**options):\n    assert options['retries'] > 0\n    return lambda function: function\n",
    ),
    ("exceptions.py", "class AirflowException(Exception): pass\nclass AirflowFailException(AirflowException): pass\n"),
];

fn guide() -> String {
    fs::read_to_string(root().join("docs/guide/ci.md")).expect("the guide is there")
}

/// The one block of a language.
fn block(language: &str) -> String {
    let guide = guide();
    let found = blocks(&guide, language);
    assert_eq!(found.len(), 1, "blocks of {language}");
    found[0].to_owned()
}

/// What `validator.toml` of the guide takes from the environment.
const SECRETS: &str = "[kafka]\nbrokers = \"127.0.0.1:1\"\n[kafka.properties]\n\"sasl.username\" = \"${CATALOG_CREDENTIAL}\"\n\
                       \"sasl.password\" = \"${KAFKA_PASSWORD}\"\n\n";

/// A clone with a pipeline `trades` whose outcome has this exit code, its messages an hour old.
fn ends_with(code: i32) -> Folder {
    let topic = Scene::offset().topic("0@0 a 1 | 0@1 b 2.125");
    let scene = match code {
        0 | 2 => topic.file("0@0 a 1 | 0@1 b 2.125"),
        1 => topic.file("0@0 a 1 | 0@1 b 2.12"),
        _ => topic,
    };
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    let folder = runtime.block_on(scene.write());
    let head = format!("[service]\npipelines = [\"pipe*.toml\"]\n\n{SECRETS}[catalogs.lake]");
    folder.edit("validator.toml", "[catalogs.lake]", &head);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_millis();
    let (recent, recording) =
        (now - 3_600_000, fs::read_to_string(folder.join("topic.jsonl")).expect("it was written"));
    let ts = format!("\"ts\":{EPOCH_MS}");
    assert!(recording.contains(&ts), "{recording}");
    fs::write(folder.join("topic.jsonl"), recording.replace(&ts, &format!("\"ts\":{recent}"))).expect("it takes files");
    if code == 2 {
        folder.edit("pipeline.toml", "format = \"json\"", "format = \"jsonn\"");
    }
    folder
}

/// A program of a job in a clone, which finds the validator and a `sleep` and a `pip` that only note that they were called.
fn run(folder: &Folder, program: &str, arguments: &[&str], variables: &[String]) -> Output {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).expect("the folder takes folders");
    fs::write(bin.join("sleep"), "#!/bin/sh\necho slept >> sleeps\n").expect("the folder takes files");
    fs::write(bin.join("pip"), "#!/bin/sh\necho \"$@\" >> installed\n").expect("the folder takes files");
    for name in ["sleep", "pip"] {
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_validator")).parent().expect("a binary is in a folder");
    let path = std::env::var("PATH").expect("there is a PATH");
    let path = format!("{}:{}:{path}", bin.display(), binary.display());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder.path()).env("PATH", path).stdin(Stdio::null());
    command
        .env("VALIDATOR_WHEEL", "https://w/v.whl")
        .env("GITHUB_STEP_SUMMARY", folder.join("summary.md"))
        .env("PYTHONPATH", folder.path())
        .envs(variables.iter().map(|name| (name, "secret")));
    command.output().expect("it starts")
}

fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// The steps of all jobs that run something, in order, and the variables that each is given.
fn scripts(workflow: &Json) -> Vec<(String, Vec<String>)> {
    let jobs = workflow["jobs"].as_object().expect("a workflow has jobs");
    let steps = jobs.values().flat_map(|job| {
        assert!(job["runs-on"].is_string(), "{job}");
        job["steps"].as_array().expect("a job has steps").clone()
    });
    let given = |step: &Json| step["env"].as_object().map(|given| given.keys().cloned().collect()).unwrap_or_default();
    steps.filter_map(|step| Some((step["run"].as_str()?.to_owned(), given(&step)))).collect()
}

#[test]
fn the_steps_of_github_actions_end_as_the_guide_says() {
    let workflow: Json =
        serde_json::from_str(&run_python(READ_YAML, &[&block("yaml")]).expect("it is YAML")).expect("JSON");
    assert!(workflow["env"]["VALIDATOR_WHEEL"].is_string(), "{workflow}");
    let scripts = scripts(&workflow);
    // Each job has a machine of its own, on which nothing is installed.
    assert_eq!([&scripts[0].0, &scripts[2].0], ["pip install \"$VALIDATOR_WHEEL\""; 2], "{scripts:?}");
    let installing = ends_with(0);
    assert!(run(&installing, "bash", &["-e", "-c", &scripts[0].0], &[]).status.success());
    let installed = fs::read_to_string(installing.join("installed")).expect("pip was called");
    assert_eq!(installed, "install https://w/v.whl\n");
    let scripts = [&scripts[1], &scripts[3]];
    let kept =
        &workflow["jobs"]["reconcile"]["steps"].as_array().expect("steps").last().expect("a last one")["with"]["path"];
    let kept: Vec<&str> = kept.as_str().expect("a list of files").lines().collect();
    // On each exit code: that of the check of the files alone, that of the run, and how often it was tried again.
    for (code, checked, sleeps) in [(0, 0, 0), (1, 0, 0), (2, 2, 0), (3, 0, 2)] {
        let folder = ends_with(code);
        // As GitHub runs a step that names no shell.
        let ends = scripts.iter().map(|(script, given)| run(&folder, "bash", &["-e", "-c", script], given));
        let ends: Vec<(Option<i32>, String)> = ends.map(|output| (output.status.code(), talk(&output))).collect();
        assert_eq!([ends[0].0, ends[1].0], [Some(checked), Some(code)], "{ends:#?}");
        let slept = fs::read_to_string(folder.join("sleeps")).unwrap_or_default().lines().count();
        assert_eq!(slept, sleeps, "{ends:#?}");
        for file in kept.iter().chain(&["summary.md"]) {
            assert_eq!(folder.join(file).exists(), code != 2, "{file} of a run that ended with {code}");
        }
    }
}

#[test]
fn the_task_of_airflow_fails_for_good_or_is_tried_again_as_the_guide_says() {
    let task = block("python");
    for (code, ends) in [(0, "fine"), (1, "AirflowFailException"), (2, "AirflowFailException"), (3, "AirflowException")]
    {
        let folder = ends_with(code);
        fs::create_dir(folder.join("airflow")).expect("the folder takes folders");
        for (name, text) in AIRFLOW {
            fs::write(folder.join("airflow").join(name), text).expect("the folder takes files");
        }
        let report = folder.join("trades.json").display().to_string();
        let mine = task.replace("f\"/tmp/{pipeline}.json\"", &format!("{report:?}"));
        assert_ne!(mine, task, "the test's report is not the guide's");
        let call = "\ntry:\n    reconcile(\"trades\")\n    print(\"fine\")\nexcept Exception as error:\n    \
                    print(type(error).__name__)\n";
        // Of the worker's own environment.
        let output = run(
            &folder,
            "python3",
            &["-c", &(mine + call)],
            &["KAFKA_PASSWORD", "CATALOG_CREDENTIAL"].map(str::to_owned),
        );
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(printed.lines().last(), Some(ends), "{code}: {}", talk(&output));
        assert_eq!(Path::new(&report).exists(), code != 2, "{}", talk(&output));
    }
}

#[test]
fn the_exit_codes_of_the_guide_are_those_of_the_reference() {
    let first_words = |text: &str| -> Vec<String> {
        let rows = text.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.split('|').nth(1));
        let codes = rows.map(|cell| cell.trim().trim_matches('`').to_owned());
        codes.filter(|cell| cell.parse::<u8>().is_ok()).collect()
    };
    let reference = fs::read_to_string(root().join("docs/reference/exit-codes.md")).expect("it is there");
    assert_eq!(first_words(&guide()), first_words(&reference));
    assert_eq!(first_words(&reference), ["0", "1", "2", "3"]);
}
