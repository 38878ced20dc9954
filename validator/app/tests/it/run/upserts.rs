//! Worlds of upsert tables, fed beside, between and to services that are killed: what the ledger says at rest is what `reconcile` says
//! of the same messages and the same snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use fixtures_harness::{KafkaCluster, KafkaOptions};
use fixtures_kit::Options;
use fixtures_kit::options::{Cut, Deletes};
use serde_json::{Value as Json, json};

use super::answers::{judged_at_ms, lines};
use super::service::{assert_sound, run_until_idle, told};
use super::stage::{SETTLE, Stage};
use super::worlds::{Fed, feed};
use crate::real_kafka::good;

/// Of a message without a row a run knows whether it had one.
const ABSENT: [&str; 3] = ["missing", "withdrawn", "overdue"];

/// The world of an upsert table of the whole suite, as far as a mock broker can hold it.
pub fn of_keys(seed: u64) -> Option<Options> {
    let any = Options::any(seed);
    // Whether a message may lie in a file that cannot be read a single run knows by the bounds of its columns (0057).
    let faults = any.faults.iter().copied().filter(|kind| !kind.breaks_files()).collect();
    let deletes = any.deletes.map(|deletes| Deletes { harm: false, ..deletes });
    any.upsert.then(|| Options {
        holes: 0.0,
        timeless: 0.0,
        cut: Cut::Whole,
        equality_deletes: false,
        messages: any.messages.min(150),
        settle_ms: SETTLE.as_millis().try_into().expect("short"),
        faults,
        deletes,
        ..any
    })
}

fn level(verdict: &str) -> &str {
    if ABSENT.contains(&verdict) { "absent" } else { verdict }
}

/// Counts by name.
fn counts(of: &Json) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (name, count) in of.as_object().into_iter().flatten() {
        // Counted by one of the two alone, or a part of others.
        if !["late", "stale", "misrouted"].contains(&name.as_str()) {
            *counts.entry(level(name).to_owned()).or_default() += count.as_u64().unwrap_or(0);
        }
    }
    counts
}

/// Each finding by what it is about.
fn places(findings: &[Json]) -> Vec<String> {
    let place = |finding: &Json| {
        let verdict = level(finding["verdict"].as_str().unwrap_or_default());
        let cause = if verdict == "absent" { Json::Null } else { finding["cause"].clone() };
        let rows: Vec<String> = finding["rows"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|row| format!("{}:{}", row["file"], row["position"]))
            .collect();
        json!([verdict, cause, finding["partition"], finding["offset"], finding["columns"], rows]).to_string()
    };
    let is_of_history = |finding: &&Json| {
        ["rewrite_not_preserving", "history_rewritten"].contains(&finding["verdict"].as_str().unwrap_or_default())
    };
    let mut places: Vec<String> = findings.iter().filter(|finding| !is_of_history(finding)).map(place).collect();
    places.sort();
    places
}

/// Holds what the ledger says of a world against what `reconcile` says; how many findings there are.
pub fn assert_reconciled(stage: &Stage, play: &fixtures_warehouse::play::Play, what: &str) -> usize {
    let (report, findings) = told(stage.folder(), &play.contract().name);
    let world = play.world(judged_at_ms(&report));
    let (judged, judged_findings) = stage.reconciled(&world);
    let (said, known) = (places(&findings), places(&lines(&judged_findings)));
    let not_in = |one: &[String], other: &[String]| -> String {
        one.iter().filter(|place| !other.contains(place)).map(|place| format!("\n    {place}")).collect()
    };
    let apart = format!("run alone:{}\n  reconcile alone:{}", not_in(&said, &known), not_in(&known, &said));
    for part in ["messages", "rows"] {
        let (said, known) = (counts(&report[part]), counts(&judged[part]));
        assert_eq!(said, known, "{what}: {part} of run and of reconcile\n  {apart}");
    }
    assert_eq!(said, known, "{what}\n  {apart}");
    assert_sound(stage.folder());
    said.len()
}

fn judge(stage: &Stage, seed: u64, fed: Fed) -> usize {
    let options = of_keys(seed).expect("the world of an upsert table");
    let play = stage.begin(seed, options, 0);
    let play = feed(stage, play, fed);
    run_until_idle(stage.folder());
    assert_reconciled(stage, &play, &format!("seed {seed}, fed {fed:?}"))
}

#[test]
fn worlds_of_upsert_tables_however_they_came_about() {
    let fed = [Fed::Between, Fed::Beside, Fed::Killed, Fed::AtOnce];
    let seeds = super::followed::seeds_or(0..48).filter(|seed| of_keys(*seed).is_some());
    let found: usize = seeds.zip(fed.into_iter().cycle()).map(|(seed, fed)| judge(&Stage::new(), seed, fed)).sum();
    assert!(found > 20, "hardly anything went wrong: {found}");
}

#[test]
fn a_world_of_an_upsert_table_over_real_brokers() {
    let cluster = Arc::new(good(KafkaCluster::start(&KafkaOptions::default())));
    let seed = (420..).find(|seed| of_keys(*seed).is_some_and(|options| !options.faults.is_empty()));
    judge(&Stage::over(&cluster), seed.expect("there are some"), Fed::Killed);
}
