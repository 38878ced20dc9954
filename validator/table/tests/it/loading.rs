//! From a catalog to metadata: SQLite catalogs of every age, metadata files of every shape, and what people see when
//! something is missing or broken.

use std::io::Write;

use iceberg::spec::{NestedField, PrimitiveType, Type};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tempfile::TempDir;
use validator_core::error_chain::error_chain;
use validator_table::{CatalogConfig, CatalogError, SnapshotSelector, Table, TableError, TableName, load};

use crate::lake::{FIRST_COMMIT_MS, Lake, column, load_at};

const V0: &str = "CREATE TABLE iceberg_tables (catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, \
    table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), \
    PRIMARY KEY (catalog_name, table_namespace, table_name))";
const V1_COLUMN: &str = "ALTER TABLE iceberg_tables ADD COLUMN iceberg_type VARCHAR(5)";

struct Catalog {
    dir: TempDir,
}

impl Catalog {
    /// A catalog database made by these statements.
    async fn new(statements: &[String]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalog.db");
        let mut connection =
            SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap();
        for statement in statements {
            connection.execute(statement.as_str()).await.unwrap();
        }
        connection.close().await.unwrap();
        Self { dir }
    }

    fn config(&self) -> CatalogConfig {
        let uri = format!("sqlite://{}", self.dir.path().join("catalog.db").display());
        CatalogConfig::Sql { uri, catalog_name: "lake".to_owned() }
    }

    async fn load(&self, name: &str) -> Result<Table, TableError> {
        load(&self.config(), &TableName::parse(name).unwrap()).await
    }
}

fn row(table: &str, location: &str) -> String {
    format!(
        "INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location) \
         VALUES ('lake', 'market.data', '{table}', '{location}')"
    )
}

#[tokio::test]
async fn a_table_is_found_in_catalogs_with_and_without_types() {
    let lake = Lake::new(vec![column(1, "a", "long")]);
    let location = lake.save();
    for statements in [
        vec![V0.to_owned(), row("trades", &location)],
        vec![V0.to_owned(), V1_COLUMN.to_owned(), row("trades", &location)],
        vec![
            V0.to_owned(),
            V1_COLUMN.to_owned(),
            row("trades", &location),
            "UPDATE iceberg_tables SET iceberg_type = 'TABLE'".to_owned(),
        ],
    ] {
        let catalog = Catalog::new(&statements).await;
        let table = catalog.load("lake.market.data.trades").await.unwrap();
        assert_eq!(table.metadata_location(), location);
        assert_eq!(table.uuid(), "9c12d441-03fe-4693-9a96-a0705ddf69c1");
    }
}

#[tokio::test]
async fn a_view_is_no_table() {
    let statements = [
        V0.to_owned(),
        V1_COLUMN.to_owned(),
        row("trades", "/x"),
        "UPDATE iceberg_tables SET iceberg_type = 'VIEW'".to_owned(),
    ];
    let error = Catalog::new(&statements).await.load("lake.market.data.trades").await.unwrap_err();
    assert_eq!(error_chain(&error), "catalog lookup failed: table not found: lake.market.data.trades");
}

#[tokio::test]
async fn a_missing_table_is_told_with_the_nearest_names() {
    let statements = [V0.to_owned(), row("trades_v2", "/x"), row("trades_v1", "/x"), row("quotes", "/x")];
    let catalog = Catalog::new(&statements).await;
    let error = catalog.load("lake.market.data.trade_v2").await.unwrap_err();
    assert_eq!(
        error_chain(&error),
        "catalog lookup failed: table not found: lake.market.data.trade_v2; \
         did you mean lake.market.data.trades_v2 or lake.market.data.trades_v1?"
    );
}

#[tokio::test]
async fn a_missing_database_is_an_error_and_is_not_created() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.db");
    let uri = format!("sqlite://{}", path.display());
    let config = CatalogConfig::Sql { uri, catalog_name: "lake".to_owned() };
    let error = load(&config, &TableName::parse("lake.md.t").unwrap()).await.unwrap_err();
    assert!(matches!(error, TableError::Catalog(CatalogError::NoDatabase { .. })), "{error:?}");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_database_without_a_catalog_or_that_is_none_is_an_error() {
    let catalog = Catalog::new(&["CREATE TABLE t (a)".to_owned()]).await;
    let error = catalog.load("lake.md.t").await.unwrap_err();
    assert!(matches!(error, TableError::Catalog(CatalogError::NoCatalog { .. })), "{error:?}");
    std::fs::write(catalog.dir.path().join("catalog.db"), "this is no database, only text of some length").unwrap();
    let error = catalog.load("lake.md.t").await.unwrap_err();
    assert!(matches!(error, TableError::Catalog(CatalogError::Query { .. })), "{error:?}");
}

#[tokio::test]
async fn reading_a_catalog_writes_nothing() {
    for mode in ["PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = WAL"] {
        let lake = Lake::new(vec![column(1, "a", "long")]);
        let catalog = Catalog::new(&[mode.to_owned(), V0.to_owned(), row("trades", &lake.save())]).await;
        let database = catalog.dir.path().join("catalog.db");
        let (before, written) = (std::fs::read(&database).unwrap(), database.metadata().unwrap().modified().unwrap());
        catalog.load("lake.market.data.trades").await.unwrap();
        catalog.load("lake.market.data.none").await.unwrap_err();
        assert_eq!(std::fs::read(&database).unwrap(), before);
        assert_eq!(database.metadata().unwrap().modified().unwrap(), written);
        assert_eq!(std::fs::read_dir(catalog.dir.path()).unwrap().count(), 1, "{mode}");
    }
}

#[tokio::test]
async fn a_catalog_that_a_writer_has_open_is_read_as_committed() {
    let lake = Lake::new(vec![column(1, "a", "long")]);
    let catalog = Catalog::new(&["PRAGMA journal_mode = WAL".to_owned(), V0.to_owned()]).await;
    let path = catalog.dir.path().join("catalog.db");
    let mut writer = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    writer.execute(row("trades", &lake.save()).as_str()).await.unwrap();
    writer.execute("BEGIN").await.unwrap();
    writer.execute("DELETE FROM iceberg_tables").await.unwrap();
    catalog.load("lake.market.data.trades").await.unwrap();
    writer.close().await.unwrap();
}

#[tokio::test]
async fn other_databases_are_refused_by_name() {
    for uri in ["postgres://u@h/db", "sqlite:catalog.db", "sqlite://relative.db", "/abs/catalog.db"] {
        let config = CatalogConfig::Sql { uri: uri.to_owned(), catalog_name: "lake".to_owned() };
        let error = load(&config, &TableName::parse("lake.md.t").unwrap()).await.unwrap_err();
        assert!(matches!(error, TableError::Catalog(CatalogError::UnsupportedUri { .. })), "{uri}");
    }
}

#[tokio::test]
async fn gzipped_metadata_is_read_under_any_name() {
    let lake = Lake::new(vec![column(1, "a", "long")]);
    let plain = std::fs::read(lake.save()).unwrap();
    for name in ["v1.gz.metadata.json", "v2.metadata.json"] {
        let path = lake.path(name);
        let mut gzip =
            flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        gzip.finish().unwrap();
        for location in
            [path.display().to_string(), format!("file:{}", path.display()), format!("file://{}", path.display())]
        {
            assert_eq!(load_at(&location).await.unwrap().metadata_location(), location);
        }
    }
}

#[tokio::test]
async fn missing_and_broken_metadata_says_where_and_why() {
    let lake = Lake::new(vec![column(1, "a", "long")]);
    let path = lake.save();
    let whole = std::fs::read(&path).unwrap();
    for (bytes, reason) in [
        (b"".to_vec(), "not JSON: EOF while parsing"),
        (whole[..whole.len() / 2].to_vec(), "not JSON: EOF while parsing"),
        (b"{}".to_vec(), "not Iceberg metadata: "),
        (vec![0x1F, 0x8B, 8, 0, 1, 2, 3], "not gzip: "),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let told = error_chain(&load_at(&path).await.unwrap_err());
        assert!(told.starts_with(&format!("table metadata broken: {path}: {reason}")), "{told}");
    }
    std::fs::remove_file(&path).unwrap();
    let told = error_chain(&load_at(&path).await.unwrap_err());
    assert!(told.starts_with(&format!("table metadata not readable: {path}: object not found")), "{told}");
}

#[tokio::test]
async fn format_versions_and_types_that_are_not_built_are_refused_by_name() {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    lake.metadata["format-version"] = json!(4);
    let error = lake.load().await.unwrap_err();
    assert_eq!(error.to_string(), "table needs what this version cannot do: Iceberg format version 4");
    for (ty, told) in [
        (json!("variant"), "column a has type variant"),
        (json!("geometry(srid:4326)"), "column a has type geometry(srid:4326)"),
        (json!({ "type": "struct", "fields": [column(2, "b", "unknown")] }), "column b has type unknown (in a)"),
        (
            json!({ "type": "list", "element-id": 2, "element-required": false, "element": "variant" }),
            "element has type variant (in a)",
        ),
    ] {
        let lake = Lake::with(vec![column(1, "a", ty)], json!([]), 3);
        let error = lake.load().await.unwrap_err();
        assert_eq!(error.to_string(), format!("table needs what this version cannot do: {told}"));
    }
}

#[tokio::test]
async fn every_type_of_a_schema_arrives_and_nested_fields_are_optional() {
    let types = [
        "boolean",
        "int",
        "long",
        "float",
        "double",
        "decimal(38, 10)",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "timestamp_ns",
        "timestamptz_ns",
        "string",
        "uuid",
        "fixed[7]",
        "binary",
    ];
    let mut columns: Vec<_> = (1..).zip(types).map(|(id, ty)| column(id, ty, ty)).collect();
    let mut inner = column(51, "inner", "long");
    inner["required"] = json!(true);
    let mut outer = column(50, "outer", json!({ "type": "struct", "fields": [inner] }));
    outer["required"] = json!(true);
    columns.push(outer);
    let lake = Lake::with(columns, json!([]), 3);
    let schema = lake.pin().await.unwrap().schema;
    assert_eq!(lake.load().await.unwrap().schema().unwrap(), schema);
    let shown: Vec<String> = schema.fields.iter().take(types.len()).map(|field| field.ty.to_string()).collect();
    assert_eq!(shown, types.map(|ty| ty.replace("fixed[7]", "fixed(7)")));
    let outer = schema.field("outer").unwrap();
    assert!(outer.required && !schema.field_at("outer.inner").unwrap().required);
}

#[tokio::test]
async fn a_table_without_a_snapshot_is_empty_and_fine() {
    let pinned = Lake::new(vec![column(1, "a", "long")]).pin().await.unwrap();
    assert_eq!((pinned.snapshot_id, pinned.commit_ms, pinned.files.len(), pinned.findings.len()), (None, None, 0, 0));
    assert!(pinned.ancestry.is_empty() && pinned.removed_rows().await.rows.is_empty());
}

/// Three commits (101, 102, 103), a branch and a tag; the third is after a rename of the column.
async fn history() -> Lake {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    for _ in 0..2 {
        lake.append(vec![]).await;
    }
    lake.evolve(vec![column(1, "renamed", "long")]);
    lake.append(vec![]).await;
    lake.metadata["refs"]["audit"] = json!({ "snapshot-id": 101, "type": "branch" });
    lake.metadata["refs"]["eod"] = json!({ "snapshot-id": 102, "type": "tag" });
    lake
}

#[tokio::test]
async fn snapshots_are_selected_by_id_reference_and_time() {
    let lake = history().await;
    let table = lake.load().await.unwrap();
    for (selector, id, column) in [
        (SnapshotSelector::Current, 103, "renamed"),
        (SnapshotSelector::Id(102), 102, "a"),
        (SnapshotSelector::Ref("main".into()), 103, "renamed"),
        (SnapshotSelector::Ref("audit".into()), 101, "renamed"),
        (SnapshotSelector::Ref("eod".into()), 102, "a"),
        (SnapshotSelector::Time(FIRST_COMMIT_MS), 101, "a"),
        (SnapshotSelector::Time(FIRST_COMMIT_MS + 1_999), 102, "a"),
        (SnapshotSelector::Time(i64::MAX), 103, "renamed"),
    ] {
        let pinned = table.pin(&selector).await.unwrap();
        assert_eq!(pinned.snapshot_id, Some(id), "{selector:?}");
        assert_eq!(pinned.schema.fields[0].name, column, "{selector:?}");
        assert_eq!(pinned.ancestry.first().unwrap().id, id);
    }
    let pinned = table.pin(&SnapshotSelector::Current).await.unwrap();
    assert_eq!(pinned.ancestry.iter().map(|snapshot| snapshot.id).collect::<Vec<_>>(), [103, 102, 101]);
    assert_eq!(pinned.ancestry[1].parent, Some(101));
    assert_eq!((pinned.operation.as_deref(), pinned.commit_ms), (Some("append"), Some(FIRST_COMMIT_MS + 2_000)));
}

#[tokio::test]
async fn unknown_snapshots_are_told_with_what_there_is() {
    let table = history().await.load().await.unwrap();
    for (selector, told) in [
        (SnapshotSelector::Id(7), "snapshot 7 not found; the current snapshot is 103"),
        (SnapshotSelector::Ref("audti".into()), "branch or tag `audti` not found; did you mean audit?"),
        (
            SnapshotSelector::Time(FIRST_COMMIT_MS - 1),
            "no snapshot was current at 2023-11-14T22:13:19.999Z; the first known is of 2023-11-14T22:13:20.000Z",
        ),
    ] {
        let error = table.pin(&selector).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.is_usage()), (told, true));
    }
    let empty = Lake::new(vec![column(1, "a", "long")]).load().await.unwrap();
    let error = empty.pin(&SnapshotSelector::Time(0)).await.unwrap_err();
    assert_eq!(error.to_string(), "no snapshot was current at 1970-01-01T00:00:00.000Z; the table has no snapshot log");
    let error = empty.pin(&SnapshotSelector::Id(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "snapshot 1 not found; the table has no snapshot");
}

#[test]
fn defaults_the_iceberg_crate_writes_are_the_ones_we_look_for() {
    let field = NestedField::optional(1, "a", Type::Primitive(PrimitiveType::Long))
        .with_initial_default(iceberg::spec::Literal::long(7));
    let json = serde_json::to_value(&field).unwrap();
    assert_eq!(json["initial-default"], 7);
}
