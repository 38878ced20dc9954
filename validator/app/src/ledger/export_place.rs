//! Where rows of an export go: a file of Parquet, or an Iceberg table that is one folder.
//!
//! Contract: what was there before stays until all rows are written, and nothing of them is seen before.

use std::path::{Path, PathBuf};

use arrow_schema::SchemaRef;
use validator_publish::{PublishError, TableFolder};

use crate::cli::ExportFormat;
use crate::failure::Failure;
use crate::report::{BegunFile, begin};

/// A place that is being written.
pub struct Place {
    /// Takes the rows.
    pub file: BegunFile,
    /// The columns that it takes them in.
    pub schema: SchemaRef,
    table: Option<TableFolder>,
}

impl Place {
    /// `NAME.parquet` or the table `NAME` in `folder`.
    ///
    /// # Errors
    /// It cannot be written, or the table has other columns.
    pub async fn begin(folder: &Path, name: &str, columns: SchemaRef, format: ExportFormat) -> Result<Self, Failure> {
        let (path, schema, table) = match format {
            ExportFormat::Parquet => (folder.join(name).with_extension("parquet"), columns, None),
            ExportFormat::Iceberg => {
                let table = TableFolder::open(&folder.join(name), &columns).await?;
                (table.new_file(), table.schema()?, Some(table))
            }
        };
        let file = begin(&path).map_err(|source| Failure::Write { path, source })?;
        Ok(Self { file, schema, table })
    }

    /// Where the rows are written.
    pub fn path(&self) -> PathBuf {
        self.file.path().to_owned()
    }

    /// All rows are written.
    ///
    /// # Errors
    /// What was there before still is.
    pub async fn keep(self, rows: u64, now_ms: i64) -> Result<(), Failure> {
        let path = self.path();
        if let (Some(table), 0) = (&self.table, rows) {
            drop(self.file);
            table.replace(None, now_ms).await?;
            return Ok(());
        }
        let kept = self.file.whole().and_then(|file| file.keep());
        kept.map_err(|source| Failure::Write { path: path.clone(), source })?;
        if let Some(table) = &self.table {
            table.replace(Some((&path, rows)), now_ms).await?;
        }
        Ok(())
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Self::Publish(Box::new(error))
    }
}
