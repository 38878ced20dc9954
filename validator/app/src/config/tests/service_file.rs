//! `validator.toml`, sound and not.

use std::time::Duration;

use validator_table::{CatalogConfig, PostgresConfig, RestAccess, RestConfig};

use super::super::{Catalog, Secret, Service};
use super::{seen, service};
use crate::render::{Palette, problems};

fn sound(text: &str) -> Service {
    match service(text) {
        Ok(service) => service,
        Err(error) => panic!("{}", seen::<()>(Err(error))),
    }
}

#[test]
fn every_key_of_this_release_is_read() {
    let service = sound(
        r#"
        [service]
        temp = "spill"
        memory = "2GiB"
        digest_key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        pipelines = ["../rules/suites/*.toml"]
        [kafka]
        brokers = "localhost:9092"
        properties = { "security.protocol" = "PLAINTEXT", "socket.timeout.ms" = 5000, enable.ssl.certificate.verification = false }
        [schema_registry]
        url = "http://localhost:8081/apis/ccompat/v7"
        token = "${REGISTRY_TOKEN}"
        [catalogs.lake]
        type = "sql"
        uri = "sqlite:///var/lake/catalog.db"
        [catalogs.near]
        type = "sql"
        uri = "sqlite://catalog.db"
        catalog_name = "prod"
        warehouse = "file:///var/lake"
        [catalogs.one]
        type = "metadata"
        location = "tables/v1.metadata.json"
        "#,
    );
    assert_eq!(service.temp.as_deref(), Some(std::path::Path::new("etc/spill")));
    assert_eq!(service.memory_bytes, Some(2 << 30));
    assert_eq!(service.digest_key.as_ref().map(|key| key.0[31]), Some(0x1f));
    assert_eq!(service.pipelines, ["etc/../rules/suites/*.toml"]);
    let kafka = service.kafka.as_ref().expect("there is a [kafka]");
    let properties: Vec<(&str, &str)> =
        kafka.properties.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    let expected = [
        ("enable.ssl.certificate.verification", "false"),
        ("security.protocol", "PLAINTEXT"),
        ("socket.timeout.ms", "5000"),
    ];
    assert_eq!(properties, expected);
    let registry = service.schema_registry.as_ref().expect("there is a [schema_registry]");
    assert_eq!(registry.token.as_ref().map(|token| token.expose()), Some("s3cr3t"));
    let sql = |uri: &str, name: &str| CatalogConfig::Sql { uri: uri.into(), catalog_name: name.into() };
    let one = CatalogConfig::Metadata { location: "etc/tables/v1.metadata.json".into() };
    let read: Vec<&CatalogConfig> = service.catalogs.values().map(|catalog| &catalog.config).collect();
    assert_eq!(read, [&sql("sqlite:///var/lake/catalog.db", "lake"), &sql("sqlite://etc/catalog.db", "prod"), &one]);
    let names: Vec<String> = service.warnings.iter().map(|warning| warning.message.clone()).collect();
    assert_eq!(names, ["`digest_key` stands in the file for everyone to read"]);
}

#[test]
fn no_secret_is_in_a_debug_text_or_a_problem() {
    let text = r#"
        [kafka]
        brokers = "b:9092"
        properties = { "sasl.password" = "hunter2" }
        [schema_registry]
        url = "http://r"
        user = "me"
        password = "hunter2"
        token = "hunter2"
        pasword = "hunter2"
        [service]
        digest_key = "hunter2"
        "#;
    let error = service(text).expect_err("the file is wrong");
    assert!(!format!("{error:?}").contains("hunter2"));
    assert!(!seen::<()>(Err(error)).contains("hunter2"));
    let read = sound("[schema_registry]\nurl = \"http://r\"\nuser = \"me\"\npassword = \"hunter2\"\n");
    assert!(!format!("{:?}", read.schema_registry).contains("hunter2"));
    let warnings = problems(&read.warnings, "warning", Palette::PLAIN, 100);
    assert!(!warnings.contains("hunter2"), "{warnings}");
    insta::assert_snapshot!(warnings, @r#"
    warning: `password` stands in the file for everyone to read
     --> etc/validator.toml:4:12
      |
    4 | password = "***"
      |            ^^^^^
      = hint: write "${PASSWORD}" and export it, or { file = "…" }
    "#);
}

#[test]
fn every_problem_of_the_file_is_listed_in_its_order() {
    let text = r#"
[service]
memory = "2 gigs"
pipelines = "rules/*.toml"
listen = "localhost"
state = "sqlite://state/ledger.db"

[kafka]
broker = "localhost:9092"
properties = { "bootstrap.servers" = "x:1", "client.id" = ["a"] }

[schema_registry]
url = "localhost:8081"
ca = "ca.pem"

[catalog.lake]
type = "sql"
"#;
    insta::assert_snapshot!(seen(service(text)), @r#"
    10 problems in etc/validator.toml

    error: `memory` is a size with a unit, like "512MiB" or "2GiB", not "2 gigs"
     --> etc/validator.toml:3:10
      |
    3 | memory = "2 gigs"
      |          ^^^^^^^^
      = hint: write `memory = "2GiB"`

    error: `pipelines` is a list of strings, not a string
     --> etc/validator.toml:4:13
      |
    4 | pipelines = "rules/*.toml"
      |             ^^^^^^^^^^^^^^
      = hint: write `pipelines = ["rules/suites/*.toml"]`

    error: `listen` is an address and a port, not "localhost"
     --> etc/validator.toml:5:10
      |
    5 | listen = "localhost"
      |          ^^^^^^^^^^^
      = hint: write `listen = "127.0.0.1:9464"`

    error: [kafka] has no `brokers`
     --> etc/validator.toml:8:2
      |
    8 | [kafka]
      |  ^^^^^
      = hint: write `brokers = "localhost:9092"` in [kafka]

    error: unknown key `broker` in [kafka]
     --> etc/validator.toml:9:1
      |
    9 | broker = "localhost:9092"
      | ^^^^^^
      = hint: did you mean `brokers`?

    error: `bootstrap.servers` is `brokers` in [kafka]
      --> etc/validator.toml:10:16
       |
    10 | properties = { "bootstrap.servers" = "x:1", "client.id" = ["a"] }
       |                ^^^^^^^^^^^^^^^^^^^
       = hint: take `bootstrap.servers` out

    error: `client.id` is a string, not a list
      --> etc/validator.toml:10:59
       |
    10 | properties = { "bootstrap.servers" = "x:1", "client.id" = ["a"] }
       |                                                           ^^^^^
       = hint: write `client.id = "SASL_SSL"`

    error: `url` starts with http:// or https:// and names a host
      --> etc/validator.toml:13:7
       |
    13 | url = "localhost:8081"
       |       ^^^^^^^^^^^^^^^^
       = hint: write `url = "http://localhost:8081"`

    error: `ca` in [schema_registry] is not built yet
      --> etc/validator.toml:14:1
       |
    14 | ca = "ca.pem"
       | ^^
       = hint: take it out for now

    error: unknown key `catalog`
      --> etc/validator.toml:16:2
       |
    16 | [catalog.lake]
       |  ^^^^^^^
       = hint: did you mean `catalogs`?
    "#);
}

fn catalog<'a>(service: &'a Service, name: &str) -> &'a Catalog {
    service.catalogs.get(name).expect("there is such a catalog")
}

#[test]
fn every_key_of_catalogs_and_stores_is_read() {
    let service = sound(
        r#"
        [catalogs.rest]
        type = "rest"
        uri = "https://catalog.example/api"
        warehouse = "prod"
        prefix = "ws"
        credential = "${REGISTRY_TOKEN}"
        oauth2-server-uri = "https://login.example/token"
        scope = "all"
        audience = "lake"
        timeout = "5s"
        header.X-Team = "data"
        "header.X-Other" = "b"
        [catalogs.rest.storage]
        "s3.endpoint" = "http://localhost:9000/"
        "s3.path-style-access" = true
        "s3.connect-timeout" = 2.5
        s3.region = "eu-west-1"
        [catalogs.pg]
        type = "sql"
        uri = "postgres://reader@db.example/lake"
        password = "${REGISTRY_TOKEN}"
        timeout = "5s"
        [catalogs.files]
        type = "filesystem"
        warehouse = "lake"
        storage.s3.access-key-id = "id"
        storage.s3.secret-access-key = "${REGISTRY_TOKEN}"
        [catalogs.bucket]
        type = "filesystem"
        warehouse = "s3://bucket/lake"
        "#,
    );
    assert!(service.warnings.is_empty(), "{:?}", service.warnings);
    let rest = catalog(&service, "rest");
    let expected = RestConfig {
        uri: "https://catalog.example/api".into(),
        warehouse: Some("prod".into()),
        prefix: Some("ws".into()),
        access: RestAccess::Client {
            id: None,
            secret: Secret::new("s3cr3t"),
            server_uri: Some("https://login.example/token".into()),
            parameters: vec![("scope".into(), "all".into()), ("audience".into(), "lake".into())],
        },
        headers: vec![("X-Team".into(), Secret::new("data")), ("X-Other".into(), Secret::new("b"))],
        ca: None,
        timeout: Some(Duration::from_secs(5)),
        vended: true,
    };
    assert_eq!(rest.config, CatalogConfig::Rest(expected));
    assert_eq!(rest.store.endpoint.as_deref(), Some("http://localhost:9000"));
    assert_eq!((rest.store.path_style, rest.store.region.as_deref()), (Some(true), Some("eu-west-1")));
    assert_eq!(rest.store.connect_timeout, Some(Duration::from_millis(2_500)));
    let expected = PostgresConfig {
        uri: Secret::new("postgres://reader@db.example/lake"),
        password: Some(Secret::new("s3cr3t")),
        catalog_name: "pg".into(),
        timeout: Some(Duration::from_secs(5)),
    };
    assert_eq!(catalog(&service, "pg").config, CatalogConfig::Postgres(expected));
    let files = catalog(&service, "files");
    assert_eq!(files.config, CatalogConfig::Filesystem { warehouse: "etc/lake".into() });
    assert_eq!(files.store.secret_access_key, Some(Secret::new("s3cr3t")));
    let bucket = CatalogConfig::Filesystem { warehouse: "s3://bucket/lake".into() };
    assert_eq!(catalog(&service, "bucket").config, bucket);
}

#[test]
fn an_own_key_to_the_store_asks_the_catalog_for_none() {
    let service = sound(
        "[catalogs.a]\ntype = \"rest\"\nuri = \"http://c\"\n\
         storage = { \"s3.access-key-id\" = \"id\", \"s3.secret-access-key\" = \"${REGISTRY_TOKEN}\" }\n\
         [catalogs.b]\ntype = \"rest\"\nuri = \"http://c\"\nstorage = { \"s3.allow-anonymous\" = true }\n",
    );
    for catalog in service.catalogs.values() {
        assert!(matches!(&catalog.config, CatalogConfig::Rest(rest) if !rest.vended), "{catalog:?}");
    }
}

#[test]
fn secrets_of_catalogs_come_from_files_and_are_not_printed() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("key");
    std::fs::write(&path, "hunter2\n").expect("the folder is ours");
    let file = format!("{{ file = \"{}\" }}", path.display());
    let service = sound(&format!(
        "[catalogs.a]\ntype = \"rest\"\nuri = \"http://c\"\ntoken = {file}\nheader.X-Api-Key = {file}\n\
         storage = {{ \"s3.access-key-id\" = \"id\", \"s3.secret-access-key\" = {file}, s3.session-token = {file} }}\n\
         [catalogs.b]\ntype = \"sql\"\nuri = \"postgres://me:hunter2@db/lake\"\n\
         [catalogs.c]\ntype = \"rest\"\nuri = \"http://c\"\ncredential = \"me:hunter2\"\n"
    ));
    let rest = catalog(&service, "a");
    assert!(matches!(&rest.config, CatalogConfig::Rest(rest) if rest.headers[0].1 == Secret::new("hunter2")));
    assert_eq!(rest.store.session_token, Some(Secret::new("hunter2")));
    assert!(!format!("{:?}", service.catalogs).contains("hunter2"));
    let warnings = problems(&service.warnings, "warning", Palette::PLAIN, 100);
    assert!(!warnings.contains("hunter2"), "{warnings}");
    insta::assert_snapshot!(warnings, @r#"
    warning: `uri` holds a password for everyone to read
     --> etc/validator.toml:9:7
      |
    9 | uri = "postgres://**********@db/lake"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: write `password = "${PGPASSWORD}"` in [catalogs.b] and export it

    warning: `credential` stands in the file for everyone to read
      --> etc/validator.toml:13:14
       |
    13 | credential = "***"
       |              ^^^^^
       = hint: write "${CREDENTIAL}" and export it, or { file = "…" }
    "#);
}

#[test]
fn what_is_wrong_with_a_catalog_is_told_at_its_place() {
    let text = r#"
[catalogs.rest]
type = "rest"
uri = "localhost:8181"
token = "${REGISTRY_TOKEN}"
credential = "me:"
credentail = "me:x"
ca = "no/such.pem"
timeout = "0s"
"header.X Y" = "a"
[catalogs.files]
type = "filesystem"
[catalogs.pg]
type = "sql"
uri = "postgres://db:port/catalog"
[catalogs.lite]
type = "sql"
uri = "sqlite:///c.db"
password = "${REGISTRY_TOKEN}"
[catalogs.typo]
type = "fliesystem"
[catalogs.none]
uri = "sqlite:///c.db"
[catalogs.s3]
type = "metadata"
location = "s3://lake/v1.metadata.json"
[catalogs.s3.storage]
"s3.endpiont" = "http://localhost:9000"
"s3.endpoint" = "localhost:9000"
"s3.path-style-access" = "yes"
"s3.connect-timeout" = 0
"s3.access-key-id" = "id"
"gcs.project" = "x"
"s3.ca" = "no/such.pem"
[catalogs.bare]
type = "sql"
uri = "/var/catalog.db"
[catalogs.open]
type = "rest"
uri = "http://me:pw@host"
scope = "all"
[catalogs.empty]
type = "metadata"
"#;
    insta::assert_snapshot!(seen(service(text)), @r#"
    22 problems in etc/validator.toml

    error: `uri` starts with http:// or https:// and names a host
     --> etc/validator.toml:4:7
      |
    4 | uri = "localhost:8181"
      |       ^^^^^^^^^^^^^^^^
      = hint: write `uri = "http://localhost:8181"`

    error: give `token` or `credential`, not both
     --> etc/validator.toml:5:9
      |
    5 | token = "${REGISTRY_TOKEN}"
      |         ^^^^^^^^^^^^^^^^^^^
      = hint: take `token` out

    error: unknown key `credentail` in [catalogs.rest]
     --> etc/validator.toml:7:1
      |
    7 | credentail = "***"
      | ^^^^^^^^^^
      = hint: did you mean `credential`?

    error: the file of `ca` cannot be read: No such file or directory (os error 2)
     --> etc/validator.toml:8:6
      |
    8 | ca = "no/such.pem"
      |      ^^^^^^^^^^^^^
      = hint: write `ca = "/etc/ssl/lake.pem"`

    error: `timeout` is above 0
     --> etc/validator.toml:9:11
      |
    9 | timeout = "0s"
      |           ^^^^
      = hint: write `timeout = "30s"`

    error: `X Y` is no name of a header
      --> etc/validator.toml:10:1
       |
    10 | "header.X Y" = "a"
       | ^^^^^^^^^^^^
       = hint: write `X-Tenant = "market"`

    error: [catalogs.files] has no `warehouse`
      --> etc/validator.toml:11:11
       |
    11 | [catalogs.files]
       |           ^^^^^
       = hint: write `warehouse = "s3://bucket/warehouse"` in [catalogs.files]

    error: `uri` is not one of PostgreSQL: error with configuration: invalid port number
      --> etc/validator.toml:15:7
       |
    15 | uri = "postgres://db:port/catalog"
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = hint: write `postgres://user@host:5432/database`

    error: `password` is for PostgreSQL
      --> etc/validator.toml:19:1
       |
    19 | password = "${REGISTRY_TOKEN}"
       | ^^^^^^^^
       = hint: take `password` out

    error: `type` is one of `rest`, `sql`, `filesystem` or `metadata`, not "fliesystem"
      --> etc/validator.toml:21:8
       |
    21 | type = "fliesystem"
       |        ^^^^^^^^^^^^
       = hint: did you mean "filesystem"?

    error: [catalogs.none] has no `type`
      --> etc/validator.toml:22:11
       |
    22 | [catalogs.none]
       |           ^^^^
       = hint: write `type = "sql"` in [catalogs.none]

    error: a key is `s3.access-key-id` and `s3.secret-access-key`, both
      --> etc/validator.toml:27:14
       |
    27 | [catalogs.s3.storage]
       |              ^^^^^^^
       = hint: write the one that is not there, or take the other out

    error: unknown property `s3.endpiont` in [catalogs.s3.storage]
      --> etc/validator.toml:28:1
       |
    28 | "s3.endpiont" = "http://localhost:9000"
       | ^^^^^^^^^^^^^
       = hint: did you mean `s3.endpoint`?

    error: `s3.endpoint` is http:// or https:// and a host
      --> etc/validator.toml:29:17
       |
    29 | "s3.endpoint" = "localhost:9000"
       |                 ^^^^^^^^^^^^^^^^
       = hint: write `s3.endpoint = "http://localhost:9000"`

    error: `s3.path-style-access` is "true" or "false"
      --> etc/validator.toml:30:26
       |
    30 | "s3.path-style-access" = "yes"
       |                          ^^^^^
       = hint: write `s3.path-style-access = true`

    error: `s3.connect-timeout` is seconds above 0, like "5", "2.5" or "500ms"
      --> etc/validator.toml:31:24
       |
    31 | "s3.connect-timeout" = 0
       |                        ^
       = hint: write `s3.connect-timeout = "5"`

    error: unknown property `gcs.project` in [catalogs.s3.storage]
      --> etc/validator.toml:33:1
       |
    33 | "gcs.project" = "x"
       | ^^^^^^^^^^^^^
       = hint: known here: `s3.endpoint`, `s3.region`, `client.region`, `s3.access-key-id`,
               `s3.secret-access-key`, `s3.session-token`, `s3.session-token-expires-at-ms`,
               `s3.path-style-access`, `s3.allow-anonymous`, `s3.connect-timeout`, `s3.request-timeout`
               and `s3.ca`

    error: the file of `s3.ca` cannot be read: No such file or directory (os error 2)
      --> etc/validator.toml:34:11
       |
    34 | "s3.ca" = "no/such.pem"
       |           ^^^^^^^^^^^^^
       = hint: write `s3.ca = "/etc/ssl/store.pem"`

    error: `uri` of a SQL catalog starts with sqlite:/// or postgres://
      --> etc/validator.toml:37:7
       |
    37 | uri = "/var/catalog.db"
       |       ^^^^^^^^^^^^^^^^^
       = hint: write `uri = "sqlite:///path/to/catalog.db"`

    error: `uri` holds a user or password
      --> etc/validator.toml:40:7
       |
    40 | uri = "http://*****@host"
       |       ^^^^^^^^^^^^^^^^^^^
       = hint: write them as `credential` or `token`

    error: `scope` wants a `credential`
      --> etc/validator.toml:41:9
       |
    41 | scope = "all"
       |         ^^^^^
       = hint: write `credential = "${CATALOG_CREDENTIAL}"` beside it

    error: [catalogs.empty] has no `location`
      --> etc/validator.toml:42:11
       |
    42 | [catalogs.empty]
       |           ^^^^^
       = hint: write `location = "/path/to/v1.metadata.json"` in [catalogs.empty]
    "#);
}

#[test]
fn secrets_come_from_variables_and_files() {
    let text = r#"
[service]
digest_key = "abc"
[schema_registry]
url = "https://me:pw@registry.example/path"
password = { file = "no/such/file" }
token = "${NO_SUCH_VARIABLE}"
user = "${"
"#;
    insta::assert_snapshot!(seen(service(text)), @r#"
    5 problems in etc/validator.toml

    error: `digest_key` is 64 hexadecimal digits (32 bytes)
     --> etc/validator.toml:3:14
      |
    3 | digest_key = "***"
      |              ^^^^^
      = hint: make one with `openssl rand -hex 32`; leave it out for digests that anyone can recompute

    error: `url` holds a user or password
     --> etc/validator.toml:5:7
      |
    5 | url = "https://*****@registry.example/path"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: write them as `user` and `password`

    error: the file of `password` cannot be read: No such file or directory (os error 2)
     --> etc/validator.toml:6:21
      |
    6 | password = "***"
      |            ^^^^^
      = hint: `validator schema config` says what each key may be

    error: the environment variable `NO_SUCH_VARIABLE` is not set
     --> etc/validator.toml:7:9
      |
    7 | token = "${NO_SUCH_VARIABLE}"
      |         ^^^^^^^^^^^^^^^^^^^^^
      = hint: export NO_SUCH_VARIABLE=… before the run

    error: `${` wants the name of an environment variable and `}`
     --> etc/validator.toml:8:8
      |
    8 | user = "${"
      |        ^^^^
      = hint: write `$${` for the text `${` itself
    "#);
}

#[test]
fn what_is_not_toml_is_shown_where_it_is() {
    let text = "[service]\nmemory = \"2GiB\nx = 1\n[service]\ny ==\n";
    insta::assert_snapshot!(seen(service(text)), @r#"
    3 problems in etc/validator.toml

    error: not TOML: invalid basic string, expected `"`
     --> etc/validator.toml:2:15
      |
    2 | memory = "2GiB
      |               ^
      = hint: a line is `[section]` or `key = value`, and text stands in quotes

    error: not TOML: duplicate key
     --> etc/validator.toml:4:2
      |
    4 | [service]
      |  ^^^^^^^
      = hint: a line is `[section]` or `key = value`, and text stands in quotes

    error: not TOML: extra `=`, expected nothing
     --> etc/validator.toml:5:4
      |
    5 | y ==
      |    ^
      = hint: a line is `[section]` or `key = value`, and text stands in quotes
    "#);
}

#[test]
fn a_secret_file_is_read_without_its_newline() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("pw");
    std::fs::write(&path, "hunter2\n").expect("the folder is ours");
    let text = format!(
        "[schema_registry]\nurl = \"http://r\"\nuser = \"me\"\npassword = {{ file = \"{}\" }}\n",
        path.display()
    );
    let service = sound(&text);
    let registry = service.schema_registry.expect("there is a [schema_registry]");
    assert_eq!(registry.password.expect("there is a password").expose(), "hunter2");
    assert!(service.warnings.is_empty());
}

#[test]
fn what_is_over_is_kept_for_a_time_that_lets_people_look() {
    assert_eq!(sound("[service]\npoll = \"2s\"\n").keep_ms, None);
    assert_eq!(sound("[service]\nkeep = \"90d\"\n").keep_ms, Some(90 * 86_400_000));
    let refused = seen(service("[service]\nkeep = \"5m\"\n"));
    assert!(refused.contains("what is over could not be looked at any more"), "{refused}");
    assert!(refused.contains("write `keep = \"1h\"` or more"), "{refused}");
}

#[test]
fn a_fleet_has_a_ledger_that_processes_can_share() {
    assert!(!sound("[service]\npoll = \"2s\"\n").fleet);
    let state = "state = \"postgres://validator@db/validator\"\n";
    assert!(sound(&format!("[service]\nfleet = true\n{state}")).fleet);
    for state in ["", "state = \"sqlite://ledger.db\"\n"] {
        let refused = seen(service(&format!("[service]\nfleet = true\n{state}")));
        assert!(
            refused.contains("a fleet shares its ledger, and a file of SQLite is written by one process"),
            "{refused}"
        );
    }
}
