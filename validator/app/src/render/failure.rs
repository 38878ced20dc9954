//! A run that could not be made or finished: what failed, why (the chain, once), and one thing to do.

use std::error::Error;
use std::path::Path;

use super::escape::escape;
use super::page::Page;
use super::paint::{Palette, Role};
use super::problem::problems;
use crate::config::ConfigError;
use crate::failure::Failure;
use validator_engine::query::QueryError;
use validator_table::{CatalogError, StorageError, TableError};
use validator_tap::TapError;

/// A command's failure; problems of the configuration each at its place.
pub fn failure(failure: &Failure, palette: Palette, width: usize) -> String {
    match failure {
        Failure::Config(error) => config_failure(error, palette, width),
        Failure::Problems(found) => problems(found, "error", palette, width),
        other => error_chain(other, hint(other).as_deref(), palette, width),
    }
}

/// One thing to run, for the failures that have one.
fn hint(failure: &Failure) -> Option<String> {
    let hint = match failure {
        Failure::Tap(
            TapError::BrokersUnreachable { .. } | TapError::TopicMissing { .. } | TapError::Stalled { .. },
        ) => "`kcat -L -b BROKERS` shows whether the brokers of [kafka] answer, and their topics",
        Failure::Tap(TapError::NoFiles { .. }) => {
            "a path of [source] starts at the folder of the pipeline file, one of --source at the working folder"
        }
        Failure::Tap(TapError::RegistryUnreachable { .. } | TapError::RegistryRefused { .. }) => {
            "`curl URL/subjects` shows whether the url of [schema_registry] answers"
        }
        Failure::Table(TableError::Catalog(error)) => match error {
            CatalogError::NoTable { .. } => "a table is `catalog.namespace.table`, its catalog one of validator.toml",
            CatalogError::RestSilent { .. }
            | CatalogError::RestAnswer { .. }
            | CatalogError::RestSetup { .. }
            | CatalogError::RestRedirect { .. } => {
                "`curl -i URI/v1/config` shows whether the `uri` of [catalogs] answers"
            }
            CatalogError::RestRefused { .. } | CatalogError::RestNotThere { .. } => {
                "`credential`, `token` and `warehouse` in [catalogs] of validator.toml say who asks, and for what"
            }
            CatalogError::RestNotBuilt { .. } => {
                "give a key of your own: `s3.access-key-id` and `s3.secret-access-key` in [catalogs.NAME.storage]"
            }
            CatalogError::Folder { .. } | CatalogError::TooManyVersions { .. } => {
                "`warehouse` and `storage` in [catalogs] of validator.toml say where folders of tables are looked at"
            }
            _ => "`uri` and `catalog_name` in [catalogs] of validator.toml say where tables are looked up",
        },
        Failure::Table(
            TableError::ReadMetadata { source, .. }
            | TableError::ReadManifestList { source, .. }
            | TableError::ReadManifest { source, .. },
        ) if !matches!(source, StorageError::NotFound { .. }) => {
            "`[catalogs.NAME.storage]` in validator.toml says how the store of the table is reached"
        }
        Failure::Init(error) => return error.hint().map(str::to_owned),
        Failure::Query(QueryError::Resources { .. }) => {
            "`[service] memory` in validator.toml says how much a query may take; fewer columns or rows need less"
        }
        Failure::Cut(cut) => return Some(cut.hint()),
        Failure::Write { path, .. } => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            return Some(format!("ls -ld {}", folder.unwrap_or(Path::new(".")).display()));
        }
        Failure::Internal(_) => "this is a fault of the validator, not of the data: report it with the lines above",
        Failure::Runtime(_) => "`ulimit -u` shows how many threads this user may have",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// An error with its causes, each said once, and a hint that can be acted on.
pub fn error_chain(error: &(dyn Error + 'static), hint: Option<&str>, palette: Palette, width: usize) -> String {
    let mut page = Page::new(palette, width);
    let mut said = error.to_string();
    page.heading(Role::Bad, "error:", &escape(&said));
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        // Some libraries repeat their cause in their own text; what was said is not said again.
        if !text.is_empty() && !said.contains(&text) {
            page.pair(2, Role::Faint, "because:", 8, &escape(&text));
            said = text;
        }
        cause = next.source();
    }
    if let Some(hint) = hint {
        page.pair(2, Role::Strong, "hint:", 8, &escape(hint));
    }
    page.finish()
}

fn config_failure(error: &ConfigError, palette: Palette, width: usize) -> String {
    match error {
        ConfigError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            error_chain(error, Some("a path starts at the working folder: `ls` it"), palette, width)
        }
        ConfigError::Read { .. } => error_chain(error, None, palette, width),
        ConfigError::Invalid { .. } => {
            format!("{}\n{}\n", problems(error.problems(), "error", palette, width), escape(&error.to_string()))
        }
        ConfigError::UnknownPipeline { .. } => problems(error.problems(), "error", palette, width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::path::PathBuf;

    use thiserror::Error;

    #[derive(Debug, Error)]
    #[error("load table lake.ns.trades")]
    struct LoadTable(#[source] Repeats);

    #[derive(Debug, Error)]
    #[error("read file:///lake/v1.metadata.json: permission denied")]
    struct Repeats(#[source] io::Error);

    #[test]
    fn the_chain_is_said_once() {
        let error = LoadTable(Repeats(io::Error::other("permission denied")));
        let shown = error_chain(&error, Some("ls -l /lake/v1.metadata.json"), Palette::PLAIN, 60);
        insta::assert_snapshot!(shown, @r"
        error: load table lake.ns.trades
          because: read file:///lake/v1.metadata.json: permission
                   denied
          hint:    ls -l /lake/v1.metadata.json
        ");
    }

    #[test]
    fn a_server_cannot_write_to_the_terminal() {
        let error = io::Error::other("500 \u{1b}[2Jgone \u{202e}");
        assert_eq!(error_chain(&error, None, Palette::PLAIN, 80), "error: 500 \\u{1b}[2Jgone \\u{202e}\n");
    }

    #[test]
    fn an_answer_that_cannot_be_written_says_where_to_look() {
        let source = io::Error::new(io::ErrorKind::PermissionDenied, "permission denied");
        let error = Failure::Write { path: PathBuf::from("out/report.json"), source };
        insta::assert_snapshot!(failure(&error, Palette::PLAIN, 80), @r"
        error: write out/report.json
          because: permission denied
          hint:    ls -ld out
        ");
    }

    #[test]
    fn a_file_that_is_not_there_is_said_with_its_path() {
        let error = ConfigError::Read { path: PathBuf::from("tades.toml"), source: io::ErrorKind::NotFound.into() };
        insta::assert_snapshot!(failure(&error.into(), Palette::PLAIN, 80), @r"
        error: read tades.toml
          because: entity not found
          hint:    a path starts at the working folder: `ls` it
        ");
    }
}
