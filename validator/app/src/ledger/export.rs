//! `validator ledger export`: what the ledger knows as files of Parquet or Iceberg tables: findings, their states, and segments.
//!
//! Contract: findings and states are of one checkpoint, segments of one that is not older. Files are written as rows come, and
//! take their places once they are whole.

use std::path::Path;

use validator_engine::mask::Mask;
use validator_ledger::{FindingFilter, LedgerError, Listed, ReadLedger};

use super::export_columns::{Columns, Segments, States};
use super::export_place::Place;
use super::findings::{masked, objects};
use super::named::{names, problem};
use crate::cli::{Exit, ExportArgs, ExportFormat};
use crate::config::Loader;
use crate::failure::Failure;
use crate::render::{counted, escape};
use crate::report::{FindingsWriter, ParquetError, RowsWriter, findings_schema};
use crate::terminal::Terminal;
use crate::{open, run};

/// See the module.
///
/// # Errors
/// [`Failure`], with its exit code.
pub fn export(args: &ExportArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let loader = Loader::of_process(now_ms);
    let service = loader.service(args.of.config.as_deref())?;
    let said = open::runtime()?.block_on(async {
        let mut ledger = ReadLedger::open(&run::address(&service)).await?;
        let mut said = String::new();
        for name in names(&mut ledger, args.of.pipeline.as_deref()).await? {
            if name.contains(['/', '\\']) || name.starts_with('.') {
                return Err(problem(format!("`{name}` is no name of a folder"), "`--pipeline NAME` names another one"));
            }
            let folder = args.to.join(&name);
            std::fs::create_dir_all(&folder).map_err(|source| Failure::Write { path: folder.clone(), source })?;
            let mask = masked(&loader, &service, &name)?;
            let rows = findings(&mut ledger, (&name, &mask), &folder, args.format, now_ms).await?;
            let segments = segments(&mut ledger, &name, &folder, args.format, now_ms).await?;
            said += &format!(
                "{}: {} and {} in {}\n",
                escape(&name),
                counted(rows, "finding", "findings"),
                counted(segments, "segment", "segments"),
                escape(&folder.display().to_string())
            );
        }
        Ok(said)
    })?;
    terminal.tell(&said)?;
    Ok(Exit::Holds)
}

/// The findings, as `reconcile --findings` writes them, and their states; how many there are.
async fn findings(
    ledger: &mut ReadLedger,
    (name, mask): (&str, &Mask),
    folder: &Path,
    format: ExportFormat,
    now_ms: i64,
) -> Result<u64, Failure> {
    let mut all_place = Place::begin(folder, "findings", findings_schema(), format).await?;
    let mut states_place = Place::begin(folder, "states", States::schema(), format).await?;
    let (all_path, states_path) = (all_place.path(), states_place.path());
    let mut all =
        FindingsWriter::with_schema(all_place.file.writer(), all_place.schema.clone()).map_err(broken(&all_path))?;
    let mut states =
        RowsWriter::new(states_place.file.writer(), states_place.schema.clone()).map_err(broken(&states_path))?;
    let (mut rows, mut columns) = (0, States::default());
    let mut written = Ok(());
    let take = |listed: Listed| {
        let mut one = || {
            for line in objects(name, mask, &listed) {
                rows += 1;
                all.push(line.as_bytes())?;
                columns.push(&line, &listed)?;
                columns.flush(&mut states, false)?;
            }
            Ok::<_, ParquetError>(())
        };
        if written.is_ok() {
            written = one();
        }
        Ok(())
    };
    let filter = FindingFilter { now_ms, ..FindingFilter::default() };
    ledger.each_finding(name, &filter, take).await?;
    written.map_err(broken(&all_path))?;
    columns.flush(&mut states, true).and_then(|()| states.finish()).map_err(broken(&states_path))?;
    all.finish().map_err(broken(&all_path))?;
    all_place.keep(rows, now_ms).await?;
    states_place.keep(rows, now_ms).await?;
    Ok(rows)
}

/// The segments; how many there are.
async fn segments(
    ledger: &mut ReadLedger,
    name: &str,
    folder: &Path,
    format: ExportFormat,
    now_ms: i64,
) -> Result<u64, Failure> {
    let mut place = Place::begin(folder, "segments", Segments::schema(), format).await?;
    let path = place.path();
    let mut writer = RowsWriter::new(place.file.writer(), place.schema.clone()).map_err(broken(&path))?;
    let (mut rows, mut columns, mut written) = (0, Segments::default(), Ok(()));
    let take = |row| {
        rows += 1;
        if written.is_ok() {
            columns.push(&row);
            written = columns.flush(&mut writer, false);
        }
        Ok::<_, LedgerError>(())
    };
    ledger.each_segment(name, take).await?;
    written.map_err(broken(&path))?;
    columns.flush(&mut writer, true).and_then(|()| writer.finish()).map_err(broken(&path))?;
    place.keep(rows, now_ms).await?;
    Ok(rows)
}

fn broken(path: &Path) -> impl Fn(ParquetError) -> Failure + use<> {
    let path = path.to_owned();
    move |error| Failure::Write { path: path.clone(), source: std::io::Error::other(error) }
}
