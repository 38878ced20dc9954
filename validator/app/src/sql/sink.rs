//! Where an answer goes: stdout as it comes, or a file that is there whole or not at all.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::cells::text;
use super::grid::Grid;
use super::lines;
use crate::cli::AnswerFormat;
use crate::failure::Failure;
use crate::report::{BegunFile, WrittenFile, begin};
use crate::terminal::Terminal;

/// Bytes of a row group on its way: what is written of a Parquet file at once.
const ROW_GROUP_BYTES: usize = 64 * 1024 * 1024;

/// Takes the batches of an answer.
pub struct Sink {
    target: Target,
    rows: Rows,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With its last row.
    Whole,
    /// There are more rows.
    Cut,
    /// It could not be made.
    Failed,
}

enum Rows {
    Table(Box<Grid>),
    Jsonl,
    Csv,
    Parquet(Box<ArrowWriter<File>>, SchemaRef),
}

enum Target {
    Stdout(BufWriter<io::Stdout>),
    File(Box<BegunFile>),
}

impl Sink {
    /// Opens the target and writes what comes before the rows.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(format: AnswerFormat, output: Option<&Path>, schema: &SchemaRef) -> Result<Self, Failure> {
        let is_stdout = output.is_none_or(|path| path == Path::new("/dev/stdout") && format != AnswerFormat::Parquet);
        let mut target = match output.filter(|_| !is_stdout) {
            None => Target::Stdout(BufWriter::new(io::stdout())),
            Some(path) => {
                let begun = begin(path).map_err(|source| Failure::Write { path: path.to_owned(), source })?;
                Target::File(Box::new(begun))
            }
        };
        let rows = match format {
            AnswerFormat::Table => Rows::Table(Box::new(Grid::new(schema))),
            AnswerFormat::Jsonl => Rows::Jsonl,
            AnswerFormat::Csv => {
                let written = lines::csv_header(target.writer(), schema);
                written.map_err(|source| target.failed(source))?;
                Rows::Csv
            }
            AnswerFormat::Parquet => {
                let schema = storable(schema);
                let level = ZstdLevel::try_new(3).expect("3 is a level of zstd");
                let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
                let file = target.handle().map_err(|source| target.failed(source))?;
                let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties));
                Rows::Parquet(Box::new(writer.map_err(|e| target.failed(io::Error::other(e)))?), schema)
            }
        };
        Ok(Self { target, rows })
    }

    /// Takes a batch; `false` where nobody reads any more.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<bool, Failure> {
        let written = match &mut self.rows {
            Rows::Table(grid) => {
                grid.add(batch);
                Ok(())
            }
            Rows::Jsonl => lines::jsonl(self.target.writer(), batch).and_then(|()| self.target.show()),
            Rows::Csv => lines::csv(self.target.writer(), batch).and_then(|()| self.target.show()),
            Rows::Parquet(writer, schema) => write_parquet(writer, schema, batch),
        };
        match written {
            Ok(()) => Ok(true),
            Err(error) if self.target.is_left(&error) => Ok(false),
            Err(source) => Err(self.target.failed(source)),
        }
    }

    /// Whether what is written is read at once, by whoever is at the other end.
    pub fn is_direct(&self) -> bool {
        self.target.is_direct()
    }

    /// Whether no more can be held: an answer for people is shown when its last row is known.
    pub fn is_full(&self) -> bool {
        matches!(&self.rows, Rows::Table(grid) if grid.is_full())
    }

    /// Writes what is left; a file is in its place only now, and only where the answer is whole.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self, terminal: &Terminal, end: End) -> Result<(), Failure> {
        let is_kept = match end {
            End::Whole => true,
            // A Parquet file that ends as one is whole.
            // A table without a row would say that there is none.
            End::Cut => match &self.rows {
                Rows::Parquet(..) => false,
                Rows::Table(grid) => self.target.is_direct() && !grid.is_empty(),
                Rows::Jsonl | Rows::Csv => self.target.is_direct(),
            },
            End::Failed => false,
        };
        if !is_kept {
            return Ok(());
        }
        let written = match self.rows {
            Rows::Table(grid) => {
                let (palette, width) = match &self.target {
                    Target::Stdout(_) => (terminal.palette(), terminal.width_of_answers()),
                    Target::File(_) => (crate::render::Palette::PLAIN, None),
                };
                self.target.writer().write_all(grid.render(palette, width).as_bytes())
            }
            Rows::Jsonl | Rows::Csv => Ok(()),
            Rows::Parquet(writer, _) => writer.close().map(drop).map_err(io::Error::other),
        };
        match written {
            Err(error) if self.target.is_left(&error) => Ok(()),
            Err(source) => Err(self.target.failed(source)),
            Ok(()) => self.target.close(),
        }
    }
}

impl Target {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Stdout(out) => out,
            Self::File(begun) => begun.writer(),
        }
    }

    /// A second handle of the file.
    fn handle(&self) -> io::Result<File> {
        match self {
            Self::Stdout(_) => Err(io::Error::other("a Parquet file is no text for a terminal")),
            Self::File(begun) => begun.handle(),
        }
    }

    /// Whether what is written is read at once.
    fn is_direct(&self) -> bool {
        match self {
            Self::Stdout(_) => true,
            Self::File(begun) => begun.is_direct(),
        }
    }

    /// Whether the reader went away: nobody wants the rest.
    fn is_left(&self, error: &io::Error) -> bool {
        self.is_direct() && is_broken_pipe(error)
    }

    /// Who watches sees rows as they come.
    fn show(&mut self) -> io::Result<()> {
        if self.is_direct() { self.writer().flush() } else { Ok(()) }
    }

    fn failed(&self, source: io::Error) -> Failure {
        match self {
            Self::Stdout(_) => Failure::Stdout(source),
            Self::File(begun) => Failure::Write { path: begun.path().to_owned(), source },
        }
    }

    fn close(self) -> Result<(), Failure> {
        match self {
            Self::Stdout(mut out) => match out.flush() {
                Err(error) if !is_broken_pipe(&error) => Err(Failure::Stdout(error)),
                _ => Ok(()),
            },
            Self::File(begun) => {
                let (path, is_direct) = (begun.path().to_owned(), begun.is_direct());
                match begun.whole().and_then(WrittenFile::keep) {
                    Err(error) if is_direct && is_broken_pipe(&error) => Ok(()),
                    kept => kept.map_err(|source| Failure::Write { path, source }),
                }
            }
        }
    }
}

/// Whether it is one, or was caused by one: the writer of Parquet has errors of its own.
fn is_broken_pipe(error: &io::Error) -> bool {
    let mut at: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = at {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return true;
        }
        at = error.source();
    }
    false
}

/// The columns as a Parquet file holds them: what it has no type for is text.
fn storable(schema: &SchemaRef) -> SchemaRef {
    let field = |field: &Arc<Field>| match field.data_type() {
        DataType::Interval(_) | DataType::Duration(_) | DataType::Null => {
            Field::new(field.name(), DataType::Utf8, true)
        }
        // Parquet counts no whole seconds: other readers would see numbers.
        DataType::Timestamp(TimeUnit::Second, zone) => {
            Field::new(field.name(), DataType::Timestamp(TimeUnit::Millisecond, zone.clone()), true)
        }
        DataType::Time32(TimeUnit::Second) => Field::new(field.name(), DataType::Time32(TimeUnit::Millisecond), true),
        DataType::Date64 => Field::new(field.name(), DataType::Date32, true),
        ty => Field::new(field.name(), ty.clone(), true),
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

fn write_parquet(writer: &mut ArrowWriter<File>, schema: &SchemaRef, batch: &RecordBatch) -> io::Result<()> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| -> io::Result<ArrayRef> {
        if column.data_type() == field.data_type() {
            return Ok(Arc::clone(column));
        }
        if field.data_type() == &DataType::Utf8 {
            let texts = (0..column.len()).map(|row| text(column.as_ref(), row));
            return Ok(Arc::new(texts.collect::<StringArray>()));
        }
        // What does not fit is said, and not left out.
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(column, field.data_type(), &strict).map_err(io::Error::other)
    });
    let columns = columns.collect::<io::Result<Vec<_>>>()?;
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(io::Error::other)?;
    writer.write(&batch).map_err(io::Error::other)?;
    if writer.in_progress_size() >= ROW_GROUP_BYTES {
        writer.flush().map_err(io::Error::other)?;
    }
    Ok(())
}
