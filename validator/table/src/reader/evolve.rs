//! From the columns of a file to the columns of the table: reordered, renamed, added, dropped, promoted, by field id.
//!
//! A plan is made once for a file and applied to each batch; where the types agree a column passes through untouched.

use std::collections::{BTreeSet, HashMap};
use std::slice;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, StructArray, UInt32Array, new_null_array};
use arrow_schema::{DataType, FieldRef, Fields};
use iceberg::spec::Literal;
use validator_core::schema::{Field, Type};

use crate::literal::scalar;

use super::convert::{Conversion, ConvertError, conversion};
use super::nodes::Node;

/// Values of columns that the file does not have.
#[derive(Debug, Clone)]
pub(crate) struct Absent<'a> {
    /// Values of identity partitions, by source field id; they come first.
    pub identity: HashMap<i32, Option<Literal>>,
    /// Initial defaults by field id.
    pub defaults: &'a HashMap<i32, Literal>,
}

/// How one wanted column comes out of a file's batch.
#[derive(Debug, Clone)]
pub(crate) struct ColumnPlan {
    to: DataType,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    /// A primitive column: its place among the columns that are read.
    Primitive(usize, Conversion),
    Struct(usize, Fields, Vec<ColumnPlan>),
    List(usize, FieldRef, Box<ColumnPlan>),
    Map(usize, FieldRef, Box<ColumnPlan>, Box<ColumnPlan>),
    /// NULL, or one value in an array of length 1.
    Constant(Option<ArrayRef>),
}

/// The plans of the wanted columns and the leaf columns of the file that they need.
///
/// # Errors
/// A sentence, when a column of the file cannot be read as what the table says it is.
pub(crate) fn plan(
    wanted: &[Field],
    nodes: &[Node],
    absent: &Absent<'_>,
) -> Result<(Vec<ColumnPlan>, BTreeSet<usize>), String> {
    let mut planner = Planner { absent, leaves: BTreeSet::new() };
    let mut plans = wanted.iter().map(|field| planner.column(field, nodes)).collect::<Result<Vec<_>, _>>()?;
    // A file that has none of the columns still has to tell how many rows there are.
    if let (true, Some(first)) = (planner.leaves.is_empty(), nodes.first()) {
        planner.leaves.insert(first.first_leaf);
    }
    settle(&mut plans, nodes, &planner.leaves);
    Ok((plans, planner.leaves))
}

struct Planner<'a> {
    absent: &'a Absent<'a>,
    leaves: BTreeSet<usize>,
}

impl Planner<'_> {
    fn column(&mut self, wanted: &Field, nodes: &[Node]) -> Result<ColumnPlan, String> {
        match nodes.iter().position(|node| node.id == Some(wanted.id)) {
            Some(index) => self.present(wanted, index, &nodes[index]),
            None => self.missing(wanted),
        }
    }

    fn missing(&self, wanted: &Field) -> Result<ColumnPlan, String> {
        let value = match self.absent.identity.get(&wanted.id) {
            Some(value) => value.as_ref(),
            None => self.absent.defaults.get(&wanted.id),
        };
        let constant = match value {
            None => None,
            Some(value) => Some(scalar(value, &wanted.ty).ok_or_else(|| {
                format!("column {} (id {}): its default or partition value is no {}", wanted.name, wanted.id, wanted.ty)
            })?),
        };
        Ok(ColumnPlan { to: wanted.ty.to_arrow(), source: Source::Constant(constant) })
    }

    fn present(&mut self, wanted: &Field, index: usize, node: &Node) -> Result<ColumnPlan, String> {
        let mismatch = || {
            let (name, id, ty) = (&wanted.name, wanted.id, &wanted.ty);
            format!("column {name} (id {id}) is {} in the file and {ty} in the table", node.ty)
        };
        let source = match (&wanted.ty, &node.ty) {
            (Type::Struct(fields), DataType::Struct(_)) => {
                let before = self.leaves.len();
                let plans = fields.iter().map(|field| self.column(field, &node.children)).collect::<Result<_, _>>()?;
                if self.leaves.len() == before {
                    self.leaves.insert(node.first_leaf);
                }
                Source::Struct(index, fields.iter().map(Field::to_arrow).collect(), plans)
            }
            (Type::List(element), DataType::List(_)) => {
                let plan = self.only_child(element, &node.children[0], 0)?;
                Source::List(index, Arc::new(element.to_arrow()), Box::new(plan))
            }
            (Type::Map { key, value }, DataType::Map(..)) if node.children.len() == 2 => {
                let key = self.only_child(key, &node.children[0], 0)?;
                let value = self.only_child(value, &node.children[1], 1)?;
                let DataType::Map(entries, _) = wanted.ty.to_arrow() else { return Err(mismatch()) };
                Source::Map(index, entries, Box::new(key), Box::new(value))
            }
            (Type::Struct(_) | Type::List(_) | Type::Map { .. }, _) => return Err(mismatch()),
            (ty, file) => {
                let conversion = conversion(file, ty).ok_or_else(mismatch)?;
                self.leaves.insert(node.first_leaf);
                Source::Primitive(index, conversion)
            }
        };
        Ok(ColumnPlan { to: wanted.ty.to_arrow(), source })
    }

    /// The element of a list, the key or value of a map: there is only one it can be, but another id is another field.
    fn only_child(&mut self, wanted: &Field, node: &Node, index: usize) -> Result<ColumnPlan, String> {
        if node.id.is_some_and(|id| id != wanted.id) {
            return Err(format!("field {} has id {} in the table and another in the file", wanted.name, wanted.id));
        }
        self.present(wanted, index, node)
    }
}

/// Turns places among the file's fields into places among those that are read.
fn settle(plans: &mut [ColumnPlan], siblings: &[Node], read: &BTreeSet<usize>) {
    let is_read = |node: &Node| read.range(node.first_leaf..node.first_leaf + node.leaves).next().is_some();
    let mut read_before = 0;
    let count = |node: &Node| {
        let place = read_before;
        read_before += usize::from(is_read(node));
        place
    };
    // Counted once for all: a table may have thousands of columns.
    let places: Vec<usize> = siblings.iter().map(count).collect();
    for plan in plans {
        match &mut plan.source {
            Source::Constant(_) => {}
            Source::Primitive(index, _) => *index = places[*index],
            Source::Struct(index, _, plans) => {
                settle(plans, &siblings[*index].children, read);
                *index = places[*index];
            }
            Source::List(index, _, element) => {
                settle(slice::from_mut(element), &siblings[*index].children, read);
                *index = places[*index];
            }
            Source::Map(index, _, key, value) => {
                settle(slice::from_mut(key), &siblings[*index].children, read);
                settle(slice::from_mut(value), &siblings[*index].children, read);
                *index = places[*index];
            }
        }
    }
}

impl ColumnPlan {
    /// The column, `rows` long, out of the columns that were read.
    pub(crate) fn apply(&self, read: &[ArrayRef], rows: usize) -> Result<ArrayRef, ConvertError> {
        match &self.source {
            Source::Constant(None) => Ok(new_null_array(&self.to, rows)),
            Source::Constant(Some(value)) => {
                let first = UInt32Array::from_value(0, rows);
                arrow_select::take::take(value, &first, None).map_err(|e| ConvertError::Corrupt(e.to_string()))
            }
            Source::Primitive(index, conversion) => conversion.apply(&read[*index], &self.to),
            Source::Struct(index, ..) | Source::List(index, ..) | Source::Map(index, ..) => {
                let array = &read[*index];
                if *array.data_type() == self.to { Ok(Arc::clone(array)) } else { self.rebuild(array) }
            }
        }
    }

    fn rebuild(&self, array: &ArrayRef) -> Result<ArrayRef, ConvertError> {
        let corrupt = |e: arrow_schema::ArrowError| ConvertError::Corrupt(e.to_string());
        Ok(match &self.source {
            Source::Struct(_, fields, plans) => {
                let array = array.as_struct();
                let columns = plans.iter().map(|plan| plan.apply(array.columns(), array.len()));
                let columns = columns.collect::<Result<Vec<_>, _>>()?;
                let nulls = array.nulls().cloned();
                Arc::new(
                    StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len()).map_err(corrupt)?,
                )
            }
            Source::List(_, field, element) => {
                let array = array.as_list::<i32>();
                let values = element.apply(std::slice::from_ref(array.values()), array.values().len())?;
                let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
                Arc::new(ListArray::try_new(Arc::clone(field), offsets, values, nulls).map_err(corrupt)?)
            }
            Source::Map(_, entries, key, value) => {
                let array = array.as_map();
                let read = [Arc::clone(array.keys()), Arc::clone(array.values())];
                let columns = vec![key.apply(&read, read[0].len())?, value.apply(&read, read[0].len())?];
                let DataType::Struct(fields) = entries.data_type() else {
                    return Err(ConvertError::Corrupt("map entries are no struct".to_owned()));
                };
                let pairs = StructArray::try_new(fields.clone(), columns, None).map_err(corrupt)?;
                let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
                Arc::new(MapArray::try_new(Arc::clone(entries), offsets, pairs, nulls, false).map_err(corrupt)?)
            }
            Source::Primitive(..) | Source::Constant(_) => Arc::clone(array),
        })
    }
}
