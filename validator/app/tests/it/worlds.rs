//! Random workloads × random faults × identity modes through the whole engine, against a checker that knows the truth.
//!
//! Contract: a seed makes one world; `SEEDS=a..b` chooses the seeds, a failing one is printed with the command that
//! replays it. The checker shares no code with the validator.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fixtures_kit::compare::{finding_differences, report_differences};
use fixtures_kit::{Options, Truth, World};
use fixtures_warehouse::Warehouse;
use serde_json::Value as Json;
use validator_app::config::{Loader, Pipeline, Service};
use validator_app::{Answer, Failure, Progress, Request, judge};
use validator_core::contract::Envelope;
use validator_core::judge::{Case, Judgement, MessageState};
use validator_engine::case::Drilling;
use validator_engine::drill::{DrillError, Lookup};
use validator_engine::reconcile::Judge;

/// Seeds of a run where `SEEDS` says nothing else.
const SEEDS: Range<u64> = 0..2_000;

/// Lines that are shown of what differs in one world.
const LINES_SHOWN: usize = 12;

#[test]
fn every_world_is_judged_as_the_checker_knows_it() {
    let seeds = seeds();
    let drilled = Arc::new(Mutex::new(BTreeMap::new()));
    let failures = judge_counting(seeds.clone(), validator_core::judge::judge, usize::MAX, &drilled);
    let shown: Vec<String> = failures.iter().take(8).map(|(seed, why)| explain(*seed, why)).collect();
    let all: Vec<String> = failures.iter().map(|(seed, _)| seed.to_string()).collect();
    let (count, of) = (failures.len(), seeds.end - seeds.start);
    assert!(failures.is_empty(), "{count} of {of} worlds differ: {}\n{}", all.join(" "), shown.join("\n"));
    let drilled = drilled.lock().expect("no test panics with it");
    println!("how {of} worlds were drilled: {drilled:?}");
    check_drilling(&drilled);
}

#[test]
fn a_judge_that_overlooks_copies_is_noticed() {
    fn blind(mut case: Case, lookup: &mut Lookup) -> Result<Judgement, DrillError> {
        let mut seen = std::collections::BTreeSet::new();
        case.rows.sort_by_key(|row| row.at);
        case.rows.retain(|row| seen.insert(row.digest));
        validator_core::judge::judge(case, lookup)
    }
    assert!(!judge_all(0..150, blind, 1).is_empty(), "150 worlds, and nobody missed the copies");
}

#[test]
fn a_judge_that_believes_every_damaged_row_is_noticed() {
    fn gullible(mut case: Case, lookup: &mut Lookup) -> Result<Judgement, DrillError> {
        for message in case.messages.iter_mut().filter(|message| message.state == MessageState::Judged) {
            if let Some(row) = case.rows.iter().find(|row| Some(row.identity) == message.identity) {
                message.digest = Some(row.digest);
            }
        }
        validator_core::judge::judge(case, lookup)
    }
    assert!(!judge_all(0..150, gullible, 1).is_empty(), "150 worlds, and nobody missed the damage");
}

#[test]
fn a_judge_that_names_no_candidates_is_noticed() {
    fn sure(case: Case, lookup: &mut Lookup) -> Result<Judgement, DrillError> {
        let mut judgement = validator_core::judge::judge(case, lookup)?;
        judgement.drafts.iter_mut().for_each(|draft| draft.equals = None);
        Ok(judgement)
    }
    assert!(!judge_all(0..150, sure, 1).is_empty(), "150 worlds, and nobody missed the candidates");
}

/// Worlds by mode, and how their disputed segments were read again.
type Drilled = BTreeMap<(&'static str, &'static str), u64>;

fn mode(options: &Options) -> &'static str {
    match (options.upsert, options.mode) {
        (true, _) => "upsert",
        (false, mode) if mode.is_offset() => "offset",
        (false, mode) if mode.is_content() => "content",
        (false, _) => "key",
    }
}

fn drilling(drilling: Drilling) -> &'static str {
    match drilling {
        Drilling::Nothing => "not at all",
        Drilling::Sifted { passed_by: 0 } => "sifted, nothing passed by",
        Drilling::Sifted { .. } => "sifted",
        Drilling::Whole => "whole",
        Drilling::WholeAfterAll => "whole after all",
    }
}

/// Where names tell messages apart, only what differs is read again, and what is passed by is proven: never all of it.
fn check_drilling(drilled: &Drilled) {
    for ((mode, drilling), worlds) in drilled {
        let (has_names, is_sifted) = (["offset", "key"].contains(mode), drilling.starts_with("sifted"));
        let is_right = *drilling == "not at all" || has_names == is_sifted;
        assert!(is_right, "{worlds} worlds of mode {mode} were drilled {drilling}: {drilled:?}");
    }
    let sifted = |mode| drilled.get(&(mode, "sifted")).copied().unwrap_or(0);
    if drilled.values().sum::<u64>() >= 500 {
        assert!(sifted("offset") >= 50 && sifted("key") >= 10, "hardly any world passes a message by: {drilled:?}");
    }
}

fn seeds() -> Range<u64> {
    seeds_or(SEEDS)
}

/// The seeds that were asked for, else these.
pub fn seeds_or(default: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("SEEDS") else { return default };
    let (from, to) = text.split_once("..").unwrap_or((&text, ""));
    let from: u64 = from.parse().expect("SEEDS is a..b or one number");
    from..to.parse().unwrap_or(from + 1)
}

fn explain(seed: u64, why: &str) -> String {
    let lines: Vec<&str> = why.lines().take(LINES_SHOWN).collect();
    let why = lines.join("\n");
    format!("seed {seed}: {why}\nreplay: SEEDS={seed} cargo test -p validator-app --test it worlds::every_world\n")
}

/// The seeds whose answer is not the truth, and how it differs; no more worlds are judged once `enough` of them do.
fn judge_all(seeds: Range<u64>, judge: Judge, enough: usize) -> Vec<(u64, String)> {
    judge_counting(seeds, judge, enough, &Arc::default())
}

fn judge_counting(seeds: Range<u64>, judge: Judge, enough: usize, drilled: &Arc<Mutex<Drilled>>) -> Vec<(u64, String)> {
    let next = Arc::new(AtomicU64::new(seeds.start));
    let failures = Arc::new(Mutex::new(Vec::new()));
    let workers: Vec<_> = (0..std::thread::available_parallelism().map_or(1, usize::from))
        .map(|_| {
            let (next, failures, end) = (Arc::clone(&next), Arc::clone(&failures), seeds.end);
            let drilled = Arc::clone(drilled);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
                let runtime = runtime.expect("the system gives threads");
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || failures.lock().expect("no test panics with it").len() >= enough {
                        return;
                    }
                    let world = World::generate(seed, &Options::any(seed));
                    // An assertion of the validator's own that fails is a difference too.
                    let judged =
                        catch_unwind(AssertUnwindSafe(|| runtime.block_on(judge_world(&world, judge, &drilled))));
                    if let Err(why) = judged.unwrap_or_else(|_| Err("an assertion failed".to_owned())) {
                        let faults: Vec<String> = world.faults.iter().map(ToString::to_string).collect();
                        let why = format!("{why}\n  injected: {}", faults.join("; "));
                        failures.lock().expect("no test panics with it").push((seed, why));
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().expect("a world ended a worker");
    }
    let mut failures = std::mem::take(&mut *failures.lock().expect("no test panics with it"));
    failures.sort();
    failures
}

/// A folder for one world, in memory where the system has such: thousands of small files cost more on a disk than all
/// that is done with them.
pub fn scratch() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()) } else { tempfile::tempdir() }
}

async fn judge_world(world: &World, judge: Judge, drilled: &Mutex<Drilled>) -> Result<(), String> {
    let directory = scratch().map_err(|error| error.to_string())?;
    let answer = answer(world, directory.path(), judge).await;
    let truth = Truth::of(world);
    match answer {
        Err(_) if truth.refused => Ok(()),
        Err(failure) => Err(format!("the run failed: {}", chain(&failure))),
        Ok(_) if truth.refused => Err("the table should have been refused".to_owned()),
        Ok(answer) => {
            let how = (mode(&world.options), drilling(answer.drilling));
            *drilled.lock().expect("no test panics with it").entry(how).or_default() += 1;
            compare(&truth, &answer)
        }
    }
}

fn chain(failure: &Failure) -> String {
    validator_app::render::failure(failure, validator_app::render::Palette::PLAIN, 120)
}

/// Writes both sides and the files that a user would write, and reads these.
///
/// # Errors
/// They are not taken.
pub async fn written(world: &World, directory: &Path) -> Result<(Pipeline, Service), Failure> {
    let topic = world.write_kcat(directory).expect("a temporary folder takes files");
    let warehouse = Warehouse::create(&directory.join("warehouse")).await.expect("a warehouse");
    warehouse.write(&world.table).await.expect("a table");
    let service = World::service_toml(&warehouse.catalog_uri(), &warehouse.url(), None);
    std::fs::write(directory.join("validator.toml"), service).expect("a temporary folder takes files");
    world.write_pipeline(directory).expect("a temporary folder takes files");
    let loader = Loader::of_process(world.judged_at_ms);
    let service = loader.service(Some(&directory.join("validator.toml")))?;
    let mut pipeline = loader.pipeline_file(&directory.join("pipeline.toml"))?;
    pipeline.read_from_files(vec![topic.display().to_string()], Some(Envelope::Kcat));
    Ok((pipeline, service))
}

/// Writes both sides and runs the validator over them, through the files that a user would write.
async fn answer(world: &World, directory: &Path, judge_with: Judge) -> Result<Answer, Failure> {
    let (pipeline, service) = written(world, directory).await?;
    let edge = |text: Option<String>, parse: fn(&str) -> Result<validator_app::config::Edge, _>| {
        text.map(|text| parse(&text).expect("worlds write edges as users do").resolve(world.judged_at_ms))
    };
    let request = Request {
        from: edge(world.from_argument(), validator_app::config::Edge::parse_from),
        to: edge(world.to_argument(), validator_app::config::Edge::parse_to),
        as_of_ms: Some(world.judged_at_ms),
        threads: 2,
        judge: judge_with,
        ..Request::new(world.judged_at_ms)
    };
    judge(&pipeline, &service, &request, &Progress::none()).await
}

/// Every count, figure and finding.
fn compare(truth: &Truth, answer: &Answer) -> Result<(), String> {
    let report = serde_json::to_value(&answer.report).map_err(|error| error.to_string())?;
    let findings: Result<Vec<Json>, _> = answer.findings.at_hand.iter().map(serde_json::to_value).collect();
    let mut differences = report_differences(truth, &report);
    differences.extend(finding_differences(truth, &findings.map_err(|error| error.to_string())?));
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n  ")) }
}
