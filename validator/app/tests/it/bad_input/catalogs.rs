//! Catalogs over a network: what a person sees when they answer, refuse, or do not answer.

use std::fs;
use std::net::TcpListener;

use fixtures_harness::{Asked, HttpStub, Reply};
use insta::assert_snapshot;
use serde_json::json;

use super::{check, reconcile, sound, written};
use crate::scene::Folder;
use crate::transcript::run;

/// A catalog that knows one table.
fn catalog_of(folder: &Folder) -> HttpStub {
    let location = folder.table.metadata_location.clone();
    HttpStub::start(move |asked: &Asked| match asked.path.as_str() {
        "/v1/config" => Reply::new(200, r#"{"defaults":{},"overrides":{}}"#),
        "/v1/namespaces/market/tables/trades" => Reply::new(200, json!({ "metadata-location": location }).to_string()),
        "/v1/namespaces/market/tables" => {
            Reply::new(200, r#"{"identifiers":[{"namespace":["market"],"name":"trades"}]}"#)
        }
        _ => Reply::new(404, r#"{"error":{"type":"NoSuchTableException","message":"no","code":404}}"#),
    })
}

fn with_catalog(folder: &Folder, lines: &str) {
    fs::write(folder.join("validator.toml"), format!("[catalogs.lake]\n{lines}\n")).expect("the folder takes files");
}

fn with_rest(folder: &Folder, url: &str, more: &str) {
    with_catalog(folder, &format!("type = \"rest\"\nuri = \"{url}\"\ntimeout = \"1s\"\n{more}"));
}

fn told(said: &str, address: &str) -> String {
    let said = said.replace(address, "HOST:PORT");
    (1..60).fold(said, |said, seconds| said.replace(&format!("in {seconds} s and"), "in N s and"))
}

#[test]
fn a_table_of_a_rest_catalog_is_judged() {
    let folder = written(&sound());
    let stub = catalog_of(&folder);
    with_rest(&folder, &stub.url(), "");
    assert_snapshot!(reconcile(&folder), @"
    exit 0
    --- stdout
    HOLDS  trades

    messages  2
      intact                 2

    rows  2 in scope
      intact                 2
    ");
    assert_snapshot!(check(&folder), @"
    exit 0
    --- stdout
    trades: sound, on a sample of 2 messages
    ");
    folder.edit("pipeline.toml", "lake.market.trades", "lake.market.trade");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the table
      because: catalog lookup failed
      because: table not found: lake.market.trade; did you mean lake.market.trades?
      hint:    a table is `catalog.namespace.table`, its catalog one of validator.toml
    ");
}

#[test]
fn a_rest_catalog_that_refuses() {
    let folder = written(&sound());
    let refused = r#"{"error":{"type":"NotAuthorizedException","message":"The access token expired","code":401}}"#;
    let stub = HttpStub::start(move |_| Reply::new(401, refused));
    with_rest(&folder, &stub.url(), "token = \"${CATALOG_TOKEN}\"");
    let ran = run(folder.path(), "reconcile pipeline.toml", &[("CATALOG_TOKEN", "hunter2")]).assert_no_panic();
    assert!(!ran.all().contains("hunter2"));
    assert_snapshot!(told(&ran.all(), &stub.address()), @"
    exit 3
    --- stderr
    error: open the table
      because: catalog lookup failed
      because: rest catalog refuses http://HOST:PORT/v1/config: 401 Unauthorized:
               NotAuthorizedException: The access token expired
      hint:    `credential`, `token` and `warehouse` in [catalogs] of validator.toml say who asks, and
               for what
    ");
}

#[test]
fn a_rest_catalog_that_is_down_or_another_server() {
    let folder = written(&sound());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address").to_string();
    drop(listener);
    with_rest(&folder, &format!("http://{address}"), "");
    assert_snapshot!(told(&reconcile(&folder), &address), @"
    exit 3
    --- stderr
    error: open the table
      because: catalog lookup failed
      because: rest catalog gave no answer for http://HOST:PORT/v1/config in N s and 4 attempts:
               error sending request: client error (Connect): tcp connect error: Connection refused (os
               error 111)
      hint:    `curl -i URI/v1/config` shows whether the `uri` of [catalogs] answers
    ");
    let stub = HttpStub::start(|_| Reply::new(200, "<html>hello</html>"));
    with_rest(&folder, &stub.url(), "");
    assert_snapshot!(told(&reconcile(&folder), &stub.address()), @"
    exit 3
    --- stderr
    error: open the table
      because: catalog lookup failed
      because: answer of the rest catalog for http://HOST:PORT/v1/config cannot be used: expected
               value at line 1 column 1
      hint:    `curl -i URI/v1/config` shows whether the `uri` of [catalogs] answers
    ");
    let other = stub.url();
    let stub = HttpStub::start(move |_| Reply::new(308, "").header("Location", other.clone()));
    with_rest(&folder, &stub.url(), "");
    let said = reconcile(&folder);
    assert!(
        said.starts_with("exit 3") && said.split_whitespace().collect::<Vec<_>>().join(" ").contains("not followed"),
        "{said}"
    );
}

#[test]
fn a_store_without_a_key_and_one_that_refuses() {
    let folder = written(&sound());
    let refusal = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let stub = HttpStub::start(move |_| Reply::new(403, refusal));
    let lines = |more: &str| {
        format!(
            "type = \"filesystem\"\nwarehouse = \"s3://lake/warehouse\"\n[catalogs.lake.storage]\n\
             \"s3.endpoint\" = \"{}\"\n{more}",
            stub.url()
        )
    };
    with_catalog(&folder, &lines(""));
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the table
      because: catalog lookup failed
      because: catalog folder not readable: s3://lake/warehouse/market/trades/metadata
      because: no key for the store of s3://lake/warehouse/market/trades/metadata/version-hint.text:
               s3.access-key-id and s3.secret-access-key are not given
      hint:    `warehouse` and `storage` in [catalogs] of validator.toml say where folders of tables are
               looked at
    ");
    with_catalog(&folder, &lines("\"s3.allow-anonymous\" = true"));
    let said = reconcile(&folder);
    let said = said.split("after ").next().unwrap_or_default();
    assert!(said.starts_with("exit 3"), "{said}");
    assert!(said.contains("store failed at s3://lake/warehouse"), "{said}");
}

#[test]
fn a_filesystem_catalog_on_the_disk_names_the_nearest_table() {
    let folder = written(&sound());
    with_catalog(&folder, "type = \"filesystem\"\nwarehouse = \"warehouse\"");
    let metadata = folder.table.metadata_location.trim_start_matches("file://").to_owned();
    let versioned = std::path::Path::new(&metadata).with_file_name("v1.metadata.json");
    fs::copy(&metadata, versioned).expect("the folder takes files");
    let said = reconcile(&folder);
    assert!(said.starts_with("exit 0\n--- stdout\nHOLDS  trades"), "{said}");
    folder.edit("pipeline.toml", "lake.market.trades", "lake.market.trade");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the table
      because: catalog lookup failed
      because: table not found: lake.market.trade; did you mean lake.market.trades?
      hint:    a table is `catalog.namespace.table`, its catalog one of validator.toml
    ");
}

#[test]
fn a_postgres_catalog_that_is_not_there() {
    let folder = written(&sound());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address").to_string();
    drop(listener);
    with_catalog(&folder, &format!("type = \"sql\"\nuri = \"postgres://me@{address}/lake\"\npassword = \"${{PW}}\""));
    let ran = run(folder.path(), "reconcile pipeline.toml", &[("PW", "hunter2")]).assert_no_panic();
    assert!(!ran.all().contains("hunter2"));
    assert_snapshot!(told(&ran.all(), &address), @"
    exit 3
    --- stderr
    error: open the table
      because: catalog lookup failed
      because: catalog query failed: postgres://HOST:PORT/lake
      because: error communicating with database: Connection refused (os error 111)
      hint:    `uri` and `catalog_name` in [catalogs] of validator.toml say where tables are looked up
    ");
}
