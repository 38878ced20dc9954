//! The stage of a demo: an in-process Kafka cluster, a SQLite catalog and a local warehouse, loaded with one world.

use std::fs;
use std::io;
use std::path::Path;

use fixtures_kit::World;
use fixtures_warehouse::{MockKafka, Warehouse, WarehouseError};
use tempfile::TempDir;

use crate::answer::Answer;
use crate::config::Loader;
use crate::failure::Failure;
use crate::reconcile::{Request, judge};
use crate::render::Progress;

/// See the module. Everything goes when it is dropped.
pub struct Stage {
    folder: TempDir,
    /// Kept alive: the brokers live in it.
    _kafka: MockKafka,
}

impl Stage {
    /// Starts the cluster, produces the messages, writes the table and the two files of configuration.
    ///
    /// # Errors
    /// The temporary folder or the cluster.
    pub async fn set(world: &World) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("validator-demo-").tempdir().map_err(Failure::Runtime)?;
        let kafka = MockKafka::start().map_err(failed)?;
        kafka.load(world).map_err(failed)?;
        let warehouse = Warehouse::create(&folder.path().join("warehouse")).await.map_err(failed)?;
        warehouse.write(&world.table).await.map_err(failed)?;
        let service = World::service_toml(&warehouse.catalog_uri(), &warehouse.url(), Some(&kafka.bootstrap()));
        save(&folder.path().join("validator.toml"), &service)?;
        let path = folder.path().join("pipeline.toml");
        world.write_pipeline(folder.path()).map_err(|source| Failure::Write { path, source })?;
        Ok(Self { folder, _kafka: kafka })
    }

    /// Judges the topic against the table, through the files that a user would write.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn judge(&self, world: &World) -> Result<Answer, Failure> {
        let loader = Loader::of_process(world.judged_at_ms);
        let service = loader.service(Some(&self.folder.path().join("validator.toml")))?;
        let pipeline = loader.pipeline_file(&self.folder.path().join("pipeline.toml"))?;
        let request =
            Request { as_of_ms: Some(world.judged_at_ms), ..Request::new(chrono::Utc::now().timestamp_millis()) };
        judge(&pipeline, &service, &request, &Progress::none()).await
    }
}

fn save(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|source| Failure::Write { path: path.to_owned(), source })
}

fn failed(error: WarehouseError) -> Failure {
    Failure::Runtime(io::Error::other(error))
}
