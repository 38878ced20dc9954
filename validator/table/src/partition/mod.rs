//! Misrouted rows: each row's partition values, recomputed from its source columns, against the manifest's tuple.
//!
//! Contract: pure; the caller reads the source columns (a few) and passes them batch by batch. The transforms are our
//! own: the iceberg crate's `day` is wrong by one in the first second after a midnight before 1970. Source: Iceberg
//! table spec, "Partition Transforms".

mod murmur;
mod want;

use std::ops::Not;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use iceberg::spec::{Literal, Transform};
use validator_core::schema::{Field, Type};
use validator_core::value::Value;

use crate::literal::literal_value;
use crate::schema::core_schema;
use crate::{DataFile, Pinned};

use want::Want;

/// What the rows of one data file must have in common.
#[derive(Debug, Clone)]
pub struct PartitionCheck {
    sources: Vec<Field>,
    parts: Vec<Part>,
    unchecked: Vec<String>,
}

/// One field of the partition tuple.
#[derive(Debug, Clone)]
struct Part {
    name: String,
    transform: Transform,
    expected: Option<Literal>,
    /// Which of the sources, and the way down into it.
    source: usize,
    path: Vec<usize>,
    ty: Type,
    want: Want,
}

impl Pinned {
    /// How to check that a file's rows belong to its partition; `None` for an unpartitioned file.
    pub fn partition_check(&self, file: &DataFile) -> Option<PartitionCheck> {
        let spec = &file.entry.written_under.spec;
        if spec.fields().is_empty() {
            return None;
        }
        let mut check = PartitionCheck { sources: Vec::new(), parts: Vec::new(), unchecked: Vec::new() };
        let tuple = file.entry.entry.data_file().partition();
        for (field, expected) in spec.fields().iter().zip(tuple.fields()) {
            match self.source_column(field.source_id) {
                Some((column, path, ty)) => {
                    let want = want::want(&field.transform, expected.as_ref(), &ty);
                    let known = check.sources.iter().position(|source| source.id == column.id);
                    let source = known.unwrap_or(check.sources.len());
                    if matches!(want, Want::Unknown) {
                        check.unchecked.push(field.name.clone());
                        continue;
                    }
                    if known.is_none() {
                        check.sources.push(column);
                    }
                    let (name, transform, expected) = (field.name.clone(), field.transform, expected.clone());
                    check.parts.push(Part { name, transform, expected, source, path, ty, want });
                }
                None => check.unchecked.push(field.name.clone()),
            }
        }
        Some(check)
    }

    /// The column that holds the field: of the pinned schema, else of the newest schema that still has it.
    fn source_column(&self, id: i32) -> Option<(Field, Vec<usize>, Type)> {
        if let Some(found) = find(&self.schema.fields, id) {
            return Some(found);
        }
        let mut schemas: Vec<_> = self.metadata.schemas_iter().collect();
        schemas.sort_by_key(|schema| std::cmp::Reverse(schema.schema_id()));
        schemas.iter().find_map(|schema| find(&core_schema(schema).ok()?.fields, id))
    }
}

/// The column with the field of that id in it, the way down to it through structs, and its type.
fn find(columns: &[Field], id: i32) -> Option<(Field, Vec<usize>, Type)> {
    fn down(field: &Field, id: i32, path: &mut Vec<usize>) -> Option<Type> {
        if field.id == id {
            return Some(field.ty.clone());
        }
        let Type::Struct(children) = &field.ty else { return None };
        for (index, child) in children.iter().enumerate() {
            path.push(index);
            if let Some(ty) = down(child, id, path) {
                return Some(ty);
            }
            path.pop();
        }
        None
    }
    columns.iter().find_map(|column| {
        let mut path = Vec::new();
        let ty = down(column, id, &mut path)?;
        Some((column.clone(), path, ty))
    })
}

impl PartitionCheck {
    /// The columns that [`PartitionCheck::misrouted`] needs, in its order. They may be columns that the pinned schema
    /// has no more; a reader opened with them finds them by id all the same.
    pub fn sources(&self) -> &[Field] {
        &self.sources
    }

    /// The check by these columns alone: partition fields of other columns are unchecked.
    pub fn by_columns(self, columns: &[Field]) -> Self {
        let Self { sources, parts, mut unchecked } = self;
        let is_read = |source: &Field| columns.iter().any(|column| column.id == source.id && column.ty == source.ty);
        let mut kept = Self { sources: Vec::new(), parts: Vec::new(), unchecked: Vec::new() };
        for part in parts {
            let source = &sources[part.source];
            if !is_read(source) {
                unchecked.push(part.name);
                continue;
            }
            let known = kept.sources.iter().position(|kept| kept.id == source.id);
            let place = known.unwrap_or(kept.sources.len());
            if known.is_none() {
                kept.sources.push(source.clone());
            }
            kept.parts.push(Part { source: place, ..part });
        }
        Self { unchecked, ..kept }
    }

    /// Partition fields that cannot be checked: an unknown transform, or a source column that is not at hand.
    pub fn unchecked(&self) -> &[String] {
        &self.unchecked
    }

    /// The rows, ascending, whose values give another partition tuple than the manifest's. `columns` are the source
    /// columns in the order of [`PartitionCheck::sources`], as a [`crate::FileReader`] yields them.
    ///
    /// # Panics
    /// When the columns are not those.
    pub fn misrouted(&self, columns: &[ArrayRef]) -> Vec<usize> {
        assert_eq!(columns.len(), self.sources.len(), "one array for each source column");
        let mut wrong: Vec<usize> = Vec::new();
        for part in &self.parts {
            let (array, nulls) = descend(&columns[part.source], &part.path);
            wrong.extend(part.want.matches(&array, nulls.as_ref()).not().set_indices());
        }
        wrong.sort_unstable();
        wrong.dedup();
        wrong
    }

    /// Why a row is misrouted, in one sentence.
    pub fn explain(&self, columns: &[ArrayRef], row: usize) -> String {
        let mut sentences = Vec::new();
        for part in &self.parts {
            let (array, nulls) = descend(&columns[part.source], &part.path);
            let fits = part.want.matches(&array.slice(row, 1), nulls.map(|nulls| nulls.slice(row, 1)).as_ref());
            if fits.count_set_bits() == 0 {
                let value = Value::from_arrow(array.as_ref(), row, &part.ty);
                let source = &self.sources[part.source].name;
                sentences.push(format!(
                    "{source} is {value}, the file's partition says {} = {} ({})",
                    part.name,
                    part.expected_text(),
                    part.transform
                ));
            }
        }
        sentences.join("; ")
    }
}

impl Part {
    fn expected_text(&self) -> String {
        let Some(expected) = &self.expected else { return "NULL".to_owned() };
        let shown = match self.transform {
            Transform::Identity | Transform::Truncate(_) => self.ty.clone(),
            Transform::Day => Type::Date,
            _ => Type::Int,
        };
        literal_value(expected, &shown).map_or_else(|| format!("{expected:?}"), |value| value.to_string())
    }
}

/// The nested column, with the NULLs of the structs around it.
fn descend(column: &ArrayRef, path: &[usize]) -> (ArrayRef, Option<NullBuffer>) {
    let mut array = ArrayRef::clone(column);
    let mut nulls = array.nulls().cloned();
    for index in path {
        let child = match array.data_type() {
            DataType::Struct(_) => ArrayRef::clone(array.as_struct().column(*index)),
            _ => return (array, nulls),
        };
        nulls = NullBuffer::union(nulls.as_ref(), child.nulls());
        array = child;
    }
    (array, nulls)
}
