//! Canonical forms of whole columns: the array that is digested, and which rows it changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, StructArray, make_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::DataType;

use super::Tolerance;
use crate::schema::Type;

/// A column in canonical form.
#[derive(Debug, Clone)]
pub struct Changed {
    /// As long as the column, of the same type but for what may be NULL.
    pub array: ArrayRef,
    /// Rows whose value was another before, ascending.
    pub rows: Vec<usize>,
}

/// The canonical form of the leaf at `path` (children of structs, from the column on) of a column.
///
/// # Panics
/// When the path leads to no struct's child, or the tolerance does not fit the type there: the binding has seen to both.
pub fn canonical(array: &ArrayRef, ty: &Type, path: &[usize], tolerance: Tolerance) -> Changed {
    let Some((child, below)) = path.split_first() else { return leaf(array, ty, tolerance) };
    let (Type::Struct(fields), DataType::Struct(arrow)) = (ty, array.data_type()) else {
        panic!("a path goes down structs only, not {ty}")
    };
    let whole = array.as_struct();
    let mut changed = canonical(whole.column(*child), &fields[*child].ty, below, tolerance);
    changed.rows.retain(|row| whole.is_valid(*row));
    if changed.rows.is_empty() {
        return Changed { array: Arc::clone(array), rows: Vec::new() };
    }
    let mut columns = whole.columns().to_vec();
    columns[*child] = changed.array;
    let array = StructArray::new(arrow.clone(), columns, whole.nulls().cloned());
    Changed { array: Arc::new(array), rows: changed.rows }
}

fn leaf(array: &ArrayRef, ty: &Type, tolerance: Tolerance) -> Changed {
    match (tolerance, array.data_type()) {
        (Tolerance::RoundScale, _) => Changed { array: Arc::clone(array), rows: Vec::new() },
        (Tolerance::EmptyIsNull, _) => without_empty(array),
        (Tolerance::TruncateMs | Tolerance::TruncateS, DataType::Timestamp(..)) => match ty {
            Type::TimestampNs | Type::TimestamptzNs => cut::<TimestampNanosecondType>(array, tolerance, 1_000_000_000),
            _ => cut::<TimestampMicrosecondType>(array, tolerance, 1_000_000),
        },
        (_, DataType::Utf8) => texts(array, tolerance),
        (tolerance, other) => panic!("{} is not for {other}", tolerance.word()),
    }
}

fn without_empty(array: &ArrayRef) -> Changed {
    let is_empty = |row: usize| match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value_length(row) == 0,
        DataType::Binary => array.as_binary::<i32>().value_length(row) == 0,
        DataType::List(_) => array.as_list::<i32>().value_length(row) == 0,
        DataType::Map(..) => array.as_map().value_length(row) == 0,
        DataType::Struct(_) => array.as_struct().columns().iter().all(|child| child.is_null(row)),
        other => panic!("empty_is_null is not for {other}"),
    };
    let rows: Vec<usize> = (0..array.len()).filter(|row| array.is_valid(*row) && is_empty(*row)).collect();
    if rows.is_empty() {
        return Changed { array: Arc::clone(array), rows };
    }
    let empty: BTreeSet<usize> = rows.iter().copied().collect();
    let valid = BooleanBuffer::collect_bool(array.len(), |row| array.is_valid(row) && !empty.contains(&row));
    let data = array.to_data().into_builder().nulls(Some(NullBuffer::new(valid))).build();
    Changed { array: make_array(data.expect("only the validity has changed")), rows }
}

fn cut<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef, tolerance: Tolerance, per_second: i64) -> Changed {
    let before = array.as_primitive::<T>();
    let after: PrimitiveArray<T> =
        before.unary::<_, T>(|steps| tolerance.steps(steps, per_second)).with_data_type(array.data_type().clone());
    let differs = |row: &usize| before.is_valid(*row) && before.value(*row) != after.value(*row);
    let rows: Vec<usize> = (0..before.len()).filter(differs).collect();
    Changed { array: Arc::new(after), rows }
}

fn texts(array: &ArrayRef, tolerance: Tolerance) -> Changed {
    let before = array.as_string::<i32>();
    let canonical = |row: usize| Some((row, tolerance.text(before.value(row))?));
    let changed: Vec<(usize, String)> =
        (0..before.len()).filter(|row| before.is_valid(*row)).filter_map(canonical).collect();
    if changed.is_empty() {
        return Changed { array: Arc::clone(array), rows: Vec::new() };
    }
    let mut builder = StringBuilder::with_capacity(before.len(), before.value_data().len());
    let mut next = changed.iter().peekable();
    for row in 0..before.len() {
        match next.next_if(|(at, _)| *at == row) {
            Some((_, text)) => builder.append_value(text),
            None => builder.append_option(before.is_valid(row).then(|| before.value(row))),
        }
    }
    Changed { array: Arc::new(builder.finish()), rows: changed.into_iter().map(|(row, _)| row).collect() }
}
