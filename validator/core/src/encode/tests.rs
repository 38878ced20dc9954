//! Test only: the laws of the encoding, over random rows of random types, and its refusals.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BinaryArray, Int32Array, Int64Array, StringArray};
use arrow_schema::DataType;
use proptest::prelude::*;
use proptest::strategy::Union;
use serde_json::{Value as Json, json};

use super::canon::{Canon, Reader, canon_entries, read};
use super::literal::array;
use super::{Arena, Domain, EncodeError, RowEncoder, inexact_bytes};
use crate::limits::TILE_ROWS;
use crate::schema::{Field, Type};

fn ty() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        Just(Type::Boolean),
        Just(Type::Int),
        Just(Type::Long),
        Just(Type::Double),
        (1u8..=38)
            .prop_flat_map(|precision| (Just(precision), 0..=precision))
            .prop_map(|(precision, scale)| Type::Decimal { precision, scale }),
        Just(Type::Date),
        Just(Type::Time),
        Just(Type::Timestamp),
        Just(Type::TimestamptzNs),
        Just(Type::String),
        Just(Type::Uuid),
        (0u32..20).prop_map(Type::Fixed),
        Just(Type::Binary),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let part = |name: &'static str| inner.clone().prop_map(move |ty| Box::new(Field::new(0, name, false, ty)));
        prop_oneof![
            fields(inner.clone(), 0..4).prop_map(Type::Struct),
            part("element").prop_map(Type::List),
            (part("key"), part("value")).prop_map(|(key, value)| Type::Map { key, value }),
        ]
    })
}

/// Fields of distinct ids, small and large, in any order.
fn fields(ty: impl Strategy<Value = Type>, count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Field>> {
    let id = prop_oneof![0..5, 120..135, 16_380..16_390, Just(i32::MAX)];
    prop::collection::vec((id, ty), count).prop_map(|mut fields| {
        let mut seen = std::collections::BTreeSet::new();
        fields.retain(|(id, _)| seen.insert(*id));
        fields.into_iter().map(|(id, ty)| Field::new(id, format!("f{id}"), false, ty)).collect()
    })
}

fn value(ty: &Type) -> BoxedStrategy<Json> {
    let to_hex = |bytes: Vec<u8>| Json::from(bytes.iter().map(|b| format!("{b:02x}")).collect::<String>());
    let present = match ty {
        Type::Boolean => any::<bool>().prop_map(Json::from).boxed(),
        Type::Int | Type::Date => any::<i32>().prop_map(Json::from).boxed(),
        Type::Double => any::<u64>().prop_map(|bits| Json::from(format!("0x{bits:016x}"))).boxed(),
        Type::Decimal { precision, scale } => {
            let (limit, scale) = (10i128.pow(u32::from(*precision)), i32::from(*scale));
            (any::<i128>(), 0u32..38)
                .prop_map(move |(n, zeros)| decimal(n % limit / 10i128.pow(zeros) * 10i128.pow(zeros), scale))
                .boxed()
        }
        Type::String => "(\\PC|[a\\x00 ]){0,40}".prop_map(Json::from).boxed(),
        Type::Uuid => prop::collection::vec(any::<u8>(), 16).prop_map(to_hex).boxed(),
        Type::Fixed(width) => prop::collection::vec(any::<u8>(), *width as usize).prop_map(to_hex).boxed(),
        Type::Binary => prop::collection::vec(any::<u8>(), 0..20).prop_map(to_hex).boxed(),
        Type::Struct(fields) => {
            let values: Vec<_> = fields.iter().map(|field| value(&field.ty)).collect();
            let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
            values.prop_map(move |values| names.iter().cloned().zip(values).collect::<Json>()).boxed()
        }
        Type::List(element) => prop::collection::vec(value(&element.ty), 0..4).prop_map(Json::from).boxed(),
        Type::Map { key, value: to } => {
            let key = value(&key.ty).prop_filter("keys are not NULL", |key| !key.is_null());
            let pair = (key, value(&to.ty)).prop_map(|(key, value)| json!([key, value]));
            prop::collection::vec(pair, 0..4).prop_map(Json::from).boxed()
        }
        // Long, time and timestamps.
        _ => any::<i64>().prop_map(Json::from).boxed(),
    };
    Union::new_weighted(vec![(1, Just(Json::Null).boxed()), (4, present)]).boxed()
}

fn decimal(unscaled: i128, scale: i32) -> Json {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    Json::from(format!("{}{whole}{}{fraction}", if unscaled < 0 { "-" } else { "" }, if scale > 0 { "." } else { "" }))
}

/// Random fields and rows of them.
fn table() -> impl Strategy<Value = (Vec<Field>, Vec<Vec<Json>>)> {
    fields(ty(), 0..6).prop_flat_map(|fields| {
        let row = fields.iter().map(|field| value(&field.ty)).collect::<Vec<_>>();
        (Just(fields), prop::collection::vec(row, 0..12))
    })
}

fn arrays(fields: &[Field], rows: &[Vec<Json>]) -> Vec<ArrayRef> {
    let column = |i: usize| array(&fields[i].ty, &rows.iter().map(|row| &row[i]).collect::<Vec<_>>());
    (0..fields.len()).map(column).collect()
}

fn encode(fields: &[Field], rows: usize, columns: &[ArrayRef]) -> Vec<Vec<u8>> {
    let mut arena = Arena::new();
    let encoder = RowEncoder::new(Domain::Row, fields).expect("ids are sound");
    encoder.encode(rows, columns, None, &mut arena).expect("columns have their types");
    bytes(&arena)
}

fn bytes(arena: &Arena) -> Vec<Vec<u8>> {
    for row in 0..arena.len() {
        let (padded, len) = (arena.padded(row), arena.row(row).len());
        assert_eq!(padded.len(), len.next_multiple_of(64));
        assert_eq!(padded[..len], *arena.row(row));
        assert!(padded[len..].iter().all(|byte| *byte == 0), "padding is zeros");
    }
    (0..arena.len()).map(|row| arena.row(row).to_vec()).collect()
}

proptest! {
    /// Whatever is read back is what was meant: so no two different rows have the same bytes, however their parts
    /// are put together, and equal ones have no two encodings.
    #[test]
    fn bytes_say_what_the_row_means_and_nothing_else((fields, rows) in table()) {
        let encoded = encode(&fields, rows.len(), &arrays(&fields, &rows));
        for (row, bytes) in rows.iter().zip(&encoded) {
            let place = |field: &Field| fields.iter().position(|f| f.id == field.id).expect("a field");
            prop_assert_eq!(read(bytes), canon_entries(&fields, |field| &row[place(field)]));
        }
    }

    #[test]
    fn a_row_has_the_same_bytes_in_any_batch((fields, rows) in table(), cut in any::<prop::sample::Index>()) {
        let columns = arrays(&fields, &rows);
        let all = encode(&fields, rows.len(), &columns);
        let start = cut.index(rows.len() + 1);
        let sliced: Vec<ArrayRef> = columns.iter().map(|c| c.slice(start, rows.len() - start)).collect();
        prop_assert_eq!(&encode(&fields, rows.len() - start, &sliced)[..], &all[start..]);
        for (row, bytes) in rows.iter().zip(&all) {
            let alone = encode(&fields, 1, &arrays(&fields, std::slice::from_ref(row)));
            prop_assert_eq!(&alone[0], bytes);
        }
    }

    #[test]
    fn the_order_of_columns_means_nothing((fields, rows) in table(), by in any::<prop::sample::Index>()) {
        let mut columns = arrays(&fields, &rows);
        let all = encode(&fields, rows.len(), &columns);
        let by = by.index(fields.len().max(1));
        let mut turned = fields.clone();
        turned.rotate_left(by);
        columns.rotate_left(by);
        prop_assert_eq!(encode(&turned, rows.len(), &columns), all);
    }

    #[test]
    fn an_added_optional_column_changes_nothing((fields, rows) in table(), added in ty()) {
        let mut columns = arrays(&fields, &rows);
        let all = encode(&fields, rows.len(), &columns);
        let mut wider = vec![Field::new(77, "added", false, added.clone())];
        wider.extend(fields);
        columns.insert(0, array(&added, &vec![&Json::Null; rows.len()]));
        prop_assert_eq!(encode(&wider, rows.len(), &columns), all);
    }

    #[test]
    fn a_used_arena_leaves_no_trace((fields, rows) in table(), (before, old) in table()) {
        let columns = arrays(&fields, &rows);
        let mut arena = Arena::new();
        let old_encoder = RowEncoder::new(Domain::Rest, &before).expect("ids are sound");
        old_encoder.encode(old.len(), &arrays(&before, &old), None, &mut arena).expect("columns have their types");
        let kept = bytes(&arena);
        let encoder = RowEncoder::new(Domain::Row, &fields).expect("ids are sound");
        encoder.encode(rows.len(), &columns, None, &mut arena).expect("columns have their types");
        let fresh = encode(&fields, rows.len(), &columns);
        prop_assert_eq!(bytes(&arena), [kept, fresh.clone()].concat());
        arena.clear();
        encoder.encode(rows.len(), &columns, None, &mut arena).expect("columns have their types");
        prop_assert_eq!(bytes(&arena), fresh);
    }

    #[test]
    fn integral_decimals_equal_ints_and_longs(n in any::<i32>(), scale in 0u8..=28) {
        let fields = |ty| [Field::new(1, "n", false, ty)];
        let row = |ty: Type, value: Json| encode(&fields(ty.clone()), 1, &[array(&ty, &[&value])]);
        let int = row(Type::Int, n.into());
        prop_assert_eq!(&row(Type::Long, n.into()), &int);
        prop_assert_eq!(&row(Type::Decimal { precision: 38, scale }, n.to_string().into()), &int);
    }

    #[test]
    fn decimals_equal_whatever_their_scale(n in -999_999_999i128..=999_999_999, scale in 0u8..=9, more in 0u8..=20) {
        let row = |precision, scale: u8, n: i128| {
            let ty = Type::Decimal { precision, scale };
            encode(&[Field::new(1, "n", false, ty.clone())], 1, &[array(&ty, &[&decimal(n, scale.into())])])
        };
        prop_assert_eq!(row(9, scale, n), row(38, scale + more, n * 10i128.pow(more.into())));
    }

    #[test]
    fn an_instant_has_one_form_in_us_and_ns(us in i64::MIN / 1000..=i64::MAX / 1000) {
        let row = |ty: Type, n: i64| encode(&[Field::new(1, "t", false, ty.clone())], 1, &[array(&ty, &[&n.into()])]);
        prop_assert_eq!(row(Type::Timestamp, us), row(Type::TimestampNs, us * 1000));
        prop_assert_eq!(row(Type::Timestamptz, us), row(Type::TimestamptzNs, us * 1000));
        prop_assert_ne!(row(Type::Timestamp, us), row(Type::Timestamptz, us));
    }

    #[test]
    fn a_float_has_the_form_of_its_double(bits in any::<u32>()) {
        let field = |ty: &Type| [Field::new(1, "x", false, ty.clone())];
        let row = |ty: Type, text: String| encode(&field(&ty), 1, &[array(&ty, &[&text.into()])]);
        let wide = f64::from(f32::from_bits(bits)).to_bits();
        prop_assert_eq!(row(Type::Float, format!("0x{bits:08x}")), row(Type::Double, format!("0x{wide:016x}")));
    }
}

#[test]
fn rows_beyond_a_tile_are_encoded_like_the_first() {
    let count = 2 * TILE_ROWS + 300;
    let numbers: Int64Array = (0..count as i64).map(|n| (n % 3 != 0).then_some(n % 7 * 1000)).collect();
    let texts: StringArray = (0..count).map(|n| (n % 5 != 0).then(|| "x".repeat(n % 7 * 30))).collect();
    let fields = [Field::new(4, "n", false, Type::Long), Field::new(2, "t", false, Type::String)];
    let all = encode(&fields, count, &[Arc::new(numbers), Arc::new(texts)]);
    // 3 * 5 * 7: rows repeat.
    assert_eq!(all[..count - 105], all[105..]);
    let expected = vec![(2, Canon::Text("x".repeat(30 * (1199 % 7)))), (4, Canon::Number(0, 1199 % 7 * 1000))];
    assert_eq!(read(&all[1199]), expected);
}

#[test]
fn rows_without_columns_are_rows() {
    assert_eq!(encode(&[], 3, &[]), vec![vec![1, 1, 0]; 3]);
    assert_eq!(encode(&[], 0, &[]), Vec::<Vec<u8>>::new());
}

#[test]
fn the_same_columns_in_another_domain_have_other_bytes() {
    let fields = [Field::new(1, "n", true, Type::Int)];
    let columns: [ArrayRef; 1] = [Arc::new(Int32Array::from(vec![5]))];
    let rows = [Domain::Row, Domain::Identity, Domain::Rest].map(|domain| {
        let mut arena = Arena::new();
        let encoder = RowEncoder::new(domain, &fields).expect("ids are sound");
        assert_eq!(encoder.domain(), domain);
        encoder.encode(1, &columns, None, &mut arena).expect("columns have their types");
        arena.row(0).to_vec()
    });
    assert_eq!(rows.map(|row| (row[1], row[2..].to_vec())), [1, 2, 3].map(|d| (d, vec![2, 3, 0, 1, 5, 0])));
}

#[test]
fn an_inexact_row_equals_no_row_of_a_table() {
    let fields = [Field::new(1, "n", false, Type::Int), Field::new(i32::MAX, "last", false, Type::Binary)];
    let columns: [ArrayRef; 2] =
        [Arc::new(Int32Array::from(vec![None, None, Some(1)])), Arc::new(BinaryArray::from(vec![None, None, None]))];
    let mark = inexact_bytes([(1, "1.9")]);
    let marks = BinaryArray::from_opt_vec(vec![Some(&mark), None, None]);
    let mut arena = Arena::new();
    let encoder = RowEncoder::new(Domain::Row, &fields).expect("ids are sound");
    encoder.encode(3, &columns, Some(&marks), &mut arena).expect("columns have their types");
    let with = bytes(&arena);
    assert_eq!(with[1..], encode(&fields, 3, &columns)[1..]);
    // Where a field id stands, a number that is no id: no row of a table can be read so.
    let mut reader = Reader(&with[0][2..]);
    assert_eq!(reader.id(), Some(u32::MAX - 1));
    assert_eq!(reader.sized(), mark);
    assert_eq!(reader.0, [0]);
}

#[test]
fn inexact_values_are_in_the_order_of_their_fields() {
    let bytes = inexact_bytes([(2, "b"), (1, "1.9"), (2, "a")]);
    assert_eq!(bytes, b"\x01\0\0\0\x03\0\0\x001.9\x02\0\0\0\x01\0\0\0b\x02\0\0\0\x01\0\0\0a");
}

#[test]
fn fields_that_cannot_be_told_apart_are_refused() {
    let inner = |id| Type::Struct(vec![Field::new(3, "a", false, Type::Int), Field::new(id, "b", false, Type::Int)]);
    let new = |id, ty| {
        let fields = [Field::new(1, "x", false, Type::Int), Field::new(id, "y", false, ty)];
        RowEncoder::new(Domain::Row, &fields).map(|encoder| encoder.domain())
    };
    assert_eq!(new(3, inner(4)), Ok(Domain::Row));
    assert_eq!(new(1, Type::Int), Err(EncodeError::SharedFieldId { path: "y".into(), id: 1 }));
    assert_eq!(new(2, inner(3)), Err(EncodeError::SharedFieldId { path: "y.b".into(), id: 3 }));
    let list = Type::List(Box::new(Field::new(9, "element", false, inner(-4))));
    assert_eq!(new(2, list), Err(EncodeError::FieldId { path: "y.element.b".into(), id: -4 }));
}

#[test]
fn columns_that_do_not_fit_are_refused_and_leave_the_arena_alone() {
    let pair = |a: &str| Type::Struct(vec![Field::new(7, a, false, Type::Long), Field::new(8, "b", false, Type::Long)]);
    let fields = [Field::new(1, "n", false, Type::Int), Field::new(2, "p", false, pair("a"))];
    let encoder = RowEncoder::new(Domain::Row, &fields).expect("ids are sound");
    let ints: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let pairs = array(&pair("a"), &[&json!({}), &Json::Null]);
    let mut arena = Arena::new();
    let mut encode = |rows, columns: &[ArrayRef], marks| encoder.encode(rows, columns, marks, &mut arena);

    assert_eq!(encode(2, std::slice::from_ref(&ints), None), Err(EncodeError::ColumnCount { fields: 2, columns: 1 }));
    let short = Err(EncodeError::RowCount { path: "p".into(), expected: 2, actual: 1 });
    assert_eq!(encode(2, &[ints.clone(), pairs.slice(0, 1)], None), short);
    let marks = BinaryArray::from_iter_values([b"x"]);
    let unmarked = Err(EncodeError::RowCount { path: "_inexact".into(), expected: 2, actual: 1 });
    assert_eq!(encode(2, &[ints.clone(), pairs.clone()], Some(&marks)), unmarked);
    let long: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let (expected, actual) = (Box::new(DataType::Int32), Box::new(DataType::Int64));
    assert_eq!(
        encode(2, &[long, pairs.clone()], None),
        Err(EncodeError::ColumnType { path: "n".into(), expected, actual })
    );
    let renamed = array(&pair("b"), &[&Json::Null, &Json::Null]);
    assert!(matches!(encode(2, &[ints.clone(), renamed], None), Err(EncodeError::ColumnType { .. })));
    assert!(arena.is_empty());

    encoder.encode(2, &[ints, pairs], None, &mut arena).expect("columns have their types");
    assert_eq!(arena.len(), 2);
}

#[test]
fn what_changes_no_value_is_not_asked_of_a_type() {
    let zoned = |zone: &str| {
        let array = arrow_array::TimestampMicrosecondArray::from(vec![5]).with_timezone(zone);
        encode(&[Field::new(1, "t", true, Type::Timestamptz)], 1, &[Arc::new(array)])
    };
    assert_eq!(zoned("UTC"), zoned("+00:00"));
    let element = Arc::new(arrow_schema::Field::new("item", DataType::Int32, true));
    let list = |element| {
        let offsets = arrow_buffer::OffsetBuffer::from_lengths([2]);
        let list = arrow_array::ListArray::new(element, offsets, Arc::new(Int32Array::from(vec![1, 2])), None);
        let ty = Type::List(Box::new(Field::new(2, "element", true, Type::Int)));
        encode(&[Field::new(1, "l", true, ty)], 1, &[Arc::new(list)])
    };
    assert_eq!(list(element), list(Arc::new(Field::new(2, "element", true, Type::Int).to_arrow())));
}
