//! What interface.md §4 says of mode `content`, one test per sentence: steps 1, 4 and 5 where an identity is a whole row.

use validator_core::digest::IdentityHash;
use validator_core::judge::{BalancedLookup, BalancedPartner, MessageState, RowStanding, judge};
use validator_core::limits::CANDIDATES_MAX;
use validator_core::verdict::ExcludedCause;

use crate::entries::{
    PENDING_MS, With, content, content_case, content_row, corrupt, counts, excluded, findings, judged, message_at,
    phantom_causes, standing, undecodable, unreadable,
};

#[test]
fn it_has_no_corrupted_a_damaged_row_is_one_missing_and_one_phantom() {
    let judgement =
        judged(content_case(vec![content(0, 7), content(1, 8)], vec![content_row(0, 7), content_row(1, 9)]));
    assert_eq!(counts(&judgement), "intact 1, missing 1; intact 1, phantom 1");
    assert_eq!(findings(&judgement), ["missing(0:1) lost", "phantom unexplained rows 0/1"]);
}

#[test]
fn it_has_no_identity_damage_equal_remaining_columns_pair_nothing() {
    let moved = content_row(0, 9).with(|row| row.rest = content(0, 7).rest.expect("it has one"));
    let judgement = judged(content_case(vec![content(0, 7)], vec![moved]));
    assert_eq!(counts(&judgement), "missing 1; phantom 1");
}

#[test]
fn equal_messages_each_want_a_row_and_the_finding_lists_candidates() {
    let three = vec![content(4, 7), content(5, 7), content(6, 7), content(7, 8)];
    let judgement = judged(content_case(three, vec![content_row(0, 7), content_row(1, 7), content_row(2, 8)]));
    assert_eq!(counts(&judgement), "intact 3, missing 1; intact 3");
    assert_eq!(findings(&judgement), ["missing(0:6) lost of 0:4 0:5 0:6"]);
}

#[test]
fn surplus_rows_are_copies_of_the_last_of_equal_messages() {
    let rows = (0..4).map(|position| content_row(position, 7)).collect();
    let judgement = judged(content_case(vec![content(4, 7), content(5, 7)], rows));
    assert_eq!(counts(&judgement), "intact 1, duplicated 1; intact 1, copies 3");
    assert_eq!(findings(&judgement), ["duplicated(0:5) copied rows 0/1 0/2 0/3 of 0:4 0:5"]);
    let alone = judged(content_case(vec![content(4, 7)], vec![content_row(0, 7), content_row(1, 7)]));
    assert_eq!(findings(&alone), ["duplicated(0:4) copied rows 0/0 0/1"]);
}

#[test]
fn counts_are_exact_however_often_a_content_repeats() {
    let messages = (0..1_000).map(|offset| content(offset, 7)).collect();
    let judgement = judged(content_case(messages, (0..400).map(|position| content_row(position, 7)).collect()));
    assert_eq!(counts(&judgement), "intact 400, missing 600; intact 400");
    let equals = judgement.drafts[0].equals.as_ref().expect("there are others");
    assert_eq!((equals.messages, equals.candidates.len()), (1_000, CANDIDATES_MAX));
    assert_eq!(equals.candidates[0], message_at(0, 0));
}

#[test]
fn one_that_is_not_yet_due_is_a_candidate_as_well() {
    let pending = content(5, 7).with(|message| message.timestamp_ms = Some(PENDING_MS));
    let judgement = judged(content_case(vec![content(4, 7), pending], vec![]));
    assert_eq!(findings(&judgement), ["missing(0:4) lost of 0:4 0:5"]);
    assert_eq!(counts(&judgement), "pending 1, missing 1; ");
}

#[test]
fn a_row_of_an_edge_window_pairs_by_step_1_and_its_surplus_stays_out_of_scope() {
    let edge = |position| content_row(position, 7).with(standing(RowStanding::OutOfScope));
    let judgement = judged(content_case(vec![content(4, 7)], vec![edge(0), edge(1)]));
    assert_eq!(counts(&judgement), "intact 1; intact 1, out_of_scope 1");
    assert!(judgement.drafts.is_empty());
}

#[test]
fn as_many_rows_left_as_there_are_undecodable_messages_are_unjudged_in_order() {
    let rows = vec![content_row(0, 7), content_row(1, 8), content_row(2, 9)];
    let judgement = judged(content_case(vec![undecodable(4, None), content(5, 7)], rows));
    assert_eq!(counts(&judgement), "intact 1, undecodable 1; intact 1, phantom 1, unjudged 1");
    assert_eq!(findings(&judgement)[1..], ["phantom unexplained rows 0/2"]);
}

#[test]
fn an_undecodable_message_of_known_content_leaves_equal_messages_their_rows() {
    let rows = vec![content_row(0, 7), content_row(1, 7), content_row(2, 8)];
    let judgement = judged(content_case(vec![undecodable(4, Some(7)), content(5, 7), undecodable(6, Some(8))], rows));
    assert_eq!(counts(&judgement), "intact 1, undecodable 2; intact 1, unjudged 2");
}

#[test]
fn a_row_equal_to_a_filtered_message_is_phantom_filtered_unless_a_judged_one_has_it() {
    let filtered = excluded(4, 7, ExcludedCause::Filter);
    let judgement = judged(content_case(vec![filtered], vec![content_row(0, 7), content_row(1, 8)]));
    assert_eq!(phantom_causes(&judgement), ["filtered", "unexplained"]);
    // Equal messages of which the filter drops one: the row is that of the other, and one more is its copy.
    let rows = vec![content_row(0, 7), content_row(1, 7)];
    let judgement = judged(content_case(vec![filtered, content(5, 7)], rows));
    assert_eq!(findings(&judgement), ["duplicated(0:5) copied rows 0/0 0/1"]);
}

#[test]
fn an_unpaired_row_of_a_compacted_topic_is_unobservable_a_surplus_one_too() {
    // The row may be that of an equal message that compaction took away.
    let gone = |position, of| content_row(position, of).with(standing(RowStanding::Unobservable));
    let judgement = judged(content_case(vec![content(4, 7)], vec![gone(0, 7), gone(1, 7), gone(2, 9)]));
    assert_eq!(counts(&judgement), "intact 1; intact 1, unobservable 2");
}

#[test]
fn a_lost_part_explains_all_equal_messages_that_have_no_row() {
    let messages = vec![content(4, 7).with(corrupt), content(5, 7).with(corrupt), content(6, 8).with(unreadable)];
    let judgement = judged(content_case(messages, vec![content_row(0, 7)]));
    let expected = ["missing(0:5) storage_corrupt of 0:4 0:5", "unobservable(0:6)"];
    assert_eq!(findings(&judgement), expected);
}

#[test]
fn an_inexact_message_equals_no_row() {
    let inexact = content(4, 7).with(|message| message.digest = None).with(|message| message.identity = Some(NO_ROW));
    let judgement =
        judged(content_case(vec![inexact, inexact.with(|m| m.at = message_at(0, 5))], vec![content_row(0, 7)]));
    let expected = ["missing(0:4) lost of 0:4 0:5", "missing(0:5) lost of 0:4 0:5", "phantom unexplained rows 0/0"];
    assert_eq!(findings(&judgement), expected);
}

/// The identity of marks beside values, which no row has.
const NO_ROW: IdentityHash = IdentityHash([9; 16]);

#[test]
fn a_content_lies_in_one_segment_so_balanced_ones_are_not_asked() {
    struct Unasked;
    impl BalancedLookup for Unasked {
        type Error = &'static str;
        fn find(&mut self, _: &[IdentityHash]) -> Result<Vec<BalancedPartner>, Self::Error> {
            Err("asked")
        }
    }
    let rows = vec![content_row(0, 7), content_row(1, 7), content_row(2, 9)];
    let judgement = judge(content_case(vec![content(4, 7)], rows), &mut Unasked).expect("it was not asked");
    assert_eq!(counts(&judgement), "duplicated 1; copies 2, phantom 1");
    assert!(judgement.drafts.iter().all(|draft| draft.equals.is_none()));
}

#[test]
fn an_excluded_message_is_no_candidate() {
    let filtered = content(3, 7).with(|message| message.state = MessageState::Excluded(ExcludedCause::Filter));
    let judgement = judged(content_case(vec![filtered, content(4, 7), content(5, 7)], vec![]));
    assert_eq!(findings(&judgement), ["missing(0:4) lost of 0:4 0:5", "missing(0:5) lost of 0:4 0:5"]);
}
