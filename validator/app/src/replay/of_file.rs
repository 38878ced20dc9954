//! Findings of a file that `reconcile --findings` wrote: JSON lines or Parquet.
//!
//! Contract: a line at a time. What is no finding, or one of another pipeline, ends the command: a plan without it would not be whole.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array as _, RecordBatch, StructArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use validator_core::finding::RowPlace;
use validator_core::position::TopicPartition;
use validator_core::verdict::{Cause, Verdict};

use super::plan::Planner;
use super::told::{About, Told};
use crate::cli::{FindingsFile, FindingsFormat};
use crate::config::Problem;
use crate::failure::Failure;
use crate::ledger::finding_of_line;

/// Hands all of them to a planner.
pub fn read(file: &FindingsFile, pipeline: &str, planner: &mut Planner) -> Result<(), Failure> {
    let path = file.0.as_path();
    let opened = File::open(path).map_err(|why| wrong(path, &format!("cannot be read: {why}")))?;
    match file.format() {
        FindingsFormat::Jsonl => lines(path, opened, pipeline, planner),
        FindingsFormat::Parquet => parquet(path, opened, pipeline, planner),
    }
}

fn lines(path: &Path, file: File, pipeline: &str, planner: &mut Planner) -> Result<(), Failure> {
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(|why| wrong(path, &format!("cannot be read: {why}")))?;
        let finding = finding_of_line(&line).ok_or_else(|| wrong(path, &format!("line {number} is no finding")))?;
        of_pipeline(path, pipeline, &finding.pipeline)?;
        planner.add(&Told::of_finding(finding));
    }
    Ok(())
}

fn parquet(path: &Path, file: File, pipeline: &str, planner: &mut Planner) -> Result<(), Failure> {
    let broken = |why: &dyn std::fmt::Display| wrong(path, &format!("cannot be read: {why}"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(ParquetRecordBatchReaderBuilder::build);
    for batch in reader.map_err(|why| broken(&why))? {
        let batch = batch.map_err(|why| broken(&why))?;
        let columns = Columns::of(&batch).ok_or_else(|| wrong(path, "does not have the columns of findings"))?;
        for at in 0..batch.num_rows() {
            of_pipeline(path, pipeline, columns.pipeline.value(at))?;
            let told = columns.told(at).ok_or_else(|| wrong(path, &format!("row {at} is no finding")))?;
            planner.add(&told);
        }
    }
    Ok(())
}

fn of_pipeline(path: &Path, pipeline: &str, found: &str) -> Result<(), Failure> {
    if pipeline == found { Ok(()) } else { Err(wrong(path, &format!("has findings of pipeline `{found}`"))) }
}

fn wrong(path: &Path, what: &str) -> Failure {
    let problem = Problem::new(format!("{} {what}", path.display()));
    vec![problem.hint("`validator reconcile PIPELINE --findings FILE.jsonl` writes one")].into()
}

/// The columns that a plan is made of.
struct Columns<'a> {
    pipeline: &'a arrow_array::StringArray,
    verdict: &'a arrow_array::StringArray,
    cause: &'a arrow_array::StringArray,
    topic: &'a arrow_array::StringArray,
    partition: &'a arrow_array::Int32Array,
    offset: &'a arrow_array::Int64Array,
    rows: &'a arrow_array::ListArray,
    copies: &'a arrow_array::Int64Array,
    detail: &'a arrow_array::StringArray,
    timestamp: &'a arrow_array::TimestampMillisecondArray,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let long = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
        Some(Self {
            pipeline: text("pipeline")?,
            verdict: text("verdict")?,
            cause: text("cause")?,
            topic: text("topic")?,
            partition: batch.column_by_name("partition")?.as_primitive_opt::<Int32Type>()?,
            offset: long("offset")?,
            rows: batch.column_by_name("rows")?.as_list_opt::<i32>()?,
            copies: long("copies")?,
            detail: text("detail")?,
            timestamp: batch.column_by_name("timestamp")?.as_primitive_opt::<TimestampMillisecondType>()?,
        })
    }

    fn told(&self, at: usize) -> Option<Told> {
        let verdict = Verdict::all().find(|verdict| verdict.as_str() == self.verdict.value(at))?;
        let cause = self.cause.is_valid(at).then(|| self.cause.value(at));
        let tp = (self.topic.is_valid(at) && self.partition.is_valid(at))
            .then(|| TopicPartition { topic: self.topic.value(at).to_owned(), partition: self.partition.value(at) });
        let rows = rows(&self.rows.value(at))?;
        let about = match (tp, self.offset.is_valid(at)) {
            (Some(tp), true) => About::Message { tp, offset: self.offset.value(at) },
            (Some(tp), false) => About::Unknown { tp, range: None, why: self.detail.value(at).to_owned() },
            (None, _) if rows.first().is_some_and(|row| row.position.is_some()) => About::Row,
            (None, _) => About::Table,
        };
        Some(Told {
            verdict,
            cause: Cause::of(verdict).into_iter().find(|one| Some(one.as_str()) == cause),
            about,
            rows,
            copies: u64::try_from(self.copies.value(at)).ok()?,
            timestamp_ms: self.timestamp.is_valid(at).then(|| self.timestamp.value(at)),
        })
    }
}

fn rows(list: &dyn arrow_array::Array) -> Option<Vec<RowPlace>> {
    let rows: &StructArray = list.as_struct_opt()?;
    let file = rows.column_by_name("file")?.as_string_opt::<i32>()?;
    let position = rows.column_by_name("position")?.as_primitive_opt::<Int64Type>()?;
    let one = |at: usize| RowPlace {
        file: file.value(at).to_owned(),
        position: position.is_valid(at).then(|| position.value(at)).and_then(|row| u64::try_from(row).ok()),
    };
    Some((0..rows.len()).map(one).collect())
}
