//! The guides: every command in them runs, every file in them is read. Jobs of CI servers: `ci_jobs`. Links: `cargo xtask tidy`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use validator_app::config::{Loader, Service};

use crate::readme::Shop;
use crate::repository::root;
use crate::scene::{Folder, Scene};

/// Name and text of each guide.
fn guides() -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join("docs/guide")).expect("there are guides");
    let mut guides: Vec<(String, String)> = entries
        .map(|entry| entry.expect("readable").path())
        .map(|path| {
            let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a guide is text"))
        })
        .collect();
    guides.sort();
    assert!(guides.len() >= 5, "{guides:?}");
    guides
}

/// The fenced blocks of a language.
pub fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap_or_default()).collect()
}

/// Where the guides' commands run: a pipeline `trades` whose table lost a row and changed another.
fn folder() -> Folder {
    let scene =
        Scene::offset().topic("0@0 a 1 | 0@1 b 2.125 | 0@2 c 3 | 0@3 d 4").file("0@0 a 1 | 0@1 b 2.12 | 0@3 d 4");
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    let folder = runtime.block_on(scene.write());
    folder.edit("validator.toml", "[catalogs.lake]", "[service]\npipelines = [\"pipe*.toml\"]\n\n[catalogs.lake]");
    folder
}

#[test]
fn every_command_runs() {
    let folder = folder();
    let binary = Path::new(env!("CARGO_BIN_EXE_validator")).parent().expect("a binary is in a folder").to_owned();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").expect("there is a PATH"));
    let mut ran = 0;
    for (name, text) in guides() {
        for block in blocks(&text, "sh") {
            let mut shell = Command::new("sh");
            shell.args(["-e", "-c", block]).current_dir(folder.path()).env("PATH", &path).stdin(Stdio::null());
            let output = shell.output().expect("there is a shell");
            let talk = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{name}: {block}\nended with {}: {talk}", output.status);
            ran += 1;
        }
    }
    assert!(ran >= 9, "{ran} commands");
}

/// What a person types behind a prompt: ours run over a shop's topic and table, those of others have tests of their own.
#[test]
fn every_command_behind_a_prompt_runs() {
    let shop = Shop::open();
    let (mut ours, mut others) = (0, Vec::new());
    for (name, text) in guides() {
        for block in blocks(&text, "console") {
            let lines = block.replace("\\\n", " ");
            for command in lines.lines().filter_map(|line| line.strip_prefix("$ ")) {
                if let Some(folder) = command.strip_prefix("mkdir -p ") {
                    std::fs::create_dir_all(shop.join(folder)).expect("a folder");
                    continue;
                }
                let Some(words) = command.strip_prefix("validator ") else {
                    others.push(command.split_whitespace().next().unwrap_or_default().to_owned());
                    continue;
                };
                let ran = crate::transcript::validator(&shop.join(""), words).assert_no_panic();
                assert_eq!(ran.exit, 0, "{name}: {command}\n{}", ran.all());
                ours += 1;
            }
        }
    }
    assert!(ours >= 1, "{ours} commands");
    // `least_privilege::brokers` and `run::fleet::rights` grant by their words.
    assert_eq!(others, ["kafka-acls"; 3]);
}

#[test]
fn every_file_is_one_that_is_read() {
    let home = tempfile::tempdir().expect("the system gives a folder");
    let loader = Loader { environment: &|_| Some("id:secret".to_owned()), now_ms: 1_723_120_000_000 };
    let mut read = 0;
    for (name, text) in guides() {
        for block in blocks(&text, "toml") {
            let path = home.path().join("file.toml");
            fs::write(&path, block).expect("the folder takes files");
            let error = match block.lines().next() {
                Some("# validator.toml") => loader.service(Some(&path)).err(),
                Some("# pipeline") => loader.pipeline_file(&path).err(),
                first => panic!("{name}: a file begins with what it is, not {first:?}"),
            };
            let problems: Vec<String> =
                error.iter().flat_map(|error| error.problems()).map(|p| p.message.clone()).collect();
            assert!(error.is_none(), "{name}: {problems:?} in\n{block}");
            read += 1;
        }
    }
    assert!(read >= 6, "{read} files");
    // What is checked above is not that anything is read.
    fs::write(home.path().join("file.toml"), "[kafka]\nbroker = 1\n").expect("the folder takes files");
    assert!(loader.service(Some(&home.path().join("file.toml"))).is_err());
    assert!(Service::default().kafka.is_none());
}

/// Keys of the examples in docs/reference, which are made of one line for each key.
#[test]
fn every_example_of_the_reference_is_one_that_is_read() {
    let home = tempfile::tempdir().expect("the system gives a folder");
    let loader = Loader { environment: &|_| Some("5e".repeat(32)), now_ms: 1_723_120_000_000 };
    let text = fs::read_to_string(root().join("docs/reference/configuration.md")).expect("it is there");
    let (of_service, of_pipeline) = text.split_once("\n## A pipeline file").expect("both files have a part");
    let whole = "[pipeline]\nname = \"t\"\ntopic = \"t\"\ntable = \"lake.ns.t\"\nformat = \"json\"\n[identity]\nmode = \"content\"\n";
    let path = home.path().join("file.toml");
    let mut read = 0;
    for (part, is_service) in [(of_service, true), (of_pipeline, false)] {
        for block in blocks(part, "toml") {
            let block = block.replace(".NAME", ".lake");
            // Parts of what must be whole are read beside it.
            let text = match block.as_str() {
                of_catalog if of_catalog.starts_with("[catalogs.") => {
                    format!("[catalogs.lake]\ntype = \"rest\"\nuri = \"http://c\"\n{of_catalog}")
                }
                alerts if is_service && alerts.starts_with("[[alerts]]") => {
                    format!("[channels.ops]\ntype = \"log\"\n{alerts}")
                }
                properties if properties.starts_with("[kafka.properties]") => {
                    format!("[kafka]\nbrokers = \"b:1\"\n{properties}")
                }
                source if source.starts_with("[source]") => {
                    format!("{whole}{}", source.replace("\"kcat\"", "\"none\""))
                }
                other if is_service => other.to_owned(),
                other => format!("{whole}{other}"),
            };
            fs::write(&path, &text).expect("the folder takes files");
            let error = match is_service {
                true => loader.service(Some(&path)).err(),
                false => loader.pipeline_file(&path).err(),
            };
            let problems: Vec<String> =
                error.iter().flat_map(|error| error.problems()).map(|p| p.message.clone()).collect();
            assert!(error.is_none(), "{problems:?} in\n{text}");
            read += 1;
        }
    }
    assert!(read >= 8, "{read} examples");
}
