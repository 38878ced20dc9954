//! What a person sees for each thing that can be wrong with a configuration.

mod alerts;
mod mutilated;
mod pipeline_file;
mod pipeline_name;
mod service_file;

use std::sync::Arc;

use super::{ConfigError, Loader, Pipeline, Service, SourceFile};
use crate::render::{Palette, problems};

/// 2024-08-08T00:00:00Z.
const NOW_MS: i64 = 1_723_075_200_000;

fn environment(name: &str) -> Option<String> {
    match name {
        "TOPIC" => Some("market.trades".to_owned()),
        "REGISTRY_TOKEN" => Some("s3cr3t".to_owned()),
        _ => None,
    }
}

fn loader() -> Loader<'static> {
    Loader { environment: &environment, now_ms: NOW_MS }
}

fn pipeline(text: &str) -> Result<Pipeline, ConfigError> {
    Pipeline::read(Arc::new(SourceFile::new("rules/trades.toml", text)), &loader())
}

fn service(text: &str) -> Result<Service, ConfigError> {
    Service::read(Arc::new(SourceFile::new("etc/validator.toml", text)), &environment)
}

/// What is printed for a configuration that is wrong.
fn seen<T>(result: Result<T, ConfigError>) -> String {
    match result {
        Ok(_) => "sound".to_owned(),
        Err(error) => format!("{error}\n\n{}", problems(error.problems(), "error", Palette::PLAIN, 100)),
    }
}
