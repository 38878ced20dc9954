//! Recordings cut into files, shuffled, repeated and compressed at random, against the messages that were recorded.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use validator_core::contract::{Envelope, EpochUnit, FieldType, Format, RecordedSource};
use validator_core::position::PartitionIndex;
use validator_tap::{Bounds, RecordedConfig, RecordedTap, Tap};

/// (partition, offset) → payload
type World = BTreeMap<(i32, i64), String>;

fn world(rng: &mut SmallRng) -> World {
    let mut world = World::new();
    for partition in 0..rng.random_range(1..4) {
        let mut offset = rng.random_range(0..1_000);
        for _ in 0..rng.random_range(1..300) {
            world.insert((partition, offset), format!("{partition}/{offset} {}", "x".repeat(rng.random_range(0..40))));
            offset += rng.random_range(1..4);
        }
    }
    world
}

/// Lines in an order that keeps each partition ascending, or in any order.
fn lines(rng: &mut SmallRng, world: &World, shuffled: bool) -> Vec<String> {
    let mut partitions: BTreeMap<i32, Vec<(i64, &str)>> = BTreeMap::new();
    world.iter().rev().for_each(|((p, o), text)| partitions.entry(*p).or_default().push((*o, text)));
    let mut lines = Vec::new();
    while !partitions.is_empty() {
        let at = rng.random_range(0..partitions.len());
        let (&partition, left) = partitions.iter_mut().nth(at).expect("counted");
        let (offset, text) = left.pop().expect("empty ones are removed");
        if left.is_empty() {
            partitions.remove(&partition);
        }
        lines.push(format!(
            "{{\"topic\":\"t\",\"partition\":{partition},\"offset\":{offset},\"payload\":\"{text}\"}}\n"
        ));
    }
    if shuffled {
        for index in (1..lines.len()).rev() {
            lines.swap(index, rng.random_range(0..=index));
        }
        for _ in 0..rng.random_range(0..5) {
            lines.push(lines[rng.random_range(0..lines.len())].clone());
        }
    }
    lines
}

/// Writes the lines into files whose names say nothing about their order.
fn write(rng: &mut SmallRng, dir: &std::path::Path, mut lines: Vec<String>, compressed: bool) {
    while !lines.is_empty() {
        let rest = lines.split_off(rng.random_range(1..=lines.len()));
        let name = format!("{:08x}.jsonl", rng.random::<u32>());
        let text: String = lines.concat();
        if compressed && rng.random() {
            let bytes = zstd::encode_all(text.as_bytes(), 1).expect("compressed");
            std::fs::write(dir.join(name + ".zst"), bytes).expect("written");
        } else {
            std::fs::write(dir.join(name), text).expect("written");
        }
        lines = rest;
    }
}

/// Ascending disjoint ranges around the offsets that there are.
fn ranges(rng: &mut SmallRng) -> Vec<Range<i64>> {
    let mut at = 0;
    let mut ranges = Vec::new();
    while at < 2_000 && rng.random_bool(0.9) {
        let from = at + rng.random_range(0..300);
        at = from + rng.random_range(1..300);
        ranges.push(from..at);
    }
    ranges
}

#[test]
fn any_cut_and_order_of_files_gives_the_messages_that_were_recorded() {
    let seed = rand::random();
    let mut rng = SmallRng::seed_from_u64(seed);
    for round in 0..60 {
        let world = world(&mut rng);
        let shuffled = rng.random();
        let dir = tempfile::tempdir().expect("a folder");
        let lines = lines(&mut rng, &world, shuffled);
        write(&mut rng, dir.path(), lines, !shuffled);
        let files = vec![dir.path().join("*").to_str().expect("UTF-8").to_owned()];
        let tap = RecordedTap::open(&RecordedConfig {
            source: RecordedSource { files, envelope: Envelope::Kcat, timestamp: None },
            topics: vec!["t".to_owned()],
            bounds: Bounds::default(),
            format: Format::Json,
            timestamp_type: FieldType::Epoch(EpochUnit::Millisecond),
        })
        .unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error}"));
        assert_eq!(tap.estimate(), world.len() as u64, "seed {seed}, round {round}");

        let wanted: Vec<_> =
            (0..).zip(tap.partitions()).map(|(index, _)| (PartitionIndex(index), ranges(&mut rng))).collect();
        let mut got = World::new();
        let mut last: BTreeMap<u32, i64> = BTreeMap::new();
        let end = tap
            .read(&wanted, &mut |m| {
                let text = String::from_utf8(m.payload.expect("never null").to_vec()).expect("UTF-8");
                let before = last.insert(m.partition.0, m.offset);
                assert!(before.is_none_or(|before| before < m.offset), "seed {seed}, round {round}");
                got.insert((tap.partitions()[m.partition.0 as usize].tp.partition, m.offset), text);
                ControlFlow::Continue(())
            })
            .expect("reads");
        let expected: World = world
            .into_iter()
            .filter(|((p, o), _)| wanted[*p as usize].1.iter().any(|range| range.contains(o)))
            .collect();
        assert_eq!(got, expected, "seed {seed}, round {round}");
        for (end, (_, ranges)) in end.partitions.iter().zip(&wanted) {
            assert_eq!(end.position, ranges.last().map_or(0, |r| r.end), "seed {seed}, round {round}");
        }
    }
}
