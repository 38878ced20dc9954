//! Keys that a REST catalog lends: asked for anew before they end, and what a catalog that lends no more is told as.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use fixtures_harness::{HttpStub, Reply};
use serde_json::json;
use validator_core::error_chain::error_chain;
use validator_table::{FaultKind, FileFault, Pinned, SnapshotSelector, Storage, Table, TableError};

use crate::lake::Lake;
use crate::rest_catalog::{TABLE, config, error, json, load_in, sound};
use crate::s3_stub::{refusal, serving, table_at};

/// A table in a store, which is open to every lent key unless `fault` says otherwise, and the catalog that lends them.
struct Lent {
    lake: Lake,
    store: HttpStub,
    catalog: HttpStub,
}

/// What the catalog's answer for the table holds.
enum Loan {
    /// A key that ends in so many seconds.
    For(i64),
    /// The table without a key.
    Without,
    /// Something else.
    Other(Reply),
}

impl Lent {
    /// `fault` is told the object's key and the number of the lent key.
    async fn new(
        fault: impl Fn(&str, &str) -> Option<Reply> + Send + Sync + 'static,
        lend: impl Fn(usize) -> Loan + Send + Sync + 'static,
    ) -> Self {
        let (lake, location) = table_at("s3://lake").await;
        let store = serving(lake.dir.path(), move |asked, key| {
            let signed = asked.header("authorization").is_some_and(|told| told.contains("Credential=lent/"));
            let token = asked.header("x-amz-security-token").unwrap_or_default();
            if signed { fault(key, token) } else { Some(refusal(403, "AccessDenied")) }
        });
        let (endpoint, loads) = (store.url(), AtomicUsize::new(0));
        let catalog = HttpStub::start(move |asked| {
            if asked.path != TABLE {
                return sound(asked, &json!({}));
            }
            let number = loads.fetch_add(1, Ordering::SeqCst) + 1;
            let mut config = json!({ "s3.endpoint": endpoint });
            match lend(number) {
                Loan::Other(reply) => return reply,
                Loan::Without => {}
                Loan::For(seconds) => {
                    config["s3.access-key-id"] = json!("lent");
                    config["s3.secret-access-key"] = json!("hunter2");
                    config["s3.session-token"] = json!(format!("n{number}"));
                    config["s3.session-token-expires-at-ms"] = json!((now_ms() + seconds * 1_000).to_string());
                }
            }
            json(json!({ "metadata-location": location, "config": config }))
        });
        Self { lake, store, catalog }
    }

    /// Keys that are good wherever they go.
    async fn good(lend: impl Fn(usize) -> Loan + Send + Sync + 'static) -> Self {
        Self::new(|_, _| None, lend).await
    }

    async fn load(&self) -> Result<Table, TableError> {
        assert!(self.lake.dir.path().is_dir());
        load_in(config(&self.catalog.url()), Storage::local().with_s3(Default::default())).await
    }

    async fn pin(&self) -> Pinned {
        self.load().await.unwrap().pin(&SnapshotSelector::Current).await.unwrap()
    }

    /// Loads and pins, opens the data files, and gives what these failed with.
    async fn faults(&self) -> Vec<FileFault> {
        let pinned = self.pin().await;
        let mut faults = Vec::new();
        for file in &pinned.files {
            faults.extend(pinned.open(file, &pinned.schema.fields).await.err());
        }
        faults
    }

    /// How often the catalog was asked for the table.
    fn loads(&self) -> usize {
        self.catalog.asked().iter().filter(|asked| asked.path == TABLE).count()
    }

    /// The keys that came to the store, in order, each once.
    fn used(&self) -> Vec<String> {
        let asked = self.store.asked();
        let mut used: Vec<String> =
            asked.iter().filter_map(|asked| asked.header("x-amz-security-token")).map(str::to_owned).collect();
        used.dedup();
        used
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

#[tokio::test]
async fn a_lent_key_is_asked_for_anew_two_minutes_before_it_ends() {
    for (seconds, used) in [(3_600, "n1"), (180, "n1"), (100, "n2"), (1, "n2"), (-60, "n2")] {
        let lent = Lent::good(move |number| Loan::For(if number == 1 { seconds } else { 3_600 })).await;
        let faults = lent.faults().await;
        assert!(faults.is_empty(), "{seconds}: {faults:?}");
        assert_eq!(lent.used(), [used], "{seconds}");
        assert_eq!(format!("n{}", lent.loads()), used, "{seconds}");
    }
}

#[tokio::test]
async fn a_key_that_is_always_about_to_end_is_asked_for_once_a_request() {
    let lent = Lent::good(|_| Loan::For(60)).await;
    let faults = lent.faults().await;
    assert!(faults.is_empty(), "{faults:?}");
    let requests = lent.store.asked().len();
    assert!(requests >= 4 && !lent.used().contains(&"n1".to_owned()), "{:?}", lent.used());
    assert_eq!(lent.loads(), requests + 1);
}

#[tokio::test]
async fn a_catalog_that_fails_when_a_key_is_renewed_is_told_and_not_the_store() {
    type Later = fn() -> Loan;
    let lends: [(Later, &str); 6] = [
        (|| Loan::Other(error(500, "X")), "and 4 attempts: 500"),
        (|| Loan::Other(error(403, "ForbiddenException")), "403 Forbidden: ForbiddenException: said so"),
        (|| Loan::Other(error(419, "AuthenticationTimeoutException")), "419"),
        (|| Loan::Other(Reply::new(200, "<html></html>")), "cannot be used"),
        (|| Loan::Other(error(404, "NoSuchTableException")), "table not found: lake.md.trades"),
        (|| Loan::Without, "the catalog no longer lends a key"),
    ];
    for (later, told_of) in lends {
        let lent = Lent::good(move |number| if number == 1 { Loan::For(60) } else { later() }).await;
        let told = lent.load().await.unwrap_err();
        let text = format!("{} {told:?}", error_chain(&told));
        assert!(text.contains("the catalog's key") && text.contains(told_of), "{text}");
        assert!(!text.contains("hunter2") && !told.is_usage(), "{text}");
        assert_eq!(lent.used(), [""; 0], "{told_of}");
    }
    // At the first look-up the same answer is about the table.
    let lent = Lent::good(move |_| Loan::Other(error(404, "NoSuchTableException"))).await;
    assert!(lent.load().await.unwrap_err().is_usage());
}

#[tokio::test]
async fn a_key_that_ends_early_and_is_not_lent_again_leaves_files_unreadable_and_never_missing() {
    let ended = |key: &str, _: &str| key.starts_with("data/").then(|| refusal(400, "ExpiredToken"));
    for (status, kind) in [(403, "ForbiddenException"), (404, "NoSuchTableException")] {
        let lend = move |number| if number == 1 { Loan::For(3_600) } else { Loan::Other(error(status, kind)) };
        let lent = Lent::new(ended, lend).await;
        let faults = lent.faults().await;
        assert_eq!(faults.len(), 2, "{faults:?}");
        for fault in faults {
            assert_eq!(fault.kind, FaultKind::Unreadable, "{fault:?}");
            assert!(fault.detail.contains("the catalog's key"), "{fault:?}");
            assert!(!fault.detail.contains("hunter2"), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn keys_that_the_store_never_takes_are_not_asked_for_without_end() {
    let ended = |key: &str, _: &str| key.ends_with("b.parquet").then(|| refusal(400, "ExpiredToken"));
    let lent = Lent::new(ended, |_| Loan::For(3_600)).await;
    let faults = lent.faults().await;
    assert_eq!(faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [FaultKind::Unreadable]);
    assert!((2..=5).contains(&lent.loads()), "{}", lent.loads());
}
