//! Tables by PyIceberg whose schema or partition spec changed between their appends, read row-exactly: the rows that the
//! writer was given, as recorded messages, hold; and a value that is changed in any column of an old or a new row is found.

use fixtures_harness::{ForeignTable, IcebergCatalog, Story, iceberg_catalog, write_foreign_tables};
use serde_json::{Map, Value, json};
use validator_app::Answer;

use crate::real_kafka::facts::{summary, verdicts};
use crate::real_kafka::good;
use crate::real_kafka::stage::Stage;

/// A told story: the table, the types of its current columns, and a stage over its catalog.
struct Told {
    table: ForeignTable,
    /// Name and Iceberg type (JSON of the metadata file).
    columns: Vec<(String, Value)>,
    stage: Stage,
    _catalog: IcebergCatalog,
}

fn tell(story: Story) -> Told {
    let catalog = iceberg_catalog();
    let table = good(write_foreign_tables(&catalog, &[story])).remove(0);
    let metadata = std::fs::read(table.metadata_path()).expect("the metadata file is there");
    let metadata: Value = serde_json::from_slice(&metadata).expect("it is JSON");
    let current = &metadata["current-schema-id"];
    let schemas = metadata["schemas"].as_array().expect("version 2 has schemas");
    let schema = schemas.iter().find(|schema| schema["schema-id"] == *current).expect("one is current");
    let fields = schema["fields"].as_array().expect("a schema has fields");
    let columns = fields.iter().map(|field| (text(&field["name"]).to_owned(), field["type"].clone())).collect();
    Told { table, columns, stage: Stage::new().with_catalog(&catalog), _catalog: catalog }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("it is text")
}

/// Bytes have no JSON form of their own.
fn is_bytes(ty: &Value) -> bool {
    ty.as_str().is_some_and(|name| name == "binary" || name.starts_with("fixed"))
}

impl Told {
    /// Judges the table against messages that say these rows, identified by `id`.
    fn judge(&self, rows: &[Value]) -> Answer {
        let lines: String = rows.iter().map(|row| self.message(row).to_string() + "\n").collect();
        std::fs::write(self.stage.folder().join("rows.jsonl"), lines).expect("a temporary folder takes files");
        self.stage.judge(&self.pipeline())
    }

    fn pipeline(&self) -> String {
        let mut pipeline = format!(
            "[pipeline]\nname = \"story\"\ntopic = \"rows\"\ntable = \"foreign.{}\"\nformat = \"json\"\n\
             [source]\nfiles = [\"rows.jsonl\"]\nenvelope = \"none\"\n[identity]\nmode = \"key\"\ncolumns = [\"id\"]\n",
            self.table.identifier
        );
        let bytes = || self.columns.iter().filter(|(_, ty)| is_bytes(ty)).map(|(name, _)| name);
        pipeline += "[fields]\n";
        pipeline.extend(bytes().map(|name| format!("{name} = \"string\"\n")));
        pipeline += "[map]\n";
        pipeline.extend(bytes().map(|name| format!("{name} = \"decode({name}, 'hex')\"\n")));
        pipeline
    }

    /// The message of an expected row.
    fn message(&self, row: &Value) -> Value {
        let fields = self.columns.iter().map(|(name, ty)| (name.clone(), said(&row[name], ty)));
        Value::Object(fields.collect())
    }
}

/// An expected value as a message says it: integers as numbers, structs and maps as objects, all else as it is.
fn said(value: &Value, ty: &Value) -> Value {
    let array = |value: &Value| value.as_array().expect("a list or map is an array").clone();
    match (value, ty["type"].as_str().or(ty.as_str()).expect("every type has a name")) {
        (Value::Null | Value::Bool(_), _) => value.clone(),
        (_, "int" | "long") => json!(text(value).parse::<i64>().expect("an integer")),
        (_, "struct") => {
            let fields = ty["fields"].as_array().expect("a struct has fields").iter();
            let one =
                |field: &Value| (text(&field["name"]).to_owned(), said(&value[text(&field["name"])], &field["type"]));
            Value::Object(fields.map(one).collect())
        }
        (_, "list") => Value::Array(array(value).iter().map(|item| said(item, &ty["element"])).collect()),
        (_, "map") => {
            let pairs = array(value);
            let entry = |pair: &Value| (text(&pair[0]).to_owned(), said(&pair[1], &ty["value"]));
            Value::Object(pairs.iter().map(entry).collect::<Map<_, _>>())
        }
        _ => value.clone(),
    }
}

/// Another value of the type, one that no story tells.
fn another(value: &Value, ty: &Value) -> Value {
    let name = ty["type"].as_str().or(ty.as_str()).expect("every type has a name");
    let choices = match name {
        "boolean" => return json!(value != &json!(true)),
        "int" | "long" => ["987654", "987655"],
        "float" | "double" => ["0.75", "0.875"],
        "date" => ["2001-02-03", "2001-02-04"],
        "time" => ["01:02:03.000004", "01:02:03.000005"],
        "timestamp" => ["2001-02-03T04:05:06.000007", "2001-02-03T04:05:06.000008"],
        "timestamptz" => ["2001-02-03T04:05:06.000007Z", "2001-02-03T04:05:06.000008Z"],
        "string" => ["changed", "changed again"],
        "uuid" => ["aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "aaaaaaaa-bbbb-cccc-dddd-ffffffffffff"],
        "binary" => ["cc", "cd"],
        "struct" => {
            let field = &ty["fields"][0];
            let name = text(&field["name"]);
            let mut changed = Map::new();
            for field in ty["fields"].as_array().expect("a struct has fields") {
                let name = text(&field["name"]);
                changed.insert(name.to_owned(), value.get(name).cloned().unwrap_or_default());
            }
            let was = changed.get(name).cloned().unwrap_or_default();
            changed.insert(name.to_owned(), another(&was, &field["type"]));
            return Value::Object(changed);
        }
        "list" => {
            let mut items = value.as_array().cloned().unwrap_or_default();
            match items.first_mut() {
                Some(first) => *first = another(first, &ty["element"]),
                None => items.push(another(&Value::Null, &ty["element"])),
            }
            return Value::Array(items);
        }
        "map" => {
            let mut pairs = value.as_array().cloned().unwrap_or_default();
            match pairs.first_mut() {
                Some(first) => first[1] = another(&first[1], &ty["value"]),
                None => pairs.push(json!(["new", another(&Value::Null, &ty["value"])])),
            }
            return Value::Array(pairs);
        }
        _ if name.starts_with("fixed") => ["01010101", "01010102"],
        _ if name.starts_with("decimal") => ["7", "8"],
        other => panic!("no story has a column of type {other}"),
    };
    json!(choices.into_iter().find(|choice| *value != json!(choice)).expect("there are two"))
}

/// The rows to change in a column: the first and the last that have a value, and the first and the last that have none.
fn targets(rows: &[Value], column: &str) -> Vec<usize> {
    let is_null = |row: &usize| rows[*row][column].is_null();
    let (nulls, values): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(is_null);
    let mut targets: Vec<usize> =
        [nulls.first(), nulls.last(), values.first(), values.last()].into_iter().flatten().copied().collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// What the pipeline pairs by.
const IDENTITY: &str = "id";

/// Whether all else of a row is NULL.
fn has_nothing_but(row: &Value, column: &str) -> bool {
    fn is_nothing(value: &Value) -> bool {
        value.as_object().map_or(value.is_null(), |fields| fields.values().all(is_nothing))
    }
    row.as_object().is_some_and(|row| row.iter().all(|(name, value)| name == column || is_nothing(value)))
}

fn the_rows_hold_and_any_change_is_found(story: Story) {
    let told = tell(story);
    rows_hold_and_any_change_is_found(&told, &told.table.rows);
}

fn rows_hold_and_any_change_is_found(told: &Told, rows: &[Value]) {
    let story = told.table.story;
    let count = rows.len();
    let answer = told.judge(rows);
    assert_eq!(summary(&answer), format!("holds | consumed {count}, intact {count} | intact {count}, total {count}"));
    let mut wrong = Vec::new();
    let mut runs = 0;
    for (column, ty) in &told.columns {
        for row in targets(rows, column) {
            let mut changed = rows.to_vec();
            changed[row][column] = another(&rows[row][column], ty);
            let answer = told.judge(&changed);
            let rest = count - 1;
            // Of a row that has nothing but its identity nothing tells whose it is once that is another.
            if column == IDENTITY && has_nothing_but(&rows[row], column) {
                let apart = format!(
                    "breached | consumed {count}, intact {rest}, missing 1 | intact {rest}, phantom 1, total {count}"
                );
                assert_eq!(summary(&answer), apart, "{column} of row {row} of {}", story.name());
                continue;
            }
            let expected = format!(
                "breached | consumed {count}, corrupted 1, intact {rest} | corrupted 1, intact {rest}, total {count}"
            );
            let named =
                answer.findings.at_hand.iter().flat_map(|finding| &finding.columns).map(|difference| &difference.name);
            let named: Vec<&String> = named.collect();
            let is_named = |name: &&String| name.split(['.', '[']).next() == Some(column.as_str());
            if summary(&answer) != expected || named.len() != 1 || !named.iter().all(is_named) {
                let was = &rows[row][column];
                wrong.push(format!("{column} of row {row} ({was}): {} {:?}", summary(&answer), verdicts(&answer)));
            }
            runs += 1;
        }
    }
    println!("{}: {count} rows, {runs} changes", story.name());
    assert!(wrong.is_empty(), "{} of {runs} changes in {}:\n{}", wrong.len(), story.name(), wrong.join("\n"));
}

#[test]
fn columns_that_changed_places() {
    the_rows_hold_and_any_change_is_found(Story::Reorder);
}

#[test]
fn columns_that_swapped_names_and_places() {
    the_rows_hold_and_any_change_is_found(Story::RenameReorder);
}

#[test]
fn a_column_dropped_and_added_again_under_its_name() {
    the_rows_hold_and_any_change_is_found(Story::DropReadd);
}

#[test]
fn promoted_types() {
    the_rows_hold_and_any_change_is_found(Story::Promotion);
}

#[test]
fn added_columns() {
    the_rows_hold_and_any_change_is_found(Story::AddColumn);
}

#[test]
fn the_same_inside_structs_lists_and_maps() {
    let told = tell(Story::Nested);
    // PyIceberg 0.12 writes a NULL list or map of structs as an empty one, whatever reader is asked: the validator says so.
    let answer = told.judge(&told.table.rows);
    assert_eq!(summary(&answer), "breached | consumed 7, corrupted 3, intact 4 | corrupted 3, intact 4, total 7");
    assert_eq!(
        verdicts(&answer),
        [
            "corrupted default_for_null 0@1 [legs null → [] default_for_null] [fees null → {} default_for_null]",
            "corrupted default_for_null 0@5 [fees null → {} default_for_null]",
            "corrupted default_for_null 0@6 [legs null → [] default_for_null]",
        ]
    );
    let written = |row: &Value| {
        let mut row = row.clone();
        for column in ["legs", "fees"] {
            if row[column].is_null() {
                row[column] = json!([]);
            }
        }
        row
    };
    let rows: Vec<Value> = told.table.rows.iter().map(written).collect();
    rows_hold_and_any_change_is_found(&told, &rows);
}

#[test]
fn a_partition_spec_that_changed_again_and_again() {
    the_rows_hold_and_any_change_is_found(Story::PartitionEvolution);
}

#[test]
fn rows_taken_away_by_position_deletes() {
    the_rows_hold_and_any_change_is_found(Story::PositionDeletes);
}

#[test]
fn every_primitive_type_with_its_awkward_values() {
    the_rows_hold_and_any_change_is_found(Story::Types);
}
