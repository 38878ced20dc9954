//! Dead letters of a table: a row for each, with the position of its message in columns.

use std::ops::ControlFlow;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, StructArray};
use arrow_schema::DataType;
use futures::StreamExt;
use validator_core::contract::PositionNames;
use validator_core::position::TopicPartition;
use validator_core::schema::{Field, Schema, Type};
use validator_table::{DataFile, FileReader, Pinned, RowGroupBatch, RowGroupInfo, RowGroups, ScanItem};
use validator_tap::PartitionRange;

use super::{DeadLetterError, DeadLetters};

/// Where a table keeps the position of a message: paths into its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterColumns {
    /// The columns that are read.
    fields: Vec<Field>,
    topic: Option<Path>,
    partition: Option<Path>,
    offset: Path,
}

/// The index of a column among those that are read, and names of struct fields from there on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Path {
    column: usize,
    inner: Vec<String>,
}

impl LetterColumns {
    /// The columns of these names in the table.
    ///
    /// # Errors
    /// What is wrong with one, for a person, and its name.
    pub fn of(schema: &Schema, names: &PositionNames) -> Result<Self, (String, String)> {
        let mut fields = Vec::new();
        let mut find = |name: &str, is_text: bool| {
            let (path, ty) = path_in(schema, name, &mut fields)
                .ok_or_else(|| (format!("the table of dead letters has no column {name}"), name.to_owned()))?;
            let (is_right, wanted) = match is_text {
                true => (ty == Type::String, "text"),
                false => (matches!(ty, Type::Int | Type::Long), "a whole number"),
            };
            match is_right {
                true => Ok(path),
                false => Err((format!("column {name} of the dead letters is {ty}, not {wanted}"), name.to_owned())),
            }
        };
        let topic = names.topic.as_deref().map(|name| find(name, true)).transpose()?;
        let partition = names.partition.as_deref().map(|name| find(name, false)).transpose()?;
        let offset = find(&names.offset, false)?;
        Ok(Self { fields, topic, partition, offset })
    }
}

/// The path of a column or of a field in a struct, and its type; its column is added to those that are read.
fn path_in(schema: &Schema, name: &str, read: &mut Vec<Field>) -> Option<(Path, Type)> {
    let is_above = |field: &&Field| {
        let rest = name.strip_prefix(field.name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    // A column whose name holds the dots wins.
    let mut above: Vec<&Field> = schema.fields.iter().filter(is_above).collect();
    above.sort_by_key(|field| std::cmp::Reverse(field.name.len()));
    above.into_iter().find_map(|field| {
        let rest = name[field.name.len()..].strip_prefix('.');
        let inner: Vec<String> = rest.map_or_else(Vec::new, |rest| rest.split('.').map(str::to_owned).collect());
        let ty = inner.iter().try_fold(&field.ty, |ty, name| match ty {
            Type::Struct(children) => children.iter().find(|child| child.name == *name).map(|child| &child.ty),
            _ => None,
        })?;
        let known = read.iter().position(|read| read.name == field.name);
        let column = known.unwrap_or_else(|| {
            read.push(field.clone());
            read.len() - 1
        });
        Some((Path { column, inner }, ty.clone()))
    })
}

impl Path {
    /// The values, as null where a struct around them is.
    fn of(&self, columns: &[ArrayRef]) -> Option<(ArrayRef, Vec<StructArray>)> {
        let (mut at, mut around) = (columns.get(self.column)?.clone(), Vec::new());
        for name in &self.inner {
            let holder = at.as_struct_opt()?.clone();
            at = holder.column_by_name(name)?.clone();
            around.push(holder);
        }
        Some((at, around))
    }
}

/// Reads the dead letters of a pinned table, of the first `most` rows; `topic` is that of messages where no column names
/// one, `source` the table's name.
///
/// # Errors
/// [`DeadLetterError`].
pub async fn of_table(
    pinned: &Pinned,
    columns: &LetterColumns,
    (source, topic, most): (&str, &str, Option<u64>),
    partitions: &[PartitionRange],
) -> Result<DeadLetters, DeadLetterError> {
    let mut found = DeadLetters::new(source, partitions);
    if let Some(fault) = pinned.findings.first() {
        return Err(DeadLetterError::Table { source_of: source.to_owned(), detail: fault.detail.clone() });
    }
    for file in &pinned.files {
        let mut each = |at: Option<(&str, i32, i64)>| {
            match at {
                Some((topic, partition, offset)) => {
                    found.note(partitions, &TopicPartition { topic: topic.to_owned(), partition }, offset, None);
                }
                None => found.note_other(false),
            }
            most.is_none_or(|most| found.read.letters < most)
        };
        if rows_of(pinned, (file, 0), columns, topic, &mut each).await?.is_break() {
            break;
        }
    }
    found.read_whole()
}

/// Takes what a dead letter names: topic, partition, offset; none: no message. False: it wants no more.
type Each<'a> = &'a mut (dyn FnMut(Option<(&str, i32, i64)>) -> bool + Send);

/// Reads the dead letters of one file from that row on; breaks where `each` wants no more, with the row to go on at: a place in the
/// file, whatever deletes take away.
///
/// # Errors
/// It cannot be read to its end.
pub(super) async fn rows_of(
    pinned: &Pinned,
    (file, from): (&DataFile, u64),
    columns: &LetterColumns,
    topic: &str,
    each: Each<'_>,
) -> Result<ControlFlow<u64>, DeadLetterError> {
    let unread = |path: &str, detail: String| DeadLetterError::File { path: path.to_owned(), detail };
    let reader = pinned.open(file, &columns.fields).await;
    let reader = reader.map_err(|fault| unread(&fault.path, fault.detail))?;
    let mut items = reader.scan(&row_groups_from(&reader, from));
    while let Some(item) = items.next().await {
        match item {
            ScanItem::Rows(rows) => {
                let told = tell(columns, &rows, (topic, from), each);
                let told =
                    told.ok_or_else(|| unread(&file.path, "its columns are not those of the table".to_owned()))?;
                if told.is_break() {
                    return Ok(told);
                }
            }
            ScanItem::End(end) => {
                if let Some(fault) = end.fault {
                    return Err(unread(&fault.path, fault.detail));
                }
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The row groups that hold that row and those behind it.
fn row_groups_from(reader: &FileReader, from: u64) -> RowGroups {
    if from == 0 {
        return RowGroups::All;
    }
    let is_behind = |group: &&RowGroupInfo| group.first_position + group.rows > from;
    RowGroups::Only(reader.row_groups().iter().filter(is_behind).map(|group| group.index).collect())
}

/// Tells the rows of a batch from that row of the file on, and breaks before the row that is not wanted any more; none where they are
/// not of the columns.
fn tell(
    columns: &LetterColumns,
    rows: &RowGroupBatch,
    (only_topic, from): (&str, u64),
    each: Each<'_>,
) -> Option<ControlFlow<u64>> {
    let arrays = rows.batch.columns();
    let is_null = |(array, around): &(ArrayRef, Vec<StructArray>), row: usize| {
        array.is_null(row) || around.iter().any(|holder| holder.is_null(row))
    };
    let whole = |path: &Path| {
        let (array, around) = path.of(arrays)?;
        Some((arrow_cast::cast(&array, &DataType::Int64).ok()?, around))
    };
    let offsets = whole(&columns.offset)?;
    let of_partitions = columns.partition.as_ref().map(whole);
    let of_topics = columns.topic.as_ref().map(|path| path.of(arrays));
    let (of_partitions, of_topics) = (optional(of_partitions)?, optional(of_topics)?);
    for row in 0..offsets.0.len() {
        let at = rows.positions.get(row);
        if at < from {
            continue;
        }
        let number = |of: &(ArrayRef, Vec<StructArray>)| {
            (!is_null(of, row)).then(|| of.0.as_primitive::<Int64Type>().value(row))
        };
        let offset = number(&offsets);
        let partition = match &of_partitions {
            Some(of) => number(of).and_then(|number| i32::try_from(number).ok()),
            None => Some(0),
        };
        let topic = match &of_topics {
            Some(of) if is_null(of, row) => None,
            Some(of) => Some(of.0.as_string_opt::<i32>()?.value(row)),
            None => Some(only_topic),
        };
        let wants_more = match (topic, partition, offset) {
            (Some(topic), Some(partition), Some(offset)) => each(Some((topic, partition, offset))),
            _ => each(None),
        };
        if !wants_more {
            return Some(ControlFlow::Break(at + 1));
        }
    }
    Some(ControlFlow::Continue(()))
}

/// The outer option: whether what is named was found.
fn optional<T>(found: Option<Option<T>>) -> Option<Option<T>> {
    match found {
        Some(found) => found.map(Some),
        None => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int32Array, Int64Array, RecordBatch};
    use validator_table::Positions;

    use super::*;

    #[test]
    fn a_file_is_read_on_at_the_row_that_was_not_wanted_whatever_rows_are_deleted() {
        let path = |column: usize| Path { column, inner: Vec::new() };
        let columns = LetterColumns { fields: Vec::new(), topic: None, partition: Some(path(0)), offset: path(1) };
        let partitions: ArrayRef = Arc::new(Int32Array::from(vec![0, 0, 1, 1, 1]));
        let offsets: ArrayRef = Arc::new(Int64Array::from(vec![Some(10), Some(11), None, Some(13), Some(14)]));
        let batch = RecordBatch::try_from_iter_with_nullable([("p", partitions, true), ("o", offsets, true)]);
        let batch = batch.expect("as long as each other");
        let rows = RowGroupBatch { row_group: 0, positions: Positions::Listed(vec![0, 2, 5, 6, 9]), batch };
        let told = |from: u64, most: usize| {
            let mut said = Vec::new();
            let mut each = |at: Option<(&str, i32, i64)>| {
                said.push(at.map(|(_, partition, offset)| (partition, offset)));
                said.len() < most
            };
            let end = tell(&columns, &rows, ("trades", from), &mut each).expect("its columns");
            (said, end)
        };
        assert_eq!(told(0, 2), (vec![Some((0, 10)), Some((0, 11))], ControlFlow::Break(3)));
        assert_eq!(told(3, 2), (vec![None, Some((1, 13))], ControlFlow::Break(7)));
        assert_eq!(told(7, 2), (vec![Some((1, 14))], ControlFlow::Continue(())));
        assert_eq!(told(10, 2), (Vec::new(), ControlFlow::Continue(())));
    }
}
