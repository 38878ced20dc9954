//! Where an answer goes: stdout as it comes, or a file that is there whole or not at all.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tempfile::NamedTempFile;

use super::cells::text;
use super::grid::Grid;
use super::lines;
use crate::cli::AnswerFormat;
use crate::failure::Failure;
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
    /// A pipe or a device: nothing can be put in its place.
    Open(PathBuf, BufWriter<File>),
    File(PathBuf, BufWriter<NamedTempFile>),
}

impl Sink {
    /// Opens the target and writes what comes before the rows.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(format: AnswerFormat, output: Option<&Path>, schema: &SchemaRef) -> Result<Self, Failure> {
        let mut target = match output {
            None => Target::Stdout(BufWriter::new(io::stdout())),
            Some(path) => Target::open(path)?,
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
                let file = target.file().map_err(|source| target.failed(source))?;
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
            Rows::Jsonl => lines::jsonl(self.target.writer(), batch).and_then(|()| self.target.flush_stdout()),
            Rows::Csv => lines::csv(self.target.writer(), batch).and_then(|()| self.target.flush_stdout()),
            Rows::Parquet(writer, schema) => write_parquet(writer, schema, batch),
        };
        match written {
            Ok(()) => Ok(true),
            Err(error) if self.target.is_stdout() && error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(source) => Err(self.target.failed(source)),
        }
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
            End::Cut => self.target.is_stdout(),
            End::Failed => false,
        };
        if !is_kept {
            return Ok(());
        }
        let written = match self.rows {
            Rows::Table(grid) => {
                let (palette, width) = match self.target.is_stdout() {
                    true => (terminal.palette(), terminal.width_of_answers()),
                    false => (crate::render::Palette::PLAIN, None),
                };
                self.target.writer().write_all(grid.render(palette, width).as_bytes())
            }
            Rows::Jsonl | Rows::Csv => Ok(()),
            Rows::Parquet(writer, _) => writer.close().map(drop).map_err(io::Error::other),
        };
        match written {
            Err(error) if self.target.is_stdout() && error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(source) => Err(self.target.failed(source)),
            Ok(()) => self.target.close(),
        }
    }
}

impl Target {
    fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |source| Failure::Write { path: path.to_owned(), source };
        let is_other = path.metadata().is_ok_and(|there| !there.is_file());
        if is_other {
            let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
            return Ok(Self::Open(path.to_owned(), BufWriter::new(file)));
        }
        // A link stays, and what it points to is written.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mode = Permissions::from_mode(0o666);
        let file =
            tempfile::Builder::new().prefix(".validator-").permissions(mode).tempfile_in(folder).map_err(failed)?;
        Ok(Self::File(path, BufWriter::new(file)))
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Stdout(out) => out,
            Self::Open(_, out) => out,
            Self::File(_, out) => out,
        }
    }

    /// A second handle of the file.
    fn file(&self) -> io::Result<File> {
        match self {
            Self::Stdout(_) => Err(io::Error::other("a Parquet file is no text for a terminal")),
            Self::Open(_, out) => out.get_ref().try_clone(),
            Self::File(_, out) => out.get_ref().as_file().try_clone(),
        }
    }

    fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout(_))
    }

    /// Who watches sees rows as they come.
    fn flush_stdout(&mut self) -> io::Result<()> {
        if let Self::Stdout(out) = self { out.flush() } else { Ok(()) }
    }

    fn failed(&self, source: io::Error) -> Failure {
        match self {
            Self::Stdout(_) => Failure::Stdout(source),
            Self::Open(path, _) | Self::File(path, _) => Failure::Write { path: path.clone(), source },
        }
    }

    fn close(self) -> Result<(), Failure> {
        match self {
            Self::Stdout(mut out) => match out.flush() {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Stdout(error)),
                _ => Ok(()),
            },
            Self::Open(path, mut out) => out.flush().map_err(|source| Failure::Write { path, source }),
            Self::File(path, out) => {
                let failed = |source| Failure::Write { path: path.clone(), source };
                let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
                file.as_file().sync_all().map_err(failed)?;
                file.persist(&path).map(drop).map_err(|error| failed(error.error))
            }
        }
    }
}

/// The columns as a Parquet file holds them: what it has no type for is text.
fn storable(schema: &SchemaRef) -> SchemaRef {
    let field = |field: &Arc<Field>| match field.data_type() {
        DataType::Interval(_) | DataType::Duration(_) | DataType::Null => {
            Field::new(field.name(), DataType::Utf8, true)
        }
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
        arrow_cast::cast(column, field.data_type()).map_err(io::Error::other)
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
