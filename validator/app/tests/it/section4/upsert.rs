//! **Upsert**: which version of a key the table has to show, what deletes a key, and whose rows the others are.

use fixtures_kit::table::Operation;
use insta::assert_snapshot;

use crate::scene::Scene;

/// Two keys, one of them with three versions in three windows.
const VERSIONS: &str = "0@0 a 1 | 0@1/+70 a 2 +70 | 0@2 b 5 | 0@3/+300 a 3 +300";

#[test]
fn superseded_versions_are_excluded() {
    let scene = Scene::upsert().topic(VERSIONS).file("b 5 | a 3 +300");
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 2 excluded, 2 intact
    rows 2: 2 intact
    holds, fidelity 1.0
    ");
    let report = serde_json::to_value(&scene.answer().report).expect("reports are JSON");
    assert_eq!(
        report["findings"]["by_cause"][0],
        serde_json::json!({"verdict": "excluded", "cause": "superseded", "count": 2})
    );
    assert_eq!((&report["rows"]["stale"], &report["messages"]["late"]), (&0.into(), &serde_json::Value::Null));
}

#[test]
fn a_row_that_shows_an_older_version_is_corrupted_stale_value() {
    // In another window, and in the same one.
    assert_snapshot!(Scene::upsert().topic(VERSIONS).file("b 5 | a 2 +70").verdicts(), @"
    messages 4: 1 corrupted, 2 excluded, 1 intact
    rows 2: 1 corrupted, 1 intact, 1 stale
    breached, fidelity 0.5
    corrupted stale_value trades[0]@3 f1:1 price 3 → 2 stale_value at 2024-08-08T12:05:00Z → 2024-08-08T12:01:10Z stale_value
    ");
    assert_snapshot!(Scene::upsert().topic("0@0 a 1 | 0@1 a 2").file("a 1").verdicts(), @"
    messages 2: 1 corrupted, 1 excluded
    rows 1: 1 corrupted, 1 stale
    breached, fidelity 0.0
    corrupted stale_value trades[0]@1 f1:0 price 2 → 1 stale_value
    ");
}

#[test]
fn a_row_that_shows_no_version_is_corrupted_by_what_it_shows() {
    assert_snapshot!(Scene::upsert().topic(VERSIONS).file("b 5 | a 7 +300").verdicts(), @"
    messages 4: 1 corrupted, 2 excluded, 1 intact
    rows 2: 1 corrupted, 1 intact
    breached, fidelity 0.5
    corrupted other trades[0]@3 f1:1 price 3 → 7 other
    ");
}

#[test]
fn an_older_row_that_stays_beside_the_last_one_makes_it_duplicated_and_is_stale() {
    assert_snapshot!(Scene::upsert().topic(VERSIONS).file("a 1").file("b 5 | a 3 +300").verdicts(), @"
    messages 4: 1 duplicated, 1 duplicated_differing, 2 excluded, 1 intact
    rows 3: 2 copies, 1 intact, 1 stale
    breached, fidelity 0.6666666666666666
    duplicated copies_differ trades[0]@3 f1:0 f2:1 price 3 → 1 stale_value at 2024-08-08T12:05:00Z → 2024-08-08T12:00:00Z truncated
    ");
}

#[test]
fn a_lost_last_version_is_missing_and_its_older_ones_are_superseded() {
    assert_snapshot!(Scene::upsert().topic(VERSIONS).file("b 5").verdicts(), @"
    messages 4: 2 excluded, 1 intact, 1 missing
    rows 1: 1 intact
    breached, fidelity 0.5
    missing lost trades[0]@3
    ");
}

#[test]
fn a_null_payload_deletes_its_key_and_a_row_of_it_is_resurrected() {
    let topic = "0@0 a 1 | 0@1 b 2 | 0@2 null {\"id\": \"a\"}";
    assert_snapshot!(Scene::upsert().topic(topic).file("b 2").verdicts(), @"
    messages 3: 2 excluded, 1 intact
    rows 1: 1 intact
    holds, fidelity 1.0
    ");
    assert_snapshot!(Scene::upsert().topic(topic).file("a 1 | b 2").verdicts(), @"
    messages 3: 2 excluded, 1 intact
    rows 2: 1 intact, 1 phantom
    breached, fidelity 0.5
    phantom resurrected f1:0
    ");
    // A key that comes back is a key like any other.
    let back = Scene::upsert().topic(topic).topic("0@3 a 9").file("a 9 | b 2");
    assert_snapshot!(back.verdicts(), @"
    messages 4: 2 excluded, 2 intact
    rows 2: 2 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn delete_when_deletes_as_a_null_payload_does() {
    let topic = r#"0@0 {"op": "c", "id": "a", "price": 1, "at": "2024-08-08T12:00:00Z"}
                   0@1 {"op": "d", "id": "a", "price": null, "at": null}
                   0@2 {"op": "c", "id": "b", "price": 2, "at": "2024-08-08T12:00:00Z"}"#;
    let scene = |rows| Scene::upsert().topic(topic).file(rows).identity("delete_when = \"op = 'd'\"");
    assert_snapshot!(scene("b 2").verdicts(), @"
    messages 3: 2 excluded, 1 intact
    rows 1: 1 intact
    holds, fidelity 1.0
    ");
    assert_snapshot!(scene("a 1 | b 2").verdicts(), @"
    messages 3: 2 excluded, 1 intact
    rows 2: 1 intact, 1 phantom
    breached, fidelity 0.5
    phantom resurrected f1:0
    ");
}

#[test]
fn a_deletion_needs_no_value_beside_its_key() {
    // The price of a deletion is nothing that its column could hold; nobody asks for it.
    let topic = r#"0@0 a 1
                   0@1 {"op": "d", "id": "a", "price": "gone"}"#;
    let scene = Scene::upsert().topic(topic).section("[fields]\nprice = \"string\"");
    let scene =
        scene.section("[map]\nprice = \"CAST(price AS DECIMAL(18, 8))\"").identity("delete_when = \"op = 'd'\"");
    assert_snapshot!(scene.file("b 1").verdicts(), @"
    messages 2: 2 excluded
    rows 1: 1 phantom
    breached, fidelity 0.0
    phantom unexplained f1:0
    ");
}

#[test]
fn a_deletion_of_an_unknown_key_is_undecodable_and_what_it_may_have_deleted_unobservable() {
    for key in ["", " {\"other\": 1}", " {\"id\": null}", " [1]", " {\"id\": {}}"] {
        let scene = Scene::upsert().topic(&format!("0@0 a 1 | 0@1 b 2 | 0@2 null{key} | 0@3 c 3")).file("b 2");
        let said = scene.verdicts();
        let (counts, why) = said.split_once(" (").expect("the reason is told");
        assert_eq!(
            counts,
            "messages 4: 1 intact, 1 missing, 1 undecodable, 1 unobservable\nrows 1: 1 intact\n\
             breached, fidelity 0.5\nunobservable trades[0]@0\n\
             undecodable key_unknown trades[0]@2",
            "{key}: {said}"
        );
        assert!(why.starts_with("deletes a key, and none is named: "), "{key}: {why}");
    }
}

#[test]
fn without_a_format_of_the_kafka_key_a_map_over_it_names_the_key() {
    let scene = |map: &str| {
        let mut scene = Scene::upsert().topic("0@0 a 1 | 0@1 b 2 | 0@2 null a").file("b 2").section(map);
        scene.messages[0].key = Some(b"a".to_vec());
        scene.messages[1].key = Some(b"b".to_vec());
        scene
    };
    let mut mapped = scene("[map]\nid = \"CAST(_key AS VARCHAR)\"\n[compare]\ndrop = { id = \"the key says it\" }");
    mapped.mode = crate::scene::Mode::UpsertByMap;
    assert_snapshot!(mapped.verdicts(), @"
    messages 3: 2 excluded, 1 intact
    rows 1: 1 intact
    holds, fidelity 1.0
    ");
    let mut silent = scene("");
    silent.mode = crate::scene::Mode::UpsertByMap;
    assert_snapshot!(silent.verdicts(), @"
    messages 3: 1 intact, 1 undecodable, 1 unobservable
    rows 1: 1 intact
    unjudged, fidelity 1.0
    unobservable trades[0]@0
    undecodable key_unknown trades[0]@2 (deletes a key, and none is named: [identity] does not say how the Kafka key names it)
    ");
}

#[test]
fn a_last_version_on_its_way_leaves_the_one_before_it_to_the_table() {
    // Committed 3,600 s after the epoch, judged at 7,200 s.
    let scene = |time: &str, rows| Scene::upsert().topic(&format!("0@0 a 1 | 0@1/{time} a 2 {time}")).file(rows);
    let overdue = scene("+5000", "a 1");
    assert_snapshot!(overdue.verdicts(), @"
    messages 2: 1 intact, 1 overdue
    rows 1: 1 intact
    unjudged, fidelity 1.0
    overdue trades[0]@1
    ");
    assert_snapshot!(scene("+7100", "a 1").fidelity("settle = \"10m\"").verdicts(), @"
    messages 2: 1 intact, 1 pending
    rows 1: 1 intact
    holds, fidelity 1.0
    ");
    assert_snapshot!(scene("+5000", "a 2 +5000").verdicts(), @"
    messages 2: 1 excluded, 1 intact
    rows 1: 1 intact
    holds, fidelity 1.0
    ");
    assert_snapshot!(scene("+3000", "a 1").verdicts(), @"
    messages 2: 1 corrupted, 1 excluded
    rows 1: 1 corrupted, 1 stale
    breached, fidelity 0.0
    corrupted stale_value trades[0]@1 f1:0 price 2 → 1 stale_value at 2024-08-08T12:50:00Z → 2024-08-08T12:00:00Z truncated
    ");
}

#[test]
fn a_deletion_on_its_way_may_show_or_not() {
    let scene = |time, rows| Scene::upsert().topic(&format!("0@0 a 1 | 0@1/{time} null {{\"id\": \"a\"}}")).file(rows);
    assert_snapshot!(scene("+5000", "a 1").verdicts(), @"
    messages 2: 1 excluded, 1 intact
    rows 1: 1 intact
    holds, fidelity 1.0
    ");
    assert_snapshot!(scene("+3000", "a 1").verdicts(), @"
    messages 2: 2 excluded
    rows 1: 1 phantom
    breached, fidelity 0.0
    phantom resurrected f1:0
    ");
}

#[test]
fn an_earlier_snapshot_is_judged_by_what_was_settled_then() {
    let scene = Scene::upsert().topic("0@0 a 1 | 0@1/+3601 a 2").file("a 1").file("a 2");
    let scene = scene.commit(Operation::Overwrite, &[], &[0]).snapshot(1001);
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 intact, 1 pending
    rows 1: 1 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn rows_of_filtered_messages_are_phantom_where_the_key_has_no_version() {
    let scene = Scene::upsert().topic("0@0 a 1 | 0@1 b 2 | 0@2 a 7").pipeline("filter = \"id <> 'b' AND price < 5\"");
    assert_snapshot!(scene.file("a 1 | b 2").verdicts(), @"
    messages 3: 2 excluded, 1 intact
    rows 2: 1 intact, 1 phantom
    breached, fidelity 0.5
    phantom filtered f1:1
    ");
}

#[test]
fn an_undecodable_last_version_of_a_known_key_sets_its_row_aside() {
    let bad = |key: &str| {
        let mut scene = Scene::upsert().topic("0@0 a 1 | 0@1 b 2").payload(2, "{\"id\":").file("a 1 | b 2");
        scene.messages[2].key = Some(key.as_bytes().to_vec());
        scene
    };
    assert_snapshot!(bad("{\"id\": \"a\"}").verdicts(), @"
    messages 3: 1 excluded, 1 intact, 1 undecodable
    rows 2: 1 intact, 1 unjudged
    unjudged, fidelity 1.0
    undecodable bad_payload trades[0]@2 f1:0 (cannot be decoded: field id: the payload ends where a value is due (byte 6))
    ");
    // Superseded, it asks for nothing any more.
    assert_snapshot!(bad("{\"id\": \"a\"}").topic("0@3 a 3").file("c 1").verdicts(), @"
    messages 4: 1 corrupted, 2 excluded, 1 intact
    rows 3: 1 corrupted, 1 intact, 1 phantom, 1 stale
    breached, fidelity 0.3333333333333333
    corrupted stale_value trades[0]@3 f1:0 price 3 → 1 stale_value
    phantom unexplained f2:0
    ");
}

#[test]
fn versions_in_several_partitions_stand_in_the_order_of_the_law_with_a_warning() {
    assert_snapshot!(Scene::upsert().topic("1@0 a 2 | 0@5/+50 a 1").file("a 2").verdicts(), @"
    messages 2: 1 excluded, 1 intact
    rows 1: 1 intact
    holds, fidelity 1.0
    warning: 1 key has versions in several partitions; their order is topic, partition, offset, and not that of time
    ");
}

#[test]
fn a_row_taken_away_is_removed_only_where_it_was_of_the_last_version() {
    let scene = Scene::upsert().topic("0@0 a 1 | 0@1 a 2 | 0@2 b 1").file("a 2").file("b 1");
    assert_snapshot!(scene.commit(Operation::Overwrite, &[], &[0]).verdicts(), @"
    messages 3: 1 excluded, 1 intact, 1 missing
    rows 1: 1 intact
    breached, fidelity 0.5
    missing removed trades[0]@1
    ");
    let scene = Scene::upsert().topic("0@0 a 1 | 0@1 a 2 | 0@2 b 1").file("a 1").file("b 1");
    assert_snapshot!(scene.commit(Operation::Overwrite, &[], &[0]).verdicts(), @"
    messages 3: 1 excluded, 1 intact, 1 missing
    rows 1: 1 intact
    breached, fidelity 0.5
    missing lost trades[0]@1
    ");
}

#[test]
fn a_range_that_does_not_reach_the_end_is_refused() {
    assert_snapshot!(Scene::upsert().topic(VERSIONS).file("b 5 | a 3 +300").to("3").verdicts(), @"
    error: the range does not reach the end of trades[0], and the table keeps the last version of each key
      = hint: leave `--to` out and read every partition; `--snapshot` and `--as-of` judge an earlier state
    ");
}

#[test]
fn a_range_from_later_on_says_nothing_of_keys_without_a_version_in_it() {
    // Windows of a minute: rows before the first message read, and in its window, are beside the range.
    let scene = Scene::upsert().topic("0@0 a 1 | 0@1/+300 b 2 +300 | 0@2/+600 a 3 +600 | 0@3/+900 c 4 +900");
    assert_snapshot!(scene.clone().file("b 2 +300 | a 3 +600 | c 4 +900").from("2").verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact, 1 out_of_scope
    holds, fidelity 1.0
    ");
    // The older row of a key that has a version in the range is that one's.
    assert_snapshot!(scene.file("b 2 +300 | a 1 | c 4 +900").from("2").verdicts(), @"
    messages 2: 1 corrupted, 1 intact
    rows 2: 1 corrupted, 1 intact, 1 out_of_scope
    breached, fidelity 0.5
    corrupted other trades[0]@2 f1:1 price 3 → 1 other at 2024-08-08T12:10:00Z → 2024-08-08T12:00:00Z truncated
    ");
}

const SPANNING: &str = "warning: 1 key has versions in several partitions; their order is topic, partition, offset, and not that of time\n";

#[test]
fn versions_in_several_topics_stand_in_the_order_of_the_topics_names() {
    let topic = "q:0@0 a 2 | p:0@0/+50 a 1 | p:0@1 b 5 | q:0@1 c 7";
    assert_snapshot!(Scene::upsert().topic(topic).file("a 2 | b 5 | c 7").verdicts(), @"
    messages 4: 1 excluded, 3 intact
    rows 3: 3 intact
    holds, fidelity 1.0
    warning: 1 key has versions in several partitions; their order is topic, partition, offset, and not that of time
    ");
    assert_snapshot!(Scene::upsert().topic(topic).file("a 1 | b 5 | c 7").verdicts(), @"
    messages 4: 1 corrupted, 1 excluded, 2 intact
    rows 3: 1 corrupted, 2 intact, 1 stale
    breached, fidelity 0.6666666666666666
    corrupted stale_value q[0]@0 f1:0 price 2 → 1 stale_value
    warning: 1 key has versions in several partitions; their order is topic, partition, offset, and not that of time
    ");
}

#[test]
fn the_order_in_which_the_contract_names_topics_says_nothing() {
    let scene = Scene::upsert().topic("q:0@0 a 2 | p:0@0 a 1 | p:0@1 b 5").file("a 1 | b 6");
    let folder = crate::bad_input::written(&scene);
    let said = || crate::bad_input::reconcile(&folder);
    let first = said();
    assert!(first.contains("q[0]@0") && first.contains("p[0]@1"), "{first}");
    folder.edit("pipeline.toml", "topics = [\"p\", \"q\"]", "topics = [\"q\", \"p\"]");
    assert_eq!(said(), first);
}

#[test]
fn a_deletion_in_a_later_topic_deletes_what_an_earlier_one_set_and_not_the_other_way() {
    let topic = "p:0@0 a 1 | p:0@1 b 2 | q:0@0 null {\"id\": \"a\"}";
    let said = Scene::upsert().topic(topic).file("a 1 | b 2").verdicts();
    assert_eq!(
        said.strip_suffix(SPANNING),
        Some(
            "messages 3: 2 excluded, 1 intact\nrows 2: 1 intact, 1 phantom\nbreached, fidelity 0.5\n\
             phantom resurrected f1:0\n"
        ),
        "{said}"
    );
    let said = Scene::upsert().topic("p:0@0 null {\"id\": \"a\"} | q:0@0 a 1").file("a 1").verdicts();
    assert_eq!(
        said.strip_suffix(SPANNING),
        Some("messages 2: 1 excluded, 1 intact\nrows 1: 1 intact\nholds, fidelity 1.0\n"),
        "{said}"
    );
}

#[test]
fn a_deletion_of_an_unknown_key_may_be_of_a_message_of_an_earlier_topic_only() {
    let said = Scene::upsert().topic("p:0@0 a 1 | p:0@1 b 2 | q:0@0 null").file("b 2").verdicts();
    let counts = "messages 3: 1 intact, 1 undecodable, 1 unobservable\nrows 1: 1 intact\nunjudged, fidelity 1.0\n\
                  unobservable p[0]@0\nundecodable key_unknown q[0]@0 (";
    assert!(said.starts_with(counts), "{said}");
    let said = Scene::upsert().topic("p:0@0 null | q:0@0 a 1 | q:0@1 b 2").file("b 2").verdicts();
    let counts = "messages 3: 1 intact, 1 missing, 1 undecodable\nrows 1: 1 intact\nbreached, fidelity 0.5\n\
                  undecodable key_unknown p[0]@0 (";
    assert!(said.starts_with(counts) && said.ends_with("missing lost q[0]@0\n"), "{said}");
}
