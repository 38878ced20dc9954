//! A table of a REST catalog whose files lie in an S3-compatible store, written by PyIceberg.

use fixtures_harness::{RestCatalog, S3Access, minio, run_python};
use insta::assert_snapshot;

use super::ask_in;
use crate::real_kafka::good;

/// Prints the first snapshot and the location of the current metadata.
const SCRIPT: &str = r#"
import sys
from decimal import Decimal
import pyarrow as pa
from pyiceberg.catalog import load_catalog

properties = dict(word.split("=", 1) for word in sys.argv[1:])
catalog = load_catalog("writer", type="rest", **properties)
catalog.create_namespace("ns")
schema = pa.schema([("id", pa.int64()), ("price", pa.decimal128(18, 8))])
rows = [{"id": id, "price": Decimal(id) / 8} for id in range(1_000)]
table = catalog.create_table("ns.t", schema)
table.append(pa.Table.from_pylist(rows, schema=schema))
first = table.current_snapshot().snapshot_id
table.delete("id < 10")
with table.update_schema() as change:
    change.rename_column("price", "paid")
print(first)
print(table.metadata_location)
"#;

#[test]
fn a_table_of_a_rest_catalog_on_s3_is_queried() {
    let Some(store) = minio() else { return };
    let access = store.access();
    let catalog = good(RestCatalog::on_s3(access, "sql"));
    let words = [
        ("uri", catalog.uri()),
        ("s3.endpoint", access.endpoint.as_str()),
        ("s3.access-key-id", &access.access_key_id),
        ("s3.secret-access-key", &access.secret_access_key),
        ("s3.region", S3Access::REGION),
    ];
    let words = words.map(|(key, value)| format!("{key}={value}"));
    let said = good(run_python(SCRIPT, &words.each_ref().map(String::as_str)));
    let (first, metadata) = said.trim_end().split_once('\n').expect("two lines");

    let folder = tempfile::tempdir().expect("the system gives a folder");
    let service = format!(
        "[catalogs.lake]\ntype = \"rest\"\nuri = {:?}\n[catalogs.lake.storage]\n\"s3.endpoint\" = {:?}\n\
         \"s3.path-style-access\" = true\n\"s3.region\" = {:?}\n\"s3.access-key-id\" = {:?}\n\
         \"s3.secret-access-key\" = {{ file = \"secret\" }}\n",
        catalog.uri(),
        access.endpoint,
        S3Access::REGION,
        access.access_key_id,
    );
    std::fs::write(folder.path().join("validator.toml"), service).expect("the folder takes files");
    std::fs::write(folder.path().join("secret"), &access.secret_access_key).expect("the folder takes files");
    let answer = |flags: &str, query: &str| {
        let ran = ask_in(folder.path(), &format!("--format jsonl {flags}"), query);
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{query}\n{}", ran.all());
        ran.stdout.trim_end().to_owned()
    };
    let sums = "count(*) AS n, min(id) AS first, max(id) AS last, sum";
    assert_snapshot!(answer("", &format!("SELECT {sums}(paid) AS paid FROM lake.ns.t")), @r#"{"n":990,"first":10,"last":999,"paid":"62431.87500000"}"#);
    // Before the rows were deleted and the column renamed, by the catalog and by the file itself.
    let old = format!("SELECT {sums}(price) AS paid FROM old");
    let by_name = answer(&format!("--table old=lake.ns.t@{first}"), &old);
    assert_snapshot!(by_name, @r#"{"n":1000,"first":0,"last":999,"paid":"62437.50000000"}"#);
    assert_eq!(answer(&format!("--table old={metadata}@{first}"), &old), by_name);
    let in_bucket = format!("s3://{}/", access.bucket);
    let query = format!("SELECT count(*) AS n FROM lake.ns.\"t$files\" WHERE starts_with(file_path, '{in_bucket}')");
    assert_eq!(answer("", &query), r#"{"n":1}"#);
    assert_eq!(answer("", "SELECT count(*) AS n FROM lake.ns.\"t$snapshots\""), r#"{"n":2}"#);
    let rows = "SELECT id, paid FROM lake.ns.t ORDER BY id LIMIT 2";
    assert_snapshot!(answer("", rows), @r#"
    {"id":10,"paid":"1.25000000"}
    {"id":11,"paid":"1.37500000"}
    "#);
}

#[test]
fn a_store_that_is_gone_ends_the_query_and_names_no_secret() {
    let Some(store) = minio() else { return };
    let access = store.access();
    let folder = tempfile::tempdir().expect("the system gives a folder");
    let service = format!(
        "[catalogs.lake]\ntype = \"filesystem\"\nwarehouse = \"s3://nothere-{}/w\"\n[catalogs.lake.storage]\n\
         \"s3.endpoint\" = {:?}\n\"s3.path-style-access\" = true\n\"s3.region\" = {:?}\n\
         \"s3.access-key-id\" = {:?}\n\"s3.secret-access-key\" = {{ file = \"secret\" }}\n",
        access.bucket,
        access.endpoint,
        S3Access::REGION,
        access.access_key_id,
    );
    std::fs::write(folder.path().join("validator.toml"), service).expect("the folder takes files");
    std::fs::write(folder.path().join("secret"), &access.secret_access_key).expect("the folder takes files");
    let ran = ask_in(folder.path(), "", "SELECT count(*) FROM lake.ns.t");
    assert!(ran.exit != 0 && ran.stdout.is_empty(), "{}", ran.all());
    assert!(!ran.stderr.contains(&access.secret_access_key), "{}", ran.all());
}
