//! Tests over real databases: a file of SQLite each, a database of one PostgreSQL server each.

mod damage;
mod fleet;
mod killed;
mod life;
mod limits_of_room;
mod lists;
mod marked;
mod opening;
mod put_aside;
mod random;
mod restart;
mod server_killed;
mod two_writers;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fixtures_harness::Postgres;
use tempfile::TempDir;
use validator_core::secret::Secret;
use validator_core::shadow::delta::Saved;

use crate::{Address, Book, Ledger, LedgerError, PipelineIs};

/// The wall clock of all tests.
const NOW: i64 = 1_700_000_000_000;

/// A place for one ledger.
struct Place {
    address: Address,
    // Removed with the value.
    _folder: Option<TempDir>,
    server: Option<Postgres>,
}

impl Place {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { address: Address::Sqlite(folder.path().join("ledger.db")), _folder: Some(folder), server: None }
    }

    /// A server of its own: one that lived in a static would outlive its test.
    fn postgres() -> Self {
        let server = Postgres::start().expect("PostgreSQL");
        let uri = format!("postgres://postgres@{}/postgres", server.address());
        Self { address: Address::Postgres(Secret::new(uri)), _folder: None, server: Some(server) }
    }

    fn path(&self) -> std::path::PathBuf {
        match &self.address {
            Address::Sqlite(path) => path.clone(),
            Address::Postgres(_) => panic!("no file"),
        }
    }

    fn run(&self, sql: &str) -> String {
        self.server.as_ref().expect("a server").run(sql).expect("a statement")
    }

    /// An empty database in the same server.
    fn renew(&mut self) {
        static NUMBER: LazyLock<AtomicU32> = LazyLock::new(AtomicU32::default);
        if let Some(server) = &self.server {
            let name = format!("ledger{}", NUMBER.fetch_add(1, Ordering::Relaxed));
            server.run(&format!("CREATE DATABASE {name}")).expect("a database");
            let uri = format!("postgres://postgres@{}/{name}", server.address());
            self.address = Address::Postgres(Secret::new(uri));
        } else {
            *self = Self::sqlite();
        }
    }

    async fn open(&self) -> Ledger {
        // The lock of a connection that was dropped goes when the server has noticed.
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match Ledger::open(&self.address, "validator 0.1.0", NOW).await {
                Err(LedgerError::Held { .. }) if Instant::now() < deadline => {}
                opened => return opened.expect("a ledger"),
            }
        }
    }

    async fn book(&self) -> (Ledger, Book, Saved) {
        let ledger = self.open().await;
        let (book, saved) = ledger.book(&trades()).await.expect("a book");
        (ledger, book, saved)
    }
}

fn trades() -> PipelineIs {
    PipelineIs {
        name: "trades".into(),
        contract: [7; 32],
        digest_key: [9; 32],
        topics: vec!["trades".into()],
        table: "lake.trades".into(),
        mode: "offset".into(),
        width: 4096,
    }
}

/// A runtime of one thread: SQLite and the client have their own.
fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}
