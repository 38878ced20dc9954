//! Schema evolution: columns are found by field id, whatever their names, places and types have become.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Int32Array, Int64Array, StringArray,
    StringViewArray, Time32MillisecondArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt16Array,
};
use arrow_schema::{DataType, TimeUnit};
use iceberg::spec::Literal;
use serde_json::json;
use validator_core::value::Value;

use crate::lake::{Lake, column, field, tuple};
use validator_table::FaultKind;

fn longs(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// A file of two long columns, `a` (id 1) = 1 and `b` (id 2) = 20, then these columns.
async fn two_longs_then(columns: Vec<serde_json::Value>) -> Vec<String> {
    let mut lake = Lake::new(vec![column(1, "a", "long"), column(2, "b", "long")]);
    let file = lake.write(
        "f.parquet",
        vec![(field(1, "a", DataType::Int64), longs(&[1])), (field(2, "b", DataType::Int64), longs(&[20]))],
    );
    lake.append(vec![file]).await;
    lake.evolve(columns);
    lake.rows().await
}

#[tokio::test]
async fn columns_of_one_type_that_changed_places_keep_their_values() {
    let rows = two_longs_then(vec![column(2, "b", "long"), column(1, "a", "long")]).await;
    assert_eq!(rows, ["b=20, a=1"]);
}

#[tokio::test]
async fn renamed_and_moved_columns_keep_their_values() {
    let rows = two_longs_then(vec![column(2, "a", "long"), column(1, "b", "long")]).await;
    assert_eq!(rows, ["a=20, b=1"]);
}

#[tokio::test]
async fn a_column_dropped_and_added_again_under_its_name_is_null_in_old_files() {
    let rows = two_longs_then(vec![column(1, "a", "long"), column(3, "b", "long")]).await;
    assert_eq!(rows, ["a=1, b=null"]);
}

#[tokio::test]
async fn a_file_that_has_none_of_the_columns_still_has_its_rows() {
    let rows = two_longs_then(vec![column(7, "a", "long"), column(8, "b", "string")]).await;
    assert_eq!(rows, ["a=null, b=null"]);
}

#[tokio::test]
async fn an_added_column_with_an_initial_default_has_it_in_old_files_and_not_in_new_ones() {
    let mut lake = Lake::with(vec![column(1, "a", "long")], json!([]), 3);
    let old = lake.write("1.parquet", vec![(field(1, "a", DataType::Int64), longs(&[1, 2]))]);
    lake.append(vec![old]).await;
    let mut venue = column(2, "venue", "string");
    venue["initial-default"] = json!("binance");
    let mut price = column(3, "price", "decimal(18, 8)");
    price["initial-default"] = json!("1.50000000");
    lake.evolve(vec![column(1, "a", "long"), venue, price]);
    let new = lake.write(
        "2.parquet",
        vec![
            (field(1, "a", DataType::Int64), longs(&[3])),
            (field(2, "venue", DataType::Utf8), Arc::new(StringArray::from(vec![None::<&str>]))),
        ],
    );
    lake.append(vec![new]).await;
    assert_eq!(
        lake.rows().await,
        ["a=1, venue=binance, price=1.5", "a=2, venue=binance, price=1.5", "a=3, venue=null, price=1.5",]
    );
}

#[tokio::test]
async fn declared_defaults_are_known_by_the_path_of_their_column() {
    let mut venue = column(2, "venue", "string");
    (venue["initial-default"], venue["write-default"]) = (json!("binance"), json!("kraken"));
    let mut fee = column(4, "fee", "decimal(18, 8)");
    (fee["initial-default"], fee["write-default"]) = (json!("1.50000000"), json!("1.50000000"));
    let costs = column(3, "costs", json!({ "type": "struct", "fields": [fee] }));
    let lake = Lake::with(vec![column(1, "a", "long"), venue, costs], json!([]), 3);
    let defaults = lake.pin().await.unwrap().defaults;
    let fee = Value::Number { unscaled: 150_000_000, scale: 8 };
    assert_eq!(defaults.keys().collect::<Vec<_>>(), ["costs.fee", "venue"]);
    assert_eq!(defaults["venue"], [Value::string("binance"), Value::string("kraken")]);
    assert_eq!(defaults["costs.fee"], [fee]);
}

#[tokio::test]
async fn a_default_that_cannot_be_read_refuses_the_table() {
    let mut lake = Lake::with(vec![column(1, "a", "long")], json!([]), 3);
    let mut at = column(2, "at", "timestamp_ns");
    at["initial-default"] = json!("2024-01-01T00:00:00.000000001");
    lake.evolve(vec![column(1, "a", "long"), at]);
    let error = lake.load().await.unwrap_err();
    assert_eq!(error.to_string(), "table needs what this version cannot do: the initial default of column at");
}

#[tokio::test]
async fn promoted_columns_widen() {
    let mut lake = Lake::new(vec![
        column(1, "i", "int"),
        column(2, "f", "float"),
        column(3, "d", "decimal(9, 2)"),
        column(4, "small", "int"),
    ]);
    let decimals = Decimal128Array::from(vec![-12345]).with_precision_and_scale(9, 2).unwrap();
    let file = lake.write(
        "f.parquet",
        vec![
            (field(1, "i", DataType::Int32), Arc::new(Int32Array::from(vec![i32::MIN]))),
            (field(2, "f", DataType::Float32), Arc::new(Float32Array::from(vec![0.1]))),
            (field(3, "d", DataType::Decimal128(9, 2)), Arc::new(decimals)),
            (field(4, "small", DataType::UInt16), Arc::new(UInt16Array::from(vec![u16::MAX]))),
        ],
    );
    lake.append(vec![file]).await;
    assert_eq!(lake.rows().await, ["i=-2147483648, f=0.1, d=-123.45, small=65535"]);
    lake.evolve(vec![
        column(1, "i", "long"),
        column(2, "f", "double"),
        column(3, "d", "decimal(30, 2)"),
        column(4, "small", "long"),
    ]);
    assert_eq!(lake.rows().await, ["i=-2147483648, f=0.10000000149011612, d=-123.45, small=65535"]);
}

#[tokio::test]
async fn a_column_that_is_of_another_type_in_the_file_makes_the_file_unreadable() {
    for (table, file_type, array) in [
        ("long", DataType::Utf8, texts(&["1"])),
        ("int", DataType::Int64, longs(&[1])),
        ("timestamptz", DataType::Int64, longs(&[1])),
        ("decimal(9, 3)", DataType::Decimal128(9, 2), {
            Arc::new(Decimal128Array::from(vec![1]).with_precision_and_scale(9, 2).unwrap()) as ArrayRef
        }),
    ] {
        let mut lake = Lake::new(vec![column(1, "a", table)]);
        let file = lake.write("f.parquet", vec![(field(1, "a", file_type), array)]);
        lake.append(vec![file]).await;
        let fault = lake.open_fault().await;
        assert_eq!(fault.kind, FaultKind::Unreadable, "{table}");
        assert!(fault.detail.starts_with("column a (id 1) is "), "{}", fault.detail);
        assert_eq!(fault.finding(), None);
    }
}

#[tokio::test]
async fn times_of_other_units_are_brought_to_microseconds_exactly() {
    let mut lake = Lake::new(vec![
        column(1, "ms", "timestamptz"),
        column(2, "ns", "timestamp"),
        column(3, "t", "time"),
        column(4, "d", "date"),
        column(5, "us", "timestamptz"),
    ]);
    let write = |name: &str, nanos: i64| {
        let zone = Some("UTC".into());
        lake.write(
            name,
            vec![
                (
                    field(1, "ms", DataType::Timestamp(TimeUnit::Millisecond, zone.clone())),
                    Arc::new(TimestampMillisecondArray::from(vec![-1]).with_timezone("UTC")),
                ),
                (
                    field(2, "ns", DataType::Timestamp(TimeUnit::Nanosecond, None)),
                    Arc::new(TimestampNanosecondArray::from(vec![nanos])),
                ),
                (
                    field(3, "t", DataType::Time32(TimeUnit::Millisecond)),
                    Arc::new(Time32MillisecondArray::from(vec![1])),
                ),
                (field(4, "d", DataType::Date32), Arc::new(Date32Array::from(vec![-1]))),
                (
                    field(5, "us", DataType::Timestamp(TimeUnit::Microsecond, zone)),
                    Arc::new(TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC")),
                ),
            ],
        )
    };
    let (exact, inexact) = (write("1.parquet", -1_000), write("2.parquet", -1_001));
    lake.append(vec![exact]).await;
    assert_eq!(
        lake.rows().await,
        ["ms=1969-12-31T23:59:59.999Z, ns=1969-12-31T23:59:59.999999, t=00:00:00.001, d=1969-12-31, \
          us=1970-01-01T00:00:00.000001Z"]
    );
    lake.manifests.clear();
    lake.append(vec![inexact]).await;
    let pinned = lake.pin().await.unwrap();
    let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
    let (rows, ends) = crate::lake::read(&reader, &Default::default(), &pinned).await;
    let fault = ends[0].fault.as_ref().unwrap();
    assert_eq!((rows.len(), fault.kind), (0, FaultKind::Unreadable));
    assert_eq!(fault.detail, "row group 0: -1001 nanoseconds are no whole microseconds of 64 bits");
}

#[tokio::test]
async fn dictionaries_and_views_are_plain_text() {
    let mut lake = Lake::new(vec![column(1, "a", "string"), column(2, "b", "string")]);
    let dictionary: DictionaryArray<Int32Type> = vec!["x", "y", "x"].into_iter().collect();
    let file = lake.write(
        "f.parquet",
        vec![
            (field(1, "a", dictionary.data_type_of()), Arc::new(dictionary)),
            (
                field(2, "b", DataType::Utf8View),
                Arc::new(StringViewArray::from(vec![Some("long enough for a view"), None, Some("")])),
            ),
        ],
    );
    lake.append(vec![file]).await;
    assert_eq!(lake.rows().await, ["a=x, b=long enough for a view", "a=y, b=null", "a=x, b="]);
}

trait DataTypeOf {
    fn data_type_of(&self) -> DataType;
}

impl<A: arrow_array::Array> DataTypeOf for A {
    fn data_type_of(&self) -> DataType {
        self.data_type().clone()
    }
}

#[tokio::test]
async fn a_file_without_field_ids_is_read_by_the_name_mapping_and_else_not_at_all() {
    let plain = |name: &str, ty| arrow_schema::Field::new(name, ty, true);
    let mut lake = Lake::new(vec![column(1, "amount", "long"), column(2, "side", "string"), column(3, "new", "long")]);
    let file = lake.write(
        "f.parquet",
        vec![(plain("side", DataType::Utf8), texts(&["BUY"])), (plain("qty", DataType::Int64), longs(&[7]))],
    );
    lake.append(vec![file]).await;
    let fault = lake.open_fault().await;
    assert_eq!(fault.kind, FaultKind::Unreadable);
    assert_eq!(fault.detail, "the file has no field ids and the table has no name mapping");
    let mapping = json!([
        { "field-id": 1, "names": ["amount", "qty"] },
        { "field-id": 2, "names": ["side"] },
        { "field-id": 3, "names": ["new"] },
    ]);
    lake.metadata["properties"]["schema.name-mapping.default"] = json!(mapping.to_string());
    assert_eq!(lake.rows().await, ["amount=7, side=BUY, new=null"]);
}

#[tokio::test]
async fn a_field_id_that_stands_twice_makes_the_file_unreadable() {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    let file = lake.write(
        "f.parquet",
        vec![(field(1, "a", DataType::Int64), longs(&[1])), (field(1, "b", DataType::Int64), longs(&[2]))],
    );
    lake.append(vec![file]).await;
    assert_eq!(lake.open_fault().await.detail, "the file has field id 1 twice");
}

#[tokio::test]
async fn an_identity_partition_column_that_the_file_lacks_has_its_partition_s_value() {
    let spec = json!([
        { "source-id": 2, "field-id": 1000, "name": "venue", "transform": "identity" },
        { "source-id": 3, "field-id": 1001, "name": "year", "transform": "identity" },
        { "source-id": 1, "field-id": 1002, "name": "a_bucket", "transform": "bucket[4]" },
    ]);
    let mut lake =
        Lake::with(vec![column(1, "a", "long"), column(2, "venue", "string"), column(3, "year", "int")], spec, 2);
    lake.write("f.parquet", vec![(field(1, "a", DataType::Int64), longs(&[1, 2]))]);
    lake.write(
        "g.parquet",
        vec![(field(1, "a", DataType::Int64), longs(&[3])), (field(2, "venue", DataType::Utf8), texts(&["own"]))],
    );
    let hive =
        |venue: Option<&str>| tuple(vec![venue.map(Literal::string), Some(Literal::int(2024)), Some(Literal::int(0))]);
    let files =
        vec![lake.describe_in("f.parquet", 2, hive(Some("kraken"))), lake.describe_in("g.parquet", 1, hive(None))];
    lake.append(files).await;
    assert_eq!(
        lake.rows().await,
        ["a=1, venue=kraken, year=2024", "a=2, venue=kraken, year=2024", "a=3, venue=own, year=2024"]
    );
    lake.evolve(vec![column(1, "a", "long"), column(2, "venue", "string"), column(3, "year", "long")]);
    assert_eq!(lake.rows().await[0], "a=1, venue=kraken, year=2024");
}
