//! Structs, lists and maps: converted child by child, marks carried up to the row of the outermost column.
//!
//! Contract: struct fields are paired by name. A field that the message has not is NULL; one that the table has not makes the
//! row inexact where it is not NULL, since the column cannot hold it. A NULL inside a required field likewise.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, ListArray, MapArray, StringArray, StructArray, make_array, new_empty_array, new_null_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Fields};
use arrow_select::interleave::interleave;

use super::{Marks, convert_marked, refuse};
use crate::schema::{Field, Type};
use crate::value::Value;

/// Struct → struct or map of text keys, list → list, map → map.
pub(super) fn convert(array: &ArrayRef, from: &Type, to: &Type, marks: &mut Marks) -> ArrayRef {
    match (from, to) {
        (Type::Struct(sources), Type::Struct(targets)) => structs(array.as_struct(), sources, targets, marks),
        (Type::Struct(sources), Type::Map { key, value }) if key.ty == Type::String => {
            struct_to_map(array.as_struct(), sources, to, value, marks)
        }
        (Type::List(source), Type::List(target)) => lists(array.as_list::<i32>(), source, target, marks),
        (Type::Map { key: k, value: v }, Type::Map { key, value }) => {
            maps(array.as_map(), (k, v), to, (key, value), marks)
        }
        _ => refuse(array, from, to, marks),
    }
}

/// Converts one child; each of its marks is put on the row that `row_of` names, if any, with `step` before its text.
fn child(
    array: &ArrayRef,
    source: &Field,
    target: &Field,
    marks: &mut Marks,
    row_of: &dyn Fn(usize) -> Option<(usize, String)>,
) -> ArrayRef {
    let mut inner = Marks::default();
    let converted = convert_marked(array, &source.ty, &target.ty, &mut inner);
    let up =
        |(at, text): (usize, String)| row_of(at).map(|(row, step)| (row, joined(&step, &text, source.ty.is_scalar())));
    marks.rounded_to_double += inner.rounded_to_double;
    marks.inexact.extend(inner.inexact.into_iter().filter_map(up));
    marks.failed.extend(inner.failed.into_iter().filter_map(up));
    if !target.required || converted.null_count() == 0 {
        return converted;
    }
    let absent = (0..array.len()).filter(|&at| array.is_null(at)).filter_map(row_of);
    marks.inexact.extend(absent.map(|(row, step)| (row, format!("{step}: null"))));
    filled(&converted)
}

/// `p` and `1.9` → `p: 1.9`; `p` and `q: 1.9`, which came from deeper inside → `p.q: 1.9`; a list's `[3]` takes no dot.
fn joined(step: &str, text: &str, leaf: bool) -> String {
    match text {
        _ if leaf => format!("{step}: {text}"),
        _ if text.starts_with('[') => format!("{step}{text}"),
        _ => format!("{step}.{text}"),
    }
}

fn structs(array: &StructArray, sources: &[Field], targets: &[Field], marks: &mut Marks) -> ArrayRef {
    let present = |row: usize| array.is_valid(row);
    let mut columns = Vec::with_capacity(targets.len());
    for target in targets {
        let at_row = |row: usize| present(row).then(|| (row, target.name.clone()));
        columns.push(match sources.iter().position(|source| source.name == target.name) {
            Some(i) => child(array.column(i), &sources[i], target, marks, &at_row),
            None if target.required => {
                let absent = (0..array.len()).filter_map(at_row);
                marks.inexact.extend(absent.map(|(row, step)| (row, format!("{step}: null"))));
                filled(&new_null_array(&target.ty.to_arrow(), array.len()))
            }
            None => new_null_array(&target.ty.to_arrow(), array.len()),
        });
    }
    for (column, source) in array.columns().iter().zip(sources) {
        if targets.iter().any(|target| target.name == source.name) {
            continue;
        }
        let held = (0..array.len()).filter(|&row| present(row) && column.is_valid(row));
        let text = |row| format!("{}: {}", source.name, Value::from_arrow(column, row, &source.ty));
        marks.inexact.extend(held.map(|row| (row, text(row))));
    }
    let fields: Fields = targets.iter().map(Field::to_arrow).collect();
    let nulls = array.nulls().cloned();
    if targets.is_empty() {
        return Arc::new(StructArray::new_empty_fields(array.len(), nulls));
    }
    Arc::new(StructArray::new(fields, columns, nulls))
}

/// Each field that is not NULL is an entry, in the order of the fields: an absent field and a NULL one are the same.
fn struct_to_map(array: &StructArray, sources: &[Field], to: &Type, value: &Field, marks: &mut Marks) -> ArrayRef {
    // A NULL field makes no entry, so it must not be marked as a NULL in a required value.
    let optional = Field { required: false, ..value.clone() };
    let mut columns = Vec::with_capacity(sources.len());
    for (column, source) in array.columns().iter().zip(sources) {
        let at_row = |row: usize| array.is_valid(row).then(|| (row, source.name.clone()));
        let converted = child(column, source, &optional, marks, &at_row);
        columns.push(if value.required { filled(&converted) } else { converted });
    }
    let (mut keys, mut taken, mut ends) = (Vec::new(), Vec::new(), vec![0_i32]);
    for row in 0..array.len() {
        for (i, source) in sources.iter().enumerate() {
            if array.is_valid(row) && array.column(i).is_valid(row) {
                keys.push(source.name.as_str());
                taken.push((i, row));
            }
        }
        ends.push(i32::try_from(keys.len()).expect("a batch has fewer than 2^31 entries"));
    }
    let columns: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
    let values = match columns.is_empty() {
        true => new_empty_array(&value.ty.to_arrow()),
        false => interleave(&columns, &taken).expect("every column was converted to the map's value type"),
    };
    let keys = Arc::new(StringArray::from(keys));
    map_of(to, OffsetBuffer::new(ScalarBuffer::from(ends)), keys, values, array.nulls().cloned())
}

fn lists(array: &ListArray, source: &Field, target: &Field, marks: &mut Marks) -> ArrayRef {
    let (offsets, items) = compacted(array.offsets(), array.values());
    let at_item = |item: usize| row_holding(&offsets, array, item).map(|(row, at)| (row, format!("[{at}]")));
    let items = child(&items, source, target, marks, &at_item);
    Arc::new(ListArray::new(Arc::new(target.to_arrow()), offsets, items, array.nulls().cloned()))
}

fn maps(
    array: &MapArray,
    (k, v): (&Field, &Field),
    to: &Type,
    (key, value): (&Field, &Field),
    marks: &mut Marks,
) -> ArrayRef {
    let (offsets, keys) = compacted(array.offsets(), array.keys());
    let (_, values) = compacted(array.offsets(), array.values());
    let name = |entry: usize| Value::from_arrow(&keys, entry, &k.ty).to_string();
    let at_key = |entry: usize| row_holding(&offsets, array, entry).map(|(row, _)| (row, "key".to_owned()));
    let at_value = |entry: usize| row_holding(&offsets, array, entry).map(|(row, _)| (row, name(entry)));
    // A map's key is never NULL, whatever its field says.
    let required = Field { required: true, ..key.clone() };
    let new_keys = child(&keys, k, &required, marks, &at_key);
    let new_values = child(&values, v, value, marks, &at_value);
    map_of(to, offsets.clone(), new_keys, new_values, array.nulls().cloned())
}

fn map_of(
    to: &Type,
    offsets: OffsetBuffer<i32>,
    keys: ArrayRef,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    let DataType::Map(entries, sorted) = to.to_arrow() else { unreachable!("the Arrow type of a map is a map") };
    let DataType::Struct(fields) = entries.data_type().clone() else { unreachable!("map entries are a struct") };
    let pairs = StructArray::new(fields, vec![keys, values], None);
    Arc::new(MapArray::new(entries, offsets, pairs, nulls, sorted))
}

/// The items that a (perhaps sliced) list holds, and its offsets into them from 0.
fn compacted(offsets: &OffsetBuffer<i32>, items: &ArrayRef) -> (OffsetBuffer<i32>, ArrayRef) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let items = items.slice(first as usize, (last - first) as usize);
    let offsets =
        if first == 0 { offsets.clone() } else { OffsetBuffer::new(offsets.iter().map(|at| at - first).collect()) };
    (offsets, items)
}

/// The row whose list holds that item, and the item's place in it; none where the row is NULL.
fn row_holding(offsets: &OffsetBuffer<i32>, array: &dyn Array, item: usize) -> Option<(usize, usize)> {
    let row = offsets.partition_point(|&start| start as usize <= item).checked_sub(1)?;
    (row < array.len() && array.is_valid(row)).then(|| (row, item - offsets[row] as usize))
}

/// The array with a filler in place of each NULL, as a required field asks for; what is read there has been marked.
fn filled(array: &ArrayRef) -> ArrayRef {
    if let Some(structs) = array.as_struct_opt() {
        let (fields, columns, _) = structs.clone().into_parts();
        if fields.is_empty() {
            return Arc::new(StructArray::new_empty_fields(array.len(), None));
        }
        let fill = |(field, column): (&Arc<arrow_schema::Field>, ArrayRef)| {
            if field.is_nullable() { column } else { filled(&column) }
        };
        let columns = fields.iter().zip(columns).map(fill).collect();
        return Arc::new(StructArray::new(fields, columns, None));
    }
    let data = array.to_data().into_builder().nulls(None).build();
    make_array(data.expect("buffers that were valid with NULLs are valid without"))
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;
    use arrow_array::builder::{MapBuilder, StringBuilder};

    use super::*;
    use crate::convert::convert;
    use crate::convert::tests::{longs, shown, texts, ty};

    fn people(ages: Vec<Option<i64>>, names: Vec<Option<&str>>, nulls: Vec<bool>) -> (ArrayRef, Type) {
        let ty =
            Type::Struct(vec![Field::new(1, "age", false, Type::Long), Field::new(2, "born", false, Type::String)]);
        let arrow_schema::DataType::Struct(fields) = ty.to_arrow() else { panic!("a struct") };
        let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(ages)), Arc::new(StringArray::from(names))];
        (Arc::new(StructArray::new(fields, columns, Some(NullBuffer::from(nulls)))), ty)
    }

    #[test]
    fn structs_pair_their_fields_by_name_and_marks_name_the_path() {
        let (array, from) = people(
            vec![Some(7), Some(1 << 40), None, Some(1 << 50)],
            vec![Some("2024-08-08"), Some("soon"), None, None],
            vec![true, true, true, false],
        );
        let to = Type::Struct(vec![
            Field::new(5, "born", false, Type::Date),
            Field::new(6, "age", false, Type::Int),
            Field::new(7, "late", false, Type::String),
        ]);
        let converted = convert(&array, &from, &to);
        let wanted = [
            r#"{"age":"7","born":"2024-08-08","late":null}"#,
            r#"{"age":null,"born":null,"late":null}"#,
            r#"{"age":null,"born":null,"late":null}"#,
            "null",
        ];
        assert_eq!(texts(&converted.array, &to), wanted);
        // The failure wins: that message cannot be judged.
        assert_eq!(converted.failed, [(1, "born: \"soon\" is not a date".to_owned())]);
        assert!(converted.inexact.is_empty(), "{:?}", converted.inexact);
    }

    #[test]
    fn a_field_that_the_table_has_not_makes_the_row_inexact_where_it_holds_something() {
        let (array, from) =
            people(vec![Some(7), Some(8), Some(9)], vec![Some("x"), None, Some("y")], vec![true, true, false]);
        let to = Type::Struct(vec![Field::new(6, "age", false, Type::Long)]);
        let converted = convert(&array, &from, &to);
        assert_eq!(converted.inexact, [(0, "born: x".to_owned())]);
        assert_eq!(texts(&converted.array, &to), [r#"{"age":"7"}"#, r#"{"age":"8"}"#, "null"]);
    }

    #[test]
    fn null_in_a_required_field_is_a_mark_and_not_a_panic() {
        let (array, from) = people(vec![Some(7), None, None], vec![None; 3], vec![true, true, false]);
        let to =
            Type::Struct(vec![Field::new(6, "age", true, Type::Int), Field::new(7, "id", true, ty("struct<a: int>"))]);
        let converted = convert(&array, &from, &to);
        assert_eq!(converted.inexact, [(0, "id: null".to_owned()), (1, "age: null, id: null".to_owned())]);
        assert_eq!(*converted.array.data_type(), to.to_arrow());
    }

    #[test]
    fn a_struct_becomes_a_map_of_the_fields_that_hold_something() {
        let (array, from) =
            people(vec![Some(7), None, Some(9)], vec![Some("x"), None, Some("y")], vec![true, true, false]);
        let Type::Struct(mut fields) = from.clone() else { panic!("a struct") };
        fields[0].ty = Type::String;
        let text_ages: ArrayRef = Arc::new(StringArray::from(vec![Some("7"), None, Some("9")]));
        let text_fields = StructArray::from(vec![
            (Arc::new(fields[0].to_arrow()), text_ages),
            (
                Arc::new(fields[1].to_arrow()),
                array.as_any().downcast_ref::<StructArray>().expect("a struct").column(1).clone(),
            ),
        ]);
        let from = Type::Struct(fields);
        let to = ty("map<string, string>");
        let converted = convert(&(Arc::new(text_fields) as ArrayRef), &from, &to);
        assert_eq!(texts(&converted.array, &to), [r#"{"age":"7","born":"x"}"#, "{}", r#"{"age":"9","born":"y"}"#]);
        let Type::Map { key, value } = ty("map<string, date>") else { panic!("a map") };
        let required = Type::Map { key, value: Box::new(Field { required: true, ..*value }) };
        let (array, from) = people(vec![None], vec![Some("2024-08-08")], vec![true]);
        let converted = convert(
            &array,
            &Type::Struct(vec![Field::new(1, "age", false, Type::Long), Field::new(2, "born", false, Type::String)]),
            &required,
        );
        assert_eq!(from.to_string(), "struct<age: long, born: string>");
        assert_eq!(texts(&converted.array, &required), [r#"{"born":"2024-08-08"}"#]);
        assert!(converted.failed.is_empty() && converted.inexact.is_empty());
    }

    #[test]
    fn list_elements_carry_their_marks_to_the_row() {
        let array: ArrayRef = Arc::new(longs(&[Some(&[1, 2]), None, Some(&[]), Some(&[3, 1 << 40]), Some(&[1 << 41])]));
        assert_eq!(
            shown(&array, "list<long>", "list<int>"),
            ["[1,2]", "null", "[]", "~[1]: 1099511627776", "~[0]: 2199023255552"]
                .map(|s| s.replace("[1,2]", r#"["1","2"]"#))
        );
        let sliced = array.slice(3, 2);
        assert_eq!(shown(&sliced, "list<long>", "list<int>"), ["~[1]: 1099511627776", "~[0]: 2199023255552"]);
        let Type::List(element) = ty("list<int>") else { panic!("a list") };
        let required = Type::List(Box::new(Field { required: true, ..*element }));
        let converted = convert(&array, &ty("list<long>"), &required);
        assert_eq!(converted.inexact.len(), 2);
        assert_eq!(*converted.array.data_type(), required.to_arrow());
    }

    #[test]
    fn map_entries_carry_their_marks_to_the_row() {
        let mut built = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for (row, entries) in [vec![("a", "1"), ("b", "1.5")], vec![], vec![("c", "x")]].into_iter().enumerate() {
            for (key, value) in entries {
                built.keys().append_value(key);
                built.values().append_value(value);
            }
            built.append(row != 1).expect("keys and values are of one length");
        }
        let (_, offsets, entries, nulls, _) = built.finish().into_parts();
        let from = ty("map<string, string>");
        let arrow_schema::DataType::Map(field, _) = from.to_arrow() else { panic!("a map") };
        let arrow_schema::DataType::Struct(fields) = field.data_type().clone() else { panic!("entries") };
        let entries = StructArray::new(fields, entries.columns().to_vec(), None);
        let array: ArrayRef = Arc::new(MapArray::new(field, offsets, entries, nulls, false));
        assert_eq!(
            shown(&array, "map<string, string>", "map<string, int>"),
            ["~b: 1.5", "null", "!c: \"x\" is not an int"]
        );
        assert_eq!(shown(&array, "map<string, string>", "map<binary, string>")[0], r#"{"YQ==":"1","Yg==":"1.5"}"#);
        assert_eq!(shown(&array, "map<string, string>", "map<int, string>")[2], "!key: \"c\" is not an int");
    }

    #[test]
    fn deeper_marks_join_their_steps() {
        let inner: ArrayRef = Arc::new(longs(&[Some(&[1 << 40])]));
        let from = ty("struct<b: list<long>>");
        let arrow_schema::DataType::Struct(fields) = from.to_arrow() else { panic!("a struct") };
        let array: ArrayRef = Arc::new(StructArray::new(fields, vec![inner], None));
        assert_eq!(shown(&array, "struct<b: list<long>>", "struct<b: list<int>>"), ["~b[0]: 1099511627776"]);
    }
}
