//! The SQL catalog in a real PostgreSQL, for a role that may do nothing but SELECT on `iceberg_tables`.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use fixtures_harness::{Look, Postgres, wait_until};
use validator_core::error_chain::error_chain;
use validator_core::secret::Secret;
use validator_table::{CatalogConfig, PostgresConfig, Storage, Table, TableError, TableName, load_with};

use crate::lake::{Lake, column};

/// One server for the tests that run side by side; it ends with the last of them.
fn server() -> Arc<Postgres> {
    static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let started = Postgres::start().unwrap_or_else(|error| panic!("{}", fixtures_harness::chain(&error)));
        let started = Arc::new(started);
        *shared = Arc::downgrade(&started);
        started
    })
}

/// A database of its own with a catalog of this layout, and the reader's URI.
fn database(server: &Postgres, name: &str, iceberg_type: &str) -> String {
    server.run(&format!("CREATE DATABASE {name}")).unwrap();
    let sql = format!(
        "DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD 'hunter2'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
         CREATE TABLE iceberg_tables (catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL,
             table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000){iceberg_type},
             PRIMARY KEY (catalog_name, table_namespace, table_name));
         REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO reader; GRANT SELECT ON iceberg_tables TO reader;"
    );
    server.run_in(name, &sql).unwrap();
    format!("postgres://reader:hunter2@{}/{name}", server.address())
}

async fn load(uri: &str, table: &str) -> Result<Table, TableError> {
    load_within(uri, table, None).await
}

async fn load_within(uri: &str, table: &str, timeout: Option<Duration>) -> Result<Table, TableError> {
    let config = PostgresConfig { uri: Secret::new(uri), password: None, catalog_name: "prod".to_owned(), timeout };
    let name = TableName::parse(&format!("lake.{table}")).unwrap();
    load_with(&CatalogConfig::Postgres(config), &name, Storage::local()).await
}

#[tokio::test]
async fn a_role_that_may_only_select_finds_tables_in_both_layouts() {
    let server = server();
    for (name, layout, value) in [("v1", ", iceberg_type VARCHAR(5)", ", 'TABLE'"), ("v0", "", "")] {
        let uri = database(&server, name, layout);
        let lake = Lake::new(vec![column(1, "a", "long")]);
        let location = lake.save();
        let insert = |table: &str, location: &str| {
            server
                .run_in(
                    name,
                    &format!("INSERT INTO iceberg_tables VALUES ('prod', 'md.eu', '{table}', {location}, NULL{value})"),
                )
                .unwrap()
        };
        insert("trades", &format!("'{location}'"));
        insert("none", "NULL");
        assert_eq!(load(&uri, "md.eu.trades").await.unwrap().metadata_location(), location);
        let told = load(&uri, "md.eu.trade").await.unwrap_err();
        assert_eq!(
            error_chain(&told),
            "catalog lookup failed: table not found: lake.md.eu.trade; did you mean lake.md.eu.trades?"
        );
        assert!(told.is_usage());
        assert!(error_chain(&load(&uri, "md.eu.none").await.unwrap_err()).contains("names no metadata"));
    }
    let view = "INSERT INTO iceberg_tables VALUES ('prod', 'md', 'view', '/v', NULL, 'VIEW'), ('other', 'md', 'trades', '/o', NULL, NULL)";
    server.run_in("v1", view).unwrap();
    let uri = format!("postgres://reader:hunter2@{}/v1", server.address());
    for name in ["md.view", "md.trades"] {
        assert!(error_chain(&load(&uri, name).await.unwrap_err()).contains("table not found"), "{name}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_without_the_password() {
    let server = server();
    let uri = database(&server, "wrong", ", iceberg_type VARCHAR(5)");
    server.run("CREATE DATABASE empty").unwrap();
    server
        .run_in(
            "wrong",
            "CREATE ROLE nobody_here LOGIN PASSWORD 'hunter2'; GRANT USAGE ON SCHEMA public TO nobody_here",
        )
        .unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let at = server.address();
    for (uri, told, usage) in [
        (uri.replace("hunter2", "hunter3"), "password authentication failed", false),
        (uri.replace("/wrong", "/nosuch"), "database \"nosuch\" does not exist", false),
        (format!("postgres://reader:hunter2@{at}/empty"), "no iceberg_tables in catalog database", true),
        (format!("postgres://nobody_here:hunter2@{at}/wrong"), "permission denied", false),
        (format!("postgres://reader:hunter2@{nobody}/wrong"), "refused", false),
        (format!("postgres://reader:hunter2@{at}/wrong?sslmode=require"), "TLS", false),
    ] {
        let error = load(&uri, "md.trades").await.unwrap_err();
        let text = format!("{} {error:?}", error_chain(&error));
        assert!(text.contains(told), "{text}");
        assert!(!text.contains("hunter"), "{text}");
        assert_eq!(error.is_usage(), usage, "{text}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("postgres://reader:hunter2@{}/lake", silent.local_addr().unwrap());
    let begun = Instant::now();
    let error = load_within(&uri, "md.trades", Some(Duration::from_millis(300))).await.unwrap_err();
    assert!(error_chain(&error).contains("gave no answer in 1 s: postgres://127.0.0.1"), "{}", error_chain(&error));
    assert!(!error.is_usage() && begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_table_that_somebody_has_locked_is_waited_for_no_longer_either() {
    let server = server();
    let uri = database(&server, "held", "");
    let locked = "SELECT count(*) FROM pg_locks \
                  WHERE mode = 'AccessExclusiveLock' AND relation = 'iceberg_tables'::regclass";
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'held' AND pid <> pg_backend_pid()";
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| server.run_in("held", "BEGIN; LOCK iceberg_tables; SELECT pg_sleep(600)"));
        wait_until("the lock", Duration::from_secs(60), || match server.run_in("held", locked) {
            Ok(count) if count.trim() == "1" => Look::Done(()),
            other => Look::NotYet(format!("{other:?}")),
        })
        .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let held = runtime.block_on(load_within(&uri, "md.trades", Some(Duration::from_millis(500))));
        server.run(end).unwrap();
        assert!(holder.join().unwrap().is_err(), "the holder was ended");
        let told = error_chain(&held.unwrap_err());
        assert!(told.contains("no answer") || told.contains("statement timeout"), "{told}");
    });
}
