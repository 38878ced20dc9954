//! JUnit: failures exactly where the outcome is breached, errors exactly where it is unjudged.

use std::collections::BTreeMap;

use fixtures_kit::table::Breakage;
use quick_xml::XmlVersion;
use quick_xml::events::Event;
use validator_app::Answer;
use validator_app::report::junit;
use validator_core::figures::Outcome;

use super::{again, damaged, shown, sound};
use crate::scene::Scene;

fn xml(answer: &Answer) -> String {
    junit(&shown(answer, &again())).expect("memory takes it")
}

/// Cases and how they went, one a line.
fn cases(xml: &str) -> String {
    let mut reader = quick_xml::Reader::from_str(xml);
    let (mut lines, mut case) = (Vec::new(), String::new());
    loop {
        let event = reader.read_event().expect("it is well-formed");
        let is_empty = matches!(event, Event::Empty(_));
        match event {
            Event::Start(tag) | Event::Empty(tag) => {
                let attributes: BTreeMap<String, String> = tag
                    .attributes()
                    .map(|one| one.expect("it is well-formed"))
                    .map(|one| {
                        let value =
                            one.normalized_value(XmlVersion::Explicit1_0).expect("entities are known").into_owned();
                        (String::from_utf8_lossy(one.key.as_ref()).into_owned(), value)
                    })
                    .collect();
                match tag.name().as_ref() {
                    b"testcase" => {
                        case = attributes["name"].rsplit('/').next().unwrap_or_default().to_owned();
                        if is_empty {
                            lines.push(case.clone());
                        }
                    }
                    b"failure" => lines.push(format!("{case}: FAILURE {}", attributes["message"])),
                    b"error" => lines.push(format!("{case}: ERROR {}", attributes["message"])),
                    b"skipped" => lines.push(format!("{case}: skipped, {}", attributes["message"])),
                    b"system-out" => lines.push(case.clone()),
                    b"testsuite" => lines.push(format!(
                        "{}: {} tests, {} failures, {} errors",
                        attributes["name"], attributes["tests"], attributes["failures"], attributes["errors"]
                    )),
                    _ => {}
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    lines.join("\n")
}

#[test]
fn a_breached_run_fails_in_what_broke_it() {
    let answer = damaged().answer();
    insta::assert_snapshot!(cases(&xml(&answer)));
    assert!(xml(&answer).contains("message  2.125"), "the first findings are told");
}

#[test]
fn a_run_that_holds_within_its_budget_fails_nowhere() {
    let answer = damaged().fidelity("target = 0.1\ncoverage = 0.1").answer();
    assert_eq!(answer.report.outcome, Outcome::Holds);
    let told = cases(&xml(&answer));
    assert_eq!(told.lines().next(), Some("trades: 18 tests, 0 failures, 0 errors"));
    assert!(xml(&answer).contains("2 findings: missing lost 2"), "what the budget allows is told");
    let sound = sound().answer();
    assert!(cases(&xml(&sound)).lines().all(|line| !line.contains("FAILURE") && !line.contains("ERROR")));
}

#[test]
fn an_unjudged_run_is_an_error_and_no_failure() {
    let answer = Scene::offset().topic("0@0 a 1").answer();
    assert_eq!(answer.report.outcome, Outcome::Unjudged);
    insta::assert_snapshot!(cases(&xml(&answer)));
}

#[test]
fn each_finding_about_the_table_is_a_case() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1").file("0@1 b 2").broken(Breakage::Missing);
    let answer = scene.answer();
    assert_eq!(answer.report.outcome, Outcome::Breached);
    insta::assert_snapshot!(cases(&xml(&answer)));
}

#[test]
fn the_outcome_and_the_cases_never_contradict_each_other() {
    let scenes = [
        damaged(),
        sound(),
        Scene::offset().topic("0@0 a 1"),
        Scene::offset().topic("0@0 {\"id\": 1}").file("0@0 a 1"),
        sound().from("0").to("0"),
        damaged().fidelity("target = 0.1\ncoverage = 0.1"),
    ];
    for scene in scenes {
        let answer = scene.answer();
        let told = cases(&xml(&answer));
        assert_eq!(told.contains(": FAILURE "), answer.report.outcome == Outcome::Breached, "{told}");
        assert_eq!(told.contains(": ERROR "), answer.report.outcome == Outcome::Unjudged, "{told}");
    }
}
