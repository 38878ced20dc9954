//! The signed webhook: what is sent, what proves it, and what a server that fails makes of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fixtures_harness::{Ending, HttpStub, Look, Reply, run_python, wait_until};
use serde_json::Value;
use validator_app::run::alerts::{Channel, Condition, Rule, signature};
use validator_app::run::status::{Phase, Status};
use validator_core::secret::Secret;

use super::post::{Post, now_ms};
use super::served::in_phase;

const WITHIN: Duration = Duration::from_secs(60);
const SECRET: &str = "correct horse battery staple";

fn rule(name: &str, notify: &[&str]) -> Rule {
    Rule {
        name: name.to_owned(),
        when: Condition::parse("messages(missing) > 0").expect("sound"),
        for_ms: 0,
        resolve_after_ms: 0,
        by_cause: false,
        severity: None,
        notify: notify.iter().map(|name| (*name).to_owned()).collect(),
        says: None,
        runbook: None,
    }
}

fn hook(stub: &HttpStub) -> Channel {
    let url = format!("{}/hook?team=lake", stub.url());
    Channel::Webhook { url, secret: Some(Secret::new(SECRET)), token: Some(Secret::new("t0ken")) }
}

fn missing(messages: u64) -> Status {
    let mut status = in_phase("trades", Phase::Healthy, "");
    status.judged_at_ms = Some(now_ms());
    status.messages.intact = 1_000 - messages;
    status.messages.missing = messages;
    status.rows.intact = 1_000 - messages;
    status
}

/// Turns until it is so.
fn until(post: &mut Post, what: &str, messages: u64, is_so: impl Fn(&Post) -> bool) {
    let seen = wait_until(what, WITHIN, || {
        post.turn(&missing(messages));
        if is_so(post) { Look::Done(()) } else { Look::NotYet(format!("{} wait", post.waiting())) }
    });
    seen.unwrap_or_else(|error| panic!("{error}"));
}

/// The states that a server was told, in their order.
fn states(stub: &HttpStub) -> Vec<String> {
    let state = |body: &str| serde_json::from_str::<Value>(body).expect("JSON")["state"].as_str().map(str::to_owned);
    stub.asked().iter().filter_map(|asked| state(&asked.body)).collect()
}

#[test]
fn a_webhook_gets_the_notice_and_can_prove_who_sent_it_and_when() {
    let stub = HttpStub::start(|_| Reply::new(204, ""));
    let mut post = Post::start(vec![rule("lost", &["hook"])], BTreeMap::from([("hook".to_owned(), hook(&stub))]));
    let before = now_ms() / 1_000;
    until(&mut post, "one delivery", 2, |post| post.sent("hook") == 1);
    let [asked] = &stub.asked()[..] else { panic!("{:?}", stub.asked()) };
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/hook?team=lake"));
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.header("authorization"), Some("Bearer t0ken"));
    let notice: Value = serde_json::from_str(&asked.body).expect("JSON");
    assert_eq!((notice["alert"].as_str(), notice["state"].as_str()), (Some("lost"), Some("firing")));
    assert_eq!(notice["figures"]["messages(missing)"], 2.0);
    let delivery = format!("{}-firing", notice["id"].as_str().expect("an id"));
    assert_eq!(asked.header("validator-delivery"), Some(delivery.as_str()));
    let timestamp: i64 = asked.header("validator-timestamp").expect("it is there").parse().expect("seconds");
    assert!((before..=now_ms() / 1_000).contains(&timestamp), "{timestamp}");
    // Checked as a receiver would, by a library that is not ours.
    let script = "import hashlib, hmac, sys; key, stamp, body = sys.argv[1:]; \
                  print('v1=' + hmac.new(key.encode(), (stamp + '.' + body).encode(), hashlib.sha256).hexdigest())";
    let stamp = timestamp.to_string();
    let said = run_python(script, &[SECRET, &stamp, &asked.body]).expect("python runs");
    assert_eq!(asked.header("validator-signature"), Some(said.trim()));
}

#[test]
fn a_signature_is_of_key_time_and_body() {
    let signed = signature(b"key", 0, b"body");
    assert_eq!(signed.len(), 3 + 64);
    for other in [signature(b"yek", 0, b"body"), signature(b"key", 1, b"body"), signature(b"key", 0, b"bodz")] {
        assert_ne!(signed, other);
    }
}

#[test]
fn a_server_that_fails_is_told_again_in_order_until_it_takes_it() {
    let fails = Arc::new(AtomicU32::new(5));
    let failing = Arc::clone(&fails);
    let stub = HttpStub::start(move |_| {
        match failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(5) => Reply::new(500, "no"),
            Ok(4) => Reply::new(200, "").ending(Ending::Refused),
            Ok(3) => Reply::new(302, "").header("Location", "http://127.0.0.1:1/"),
            Ok(_) => Reply::new(429, "slower"),
            Err(_) => Reply::new(200, ""),
        }
    });
    let mut post = Post::start(vec![rule("lost", &["hook"])], BTreeMap::from([("hook".to_owned(), hook(&stub))]));
    // It is over before it could be told: both are told, the first first.
    post.turn(&missing(1));
    post.turn(&missing(0));
    until(&mut post, "an empty outbox", 0, |post| post.waiting() == 0);
    assert_eq!(fails.load(Ordering::SeqCst), 0);
    let states = states(&stub);
    assert_eq!(states[..5], ["firing"; 5], "{states:?}");
    assert_eq!(states[5..], ["firing", "resolved"], "{states:?}");
    let deliveries: Vec<_> =
        stub.asked().iter().map(|asked| asked.header("validator-delivery").map(str::to_owned)).collect();
    assert!(deliveries[..6].iter().all(|delivery| *delivery == deliveries[0]), "a repetition can be recognised");
}

#[test]
fn what_a_server_refuses_for_what_it_says_is_given_up_and_said() {
    let stub = HttpStub::start(|_| Reply::new(400, "no such team\n\u{1b}[31m"));
    let mut post = Post::start(vec![rule("lost", &["hook"])], BTreeMap::from([("hook".to_owned(), hook(&stub))]));
    until(&mut post, "the refusal", 1, |post| !post.refused.is_empty());
    assert_eq!(post.waiting(), 0);
    assert!(post.refused[0].starts_with("the server answers 400 Bad Request: no such team"), "{:?}", post.refused);
    assert!(!post.refused[0].contains('\n') && !post.refused[0].contains(SECRET));
}

#[test]
fn a_channel_that_hangs_holds_up_neither_the_pipeline_nor_another_channel() {
    // The system takes the connection, and nobody ever answers.
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
    let address = hanging.local_addr().expect("a bound socket has an address");
    let bad = Channel::Webhook { url: format!("http://{address}/"), secret: None, token: None };
    let sound = HttpStub::start(|_| Reply::new(200, ""));
    let channels = BTreeMap::from([("bad".to_owned(), bad), ("good".to_owned(), hook(&sound))]);
    let mut post = Post::start(vec![rule("lost", &["bad", "good"])], channels);
    let begun = Instant::now();
    until(&mut post, "the good one", 1, |post| post.sent("good") == 1);
    until(&mut post, "the good one again", 0, |post| post.sent("good") == 2);
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}: no longer than one delivery may take", begun.elapsed());
    assert_eq!(post.sent("bad"), 0);
}
