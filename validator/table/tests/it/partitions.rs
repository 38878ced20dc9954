//! Misrouted rows: the partition values of each row, recomputed, against the manifest's tuple.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int32Array,
    Int64Array, RecordBatch, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use futures::StreamExt;
use iceberg::spec::Literal;
use serde_json::{Value as Json, json};
use validator_table::{PartitionCheck, Pinned, RowGroups, ScanItem};

use crate::lake::{Lake, column, tuple};

const DAY: i64 = 86_400_000_000;
const HOUR: i64 = 3_600_000_000;

/// Which rows of these source values are misrouted in a file of one partition value.
async fn wrong_rows(ty: &str, transform: &str, expected: Option<Literal>, values: ArrayRef) -> Vec<usize> {
    let spec = json!([{ "source-id": 1, "field-id": 1000, "name": "p", "transform": transform }]);
    let mut lake = Lake::with(vec![column(1, "a", ty)], spec, 3);
    let file = lake.describe_in("f.parquet", 1, tuple(vec![expected]));
    lake.append(vec![file]).await;
    let pinned = lake.pin().await.unwrap();
    let check = pinned.partition_check(&pinned.files[0]).unwrap();
    assert_eq!((check.sources().len(), check.unchecked().len()), (1, 0));
    check.misrouted(&[values])
}

fn ints(values: &[Option<i32>]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn longs(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn micros(values: &[i64]) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values.to_vec()).with_timezone("+00:00"))
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[tokio::test]
async fn identity_is_the_value_itself() {
    let wrong =
        wrong_rows("string", "identity", Some(Literal::string("BTC")), texts(&[Some("BTC"), Some("btc"), None]));
    assert_eq!(wrong.await, [1, 2]);
    let wrong = wrong_rows("long", "identity", Some(Literal::long(7)), longs(&[Some(7), Some(8), None, Some(-7)]));
    assert_eq!(wrong.await, [1, 2, 3]);
    let wrong = wrong_rows("long", "identity", None, longs(&[None, Some(0)]));
    assert_eq!(wrong.await, [1]);
    let booleans: ArrayRef = Arc::new(BooleanArray::from(vec![Some(false), Some(true), None]));
    assert_eq!(wrong_rows("boolean", "identity", Some(Literal::bool(false)), booleans).await, [1, 2]);
    let doubles: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, 1.5]));
    assert_eq!(wrong_rows("double", "identity", Some(Literal::double(f64::NAN)), doubles).await, [1]);
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![19_723, 19_724]));
    assert_eq!(wrong_rows("date", "identity", Some(Literal::date(19_723)), dates).await, [1]);
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![b"ab".as_slice(), b"abc", b""]));
    assert_eq!(wrong_rows("binary", "identity", Some(Literal::binary(*b"ab")), bytes).await, [1, 2]);
    let fixed: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter([[1_u8; 2], [2; 2]].iter()).unwrap());
    assert_eq!(wrong_rows("fixed[2]", "identity", Some(Literal::fixed([2, 2])), fixed).await, [0]);
}

#[tokio::test]
async fn a_column_promoted_since_the_file_was_written_is_checked_by_its_value() {
    let spec = json!([{ "source-id": 1, "field-id": 1000, "name": "a", "transform": "identity" }]);
    let mut lake = Lake::with(vec![column(1, "a", "int")], spec, 2);
    let file = lake.describe_in("f.parquet", 1, tuple(vec![Some(Literal::int(7))]));
    lake.append(vec![file]).await;
    lake.evolve(vec![column(1, "a", "long")]);
    let pinned = lake.pin().await.unwrap();
    let check = pinned.partition_check(&pinned.files[0]).unwrap();
    assert_eq!(check.misrouted(&[longs(&[Some(7), Some(8)])]), [1]);
}

#[tokio::test]
async fn days_are_floored_also_in_the_first_second_after_a_midnight_before_1970() {
    let values = [-2 * DAY - 1, -2 * DAY, -2 * DAY + 1, -2 * DAY + 500_000, -DAY - 500_000, -DAY - 1, -DAY];
    let wrong = wrong_rows("timestamptz", "day", Some(Literal::date(-2)), micros(&values));
    assert_eq!(wrong.await, [0, 6]);
    let wrong = wrong_rows("timestamptz", "day", Some(Literal::date(0)), micros(&[-1, 0, DAY - 1, DAY]));
    assert_eq!(wrong.await, [0, 3]);
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![-1, 0, 1]));
    assert_eq!(wrong_rows("date", "day", Some(Literal::date(0)), dates).await, [0, 2]);
    let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![-1, 0, DAY * 1_000 - 1, DAY * 1_000]));
    assert_eq!(wrong_rows("timestamp_ns", "day", Some(Literal::date(0)), nanos).await, [0, 3]);
}

#[tokio::test]
async fn hours_months_and_years_are_floored() {
    let wrong = wrong_rows("timestamptz", "hour", Some(Literal::int(-1)), micros(&[-HOUR - 1, -HOUR, -1, 0]));
    assert_eq!(wrong.await, [0, 3]);
    // February 2024 is month 649, and a leap month.
    let (first, last) = (19_754 * DAY, 19_783 * DAY - 1);
    let wrong =
        wrong_rows("timestamptz", "month", Some(Literal::int(649)), micros(&[first - 1, first, last, last + 1]));
    assert_eq!(wrong.await, [0, 3]);
    let wrong = wrong_rows("timestamptz", "month", Some(Literal::int(-1)), micros(&[-31 * DAY - 1, -31 * DAY, -1, 0]));
    assert_eq!(wrong.await, [0, 3]);
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![-366, -365, -1, 0]));
    assert_eq!(wrong_rows("date", "year", Some(Literal::int(-1)), dates).await, [0, 3]);
    let wrong = wrong_rows("timestamptz", "year", Some(Literal::int(54)), micros(&[19_723 * DAY - 1, 19_723 * DAY]));
    assert_eq!(wrong.await, [0]);
}

#[tokio::test]
async fn buckets_are_the_spec_s_murmur_hashes() {
    // The spec's hash examples modulo 16 after the sign bit is dropped.
    let bucket = |hash: i32| Some(Literal::int((hash & i32::MAX) % 16));
    assert!(wrong_rows("int", "bucket[16]", bucket(2_017_239_379), ints(&[Some(34)])).await.is_empty());
    assert!(wrong_rows("long", "bucket[16]", bucket(2_017_239_379), longs(&[Some(34)])).await.is_empty());
    let decimals = Decimal128Array::from(vec![1420]).with_precision_and_scale(9, 2).unwrap();
    assert!(wrong_rows("decimal(9, 2)", "bucket[16]", bucket(-500_754_589), Arc::new(decimals)).await.is_empty());
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![17_486]));
    assert!(wrong_rows("date", "bucket[16]", bucket(-653_330_422), dates).await.is_empty());
    let times: ArrayRef = Arc::new(Time64MicrosecondArray::from(vec![81_068_000_000]));
    assert!(wrong_rows("time", "bucket[16]", bucket(-662_762_989), times).await.is_empty());
    let at = 1_510_871_468_000_000;
    assert!(wrong_rows("timestamptz", "bucket[16]", bucket(-2_047_944_441), micros(&[at])).await.is_empty());
    let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![at * 1_000 + 999]));
    assert!(wrong_rows("timestamp_ns", "bucket[16]", bucket(-2_047_944_441), nanos).await.is_empty());
    assert!(wrong_rows("string", "bucket[16]", bucket(1_210_000_089), texts(&[Some("iceberg")])).await.is_empty());
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![[0_u8, 1, 2, 3].as_slice()]));
    assert!(wrong_rows("binary", "bucket[16]", bucket(-188_683_207), bytes).await.is_empty());
    let many: Vec<Option<&str>> = vec![Some("iceberg"), None, Some("glacier")];
    assert_eq!(
        wrong_rows("string", "bucket[1000]", Some(Literal::int((1_210_000_089) % 1_000)), texts(&many)).await,
        [1, 2]
    );
}

#[tokio::test]
async fn truncation_goes_down_and_counts_code_points() {
    let wrong =
        wrong_rows("int", "truncate[10]", Some(Literal::int(-10)), ints(&[Some(-11), Some(-10), Some(-1), Some(0)]));
    assert_eq!(wrong.await, [0, 3]);
    let wrong = wrong_rows("long", "truncate[10]", Some(Literal::long(5)), longs(&[Some(5)]));
    assert_eq!(wrong.await, [0], "5 is no value that truncation to 10 gives");
    // What overflows is what Java's arithmetic gives, and nothing else.
    let least = longs(&[Some(i64::MIN), Some(i64::MIN + 1), Some(i64::MIN + 2), Some(i64::MAX)]);
    assert_eq!(wrong_rows("long", "truncate[3]", Some(Literal::long(i64::MAX)), least).await, [2, 3]);
    let least = ints(&[Some(i32::MIN), Some(i32::MIN + 7), Some(i32::MIN + 8)]);
    assert_eq!(wrong_rows("int", "truncate[10]", Some(Literal::int(i32::MAX - 1)), least).await, [2]);
    let decimals = Decimal128Array::from(vec![1065, 1050, 1099, 1100]).with_precision_and_scale(9, 2).unwrap();
    assert_eq!(
        wrong_rows("decimal(9, 2)", "truncate[50]", Some(Literal::decimal(1050)), Arc::new(decimals)).await,
        [3]
    );
    let values = texts(&[Some("äöüß"), Some("äöü"), Some("äö"), Some("äöxü")]);
    assert_eq!(wrong_rows("string", "truncate[3]", Some(Literal::string("äöü")), values).await, [2, 3]);
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![b"abc".as_slice(), b"ab", b"a"]));
    assert_eq!(wrong_rows("binary", "truncate[2]", Some(Literal::binary(*b"ab")), bytes).await, [2]);
}

#[tokio::test]
async fn void_is_always_null() {
    assert!(wrong_rows("long", "void", None, longs(&[Some(1), None])).await.is_empty());
    assert_eq!(wrong_rows("long", "void", Some(Literal::long(1)), longs(&[Some(1)])).await, [0]);
}

#[tokio::test]
async fn an_unpartitioned_file_and_an_unknown_transform_are_not_checked() {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    let file = lake.describe("f.parquet", 1);
    lake.append(vec![file]).await;
    let pinned = lake.pin().await.unwrap();
    assert!(pinned.partition_check(&pinned.files[0]).is_none());
    assert_eq!(pinned.files[0].partition_path(), "");
}

/// A table partitioned by day of `t` (in a struct) and `side`, with one file of the day 2024-01-01 and `BUY`.
async fn nested(rows: Vec<(Option<i64>, &str)>) -> (Lake, Pinned) {
    let inner: Json = json!({ "type": "struct", "fields": [column(3, "x", "long"), column(2, "t", "timestamptz")] });
    let spec = json!([
        { "source-id": 2, "field-id": 1000, "name": "t_day", "transform": "day" },
        { "source-id": 4, "field-id": 1001, "name": "side", "transform": "identity" },
    ]);
    let mut lake = Lake::with(vec![column(1, "s", inner), column(4, "side", "string")], spec, 2);
    let schema = lake.pin().await.unwrap().schema;
    let fields = schema.to_arrow();
    let times: ArrayRef =
        Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|(t, _)| *t)).with_timezone("+00:00"));
    let arrow_schema::DataType::Struct(inner) = fields.field(0).data_type().clone() else { panic!("a struct") };
    let x: ArrayRef = Arc::new(Int64Array::from(vec![0; rows.len()]));
    let present = arrow_buffer::NullBuffer::from_iter(rows.iter().map(|(t, _)| t.is_some()));
    let s = arrow_array::StructArray::new(inner, vec![x, times], Some(present));
    let sides: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, side)| *side)));
    let columns = fields.fields().iter().map(|field| field.as_ref().clone()).zip([Arc::new(s) as ArrayRef, sides]);
    lake.write("f.parquet", columns.collect());
    let partition = tuple(vec![Some(Literal::date(19_723)), Some(Literal::string("BUY"))]);
    let file = lake.describe_in("f.parquet", rows.len() as u64, partition);
    lake.append(vec![file]).await;
    let pinned = lake.pin().await.unwrap();
    (lake, pinned)
}

async fn sources(pinned: &Pinned, check: &PartitionCheck) -> RecordBatch {
    let reader = pinned.open(&pinned.files[0], check.sources()).await.unwrap();
    match reader.scan(&RowGroups::All).next().await.unwrap() {
        ScanItem::Rows(rows) => rows.batch,
        ScanItem::End(end) => panic!("{end:?}"),
    }
}

#[tokio::test]
async fn misrouted_rows_are_named_with_both_values() {
    let t = 19_723 * DAY;
    let (_lake, pinned) = nested(vec![
        (Some(t), "BUY"),
        (Some(t + DAY), "BUY"),
        (None, "BUY"),
        (Some(t + 1), "SELL"),
        (Some(t - 1), "S"),
    ])
    .await;
    assert_eq!(pinned.files[0].partition_path(), "t_day=2024-01-01/side=BUY");
    let check = pinned.partition_check(&pinned.files[0]).unwrap();
    assert_eq!(check.sources().iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["s", "side"]);
    let batch = sources(&pinned, &check).await;
    assert_eq!(check.misrouted(batch.columns()), [1, 2, 3, 4]);
    assert_eq!(check.explain(batch.columns(), 0), "");
    assert_eq!(
        check.explain(batch.columns(), 4),
        "s is 2023-12-31T23:59:59.999999Z, the file's partition says t_day = 2024-01-01 (day); \
         side is S, the file's partition says side = BUY (identity)"
    );
}

#[tokio::test]
async fn files_of_an_older_spec_are_checked_by_it_also_when_its_column_was_dropped() {
    let (mut lake, _) = nested(vec![(Some(19_723 * DAY), "BUY"), (Some(0), "BUY")]).await;
    lake.metadata["partition-specs"].as_array_mut().unwrap().push(json!({ "spec-id": 1, "fields": [] }));
    lake.metadata["default-spec-id"] = json!(1);
    lake.evolve(vec![column(4, "side", "string")]);
    let pinned = lake.pin().await.unwrap();
    let check = pinned.partition_check(&pinned.files[0]).unwrap();
    assert_eq!(check.unchecked(), [""; 0]);
    let batch = sources(&pinned, &check).await;
    assert_eq!(check.misrouted(batch.columns()), [1]);
}
