//! The two files: keys, types and names.

use insta::assert_snapshot;

use super::{reconcile, sound, written};
use crate::transcript::validator;

#[test]
fn an_unknown_key_names_the_nearest_one() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "mode =", "mod =");
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: unknown key `mod` in [identity]
     --> pipeline.toml:8:1
      |
    8 | mod = "offset"
      | ^^^
      = hint: did you mean `mode`?

    1 problem in pipeline.toml
    "#);
}

#[test]
fn a_key_in_another_section_names_its_own() {
    let folder = written(&sound().pipeline("settle = \"1s\"\nwidht = 2"));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: unknown key `settle` in [pipeline]
     --> pipeline.toml:6:1
      |
    6 | settle = "1s"
      | ^^^^^^
      = hint: `settle` belongs in [fidelity]

    error: unknown key `widht` in [pipeline]
     --> pipeline.toml:7:1
      |
    7 | widht = 2
      | ^^^^^
      = hint: known here: `name`, `topic`, `topics`, `table`, `format`, `schema`, `start`, `filter`,
              `row_filter`, `null_payload` and `poll`

    2 problems in pipeline.toml
    "#);
}

#[test]
fn an_unknown_key_of_the_service_names_the_nearest_one() {
    let folder = written(&sound());
    folder.edit("validator.toml", "catalog_name", "catalogue_name");
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: unknown key `catalogue_name` in [catalogs.lake]
     --> validator.toml:4:1
      |
    4 | catalogue_name = "lake"
      | ^^^^^^^^^^^^^^
      = hint: did you mean `catalog_name`?

    1 problem in validator.toml
    "#);
}

#[test]
fn a_value_of_the_wrong_type() {
    let folder = written(&sound().pipeline("filter = 3"));
    folder.edit("pipeline.toml", "\"offset\"\ncolumns", "\"offset\"\nwidth = \"many\"\ncolumns");
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: `filter` is a string, not a whole number
     --> pipeline.toml:6:10
      |
    6 | filter = 3
      |          ^
      = hint: write `filter = "kind = 'trade'"`

    error: `width` is a whole number from 1 to 16777216, not a string
      --> pipeline.toml:10:9
       |
    10 | width = "many"
       |         ^^^^^^
       = hint: write `width = 4096`

    2 problems in pipeline.toml
    "#);
}

#[test]
fn what_is_not_toml() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "[identity]", "[identity");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: not TOML: unclosed table, expected `]`
     --> pipeline.toml:7:10
      |
    7 | [identity
      |          ^
      = hint: a line is `[section]` or `key = value`, and text stands in quotes

    1 problem in pipeline.toml
    ");
}

#[test]
fn a_pipeline_file_that_is_not_there() {
    let folder = written(&sound());
    assert_snapshot!(validator(folder.path(), "reconcile pipelin.toml").all(), @"
    exit 2
    --- stderr
    error: read pipelin.toml
      because: No such file or directory (os error 2)
      hint:    a path starts at the working folder: `ls` it
    ");
    assert_snapshot!(validator(folder.path(), "reconcile trades").all(), @r#"
    exit 2
    --- stderr
    error: no file is called `trades`, and validator.toml names no pipelines
      = hint: write `pipelines = ["rules/suites/*.toml"]` in [service], or name the pipeline's file
    "#);
}

#[test]
fn a_field_type_that_is_none() {
    let folder = written(&sound().section("[fields]\nprice = \"decimal(18, 8\"\nid = \"strin\""));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: the type of `price` is not one: expected `)` at character 14, found the end
      --> pipeline.toml:12:9
       |
    12 | price = "decimal(18, 8"
       |         ^^^^^^^^^^^^^^^
       = hint: write `price = "epoch_ms"`

    error: the type of `id` is not one: unknown type `strin` at character 1; did you mean `string`?
      --> pipeline.toml:13:7
       |
    13 | id = "strin"
       |       ^^^^^
       = hint: write `id = "epoch_ms"`

    2 problems in pipeline.toml
    "#);
}

#[test]
fn keys_of_one_kind_of_catalog_are_not_those_of_another() {
    let folder = written(&sound());
    folder.edit("validator.toml", "type = \"sql\"", "type = \"rest\"");
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: `uri` starts with http:// or https:// and names a host
     --> validator.toml:3:7
      |
    3 | uri = "sqlite://DIR/warehouse/catalog.db"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: write `uri = "http://localhost:8181"`

    error: unknown key `catalog_name` in [catalogs.lake]
     --> validator.toml:4:1
      |
    4 | catalog_name = "lake"
      | ^^^^^^^^^^^^
      = hint: known here: `type`, `storage`, `uri`, `warehouse`, `prefix`, `credential`, `token`,
              `oauth2-server-uri`, `scope`, `audience`, `resource`, `ca` and `timeout`

    2 problems in validator.toml
    "#);
}
