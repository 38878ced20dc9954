//! Rows of Parquet files as recorded sources: their types, their places, and what no field can hold.

#![expect(clippy::single_range_in_vec_init, reason = "a list of one range is meant")]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
use arrow_array::*;
use arrow_schema::Field;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;
use validator_core::contract::{Bound, Envelope, FieldType, Format, RecordedSource};
use validator_core::position::PartitionIndex;
use validator_core::schema::Type;
use validator_tap::{Bounds, RecordedConfig, RowFields, RowSource, RowsTap, Tap, WantedField};

use crate::support::show;

fn write(dir: &Path, name: &str, columns: Vec<(&str, ArrayRef)>, rows_of_group: usize) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .expect("a batch");
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(rows_of_group)).build();
    let file = std::fs::File::create(dir.join(name)).expect("created");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

fn config(dir: &Path, timestamp: Option<&str>, bounds: Bounds) -> RecordedConfig {
    let files = vec![dir.join("*.parquet").to_str().expect("UTF-8").to_owned()];
    RecordedConfig {
        source: RecordedSource { files, envelope: Envelope::None, timestamp: timestamp.map(str::to_owned) },
        topics: vec!["t".to_owned()],
        bounds,
        format: Format::Parquet,
        timestamp_type: FieldType::Plain(Type::Timestamptz),
    }
}

fn open(dir: &TempDir) -> RowsTap {
    RowsTap::open(&config(dir.path(), None, Bounds::default())).expect("opens")
}

fn refusal(dir: &TempDir, timestamp: Option<&str>) -> String {
    RowsTap::open(&config(dir.path(), timestamp, Bounds::default())).expect_err("refused").to_string()
}

/// What a read gives: (partition, offset, timestamp), the columns as text, marks, unknown fields.
#[derive(Debug, Default, PartialEq)]
struct Got {
    at: Vec<(u32, i64, Option<i64>)>,
    columns: Vec<Vec<String>>,
    marks: Vec<(usize, usize, String)>,
    unknown: Vec<(String, usize)>,
    failures: usize,
}

fn read(tap: &RowsTap, names: &[&str], wanted: &[(u32, &[std::ops::Range<i64>])]) -> Got {
    let field = |name: &&str| {
        let (_, ty) = tap.columns().iter().find(|(column, _)| column == name).expect("a column");
        WantedField::typed(*name, FieldType::Plain(ty.clone()))
    };
    let fields = RowFields::new(&names.iter().map(field).collect::<Vec<_>>(), Default::default()).expect("fields");
    let wanted: Vec<_> = wanted.iter().map(|(p, ranges)| (PartitionIndex(*p), ranges.to_vec())).collect();
    let mut got = Got { columns: vec![Vec::new(); names.len()], ..Got::default() };
    let end = tap.read_rows(&wanted, &fields, &mut |batch| {
        let before = got.at.len();
        for (offset, ms) in batch.offsets.iter().zip(&batch.timestamps_ms) {
            got.at.push((batch.partition.0, *offset, *ms));
        }
        assert_eq!(batch.decoded.rows, batch.offsets.len());
        for ((column, found), field) in batch.decoded.columns.iter().zip(&mut got.columns).zip(fields.fields()) {
            assert_eq!(*column.data_type(), field.ty.to_arrow());
            column.to_data().validate_full().expect("a sound array");
            found.extend(show(column));
        }
        got.marks.extend(batch.decoded.inexact.into_iter().map(|(row, field, text)| (before + row, field, text)));
        got.unknown.extend(batch.decoded.unknown_fields.into_iter().map(|(name, rows)| (name, rows.len())));
        ControlFlow::Continue(())
    });
    got.failures = end.expect("reads").partitions.iter().filter(|end| end.failure.is_some()).count();
    got
}

fn longs(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

#[test]
fn files_are_partitions_in_sorted_order_and_rows_are_offsets() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "b.parquet", vec![("id", longs(10..12))], 100);
    write(dir.path(), "a.parquet", vec![("id", longs(0..5))], 2);
    write(dir.path(), "c.parquet", vec![("id", longs([]))], 2);
    let tap = open(&dir);
    let ends: Vec<_> = tap.partitions().iter().map(|p| (p.tp.partition, p.from, p.to, p.starts_at_first)).collect();
    assert_eq!(ends, [(0, 0, 5, true), (1, 0, 2, true), (2, 0, 0, true)]);
    let got = read(&tap, &["id"], &[(0, &[0..5]), (1, &[0..2])]);
    assert_eq!(
        got.at.iter().map(|at| (at.0, at.1)).collect::<Vec<_>>(),
        [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (1, 1)]
    );
    assert_eq!(got.columns[0], ["0", "1", "2", "3", "4", "10", "11"]);
    let got = read(&tap, &["id"], &[(0, &[1..2, 3..5])]);
    assert_eq!(got.columns[0], ["1", "3", "4"], "ranges cross row groups");
    assert_eq!(got.at.iter().map(|at| at.1).collect::<Vec<_>>(), [1, 3, 4]);
}

#[test]
fn every_range_of_a_file_gives_exactly_its_rows() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "a.parquet", vec![("id", longs(0..40))], 7);
    let tap = open(&dir);
    for from in 0..40 {
        for to in from + 1..=40 {
            let got = read(&tap, &["id"], &[(0, &[from..to])]);
            let expected: Vec<String> = (from..to).map(|id| id.to_string()).collect();
            assert_eq!(got.columns[0], expected);
            assert_eq!(got.at.iter().map(|at| at.1).collect::<Vec<_>>(), (from..to).collect::<Vec<_>>());
        }
    }
}

#[test]
fn types_of_parquet_become_types_of_fields_without_loss() {
    let dir = tempfile::tempdir().expect("a folder");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("i8", Arc::new(Int8Array::from(vec![Some(-128), None]))),
        ("u32", Arc::new(UInt32Array::from(vec![u32::MAX, 1]))),
        ("u64", Arc::new(UInt64Array::from(vec![u64::MAX, 1]))),
        ("f", Arc::new(Float32Array::from(vec![0.5, -0.0]))),
        ("d", Arc::new(Decimal128Array::from(vec![150, -1]).with_precision_and_scale(10, 2).expect("fits"))),
        ("ms", Arc::new(TimestampMillisecondArray::from(vec![1, i64::MAX]))),
        ("us", Arc::new(TimestampMicrosecondArray::from(vec![1, 2]).with_timezone("Europe/Paris"))),
        ("ns", Arc::new(TimestampNanosecondArray::from(vec![1, 2]))),
        ("t", Arc::new(Time64NanosecondArray::from(vec![5_000, 5_001]))),
        ("s", Arc::new(StringArray::from(vec![Some(""), None]))),
        ("b", Arc::new(BinaryArray::from(vec![b"a".as_slice(), b""]))),
    ];
    write(dir.path(), "a.parquet", columns, 100);
    let tap = open(&dir);
    let names: Vec<&str> = tap.columns().iter().map(|(name, _)| name.as_str()).collect();
    let types: Vec<String> = tap.columns().iter().map(|(_, ty)| ty.to_string()).collect();
    assert_eq!(
        types,
        [
            "int",
            "long",
            "decimal(20, 0)",
            "float",
            "decimal(10, 2)",
            "timestamp",
            "timestamptz",
            "timestamp_ns",
            "time",
            "string",
            "binary"
        ]
    );
    let got = read(&tap, &names, &[(0, &[0..2])]);
    let rows: Vec<String> = got.columns.iter().map(|column| column.join(" ")).collect();
    assert_eq!(
        rows,
        [
            "-128 ~",
            "4294967295 1",
            "18446744073709551615 1",
            "0.5 -0.0",
            "150 -1",
            "1000 ~",
            "1 2",
            "1 2",
            "5 ~",
            "\"\" ~",
            "0x61 0x"
        ]
    );
    let marks = [(1, 5, format!("{} ms after the epoch", i64::MAX)), (1, 8, "5001 ns after midnight".to_owned())];
    assert_eq!(got.marks, marks, "what a type cannot hold is marked, not rounded");
}

#[test]
fn nested_columns_keep_their_shape_and_mark_the_row_of_a_lost_leaf() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut lists = ListBuilder::new(Int32Builder::new());
    lists.append_value([Some(1), None]);
    lists.append_null();
    lists.append_value([]);
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    maps.keys().append_value("k");
    maps.values().append_value("v");
    maps.append(true).expect("pairs");
    maps.append(false).expect("pairs");
    maps.append(true).expect("pairs");
    let inner: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![1, i64::MIN, 3]));
    let structs = StructArray::from(vec![(Arc::new(Field::new("at", inner.data_type().clone(), true)), inner.clone())]);
    let times = ListArray::new(
        Arc::new(Field::new("item", inner.data_type().clone(), true)),
        arrow_buffer::OffsetBuffer::from_lengths([1, 2, 0]),
        inner,
        None,
    );
    write(
        dir.path(),
        "a.parquet",
        vec![
            ("l", Arc::new(lists.finish())),
            ("m", Arc::new(maps.finish())),
            ("s", Arc::new(structs)),
            ("lt", Arc::new(times)),
        ],
        100,
    );
    let got = read(&open(&dir), &["l", "m", "s", "lt"], &[(0, &[0..3])]);
    assert_eq!(got.columns[0], ["[1,~]", "~", "[]"]);
    assert_eq!(got.columns[1], ["<\"k\"=\"v\">", "~", "<>"]);
    assert_eq!(got.columns[2][0], "{at:1000}");
    let text = format!("{} ms after the epoch", i64::MIN);
    assert_eq!(got.marks, [(1, 2, format!("at: {text}")), (1, 3, format!("[0]: {text}"))]);
}

#[test]
fn a_field_that_files_write_differently_takes_the_type_that_holds_both() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "a.parquet", vec![("n", Arc::new(Int32Array::from(vec![7])) as ArrayRef)], 10);
    write(dir.path(), "b.parquet", vec![("n", longs([1 << 40])), ("more", longs([1]))], 10);
    let tap = open(&dir);
    assert_eq!(tap.columns(), [("n".to_owned(), Type::Long), ("more".to_owned(), Type::Long)]);
    let got = read(&tap, &["n", "more"], &[(0, &[0..1]), (1, &[0..1])]);
    assert_eq!(got.columns, [vec!["7".to_owned(), (1_i64 << 40).to_string()], vec!["~".to_owned(), "1".to_owned()]]);
    write(dir.path(), "c.parquet", vec![("n", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)], 10);
    let error = refusal(&dir, None);
    assert!(
        error.contains("c.parquet") && error.contains("column n is string here and long in other files"),
        "{error}"
    );
}

#[test]
fn timestamps_come_from_the_column_named_and_times_bound_by_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let at: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(5_999), None, Some(7_000), Some(6_000)]));
    write(dir.path(), "a.parquet", vec![("id", longs(0..4)), ("at", at)], 2);
    let bounds = Bounds { from: Some(Bound::Time(6)), ..Bounds::default() };
    let tap = RowsTap::open(&config(dir.path(), Some("at"), bounds)).expect("opens");
    assert_eq!((tap.partitions()[0].from, tap.partitions()[0].to), (2, 4));
    let got = read(&tap, &["id"], &[(0, &[0..4])]);
    assert_eq!(got.at.iter().map(|at| at.2).collect::<Vec<_>>(), [Some(5), None, Some(7), Some(6)]);
    let mut seen = 0;
    let end = tap.read(&[(PartitionIndex(0), vec![0..1, 3..4])], &mut |message| {
        seen += message.offset;
        ControlFlow::Continue(())
    });
    assert_eq!((seen, end.expect("reads").stopped), (3, false));
    assert!(refusal(&dir, Some("when")).contains("there is no column when"));
    write(dir.path(), "a.parquet", vec![("at", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)], 2);
    assert!(refusal(&dir, Some("at")).contains("column at is string"));
}

#[test]
fn columns_that_nobody_wants_are_news_where_they_hold_a_value() {
    let dir = tempfile::tempdir().expect("a folder");
    let some: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
    let none: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>, None]));
    write(dir.path(), "a.parquet", vec![("id", longs(0..2)), ("some", some), ("none", none)], 10);
    let got = read(&open(&dir), &["id"], &[(0, &[0..2])]);
    assert_eq!(got.unknown, [("some".to_owned(), 1)]);
}

#[test]
fn a_broken_page_ends_its_file_at_the_row_before_and_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "a.parquet", vec![("id", longs(0..6))], 2);
    let path = dir.path().join("a.parquet");
    let tap = open(&dir);
    let mut bytes = std::fs::read(&path).expect("read");
    let meta =
        parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&bytes::of(&path)).expect("a footer");
    let from = meta.row_group(1).column(0).byte_range().0 as usize;
    bytes[from..from + 12].fill(0xff);
    std::fs::write(&path, bytes).expect("written");
    let got = read(&tap, &["id"], &[(0, &[0..6])]);
    assert_eq!((got.columns[0].join(" ").as_str(), got.failures), ("0 1", 1));
}

mod bytes {
    use std::fs::File;
    use std::path::Path;

    pub fn of(path: &Path) -> File {
        File::open(path).expect("there")
    }
}

#[test]
fn columns_that_no_field_can_be_are_refused_by_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let wide = Decimal256Array::from(vec![arrow_buffer::i256::ONE]).with_precision_and_scale(50, 0).expect("fits");
    write(dir.path(), "a.parquet", vec![("wide", Arc::new(wide) as ArrayRef)], 10);
    assert!(refusal(&dir, None).contains("column wide is Decimal256(50, 0)"), "{}", refusal(&dir, None));
}
