//! A run writes nothing: no group and no offset in the broker, no record, nothing in the warehouse or the catalog.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fixtures_harness::{
    Isolation, KafkaCluster, KafkaOptions, Producer, Record, TopicSpec, TransactionEnd, producer_config,
};
use fixtures_kit::value::Value;

use super::facts::summary;
use super::good;
use super::stage::Stage;
use super::trades::{self, columns, pipeline, row, table};

/// The broker's own topic of committed offsets.
const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Every file below a folder: its bytes and when it was written.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            let written = entry.metadata().and_then(|metadata| metadata.modified()).expect("files have a time");
            found.insert(path.clone(), (std::fs::read(&path).expect("the file is there"), written));
        }
    }
    found
}

/// The partitions that the broker keeps, its own for offsets aside.
fn logs(cluster: &KafkaCluster) -> Vec<String> {
    let entries = std::fs::read_dir(cluster.data_dir()).expect("the broker has a folder").flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with(OFFSETS_TOPIC));
    names.sort();
    names
}

/// What groups have left behind: records of committed offsets and of memberships.
fn group_records(cluster: &KafkaCluster) -> usize {
    let exists = cluster.data_dir().join(format!("{OFFSETS_TOPIC}-0")).is_dir();
    if exists { good(cluster.read_all(OFFSETS_TOPIC, Isolation::Uncommitted)).len() } else { 0 }
}

#[test]
fn a_run_leaves_broker_catalog_and_warehouse_as_they_were() {
    let cluster = good(KafkaCluster::start(&KafkaOptions::default()));
    let topic = "watched";
    good(cluster.create_topic(&TopicSpec::new(topic, 2)));
    let payloads: Vec<Vec<u8>> = (0..40).map(trades::payload).collect();
    let record = |id: usize| Record::new((id % 2) as i32, Some(b"key"), Some(payloads[id].as_slice()));
    let producer = good(Producer::transactional(&cluster, topic));
    // Holes are explained and damage is drilled: the run takes every way that it has.
    let committed: Vec<Record<'_>> = (0..30).map(record).collect();
    let mut placed = good(producer.transaction(topic, &committed, TransactionEnd::Commit));
    good(producer.transaction(topic, &(30..34).map(record).collect::<Vec<_>>(), TransactionEnd::Abort));
    let plain = good(Producer::connect(&producer_config(&cluster)));
    placed.extend(good(plain.produce(topic, &(34..40).map(record).collect::<Vec<_>>())));
    (0..2).for_each(|partition| good(cluster.await_stable(topic, partition, 22)));
    let ids = (0..30).chain(34..40);
    let mut rows: Vec<Vec<Value>> =
        placed.iter().zip(ids).map(|(at, id)| row(topic, at.partition, at.offset, id)).collect();
    rows[7][trades::PRICE] = Value::decimal(1, 8);
    rows.remove(3);
    let stage = Stage::new().with_kafka(&cluster);
    stage.write(&table(columns(), vec![rows]));

    let ends = || [0, 1].map(|partition| good(cluster.watermarks(topic, partition, Isolation::Uncommitted)));
    let warehouse = stage.folder().join("warehouse");
    let before = (ends(), logs(&cluster), group_records(&cluster), files(&warehouse));
    assert_eq!(before.2, 0, "nobody has used a group in this cluster");
    for _ in 0..2 {
        let answer = stage.judge(&pipeline(topic));
        let expected = "breached | consumed 36, corrupted 1, intact 34, missing 1 | corrupted 1, intact 34, total 35";
        assert_eq!(summary(&answer), expected);
    }
    let after = (ends(), logs(&cluster), group_records(&cluster), files(&warehouse));
    assert!(before.3.keys().eq(after.3.keys()), "{:?} became {:?}", before.3.keys(), after.3.keys());
    assert!(before == after, "ends {:?}, logs {:?}, {} group records", after.0, after.1, after.2);
    let mut left: Vec<_> =
        std::fs::read_dir(stage.folder()).expect("it is there").flatten().map(|e| e.file_name()).collect();
    left.sort();
    assert_eq!(left, ["pipeline.toml", "validator.toml", "warehouse"], "both files are the test's own");
}
