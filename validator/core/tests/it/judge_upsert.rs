//! Sentences of interface.md §4 on upsert tables, and of docs/decisions/0017 and 0018 where it is silent.

use std::collections::BTreeMap;

use validator_core::judge::{BalancedPartner, LossKind, MessageEntry, MessageState, RowEntry, RowStanding};
use validator_core::position::PartitionIndex;
use validator_core::verdict::{ExcludedCause, UndecodableCause};

use crate::entries::{
    PENDING_MS, With, counts, deletion, digest, excluded, findings, identity, judged, message, message_at, row, row_at,
    standing, undecodable, upsert_case,
};
use crate::second_judge::first_judge;

/// Sent, and its settling is over after the last commit: lag.
const OVERDUE_MS: i64 = 700;

fn overdue(offset: i64, id: u64, value: u64) -> MessageEntry {
    message(offset, id, value).with(|message| message.timestamp_ms = Some(OVERDUE_MS))
}

fn pending(offset: i64, id: u64, value: u64) -> MessageEntry {
    message(offset, id, value).with(|message| message.timestamp_ms = Some(PENDING_MS))
}

fn told(messages: Vec<MessageEntry>, rows: Vec<RowEntry>) -> (String, Vec<String>) {
    let judgement = judged(upsert_case(messages, rows));
    (counts(&judgement), findings(&judgement))
}

#[test]
fn superseded_versions_are_excluded() {
    let judgement = judged(upsert_case(vec![message(0, 7, 1), message(1, 7, 2), message(2, 7, 3)], vec![row(0, 7, 3)]));
    assert_eq!(counts(&judgement), "intact 1, excluded 2; intact 1");
    assert_eq!(judgement.excluded, BTreeMap::from([(ExcludedCause::Superseded, 2)]));
    assert_eq!(judgement.superseded, BTreeMap::from([(PartitionIndex(0), 2)]));
    assert!(judgement.drafts.is_empty());
}

#[test]
fn the_order_of_versions_is_topic_partition_offset() {
    let other = message(0, 7, 2).with(|message| message.at = message_at(1, 0));
    assert_eq!(told(vec![other, message(9, 7, 1)], vec![row(0, 7, 2)]).0, "intact 1, excluded 1; intact 1");
}

#[test]
fn a_row_that_shows_an_older_version_makes_its_message_corrupted_stale_value() {
    let messages = vec![message(0, 7, 1), message(1, 7, 2), message(2, 7, 3)];
    for older in [1, 2] {
        let judgement = judged(upsert_case(messages.clone(), vec![row(0, 7, older)]));
        assert_eq!(findings(&judgement), ["corrupted(0:2) stale_value rows 0/0"]);
        assert_eq!((judgement.stale, judgement.drafts[0].stale.clone()), (1, vec![row_at(0, 0)]));
    }
    let judgement = judged(upsert_case(messages, vec![row(0, 7, 9)]));
    assert_eq!((findings(&judgement), judgement.stale), (vec!["corrupted(0:2) rows 0/0".to_owned()], 0));
}

#[test]
fn an_older_row_that_stays_beside_the_last_one_is_a_copy_that_differs_and_stale() {
    let judgement = judged(upsert_case(vec![message(0, 7, 1), message(1, 7, 2)], vec![row(0, 7, 1), row(1, 7, 2)]));
    assert_eq!(findings(&judgement), ["duplicated(0:1) copies_differ rows 0/0 0/1"]);
    assert_eq!((judgement.stale, judgement.drafts[0].stale.clone()), (1, vec![row_at(0, 0)]));
}

#[test]
fn an_older_row_beside_a_last_version_of_a_balanced_segment_is_its_copy() {
    let older = message(0, 7, 1).with(|m| m.state = MessageState::Excluded(ExcludedCause::Superseded));
    let partner = BalancedPartner {
        identity: identity(7),
        digest: digest(7, 2),
        message: message_at(0, 1),
        timestamp_ms: None,
        row: row_at(1, 5),
        late: false,
    };
    let judgement = first_judge(&upsert_case(vec![older], vec![row(0, 7, 1)]), &[partner]);
    assert_eq!(findings(&judgement), ["duplicated(0:1) copies_differ rows 0/0 1/5"]);
    assert_eq!((judgement.stale, judgement.total_moved_from_intact().messages), (1, 1));
}

#[test]
fn a_row_of_a_key_whose_last_message_deletes_it_is_phantom_resurrected() {
    let (counts, findings) = told(vec![message(0, 7, 1), deletion(1, 7)], vec![row(0, 7, 1)]);
    assert_eq!((counts.as_str(), findings), ("excluded 2; phantom 1", vec!["phantom resurrected rows 0/0".to_owned()]));
    // Whatever it shows, and whether or not the key was ever set.
    assert_eq!(told(vec![message(0, 7, 1), deletion(1, 7)], vec![row(0, 7, 5)]).1, ["phantom resurrected rows 0/0"]);
    assert_eq!(told(vec![deletion(1, 7)], vec![row(0, 7, 5)]).1, ["phantom resurrected rows 0/0"]);
    // Also where the topic is compacted: the deletion is there.
    let compacted = row(0, 7, 1).with(standing(RowStanding::Unobservable));
    assert_eq!(told(vec![deletion(1, 7)], vec![compacted]).1, ["phantom resurrected rows 0/0"]);
}

#[test]
fn a_deletion_is_a_tombstone_whether_or_not_a_later_version_follows() {
    let judgement = judged(upsert_case(vec![message(0, 7, 1), deletion(1, 7), message(2, 7, 3)], vec![row(0, 7, 3)]));
    assert_eq!(counts(&judgement), "intact 1, excluded 2; intact 1");
    assert_eq!(judgement.excluded, BTreeMap::from([(ExcludedCause::Tombstone, 1), (ExcludedCause::Superseded, 1)]));
}

#[test]
fn the_last_version_is_missing_overdue_or_pending_and_older_ones_are_superseded() {
    assert_eq!(told(vec![message(0, 7, 1), message(1, 7, 2)], vec![]).1, ["missing(0:1) lost"]);
    assert_eq!(
        told(vec![overdue(0, 7, 1), overdue(1, 7, 2)], vec![]),
        ("overdue 1, excluded 1; ".into(), vec!["overdue(0:1)".into()])
    );
    assert_eq!(told(vec![pending(0, 7, 1), pending(1, 7, 2)], vec![]).0, "pending 1, excluded 1; ");
}

#[test]
fn while_the_last_version_is_on_its_way_the_one_before_it_is_what_the_table_has_to_show() {
    let shown = vec![row(0, 7, 1)];
    assert_eq!(told(vec![message(0, 7, 1), pending(1, 7, 2)], shown.clone()).0, "pending 1, intact 1; intact 1");
    let (counts, findings) = told(vec![message(0, 7, 1), overdue(1, 7, 2)], shown.clone());
    assert_eq!((counts.as_str(), findings), ("intact 1, overdue 1; intact 1", vec!["overdue(0:1)".to_owned()]));
    // Both are right: the table may be early.
    assert_eq!(told(vec![message(0, 7, 1), pending(1, 7, 2)], vec![row(0, 7, 2)]).0, "intact 1, excluded 1; intact 1");
    // What lies between the one that is shown and the last one is superseded.
    let three = vec![message(0, 7, 1), pending(1, 7, 2), pending(2, 7, 3)];
    assert_eq!(told(three.clone(), shown).0, "pending 1, intact 1, excluded 1; intact 1");
    assert_eq!(told(three, vec![row(0, 7, 2)]).0, "pending 1, intact 1, excluded 1; intact 1");
}

#[test]
fn a_row_older_than_the_last_settled_version_is_stale_though_a_later_one_is_on_its_way() {
    let messages = vec![message(0, 7, 1), message(1, 7, 2), pending(2, 7, 3)];
    let (counts, findings) = told(messages.clone(), vec![row(0, 7, 1)]);
    assert_eq!(counts, "pending 1, corrupted 1, excluded 1; corrupted 1");
    assert_eq!(findings, ["corrupted(0:1) stale_value rows 0/0"]);
    let (counts, findings) = told(messages, vec![]);
    assert_eq!(
        (counts.as_str(), findings),
        ("pending 1, missing 1, excluded 1; ", vec!["missing(0:1) lost".to_owned()])
    );
}

#[test]
fn a_deletion_on_its_way_may_show_or_not() {
    let late = |offset| deletion(offset, 7).with(|message| message.timestamp_ms = Some(PENDING_MS));
    assert_eq!(told(vec![message(0, 7, 1), late(1)], vec![row(0, 7, 1)]).0, "intact 1, excluded 1; intact 1");
    assert_eq!(told(vec![message(0, 7, 1), late(1)], vec![]).0, "excluded 2; ");
    // A settled one with a later version on its way.
    assert_eq!(told(vec![message(0, 7, 1), deletion(1, 7), pending(2, 7, 3)], vec![]).0, "pending 1, excluded 2; ");
    let (counts, findings) = told(vec![message(0, 7, 1), deletion(1, 7), pending(2, 7, 3)], vec![row(0, 7, 1)]);
    assert_eq!(counts, "pending 1, excluded 2; phantom 1");
    assert_eq!(findings, ["phantom resurrected rows 0/0"]);
}

#[test]
fn where_every_version_is_on_its_way_a_row_of_a_window_that_was_not_read_whole_may_be_an_earlier_ones() {
    let outside = row(0, 7, 9).with(standing(RowStanding::OutOfScope));
    assert_eq!(told(vec![pending(1, 7, 2)], vec![outside]).0, "pending 1; out_of_scope 1");
    let compacted = row(0, 7, 9).with(standing(RowStanding::Unobservable));
    assert_eq!(told(vec![pending(1, 7, 2)], vec![compacted]).0, "pending 1; unobservable 1");
    // Read whole: no other version is there that it could show.
    assert_eq!(told(vec![pending(1, 7, 2)], vec![row(0, 7, 9)]).1, ["corrupted(0:1) rows 0/0"]);
    // Settled: whatever it shows, it is not the last version.
    assert_eq!(told(vec![message(1, 7, 2)], vec![outside]).1, ["corrupted(0:1) rows 0/0"]);
}

#[test]
fn an_undecodable_message_sets_the_rows_of_its_key_aside_unless_a_later_version_shows() {
    let (counts, _) = told(vec![message(0, 7, 1), undecodable(1, Some(7))], vec![row(0, 7, 1)]);
    assert_eq!(counts, "excluded 1, undecodable 1; unjudged 1");
    let (counts, _) = told(vec![undecodable(0, Some(7)), message(1, 7, 2)], vec![row(0, 7, 2)]);
    assert_eq!(counts, "intact 1, excluded 1; intact 1");
    let (counts, _) = told(vec![undecodable(0, Some(7)), message(1, 7, 2)], vec![row(0, 7, 3)]);
    assert_eq!(counts, "corrupted 1, excluded 1; corrupted 1");
    let (counts, _) = told(vec![undecodable(0, Some(7)), pending(1, 7, 2)], vec![row(0, 7, 3)]);
    assert_eq!(counts, "pending 1, undecodable 1; unjudged 1");
}

#[test]
fn rows_of_filtered_messages_are_phantom_where_the_key_has_no_version() {
    let filtered = |offset| excluded(offset, 7, ExcludedCause::Filter);
    assert_eq!(told(vec![filtered(0)], vec![row(0, 7, 1)]).1, ["phantom filtered rows 0/0"]);
    assert_eq!(told(vec![message(0, 7, 1), filtered(1)], vec![row(0, 7, 1)]).0, "intact 1, excluded 1; intact 1");
    assert_eq!(told(vec![deletion(0, 7), filtered(1)], vec![row(0, 7, 1)]).1, ["phantom resurrected rows 0/0"]);
}

#[test]
fn rows_of_a_key_without_a_version_after_the_start_are_out_of_scope() {
    let before = excluded(0, 7, ExcludedCause::BeforeStart);
    assert_eq!(told(vec![before], vec![row(0, 7, 1)]).0, "excluded 1; out_of_scope 1");
    assert_eq!(told(vec![before, message(1, 7, 2)], vec![row(0, 7, 2)]).0, "intact 1, excluded 1; intact 1");
    assert_eq!(told(vec![before, message(1, 7, 2)], vec![row(0, 7, 1)]).0, "corrupted 1, excluded 1; corrupted 1");
    assert_eq!(told(vec![before, pending(1, 7, 2)], vec![row(0, 7, 1)]).0, "pending 1, excluded 1; out_of_scope 1");
}

#[test]
fn a_deletion_of_an_unknown_key_may_have_taken_an_earlier_row_and_explains_none() {
    let unknown =
        |offset| undecodable(offset, None).with(|m| m.state = MessageState::Undecodable(UndecodableCause::KeyUnknown));
    let (counts, findings) = told(vec![message(0, 6, 1), message(1, 7, 1), unknown(2), message(3, 8, 1)], vec![]);
    assert_eq!(counts, "missing 2, undecodable 1, unobservable 1; ");
    assert_eq!(
        findings,
        ["missing(0:0) lost", "unobservable(0:1)", "undecodable(0:2) key_unknown", "missing(0:3) lost"]
    );
    assert_eq!(told(vec![unknown(0)], vec![row(0, 7, 1)]).0, "undecodable 1; phantom 1");
}

#[test]
fn a_lost_part_of_the_table_does_not_hold_the_last_version_of_a_key_whose_row_is_seen() {
    let lost = |message: &mut MessageEntry| message.loss = Some(LossKind::Corrupt { loss: 0 });
    let last = overdue(1, 7, 2).with(lost);
    assert_eq!(told(vec![message(0, 7, 1), last], vec![row(0, 7, 1)]).1, ["overdue(0:1)"]);
    assert_eq!(
        told(vec![message(0, 7, 1).with(lost), last], vec![]).1,
        ["missing(0:0) storage_corrupt", "missing(0:1) storage_corrupt"]
    );
}
