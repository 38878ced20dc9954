//! The four formats: exact where they promise it, harmless in each.

use std::fs;

use fixtures_kit::value::Value;
use insta::assert_snapshot;

use super::{ask, rows, trades, written};
use crate::scene::{Folder, Scene};

const VALUES: &str = "SELECT id, price, at, CAST(at AS TIMESTAMP) AS local, 9007199254740993 AS big, 9007199254740992 AS \
                      small, 1.5e0 AS f, CAST('NaN' AS DOUBLE) AS nan, X'00ff' AS bytes, [1,2] AS list, \
                      struct(1 AS a, 'x' AS b) AS s, NULL AS n, DATE '2024-08-08' AS d, \
                      CAST('12:00:00.5' AS TIME) AS t, INTERVAL '1 day' AS i FROM lake.market.trades ORDER BY id LIMIT 2";

/// A row for each of the texts.
fn with_texts(texts: &[&str]) -> Folder {
    let row = |(offset, _): (usize, &&str)| format!("0@{offset} a 1");
    let listed: Vec<String> = texts.iter().enumerate().map(row).collect();
    let mut scene = Scene::offset().file(&listed.join(" | "));
    for (row, text) in scene.table.files[0].rows.iter_mut().zip(texts) {
        row.values[3] = Value::text(*text);
    }
    written(&scene)
}

const HOSTILE: [&str; 10] = [
    "=HYPERLINK(\"http://x\")",
    "+1+1",
    "-2.5",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\u{202e}gpj.exe\u{200b}",
    "<script>alert(1)</script>",
    "a,\"b\"\nc",
];

/// No byte that could steer a terminal, but line ends.
fn is_harmless(text: &str) -> bool {
    let hostile =
        |c: char| (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || matches!(c, '\u{202e}' | '\u{200b}');
    !text.chars().any(hostile)
}

#[test]
fn values_are_exact_in_jsonl_and_csv() {
    let folder = written(&trades());
    assert_snapshot!(ask(&folder, "--format jsonl", VALUES).all(), @r#"
    exit 0
    --- stdout
    {"id":"a","price":"1.00000000","at":"2024-08-08T12:00:00.000000Z","local":"2024-08-08T12:00:00.000000","big":"9007199254740993","small":9007199254740992,"f":"1.5","nan":"NaN","bytes":"AP8=","list":[1,2],"s":{"a":1,"b":"x"},"n":null,"d":"2024-08-08","t":"12:00:00.500000000","i":"1 days"}
    {"id":"b","price":"2.12500000","at":"2024-08-08T12:00:00.000000Z","local":"2024-08-08T12:00:00.000000","big":"9007199254740993","small":9007199254740992,"f":"1.5","nan":"NaN","bytes":"AP8=","list":[1,2],"s":{"a":1,"b":"x"},"n":null,"d":"2024-08-08","t":"12:00:00.500000000","i":"1 days"}
    "#);
    assert_snapshot!(ask(&folder, "--format csv", VALUES).all(), @r#"
    exit 0
    --- stdout
    id,price,at,local,big,small,f,nan,bytes,list,s,n,d,t,i
    a,1.00000000,2024-08-08T12:00:00.000000Z,2024-08-08T12:00:00.000000,9007199254740993,9007199254740992,1.5,NaN,AP8=,"[1,2]","{""a"":1,""b"":""x""}",,2024-08-08,12:00:00.500000000,1 days
    b,2.12500000,2024-08-08T12:00:00.000000Z,2024-08-08T12:00:00.000000,9007199254740993,9007199254740992,1.5,NaN,AP8=,"[1,2]","{""a"":1,""b"":""x""}",,2024-08-08,12:00:00.500000000,1 days
    "#);
    assert_snapshot!(ask(&folder, "", &VALUES.replace("LIMIT 2", "LIMIT 1")).all(), @r#"
    exit 0
    --- stdout
    id       price  at                           local                                    big             small    f  nan  bytes    list   s                n     d           t                   i
    ──  ──────────  ───────────────────────────  ──────────────────────────  ────────────────  ────────────────  ───  ───  ───────  ─────  ───────────────  ────  ──────────  ──────────────────  ──────
    a   1.00000000  2024-08-08T12:00:00.000000Z  2024-08-08T12:00:00.000000  9007199254740993  9007199254740992  1.5  NaN  x'00ff'  [1,2]  {"a":1,"b":"x"}  NULL  2024-08-08  12:00:00.500000000  1 days
    1 row
    "#);
}

#[test]
fn a_parquet_file_holds_the_same_rows() {
    let folder = written(&trades());
    let ran = ask(&folder, "--format parquet --output answer.parquet", VALUES);
    assert_eq!(ran.all(), "exit 0\n");
    let file = fs::File::open(folder.join("answer.parquet")).expect("the file is there");
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).expect("it is Parquet");
    let types: Vec<String> =
        reader.schema().fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
    assert_snapshot!(types.join("\n"), @r#"
    id Utf8
    price Decimal128(18, 8)
    at Timestamp(µs, "+00:00")
    local Timestamp(µs)
    big Int64
    small Int64
    f Decimal128(2, 1)
    nan Float64
    bytes Binary
    list List(Int64)
    s Struct("a": Int64, "b": Utf8)
    n Utf8
    d Date32
    t Time64(ns)
    i Utf8
    "#);
    let batches: Vec<_> = reader.build().expect("it can be read").map(|batch| batch.expect("a batch")).collect();
    assert_eq!(batches.iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>(), 2);
    let ran = ask(&folder, "--format parquet", "SELECT 1");
    assert_snapshot!(ran.all(), @"
    exit 2
    --- stderr
    error: a Parquet file is no text for a terminal
      = hint: name a file: `--output answer.parquet`
    ");
}

#[test]
fn hostile_texts_are_harmless_in_each_format() {
    let folder = with_texts(&HOSTILE);
    let query = "SELECT id FROM lake.market.trades ORDER BY \"offset\"";
    let table = ask(&folder, "", query).stdout;
    assert!(is_harmless(&table), "{table:?}");
    assert_snapshot!(table, @r#"
    id
    ──────────────────────────────
    =HYPERLINK("http://x")
    +1+1
    -2.5
    @SUM(A1)
    "\t=1"
    "\r=1"
    "\u{1b}[2J\u{1b}]0;owned\u{7}"
    "\u{202e}gpj.exe\u{200b}"
    <script>alert(1)</script>
    "a,\"b\"\nc"
    10 rows
    "#);
    let csv = ask(&folder, "--format csv --output a.csv", query);
    assert_eq!(csv.exit, 0);
    let csv = fs::read_to_string(folder.join("a.csv")).expect("the file is there");
    assert!(is_harmless(&csv), "{csv:?}");
    assert_snapshot!(csv.replace("\r\n", "\n").escape_debug().to_string().replace("\\n", "\n"), @r#"
    id
    \"\'=HYPERLINK(\"\"http://x\"\")\"
    \'+1+1
    -2.5
    \'@SUM(A1)
    \"\'\t=1\"
    \"\'\r=1\"
    \\u{1b}[2J\\u{1b}]0;owned\\u{7}
    \\u{202e}gpj.exe\\u{200b}
    <script>alert(1)</script>
    \"a,\"\"b\"\"
    c\"
    "#);
    let jsonl = rows(&folder, "", query);
    assert!(jsonl.iter().all(|line| is_harmless(line)), "{jsonl:?}");
    let read: Vec<String> = jsonl
        .iter()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["id"].as_str().expect("text").to_owned()
        })
        .collect();
    assert_eq!(read, HOSTILE);
    let ran = ask(&folder, "--format parquet --output a.parquet", query);
    assert_eq!(ran.exit, 0);
    let file = fs::File::open(folder.join("a.parquet")).expect("the file is there");
    let mut reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 100).expect("it is Parquet");
    let batch = reader.next().expect("rows").expect("they can be read");
    let texts: Vec<&str> = arrow_array::cast::AsArray::as_string::<i32>(batch.column(0)).iter().flatten().collect();
    assert_eq!(texts, HOSTILE);
}

#[test]
fn hostile_names_of_columns_and_of_tables_are_harmless() {
    let folder = written(&trades());
    let query = "SELECT 1 AS \"=1\u{1b}[31m\"";
    for flags in ["", "--format csv", "--format jsonl"] {
        let ran = ask(&folder, flags, query);
        assert!(ran.exit == 0 && is_harmless(&ran.stdout), "{:?}", ran.stdout);
    }
    let ran = ask(&folder, "", "SELECT * FROM lake.market.\"\u{1b}[2J\u{202e}\"");
    assert!(ran.exit == 2 && is_harmless(&ran.stderr), "{:?}", ran.stderr);
}

#[test]
fn two_columns_of_one_name_are_told_apart() {
    let folder = written(&trades());
    let query = "SELECT a.id, b.id FROM lake.market.trades a JOIN lake.market.trades b ON a.id = b.id WHERE a.id = 'a'";
    assert_eq!(rows(&folder, "", query), [r#"{"a.id":"a","b.id":"a"}"#]);
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let folder = written(&trades());
    fs::write(folder.join("a.jsonl"), "before").expect("the folder takes files");
    let ran = ask(&folder, "--format jsonl --output a.jsonl --max-rows 2", "SELECT id FROM lake.market.trades");
    assert_snapshot!(ran.all(), @"
    exit 3
    --- stderr
    error: the answer is cut: it has more than 2 rows
      hint:    `--max-rows 20` allows more; LIMIT asks for fewer
    ");
    assert_eq!(fs::read_to_string(folder.join("a.jsonl")).expect("it is there"), "before");
    let ran = ask(&folder, "--format jsonl --output a.jsonl", "SELECT id FROM lake.market.trades WHERE id = 'a'");
    assert_eq!(ran.all(), "exit 0\n");
    assert_eq!(fs::read_to_string(folder.join("a.jsonl")).expect("it is there"), "{\"id\":\"a\"}\n");
    let left = fs::read_dir(folder.path()).expect("the folder is there").flatten();
    let names: Vec<_> = left.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert!(!names.iter().any(|name| name.starts_with(".validator")), "{names:?}");
}

/// What calendars, decimals and floats end at.
const EXTREMES: &str = "SELECT CAST('NaN' AS DOUBLE) AS nan, CAST('-inf' AS REAL) AS below, CAST('-0.0' AS DOUBLE) AS minus, \
    CAST('5e-324' AS DOUBLE) AS tiny, CAST('1e300' AS DOUBLE) AS large, CAST(0.1 AS REAL) AS single, \
    CAST('-0.00000001' AS DECIMAL(18, 8)) AS small, \
    CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) AS nines, \
    arrow_cast('9999-12-31T23:59:59.999999Z', 'Timestamp(Microsecond, Some(\"UTC\"))') AS last, \
    arrow_cast('2024-06-01T00:00:00', 'Timestamp(Second, Some(\"Europe/Berlin\"))') AS berlin, \
    arrow_cast(CAST('00:00:01' AS TIME), 'Time32(Second)') AS clock, \
    arrow_cast(-1, 'Timestamp(Nanosecond, None)') AS before, \
    arrow_cast(9223372036854775807, 'Timestamp(Microsecond, None)') AS beyond, \
    arrow_cast(2147483647, 'Date32') AS far, DATE '0001-01-01' AS first, \
    [CAST('NaN' AS DOUBLE), NULL] AS list, arrow_cast(18446744073709551615, 'UInt64') AS most";

#[test]
fn values_at_the_ends_of_their_types_are_exact_in_each_format() {
    let folder = written(&trades());
    assert_snapshot!(ask(&folder, "--format jsonl", EXTREMES).all(), @r#"
    exit 0
    --- stdout
    {"nan":"NaN","below":"-Infinity","minus":-0.0,"tiny":5e-324,"large":1e+300,"single":0.1,"small":"-0.00000001","nines":"99999999999999999999999999999999999999","last":"9999-12-31T23:59:59.999999Z","berlin":"2024-05-31T22:00:00Z","clock":"00:00:01","before":"1969-12-31T23:59:59.999999999","beyond":"9223372036854775807 µs","far":"2147483647 days","first":"0001-01-01","list":["NaN",null],"most":"18446744073709551615"}
    "#);
    assert_snapshot!(ask(&folder, "--format csv", EXTREMES).all(), @r#"
    exit 0
    --- stdout
    nan,below,minus,tiny,large,single,small,nines,last,berlin,clock,before,beyond,far,first,list,most
    NaN,-Infinity,-0.0,5e-324,1e+300,0.1,-0.00000001,99999999999999999999999999999999999999,9999-12-31T23:59:59.999999Z,2024-05-31T22:00:00Z,00:00:01,1969-12-31T23:59:59.999999999,9223372036854775807 µs,2147483647 days,0001-01-01,"[""NaN"",null]",18446744073709551615
    "#);
    assert_snapshot!(ask(&folder, "", EXTREMES).all(), @r#"
    exit 0
    --- stdout
    nan      below  minus    tiny   large  single        small                                   nines  last                         berlin                clock     before                         beyond                  far              first       list                          most
    ───  ─────────  ─────  ──────  ──────  ──────  ───────────  ──────────────────────────────────────  ───────────────────────────  ────────────────────  ────────  ─────────────────────────────  ──────────────────────  ───────────────  ──────────  ────────────  ────────────────────
    NaN  -Infinity   -0.0  5e-324  1e+300     0.1  -0.00000001  99999999999999999999999999999999999999  9999-12-31T23:59:59.999999Z  2024-05-31T22:00:00Z  00:00:01  1969-12-31T23:59:59.999999999  9223372036854775807 µs  2147483647 days  0001-01-01  ["NaN",null]  18446744073709551615
    1 row
    "#);
    assert_eq!(ask(&folder, "--format parquet --output a.parquet", EXTREMES).all(), "exit 0\n");
    let file = fs::File::open(folder.join("a.parquet")).expect("the file is there");
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).expect("it is Parquet");
    // As a reader sees it that knows nothing of Arrow.
    let columns = reader.parquet_schema().columns().iter();
    let types: Vec<String> = columns.map(|c| format!("{} {:?}", c.path(), c.logical_type_ref())).collect();
    assert_snapshot!(types.join("\n"), @r#"
    "nan" None
    "below" None
    "minus" None
    "tiny" None
    "large" None
    "single" None
    "small" Some(Decimal { scale: 8, precision: 18 })
    "nines" Some(Decimal { scale: 0, precision: 38 })
    "last" Some(Timestamp { is_adjusted_to_u_t_c: true, unit: MICROS })
    "berlin" Some(Timestamp { is_adjusted_to_u_t_c: true, unit: MILLIS })
    "clock" Some(Time { is_adjusted_to_u_t_c: false, unit: MILLIS })
    "before" Some(Timestamp { is_adjusted_to_u_t_c: false, unit: NANOS })
    "beyond" Some(Timestamp { is_adjusted_to_u_t_c: false, unit: MICROS })
    "far" Some(Date)
    "first" Some(Date)
    "list.list.item" None
    "most" Some(Integer { bit_width: 64, is_signed: false })
    "#);
}

#[test]
fn an_instant_that_a_file_cannot_hold_is_said_and_not_left_out() {
    let folder = written(&trades());
    let query = "SELECT arrow_cast(9223372036854775807, 'Timestamp(Second, None)') AS beyond";
    assert_eq!(rows(&folder, "", query), [r#"{"beyond":"9223372036854775807 s"}"#]);
    let ran = ask(&folder, "--format parquet --output a.parquet", query);
    assert_eq!((ran.exit, folder.join("a.parquet").exists()), (3, false), "{}", ran.all());
}

#[test]
fn the_ending_of_the_file_names_the_format() {
    let folder = written(&trades());
    let asked = |flags: &str, file: &str| {
        let ran = ask(&folder, &format!("{flags} -o {file}"), "SELECT value AS n FROM generate_series(1, 1001)");
        assert_eq!(ran.all(), "exit 0\n", "{file}");
        fs::read(folder.join(file)).expect("the file is there")
    };
    // More rows than a table for people holds.
    assert!(asked("", "a.csv").starts_with(b"n\r\n1\r\n"));
    assert!(asked("", "a.JSONL").starts_with(b"{\"n\":1}\n"));
    assert!(asked("", "a.parquet").starts_with(b"PAR1"));
    assert!(asked("--format csv", "a.txt").starts_with(b"n\r\n"));
    for (flags, said) in [
        ("--format table -o b.parquet", "the answer is written as a table for people: name a FILE.txt, not .parquet"),
        ("--format jsonl -o b.csv", "the answer is written as JSON lines: name a FILE.jsonl, not .csv"),
        ("--format jsonl -o b.json", "the answer is written as JSON lines: name a FILE.jsonl, not .json"),
        ("-o b.html", "no answer is written as .html: name a FILE.jsonl, FILE.csv or FILE.parquet"),
        ("-o -", "expected a file; /dev/stdout is stdout"),
    ] {
        let ran = ask(&folder, flags, "SELECT 1");
        assert_eq!(ran.exit, 2, "{flags}: {}", ran.all());
        assert!(ran.stderr.contains(said), "{flags}: {}", ran.stderr);
        assert!(["b.parquet", "b.csv", "b.json", "b.html", "-"].iter().all(|file| !folder.join(file).exists()));
    }
}
