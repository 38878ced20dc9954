//! The SQL catalog in a PostgreSQL that speaks TLS: it is the server that it says it is, or nothing is asked of it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use fixtures_harness::{Look, Postgres, run_to_end, scratch_dir, wait_until};
use tempfile::TempDir;
use validator_core::error_chain::error_chain;
use validator_core::secret::Secret;
use validator_table::{CatalogConfig, PostgresConfig, Storage, Table, TableError, TableName, load_with};

use crate::lake::{Lake, column};

/// A server for whose clients from the network there is nothing but TLS, and the certificates around it.
struct Secured {
    server: Postgres,
    files: TempDir,
    lake: Lake,
}

impl Secured {
    fn start() -> Self {
        let server = Postgres::start().unwrap_or_else(|error| panic!("{}", fixtures_harness::chain(&error)));
        let (files, lake) = (scratch_dir("certificates"), Lake::new(vec![column(1, "a", "long")]));
        certificates(files.path());
        let access =
            "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 scram-sha-256";
        put(&server, "pg_hba.conf", access);
        for name in ["server.crt", "server.key"] {
            put(&server, name, &std::fs::read_to_string(files.path().join(name)).unwrap());
        }
        let catalog = format!(
            "CREATE ROLE reader LOGIN PASSWORD 'hunter2';
             CREATE TABLE iceberg_tables (catalog_name TEXT, table_namespace TEXT, table_name TEXT, metadata_location TEXT);
             INSERT INTO iceberg_tables VALUES ('prod', 'md', 'trades', '{}');
             GRANT SELECT ON iceberg_tables TO reader",
            lake.save()
        );
        for sql in [catalog.as_str(), "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"] {
            server.run(sql).unwrap();
        }
        let secure = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        wait_until("a connection over TLS", Duration::from_secs(60), || match server.run(secure) {
            Ok(told) if told.trim() == "t" => Look::Done(()),
            other => Look::NotYet(format!("{other:?}")),
        })
        .unwrap();
        Self { server, files, lake }
    }

    /// Looks the table up under this name of the host; `{ca}` and `{other}` are files of authorities.
    async fn load(&self, host: &str, parameters: &str) -> Result<Table, TableError> {
        let file = |name: &str| self.files.path().join(name).display().to_string();
        let parameters = parameters.replace("{ca}", &file("ca.pem")).replace("{other}", &file("other.pem"));
        let address = self.server.address();
        let port = address.rsplit(':').next().unwrap();
        let uri = Secret::new(format!("postgres://reader:hunter2@{host}:{port}/postgres?{parameters}"));
        let config = PostgresConfig { uri, password: None, catalog_name: "prod".to_owned(), timeout: None };
        let name = TableName::parse("lake.md.trades").unwrap();
        load_with(&CatalogConfig::Postgres(config), &name, Storage::local()).await
    }
}

/// Two authorities, and a certificate of the first for `localhost` alone.
fn certificates(folder: &Path) {
    let extensions = "subjectAltName=DNS:localhost\nbasicConstraints=critical,CA:FALSE\n";
    std::fs::write(folder.join("extensions"), extensions).unwrap();
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for name in ["ca", "other"] {
        openssl(folder, &format!("req -x509 {curve} -days 30 -subj /CN={name} -keyout {name}.key -out {name}.pem"));
    }
    openssl(folder, &format!("req -new {curve} -subj /CN=localhost -keyout server.key -out server.csr"));
    let signed = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile extensions";
    openssl(folder, &format!("x509 -req -in server.csr {signed} -out server.crt"));
}

fn openssl(folder: &Path, words: &str) {
    let mut command = Command::new("openssl");
    command.args(words.split(' ')).current_dir(folder);
    run_to_end("openssl", command, Duration::from_secs(60)).unwrap();
}

/// Writes a file of the server's data folder, as the server: a key must be its own.
fn put(server: &Postgres, name: &str, text: &str) {
    let lines = text.trim_end();
    let rows = format!("SELECT unnest(string_to_array('{lines}', E'\\n'))");
    server.run(&format!("COPY ({rows}) TO PROGRAM 'umask 077; cat > {name}'")).unwrap();
}

#[tokio::test]
async fn a_server_is_known_by_its_name_and_its_authority_or_refused() {
    let secured = Secured::start();
    for (host, parameters) in [
        ("localhost", "sslmode=verify-full&sslrootcert={ca}"),
        // Encrypted, whoever it is.
        ("127.0.0.1", "sslmode=require"),
    ] {
        let table = secured.load(host, parameters).await.unwrap_or_else(|error| panic!("{}", error_chain(&error)));
        assert_eq!(table.metadata_location(), secured.lake.save(), "{parameters}");
    }
    for (host, parameters, told) in [
        ("127.0.0.1", "sslmode=verify-full&sslrootcert={ca}", "not valid for name"),
        ("localhost", "sslmode=verify-full&sslrootcert={other}", "certificate"),
        ("localhost", "sslmode=verify-full", "certificate"),
        ("localhost", "sslmode=disable", "pg_hba.conf"),
    ] {
        let error = secured.load(host, parameters).await.map(|_| panic!("{parameters}")).unwrap_err();
        let text = format!("{} {error:?}", error_chain(&error));
        assert!(text.contains("catalog query failed: postgres://") && text.contains(told), "{parameters}: {text}");
        assert!(!text.contains("hunter2") && !error.is_usage(), "{parameters}: {text}");
    }
}

#[tokio::test]
async fn a_mode_that_the_client_library_takes_for_another_is_refused() {
    let secured = Secured::start();
    for authority in ["{ca}", "{other}"] {
        let mode = format!("sslmode=verify-ca&sslrootcert={authority}");
        let error = secured.load("127.0.0.1", &mode).await.unwrap_err();
        assert!(error_chain(&error).contains("verify-ca is not built"), "{}", error_chain(&error));
        assert!(error.is_usage());
    }
}

#[tokio::test]
async fn a_server_that_has_no_tls_is_refused_by_who_wants_it() {
    let server = Postgres::start().unwrap_or_else(|error| panic!("{}", fixtures_harness::chain(&error)));
    for mode in ["require", "verify-full"] {
        let uri = Secret::new(format!("postgres://postgres:hunter2@{}/postgres?sslmode={mode}", server.address()));
        let config = PostgresConfig { uri, password: None, catalog_name: "prod".to_owned(), timeout: None };
        let name = TableName::parse("lake.md.trades").unwrap();
        let error = load_with(&CatalogConfig::Postgres(config), &name, Storage::local()).await.unwrap_err();
        let text = format!("{} {error:?}", error_chain(&error));
        assert!(text.contains("TLS") && !text.contains("hunter2") && !error.is_usage(), "{mode}: {text}");
    }
}
