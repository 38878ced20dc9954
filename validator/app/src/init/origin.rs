//! Where the messages are read from beside the brokers of the service: recorded files, a schema file.
//!
//! Contract: flags name files from the working folder, a pipeline file from its own; [`Origin::of`] writes them so that both
//! mean the same.

use std::path::{Path, PathBuf};

use validator_core::contract::{Envelope, Format};

use crate::cli::InitArgs;

/// See the module. Nothing is in it where messages come from brokers and their schemas from a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Globs of recorded files, as the pipeline file has them.
    pub files: Vec<String>,
    /// How messages lie in them; none is the default's.
    pub envelope: Option<Envelope>,
    /// The schema file, as the pipeline file has it.
    pub schema: Option<String>,
}

impl Origin {
    /// What the pipeline file has to say.
    pub fn of(args: &InitArgs) -> Self {
        let folder = args.output.as_deref().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
        let here = folder.and_then(|_| std::env::current_dir().ok());
        let seen_from_there = |path: &str, is_glob: bool| match &here {
            Some(here) if Path::new(path).is_relative() => {
                let here = here.to_string_lossy().into_owned();
                let here = if is_glob { glob::Pattern::escape(&here) } else { here };
                format!("{here}/{path}")
            }
            _ => path.to_owned(),
        };
        Self {
            files: args.source.iter().map(|glob| seen_from_there(glob, true)).collect(),
            envelope: args.envelope,
            schema: args.schema.as_ref().map(|path| seen_from_there(&path.to_string_lossy(), false)),
        }
    }
}

/// The format that recorded files have to be opened as: what they are tells their name.
pub fn format_of_files(files: &[String], envelope: Option<Envelope>) -> Format {
    if files.is_empty() || envelope.is_some_and(|envelope| envelope != Envelope::None) {
        return Format::Bytes;
    }
    let first = files.iter().find_map(|pattern| glob::glob(pattern).ok()?.find_map(Result::ok));
    let named = first.or_else(|| files.first().map(PathBuf::from)).unwrap_or_default();
    match named.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("parquet" | "parq") => Format::Parquet,
        Some("avro") => Format::Avro,
        _ => Format::Json,
    }
}
