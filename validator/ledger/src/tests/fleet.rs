//! Several processes over one ledger: one judges, all read, and what was taken over writes no more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use validator_core::position::PartitionIndex;
use validator_core::shadow::delta::{Delta, LaneRow};

use super::random::Model;
use super::{NOW, Place, trades, within};
use crate::store::{Access, Store};
use crate::value::Kind;
use crate::{AskState, LaneHead, Ledger, LedgerError, Link, MemberIs, Parcel, Posting, Seat, SeatTerms};

const TERMS: [u8; 32] = [3; 32];
const BINDING: [u8; 32] = [4; 32];

fn member(name: &str) -> MemberIs {
    MemberIs { name: name.to_owned(), instance: "1".to_owned() }
}

async fn ledger(place: &Place, name: &str) -> Ledger {
    Ledger::open_in_fleet(&place.address, "validator", NOW, &member(name)).await.expect("a ledger")
}

async fn link(place: &Place, name: &str) -> Link {
    Link::join(&place.address, "trades", &member(name)).await.expect("a link")
}

fn lane(number: u32) -> PartitionIndex {
    PartitionIndex(number)
}

fn parcel(number: u32, offsets: std::ops::Range<i64>, by: u8) -> Parcel {
    Parcel { lane: lane(number), offsets, body: vec![by] }
}

#[test]
fn members_that_come_at_once_make_one_ledger_and_keep_out_who_writes_alone() {
    within(async {
        let place = Place::postgres();
        let open = |name: &'static str| ledger(&place, name);
        let (a, b, c) = tokio::join!(open("a"), open("b"), open("c"));
        let alone = Ledger::open(&place.address, "validator", NOW).await.map(|_| ());
        assert!(matches!(alone, Err(LedgerError::Held { .. })), "{alone:?}");
        for ledger in [a, b, c] {
            ledger.close().await.expect("closed");
        }
        place.open().await;
        let place = Place::sqlite();
        let refused = Ledger::open_in_fleet(&place.address, "validator", NOW, &member("a")).await.map(|_| ());
        assert!(matches!(refused, Err(LedgerError::NotOfAFleet { .. })), "{refused:?}");
    });
}

#[test]
fn a_member_that_comes_while_another_still_holds_what_it_made_waits() {
    within(async {
        let place = Place::postgres();
        let alone = place.open().await;
        let early = tokio::time::timeout(Duration::from_millis(500), ledger(&place, "a")).await;
        assert!(early.is_err(), "it waits");
        alone.close().await.expect("closed");
        ledger(&place, "a").await;
    });
}

#[test]
fn one_member_has_the_seat_and_the_next_takes_it_when_it_is_given_up_or_its_session_is_gone() {
    within(async {
        let place = Place::postgres();
        let (_first, _second) = (ledger(&place, "a").await, ledger(&place, "b").await);
        let (mut a, mut b) = (link(&place, "a").await, link(&place, "b").await);
        assert_eq!(a.seat().await.expect("asked"), None);
        assert_eq!(a.take_seat(TERMS).await.expect("taken"), Seat::Ours { epoch: 1 });
        let held = SeatTerms { member: "a".to_owned(), terms: TERMS, binding: None };
        assert_eq!(b.take_seat([9; 32]).await.expect("asked"), Seat::Theirs(held.clone()));
        a.judge_by(BINDING).await.expect("it is ours");
        assert_eq!(a.take_seat(TERMS).await.expect("kept"), Seat::Ours { epoch: 1 });
        let held = SeatTerms { binding: Some(BINDING), ..held };
        assert_eq!(b.seat().await.expect("asked"), Some(held));
        let not_ours = b.judge_by(BINDING).await;
        assert!(matches!(not_ours, Err(LedgerError::Fenced { .. })), "{not_ours:?}");

        a.give_seat_up().await.expect("given up");
        assert_eq!(b.take_seat(TERMS).await.expect("taken"), Seat::Ours { epoch: 2 });
        // As a process that is killed: its session goes, its lease does not.
        drop(b);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while a.take_seat(TERMS).await.expect("asked") != (Seat::Ours { epoch: 3 }) {
            assert!(std::time::Instant::now() < deadline, "the session of b is gone");
        }
    });
}

#[test]
fn only_who_has_the_seat_takes_a_book_over_and_who_lost_it_writes_no_more() {
    within(async {
        let place = Place::postgres();
        let (first, second) = (ledger(&place, "a").await, ledger(&place, "b").await);
        let (mut a, mut b) = (link(&place, "a").await, link(&place, "b").await);
        let refused = first.book(&trades()).await.map(|_| ());
        assert!(matches!(refused, Err(LedgerError::Fenced { .. })), "{refused:?}");
        a.take_seat(TERMS).await.expect("taken");
        let (mut of_a, _) = first.book(&trades()).await.expect("it has the seat");
        let refused = second.book(&trades()).await.map(|_| ());
        assert!(matches!(refused, Err(LedgerError::Fenced { .. })), "{refused:?}");
        let (delta, model) = Model::default().step(&mut ChaCha8Rng::seed_from_u64(11));
        of_a.checkpoint(&Posting::of(&delta, NOW)).await.expect("it judges");

        // It is paused for longer than its lease.
        place.run("UPDATE seats SET until_ms = 0");
        assert_eq!(b.take_seat(TERMS).await.expect("taken"), Seat::Ours { epoch: 2 });
        let (mut of_b, saved) = second.book(&trades()).await.expect("it has the seat now");
        assert_eq!(saved, model.saved());
        let (delta, _) = model.step(&mut ChaCha8Rng::seed_from_u64(12));
        let fenced = of_a.checkpoint(&Posting::of(&delta, NOW)).await;
        assert!(matches!(fenced, Err(LedgerError::Fenced { .. })), "{fenced:?}");
        assert!(matches!(a.take_seat(TERMS).await.expect("asked"), Seat::Theirs(_)));
        of_b.checkpoint(&Posting::of(&delta, NOW)).await.expect("it judges");
    });
}

/// Until so many sessions wait for a lock.
async fn until_waiting(place: &Place, many: &str) {
    let deadline = Instant::now() + Duration::from_secs(8);
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while !place.run(sql).lines().any(|line| line.trim() == many) {
        assert!(Instant::now() < deadline, "{many} wait: {}", place.run(sql));
        // Each question is a process.
        tokio::task::yield_now().await;
    }
}

/// A transaction that is held open by hand.
async fn held_open(place: &Place, sql: &str) -> Store {
    let connected = place.address.connect(Access::Beside).await.expect("a connection");
    let mut store = Store::new(place.address.clone(), connected, Access::Beside);
    store.begin().await.expect("begun");
    store.statement(sql).await.expect("a statement");
    store
}

#[test]
fn a_book_that_is_taken_while_a_checkpoint_of_it_is_on_its_way_is_the_one_behind_it() {
    within(async {
        let place = Place::postgres();
        let (first, second) = (ledger(&place, "a").await, ledger(&place, "b").await);
        let (mut a, mut b) = (link(&place, "a").await, link(&place, "b").await);
        a.take_seat(TERMS).await.expect("taken");
        let (mut of_a, _) = first.book(&trades()).await.expect("it has the seat");
        let (delta, model) = Model::default().step(&mut ChaCha8Rng::seed_from_u64(21));
        of_a.checkpoint(&Posting::of(&delta, NOW)).await.expect("it judges");

        // It is paused in its next checkpoint, for longer than its lease.
        let mut pause = held_open(&place, "LOCK TABLE checkpoints IN SHARE MODE").await;
        let (delta, model) = model.step(&mut ChaCha8Rng::seed_from_u64(22));
        let posting = Posting::of(&delta, NOW);
        let taking = async {
            until_waiting(&place, "1").await;
            place.run("UPDATE seats SET until_ms = 0");
            b.take_seat(TERMS).await.expect("taken");
            second.book(&trades()).await
        };
        let goes_on = async {
            until_waiting(&place, "2").await;
            pause.rollback().await;
        };
        let (written, taken, ()) = tokio::join!(of_a.checkpoint(&posting), taking, goes_on);
        written.expect("it had the fence");
        let (mut of_b, saved) = taken.expect("it has the seat now");
        assert_eq!(saved, model.saved());
        let (delta, model) = model.step(&mut ChaCha8Rng::seed_from_u64(23));
        let fenced = of_a.checkpoint(&Posting::of(&delta, NOW)).await;
        assert!(matches!(fenced, Err(LedgerError::Fenced { .. })), "{fenced:?}");
        of_b.checkpoint(&Posting::of(&delta, NOW)).await.expect("it judges");
        assert_eq!(second.book(&trades()).await.expect("what was written").1, model.saved());
    });
}

#[test]
fn what_a_member_leaves_in_the_middle_of_a_transaction_is_over_with_a_lease() {
    within(async {
        let place = Place::postgres();
        let ledger = ledger(&place, "a").await;
        let mut a = link(&place, "a").await;
        a.take_seat(TERMS).await.expect("taken");
        let mut paused = held_open(&place, "SELECT * FROM seats FOR SHARE").await;
        let began = Instant::now();
        a.take_seat(TERMS).await.expect("whoever was paused holds it no more");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        let gone = paused.statement("SELECT 1").await.expect_err("its session is over");
        assert!(matches!(gone, LedgerError::Unreachable { .. }) && gone.may_pass(), "{gone:?}");
        paused.begin().await.expect("it is connected again");
        paused.statement("SET statement_timeout = '100ms'").await.expect("set");
        let late = paused.statement("SELECT pg_sleep(5)").await.expect_err("it takes too long");
        assert!(matches!(late, LedgerError::Busy { .. }) && late.may_pass(), "{late:?}");
        let mut books = ledger.store.lock().await;
        let shown = books.rows("SHOW idle_in_transaction_session_timeout", &[], &[Kind::Text]).await.expect("shown");
        assert_eq!(shown[0][0].text().expect("a text"), "10s");
    });
}

#[test]
fn a_server_that_says_nothing_is_waited_for_no_longer_than_patience_is() {
    within(async {
        let place = Place::postgres();
        let _ledger = ledger(&place, "a").await;
        let mut beside = held_open(&place, "SELECT 1").await;
        assert!(beside.patience.is_some_and(|patience| patience <= Duration::from_secs(20)));
        for turn in 0..3 {
            beside.begin().await.expect("it is connected");
            beside.patience = Some(Duration::from_millis(200));
            let silent = match turn {
                0 => beside.statement("SELECT pg_sleep(30)").await,
                1 => beside.write("SELECT pg_sleep(30)", &[]).await.map(|_| ()),
                _ => beside.rows("SELECT 1::bigint FROM pg_sleep(30)", &[], &[Kind::Int]).await.map(|_| ()),
            };
            beside.patience = Some(Duration::from_secs(20));
            assert!(matches!(silent, Err(LedgerError::Unreachable { .. })), "{silent:?}");
        }
        beside.begin().await.expect("it is connected again");
    });
}

#[test]
fn a_book_whose_opening_is_dropped_half_way_holds_nothing() {
    within(async {
        let place = Place::postgres();
        let ledger = ledger(&place, "a").await;
        let mut a = link(&place, "a").await;
        a.take_seat(TERMS).await.expect("taken");
        let mut pause = held_open(&place, "SELECT * FROM ledger FOR UPDATE").await;
        let trades = trades();
        tokio::select! {
            _ = ledger.book(&trades) => panic!("the row of the ledger is held"),
            () = until_waiting(&place, "1") => {}
        }
        pause.rollback().await;
        ledger.let_go().await;
        let began = Instant::now();
        a.give_seat_up().await.expect("nobody holds it");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    });
}

#[test]
fn a_checkpoint_takes_the_parcels_that_it_holds_and_what_is_behind_them() {
    within(async {
        let place = Place::postgres();
        let ledger = ledger(&place, "a").await;
        let (mut a, mut b) = (link(&place, "a").await, link(&place, "b").await);
        let early = b.post(BINDING, &[parcel(0, 0..5, 1)]).await;
        assert!(matches!(early, Err(LedgerError::OtherTerms { .. })), "nobody judges: {early:?}");
        a.take_seat(TERMS).await.expect("taken");
        a.judge_by(BINDING).await.expect("it is ours");
        let (mut book, _) = ledger.book(&trades()).await.expect("a book");
        // Both read one partition for a while, in other portions.
        a.post(BINDING, &[parcel(0, 0..10, 1), parcel(0, 10..20, 1), parcel(1, 7..9, 1)]).await.expect("posted");
        b.post(BINDING, &[parcel(0, 0..7, 2), parcel(0, 7..15, 2), parcel(0, 20..30, 2)]).await.expect("posted");
        let other = b.post([5; 32], &[parcel(1, 9..12, 2)]).await;
        assert!(matches!(other, Err(LedgerError::OtherTerms { .. })), "{other:?}");
        let positions = BTreeMap::from([(lane(0), 0), (lane(1), 0)]);
        let taken = a.parcels_after(BINDING, &positions).await.expect("asked");
        assert_eq!(taken, [parcel(0, 0..10, 1), parcel(0, 10..20, 1), parcel(0, 20..30, 2)], "each offset once");
        let row = LaneRow { lane: lane(0), tp: tp(), body: vec![1] };
        let delta = Delta { checkpoint: 1, lanes: vec![row.clone()], ..Delta::default() };
        let posting = Posting { parcels: &[(lane(0), 20)], ..Posting::of(&delta, NOW) };
        book.checkpoint(&posting).await.expect("written");
        let heads = b.lane_heads().await.expect("asked");
        assert_eq!(heads, [LaneHead { row, parcels: BTreeMap::from([(20, 30)]) }]);
        assert_eq!((heads[0].end(20), heads[0].end(30), heads[0].end(3)), (30, 30, 3));
        b.post(BINDING, &[parcel(0, 30..33, 2)]).await.expect("posted");
        a.drop_parcel(lane(0), 20).await.expect("thrown away");
        let head = &b.lane_heads().await.expect("asked")[0];
        assert_eq!((head.end(20), head.has_behind(20)), (20, false), "it is to be read again, and what was behind it");
        // Who read on from elsewhere posted what nothing leads to.
        b.post(BINDING, &[parcel(0, 20..25, 2), parcel(0, 26..27, 2), parcel(0, 27..28, 2)]).await.expect("posted");
        let head = &b.lane_heads().await.expect("asked")[0];
        assert_eq!((head.chained(20), head.has_behind(25)), ((25, 1), true));
        // Meanwhile somebody posts what comes next: it stays.
        a.post(BINDING, &[parcel(0, 25..26, 1)]).await.expect("posted");
        b.drop_behind(lane(0), 25).await.expect("thrown away");
        let head = &b.lane_heads().await.expect("asked")[0];
        assert_eq!((head.chained(20), head.has_behind(26)), ((26, 2), false));
        // Parcels of another binding are none.
        b.post(BINDING, &[parcel(0, 20..21, 2)]).await.expect("posted");
        a.judge_by([6; 32]).await.expect("it is ours");
        assert_eq!(b.lane_heads().await.expect("asked")[0].parcels, BTreeMap::new());
    });
}

fn tp() -> validator_core::position::TopicPartition {
    validator_core::position::TopicPartition { topic: "trades".to_owned(), partition: 0 }
}

#[test]
fn an_ask_is_claimed_by_one_and_by_another_when_its_lease_is_over() {
    within(async {
        let place = Place::postgres();
        let _ledger = ledger(&place, "a").await;
        let (mut a, mut b) = (link(&place, "a").await, link(&place, "b").await);
        let (one, two) = ([1; 32], [2; 32]);
        a.take_seat(TERMS).await.expect("taken");
        a.judge_by(BINDING).await.expect("it is ours");
        a.ask(&[(one, b"one".to_vec()), (two, b"two".to_vec())]).await.expect("asked");
        a.ask(&[(one, b"one".to_vec())]).await.expect("asked again");
        assert_eq!(a.ask_state(one).await.expect("asked"), Some(AskState::Open(0)));
        assert_eq!(b.claim([5; 32]).await.expect("asked"), None, "it goes by something else");
        assert_eq!(b.claim(BINDING).await.expect("claimed"), Some((one, b"one".to_vec())));
        assert_eq!(a.claim(BINDING).await.expect("claimed"), Some((two, b"two".to_vec())));
        assert_eq!(a.claim(BINDING).await.expect("asked"), None);
        assert_eq!(a.ask_state(one).await.expect("asked"), Some(AskState::Claimed));
        b.answer(two, Some(b"not its own".to_vec())).await.expect("nothing");
        a.answer(two, None).await.expect("left to others");
        // However long this machine takes to ask.
        place.run("UPDATE asks SET until_ms = until_ms + 600000");
        assert_eq!(b.claim(BINDING).await.expect("asked"), None, "it has just failed");
        place.run("UPDATE asks SET until_ms = 1");
        assert_eq!(a.ask_state(two).await.expect("asked"), Some(AskState::Open(1)));
        assert_eq!(a.claim(BINDING).await.expect("claimed").map(|(ask, _)| ask), Some(one), "b is gone");
        b.answer(one, Some(b"late".to_vec())).await.expect("nothing");
        a.keep_claim(one).await.expect("kept");
        a.answer(one, Some(b"done".to_vec())).await.expect("answered");
        assert_eq!(a.ask_state(one).await.expect("asked"), Some(AskState::Answered(b"done".to_vec())));
        a.forget_asks(&[one, two]).await.expect("forgotten");
        assert_eq!(a.ask_state(one).await.expect("asked"), None);
        assert_eq!(b.claim(BINDING).await.expect("asked"), None);
    });
}
