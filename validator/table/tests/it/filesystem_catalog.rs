//! The filesystem catalog: versions found as Hadoop's table operations find them, on disk and in S3.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use fixtures_harness::{Reply, S3Server};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value as Json;
use validator_core::error_chain::error_chain;
use validator_table::{CatalogConfig, Storage, Table, TableError, TableName, load_with};

use crate::lake::{Lake, column};
use crate::s3_stub::{config_of, list_of, listed, refusal, serving, store_of};

/// A warehouse with the table `md.eu.trades`, its metadata folder empty.
struct Warehouse {
    dir: tempfile::TempDir,
    metadata: Json,
}

impl Warehouse {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("md/eu/trades/metadata")).unwrap();
        Self { dir, metadata: Lake::new(vec![column(1, "a", "long")]).metadata.clone() }
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.dir.path().join("md/eu/trades/metadata").join(name), bytes).unwrap();
        self
    }

    /// A version whose metadata tells its number, gzipped where its name says so.
    fn version(&self, name: &str, version: i64) -> &Self {
        let mut metadata = self.metadata.clone();
        metadata["last-updated-ms"] = Json::from(1_700_000_000_000 + version);
        let bytes = serde_json::to_vec(&metadata).unwrap();
        if !name.contains(".gz") {
            return self.put(name, bytes);
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&bytes).unwrap();
        self.put(name, encoder.finish().unwrap())
    }

    async fn at(&self, warehouse: &str, storage: Storage) -> Result<Table, TableError> {
        load(warehouse, "lake.md.eu.trades", storage).await
    }

    async fn local(&self) -> Result<Table, TableError> {
        self.at(self.dir.path().to_str().unwrap(), Storage::local()).await
    }

    /// The file that is found, on disk and in a store that serves the same folder.
    async fn found(&self) -> String {
        let stub = serving(self.dir.path(), |_, _| None);
        let there = self.at("s3://lake/", store_of(&stub.url())).await.map(|table| name_of(&table));
        let here = self.local().await.map(|table| name_of(&table));
        match (here, there) {
            (Ok(here), Ok(there)) => {
                assert_eq!(here, there);
                here
            }
            (here, there) => panic!("{here:?} {there:?}"),
        }
    }
}

async fn load(warehouse: &str, name: &str, storage: Storage) -> Result<Table, TableError> {
    let name = TableName::parse(name).unwrap();
    load_with(&CatalogConfig::Filesystem { warehouse: warehouse.to_owned() }, &name, storage).await
}

fn name_of(table: &Table) -> String {
    table.metadata_location().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_hint_is_followed_and_versions_behind_it_are_probed() {
    let warehouse = Warehouse::new();
    warehouse.version("v1.metadata.json", 1).version("v2.metadata.json", 2).put("version-hint.text", "2");
    assert_eq!(warehouse.found().await, "v2.metadata.json");
    warehouse.put("version-hint.text", "1\n");
    assert_eq!(warehouse.found().await, "v2.metadata.json");
    // Beyond a gap there is no commit.
    warehouse.version("v4.metadata.json", 4);
    assert_eq!(warehouse.found().await, "v2.metadata.json");
    warehouse.version("v3.gz.metadata.json", 3);
    assert_eq!(warehouse.found().await, "v4.metadata.json");
}

#[tokio::test]
async fn gzipped_metadata_is_found_under_both_names() {
    for name in ["v7.gz.metadata.json", "v7.metadata.json.gz"] {
        let warehouse = Warehouse::new();
        warehouse.version(name, 7).put("version-hint.text", "7");
        assert_eq!(warehouse.found().await, name);
    }
}

#[tokio::test]
async fn without_a_usable_hint_the_highest_version_listed_is_where_probing_begins() {
    let warehouse = Warehouse::new();
    warehouse.version("v9.metadata.json", 9).version("v10.gz.metadata.json", 10);
    warehouse.put("v10.metadata.json.crc", "").put("00012-x.metadata.json", "{}").put("snap-1.avro", "");
    assert_eq!(warehouse.found().await, "v10.gz.metadata.json");
    for hint in ["", "junk", "v9", "-1"] {
        warehouse.put("version-hint.text", hint);
        assert_eq!(warehouse.found().await, "v10.gz.metadata.json", "{hint:?}");
    }
    // The hint's own version has been cleaned away.
    warehouse.put("version-hint.text", "3");
    assert_eq!(warehouse.found().await, "v10.gz.metadata.json");
}

#[tokio::test]
async fn a_table_that_is_not_there_names_the_nearest() {
    let warehouse = Warehouse::new();
    warehouse.version("v1.metadata.json", 1);
    let stub = serving(warehouse.dir.path(), |_, _| None);
    let here = warehouse.dir.path().to_str().unwrap().to_owned();
    for (at, storage) in [(here.as_str(), Storage::local()), ("s3://lake", store_of(&stub.url()))] {
        for (name, told) in [
            ("lake.md.eu.trade", "table not found: lake.md.eu.trade; did you mean lake.md.eu.trades?"),
            ("lake.md.ru.trades", "table not found: lake.md.ru.trades; did you mean lake.md.eu.trades?"),
            ("lake.other.x", "table not found: lake.other.x"),
        ] {
            let error = load(at, name, storage.clone()).await.unwrap_err();
            assert!(error_chain(&error).ends_with(told), "{at}: {}", error_chain(&error));
            assert!(error.is_usage());
        }
    }
}

#[tokio::test]
async fn a_listing_that_lies_does_not_decide() {
    let warehouse = Warehouse::new();
    warehouse.version("v1.metadata.json", 1).version("v2.metadata.json", 2);
    let prefix = "md/eu/trades/metadata/";
    for (what, inside) in [
        ("it omits the newest", listed(&format!("{prefix}v1.metadata.json"))),
        ("it omits all", String::new()),
        (
            "it names what is gone",
            listed(&format!("{prefix}v1.metadata.json")) + &listed(&format!("{prefix}v5.metadata.json")),
        ),
        (
            "it names others",
            listed("md/eu/quotes/metadata/v8.metadata.json") + &listed(&format!("{prefix}old/v9.metadata.json")),
        ),
    ] {
        let stub =
            serving(warehouse.dir.path(), move |asked, _| asked.path.contains("list-type=2").then(|| list_of(&inside)));
        let table = warehouse.at("s3://lake", store_of(&stub.url())).await.unwrap();
        assert_eq!(name_of(&table), "v2.metadata.json", "{what}");
    }
}

/// A page of a listing and what the next one is asked with.
fn page_of(inside: &str, next: &str) -> Reply {
    let next = format!("<NextContinuationToken>{next}</NextContinuationToken>");
    Reply::new(200, format!("<ListBucketResult><IsTruncated>true</IsTruncated>{next}{inside}</ListBucketResult>"))
        .header("Content-Type", "application/xml")
}

#[tokio::test]
async fn a_listing_of_several_pages_is_read_to_its_end() {
    let warehouse = Warehouse::new();
    for version in 1..=5 {
        warehouse.version(&format!("v{version}.metadata.json"), version);
    }
    // What is probed ends at version 3: only the third page knows of version 5.
    std::fs::remove_file(warehouse.dir.path().join("md/eu/trades/metadata/v4.metadata.json")).unwrap();
    let stub = serving(warehouse.dir.path(), |asked, _| {
        let key = |version: u32| listed(&format!("md/eu/trades/metadata/v{version}.metadata.json"));
        asked.path.contains("list-type=2").then(|| match asked.path.split("continuation-token=").nth(1) {
            None => page_of(&key(1), "one"),
            Some(token) if token.starts_with("one") => page_of(&key(2), "two"),
            Some(_) => list_of(&key(5)),
        })
    });
    let table = warehouse.at("s3://lake", store_of(&stub.url())).await.unwrap();
    assert_eq!(name_of(&table), "v5.metadata.json");
}

#[tokio::test]
async fn a_listing_without_an_end_is_a_failure_of_the_store() {
    let warehouse = Warehouse::new();
    warehouse.version("v1.metadata.json", 1);
    let pages = AtomicU32::new(0);
    let other = move || page_of("", &pages.fetch_add(1, Ordering::Relaxed).to_string());
    let padded = || list_of(&" ".repeat(17 << 20));
    type Answer = Box<dyn Fn() -> Reply + Send + Sync>;
    let replies: [(&str, Answer, &str); 3] = [
        ("the same page", Box::new(|| page_of("", "again")), "has no end"),
        ("always another", Box::new(other), "has no end"),
        ("a page too long", Box::new(padded), "longer than 16 MiB"),
    ];
    for (what, reply, told) in replies {
        let stub = serving(warehouse.dir.path(), move |asked, _| asked.path.contains("list-type=2").then(&reply));
        let error = warehouse.at("s3://lake", store_of(&stub.url())).await.unwrap_err();
        assert!(error_chain(&error).contains(told) && !error.is_usage(), "{what}: {}", error_chain(&error));
    }
}

#[tokio::test]
async fn a_store_that_refuses_or_fails_is_not_a_table_that_is_not_there() {
    let warehouse = Warehouse::new();
    warehouse.version("v1.metadata.json", 1).put("version-hint.text", "1");
    for (status, code) in [(403, "AccessDenied"), (404, "NoSuchBucket"), (500, "InternalError")] {
        for part in ["version-hint.text", "v1.metadata.json", "v2.metadata.json"] {
            let stub = serving(warehouse.dir.path(), move |_, key| key.ends_with(part).then(|| refusal(status, code)));
            let error = warehouse.at("s3://lake", store_of(&stub.url())).await.unwrap_err();
            assert!(error_chain(&error).contains("store failed") && !error.is_usage(), "{}", error_chain(&error));
        }
    }
    // A key that may not list still follows the hint.
    let stub = serving(warehouse.dir.path(), |asked, _| {
        asked.path.contains("list-type=2").then(|| refusal(403, "AccessDenied"))
    });
    assert_eq!(name_of(&warehouse.at("s3://lake", store_of(&stub.url())).await.unwrap()), "v1.metadata.json");
    let stub = serving(warehouse.dir.path(), |_, _| Some(Reply::new(404, "")));
    assert!(warehouse.at("s3://lake", store_of(&stub.url())).await.is_err());
}

#[tokio::test]
async fn a_real_store_serves_a_warehouse() {
    let server = S3Server::start(&["lake"]);
    let warehouse = Warehouse::new();
    warehouse.version("v1.metadata.json", 1).version("v2.metadata.json", 2).version("v3.gz.metadata.json", 3);
    crate::s3_stub::copy(warehouse.dir.path(), &server.file("lake", "wh"));
    let mut config = config_of(&server.endpoint());
    config.set("s3.access-key-id", S3Server::KEY_ID).unwrap();
    config.set("s3.secret-access-key", S3Server::SECRET).unwrap();
    config.set("s3.request-timeout", "10").unwrap();
    let storage = Storage::local().with_s3(config);
    let found = |storage: Storage| async { name_of(&warehouse.at("s3://lake/wh", storage).await.unwrap()) };
    assert_eq!(found(storage.clone()).await, "v3.gz.metadata.json");
    let hint = server.file("lake", "wh/md/eu/trades/metadata/version-hint.text");
    std::fs::write(&hint, "1").unwrap();
    assert_eq!(found(storage.clone()).await, "v3.gz.metadata.json");
    assert!(Path::new(&hint).is_file());
    let error = load("s3://lake/wh", "lake.md.eu.trade", storage).await.unwrap_err();
    assert!(error_chain(&error).ends_with("did you mean lake.md.eu.trades?"), "{}", error_chain(&error));
}
