//! What is told, when, and that it is told once: also where the process ends between any two steps.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use validator_core::verdict::{Cause, MessageVerdict, Verdict};

use super::notice::{Notice, NoticeState};
use super::*;
use crate::run::status::{PartitionStatus, Phase, Status};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const START: i64 = 1_700_000_000_000;

fn rule(name: &str, when: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        when: Condition::parse(when).expect(when),
        for_ms: 0,
        resolve_after_ms: 0,
        by_cause: false,
        severity: Some("page".to_owned()),
        notify: vec!["ops".to_owned()],
        says: None,
        runbook: None,
    }
}

fn channels() -> BTreeMap<String, Channel> {
    let alertmanager =
        Channel::Alertmanager { url: "http://a".into(), resend_ms: MINUTE, user: None, password: None, token: None };
    BTreeMap::from([("ops".to_owned(), Channel::Log), ("am".to_owned(), alertmanager)])
}

fn of(rules: Vec<Rule>, begin: Begin<'_>, now_ms: i64) -> Alerts {
    Alerts::new("trades", rules, channels(), begin, now_ms)
}

fn status() -> Status {
    let mut status = Status::starting("trades", 0.9999, START);
    status.phase = Phase::Healthy;
    status.why = String::new();
    status.judged_at_ms = Some(START);
    status
}

/// A status whose lag is that.
fn lagging(lag: Option<i64>) -> Status {
    let mut status = status();
    status.partitions = vec![PartitionStatus {
        topic: "t".into(),
        partition: 0,
        consumed: 0,
        position: 0,
        last_stable: lag,
        head_room_s: None,
    }];
    status
}

/// A status with so many intact and missing messages, judged then.
fn judged(at_ms: i64, intact: u64, missing: u64) -> Status {
    let mut status = status();
    status.judged_at_ms = Some(at_ms);
    status.messages.intact = intact;
    status.messages.missing = missing;
    status.rows.intact = intact;
    if missing > 0 {
        status.findings.insert((Verdict::Message(MessageVerdict::Missing), Some(Cause::Lost)), missing);
    }
    status
}

fn read(outgoing: &Outgoing) -> Notice {
    serde_json::from_slice(&outgoing.body).expect("a notice")
}

/// What was said and is kept, in short: `lost firing`.
fn said(out: &[Outgoing]) -> Vec<String> {
    let kept = out.iter().filter(|outgoing| outgoing.dedupe.is_some());
    kept.map(|outgoing| {
        let notice = read(outgoing);
        let state = if notice.state == NoticeState::Firing { "firing" } else { "resolved" };
        let group: Vec<String> = notice.group.values().cloned().collect();
        [vec![notice.alert], group, vec![state.to_owned()]].concat().join(" ")
    })
    .collect()
}

#[test]
fn an_alert_begins_after_its_time_and_is_over_after_its_own() {
    let slow = Rule { for_ms: 5 * SECOND, resolve_after_ms: 3 * SECOND, ..rule("slow", "lag > 10") };
    let mut alerts = of(vec![slow], Begin::New, START);
    let mut told = Vec::new();
    let lags = [11, 11, 9, 11, 11, 11, 11, 11, 11, 11, 9, 9, 11, 9, 9, 9, 9, 9];
    for (second, lag) in (0_i64..).zip(lags) {
        for said in said(&alerts.evaluate(&lagging(Some(lag)), START + second * SECOND)) {
            told.push(format!("{second} {said}"));
        }
    }
    assert_eq!(told, ["8 slow firing", "16 slow resolved"]);
}

#[test]
fn what_is_not_known_neither_begins_nor_ends_an_alert() {
    let mut alerts = of(vec![rule("lag", "lag > 10")], Begin::New, START);
    assert_eq!(said(&alerts.evaluate(&lagging(None), START)), [""; 0]);
    assert_eq!(said(&alerts.evaluate(&lagging(Some(11)), START + 1)), ["lag firing"]);
    assert_eq!(said(&alerts.evaluate(&lagging(None), START + 2)), [""; 0]);
    assert_eq!(said(&alerts.evaluate(&lagging(Some(9)), START + 3)), ["lag resolved"]);
    let mut waiting = of(vec![Rule { for_ms: 2, ..rule("lag", "lag > 10") }], Begin::New, START);
    for (after, lag) in [(0, Some(11)), (1, None), (2, Some(11)), (3, Some(11))] {
        assert_eq!(said(&waiting.evaluate(&lagging(lag), START + after)), [""; 0], "{after}");
    }
    assert_eq!(said(&waiting.evaluate(&lagging(Some(11)), START + 4)), ["lag firing"]);
}

#[test]
fn each_cause_has_an_alert_of_its_own() {
    let mut alerts = of(vec![Rule { by_cause: true, ..rule("found", "findings > 0") }], Begin::New, START);
    let mut now = judged(START, 9, 1);
    assert_eq!(said(&alerts.evaluate(&now, START)), ["found lost missing firing"]);
    now.findings.insert((Verdict::Message(MessageVerdict::Duplicated), Some(Cause::Copied)), 4);
    assert_eq!(said(&alerts.evaluate(&now, START + 1)), ["found copied duplicated firing"]);
    now.findings.remove(&(Verdict::Message(MessageVerdict::Missing), Some(Cause::Lost)));
    assert_eq!(said(&alerts.evaluate(&now, START + 2)), ["found lost missing resolved"]);
    assert_eq!(alerts.counts(), BTreeMap::from([("found".to_owned(), (0, 1))]));
}

/// What a fast burn tells, by minute: 100 messages a second; two of them are lost from minute 70 on, for that long, and land
/// at that minute.
fn burnt(lost_minutes: u64, land_minute: u64) -> Vec<String> {
    let mut alerts = of(vec![rule("burn", "burn_rate(1h) > 14.4 and burn_rate(5m) > 14.4")], Begin::New, START);
    let (mut told, mut intact, mut missing) = (Vec::new(), 0, 0);
    for second in 0..6_000_u64 {
        let now_ms = START + i64::try_from(second).expect("small") * SECOND;
        let lost = if (4_200..4_200 + 60 * lost_minutes).contains(&second) { 2 } else { 0 };
        (intact, missing) = (intact + 100 - lost, missing + lost);
        if second == 60 * land_minute {
            (intact, missing) = (intact + missing, 0);
        }
        let said = said(&alerts.evaluate(&judged(now_ms, intact, missing), now_ms));
        told.extend(said.into_iter().map(|said| format!("{} {said}", second / 60)));
    }
    told
}

#[test]
fn the_budget_burns_by_two_windows_and_late_rows_put_it_out() {
    // 200 budgets: 259 s of it are 14.4 budgets of an hour. It is over when the last 5 minutes are below 14.4 again.
    assert_eq!(burnt(10, 1_000), ["74 burn firing", "84 burn resolved"]);
    assert_eq!(burnt(6, 76), ["74 burn firing", "76 burn resolved"]);
    // Four minutes of it are 13.3 budgets of an hour: a slower rule tells of them.
    assert_eq!(burnt(4, 1_000), [""; 0]);
}

#[test]
fn an_outage_uses_up_no_window_and_age_tells_of_it() {
    let rules = vec![rule("burn", "burn_rate(5m) > 1"), rule("blind", "age > 1m or cannot_judge")];
    let mut alerts = of(rules, Begin::New, START);
    assert_eq!(said(&alerts.evaluate(&judged(START, 0, 0), START)), [""; 0]);
    let lossy = judged(START + SECOND, 990, 10);
    assert_eq!(said(&alerts.evaluate(&lossy, START + SECOND)), ["burn firing"]);
    let hour = 60 * MINUTE;
    assert_eq!(said(&alerts.evaluate(&lossy, START + hour)), ["blind firing"]);
    let back = judged(START + hour, 991, 10);
    assert_eq!(said(&alerts.evaluate(&back, START + hour)), ["burn resolved", "blind resolved"]);
}

#[test]
fn a_new_pipeline_burns_by_what_it_finds_first_and_a_new_rule_does_not() {
    let rules = || vec![rule("burn", "burn_rate(1h) > 14.4")];
    let lossy = judged(START, 990, 10);
    assert_eq!(said(&of(rules(), Begin::New, START - 1).evaluate(&lossy, START)), ["burn firing"]);
    assert_eq!(said(&of(rules(), Begin::Saved(&[]), START - 1).evaluate(&lossy, START)), [""; 0]);
}

#[test]
fn a_rule_that_goes_ends_its_alert() {
    let mut alerts = of(vec![rule("lag", "lag > 10"), rule("other", "lag > 10")], Begin::New, START);
    assert_eq!(said(&alerts.evaluate(&lagging(Some(11)), START)), ["lag firing", "other firing"]);
    let mut alerts = alerts.reloaded(vec![rule("lag", "lag > 5")], channels(), START + 1);
    let out = alerts.evaluate(&lagging(Some(11)), START + 2);
    assert_eq!(said(&out), ["other resolved"]);
    assert_eq!(read(&out[0]).summary, "other of trades is over: no rule asks for it any more");
}

#[test]
fn alertmanager_is_reminded_and_reminders_are_not_kept() {
    let told = Rule { notify: vec!["am".into(), "ops".into()], ..rule("lag", "lag > 10") };
    let mut alerts = of(vec![told], Begin::New, START);
    let mut reminders = Vec::new();
    for second in 0..200 {
        let out = alerts.evaluate(&lagging(Some(11)), START + second * SECOND);
        reminders.extend(
            out.iter().filter(|outgoing| outgoing.dedupe.is_none()).map(|outgoing| (second, outgoing.channel.clone())),
        );
    }
    assert_eq!(reminders, [60, 120, 180].map(|second| (second, "am".to_owned())));
}

#[test]
fn a_notice_says_all_of_it() {
    let lost = Rule {
        by_cause: true,
        says: Some("Look at the sink.".into()),
        runbook: Some("https://wiki.example.com/lost".into()),
        ..rule("lost", "findings(missing) > 0 and fidelity < 99.99%")
    };
    let mut alerts = of(vec![lost], Begin::New, START);
    let out = alerts.evaluate(&judged(START, 999, 1), START);
    let body: serde_json::Value = serde_json::from_slice(&out[0].body).expect("JSON");
    insta::assert_snapshot!(serde_json::to_string_pretty(&body).expect("JSON"), @r#"
    {
      "alert": "lost",
      "ended_at": null,
      "figures": {
        "fidelity": 0.999,
        "findings(missing)": 1.0
      },
      "group": {
        "cause": "lost",
        "verdict": "missing"
      },
      "id": "0e230170c2295f63d574041b0f74b004",
      "judged_at": "2023-11-14T22:13:20.000Z",
      "pipeline": "trades",
      "runbook": "https://wiki.example.com/lost",
      "says": "Look at the sink.",
      "schema": "validator.alert/1",
      "severity": "page",
      "started_at": "2023-11-14T22:13:20.000Z",
      "state": "firing",
      "status": "healthy",
      "summary": "lost of trades (missing/lost): fidelity = 0.999, findings(missing) = 1",
      "when": "findings(missing) > 0 and fidelity < 99.99%",
      "why": ""
    }
    "#);
}

/// A ledger: what is committed, and nothing else.
#[derive(Default)]
struct Ledger {
    rows: BTreeMap<(String, String), Kept>,
    mail: Vec<Outgoing>,
}

impl Ledger {
    fn commit(&mut self, changes: Vec<Change>, mail: &[Outgoing]) {
        for change in changes {
            match change {
                Change::Set(kept) => drop(self.rows.insert((kept.name.clone(), kept.group.clone()), kept)),
                Change::Cleared { name, group } => drop(self.rows.remove(&(name, group))),
            }
        }
        for outgoing in mail.iter().filter(|outgoing| outgoing.dedupe.is_some()) {
            let is_known =
                self.mail.iter().any(|known| (&known.channel, &known.dedupe) == (&outgoing.channel, &outgoing.dedupe));
            if !is_known {
                self.mail.push(outgoing.clone());
            }
        }
    }

    fn alerts(&self, rules: &[Rule], now_ms: i64) -> Alerts {
        let rows: Vec<Kept> = self.rows.values().cloned().collect();
        of(rules.to_vec(), Begin::Saved(&rows), now_ms)
    }
}

/// What one second brings: the lag, and what becomes of the process.
#[derive(Debug, Clone, Copy)]
struct Moment {
    lag: Option<bool>,
    is_committed: bool,
    crashes: bool,
    step_ms: i64,
}

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let lag = prop_oneof![4 => Just(Some(true)), 4 => Just(Some(false)), 1 => Just(None)];
    let step = prop_oneof![20 => Just(SECOND), 1 => Just(-3 * SECOND), 1 => Just(30 * SECOND)];
    let moment = (lag, proptest::bool::weighted(0.7), proptest::bool::weighted(0.15), step)
        .prop_map(|(lag, is_committed, crashes, step_ms)| Moment { lag, is_committed, crashes, step_ms });
    proptest::collection::vec(moment, 1..80)
}

fn of_lag(is_high: Option<bool>) -> Status {
    lagging(is_high.map(|is_high| if is_high { 11 } else { 9 }))
}

/// Runs the moments over a ledger and gives the mail that it got.
fn run(rules: &[Rule], moments: &[Moment]) -> Vec<Notice> {
    let mut ledger = Ledger::default();
    let (mut alerts, mut now_ms, mut mail) = (of(rules.to_vec(), Begin::New, START), START, Vec::new());
    for moment in moments {
        mail.extend(alerts.evaluate(&of_lag(moment.lag), now_ms));
        if moment.is_committed {
            ledger.commit(alerts.unsaved(now_ms), &mail);
            alerts.saved(now_ms);
            mail.clear();
        }
        if moment.crashes {
            // What was not committed was never said.
            mail.clear();
            alerts = ledger.alerts(rules, now_ms);
        }
        now_ms += moment.step_ms;
    }
    ledger.mail.iter().map(read).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_alert_is_told_once_and_ended_once_whatever_happens(moments in moments(), for_s in 0_i64..4, after_s in 0_i64..4) {
        let rule = Rule { for_ms: for_s * SECOND, resolve_after_ms: after_s * SECOND, ..rule("lag", "lag > 10") };
        let mut ids = BTreeSet::new();
        let mut firing: Option<String> = None;
        for notice in run(&[rule], &moments) {
            match notice.state {
                NoticeState::Firing => {
                    prop_assert_eq!(&firing, &None);
                    prop_assert!(ids.insert(notice.id.clone()), "told twice");
                    firing = Some(notice.id);
                }
                NoticeState::Resolved => {
                    prop_assert_eq!(firing.take(), Some(notice.id));
                    prop_assert!(notice.ended_at.is_some());
                }
            }
        }
    }

    #[test]
    fn a_restart_after_each_commit_changes_nothing(moments in moments(), for_s in 0_i64..4, after_s in 0_i64..4) {
        let rules = [Rule { for_ms: for_s * SECOND, resolve_after_ms: after_s * SECOND, ..rule("lag", "lag > 10") }];
        let with = |crashes: bool| moments.iter().map(|moment| Moment { is_committed: true, crashes, ..*moment }).collect::<Vec<_>>();
        prop_assert_eq!(run(&rules, &with(true)), run(&rules, &with(false)));
    }

    #[test]
    fn an_alert_fires_when_a_plain_loop_says_so(moments in moments(), for_s in 0_i64..4, after_s in 0_i64..4) {
        let rules = [Rule { for_ms: for_s * SECOND, resolve_after_ms: after_s * SECOND, ..rule("lag", "lag > 10") }];
        // Without crashes, and with a clock that only goes on.
        let moments: Vec<Moment> =
            moments.iter().map(|moment| Moment { is_committed: true, crashes: false, lag: moment.lag, step_ms: SECOND }).collect();
        let (mut expected, mut is_firing, mut high, mut low) = (Vec::new(), false, 0, 0);
        for moment in &moments {
            high = if moment.lag == Some(true) { high + 1 } else { 0 };
            low = if moment.lag == Some(false) { low + 1 } else { 0 };
            if !is_firing && high > for_s {
                is_firing = true;
                expected.push(NoticeState::Firing);
            } else if is_firing && low > after_s {
                is_firing = false;
                expected.push(NoticeState::Resolved);
            }
        }
        let told: Vec<NoticeState> = run(&rules, &moments).into_iter().map(|notice| notice.state).collect();
        prop_assert_eq!(told, expected);
    }
}

#[test]
fn an_alert_of_a_window_goes_on_after_a_restart_at_once() {
    let rules = || vec![rule("burn", "burn_rate(1h) > 14.4 and burn_rate(5m) > 14.4")];
    let mut rows: BTreeMap<(String, String), Kept> = BTreeMap::new();
    let mut alerts = of(rules(), Begin::New, START);
    let mut told = Vec::new();
    for second in 0..30 {
        let now_ms = START + second * SECOND;
        told.extend(said(&alerts.evaluate(&judged(now_ms, 99, u64::from(second > 9)), now_ms)));
        for change in alerts.unsaved(now_ms) {
            match change {
                Change::Set(kept) => drop(rows.insert((kept.name.clone(), kept.group.clone()), kept)),
                Change::Cleared { name, group } => drop(rows.remove(&(name, group))),
            }
        }
        alerts.saved(now_ms);
        // The process is killed after each commit.
        let kept: Vec<Kept> = rows.values().cloned().collect();
        alerts = of(rules(), Begin::Saved(&kept), now_ms);
    }
    assert_eq!(told, ["burn firing"]);
}
