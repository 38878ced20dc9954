//! `validator init`: looks at a topic and a table and writes the pipeline file that a person would have written.
//!
//! The way: [`sample_messages`] and [`sample_rows`] look at both sides, [`proposal`] makes a proposal of what they show (a
//! pure function of [`evidence`]), [`pipeline_file`] writes it down, [`proof`] runs it on the sample.

mod aggregate;
mod claims;
mod columns;
mod dead_letters;
mod decoding;
mod deletions;
mod derived;
mod error;
mod evidence;
mod identity;
mod keys;
mod limits;
mod lost;
mod offsets;
mod operands;
mod origin;
mod own_rows;
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
mod unexplained;
mod window;

#[cfg(test)]
mod tests;

use std::fs;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

pub use error::InitError;
pub use limits::SAMPLE_MAX;
use origin::Origin;

use crate::cli::{Exit, InitArgs};
use crate::config::{Loader, Pipeline, SourceFile};
use crate::failure::Failure;
use crate::open;
use crate::report::{BegunFile, WrittenFile, begin};
use crate::terminal::Terminal;

/// Runs the command.
///
/// # Errors
/// [`Failure`], with its exit code. Nothing was written then, unless stderr says so: the proof may fail after it.
pub fn init(args: &InitArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let begun = args.output.as_deref().map(|path| begun(path, args.force)).transpose()?;
    let loader = Loader::of_process(now_ms);
    let service = loader.service(args.config.as_deref())?;
    terminal.warn(&service.warnings);
    let runtime = open::runtime()?;
    let most = args.sample.map_or(limits::SAMPLE_DEFAULT, NonZeroUsize::get);
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
    match begun {
        Some(begun) => write(begun, &text, args.force)?,
        None => terminal.answer(&text)?,
    }
    let proof = proof.inspect_err(|_| terminal.talk(&said::unproven(args)))?;
    terminal.talk(&said::said(args, &looked, &proof, terminal.palette_of_talk(), terminal.width()));
    Ok(match proof.exit() {
        Exit::Holds if !looked.proposal.unexplained.is_empty() => Exit::Breached,
        exit => exit,
    })
}

/// Begins the file, so that one that cannot be written is told before anything is looked at; what is there stays unless
/// `force`.
fn begun(path: &Path, force: bool) -> Result<BegunFile, Failure> {
    refuse_existing(path, force)?;
    begin(path).map_err(|source| Failure::Write { path: path.to_owned(), source })
}

/// Writes the file, whole or not at all.
fn write(mut begun: BegunFile, text: &str, force: bool) -> Result<(), Failure> {
    let path = begun.path().to_owned();
    // Another may have made it in the meantime.
    refuse_existing(&path, force || begun.is_direct())?;
    let written = begun.writer().write_all(text.as_bytes()).and_then(|()| begun.whole()).and_then(WrittenFile::keep);
    written.map_err(|source| Failure::Write { path, source })
}

fn refuse_existing(path: &Path, force: bool) -> Result<(), Failure> {
    // A pipe and a device hold nothing that could be lost; a link that leads nowhere is somebody's.
    let is_there = fs::metadata(path).map_or_else(|_| path.is_symlink(), |there| there.is_file());
    if is_there && !force { Err(InitError::OutputExists { path: path.to_owned() }.into()) } else { Ok(()) }
}
