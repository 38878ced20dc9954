//! What is wrong, where, and one thing to do about it: a transcript for each mistake that people make.

use std::fs;

use insta::assert_snapshot;

use super::{damaged, sound, written};
use crate::scene::Folder;
use crate::terminal::seen_at;
use crate::transcript::{run, validator};

fn all(folder: &Folder, words: &str) -> String {
    let ran = validator(folder.path(), words).assert_no_panic();
    let hints = ran.stderr.matches("hint: ").count() + ran.stderr.matches("For more information").count();
    let errors = ran.stderr.matches("error: ").count();
    assert_eq!(hints, errors, "one thing to do for each error: {}", ran.all());
    ran.all()
}

#[test]
fn a_command_line_that_is_wrong() {
    let folder = written(&sound());
    let lines = [
        "reconcil",
        "reconcile",
        "reconcile trades --fron 3",
        "check --ofline",
        "schema",
        "schema rules",
        "schema repor",
        "completions tcsh",
        "man --output no/such/folder",
        "demo --messages 0",
    ];
    let said: Vec<String> = lines.iter().map(|line| format!("$ validator {line}\n{}", all(&folder, line))).collect();
    assert_snapshot!(said.join("\n"), @"
    $ validator reconcil
    exit 2
    --- stderr
    error: unrecognized subcommand 'reconcil'

      tip: a similar subcommand exists: 'reconcile'

    Usage: validator [OPTIONS] <COMMAND>

    For more information, try '--help'.

    $ validator reconcile
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      <PIPELINE.toml|NAME>

    Usage: validator reconcile <PIPELINE.toml|NAME>

    For more information, try '--help'.

    $ validator reconcile trades --fron 3
    exit 2
    --- stderr
    error: unexpected argument '--fron' found

      tip: a similar argument exists: '--from'

    Usage: validator reconcile --from <OFFSETS|TIME|earliest> <PIPELINE.toml|NAME>

    For more information, try '--help'.

    $ validator check --ofline
    exit 2
    --- stderr
    error: unexpected argument '--ofline' found

      tip: a similar argument exists: '--offline'

    Usage: validator check --offline [PIPELINE]...

    For more information, try '--help'.

    $ validator schema
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      <OF>

    Usage: validator schema <OF>

    For more information, try '--help'.

    $ validator schema rules
    exit 2
    --- stderr
    error: the schema of `rules` is not built yet

    Usage: validator [OPTIONS] <COMMAND>

    For more information, try '--help'.

    $ validator schema repor
    exit 2
    --- stderr
    error: invalid value 'repor' for '<OF>'
      [possible values: report, finding, replay-plan, config, pipeline]

      tip: a similar value exists: 'report'

    For more information, try '--help'.

    $ validator completions tcsh
    exit 2
    --- stderr
    error: invalid value 'tcsh' for '<SHELL>'
      [possible values: bash, elvish, fish, powershell, zsh]

      tip: a similar value exists: 'zsh'

    For more information, try '--help'.

    $ validator man --output no/such/folder
    exit 2
    --- stderr
    error: invalid value 'no/such/folder' for '--output <FOLDER>': there is no folder no/such/folder

    For more information, try '--help'.

    $ validator demo --messages 0
    exit 2
    --- stderr
    error: invalid value '0' for '--messages <N>': expected a number of messages, 50 to 1000000

    For more information, try '--help'.
    ");
}

#[test]
fn a_pipeline_that_is_not_found() {
    let folder = written(&sound());
    folder.edit("validator.toml", "[catalogs.lake]", "[service]\npipelines = [\"pipe*.toml\"]\n\n[catalogs.lake]");
    fs::create_dir(folder.join("folder.toml")).expect("the folder takes folders");
    fs::write(folder.join("latin.toml"), b"name = \"\xe9\"").expect("the folder takes files");
    let mut lines =
        vec!["reconcile tradse", "reconcile orders", "reconcile none.toml", "reconcile pipeline.toml/x.toml"];
    lines.extend([
        "reconcile folder.toml",
        "reconcile latin.toml",
        "reconcile -c none.toml trades",
        "check -c latin.toml",
    ]);
    let mut said: Vec<String> =
        lines.iter().map(|line| format!("$ validator {line}\n{}", all(&folder, line))).collect();
    fs::remove_file(folder.join("validator.toml")).expect("it was written");
    said.push(format!("$ validator reconcile trades\n{}", all(&folder, "reconcile trades")));
    said.push(format!("$ validator check\n{}", all(&folder, "check")));
    assert_snapshot!(said.join("\n"), @"
    $ validator reconcile tradse
    exit 2
    --- stderr
    error: no pipeline of validator.toml is called `tradse`
      = hint: did you mean `trades`?

    $ validator reconcile orders
    exit 2
    --- stderr
    error: no pipeline of validator.toml is called `orders`
      = hint: there is `trades`

    $ validator reconcile none.toml
    exit 2
    --- stderr
    error: read none.toml
      because: No such file or directory (os error 2)
      hint:    a path starts at the working folder: `ls` it

    $ validator reconcile pipeline.toml/x.toml
    exit 2
    --- stderr
    error: read pipeline.toml/x.toml
      because: Not a directory (os error 20)
      hint:    `ls -l pipeline.toml/x.toml`

    $ validator reconcile folder.toml
    exit 2
    --- stderr
    error: read folder.toml
      because: Is a directory (os error 21)
      hint:    `ls -l folder.toml`

    $ validator reconcile latin.toml
    exit 2
    --- stderr
    error: read latin.toml
      because: line 1, column 9 is not UTF-8 text
      hint:    `file latin.toml` says what it holds

    $ validator reconcile -c none.toml trades
    exit 2
    --- stderr
    error: read none.toml
      because: No such file or directory (os error 2)
      hint:    a path starts at the working folder: `ls` it

    $ validator check -c latin.toml
    exit 2
    --- stderr
    error: read latin.toml
      because: line 1, column 9 is not UTF-8 text
      hint:    `file latin.toml` says what it holds

    $ validator reconcile trades
    exit 2
    --- stderr
    error: no file is called `trades`, and there is no validator.toml to look for pipelines in
      = hint: name the pipeline's file, or the service's with `-c validator.toml`

    $ validator check
    exit 2
    --- stderr
    error: no pipeline is named, and there is no validator.toml in this folder
      = hint: name a pipeline's file, or the service's with `-c validator.toml`
    ");
}

#[test]
fn keys_and_values_that_are_wrong_are_shown_with_what_could_stand_there() {
    let folder = written(&sound());
    let changes = [
        ("format = \"json\"", "format = \"xml\""),
        ("mode = \"offset\"", "mode = \"offset\"\nwindow = \"at\""),
        ("mode = \"offset\"", "mode = \"offset\"\nwidth = \"big\""),
        ("[identity]", "[fidelity]\nsettle = 90\ntarget = 2\n\n[identity]"),
        ("[identity]", "[compare]\nstrict_fields = \"no\"\nmask = \"price\"\n\n[identity]"),
        ("[identity]", "[identity"),
        ("lake.market.trades", "lake.trades"),
    ];
    let text = fs::read_to_string(folder.join("pipeline.toml")).expect("it was written");
    let said: Vec<String> = changes
        .iter()
        .map(|(this, that)| {
            assert!(text.contains(this), "{this} is in the file");
            fs::write(folder.join("pipeline.toml"), text.replace(this, that)).expect("the folder takes files");
            all(&folder, "check --offline pipeline.toml")
        })
        .collect();
    assert_snapshot!(said.join("\n"), @r#"
    exit 2
    --- stdout
    pipeline.toml: 1 problem
    --- stderr
    error: `format` is one of `json`, `avro`, `bytes` or `parquet`, not "xml"
     --> pipeline.toml:5:10
      |
    5 | format = "xml"
      |          ^^^^^
      = hint: write `format = "json"`

    1 problem in pipeline.toml

    exit 2
    --- stdout
    pipeline.toml: 1 problem
    --- stderr
    error: `window` is for `mode = "key"` and `mode = "content"`
     --> pipeline.toml:9:1
      |
    9 | window = "at"
      | ^^^^^^
      = hint: take `window` out

    1 problem in pipeline.toml

    exit 2
    --- stdout
    pipeline.toml: 1 problem
    --- stderr
    error: `width` is a whole number from 1 to 16777216, not a string
     --> pipeline.toml:9:9
      |
    9 | width = "big"
      |         ^^^^^
      = hint: write `width = 4096`

    1 problem in pipeline.toml

    exit 2
    --- stdout
    pipeline.toml: 2 problems
    --- stderr
    error: `settle` is a duration with a unit, like "90s", "2m", "1h30m" or "24h", not a whole number
     --> pipeline.toml:8:10
      |
    8 | settle = 90
      |          ^^
      = hint: write `settle = "2m"`

    error: `target` is a number from 0 to 1, not 2
     --> pipeline.toml:9:10
      |
    9 | target = 2
      |          ^
      = hint: write `target = 0.9999`

    2 problems in pipeline.toml

    exit 2
    --- stdout
    pipeline.toml: 2 problems
    --- stderr
    error: `strict_fields` is true or false, not a string
     --> pipeline.toml:8:17
      |
    8 | strict_fields = "no"
      |                 ^^^^
      = hint: write `strict_fields = true`

    error: `mask` is a list of strings, not a string
     --> pipeline.toml:9:8
      |
    9 | mask = "price"
      |        ^^^^^^^
      = hint: write `mask = ["email"]`

    2 problems in pipeline.toml

    exit 2
    --- stdout
    pipeline.toml: 1 problem
    --- stderr
    error: not TOML: unclosed table, expected `]`
     --> pipeline.toml:7:10
      |
    7 | [identity
      |          ^
      = hint: a line is `[section]` or `key = value`, and text stands in quotes

    1 problem in pipeline.toml

    exit 2
    --- stdout
    pipeline.toml: 1 problem
    --- stderr
    error: `table` is catalog.namespace.table, not "lake.trades"
     --> pipeline.toml:4:9
      |
    4 | table = "lake.trades"
      |         ^^^^^^^^^^^^^
      = hint: write `table = "lake.market_data.trades"`

    1 problem in pipeline.toml
    "#);
}

#[test]
fn columns_and_fields_that_are_not_there_are_shown_with_those_that_are() {
    let folder = written(&sound());
    folder.edit(
        "pipeline.toml",
        "[identity]",
        "[compare]\nmask = [\"zzz\"]\nignore = { qqq = \"none\" }\n\n[identity]",
    );
    assert_snapshot!(all(&folder, "check pipeline.toml"), @r#"
    exit 2
    --- stdout
    trades: 2 problems
    --- stderr
    error: the table has no column zzz
     --> pipeline.toml:8:10
      |
    8 | mask = ["zzz"]
      |          ^^^
      = hint: the table has topic, partition, offset, id, price, at

    error: the table has no column qqq
     --> pipeline.toml:9:18
      |
    9 | ignore = { qqq = "none" }
      |                  ^^^^^^
      = hint: the table has topic, partition, offset, id, price, at
    "#);
}

#[test]
fn a_problem_keeps_to_the_columns_and_has_colours_on_a_terminal() {
    let folder = written(&damaged());
    folder.edit(
        "pipeline.toml",
        "mode = \"offset\"",
        "mode = \"ofset\" # \u{1b}[31m and a comment that goes on and on",
    );
    let narrow = seen_at(40, folder.path(), "check --offline pipeline.toml", &[("NO_COLOR", "1")]);
    assert_eq!(narrow.0, 2);
    assert!(narrow.1.lines().all(|line| line.chars().count() <= 40), "{}", narrow.1);
    assert_snapshot!(narrow.1, @r#"
    pipeline.toml: 1 problem
    error: not TOML: invalid comment
           character, expected printable
           characters
     --> pipeline.toml:8:18
      |
    8 | mode = "ofset" # �[31m and a commen…
      |                  ^
      = hint: a line is `[section]` or `key
              = value`, and text stands in
              quotes

    1 problem in pipeline.toml
    "#);
    let painted = |columns, words: &str, environment: &[(&str, &str)]| {
        seen_at(columns, folder.path(), words, environment).1.contains("\u{1b}[")
    };
    assert!(painted(80, "check --offline pipeline.toml", &[]));
    assert!(!painted(80, "check --offline pipeline.toml", &[("TERM", "dumb")]));
    assert!(!painted(80, "check --offline pipeline.toml --color never", &[]));
    let piped = |words: &str| run(folder.path(), words, &[("NO_COLOR", "1")]).stderr.contains("\u{1b}[");
    assert!(piped("check --offline --color always pipeline.toml"));
    assert!(!piped("check --offline pipeline.toml"));
}
