//! A pipeline named on the command line: by its path, or by its name through `[service] pipelines`.

use std::fs;
use std::path::Path;

use super::super::Service;
use super::loader;
use crate::render::{Palette, problems};

/// A folder with a service file and three suites: two pipelines, one of rules only.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let suites = folder.path().join("suites");
    fs::create_dir(&suites).expect("the folder is ours");
    let pipeline = |name: &str| {
        format!(
            "[pipeline]\nname = \"{name}\"\ntopic = \"t\"\ntable = \"a.b.c\"\nformat = \"json\"\n\
             [identity]\nmode = \"key\"\ncolumns = [\"id\"]\n"
        )
    };
    let files = [
        ("validator.toml", "[service]\npipelines = [\"suites/*.toml\"]\n".to_owned()),
        ("suites/trades.toml", pipeline("trades")),
        ("suites/quotes.toml", pipeline("quotes")),
        ("suites/only-rules.toml", "[[rules]]\nexpect = \"x\"\n".to_owned()),
    ];
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("the folder is ours");
    }
    folder
}

fn service(folder: &Path) -> Service {
    loader().service(Some(&folder.join("validator.toml"))).expect("the service file is sound")
}

/// What is printed on a terminal wide enough for any folder, whose own name is taken out.
fn refused(argument: &str, service: &Service, folder: &Path) -> String {
    let error = loader().pipeline(argument, service).expect_err("no pipeline is meant");
    let shown = problems(error.problems(), "error", Palette::PLAIN, 10_000);
    shown.replace(&folder.display().to_string(), "FOLDER")
}

#[test]
fn a_name_is_looked_up_and_a_path_is_taken_as_it_is() {
    let folder = folder();
    let service = service(folder.path());
    let by_name = loader().pipeline("quotes", &service).expect("there is one of that name");
    assert_eq!(by_name.contract.name, "quotes");
    let path = folder.path().join("suites/trades.toml");
    let by_path = loader().pipeline(&path.display().to_string(), &Service::default()).expect("the file is there");
    assert_eq!(by_path.contract.name, "trades");
    let files = loader().pipeline_files(&service).expect("the glob can be followed");
    assert_eq!(files, [folder.path().join("suites/quotes.toml"), path]);
}

#[test]
fn a_name_that_is_not_there_is_refused_with_the_nearest() {
    let folder = folder();
    let service = service(folder.path());
    insta::assert_snapshot!(refused("tades", &service, folder.path()), @r"
    error: no pipeline of FOLDER/validator.toml is called `tades`
      = hint: did you mean `trades`?
    ");
    insta::assert_snapshot!(refused("ohlcv", &service, folder.path()), @r"
    error: no pipeline of FOLDER/validator.toml is called `ohlcv`
      = hint: there are `quotes` and `trades`
    ");
    insta::assert_snapshot!(refused("ohlcv", &Service::default(), folder.path()), @r"
    error: no file is called `ohlcv`, and there is no validator.toml to look for pipelines in
      = hint: name the pipeline's file, or the service's with `-c validator.toml`
    ");
}

#[test]
fn two_files_of_one_name_are_refused() {
    let folder = folder();
    let suites = folder.path().join("suites");
    fs::copy(suites.join("trades.toml"), suites.join("trades-copy.toml")).expect("the folder is ours");
    insta::assert_snapshot!(refused("trades", &service(folder.path()), folder.path()), @"
    error: two files hold a pipeline `trades`: FOLDER/suites/trades-copy.toml and FOLDER/suites/trades.toml
      = hint: name the file: FOLDER/suites/trades-copy.toml
    ");
}
