//! Rows that position deletes and deletion vectors take away: what is said of their messages, and what of delete files
//! that cannot be read (decision 0011).

use fixtures_kit::table::{Breakage, DeleteFile, DeleteKind, Operation};
use insta::assert_snapshot;

use crate::scene::{Scene, alike};

const FOUR: &str = "0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@3 d 4";
const KINDS: [DeleteKind; 3] = [DeleteKind::PositionsOfFile, DeleteKind::PositionsOfPartition, DeleteKind::Vector];

/// The scene after its last commit has taken these rows of one file (from 0) away too.
fn deleting(mut scene: Scene, kind: DeleteKind, file: usize, positions: &[u64]) -> Scene {
    let suffix = if kind == DeleteKind::Vector { "puffin" } else { "parquet" };
    scene.table.deletes.push(DeleteFile {
        path: format!("data/d{}.{suffix}", scene.table.deletes.len() + 1),
        kind,
        rows: positions.iter().map(|position| (file, *position)).collect(),
        added_by: scene.table.snapshots.len() - 1,
        removed_by: None,
        breakage: None,
    });
    scene
}

fn broken(mut scene: Scene, breakage: Breakage) -> Scene {
    scene.table.deletes.last_mut().expect("a delete file comes first").breakage = Some(breakage);
    scene
}

/// What is said of the scene that `scene` makes for each kind: the same.
fn all_alike(scene: impl Fn(DeleteKind) -> Scene) -> String {
    let [one, two, three] = KINDS.map(scene);
    assert_eq!(alike(&one, &two), alike(&one, &three));
    one.verdicts()
}

#[test]
fn a_message_whose_row_was_deleted_is_missing_removed_with_the_operation_named() {
    let says = all_alike(|kind| {
        let scene = Scene::offset().topic(FOUR).file(FOUR).commit(Operation::Delete, &[], &[]);
        let scene = deleting(scene, kind, 0, &[1, 3]);
        let told = scene.answer().findings.at_hand;
        let by = |finding: &validator_core::finding::Finding| (finding.snapshot_id, finding.operation.clone());
        assert!(told.iter().all(|finding| by(finding) == (Some(1002), Some("delete".to_owned()))), "{told:?}");
        scene
    });
    assert_snapshot!(says, @"
    messages 4: 2 intact, 2 missing
    rows 2: 2 intact
    breached, fidelity 0.5
    missing removed trades[0]@1
    missing removed trades[0]@3
    ");
    let key = Scene::key().topic(FOUR).file("a 1 | b 2 | c 3 | d 4").commit(Operation::Delete, &[], &[]);
    assert_eq!(deleting(key, DeleteKind::Vector, 0, &[1, 3]).verdicts(), says);
}

#[test]
fn the_commit_that_is_named_is_the_one_that_deleted_this_row() {
    let scene = Scene::offset().topic(FOUR).file(FOUR).commit(Operation::Delete, &[], &[]);
    let scene = deleting(scene, DeleteKind::Vector, 0, &[0]).commit(Operation::Overwrite, &[], &[]);
    let mut scene = deleting(scene, DeleteKind::Vector, 0, &[0, 2]);
    scene.table.deletes[0].removed_by = Some(2);
    let by: Vec<_> =
        scene.answer().findings.at_hand.iter().map(|f| (f.offset, f.snapshot_id, f.operation.clone())).collect();
    let named = |offset, snapshot, operation: &str| (Some(offset), Some(snapshot), Some(operation.to_owned()));
    assert_eq!(by, [named(0, 1002, "delete"), named(2, 1003, "overwrite")]);
}

#[test]
fn copies_that_were_deleted_are_no_copies() {
    let says = all_alike(|kind| {
        let scene =
            Scene::offset().topic(FOUR).file(FOUR).file("0@1 b 2 | 0@2 c 3").commit(Operation::Delete, &[], &[]);
        deleting(scene, kind, 1, &[0, 1])
    });
    assert_snapshot!(says, @"
    messages 4: 4 intact
    rows 4: 4 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn a_row_that_was_deleted_and_written_anew_is_there() {
    // Merge-on-read writes the new row and deletes the old one in one commit.
    let says = all_alike(|kind| {
        let scene = Scene::offset().topic(FOUR).file("0@0 a 1 | 0@1 b 9 | 0@2 c 3 | 0@3 d 4").file("0@1 b 2");
        let mut scene = deleting(scene, kind, 0, &[1]);
        scene.table.snapshots[1].operation = Operation::Overwrite;
        scene
    });
    assert_snapshot!(says, @"
    messages 4: 4 intact
    rows 4: 4 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn deleted_rows_are_no_phantoms_and_none_comes_back_by_its_identity() {
    let scene = Scene::offset().topic(FOUR).file("0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@3 d 4 | 0@3 d 4 | 0@9 x 9");
    let scene = deleting(scene.commit(Operation::Delete, &[], &[]), DeleteKind::PositionsOfFile, 0, &[4, 5]);
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 4 intact
    rows 4: 4 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn the_position_in_a_finding_is_that_in_the_file() {
    let scene = Scene::offset().topic(FOUR).file("0@0 a 1 | 0@1 b 2 | 0@1 b 2 | 0@2 c 3 | 0@3 d 5");
    let scene = deleting(scene.commit(Operation::Delete, &[], &[]), DeleteKind::Vector, 0, &[1]);
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 1 corrupted, 3 intact
    rows 4: 1 corrupted, 3 intact
    breached, fidelity 0.75
    corrupted other trades[0]@3 f1:4 price 4 → 5 other
    ");
}

#[test]
fn an_older_snapshot_is_judged_by_its_own_deletes() {
    let scene = Scene::offset().topic(FOUR).file(FOUR).commit(Operation::Delete, &[], &[]);
    let scene = deleting(scene, DeleteKind::PositionsOfPartition, 0, &[1]);
    assert_snapshot!(scene.snapshot(1001).verdicts(), @"
    messages 4: 4 intact
    rows 4: 4 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn a_delete_file_that_is_not_there_makes_the_messages_of_its_data_file_unobservable() {
    for kind in KINDS {
        let scene = Scene::offset().topic(FOUR).file("0@0 a 1 | 0@1 b 2").file("0@2 c 3 | 0@3 d 4");
        let scene = deleting(scene.commit(Operation::Delete, &[], &[]), kind, 0, &[0]);
        let says = broken(scene, Breakage::Missing).verdicts();
        match kind {
            // Any file of the partition may have deleted rows.
            DeleteKind::PositionsOfPartition => assert_snapshot!(says, @"
            messages 4: 4 unobservable
            rows 0
            breached, fidelity null, not complete
            unobservable trades[0]@0
            unobservable trades[0]@1
            unobservable trades[0]@2
            unobservable trades[0]@3
            storage_corrupt d1 (the file is not there; which rows it deletes is not known)
            warning: file://DIR/warehouse/market/trades/data/f1.parquet could not be looked at: which of its rows are deleted is not known: file://DIR/warehouse/market/trades/data/d1.parquet: the file is not there
            warning: file://DIR/warehouse/market/trades/data/f2.parquet could not be looked at: which of its rows are deleted is not known: file://DIR/warehouse/market/trades/data/d1.parquet: the file is not there
            "),
            DeleteKind::PositionsOfFile => assert_snapshot!(says, @"
            messages 4: 2 intact, 2 unobservable
            rows 2: 2 intact
            breached, fidelity 1.0, not complete
            unobservable trades[0]@0
            unobservable trades[0]@1
            storage_corrupt d1 (the file is not there; which rows it deletes is not known)
            warning: file://DIR/warehouse/market/trades/data/f1.parquet could not be looked at: which of its rows are deleted is not known: file://DIR/warehouse/market/trades/data/d1.parquet: the file is not there
            "),
            DeleteKind::Vector => assert_snapshot!(says, @"
            messages 4: 2 intact, 2 unobservable
            rows 2: 2 intact
            breached, fidelity 1.0, not complete
            unobservable trades[0]@0
            unobservable trades[0]@1
            storage_corrupt d1.puffin (the file is not there; which rows it deletes is not known)
            warning: file://DIR/warehouse/market/trades/data/f1.parquet could not be looked at: which of its rows are deleted is not known: file://DIR/warehouse/market/trades/data/d1.puffin: the file is not there
            "),
        }
    }
}

#[test]
fn a_delete_file_cut_off_is_storage_corrupt_and_one_of_another_format_is_a_warning() {
    let scene = |kind| {
        let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1 | 0@1 b 2");
        deleting(scene.commit(Operation::Delete, &[], &[]), kind, 0, &[0])
    };
    assert_snapshot!(broken(scene(DeleteKind::Vector), Breakage::Truncated).verdicts(), @"
    messages 2: 2 unobservable
    rows 0
    breached, fidelity null, not complete
    unobservable trades[0]@0
    unobservable trades[0]@1
    storage_corrupt d1.puffin (the Puffin footer does not read: no magic at the end; which rows it deletes is not known)
    warning: file://DIR/warehouse/market/trades/data/f1.parquet could not be looked at: which of its rows are deleted is not known: file://DIR/warehouse/market/trades/data/d1.puffin: the Puffin footer does not read: no magic at the end
    ");
    assert_snapshot!(broken(scene(DeleteKind::PositionsOfFile), Breakage::ForeignFormat).verdicts(), @"
    messages 2: 2 unobservable
    rows 0
    unjudged, fidelity null, not complete
    unobservable trades[0]@0
    unobservable trades[0]@1
    warning: file://DIR/warehouse/market/trades/data/f1.parquet could not be looked at: which of its rows are deleted is not known: file://DIR/warehouse/market/trades/data/d1.parquet: delete files of format ORC are not read
    ");
}

#[test]
fn a_position_behind_the_last_row_breaches_and_names_both_files() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1 | 0@1 b 2");
    let scene = deleting(scene.commit(Operation::Delete, &[], &[]), DeleteKind::PositionsOfFile, 0, &[7]);
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact
    breached, fidelity 1.0
    metadata_inconsistent d1 (it deletes row 7 of file://DIR/warehouse/market/trades/data/f1.parquet, which has 2 rows)
    ");
}
