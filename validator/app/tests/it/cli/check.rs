//! `check`: offline and against the live topic and table.

use std::fs;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use super::{sound, written};
use crate::scene::Scene;
use crate::transcript::validator;

#[test]
fn a_sound_pipeline_online_and_offline() {
    let folder = written(&sound());
    assert_snapshot!(validator(folder.path(), "check pipeline.toml").all(), @"
    exit 0
    --- stdout
    trades: sound, on a sample of 3 messages
    ");
    assert_snapshot!(validator(folder.path(), "check --offline pipeline.toml").all(), @"
    exit 0
    --- stdout
    trades: sound as far as the files tell
    ");
}

#[test]
fn offline_looks_at_the_files_only() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "lake.market.trades", "lale.no.table");
    assert_eq!(validator(folder.path(), "check --offline pipeline.toml").exit, 0);
    assert_eq!(validator(folder.path(), "check pipeline.toml").exit, 2);
}

#[test]
fn every_problem_of_every_pipeline_is_listed() {
    let folder = written(&sound());
    let text = fs::read_to_string(folder.join("pipeline.toml")).expect("it is there");
    let other = text
        .replace("name = \"trades\"", "name = \"other\"")
        .replace("[identity]", "[map]\nprice = \"1 +\"\n\n[identity]");
    fs::write(folder.join("other.toml"), other).expect("the folder takes files");
    fs::write(folder.join("third.toml"), text.replace("mode =", "mod =")).expect("the folder takes files");
    let names = "check pipeline.toml other.toml third.toml missing.toml";
    assert_snapshot!(validator(folder.path(), names).all(), @r#"
    exit 2
    --- stdout
    trades: sound, on a sample of 3 messages
    other: 1 problem
    third.toml: 1 problem
    missing.toml: could not be checked
    --- stderr
    error: the expression does not parse: Expected: an expression, found: EOF
     --> other.toml:8:9
      |
    8 | price = "1 +"
      |         ^^^^^
      = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`

    error: unknown key `mod` in [identity]
     --> third.toml:8:1
      |
    8 | mod = "offset"
      | ^^^
      = hint: did you mean `mode`?

    1 problem in third.toml

    error: read missing.toml
      because: No such file or directory (os error 2)
      hint:    a path starts at the working folder: `ls` it
    "#);
}

#[test]
fn without_a_name_all_pipelines_of_the_service_are_checked() {
    let folder = written(&sound());
    assert_snapshot!(validator(folder.path(), "check").all(), @r#"
    exit 2
    --- stderr
    error: no pipeline is named, and validator.toml names none
      = hint: name a pipeline's file, or write `pipelines = ["rules/suites/*.toml"]` in [service]
    "#);
    folder.edit("validator.toml", "[catalogs.lake]", "[service]\npipelines = [\"pipe*.toml\"]\n\n[catalogs.lake]");
    assert_snapshot!(validator(folder.path(), "check").all(), @"
    exit 0
    --- stdout
    trades: sound, on a sample of 3 messages
    ");
}

#[test]
fn a_table_that_cannot_be_asked_ends_with_3() {
    let mut scene = sound();
    scene.table.equality_deletes = true;
    assert_snapshot!(validator(written(&scene).path(), "check pipeline.toml").all(), @"
    exit 3
    --- stdout
    trades: could not be checked
    --- stderr
    error: open the table
      because: table needs what this version cannot do: equality delete files (1 live)
      hint:    `--snapshot ID` judges a state of the table from before that was there
    ");
}

#[test]
fn a_field_that_is_null_in_every_message_is_not_absent() {
    let folder = written(&Scene::offset().topic("0@0 a 1 - | 0@1 b 2 -").file("0@0 a 1 - | 0@1 b 2 -"));
    assert_snapshot!(validator(folder.path(), "check pipeline.toml").all(), @"
    exit 0
    --- stdout
    trades: sound, on a sample of 2 messages
    ");
}

#[test]
fn messages_that_nobody_can_decode_are_a_wrong_contract() {
    let folder = written(&Scene::offset().payload(0, "<trade/>").payload(1, "<trade/>").file("0@0 a 1"));
    assert_snapshot!(validator(folder.path(), "check pipeline.toml").all(), @r#"
    exit 2
    --- stdout
    trades: 1 problem
      2 messages cannot be decoded: no JSON value starts here (byte 0)
    --- stderr
    error: no message of 2 sampled can be decoded: no JSON value starts here (byte 0)
     --> pipeline.toml:5:10
      |
    5 | format = "json"
      |          ^^^^^^
      = hint: write a line like `format = "json"`
    "#);
    let folder = written(&Scene::offset().topic("0@0 a 1").payload(1, "<trade/>").file("0@0 a 1"));
    assert_snapshot!(validator(folder.path(), "check pipeline.toml").all(), @"
    exit 0
    --- stdout
    trades: sound, on a sample of 2 messages
      1 message cannot be decoded: no JSON value starts here (byte 0)
    ");
}

#[test]
fn an_empty_topic_is_sound() {
    assert_snapshot!(validator(written(&Scene::offset()).path(), "check pipeline.toml").all(), @"
    exit 0
    --- stdout
    trades: sound, but the topic is empty
    ");
}

#[test]
fn warnings_of_the_service_file_are_printed_once_offline_and_online() {
    let folder = written(&sound());
    let registry = "[schema_registry]\nurl = \"http://r\"\nuser = \"me\"\npassword = \"hunter2\"\n\n[catalogs.lake]";
    folder.edit("validator.toml", "[catalogs.lake]", registry);
    let offline = validator(folder.path(), "check --offline pipeline.toml");
    assert_snapshot!(offline.all(), @r#"
    exit 0
    --- stdout
    trades: sound as far as the files tell
    --- stderr
    warning: `password` stands in the file for everyone to read
     --> validator.toml:4:12
      |
    4 | password = "***"
      |            ^^^^^
      = hint: write "${PASSWORD}" and export it, or { file = "…" }
    "#);
    assert_eq!(validator(folder.path(), "check pipeline.toml").stderr, offline.stderr);
}

#[test]
fn a_mode_that_does_not_exist_is_refused_with_the_nearest() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "mode = \"offset\"", "mode = \"Ofset\"");
    assert_snapshot!(validator(folder.path(), "check --offline pipeline.toml").all(), @r#"
    exit 2
    --- stdout
    pipeline.toml: 1 problem
    --- stderr
    error: `mode` is one of `offset`, `key` or `content`, not "Ofset"
     --> pipeline.toml:8:8
      |
    8 | mode = "Ofset"
      |        ^^^^^^^
      = hint: did you mean "offset"?

    1 problem in pipeline.toml
    "#);
    folder.edit("pipeline.toml", "mode = \"Ofset\"", "mode = \"position\"");
    assert_snapshot!(validator(folder.path(), "check --offline pipeline.toml").stderr, @r#"
    error: `mode` is one of `offset`, `key` or `content`, not "position"
     --> pipeline.toml:8:8
      |
    8 | mode = "position"
      |        ^^^^^^^^^^
      = hint: write `mode = "offset"`

    1 problem in pipeline.toml
    "#);
}

/// A bound with much room, on a debug binary and a busy machine: it is measured at about 0.1 s.
#[test]
fn a_hundred_pipelines_are_checked_offline_within_a_second() {
    let folder = written(&sound());
    let text = fs::read_to_string(folder.join("pipeline.toml")).expect("it was written");
    fs::create_dir(folder.join("suites")).expect("the folder takes folders");
    for n in 0..100 {
        let text = text.replace("name = \"trades\"", &format!("name = \"p{n:02}\""));
        fs::write(folder.join(&format!("suites/{n:02}.toml")), text).expect("the folder takes files");
    }
    folder.edit("validator.toml", "[catalogs.lake]", "[service]\npipelines = [\"suites/*.toml\"]\n\n[catalogs.lake]");
    let names: Vec<String> = (0..100).map(|n| format!("p{n:02}")).collect();
    for words in ["check --offline".to_owned(), format!("check --offline {}", names.join(" "))] {
        let timed = || {
            let started = Instant::now();
            let ran = validator(folder.path(), &words);
            assert_eq!((ran.exit, ran.stdout.lines().count()), (0, 100), "{}", ran.all());
            started.elapsed()
        };
        let best = (0..3).map(|_| timed()).min().expect("three times");
        println!("{} words: {best:?}", words.split(' ').count());
        assert!(best < Duration::from_secs(1), "{best:?}");
    }
}

/// Problems of the keys do not hide those of the expressions, and no server is needed to refuse what no contract can hold.
#[test]
fn wrong_keys_and_wrong_expressions_are_listed_at_once() {
    let folder = written(&sound());
    let map = "[map]\nprice = \"price +\"\n\n[fidelity]\ntarget = 2\nsettle = \"5\"\n\n[source]";
    folder.edit("pipeline.toml", "[source]", map);
    assert_snapshot!(validator(folder.path(), "check --offline pipeline.toml").all(), @r#"
    exit 2
    --- stdout
    pipeline.toml: 3 problems
    --- stderr
    error: the expression does not parse: Expected: an expression, found: EOF
      --> pipeline.toml:12:9
       |
    12 | price = "price +"
       |         ^^^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`

    error: `target` is a number from 0 to 1, not 2
      --> pipeline.toml:15:10
       |
    15 | target = 2
       |          ^
       = hint: write `target = 0.9999`

    error: `settle` is a duration with a unit, like "90s", "2m", "1h30m" or "24h", not "5"
      --> pipeline.toml:16:10
       |
    16 | settle = "5"
       |          ^^^
       = hint: write `settle = "2m"`

    3 problems in pipeline.toml
    "#);
}

#[test]
fn what_no_contract_can_hold_is_refused_offline() {
    for (sql, says) in [
        ("random()", "random() cannot stand in a contract"),
        ("(select 1)", "a sub-query cannot stand in a contract"),
        ("count(*)", "count() cannot stand in a contract"),
        ("now()", "now() cannot stand in a contract"),
    ] {
        let folder = written(&sound());
        folder.edit("pipeline.toml", "[identity]", &format!("[map]\nprice = \"{sql}\"\n\n[identity]"));
        let ran = validator(folder.path(), "check --offline pipeline.toml");
        assert!(ran.exit == 2 && ran.stderr.contains(says), "{sql}: {}", ran.all());
    }
    // What fits numbers and no texts is left to the check that knows the fields.
    let folder = written(&sound());
    folder.edit("pipeline.toml", "[identity]", "[map]\nprice = \"round(abs(price) * 2, 8)\"\n\n[identity]");
    assert_eq!(validator(folder.path(), "check --offline pipeline.toml").exit, 0);
}

#[test]
fn a_pipeline_named_twice_is_checked_once_and_two_of_one_name_are_told_apart() {
    let folder = written(&sound());
    fs::copy(folder.join("pipeline.toml"), folder.join("copy.toml")).expect("the folder takes files");
    let ran = validator(folder.path(), "check --offline pipeline.toml ./pipeline.toml copy.toml");
    assert_snapshot!(ran.all(), @"
    exit 0
    --- stdout
    trades (pipeline.toml): sound as far as the files tell
    trades (copy.toml): sound as far as the files tell
    ");
}

#[test]
fn where_there_is_nothing_to_check_it_is_said_of_which_file() {
    let folder = written(&sound());
    folder.edit("validator.toml", "[catalogs.lake]", "[service]\npipelines = [\"no/*.toml\"]\n\n[catalogs.lake]");
    let globbed = validator(folder.path(), "check");
    fs::remove_file(folder.join("validator.toml")).expect("it was there");
    assert_snapshot!(format!("{}\n{}", globbed.all(), validator(folder.path(), "check").all()), @"
    exit 2
    --- stderr
    error: no pipeline is named, and `pipelines` of validator.toml finds none
      = hint: `ls no/*.toml` shows what is there, from the folder of that file on

    exit 2
    --- stderr
    error: no pipeline is named, and there is no validator.toml in this folder
      = hint: name a pipeline's file, or the service's with `-c validator.toml`
    ");
}

/// A value that is far larger than any message is the fault of its message, and costs the others nothing.
#[test]
fn an_expression_that_makes_too_much_is_told_of_its_messages() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "[identity]", "[map]\nid = \"repeat(id, 100000000)\"\n\n[identity]");
    let checked = validator(folder.path(), "check pipeline.toml");
    assert!(checked.exit == 2 && !checked.stderr.contains("panicked"), "{}", checked.all());
    assert!(checked.all().contains("no message of 3 sampled can be decoded"), "{}", checked.all());
    let ran = validator(folder.path(), "reconcile pipeline.toml --quiet --as-of 2024-08-08T14:00:00Z");
    assert!(ran.exit == 3 && ran.stderr.is_empty() && ran.stdout.contains("map_failed"), "{}", ran.all());
}
