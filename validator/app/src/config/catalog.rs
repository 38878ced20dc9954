//! `[catalogs.NAME]`: where tables are found.

use super::item::Item;
use super::problem::Problem;
use super::section::Section;
use super::source::SourceFile;
use super::walk::Walk;

/// `[catalogs.NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Catalog {
    /// Iceberg's SQL (JDBC) catalog.
    Sql {
        /// `sqlite:///…`; a relative path was resolved against the file's folder.
        uri: String,
        /// The name in the catalog's tables; NAME unless given.
        catalog_name: String,
        /// Where its tables lie.
        warehouse: Option<String>,
    },
    /// One table, by its metadata file.
    Metadata {
        /// A path (resolved against the file's folder) or URL of a metadata.json.
        location: String,
    },
}

/// Reads `[catalogs.NAME]`.
pub fn read_catalog(item: &Item<'_>, walk: &Walk<'_>) -> Option<Catalog> {
    let name = &item.key;
    let section = item.section(format!("catalogs.{name}"));
    if !section.is_present() {
        return None;
    }
    if name.contains('.') || name.is_empty() {
        section.note(Problem::new("the name of a catalog is one word without dots"));
    }
    if !section.has("type") {
        section.missing("type", "type = \"sql\"");
    }
    let kind = section.choice("type", &[("sql", true), ("metadata", false)], &["rest", "filesystem"]);
    section.not_built("storage");
    let catalog = match kind.map(|kind| kind.value) {
        Some(true) => read_sql(&section, name, walk),
        Some(false) => {
            let location = section.required_text("location", "location = \"/path/to/v1.metadata.json\"");
            location.map(|location| Catalog::Metadata { location: resolve_location(walk.file(), location.value) })
        }
        // Of another type nothing is known, so no key of it can be unknown.
        None => return None,
    };
    section.finish();
    catalog
}

fn read_sql(section: &Section<'_>, name: &str, walk: &Walk<'_>) -> Option<Catalog> {
    let uri = section.required_text("uri", "uri = \"sqlite:///path/to/catalog.db\"");
    let catalog_name = section.text("catalog_name").map_or_else(|| name.to_owned(), |text| text.value);
    let warehouse = section.text("warehouse").map(|text| resolve_location(walk.file(), text.value));
    let uri = uri?;
    let scheme = uri.value.split(':').next().unwrap_or_default();
    match scheme {
        "sqlite" => {}
        "postgres" | "postgresql" => {
            section.note_at(Problem::new("a SQL catalog on PostgreSQL is not built yet"), &uri.span);
            return None;
        }
        _ => {
            section.note_at(Problem::new("`uri` of a SQL catalog starts with sqlite:///"), &uri.span);
            return None;
        }
    }
    let uri = match uri.value.strip_prefix("sqlite://") {
        Some(path) if !path.is_empty() && !path.starts_with(['/', ':']) => {
            format!("sqlite://{}", walk.file().resolve(path).display())
        }
        _ => uri.value,
    };
    Some(Catalog::Sql { uri, catalog_name, warehouse })
}

/// A path starts at the file's folder; a URL stays.
fn resolve_location(file: &SourceFile, location: String) -> String {
    let scheme = location.split_once(':').map_or("", |(scheme, _)| scheme);
    if scheme.is_empty() || scheme.contains('/') { file.resolve(&location).display().to_string() } else { location }
}
