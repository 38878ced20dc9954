//! Done line 4: over the real binary, a real Alertmanager and a real Prometheus are told of an injected loss, once, and of its end.

use std::collections::{BTreeMap, BTreeSet};

use fixtures_harness::{Alertmanager, Asked, HttpStub, Look, Prometheus, Reply, chain, promtool, wait_until};
use serde_json::Value as Json;

use super::shop::{Shop, WITHIN};

/// What a receiver of Alertmanager was told: `firing lost`.
fn told(receiver: &HttpStub) -> Vec<String> {
    let alerts = |asked: &Asked| {
        let body: Json = serde_json::from_str(&asked.body).expect("JSON");
        body["alerts"].as_array().expect("a list").clone()
    };
    let word = |alert: &Json, of: &str| alert[of].as_str().unwrap_or_default().to_owned();
    let all = receiver.asked().iter().flat_map(alerts).collect::<Vec<_>>();
    all.iter().map(|alert| format!("{} {}", word(alert, "status"), word(&alert["labels"], "alertname"))).collect()
}

fn alerts(alertmanager: &str) -> String {
    format!(
        "[channels.am]\ntype = \"alertmanager\"\nurl = {alertmanager:?}\nresend = \"1s\"\n\n\
         [[alerts]]\nname = \"lost\"\nwhen = \"findings(missing) > 0\"\nby = \"cause\"\nseverity = \"page\"\nnotify = [\"am\"]\n\n\
         [[alerts]]\nname = \"burn\"\nwhen = \"burn_rate(1h) > 14.4 and burn_rate(5m) > 14.4\"\nnotify = [\"am\"]\n\n\
         [[alerts]]\nname = \"blind\"\nwhen = \"cannot_judge or age > 5m\"\nnotify = [\"am\"]\n"
    )
}

#[test]
fn a_lost_message_fires_once_and_resolves_when_its_row_lands_late() {
    let receiver = HttpStub::start(|_| Reply::new(200, ""));
    let alertmanager =
        Alertmanager::start(&format!("{}/hook", receiver.url())).unwrap_or_else(|error| panic!("{}", chain(&error)));
    let mut shop = Shop::open(&alerts(alertmanager.url()));
    shop.start();
    let address = shop.address();
    let prometheus = Prometheus::start(&[address]).unwrap_or_else(|error| panic!("{}", chain(&error)));
    let sold = shop.sell(20);
    shop.land(sold);
    shop.until("a judged pipeline", |shop| match shop.shown() {
        shown if shown["messages"]["intact"] == 20 && shown["state"] == "healthy" => Ok(()),
        shown => Err(shown.to_string()),
    });
    assert_eq!(told(&receiver), [""; 0]);

    let lost = shop.lose_one();
    let until = |shop: &mut Shop, what: &str, wanted: &[&str]| {
        shop.until(what, |_| {
            let now = told(&receiver).into_iter().collect::<BTreeSet<_>>();
            let is_there = wanted.iter().all(|word| now.contains(*word));
            if is_there { Ok(()) } else { Err(format!("{now:?} {}", alertmanager.log_tail())) }
        });
    };
    until(&mut shop, "both alerts", &["firing lost", "firing burn"]);
    let firing = "validator_alerts{alert=\"lost\",state=\"firing\"}";
    let seen = wait_until("the alert in Prometheus", WITHIN, || match prometheus.query(firing) {
        Ok(samples) if samples.iter().any(|(_, value)| value == "1") => Look::Done(()),
        other => Look::NotYet(format!("{other:?} {}", prometheus.log_tail())),
    });
    seen.unwrap_or_else(|error| panic!("{error}"));
    let query = "validator_findings{verdict=\"missing\",cause=\"lost\"}";
    let found = prometheus.query(query).expect("an answer");
    assert_eq!(found.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["1"]);
    as_the_page_says(&mut shop, &prometheus);
    // Without reminders Alertmanager ends an alert after four seconds: many more of them, and a restart, change nothing.
    shop.checkpoints(20);
    shop.kill();
    shop.start();
    shop.checkpoints(20);
    let held = alertmanager.alerts().expect("it answers");
    let names: BTreeSet<&str> = held.iter().filter_map(|alert| alert["labels"]["alertname"].as_str()).collect();
    assert_eq!(names, BTreeSet::from(["burn", "lost"]), "{held:?}");

    shop.land([lost]);
    until(&mut shop, "the end of both", &["resolved lost", "resolved burn"]);
    shop.until("an empty outbox", |shop| match shop.metric("validator_outbox_messages") {
        Some(0.0) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    shop.checkpoints(10);
    let mut all = told(&receiver);
    all.sort();
    assert_eq!(all, ["firing burn", "firing lost", "resolved burn", "resolved lost"]);
    assert_eq!(shop.stop(), Some(0));
}

/// Name → type, labels, and whether it may be absent, of the page's tables of metrics.
fn promised() -> BTreeMap<String, (String, BTreeSet<String>, bool)> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let kinds = ["counter", "gauge", "histogram", "untyped"];
    let mut promised = BTreeMap::new();
    let mut of_pipeline = false;
    for line in page.lines() {
        if line.starts_with("## ") {
            of_pipeline = line == "## Of each pipeline";
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, kind, labels, says] = cells[..] else { continue };
        if !kinds.contains(&kind) {
            continue;
        }
        let own = labels.split(',').map(|label| label.trim().trim_matches('`').to_owned()).filter(|l| !l.is_empty());
        let mut labels: BTreeSet<String> = own.collect();
        if of_pipeline {
            labels.insert("pipeline".to_owned());
        }
        let may_be_absent = says.to_lowercase().contains("absent");
        promised.insert(name.trim_matches('`').to_owned(), (kind.to_owned(), labels, may_be_absent));
    }
    assert!(promised.len() > 40, "{promised:?}");
    promised
}

/// Every name of the page is scraped with its labels and type, and nothing else is.
fn as_the_page_says(shop: &mut Shop, prometheus: &Prometheus) {
    let promised = promised();
    let (_, text) = shop.get("/metrics");
    assert_eq!(promtool(&text).unwrap_or_else(|error| panic!("{}", chain(&error))).trim(), "");
    let mut there: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for sample in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = sample.split_once(['{', ' ']).expect("a sample");
        let is_histogram = |name: &str| promised.get(name).is_some_and(|(kind, ..)| kind == "histogram");
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|end| name.strip_suffix(end))
            .find(|base| is_histogram(base));
        let names = labels.split("=\"").map(|part| part.rsplit(['"', ',']).next().unwrap_or_default().to_owned());
        let mut names: Vec<String> = if sample.contains('{') { names.collect() } else { Vec::new() };
        names.pop();
        names.retain(|name| name != "le");
        there.entry(base.unwrap_or(name).to_owned()).or_default().extend(names);
    }
    for (name, labels) in &there {
        let Some((_, wanted, _)) = promised.get(name) else { panic!("{name} is not promised") };
        assert_eq!(labels, wanted, "{name}");
    }
    let absent: BTreeSet<&str> =
        promised.iter().filter(|(name, _)| !there.contains_key(*name)).map(|(name, _)| name.as_str()).collect();
    let excused = promised.iter().filter(|(_, (.., may_be_absent))| *may_be_absent).map(|(name, _)| name.as_str());
    let excused: BTreeSet<&str> = excused.collect();
    assert!(absent.is_subset(&excused), "absent: {absent:?}");
    assert!(absent.len() <= 1, "the log is not deleted, all else is known: {absent:?}");

    let metadata = prometheus.metadata().expect("it answers");
    let known: BTreeMap<&str, &str> = metadata
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| Some((one["metric"].as_str()?, one["type"].as_str()?)))
        .collect();
    for name in there.keys() {
        let kind = if promised[name].0 == "untyped" { "unknown" } else { promised[name].0.as_str() };
        assert_eq!(known.get(name.as_str()), Some(&kind), "{name} in Prometheus");
    }
    assert!(known.keys().all(|name| promised.contains_key(*name)), "{known:?}");
    assert_eq!(prometheus.scrape_errors().expect("it answers"), [""; 0]);
    // What landed: 34 rows of 35 messages, none of them long ago.
    let landed = shop.metric("validator_landing_seconds_count").expect("a histogram");
    assert_eq!(landed, 34.0);
    let within = shop.metric("validator_landing_seconds_bucket{pipeline=\"trades\",le=\"60\"}").expect("a bucket");
    assert_eq!(within, 34.0);
}
