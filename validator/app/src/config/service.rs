//! `validator.toml`: the brokers, the registry, the catalogs and what the service itself needs.
//!
//! Relative paths start at the file's own folder. Contract: no secret is ever part of a `Debug` text or a problem.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::interpolate::Environment;
use super::item::Item;
use super::problem::Problem;
use super::secret::Secret;
use super::section::Section;
use super::source::{SourceFile, sounds_secret};
use super::units::{SIZE_EXAMPLES, parse_size};
use super::walk::{Located, Walk};

/// What `validator.toml` says. Without a file it is empty.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// The file it was read from.
    pub file: Option<Arc<SourceFile>>,
    /// Where to spill; the system's folder for temporary files unless given.
    pub temp: Option<PathBuf>,
    /// How much memory a run may take, in bytes.
    pub memory_bytes: Option<u64>,
    /// The key of row digests, 32 bytes; the public constant of canonical/1 unless given.
    pub digest_key: Option<DigestKeyBytes>,
    /// Globs of pipeline files, resolved against the file's folder.
    pub pipelines: Vec<String>,
    /// The brokers.
    pub kafka: Option<Kafka>,
    /// The schema registry.
    pub schema_registry: Option<SchemaRegistry>,
    /// Catalogs by name.
    pub catalogs: BTreeMap<String, Catalog>,
    /// What is not wrong but should be known.
    pub warnings: Vec<Problem>,
}

/// The bytes of a digest key; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct DigestKeyBytes(pub [u8; 32]);

impl std::fmt::Debug for DigestKeyBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// `[kafka]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// Handed to librdkafka as they are.
    pub properties: BTreeMap<String, Secret>,
}

/// `[schema_registry]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaRegistry {
    /// Its path is kept.
    pub url: String,
    /// For basic authentication.
    pub user: Option<String>,
    /// For basic authentication.
    pub password: Option<Secret>,
    /// A bearer token.
    pub token: Option<Secret>,
}

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

impl Service {
    /// Reads `validator.toml`.
    ///
    /// # Errors
    /// All that is wrong with the file.
    pub fn read(file: Arc<SourceFile>, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let (table, errors) = DeTable::parse_recoverable(file.text());
        let walk = Walk::new(&file, environment);
        walk.refused(&errors);
        let mut service = Self { file: Some(Arc::clone(&file)), ..Self::default() };
        if errors.is_empty() {
            let root = walk.root(table.get_ref());
            service.read_service(&root.section("service"), &walk);
            service.kafka = service.read_kafka(&root.section("kafka"), &walk);
            service.schema_registry = service.read_registry(&root.section("schema_registry"), &walk);
            for item in root.section("catalogs").entries() {
                service.read_catalog(&item, &walk);
            }
            root.finish();
        }
        let (problems, _) = walk.into_findings();
        if problems.is_empty() { Ok(service) } else { Err(ConfigError::invalid(&file, problems)) }
    }

    fn read_service(&mut self, section: &Section<'_>, walk: &Walk<'_>) {
        let file = walk.file();
        self.temp = section.text("temp").map(|text| file.resolve(&text.value));
        if let Some(memory) = section.text("memory") {
            self.memory_bytes = parse_size(&memory.value);
            if self.memory_bytes.is_none() {
                let message = format!("`memory` is {SIZE_EXAMPLES}, not \"{}\"", memory.value);
                section.note_at(Problem::new(message), &memory.span);
            }
        }
        if let Some(key) = self.secret(section, "digest_key", walk) {
            self.digest_key = key_bytes(key.value.expose()).map(DigestKeyBytes);
            if self.digest_key.is_none() {
                let problem = Problem::new("`digest_key` is 64 hexadecimal digits (32 bytes)")
                    .hint("make one with `openssl rand -hex 32`; leave it out for digests that anyone can recompute");
                section.note_at(problem, &key.span);
            }
        }
        let globs = section.texts("pipelines").unwrap_or_default();
        self.pipelines = globs.iter().map(|glob| file.resolve_glob(&glob.value)).collect();
        for key in ["listen", "state", "poll"] {
            section.not_built(key);
        }
        section.finish();
    }

    fn read_kafka(&mut self, section: &Section<'_>, walk: &Walk<'_>) -> Option<Kafka> {
        if !section.is_present() {
            return None;
        }
        let brokers = section.required_text("brokers", "brokers = \"localhost:9092\"");
        let mut properties = BTreeMap::new();
        self.read_properties("", &section.section("properties"), &mut properties, walk);
        section.finish();
        Some(Kafka { brokers: brokers?.value, properties })
    }

    /// librdkafka's names have dots, which TOML reads as tables in tables: both ways of writing them are one.
    fn read_properties(
        &mut self,
        prefix: &str,
        section: &Section<'_>,
        into: &mut BTreeMap<String, Secret>,
        walk: &Walk<'_>,
    ) {
        for item in section.entries() {
            let name = format!("{prefix}{}", item.key);
            match item.value {
                DeValue::Table(_) => {
                    self.read_properties(&format!("{name}."), &item.section(name.clone()), into, walk);
                    continue;
                }
                _ if matches!(name.as_str(), "bootstrap.servers" | "metadata.broker.list") => {
                    section.note_at(Problem::new(format!("`{name}` is `brokers` in [kafka]")), &item.key_span);
                }
                DeValue::Boolean(value) => drop(into.insert(name, Secret::new(value.to_string()))),
                DeValue::Integer(value) => drop(into.insert(name, Secret::new(value.to_string()))),
                DeValue::Float(value) => drop(into.insert(name, Secret::new(value.as_str()))),
                _ => {
                    if sounds_secret(&name) {
                        self.warn_of_literal(&item, walk);
                    }
                    into.extend(item.text().map(|text| (name, Secret::new(text.value))));
                }
            }
        }
    }

    fn read_registry(&mut self, section: &Section<'_>, walk: &Walk<'_>) -> Option<SchemaRegistry> {
        if !section.is_present() {
            return None;
        }
        let url = section.required_text("url", "url = \"http://localhost:8081\"");
        let user = section.text("user");
        let password = self.secret(section, "password", walk);
        let token = self.secret(section, "token", walk);
        section.not_built("ca");
        section.finish();
        if let (Some(token), Some(_)) = (&token, &user) {
            section.note_at(Problem::new("give `token` or `user` and `password`, not both"), &token.span);
        }
        if let (Some(password), None) = (&password, &user) {
            section.note_at(Problem::new("`password` wants a `user`"), &password.span);
        }
        let url = url?;
        let host = url.value.strip_prefix("http://").or_else(|| url.value.strip_prefix("https://"));
        match host.map(|host| host.split('/').next().unwrap_or_default()) {
            None | Some("") => {
                section.note_at(Problem::new("`url` starts with http:// or https:// and names a host"), &url.span);
            }
            Some(host) if host.contains('@') => {
                let problem =
                    Problem::new("`url` holds a user or password").hint("write them as `user` and `password`");
                section.note_at(problem, &url.span);
            }
            Some(_) => {}
        }
        Some(SchemaRegistry {
            url: url.value,
            user: user.map(|user| user.value),
            password: password.map(|password| password.value),
            token: token.map(|token| token.value),
        })
    }

    fn read_catalog(&mut self, item: &Item<'_>, walk: &Walk<'_>) {
        let name = item.key.clone();
        let section = item.section(format!("catalogs.{name}"));
        if !section.is_present() {
            return;
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
            Some(true) => read_sql(&section, &name, walk),
            Some(false) => {
                let location = section.required_text("location", "location = \"/path/to/v1.metadata.json\"");
                location.map(|location| Catalog::Metadata { location: resolve_location(walk.file(), location.value) })
            }
            // Of another type nothing is known, so no key of it can be unknown.
            None => return,
        };
        section.finish();
        self.catalogs.extend(catalog.map(|catalog| (name, catalog)));
    }

    /// A secret: `"${NAME}"`, `{ file = "path" }`, or (with a warning) the value itself.
    fn secret(&mut self, section: &Section<'_>, key: &'static str, walk: &Walk<'_>) -> Option<Located<Secret>> {
        let item = section.item(key)?;
        let DeValue::Table(_) = item.value else {
            self.warn_of_literal(&item, walk);
            return item.text().map(|text| item.located(Secret::new(text.value)));
        };
        let table = item.section(key.to_owned());
        let path = table.required_text("file", &format!("{key} = {{ file = \"/run/secrets/{key}\" }}"));
        table.finish();
        let path = path?;
        match fs::read_to_string(walk.file().resolve(&path.value)) {
            Ok(text) => Some(item.located(Secret::new(text.trim_end_matches(['\r', '\n'])))),
            Err(error) => {
                table.note_at(Problem::new(format!("the file of `{key}` cannot be read: {error}")), &path.span);
                None
            }
        }
    }

    fn warn_of_literal(&mut self, item: &Item<'_>, walk: &Walk<'_>) {
        if let DeValue::String(text) = item.value
            && !text.contains("${")
        {
            let name = item.key.to_ascii_uppercase().replace(['.', '-'], "_");
            let problem = Problem::new(format!("`{}` stands in the file for everyone to read", item.key))
                .hint(format!("write \"${{{name}}}\" and export it, or {{ file = \"…\" }}"));
            self.warnings.push(problem.at(walk.file(), Some(item.span.clone())));
        }
    }
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

fn key_bytes(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digits = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}
