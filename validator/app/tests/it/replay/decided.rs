//! What people decide: beside a run and without one, for a time and for a reason; and one finding in full.

use fixtures_harness::{Look, wait_until};
use serde_json::{Value as Json, json};

use super::{State, faulty, json, refused, run, told, written};
use crate::run::{LOOKED_WITHIN, Service};
use crate::scene::Folder;
use crate::transcript::run_arguments;

fn corrupted(folder: &Folder) -> String {
    let findings = told(folder, "findings --format jsonl");
    let line = findings.lines().find(|line| line.contains("\"corrupted\"")).expect("one is corrupted");
    serde_json::from_str::<Json>(line).expect("JSON")["id"].as_str().expect("an id").to_owned()
}

fn state(folder: &Folder, id: &str) -> String {
    json(folder, &format!("explain {id} --format json"))["state"].as_str().expect("a state").to_owned()
}

/// With a reason, which has blanks.
fn ignored(folder: &Folder, id: &str, until: &str) -> crate::transcript::Ran {
    let words = ["findings", "ignore", id, "--reason", "test orders", "--until", until, "--by", "ana"];
    run_arguments(folder.path(), &words, &[]).assert_no_panic()
}

#[test]
fn decisions_without_a_run_are_checkpoints_of_their_own() {
    for kept in State::both() {
        let folder = written(&faulty(), &kept);
        run(&folder);
        let id = corrupted(&folder);
        let short = &id[..12];
        assert_eq!(state(&folder, short), "open");
        let said = told(&folder, &format!("findings acknowledge {short}"));
        assert_eq!(said, "trades: acknowledged, 1 decision\n");
        assert_eq!(state(&folder, &id), "acknowledged");

        let before = told(&folder, "replay-plan trades");
        let ran = ignored(&folder, short, "30d");
        assert_eq!(ran.exit, 0, "{}", ran.all());
        assert_eq!(state(&folder, &id), "ignored");
        let plan = json(&folder, "replay-plan trades --format json");
        assert_eq!((&plan["ignored"], &plan["messages"]["corrupted"]), (&json!(1), &json!(0)), "{before}");
        // A figure is what is true, whoever looks away.
        let report = refused(&folder, "report --format json", 1);
        let report: Json = serde_json::from_str(&report.stdout).expect("a report is JSON");
        assert_eq!(report["messages"]["corrupted"], 1);

        let explained = json(&folder, &format!("explain {id} --format json"));
        let decisions = explained["decisions"].as_array().expect("a list");
        let words: Vec<&Json> = decisions.iter().map(|one| &one["what"]).collect();
        assert_eq!(words, ["acknowledged", "ignored"]);
        assert_eq!((&decisions[1]["who"], &decisions[1]["reason"]), (&json!("ana"), &json!("test orders")));
        assert!(decisions[1]["until"].is_string(), "{explained}");
        let again = explained["again"].as_str().expect("a command");
        assert!(again.starts_with("validator reconcile trades --from 0:1 --to 0:2 --snapshot 1002"), "{again}");
        let shown = refused(&folder, again.strip_prefix("validator ").expect("it is"), 1);
        assert!(shown.stdout.contains("2.125"), "{}", shown.all());
        let text = told(&folder, &format!("explain {id}"));
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in ["message 2.125 row 2.12 ", "ignored id", "by ana until", ": test orders", "shown again by"] {
            assert!(flat.contains(part), "{part}: {text}");
        }

        told(&folder, &format!("findings reopen {id}"));
        assert_eq!(state(&folder, &id), "open");
        told(&folder, "ledger verify");
        // A run goes on from a checkpoint that only decided.
        run(&folder);
        assert_eq!(state(&folder, &id), "open");
    }
}

#[test]
fn a_run_takes_decisions_up_while_it_runs() {
    for kept in State::both() {
        let folder = written(&faulty(), &kept);
        run(&folder);
        let id = corrupted(&folder);
        let mut service = Service::start_as(folder.path(), "run");
        let began = wait_until("the run holds its ledger", LOOKED_WITHIN, || {
            let log = std::fs::read_to_string(folder.join("run.log")).unwrap_or_default();
            if log.contains("checkpoint") { Look::Done(()) } else { Look::NotYet(log) }
        });
        began.unwrap_or_else(|why| panic!("{why}\n{}", service.child().log_tail()));
        let said = told(&folder, &format!("findings acknowledge {id} --by ana"));
        assert_eq!(said, "trades: acknowledged, 1 decision, taken up by the run\n");
        assert_eq!(state(&folder, &id), "acknowledged");
        let (code, _) = service.stop();
        assert_eq!(code, Some(0));
        told(&folder, "ledger verify");
        assert_eq!(state(&folder, &id), "acknowledged");
    }
}

#[test]
fn findings_are_counted_by_cause_and_a_group_is_decided_at_once() {
    let folder = written(&faulty(), &State::Sqlite);
    run(&folder);
    let groups = told(&folder, "findings --by-cause --format jsonl");
    let groups: Vec<Json> = groups.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let first = &groups[0];
    assert_eq!(
        (&first["verdict"], &first["cause"], &first["findings"]["open"]),
        (&json!("missing"), &json!("lost"), &json!(6))
    );
    let corrupted = groups.iter().find(|group| group["verdict"] == "corrupted").expect("one is corrupted");
    assert_eq!(corrupted["column"], "price");
    let group = first["group"].as_str().expect("an id");
    let text = told(&folder, "findings --by-cause");
    assert!(text.contains("missing lost  6") && text.contains(group), "{text}");
    let ran = ignored(&folder, group, "2999-01-01T00:00:00Z");
    assert_eq!(ran.exit, 0, "{}", ran.all());
    let plan = json(&folder, "replay-plan trades --format json");
    assert_eq!((&plan["ignored"], &plan["messages"]["missing"]), (&json!(6), &json!(0)));
    // Of a whole segment a message has no row of its own: it is explained, and decided about with its group.
    let findings = told(&folder, "findings --format jsonl");
    let in_run = findings.lines().find(|line| line.contains("\"partition\":1")).expect("all of partition 1 is missing");
    let id = serde_json::from_str::<Json>(in_run).expect("JSON")["id"].as_str().expect("an id").to_owned();
    assert_eq!(state(&folder, &id), "ignored");
}

#[test]
fn what_cannot_be_decided_is_refused_with_what_to_do() {
    let folder = written(&faulty(), &State::Sqlite);
    run(&folder);
    let id = corrupted(&folder);
    for (words, says) in [
        (format!("findings resolve {id}"), "nobody resolves a finding but the table"),
        (format!("findings ignore {id} --until 30d"), "--reason"),
        (format!("findings ignore {id} --reason x"), "--until"),
        (format!("findings ignore {id} --reason x --until yesterday"), "expected a duration"),
        (format!("findings ignore {id} --reason x --until 2001-01-01T00:00:00Z"), "is over already"),
        ("findings acknowledge".to_owned(), "<ID>"),
        ("findings acknowledge 12".to_owned(), "is no id"),
        (format!("findings acknowledge {}", "0".repeat(64)), "no finding has the id"),
        ("explain xyz".to_owned(), "is no id"),
    ] {
        let ran = refused(&folder, &words, 2);
        let flat = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(says), "{words}: {}", ran.all());
    }
    assert_eq!(state(&folder, &id), "open");
}
