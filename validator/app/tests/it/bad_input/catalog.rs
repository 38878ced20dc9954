//! The catalog, the table in it, and the snapshot.

use std::fs;

use fixtures_kit::table::Operation;
use insta::assert_snapshot;

use super::{reconcile, sound, written};
use crate::scene::Scene;
use crate::transcript::validator;

#[test]
fn a_table_that_is_not_there_names_the_nearest() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "lake.market.trades", "lake.market.trade");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the table
      because: catalog lookup failed
      because: table not found: lake.market.trade; did you mean lake.market.trades?
      hint:    a table is `catalog.namespace.table`, its catalog one of validator.toml
    ");
}

#[test]
fn a_catalog_that_is_not_in_the_service_file() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "lake.market.trades", "lale.market.trades");
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: there is no catalog `lale` in validator.toml
     --> pipeline.toml:4:9
      |
    4 | table = "lale.market.trades"
      |         ^^^^^^^^^^^^^^^^^^^^
      = hint: did you mean `lake`?
    "#);
}

#[test]
fn a_catalog_database_that_is_not_there() {
    let folder = written(&sound());
    fs::remove_file(folder.join("warehouse/catalog.db")).expect("it is there");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the table
      because: catalog lookup failed
      because: catalog database not found: DIR/warehouse/catalog.db
      hint:    `uri` and `catalog_name` in [catalogs] of validator.toml say where tables are looked up
    ");
}

#[test]
fn a_catalog_database_that_is_none() {
    let folder = written(&sound());
    fs::write(folder.join("warehouse/catalog.db"), "no database, only text").expect("the folder takes files");
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stderr
    error: open the table
      because: catalog lookup failed
      because: catalog query failed: DIR/warehouse/catalog.db
      because: error returned from database: (code: 26) file is not a database
      hint:    `uri` and `catalog_name` in [catalogs] of validator.toml say where tables are looked up
    ");
    fs::write(folder.join("warehouse/catalog.db"), "").expect("the folder takes files");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the table
      because: catalog lookup failed
      because: no iceberg_tables in catalog database DIR/warehouse/catalog.db
      hint:    `uri` and `catalog_name` in [catalogs] of validator.toml say where tables are looked up
    ");
}

#[test]
fn an_empty_table() {
    let scene = Scene::offset().topic("0@0 a 1").file("0@0 a 1");
    let mut scene = scene.commit(Operation::Delete, &[], &[0]);
    scene.table.snapshots[0].commit_ms -= 1000;
    assert_snapshot!(reconcile(&written(&scene)), @"
    exit 1
    --- stdout
    BREACHED  trades
      fidelity 0 is below its target 0.9999

    messages  1
      missing                1

    rows  0 in scope

    findings  1
      missing removed               1

    missing  the row stands in an older snapshot and is gone now
      trades[0]@0  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 0
        taken away by snapshot 1002 (delete)
        the row was in an earlier snapshot and was taken away

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
}

#[test]
fn a_table_without_a_snapshot() {
    assert_snapshot!(reconcile(&written(&Scene::offset().topic("0@0 a 1"))), @"
    exit 3
    --- stdout
    UNJUDGED  trades
      coverage 0 is below its target 0.9999: too much could not be judged, or not yet
      messages were consumed, but none could be judged yet

    messages  1
      overdue                1

    rows  0 in scope

    findings  1
      overdue                       1

    overdue  no row yet, and the table has not moved past it: lag, not loss
      trades[0]@0  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 0
        no row yet, and the table has not moved past it: lag, not loss

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z (again, after the table's next
      commit: what is on its way is not lost)
    ");
}

#[test]
fn a_snapshot_that_is_not_there() {
    let folder = written(&sound());
    assert_snapshot!(validator(folder.path(), "reconcile pipeline.toml --snapshot 7").all(), @"
    exit 2
    --- stderr
    error: open the table
      because: snapshot 7 not found; the current snapshot is 1001
      hint:    leave `--snapshot` out to judge the current state
    ");
    assert_snapshot!(validator(folder.path(), "reconcile pipeline.toml --snapshot mian").all(), @"
    exit 2
    --- stderr
    error: open the table
      because: branch or tag `mian` not found; did you mean main?
      hint:    leave `--snapshot` out to judge the current state
    ");
    assert_snapshot!(validator(folder.path(), "reconcile pipeline.toml --snapshot 2001-01-01T00:00:00Z").all(), @"
    exit 2
    --- stderr
    error: open the table
      because: no snapshot was current at 2001-01-01T00:00:00.000Z; the first known is of
               2024-08-08T13:00:00.000Z
      hint:    leave `--snapshot` out to judge the current state
    ");
}
