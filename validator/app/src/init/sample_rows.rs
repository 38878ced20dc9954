//! Sampling a table: rows of few files, those that may hold rows of the sampled messages first.
//!
//! Contract: at most the asked number of rows is read, of few files where these have rows enough; a file that cannot be
//! read is passed by.

use std::ops::Range;
use std::sync::Arc;

use futures::StreamExt;
use validator_core::schema::{Field, Schema, Type};
use validator_core::value::Value;
use validator_table::{DataFile, FileFault, Pinned, ScanItem};

use super::evidence::{Leaf, Rows, kept};
use super::limits::{FILES_AT_ONCE, FILES_MAX, FILES_SMALL_MAX, FILES_WHOLE_MAX, NAMES_MAX, ROWS_PER_MESSAGE};

/// Rows, and whether they are all that the table has.
#[derive(Debug, Default)]
pub struct SampledRows {
    /// The rows.
    pub rows: Rows,
    /// Runs of rows that are neighbours in their file.
    pub runs: Vec<Range<usize>>,
    /// Whether they are all.
    pub is_whole: bool,
    /// Why the first file that could not be read could not.
    pub fault: Option<String>,
}

/// Reads the table where it has at most `most` rows, else some rows of the files that may hold messages of these times.
pub async fn read(pinned: &Arc<Pinned>, times_ms: &[i64], most: usize) -> SampledRows {
    let fields: Vec<Field> = pinned.schema.fields.iter().take(NAMES_MAX).cloned().collect();
    let all: u64 = pinned.files.iter().map(|file| file.record_count).sum();
    let is_whole = all <= most as u64 && pinned.files.len() <= FILES_WHOLE_MAX;
    let wanted = most / ROWS_PER_MESSAGE;
    let files =
        if is_whole { pinned.files.iter().collect() } else { filled(pinned, chosen(pinned, times_ms), wanted as u64) };
    let rows = Rows { leaves: leaves(&pinned.schema), values: Vec::new() };
    let mut sampled = SampledRows { rows, runs: Vec::new(), is_whole, fault: None };
    let share = if is_whole { most } else { (wanted / files.len().max(1)).max(1) };
    let leaves = sampled.rows.leaves.clone();
    let reads = files.into_iter().map(|file| file_rows(pinned, file, &fields, share, &leaves));
    let mut reads = futures::stream::iter(reads).buffered(FILES_AT_ONCE);
    while let Some((read, fault)) = reads.next().await {
        let before = sampled.rows.values.len();
        sampled.rows.values.extend(read);
        if let Some(why) = fault {
            sampled.fault.get_or_insert(why);
            sampled.is_whole = false;
        }
        let (after, middle) = (sampled.rows.values.len(), sampled.rows.values.len().midpoint(before));
        sampled.runs.extend([before..middle, middle..after].into_iter().filter(|run| !run.is_empty()));
    }
    sampled
}

/// The chosen files, and others from all over the table while they have fewer rows than are wanted.
fn filled<'a>(pinned: &'a Pinned, mut chosen: Vec<&'a DataFile>, wanted: u64) -> Vec<&'a DataFile> {
    let rows: u64 = chosen.iter().map(|file| file.record_count).sum();
    let is_new = |file: &&DataFile| file.record_count > 0 && chosen.iter().all(|known| known.path != file.path);
    let others: Vec<&DataFile> = pinned.files.iter().filter(is_new).collect();
    let there: u64 = others.iter().map(|file| file.record_count).sum();
    let of_others = others.len() as u64;
    let more = (wanted.saturating_sub(rows) * of_others).checked_div(there).unwrap_or(0);
    let more = usize::try_from(more).unwrap_or(usize::MAX).min(FILES_SMALL_MAX - chosen.len().min(FILES_SMALL_MAX));
    let step = others.len().div_ceil(more.max(1)).max(1);
    chosen.extend(others.into_iter().step_by(step).take(more));
    chosen
}

/// Files by how many of the times their bounds hold or their commit follows; the newest and the oldest are among them.
fn chosen<'a>(pinned: &'a Pinned, times_ms: &[i64]) -> Vec<&'a DataFile> {
    let time_ids: Vec<i32> = pinned
        .schema
        .fields
        .iter()
        .filter(|field| {
            matches!(field.ty, Type::Timestamp | Type::Timestamptz | Type::TimestampNs | Type::TimestamptzNs)
        })
        .map(|field| field.id)
        .collect();
    let holds = |file: &DataFile, ms: i64| {
        let zoned = [true, false].map(|zoned| Value::timestamp_micros(ms.saturating_mul(1_000), zoned));
        time_ids.iter().any(|id| {
            let (lower, upper) = file.bounds(*id);
            let inside = |value: &Value| {
                let above =
                    lower.as_ref().is_some_and(|lower| value.order(lower).is_some_and(std::cmp::Ordering::is_ge));
                above && upper.as_ref().is_some_and(|upper| value.order(upper).is_some_and(std::cmp::Ordering::is_le))
            };
            zoned.iter().any(inside)
        })
    };
    let commit = |file: &DataFile| file.added_by.as_ref().map_or(i64::MIN, |added| added.commit_ms);
    let mut by_commit: Vec<&DataFile> = pinned.files.iter().filter(|file| file.record_count > 0).collect();
    by_commit.sort_by(|a, b| (commit(a), &a.path).cmp(&(commit(b), &b.path)));
    let mut wanted: Vec<&DataFile> = Vec::new();
    let mut take = |file: Option<&&'a DataFile>| {
        if let Some(file) = file
            && wanted.len() < FILES_MAX
            && wanted.iter().all(|known| known.path != file.path)
        {
            wanted.push(file);
        }
    };
    for ms in times_ms {
        take(by_commit.iter().find(|file| holds(file, *ms)));
        take(by_commit.get(by_commit.partition_point(|file| commit(file) < *ms)));
    }
    take(by_commit.first());
    take(by_commit.last());
    take(by_commit.get(by_commit.len() / 2));
    wanted
}

/// Rows of a file, and why it could not be read to its end.
async fn file_rows(
    pinned: &Pinned,
    file: &DataFile,
    fields: &[Field],
    most: usize,
    leaves: &[Leaf],
) -> (Vec<Vec<Value>>, Option<String>) {
    let mut rows = Vec::new();
    let why = |fault: FileFault| Some(format!("{}: {}", fault.path, fault.detail));
    let reader = match pinned.open(file, fields).await {
        Ok(reader) => reader,
        Err(fault) => return (rows, why(fault)),
    };
    let all = reader.rows();
    let mut items = if all <= most as u64 {
        reader.scan(&validator_table::RowGroups::All)
    } else {
        // The head and the tail of the file, each of half the share.
        let half = (most as u64 / 2).max(1);
        let positions: Vec<u64> = (0..half).chain(all - half..all).collect();
        reader.rows_at(&positions)
    };
    while let Some(item) = items.next().await {
        match item {
            ScanItem::Rows(batch) => {
                for row in 0..batch.batch.num_rows() {
                    let columns = batch.batch.columns().iter().zip(fields);
                    let values: Vec<Value> =
                        columns.map(|(array, field)| Value::from_arrow(array, row, &field.ty)).collect();
                    rows.push(spread(leaves, values));
                }
            }
            ScanItem::End(end) => {
                if let Some(fault) = end.fault {
                    return (rows, why(fault));
                }
            }
        }
    }
    (rows, None)
}

/// Columns, then the children of struct columns.
fn leaves(schema: &Schema) -> Vec<Leaf> {
    let columns = schema.fields.iter().take(NAMES_MAX).enumerate();
    let leaf = |(column, field): (usize, &Field)| Leaf {
        path: field.name.clone(),
        field: field.clone(),
        column,
        is_child: false,
    };
    let mut leaves: Vec<Leaf> = columns.clone().map(leaf).collect();
    for (column, field) in columns {
        let Type::Struct(children) = &field.ty else { continue };
        let child = |child: &Field| Leaf {
            path: format!("{}.{}", field.name, child.name),
            field: child.clone(),
            column,
            is_child: true,
        };
        leaves.extend(children.iter().take(NAMES_MAX).map(child));
    }
    leaves
}

fn spread(leaves: &[Leaf], columns: Vec<Value>) -> Vec<Value> {
    let of_leaf = |leaf: &Leaf| match &columns[leaf.column] {
        value if !leaf.is_child => value.clone(),
        Value::Struct(fields) => {
            fields.iter().find(|(name, _)| *name == leaf.field.name).map_or(Value::Null, |(_, value)| value.clone())
        }
        _ => Value::Null,
    };
    leaves.iter().map(|leaf| kept(of_leaf(leaf))).collect()
}
