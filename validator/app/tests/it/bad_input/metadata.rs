//! Manifests, manifest lists, metadata, and what a table may need that is not built.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use super::{reconcile, sound, written};

fn truncate(path: &Path) {
    let bytes = fs::read(path).expect("the file is there");
    fs::write(path, &bytes[..bytes.len() * 2 / 3]).expect("the folder takes files");
}

#[test]
fn a_missing_manifest() {
    let folder = written(&sound());
    for manifest in folder.files_of_table(".avro").iter().filter(|path| !is_list(path)) {
        fs::remove_file(manifest).expect("it is there");
    }
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stderr
    error: open the table
      because: manifest not readable:
               file://DIR/warehouse/market/trades/metadata/00001-m0.avro
      because: object not found: file://DIR/warehouse/market/trades/metadata/00001-m0.avro
      because: Object at location DIR/warehouse/market/trades/metadata/00001-m0.avro not
               found: No such file or directory (os error 2)
      hint:    `--snapshot ID` judges an earlier state of the table, whose metadata may be whole
    ");
}

#[test]
fn a_broken_manifest() {
    let folder = written(&sound());
    folder.files_of_table(".avro").iter().filter(|path| !is_list(path)).for_each(|path| truncate(path));
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stderr
    error: open the table
      because: manifest broken: file://DIR/warehouse/market/trades/metadata/00001-m0.avro
      because: it ends within its header
      hint:    `--snapshot ID` judges an earlier state of the table, whose metadata may be whole
    ");
}

#[test]
fn a_broken_manifest_list() {
    let folder = written(&sound());
    folder.files_of_table(".avro").iter().filter(|path| is_list(path)).for_each(|path| truncate(path));
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stderr
    error: open the table
      because: manifest list broken:
               file://DIR/warehouse/market/trades/metadata/snap-1001.avro
      because: it ends within its header
      hint:    `--snapshot ID` judges an earlier state of the table, whose metadata may be whole
    ");
    folder
        .files_of_table(".avro")
        .iter()
        .filter(|path| is_list(path))
        .for_each(|path| fs::remove_file(path).expect("it is there"));
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stderr
    error: open the table
      because: manifest list not readable:
               file://DIR/warehouse/market/trades/metadata/snap-1001.avro
      because: object not found: file://DIR/warehouse/market/trades/metadata/snap-1001.avro
      because: Object at location DIR/warehouse/market/trades/metadata/snap-1001.avro not
               found: No such file or directory (os error 2)
      hint:    `--snapshot ID` judges an earlier state of the table, whose metadata may be whole
    ");
}

fn is_list(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snap"))
}

#[test]
fn broken_metadata() {
    let folder = written(&sound());
    folder.files_of_table("metadata.json").iter().for_each(|path| truncate(path));
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stderr
    error: open the table
      because: table metadata broken:
               file://DIR/warehouse/market/trades/metadata/00001-UUID.metadata.json
      because: not JSON
      because: EOF while parsing a string at line 1 column 928
      hint:    `--snapshot ID` judges an earlier state of the table, whose metadata may be whole
    ");
    folder.files_of_table("metadata.json").iter().for_each(|path| fs::write(path, "{}").expect("a file"));
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stderr
    error: open the table
      because: table metadata broken:
               file://DIR/warehouse/market/trades/metadata/00001-UUID.metadata.json
      because: not Iceberg metadata
      because: data did not match any variant of untagged enum TableMetadataEnum
      hint:    `--snapshot ID` judges an earlier state of the table, whose metadata may be whole
    ");
    folder.files_of_table("metadata.json").iter().for_each(|path| fs::remove_file(path).expect("it is there"));
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stderr
    error: open the table
      because: table metadata not readable:
               file://DIR/warehouse/market/trades/metadata/00001-UUID.metadata.json
      because: object not found:
               file://DIR/warehouse/market/trades/metadata/00001-UUID.metadata.json
      because: Object at location
               DIR/warehouse/market/trades/metadata/00001-UUID
               .metadata.json not found: No such file or directory (os error 2)
      hint:    `--snapshot ID` judges an earlier state of the table, whose metadata may be whole
    ");
}

#[test]
fn a_table_of_a_version_to_come() {
    let folder = written(&sound());
    for path in folder.files_of_table("metadata.json") {
        let text = fs::read_to_string(&path).expect("it is there");
        fs::write(&path, text.replace("\"format-version\":2", "\"format-version\":9")).expect("a file");
    }
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stderr
    error: open the table
      because: table needs what this version cannot do: Iceberg format version 9
      hint:    `--snapshot ID` judges a state of the table from before that was there
    ");
}

#[test]
fn a_table_with_equality_deletes_is_refused_with_its_reason() {
    let mut scene = sound();
    scene.table.equality_deletes = true;
    assert_snapshot!(reconcile(&written(&scene)), @"
    exit 3
    --- stderr
    error: open the table
      because: table needs what this version cannot do: equality delete files (1 live)
      hint:    `--snapshot ID` judges a state of the table from before that was there
    ");
}
