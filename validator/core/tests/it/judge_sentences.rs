//! One test per sentence of interface.md §4 that applies to append-only tables, in the
//! order of the text, named after the sentence. What the tap, the table or the engine does (pinning, resolving times,
//! explaining holes, reading files) is tested there.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use validator_core::clock::Past;
use validator_core::digest::{DigestKey, IdentityHash, RowHasher};
use validator_core::encode::{Arena, Domain, RowEncoder};
use validator_core::figures::{Figures, Outcome, OutcomeInput, decide};
use validator_core::hole::{Hole, HoleReason, Holes};
use validator_core::judge::{
    BalancedLookup, BalancedPartner, Judgement, LossKind, MessageTally, MovedFromIntact, RowStanding, RowTally, judge,
};
use validator_core::position::{PartitionIndex, TopicPartition};
use validator_core::report::MessageCounts;
use validator_core::schema::{Field, Type};
use validator_core::scope::{ListedPartition, OffsetScope, PartitionEdges, WindowScope};
use validator_core::verdict::ExcludedCause;

use crate::entries::{
    CLOCK, DUE_MS, PENDING_MS, With, at_hole, corrupt, counts, digest, excluded, findings, identity, judged, key_case,
    message, message_at, offset_case, phantom_causes, row, row_at, standing, undecodable, unreadable,
};

mod scope {
    use super::*;

    fn listed(from: i64, to: i64) -> ListedPartition {
        ListedPartition {
            tp: TopicPartition { topic: "t".into(), partition: 0 },
            log_start: 0,
            high_watermark: 100,
            from,
            to,
            start: None,
            starts_at_first: from == 0,
            ends_at_now: to == 100,
            holes: Holes::default(),
        }
    }

    fn place(scope: &OffsetScope, offset: i64) -> RowStanding {
        scope.place(Some("t"), Some(0), Some(offset)).standing
    }

    #[test]
    fn messages_below_start_that_from_asks_for_are_excluded_their_rows_out_of_scope() {
        let before = excluded(3, 3, ExcludedCause::BeforeStart);
        let judgement = judged(offset_case(vec![before, message(5, 5, 5)], vec![row(0, 3, 3), row(1, 5, 5)]));
        assert_eq!(counts(&judgement), "intact 1, excluded 1; intact 1, out_of_scope 1");
        assert_eq!(judgement.excluded, BTreeMap::from([(ExcludedCause::BeforeStart, 1)]));
        assert!(judgement.drafts.is_empty());
        // Out of scope, it takes no part in step 3 either.
        let judgement = judged(offset_case(vec![before, message(5, 5, 3)], vec![row(0, 3, 3), row(1, 6, 6)]));
        assert_eq!(counts(&judgement), "overdue 1, excluded 1; phantom 1, out_of_scope 1");
    }

    #[test]
    fn a_recorded_source_that_is_not_cut_is_a_whole_topic() {
        assert!(OffsetScope::new(vec![listed(0, 100)], &[]).is_whole_topic());
        assert!(!OffsetScope::new(vec![listed(1, 100)], &[]).is_whole_topic());
        assert!(!OffsetScope::new(vec![listed(0, 99)], &[]).is_whole_topic());
    }

    #[test]
    fn offset_mode_a_row_is_in_scope_when_its_offset_lies_in_the_range_of_a_listed_partition() {
        let scope = OffsetScope::new(vec![listed(10, 20)], &[]);
        let standings = [9, 10, 19, 20].map(|offset| place(&scope, offset));
        let (inside, outside) = (RowStanding::InScope, RowStanding::OutOfScope);
        assert_eq!(standings, [outside, inside, inside, outside]);
    }

    fn edges(starts_at_first: bool, ends_at_now: bool, first: i64, last: i64) -> PartitionEdges {
        PartitionEdges { starts_at_first, ends_at_now, first: Some(first), last: Some(last), may_hide: false }
    }

    #[test]
    fn with_a_window_it_is_inside_between_l_plus_every_and_u_minus_every() {
        let partitions = [edges(false, true, 7, 999), edges(false, false, 9, 60), edges(true, false, 0, 64)];
        let scope = WindowScope::new(10, &partitions, false);
        // L = 9, U = 60: a ≥ 19 and b ≤ 50.
        let inside: Vec<i64> = (0..10).filter(|number| scope.standing(Some(*number)) == RowStanding::InScope).collect();
        assert_eq!(inside, [2, 3, 4]);
    }

    #[test]
    fn no_such_partition_no_bound_and_none_is_inside_when_there_is_neither_bound() {
        let open = WindowScope::new(10, &[edges(true, true, 7, 60)], false);
        assert_eq!(
            [open.standing(Some(-5)), open.standing(Some(5_000)), open.standing(None)],
            [RowStanding::InScope; 3]
        );
        for (starts_at_first, ends_at_now) in [(false, true), (true, false)] {
            let cut = WindowScope::new(10, &[edges(starts_at_first, ends_at_now, 7, 60)], false);
            assert_eq!(cut.standing(None), RowStanding::OutOfScope);
        }
    }

    #[test]
    fn an_unpaired_row_of_any_other_window_is_out_of_scope() {
        let outside = row(0, 7, 7).with(standing(RowStanding::OutOfScope));
        assert_eq!(counts(&judged(key_case(vec![], vec![outside]))), "; out_of_scope 1");
    }

    #[test]
    fn a_row_that_no_message_can_have_takes_part_in_step_3_in_every_run() {
        let scope = OffsetScope::new(vec![listed(10, 20)], &[]);
        let impossible = RowStanding::Impossible;
        assert_eq!(place(&scope, 100), impossible);
        assert_eq!(scope.place(Some("t"), Some(1), Some(15)).standing, impossible);
        assert_eq!(scope.place(Some("t"), Some(0), None).standing, impossible);
        for whole_topic in [true, false] {
            let moved = row(0, 777, 5).with(standing(impossible));
            let case = offset_case(vec![message(15, 15, 5)], vec![moved]).with(|case| case.whole_topic = whole_topic);
            assert_eq!(findings(&judged(case)), ["corrupted(0:15) identity rows 0/0"]);
        }
    }

    #[test]
    fn unpaired_it_is_phantom_when_the_whole_topic_is_read_else_out_of_scope() {
        let impossible = row(0, 777, 5).with(standing(RowStanding::Impossible));
        let case = offset_case(vec![], vec![impossible]);
        assert_eq!(counts(&judged(case.clone())), "; phantom 1");
        assert_eq!(counts(&judged(case.with(|case| case.whole_topic = false))), "; out_of_scope 1");
    }

    #[test]
    fn beside_these_none_of_them_pairs_except_in_key_mode_by_their_identity() {
        let outside = |value| row(0, 5, value).with(standing(RowStanding::OutOfScope));
        let sent = message(5, 5, 5);
        assert_eq!(counts(&judged(offset_case(vec![sent], vec![outside(5)]))), "overdue 1; out_of_scope 1");
        assert_eq!(counts(&judged(key_case(vec![sent], vec![outside(5)]))), "intact 1; intact 1");
        assert_eq!(counts(&judged(key_case(vec![sent], vec![outside(6)]))), "corrupted 1; corrupted 1");
        // Not by step 3, not by step 4.
        assert_eq!(counts(&judged(key_case(vec![message(6, 6, 5)], vec![outside(5)]))), "missing 1; out_of_scope 1");
        let rows = vec![row(0, 5, 5), row(1, 5, 5).with(standing(RowStanding::OutOfScope))];
        assert_eq!(counts(&judged(key_case(vec![sent], rows))), "intact 1; intact 1, out_of_scope 1");
    }

    #[test]
    fn a_row_that_is_paired_counts_as_in_scope() {
        let outside = row(0, 5, 5).with(standing(RowStanding::OutOfScope));
        let judgement = judged(key_case(vec![message(5, 5, 5)], vec![outside]));
        assert_eq!((judgement.rows.total(), judgement.rows.out_of_scope), (1, 0));
        let impossible = row(0, 777, 5).with(standing(RowStanding::Impossible));
        let case = offset_case(vec![message(5, 5, 5)], vec![impossible]).with(|case| case.whole_topic = false);
        assert_eq!(judged(case).rows.total(), 1);
    }
}

mod clock {
    use super::*;

    fn alone_at(timestamp_ms: Option<i64>) -> String {
        let lost = message(5, 5, 5).with(|message| message.timestamp_ms = timestamp_ms);
        counts(&judged(offset_case(vec![lost], vec![])))
    }

    #[test]
    fn a_message_is_due_when_its_timestamp_plus_settle_is_not_after_judged_at() {
        let border = CLOCK.judged_at_ms - CLOCK.settle_ms;
        assert_eq!(alone_at(Some(border)), "overdue 1; ");
        assert_eq!(alone_at(Some(border + 1)), "pending 1; ");
    }

    #[test]
    fn one_without_timestamp_is_always_due() {
        assert!(CLOCK.is_due(None));
        assert_eq!(alone_at(None), "missing 1; ");
    }

    #[test]
    fn offset_mode_moved_past_is_a_row_paired_by_step_1_with_a_larger_offset_of_the_same_partition() {
        let lost = message(5, 5, 5);
        let beside = |offset, rows| counts(&judged(offset_case(vec![lost, message(offset, offset as u64, 6)], rows)));
        assert_eq!(beside(6, vec![row(0, 6, 6)]), "intact 1, missing 1; intact 1");
        assert_eq!(beside(4, vec![row(0, 4, 6)]), "intact 1, overdue 1; intact 1");
        // By step 2 it does not count, with copies it does.
        assert_eq!(beside(6, vec![row(0, 6, 9)]), "corrupted 1, overdue 1; corrupted 1");
        assert_eq!(beside(6, vec![row(0, 6, 6), row(1, 6, 6)]), "duplicated 1, missing 1; copies 2");
        let other_partition = message(6, 6, 6).with(|message| message.at = message_at(1, 6));
        let judgement = judged(offset_case(vec![lost, other_partition], vec![row(0, 6, 6)]));
        assert_eq!(counts(&judgement), "intact 1, overdue 1; intact 1");
        // Pairs of balanced segments are given.
        let paired_max = BTreeMap::from([(PartitionIndex(0), 6)]);
        let case = offset_case(vec![lost], vec![]).with(|case| case.past = Past::Offsets { paired_max });
        assert_eq!(counts(&judged(case)), "missing 1; ");
    }

    #[test]
    fn else_moved_past_is_a_commit_at_or_after_timestamp_plus_settle() {
        let committed = |at_ms: i64| {
            let case = key_case(vec![message(5, 5, 5)], vec![]);
            counts(&judged(case.with(|case| case.past = Past::Commits { times_ms: vec![0, at_ms, 1] })))
        };
        assert_eq!(committed(DUE_MS + CLOCK.settle_ms), "missing 1; ");
        assert_eq!(committed(DUE_MS + CLOCK.settle_ms - 1), "overdue 1; ");
    }

    #[test]
    fn for_a_message_without_timestamp_it_always_has() {
        let lost = message(5, 5, 5).with(|message| message.timestamp_ms = None);
        let case = key_case(vec![lost], vec![]).with(|case| case.past = Past::Commits { times_ms: vec![] });
        assert_eq!(counts(&judged(case)), "missing 1; ");
        assert_eq!(counts(&judged(offset_case(vec![lost], vec![]))), "missing 1; ");
    }

    #[test]
    fn after_give_up_it_is_missing_in_any_case() {
        let border = CLOCK.judged_at_ms - CLOCK.give_up_ms;
        assert_eq!(alone_at(Some(border)), "missing 1; ");
        assert_eq!(alone_at(Some(border + 1)), "overdue 1; ");
    }
}

mod retention {
    use validator_core::judge::MessageEntry;

    use super::*;

    /// The table has to hold rows for 700 ms: those of messages before 300 it need not have.
    fn with_retention(case: validator_core::judge::Case) -> validator_core::judge::Case {
        case.with(|case| case.clock.retention_ms = Some(700))
    }

    fn gone(at_ms: Option<i64>, stood: bool) -> MessageEntry {
        message(5, 5, 5).with(|message| (message.timestamp_ms, message.stood) = (at_ms, stood))
    }

    #[test]
    fn a_message_that_had_its_row_is_expired_once_its_time_is_up_and_withdrawn_before() {
        let said = |message| counts(&judged(with_retention(offset_case(vec![message], vec![]))));
        assert_eq!(said(gone(Some(300), true)), "excluded 1; ");
        assert_eq!(said(gone(Some(301), true)), "withdrawn 1; ");
        assert_eq!(said(gone(None, true)), "withdrawn 1; ", "what has no timestamp has no age");
        assert_eq!(said(gone(Some(300), false)), "overdue 1; ", "what never had a row is lost, however old it is");
    }

    #[test]
    fn a_single_run_knows_of_no_row_that_was() {
        let of_single_run = |message| {
            let case = with_retention(offset_case(vec![message], vec![]));
            counts(&judged(case.with(|case| case.remembers = false)))
        };
        assert_eq!(of_single_run(gone(Some(300), false)), "excluded 1; ");
        assert_eq!(of_single_run(gone(Some(301), false)), "overdue 1; ");
    }

    #[test]
    fn a_row_that_is_there_is_compared_however_old_it_is() {
        let rows = vec![row(0, 5, 9)];
        assert_eq!(
            counts(&judged(with_retention(offset_case(vec![gone(Some(0), true)], rows)))),
            "corrupted 1; corrupted 1"
        );
    }

    #[test]
    fn nobody_looks_for_its_row_at_another_place_and_no_lost_part_has_it() {
        let elsewhere = vec![row(0, 6, 5)];
        let case = |message| with_retention(offset_case(vec![message], elsewhere.clone()));
        assert_eq!(counts(&judged(case(gone(Some(0), true)))), "excluded 1; phantom 1");
        assert_eq!(counts(&judged(case(gone(Some(0), false)))), "corrupted 1; corrupted 1");
        for lost in [corrupt as fn(&mut MessageEntry), unreadable] {
            let message = gone(Some(0), true).with(lost);
            assert_eq!(counts(&judged(with_retention(offset_case(vec![message], vec![])))), "excluded 1; ");
        }
    }

    #[test]
    fn it_has_no_finding_and_counts_by_its_cause() {
        let judgement = judged(with_retention(offset_case(vec![gone(Some(0), true)], vec![])));
        assert!(judgement.drafts.is_empty());
        assert_eq!(judgement.excluded, BTreeMap::from([(ExcludedCause::Expired, 1)]));
        assert_eq!(judgement.released.values().sum::<u64>(), 1);
    }
}

mod pairing {
    use super::*;

    /// Knows one message of a balanced segment, and notes what it is asked.
    struct Balanced {
        partner: BalancedPartner,
        asked: Vec<Vec<IdentityHash>>,
    }

    impl Balanced {
        fn with(offset: i64, id: u64, value: u64) -> Self {
            let partner = BalancedPartner {
                identity: identity(id),
                digest: digest(id, value),
                message: message_at(0, offset),
                timestamp_ms: Some(DUE_MS),
                row: row_at(9, 9),
                late: true,
            };
            Self { partner, asked: Vec::new() }
        }
    }

    impl BalancedLookup for Balanced {
        type Error = Infallible;

        fn find(&mut self, identities: &[IdentityHash]) -> Result<Vec<BalancedPartner>, Infallible> {
            self.asked.push(identities.to_vec());
            Ok(identities.contains(&self.partner.identity).then_some(self.partner).into_iter().collect())
        }
    }

    fn judged_with(case: validator_core::judge::Case, balanced: &mut Balanced) -> Judgement {
        let Ok(judgement) = judge(case, balanced);
        judgement
    }

    #[test]
    fn no_verdict_depends_on_segments_the_disputed_ones_are_paired_together() {
        // Two segments' worth of entries in any order: partition 1 first, later files first.
        let other =
            |offset, id, value| message(offset, id, value).with(|message| message.at.partition = PartitionIndex(1));
        let messages = vec![other(4_096, 9, 9), message(5, 5, 5), message(4_097, 6, 6)];
        let rows = vec![row(8, 777, 6), row(3, 9, 9), row(1, 5, 5)];
        let forward = judged(offset_case(messages.clone(), rows.clone()));
        let backward = judged(offset_case(messages.into_iter().rev().collect(), rows.into_iter().rev().collect()));
        assert_eq!(forward, backward);
        assert_eq!(findings(&forward), ["corrupted(0:4097) identity rows 0/8"]);
    }

    #[test]
    fn identities_left_over_after_3_are_looked_up_in_balanced_segments_too() {
        let mut balanced = Balanced::with(50, 7, 7);
        let rows = vec![row(0, 5, 5), row(1, 7, 8), row(2, 6, 8)];
        let judgement = judged_with(key_case(vec![message(5, 5, 5), message(6, 66, 66)], rows), &mut balanced);
        assert_eq!(balanced.asked, [[identity(6), identity(7)]]);
        let expected =
            ["missing(0:6) lost", "duplicated(0:50) copies_differ rows 0/1 9/9", "phantom unexplained rows 0/2"];
        assert_eq!(findings(&judgement), expected);
        assert_eq!(counts(&judgement), "intact 1, duplicated 1, missing 1; intact 1, copies 2, phantom 1");
        let moved = MovedFromIntact { messages: 1, late: 1 };
        assert_eq!(judgement.moved_from_intact, BTreeMap::from([(PartitionIndex(0), moved)]));
        assert_eq!(judgement.drafts[1].compare, [(message_at(0, 50), row_at(0, 1))]);
        assert_eq!(judgement.drafts[1].copies, 2);
        assert_eq!(judgement.total().duplicated_faithful, 1);
    }

    #[test]
    fn the_last_paired_message_may_stand_in_a_balanced_or_a_disputed_segment() {
        let copies_of = |offset_of_partner| {
            let rows = vec![row(0, 7, 1), row(1, 7, 2)];
            let mut balanced = Balanced::with(offset_of_partner, 7, 7);
            findings(&judged_with(key_case(vec![message(50, 7, 1)], rows), &mut balanced))
        };
        assert_eq!(copies_of(49), ["duplicated(0:50) copies_differ rows 0/0 0/1"]);
        assert_eq!(copies_of(51), ["duplicated(0:51) copies_differ rows 0/1 9/9"]);
    }

    #[test]
    fn in_offset_mode_a_balanced_segment_has_no_identity_that_is_left_over() {
        let mut balanced = Balanced::with(50, 7, 7);
        let judgement = judged_with(offset_case(vec![], vec![row(0, 7, 8)]), &mut balanced);
        assert!(balanced.asked.is_empty());
        assert_eq!(counts(&judgement), "; phantom 1");
    }

    #[test]
    fn order_is_topic_partition_offset_and_file_position() {
        let at = |partition, offset, value| {
            message(offset, 7, value).with(|message| message.at.partition = PartitionIndex(partition))
        };
        let placed = |file, position, value| row(position, 7, value).with(|row| row.at = row_at(file, position));
        let messages = vec![at(1, 0, 13), at(0, 10, 12), at(0, 9, 11)];
        let rows = vec![placed(1, 0, 23), placed(0, 10, 22), placed(0, 9, 21)];
        let expected = ["corrupted(0:9) rows 0/9", "corrupted(0:10) rows 0/10", "corrupted(1:0) rows 1/0"];
        assert_eq!(findings(&judged(key_case(messages, rows))), expected);
    }

    #[test]
    fn null_in_an_identity_equals_null() {
        let hash = |values: Vec<Option<i64>>| {
            let field = Field::new(1, "id", false, Type::Long);
            let encoder = RowEncoder::new(Domain::Identity, &[field]).expect("a long can be encoded");
            let (mut arena, mut digests) = (Arena::default(), Vec::new());
            let column: ArrayRef = Arc::new(Int64Array::from(values));
            encoder.encode(3, &[column], None, &mut arena).expect("the column is a long");
            RowHasher::new(&DigestKey::public()).digest(&arena, &mut digests);
            digests.iter().map(|digest| digest.identity()).collect::<Vec<_>>()
        };
        let ids = hash(vec![None, None, Some(0)]);
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
        let sent = message(5, 0, 5).with(|message| message.identity = Some(ids[0]));
        let landed = row(0, 0, 6).with(|row| row.identity = ids[1]);
        assert_eq!(counts(&judged(key_case(vec![sent], vec![landed]))), "corrupted 1; corrupted 1");
    }

    #[test]
    fn step_1_equal_digests_in_order() {
        // The equal row wins over an earlier one of the same identity.
        let judgement = judged(key_case(vec![message(5, 5, 5)], vec![row(0, 5, 9), row(1, 5, 5)]));
        assert_eq!(findings(&judgement), ["duplicated(0:5) copies_differ rows 0/0 0/1"]);
        assert_eq!(judgement.total().duplicated_faithful, 1);
        // In order: of two equal messages the first is paired with the first row.
        let late = |row: &mut validator_core::judge::RowEntry| row.late = true;
        let other = |offset| message(offset, 5, 5).with(|message| message.at.partition = PartitionIndex(1));
        let judgement = judged(key_case(vec![message(5, 5, 5), other(1)], vec![row(0, 5, 5), row(1, 5, 5).with(late)]));
        let late_by_partition: Vec<u64> = judgement.messages.values().map(|tally| tally.late).collect();
        assert_eq!(late_by_partition, [0, 1]);
    }

    #[test]
    fn step_2_the_rest_by_identity_in_order_is_corrupted() {
        let messages = vec![message(5, 7, 1), message(6, 7, 2), message(7, 7, 3)];
        let rows = vec![row(0, 7, 8), row(1, 7, 2), row(2, 7, 9)];
        let judgement = judged(key_case(messages, rows));
        assert_eq!(findings(&judgement), ["corrupted(0:5) rows 0/0", "corrupted(0:7) rows 0/2"]);
        assert_eq!(judgement.drafts[0].compare, [(message_at(0, 5), row_at(0, 0))]);
        assert_eq!(judgement.drafts[0].cause, None);
    }

    #[test]
    fn a_message_whose_value_is_inexact_equals_no_row_and_is_corrupted() {
        let inexact = message(5, 5, 5).with(|message| (message.digest, message.rest) = (None, None));
        let judgement = judged(offset_case(vec![inexact], vec![row(0, 5, 5)]));
        assert_eq!(findings(&judgement), ["corrupted(0:5) rows 0/0"]);
    }

    #[test]
    fn step_3_equal_digest_of_the_non_identity_columns_where_unique_is_corrupted_the_identity_named() {
        let judgement = judged(key_case(vec![message(5, 5, 5)], vec![row(0, 6, 5)]));
        assert_eq!(findings(&judgement), ["corrupted(0:5) identity rows 0/0"]);
        assert!(judgement.drafts[0].identity_moved);
    }

    #[test]
    fn unique_means_one_such_message_and_one_such_row_are_left() {
        let pair = |messages, rows| counts(&judged(key_case(messages, rows)));
        let (one, two) = (message(5, 5, 5), message(6, 6, 5));
        assert_eq!(pair(vec![one, two], vec![row(0, 8, 5)]), "missing 2; phantom 1");
        assert_eq!(pair(vec![one], vec![row(0, 8, 5), row(1, 9, 5)]), "missing 1; phantom 2");
        assert_eq!(pair(vec![one, two], vec![row(0, 8, 5), row(1, 9, 5)]), "missing 2; phantom 2");
        // Left: what steps 1 and 2 paired does not count.
        assert_eq!(
            pair(vec![one, two], vec![row(0, 8, 5), row(1, 6, 5)]),
            "intact 1, corrupted 1; intact 1, corrupted 1"
        );
    }

    #[test]
    fn offset_100_written_as_101_is_corrupted_100_not_duplicated_101_and_missing_100() {
        let messages = vec![message(100, 100, 5), message(101, 101, 6), message(102, 102, 7)];
        let rows = vec![row(0, 101, 5), row(1, 101, 6), row(2, 102, 7)];
        let judgement = judged(offset_case(messages, rows));
        assert_eq!(findings(&judgement), ["corrupted(0:100) identity rows 0/0"]);
        assert_eq!(counts(&judgement), "intact 2, corrupted 1; intact 2, corrupted 1");
    }

    #[test]
    fn step_4_surplus_rows_of_an_identity_that_has_a_paired_message_are_copies_of_its_last_paired_message() {
        let messages = vec![message(5, 7, 1), message(6, 7, 1), message(7, 7, 2)];
        let rows = vec![row(0, 7, 1), row(1, 7, 1), row(2, 7, 1), row(3, 7, 1)];
        let judgement = judged(key_case(messages, rows));
        // 7 is paired by step 2 and is the last.
        assert_eq!(findings(&judgement), ["duplicated(0:7) copies_differ rows 0/2 0/3"]);
        assert_eq!(counts(&judgement), "intact 2, duplicated 1; intact 2, copies 2");
        assert_eq!(judgement.total().duplicated_faithful, 0);
    }

    #[test]
    fn a_surplus_row_takes_part_in_step_3_before_it_is_a_copy() {
        let messages = vec![message(5, 5, 5), message(6, 6, 6)];
        let rows = vec![row(0, 5, 5), row(1, 5, 6)];
        assert_eq!(findings(&judged(key_case(messages, rows))), ["corrupted(0:6) identity rows 0/1"]);
    }

    #[test]
    fn a_row_that_equals_its_message_is_a_copy_and_hides_no_loss_of_a_like_message() {
        // All columns beside the identity are alike in both messages: what differs from both may be the lost one's row.
        for case in [key_case, offset_case] {
            let messages = || vec![message(4, 4, 1), message(6, 6, 1)];
            let copied = "duplicated(0:6) copied rows 0/0 0/1";
            let lost = case(messages(), vec![row(0, 6, 1), row(1, 6, 1)]);
            assert_eq!(findings(&judged(lost)), ["missing(0:4) lost", copied]);
            let moved = case(messages(), vec![row(0, 6, 1), row(1, 6, 1), row(2, 7, 1)]);
            assert_eq!(findings(&judged(moved)), ["corrupted(0:4) identity rows 0/2", copied]);
        }
    }

    #[test]
    fn step_5_a_message_left_is_missing_overdue_or_pending_a_row_left_is_phantom() {
        let at = |offset, timestamp_ms| {
            message(offset, offset as u64, offset as u64).with(|message| message.timestamp_ms = Some(timestamp_ms))
        };
        let messages = vec![at(1, DUE_MS), at(2, DUE_MS), at(3, DUE_MS), at(4, PENDING_MS)];
        let judgement = judged(offset_case(messages, vec![row(0, 2, 2), row(1, 77, 77)]));
        assert_eq!(findings(&judgement), ["missing(0:1) lost", "overdue(0:3)", "phantom unexplained rows 0/1"]);
        assert_eq!(counts(&judgement), "pending 1, intact 1, missing 1, overdue 1; intact 1, phantom 1");
    }

    #[test]
    fn equal_messages_each_want_a_row() {
        let messages = vec![message(5, 7, 1), message(6, 7, 1)];
        let judgement = judged(key_case(messages.clone(), vec![row(0, 7, 1)]));
        assert_eq!(findings(&judgement), ["missing(0:6) lost"]);
        let judgement = judged(key_case(messages, vec![row(0, 7, 1), row(1, 7, 1)]));
        assert_eq!(counts(&judgement), "intact 2; intact 2");
    }

    #[test]
    fn precedence_is_excluded_paired_undecodable_unobservable_pending_overdue_missing() {
        // Excluded before paired: an equal row does not pair.
        let filtered = message(5, 5, 5).with(|message| message.state = excluded(5, 5, ExcludedCause::Filter).state);
        assert_eq!(counts(&judged(offset_case(vec![filtered], vec![row(0, 5, 5)]))), "excluded 1; phantom 1");
        // Paired before unobservable, and before pending.
        let paired = message(5, 5, 5).with(unreadable).with(|message| message.timestamp_ms = Some(PENDING_MS));
        assert_eq!(counts(&judged(offset_case(vec![paired], vec![row(0, 5, 5)]))), "intact 1; intact 1");
        // Undecodable before unobservable.
        let torn = undecodable(5, Some(5)).with(unreadable);
        assert_eq!(counts(&judged(offset_case(vec![torn], vec![]))), "undecodable 1; ");
        // Unobservable before overdue and missing; before it is due a message is pending.
        let lost = message(5, 5, 5).with(unreadable);
        assert_eq!(counts(&judged(offset_case(vec![lost], vec![]))), "unobservable 1; ");
        assert_eq!(counts(&judged(key_case(vec![lost], vec![]))), "unobservable 1; ");
        let early = lost.with(|message| message.timestamp_ms = Some(PENDING_MS));
        assert_eq!(counts(&judged(key_case(vec![early], vec![]))), "pending 1; ");
    }

    #[test]
    fn precedence_of_diverted_is_behind_paired_and_before_all_that_has_no_row() {
        let case = |messages: Vec<_>, rows| {
            let mut case = offset_case(messages, rows);
            case.diverted = [message_at(0, 5)].into();
            case
        };
        // Excluded and paired go before.
        let filtered = message(5, 5, 5).with(|message| message.state = excluded(5, 5, ExcludedCause::Filter).state);
        assert_eq!(counts(&judged(case(vec![filtered], vec![]))), "excluded 1; ");
        assert_eq!(counts(&judged(case(vec![message(5, 5, 5)], vec![row(0, 5, 5)]))), "intact 1; intact 1");
        assert_eq!(counts(&judged(case(vec![message(5, 5, 5)], vec![row(0, 5, 6)]))), "corrupted 1; corrupted 1");
        // Undecodable, unobservable, storage_corrupt, pending, overdue, missing and withdrawn go behind.
        let torn = judged(case(vec![undecodable(5, Some(5))], vec![row(0, 5, 5)]));
        assert_eq!(counts(&torn), "diverted 1; unjudged 1");
        assert_eq!(torn.diverted_undecodable, BTreeMap::from([(PartitionIndex(0), 1)]));
        let early = message(5, 5, 5).with(|message| message.timestamp_ms = Some(PENDING_MS));
        let stood = message(5, 5, 5).with(|message| message.stood = true);
        let (lost, unseen) = (message(5, 5, 5).with(corrupt), message(5, 5, 5).with(unreadable));
        for without_row in [message(5, 5, 5), early, stood, lost, unseen] {
            let judgement = judged(case(vec![without_row], vec![]));
            assert_eq!((counts(&judgement).as_str(), judgement.losses.len()), ("diverted 1; ", 0), "{without_row:?}");
        }
        // Another message is what it was.
        assert_eq!(counts(&judged(case(vec![message(6, 6, 6)], vec![]))), "overdue 1; ");
    }

    #[test]
    fn of_equal_messages_those_in_the_dead_letters_have_their_rows_last() {
        let three = [4, 5, 6].map(|offset| message(offset, 7, 1)).to_vec();
        let mut case = key_case(three.clone(), vec![row(0, 7, 1), row(1, 7, 1)]);
        case.diverted = [message_at(0, 4)].into();
        let judgement = judged(case);
        assert_eq!(
            (counts(&judgement).as_str(), findings(&judgement)),
            ("intact 2, diverted 1; intact 2", vec!["diverted(0:4)".to_owned()])
        );
        // By identity too: the damaged row is that of the message that was not put aside.
        let mut case = key_case(three[..2].to_vec(), vec![row(0, 7, 2)]);
        case.diverted = [message_at(0, 4)].into();
        assert_eq!(counts(&judged(case)), "corrupted 1, diverted 1; corrupted 1");
    }

    #[test]
    fn an_undecodable_message_never_pairs_rows_of_its_identity_are_set_aside_before_step_1() {
        let messages = vec![undecodable(5, Some(5)), message(6, 6, 6)];
        let rows = vec![row(0, 5, 6), row(1, 5, 5), row(2, 8, 6)];
        let judgement = judged(offset_case(messages, rows));
        // Row 0 would have taken part in step 3 and made it not unique.
        let expected = ["undecodable(0:5) bad_payload rows 0/0 0/1", "corrupted(0:6) identity rows 0/2"];
        assert_eq!(findings(&judgement), expected);
        assert_eq!(counts(&judgement), "corrupted 1, undecodable 1; corrupted 1, unjudged 2");
    }

    #[test]
    fn rows_out_of_scope_are_not_set_aside() {
        let outside = row(0, 5, 5).with(standing(RowStanding::OutOfScope));
        let judgement = judged(key_case(vec![undecodable(5, Some(5))], vec![outside, row(1, 5, 6)]));
        assert_eq!(counts(&judgement), "undecodable 1; unjudged 1, out_of_scope 1");
    }

    #[test]
    fn where_its_identity_is_unknown_as_many_rows_left_in_order_are_unjudged_the_rest_phantom() {
        let messages = vec![undecodable(5, None), undecodable(6, None)];
        let rows = vec![row(2, 9, 9), row(0, 7, 7), row(1, 8, 8)];
        let judgement = judged(key_case(messages, rows));
        assert_eq!(counts(&judgement), "undecodable 2; phantom 1, unjudged 2");
        assert_eq!(findings(&judgement)[2], "phantom unexplained rows 0/2");
    }

    #[test]
    fn one_that_was_put_aside_may_have_been_written_all_the_same() {
        let mut case = key_case(vec![undecodable(5, None)], vec![row(0, 9, 9)]);
        assert_eq!(counts(&judged(case.clone())), "undecodable 1; unjudged 1");
        case.diverted = [message_at(0, 5)].into();
        assert_eq!(counts(&judged(case)), "diverted 1; unjudged 1");
    }

    #[test]
    fn rows_that_are_no_phantoms_anyway_do_not_use_up_unjudged_ones() {
        let rows = vec![
            row(0, 7, 7).with(standing(RowStanding::OutOfScope)),
            row(1, 8, 8).with(standing(RowStanding::Unobservable)),
            row(2, 9, 9),
        ];
        let judgement = judged(key_case(vec![undecodable(5, None)], rows));
        assert_eq!(counts(&judgement), "undecodable 1; unjudged 1, unobservable 1, out_of_scope 1");
    }
}

mod duplicated {
    use super::*;

    #[test]
    fn with_a_copy_that_differs_the_cause_is_copies_differ_counted_in_duplicated_differing() {
        let equal = judged(offset_case(vec![message(5, 5, 5)], vec![row(0, 5, 5), row(1, 5, 5)]));
        assert_eq!(findings(&equal), ["duplicated(0:5) copied rows 0/0 0/1"]);
        assert_eq!(equal.total().duplicated_differing, 0);
        assert!(equal.drafts[0].compare.is_empty());
        let rows = vec![row(0, 5, 5), row(1, 5, 6), row(2, 5, 7)];
        let differing = judged(offset_case(vec![message(5, 5, 5)], rows));
        assert_eq!(findings(&differing), ["duplicated(0:5) copies_differ rows 0/0 0/1 0/2"]);
        let tally = differing.total();
        assert_eq!((tally.duplicated_differing, tally.duplicated_faithful), (1, 1));
        let compare = [(message_at(0, 5), row_at(0, 1)), (message_at(0, 5), row_at(0, 2))];
        assert_eq!(differing.drafts[0].compare, compare);
        assert_eq!(differing.drafts[0].copies, 3);
    }

    #[test]
    fn a_corrupted_message_with_surplus_rows_is_duplicated_and_not_faithful() {
        let judgement = judged(offset_case(vec![message(5, 5, 5)], vec![row(0, 5, 6), row(1, 5, 6)]));
        assert_eq!(counts(&judgement), "duplicated 1; copies 2");
        let tally = judgement.total();
        assert_eq!((tally.duplicated_differing, tally.duplicated_faithful), (1, 0));
        assert_eq!(Figures::of(&tally, &judgement.rows).faithful, 0);
    }

    #[test]
    fn rows_of_filtered_messages_and_tombstones_are_phantom_cause_filtered_tombstone() {
        let messages = vec![excluded(5, 5, ExcludedCause::Filter), excluded(6, 6, ExcludedCause::Tombstone)];
        let judgement = judged(offset_case(messages, vec![row(0, 5, 5), row(1, 6, 6), row(2, 7, 7)]));
        assert_eq!(phantom_causes(&judgement), ["filtered", "tombstone", "unexplained"]);
        assert_eq!(counts(&judgement), "excluded 2; phantom 3");
    }

    #[test]
    fn rows_of_filtered_messages_are_phantom_also_in_a_compacted_topic_but_not_out_of_scope() {
        let compacted = row(0, 5, 5).with(standing(RowStanding::Unobservable));
        let outside = row(1, 5, 5).with(standing(RowStanding::OutOfScope));
        let judgement = judged(key_case(vec![excluded(5, 5, ExcludedCause::Filter)], vec![compacted, outside]));
        assert_eq!(phantom_causes(&judgement), ["filtered"]);
        assert_eq!(counts(&judgement), "excluded 1; phantom 1, out_of_scope 1");
    }
}

mod holes {
    use super::*;

    fn standing_at(reason: HoleReason) -> RowStanding {
        let partition = ListedPartition {
            tp: TopicPartition { topic: "t".into(), partition: 0 },
            log_start: 3,
            high_watermark: 10,
            from: 0,
            to: 10,
            start: None,
            starts_at_first: false,
            ends_at_now: true,
            holes: Holes::new(vec![
                Hole { from: 0, to: 3, reason: HoleReason::Retention },
                Hole { from: 5, to: 6, reason },
            ]),
        };
        let scope = OffsetScope::new(vec![partition], &[]);
        assert_eq!(scope.place(Some("t"), Some(0), Some(2)).standing, RowStanding::Unobservable);
        let place = scope.place(Some("t"), Some(0), Some(5));
        assert_eq!(place.hole, Some(reason));
        place.standing
    }

    #[test]
    fn a_row_below_the_logs_start_or_at_a_compacted_or_unknown_hole_is_unobservable() {
        for reason in [HoleReason::Compacted, HoleReason::Unknown] {
            assert_eq!(standing_at(reason), RowStanding::Unobservable);
            let gone = row(0, 5, 5).with(at_hole(reason)).with(standing(RowStanding::Unobservable));
            let judgement = judged(offset_case(vec![], vec![gone]));
            assert_eq!(counts(&judgement), "; unobservable 1");
            assert!(judgement.drafts.is_empty());
        }
    }

    #[test]
    fn at_an_aborted_or_control_hole_it_is_phantom() {
        for (reason, cause) in [(HoleReason::Aborted, "aborted"), (HoleReason::Control, "unexplained")] {
            assert_eq!(standing_at(reason), RowStanding::InScope);
            let judgement = judged(offset_case(vec![], vec![row(0, 5, 5).with(at_hole(reason))]));
            assert_eq!(phantom_causes(&judgement), [cause]);
            assert_eq!(judgement.drafts[0].hole, Some(reason));
        }
    }

    #[test]
    fn a_row_at_a_hole_whose_message_is_left_over_has_a_damaged_offset() {
        let moved = row(0, 6, 5).with(at_hole(HoleReason::Unknown)).with(standing(RowStanding::Unobservable));
        let judgement = judged(offset_case(vec![message(5, 5, 5)], vec![moved]));
        assert_eq!(findings(&judgement), ["corrupted(0:5) identity rows 0/0"]);
    }

    #[test]
    fn in_key_mode_an_unpaired_row_of_a_topic_whose_policy_holds_compact_is_unobservable() {
        let whole =
            PartitionEdges { starts_at_first: true, ends_at_now: true, first: None, last: None, may_hide: false };
        let scope = WindowScope::new(10, &[whole], true);
        let here = || standing(scope.standing(Some(0)));
        let rows = vec![row(0, 5, 5).with(here()), row(1, 6, 6).with(here())];
        let judgement = judged(key_case(vec![message(5, 5, 5)], rows));
        assert_eq!(counts(&judgement), "intact 1; intact 1, unobservable 1");
    }
}

mod unreadable_parts {
    use super::*;

    #[test]
    fn due_unpaired_messages_of_a_file_that_cannot_be_read_are_unobservable() {
        let messages = vec![
            message(5, 5, 5).with(unreadable),
            message(6, 6, 6).with(unreadable),
            message(7, 7, 7).with(unreadable).with(|message| message.timestamp_ms = Some(PENDING_MS)),
        ];
        let judgement = judged(offset_case(messages, vec![row(0, 6, 6)]));
        assert_eq!(counts(&judgement), "pending 1, intact 1, unobservable 1; intact 1");
        assert_eq!(findings(&judgement), ["unobservable(0:5)"]);
        assert_eq!(judgement.losses, BTreeMap::from([(LossKind::Unreadable { loss: 0 }, 1)]));
    }

    #[test]
    fn after_any_such_failure_the_outcome_is_breached_if_the_rules_say_so_else_unjudged_never_holds() {
        let outcome = |messages: MessageTally, rows: RowTally| {
            let input = OutcomeInput {
                messages,
                figures: Figures::of(&messages, &rows),
                target: 0.9,
                coverage_target: 0.0,
                diverted_max: 0.001,
                strict_fields: true,
                unknown_field_messages: 0,
                findings: BTreeMap::new(),
                failed_to_look: true,
            };
            decide(&input).outcome
        };
        let intact = RowTally { intact: 10, ..Default::default() };
        assert_eq!(outcome(MessageTally { intact: 10, ..Default::default() }, intact), Outcome::Unjudged);
        assert_eq!(outcome(MessageTally { intact: 10, missing: 5, ..Default::default() }, intact), Outcome::Breached);
        assert_eq!(outcome(MessageTally::default(), RowTally::default()), Outcome::Unjudged);
    }

    #[test]
    fn due_unpaired_messages_of_a_lost_part_are_missing_storage_corrupt_whether_or_not_moved_past() {
        let messages = vec![
            message(5, 5, 5).with(corrupt),
            message(6, 6, 6),
            message(7, 7, 7).with(corrupt),
            message(8, 8, 8).with(corrupt).with(|message| message.timestamp_ms = Some(PENDING_MS)),
        ];
        let judgement = judged(offset_case(messages, vec![row(0, 6, 6)]));
        assert_eq!(findings(&judgement), ["missing(0:5) storage_corrupt", "missing(0:7) storage_corrupt"]);
        assert_eq!(counts(&judgement), "pending 1, intact 1, missing 2; intact 1");
    }

    #[test]
    fn if_they_outnumber_the_lost_rows_the_finding_can_say_so() {
        let of = |loss| {
            move |message: &mut validator_core::judge::MessageEntry| message.loss = Some(LossKind::Corrupt { loss })
        };
        let messages = vec![message(5, 5, 5).with(of(0)), message(6, 6, 6).with(of(1)), message(7, 7, 7).with(of(1))];
        let judgement = judged(offset_case(messages, vec![]));
        let losses = BTreeMap::from([(LossKind::Corrupt { loss: 0 }, 1), (LossKind::Corrupt { loss: 1 }, 2)]);
        assert_eq!(judgement.losses, losses);
        assert_eq!(judgement.drafts[2].loss, Some(LossKind::Corrupt { loss: 1 }));
    }

    #[test]
    fn a_data_file_with_n_live_entries_is_read_n_times_its_rows_are_copies() {
        let messages = vec![message(5, 5, 5), message(6, 6, 6)];
        let once = vec![row(0, 5, 5), row(1, 6, 6)];
        let rows = once.iter().chain(&once).copied().collect();
        let judgement = judged(offset_case(messages, rows));
        let expected = ["duplicated(0:5) copied rows 0/0 0/0", "duplicated(0:6) copied rows 0/1 0/1"];
        assert_eq!(findings(&judgement), expected);
        assert_eq!(counts(&judgement), "duplicated 2; copies 4");
    }
}

mod late {
    use super::*;

    fn late(row: &mut validator_core::judge::RowEntry) {
        row.late = true;
    }

    #[test]
    fn late_counts_intact_messages_only() {
        let messages = vec![message(5, 5, 5), message(6, 6, 6), message(7, 7, 7), message(8, 8, 8)];
        let rows = vec![
            row(0, 5, 5).with(late),
            row(1, 6, 66).with(late),
            row(2, 7, 7).with(late),
            row(3, 7, 7).with(late),
            row(4, 8, 8),
        ];
        let judgement = judged(offset_case(messages, rows));
        assert_eq!(judgement.total().late, 1);
        assert_eq!(counts(&judgement), "intact 2, corrupted 1, duplicated 1; intact 2, corrupted 1, copies 2");
    }

    #[test]
    fn a_figure_that_was_not_looked_at_is_null_never_0() {
        let tally = MessageTally { intact: 1, late: 0, ..Default::default() };
        assert_eq!(MessageCounts::new(&tally, false).late, None);
        assert_eq!(MessageCounts::new(&tally, true).late, Some(0));
    }

    #[test]
    fn a_message_whose_row_stands_in_a_retained_older_snapshot_is_missing_removed() {
        let pending = message(9, 9, 9).with(|message| message.timestamp_ms = Some(PENDING_MS));
        let messages =
            vec![message(5, 5, 5), message(6, 6, 6), message(7, 7, 7), message(8, 8, 8).with(corrupt), pending];
        let mut judgement = judged(offset_case(messages, vec![row(0, 6, 6)]));
        assert_eq!(findings(&judgement), ["missing(0:5) lost", "overdue(0:7)", "missing(0:8) storage_corrupt"]);
        judgement.mark_removed(&(5..10).map(|offset| message_at(0, offset)).collect());
        let expected = ["missing(0:5) removed", "missing(0:7) removed", "missing(0:8) storage_corrupt"];
        assert_eq!(findings(&judgement), expected);
        assert_eq!(counts(&judgement), "pending 1, intact 1, missing 3; intact 1");
    }

    #[test]
    fn withdrawn_is_0_in_a_one_shot_run() {
        let judgement = judged(offset_case(vec![message(5, 5, 5), message(6, 6, 6)], vec![row(0, 6, 6)]));
        assert_eq!((judgement.total().withdrawn, judgement.total().missing), (0, 1));
    }
}
