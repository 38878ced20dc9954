//! Nested columns: structs, lists and maps evolve by field id as columns do, to any depth.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::{Array, ArrayRef, Int32Array, Int64Array, ListArray, MapArray, StringArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields};
use serde_json::{Value as Json, json};
use validator_table::FaultKind;

use crate::lake::{Lake, column, field};

fn struct_type(fields: Vec<Json>) -> Json {
    json!({ "type": "struct", "fields": fields })
}

fn list_type(id: i32, element: Json) -> Json {
    json!({ "type": "list", "element-id": id, "element-required": false, "element": element })
}

fn map_type(key_id: i32, value_id: i32, value: Json) -> Json {
    json!({ "type": "map", "key-id": key_id, "key": "string", "value-id": value_id, "value-required": false, "value": value })
}

fn ints(values: Vec<Option<i32>>) -> ArrayRef {
    Arc::new(Int32Array::from(values))
}

fn texts(values: Vec<Option<&str>>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

fn structs(fields: Vec<(Field, ArrayRef)>, nulls: Option<Vec<bool>>) -> StructArray {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = fields.into_iter().unzip();
    StructArray::new(Fields::from(fields), arrays, nulls.map(NullBuffer::from))
}

/// A file of one struct column `s` (id 1): `n` int (id 2), `t` string (id 3); its second row is NULL.
async fn struct_file(table: Json) -> Lake {
    let mut lake = Lake::new(vec![column(1, "s", struct_type(vec![column(2, "n", "int"), column(3, "t", "string")]))]);
    let array = structs(
        vec![
            (field(2, "n", DataType::Int32), ints(vec![Some(1), None, None])),
            (field(3, "t", DataType::Utf8), texts(vec![Some("x"), None, Some("z")])),
        ],
        Some(vec![true, false, true]),
    );
    let file = lake.write("f.parquet", vec![(field(1, "s", array.data_type().clone()), Arc::new(array))]);
    lake.append(vec![file]).await;
    lake.evolve(vec![column(1, "s", table)]);
    lake
}

#[tokio::test]
async fn struct_fields_are_found_by_id_and_promoted() {
    let moved = struct_type(vec![column(3, "n", "string"), column(9, "t", "string"), column(2, "count", "long")]);
    let lake = struct_file(moved).await;
    assert_eq!(
        lake.rows().await,
        [r#"s={"count":"1","n":"x","t":null}"#, "s=null", r#"s={"count":null,"n":"z","t":null}"#]
    );
}

#[tokio::test]
async fn a_struct_of_which_no_field_is_left_keeps_its_nulls() {
    let lake = struct_file(struct_type(vec![column(8, "n", "int"), column(9, "t", "string")])).await;
    assert_eq!(lake.rows().await, [r#"s={"n":null,"t":null}"#, "s=null", r#"s={"n":null,"t":null}"#]);
}

#[tokio::test]
async fn a_column_that_became_another_kind_of_nest_makes_the_file_unreadable() {
    let lake = struct_file(list_type(2, json!("int"))).await;
    let fault = lake.open_fault().await;
    assert_eq!(fault.kind, FaultKind::Unreadable);
    assert!(fault.detail.starts_with("column s (id 1) is Struct("), "{}", fault.detail);
}

#[tokio::test]
async fn structs_in_lists_evolve_and_list_lengths_stay() {
    let element = |fields| list_type(2, struct_type(fields));
    let mut lake = Lake::new(vec![
        column(1, "l", element(vec![column(3, "a", "int"), column(4, "b", "int")])),
        column(5, "z", "int"),
    ]);
    let items = structs(
        vec![
            (field(3, "a", DataType::Int32), ints(vec![Some(1), Some(2), None])),
            (field(4, "b", DataType::Int32), ints(vec![Some(10), None, Some(30)])),
        ],
        None,
    );
    let inner = field(2, "element", items.data_type().clone());
    let list = ListArray::new(
        Arc::new(inner),
        OffsetBuffer::from_lengths([2, 0, 0, 1]),
        Arc::new(items),
        Some(NullBuffer::from(vec![true, true, false, true])),
    );
    let file = lake.write(
        "f.parquet",
        vec![
            (field(1, "l", list.data_type().clone()), Arc::new(list)),
            (field(5, "z", DataType::Int32), ints(vec![Some(1), Some(2), Some(3), Some(4)])),
        ],
    );
    lake.append(vec![file]).await;
    lake.evolve(vec![
        column(5, "z", "long"),
        column(1, "l", element(vec![column(4, "a", "long"), column(6, "c", "int"), column(3, "b", "int")])),
    ]);
    assert_eq!(
        lake.rows().await,
        [
            r#"z=1, l=[{"a":"10","b":"1","c":null},{"a":null,"b":"2","c":null}]"#,
            "z=2, l=[]",
            "z=3, l=null",
            r#"z=4, l=[{"a":"30","b":null,"c":null}]"#,
        ]
    );
    lake.evolve(vec![column(1, "l", element(vec![column(7, "new", "int")]))]);
    assert_eq!(lake.rows().await, [r#"l=[{"new":null},{"new":null}]"#, "l=[]", "l=null", r#"l=[{"new":null}]"#]);
    lake.evolve(vec![column(1, "l", list_type(9, struct_type(vec![column(3, "a", "int")])))]);
    assert_eq!(lake.open_fault().await.detail, "field element has id 9 in the table and another in the file");
}

#[tokio::test]
async fn map_values_are_promoted_and_evolve() {
    let mut lake = Lake::new(vec![column(1, "m", map_type(2, 3, json!("int")))]);
    let names = MapFieldNames { entry: "entries".into(), key: "k".into(), value: "v".into() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), Int32Builder::new())
        .with_keys_field(field(2, "k", DataType::Utf8).with_nullable(false))
        .with_values_field(field(3, "v", DataType::Int32));
    builder.keys().append_value("a");
    builder.values().append_value(1);
    builder.keys().append_value("b");
    builder.values().append_null();
    builder.append(true).unwrap();
    builder.append(true).unwrap();
    builder.append(false).unwrap();
    let map = builder.finish();
    let file = lake.write("f.parquet", vec![(field(1, "m", map.data_type().clone()), Arc::new(map))]);
    lake.append(vec![file]).await;
    let expected = [r#"m={"a":"1","b":null}"#, "m={}", "m=null"];
    assert_eq!(lake.rows().await, expected);
    lake.evolve(vec![column(1, "m", map_type(2, 3, json!("long")))]);
    assert_eq!(lake.rows().await, expected);
}

#[tokio::test]
async fn structs_as_map_values_evolve() {
    let value = |fields| map_type(2, 3, struct_type(fields));
    let mut lake = Lake::new(vec![column(1, "m", value(vec![column(4, "a", "int"), column(5, "b", "string")]))]);
    let values = structs(
        vec![
            (field(4, "a", DataType::Int32), ints(vec![Some(1), Some(2)])),
            (field(5, "b", DataType::Utf8), texts(vec![Some("x"), None])),
        ],
        None,
    );
    let keys = Field::new("key", DataType::Utf8, false).with_metadata(field(2, "", DataType::Null).metadata().clone());
    let entries = StructArray::new(
        Fields::from(vec![keys, field(3, "value", values.data_type().clone())]),
        vec![texts(vec![Some("k1"), Some("k2")]), Arc::new(values)],
        None,
    );
    let inner = Field::new("key_value", entries.data_type().clone(), false);
    let map = MapArray::new(Arc::new(inner), OffsetBuffer::from_lengths([1, 1]), entries, None, false);
    let file = lake.write("f.parquet", vec![(field(1, "m", map.data_type().clone()), Arc::new(map))]);
    lake.append(vec![file]).await;
    lake.evolve(vec![column(
        1,
        "m",
        value(vec![column(5, "a", "string"), column(7, "c", "long"), column(4, "b", "long")]),
    )]);
    assert_eq!(
        lake.rows().await,
        [r#"m={"k1":{"a":"x","b":"1","c":null}}"#, r#"m={"k2":{"a":null,"b":"2","c":null}}"#]
    );
}

#[tokio::test]
async fn nested_fields_without_ids_are_named_by_the_mapping() {
    let plain = |name: &str, ty| Field::new(name, ty, true);
    let mut lake = Lake::new(vec![
        column(1, "s", struct_type(vec![column(2, "n", "int")])),
        column(3, "l", list_type(4, json!("int"))),
    ]);
    let item = StructArray::new(Fields::from(vec![plain("old_n", DataType::Int32)]), vec![ints(vec![Some(7)])], None);
    let mut list = ListBuilder::new(Int32Builder::new()).with_field(plain("item", DataType::Int32));
    list.append_value([Some(1), None]);
    let list = list.finish();
    let file = lake.write(
        "f.parquet",
        vec![
            (plain("s", item.data_type().clone()), Arc::new(item)),
            (plain("l", list.data_type().clone()), Arc::new(list)),
        ],
    );
    lake.append(vec![file]).await;
    let mapping = json!([
        { "field-id": 1, "names": ["s"], "fields": [{ "field-id": 2, "names": ["n", "old_n"] }] },
        { "field-id": 3, "names": ["l"], "fields": [{ "field-id": 4, "names": ["element"] }] },
    ]);
    lake.metadata["properties"]["schema.name-mapping.default"] = json!(mapping.to_string());
    assert_eq!(lake.rows().await, [r#"s={"n":"7"}, l=["1",null]"#]);
}

#[tokio::test]
async fn a_struct_whose_fields_have_no_ids_beside_columns_that_have_makes_the_file_unreadable() {
    let mut lake = Lake::new(vec![column(1, "s", struct_type(vec![column(2, "n", "int")]))]);
    let inner = Fields::from(vec![Field::new("n", DataType::Int32, true)]);
    let array = StructArray::new(inner, vec![ints(vec![Some(7)])], None);
    let file = lake.write("f.parquet", vec![(field(1, "s", array.data_type().clone()), Arc::new(array))]);
    lake.append(vec![file]).await;
    assert_eq!(lake.open_fault().await.detail, "the file has no field ids in s");
}

#[tokio::test]
async fn a_null_where_the_table_forbids_it_is_read_as_null() {
    let mut required = column(2, "n", "int");
    required["required"] = json!(true);
    let mut top = column(5, "top", "long");
    top["required"] = json!(true);
    let mut lake = Lake::new(vec![column(1, "s", struct_type(vec![required])), top]);
    let array = structs(vec![(field(2, "n", DataType::Int32), ints(vec![None]))], None);
    let file = lake.write(
        "f.parquet",
        vec![
            (field(1, "s", array.data_type().clone()), Arc::new(array)),
            (field(5, "top", DataType::Int64), Arc::new(Int64Array::from(vec![None::<i64>]))),
        ],
    );
    lake.append(vec![file]).await;
    assert_eq!(lake.rows().await, [r#"s={"n":null}, top=null"#]);
}
