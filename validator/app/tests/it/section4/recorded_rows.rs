//! Files of rows that are broken (interface, sections 3 and 4): what was read is judged, the rest was not looked at, and
//! nobody says that it holds.

use std::fs;

use fixtures_kit::table::Breakage;
use serde_json::Value as Json;

use super::recorded::written;
use crate::scene::{Folder, Mode, Scene};
use crate::transcript::{Ran, validator};

/// Rows of a key scene as a Parquet file, two to a row group.
fn parquet(rows: &str, broken: &[usize]) -> Vec<u8> {
    let scene = Scene::key().file(rows).last_file(|file| file.row_group_rows = 2);
    let scene = if broken.is_empty() { scene } else { scene.broken(Breakage::RowGroups(broken.to_vec())) };
    let folder = crate::bad_input::written(&scene);
    fs::read(&folder.files_of_table("f1.parquet")[0]).expect("the file is there")
}

/// A folder in which these files are the messages of the scene's table.
fn folder(scene: &Scene, files: &[(&str, Vec<u8>)]) -> Folder {
    let folder = written(&scene.clone().topic("0@0 x 1"), "parquet");
    folder.edit("pipeline.toml", "topic.jsonl", "*.parquet");
    files.iter().for_each(|(name, bytes)| fs::write(folder.join(name), bytes).expect("the folder takes files"));
    folder
}

fn reconcile(folder: &Folder, words: &str) -> Ran {
    let all =
        format!("reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --report r.json --findings f.jsonl {words}");
    validator(folder.path(), &all).assert_no_panic()
}

fn report(folder: &Folder) -> Json {
    serde_json::from_str(&fs::read_to_string(folder.join("r.json")).expect("a report")).expect("JSON")
}

/// Exit, outcome, what counts are not 0, and the findings.
fn judged(folder: &Folder) -> String {
    let ran = reconcile(folder, "");
    let report = report(folder);
    let counts = |side: &str, all: &str| {
        let counts = report[side].as_object().expect("counts").iter();
        let told = counts.filter(|(name, count)| *name != all && count.as_u64().is_some_and(|count| count > 0));
        told.map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
    };
    let complete = if report["complete"] == true { "" } else { ", not complete" };
    let mut said = format!("exit {}, {}{complete}", ran.exit, report["outcome"].as_str().unwrap_or_default());
    said += &format!(" | {} | {}", counts("messages", "consumed"), counts("rows", "total"));
    for line in fs::read_to_string(folder.join("f.jsonl")).expect("findings").lines() {
        let finding: Json = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| finding[name].as_str().unwrap_or("-").to_owned();
        said += &format!(" | {} {} {}@{}", text("verdict"), text("cause"), finding["partition"], finding["offset"]);
    }
    said
}

const FOUR: &str = "a 1 | b 2 | c 3 | d 4";
const FOUR_PLACED: &str = "0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@3 d 4";

fn of_every_mode() -> [(Scene, &'static str); 5] {
    [
        (Scene::offset(), FOUR_PLACED),
        (Scene::key(), FOUR),
        (Scene::key_plain(), FOUR),
        (Scene::content(), FOUR),
        (Scene::content_plain(), FOUR),
    ]
}

#[test]
fn a_broken_page_ends_its_file_at_the_row_before_it_and_the_run_is_not_complete() {
    for (scene, rows) in of_every_mode() {
        let mode = scene.mode;
        let scene = scene.file(rows);
        let sound = folder(&scene, &[("a.parquet", parquet(FOUR, &[]))]);
        assert_eq!(judged(&sound), "exit 0, holds | 4 intact | 4 intact", "{mode:?}");
        let broken = folder(&scene, &[("a.parquet", parquet(FOUR, &[1]))]);
        let said = judged(&broken);
        assert_eq!(said, "exit 3, unjudged, not complete | 2 intact | 2 intact, 2 out_of_scope", "{mode:?}");
        let report = report(&broken);
        assert_eq!((&report["partitions"][0]["to"], &report["partitions"][0]["consumed"]), (&2.into(), &2.into()));
        let warning = report["warnings"][0].as_str().unwrap_or_default();
        assert!(warning.starts_with("trades[0] could be read only up to offset 2: "), "{warning}");
    }
}

#[test]
fn where_no_row_can_be_read_nothing_is_judged() {
    for (scene, rows) in of_every_mode() {
        let mode = scene.mode;
        let broken = folder(&scene.file(rows), &[("a.parquet", parquet(FOUR, &[0, 1]))]);
        assert_eq!(judged(&broken), "exit 3, unjudged, not complete |  | 4 out_of_scope", "{mode:?}");
    }
}

#[test]
fn what_was_read_before_a_broken_page_is_judged_and_can_breach() {
    let messages = || vec![("a.parquet", parquet(FOUR, &[1]))];
    let damaged = folder(&Scene::key().file("a 9 | b 2 | c 3 | d 4"), &messages());
    assert_eq!(
        judged(&damaged),
        "exit 1, breached, not complete | 1 corrupted, 1 intact | 1 corrupted, 1 intact, 2 out_of_scope \
         | corrupted other 0@0"
    );
    let lost = folder(&Scene::key().file("b 2 | c 3 | d 4"), &messages());
    assert_eq!(
        judged(&lost),
        "exit 1, breached, not complete | 1 intact, 1 missing | 1 intact, 2 out_of_scope | missing lost 0@0"
    );
}

#[test]
fn rows_of_windows_well_before_the_broken_page_are_in_scope() {
    // Read is up to +600; of the windows of a minute those up to +540 are inside.
    let rows = "a 1 | b 2 +600 | c 3 +1200 | d 4 +1800";
    let scene = Scene::key().file("a 1 | x 8 +300 | b 2 +600 | y 9 +600 | c 3 +1200 | d 4 +1800");
    let broken = folder(&scene, &[("a.parquet", parquet(rows, &[1]))]);
    assert_eq!(
        judged(&broken),
        "exit 1, breached, not complete | 2 intact | 2 intact, 3 out_of_scope, 1 phantom | phantom unexplained null@null"
    );
}

#[test]
fn a_broken_file_beside_a_sound_one_is_a_partition_that_ends_early() {
    let files = [("a.parquet", parquet("a 1 | b 2", &[])), ("b.parquet", parquet("c 3 | d 4", &[0]))];
    let both = folder(&Scene::key().file(FOUR), &files);
    assert_eq!(judged(&both), "exit 3, unjudged, not complete | 2 intact | 2 intact, 2 out_of_scope");
    let rows = "0@0 a 1 | 0@1 b 2 | 1@0 c 3 | 1@1 d 4";
    let both = folder(&Scene::offset().file(rows), &files);
    assert_eq!(judged(&both), "exit 3, unjudged, not complete | 2 intact | 2 intact, 2 out_of_scope");
}

#[test]
fn an_upsert_table_is_not_judged_by_a_file_that_cannot_be_read_to_its_end() {
    let mut scene = Scene::upsert().file(FOUR);
    scene.mode = Mode::UpsertByMap;
    let sound = folder(&scene, &[("a.parquet", parquet(FOUR, &[]))]);
    assert_eq!(judged(&sound), "exit 0, holds | 4 intact | 4 intact");
    let broken = folder(&scene, &[("a.parquet", parquet(FOUR, &[1]))]);
    let ran = reconcile(&broken, "");
    assert_eq!((ran.exit, ran.stdout.as_str()), (3, ""), "{}", ran.all());
    assert!(ran.stderr.contains("trades[0] could not be read to its end"), "{}", ran.all());
    assert!(!broken.join("r.json").exists());
}

#[test]
fn a_file_that_is_cut_or_is_no_parquet_is_refused_by_its_name() {
    let sound = parquet(FOUR, &[]);
    let cut = |length: usize| sound[..length].to_vec();
    for (what, bytes) in [
        ("without its last byte", cut(sound.len() - 1)),
        ("without its footer", cut(sound.len() * 2 / 3)),
        ("of its magic alone", cut(4)),
        ("empty", Vec::new()),
        ("of JSON", b"{\"id\": \"a\", \"price\": 1}\n".to_vec()),
    ] {
        let folder = folder(&Scene::key().file(FOUR), &[("a.parquet", sound.clone()), ("b.parquet", bytes)]);
        let ran = reconcile(&folder, "");
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{what}: {}", ran.all());
        assert!(ran.stderr.starts_with("error: open the topic\n"), "{what}: {}", ran.all());
        assert!(ran.stderr.contains("b.parquet"), "{what}: {}", ran.all());
        assert!(!folder.join("r.json").exists(), "{what}");
        let checked = validator(folder.path(), "check pipeline.toml").assert_no_panic();
        assert_eq!(checked.exit, 2, "{what}: {}", checked.all());
    }
}

#[test]
fn a_file_that_lacks_a_byte_in_its_midst_never_holds() {
    let (sound, broken) = (parquet(FOUR, &[]), parquet(FOUR, &[0, 1]));
    // Up to here there are pages; what follows them, nobody need read.
    let last_page = (0..sound.len()).rfind(|at| sound[*at] != broken[*at]).expect("the last page is broken there");
    for eighth in 1..=8 {
        let mut bytes = sound.clone();
        bytes.remove(last_page * eighth / 8);
        let folder = folder(&Scene::key().file(FOUR), &[("a.parquet", bytes)]);
        let ran = reconcile(&folder, "");
        assert!((1..=3).contains(&ran.exit), "{eighth}: {}", ran.all());
        let outcome = if folder.join("r.json").exists() { report(&folder)["outcome"].clone() } else { Json::Null };
        assert_ne!(outcome, "holds", "{eighth}");
    }
}

#[test]
fn a_broken_page_in_a_range_of_time_is_noticed_too() {
    let broken = folder(&Scene::key().file(FOUR), &[("a.parquet", parquet(FOUR, &[1]))]);
    broken.edit("pipeline.toml", "envelope = \"none\"", "envelope = \"none\"\ntimestamp = \"at\"");
    let ran = reconcile(&broken, "--from 2024-08-08T11:00:00Z");
    assert!(ran.exit == 2 || ran.exit == 3, "{}", ran.all());
    let outcome = if broken.join("r.json").exists() { report(&broken)["outcome"].clone() } else { Json::Null };
    assert_ne!(outcome, "holds", "{}", ran.all());
}
