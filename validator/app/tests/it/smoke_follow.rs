//! Scratch: followed worlds beside reconciled ones.
use std::path::Path;
use std::time::Duration;

use fixtures_kit::{Options, Truth, World};
use fixtures_warehouse::Warehouse;
use serde_json::Value as Json;
use validator_app::config::Loader;
use validator_app::{Failure, Outside, Progress, Request, follow, judge};
use validator_core::contract::Envelope;

#[test]
fn followed_worlds() {
    let _ = tracing_subscriber::fmt().with_env_filter(std::env::var("VALIDATOR_LOG").unwrap_or("off".into())).with_test_writer().try_init();
    let text = std::env::var("SEEDS").unwrap_or("0..60".into());
    let (from, to) = text.split_once("..").unwrap_or((&text, ""));
    let from: u64 = from.parse().unwrap();
    let seeds = from..to.parse().unwrap_or(from + 1);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (mut bad, mut n) = (0, 0);
    for seed in seeds {
        let world = World::generate(seed, &Options::any(seed));
        if !world.options.mode.is_offset() || world.options.upsert || world.from_argument().is_some() || world.to_argument().is_some() { continue }
        if Truth::of(&world).refused { continue }
        n += 1;
        let directory = super::worlds::scratch().unwrap();
        let began = std::time::Instant::now();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), both(&world, directory.path())).await })));
        match result {
            Ok(Ok(Ok(None))) => println!("seed {seed} ok {:?}", began.elapsed()),
            Ok(Ok(Ok(Some(why)))) => { bad += 1; println!("seed {seed} DIFFERS {why}\n  {:?}", world.faults.iter().map(ToString::to_string).collect::<Vec<_>>()); }
            Ok(Ok(Err(failure))) => { bad += 1; println!("seed {seed} FAILED {}", validator_app::render::failure(&failure, validator_app::render::Palette::PLAIN, 120)); }
            Ok(Err(_)) => { bad += 1; println!("seed {seed} TIMEOUT"); }
            Err(_) => { bad += 1; println!("seed {seed} PANIC"); }
        }
    }
    println!("{bad} of {n} bad");
    assert_eq!(bad, 0);
}

async fn both(world: &World, directory: &Path) -> Result<Option<String>, Failure> {
    let topic = world.write_kcat(directory).unwrap();
    let warehouse = Warehouse::create(&directory.join("warehouse")).await.unwrap();
    warehouse.write(&world.table).await.unwrap();
    let service = World::service_toml(&warehouse.catalog_uri(), &warehouse.url(), None);
    std::fs::write(directory.join("validator.toml"), service).unwrap();
    world.write_pipeline(directory).unwrap();
    let loader = Loader::of_process(world.judged_at_ms);
    let mut service = loader.service(Some(&directory.join("validator.toml")))?;
    let mut pipeline = loader.pipeline_file(&directory.join("pipeline.toml"))?;
    pipeline.read_from_files(vec![topic.display().to_string()], Some(Envelope::Kcat));
    pipeline.has_settle = true;
    pipeline.poll_ms = Some(50);
    service.state = None;
    let request = Request { as_of_ms: Some(world.judged_at_ms + pipeline.contract.fidelity.settle_ms), threads: 2, ..Request::new(world.judged_at_ms) };
    let judged = judge(&pipeline, &service, &request, &Progress::none()).await?;
    let at = world.judged_at_ms + pipeline.contract.fidelity.settle_ms;
    let outside = Outside { now_ms: std::sync::Arc::new(move || at), tap: None };
    let followed = follow(&pipeline, &service, Duration::from_millis(60), &outside).await?;
    let (a, b) = (serde_json::to_value(&judged.report).unwrap(), serde_json::to_value(&followed.report).unwrap());
    let mut why = Vec::new();
    for key in ["messages", "rows", "findings", "partitions"] {
        diff(key, &a[key], &b[key], &mut why);
    }
    Ok((!why.is_empty()).then(|| why.join("; ")))
}

fn diff(path: &str, a: &Json, b: &Json, why: &mut Vec<String>) {
    if path.ends_with("late") || path.ends_with("misrouted") || path.ends_with("stale") { return }
    match (a, b) {
        (Json::Object(x), Json::Object(y)) => {
            for key in x.keys().chain(y.keys()).collect::<std::collections::BTreeSet<_>>() {
                diff(&format!("{path}.{key}"), x.get(key).unwrap_or(&Json::Null), y.get(key).unwrap_or(&Json::Null), why);
            }
        }
        (Json::Array(x), Json::Array(y)) if x.len() == y.len() => {
            for (i, (x, y)) in x.iter().zip(y).enumerate() { diff(&format!("{path}[{i}]"), x, y, why) }
        }
        _ if a != b => why.push(format!("{path}: {a} followed {b}")),
        _ => {}
    }
}
