//! Texts and numbers that sinks make of several values (JSON, words in place of others, products of doubles), and what is lost.

use validator_core::contract::Format;
use validator_core::schema::{Field, Type};
use validator_core::value::Value;

use super::{COUNT, START_MS, decimal, id, key, proposed, sample, text};
use crate::init::evidence::Evidence;
use crate::init::proposal::Proposal;

/// Messages of an id and of one more field, and rows of the id and of what became of it.
fn made(field: impl Fn(i64) -> Value, ty: Type, value: impl Fn(i64) -> Value) -> Evidence {
    let columns = [("id", Type::String), ("made", ty)];
    sample(&["id", "given"], |nth| vec![id(nth), field(nth)], &columns, |nth| vec![id(nth), value(nth)])
}

fn line(proposal: &Proposal) -> Option<&str> {
    proposal.map.iter().find(|line| line.key == "made").map(|line| line.value.as_str())
}

fn list(nth: i64) -> Value {
    Value::List((0..nth % 4).map(|at| text(format!("w{nth}-{at}"))).collect())
}

/// As a writer with blanks writes it; NULL or `[]` of nothing.
fn as_text(nth: i64, empty: &Value) -> Value {
    let words: Vec<String> = (0..nth % 4).map(|at| format!("\"w{nth}-\\u003{at}\"")).collect();
    if words.is_empty() { empty.clone() } else { text(format!("[ {} ]", words.join(" , "))) }
}

#[test]
fn json_text_of_a_list_is_known_by_what_it_says_and_empty_ones_by_what_they_become() {
    let of = |empty: Value| proposed(&made(list, Type::String, move |nth| as_text(nth, &empty)));
    let nulls = of(Value::Null);
    assert_eq!(line(&nulls), Some("nullif(CAST(given AS VARCHAR), '[]')"), "{nulls:?}");
    assert_eq!(nulls.tolerate, [("made".to_owned(), "json_equal".to_owned())]);
    assert_eq!(nulls.fields.iter().map(|line| line.value.as_str()).collect::<Vec<_>>(), ["list<string>"]);
    assert_eq!(line(&of(text("[]".to_owned()))), Some("CAST(given AS VARCHAR)"));
    // Of both the rule would be wrong somewhere.
    let both = move |nth: i64| as_text(nth, &if nth % 8 == 0 { Value::Null } else { text("[]".to_owned()) });
    assert_eq!(proposed(&made(list, Type::String, both)).ignore.len(), 1);
    let other = move |nth: i64| if nth == 7 { text("[\"x\"]".to_owned()) } else { as_text(nth, &Value::Null) };
    assert_eq!(
        proposed(&made(list, Type::String, other)).ignore.len(),
        1,
        "one that differs, and no name speaks for it"
    );
    // Of the column's own name it is damage, and stays in sight.
    let columns = [("id", Type::String), ("words", Type::String)];
    let of = |damaged: i64| {
        let row = move |nth: i64| vec![id(nth), other(if nth < damaged { 7 } else { nth })];
        proposed(&sample(&["id", "words"], |nth| vec![id(nth), list(nth)], &columns, row))
    };
    let damaged = of(2);
    assert_eq!(damaged.ignore, []);
    assert!(damaged.map[0].seen.contains("equal in 57 of 60 tied rows"), "{damaged:?}");
    assert_eq!(of(6).ignore.len(), 1, "more than one in twenty is no rule");
}

/// Messages of an id, a word, a number and a truth that may be missing, and rows with one JSON text of them.
fn object(value: impl Fn(i64) -> String) -> Proposal {
    let columns = [("id", Type::String), ("made", Type::String)];
    let message = |nth: i64| vec![id(nth), text(format!("a\"{nth}")), Value::integer(nth * 7), truth(nth)];
    let fields = ["id", "word", "count", "truth"];
    let mut evidence = sample(&fields, message, &columns, |nth| vec![id(nth), text(value(nth))]);
    evidence.format = Format::Avro;
    let types = [Type::String, Type::String, Type::Long, Type::Boolean];
    let own = evidence.messages.fields.iter_mut().filter(|field| !field.is_meta);
    own.zip(types).for_each(|(field, ty)| field.ty = Some(ty));
    proposed(&evidence)
}

fn truth(nth: i64) -> Value {
    if nth % 4 == 0 { Value::Null } else { Value::Boolean(nth % 2 == 0) }
}

#[test]
fn a_json_object_of_several_fields_leaves_out_what_is_null_or_says_it() {
    let with = |nth: i64, null: &str| {
        let truth = match truth(nth) {
            Value::Null => null.to_owned(),
            truth => format!(r#", "truth": {truth}"#),
        };
        format!(r#"{{"count": {}, "word": "a\"{nth}"{truth}}}"#, nth * 7)
    };
    let begun =
        r#"'{"count":' || CAST(count AS VARCHAR) || ',"word":' || btrim(CAST(make_array(word) AS VARCHAR), '[]')"#;
    let left_out = object(|nth| with(nth, ""));
    let sql = format!(
        r#"{begun} || CASE WHEN CAST(truth AS VARCHAR) IS NULL THEN '' ELSE ',"truth":' || CAST(truth AS VARCHAR) END || '}}'"#
    );
    assert_eq!(line(&left_out), Some(sql.as_str()), "{left_out:?}");
    assert_eq!(left_out.tolerate, [("made".to_owned(), "json_equal".to_owned())]);
    let said = object(|nth| with(nth, r#", "truth": null"#));
    assert!(line(&said).is_some_and(|sql| sql.contains(r#"THEN ',"truth":null' ELSE"#)), "{said:?}");
    let both = object(|nth| with(nth, if nth % 8 == 0 { "" } else { r#", "truth": null"# }));
    assert_eq!(line(&both), None, "{both:?}");
    let other = object(|nth| with(if nth == 9 { 10 } else { nth }, ""));
    assert_eq!(line(&other), None, "{other:?}");
}

#[test]
fn a_word_in_place_of_another_is_a_rule_for_pairs_that_were_not_sampled() {
    const PAIRS: [&str; 3] = ["ETH/USD", "XBT/USD", "SOL/USD"];
    let pair = |nth: i64| PAIRS[(nth % 3) as usize];
    let of = |value: fn(&str) -> String| {
        proposed(&made(move |nth| text(pair(nth).to_owned()), Type::String, move |nth| text(value(pair(nth)))))
    };
    let symbols = of(|pair| pair.replace("XBT", "BTC").replace('/', ""));
    assert_eq!(line(&symbols), Some("replace(replace(given, 'XBT', 'BTC'), '/', '')"), "{symbols:?}");
    let canonical = of(|pair| pair.replace("XBT", "BTC"));
    assert_eq!(line(&canonical), Some("replace(given, 'XBT', 'BTC')"), "{canonical:?}");
    // No one rule makes these: a word for each, and that others are open is said.
    let words = of(|pair| format!("{}x", pair.as_bytes()[0]));
    assert!(line(&words).is_some_and(|sql| sql.starts_with("CASE given WHEN 'ETH/USD'")), "{words:?}");
    assert!(words.undecided[0].contains("a word for each of the 3 values of given that were sampled"), "{words:?}");
}

#[test]
fn a_product_of_doubles_is_told_from_the_exact_one_by_its_last_digits() {
    let columns = [("id", Type::String), ("made", decimal(8))];
    let p = |nth: i64| format!("{}.{:02}", 50_000 + nth * 79, nth * 17 % 100);
    let q = |nth: i64| format!("0.{:05}", nth * 1_047 % 99_991 + 3);
    let message = move |nth: i64| vec![id(nth), text(p(nth)), text(q(nth))];
    let row = move |nth: i64| {
        let double = |text: String| text.parse::<f64>().expect("a number");
        let cut = (double(p(nth)) * double(q(nth)) * 100_000_000.0) as i128;
        vec![id(nth), Value::decimal(cut, 8)]
    };
    let proposal = proposed(&sample(&["id", "p", "q"], message, &columns, row));
    let sql = "CAST(trunc(CAST(p AS DOUBLE) * CAST(q AS DOUBLE) * 100000000) AS BIGINT) * 0.00000001";
    assert_eq!(line(&proposal), Some(sql), "{proposal:?}");
}

#[test]
fn what_a_column_cannot_hold_is_said() {
    // Every third has seven digits behind the point, and the table has no row of it.
    let value = |nth: i64| Value::string(format!("{nth}.12345{}", if nth % 3 == 0 { "67" } else { "6" }));
    let columns = [("id", Type::String), ("price", decimal(6))];
    let message = move |nth: i64| vec![id(nth), value(nth)];
    let row = |nth: i64| vec![id(nth), Value::decimal(i128::from(nth) * 1_000_000 + 123_456, 6)];
    let mut evidence = sample(&["id", "price"], message, &columns, row);
    let rows = std::mem::take(&mut evidence.rows.values);
    evidence.rows.values = rows.into_iter().zip(0..COUNT).filter(|(_, nth)| nth % 3 != 0).map(|(row, _)| row).collect();
    let proposal = proposed(&evidence);
    let said = "column price, decimal(38, 6), cannot hold what field price has in 20 of 60 messages sampled: no row of these can be whole";
    assert_eq!(proposal.lost, [said], "{proposal:?}");
    assert!(proposal.undecided.contains(&said.to_owned()), "{proposal:?}");
}

#[test]
fn the_id_of_a_schema_is_no_constant_and_seconds_with_a_fraction_are_microseconds() {
    let mut evidence = made(|nth| Value::integer(nth * 3), Type::Int, |_| Value::integer(7));
    evidence.commits_ms = vec![0, 60_000];
    evidence.rows.values.extend((0..COUNT).map(|nth| vec![text(format!("other-{nth}")), Value::integer(7)]));
    for (name, is_constant) in [("level", true), ("schema_id", false)] {
        evidence.rows.leaves[1].path = name.to_owned();
        evidence.rows.leaves[1].field = Field::new(2, name, false, Type::Int);
        let proposal = proposed(&evidence);
        let written = proposal.map.iter().any(|line| line.key == name && line.value == "7");
        assert_eq!(written, is_constant, "{proposal:?}");
    }
    let micros = |nth: i64| (START_MS + nth) * 1_000 + 41;
    let seconds = move |nth: i64| text(format!("{}.{:06}", micros(nth) / 1_000_000, micros(nth) % 1_000_000));
    let proposal = proposed(&made(seconds, Type::Long, move |nth| Value::integer(micros(nth))));
    assert_eq!(line(&proposal), Some("CAST(CAST(given AS DECIMAL(38, 6)) * 1000000 AS BIGINT)"), "{proposal:?}");
}

#[test]
fn of_two_fields_a_moment_apart_a_day_is_of_the_one_that_another_column_is_made_of() {
    const DAY_MS: i64 = 86_400_000;
    let ms = |nth: i64| START_MS + nth * DAY_MS / 4;
    let of = |is_kept: bool| {
        let columns = [("id", Type::String), ("at_us", Type::Long), ("day", Type::Date)];
        let message = move |nth: i64| vec![id(nth), Value::integer(ms(nth) + 3), Value::integer(ms(nth))];
        let row = move |nth: i64| {
            let day = Value::Date(i32::try_from(ms(nth) / DAY_MS).expect("2024"));
            vec![id(nth), if is_kept { Value::integer(ms(nth) * 1_000) } else { Value::integer(nth % 3) }, day]
        };
        let proposal = proposed(&sample(&["id", "event", "trade"], message, &columns, row));
        proposal.map.into_iter().find(|line| line.key == "day").map(|line| line.value)
    };
    assert_eq!(of(true).as_deref(), Some("CAST(date_trunc('day', to_timestamp_millis(trade)) AS DATE)"));
    assert_eq!(of(false), None);
}

#[test]
fn messages_without_a_key_are_no_older_versions_of_each_other() {
    // A third of the messages, those without a sequence, have no row: they are lost, and nothing replaced them.
    let sequence = |nth: i64| if nth % 3 == 0 { Value::Null } else { Value::integer(700 + nth) };
    let columns = [("id", Type::String), ("source_sequence", Type::Long)];
    let both = move |nth: i64| vec![id(nth), sequence(nth)];
    let mut evidence = sample(&["id", "source_sequence"], both, &columns, both);
    evidence.rows.values = (0..COUNT).filter(|nth| nth % 3 != 0).map(both).collect();
    assert_eq!(proposed(&evidence).choice.mode, key(&["id"]));
}
