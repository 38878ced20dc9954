//! An object store that fails, and one that is slow: no file counts as unreadable for it, and no message as missing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use fixtures_harness::{Asked, Ending, HttpStub, Reply, TopicSpec, hold_back, kafka_cluster, unique_name};

use super::running::now_ms;
use super::scene::{SETTLE_MS, Scene, send, straight};
use crate::real_kafka::good;

const BUCKET: &str = "lake";
const SERVES: u8 = 0;
const FAILS: u8 = 1;
const REFUSES: u8 = 2;
const IS_SLOW: u8 = 3;
/// What a slow answer takes.
const SLOW: Duration = Duration::from_millis(700);

/// Objects of the bucket: the key of each is the path of a file.
fn store(state: &Arc<AtomicU8>) -> HttpStub {
    let state = Arc::clone(state);
    HttpStub::start(move |asked| match state.load(Ordering::SeqCst) {
        FAILS => Reply::new(503, "<Error><Code>SlowDown</Code></Error>"),
        REFUSES => Reply::new(200, "").ending(Ending::Refused),
        IS_SLOW => {
            hold_back(SLOW);
            object(asked)
        }
        _ => object(asked),
    })
}

fn object(asked: &Asked) -> Reply {
    let path = asked.path.split('?').next().unwrap_or_default();
    let path = path.strip_prefix(&format!("/{BUCKET}")).unwrap_or_default().replace("%2D", "-");
    let Ok(bytes) = std::fs::read(Path::new(&path)) else {
        return Reply::new(404, "<Error><Code>NoSuchKey</Code></Error>");
    };
    let last = "Wed, 01 Jul 2026 00:00:00 GMT";
    let tagged = |reply: Reply| reply.header("ETag", format!("\"{}\"", bytes.len())).header("Last-Modified", last);
    let range = asked.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let Some((from, to)) = range else { return tagged(Reply::new(200, bytes.clone())) };
    let end = bytes.len();
    let (from, to) = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) => (from, (to + 1).min(end)),
        (Ok(from), Err(_)) => (from, end),
        (Err(_), Ok(last)) => (end.saturating_sub(last), end),
        (Err(_), Err(_)) => (0, end),
    };
    let of = format!("bytes {from}-{}/{end}", to.saturating_sub(1));
    tagged(Reply::new(206, bytes[from.min(to)..to].to_vec()).header("Content-Range", of))
}

#[test]
fn a_store_that_fails_refuses_or_is_slow_costs_time_and_no_verdict() {
    let cluster = kafka_cluster();
    let topic = unique_name("run-store");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let state = Arc::new(AtomicU8::new(SERVES));
    let store = store(&state);
    let mut scene = Scene::in_bucket(cluster, &topic, BUCKET).with_width(2).with_sections(|sections, _| {
        let endpoint = store.url();
        format!(
            "{sections}[catalogs.lake.storage]\n\"s3.endpoint\" = {endpoint:?}\n\"s3.path-style-access\" = true\n\
             \"s3.region\" = \"us-east-1\"\n\"s3.access-key-id\" = \"key\"\n\
             \"s3.secret-access-key\" = {{ file = \"secret\" }}\n"
        )
    });
    std::fs::write(scene.join("secret"), "secret").expect("the folder takes files");
    let mut landed = 0;
    let mut more = |scene: &mut Scene| {
        send(cluster, &topic, 0, landed..landed + 10);
        scene.land(&straight(0, landed..landed + 10));
        landed += 10;
        landed
    };
    let all = more(&mut scene);
    let mut running = scene.start();
    running.until("all of them", |status| status["messages"]["intact"] == all);
    for (bad, name) in [(FAILS, "a store that fails"), (REFUSES, "a store that refuses")] {
        state.store(bad, Ordering::SeqCst);
        let (before, all) = (all_intact(&mut running), more(&mut scene));
        let away_ms = now_ms();
        let status = running.until_it_cannot_judge("the object store");
        assert_eq!(status["messages"]["missing"], 0, "{status}");
        let status = running.until("messages, long after they were due", |status| {
            status["messages"]["consumed"] == all && now_ms() > away_ms + 2 * SETTLE_MS
        });
        let counts = ["intact", "missing", "overdue", "unobservable"].map(|key| status["messages"][key].as_u64());
        assert_eq!(counts, [before, 0, 0, 0].map(Some), "{name}: {status}");
        state.store(SERVES, Ordering::SeqCst);
        let status = running.until_it_recovers(name);
        assert_eq!(status["messages"]["intact"], all, "{name}: {status}");
    }
    state.store(IS_SLOW, Ordering::SeqCst);
    let all = more(&mut scene);
    let status = running.until("all of a slow store", |status| status["messages"]["intact"] == all);
    assert_eq!(status["restarts"], 0, "{status}");
    state.store(SERVES, Ordering::SeqCst);
    running.stop();
    assert_eq!(scene.at_rest().summary(), format!("holds | consumed {all}, intact {all} | intact {all}, total {all}"));
}

fn all_intact(running: &mut super::running::Running) -> u64 {
    running.status().expect("it answers")["messages"]["intact"].as_u64().expect("a count")
}
