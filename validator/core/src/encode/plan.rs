//! What an encoder knows of a field before it sees a batch: order, prefix, and the Arrow type to insist on.

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::EncodeError;
use super::column::{Prefix, tag};
use crate::schema::{Field, Type};

/// A field with its children in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Plan {
    pub path: String,
    pub ty: Type,
    pub data_type: DataType,
    /// Field id and type tag; for elements, keys and values the type tag only.
    pub prefix: Prefix,
    /// A struct's fields by ascending id, each with its place in the array; a list's element; a map's key and value.
    pub children: Vec<(usize, Plan)>,
}

impl Plan {
    /// The plans of a row's or a struct's fields, by ascending id, each with its place among `fields`.
    pub fn of_fields(parent: &str, fields: &[Field]) -> Result<Vec<(usize, Plan)>, EncodeError> {
        let mut order: Vec<usize> = (0..fields.len()).collect();
        order.sort_by_key(|place| fields[*place].id);
        let mut plans = Vec::with_capacity(fields.len());
        let mut last = None;
        for place in order {
            let field = &fields[place];
            let path = join(parent, &field.name);
            let id = u32::try_from(field.id).map_err(|_| EncodeError::FieldId { path: path.clone(), id: field.id })?;
            if last.replace(id) == Some(id) {
                return Err(EncodeError::SharedFieldId { path, id: field.id });
            }
            // One more than the id, so that 0 can end a struct.
            plans.push((place, Plan::new(path, &field.ty, Prefix::varint(id + 1))?));
        }
        Ok(plans)
    }

    fn new(path: String, ty: &Type, id: Prefix) -> Result<Self, EncodeError> {
        let children = match ty {
            Type::Struct(fields) => Plan::of_fields(&path, fields)?,
            Type::List(element) => vec![(0, Plan::part(&path, element)?)],
            Type::Map { key, value } => vec![(0, Plan::part(&path, key)?), (1, Plan::part(&path, value)?)],
            _ => Vec::new(),
        };
        let prefix = match tag::of(ty) {
            Some(tag) => id.then(tag),
            None => id,
        };
        Ok(Self { path, ty: ty.clone(), data_type: ty.to_arrow(), prefix, children })
    }

    /// An element, a key or a value: no id.
    fn part(parent: &str, field: &Field) -> Result<Self, EncodeError> {
        Plan::new(join(parent, &field.name), &field.ty, Prefix::EMPTY)
    }

    /// Whether a column fits.
    pub fn check(&self, column: &ArrayRef, rows: usize) -> Result<(), EncodeError> {
        if column.len() != rows {
            let (path, actual) = (self.path.clone(), column.len());
            return Err(EncodeError::RowCount { path, expected: rows, actual });
        }
        if !is_same(&self.data_type, column.data_type()) {
            let (expected, actual) = (Box::new(self.data_type.clone()), Box::new(column.data_type().clone()));
            return Err(EncodeError::ColumnType { path: self.path.clone(), expected, actual });
        }
        Ok(())
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// Equal but for what changes no value: the name of an instant's zone, nullability and metadata of nested fields, names
/// of elements and entries.
fn is_same(expected: &DataType, actual: &DataType) -> bool {
    match (expected, actual) {
        (DataType::Struct(a), DataType::Struct(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|(a, b)| a.name() == b.name() && is_same(a.data_type(), b.data_type()))
        }
        (DataType::List(a), DataType::List(b)) => is_same(a.data_type(), b.data_type()),
        (DataType::Map(a, _), DataType::Map(b, _)) => match (a.data_type(), b.data_type()) {
            (DataType::Struct(a), DataType::Struct(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a.data_type(), b.data_type()))
            }
            _ => false,
        },
        (DataType::Timestamp(a, Some(_)), DataType::Timestamp(b, Some(_))) => a == b,
        _ => expected == actual,
    }
}
