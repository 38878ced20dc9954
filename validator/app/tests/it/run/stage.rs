//! A broker, a warehouse and the two files of a user, with a play in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fixtures_harness::{KafkaCluster, TopicSpec};
use fixtures_kit::options::Mode;
use fixtures_kit::{FaultKind, Options, World};
use fixtures_warehouse::play::{Play, PlayOptions};
use fixtures_warehouse::{MockKafka, Warehouse};

use crate::real_kafka::good;
use crate::transcript::{self, Ran};

/// `settle` of the pipelines of this stage.
pub const SETTLE: Duration = Duration::from_secs(2);

/// What the chapters of a play are made of: Binance trades, tied by columns topic, partition and offset.
pub fn chapter(messages: usize, commits: usize, faults: Vec<FaultKind>) -> Options {
    Options {
        mode: Mode::OffsetPlain,
        messages,
        commits,
        partitions: 4,
        filter: true,
        tombstones: 0.01,
        retries: 0.01,
        settle_ms: SETTLE.as_millis().try_into().expect("short"),
        faults,
        ..Options::clean()
    }
}

/// Each kind of fault that a chapter of a play can have, once.
pub fn every_fault() -> Vec<FaultKind> {
    let not_of_plays = [
        FaultKind::StaleRow,
        FaultKind::StaleCopy,
        FaultKind::Resurrected,
        FaultKind::TailNotApplied,
        FaultKind::DeletionUnnamed,
        FaultKind::KeyDamaged,
        FaultKind::WindowDamaged,
        FaultKind::Diverted,
        FaultKind::DeadLetterLies,
    ];
    let breaks = [
        FaultKind::FileMissing,
        FaultKind::FileTruncated,
        FaultKind::RowGroupBroken,
        FaultKind::ForeignFormat,
        FaultKind::RecordCountWrong,
    ];
    let kinds = FaultKind::ALL.iter().copied();
    kinds.filter(|kind| !not_of_plays.contains(kind) && !breaks.contains(kind)).collect()
}

/// Where messages go.
enum Brokers {
    Mock(MockKafka),
    Real(Arc<KafkaCluster>),
}

impl Brokers {
    fn bootstrap(&self) -> String {
        match self {
            Self::Mock(mock) => mock.bootstrap(),
            Self::Real(cluster) => cluster.bootstrap().to_owned(),
        }
    }

    fn create_topic(&self, topic: &str, partitions: i32) {
        match self {
            Self::Mock(mock) => mock.create_topic(topic, partitions).expect("topics are new"),
            Self::Real(cluster) => good(cluster.create_topic(&TopicSpec::new(topic, partitions))),
        }
    }
}

/// See the module.
pub struct Stage {
    runtime: tokio::runtime::Runtime,
    kafka: Brokers,
    warehouse: Warehouse,
    // Removed last.
    folder: tempfile::TempDir,
}

impl Stage {
    /// Nothing in it yet.
    pub fn new() -> Self {
        Self::with(Brokers::Mock(MockKafka::start().expect("a mock cluster")))
    }

    /// The same over real brokers.
    pub fn over(cluster: &Arc<KafkaCluster>) -> Self {
        Self::with(Brokers::Real(Arc::clone(cluster)))
    }

    fn with(kafka: Brokers) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("the system gives threads");
        let folder = fixtures_harness::scratch_dir("run");
        let warehouse = runtime.block_on(Warehouse::create(&folder.path().join("warehouse"))).expect("a warehouse");
        Self { runtime, kafka, warehouse, folder }
    }

    /// Where the files of a user are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Runs the future.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Makes the topics and the empty table of a play, and writes both files.
    pub fn begin(&self, seed: u64, options: Options, late_in_hundred: u32) -> Play {
        let options = PlayOptions {
            seed,
            options,
            brokers: self.kafka.bootstrap(),
            is_mock: matches!(self.kafka, Brokers::Mock(_)),
            settle_ms: SETTLE.as_millis().try_into().expect("short"),
            late_in_hundred,
        };
        for (topic, partitions) in Play::topics(&options) {
            self.kafka.create_topic(&topic, partitions);
        }
        let play = self.block_on(Play::begin(options, &self.warehouse)).expect("a play begins");
        if let Some((name, text)) = play.schema_file() {
            std::fs::write(self.join(name), text).expect("the folder takes files");
        }
        self.write_files(&play.pipeline_toml());
        play
    }

    /// Writes the service's file and that of the pipeline.
    pub fn write_files(&self, pipeline: &str) {
        let own =
            "[service]\nstate = \"sqlite://state/ledger.db\"\npoll = \"200ms\"\npipelines = [\"pipeline.toml\"]\n\n";
        let uri = self.warehouse.catalog_uri();
        let sides = World::service_toml(&uri, &self.warehouse.url(), Some(&self.kafka.bootstrap()));
        std::fs::write(self.join("validator.toml"), format!("{own}{sides}")).expect("the folder takes files");
        std::fs::write(self.join("pipeline.toml"), pipeline).expect("the folder takes files");
    }

    /// Runs a command in the folder to its end.
    pub fn run(&self, words: &str) -> Ran {
        transcript::run(self.folder(), words, &[]).assert_no_panic()
    }

    /// Report and findings of `reconcile` as of that instant.
    pub fn reconciled(&self, world: &World) -> (serde_json::Value, String) {
        let as_of = world.as_of_argument();
        let words = format!(
            "reconcile -c validator.toml pipeline.toml --as-of {as_of} --report report.json --findings f.jsonl"
        );
        let ran = self.run(&words);
        assert!([0, 1, 3].contains(&ran.exit), "{}", ran.all());
        let read = |name: &str| std::fs::read_to_string(self.join(name)).unwrap_or_else(|_| panic!("{}", ran.all()));
        (serde_json::from_str(&read("report.json")).expect("a report is JSON"), read("f.jsonl"))
    }
}
