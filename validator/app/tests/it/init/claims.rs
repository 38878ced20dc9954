//! What commits and properties of a table say of its sink: evidence where the columns agree, and nothing more where they do not.

use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::value::Value;
use serde_json::json;

use super::shapes::{self, Shape};
use super::stage::{EPOCH_MS, STEP_MS, Sent, Stage, table};
use super::{k2, sinks};

/// More of the summary of each snapshot, the newest last.
fn each_says(stage: &Stage, says: impl Fn(usize) -> Vec<(String, String)>) {
    stage.say(|metadata| {
        for (nth, snapshot) in metadata["snapshots"].as_array_mut().expect("a list").iter_mut().enumerate() {
            says(nth).into_iter().for_each(|(key, value)| snapshot["summary"][key] = value.into());
        }
    });
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn shape(name: &str) -> Shape {
    sinks::shapes().into_iter().chain(k2::shapes()).find(|shape| shape.name == name).expect("it is in the table")
}

const CONNECT: [(&str, &str); 3] = [
    ("kafka.connect.commit-id", "0b1c7a64-3a10-4f0a-9d1c-b3c8f1e0a7d2"),
    ("kafka.connect.offsets.control-iceberg.connect-sink", r#"{"0":41}"#),
    ("iceberg-version", "Apache Iceberg 1.12.0"),
];
const FLINK: [(&str, &str); 5] = [
    ("flink.job-id", "6f1f1e4c0b8a4a7f9f1d2c3b4a596877"),
    ("flink.operator-id", "e3dfc0d7e9ecd8a43f85f0b68ebf3b80"),
    ("flink.max-committed-checkpoint-id", "17"),
    ("engine-name", "flink"),
    ("engine-version", "1.19.1"),
];
const SPARK: [(&str, &str); 3] =
    [("spark.app.id", "app-20240808120000-0007"), ("engine-name", "spark"), ("engine-version", "3.5.1")];

#[test]
fn the_file_says_who_the_commits_name_and_the_name_decides_between_profiles_of_the_same_columns() {
    for (name, says, lines) in [
        (
            "kafka connect, flat",
            &CONNECT[..],
            &[
                "# Kafka Connect's sink is named by 6 of the newest 6 commits (kafka.connect.*)",
                "# the engine that they name: Apache Iceberg 1.12.0",
                "# all of the newest 6 commits append",
                "profile = \"kafka-connect\"",
            ][..],
        ),
        (
            "flink without a timestamp",
            &FLINK[..],
            &[
                "# Flink is named by 6 of the newest 6 commits (flink.*)",
                "# the engine that they name: flink 1.19.1",
                "profile = \"flink\"",
            ][..],
        ),
        ("spark", &SPARK[..], &["# Spark is named by 6 of the newest 6 commits (spark.*)", "profile = \"spark\""][..]),
        (
            "v1 trades_v2",
            &[("engine-name", "Spark")][..],
            &["# Spark is named by 6 of the newest 6 commits (engine-name)", "columns = [\"message_id\"]"][..],
        ),
    ] {
        let stage = shapes::stage(&shape(name));
        each_says(&stage, |_| pairs(says));
        let (text, ran) = stage.written();
        for line in lines {
            assert!(text.lines().any(|written| written == *line), "{name}: {line}\n{text}");
        }
        assert!(!ran.stderr.contains("the commits name"), "{name}: {}", ran.stderr);
        for words in ["check pipeline.toml", "reconcile pipeline.toml --quiet"] {
            assert_eq!(stage.run(words).exit, 0, "{name}: {words}\n{text}");
        }
    }
}

#[test]
fn a_commit_of_another_hand_is_told_and_one_that_compacts_is_none() {
    let stage = shapes::stage(&shape("kafka connect, nested"));
    each_says(&stage, |nth| match nth {
        2 => Vec::new(),
        3 => pairs(&[("operation", "replace"), ("spark.app.id", "local-1")]),
        _ => pairs(&CONNECT),
    });
    let (text, _) = stage.written();
    for line in [
        "# Kafka Connect's sink is named by 4 of the newest 5 commits (kafka.connect.*)",
        "# no writer is named by 1 of the newest 5 commits",
    ] {
        assert!(text.lines().any(|written| written == line), "{line}\n{text}");
    }
    assert!(!text.contains("Spark"), "{text}");
}

#[test]
fn a_lie_moves_nothing_and_what_it_holds_is_harmless() {
    let hostile = "x\u{1b}[2J\"]\n[identity]\nmode = \"offset\"\n# \u{202e}${HOME}";
    let shape = shape("v2 cold bronze binance");
    let honest = shapes::stage(&shape);
    let told: toml::Table = honest.written().0.parse().expect("the file is TOML");
    let stage = shapes::stage(&shape);
    let long = "é".repeat(1_000_000);
    each_says(&stage, |nth| {
        let lies = [("kafka.connect.commit-id", hostile), ("engine-name", hostile), ("engine-version", long.as_str())];
        let key = (format!("flink.{hostile}"), hostile.to_owned());
        pairs(&lies).into_iter().chain((nth % 2 == 0).then_some(key)).collect()
    });
    stage.say(|metadata| {
        metadata["properties"] =
            json!({ "write.upsert.enabled": "true", "write.merge.mode": hostile, hostile: hostile });
    });
    let (text, ran) = stage.written();
    for shown in [&text, &ran.stderr] {
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
        assert!(shown.len() < 8_000, "{}", shown.len());
    }
    let read: toml::Table = text.parse().expect("the file is TOML");
    assert_eq!(read, told, "but for comments it is the file of a table that says nothing\n{text}");
    assert!(text.contains("# Kafka Connect's sink is named by 6 of the newest 6 commits"), "{text}");
    let said = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("write.upsert.enabled is true, and no row sampled is seen to have replaced another"),
        "{said}"
    );
    assert_eq!(stage.run("reconcile pipeline.toml --quiet").exit, 0);
}

#[test]
fn columns_that_another_sink_lays_out_are_verified_and_the_contradiction_is_told() {
    let stage = shapes::stage(&shape("redpanda"));
    each_says(&stage, |_| pairs(&FLINK));
    let (text, ran) = stage.written();
    assert!(text.lines().any(|line| line == "profile = \"redpanda\""), "{text}");
    let said = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = "the commits name Flink, and the columns are laid out as redpanda does it";
    assert!(said.contains(told), "{said}");
}

const VERSIONS: i64 = 6_000;
const KEYS: i64 = 60;

/// A topic of versions, far more than a sample, and a table of the last of each key.
fn last_versions() -> Stage {
    let columns = vec![
        Column::optional("account_id", ColumnType::String),
        Column::optional("balance", ColumnType::Long),
        Column::optional("at", ColumnType::Timestamptz),
    ];
    let (key, at) = (|nth: i64| format!("a-{}", nth % KEYS), |nth: i64| EPOCH_MS + nth * STEP_MS);
    let message = |nth: i64| Sent {
        partition: 0,
        key: Some(key(nth).into_bytes()),
        payload: Some(
            format!(r#"{{"account_id":"{}","balance":{},"at":{}}}"#, key(nth), nth * 7, at(nth)).into_bytes(),
        ),
    };
    let row = |nth: i64| vec![Value::text(key(nth)), Value::long(nth * 7), Value::instant(at(nth) * 1_000)];
    let rows = (VERSIONS - KEYS..VERSIONS).map(row).collect();
    Stage::new(&(0..VERSIONS).map(message).collect::<Vec<_>>(), &table(columns, rows, 20))
}

#[test]
fn a_part_of_a_table_is_one_of_last_versions_only_where_the_table_says_so_too() {
    let has = |text: &str, line: &str| text.lines().any(|written| written == line);
    let silent = last_versions();
    silent.init("--sample 400 --output pipeline.toml");
    let text = std::fs::read_to_string(silent.join("pipeline.toml")).unwrap_or_default();
    assert!(!has(&text, "upsert = true"), "{text}");

    let stage = last_versions();
    each_says(&stage, |_| pairs(&[("operation", "overwrite"), ("engine-name", "spark")]));
    let ran = stage.init("--sample 400 --output pipeline.toml");
    let text = std::fs::read_to_string(stage.join("pipeline.toml")).unwrap_or_default();
    for line in
        ["columns = [\"account_id\"]", "upsert = true", "# 3 of the newest 3 commits replace or delete rows, 0 append"]
    {
        assert!(has(&text, line), "{line}\n{}\n{text}", ran.all());
    }
    assert_eq!(ran.exit, 0, "{}\n{text}", ran.all());
    assert_eq!(stage.run("reconcile pipeline.toml --quiet").exit, 0, "{text}");
}
