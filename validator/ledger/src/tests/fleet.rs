//! Several processes over one ledger: one judges, all read, and what was taken over writes no more.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use validator_core::position::PartitionIndex;
use validator_core::shadow::delta::{Delta, LaneRow};

use super::random::Model;
use super::{NOW, Place, trades, within};
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
        a.drop_parcel(lane(0), 20).await.expect("thrown away");
        assert_eq!(b.lane_heads().await.expect("asked")[0].end(20), 20, "it is to be read again");
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
        assert_eq!(a.ask_state(two).await.expect("asked"), Some(AskState::Open(1)));
        place.run("UPDATE asks SET until_ms = 1");
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
