//! Queries that ask for much, for odd things, or for what nobody should have.

mod memory;

use std::fs;
use std::time::{Duration, Instant};

use fixtures_kit::schema::{Column, ColumnType, number};
use fixtures_kit::value::Value;
use insta::assert_snapshot;

use super::{ask, rows, trades, written};
use crate::scene::Scene;
use crate::terminal::seen_at;

#[test]
fn messages_and_rows_stand_side_by_side_in_one_query() {
    let folder = written(&trades());
    let union = "SELECT 'message' AS of, id FROM source.trades WHERE id < 'c' UNION ALL \
                 SELECT 'row', id FROM lake.market.trades WHERE id < 'c' ORDER BY id, of";
    assert_snapshot!(rows(&folder, "", union).join("\n"), @r#"
    {"of":"message","id":"a"}
    {"of":"row","id":"a"}
    {"of":"message","id":"b"}
    {"of":"row","id":"b"}
    "#);
    let joined = "SELECT m._partition, m._offset, m.id, t._pos, m.price = t.price AS same \
                  FROM source.trades m FULL JOIN lake.market.trades t \
                  ON m._partition = t.partition AND m._offset = t.\"offset\" ORDER BY m._partition, m._offset";
    assert_snapshot!(rows(&folder, "", joined).join("\n"), @r#"
    {"_partition":0,"_offset":0,"id":"a","_pos":0,"same":true}
    {"_partition":0,"_offset":1,"id":"b","_pos":1,"same":true}
    {"_partition":0,"_offset":2,"id":"c","_pos":2,"same":true}
    {"_partition":1,"_offset":0,"id":"d","_pos":0,"same":true}
    {"_partition":1,"_offset":1,"id":null,"_pos":0,"same":null}
    "#);
    let windows = "SELECT _partition, _offset, lag(_offset) OVER w AS before, sum(price) OVER w AS so_far, \
                   row_number() OVER (ORDER BY id DESC NULLS FIRST) AS place FROM source.trades \
                   WINDOW w AS (PARTITION BY _partition ORDER BY _offset) ORDER BY _partition, _offset";
    assert_snapshot!(rows(&folder, "", windows).join("\n"), @r#"
    {"_partition":0,"_offset":0,"before":null,"so_far":"1.00000000","place":5}
    {"_partition":0,"_offset":1,"before":0,"so_far":"3.12500000","place":4}
    {"_partition":0,"_offset":2,"before":1,"so_far":"6.12500000","place":3}
    {"_partition":1,"_offset":0,"before":null,"so_far":"4.50000000","place":2}
    {"_partition":1,"_offset":1,"before":0,"so_far":"4.50000000","place":1}
    "#);
    // The messages are read once more for each mention, and are the same ones.
    let except =
        "SELECT count(*) AS n FROM (SELECT _offset FROM source.trades EXCEPT SELECT _offset FROM source.trades)";
    assert_eq!(rows(&folder, "", except), [r#"{"n":0}"#]);
}

#[test]
fn a_table_is_read_anew_in_each_round_of_a_recursion() {
    let folder = written(&trades());
    let query = "WITH RECURSIVE r AS (SELECT CAST(1 AS BIGINT) AS n UNION ALL SELECT n + 1 FROM r \
                 JOIN lake.market.trades t ON t.id = 'a' WHERE n < 5) SELECT count(*) AS n, max(n) AS last FROM r";
    assert_eq!(rows(&folder, "", query), [r#"{"n":5,"last":5}"#]);
    let from_messages = query.replace("lake.market.trades", "source.trades");
    assert_eq!(rows(&folder, "", &from_messages), [r#"{"n":5,"last":5}"#]);
}

#[test]
fn limits_of_any_size_are_taken_or_refused() {
    let folder = written(&trades());
    for (limit, count) in [("9223372036854775807", 5), ("4294967296", 5), ("0", 0), ("2 OFFSET 9223372036854775807", 0)]
    {
        let query = format!("SELECT count(*) AS n FROM (SELECT id FROM lake.market.trades LIMIT {limit})");
        assert_eq!(rows(&folder, "", &query), [format!(r#"{{"n":{count}}}"#)], "{limit}");
        let query = query.replace("lake.market", "source");
        assert_eq!(rows(&folder, "", &query), [format!(r#"{{"n":{count}}}"#)], "{limit}");
    }
    for limit in ["-1", "18446744073709551616", "99999999999999999999999", "1.5", "'a'", "(SELECT 1)"] {
        let ran = ask(&folder, "", &format!("SELECT id FROM lake.market.trades LIMIT {limit}"));
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{limit}\n{}", ran.all());
    }
}

#[test]
fn products_of_tables_end_at_a_limit() {
    let folder = written(&trades());
    let product = |times: usize| {
        let names: Vec<String> = (0..times).map(|n| format!("source.trades m{n}")).collect();
        names.join(", ")
    };
    // All threads of the query compute, and none of them looks at the clock.
    let begun = Instant::now();
    let ran = ask(&folder, "--timeout 1s", &format!("SELECT count(*) FROM {}", product(24)));
    assert_eq!((ran.exit, ran.stdout.as_str()), (3, ""), "{}", ran.all());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(ran.stderr.contains("it took longer than 1s"), "{}", ran.all());
    let ran = ask(&folder, "--max-rows 7", &format!("SELECT m0.id FROM {}", product(6)));
    assert_eq!(ran.exit, 3, "{}", ran.all());
    assert!(ran.stderr.contains("more than 7 rows") && ran.stdout.ends_with("7 rows\n"), "{}", ran.all());
    folder.edit("validator.toml", "[service]\n", "[service]\nmemory = \"1MB\"\n");
    let sorted = format!("SELECT m0.id, repeat('x', 100) AS x FROM {} ORDER BY m1.id, m2.id, m0.id", product(9));
    let ran = ask(&folder, "--format jsonl --output a.jsonl --timeout 60s", &sorted);
    assert_eq!((ran.exit, folder.join("a.jsonl").exists()), (3, false), "{}", ran.all());
    assert!(ran.stderr.contains("more memory than it may take"), "{}", ran.all());
}

#[test]
fn nothing_of_the_machine_can_be_read() {
    let folder = written(&trades());
    fs::write(folder.join("a.csv"), "secretmarker\n").expect("the folder takes files");
    for query in [
        "SELECT read_text('a.csv')",
        "SELECT pg_read_file('a.csv')",
        "SELECT load_file('a.csv')",
        "SELECT getenv('HOME')",
        "SELECT current_setting('a')",
        "SELECT @@hostname",
        "SELECT $1",
        "SELECT * FROM read_csv_auto('a.csv')",
        "SELECT * FROM read_parquet('a.parquet')",
        "SELECT * FROM glob('*')",
        "SELECT * FROM 'a.csv'",
        "SELECT * FROM `a.csv`",
        "SELECT * FROM \"file:///etc/passwd\"",
        "SELECT * FROM \"s3://bucket/a.csv\"",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.df_settings",
        "SELECT * FROM pg_catalog.pg_class",
        "EXPLAIN SELECT * FROM 'a.csv'",
        "PREPARE a AS SELECT 1",
        "EXECUTE a",
        "DEALLOCATE a",
        "USE lake",
        "LOAD 'a.so'",
        "ATTACH 'a.db' AS a",
        "INSTALL httpfs",
        "CALL system.rewrite_data_files('t')",
        "SET TIME ZONE 'UTC'",
        "SET a = 1",
        "TRUNCATE TABLE lake.market.trades",
        "ALTER TABLE lake.market.trades ADD COLUMN a INT",
        "VACUUM",
        "ANALYZE TABLE lake.market.trades",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'a.csv'",
        "MERGE INTO lake.market.trades t USING source.trades s ON t.id = s.id WHEN MATCHED THEN DELETE",
        "EXPLAIN ANALYZE DELETE FROM lake.market.trades",
    ] {
        let ran = ask(&folder, "", query);
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{query}\n{}", ran.all());
        assert!(!ran.stderr.contains("secretmarker"), "{query}\n{}", ran.all());
    }
}

#[test]
fn names_may_hold_quotes_dots_blanks_and_any_script() {
    const NAME: &str = "a.b\"ü 漢";
    let mut scene = Scene::offset();
    scene.table.columns.push(Column::optional(NAME, ColumnType::Long));
    number(&mut scene.table.columns);
    let mut scene = scene.file("0@0 a 1");
    scene.table.files[0].rows[0].values.push(Value::long(7));
    let folder = written(&scene);
    let quoted = format!("\"{}\"", NAME.replace('"', "\"\""));
    let query = format!("SELECT {quoted}, t.{quoted} + 1 AS \"{{\" FROM lake.market.trades t WHERE {quoted} = 7");
    assert_snapshot!(rows(&folder, "", &query).join("\n"), @r#"{"a.b\"ü 漢":7,"{":8}"#);
    assert_snapshot!(ask(&folder, "--format csv", &query).stdout, @r#"
    "a.b""ü 漢",{
    7,8
    "#);
    assert_snapshot!(ask(&folder, "", &format!("SELECT {} FROM lake.market.trades", quoted.replace('7', "8"))).stdout, @r#"
    "a.b\"ü 漢"
    ───────────
              7
    1 row
    "#);
    let near = "SELECT \"a.b\"\"ü\" FROM lake.market.trades";
    assert_snapshot!(ask(&folder, "", near).stderr, @r#"
    error: there is no column `a.b"ü`
     --> query:1:8
      |
    1 | SELECT "a.b""ü" FROM lake.market.trades
      |        ^^^^^^^^
      = hint: did you mean "a.b""ü 漢"?
    "#);
    let named = rows(&folder, "--table 表=lake.market.trades", "SELECT count(*) AS n FROM 表, \"表$files\"");
    assert_eq!(named, [r#"{"n":1}"#]);
    let whole = ask(&folder, "", "SELECT 1 FROM \"lake.market.trades\"");
    assert_snapshot!(whole.stderr, @r#"
    error: there is no table "lake.market.trades"
     --> query:1:15
      |
    1 | SELECT 1 FROM "lake.market.trades"
      |               ^^^^^^^^^^^^^^^^^^^^
      = hint: quotes join what dots part: did you mean lake.market.trades?
    "#);
}

#[test]
fn a_name_of_the_query_hides_a_table_only_where_it_is_defined() {
    let folder = written(&trades());
    let flags = "--table t=lake.market.trades";
    assert_eq!(rows(&folder, flags, "WITH t AS (SELECT 1 AS x) SELECT x FROM t"), [r#"{"x":1}"#]);
    let inner = "SELECT (WITH t AS (SELECT 1 AS x) SELECT x FROM t) AS x, count(*) AS n FROM t";
    assert_eq!(rows(&folder, flags, inner), [r#"{"x":1,"n":5}"#]);
    assert_eq!(rows(&folder, "", "WITH u AS (SELECT 1 AS x), v AS (SELECT x FROM u) SELECT x FROM v"), [r#"{"x":1}"#]);
    let twice = "--table t=lake.market.trades@1001 --table t=lake.market.trades";
    assert_snapshot!(ask(&folder, twice, "SELECT count(*) FROM t").all(), @"
    exit 2
    --- stderr
    error: --table t is given twice
      = hint: each table has a name of its own
    ");
}

#[test]
fn a_value_of_a_megabyte_is_whole_in_each_format_but_the_one_for_people() {
    let folder = written(&trades());
    let query = "SELECT repeat('é', 524288) AS x, 1 AS y";
    let whole = "é".repeat(524_288);
    assert_eq!(ask(&folder, "--format jsonl", query).stdout, format!("{{\"x\":\"{whole}\",\"y\":1}}\n"));
    assert_eq!(ask(&folder, "--format csv", query).stdout, format!("x,y\n{whole},1\n"));
    assert_eq!(ask(&folder, "--format parquet --output a.parquet", query).all(), "exit 0\n");
    let file = fs::File::open(folder.join("a.parquet")).expect("the file is there");
    let mut reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 9).expect("it is Parquet");
    let batch = reader.next().expect("rows").expect("they can be read");
    assert_eq!(arrow_array::cast::AsArray::as_string::<i32>(batch.column(0)).value(0), whole);
    let table = ask(&folder, "", query).stdout;
    assert!(table.len() < 20_000 && table.contains("--format jsonl writes them whole"), "{}", table.len());
}

#[test]
fn an_answer_fits_a_narrow_terminal() {
    let folder = written(&trades());
    let query = "sql SELECT/**/id,repeat('long/',30)AS/**/t,price/**/FROM/**/lake.market.trades/**/WHERE/**/id='a'";
    let (exit, shown) = seen_at(40, folder.path(), query, &[("NO_COLOR", "1")]);
    assert_eq!(exit, 0, "{shown}");
    assert_snapshot!(shown, @"
    id  t                              price
    ──  ────────────────────────  ──────────
    a   long/long/long/long/lon…  1.00000000
    1 row
    values end with … where they were cut:
    --format jsonl writes them whole
    ");
    let many = "sql SELECT/**/1/**/a,2/**/b,3/**/c,4/**/d,'five/six/seven'/**/e,6/**/f,7/**/g,8/**/h,9/**/i";
    let (_, shown) = seen_at(40, folder.path(), many, &[("NO_COLOR", "1")]);
    assert_snapshot!(shown, @"
    a  b  c  d  e               f  g  h  i
    ─  ─  ─  ─  ──────────────  ─  ─  ─  ─
    1  2  3  4  five/six/seven  6  7  8  9
    1 row
    ");
}
