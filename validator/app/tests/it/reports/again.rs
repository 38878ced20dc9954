//! The commands of a report show again what they say.

use std::fs;

use super::damaged;
use super::dom::{Dom, Element};
use crate::scene::{Folder, Scene};
use crate::transcript::validator;

/// The page of a run, its findings' ids with the commands that show them, and the command of the whole.
fn commands(folder: &Folder, flags: &str) -> (Vec<(String, String)>, String) {
    validator(folder.path(), &format!("reconcile pipeline.toml {flags} --html r.html --quiet")).assert_no_panic();
    let html = Dom::parse(&fs::read_to_string(folder.join("r.html")).expect("the page was written"));
    let of_article = |article: &Element| {
        let id = article.attr("id").and_then(|id| id.strip_prefix("f-")).expect("an article has its id").to_owned();
        Some((id, article.select(".command").first()?.text()))
    };
    let each = html.select("article.finding").into_iter().filter_map(of_article).collect();
    (each, html.select("#judged .command")[0].text())
}

/// How a command ends, and the ids that it finds.
fn found(folder: &Folder, command: &str) -> (i32, Vec<String>) {
    let words = command.strip_prefix("validator ").expect("it is ours");
    let ran = validator(folder.path(), &format!("{words} --findings again.jsonl --quiet")).assert_no_panic();
    let findings = fs::read_to_string(folder.join("again.jsonl")).expect("the findings were written");
    let id =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["id"].as_str().map(str::to_owned);
    (ran.exit, findings.lines().filter_map(id).collect())
}

fn written(scene: &Scene) -> Folder {
    tokio::runtime::Runtime::new().expect("the system gives threads").block_on(scene.write())
}

const AS_OF: &str = "--as-of 2024-08-08T14:00:00Z";

/// Copies, a producer's retry with one row, a changed value, a lost message, a row of nobody, and in offset mode a row whose
/// offset was changed: each is shown again by its command, and the command of the whole shows all.
#[test]
fn each_command_shows_its_finding_again_and_ends_as_breached() {
    let topic = "0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@3 d 4 | 0@4 d 4 | 0@5 e 5 | 0@6 f 6";
    let offset = "0@0 a 1 | 0@1 b 2 | 0@1 b 2 | 0@2 c 9 | 0@3 d 4 | 0@6 f 6 | 0@50 x 7";
    let keyed = "a 1 | b 2 | b 2 | c 9 | d 4 | f 6 | x 7";
    let moved = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("0@0 a 1 | 0@7 b 2 | 0@2 c 3");
    let scenes = [
        (Scene::offset().topic(topic).file(offset), 5, 2),
        (Scene::key().topic(topic).file(keyed), 5, 0),
        (Scene::key_plain().topic(topic).file(keyed), 5, 0),
        (Scene::content().topic(topic).file(keyed), 6, 0),
        (Scene::content_plain().topic(topic).file(keyed), 6, 0),
        (Scene::upsert().topic("0@0 a 1 | 0@1 a 2 | 0@2 b 3").file("a 1 | b 3"), 1, 0),
        (moved, 1, 0),
        (damaged(), 5, 2),
    ];
    for (scene, least, alone) in scenes {
        let folder = written(&scene);
        let (each, whole) = commands(&folder, AS_OF);
        assert!(each.len() >= least, "{:?}: {each:#?}", scene.mode);
        let cut = each.iter().filter(|(_, command)| *command != whole).count();
        assert_eq!(cut, alone, "commands for a message alone: {each:#?}");
        for (id, command) in &each {
            let (exit, ids) = found(&folder, command);
            assert!(
                exit == 1 && ids.contains(id),
                "{:?}: {command} ends with {exit} and shows {ids:?}, not {id}",
                scene.mode
            );
        }
        let (exit, all) = found(&folder, &whole);
        assert!(exit == 1 && each.iter().all(|(id, _)| all.contains(id)), "{whole}");
    }
}

/// What the whole run does not call broken no command of the whole calls so: there is none then, but for a message alone.
#[test]
fn a_finding_that_the_budget_allows_has_a_command_only_where_one_message_shows_it() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@3 d 4").file("0@0 a 9 | 0@2 c 3 | 0@3 d 4");
    let folder = written(&scene.fidelity("target = 0.5"));
    let page = validator(folder.path(), &format!("reconcile pipeline.toml {AS_OF} --html r.html --quiet"));
    assert_eq!(page.exit, 0, "{}", page.all());
    let html = Dom::parse(&fs::read_to_string(folder.join("r.html")).expect("the page was written"));
    assert_eq!(html.select("article.finding").len(), 2);
    let (each, _) = commands(&folder, AS_OF);
    let [(id, command)] = &each[..] else { panic!("one command: {each:?}") };
    assert!(command.contains(" --from 0:0 --to 0:1 "), "{command}");
    assert_eq!(found(&folder, command), (1, vec![id.clone()]));
}

/// Bounds back from now are other ones in an hour: the command has them as they were. So has it what `=` gave.
#[test]
fn bounds_are_named_as_the_run_had_them() {
    let folder = written(&damaged());
    let (_, whole) = commands(&folder, &format!("--from=0:1,1:1 --to 0:3,1:9 {AS_OF}"));
    assert!(whole.contains("--from 0:1,1:1 --to 0:3,1:9 --snapshot"), "{whole}");
}
