//! Health, the API, and what is refused.

use validator_app::run::status::Phase;

use super::served::{Served, healthy, in_phase, starting};

#[test]
fn the_five_states_are_told_apart_by_status_and_body() {
    let states = [
        (starting("trades"), 503, "starting"),
        (healthy("trades"), 200, "healthy"),
        (in_phase("trades", Phase::Degraded, "it was started again"), 207, "degraded"),
        (in_phase("trades", Phase::CannotJudge, "the catalog does not answer"), 502, "cannot_judge"),
        (in_phase("trades", Phase::Failed, "I1 does not hold"), 500, "failed"),
    ];
    let served = Served::start(vec![starting("trades")]);
    for (status, code, word) in states {
        let why = status.why.clone();
        served.set(status);
        let ready = served.get("/readyz");
        assert_eq!((ready.status, ready.json()["state"].as_str()), (code, Some(word)), "{ready:?}");
        assert_eq!(ready.json()["pipelines"][0]["why"].as_str(), Some(why.as_str()));
        assert_eq!(ready.headers.contains("retry-after"), word == "starting");
        let alive = served.get("/healthz");
        assert_eq!(
            (alive.status, alive.json()["state"].as_str()),
            (if word == "failed" { 500 } else { 200 }, Some(word))
        );
    }
}

#[test]
fn of_several_pipelines_the_worst_counts_and_each_can_be_asked_for() {
    let served =
        Served::start(vec![healthy("a"), in_phase("b", Phase::CannotJudge, "the broker is away"), starting("c")]);
    assert_eq!(served.get("/readyz").status, 502);
    assert_eq!(served.get("/healthz").status, 200);
    for (path, status) in [("a", 200), ("b", 502), ("c", 503), ("d", 404)] {
        assert_eq!(served.get(&format!("/readyz?pipeline={path}")).status, status, "{path}");
    }
    assert_eq!(Served::start(Vec::new()).get("/readyz").status, 503);
}

#[test]
fn a_pipeline_is_shown_with_all_that_is_known_of_it() {
    let served = Served::start(vec![healthy("trades"), starting("new one")]);
    let all = served.get("/api/v1/pipelines").json();
    let names: Vec<_> =
        all["pipelines"].as_array().expect("a list").iter().map(|one| one["pipeline"].clone()).collect();
    assert_eq!(names, ["new one", "trades"]);
    assert_eq!(served.get("/api/v1/pipelines/new%20one").json()["judged_at"], serde_json::Value::Null);
    let shown = served.get("/api/v1/pipelines/trades").json();
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).expect("JSON"), @r#"
    {
      "alerts": [
        {
          "alert": "lost",
          "firing": 1,
          "pending": 0
        }
      ],
      "checkpoint": {
        "at": "2023-11-14T22:13:19.500Z",
        "number": 42,
        "took_ms": 9
      },
      "fidelity": {
        "completeness": 0.9999,
        "coverage": 1.0,
        "precision": 1.0,
        "target": 0.9999,
        "value": 0.9999
      },
      "findings": [
        {
          "cause": "lost",
          "count": 1,
          "verdict": "missing"
        },
        {
          "cause": null,
          "count": 2,
          "verdict": "misrouted"
        }
      ],
      "judged_age_s": 2.0,
      "judged_at": "2023-11-14T22:13:18.000Z",
      "lag": 6,
      "messages": {
        "consumed": 10000,
        "corrupted": 0,
        "diverted": 0,
        "duplicated": 0,
        "duplicated_differing": 0,
        "excluded": 0,
        "intact": 9999,
        "late": 0,
        "missing": 1,
        "overdue": 0,
        "pending": 0,
        "undecodable": 0,
        "unobservable": 0,
        "withdrawn": 0
      },
      "partitions": [
        {
          "consumed": 10000,
          "head_room_s": 86400.0,
          "lag": 6,
          "last_stable": 10010,
          "partition": 3,
          "position": 10004,
          "topic": "market.trades"
        }
      ],
      "pipeline": "trades",
      "restarts": 0,
      "rows": {
        "copies": 0,
        "corrupted": 0,
        "intact": 9999,
        "misrouted": null,
        "out_of_scope": 0,
        "phantom": 0,
        "stale": null,
        "total": 9999,
        "unjudged": 0,
        "unobservable": 0
      },
      "segments": {
        "balanced": 2,
        "disputed": 1,
        "open": 1
      },
      "since": "2023-11-14T22:12:20.000Z",
      "snapshot_id": 9223372036854775807,
      "state": "healthy",
      "why": ""
    }
    "#);
}

#[test]
fn report_and_findings_come_from_the_ledger_as_they_are() {
    let served = Served::start(vec![healthy("trades"), starting("new"), healthy("broken")]);
    let report = served.get("/api/v1/pipelines/trades/report");
    assert_eq!((report.status, report.body.as_str()), (200, "{\"pipeline\":\"trades\",\"now_ms\":1700000000000}\n"));
    let page = served.get("/api/v1/pipelines/trades/findings?limit=2&state=open&verdict=missing");
    assert_eq!(page.body, "{\"findings\":[{\"id\":\"0\"},{\"id\":\"1\"}],\"next\":\"page-2\"}\n");
    let lines = served.get_with("/api/v1/pipelines/trades/findings?limit=2", "Accept: application/x-ndjson\r\n");
    assert_eq!(lines.body, "{\"id\":\"0\"}\n{\"id\":\"1\"}\n");
    assert!(lines.headers.contains("validator-next: page-2"), "{lines:?}");
    let not_yet = served.get("/api/v1/pipelines/new/report");
    assert_eq!((not_yet.status, not_yet.json()["error"].as_str()), (503, Some("new has no checkpoint yet")));
    let broken = served.get("/api/v1/pipelines/broken/report");
    assert_eq!((broken.status, broken.body.contains("secret")), (503, false), "{broken:?}");
    assert_eq!(served.get("/api/v1/pipelines/trades/findings?after=nonsense").status, 400);
}

#[test]
fn what_is_not_there_or_not_understood_is_refused_in_one_sentence() {
    let served = Served::start(vec![healthy("trades")]);
    let cases = [
        ("/nothing", 404),
        ("/metrics/", 404),
        ("/metrics?x=1", 400),
        ("/api/v1/pipelines/other/report", 404),
        ("/api/v1/pipelines/trades/findings?limit=0", 400),
        ("/api/v1/pipelines/trades/findings?verdict=gone", 400),
        ("/api/v1/pipelines/trades/report?x", 400),
        ("/readyz?name=trades", 400),
    ];
    for (path, status) in cases {
        let said = served.get(path);
        assert_eq!(said.status, status, "{path}: {said:?}");
        assert!(said.json()["error"].as_str().is_some_and(|error| !error.is_empty()), "{path}");
        assert!(
            said.headers.contains("x-content-type-options: nosniff")
                && said.headers.contains("cache-control: no-store")
        );
    }
    assert_eq!(served.get("/").status, 200);
}
