//! Leaves of struct columns: the arrays that an identity or a window refers to, and columns without them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StructArray, make_array};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use validator_core::schema::{Field, Type};

use crate::binding::{BoundColumn, LeafPath};

/// Whether a dotted path is a column, or lies in it.
pub fn is_in(path: &str, column: &str) -> bool {
    path.strip_prefix(column).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The array at a leaf path; NULL wherever a struct above it is NULL.
pub fn leaf_array(columns: &[ArrayRef], leaf: &[usize]) -> ArrayRef {
    let mut array = Arc::clone(&columns[leaf[0]]);
    for child in &leaf[1..] {
        let parent = array.as_struct();
        let below = Arc::clone(parent.column(*child));
        array = match parent.nulls() {
            None => below,
            Some(outer) => masked(&below, outer),
        };
    }
    array
}

/// Whether there is a value at `row`: a struct has one where one of its fields has.
pub fn has_value(array: &ArrayRef, row: usize) -> bool {
    let in_struct = |parent: &StructArray| parent.columns().iter().any(|below| has_value(below, row));
    *array.data_type() != DataType::Null && array.is_valid(row) && array.as_struct_opt().is_none_or(in_struct)
}

fn masked(array: &ArrayRef, outer: &NullBuffer) -> ArrayRef {
    let nulls = NullBuffer::union(array.nulls(), Some(outer));
    let data = array.to_data().into_builder().nulls(nulls).build();
    make_array(data.expect("only the validity has changed, to the same length"))
}

/// The columns without the given leaves: what the rest digest covers.
#[derive(Debug, Clone)]
pub struct Rest {
    fields: Vec<Field>,
    kept: Vec<Kept>,
}

#[derive(Debug, Clone)]
enum Kept {
    Whole(usize),
    /// A struct column and the children that stay.
    Part(usize, Vec<usize>),
}

impl Rest {
    /// The columns that remain when `leaves` are taken out. A leaf lies at the top or in a top-level struct's child;
    /// one that lies deeper takes its whole top-level child with it.
    pub fn new(columns: &[BoundColumn], leaves: &[LeafPath]) -> Self {
        let (mut fields, mut kept) = (Vec::new(), Vec::new());
        for (index, column) in columns.iter().enumerate() {
            let of_column: Vec<&LeafPath> = leaves.iter().filter(|leaf| leaf[0] == index).collect();
            if of_column.iter().any(|leaf| leaf.len() == 1) {
                continue;
            }
            match &column.field.ty {
                Type::Struct(children) if !of_column.is_empty() => {
                    let stays = |child: &usize| of_column.iter().all(|leaf| leaf[1] != *child);
                    let children_kept: Vec<usize> = (0..children.len()).filter(stays).collect();
                    if !children_kept.is_empty() {
                        let part = children_kept.iter().map(|child| children[*child].clone()).collect();
                        fields.push(Field { ty: Type::Struct(part), ..column.field.clone() });
                        kept.push(Kept::Part(index, children_kept));
                    }
                }
                _ => {
                    fields.push(column.field.clone());
                    kept.push(Kept::Whole(index));
                }
            }
        }
        Self { fields, kept }
    }

    /// The fields of the rest, in the order of [`Rest::project`].
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Whether a column (index into the bound columns) has any part in the rest.
    pub fn holds(&self, column: usize) -> bool {
        self.kept.iter().any(|kept| matches!(kept, Kept::Whole(index) | Kept::Part(index, _) if *index == column))
    }

    /// The arrays of the rest.
    pub fn project(&self, columns: &[ArrayRef]) -> Vec<ArrayRef> {
        let array = |kept: &Kept| match kept {
            Kept::Whole(index) => Arc::clone(&columns[*index]),
            Kept::Part(index, children) => {
                let whole = columns[*index].as_struct();
                let fields = children.iter().map(|c| Arc::clone(&whole.fields()[*c])).collect();
                let arrays = children.iter().map(|c| Arc::clone(whole.column(*c))).collect();
                Arc::new(StructArray::new(fields, arrays, whole.nulls().cloned())) as ArrayRef
            }
        };
        self.kept.iter().map(array).collect()
    }
}
