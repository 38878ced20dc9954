//! A column of a Parquet file brought to the one Arrow type of its field's type; a column that has it already is not touched.
//!
//! Contract: nothing is rounded. A value that the type cannot hold is NULL and a mark with its text, of its row alone.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float16Type, Int8Type, Int16Type, Time32MillisecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, Decimal128Array, Float32Array, Int32Array, Int64Array, ListArray, MapArray,
    PrimitiveArray, StructArray, Time64MicrosecondArray, TimestampMicrosecondArray, new_null_array,
};
use arrow_schema::{DataType, TimeUnit};
use validator_core::schema::{Field, Type, UTC};

/// A value that its type cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    /// The row of the column.
    pub(super) row: usize,
    /// Where in a nested value, `p.q` or `[3].p`; empty for the value itself.
    pub(super) path: String,
    /// The value's text.
    pub(super) text: String,
}

impl Lost {
    /// The text as marks have it.
    pub(super) fn into_mark(self) -> (usize, String) {
        let text = if self.path.is_empty() { self.text } else { format!("{}: {}", self.path, self.text) };
        (self.row, text)
    }

    /// The same value, seen from the row that holds it.
    fn within(self, row: usize, step: &str) -> Self {
        let path = match self.path.as_str() {
            "" => step.to_owned(),
            inner if inner.starts_with('[') => format!("{step}{inner}"),
            inner => format!("{step}.{inner}"),
        };
        Self { row, path, text: self.text }
    }
}

/// The column as an array of exactly `ty`'s Arrow type.
pub(super) fn conform(array: &ArrayRef, ty: &Type, lost: &mut Vec<Lost>) -> ArrayRef {
    use DataType as D;
    use TimeUnit::{Microsecond, Millisecond, Nanosecond};
    let to = ty.to_arrow();
    if *array.data_type() == to {
        return Arc::clone(array);
    }
    match (array.data_type(), ty) {
        (D::Struct(_), Type::Struct(fields)) => structs(array.as_struct(), fields, to, lost),
        (D::List(_), Type::List(element)) => lists(array.as_list(), element, lost),
        (D::Map(..), Type::Map { key, value }) => maps(array.as_map(), key, value, to, lost),
        (D::Int8, _) => Arc::new(array.as_primitive::<Int8Type>().unary::<_, arrow_array::types::Int32Type>(i32::from)),
        (D::Int16, _) => Arc::new(ints(array.as_primitive::<Int16Type>(), i32::from)),
        (D::UInt8, _) => Arc::new(ints(array.as_primitive::<UInt8Type>(), i32::from)),
        (D::UInt16, _) => Arc::new(ints(array.as_primitive::<UInt16Type>(), i32::from)),
        (D::UInt32, _) => {
            let longs: Int64Array = array.as_primitive::<UInt32Type>().unary(i64::from);
            Arc::new(longs)
        }
        (D::UInt64, _) => {
            let wide: Decimal128Array = array.as_primitive::<UInt64Type>().unary(i128::from);
            Arc::new(wide.with_data_type(to))
        }
        (D::Decimal128(..), _) => Arc::new(array.as_primitive::<Decimal128Type>().clone().with_data_type(to)),
        (D::Float16, _) => {
            let floats: Float32Array = array.as_primitive::<Float16Type>().unary(|value| value.to_f32());
            Arc::new(floats)
        }
        (D::Time32(Millisecond), _) => {
            let micros: Time64MicrosecondArray =
                array.as_primitive::<Time32MillisecondType>().unary(|ms| i64::from(ms) * 1_000);
            Arc::new(micros)
        }
        (D::Time64(Nanosecond), _) => {
            let exact = |nanos: i64| (nanos % 1_000 == 0).then_some(nanos / 1_000);
            let text = |nanos: i64| format!("{nanos} ns after midnight");
            let micros: Time64MicrosecondArray =
                marked(array.as_primitive::<Time64NanosecondType>(), exact, text, lost);
            Arc::new(micros)
        }
        (D::Timestamp(Millisecond, _), _) => {
            let exact = |ms: i64| ms.checked_mul(1_000);
            let text = |ms: i64| format!("{ms} ms after the epoch");
            let micros: TimestampMicrosecondArray =
                marked(array.as_primitive::<TimestampMillisecondType>(), exact, text, lost);
            Arc::new(micros.with_data_type(to))
        }
        (D::Timestamp(Microsecond, _), Type::Timestamptz) => {
            Arc::new(array.as_primitive::<TimestampMicrosecondType>().clone().with_timezone(UTC))
        }
        (D::Timestamp(Nanosecond, _), Type::TimestamptzNs) => {
            Arc::new(array.as_primitive::<TimestampNanosecondType>().clone().with_timezone(UTC))
        }
        (other, ty) => unreachable!("a column of {other} was given the type {ty}"),
    }
}

fn ints<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, to: impl Fn(T::Native) -> i32) -> Int32Array {
    array.unary(to)
}

/// Value by value; those that have no exact one are marked.
fn marked<T, U>(
    array: &PrimitiveArray<T>,
    exact: impl Fn(T::Native) -> Option<U::Native>,
    text: impl Fn(T::Native) -> String,
    lost: &mut Vec<Lost>,
) -> PrimitiveArray<U>
where
    T: ArrowPrimitiveType,
    U: ArrowPrimitiveType,
{
    let values = array.iter().enumerate().map(|(row, value)| {
        let value = value?;
        let found = exact(value);
        if found.is_none() {
            lost.push(Lost { row, path: String::new(), text: text(value) });
        }
        found
    });
    values.collect::<Vec<_>>().into_iter().collect()
}

fn structs(array: &StructArray, fields: &[Field], to: DataType, lost: &mut Vec<Lost>) -> ArrayRef {
    let DataType::Struct(arrow) = to else { unreachable!("a struct is a struct") };
    let child = |field: &Field| {
        let Some(child) = array.column_by_name(&field.name) else {
            return new_null_array(&field.ty.to_arrow(), array.len());
        };
        let mut inner = Vec::new();
        let conformed = conform(child, &field.ty, &mut inner);
        let inner = inner.into_iter().filter(|lost| array.is_valid(lost.row));
        lost.extend(inner.map(|lost| {
            let row = lost.row;
            lost.within(row, &field.name)
        }));
        conformed
    };
    let children: Vec<ArrayRef> = fields.iter().map(child).collect();
    let nulls = array.nulls().cloned();
    Arc::new(match children.is_empty() {
        true => StructArray::new_empty_fields(array.len(), nulls),
        false => StructArray::new(arrow, children, nulls),
    })
}

fn lists(array: &ListArray, element: &Field, lost: &mut Vec<Lost>) -> ArrayRef {
    let mut inner = Vec::new();
    let values = conform(array.values(), &element.ty, &mut inner);
    for one in inner {
        if let Some((row, first)) = holder(array.value_offsets(), one.row, |row| array.is_valid(row)) {
            let step = format!("[{}]", one.row - first);
            lost.push(one.within(row, &step));
        }
    }
    let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
    Arc::new(ListArray::new(Arc::new(element.to_arrow()), offsets, values, nulls))
}

fn maps(array: &MapArray, key: &Field, value: &Field, to: DataType, lost: &mut Vec<Lost>) -> ArrayRef {
    let DataType::Map(entries, _) = to else { unreachable!("a map is a map") };
    let DataType::Struct(pair) = entries.data_type() else { unreachable!("entries are structs") };
    let mut inner = Vec::new();
    let keys = conform(array.keys(), &key.ty, &mut inner);
    let values = conform(array.values(), &value.ty, &mut inner);
    for one in inner {
        if let Some((row, first)) = holder(array.value_offsets(), one.row, |row| array.is_valid(row)) {
            let step = format!("entry {}", one.row - first);
            lost.push(one.within(row, &step));
        }
    }
    // A key that its type cannot hold has no NULL to be: the row is marked, the filler means nothing.
    let keys = match keys.null_count() {
        0 => keys,
        _ => arrow_array::make_array(
            keys.to_data().into_builder().nulls(None).build().expect("only the validity has changed"),
        ),
    };
    let pairs = StructArray::new(pair.clone(), vec![keys, values], None);
    let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
    Arc::new(MapArray::new(Arc::clone(&entries), offsets, pairs, nulls, false))
}

/// The row whose list holds the element of that index, and the index of its first; none where no row shows it.
fn holder(offsets: &[i32], element: usize, is_valid: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
    let element = i32::try_from(element).ok()?;
    let row = offsets.partition_point(|offset| *offset <= element).checked_sub(1)?;
    let shown = row + 1 < offsets.len() && is_valid(row);
    shown.then(|| (row, offsets[row] as usize))
}
