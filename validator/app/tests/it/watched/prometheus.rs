//! A real Prometheus scrapes what docs/metrics.md promises.

use std::collections::BTreeSet;
use std::time::Duration;

use fixtures_harness::{Look, Prometheus, chain, promtool, wait_until};
use validator_app::run::metrics::METRICS;

use super::served::{Served, healthy, starting};

const SCRAPED_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn promtool_finds_nothing_to_say() {
    let served = Served::start(vec![healthy("trades"), starting("a \"new\" one\\")]);
    let metrics = served.get("/metrics");
    assert!(metrics.headers.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{}", metrics.headers);
    let said = promtool(&metrics.body).unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert_eq!(said.trim(), "");
}

#[test]
fn prometheus_scrapes_every_metric_of_the_page_with_its_type() {
    let served = Served::start(vec![healthy("trades"), healthy("orders")]);
    let prometheus =
        Prometheus::start(&[served.address.to_string()]).unwrap_or_else(|error| panic!("{}", chain(&error)));
    let scraped = wait_until("a scrape", SCRAPED_WITHIN, || match prometheus.query("validator_messages_total") {
        Ok(samples) if samples.len() == 22 => Look::Done(samples),
        other => Look::NotYet(format!("{other:?} {:?} {}", prometheus.scrape_errors(), prometheus.log_tail())),
    });
    let scraped = scraped.unwrap_or_else(|error| panic!("{error}"));
    let missing = scraped.iter().filter(|(labels, _)| labels["verdict"] == "missing").map(|(_, value)| value.as_str());
    assert_eq!(missing.collect::<Vec<_>>(), ["1", "1"]);

    // The page is held against the table by `cargo xtask docs --check`; here Prometheus is held against the page.
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md")).expect("the page");
    let promised: BTreeSet<(String, String)> = page.lines().filter_map(promise).collect();
    assert_eq!(promised.len(), METRICS.len());
    let metadata = prometheus.metadata().expect("it answers");
    let known: BTreeSet<(String, String)> = metadata
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            (one["metric"].as_str().unwrap_or_default().to_owned(), one["type"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    let lacking: Vec<_> = promised.iter().filter(|(name, kind)| !known.contains(&(name.clone(), told(kind)))).collect();
    assert!(lacking.is_empty(), "{lacking:?}\n{known:?}");

    let p99 = prometheus
        .query("histogram_quantile(0.99, sum by (le) (validator_landing_seconds_bucket))")
        .expect("an answer");
    assert_eq!(p99.len(), 1, "{p99:?}");
    let ready = prometheus.query("sum by (pipeline) (validator_pipeline_state{state=\"healthy\"})").expect("an answer");
    assert_eq!(ready.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["1", "1"]);
    assert_eq!(prometheus.scrape_errors().expect("it answers"), [""; 0]);
}

/// Name and type of a row of the page's tables of metrics.
fn promise(line: &str) -> Option<(String, String)> {
    let mut cells = line.strip_prefix("| `")?.split(" | ");
    let name = cells.next()?.strip_suffix('`')?;
    let kind = cells.next()?;
    ["counter", "gauge", "histogram", "untyped"].contains(&kind).then(|| (name.to_owned(), kind.to_owned()))
}

/// Prometheus' word for a type.
fn told(kind: &str) -> String {
    if kind == "untyped" { "unknown".to_owned() } else { kind.to_owned() }
}
