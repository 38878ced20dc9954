//! A compacted topic with tombstones: what was compacted away can be seen by nobody, what is left is judged as ever.

use std::time::Duration;

use fixtures_harness::{
    Consumed, Isolation, Look, Producer, Record, TopicSpec, kafka_cluster, producer_config, unique_name, wait_until,
};
use fixtures_kit::value::Value;
use validator_app::Answer;

use super::facts::{findings, partitions, summary};
use super::good;
use super::stage::Stage;
use super::trades::{self, PRICE, columns, pipeline, pipeline_by_content, pipeline_by_id, row, table, with};

/// Records of ten keys; the last of key 9 is a tombstone, and so is one of key 5 that later ones follow.
const RECORDS: i64 = 60;
const TOMBSTONES: [i64; 2] = [25, 59];
/// The trade of every record that only makes the log roll.
const ROLL_ID: i64 = 900;
/// A cleaner that starts while a run reads changes the log under it; then the run is made again.
const STILL_WITHIN: Duration = Duration::from_secs(120);

/// A topic of which only the last record of each key is left, and some that made the log roll.
fn compacted() -> String {
    let cluster = kafka_cluster();
    let topic = unique_name("compacted");
    good(cluster.create_topic(&TopicSpec::compacted(&topic, 1, 3_600_000)));
    let producer = good(Producer::connect(&producer_config(cluster)));
    let keys: Vec<String> = (0..RECORDS).map(|offset| format!("key {}", offset % 10)).collect();
    let payloads: Vec<Vec<u8>> = (0..RECORDS).map(trades::payload).collect();
    let records: Vec<Record<'_>> = (0..RECORDS)
        .zip(keys.iter().zip(&payloads))
        .map(|(offset, (key, payload))| {
            let payload = (!TOMBSTONES.contains(&offset)).then_some(payload.as_slice());
            Record::new(0, Some(key.as_bytes()), payload)
        })
        .collect();
    good(producer.produce(&topic, &records));
    good(cluster.compact(&topic, 0, (b"roll", &trades::payload(ROLL_ID)), 14));
    topic
}

/// The row of each offset as a sink wrote it that drops tombstones without a word.
fn rows_of_all(topic: &str) -> Vec<Vec<Value>> {
    let (_, end) = good(kafka_cluster().watermarks(topic, 0, Isolation::Uncommitted));
    let written = (0..end).filter(|offset| !TOMBSTONES.contains(offset));
    written.map(|offset| row(topic, 0, offset, if offset < RECORDS { offset } else { ROLL_ID })).collect()
}

/// A run during which the log did not change, and what the log held.
fn judged(stage: &Stage, topic: &str, pipeline: &str) -> (Vec<Consumed>, Answer) {
    let read = || good(kafka_cluster().read_all(topic, Isolation::Committed));
    let look = || {
        let (before, answer) = (read(), stage.judge(pipeline));
        let after = read();
        if before == after {
            Look::Done((before, answer))
        } else {
            Look::NotYet(format!("{} records became {}", before.len(), after.len()))
        }
    };
    good(wait_until("a log that nobody cleans", STILL_WITHIN, look))
}

/// The runs of offsets that are not among `left`, as the report writes them.
fn holes(left: &[Consumed]) -> String {
    let ends = left.iter().map(|record| record.offset);
    let begins = std::iter::once(0).chain(left.iter().map(|record| record.offset + 1));
    let runs = begins.zip(ends).filter(|(from, to)| from < to);
    runs.map(|(from, to)| format!("compacted {from}..{to}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn rows_of_compacted_records_are_unobservable_and_tombstones_want_no_row() {
    let topic = compacted();
    let rows = rows_of_all(&topic);
    let stage = Stage::new().with_kafka(kafka_cluster());
    stage.write(&table(columns(), vec![rows.clone()]));
    let (left, answer) = judged(&stage, &topic, &pipeline(&topic));
    let offsets: Vec<i64> = left.iter().map(|record| record.offset).take_while(|offset| *offset < RECORDS).collect();
    assert_eq!(offsets, (50..60).collect::<Vec<_>>(), "the last record of each key");
    let (consumed, intact, total) = (left.len(), left.len() - 1, rows.len());
    let messages = format!("consumed {consumed}, excluded 1, intact {intact}");
    let unobservable = total - intact;
    assert!(unobservable >= 49, "all of the first fifty but a tombstone");
    assert_eq!(
        summary(&answer),
        format!("holds | {messages} | intact {intact}, total {total}, unobservable {unobservable}")
    );
    let end = total + TOMBSTONES.len();
    assert_eq!(partitions(&answer), [format!("0: 0..{end} {messages} | {}", holes(&left))]);
    assert_eq!(findings(&answer), [""; 0]);
}

#[test]
fn faults_among_what_is_left_are_found_and_those_of_what_is_gone_prove_nothing() {
    let topic = compacted();
    let mut rows = rows_of_all(&topic);
    let at = |rows: &[Vec<Value>], offset: i64| {
        rows.iter().position(|row| row[trades::OFFSET] == Value::long(offset)).expect("it has a row")
    };
    // Gone: the row cannot be compared. Left: a digit lost; a row of a tombstone; no row.
    let (gone, cut) = (at(&rows, 3), at(&rows, 55));
    rows[gone] = with(rows[gone].clone(), PRICE, Value::decimal(1, 8));
    let (unscaled, _) = trades::price(55);
    rows[cut] = with(rows[cut].clone(), PRICE, Value::decimal(unscaled / 1_000, 5));
    rows.remove(at(&rows, 52));
    rows.push(row(&topic, 0, 59, 59));
    let (cut, tombstone, total) = (at(&rows, 55), rows.len() - 1, rows.len());
    let stage = Stage::new().with_kafka(kafka_cluster());
    stage.write(&table(columns(), vec![rows]));
    let (left, answer) = judged(&stage, &topic, &pipeline(&topic));
    let intact = left.len() - 3;
    let messages = format!("consumed {}, corrupted 1, excluded 1, intact {intact}, missing 1", left.len());
    let unobservable = total - intact - 2;
    let counted = format!("corrupted 1, intact {intact}, phantom 1, total {total}, unobservable {unobservable}");
    assert_eq!(summary(&answer), format!("breached | {messages} | {counted}"));
    assert_eq!(
        findings(&answer),
        [
            "missing lost 0@52".to_owned(),
            format!("corrupted truncated 0@55 [price 61838.18000055 → 61838.18 truncated] 00000:{cut}"),
            format!("phantom tombstone - 00000:{tombstone}"),
        ]
    );
}

#[test]
fn in_mode_key_no_unpaired_row_of_a_compacted_topic_is_a_phantom() {
    let topic = compacted();
    let mut rows: Vec<Vec<Value>> =
        rows_of_all(&topic).into_iter().filter(|row| row[trades::ID] != Value::long(ROLL_ID)).collect();
    // A trade that the topic may once have had.
    rows.push(row(&topic, 0, 7, 700));
    let (unscaled, _) = trades::price(57);
    let damaged = rows.iter().position(|row| row[trades::ID] == Value::long(57)).expect("it has a row");
    rows[damaged] = with(rows[damaged].clone(), PRICE, Value::decimal(-unscaled, 8));
    let stage = Stage::new().with_kafka(kafka_cluster());
    stage.write(&table(columns(), vec![rows.clone()]));
    let pipeline = pipeline_by_id(&topic, &format!("filter = \"id <> {ROLL_ID}\""));
    let (left, answer) = judged(&stage, &topic, &pipeline);
    let rolls = left.iter().filter(|record| record.offset >= RECORDS).count();
    let messages = format!("consumed {}, corrupted 1, excluded {}, intact 8", left.len(), rolls + 1);
    let total = rows.len();
    assert_eq!(
        summary(&answer),
        format!("breached | {messages} | corrupted 1, intact 8, total {total}, unobservable {}", total - 9)
    );
    assert_eq!(
        findings(&answer),
        [format!("corrupted sign_flip 0@57 [price 61838.20000057 → -61838.20000057 sign_flip] 00000:{damaged}")]
    );
}

#[test]
fn in_mode_content_no_unpaired_row_of_a_compacted_topic_is_a_phantom_or_a_copy() {
    let topic = compacted();
    let mut rows: Vec<Vec<Value>> =
        rows_of_all(&topic).into_iter().filter(|row| row[trades::ID] != Value::long(ROLL_ID)).collect();
    let (unscaled, _) = trades::price(57);
    let damaged = rows.iter().position(|row| row[trades::ID] == Value::long(57)).expect("it has a row");
    rows[damaged] = with(rows[damaged].clone(), PRICE, Value::decimal(-unscaled, 8));
    // An equal record of its key may have stood before it.
    rows.push(row(&topic, 0, 58, 58));
    let stage = Stage::new().with_kafka(kafka_cluster());
    stage.write(&table(columns(), vec![rows.clone()]));
    let pipeline = pipeline_by_content(&topic, &format!("filter = \"id <> {ROLL_ID}\""));
    let (_, answer) = judged(&stage, &topic, &pipeline);
    let (messages, told) = (&answer.report.messages, &answer.report.rows);
    assert_eq!((messages.intact, messages.duplicated, messages.missing + messages.overdue), (8, 0, 1));
    assert_eq!((told.intact, told.copies, told.phantom, told.unobservable), (8, 0, 0, rows.len() as u64 - 8));
    assert_eq!(
        findings(&answer).len(),
        1,
        "the damaged row may be that of a compacted record: {:?}",
        findings(&answer)
    );
}
