//! What people decide holds as long as it should, is counted, and cannot be written or changed unseen; alerts and their mail.

use std::collections::{BTreeMap, BTreeSet};

use validator_core::position::{PartitionIndex, TopicPartition};
use validator_core::shadow::delta::{Change, Delta, FindingChange, LaneRow};
use validator_core::verdict::Cause;

use super::random::finding;
use super::{NOW, Place, trades, within};
use crate::{
    Alert, AlertChange, Book, Decision, Fate, FindingState, GroupId, LedgerError, Mail, Mark, OpenCounts, OpenFindings,
    Posting, ReadLedger, Retry, Target, Told,
};

fn mark(target: Target, what: Decision, until_ms: Option<i64>, at_ms: i64) -> Mark {
    Mark { target, what, who: "ana".into(), reason: "known".into(), until_ms, at_ms }
}

async fn post(book: &mut Book, findings: &[(u64, Change)], marks: &[Mark], at_ms: i64) {
    let findings = findings.iter().map(|(number, change)| finding(*number, *change, at_ms)).collect();
    let checkpoint = book.checkpoint_number() + 1;
    let tp = TopicPartition { topic: "trades".into(), partition: 0 };
    let lanes = vec![LaneRow { lane: PartitionIndex(0), tp, body: Vec::new() }];
    let delta = Delta { checkpoint, judged_at_ms: at_ms, lanes, findings, ..Delta::default() };
    book.checkpoint(&Posting { marks, ..Posting::of(&delta, at_ms) }).await.expect("written");
}

/// The state of a finding at an instant, by itself and in the counts.
async fn state(place: &Place, number: u64, now_ms: i64) -> FindingState {
    let mut reader = ReadLedger::open(&place.address).await.expect("readable");
    let id = finding(number, Change::Opened, NOW).id;
    let (row, _) = reader.finding("trades", &id, now_ms).await.expect("readable").expect("a finding");
    let summary = reader.summary("trades", now_ms).await.expect("readable").expect("a checkpoint");
    let counted = summary.findings.iter().find(|count| count.state == row.state);
    assert!(counted.is_some_and(|count| count.findings > 0), "{row:?} is not in {:?}", summary.findings);
    row.state
}

async fn decided(place: Place) {
    let (_ledger, mut book, _) = place.book().await;
    let opened = [(1, Change::Opened), (2, Change::Opened), (3, Change::Opened)];
    post(&mut book, &opened, &[], NOW).await;
    let of = |number| Target::Finding(finding(number, Change::Opened, NOW).id);
    let one = finding(1, Change::Opened, NOW);
    let group = Target::Group(GroupId::of(one.verdict, one.cause, None));

    // Acknowledged until it opens again.
    post(&mut book, &[], &[mark(of(1), Decision::Acknowledged, None, NOW + 1)], NOW + 1).await;
    assert_eq!(state(&place, 1, NOW + 1).await, FindingState::Acknowledged);
    assert_eq!(state(&place, 2, NOW + 1).await, FindingState::Open);
    post(&mut book, &[(1, Change::Resolved)], &[], NOW + 2).await;
    assert_eq!(state(&place, 1, NOW + 2).await, FindingState::Resolved);
    post(&mut book, &[(1, Change::Opened)], &[], NOW + 3).await;
    assert_eq!(state(&place, 1, NOW + 3).await, FindingState::Open);

    // Ignored for a time, as a whole group; the newest decision holds.
    post(&mut book, &[], &[mark(group, Decision::Ignored, Some(NOW + 100), NOW + 4)], NOW + 4).await;
    for (number, now_ms, expected) in
        [(1, NOW + 5, FindingState::Ignored), (3, NOW + 99, FindingState::Ignored), (3, NOW + 100, FindingState::Open)]
    {
        assert_eq!(state(&place, number, now_ms).await, expected, "finding {number} at {now_ms}");
    }
    book.mark(&[mark(of(3), Decision::Cleared, None, NOW + 6)], NOW + 6).await.expect("marked");
    assert_eq!(state(&place, 3, NOW + 7).await, FindingState::Open);
    assert_eq!(state(&place, 1, NOW + 7).await, FindingState::Ignored);

    let mut reader = ReadLedger::open(&place.address).await.expect("readable");
    let id = finding(3, Change::Opened, NOW).id;
    let (_, marks) = reader.finding("trades", &id, NOW).await.expect("readable").expect("a finding");
    assert_eq!(marks.iter().map(|mark| mark.what).collect::<Vec<_>>(), [Decision::Ignored, Decision::Cleared]);
    let verified = reader.verify("trades", trades().digest_key).await.expect("sound");
    assert_eq!(verified.checkpoint, 6, "a mark alone is a checkpoint of its own");
    for sql in ["UPDATE marks SET who = 'eve' WHERE number = 1", "DELETE FROM marks WHERE number = 2"] {
        // In a transaction of its own, which is thrown away.
        let mut store = book.store.lock().await;
        store.begin().await.expect("begun");
        store.statement(sql).await.expect("done");
        let found = crate::verify::verified(&mut store, "trades", &trades().key()).await;
        assert!(matches!(found, Err(LedgerError::Damaged { .. })), "{sql}: {found:?}");
        store.rollback().await;
    }
}

#[test]
fn decisions_hold_as_long_as_they_should_and_are_part_of_the_books() {
    within(decided(Place::sqlite()));
    within(decided(Place::postgres()));
}

/// Random decisions on findings and their groups, at random instants: what a checkpoint is told with is what the ledger says afterwards.
async fn ignored(place: Place, seed: u64) -> usize {
    let (ledger, mut book, _) = place.book().await;
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut any = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let of = |number: u64, change: Change, at_ms: i64| {
        let cause = if number.is_multiple_of(2) { Cause::Lost } else { Cause::StorageCorrupt };
        FindingChange { cause: Some(cause), ..finding(number, change, at_ms) }
    };
    let (mut open, mut at_ms, mut seen) = (BTreeSet::new(), NOW, 0);
    for step in 0..60 {
        at_ms += any(40).cast_signed();
        let number = any(8);
        let change = if open.remove(&number) { Change::Resolved } else { Change::Opened };
        if change == Change::Opened {
            open.insert(number);
        }
        let one = of(any(8), Change::Opened, NOW);
        let target = match any(2) {
            0 => Target::Finding(one.id.clone()),
            _ => Target::Group(GroupId::of(one.verdict, one.cause, None)),
        };
        let what = Decision::ALL[any(3) as usize];
        let until_ms = (any(2) == 0).then(|| at_ms + any(200).cast_signed());
        let marks = [mark(target, what, until_ms, at_ms)];
        let marks = if any(3) == 0 { &marks[..] } else { &[] };
        let checkpoint = book.checkpoint_number() + 1;
        let findings = vec![of(number, change, at_ms)];
        let delta = Delta { checkpoint, judged_at_ms: at_ms, findings, ..Delta::default() };
        let mut told = OpenCounts::default();
        let mut tell = |open: &OpenCounts| {
            told.clone_from(open);
            Told::default()
        };
        let posting = Posting { marks, ..Posting::of(&delta, at_ms) };
        book.checkpoint_telling(&posting, &mut tell).await.expect("written");
        if any(5) == 0 {
            drop(book);
            book = ledger.book(&trades()).await.expect("a book").0;
        }
        let mut reader = ReadLedger::open(&place.address).await.expect("readable");
        let summary = reader.summary("trades", at_ms).await.expect("readable").expect("a checkpoint");
        let of_state = |state| summary.findings.iter().filter(move |count| count.state == state);
        let truth = of_state(FindingState::Ignored).map(|count| ((count.verdict, count.cause), count.findings));
        let truth: OpenFindings = truth.collect();
        seen += truth.len();
        assert_eq!((&told.ignored, &book.open_counts().ignored), (&truth, &truth), "seed {seed}, step {step}");
        assert_eq!(told.all.values().sum::<u64>(), open.len() as u64, "seed {seed}, step {step}");
    }
    seen
}

#[test]
fn what_is_told_leaves_out_exactly_what_is_ignored() {
    let seen: usize = (0..6).map(|seed| within(ignored(Place::sqlite(), seed))).sum();
    let seen = seen + within(ignored(Place::postgres(), 6));
    assert!(seen > 60, "hardly anything is ignored: {seen}");
}

async fn left(place: Place) {
    let (_ledger, mut book, _) = place.book().await;
    post(&mut book, &[(1, Change::Opened)], &[], NOW).await;
    let target = Target::Finding(finding(1, Change::Opened, NOW).id);
    // Beside the process that holds the lock, by who may not write.
    let marks = [
        mark(target.clone(), Decision::Acknowledged, None, NOW + 1),
        mark(target.clone(), Decision::Ignored, Some(NOW + 50), NOW + 2),
    ];
    assert_eq!(crate::leave(&place.address, "trades", &marks).await.expect("left"), [1, 2]);
    let unknown = crate::leave(&place.address, "quotes", &marks).await;
    assert!(matches!(unknown, Err(LedgerError::Unknown { .. })), "{unknown:?}");
    let mut reader = ReadLedger::open(&place.address).await.expect("readable");
    assert_eq!(reader.waiting_marks("trades").await.expect("an inbox"), 2);
    assert_eq!(state(&place, 1, NOW + 3).await, FindingState::Open, "it waits");

    let (taken, waiting) = book.inbox().await.expect("an inbox");
    assert_eq!((taken.as_slice(), waiting.as_slice()), ([1, 2].as_slice(), marks.as_slice()));
    let checkpoint = book.checkpoint_number() + 1;
    let delta = Delta { checkpoint, judged_at_ms: NOW + 3, ..Delta::default() };
    let posting = Posting { marks: &waiting, taken: &taken, ..Posting::of(&delta, NOW + 3) };
    book.checkpoint(&posting).await.expect("written");
    assert_eq!(reader.waiting_marks("trades").await.expect("an inbox"), 0);
    assert_eq!(state(&place, 1, NOW + 3).await, FindingState::Ignored);
    let next = Delta { checkpoint: checkpoint + 1, judged_at_ms: NOW + 3, ..Delta::default() };
    let twice = book.checkpoint(&Posting { delta: &next, ..posting }).await;
    assert!(matches!(twice, Err(LedgerError::Contradiction { .. })), "{twice:?}");
    reader.verify("trades", trades().digest_key).await.expect("sound");
    let (_, marks) =
        reader.finding("trades", &finding(1, Change::Opened, NOW).id, NOW).await.expect("read").expect("one");
    assert_eq!(marks.len(), 2, "each became a mark once");
}

#[test]
fn a_decision_that_is_left_becomes_a_mark_once_by_a_checkpoint_of_the_writer() {
    within(left(Place::sqlite()));
    within(left(Place::postgres()));
}

async fn known(place: Place) {
    let (ledger, mut book, _) = place.book().await;
    post(&mut book, &[(1, Change::Opened)], &[], NOW).await;
    drop(book);
    let key = trades().digest_key;
    let other = ledger.known_book("trades", [1; 32]).await.map(|_| ());
    assert!(matches!(other, Err(LedgerError::OtherPipeline { what: "digest key", .. })), "{other:?}");
    let unknown = ledger.known_book("quotes", key).await.map(|_| ());
    assert!(matches!(unknown, Err(LedgerError::Unknown { .. })), "{unknown:?}");
    let mut known = ledger.known_book("trades", key).await.expect("a book");
    let target = Target::Finding(finding(1, Change::Opened, NOW).id);
    known.mark(&[mark(target, Decision::Acknowledged, None, NOW + 1)], NOW + 1).await.expect("marked");
    assert_eq!(state(&place, 1, NOW + 1).await, FindingState::Acknowledged);
    let (book, _) = ledger.book(&trades()).await.expect("who runs it goes on");
    assert_eq!(book.checkpoint_number(), 2);
}

#[test]
fn who_runs_nothing_can_decide_where_nobody_writes() {
    within(known(Place::sqlite()));
    within(known(Place::postgres()));
}

fn alert(group: &str, state: &str, since_ms: i64) -> Alert {
    Alert { name: "missing".into(), group: group.into(), state: state.into(), since_ms, body: vec![7] }
}

async fn watched(place: Place) {
    let (ledger, mut book, _) = place.book().await;
    let post = async |book: &mut Book, alerts: &[AlertChange], mail: &[Mail]| {
        let delta = Delta { checkpoint: book.checkpoint_number() + 1, ..Delta::default() };
        book.checkpoint(&Posting { alerts, mail, ..Posting::of(&delta, NOW) }).await.expect("written");
    };
    let mail = |channel: &str, dedupe: Option<&str>, body: u8| Mail {
        channel: channel.into(),
        dedupe: dedupe.map(str::to_owned),
        body: vec![body],
    };
    let cleared = AlertChange::Cleared { name: "missing".into(), group: "never".into() };
    let set = [AlertChange::Set(alert("a", "pending", NOW)), AlertChange::Set(alert("b", "firing", NOW)), cleared];
    let first = [mail("log", Some("b@1"), 1), mail("web", Some("b@1"), 2), mail("log", None, 3), mail("log", None, 3)];
    post(&mut book, &set, &first).await;
    let cleared = AlertChange::Cleared { name: "missing".into(), group: "a".into() };
    let again = [mail("log", Some("b@1"), 9), mail("web", Some("b@2"), 4)];
    post(&mut book, &[AlertChange::Set(alert("b", "firing", NOW + 1)), cleared], &again).await;
    drop(book);

    let (mut book, _) = ledger.book(&trades()).await.expect("a book");
    assert_eq!(book.alerts().await.expect("alerts"), [alert("b", "firing", NOW + 1)]);
    let mut reader = ReadLedger::open(&place.address).await.expect("readable");
    assert_eq!(reader.alerts("trades").await.expect("alerts"), [alert("b", "firing", NOW + 1)]);
    let counts =
        |all: &[(&str, u64)]| all.iter().map(|(name, many)| ((*name).to_owned(), *many)).collect::<BTreeMap<_, _>>();
    assert_eq!(book.channels().await.expect("channels"), counts(&[("log", 3), ("web", 2)]));
    let waiting = book.outbox("log", NOW).await.expect("an outbox");
    assert_eq!(waiting.iter().map(|one| one.mail.body[0]).collect::<Vec<_>>(), [1, 3, 3], "one of each key");

    // A channel that does not answer holds up no other, and its mail is dead in the end.
    let retry = Retry { first_ms: 10, most_ms: 15, tries: 3 };
    let web = book.outbox("web", NOW).await.expect("an outbox");
    let mut now_ms = NOW;
    for expected in [Fate::Again { at_ms: NOW + 10 }, Fate::Again { at_ms: NOW + 25 }, Fate::Dead] {
        let fate = book.failed(web[0].message, "no answer", now_ms, &retry).await.expect("noted");
        assert_eq!(fate, expected);
        if let Fate::Again { at_ms } = fate {
            now_ms = at_ms;
        }
    }
    for one in &waiting {
        book.sent(one.message, NOW).await.expect("sent");
    }
    assert_eq!(book.channels().await.expect("channels"), counts(&[("web", 1)]), "of two one is dead");
    let mail = reader.mail("trades").await.expect("mail");
    let shown = mail.iter().map(|count| (count.channel.as_str(), count.waiting, count.dead, count.why.as_deref()));
    assert_eq!(shown.collect::<Vec<_>>(), [("web", 1, 1, Some("no answer"))]);
    reader.verify("trades", trades().digest_key).await.expect("sound");
}

#[test]
fn alerts_and_their_mail_survive_and_no_channel_waits_for_another() {
    within(watched(Place::sqlite()));
    within(watched(Place::postgres()));
}

async fn told(place: Place) {
    let (ledger, mut book, _) = place.book().await;
    let again = ledger.book_again("trades", trades().digest_key).await.expect("asked");
    assert!(again.is_none(), "without a checkpoint there is nothing to tell of");
    let delta = |book: &Book, findings: &[(u64, Change)]| Delta {
        checkpoint: book.checkpoint_number() + 1,
        findings: findings.iter().map(|(number, change)| finding(*number, *change, NOW)).collect(),
        ..Delta::default()
    };
    let mut seen: Vec<u64> = Vec::new();
    let mut tell = |open: &OpenCounts| {
        seen.push(open.all.values().sum());
        let key = format!("a firing {}", seen.len());
        let mail = vec![Mail { channel: "log".into(), dedupe: Some(key), body: vec![1] }];
        Told { alerts: vec![AlertChange::Set(alert("a", "firing", NOW))], mail }
    };
    let two = delta(&book, &[(1, Change::Opened), (2, Change::Opened)]);
    // Cut off after it was asked: nothing of it is there, and it is asked again.
    book.store.lock().await.fuse = Some(6);
    book.checkpoint_telling(&Posting::of(&two, NOW), &mut tell).await.expect_err("it was cut off");
    book.store.lock().await.fuse = None;
    book.checkpoint_telling(&Posting::of(&two, NOW), &mut tell).await.expect("written");
    let one = delta(&book, &[(1, Change::Resolved)]);
    book.checkpoint_telling(&Posting::of(&one, NOW), &mut tell).await.expect("written");
    let asked = seen.len();
    assert!(asked >= 2 && seen[..asked - 1].iter().all(|open| *open == 2) && seen[asked - 1] == 1, "{seen:?}");
    assert_eq!(book.outbox("log", NOW).await.expect("an outbox").len(), 2, "one of each checkpoint");

    // Who stands by for a pipeline that is not followed goes on where it was, and fences who was there.
    let mut other = ledger.book_again("trades", trades().digest_key).await.expect("asked").expect("it is known");
    assert_eq!(other.open_findings().values().sum::<u64>(), 1);
    let cleared = AlertChange::Cleared { name: "missing".into(), group: "a".into() };
    let mut over = |_: &OpenCounts| Told { alerts: vec![cleared.clone()], mail: Vec::new() };
    other.tell(&mut over, NOW + 1).await.expect("told");
    assert!(other.alerts().await.expect("alerts").is_empty());
    let late = book.tell(&mut over, NOW + 2).await;
    assert!(matches!(late, Err(LedgerError::Fenced { .. })), "{late:?}");
    drop(other);
    let (book, saved) = ledger.book(&trades()).await.expect("a book");
    assert_eq!((book.checkpoint_number(), saved.findings.len()), (3, 1), "nothing else changed");
    let mut reader = ReadLedger::open(&place.address).await.expect("readable");
    reader.verify("trades", trades().digest_key).await.expect("sound");
}

#[test]
fn what_is_told_is_asked_with_the_counts_of_its_checkpoint_and_is_of_it() {
    within(told(Place::sqlite()));
    within(told(Place::postgres()));
}
