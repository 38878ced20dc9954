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

fn ids(folder: &Folder, command: &str) -> Vec<String> {
    let words = command.strip_prefix("validator ").expect("it is ours");
    validator(folder.path(), &format!("{words} --findings again.jsonl --quiet")).assert_no_panic();
    let findings = fs::read_to_string(folder.join("again.jsonl")).expect("the findings were written");
    let id =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["id"].as_str().map(str::to_owned);
    findings.lines().filter_map(id).collect()
}

fn written(scene: &Scene) -> Folder {
    tokio::runtime::Runtime::new().expect("the system gives threads").block_on(scene.write())
}

#[test]
fn each_command_shows_its_finding_again_and_the_whole_shows_all() {
    // A lost message, whose loss only later ones show, stands between two that are there.
    let key = Scene::key().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("a 1 | b 9 | c 3 | x 7");
    // Only all of its messages say which version of a key is the last.
    let upsert = Scene::upsert().topic("0@0 a 1 | 0@1 a 2 | 0@2 b 3").file("a 1 | b 3");
    for (scene, one) in [(damaged(), "0:1"), (key, "0:1"), (upsert, "0:0")] {
        let folder = written(&scene);
        let (each, whole) = commands(&folder, "--as-of 2024-08-08T14:00:00Z");
        assert!(each.iter().any(|(_, command)| command.contains(&format!(" --from {one} --to "))), "{each:?}");
        for (id, command) in &each {
            assert!(ids(&folder, command).contains(id), "{command} does not show {id}");
        }
        let all = ids(&folder, &whole);
        assert!(each.iter().all(|(id, _)| all.contains(id)), "{whole}");
    }
}
