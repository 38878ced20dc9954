//! `validator.toml` and the pipeline files: TOML in, [`Service`] and [`Pipeline`] (with its core contract) out.
//!
//! Contract: all problems of a file are reported, each with its line and column; a key that is not known is refused
//! with the nearest that is; a key that a later release brings is refused by name; `${NAME}` is filled in from the
//! environment; no secret is ever printed.

mod alerts;
mod bound;
mod catalog;
mod channels;
mod contradiction;
mod dead_letter;
mod error;
mod hash;
mod head;
mod identity;
mod interpolate;
mod item;
mod join;
pub mod keys;
mod locate;
mod nearest;
mod pipeline;
mod problem;
mod profile;
mod rest;
mod secret;
mod section;
mod servers;
mod service;
mod source;
mod store;
mod terms;
mod units;
mod url;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use alerts::alert_problems;
pub use bound::{BoundError, Edge, Instant, SnapshotSelector};
pub use catalog::Catalog;
pub use error::ConfigError;
pub use identity::WIDTH_DEFAULT;
pub use interpolate::Environment;
pub use join::join;
pub use nearest::{list, nearest};
pub use pipeline::Pipeline;
pub use problem::{Problem, in_order};
pub use profile::{PROFILES, Profile, ProfileMismatch};
pub use secret::Secret;
pub use servers::{Kafka, SchemaRegistry};
pub use service::{DigestKeyBytes, STATE_DEFAULT, Service};
pub use source::{Excerpt, Position, SourceFile};
pub use terms::{ENVELOPES, SETTLE_MS_OF_RUN};
pub use units::parse_duration_ms;

/// The service file that is read when none is named.
pub const SERVICE_FILE: &str = "validator.toml";

/// Reads configuration files in given surroundings.
#[derive(Clone, Copy)]
pub struct Loader<'a> {
    /// What `${NAME}` stands for.
    pub environment: Environment<'a>,
    /// What times are relative to, milliseconds since the epoch.
    pub now_ms: i64,
}

impl Loader<'static> {
    /// In the environment of this process.
    pub fn of_process(now_ms: i64) -> Self {
        Self { environment: &|name| std::env::var(name).ok(), now_ms }
    }
}

impl Loader<'_> {
    /// The service: the file named with `-c`, else `./validator.toml` where there is one, else an empty one.
    ///
    /// # Errors
    /// The named file cannot be read, or all that is wrong with it.
    pub fn service(&self, named: Option<&Path>) -> Result<Service, ConfigError> {
        let default = Path::new(SERVICE_FILE);
        let path = match named {
            Some(path) => path,
            None if default.is_file() => default,
            None => return Ok(Service::default()),
        };
        Service::read(Arc::new(SourceFile::load(path)?), self.environment)
    }

    /// The pipeline of an argument: the path of its file, or its name.
    ///
    /// # Errors
    /// It is not found, cannot be read, or all that is wrong with it.
    pub fn pipeline(&self, argument: &str, service: &Service) -> Result<Pipeline, ConfigError> {
        self.pipeline_file(&locate::locate(argument, service)?)
    }

    /// The file of each argument: its path, or that of the pipeline of its name.
    pub fn locate_each(&self, arguments: &[String], service: &Service) -> Vec<Result<PathBuf, ConfigError>> {
        locate::locate_each(arguments, service)
    }

    /// The pipeline in a file.
    ///
    /// # Errors
    /// It cannot be read, or all that is wrong with it.
    pub fn pipeline_file(&self, path: &Path) -> Result<Pipeline, ConfigError> {
        Pipeline::read(Arc::new(SourceFile::load(path)?), self)
    }

    /// The files of all pipelines that the service names, sorted.
    ///
    /// # Errors
    /// A glob cannot be followed.
    pub fn pipeline_files(&self, service: &Service) -> Result<Vec<PathBuf>, ConfigError> {
        locate::all(service)
    }
}

#[cfg(test)]
mod tests;
