//! A served site: pipelines whose status a test sets, and a small client that sends any bytes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use validator_app::run::http::{AnswerError, Answers, Board, FindingsPage, FindingsQuery, Site, serve};
use validator_app::run::status::{
    CheckpointStatus, Histogram, PartitionStatus, Phase, Queue, ReadBytes, SegmentStatus, Status,
};
use validator_core::verdict::{Cause, MessageVerdict, RowVerdict, Verdict};

/// The clock of the site.
pub const NOW_MS: i64 = 1_700_000_000_000;

/// Answers that say what was asked.
struct Echo;

#[async_trait]
impl Answers for Echo {
    async fn report(&self, pipeline: &str, now_ms: i64) -> Result<String, AnswerError> {
        match pipeline {
            "new" => Err(AnswerError::NotYet { pipeline: pipeline.to_owned() }),
            "broken" => Err(AnswerError::Ledger("disk I/O error in /secret/place".into())),
            _ => Ok(format!("{{\"pipeline\":\"{pipeline}\",\"now_ms\":{now_ms}}}")),
        }
    }

    async fn findings(&self, _: &str, query: &FindingsQuery, _: i64) -> Result<FindingsPage, AnswerError> {
        if query.after.as_deref() == Some("nonsense") {
            return Err(AnswerError::After);
        }
        let finding = |number: usize| format!("{{\"id\":\"{number}\"}}");
        Ok(FindingsPage { findings: (0..query.limit).map(finding).collect(), next: Some("page-2".to_owned()) })
    }
}

/// A running server; it ends with the value.
pub struct Served {
    /// Where it listens.
    pub address: SocketAddr,
    pipelines: BTreeMap<String, watch::Sender<Arc<Status>>>,
    stop: Option<oneshot::Sender<()>>,
    over: Option<tokio::task::JoinHandle<()>>,
    runtime: tokio::runtime::Runtime,
}

impl Served {
    /// Serves these pipelines.
    pub fn start(statuses: Vec<Status>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        let board = Arc::new(Board::default());
        let mut pipelines = BTreeMap::new();
        for status in statuses {
            let name = status.pipeline.clone();
            let (sender, receiver) = watch::channel(Arc::new(status));
            board.put(&name, receiver);
            pipelines.insert(name, sender);
        }
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (stop, stopped) = oneshot::channel();
        let site = Site { board, answers: Some(Arc::new(Echo)), now_ms: || NOW_MS };
        let over = runtime.spawn(serve(listener, site, async { drop(stopped.await) }));
        Self { address, pipelines, stop: Some(stop), over: Some(over), runtime }
    }

    /// A pipeline has another status.
    pub fn set(&self, status: Status) {
        self.pipelines[&status.pipeline].send_replace(Arc::new(status));
    }

    /// Tells it to stop and waits until it has.
    pub fn stop(&mut self, within: Duration) {
        drop(self.stop.take());
        let over = self.over.take().expect("it is stopped once");
        self.runtime
            .block_on(async { tokio::time::timeout(within, over).await })
            .expect("it stops in time")
            .expect("no panic");
    }

    /// GET of a path.
    pub fn get(&self, path: &str) -> Said {
        self.get_with(path, "")
    }

    /// GET of a path with further headers, each with its line end.
    pub fn get_with(&self, path: &str, headers: &str) -> Said {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").as_bytes())
    }

    /// What is answered to these bytes until the connection ends.
    pub fn send(&self, bytes: &[u8]) -> Said {
        let mut stream = self.connect();
        // What is refused early is answered while we still write.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Said::of(&answer)
    }

    /// A connection.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
        stream
    }
}

/// An answer.
#[derive(Debug)]
pub struct Said {
    /// Its status; 0: there was none.
    pub status: u16,
    /// Its headers, as they came.
    pub headers: String,
    /// Its body.
    pub body: String,
}

impl Said {
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        Self { status, headers: head.to_owned(), body: body.to_owned() }
    }

    /// Its body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A pipeline that starts.
pub fn starting(name: &str) -> Status {
    Status::starting(name, 0.9999, NOW_MS - 60_000)
}

/// A pipeline in a phase.
pub fn in_phase(name: &str, phase: Phase, why: &str) -> Status {
    Status { phase, why: why.to_owned(), judged_at_ms: Some(NOW_MS - 2_000), ..starting(name) }
}

/// A healthy pipeline of which everything is known.
pub fn healthy(name: &str) -> Status {
    let mut status = in_phase(name, Phase::Healthy, "");
    status.messages.intact = 9_999;
    status.messages.missing = 1;
    status.rows.intact = 9_999;
    status.late = Some(0);
    status.partitions = vec![PartitionStatus {
        topic: "market.trades".into(),
        partition: 3,
        consumed: 10_000,
        position: 10_004,
        last_stable: Some(10_010),
        head_room_s: Some(86_400.0),
    }];
    let mut landing = Histogram::default();
    landing.add(1.5, 9_999);
    status.landing = Some(landing);
    status.segments = SegmentStatus { balanced: 2, open: 1, disputed: 1 };
    status.queues = BTreeMap::from([("consumed", Queue { depth: 1, bound: 4 })]);
    status.checkpoint = Some(CheckpointStatus { number: 42, at_ms: NOW_MS - 500, took_ms: 9 });
    status.snapshot = Some(i64::MAX);
    status.looks = 30;
    status.looks_failed = BTreeMap::from([("catalog", 2)]);
    status.findings = BTreeMap::from([
        ((Verdict::Message(MessageVerdict::Missing), Some(Cause::Lost)), 1),
        ((Verdict::Row(RowVerdict::Misrouted), None), 2),
    ]);
    status.invariant_checks = BTreeMap::from([("I1", 30)]);
    status.read_bytes = ReadBytes { messages: 1_000_000, files: 500_000 };
    status.memory_bytes = BTreeMap::from([("pages", 4_096)]);
    status.alerts = BTreeMap::from([("lost".to_owned(), (0, 1))]);
    status.outbox = Some(1);
    status
}
