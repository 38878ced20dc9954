//! The forms in which an answer is handed on: HTML, JUnit, Markdown, findings as Parquet and JSON lines.

mod again;
mod bare;
mod dom;
mod files;
mod hostile;
mod in_the_browser;
mod junit;
mod large;
mod markdown;
mod page;
mod parquet;
mod whole_run;

use validator_app::Answer;
use validator_app::report::{Again, Shown, html};
use validator_core::finding::{ColumnDifference, Finding, Named};
use validator_core::position::TopicPartition;
use validator_core::verdict::{Cause, Damage, MessageVerdict};

use crate::scene::Scene;

/// Nearly everything that a report can say: damage, copies, a lost message, a phantom row, lag, exclusion, a hole.
fn damaged() -> Scene {
    let topic = "0@0 a 1 | 0@1 b 2.125 | 0@2/+5 c 3 | 0@3/+7000 z 4 | 0@4 e 5 | 1@0 d 4 | 1@1 null | 1@9/+60 f 6 | 1@10/+61 g 7";
    let scene = Scene::offset().topic(topic);
    scene.file("0@0 a 1 | 0@1 b 2.12 | 0@4 e 5 | 1@5 y 8 | 1@20 x 9").file("1@0 d 4 | 1@9 f 6").file("1@0 d 4")
}

/// Everything holds.
fn sound() -> Scene {
    Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 1@0 c 3").file("0@0 a 1 | 0@1 b 2").file("1@0 c 3")
}

fn again() -> Again {
    Again::of_words(["validator", "reconcile", "pipeline.toml"].map(str::to_owned).to_vec())
}

fn shown<'a>(answer: &'a Answer, again: &'a Again) -> Shown<'a> {
    Shown { answer, again, findings_file: None }
}

fn page(answer: &Answer) -> String {
    html(&shown(answer, &again())).expect("memory takes it")
}

/// A corrupted message with this value on both sides, and in its names.
fn corrupted(offset: i64, text: &str) -> Finding {
    let tp = TopicPartition { topic: text.to_owned(), partition: 0 };
    let cause = Some(Cause::Damage(Damage::Other));
    let mut finding = Finding::of_message(text, MessageVerdict::Corrupted, cause, &tp, offset);
    finding.identity = Some(Named(vec![(text.to_owned(), text.into())]));
    let value = |more: &str| serde_json::Value::from(format!("{text}{more}"));
    finding.columns =
        vec![ColumnDifference { name: text.to_owned(), message: value("1"), row: value("2"), damage: Damage::Other }];
    finding.operation = Some(text.to_owned());
    finding.detail = text.to_owned();
    finding
}

/// Adds a finding, and counts it in the report.
fn add(answer: &mut Answer, finding: Finding) {
    answer.findings.push(finding).expect("there is room");
    answer.report.findings = answer.findings.counts().clone();
}
