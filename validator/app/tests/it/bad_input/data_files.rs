//! Data files.

use std::fs;

use fixtures_kit::table::Breakage;
use insta::assert_snapshot;

use super::{reconcile, sound, written};

#[test]
fn a_missing_data_file() {
    let scene = sound().broken(Breakage::Missing);
    assert_snapshot!(reconcile(&written(&scene)), @"
    exit 1
    --- stdout
    BREACHED  trades
      fidelity 0 is below its target 0.9999
      1 finding of storage_corrupt

    messages  2
      missing                2

    rows  0 in scope

    findings  3
      storage_corrupt               1
      missing storage_corrupt       2

    storage_corrupt  bytes of a file are not what was written
      file://DIR/warehouse/market/trades/data/f1.parquet
        written by snapshot 1001 (append)
        the file is not there; 2 rows are lost

    missing  the row may have been in a part of a file that cannot be read
      trades[0]@0  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 0
        no row, and a part of the table that may have held it can no longer be read
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        no row, and a part of the table that may have held it can no longer be read

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
}

#[test]
fn a_truncated_data_file() {
    let scene = sound().broken(Breakage::Truncated);
    assert_snapshot!(reconcile(&written(&scene)), @"
    exit 1
    --- stdout
    BREACHED  trades
      fidelity 0 is below its target 0.9999
      1 finding of storage_corrupt

    messages  2
      missing                2

    rows  0 in scope

    findings  3
      storage_corrupt               1
      missing storage_corrupt       2

    storage_corrupt  bytes of a file are not what was written
      file://DIR/warehouse/market/trades/data/f1.parquet
        written by snapshot 1001 (append)
        the footer does not read: Invalid Parquet file. Corrupt footer; the file has N bytes, the
        manifest says N; 2 rows are lost

    missing  the row may have been in a part of a file that cannot be read
      trades[0]@0  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 0
        no row, and a part of the table that may have held it can no longer be read
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        no row, and a part of the table that may have held it can no longer be read

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
}

#[test]
fn a_bit_flipped_in_a_page() {
    let folder = written(&sound());
    let file = &folder.files_of_table("f1.parquet")[0];
    let mut bytes = fs::read(file).expect("the file is there");
    // The first page of the first column: the topic's name.
    let at = bytes.windows(6).position(|window| window == b"trades").expect("the page is not compressed");
    bytes[at] ^= 1;
    fs::write(file, bytes).expect("the folder takes files");
    assert_snapshot!(reconcile(&folder), @"
    exit 1
    --- stdout
    BREACHED  trades
      fidelity 0 is below its target 0.9999

    messages  2
      corrupted              2

    rows  2 in scope
      corrupted              2

    findings  2
      corrupted bit_flip            2

    corrupted  the row has a flipped bit, or a few
      trades[0]@0  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 0
        topic
          message  trades
          row      urades
        file://DIR/warehouse/market/trades/data/f1.parquet row 0
        written by snapshot 1001 (append)
        the row was found by its other columns: topic differs: a bit is flipped, or a few
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        topic
          message  trades
          row      urades
        file://DIR/warehouse/market/trades/data/f1.parquet row 1
        written by snapshot 1001 (append)
        the row was found by its other columns: topic differs: a bit is flipped, or a few

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
}

#[test]
fn a_data_file_of_zero_bytes() {
    let folder = written(&sound());
    fs::write(&folder.files_of_table("f1.parquet")[0], "").expect("the folder takes files");
    assert_snapshot!(reconcile(&folder), @"
    exit 1
    --- stdout
    BREACHED  trades
      fidelity 0 is below its target 0.9999
      1 finding of storage_corrupt

    messages  2
      missing                2

    rows  0 in scope

    findings  3
      storage_corrupt               1
      missing storage_corrupt       2

    storage_corrupt  bytes of a file are not what was written
      file://DIR/warehouse/market/trades/data/f1.parquet
        written by snapshot 1001 (append)
        the footer does not read: N bytes are no Parquet file; the file has N bytes, the manifest says
        N; 2 rows are lost

    missing  the row may have been in a part of a file that cannot be read
      trades[0]@0  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 0
        no row, and a part of the table that may have held it can no longer be read
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        no row, and a part of the table that may have held it can no longer be read

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
}

#[test]
fn a_data_file_that_is_not_the_one_its_manifest_means() {
    let folder = written(&sound().file("0@2 c 3"));
    let files = folder.files_of_table(".parquet");
    fs::copy(&files[1], &files[0]).expect("both are there");
    assert_snapshot!(reconcile(&folder), @"
    exit 1
    --- stdout
    BREACHED  trades
      fidelity 0 is below its target 0.9999
      1 finding of metadata_inconsistent

    messages  2
      overdue                2

    rows  2 in scope
      phantom                2

    findings  5
      metadata_inconsistent         1
      phantom unexplained           2
      overdue                       2

    metadata_inconsistent  the metadata contradicts itself or the files
      file://DIR/warehouse/market/trades/data/f1.parquet
        written by snapshot 1001 (append)
        the file has 1 rows, its manifest entry says 2; the file has N bytes, its manifest entry says
        N

    phantom  a row that no message explains
      file://DIR/warehouse/market/trades/data/f1.parquet row 0
        topic = trades, partition = 0, offset = 2
        written by snapshot 1001 (append)
        no message explains this row
      file://DIR/warehouse/market/trades/data/f2.parquet row 0
        topic = trades, partition = 0, offset = 2
        written by snapshot 1002 (append)
        no message explains this row

    overdue  no row yet, and the table has not moved past it: lag, not loss
      trades[0]@0  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 0
        no row yet, and the table has not moved past it: lag, not loss
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        no row yet, and the table has not moved past it: lag, not loss

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z (again, after the table's next
      commit: what is on its way is not lost)
    ");
}

#[test]
fn a_file_of_another_format_is_said_and_not_read_wrong() {
    let scene = sound().broken(Breakage::ForeignFormat);
    assert_snapshot!(reconcile(&written(&scene)), @"
    exit 3
    --- stdout
    UNJUDGED  trades
      a part of the topic or the table could not be read
      coverage 0 is below its target 0.9999: too much could not be judged, or not yet
      messages were consumed, but none could be judged yet
      not complete: a part of what was asked for could not be looked at

    messages  2
      unobservable           2

    rows  0 in scope

    findings  2
      unobservable                  2

    unobservable  the rows that could hold it cannot be read
      trades[0]@0  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 0
        its row may lie in a file that this run could not look at
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        its row may lie in a file that this run could not look at

    warning  file://DIR/warehouse/market/trades/data/f1.parquet could not be looked at: data
             files of format ORC are not read

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
}
