//! Findings and messages in their life, and how long they are kept.

use validator_core::shadow::delta::{Change, Delta};

use super::random::finding;
use super::{NOW, Place, trades, within};
use crate::limits::MAIL_WAITS_MAX_MS;
use crate::{Book, Evidence, Fate, FindingState, Keep, LedgerError, Mail, Posting, ReadLedger, Retry, Written};

const DAY: i64 = 86_400_000;

fn delta(book: &Book, findings: &[(u64, Change)], at_ms: i64) -> Delta {
    let findings = findings.iter().map(|(number, change)| finding(*number, *change, at_ms)).collect();
    Delta { checkpoint: book.checkpoint_number() + 1, judged_at_ms: at_ms, findings, ..Delta::default() }
}

async fn post(book: &mut Book, findings: &[(u64, Change)], at_ms: i64) -> Result<Written, LedgerError> {
    let delta = delta(book, findings, at_ms);
    book.checkpoint(&Posting::of(&delta, at_ms)).await
}

/// Open and resolved findings.
async fn counts(place: &Place) -> (u64, u64) {
    let mut reader = ReadLedger::open(&place.address).await.expect("readable");
    let summary = reader.summary("trades", NOW).await.expect("a summary").expect("a checkpoint");
    let of = |open: bool| {
        let alike = summary.findings.iter().filter(|count| (count.state != FindingState::Resolved) == open);
        alike.map(|count| count.findings).sum()
    };
    reader.verify("trades", trades().digest_key).await.expect("sound");
    (of(true), of(false))
}

async fn findings_live(place: Place) {
    let (_ledger, mut book, _) = place.book().await;
    post(&mut book, &[(1, Change::Opened), (2, Change::Opened)], NOW).await.expect("opened");
    assert_eq!(counts(&place).await, (2, 0));
    post(&mut book, &[(1, Change::Opened), (1, Change::Opened)], NOW).await.expect("it happened once more");
    assert_eq!(counts(&place).await, (2, 0));
    let unknown = post(&mut book, &[(3, Change::Resolved)], NOW).await;
    assert!(matches!(unknown, Err(LedgerError::Contradiction { .. })), "{unknown:?}");
    post(&mut book, &[(1, Change::Resolved), (2, Change::Changed)], NOW + 1).await.expect("resolved");
    assert_eq!(counts(&place).await, (1, 1));
    post(&mut book, &[(1, Change::Opened)], NOW + 2).await.expect("true again, by the same id");
    assert_eq!(counts(&place).await, (2, 0));

    let id = finding(2, Change::Opened, NOW).id;
    let evidence = [Evidence { finding: id, of: None, cause: None, about: None, body: vec![4; 50] }];
    let empty = delta(&book, &[], NOW + 3);
    let posting = Posting { evidence: &evidence, ..Posting::of(&empty, NOW + 3) };
    book.checkpoint(&posting).await.expect("evidence");
    assert_eq!(counts(&place).await, (2, 0));

    post(&mut book, &[(1, Change::Resolved)], NOW + 4).await.expect("resolved");
    let keep = Keep { resolved_ms: 90 * DAY, chain_ms: 7 * DAY, mail_ms: 7 * DAY, bodies_ms: 7 * DAY };
    let at_ms = NOW + 91 * DAY;
    let empty = delta(&book, &[], at_ms);
    book.checkpoint(&Posting { keep: Some(keep), ..Posting::of(&empty, at_ms) }).await.expect("pruned");
    assert_eq!(counts(&place).await, (1, 0), "what is open stays");
    let mut reader = ReadLedger::open(&place.address).await.expect("readable");
    let verified = reader.verify("trades", trades().digest_key).await.expect("sound");
    assert_eq!((verified.checkpoint, verified.links), (7, 2), "the chain begins at what is kept");
}

#[test]
fn a_finding_opens_changes_resolves_and_opens_again_and_is_forgotten_long_after() {
    within(findings_live(Place::sqlite()));
    within(findings_live(Place::postgres()));
}

async fn mail_waits(place: Place) {
    let (ledger, mut book, _) = place.book().await;
    let mail = [1, 2, 3].map(|number| Mail { channel: "log".into(), dedupe: None, body: vec![number] });
    let delta = delta(&book, &[], NOW);
    book.checkpoint(&Posting { mail: &mail, ..Posting::of(&delta, NOW) }).await.expect("posted");
    drop(book);
    // As after a crash: what was not sent waits.
    let (mut book, _) = ledger.book(&trades()).await.expect("a book");
    let waiting = book.outbox("log", NOW).await.expect("an outbox");
    assert_eq!(waiting.iter().map(|waiting| &waiting.mail).collect::<Vec<_>>(), mail.iter().collect::<Vec<_>>());
    book.sent(waiting[0].message, NOW).await.expect("sent");
    let retry = Retry { first_ms: 10, most_ms: 100, tries: 2 };
    let fate = book.failed(waiting[1].message, "it does not answer", NOW, &retry).await.expect("put off");
    assert_eq!(fate, Fate::Again { at_ms: NOW + 10 });
    // What is behind it does not overtake it, and a clock that has gone back holds nothing up for as long as it went back.
    assert_eq!(book.outbox("log", NOW).await.expect("an outbox"), []);
    let set_back = book.outbox("log", NOW - 2 * MAIL_WAITS_MAX_MS).await.expect("an outbox");
    assert_eq!(
        set_back.iter().map(|waiting| waiting.message).collect::<Vec<_>>(),
        [waiting[1].message, waiting[2].message]
    );
    book.give_up(waiting[2].message, NOW).await.expect("given up");
    assert_eq!(book.outbox("log", NOW).await.expect("an outbox"), []);
    let later = book.outbox("log", NOW + 10).await.expect("an outbox");
    assert_eq!(
        later.iter().map(|waiting| (waiting.message, waiting.tries)).collect::<Vec<_>>(),
        [(waiting[1].message, 1)]
    );
    let again = book.sent(waiting[0].message, NOW).await;
    assert!(matches!(again, Err(LedgerError::Contradiction { .. })), "{again:?}");
}

#[test]
fn a_message_waits_until_it_is_sent_or_given_up() {
    within(mail_waits(Place::sqlite()));
    within(mail_waits(Place::postgres()));
}
