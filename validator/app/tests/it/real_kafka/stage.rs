//! One pipeline with all that a user has: a catalog with a table, brokers, the two TOML files, and a run over them.

use std::path::{Path, PathBuf};

use fixtures_harness::{IcebergCatalog, KafkaCluster, SchemaRegistry};
use fixtures_kit::table::Table;
use fixtures_warehouse::{Warehouse, WrittenTable};
use validator_app::config::{Edge, Loader, Pipeline, Service};
use validator_app::render::{Palette, failure};
use validator_app::{Answer, Failure, Progress, Request, judge, prepare};
use validator_engine::reconcile::Run;

use super::good;
use crate::transcript::{self, Ran};

/// See the module.
pub struct Stage {
    runtime: tokio::runtime::Runtime,
    service: String,
    warehouse: Warehouse,
    // Removed last.
    folder: tempfile::TempDir,
}

impl Stage {
    /// A stage with an empty warehouse, its catalog called `lake`.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("the system gives threads");
        let folder = tempfile::tempdir().expect("the system gives a folder");
        let warehouse = good(runtime.block_on(Warehouse::create(&folder.path().join("warehouse"))));
        let service = fixtures_kit::World::service_toml(&warehouse.catalog_uri(), &warehouse.url(), None);
        Self { runtime, service, warehouse, folder }
    }

    /// The same with another writer's catalog called `foreign` beside it.
    pub fn with_catalog(mut self, catalog: &IcebergCatalog) -> Self {
        let (uri, name, warehouse) = (catalog.uri(), IcebergCatalog::NAME, catalog.warehouse().uri());
        self.service += &format!(
            "\n[catalogs.foreign]\ntype = \"sql\"\nuri = {uri:?}\ncatalog_name = {name:?}\nwarehouse = {warehouse:?}\n"
        );
        self
    }

    /// The same with brokers.
    pub fn with_kafka(mut self, cluster: &KafkaCluster) -> Self {
        self.service += &format!("\n[kafka]\nbrokers = {:?}\n", cluster.bootstrap());
        self
    }

    /// The same with more sections of the service file.
    pub fn with_service(mut self, sections: &str) -> Self {
        self.service += sections;
        self
    }

    /// The same with a schema registry.
    pub fn with_registry(mut self, registry: &SchemaRegistry) -> Self {
        self.service += &format!("\n[schema_registry]\nurl = {:?}\n", registry.url());
        self
    }

    /// Where the files of the stage lie: the warehouse is in `warehouse`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a table into the catalog `lake`.
    pub fn write(&self, table: &Table) -> WrittenTable {
        good(self.runtime.block_on(self.warehouse.write(table)))
    }

    /// Judges the pipeline of that text, everything by its default.
    pub fn judge(&self, pipeline: &str) -> Answer {
        self.judge_as(pipeline, |request| request)
    }

    /// Judges from that edge, written as after `--from`.
    pub fn judge_from(&self, pipeline: &str, from: &str) -> Answer {
        let edge = good(Edge::parse_from(from));
        self.judge_as(pipeline, |request| Request { from: Some(edge.resolve(request.started_ms)), ..request })
    }

    /// Judges with what `ask` makes of the default request.
    pub fn judge_as(&self, pipeline: &str, ask: impl FnOnce(Request) -> Request) -> Answer {
        let judged = self.try_judge(pipeline, ask);
        judged.unwrap_or_else(|error| panic!("the run failed:\n{}", failure(&error, Palette::PLAIN, 120)))
    }

    /// As `judge_as`, or the failure.
    pub fn try_judge(&self, pipeline: &str, ask: impl FnOnce(Request) -> Request) -> Result<Answer, Failure> {
        let (pipeline, service, request) = self.loaded(pipeline, ask)?;
        self.runtime.block_on(judge(&pipeline, &service, &request, &Progress::none()))
    }

    fn loaded(
        &self,
        pipeline: &str,
        ask: impl FnOnce(Request) -> Request,
    ) -> Result<(Pipeline, Service, Request), Failure> {
        let [service_file, pipeline_file] = self.files(pipeline);
        let now_ms = chrono::Utc::now().timestamp_millis();
        let loader = Loader::of_process(now_ms);
        let service = loader.service(Some(&service_file))?;
        let pipeline = loader.pipeline_file(&pipeline_file)?;
        Ok((pipeline, service, ask(Request { threads: 2, ..Request::new(now_ms) })))
    }

    /// Runs a command over the same files as a process; the pipeline's is `pipeline.toml`.
    pub fn run(&self, pipeline: &str, words: &str, environment: &[(&str, &str)]) -> Ran {
        self.files(pipeline);
        transcript::run(self.folder(), words, environment).assert_no_panic()
    }

    /// Opens both sides, and leaves the run to the caller.
    pub fn prepare(&self, pipeline: &str, ask: impl FnOnce(Request) -> Request) -> Run {
        let run = self
            .loaded(pipeline, ask)
            .and_then(|(pipeline, service, request)| self.runtime.block_on(prepare(&pipeline, &service, &request)));
        run.unwrap_or_else(|error| panic!("nothing to run:\n{}", failure(&error, Palette::PLAIN, 120)))
    }

    /// Runs the future in the stage's runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Writes the service's file and the pipeline's.
    fn files(&self, pipeline: &str) -> [PathBuf; 2] {
        let files = ["validator.toml", "pipeline.toml"].map(|name| self.folder().join(name));
        for (file, text) in files.iter().zip([self.service.as_str(), pipeline]) {
            std::fs::write(file, text).expect("a temporary folder takes files");
        }
        files
    }
}
