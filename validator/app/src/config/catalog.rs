//! `[catalogs.NAME]`: where tables are found, and how their store is reached.

use std::time::Duration;

use validator_core::secret::Secret;
use validator_table::{CatalogConfig, PostgresConfig, S3Config};

use super::item::Item;
use super::problem::Problem;
use super::rest::read_rest;
use super::secret::read_secret;
use super::section::Section;
use super::source::SourceFile;
use super::store::read_store;
use super::walk::{Located, Walk};

/// `[catalogs.NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    /// How a table is looked up; relative paths were resolved against the file's folder.
    pub config: CatalogConfig,
    /// `[catalogs.NAME.storage]`
    pub store: S3Config,
}

/// How a table is looked up.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// SQL catalog.
    Sql,
    /// REST catalog.
    Rest,
    /// Folders.
    Filesystem,
    /// One metadata file.
    Metadata,
}

/// The words of `type`.
pub const KINDS: [(&str, Kind); 4] =
    [("rest", Kind::Rest), ("sql", Kind::Sql), ("filesystem", Kind::Filesystem), ("metadata", Kind::Metadata)];

/// Reads `[catalogs.NAME]`.
pub fn read_catalog(item: &Item<'_>, walk: &Walk<'_>, warnings: &mut Vec<Problem>) -> Option<Catalog> {
    let name = &item.key;
    let section = item.section(format!("catalogs.{name}"));
    if !section.is_present() {
        return None;
    }
    if name.contains('.') || name.is_empty() {
        section.note(Problem::new("the name of a catalog is one word without dots").hint("write `[catalogs.lake]`"));
    }
    if !section.has("type") {
        section.missing("type", "type = \"sql\"");
    }
    let kind = section.choice("type", &KINDS, &[]);
    let store = read_store(&section.section("storage"), walk, warnings);
    let config = match kind.map(|kind| kind.value) {
        Some(Kind::Sql) => read_sql(&section, name, walk, warnings),
        Some(Kind::Rest) => read_rest(&section, &store, walk, warnings).map(CatalogConfig::Rest),
        Some(Kind::Filesystem) => {
            let warehouse = section.required_text("warehouse", "warehouse = \"s3://bucket/warehouse\"");
            warehouse.map(|at| CatalogConfig::Filesystem { warehouse: resolve_location(walk.file(), at.value) })
        }
        Some(Kind::Metadata) => {
            let location = section.required_text("location", "location = \"/path/to/v1.metadata.json\"");
            location.map(|at| CatalogConfig::Metadata { location: resolve_location(walk.file(), at.value) })
        }
        // Of another type nothing is known, so no key of it can be unknown.
        None => return None,
    };
    section.finish();
    Some(Catalog { config: config?, store })
}

fn read_sql(section: &Section<'_>, name: &str, walk: &Walk<'_>, warnings: &mut Vec<Problem>) -> Option<CatalogConfig> {
    let uri = section.required_text("uri", "uri = \"sqlite:///path/to/catalog.db\"");
    let catalog_name = section.text("catalog_name").map_or_else(|| name.to_owned(), |text| text.value);
    // Accepted, since the writers of the catalog want it; table locations come from the metadata.
    section.text("warehouse");
    let password = read_secret(section, "password", walk, warnings);
    let timeout = read_timeout(section);
    let uri = uri?;
    let scheme = uri.value.split([':', '+']).next().unwrap_or_default();
    match scheme {
        "sqlite" => {
            let only_postgres = "is for PostgreSQL";
            section.misplaced("password", only_postgres);
            section.misplaced("timeout", only_postgres);
            Some(CatalogConfig::Sql { uri: sqlite_uri(walk.file(), uri.value), catalog_name })
        }
        "postgres" | "postgresql" => {
            warn_of_password(section, &uri, walk, warnings);
            let password = password.map(|password| password.value);
            let config = PostgresConfig { uri: Secret::new(uri.value), password, catalog_name, timeout };
            if let Err(why) = config.database() {
                let problem = Problem::new(format!("`uri` is not one of PostgreSQL: {why}"));
                section.note_at(problem.hint("write `postgres://user@host:5432/database`"), &uri.span);
            }
            Some(CatalogConfig::Postgres(config))
        }
        _ => {
            section.note_at(
                Problem::new("`uri` of a SQL catalog starts with sqlite:/// or postgres://")
                    .hint("write `uri = \"sqlite:///path/to/catalog.db\"`"),
                &uri.span,
            );
            None
        }
    }
}

/// `timeout`, above 0.
pub fn read_timeout(section: &Section<'_>) -> Option<Duration> {
    let timeout = section.duration_ms("timeout")?;
    let duration = u64::try_from(timeout.value).ok().filter(|ms| *ms > 0).map(Duration::from_millis);
    if duration.is_none() {
        section.note_at(Problem::new("`timeout` is above 0"), &timeout.span);
    }
    duration
}

/// A password in the URI is as open as one under its own key.
fn warn_of_password(section: &Section<'_>, uri: &Located<String>, walk: &Walk<'_>, warnings: &mut Vec<Problem>) {
    let authority = uri.value.split("://").nth(1).unwrap_or_default();
    let user = authority.split('/').next().and_then(|host| host.rsplit_once('@')).map(|(user, _)| user);
    let written = walk.file().text().get(uri.span.clone()).unwrap_or_default();
    if user.is_some_and(|user| user.contains(':')) && !written.contains("${") {
        let problem = Problem::new("`uri` holds a password for everyone to read")
            .hint(format!("write `password = \"${{PGPASSWORD}}\"` in {} and export it", section.title()));
        warnings.push(problem.at(walk.file(), Some(uri.span.clone())));
    }
}

fn sqlite_uri(file: &SourceFile, uri: String) -> String {
    match uri.strip_prefix("sqlite://") {
        Some(path) if !path.is_empty() && !path.starts_with(['/', ':']) => {
            format!("sqlite://{}", file.resolve(path).display())
        }
        _ => uri,
    }
}

/// A path starts at the file's folder; a URL stays.
fn resolve_location(file: &SourceFile, location: String) -> String {
    let scheme = location.split_once(':').map_or("", |(scheme, _)| scheme);
    if scheme.is_empty() || scheme.contains('/') { file.resolve(&location).display().to_string() } else { location }
}
