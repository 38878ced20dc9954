//! Tables and their metadata: rows without the deleted ones, evolution, defaults, time travel, what is read and what not.

use fixtures_kit::schema::{Column, ColumnType, number};
use fixtures_kit::table::{Breakage, DeleteFile, DeleteKind, Operation};
use fixtures_kit::value::Value;
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

use super::{ask, rows, trades, written};
use crate::scene::{Folder, Scene};

/// The scene after a commit that takes row `b` away.
fn deleted() -> Scene {
    let mut scene = trades().commit(Operation::Delete, &[], &[]);
    scene.table.deletes.push(DeleteFile {
        path: "data/d1.puffin".to_owned(),
        kind: DeleteKind::Vector,
        rows: vec![(0, 1)],
        added_by: 3,
        removed_by: None,
        breakage: None,
    });
    scene
}

/// Changes the metadata that the catalog names.
fn edit_metadata(folder: &Folder, change: impl Fn(&mut Json)) {
    let path = folder.files_of_table(".metadata.json").pop().expect("a table has metadata");
    let mut metadata = serde_json::from_slice(&std::fs::read(&path).expect("it is there")).expect("it is JSON");
    change(&mut metadata);
    std::fs::write(path, metadata.to_string()).expect("the folder takes files");
}

#[test]
fn a_table_is_shown_as_the_query_sorts_it() {
    let query = "SELECT id, price, at FROM lake.market.trades ORDER BY id DESC NULLS LAST";
    assert_snapshot!(ask(&written(&trades()), "", query).all(), @"
    exit 0
    --- stdout
    id         price  at
    ────  ──────────  ───────────────────────────
    d     4.50000000  2024-08-08T12:00:00.000000Z
    c     3.00000000  2024-08-08T12:00:00.000000Z
    b     2.12500000  2024-08-08T12:00:00.000000Z
    a     1.00000000  2024-08-08T12:00:00.000000Z
    NULL        NULL  2024-08-08T12:00:00.000000Z
    5 rows
    ");
}

#[test]
fn deleted_rows_are_gone_and_an_earlier_snapshot_has_them() {
    let folder = written(&deleted());
    let ids = |flags: &str, table: &str| {
        rows(&folder, flags, &format!("SELECT string_agg(id, ' ' ORDER BY id) AS ids FROM {table}")).join("")
    };
    assert_eq!(ids("", "lake.market.trades"), r#"{"ids":"a c d"}"#);
    assert_eq!(ids("--table old=lake.market.trades@1003", "old"), r#"{"ids":"a b c d"}"#);
    assert_eq!(ids("--table old=lake.market.trades@1001", "old"), r#"{"ids":"a b c"}"#);
    assert_eq!(ids("--table now=lake.market.trades@main", "now"), r#"{"ids":"a c d"}"#);
    assert_eq!(ids("--table old=lake.market.trades@2024-08-08T13:00:01Z", "old"), r#"{"ids":"a b c d"}"#);
    let metadata = folder.files_of_table(".metadata.json").pop().expect("a table has metadata");
    assert_eq!(ids(&format!("--table m={}@1001", metadata.display()), "m"), r#"{"ids":"a b c"}"#);
    let joined =
        "SELECT o.id FROM old o LEFT JOIN lake.market.trades n ON o.id = n.id WHERE n.id IS NULL AND o.id <> ''";
    assert_eq!(rows(&folder, "--table old=lake.market.trades@1003", joined), [r#"{"id":"b"}"#]);
    let files = "SELECT content, record_count FROM lake.market.\"trades$files\" ORDER BY content, file_path";
    assert_snapshot!(rows(&folder, "", files).join("\n"), @r#"
    {"content":0,"record_count":3}
    {"content":0,"record_count":1}
    {"content":0,"record_count":1}
    {"content":1,"record_count":1}
    "#);
    let partitions = "SELECT * FROM lake.market.\"trades$partitions\"";
    let sums = format!("SELECT record_count, file_count, position_delete_record_count FROM ({partitions})");
    assert_snapshot!(rows(&folder, "", &sums).join("\n"), @r#"{"record_count":5,"file_count":3,"position_delete_record_count":1}"#);
    assert_eq!(
        rows(&folder, "--table old=lake.market.trades@1001", "SELECT count(*) AS n FROM \"old$files\""),
        [r#"{"n":1}"#]
    );
}

#[test]
fn renamed_promoted_and_added_columns_are_read_by_their_ids() {
    let folder = written(&deleted());
    edit_metadata(&folder, |metadata| {
        let fields = metadata["schemas"][0]["fields"].as_array_mut().expect("a schema has fields");
        fields.retain(|field| field["name"] != "at");
        for field in fields.iter_mut() {
            match field["name"].as_str() {
                Some("id") => field["name"] = json!("trade id"),
                Some("partition") => field["type"] = json!("long"),
                _ => {}
            }
        }
        fields.push(json!({
            "id": 99, "name": "venue", "required": false, "type": "string", "initial-default": "binance"
        }));
        metadata["last-column-id"] = json!(99);
    });
    let query = "SELECT * FROM lake.market.trades ORDER BY \"trade id\"";
    assert_snapshot!(rows(&folder, "", query).join("\n"), @r#"
    {"topic":"trades","partition":0,"offset":0,"trade id":"a","price":"1.00000000","venue":"binance"}
    {"topic":"trades","partition":0,"offset":2,"trade id":"c","price":"3.00000000","venue":"binance"}
    {"topic":"trades","partition":1,"offset":0,"trade id":"d","price":"4.50000000","venue":"binance"}
    {"topic":"trades","partition":1,"offset":1,"trade id":null,"price":null,"venue":"binance"}
    "#);
    assert_snapshot!(ask(&folder, "", "DESCRIBE lake.market.trades").all(), @"
    exit 0
    --- stdout
    column_name  data_type       is_nullable
    ───────────  ──────────────  ───────────
    topic        string          true
    partition    long            true
    offset       long            true
    trade id     string          true
    price        decimal(18, 8)  true
    venue        string          true
    6 rows
    ");
}

#[test]
fn virtual_columns_are_there_where_they_are_named() {
    let folder = written(&deleted());
    let query =
        "SELECT id, _pos, regexp_replace(_file, '.*/', '') AS file FROM lake.market.trades ORDER BY _file, _pos";
    assert_snapshot!(rows(&folder, "", query).join("\n"), @r#"
    {"id":"a","_pos":0,"file":"f1.parquet"}
    {"id":"c","_pos":2,"file":"f1.parquet"}
    {"id":"d","_pos":0,"file":"f2.parquet"}
    {"id":null,"_pos":0,"file":"f3.parquet"}
    "#);
    let star = rows(&folder, "", "SELECT *, _pos FROM lake.market.trades WHERE id = 'c'");
    assert_eq!(star.len(), 1);
    assert!(star[0].ends_with(r#""_pos":2}"#) && !star[0].contains("_file"), "{star:?}");
}

#[test]
fn metadata_tables_tell_what_the_metadata_says() {
    let folder = written(&deleted());
    let all =
        |table: &str| ask(&folder, "--format csv", &format!("SELECT * FROM lake.market.\"trades${table}\"")).all();
    assert_snapshot!(all("snapshots"), @r#"
    exit 0
    --- stdout
    committed_at,snapshot_id,parent_id,operation,manifest_list,summary
    2024-08-08T13:00:00.000000Z,1001,,append,file://DIR/warehouse/market/trades/metadata/snap-1001.avro,"{""added-data-files"":""1"",""added-records"":""3""}"
    2024-08-08T13:00:01.000000Z,1002,1001,append,file://DIR/warehouse/market/trades/metadata/snap-1002.avro,"{""added-data-files"":""1"",""added-records"":""1""}"
    2024-08-08T13:00:02.000000Z,1003,1002,append,file://DIR/warehouse/market/trades/metadata/snap-1003.avro,"{""added-data-files"":""1"",""added-records"":""1""}"
    2024-08-08T13:00:03.000000Z,1004,1003,delete,file://DIR/warehouse/market/trades/metadata/snap-1004.avro,"{""added-delete-files"":""1"",""added-position-deletes"":""1""}"
    "#);
    assert_snapshot!(all("history"), @"
    exit 0
    --- stdout
    made_current_at,snapshot_id,parent_id,is_current_ancestor
    2024-08-08T13:00:00.000000Z,1001,,true
    2024-08-08T13:00:01.000000Z,1002,1001,true
    2024-08-08T13:00:02.000000Z,1003,1002,true
    2024-08-08T13:00:03.000000Z,1004,1003,true
    ");
    assert_snapshot!(all("refs"), @"
    exit 0
    --- stdout
    name,type,snapshot_id,max_reference_age_in_ms,min_snapshots_to_keep,max_snapshot_age_in_ms
    main,BRANCH,1004,,,
    ");
    let columns = rows(&folder, "", "DESCRIBE lake.market.\"trades$files\"").join("\n");
    assert_snapshot!(columns, @r#"
    {"column_name":"content","data_type":"int","is_nullable":true}
    {"column_name":"file_path","data_type":"string","is_nullable":true}
    {"column_name":"file_format","data_type":"string","is_nullable":true}
    {"column_name":"spec_id","data_type":"int","is_nullable":true}
    {"column_name":"record_count","data_type":"long","is_nullable":true}
    {"column_name":"file_size_in_bytes","data_type":"long","is_nullable":true}
    {"column_name":"column_sizes","data_type":"map<int, long>","is_nullable":true}
    {"column_name":"value_counts","data_type":"map<int, long>","is_nullable":true}
    {"column_name":"null_value_counts","data_type":"map<int, long>","is_nullable":true}
    {"column_name":"nan_value_counts","data_type":"map<int, long>","is_nullable":true}
    {"column_name":"lower_bounds","data_type":"map<int, binary>","is_nullable":true}
    {"column_name":"upper_bounds","data_type":"map<int, binary>","is_nullable":true}
    {"column_name":"key_metadata","data_type":"binary","is_nullable":true}
    {"column_name":"split_offsets","data_type":"list<long>","is_nullable":true}
    {"column_name":"equality_ids","data_type":"list<int>","is_nullable":true}
    {"column_name":"sort_order_id","data_type":"int","is_nullable":true}
    "#);
}

#[test]
fn partitions_of_a_partitioned_table() {
    let mut scene = trades();
    let field = fixtures_kit::table::PartitionField { column: 3, transform: fixtures_kit::table::Transform::Identity };
    scene.table.partitioning.push(field);
    for (file, id) in scene.table.files.iter_mut().zip(["a", "d", "-"]) {
        file.rows.truncate(1);
        file.partition = vec![if id == "-" { Value::Null } else { Value::text(id) }];
    }
    let folder = written(&scene);
    let query = "SELECT partition, spec_id, record_count, file_count, last_updated_snapshot_id \
                 FROM lake.market.\"trades$partitions\" ORDER BY last_updated_snapshot_id";
    assert_snapshot!(rows(&folder, "", query).join("\n"), @r#"
    {"partition":{"id":"a"},"spec_id":0,"record_count":1,"file_count":1,"last_updated_snapshot_id":1001}
    {"partition":{"id":"d"},"spec_id":0,"record_count":1,"file_count":1,"last_updated_snapshot_id":1002}
    {"partition":{"id":null},"spec_id":0,"record_count":1,"file_count":1,"last_updated_snapshot_id":1003}
    "#);
}

#[test]
fn a_limit_opens_no_file_that_it_does_not_need() {
    let mut scene = Scene::offset();
    for file in 0..20 {
        scene = scene.file(&format!("0@{file} a 1"));
    }
    let folder = written(&scene);
    let opened = |query: &str| {
        let text = ask(&folder, "", &format!("EXPLAIN ANALYZE {query}")).stdout;
        let counts = text.split("files_opened=").skip(1).map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u64>().expect("a count")
        });
        counts.sum::<u64>()
    };
    assert_eq!(opened("SELECT * FROM lake.market.trades LIMIT 3"), 3);
    assert_eq!(opened("SELECT * FROM lake.market.trades LIMIT 0"), 0);
    // Nothing is pruned: no statistic is believed.
    assert_eq!(opened("SELECT * FROM lake.market.trades WHERE \"offset\" = 7"), 20);
    assert_eq!(rows(&folder, "", "SELECT count(*) AS n FROM lake.market.trades"), [r#"{"n":20}"#]);
}

#[test]
fn only_the_columns_that_are_needed_are_read() {
    let plan = ask(&written(&trades()), "", "EXPLAIN SELECT price FROM lake.market.trades WHERE id = 'a'").stdout;
    assert!(plan.contains("LakeScan: table=lake.market.trades, files=3, columns=[id, price]"), "{plan}");
}

#[test]
fn rows_that_cannot_be_read_end_the_query_with_3() {
    let folder = written(&trades().broken(Breakage::Missing));
    let ran = ask(&folder, "", "SELECT count(*) FROM lake.market.trades");
    assert_snapshot!(ran.all(), @"
    exit 3
    --- stderr
    error: answer the query
      because: file://DIR/warehouse/market/trades/data/f3.parquet cannot be read: the file is
               not there
      hint:    `validator reconcile` names each part that cannot be read, and judges the rest
    ");
    let query = "SELECT id FROM lake.market.trades";
    let ran = ask(&folder, "--format jsonl --output rows.jsonl", query);
    assert_eq!((ran.exit, folder.join("rows.jsonl").exists()), (3, false));
    let mut scene = trades();
    scene.table.equality_deletes = true;
    let folder = written(&scene);
    assert_snapshot!(ask(&folder, "", "SELECT count(*) FROM lake.market.trades").all(), @"
    exit 3
    --- stderr
    error: open the table
      because: table needs what this version cannot do: equality delete files (1 live)
      hint:    `--snapshot ID` judges a state of the table from before that was there
    ");
    let files = "SELECT content FROM lake.market.\"trades$files\" ORDER BY content DESC LIMIT 1";
    assert_eq!(rows(&folder, "", files), [r#"{"content":2}"#]);
}

#[test]
fn uuids_are_text_and_times_beyond_nanoseconds_are_compared() {
    let mut scene = Scene::offset();
    scene.table.columns.push(Column::optional("u", ColumnType::Uuid));
    scene.table.columns.push(Column::optional("t", ColumnType::Timestamp));
    number(&mut scene.table.columns);
    let mut scene = scene.file("0@0 a 1");
    // 9999-12-31T23:59:59.999999
    let end = Value::Timestamp { micros: 253_402_300_799_999_999, zoned: false };
    scene.table.files[0].rows[0].values.extend([Value::Uuid([0xab; 16]), end]);
    let folder = written(&scene);
    let query = "SELECT u, t FROM lake.market.trades \
                 WHERE u = 'abababab-abab-abab-abab-abababababab' AND t > TIMESTAMP '2024-08-08 00:00:00'";
    // The transcript writes UUID for any.
    assert_eq!(rows(&folder, "", query), [r#"{"u":"UUID","t":"9999-12-31T23:59:59.999999"}"#]);
}

#[test]
fn five_thousand_columns_and_a_value_of_a_megabyte() {
    let mut scene = Scene::offset();
    let own = scene.table.columns.len();
    let names: Vec<String> = (own..5_000).map(|column| format!("c{column:04}")).collect();
    scene.table.columns.extend(names.iter().map(|name| Column::optional(name, ColumnType::Long)));
    number(&mut scene.table.columns);
    let mut scene = scene.file("0@0 a 1");
    let row = &mut scene.table.files[0].rows[0].values;
    row.extend((0..names.len()).map(|column| Value::long(column as i64)));
    row[3] = Value::text("x".repeat(1 << 20));
    let folder = written(&scene);
    let all = rows(&folder, "", "SELECT * FROM lake.market.trades");
    assert!(all[0].len() > 1 << 20 && all[0].ends_with(r#""c4999":4993}"#), "{}", all[0].len());
    let shown = ask(&folder, "", "SELECT * FROM lake.market.trades");
    assert!(shown.stdout.contains("--format jsonl writes them whole"), "the long value is cut and it is said");
    assert_eq!(
        rows(&folder, "", "SELECT c4998, length(id) AS n FROM lake.market.trades"),
        [r#"{"c4998":4992,"n":1048576}"#]
    );
}
