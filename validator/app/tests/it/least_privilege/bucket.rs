//! A real S3 server, and keys that may do what the guide's policy allows, and less.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fixtures_harness::{LentKey, Minio, S3Access, minio, run_python};
use serde_json::{Value as Json, json};

use super::{assert_could_not_look, block};
use crate::real_kafka::good;
use crate::transcript::{Ran, run_arguments};

/// Writes a table by PyIceberg into the bucket, and beside it the names that a catalog without a server goes by.
const WRITE: &str = r#"
import sys
import pyarrow as pa
import pyarrow.fs as fs
from pyiceberg.catalog.sql import SqlCatalog

database, endpoint, key_id, secret, region, bucket = sys.argv[1:]
warehouse = f"s3://{bucket}/warehouse"
catalog = SqlCatalog("fixtures", uri=f"sqlite:///{database}", warehouse=warehouse, **{
    "s3.endpoint": endpoint, "s3.access-key-id": key_id, "s3.secret-access-key": secret, "s3.region": region})
catalog.create_namespace("market")
rows = pa.table({"id": pa.array(range(6), pa.int64()), "venue": [f"v{n}" for n in range(6)]})
for name in ["trades", "unhinted"]:
    table = catalog.create_table(f"market.{name}", rows.schema, location=f"{warehouse}/market/{name}")
    table.append(rows)
    store = fs.S3FileSystem(access_key=key_id, secret_key=secret, region=region, endpoint_override=endpoint)
    folder = f"{bucket}/warehouse/market/{name}/metadata"
    with store.open_output_stream(f"{folder}/v1.metadata.json") as copy:
        copy.write(store.open_input_file(table.metadata_location.removeprefix("s3://")).read())
    if name == "trades":
        with store.open_output_stream(f"{folder}/version-hint.text") as hint:
            hint.write(b"1")
"#;

/// Every object of the bucket with its size and time.
const LIST: &str = r#"
import sys
import pyarrow.fs as fs

endpoint, key_id, secret, region, bucket = sys.argv[1:]
store = fs.S3FileSystem(access_key=key_id, secret_key=secret, region=region, endpoint_override=endpoint)
for info in store.get_file_info(fs.FileSelector(bucket, recursive=True)):
    print(info.path, info.size, info.mtime_ns)
"#;

/// A store with two tables, and their SQLite catalog.
struct Lake {
    store: &'static Minio,
    folder: tempfile::TempDir,
}

fn lake() -> Option<&'static Lake> {
    static LAKE: LazyLock<Option<Lake>> = LazyLock::new(|| {
        let store = minio()?;
        let folder = tempfile::tempdir().expect("the system gives a folder");
        let database = folder.path().join("catalog.db").display().to_string();
        good(run_python(WRITE, &[&[database.as_str()], &root(store)[..]].concat()));
        Some(Lake { store, folder })
    });
    LAKE.as_ref()
}

fn root(store: &Minio) -> [&str; 5] {
    let S3Access { endpoint, access_key_id, secret_access_key, bucket } = store.access();
    [endpoint, access_key_id, secret_access_key, S3Access::REGION, bucket]
}

/// The guide's policy over this bucket, with those of its statements that the test is about.
fn policy(store: &Minio, keep: impl Fn(&str) -> bool) -> String {
    let text = block("json", "s3:GetObject");
    let text = text.replace("arn:aws:s3:::bucket", &format!("arn:aws:s3:::{}", store.access().bucket));
    let mut policy: Json = serde_json::from_str(&text).expect("a policy is JSON");
    let statements = policy["Statement"].as_array_mut().expect("a policy has statements");
    assert_eq!(statements.len(), 2, "{text}");
    statements.retain(|statement| keep(statement["Action"].as_str().expect("each names one action")));
    policy.to_string()
}

/// A run of a command by who has that key, over a folder of its own.
fn run(lake: &Lake, key: &LentKey, table: &str, arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("the system gives a folder");
    let database = lake.folder.path().join("catalog.db");
    let storage = format!(
        "storage = {{ \"s3.endpoint\" = {:?}, \"s3.region\" = {:?}, \"s3.path-style-access\" = \"true\", \
         \"s3.access-key-id\" = {:?}, \"s3.secret-access-key\" = \"${{SECRET}}\", \"s3.session-token\" = \"${{TOKEN}}\" }}\n",
        lake.store.access().endpoint,
        S3Access::REGION,
        key.id
    );
    let service = format!(
        "[catalogs.sql]\ntype = \"sql\"\nuri = \"sqlite://{}\"\ncatalog_name = \"fixtures\"\n{storage}\n\
         [catalogs.folders]\ntype = \"filesystem\"\nwarehouse = \"s3://{}/warehouse\"\n{storage}",
        database.display(),
        lake.store.access().bucket
    );
    let pipeline = format!(
        "[pipeline]\nname = \"trades\"\ntopic = \"trades\"\ntable = {table:?}\nformat = \"json\"\n\
         [source]\nfiles = [\"topic.jsonl\"]\nenvelope = \"none\"\n[identity]\nmode = \"key\"\ncolumns = [\"id\"]\n"
    );
    let lines: String = (0..6).map(|id| format!("{}\n", json!({"id": id, "venue": format!("v{id}")}))).collect();
    for (name, text) in [("validator.toml", &service), ("pipeline.toml", &pipeline), ("topic.jsonl", &lines)] {
        std::fs::write(folder.path().join(name), text).expect("a temporary folder takes files");
    }
    let ran = run_arguments(folder.path(), arguments, &[("SECRET", &key.secret), ("TOKEN", &key.token)]);
    println!("{table} {arguments:?}\n{}", ran.all());
    assert!(!ran.all().contains(&key.secret) && !ran.all().contains(&key.token), "{}", ran.all());
    ran.assert_no_panic()
}

const RECONCILE: [&str; 2] = ["reconcile", "pipeline.toml"];
const CHECK: [&str; 2] = ["check", "pipeline.toml"];

/// Each command over that table, by who has the key.
fn all(lake: &Lake, key: &LentKey, table: &str) -> BTreeMap<&'static str, Ran> {
    let query = format!("SELECT count(*) AS n FROM {table}");
    let sql = ["sql", "--format", "csv", &query];
    let run = |arguments: &[&str]| run(lake, key, table, arguments);
    BTreeMap::from([("check", run(&CHECK)), ("reconcile", run(&RECONCILE)), ("sql", run(&sql))])
}

fn works(lake: &Lake, key: &LentKey, table: &str) {
    for (command, ran) in all(lake, key, table) {
        assert_eq!(ran.exit, 0, "{command} of {table}: {}", ran.all());
    }
}

#[test]
fn the_policy_of_the_guide_is_enough_and_lets_nobody_write() {
    let Some(lake) = lake() else { return };
    let objects = || good(run_python(LIST, &root(lake.store)));
    let before = objects();
    assert!(before.lines().count() > 10, "{before}");
    let key = good(lake.store.lend_key(&policy(lake.store, |_| true)));
    for table in ["sql.market.trades", "folders.market.trades", "folders.market.unhinted"] {
        works(lake, &key, table);
    }
    assert_eq!(objects(), before);
}

#[test]
fn without_the_right_to_list_only_a_folder_without_a_hint_cannot_be_looked_at() {
    let Some(lake) = lake() else { return };
    let key = good(lake.store.lend_key(&policy(lake.store, |action| action == "s3:GetObject")));
    works(lake, &key, "sql.market.trades");
    // This server says of what is not there that it is not there, where AWS refuses who may not list.
    works(lake, &key, "folders.market.trades");
    for (_, ran) in all(lake, &key, "folders.market.unhinted") {
        assert_could_not_look(&ran, &["AccessDenied", "market/unhinted/metadata"]);
    }
}

#[test]
fn without_the_right_to_get_nothing_is_judged_and_the_object_is_named() {
    let Some(lake) = lake() else { return };
    let listing = good(lake.store.lend_key(&policy(lake.store, |action| action == "s3:ListBucket")));
    let elsewhere = policy(lake.store, |_| true).replace("/warehouse/*", "/elsewhere/*");
    let elsewhere = good(lake.store.lend_key(&elsewhere));
    for key in [listing, elsewhere] {
        for table in ["sql.market.trades", "folders.market.trades"] {
            for (_, ran) in all(lake, &key, table) {
                assert_could_not_look(&ran, &["AccessDenied", "market/trades/metadata"]);
            }
        }
    }
}

#[test]
fn a_key_without_the_data_files_judges_nothing_and_a_query_shows_it_before() {
    let Some(lake) = lake() else { return };
    let only_metadata = policy(lake.store, |_| true).replace("/warehouse/*", "/warehouse/*/metadata/*");
    let key = good(lake.store.lend_key(&only_metadata));
    let mut ran = all(lake, &key, "sql.market.trades");
    assert_could_not_look(&ran["reconcile"], &["UNJUDGED", "AccessDenied", "/data/"]);
    assert_could_not_look(&ran["sql"], &["AccessDenied", "/data/"]);
    // It reads no data file, as the guide says.
    assert_eq!(ran.remove("check").map(|ran| ran.exit), Some(0));
}
