//! Where Avro schemas come from: a schema registry, one file, or the recorded files themselves.
//!
//! Contract: an id's schema never changes, so every answer is kept for the life of the value, also that an id is unknown:
//! a message gets the same verdict however often it is decoded. Blocking; safe to call on any thread.

mod answer;
mod client;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use validator_core::position::PartitionIndex;

use self::answer::{Registered, Versions};
use self::client::{Client, Reply};
use crate::avro::schema::{AvroSchema, Parser};
use crate::{TapError, limits};

/// How a registry is reached.
#[derive(Clone, Default)]
pub struct RegistryConfig {
    /// Its base; a path in it is kept (`http://host/apis/ccompat/v7`).
    pub url: String,
    /// User of basic authentication.
    pub user: Option<String>,
    /// Password of basic authentication.
    pub password: Option<String>,
    /// Bearer token; goes before user and password.
    pub token: Option<String>,
}

impl fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |secret: &Option<String>| secret.as_ref().map(|_| "*****");
        f.debug_struct("RegistryConfig")
            .field("url", &self.url)
            .field("user", &self.user)
            .field("password", &hidden(&self.password))
            .field("token", &hidden(&self.token))
            .finish()
    }
}

/// A source of schemas, shared by all decoders of a pipeline.
#[derive(Debug)]
pub struct Schemas {
    origin: Origin,
}

#[derive(Debug)]
enum Origin {
    Registry(Box<Registry>),
    File {
        path: PathBuf,
        schema: Arc<AvroSchema>,
    },
    /// Writers' schemas of container files, and which of them each partition of the run has.
    Recorded {
        schemas: Vec<Arc<AvroSchema>>,
        of_partition: Vec<u32>,
    },
}

#[derive(Debug)]
struct Registry {
    client: Client,
    known: Mutex<HashMap<u32, Lookup>>,
    /// Ids that it did not know.
    doubted: AtomicU32,
}

/// What an id stands for.
#[derive(Debug, Clone)]
pub(crate) enum Lookup {
    /// A schema.
    Known(Arc<AvroSchema>),
    /// No schema that we can use, and why.
    Unknown(Arc<str>),
}

impl Schemas {
    /// Schemas of a registry with Confluent's REST interface; nothing is asked yet.
    ///
    /// # Errors
    /// When the URL is none, or the HTTP client cannot be set up.
    pub fn registry(config: RegistryConfig) -> Result<Self, TapError> {
        Ok(Self::with_client(Client::new(&config, client::Patience::default())?))
    }

    fn with_client(client: Client) -> Self {
        Self {
            origin: Origin::Registry(Box::new(Registry {
                client,
                known: Mutex::default(),
                doubted: AtomicU32::new(0),
            })),
        }
    }

    /// The one schema of a file (`.avsc`): messages are bare records, without framing.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no schema.
    pub fn file(path: impl AsRef<Path>) -> Result<Self, TapError> {
        let path = path.as_ref().to_owned();
        let text = std::fs::read_to_string(&path).map_err(|source| TapError::File { path: path.clone(), source })?;
        let schema = AvroSchema::parse(&text)
            .map_err(|error| TapError::SchemaFile { path: path.clone(), what: error.to_string() })?;
        Ok(Self { origin: Origin::File { path, schema: Arc::new(schema) } })
    }

    /// The schema of bare records; `None` where messages name their schema.
    pub(crate) fn bare(&self) -> Option<&Arc<AvroSchema>> {
        match &self.origin {
            Origin::File { schema, .. } => Some(schema),
            Origin::Registry(_) | Origin::Recorded { .. } => None,
        }
    }

    /// Schemas of recorded container files, by the partition that each file is.
    pub(crate) fn recorded(schemas: Vec<Arc<AvroSchema>>, of_partition: Vec<u32>) -> Self {
        Self { origin: Origin::Recorded { schemas, of_partition } }
    }

    /// The id of the schema of bare records in a partition, where the file that it is has said it.
    pub(crate) fn of_partition(&self, partition: PartitionIndex) -> Option<u32> {
        match &self.origin {
            Origin::Recorded { of_partition, .. } => of_partition.get(partition.0 as usize).copied(),
            Origin::Registry(_) | Origin::File { .. } => None,
        }
    }

    /// All schemas of recorded files, in the order of the files.
    pub(crate) fn recorded_schemas(&self) -> Option<&[Arc<AvroSchema>]> {
        match &self.origin {
            Origin::Recorded { schemas, .. } => Some(schemas),
            Origin::Registry(_) | Origin::File { .. } => None,
        }
    }

    /// The schema of an id.
    pub(crate) fn by_id(&self, id: u32) -> Result<Lookup, TapError> {
        match &self.origin {
            Origin::Registry(registry) => registry.by_id(id),
            Origin::File { path, .. } => {
                Ok(Lookup::Unknown(format!("{} is the only schema there is", path.display()).into()))
            }
            Origin::Recorded { schemas, .. } => Ok(match schemas.get(id as usize) {
                Some(schema) => Lookup::Known(Arc::clone(schema)),
                None => Lookup::Unknown("no recorded file has it".into()),
            }),
        }
    }

    /// All versions of a subject, ascending: id and schema. None where the registry does not know the subject.
    pub(crate) fn versions(&self, subject: &str) -> Result<Vec<(u32, Lookup)>, TapError> {
        match &self.origin {
            Origin::Registry(registry) => registry.versions(subject),
            Origin::File { .. } | Origin::Recorded { .. } => Ok(Vec::new()),
        }
    }
}

impl Registry {
    /// Of ids that the registry does not know the first few are asked for again; there may be as many as messages.
    fn ask(&self, id: u32) -> Result<Reply, TapError> {
        let id = id.to_string();
        let path = ["schemas", "ids", id.as_str()];
        let reply = self.client.get(&path)?;
        let is_doubted = || self.doubted.fetch_add(1, Ordering::Relaxed) < limits::REGISTRY_IDS_DOUBTED;
        if matches!(reply, Reply::NotFound) && is_doubted() { self.client.get_late(&path) } else { Ok(reply) }
    }

    /// Held while the registry is asked: two decoders that meet a new id ask once.
    fn known(&self) -> MutexGuard<'_, HashMap<u32, Lookup>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn by_id(&self, id: u32) -> Result<Lookup, TapError> {
        let mut known = self.known();
        if let Some(lookup) = known.get(&id) {
            return Ok(lookup.clone());
        }
        let lookup = match self.ask(id)? {
            Reply::Found { url, body } => self.read(&Registered::read(&url, &body)?)?,
            Reply::NotFound => Lookup::Unknown("the registry does not know it".into()),
        };
        if known.len() >= limits::REGISTRY_SCHEMAS_MAX {
            known.clear();
        }
        known.insert(id, lookup.clone());
        Ok(lookup)
    }

    fn versions(&self, subject: &str) -> Result<Vec<(u32, Lookup)>, TapError> {
        let Reply::Found { url, body } = self.client.get(&["subjects", subject, "versions"])? else {
            return Ok(Vec::new());
        };
        let mut versions = BTreeMap::new();
        for version in Versions::read(&url, &body)?.0 {
            // Deleted between the two questions.
            let Some(registered) = self.version(subject, version)? else { continue };
            let lookup = self.read(&registered)?;
            if let Some(id) = registered.id {
                self.known().insert(id, lookup.clone());
                versions.insert(version, (id, lookup));
            }
        }
        Ok(versions.into_values().collect())
    }

    fn version(&self, subject: &str, version: i32) -> Result<Option<Registered>, TapError> {
        match self.client.get(&["subjects", subject, "versions", &version.to_string()])? {
            Reply::Found { url, body } => Registered::read(&url, &body).map(Some),
            Reply::NotFound => Ok(None),
        }
    }

    /// Parses what is registered, with all that it refers to.
    fn read(&self, registered: &Registered) -> Result<Lookup, TapError> {
        if !registered.is_avro() {
            return Ok(Lookup::Unknown(format!("it is a {} schema, not an Avro one", registered.kind()).into()));
        }
        let mut read = Parser::default();
        let mut fetched = Vec::new();
        if let Some(missing) = self.refer(registered, &mut read, &mut fetched)? {
            return Ok(Lookup::Unknown(missing.into()));
        }
        Ok(match read.finish(&registered.schema) {
            Ok(schema) => Lookup::Known(Arc::new(schema)),
            Err(error) => Lookup::Unknown(error.to_string().into()),
        })
    }

    /// Reads the schemas that one refers to, the innermost first; what is wrong with them, if anything.
    fn refer(
        &self,
        registered: &Registered,
        parser: &mut Parser,
        fetched: &mut Vec<(String, i32)>,
    ) -> Result<Option<String>, TapError> {
        for reference in registered.references() {
            let place = (reference.subject.clone(), reference.version);
            if fetched.contains(&place) {
                continue;
            }
            if fetched.len() >= limits::REGISTRY_REFERENCES_MAX {
                return Ok(Some(format!("it refers to more than {} schemas", limits::REGISTRY_REFERENCES_MAX)));
            }
            fetched.push(place);
            let Some(inner) = self.version(&reference.subject, reference.version)? else {
                let (subject, version) = (&reference.subject, reference.version);
                return Ok(Some(format!("it refers to version {version} of {subject}, which is not there")));
            };
            if let Some(missing) = self.refer(&inner, parser, fetched)? {
                return Ok(Some(missing));
            }
            if let Err(error) = parser.refer(&inner.schema) {
                return Ok(Some(format!("{}, which it refers to: {error}", reference.subject)));
            }
        }
        Ok(None)
    }
}
