//! report.json and findings.jsonl: exactly the keys of docs/interface.md, in its order, and the same in every run.

use std::fmt;
use std::fs;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{damaged, reconcile, written};
use crate::scene::{Folder, Scene};

const INTERFACE: &str = include_str!("../../../../../docs/interface.md");

/// The keys of a JSON value in their order; of a list those of its first element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Keys(Vec<(String, Keys)>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfKeys)
    }
}

struct OfKeys;

impl<'de> Visitor<'de> for OfKeys {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut keys = Vec::new();
        while let Some(entry) = map.next_entry()? {
            keys.push(entry);
        }
        Ok(Keys(keys))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Keys, A::Error> {
        let first = list.next_element()?.unwrap_or_default();
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Keys, E> {
        Ok(Keys::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Keys, E> {
        Ok(Keys::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Keys, E> {
        Ok(Keys::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Keys, E> {
        Ok(Keys::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Keys, E> {
        Ok(Keys::default())
    }

    fn visit_unit<E>(self) -> Result<Keys, E> {
        Ok(Keys::default())
    }
}

impl Keys {
    fn of(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
    }

    /// Every path with the keys below it, where the documentation shows any.
    fn compare(&self, actual: &Keys, path: &str, differences: &mut Vec<String>) {
        let names = |keys: &Keys| keys.0.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        // Lists that are empty here, and parts whose names the user chooses, say nothing.
        let chosen = path.ends_with(".identity") || actual.0.is_empty();
        if !chosen && !self.0.is_empty() && names(self) != names(actual) {
            differences.push(format!("{path}: documented {:?}, written {:?}", names(self), names(actual)));
        }
        for (name, documented) in &self.0 {
            if let Some((_, written)) = actual.0.iter().find(|(other, _)| other == name) {
                documented.compare(written, &format!("{path}.{name}"), differences);
            }
        }
    }
}

/// The first JSON block of a section of the documentation.
fn documented(section: &str) -> Keys {
    let (_, text) = INTERFACE.split_once(section).expect("the section is there");
    let (_, block) = text.split_once("```json\n").expect("it has an example");
    Keys::of(block.split_once("```").expect("the example ends").0)
}

fn assert_as_documented(section: &str, json: &str) {
    let mut differences = Vec::new();
    documented(section).compare(&Keys::of(json), "", &mut differences);
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Damage of several kinds, a hole, and a rounding that `policy` counts.
fn of_all_kinds() -> Folder {
    let scene = damaged().topic("0@9 z 9").section("[map]\nprice = \"round(price, 1)\"");
    written(&scene.section("[fields]\nprice = \"decimal(18, 8)\""))
}

#[test]
fn the_report_has_the_documented_keys_in_their_order() {
    let report = reconcile(&of_all_kinds(), "--report -").stdout;
    assert_as_documented("## 5. report.json", &report);
    let keys = Keys::of(&report);
    let part = |name: &str| keys.0.iter().find(|(key, _)| key == name).map(|(_, keys)| keys.clone()).expect(name);
    let of_partition = part("partitions").0.into_iter().find(|(key, _)| key == "messages").expect("messages").1;
    assert_eq!(of_partition, part("messages"), "those of a partition are those of the total");
    for list in ["partitions", "policy"] {
        assert!(!part(list).0.is_empty(), "{list} is empty, so that its keys were not seen");
    }
}

#[test]
fn findings_have_the_documented_keys_in_their_order() {
    let folder = of_all_kinds();
    reconcile(&folder, "--findings f.jsonl");
    let findings = fs::read_to_string(folder.join("f.jsonl")).expect("the file was written");
    assert!(findings.lines().count() > 2, "{findings}");
    for line in findings.lines() {
        assert_as_documented("## 6. findings.jsonl", line);
    }
}

#[test]
fn two_runs_with_as_of_differ_in_nothing_but_times() {
    let folder = of_all_kinds();
    let runs = ["f1.jsonl", "f2.jsonl"].map(|file| {
        let report = reconcile(&folder, &format!("--report - --findings {file}")).stdout;
        let timeless = |line: &&str| !["started_at", "finished_at", "elapsed_ms"].iter().any(|key| line.contains(key));
        let report: Vec<String> = report.lines().filter(timeless).map(str::to_owned).collect();
        (report, fs::read_to_string(folder.join(file)).expect("the file was written"))
    });
    assert_eq!(runs[0], runs[1]);
}

#[test]
fn ids_of_findings_are_those_of_the_documentation() {
    let folder = written(&damaged());
    reconcile(&folder, "--findings f.jsonl");
    let findings = fs::read_to_string(folder.join("f.jsonl")).expect("the file was written");
    for line in findings.lines() {
        let finding: serde_json::Value = serde_json::from_str(line).expect("a finding is JSON");
        let text = |key: &str| finding[key].as_str().expect(key).to_owned();
        let parts = [
            text("pipeline"),
            text("verdict"),
            text("topic"),
            finding["partition"].to_string(),
            finding["offset"].to_string(),
        ];
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u32).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        assert_eq!(text("id"), hasher.finalize().to_hex().to_string());
    }
}

#[test]
fn values_that_json_cannot_hold_are_text() {
    let scene = Scene::offset().topic("0@9007199254740993 a 1.10000000").file("0@9007199254740993 a 1.2");
    let folder = written(&scene);
    reconcile(&folder, "--findings f.jsonl");
    let findings = fs::read_to_string(folder.join("f.jsonl")).expect("the file was written");
    for part in ["\"offset\":9007199254740993,", "\"offset\":\"9007199254740993\"", "\"message\":\"1.1\""] {
        assert!(findings.contains(part), "{part} is not in {findings}");
    }
}

#[test]
fn a_value_that_is_the_columns_declared_default_is_named_so() {
    let damage = |declare: bool| {
        let folder = written(&Scene::offset().topic("0@0 a -").file("0@0 a 7.5"));
        let metadata = folder.files_of_table(".metadata.json").pop().expect("a table has metadata");
        let text = fs::read_to_string(&metadata).expect("it is there");
        let mut table: serde_json::Value = serde_json::from_str(&text).expect("metadata is JSON");
        let columns = table["schemas"][0]["fields"].as_array_mut().expect("a schema has columns");
        let price = columns.iter_mut().find(|column| column["name"] == "price").expect("scenes have a price");
        if declare {
            price["write-default"] = "7.50000000".into();
        }
        fs::write(&metadata, table.to_string()).expect("the folder takes files");
        assert_eq!(reconcile(&folder, "--findings f.jsonl").exit, 1);
        let findings = fs::read_to_string(folder.join("f.jsonl")).expect("it was written");
        let finding: serde_json::Value = serde_json::from_str(&findings).expect("one finding");
        finding["cause"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!((damage(true).as_str(), damage(false).as_str()), ("default_for_null", "value_for_null"));
}
