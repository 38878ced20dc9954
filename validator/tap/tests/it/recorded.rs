//! Recorded sources: what is delivered, in which order, and what is refused.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use tempfile::TempDir;
use validator_core::contract::{Bound, Envelope, EpochUnit, FieldType, Format, RecordedSource};
use validator_core::hole::HoleReason;
use validator_core::position::PartitionIndex;
use validator_tap::{Bounds, RecordedConfig, RecordedTap, Tap, TapError};

use crate::support::one;

/// One message as the tests compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Got {
    partition: u32,
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<String>,
    payload: Option<String>,
}

fn text(bytes: Option<&[u8]>) -> Option<String> {
    bytes.map(|b| String::from_utf8_lossy(b).into_owned())
}

/// All messages of the wanted ranges; asserts that each partition ascends and that the read came to its end.
fn read(tap: &RecordedTap, wanted: &[(PartitionIndex, Vec<std::ops::Range<i64>>)]) -> Vec<Got> {
    let mut last: BTreeMap<u32, i64> = BTreeMap::new();
    let mut got = Vec::new();
    let end = tap
        .read(wanted, &mut |message| {
            let before = last.insert(message.partition.0, message.offset);
            assert!(before.is_none_or(|before| before < message.offset), "{message:?} after {before:?}");
            got.push(Got {
                partition: message.partition.0,
                offset: message.offset,
                timestamp_ms: message.timestamp_ms,
                key: text(message.key),
                payload: text(message.payload),
            });
            ControlFlow::Continue(())
        })
        .expect("reads");
    assert!(!end.stopped);
    for (end, (partition, ranges)) in end.partitions.iter().zip(wanted) {
        assert!(end.failure.is_none(), "{:?}", end.failure);
        assert_eq!((end.partition, end.position), (*partition, ranges.last().map_or(0, |r| r.end)));
    }
    got
}

fn all(tap: &RecordedTap) -> Vec<Got> {
    let wanted: Vec<_> =
        (0..).zip(tap.partitions()).map(|(index, p)| (PartitionIndex(index), one(p.from..p.to))).collect();
    read(tap, &wanted)
}

fn config(dir: &Path, pattern: &str, envelope: Envelope) -> RecordedConfig {
    let files = vec![dir.join(pattern).to_str().expect("UTF-8").to_owned()];
    RecordedConfig {
        source: RecordedSource { files, envelope, timestamp: None },
        topics: vec!["t".to_owned()],
        bounds: Bounds::default(),
        format: Format::Json,
        timestamp_type: FieldType::Epoch(EpochUnit::Millisecond),
    }
}

fn write(dir: &TempDir, name: &str, text: &str) {
    let path = dir.path().join(name);
    let mut file = std::fs::File::create(&path).expect("created");
    match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => {
            let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).expect("written");
            encoder.finish().expect("written");
        }
        Some("zst") => file.write_all(&zstd::encode_all(text.as_bytes(), 1).expect("compressed")).expect("written"),
        _ => file.write_all(text.as_bytes()).expect("written"),
    }
}

fn line(topic: &str, partition: i32, offset: i64, payload: &str) -> String {
    format!(
        "{{\"topic\":\"{topic}\",\"partition\":{partition},\"offset\":{offset},\"tstype\":\"create\",\"ts\":{},\"key\":\"k{offset}\",\"payload\":\"{payload}\"}}\n",
        1_000 + offset * 10
    )
}

fn kcat(dir: &TempDir, name: &str, messages: &[(i32, i64)]) {
    let lines: String = messages.iter().map(|(p, o)| line("t", *p, *o, &format!("{p}/{o}"))).collect();
    write(dir, name, &lines);
}

fn positions(got: &[Got]) -> Vec<(u32, i64)> {
    got.iter().map(|g| (g.partition, g.offset)).collect()
}

#[test]
fn kcat_lines_are_messages_with_all_their_parts() {
    for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"] {
        let dir = tempfile::tempdir().expect("a folder");
        write(
            &dir,
            name,
            &(line("t", 2, 5, "x")
                + &line("other", 0, 0, "y")
                + &line("t", 0, 7, "z")
                + "{\"topic\":\"t\",\"partition\":2,\"offset\":9,\"payload\":null}"),
        );
        let tap = RecordedTap::open(&config(dir.path(), "*", Envelope::Kcat)).expect("opens");
        let ranges: Vec<_> = tap
            .partitions()
            .iter()
            .map(|p| (p.tp.to_string(), p.from, p.to, p.high_watermark, p.starts_at_first && p.ends_at_now && p.listed))
            .collect();
        assert_eq!(ranges, [("t[0]".to_owned(), 7, 8, 8, true), ("t[2]".to_owned(), 5, 10, 10, true)]);
        let got = all(&tap);
        assert_eq!(positions(&got), [(1, 5), (0, 7), (1, 9)]);
        let first = Got {
            partition: 1,
            offset: 5,
            timestamp_ms: Some(1_050),
            key: Some("k5".into()),
            payload: Some("x".into()),
        };
        assert_eq!(got[0], first);
        assert_eq!(got[2], Got { partition: 1, offset: 9, timestamp_ms: None, key: None, payload: None });
        assert_eq!(tap.estimate(), 3);
        assert_eq!(tap.warnings(), ["1 recorded messages are of topics that were not asked for"]);
        assert_eq!(tap.compacted("t"), None);
        let holes = tap.explain(&[(PartitionIndex(1), 6..9)]).expect("explains");
        assert_eq!(
            (holes[0].0, holes[0].1.from, holes[0].1.to, holes[0].1.reason),
            (PartitionIndex(1), 6, 9, HoleReason::Unknown)
        );
    }
}

#[test]
fn bare_lines_are_numbered_by_file_and_line_and_every_line_counts() {
    let dir = tempfile::tempdir().expect("a folder");
    write(&dir, "b.jsonl", "{\"T\":5}\nnot json\n\n{\"T\":\"x\"}");
    write(&dir, "a.jsonl.gz", "{\"T\":7}\n");
    write(&dir, "c.jsonl", "");
    let mut config = config(dir.path(), "*", Envelope::None);
    config.source.timestamp = Some("T".to_owned());
    let tap = RecordedTap::open(&config).expect("opens");
    let got: Vec<_> = all(&tap)
        .into_iter()
        .map(|g| (g.partition, g.offset, g.timestamp_ms, g.payload.expect("never null")))
        .collect();
    let expected = [
        (0, 0, Some(7), "{\"T\":7}"),
        (1, 0, Some(5), "{\"T\":5}"),
        (1, 1, None, "not json"),
        (1, 2, None, ""),
        (1, 3, None, "{\"T\":\"x\"}"),
    ];
    assert_eq!(got, expected.map(|(p, o, ts, text)| (p, o, ts, text.to_owned())));
    assert_eq!(tap.partitions().len(), 3, "an empty file is an empty partition");
    assert_eq!((tap.partitions()[2].from, tap.partitions()[2].to), (0, 0));
}

#[test]
fn an_empty_recording_is_an_empty_topic() {
    let dir = tempfile::tempdir().expect("a folder");
    write(&dir, "a.jsonl", "");
    let tap = RecordedTap::open(&config(dir.path(), "*", Envelope::Kcat)).expect("opens");
    assert!(tap.partitions().is_empty());
    assert!(all(&tap).is_empty());
}

#[test]
fn files_are_read_in_the_order_of_their_offsets_even_when_compressed() {
    let dir = tempfile::tempdir().expect("a folder");
    kcat(&dir, "part-1.jsonl.gz", &[(0, 0), (1, 0), (0, 1)]);
    kcat(&dir, "part-10.jsonl.gz", &[(0, 4), (0, 5)]);
    kcat(&dir, "part-2.jsonl.gz", &[(0, 2), (1, 1), (0, 3)]);
    let tap = RecordedTap::open(&config(dir.path(), "*", Envelope::Kcat)).expect("opens");
    assert_eq!(positions(&all(&tap)), [(0, 0), (1, 0), (0, 1), (0, 2), (1, 1), (0, 3), (0, 4), (0, 5)]);
}

#[test]
fn lines_out_of_order_or_recorded_twice_are_sorted_and_count_once() {
    let dir = tempfile::tempdir().expect("a folder");
    kcat(&dir, "a.jsonl", &[(0, 5), (1, 0), (0, 3), (0, 4), (1, 1)]);
    kcat(&dir, "b.jsonl", &[(0, 4), (0, 6), (0, 1), (1, 2)]);
    let tap = RecordedTap::open(&config(dir.path(), "*", Envelope::Kcat)).expect("opens");
    let mut got = all(&tap);
    got.sort_by_key(|g| (g.partition, g.offset));
    assert_eq!(positions(&got), [(0, 1), (0, 3), (0, 4), (0, 5), (0, 6), (1, 0), (1, 1), (1, 2)]);
    assert!(got.iter().all(|g| g.payload == Some(format!("{}/{}", g.partition, g.offset))));
    assert_eq!(tap.warnings(), ["1 message is recorded more than once and count once"]);
    assert_eq!(tap.estimate(), 8);
    let some = read(&tap, &[(PartitionIndex(0), vec![0..2, 4..6])]);
    assert_eq!(positions(&some), [(0, 1), (0, 4), (0, 5)]);
}

#[test]
fn recordings_that_prove_nothing_are_refused() {
    type Check = fn(&TapError) -> bool;
    let good = line("t", 0, 0, "x");
    let cases: [(&str, String, Check); 6] = [
        ("a.jsonl", good.clone() + &line("t", 0, 0, "y"), |e| {
            matches!(e, TapError::Contradiction { line: 2, offset: 0, .. })
        }),
        ("a.jsonl.gz", line("t", 0, 1, "x") + &good, |e| matches!(e, TapError::OutOfOrder { .. })),
        ("a.jsonl", good.clone() + &good[..40], |e| matches!(e, TapError::Record { line: 2, .. })),
        ("a.jsonl", good.clone() + "\n" + &good, |e| matches!(e, TapError::Record { line: 2, .. })),
        ("a.jsonl", line("u", 0, 0, "x"), |e| matches!(e, TapError::TopicNotRecorded { .. })),
        ("a.parquet", good.clone(), |e| matches!(e, TapError::EnvelopeMismatch { .. })),
    ];
    for (name, text, check) in cases {
        let dir = tempfile::tempdir().expect("a folder");
        write(&dir, name, &text);
        let error = RecordedTap::open(&config(dir.path(), "*", Envelope::Kcat)).expect_err("refused");
        assert!(check(&error), "{name}: {error}");
    }
    let dir = tempfile::tempdir().expect("a folder");
    assert!(matches!(RecordedTap::open(&config(dir.path(), "*", Envelope::Kcat)), Err(TapError::NoFiles { .. })));
    assert!(matches!(RecordedTap::open(&config(dir.path(), "***", Envelope::Kcat)), Err(TapError::Glob { .. })));
    write(&dir, "a.jsonl", &good);
    let mut bounded = config(dir.path(), "*", Envelope::Kcat);
    bounded.bounds.to = Some(Bound::Offsets([(3, 1)].into()));
    assert!(matches!(RecordedTap::open(&bounded), Err(TapError::PartitionMissing { partition: 3, .. })));
}

#[test]
fn bounds_cut_a_recording_by_offset_and_time() {
    let dir = tempfile::tempdir().expect("a folder");
    kcat(&dir, "a.jsonl", &[(0, 10), (0, 11), (1, 11), (0, 13), (0, 20)]);
    let range = |from, to, start| {
        let mut config = config(dir.path(), "*", Envelope::Kcat);
        config.bounds = Bounds { from, to, start };
        let tap = RecordedTap::open(&config).expect("opens");
        let p = &tap.partitions()[0];
        (p.from, p.to, p.start, p.starts_at_first, p.ends_at_now, positions(&all(&tap)).len())
    };
    assert_eq!(range(None, None, None), (10, 21, None, true, true, 5));
    assert_eq!(range(Some(Bound::Offset(11)), Some(Bound::Offset(13)), None), (11, 13, None, false, false, 2));
    assert_eq!(range(Some(Bound::Time(1_115)), Some(Bound::Time(1_200)), None), (13, 20, None, false, false, 1));
    assert_eq!(range(None, Some(Bound::Now), Some(Bound::Offset(12))), (12, 21, Some(12), false, true, 2));
    assert_eq!(range(Some(Bound::Earliest), None, Some(Bound::Offset(12))), (10, 21, Some(12), true, true, 5));
    assert_eq!(range(Some(Bound::Offset(0)), None, None), (0, 21, None, true, true, 5));
}

#[test]
fn few_offsets_of_a_large_file_are_found_in_any_compression() {
    let messages: Vec<_> = (0..60_000).map(|i| (i % 3, i64::from(i / 3) * 2)).collect();
    for name in ["a.jsonl", "a.jsonl.zst"] {
        let dir = tempfile::tempdir().expect("a folder");
        kcat(&dir, name, &messages);
        let tap = RecordedTap::open(&config(dir.path(), "*", Envelope::Kcat)).expect("opens");
        let wanted =
            [(PartitionIndex(2), vec![0..2, 20_001..20_005, 39_998..40_000]), (PartitionIndex(0), one(30_000..30_001))];
        let mut got = positions(&read(&tap, &wanted));
        got.sort_unstable();
        assert_eq!(got, [(0, 30_000), (2, 0), (2, 20_002), (2, 20_004), (2, 39_998)]);
    }
}

#[test]
fn a_read_stops_when_asked_and_says_how_far_it_came() {
    let dir = tempfile::tempdir().expect("a folder");
    kcat(&dir, "a.jsonl", &[(0, 0), (1, 0), (0, 1), (0, 2)]);
    let tap = RecordedTap::open(&config(dir.path(), "*", Envelope::Kcat)).expect("opens");
    let mut count = 0;
    let end = tap
        .read(&[(PartitionIndex(0), one(0..3)), (PartitionIndex(1), one(0..1))], &mut |_| {
            count += 1;
            if count == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .expect("reads");
    assert!(end.stopped);
    assert_eq!(
        end.partitions.iter().map(|p| (p.position, p.failure.is_none())).collect::<Vec<_>>(),
        [(2, true), (1, true)]
    );
}

#[test]
fn a_file_that_goes_bad_between_passes_ends_the_read_where_it_came_to() {
    let dir = tempfile::tempdir().expect("a folder");
    kcat(&dir, "a.jsonl", &[(0, 0), (0, 1), (0, 2)]);
    let tap = RecordedTap::open(&config(dir.path(), "*", Envelope::Kcat)).expect("opens");
    kcat(&dir, "a.jsonl", &[(0, 0)]);
    std::fs::OpenOptions::new()
        .append(true)
        .open(dir.path().join("a.jsonl"))
        .expect("opens")
        .write_all(b"{\"to")
        .expect("written");
    let end = tap.read(&[(PartitionIndex(0), one(0..3))], &mut |_| ControlFlow::Continue(())).expect("begins");
    assert_eq!(end.partitions[0].position, 1);
    assert!(matches!(end.partitions[0].failure.as_deref(), Some(TapError::Record { line: 2, .. })));
}

fn parquet_file(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).expect("a batch");
    let file = std::fs::File::create(path).expect("created");
    let properties =
        parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

#[test]
fn parquet_rows_are_messages() {
    let dir = tempfile::tempdir().expect("a folder");
    let offsets = [4, 5, 7, 8, 9];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("extra", Arc::new(Int32Array::from(vec![1; 5]))),
        ("topic", Arc::new(StringArray::from(vec!["t", "t", "t", "u", "t"]))),
        ("partition", Arc::new(Int32Array::from(vec![0, 1, 0, 0, 0]))),
        ("offset", Arc::new(Int64Array::from(offsets.to_vec()))),
        (
            "timestamp",
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1_999), None, Some(-1), Some(5_000), Some(7_000)])),
        ),
        ("key", Arc::new(StringArray::from(vec![Some("k"), None, Some(""), None, None]))),
        ("value", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"a"), None, Some(b""), Some(b"x"), Some(b"z")]))),
    ];
    parquet_file(&dir.path().join("b.parquet"), columns.clone());
    let tap = RecordedTap::open(&config(dir.path(), "*", Envelope::Table)).expect("opens");
    let got: Vec<_> =
        all(&tap).into_iter().map(|g| (g.partition, g.offset, g.timestamp_ms, g.key, g.payload)).collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        got,
        [
            (0, 4, Some(1), some("k"), some("a")),
            (1, 5, None, None, None),
            (0, 7, None, some(""), some("")),
            (0, 9, Some(7), None, some("z"))
        ]
    );
    assert_eq!(positions(&read(&tap, &[(PartitionIndex(0), one(9..10))])), [(0, 9)]);

    parquet_file(&dir.path().join("a.parquet"), columns.into_iter().filter(|(name, _)| *name != "value").collect());
    assert!(matches!(
        RecordedTap::open(&config(dir.path(), "a*", Envelope::Table)),
        Err(TapError::Record { line: 0, .. })
    ));
    write(&dir, "c.parquet", "PAR1 no");
    assert!(matches!(RecordedTap::open(&config(dir.path(), "c*", Envelope::Table)), Err(TapError::Parquet { .. })));
}
