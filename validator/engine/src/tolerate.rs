//! Tolerances at work: the columns of a batch in canonical form, and which messages or rows that changed.
//!
//! Contract: both sides go through here before any digest; what a person is shown is the value as it was. A value that its
//! column cannot hold, and that a tolerance brings to one that it can, is settled here too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampMicrosecondType, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, Decimal128Array, TimestampMicrosecondArray, TimestampNanosecondArray};
use validator_core::schema::{Field, Type};
use validator_core::tolerance::{Tolerance, canonical};
use validator_core::value::Value;

use crate::binding::Binding;
use crate::mapping::Mark;

/// A tolerance of a column, or of a leaf of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundTolerance {
    /// Index into the bound columns.
    pub column: usize,
    /// The children of structs to go down from it.
    pub path: Vec<usize>,
    /// The column, nested ones by dotted path.
    pub name: String,
    /// The tolerance.
    pub tolerance: Tolerance,
    /// Whether its column takes its values from a message field as they are: only then does the source text of a value
    /// that the column cannot hold say which value it is.
    pub settles: bool,
}

/// What tolerances did to a batch.
#[derive(Debug, Default)]
pub struct Tolerated {
    /// Columns that were changed: index, and the array as it was.
    pub originals: Vec<(usize, ArrayRef)>,
    /// Per tolerance, by its place: the rows that it changed.
    pub rows: Vec<Vec<usize>>,
    /// Marks that are none any more.
    pub settled: Vec<Mark>,
}

impl Binding {
    /// Brings columns, of which the bound ones come first, into the form that is digested; see [`tolerate`].
    pub fn tolerate(&self, columns: &mut [ArrayRef], marks: &mut Vec<Mark>) -> Tolerated {
        let fields: Vec<&Field> = self.columns.iter().map(|column| &column.field).collect();
        tolerate(&self.tolerances, &fields, columns, marks)
    }

    /// The values of one message or row in the form that is digested.
    pub fn canonical(&self, values: &[Value]) -> Vec<Value> {
        let mut canonical = values.to_vec();
        for bound in &self.tolerances {
            let ty = type_at(&self.columns[bound.column].field.ty, &bound.path);
            let (Some(ty), Some(value)) = (ty, value_at_mut(&mut canonical[bound.column], &bound.path)) else {
                continue;
            };
            if bound.settles || !matches!(value, Value::Inexact(_)) {
                *value = bound.tolerance.of_value(value, ty);
            }
        }
        canonical
    }
}

/// Brings `columns` into canonical form and takes out of `marks` what is settled by it. `fields` are those of the columns.
pub fn tolerate(
    tolerances: &[BoundTolerance],
    fields: &[&Field],
    columns: &mut [ArrayRef],
    marks: &mut Vec<Mark>,
) -> Tolerated {
    let mut tolerated = Tolerated { rows: Vec::with_capacity(tolerances.len()), ..Tolerated::default() };
    let mut changed: BTreeMap<usize, ArrayRef> = BTreeMap::new();
    for bound in tolerances {
        let ty = &fields[bound.column].ty;
        let original = Arc::clone(&columns[bound.column]);
        let mut rows = BTreeSet::new();
        if bound.settles && bound.path.is_empty() {
            columns[bound.column] = settle(bound, ty, &original, marks, &mut tolerated.settled, &mut rows);
        }
        let form = canonical(&columns[bound.column], ty, &bound.path, bound.tolerance);
        columns[bound.column] = form.array;
        rows.extend(form.rows);
        if !rows.is_empty() {
            changed.entry(bound.column).or_insert(original);
        }
        tolerated.rows.push(rows.into_iter().collect());
    }
    tolerated.originals = changed.into_iter().collect();
    tolerated
}

/// The column with the values that its marks stand for under the tolerance.
fn settle(
    bound: &BoundTolerance,
    ty: &Type,
    array: &ArrayRef,
    marks: &mut Vec<Mark>,
    settled: &mut Vec<Mark>,
    rows: &mut BTreeSet<usize>,
) -> ArrayRef {
    let mut values: BTreeMap<usize, Value> = BTreeMap::new();
    for mark in marks.iter().filter(|mark| mark.column == bound.column) {
        // What the column cannot hold keeps its mark, and harms no neighbour.
        if let Some(value) = bound.tolerance.settled(&mark.text, ty).filter(|value| is_held(value, ty)) {
            values.insert(mark.row, value);
        }
    }
    let Some(array) = (!values.is_empty()).then(|| filled(array, ty, &values)).flatten() else {
        return Arc::clone(array);
    };
    let (these, others) = std::mem::take(marks)
        .into_iter()
        .partition(|mark| mark.column == bound.column && values.contains_key(&mark.row));
    *marks = others;
    settled.extend::<Vec<Mark>>(these);
    rows.extend(values.into_keys());
    array
}

/// An instant in steps of the column, where they fit into its 64 bits.
fn steps(value: &Value, nanos_per_step: i128) -> Option<i64> {
    i64::try_from(value.epoch_nanos()?.div_euclid(nanos_per_step)).ok()
}

/// Whether a column of this type can hold the value.
fn is_held(value: &Value, ty: &Type) -> bool {
    match ty {
        Type::TimestampNs | Type::TimestamptzNs => steps(value, 1).is_some(),
        Type::Timestamp | Type::Timestamptz => steps(value, 1_000).is_some(),
        _ => true,
    }
}

/// The array with these values in place of NULL; `None` where one of them is beyond its 64 bits.
fn filled(array: &ArrayRef, ty: &Type, values: &BTreeMap<usize, Value>) -> Option<ArrayRef> {
    Some(match ty {
        Type::Decimal { .. } => {
            let before = array.as_primitive::<Decimal128Type>();
            let value = |row: usize| match values.get(&row) {
                Some(Value::Number { unscaled, .. }) => Some(*unscaled),
                _ => before.is_valid(row).then(|| before.value(row)),
            };
            let after: Decimal128Array = (0..before.len()).map(value).collect();
            Arc::new(after.with_data_type(before.data_type().clone()))
        }
        Type::TimestampNs | Type::TimestamptzNs => {
            let before = array.as_primitive::<TimestampNanosecondType>();
            let mut after: Vec<Option<i64>> = before.iter().collect();
            for (row, value) in values {
                after[*row] = Some(steps(value, 1)?);
            }
            Arc::new(TimestampNanosecondArray::from(after).with_data_type(before.data_type().clone()))
        }
        Type::Timestamp | Type::Timestamptz => {
            let before = array.as_primitive::<TimestampMicrosecondType>();
            let mut after: Vec<Option<i64>> = before.iter().collect();
            for (row, value) in values {
                after[*row] = Some(steps(value, 1_000)?);
            }
            Arc::new(TimestampMicrosecondArray::from(after).with_data_type(before.data_type().clone()))
        }
        _ => return None,
    })
}

/// A message's values with those of the row in place of the ones that are equal under a tolerance: what is left differs.
pub fn level(tolerances: &[BoundTolerance], fields: &[Field], message: &[Value], row: &[Value]) -> Vec<Value> {
    let mut levelled = message.to_vec();
    for bound in tolerances {
        let (Some(ty), Some(theirs)) =
            (type_at(&fields[bound.column].ty, &bound.path), value_at(&row[bound.column], &bound.path).cloned())
        else {
            continue;
        };
        let Some(ours) = value_at_mut(&mut levelled[bound.column], &bound.path) else { continue };
        let inexact = matches!(ours, Value::Inexact(_));
        if (!inexact || bound.settles) && bound.tolerance.of_value(ours, ty) == bound.tolerance.of_value(&theirs, ty) {
            *ours = theirs;
        }
    }
    levelled
}

fn type_at<'a>(ty: &'a Type, path: &[usize]) -> Option<&'a Type> {
    path.iter().try_fold(ty, |ty, child| match ty {
        Type::Struct(fields) => fields.get(*child).map(|field| &field.ty),
        _ => None,
    })
}

fn value_at<'a>(value: &'a Value, path: &[usize]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, child| match value {
        Value::Struct(fields) => fields.get(*child).map(|(_, value)| value),
        _ => None,
    })
}

fn value_at_mut<'a>(value: &'a mut Value, path: &[usize]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, child| match value {
        Value::Struct(fields) => fields.get_mut(*child).map(|(_, value)| value),
        _ => None,
    })
}
