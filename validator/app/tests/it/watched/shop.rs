//! A topic, a table that a sink fills, and the real `validator run` over both: what a test sells and lands is true at once.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use fixtures_harness::{Look, wait_until};
use fixtures_kit::World;
use fixtures_kit::table::Operation;
use fixtures_warehouse::{Feed, LiveTable, MockKafka, Warehouse};
use serde_json::Value as Json;

use super::post::now_ms;
use crate::run::service::Service;
use crate::scene::Scene;

/// Whatever a test waits for, on a loaded machine.
pub const WITHIN: Duration = Duration::from_secs(90);

const TOPIC: &str = "market.trades";

const PIPELINE: &str = r#"
[pipeline]
name = "trades"
topic = "market.trades"
table = "lake.market.trades"
format = "json"

[identity]
mode = "offset"
columns = ["topic", "partition", "offset"]

[fidelity]
settle = "1s"
"#;

/// See the module.
pub struct Shop {
    service: Option<Service>,
    runtime: tokio::runtime::Runtime,
    // Ends with the test.
    kafka: MockKafka,
    warehouse: Warehouse,
    feed: Feed,
    live: LiveTable,
    next: i64,
    // Removed last.
    folder: tempfile::TempDir,
}

impl Shop {
    /// An empty topic and table, and both files, with these alerts and channels.
    pub fn open(alerts: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("the system gives threads");
        let folder = fixtures_harness::scratch_dir("shop");
        let warehouse = runtime.block_on(Warehouse::create(&folder.path().join("warehouse"))).expect("a warehouse");
        let kafka = MockKafka::start().expect("a mock cluster");
        kafka.create_topic(TOPIC, 1).expect("a new topic");
        let feed = Feed::connect(&kafka.bootstrap()).expect("a producer");
        let live = runtime.block_on(LiveTable::create(&warehouse, &Scene::offset().table)).expect("a table");
        let shop = Self { service: None, runtime, kafka, warehouse, feed, live, next: 0, folder };
        shop.write(alerts);
        fs::write(shop.path().join("pipeline.toml"), PIPELINE).expect("the folder takes files");
        shop
    }

    /// A further table beside its own, without a row.
    pub fn make_table(&self, name: &str) {
        let mut table = Scene::offset().table;
        table.name = name.to_owned();
        self.runtime.block_on(LiveTable::create(&self.warehouse, &table)).expect("a table");
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the service's file, with these alerts and channels.
    pub fn write(&self, alerts: &str) {
        let own = "[service]\nstate = \"sqlite://state/ledger.db\"\npoll = \"200ms\"\npipelines = [\"pipeline.toml\"]\n\
                   listen = \"127.0.0.1:0\"\n\n";
        let sides =
            World::service_toml(&self.warehouse.catalog_uri(), &self.warehouse.url(), Some(&self.kafka.bootstrap()));
        let new = self.path().join("validator.new");
        fs::write(&new, format!("{own}{sides}\n{alerts}")).expect("the folder takes files");
        fs::rename(new, self.path().join("validator.toml")).expect("whole at once");
    }

    /// Starts `validator run`.
    pub fn start(&mut self) {
        self.service = Some(Service::start(self.path()));
    }

    /// The process.
    pub fn service(&mut self) -> &mut Service {
        self.service.as_mut().expect("it was started")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.service.take().expect("it was started").kill();
    }

    /// SIGTERM; the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.service.take().expect("it was started").stop().0
    }

    /// So many messages; the offsets that they got.
    pub fn sell(&mut self, messages: i64) -> std::ops::Range<i64> {
        self.sell_with(messages, "")
    }

    /// The same, with a field that is left aside.
    pub fn sell_with(&mut self, messages: i64, padding: &str) -> std::ops::Range<i64> {
        let offsets = self.next..self.next + messages;
        for offset in offsets.clone() {
            let mut payload = format!("{{\"id\": \"t{offset}\", \"price\": \"1.5\", \"at\": \"2024-08-08T12:00:00Z\"");
            if !padding.is_empty() {
                let _ = write!(payload, ", \"padding\": {padding:?}");
            }
            payload.push('}');
            let place = (TOPIC, 0, offset);
            self.feed.put(place, Some(now_ms()), None, Some(payload.as_bytes())).expect("it is queued");
        }
        self.feed.flush().expect("it is delivered");
        self.next = offsets.end;
        offsets
    }

    /// The sink commits the rows of these offsets, as they should be.
    pub fn land(&mut self, offsets: impl IntoIterator<Item = i64>) {
        let rows: Vec<String> = offsets.into_iter().map(|offset| format!("{TOPIC}:0@{offset} t{offset} 1.5")).collect();
        let mut file = Scene::offset().file(&rows.join(" | ")).table.files.remove(0);
        file.path = format!("data/f{}.parquet", self.live.model().files.len() + 1);
        let added = [self.live.stage(file).expect("a file is written")];
        let committed = self.live.commit(Operation::Append, &added, &[], now_ms());
        self.runtime.block_on(committed).expect("it is committed");
    }

    /// Sells ten messages of which the fifth never becomes a row, and waits until the table has moved past it; its offset.
    pub fn lose_one(&mut self) -> i64 {
        let sold = self.sell(10);
        let lost = sold.start + 4;
        self.land(sold.filter(|offset| *offset != lost));
        // Nothing of it is due before `settle` has gone by, whatever the pace of the test.
        let sold_ms = now_ms();
        wait_until("settle", WITHIN, || match now_ms() > sold_ms + 1_000 {
            true => Look::Done(()),
            false => Look::NotYet(String::new()),
        })
        .expect("time goes by");
        let more = self.sell(5);
        self.land(more);
        lost
    }

    /// Waits until it is so.
    ///
    /// # Panics
    /// When it is not in time.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&mut Self) -> Result<(), String>) {
        let seen = wait_until(what, WITHIN, || {
            if let Some(status) = self.service().child().ended() {
                return Look::Never(format!("the run ended with {status}"));
            }
            match is_so(self) {
                Ok(()) => Look::Done(()),
                Err(why) => Look::NotYet(why),
            }
        });
        seen.unwrap_or_else(|error| panic!("{error}\n{}", self.service().child().log_tail()));
    }

    /// `127.0.0.1:PORT` of the run, once it serves.
    pub fn address(&mut self) -> String {
        let log = self.path().join("run.log");
        let serving = || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let at = text.rfind("serving on ")? + "serving on ".len();
            text[at..].split_whitespace().next().map(str::to_owned)
        };
        // The log of a run before is of a port that nobody listens on any more.
        let found = wait_until("an address", WITHIN, || match serving() {
            Some(address) if TcpStream::connect(&address).is_ok() => Look::Done(address),
            other => Look::NotYet(format!("{other:?}")),
        });
        found.unwrap_or_else(|error| panic!("{error}\n{}", self.service().child().log_tail()))
    }

    /// GET: status and body.
    pub fn get(&mut self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address()).expect("it listens");
        stream.set_read_timeout(Some(WITHIN)).expect("a timeout can be set");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it takes a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        (head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status"), body.to_owned())
    }

    /// The pipeline as the API shows it.
    pub fn shown(&mut self) -> Json {
        let (status, body) = self.get("/api/v1/pipelines/trades");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Alerts of a rule that fire.
    pub fn firing(&mut self, alert: &str) -> Option<u64> {
        let shown = self.shown();
        let found = shown["alerts"].as_array()?.iter().find(|one| one["alert"] == alert)?.clone();
        found["firing"].as_u64()
    }

    /// Waits until so many more checkpoints are written.
    pub fn checkpoints(&mut self, more: u64) {
        let number = |shop: &mut Self| shop.shown()["checkpoint"]["number"].as_u64().unwrap_or(0);
        let before = number(self);
        self.until("checkpoints", |shop| match number(shop) {
            now if now >= before + more => Ok(()),
            now => Err(format!("{now} after {before}")),
        });
    }

    /// The value of a sample of /metrics: the first line that begins so.
    pub fn metric(&mut self, begins: &str) -> Option<f64> {
        let (_, text) = self.get("/metrics");
        text.lines().find(|line| line.starts_with(begins))?.rsplit(' ').next()?.parse().ok()
    }
}
