//! `validator init`: looks at a topic and a table and writes the pipeline file that a person would have written.
//!
//! The way: [`sample_messages`] and [`sample_rows`] look at both sides, [`proposal`] makes a proposal of what they show (a
//! pure function of [`evidence`]), [`pipeline_file`] writes it down, [`proof`] runs it on the sample.

mod aggregate;
mod columns;
mod decoding;
mod derived;
mod error;
mod evidence;
mod identity;
mod keys;
mod limits;
mod offsets;
mod operands;
mod origin;
mod payload;
mod pipeline_file;
mod places;
mod proof;
mod proof_part;
mod proposal;
mod reading;
mod rhythm;
mod said;
mod sample_fields;
mod sample_messages;
mod sample_rows;
mod sides;
mod ties;
mod window;

#[cfg(test)]
mod tests;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

pub use error::InitError;
use origin::Origin;

use crate::cli::{Exit, InitArgs};
use crate::config::{Loader, Pipeline, SourceFile};
use crate::failure::Failure;
use crate::open;
use crate::terminal::Terminal;

/// Runs the command.
///
/// # Errors
/// [`Failure`], with its exit code: nothing was written then.
pub fn init(args: &InitArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let now_ms = chrono::Utc::now().timestamp_millis();
    if let Some(path) = args.output.as_ref().filter(|path| path.exists() && !args.force) {
        return Err(InitError::OutputExists { path: path.clone() }.into());
    }
    let loader = Loader::of_process(now_ms);
    let service = loader.service(args.config.as_deref())?;
    terminal.warn(&service.warnings);
    let runtime = open::runtime()?;
    let most = args.sample.map_or(limits::SAMPLE_DEFAULT, |most| most.get().min(limits::SAMPLE_MAX));
    let looked = runtime.block_on(sides::look(args, &service, &loader, most))?;
    let made = format!(
        "Made from {} messages and {} rows, {} of them tied by {}.",
        looked.evidence.messages.values.len(),
        looked.evidence.rows.values.len(),
        looked.proposal.ties,
        looked.proposal.tied_by.join(", ")
    );
    let head = pipeline_file::Head { topic: &args.topic, table: &args.table, made: &made, origin: &Origin::of(args) };
    let text = pipeline_file::pipeline_file(&head, &looked.proposal);
    let path = args.output.clone().unwrap_or_else(|| "pipeline.toml".into());
    let pipeline = Pipeline::read(Arc::new(SourceFile::new(&path, &text)), &loader)?;
    let proof = proof::prove(&pipeline, &service, &looked, &runtime, now_ms);
    match &args.output {
        Some(path) => write(path, &text, args.force)?,
        None => terminal.answer(&text)?,
    }
    let proof = proof?;
    terminal.talk(&said::said(args, &looked, &proof, terminal.palette_of_talk(), terminal.width()));
    Ok(proof.exit())
}

/// Writes the file; what is there stays unless `force`.
fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let mut options = fs::OpenOptions::new();
    let options =
        if force { options.write(true).create(true).truncate(true) } else { options.write(true).create_new(true) };
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => InitError::OutputExists { path: path.to_owned() }.into(),
        _ => Failure::Write { path: path.to_owned(), source },
    })
}
