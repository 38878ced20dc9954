//! `validator.toml`: the brokers, the registry, the catalogs and what the service itself needs.
//!
//! Relative paths start at the file's own folder. Contract: no secret is ever part of a `Debug` text or a problem.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use toml::de::DeTable;
use validator_core::digest::PUBLIC_KEY_CONTEXT;
use validator_ledger::Address;

use super::alerts::read_alerts;
use super::catalog::{Catalog, read_catalog};
use super::channels::read_channel;
use super::error::ConfigError;
use super::interpolate::Environment;
use super::problem::Problem;
use super::secret::{Secret, read_secret};
use super::section::Section;
use super::servers::{Kafka, SchemaRegistry, read_kafka, read_registry};
use super::source::SourceFile;
use super::units::{SIZE_EXAMPLES, parse_size};
use super::walk::Walk;
use crate::run::alerts::{Channel, Rule};

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
    /// Where a continuous run keeps its ledger: a file of SQLite or a PostgreSQL URL, unless given
    /// [`STATE_DEFAULT`] beside the file.
    pub state: Option<Secret>,
    /// Whether several processes run the pipelines together, over one ledger in PostgreSQL.
    pub fleet: bool,
    /// How often a continuous run looks at a table, in milliseconds.
    pub poll_ms: Option<i64>,
    /// For how long the ledger keeps what is over, in milliseconds; unless given 90 days for findings, 7 for the rest.
    pub keep_ms: Option<i64>,
    /// Globs of pipeline files, resolved against the file's folder.
    pub pipelines: Vec<String>,
    /// The brokers.
    pub kafka: Option<Kafka>,
    /// The schema registry.
    pub schema_registry: Option<SchemaRegistry>,
    /// Where `/metrics`, the health checks and the API are served; nowhere unless given.
    pub listen: Option<SocketAddr>,
    /// Alerts of every pipeline.
    pub alerts: Vec<Rule>,
    /// Who is told of alerts, by name.
    pub channels: BTreeMap<String, Channel>,
    /// Catalogs by name.
    pub catalogs: BTreeMap<String, Catalog>,
    /// What is not wrong but should be known.
    pub warnings: Vec<Problem>,
}

/// The bytes of a digest key; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct DigestKeyBytes(pub [u8; 32]);

impl fmt::Debug for DigestKeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Service {
    /// The key of row digests: its own, else the public constant of canonical/1.
    pub fn digest_key_bytes(&self) -> [u8; 32] {
        self.digest_key.as_ref().map_or_else(|| blake3::derive_key(PUBLIC_KEY_CONTEXT, &[]), |key| key.0)
    }

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
            service.kafka = read_kafka(&root.section("kafka"), &walk, &mut service.warnings);
            service.schema_registry = read_registry(&root.section("schema_registry"), &walk, &mut service.warnings);
            for item in root.section("channels").entries() {
                let channel = read_channel(&item, &walk, &mut service.warnings);
                service.channels.extend(channel.map(|channel| (item.key.clone(), channel)));
            }
            service.alerts = read_alerts(&root, Some(&service.channels));
            for item in root.section("catalogs").entries() {
                let catalog = read_catalog(&item, &walk, &mut service.warnings);
                service.catalogs.extend(catalog.map(|catalog| (item.key.clone(), catalog)));
            }
            root.finish();
        }
        let (problems, _) = walk.into_findings("config");
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
        if let Some(key) = read_secret(section, "digest_key", walk, &mut self.warnings) {
            self.digest_key = key_bytes(key.value.expose()).map(DigestKeyBytes);
            if self.digest_key.is_none() {
                let problem = Problem::new("`digest_key` is 64 hexadecimal digits (32 bytes)")
                    .hint("make one with `openssl rand -hex 32`; leave it out for digests that anyone can recompute");
                section.note_at(problem, &key.span);
            }
        }
        let globs = section.texts("pipelines").unwrap_or_default();
        self.pipelines = globs.iter().map(|glob| file.resolve_glob(&glob.value)).collect();
        self.state = read_state(section, walk, &mut self.warnings);
        self.fleet = read_fleet(section, self.state.as_ref());
        self.poll_ms = read_poll(section);
        self.keep_ms = read_keep(section);
        self.listen = read_listen(section, &mut self.warnings);
        section.finish();
    }
}

/// The ledger's file unless given.
pub const STATE_DEFAULT: &str = "state/ledger.db";

/// Reads `state`; a URL may hold a password.
fn read_state(section: &Section<'_>, walk: &Walk<'_>, warnings: &mut Vec<Problem>) -> Option<Secret> {
    let file = walk.file();
    let state = section.optional_text("state")?;
    if state.value.starts_with("postgres://") || state.value.starts_with("postgresql://") {
        return read_secret(section, "state", walk, warnings).map(|state| state.value);
    }
    let path = state.value.strip_prefix("sqlite://").unwrap_or(&state.value);
    Some(Secret::new(file.resolve(path).to_string_lossy()))
}

/// Reads `fleet`: processes share a database, not a file.
fn read_fleet(section: &Section<'_>, state: Option<&Secret>) -> bool {
    let is_fleet = section.flag("fleet").unwrap_or(false);
    let is_shared = state.is_some_and(|state| matches!(Address::new(state.expose()), Address::Postgres(_)));
    if is_fleet && !is_shared {
        let problem = Problem::new("a fleet shares its ledger, and a file of SQLite is written by one process")
            .hint("write `state = \"postgres://user:password@host/database\"`, or take `fleet` out");
        section.note_value("fleet", problem);
    }
    is_fleet
}

/// Reads `poll`: from [`POLL_MS_MIN`] on.
pub fn read_poll(section: &Section<'_>) -> Option<i64> {
    let poll = section.duration_ms("poll")?;
    if poll.value < POLL_MS_MIN {
        let problem = Problem::new("a table cannot be looked at that often");
        section.note_at(problem.hint(format!("write `poll = \"{POLL_MS_MIN}ms\"` or more")), &poll.span);
        return None;
    }
    Some(poll.value)
}

/// Reads `keep`: from [`KEEP_MS_MIN`] on.
fn read_keep(section: &Section<'_>) -> Option<i64> {
    let keep = section.duration_ms("keep")?;
    if keep.value < KEEP_MS_MIN {
        let problem = Problem::new("what is over could not be looked at any more");
        section.note_at(problem.hint("write `keep = \"1h\"` or more; `keep = \"90d\"` is a quarter"), &keep.span);
        return None;
    }
    Some(keep.value)
}

/// The ledger's history is gone through once in this time.
const KEEP_MS_MIN: i64 = 3_600_000;

/// A look asks brokers and catalog; more often than this is a burden on both.
const POLL_MS_MIN: i64 = 50;

/// An address and a port; whoever reaches it reads values of findings, so one beyond this machine is warned of.
fn read_listen(section: &Section<'_>, warnings: &mut Vec<Problem>) -> Option<SocketAddr> {
    let text = section.text("listen")?;
    let Ok(address) = text.value.parse::<SocketAddr>() else {
        let message = format!("`listen` is an address and a port, not \"{}\"", text.value);
        section.note_at(Problem::new(message).hint("write `listen = \"127.0.0.1:9464\"`"), &text.span);
        return None;
    };
    if !address.ip().is_loopback() {
        let problem = Problem::new(format!("`listen` lets everyone who reaches {address} read what is found"))
            .hint("write `listen = \"127.0.0.1:9464\"` and put a proxy that asks for a password before it");
        warnings.push(problem.at(section.file(), Some(text.span.clone())));
    }
    Some(address)
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
