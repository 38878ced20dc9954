//! Random worlds of the kit, followed in this process until nothing is left to do: what a run then says is what `reconcile` says over
//! the same messages and the same snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fixtures_kit::contract::Identity;
use fixtures_kit::options::Mode;
use fixtures_kit::{Followed, Options, Truth, World};
use serde_json::Value as Json;
use validator_app::{Failure, Outside, Progress, Request, follow, judge};

/// Seeds of a run where `SEEDS` says nothing else; about a third of them are worlds of mode `offset` without a cut.
const SEEDS: Range<u64> = 0..120;
/// The same of worlds of windows, of which there are fewer. Beyond them there are some whose run says less than `reconcile` by what 0056 lists.
const SEEDS_OF_WINDOWS: Range<u64> = 0..600;
/// The same of worlds of upsert tables: one of six.
const SEEDS_OF_UPSERTS: Range<u64> = 0..300;
/// Worlds of which some are of windows or keys over a log that is trimmed.
const SEEDS_OF_TRIMMED: Range<u64> = 0..200;
/// What a world may take before it hangs.
const WITHIN: Duration = Duration::from_secs(60);

/// Those that `SEEDS` says, else these.
pub fn seeds_or(or: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("SEEDS") else { return or };
    let (from, to) = text.split_once("..").unwrap_or((&text, ""));
    let from: u64 = from.parse().expect("SEEDS is a..b or one number");
    from..to.parse().unwrap_or(from + 1)
}

fn is_followed(world: &World, is_of: impl Fn(Mode) -> bool) -> bool {
    let is_cut = world.from_argument().is_some() || world.to_argument().is_some();
    is_of(world.options.mode) && !is_cut && !Truth::of(world).refused
}

/// Books of windows begin behind the first messages of a log that is trimmed, where a single run judges them row by row.
fn is_whole(world: &World) -> bool {
    Truth::of(world).partitions.iter().all(|partition| partition.from == 0)
}

#[test]
fn a_world_that_is_followed_is_one_that_is_reconciled() {
    let (followed, late) = all_are_reconciled(SEEDS, |world| is_followed(world, Mode::is_offset));
    println!("{followed} worlds; who says which messages are late: {late:?}");
    let is_known = ["rows", "messages"].iter().all(|who| late.contains_key(who));
    assert!(is_known || seeds_or(SEEDS) != SEEDS, "nobody says which messages are late: {late:?}");
}

#[test]
fn a_world_of_windows_that_is_followed_is_one_that_is_reconciled() {
    let is_of = |mode| matches!(mode, Mode::KeyWindow | Mode::ContentWindow);
    let is_meant = |world: &World| is_followed(world, is_of) && !world.options.upsert && is_whole(world);
    let (followed, late) = all_are_reconciled(SEEDS_OF_WINDOWS, is_meant);
    println!("{followed} worlds of windows; who says which messages are late: {late:?}");
    assert!(late.contains_key("rows") || seeds_or(SEEDS_OF_WINDOWS) != SEEDS_OF_WINDOWS, "nobody says it: {late:?}");
}

#[test]
fn a_world_of_an_upsert_table_that_is_followed_is_one_that_is_reconciled() {
    let is_meant = |world: &World| world.options.upsert && is_followed(world, |_| true) && is_whole(world);
    let (followed, _) = all_are_reconciled(SEEDS_OF_UPSERTS, is_meant);
    println!("{followed} worlds of upsert tables");
}

/// Books over a log that is cut begin behind its first messages, and have messages without a window, or a key that nobody knows the
/// last version of: a single run says more of these. That each message counts once, and is listed or said not to be, each report asserts.
#[test]
fn worlds_of_windows_and_keys_over_a_log_that_is_trimmed_have_a_report() {
    let is_of = |mode| matches!(mode, Mode::KeyWindow | Mode::ContentWindow);
    let is_meant = |world: &World| {
        let is_by_window = is_followed(world, is_of) || world.options.upsert && is_followed(world, |_| true);
        is_by_window && !is_whole(world)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("the system gives threads");
    let mut followed = 0;
    for seed in seeds_or(SEEDS_OF_TRIMMED) {
        let world = World::generate(seed, &Options::any(seed));
        if !is_meant(&world) {
            continue;
        }
        let folder = crate::worlds::scratch().expect("the system gives a folder");
        let report = runtime.block_on(async {
            let (mut pipeline, service) = crate::worlds::written(&world, folder.path()).await?;
            (pipeline.has_settle, pipeline.poll_ms) = (true, Some(50));
            let at_ms = world.judged_at_ms + pipeline.contract.fidelity.settle_ms;
            let outside = Outside { now_ms: Arc::new(move || at_ms), tap: None };
            let followed = follow(&pipeline, &service, Duration::from_millis(60), &outside);
            tokio::time::timeout(WITHIN, followed).await.expect("it ends")
        });
        let report = report.unwrap_or_else(|failure| panic!("seed {seed}: {}", text_of(&failure))).report;
        assert_eq!(report.messages.consumed, report.partitions.iter().map(|one| one.consumed).sum::<u64>());
        followed += 1;
    }
    println!("{followed} worlds over logs that are trimmed");
    assert!(followed > 0, "no such world among these seeds");
}

/// How many such worlds there are, and by who says it in how many of them messages are late.
fn all_are_reconciled(seeds: Range<u64>, is_meant: impl Fn(&World) -> bool) -> (u32, BTreeMap<&'static str, u32>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("the system gives threads");
    let (mut followed, mut diverted, mut wrong, mut late) = (0, 0, Vec::new(), BTreeMap::<&str, u32>::new());
    for seed in seeds_or(seeds) {
        let world = World::generate(seed, &Options::any(seed));
        if !is_meant(&world) {
            continue;
        }
        followed += 1;
        let folder = crate::worlds::scratch().expect("the system gives a folder");
        let differences = runtime.block_on(async { tokio::time::timeout(WITHIN, both(&world, folder.path())).await });
        match differences {
            Ok(Ok(pair)) if pair.differences.is_empty() => {
                *late.entry(pair.who_says_late).or_default() += 1;
                diverted += pair.diverted;
            }
            Ok(Ok(pair)) => wrong.push(format!("seed {seed}: {}", pair.differences.join("; "))),
            Ok(Err(failure)) => wrong.push(format!("seed {seed}: {}", text_of(&failure))),
            Err(_) => wrong.push(format!("seed {seed}: it is not idle after {WITHIN:?}")),
        }
    }
    assert!(followed > 0, "no such world among these seeds");
    // One world of four has dead letters.
    assert!(diverted > 0 || followed < 20, "{followed} worlds, and no message of them is diverted");
    eprintln!("{followed} worlds followed, {diverted} messages diverted");
    let replay = "replay one: SEEDS=n cargo test -p validator-app --test it run::followed";
    assert!(wrong.is_empty(), "{} of {followed} worlds differ\n{}\n{replay}", wrong.len(), wrong.join("\n"));
    (followed, late)
}

/// As a person sees it.
pub fn text_of(failure: &Failure) -> String {
    validator_app::render::failure(failure, validator_app::render::Palette::PLAIN, 120)
}

/// What is said of a world by both.
struct Pair {
    /// Where the two reports differ.
    differences: Vec<String>,
    /// Who said that messages are late.
    who_says_late: &'static str,
    diverted: u64,
}

/// Follows and reconciles.
async fn both(world: &World, folder: &Path) -> Result<Pair, Failure> {
    let (mut pipeline, service) = crate::worlds::written(world, folder).await?;
    // As `reconcile` has it where the file says nothing; and a clock that stands still must leave nothing pending.
    (pipeline.has_settle, pipeline.poll_ms) = (true, Some(50));
    let at_ms = world.judged_at_ms + pipeline.contract.fidelity.settle_ms;
    let request = Request { as_of_ms: Some(at_ms), threads: 2, ..Request::new(at_ms) };
    let judged = judge(&pipeline, &service, &request, &Progress::none()).await?;
    let outside = Outside { now_ms: Arc::new(move || at_ms), tap: None };
    let followed = follow(&pipeline, &service, Duration::from_millis(60), &outside).await?;
    let [judged, followed] =
        [&judged.report, &followed.report].map(|report| serde_json::to_value(report).expect("a report is JSON"));
    let mut differences = Vec::new();
    // What stood before the first look is told as removed once the message is missing; a single run says so before.
    let is_removed = |cause: &Json| cause["cause"] == "removed";
    let were_removed = judged["findings"]["by_cause"].as_array().is_some_and(|causes| causes.iter().any(is_removed));
    if were_removed && !world.options.mode.is_offset() && followed["messages"]["overdue"].as_u64() > Some(0) {
        return Ok(Pair { differences, who_says_late: "nobody", diverted: 0 });
    }
    for key in ["messages", "rows", "findings", "partitions", "outcome"] {
        compare(key, &judged[key], &followed[key], &mut differences);
    }
    let who_says_late = compare_late(world, &judged, &followed, &mut differences);
    let diverted = followed["messages"]["diverted"].as_u64().unwrap_or_default();
    Ok(Pair { differences, who_says_late, diverted })
}

/// A run knows it where `reconcile` does, and says the same; else by the timestamps of the messages. It has looked once.
fn compare_late(world: &World, judged: &Json, followed: &Json, differences: &mut Vec<String>) -> &'static str {
    let late = |report: &Json| report["messages"]["late"].as_u64();
    let (judged, followed) = (late(judged), late(followed));
    let truth = match &world.contract.identity {
        // A commit of an upsert table writes rows again.
        _ if world.contract.upsert => None,
        // Equal rows are not told apart.
        Identity::Content { .. } => judged,
        _ => {
            let once = Followed { seen: world.table.judged.into_iter().collect() };
            Truth::followed(world, &once).messages.late
        }
    };
    if followed != truth || judged.is_some() && judged != followed {
        differences.push(format!("late: reconcile {judged:?}, run {followed:?}, truth {truth:?}"));
    }
    match (followed, judged) {
        (None | Some(0), _) => "nobody",
        (_, Some(_)) => "rows",
        (_, None) => "messages",
    }
}

/// Notes where two values differ. `misrouted` and `stale` are counted by one of the two alone; `late` is compared apart.
pub fn compare(path: &str, judged: &Json, followed: &Json, differences: &mut Vec<String>) {
    if ["late", "misrouted", "stale"].iter().any(|name| path.ends_with(name)) {
        return;
    }
    match (judged, followed) {
        (Json::Object(one), Json::Object(other)) => {
            for key in one.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
                let of = |object: &serde_json::Map<String, Json>| object.get(key).cloned().unwrap_or_default();
                compare(&format!("{path}.{key}"), &of(one), &of(other), differences);
            }
        }
        (Json::Array(one), Json::Array(other)) if one.len() == other.len() => {
            for (place, (one, other)) in one.iter().zip(other).enumerate() {
                compare(&format!("{path}[{place}]"), one, other, differences);
            }
        }
        _ if judged != followed => differences.push(format!("{path}: reconcile {judged}, run {followed}")),
        _ => {}
    }
}
