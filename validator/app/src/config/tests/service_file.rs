//! `validator.toml`, sound and not.

use super::super::{Catalog, Service};
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
    let lake =
        Catalog::Sql { uri: "sqlite:///var/lake/catalog.db".into(), catalog_name: "lake".into(), warehouse: None };
    let near = Catalog::Sql {
        uri: "sqlite://etc/catalog.db".into(),
        catalog_name: "prod".into(),
        warehouse: Some("file:///var/lake".into()),
    };
    let one = Catalog::Metadata { location: "etc/tables/v1.metadata.json".into() };
    assert_eq!(service.catalogs.values().collect::<Vec<_>>(), [&lake, &near, &one]);
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
listen = "127.0.0.1:8080"
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
    11 problems in etc/validator.toml

    error: `memory` is a size with a unit, like "512MiB" or "2GiB", not "2 gigs"
     --> etc/validator.toml:3:10
      |
    3 | memory = "2 gigs"
      |          ^^^^^^^^

    error: `pipelines` is a list of strings, not a string
     --> etc/validator.toml:4:13
      |
    4 | pipelines = "rules/*.toml"
      |             ^^^^^^^^^^^^^^

    error: `listen` in [service] is not built yet
     --> etc/validator.toml:5:1
      |
    5 | listen = "127.0.0.1:8080"
      | ^^^^^^
      = hint: take it out for now

    error: `state` in [service] is not built yet
     --> etc/validator.toml:6:1
      |
    6 | state = "sqlite://state/ledger.db"
      | ^^^^^
      = hint: take it out for now

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

    error: `client.id` is a string, not a list
      --> etc/validator.toml:10:59
       |
    10 | properties = { "bootstrap.servers" = "x:1", "client.id" = ["a"] }
       |                                                           ^^^^^

    error: `url` starts with http:// or https:// and names a host
      --> etc/validator.toml:13:7
       |
    13 | url = "localhost:8081"
       |       ^^^^^^^^^^^^^^^^

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

#[test]
fn catalogs_of_later_releases_are_refused_by_name() {
    let text = r#"
[catalogs.rest]
type = "rest"
uri = "http://localhost:8181"
[catalogs.files]
type = "filesystem"
warehouse = "/lake"
[catalogs.pg]
type = "sql"
uri = "postgres://db/catalog"
[catalogs.typo]
type = "sqll"
[catalogs.none]
uri = "sqlite:///c.db"
[catalogs.s3]
type = "metadata"
location = "s3://lake/v1.metadata.json"
storage = { "s3.endpoint" = "http://localhost:9000" }
[catalogs.bare]
type = "sql"
uri = "/var/catalog.db"
[catalogs.empty]
type = "metadata"
"#;
    insta::assert_snapshot!(seen(service(text)), @r#"
    8 problems in etc/validator.toml

    error: `type = "rest"` is not built yet
     --> etc/validator.toml:3:8
      |
    3 | type = "rest"
      |        ^^^^^^

    error: `type = "filesystem"` is not built yet
     --> etc/validator.toml:6:8
      |
    6 | type = "filesystem"
      |        ^^^^^^^^^^^^

    error: a SQL catalog on PostgreSQL is not built yet
      --> etc/validator.toml:10:7
       |
    10 | uri = "postgres://db/catalog"
       |       ^^^^^^^^^^^^^^^^^^^^^^^

    error: `type` is one of `sql` or `metadata`, not "sqll"
      --> etc/validator.toml:12:8
       |
    12 | type = "sqll"
       |        ^^^^^^
       = hint: did you mean "sql"?

    error: [catalogs.none] has no `type`
      --> etc/validator.toml:13:11
       |
    13 | [catalogs.none]
       |           ^^^^
       = hint: write `type = "sql"` in [catalogs.none]

    error: `storage` in [catalogs.s3] is not built yet
      --> etc/validator.toml:18:1
       |
    18 | storage = { "s3.endpoint" = "http://localhost:9000" }
       | ^^^^^^^
       = hint: take it out for now

    error: `uri` of a SQL catalog starts with sqlite:///
      --> etc/validator.toml:21:7
       |
    21 | uri = "/var/catalog.db"
       |       ^^^^^^^^^^^^^^^^^

    error: [catalogs.empty] has no `location`
      --> etc/validator.toml:22:11
       |
    22 | [catalogs.empty]
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

    error: not TOML: duplicate key
     --> etc/validator.toml:4:2
      |
    4 | [service]
      |  ^^^^^^^

    error: not TOML: extra `=`, expected nothing
     --> etc/validator.toml:5:4
      |
    5 | y ==
      |    ^
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
