//! A store over a network that fails while a run reads from it: what it does not give was not looked at, and is not lost.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use fixtures_harness::{Asked, Ending, HttpStub, Reply};
use fixtures_kit::table::{DeleteFile, DeleteKind};
use insta::assert_snapshot;
use serde_json::Value as Json;

use super::{reconcile, written};
use crate::scene::{Folder, Scene};
use crate::transcript::validator;

/// Where a scene lies, and how its table writes that it lies in a store: as long, so that manifests stay what they are.
const PLACES: [&str; 2] = ["file:///tmp", "s3://la/tmp"];

const FOUR: &str = "0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@3 d 4";

/// A scene whose table is read from a store.
struct Stored {
    folder: Folder,
    stub: HttpStub,
}

impl Stored {
    /// `fault` is told the name of a file, how often that was asked for before, and the sound answer.
    fn new(scene: &Scene, fault: impl Fn(&str, usize, Reply) -> Reply + Send + Sync + 'static) -> Self {
        let folder = written(scene);
        for file in
            folder.files_of_table("").iter().filter(|file| file.extension().is_none_or(|kind| kind != "parquet"))
        {
            let bytes = fs::read(file).expect("the file is there");
            fs::write(file, moved(bytes)).expect("the folder takes files");
        }
        let current = Path::new(folder.table.metadata_location.trim_start_matches("file://"));
        fs::copy(current, current.with_file_name("v1.metadata.json")).expect("the folder takes files");
        fs::write(current.with_file_name("version-hint.text"), "1").expect("the folder takes files");
        let asks: Mutex<HashMap<String, usize>> = Mutex::default();
        let stub = HttpStub::start(move |asked| {
            let path = asked.path.trim_start_matches("/la").split('?').next().unwrap_or_default();
            let name = path.rsplit('/').next().unwrap_or_default();
            let before = {
                let mut asks = asks.lock().expect("nothing panics with it");
                let count = asks.entry(name.to_owned()).or_default();
                *count += 1;
                *count - 1
            };
            fault(name, before, sound(asked, Path::new(path)))
        });
        let service = format!(
            "[catalogs.lake]\ntype = \"filesystem\"\nwarehouse = \"s3://la{}/warehouse\"\n[catalogs.lake.storage]\n\
             \"s3.endpoint\" = \"{}\"\n\"s3.allow-anonymous\" = true\n\"s3.request-timeout\" = \"500ms\"\n",
            folder.path().display(),
            stub.url()
        );
        fs::write(folder.join("validator.toml"), service).expect("the folder takes files");
        Self { folder, stub }
    }

    /// One whose data file `f1` the store answers in this way from the n-th request on.
    fn failing(scene: &Scene, from: usize, fault: impl Fn(Reply) -> Reply + Send + Sync + 'static) -> Self {
        Self::new(
            scene,
            move |name, before, sound| {
                if name == "f1.parquet" && before >= from { fault(sound) } else { sound }
            },
        )
    }

    /// What a person sees, up to the warnings: these hold words of the store.
    fn says(&self) -> String {
        let said = reconcile(&self.folder);
        let shown = said.split("\nwarning").next().unwrap_or_default().split("\nnext\n").next().unwrap_or_default();
        shown.trim_end().to_owned()
    }

    /// The report, and the exit code.
    fn report(&self) -> (i32, Json) {
        let words = "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --quiet --report -";
        let ran = validator(self.folder.path(), words).assert_no_panic();
        (ran.exit, serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.all())))
    }

    fn asked_for(&self, name: &str) -> usize {
        self.stub.asked().iter().filter(|asked| asked.path.ends_with(name)).count()
    }
}

/// The bytes of a file whose locations lead into the store.
fn moved(mut bytes: Vec<u8>) -> Vec<u8> {
    let [here, there] = PLACES.map(str::as_bytes);
    assert_eq!(here.len(), there.len());
    let found: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(here)).collect();
    for at in found {
        bytes[at..at + there.len()].copy_from_slice(there);
    }
    bytes
}

/// What a sound store answers.
fn sound(asked: &Asked, path: &Path) -> Reply {
    let Ok(bytes) = fs::read(path) else { return refusal(404, "NoSuchKey") };
    let size = bytes.len();
    let stamped = |reply: Reply| {
        reply.header("ETag", format!("\"{size}\"")).header("Last-Modified", "Thu, 08 Aug 2024 12:00:00 GMT")
    };
    let range = asked.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = range else { return stamped(Reply::new(200, bytes)) };
    let (first, end) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => (first, size.min(last + 1)),
        (Ok(first), Err(_)) => (first, size),
        (Err(_), count) => (size.saturating_sub(count.unwrap_or(size)), size),
    };
    let part = stamped(Reply::new(206, &bytes[first..end]));
    part.header("Content-Range", format!("bytes {first}-{}/{size}", end - 1))
}

fn refusal(status: u16, code: &str) -> Reply {
    Reply::new(status, format!("<Error><Code>{code}</Code><Message>said so</Message></Error>"))
}

/// Two files of two messages each.
fn halves() -> Scene {
    Scene::offset().topic(FOUR).file("0@0 a 1 | 0@1 b 2").file("0@2 c 3 | 0@3 d 4")
}

#[test]
fn a_table_in_a_store_is_judged_also_when_a_file_comes_at_the_third_request_only() {
    let holds = "exit 0\n--- stdout\nHOLDS  trades\n\nmessages  4\n  intact                 4\n\n\
                 rows  4 in scope\n  intact                 4";
    assert_eq!(Stored::new(&halves(), |_, _, sound| sound).says(), holds);
    for reply in [refusal(500, "InternalError"), refusal(503, "SlowDown"), Reply::new(429, "")] {
        let stored = Stored::new(
            &halves(),
            move |name, before, sound| {
                if name == "f1.parquet" && before < 2 { reply.clone() } else { sound }
            },
        );
        assert_eq!(stored.says(), holds);
        assert!(stored.asked_for("f1.parquet") >= 3);
    }
}

#[test]
fn a_data_file_that_its_store_does_not_give_makes_its_messages_unobservable() {
    let said = Stored::failing(&halves(), 0, |_| refusal(500, "InternalError")).says();
    assert_snapshot!(said, @"
    exit 3
    --- stdout
    UNJUDGED  trades
      a part of the topic or the table could not be read
      coverage 0.5 is below its target 0.9999: too much could not be judged, or not yet
      not complete: a part of what was asked for could not be looked at

    messages  4
      intact                 2
      unobservable           2

    rows  2 in scope
      intact                 2

    findings  2
      unobservable                  2

    unobservable  the rows that could hold it cannot be read
      trades[0]@0  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 0
        its row may lie in a file that this run could not look at
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        its row may lie in a file that this run could not look at
    ");
    let others: [fn(Reply) -> Reply; 7] = [
        |_| refusal(403, "AccessDenied"),
        |_| refusal(404, "NoSuchBucket"),
        |_| Reply::new(404, "<html>not here</html>"),
        |sound| sound.ending(Ending::Cut(3)),
        |sound| sound.ending(Ending::Reset(3)),
        |sound| sound.ending(Ending::Silence(3)),
        |sound| sound.ending(Ending::Refused),
    ];
    std::thread::scope(|scope| {
        for (nth, fault) in others.into_iter().enumerate() {
            let said = &said;
            scope.spawn(move || assert_eq!(Stored::failing(&halves(), 0, fault).says(), *said, "fault {nth}"));
        }
    });
}

#[test]
fn a_data_file_of_which_the_store_says_that_it_is_not_there_is_lost() {
    let stored = Stored::failing(&halves(), 0, |_| refusal(404, "NoSuchKey"));
    let (exit, report) = stored.report();
    assert_eq!((exit, &report["outcome"], &report["complete"]), (1, &Json::from("breached"), &Json::from(true)));
    assert_eq!((&report["messages"]["missing"], &report["messages"]["unobservable"]), (&Json::from(2), &Json::from(0)));
    assert_eq!(report["table"]["findings"]["storage_corrupt"], 1);
}

#[test]
fn the_report_of_a_run_over_a_failing_store_is_unjudged_and_not_complete() {
    for scene in [
        halves(),
        Scene::key().topic(FOUR).file("a 1 | b 2").file("c 3 | d 4"),
        Scene::content()
            .topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3 +600 | 0@3 d 4 +600")
            .file("a 1 | b 2")
            .file("c 3 +600 | d 4 +600"),
    ] {
        let stored = Stored::failing(&scene, 0, |_| refusal(500, "InternalError"));
        let (exit, report) = stored.report();
        let what = format!("{:?}: {report:#}", scene.mode);
        assert_eq!((exit, &report["outcome"]), (3, &Json::from("unjudged")), "{what}");
        assert_eq!(report["complete"], false, "{what}");
        let messages = &report["messages"];
        assert_eq!((&messages["intact"], &messages["unobservable"]), (&Json::from(2), &Json::from(2)), "{what}");
        assert_eq!((&messages["missing"], &messages["overdue"]), (&Json::from(0), &Json::from(0)), "{what}");
        assert_eq!((&report["rows"]["total"], &report["rows"]["phantom"]), (&Json::from(2), &Json::from(0)), "{what}");
        assert!(report["table"]["findings"]["storage_corrupt"].as_u64().unwrap_or(0) == 0, "{what}");
        assert!(report["warnings"].to_string().contains("f1.parquet could not be looked at"), "{what}");
    }
}

#[test]
fn what_is_lost_outside_of_a_file_that_fails_is_a_breach_all_the_same() {
    let scene = Scene::offset().topic(FOUR).file("0@0 a 1 | 0@1 b 2").file("0@3 d 4");
    let (exit, report) = Stored::failing(&scene, 0, |_| refusal(500, "InternalError")).report();
    assert_eq!((exit, &report["outcome"], &report["complete"]), (1, &Json::from("breached"), &Json::from(false)));
    let messages = &report["messages"];
    let counts = ["intact", "missing", "unobservable"].map(|verdict| messages[verdict].as_u64());
    assert_eq!(counts, [Some(1), Some(1), Some(2)]);
}

#[test]
fn a_data_file_that_fails_when_it_is_read_again_loses_nothing_either() {
    // The first pass reads it whole; what is missing or damaged in it is looked for a second time.
    let missing = Scene::offset().topic(FOUR).file("0@0 a 1 | 0@1 b 2 | 0@3 d 4");
    let damaged = Scene::offset().topic(FOUR).file("0@0 a 1 | 0@1 b 2 | 0@2 c 9 | 0@3 d 4");
    for (scene, verdict) in [(missing, "missing"), (damaged, "corrupted")] {
        let whole = Stored::failing(&scene, usize::MAX, |sound| sound);
        let (exit, report) = whole.report();
        let asked = whole.asked_for("f1.parquet");
        assert_eq!((exit, &report["messages"][verdict]), (1, &Json::from(1)));
        assert!(asked > 1, "the drill reads it again");
        for from in 1..asked {
            let (exit, report) = Stored::failing(&scene, from, |_| refusal(500, "InternalError")).report();
            let what = format!("{verdict}, from request {from} of {asked}: {report:#}");
            assert_eq!((exit, &report["outcome"]), (3, &Json::from("unjudged")), "{what}");
            let counts = ["missing", "corrupted", "unobservable"].map(|verdict| report["messages"][verdict].as_u64());
            assert_eq!((&report["complete"], counts), (&Json::from(false), [Some(0), Some(0), Some(4)]), "{what}");
            assert_eq!(report["rows"]["phantom"], 0, "{what}");
        }
    }
}

#[test]
fn a_delete_file_that_its_store_does_not_give_makes_its_data_file_unreadable() {
    let mut scene = halves();
    scene.table.deletes.push(DeleteFile {
        path: "data/d1.puffin".into(),
        kind: DeleteKind::Vector,
        rows: vec![(0, 1)],
        added_by: 1,
        removed_by: None,
        breakage: None,
    });
    let (exit, report) = Stored::new(&scene, |_, _, sound| sound).report();
    assert_eq!((exit, &report["messages"]["missing"]), (1, &Json::from(1)));
    let failing = |name: &str, _: usize, sound| if name == "d1.puffin" { refusal(500, "InternalError") } else { sound };
    let (exit, report) = Stored::new(&scene, failing).report();
    assert_eq!((exit, &report["outcome"], &report["complete"]), (3, &Json::from("unjudged"), &Json::from(false)));
    let counts = ["intact", "missing", "unobservable"].map(|verdict| report["messages"][verdict].as_u64());
    assert_eq!(counts, [Some(2), Some(0), Some(2)]);
}

#[test]
fn what_the_whole_table_needs_and_its_store_does_not_give_ends_the_run_without_counts() {
    for (part, told) in [
        ("version-hint.text", "catalog folder not readable: s3://la"),
        ("v1.metadata.json", "s3://la"),
        ("snap-", "manifest list not readable: s3://la"),
        ("manifest", "manifest not readable: s3://la"),
    ] {
        let stored = Stored::new(&halves(), move |name, _, sound| {
            let manifest = part == "manifest" && name.ends_with(".avro") && !name.starts_with("snap-");
            if manifest || name.starts_with(part) { refusal(500, "InternalError") } else { sound }
        });
        let said = reconcile(&stored.folder);
        let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.starts_with("exit 3\n--- stderr\nerror: open the table\n"), "{part}: {said}");
        assert!(line.contains(told) && line.contains("500"), "{part}: {said}");
        assert!(stored.asked_for("f1.parquet") == 0, "{part}");
    }
}
