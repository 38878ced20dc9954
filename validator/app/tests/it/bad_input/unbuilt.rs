//! What later releases bring is refused by name, or is not there.

use insta::assert_snapshot;

use super::{reconcile, sound, written};
use crate::transcript::validator;

#[test]
fn what_is_not_built_yet_is_refused_by_name() {
    let folder = written(&sound().section("[[rules]]\nname = \"r\""));
    folder.edit("pipeline.toml", "format = \"json\"", "format = \"protobuf\"\npoll = \"2s\"");
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: `format = "protobuf"` is not built yet
     --> pipeline.toml:5:10
      |
    5 | format = "protobuf"
      |          ^^^^^^^^^^
      = hint: write `format = "json"`

    error: [[rules]] is not built yet
      --> pipeline.toml:12:3
       |
    12 | [[rules]]
       |   ^^^^^
       = hint: take it out for now

    2 problems in pipeline.toml
    "#);
}

#[test]
fn flags_and_commands_that_are_not_built_yet_are_no_flags_and_commands() {
    let folder = written(&sound());
    for words in ["scrub lake.market.trades", "audit lake.market.trades", "reconcile --findings f.csv p"] {
        let ran = validator(folder.path(), words);
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{words}: {}", ran.all());
    }
    assert_snapshot!(validator(folder.path(), "reconcile pipeline.toml --findings f.csv").all(), @"
    exit 2
    --- stderr
    error: invalid value 'f.csv' for '--findings <FILE.jsonl|.parquet>': findings are written as JSON lines or Parquet: name a FILE.jsonl or FILE.parquet, not .csv

    For more information, try '--help'.
    ");
    assert_snapshot!(validator(folder.path(), "reconcile pipeline.toml --from tomorrow").all(), @"
    exit 2
    --- stderr
    error: invalid value 'tomorrow' for '--from <OFFSETS|TIME|earliest>': expected an offset like 12345, offsets by partition like 0:100,1:2500, or a time: RFC 3339 with its zone like 2024-08-08T00:00:00Z, or a duration back from now like -2h

    For more information, try '--help'.
    ");
}
