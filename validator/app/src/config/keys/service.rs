//! The keys of `validator.toml`.

use super::alerts::{ALERT, CHANNEL};
use super::{Free, Key, Kind, Table};
use crate::config::catalog::KINDS;

/// `validator.toml`.
pub static SERVICE_FILE: Table = Table {
    path: "",
    says: "Brokers, registry, catalogs, and what the validator itself needs. Paths start at the file's folder. `${NAME}` \
           in any text is filled in from the environment; `$${NAME}` is that text itself.",
    selector: "",
    either: &[],
    keys: &[
        Key::table("service", &SERVICE),
        Key::table("kafka", &KAFKA),
        Key::table("schema_registry", &SCHEMA_REGISTRY),
        Key::new(
            "catalogs",
            Kind::Tables(&CATALOG),
            "",
            "Where tables are looked up, by the name that tables begin with.",
        ),
        Key::new("channels", Kind::Tables(&CHANNEL), "", "Who is told of alerts, by the name that alerts call them."),
        Key::listed("alerts", &ALERT),
    ],
    free: None,
};

static SERVICE: Table = Table {
    path: "service",
    says: "What the validator itself needs.",
    selector: "",
    either: &[],
    keys: &[
        Key::new("temp", Kind::Text, "\"/var/tmp\"", "The folder to spill into.").or("the system's"),
        Key::new("memory", Kind::Size, "\"2GiB\"", "How much memory a run may take before it spills."),
        Key::new(
            "digest_key",
            Kind::Secret,
            "\"${DIGEST_KEY}\"",
            "The key of row digests, 64 hexadecimal digits, for digests that nobody else can recompute.",
        )
        .or("the public constant of canonical/1"),
        Key::new(
            "state",
            Kind::Text,
            "\"sqlite://state/ledger.db\"",
            "Where `run` keeps its ledger: a file of SQLite, or `postgres://user:password@host/database`.",
        )
        .or("`state/ledger.db` beside the file"),
        Key::new(
            "fleet",
            Kind::Flag,
            "false",
            "Whether several processes run these pipelines together, over one ledger in PostgreSQL: they share the partitions and \
             the files, and one of them judges.",
        )
        .or("false"),
        Key::new("poll", Kind::Duration, "\"2s\"", "How often `run` looks at a table.").or("\"2s\""),
        Key::new(
            "keep",
            Kind::Duration,
            "\"90d\"",
            "For how long the ledger keeps what is over: resolved findings, links of the chain, sent messages, bags of files \
             that are gone. What is true, and the books, stay.",
        )
        .or("90 days for findings, 7 for the rest"),
        Key::new(
            "listen",
            Kind::Text,
            "\"127.0.0.1:9464\"",
            "The address and port where `run` serves `/metrics`, `/healthz`, `/readyz` and `/api/v1`. There is no password: \
             keep it on this machine, or put a proxy before it.",
        )
        .or("nothing is served"),
        Key::new("pipelines", Kind::Texts, "[\"rules/suites/*.toml\"]", "Globs of pipeline files."),
    ],
    free: None,
};

static KAFKA: Table = Table {
    path: "kafka",
    says: "The brokers.",
    selector: "",
    either: &[],
    keys: &[
        Key::new("brokers", Kind::Text, "\"localhost:9092\"", "`host:port`, several with commas.").always(),
        Key::table("properties", &PROPERTIES),
    ],
    free: None,
};

static PROPERTIES: Table = Table {
    path: "kafka.properties",
    says: "Handed to librdkafka as they are.",
    selector: "",
    either: &[],
    keys: &[],
    free: Some(Free { name: "PROPERTY", kind: Kind::Property, example: "\"security.protocol\" = \"SASL_SSL\"" }),
};

static SCHEMA_REGISTRY: Table = Table {
    path: "schema_registry",
    says: "The schema registry of Avro payloads and keys.",
    selector: "",
    either: &[],
    keys: &[
        Key::new("url", Kind::Text, "\"http://localhost:8081\"", "Its URL; a path in it is kept.").always(),
        Key::new("user", Kind::Text, "\"validator\"", "For basic authentication."),
        Key::new("password", Kind::Secret, "\"${REGISTRY_PASSWORD}\"", "For basic authentication.").with("user"),
        Key::new("token", Kind::Secret, "\"${REGISTRY_TOKEN}\"", "A bearer token, in place of user and password."),
    ],
    free: None,
};

static CATALOG: Table = Table {
    path: "catalogs.NAME",
    says: "Where the tables are whose names begin with NAME.",
    selector: "type",
    either: &[],
    keys: &[
        Key::new(
            "type",
            Kind::Words(|| KINDS.map(|(word, _)| word).to_vec()),
            "\"rest\"",
            "`rest`: Iceberg's REST protocol. `sql`: the tables of PyIceberg and Iceberg's JDBC catalog. `filesystem`: \
             folders with `version-hint.text`. `metadata`: one metadata file.",
        )
        .always(),
        Key::new(
            "uri",
            Kind::Text,
            "\"http://localhost:8181\"",
            "Type `rest`: the server. Type `sql`: `sqlite:///path` or `postgres://user@host:5432/database`.",
        )
        .only(&["rest", "sql"])
        .always_for(&["rest", "sql"]),
        Key::new("catalog_name", Kind::Text, "\"lake\"", "The name in the tables of the SQL catalog.")
            .or("NAME")
            .only(&["sql"]),
        Key::new(
            "warehouse",
            Kind::Text,
            "\"s3://bucket/warehouse\"",
            "Type `filesystem`: the folder of the tables. Type `rest`: the warehouse to ask for. Type `sql`: accepted, \
             and not needed.",
        )
        .only(&["rest", "sql", "filesystem"])
        .always_for(&["filesystem"]),
        Key::new("location", Kind::Text, "\"s3://bucket/t/metadata/v3.metadata.json\"", "The metadata file.")
            .only(&["metadata"])
            .always_for(&["metadata"]),
        Key::new("password", Kind::Secret, "\"${PGPASSWORD}\"", "Of the PostgreSQL user.").only(&["sql"]),
        Key::new("prefix", Kind::Text, "\"main\"", "The prefix of the server's paths, where its answer names none.")
            .only(&["rest"]),
        Key::new("credential", Kind::Secret, "\"${CATALOG_CREDENTIAL}\"", "`id:secret`, exchanged for a token.")
            .only(&["rest"]),
        Key::new("token", Kind::Secret, "\"${CATALOG_TOKEN}\"", "A bearer token, in place of a credential.")
            .only(&["rest"]),
        Key::new(
            "oauth2-server-uri",
            Kind::Text,
            "\"https://login.example.com/token\"",
            "Who exchanges the credential.",
        )
        .or("the catalog itself")
        .only(&["rest"])
        .with("credential"),
        Key::new("scope", Kind::Text, "\"catalog\"", "Sent with the credential.").only(&["rest"]).with("credential"),
        Key::new("audience", Kind::Text, "\"lake\"", "Sent with the credential.").only(&["rest"]).with("credential"),
        Key::new("resource", Kind::Text, "\"lake\"", "Sent with the credential.").only(&["rest"]).with("credential"),
        Key::table("header", &HEADERS).only(&["rest"]),
        Key::new("ca", Kind::Text, "\"/etc/ssl/lake.pem\"", "A file with the certificates that are trusted, PEM.")
            .only(&["rest"]),
        Key::new(
            "timeout",
            Kind::Duration,
            "\"30s\"",
            "How long one answer may take; of PostgreSQL and REST catalogs.",
        )
        .only(&["rest", "sql"]),
        Key::table("storage", &STORAGE),
    ],
    free: None,
};

static HEADERS: Table = Table {
    path: "catalogs.NAME.header",
    says: "Headers sent with every request; `header.NAME` in one word is the same.",
    selector: "",
    either: &[],
    keys: &[],
    free: Some(Free { name: "HEADER", kind: Kind::Secret, example: "X-Tenant = \"market\"" }),
};

static STORAGE: Table = Table {
    path: "catalogs.NAME.storage",
    says: "How an S3-compatible store is reached, under the names that Iceberg's other clients use. Local files need none.",
    selector: "",
    either: &[],
    keys: &[
        Key::new("s3.endpoint", Kind::Property, "\"http://localhost:9000\"", "The store's URL.").or("AWS's"),
        Key::new("s3.region", Kind::Property, "\"eu-central-1\"", "The region."),
        Key::new("client.region", Kind::Property, "\"eu-central-1\"", "The same; `s3.region` goes before it."),
        Key::new("s3.access-key-id", Kind::Property, "\"${AWS_ACCESS_KEY_ID}\"", "The key."),
        Key::new("s3.secret-access-key", Kind::Secret, "\"${AWS_SECRET_ACCESS_KEY}\"", "The key's secret."),
        Key::new("s3.session-token", Kind::Secret, "\"${AWS_SESSION_TOKEN}\"", "The token of a key that is lent."),
        Key::new(
            "s3.session-token-expires-at-ms",
            Kind::Property,
            "\"1723075200000\"",
            "When that token ends, milliseconds since the epoch.",
        ),
        Key::new(
            "s3.path-style-access",
            Kind::Property,
            "true",
            "Whether the bucket stands in the path, not in the host's name.",
        ),
        Key::new("s3.allow-anonymous", Kind::Property, "true", "Whether requests are not signed at all."),
        Key::new("s3.connect-timeout", Kind::Property, "\"5\"", "How long connecting may take; seconds, or `500ms`."),
        Key::new("s3.request-timeout", Kind::Property, "\"30\"", "How long one request may take; seconds, or `500ms`."),
        Key::new(
            "s3.ca",
            Kind::Property,
            "\"/etc/ssl/store.pem\"",
            "A file with the certificates that are trusted, PEM.",
        ),
    ],
    free: None,
};
