//! Opens what a query names, and nothing else.
//!
//! Contract: a table is loaded once for all of its names, so that its rows and its metadata are of one state.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use validator_engine::query::{Hidden, LakeTable, MessageTable, Opened, Parsed, Place, Relation};
use validator_table::{
    CatalogConfig, MetadataTable, S3Config, SnapshotSelector as TableSnapshot, Storage, Table, TableError, TableName,
};
use validator_tap::{Bounds, KafkaConfig, KafkaTap, Tap, TapError, TopicPattern, is_meant};

use super::fields::{OfQuery, of_pipeline};
use super::masked;
use super::names::{self, Meaning, meaning};
use super::wrong::Wrong;
use crate::cli::{NamedTable, SqlArgs};
use crate::config::{Catalog, Kafka, Loader, Pipeline, Problem, Service, SnapshotSelector, join, nearest};
use crate::decoders::Decoders;
use crate::failure::{Failure, is_failing_source};
use crate::identifier::identifier;
use crate::messages::{kafka_config, open_tap, waiting};
use crate::reconcile::Request;

/// Opens relations.
pub struct Opener<'a> {
    loader: &'a Loader<'a>,
    service: &'a Service,
    tables: &'a [NamedTable],
    /// Whether masked columns may be read.
    unmasked: bool,
    wrong: &'a Wrong,
    loaded: BTreeMap<String, Table>,
    pipelines: Option<Vec<Pipeline>>,
    warnings: Vec<Problem>,
}

impl<'a> Opener<'a> {
    /// Of what the configuration and the command line name.
    pub fn new(loader: &'a Loader<'a>, service: &'a Service, args: &'a SqlArgs, wrong: &'a Wrong) -> Self {
        let (loaded, warnings, pipelines) = (BTreeMap::new(), Vec::new(), None);
        Self { loader, service, tables: &args.tables, unmasked: args.unmasked, wrong, loaded, pipelines, warnings }
    }

    /// What should be known of what was opened.
    pub fn warnings(&self) -> Vec<Problem> {
        self.warnings.clone()
    }

    /// Everything that the query reads.
    ///
    /// # Errors
    /// A name that means nothing, at its place; a broker, a catalog or a store that failed.
    pub async fn open(&mut self, parsed: &Parsed) -> Result<Vec<Opened>, Failure> {
        let mut meant = Vec::new();
        let mut problems = Vec::new();
        for (parts, at) in parsed.relations() {
            if parsed.defines(parts) && !self.tables.iter().any(|table| names::is_of(table, &parts[0])) {
                continue;
            }
            match meaning(parts, at, self.service, self.tables, self.wrong) {
                Ok(meaning) => meant.push((parts.to_vec(), at, meaning)),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems.into());
        }
        let mut opened = Vec::with_capacity(meant.len());
        for (parts, at, meaning) in meant {
            let hidden = if self.unmasked { Hidden::new() } else { self.hidden(&meaning)? };
            let (name, relation) = self.relation(&parts, at, meaning).await?;
            opened.push(Opened { parts, name, relation, hidden });
        }
        Ok(opened)
    }

    /// What the pipelines of `[service]` mask of it.
    fn hidden(&mut self, meaning: &Meaning) -> Result<Hidden, Failure> {
        Ok(match meaning {
            Meaning::Lake(name, kind) => masked::of_table(self.pipelines()?, name, *kind),
            Meaning::Named(index, kind) => {
                let named = &self.tables[*index];
                match TableName::parse(&named.location) {
                    Ok(name) if !named.is_metadata() => masked::of_table(self.pipelines()?, &name, *kind),
                    _ => Hidden::new(),
                }
            }
            Meaning::Topic(topic) => {
                masked::of_messages(self.pipelines()?.iter().filter(|pipeline| names(pipeline, topic)))
            }
            Meaning::Source(name) => {
                masked::of_messages(self.pipelines()?.iter().filter(|pipeline| pipeline.contract.name == *name))
            }
            Meaning::Tables => Hidden::new(),
        })
    }

    async fn relation(
        &mut self,
        parts: &[String],
        at: Option<Place>,
        meaning: Meaning,
    ) -> Result<(Vec<String>, Relation), Failure> {
        let last = parts.last().cloned().unwrap_or_default();
        Ok(match meaning {
            Meaning::Named(index, kind) => {
                let named = &self.tables[index];
                let snapshot = self.snapshot(named.snapshot.as_ref());
                let table = self.named(named, at).await?;
                (vec![last], self.of_table(&table, snapshot, kind, at).await?)
            }
            Meaning::Lake(name, kind) => {
                let table = self.lake(&name, at).await?;
                let parts = vec![name.catalog, name.namespace.join("."), last];
                (parts, self.of_table(&table, TableSnapshot::Current, kind, at).await?)
            }
            Meaning::Topic(topic) => {
                let relation = self.topic(&topic, at).await?;
                (vec![parts[0].clone(), topic], Relation::Messages(relation))
            }
            Meaning::Source(name) => {
                let relation = self.source(&name, at).await?;
                (vec![parts[0].clone(), name], Relation::Messages(relation))
            }
            Meaning::Tables => (vec![last], Relation::Rows(self.list()?)),
        })
    }

    fn snapshot(&self, selector: Option<&SnapshotSelector>) -> TableSnapshot {
        match selector {
            None => TableSnapshot::Current,
            Some(SnapshotSelector::Id(id)) => TableSnapshot::Id(*id),
            Some(SnapshotSelector::Ref(name)) => TableSnapshot::Ref(name.clone()),
            Some(SnapshotSelector::Time(instant)) => TableSnapshot::Time(instant.floor_ms(self.loader.now_ms)),
        }
    }

    async fn of_table(
        &self,
        table: &Table,
        snapshot: TableSnapshot,
        kind: Option<MetadataTable>,
        at: Option<Place>,
    ) -> Result<Relation, Failure> {
        Ok(match kind {
            Some(kind) => Relation::Rows(table.inspect(kind, &snapshot).await.map_err(|e| self.table_failure(e, at))?),
            None => {
                let pinned = table.pin(&snapshot).await.map_err(|e| self.table_failure(e, at))?;
                Relation::Table(LakeTable::new(Arc::new(pinned)))
            }
        })
    }

    async fn named(&mut self, named: &NamedTable, at: Option<Place>) -> Result<Table, Failure> {
        if !named.is_metadata() {
            let name = TableName::parse(&named.location).map_err(|error| vec![self.wrong.because(None, &error)])?;
            if !self.service.catalogs.contains_key(&name.catalog) {
                let problem = Problem::new(format!("--table {}: there is no catalog {}", named.name, name.catalog));
                let known: Vec<&str> = self.service.catalogs.keys().map(String::as_str).collect();
                let hint = match nearest(&name.catalog, known.iter().copied()) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => "write [catalogs.NAME] in validator.toml, or name a metadata.json".to_owned(),
                };
                return Err(vec![problem.hint(hint)].into());
            }
            return self.lake(&name, at).await;
        }
        let config = CatalogConfig::Metadata { location: named.location.clone() };
        let name = TableName { catalog: "metadata".into(), namespace: vec!["json".into()], table: named.name.clone() };
        // With one catalog there is one store that it can mean.
        let mut stores = self.service.catalogs.values();
        let store = match (stores.next(), stores.next()) {
            (Some(only), None) => only.store.clone(),
            _ => S3Config::default(),
        };
        self.load(&format!("--table {}", named.location), &Catalog { config, store }, &name, at).await
    }

    async fn lake(&mut self, name: &TableName, at: Option<Place>) -> Result<Table, Failure> {
        let catalog =
            self.service.catalogs.get(&name.catalog).expect("a name means a table of a catalog that is there");
        self.load(&name.to_string(), catalog, name, at).await
    }

    async fn load(
        &mut self,
        key: &str,
        catalog: &Catalog,
        name: &TableName,
        at: Option<Place>,
    ) -> Result<Table, Failure> {
        if let Some(table) = self.loaded.get(key) {
            return Ok(table.clone());
        }
        let storage = Storage::local().with_s3(catalog.store.clone());
        let table = validator_table::load_with(&catalog.config, name, storage).await;
        let table = table.map_err(|error| self.table_failure(error, at))?;
        self.loaded.insert(key.to_owned(), table.clone());
        Ok(table)
    }

    fn table_failure(&self, error: TableError, at: Option<Place>) -> Failure {
        if !error.is_usage() {
            return error.into();
        }
        let hint = match &error {
            TableError::Catalog(_) => "a table is catalog.namespace.table; SHOW TABLES lists what the pipelines name",
            _ => "\"TABLE$snapshots\" and \"TABLE$refs\" list the states that there are",
        };
        let problem = match &error {
            TableError::Catalog(error) => self.wrong.because(at, error),
            error => self.wrong.because(at, error),
        };
        vec![problem.hint(hint)].into()
    }

    fn tap_failure(&self, error: TapError, at: Option<Place>) -> Failure {
        if is_failing_source(&error) {
            return error.into();
        }
        vec![self.wrong.because(at, &error).hint("SHOW TABLES lists what the pipelines of [service] name")].into()
    }

    /// The pipelines of `[service] pipelines`.
    fn pipelines(&mut self) -> Result<&[Pipeline], Failure> {
        if self.pipelines.is_none() {
            let files = self.loader.pipeline_files(self.service)?;
            let read: Result<Vec<Pipeline>, _> = files.iter().map(|path| self.loader.pipeline_file(path)).collect();
            self.pipelines = Some(read?);
        }
        Ok(self.pipelines.as_deref().unwrap_or_default())
    }

    async fn topic(&mut self, topic: &str, at: Option<Place>) -> Result<MessageTable, Failure> {
        let Some(kafka) = self.service.kafka.clone() else {
            let problem = self.wrong.at(at, "there are no brokers: [kafka] is not in validator.toml");
            return Err(vec![problem.hint("write [kafka] with `brokers = \"localhost:9092\"`")].into());
        };
        let mut naming = self.pipelines()?.iter().filter(|pipeline| names(pipeline, topic));
        let (pipeline, other) = (naming.next().cloned(), naming.next().map(|other| other.contract.name.clone()));
        if let (Some(pipeline), Some(other)) = (&pipeline, other) {
            let (name, other) = (&pipeline.contract.name, identifier(&other));
            let what = format!("pipelines {name} and {other} name topic {topic}: its fields are those of {name}");
            self.warnings.push(Problem::new(what).hint(format!("source.{other} has those of the other")));
        }
        let tap = self.open_topic(kafka.clone(), topic, at).await?;
        let table = match &pipeline {
            Some(pipeline) => self.decoded(pipeline, Arc::clone(&tap), at).await?,
            None => self.by_registry(topic, Arc::clone(&tap), at).await?,
        };
        let topics = vec![topic.to_owned()];
        Ok(table.since(since(kafka, topics)))
    }

    async fn open_topic(&self, kafka: Kafka, topic: &str, at: Option<Place>) -> Result<Arc<dyn Tap>, Failure> {
        let config = kafka_config(&kafka, vec![topic.to_owned()], Bounds::default());
        let config = KafkaConfig { waiting: Some(waiting()), ..config };
        let opened = match TopicPattern::is(topic) {
            true => Err(TapError::TopicMissing { topic: topic.to_owned() }),
            false => blocking(move || KafkaTap::open(&config)).await?,
        };
        match opened {
            Ok(tap) => Ok(Arc::new(tap)),
            Err(error @ TapError::TopicMissing { .. }) => {
                let config = kafka_config(&kafka, Vec::new(), Bounds::default());
                let known = blocking(move || KafkaTap::topics(&config)).await?.unwrap_or_default();
                let problem = self.wrong.because(at, &error);
                let hint = match nearest(topic, known.iter().map(String::as_str)) {
                    Some(meant) => format!("did you mean kafka.{}?", identifier(meant)),
                    None => "`kcat -L -b BROKERS` lists the topics of the brokers of [kafka]".to_owned(),
                };
                Err(vec![problem.hint(hint)].into())
            }
            Err(error) => Err(self.tap_failure(error, at)),
        }
    }

    /// A topic that no pipeline names: what the registry knows of it.
    async fn by_registry(&self, topic: &str, tap: Arc<dyn Tap>, at: Option<Place>) -> Result<MessageTable, Failure> {
        if self.service.schema_registry.is_none() {
            return Ok(MessageTable::new(tap, Vec::new(), None)?);
        }
        let (service, topics, asked) = (self.service.clone(), vec![topic.to_owned()], Arc::clone(&tap));
        let decoders = blocking(move || Decoders::of_registry(&service, &topics, asked.as_ref())).await??;
        let fields = decoders.avro_fields();
        if fields.is_empty() {
            return Ok(MessageTable::new(tap, Vec::new(), None)?);
        }
        let decoders = Arc::new(OfQuery(Arc::new(decoders)));
        MessageTable::new(tap, fields, Some(decoders)).map_err(|error| match error.is_usage() {
            true => vec![self.wrong.because(at, &error)].into(),
            false => error.into(),
        })
    }

    async fn source(&mut self, name: &str, at: Option<Place>) -> Result<MessageTable, Failure> {
        let known: Vec<String> = self.pipelines()?.iter().map(|pipeline| pipeline.contract.name.clone()).collect();
        let found = self.pipelines()?.iter().find(|pipeline| pipeline.contract.name == name).cloned();
        let Some(pipeline) = found else {
            let problem = self.wrong.at(at, format!("[service] names no pipeline {name}"));
            return Err(vec![match nearest(name, known.iter().map(String::as_str)) {
                Some(meant) => problem.hint(format!("did you mean source.{}?", identifier(meant))),
                None if known.is_empty() => {
                    problem.hint("write `pipelines = [\"rules/suites/*.toml\"]` in [service] of validator.toml")
                }
                None => problem.hint(format!("there are {}", known.join(", "))),
            }]
            .into());
        };
        join(&pipeline, self.service)?;
        let (contract, service) = (pipeline.contract.clone(), self.service.clone());
        let request = Request::talking(self.loader.now_ms);
        let tap = match blocking(move || open_tap(&contract, &service, &request)).await? {
            Ok(tap) => tap,
            Err(Failure::Tap(error)) => return Err(self.tap_failure(error, at)),
            Err(other) => return Err(other),
        };
        self.warnings.extend(tap.warnings().into_iter().map(Problem::new));
        let table = self.decoded(&pipeline, tap, at).await?;
        match (&pipeline.contract.source, self.service.kafka.clone()) {
            (None, Some(kafka)) => Ok(table.since(since(kafka, pipeline.contract.topics.clone()))),
            _ => Ok(table),
        }
    }

    /// Messages with the fields that their pipeline gives them.
    async fn decoded(
        &mut self,
        pipeline: &Pipeline,
        tap: Arc<dyn Tap>,
        at: Option<Place>,
    ) -> Result<MessageTable, Failure> {
        join(pipeline, self.service)?;
        let (contract, service, asked) = (pipeline.contract.clone(), self.service.clone(), Arc::clone(&tap));
        let decoders = Arc::new(blocking(move || Decoders::new(&contract, &service, asked.as_ref())).await??);
        let schema = match decoders.known_fields() {
            Some(_) => None,
            None => {
                let name = TableName::parse(&pipeline.contract.table).map_err(Failure::Name)?;
                let table = self.lake(&name, at).await?;
                Some(table.schema().map_err(|error| self.table_failure(error, at))?)
            }
        };
        let fields = of_pipeline(&pipeline.contract, &decoders, schema.as_ref());
        Ok(MessageTable::new(tap, fields, Some(Arc::new(OfQuery(decoders))))?)
    }

    /// What can be named: the answer to SHOW TABLES.
    fn list(&mut self) -> Result<RecordBatch, Failure> {
        let mut rows: Vec<(String, &str, String)> = Vec::new();
        for named in self.tables {
            rows.push((identifier(&named.name), "table", named.location.clone()));
        }
        let has_brokers = self.service.kafka.is_some();
        for pipeline in self.pipelines()? {
            let contract = &pipeline.contract;
            let by = format!("pipeline {}", contract.name);
            if let Ok(name) = TableName::parse(&contract.table) {
                let parts = std::iter::once(&name.catalog).chain(&name.namespace).chain([&name.table]);
                let quoted: Vec<String> = parts.map(|part| identifier(part)).collect();
                rows.push((quoted.join("."), "table", by.clone()));
            }
            rows.push((format!("source.{}", identifier(&contract.name)), "messages", by.clone()));
            if contract.source.is_none() && has_brokers {
                let named = contract.topics.iter().filter(|topic| !TopicPattern::is(topic));
                let topics = named.map(|topic| format!("kafka.{}", identifier(topic)));
                rows.extend(topics.map(|topic| (topic, "messages", by.clone())));
            }
        }
        rows.sort();
        rows.dedup_by(|a, b| (&a.0, a.1) == (&b.0, b.1));
        let names: StringArray = rows.iter().map(|(name, ..)| Some(name)).collect();
        let kinds: StringArray = rows.iter().map(|(_, kind, _)| Some(kind)).collect();
        let named_by: StringArray = rows.iter().map(|(.., by)| Some(by)).collect();
        let columns: [(&str, arrow_array::ArrayRef); 3] =
            [("name", Arc::new(names)), ("kind", Arc::new(kinds)), ("named_by", Arc::new(named_by))];
        Ok(RecordBatch::try_from_iter(columns).expect("the columns are equally long"))
    }
}

/// Whether it is a pipeline of this topic of the brokers.
fn names(pipeline: &Pipeline, topic: &str) -> bool {
    pipeline.contract.source.is_none() && is_meant(&pipeline.contract.topics, topic)
}

/// Opens topics from a point in time on.
fn since(kafka: Kafka, topics: Vec<String>) -> validator_engine::query::Since {
    Arc::new(move |ms| {
        let from = Some(validator_core::contract::Bound::Time(ms));
        let config = kafka_config(&kafka, topics.clone(), Bounds { from, ..Bounds::default() });
        Ok(Arc::new(KafkaTap::open(&config)?) as Arc<dyn Tap>)
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::Runtime(std::io::Error::other(error)))
}
