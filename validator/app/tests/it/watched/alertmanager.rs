//! A real Alertmanager is told once that messages are lost, and once that their rows landed late.

use std::collections::BTreeMap;
use std::time::Duration;

use fixtures_harness::{Alertmanager, Asked, HttpStub, Look, Reply, chain, wait_until};
use serde_json::Value;
use validator_app::run::alerts::{Channel, Condition, Rule};
use validator_app::run::status::{Phase, Status};
use validator_core::verdict::{Cause, MessageVerdict, Verdict};

use super::post::{Post, now_ms};
use super::served::in_phase;

const WITHIN: Duration = Duration::from_secs(60);

fn rule() -> Rule {
    Rule {
        name: "lost".to_owned(),
        when: Condition::parse("findings(missing) > 0").expect("sound"),
        for_ms: 0,
        resolve_after_ms: 0,
        by_cause: true,
        severity: Some("page".to_owned()),
        notify: vec!["am".to_owned()],
        says: Some("Compare the sink's log.".to_owned()),
        runbook: Some("https://wiki.example.com/lost".to_owned()),
    }
}

/// A pipeline that lost so many messages, none of them in the end.
fn lost(messages: u64) -> Status {
    let mut status = in_phase("trades", Phase::Healthy, "");
    status.judged_at_ms = Some(now_ms());
    status.messages.intact = 1_000 - messages;
    status.messages.missing = messages;
    status.rows.intact = 1_000 - messages;
    if messages > 0 {
        status.findings.insert((Verdict::Message(MessageVerdict::Missing), Some(Cause::Lost)), messages);
    }
    status
}

/// What the receiver was told: states of alerts in their order.
fn told(receiver: &HttpStub) -> Vec<(String, Value)> {
    let alerts = |asked: &Asked| {
        let body: Value = serde_json::from_str(&asked.body).expect("JSON");
        body["alerts"].as_array().expect("a list").clone()
    };
    let all = receiver.asked().iter().flat_map(alerts).collect::<Vec<_>>();
    all.into_iter().map(|alert| (alert["status"].as_str().unwrap_or_default().to_owned(), alert)).collect()
}

#[test]
fn a_loss_is_told_once_and_its_end_once_also_across_a_restart() {
    let receiver = HttpStub::start(|_| Reply::new(200, ""));
    let alertmanager =
        Alertmanager::start(&format!("{}/hook", receiver.url())).unwrap_or_else(|error| panic!("{}", chain(&error)));
    let channel = Channel::Alertmanager {
        url: alertmanager.url().to_owned(),
        resend_ms: 1_000,
        user: None,
        password: None,
        token: None,
    };
    let mut post = Post::start(vec![rule()], BTreeMap::from([("am".to_owned(), channel)]));
    let until = |post: &mut Post, what: &str, messages: u64, is_so: &dyn Fn(&Post) -> bool| {
        let seen = wait_until(what, WITHIN, || {
            post.turn(&lost(messages));
            match is_so(post) {
                true => Look::Done(()),
                false => Look::NotYet(format!(
                    "{:?} {:?} {}",
                    told(&receiver),
                    alertmanager.alerts(),
                    alertmanager.log_tail()
                )),
            }
        });
        seen.unwrap_or_else(|error| panic!("{error}"));
    };
    until(&mut post, "nothing to be told", 0, &|_| true);
    assert_eq!(alertmanager.alerts().expect("it answers"), [Value::Null; 0]);

    until(&mut post, "the alert at the receiver", 3, &|_| !told(&receiver).is_empty());
    // An alert ends by itself after four seconds without a reminder: six reminders later it still fires.
    let reminded = post.reminders;
    until(&mut post, "reminders", 3, &|post| post.reminders >= reminded + 6);
    post.restart();
    let reminded = post.reminders;
    until(&mut post, "reminders after a restart", 4, &|post| post.reminders >= reminded + 2);
    let held = alertmanager.alerts().expect("it answers");
    assert_eq!(held.len(), 1, "{held:?}");
    let labels = serde_json::json!({
        "alertname": "lost", "pipeline": "trades", "severity": "page", "verdict": "missing", "cause": "lost",
    });
    assert_eq!(held[0]["labels"], labels);
    assert_eq!(held[0]["annotations"]["runbook_url"], "https://wiki.example.com/lost");

    until(&mut post, "the end at the receiver", 0, &|_| told(&receiver).len() > 1);
    until(&mut post, "an empty outbox", 0, &|post| post.waiting() == 0);
    let told = told(&receiver);
    let states: Vec<&str> = told.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(states, ["firing", "resolved"], "{told:?}");
    assert_eq!(told[0].1["startsAt"], told[1].1["startsAt"]);
    assert_eq!(post.sent("am"), 2);
    assert_eq!(alertmanager.alerts().expect("it answers"), [Value::Null; 0]);
}
