//! Plans of ledgers and of files of findings, against what the scene holds.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::{State, faulty, json, refused, run, told, written};
use crate::transcript::validator;

/// `topic[partition] from..to` with the messages in it.
fn ranges(plan: &Json) -> Vec<(i64, i64, i64, u64)> {
    let one = |range: &Json| {
        assert_eq!(range["topic"], "trades");
        let number = |key: &str| range[key].as_i64().expect("a number");
        (number("partition"), number("from"), number("to"), range["messages"].as_u64().expect("a count"))
    };
    plan["ranges"].as_array().expect("ranges").iter().map(one).collect()
}

/// File names without their folders, with the rows.
fn rows(plan: &Json, list: &str) -> Vec<(String, Json)> {
    let one = |rows: &Json| {
        let file = rows["file"].as_str().expect("a file").rsplit('/').next().expect("a name").to_owned();
        (file, rows["positions"].clone())
    };
    plan[list].as_array().expect("a list").iter().map(one).collect()
}

fn assert_rows(plan: &Json) {
    assert_eq!(rows(plan, "replaced"), [("f1.parquet".to_owned(), json!([1]))]);
    assert_eq!(rows(plan, "surplus"), [("f2.parquet".to_owned(), json!([0, 2]))], "the first of three rows stays");
    assert_eq!(rows(plan, "phantoms"), [("f2.parquet".to_owned(), json!([1]))]);
    let predicate = plan["surplus"][0]["predicate"].as_str().expect("a predicate");
    assert!(predicate.ends_with("f2.parquet' AND _pos IN (0, 2) AND `offset` IN (4)"), "{predicate}");
    assert_eq!(plan["undecided"], json!([]));
}

#[test]
fn a_plan_of_a_ledger_is_exactly_what_is_wrong_and_spans_holes() {
    for state in State::both() {
        let folder = written(&faulty(), &state);
        run(&folder);
        let plan = json(&folder, "replay-plan trades --format json");
        assert_eq!(ranges(&plan), [(0, 1, 3, 2), (0, 5, 8, 2), (1, 0, 4, 3)]);
        let messages = json!({ "total": 7, "missing": 6, "corrupted": 1, "withdrawn": 0, "duplicated": 0 });
        assert_eq!(plan["messages"], messages);
        assert_rows(&plan);
        assert_eq!((&plan["source"], &plan["snapshot_id"]), (&json!("ledger"), &json!(1002)));
        assert!(plan["checkpoint"].as_u64().is_some_and(|checkpoint| checkpoint > 0), "{plan}");
        crate::schemas::assert_plan(&plan);

        let again = told(&folder, "replay-plan trades --format json");
        assert_eq!(serde_json::from_str::<Json>(&again).expect("JSON"), plan, "the same of the same checkpoint");
        let text = told(&folder, "replay-plan trades");
        for line in ["read again: 7 messages (6 missing, 1 corrupted)", "trades[0] 5..8 2 messages", "trades[1] 0..4"] {
            assert!(text.contains(line), "{text}");
        }
    }
}

#[test]
fn a_plan_of_a_file_of_findings_has_the_same_messages_and_knows_no_holes() {
    let folder = written(&faulty(), &State::Sqlite);
    for file in ["f.jsonl", "f.parquet"] {
        let ran = validator(folder.path(), &format!("reconcile trades --findings {file} --report r.json"));
        assert_eq!(ran.exit, 1, "{}", ran.all());
        let plan = json(&folder, &format!("replay-plan trades --findings {file} --format json"));
        assert_eq!(ranges(&plan), [(0, 1, 3, 2), (0, 5, 6, 1), (0, 7, 8, 1), (1, 0, 2, 2), (1, 3, 4, 1)], "{file}");
        assert_rows(&plan);
        assert_eq!((&plan["source"], &plan["checkpoint"]), (&json!("findings"), &Json::Null));
        crate::schemas::assert_plan(&plan);
    }
    // Twice the same file is the same set; findings of two runs that contradict each other are refused.
    let once = std::fs::read_to_string(folder.join("f.jsonl")).expect("it is there");
    std::fs::write(folder.join("twice.jsonl"), format!("{once}{once}")).expect("the folder takes files");
    let plan = json(&folder, "replay-plan trades --findings twice.jsonl --format json");
    assert_eq!(plan["messages"]["total"], 7);
    let other = once.replace("\"missing\",\"cause\":\"lost\"", "\"withdrawn\",\"cause\":null");
    assert_ne!(other, once);
    std::fs::write(folder.join("two.jsonl"), format!("{once}{other}")).expect("the folder takes files");
    let ran = refused(&folder, "replay-plan trades --findings two.jsonl", 2);
    assert!(ran.stderr.contains("is said to be missing and withdrawn"), "{}", ran.all());
    std::fs::write(folder.join("other.jsonl"), once.replace("\"trades\"", "\"quotes\"")).expect("it takes files");
    let ran = refused(&folder, "replay-plan trades --findings other.jsonl", 2);
    assert!(ran.stderr.contains("has findings of pipeline `quotes`"), "{}", ran.all());
    std::fs::write(folder.join("none.jsonl"), "{}\n").expect("the folder takes files");
    let ran = refused(&folder, "replay-plan trades --findings none.jsonl", 2);
    assert!(ran.stderr.contains("line 1 is no finding"), "{}", ran.all());
    refused(&folder, "replay-plan trades --findings nowhere.jsonl", 2);
}

#[test]
fn commands_are_a_script_that_only_reads() {
    let folder = written(&faulty(), &State::Sqlite);
    run(&folder);
    let script = told(&folder, "replay-plan trades --format commands");
    let active: Vec<&str> = script.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let kcat = |partition, from, messages| {
        format!(
            "kcat -C -q -J -e -b \"$BROKERS\" -X isolation.level=read_committed -t trades -p {partition} -o {from} -c {messages}"
        )
    };
    let expected = [
        "set -eu".to_owned(),
        "BROKERS=${BROKERS:?the brokers, as host:port}".to_owned(),
        kcat(0, 1, 2),
        kcat(0, 5, 2),
        kcat(1, 0, 3),
    ];
    assert_eq!(active, expected);
    let reset = script.lines().find(|line| line.contains("/offsets")).expect("a reset");
    let body = &reset[reset.find("'{").expect("a body") + 1..reset.rfind('\'').expect("a body")];
    let first = |partition: i32, offset: i64| {
        json!({
            "partition": { "kafka_topic": "trades", "kafka_partition": partition },
            "offset": { "kafka_offset": offset },
        })
    };
    let body: Json = serde_json::from_str(body).expect("JSON");
    assert_eq!(body, json!({ "offsets": [first(0, 1), first(1, 0)] }));
    let deletes: Vec<&str> = script.lines().filter(|line| line.starts_with("# DELETE FROM")).collect();
    assert_eq!(deletes.len(), 2, "{script}");
    assert!(
        deletes.iter().all(|line| line.starts_with("# DELETE FROM `lake`.`market`.`trades` WHERE _file = '")),
        "{script}"
    );
    // A shell reads it without complaint.
    std::fs::write(folder.join("plan.sh"), &script).expect("the folder takes files");
    let checked = std::process::Command::new("sh").args(["-n", "plan.sh"]).current_dir(folder.path()).output();
    assert!(checked.expect("there is a shell").status.success(), "{script}");
}

#[test]
fn a_sound_pipeline_has_an_empty_plan_and_an_unknown_one_is_refused() {
    let scene = crate::scene::Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1 | 0@1 b 2");
    let folder = written(&scene, &State::Sqlite);
    refused(&folder, "replay-plan trades", 3);
    run(&folder);
    let plan = json(&folder, "replay-plan trades --format json");
    assert_eq!((ranges(&plan).len(), &plan["messages"]["total"]), (0, &json!(0)));
    assert!(told(&folder, "replay-plan trades --format commands").contains("# There is nothing to read again."));
    refused(&folder, "replay-plan nothing", 2);
}

/// Of plays with every fault: the plan covers the messages that the findings name, and no other.
#[test]
fn a_plan_of_a_play_covers_exactly_the_findings() {
    use crate::run::{Stage, chapter, every_fault, run_until_idle};
    for seed in [41, 42] {
        let stage = Stage::new();
        let mut play = stage.begin(seed, chapter(150, 4, every_fault()), 0);
        stage.block_on(play.finish_chapter()).expect("a chapter is played");
        run_until_idle(stage.folder());
        let name = play.contract().name.clone();
        let findings = stage.run("findings -c validator.toml --format jsonl").stdout;
        let mut expected = BTreeSet::new();
        let mut left = BTreeSet::new();
        for line in findings.lines() {
            let finding: Json = serde_json::from_str(line).expect("a finding is JSON");
            let at = (finding["topic"].clone().to_string(), finding["partition"].as_i64(), finding["offset"].as_i64());
            let copies = finding["copies"].as_u64().expect("a count");
            let rows: BTreeSet<String> =
                finding["rows"].as_array().expect("rows").iter().map(ToString::to_string).collect();
            match finding["verdict"].as_str().expect("a verdict") {
                "missing" | "corrupted" | "withdrawn" => drop(expected.insert(at)),
                // Rows of a file that is entered twice cannot be told apart.
                "duplicated" if (rows.len() as u64) < copies => drop(left.insert(at)),
                "duplicated" if finding["cause"] == "copies_differ" => drop(expected.insert(at)),
                _ => {}
            }
        }
        let plan = stage.run(&format!("replay-plan -c validator.toml {name} --format json"));
        let plan: Json = serde_json::from_str(&plan.stdout).unwrap_or_else(|why| panic!("{why}: {}", plan.all()));
        let mut covered = BTreeSet::new();
        for range in plan["ranges"].as_array().expect("ranges") {
            let number = |key: &str| range[key].as_i64().expect("a number");
            for offset in number("from")..number("to") {
                covered.insert((range["topic"].to_string(), Some(number("partition")), Some(offset)));
            }
        }
        assert_eq!(covered, expected, "seed {seed}");
        assert!(!expected.is_empty(), "seed {seed} has nothing to replay");
        let undecided = plan["undecided"].as_array().expect("a list").len();
        assert_eq!(undecided, left.len(), "seed {seed}: {}", plan["undecided"]);
    }
}
