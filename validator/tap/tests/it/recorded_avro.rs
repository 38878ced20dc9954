//! Avro container files as recorded sources: what is delivered, what is lost by a broken block, and what is refused.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use tempfile::TempDir;
use validator_core::contract::{Bound, Envelope, FieldType, Format, RecordedSource};
use validator_core::position::PartitionIndex;
use validator_core::schema::Type;
use validator_tap::{AvroDecoder, Bounds, Decoder, RecordedConfig, RecordedTap, Tap, WantedField, avro_fields};

use crate::avro_support::body;
use crate::support::{one, show};

const SCHEMA: &str = r#"{"type": "record", "name": "t", "fields": [
  {"name": "id", "type": "long"}, {"name": "s", "type": "string"},
  {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}"#;

const SYNC: [u8; 16] = *b"0123456789abcdef";

fn record(id: i64, text: &[u8]) -> Vec<u8> {
    body().long(id).bytes(text).long(id * 1_000_000).0
}

fn header(schema: &str, codec: &str) -> Vec<u8> {
    let meta = body().long(2).bytes("avro.schema").bytes(schema).bytes("avro.codec").bytes(codec).long(0);
    [b"Obj\x01".as_slice(), &meta.0, &SYNC].concat()
}

fn block(records: i64, data: &[u8]) -> Vec<u8> {
    body().long(records).bytes(data).raw(SYNC).0
}

fn compressed(codec: &str, data: &[u8]) -> Vec<u8> {
    match codec {
        "deflate" => {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(data).expect("written");
            encoder.finish().expect("written")
        }
        "zstandard" => zstd::encode_all(data, 1).expect("compressed"),
        "snappy" => {
            let mut bytes = snap::raw::Encoder::new().compress_vec(data).expect("compressed");
            bytes.extend(crc32fast::hash(data).to_be_bytes());
            bytes
        }
        _ => data.to_vec(),
    }
}

/// Blocks of so many records each, numbered from 0.
fn file(codec: &str, blocks: &[i64]) -> Vec<u8> {
    let mut bytes = header(SCHEMA, codec);
    let mut id = 0;
    for records in blocks {
        let data: Vec<u8> = (id..id + records).flat_map(|id| record(id, format!("v{id}").as_bytes())).collect();
        bytes.extend(block(*records, &compressed(codec, &data)));
        id += records;
    }
    bytes
}

fn config(dir: &Path, bounds: Bounds) -> RecordedConfig {
    let files = vec![dir.join("*.avro").to_str().expect("UTF-8").to_owned()];
    RecordedConfig {
        source: RecordedSource { files, envelope: Envelope::None, timestamp: Some("at".to_owned()) },
        topics: vec!["t".to_owned()],
        bounds,
        format: Format::Avro,
        timestamp_type: FieldType::Plain(Type::Timestamptz),
    }
}

fn open(files: &[(&str, Vec<u8>)]) -> (TempDir, Result<RecordedTap, String>) {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).expect("written");
    }
    let tap = RecordedTap::open(&config(dir.path(), Bounds::default()));
    (
        dir,
        tap.map_err(|error| {
            format!("{error}: {}", std::error::Error::source(&error).map_or(String::new(), ToString::to_string))
        }),
    )
}

/// Partition, offset, timestamp, why undecodable.
type Place = (u32, i64, Option<i64>, Option<String>);

/// The places of all messages, and the columns id and s.
fn decoded(tap: &RecordedTap) -> (Vec<Place>, Vec<Vec<String>>) {
    let schemas = tap.schemas().expect("container files have schemas");
    let fields = avro_fields(&schemas, &[], &[]).expect("no registry is asked").fields;
    let wanted = |name: &str| {
        let (_, ty) = fields.iter().find(|(field, _)| field == name).expect("a field");
        WantedField::typed(name, FieldType::Plain(ty.clone()))
    };
    let mut decoder = AvroDecoder::new(vec![wanted("id"), wanted("s")], Default::default(), schemas).expect("fields");
    let wanted: Vec<_> =
        (0..).zip(tap.partitions()).map(|(index, p)| (PartitionIndex(index), one(p.from..p.to))).collect();
    let mut got = Vec::new();
    let end = tap.read(&wanted, &mut |message| {
        let why = decoder.append(message).expect("no registry is asked").map(|why| why.detail);
        got.push((message.partition.0, message.offset, message.timestamp_ms, why));
        ControlFlow::Continue(())
    });
    assert!(end.expect("reads").partitions.iter().all(|end| end.failure.is_none()));
    (got, decoder.finish().columns.iter().map(show).collect())
}

#[test]
fn records_of_every_codec_are_messages_in_the_order_of_the_file() {
    for codec in ["null", "deflate", "snappy", "zstandard"] {
        let (_dir, tap) = open(&[("a.avro", file(codec, &[2, 0, 1]))]);
        let (got, columns) = decoded(&tap.expect(codec));
        let expected: Vec<_> = (0..3).map(|id| (0, id, Some(id * 1_000), None)).collect();
        assert_eq!(got, expected, "{codec}");
        assert_eq!(columns, [vec!["0", "1", "2"], vec!["\"v0\"", "\"v1\"", "\"v2\""]], "{codec}");
    }
}

#[test]
fn each_file_is_a_partition_and_is_read_by_its_own_schema() {
    let other = r#"{"type": "record", "name": "u", "fields": [
      {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
      {"name": "s", "type": ["null", "string"]}, {"name": "id", "type": "int"}]}"#;
    let theirs =
        [header(other, "null"), block(2, &body().long(7).long(1).bytes("x").long(5).long(8).long(0).long(6).0)]
            .concat();
    let (_dir, tap) = open(&[("b.avro", theirs), ("a.avro", file("deflate", &[1])), ("c.avro", file("null", &[1]))]);
    let (got, columns) = decoded(&tap.expect("opens"));
    let at: Vec<_> = got.iter().map(|(partition, offset, ms, _)| (*partition, *offset, *ms)).collect();
    assert_eq!(at, [(0, 0, Some(0)), (1, 0, Some(7)), (1, 1, Some(8)), (2, 0, Some(0))]);
    assert_eq!(columns, [vec!["0", "5", "6", "0"], vec!["\"v0\"", "\"x\"", "~", "\"v0\""]]);
}

#[test]
fn ranges_and_times_are_read_from_the_middle_of_a_file() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("a.avro"), file("null", &[40_000, 40_000, 40_000, 10])).expect("written");
    let bounds = Bounds { from: Some(Bound::Time(79_999_500)), to: Some(Bound::Offset(80_003)), start: None };
    let tap = RecordedTap::open(&config(dir.path(), bounds)).expect("opens");
    assert_eq!((tap.partitions()[0].from, tap.partitions()[0].high_watermark), (80_000, 120_010));
    let (got, columns) = decoded(&tap);
    assert_eq!(got.iter().map(|got| got.1).collect::<Vec<_>>(), [80_000, 80_001, 80_002]);
    assert_eq!(columns[1], ["\"v80000\"", "\"v80001\"", "\"v80002\""]);
}

#[test]
fn a_block_whose_data_are_broken_still_has_its_messages_and_harms_no_other_block() {
    for codec in ["deflate", "snappy", "zstandard"] {
        let mut bytes = header(SCHEMA, codec);
        for id in 0..3 {
            let data = [record(id * 2, b"some text"), record(id * 2 + 1, b"some text")].concat();
            let mut data = compressed(codec, &data);
            if id == 1 {
                data.iter_mut().skip(2).for_each(|byte| *byte ^= 0x55);
            }
            bytes.extend(block(2, &data));
        }
        let (_dir, tap) = open(&[("a.avro", bytes)]);
        let tap = tap.expect(codec);
        let (got, _) = decoded(&tap);
        let undecodable: Vec<i64> = got.iter().filter(|got| got.3.is_some()).map(|got| got.1).collect();
        assert_eq!((got.len(), undecodable), (6, vec![2, 3]), "{codec}");
        let warnings = tap.warnings();
        assert_eq!(warnings.len(), 1, "{codec}");
        assert!(warnings[0].contains("(offsets 2 to 4) is broken: its "), "{}", warnings[0]);
    }
}

#[test]
fn a_record_that_is_none_takes_the_rest_of_its_block_with_it_and_one_that_can_be_placed_only_itself() {
    let mut bytes = header(SCHEMA, "null");
    // A length below zero: nobody knows where the next record begins.
    let bad = body().long(1).long(-5).0;
    bytes.extend(block(3, &[record(0, b"v"), bad, record(2, b"v")].concat()));
    // Text that is not UTF-8 ends where its length says.
    bytes.extend(block(3, &[record(3, b"v"), record(4, b"\xff"), record(5, b"v")].concat()));
    // A byte too many.
    bytes.extend(block(2, &[record(6, b"v"), record(7, b"v"), vec![0]].concat()));
    let (_dir, tap) = open(&[("a.avro", bytes)]);
    let tap = tap.expect("opens");
    let (got, _) = decoded(&tap);
    let undecodable: Vec<i64> = got.iter().filter(|got| got.3.is_some()).map(|got| got.1).collect();
    assert_eq!((got.len(), undecodable), (8, vec![1, 2, 4, 7]));
    let warnings = tap.warnings();
    assert!(warnings[0].contains("offsets 0 to 3") && warnings[0].contains("record 2 of 3"), "{warnings:?}");
    assert!(warnings[1].contains("offsets 6 to 8") && warnings[1].contains("1 bytes follow"), "{warnings:?}");
    assert_eq!(warnings.len(), 2);
}

#[test]
fn a_file_whose_structure_is_broken_is_refused_with_the_byte() {
    let whole = file("null", &[2, 2]);
    let mut other_sync = whole.clone();
    let last = other_sync.len() - 1;
    other_sync[last] ^= 1;
    let second = header(SCHEMA, "null").len() + block(2, &[record(0, b"v0"), record(1, b"v1")].concat()).len();
    let cases = [
        (whole[..whole.len() - 3].to_vec(), "the file ends inside".to_owned()),
        (whole[..second + 2].to_vec(), "the file ends inside".to_owned()),
        (other_sync, format!("the sync marker after the block at byte {second} is not the file's")),
        (b"Obj".to_vec(), "it is no Avro container file".to_owned()),
        (b"{\"a\": 1}\n".to_vec(), "it is no Avro container file".to_owned()),
        (header(SCHEMA, "bzip2"), "codec bzip2 is not built".to_owned()),
        (header(SCHEMA, "xz"), "codec xz is not built".to_owned()),
        (header("\"string\"", "null"), "its records are of type string".to_owned()),
        (header("{", "null"), "its avro.schema".to_owned()),
        ([header(SCHEMA, "null"), body().long(-1).0].concat(), "a block cannot have -1 records".to_owned()),
        ([header(SCHEMA, "null"), body().long(1).long(1 << 40).0].concat(), "is no length".to_owned()),
        ([header(SCHEMA, "null"), body().long(1).long(1 << 29).raw("x").0].concat(), "the file ends inside".to_owned()),
    ];
    for (bytes, expected) in cases {
        let (_dir, tap) = open(&[("a.avro", bytes)]);
        let error = tap.err().unwrap_or_else(|| panic!("{expected}"));
        assert!(error.contains(&expected) && error.contains("a.avro"), "{error} | {expected}");
    }
    // Every cut of a file either ends at a block or is refused; none is an early end.
    let ends = [header(SCHEMA, "null").len(), second, whole.len()];
    for cut in 0..whole.len() {
        let (_dir, tap) = open(&[("a.avro", whole[..cut].to_vec())]);
        assert_eq!(tap.is_ok(), ends.contains(&cut), "cut at {cut}");
    }
}

#[test]
fn files_of_another_kind_are_refused_by_what_they_should_be() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("a.jsonl"), "{}\n").expect("written");
    let files = vec![dir.path().join("*").to_str().expect("UTF-8").to_owned()];
    let mut config = config(dir.path(), Bounds::default());
    config.source.files = files;
    let error = RecordedTap::open(&config).expect_err("no container file").to_string();
    assert!(error.contains("Avro container files (.avro)"), "{error}");
    std::fs::rename(dir.path().join("a.jsonl"), dir.path().join("a.avro")).expect("renamed");
    config.format = Format::Json;
    let error = RecordedTap::open(&config).expect_err("no lines").to_string();
    assert!(error.contains("one message a line"), "{error}");
}

/// apache-avro writes what we read.
#[test]
fn a_file_of_another_writer_is_read() {
    let schema = apache_avro::Schema::parse_str(SCHEMA).expect("a schema");
    let mut writer =
        apache_avro::Writer::with_codec(&schema, Vec::new(), apache_avro::Codec::Deflate(Default::default()));
    for id in 0..1_000_i64 {
        let mut record = apache_avro::types::Record::new(&schema).expect("a record");
        record.put("id", id);
        record.put("s", format!("text {id}"));
        record.put("at", apache_avro::types::Value::TimestampMicros(id * 1_000));
        writer.append(record).expect("appended");
    }
    let (_dir, tap) = open(&[("a.avro", writer.into_inner().expect("flushed"))]);
    let (got, columns) = decoded(&tap.expect("opens"));
    assert_eq!((got.len(), got[999].2, columns[1][999].as_str()), (1_000, Some(999), "\"text 999\""));
}
