//! Proposals of samples written by hand: what each decision rests on.

use std::collections::BTreeSet;

use validator_core::contract::Format;
use validator_core::schema::{Field, Schema, Type};
use validator_core::value::Value;

use super::claims::{Claims, Commit};
use super::evidence::{Evidence, Leaf, MessageField, Messages, Rows};
use super::identity::Mode;
use super::proposal::{Proposal, Unpaired, propose};

mod texts;

const COUNT: i64 = 60;
const START_MS: i64 = 1_723_118_400_000;

/// A sample of messages of these fields, and of rows of these columns; message and row of one number belong together.
fn sample(
    fields: &[&str],
    message: impl Fn(i64) -> Vec<Value>,
    columns: &[(&str, Type)],
    row: impl Fn(i64) -> Vec<Value>,
) -> Evidence {
    let meta = ["_topic", "_partition", "_offset", "_timestamp", "_key", "_value"];
    let field = |name: &&str, is_meta| MessageField { name: (*name).to_owned(), ty: None, is_meta };
    let of = |nth: i64| {
        let own = message(nth);
        let payload = own.iter().map(|value| format!("{value},")).collect::<String>().into_bytes();
        let at = Value::timestamp_micros((START_MS + nth) * 1_000, true);
        let beside = [Value::string("trades"), Value::integer(nth % 2), Value::integer(nth / 2), at, Value::Null];
        beside.into_iter().chain([Value::Bytes(payload)]).chain(own).collect()
    };
    let leaf = |(column, (name, ty)): (usize, &(&str, Type))| Leaf {
        path: (*name).to_owned(),
        field: Field::new(column as i32 + 1, *name, false, ty.clone()),
        column,
        is_child: false,
    };
    let leaves: Vec<Leaf> = columns.iter().enumerate().map(leaf).collect();
    Evidence {
        topic: "trades".to_owned(),
        partitions: vec![(0, COUNT / 2), (1, COUNT / 2)],
        format: Format::Json,
        schema: Schema::new(leaves.iter().map(|leaf| leaf.field.clone()).collect()),
        messages: Messages {
            fields: meta
                .iter()
                .map(|name| field(name, true))
                .chain(fields.iter().map(|name| field(name, false)))
                .collect(),
            values: (0..COUNT).map(of).collect(),
            ..Messages::default()
        },
        rows: Rows { leaves, values: (0..COUNT).map(row).collect() },
        is_whole: true,
        partitioned_by: BTreeSet::new(),
        commits_ms: Vec::new(),
        compacted_away: None,
        claims: Claims::default(),
    }
}

fn text(text: String) -> Value {
    Value::String(text)
}

fn id(nth: i64) -> Value {
    text(format!("id-{nth}"))
}

fn price(nth: i64) -> Value {
    Value::integer(nth * 7 + 1_000)
}

/// Messages of id and price; rows of those and of one more column.
fn with(name: &str, ty: Type, value: impl Fn(i64) -> Value) -> Evidence {
    let columns = [("id", Type::String), ("price", Type::Long), (name, ty)];
    sample(&["id", "price"], |nth| vec![id(nth), price(nth)], &columns, |nth| vec![id(nth), price(nth), value(nth)])
}

fn proposed(evidence: &Evidence) -> Proposal {
    propose(evidence).unwrap_or_else(|unpaired| panic!("{unpaired:?}"))
}

fn key(columns: &[&str]) -> Mode {
    Mode::Key { columns: columns.iter().map(|name| (*name).to_owned()).collect(), window: None }
}

#[test]
fn offsets_are_verified_and_not_believed() {
    let of = |offset: fn(i64) -> i64| {
        let columns = [("id", Type::String), ("partition", Type::Int), ("offset", Type::Long)];
        let row = move |nth: i64| vec![id(nth), Value::integer(nth % 2), Value::integer(offset(nth))];
        proposed(&sample(&["id"], |nth| vec![id(nth)], &columns, row)).choice
    };
    assert!(matches!(of(|nth| nth / 2).mode, Mode::Offset { .. }));
    for (offset, why) in [
        ((|_| 0) as fn(i64) -> i64, "offset holds 0 in all 60 rows sampled: a constant, not Kafka's offset"),
        (|nth| nth + 1_000, "offset is no offset that the topic has in 60 of 60 rows sampled"),
        (
            |nth| (nth / 2 + 1) % 30,
            "offset is the offset of the tied message in 0 of 60 rows: it is another topic's, or none",
        ),
    ] {
        let choice = of(offset);
        assert_eq!(choice.mode, key(&["id"]));
        assert_eq!(choice.refused, [why]);
    }
}

#[test]
fn claims_are_told_where_they_speak_against_the_columns_and_choose_nothing() {
    let commits = |operation: &str, key: &str, count: usize| {
        let commit = Commit { operation: operation.to_owned(), summary: [(key.to_owned(), String::new())].into() };
        vec![commit; count]
    };
    let of = |claims: Claims| {
        let mut evidence = with("made", Type::Int, |_| Value::integer(1));
        evidence.claims = claims;
        proposed(&evidence)
    };
    let silent = of(Claims::default());
    let upsert = [("write.upsert.enabled".to_owned(), "TRUE".to_owned())];
    for claims in [
        Claims { commits: commits("overwrite", "flinkish", 3), ..Claims::default() },
        Claims { commits: commits("append", "kafka.connect.commit-id", 3), ..Claims::default() },
        Claims { properties: upsert.into(), ..Claims::default() },
    ] {
        let proposal = of(claims.clone());
        assert_eq!(proposal.choice.mode, silent.choice.mode);
        assert_eq!(proposal.choice.evidence[silent.choice.evidence.len()..], claims.said());
        let is_told = proposal.undecided.iter().any(|open| open.starts_with("write.upsert.enabled is true"));
        assert_eq!(is_told, !claims.properties.is_empty(), "{:?}", proposal.undecided);
    }
    let mixed = [commits("append", "flink.job-id", 2), commits("append", "spark.app.id", 1), commits("delete", "x", 1)];
    let claims = Claims { commits: mixed.concat(), ..Claims::default() };
    assert_eq!(claims.writer(), None, "half of them are no majority");
    assert_eq!(
        claims.said(),
        [
            "Flink is named by 2 of the newest 4 commits (flink.*)",
            "Spark is named by 1 of the newest 4 commits (spark.*)",
            "no writer is named by 1 of the newest 4 commits",
            "1 of the newest 4 commits replace or delete rows, 3 append",
        ]
    );
}

#[test]
fn copies_in_the_table_do_not_take_a_key_away_and_clashes_of_messages_do() {
    let mut copied = with("made", Type::Int, |_| Value::integer(1));
    let again = copied.rows.values[..20].to_vec();
    copied.rows.values.extend(again);
    assert_eq!(proposed(&copied).choice.mode, key(&["id"]));

    let columns = [("id", Type::String), ("price", Type::Long)];
    let twice = |nth: i64| vec![id(nth / 2), price(nth)];
    let clashing = sample(&["id", "price"], twice, &columns, twice);
    assert_eq!(proposed(&clashing).choice.mode, Mode::Content { window: None });
}

#[test]
fn a_word_that_tells_few_messages_apart_is_no_part_of_a_key_and_one_that_tells_many_is() {
    let columns = [("trade_id", Type::String), ("side", Type::String), ("price", Type::Long)];
    // So many pairs of trades of one id, each of both sides.
    let of = |pairs: i64| {
        let twin = move |nth: i64| if nth < 2 * pairs { nth / 2 } else { nth };
        let values =
            move |nth: i64| vec![id(twin(nth)), text(["BUY", "SELL"][(nth % 2) as usize].to_owned()), price(nth)];
        proposed(&sample(&["trade_id", "side", "price"], values, &columns, values)).choice.mode
    };
    assert_eq!(of(0), key(&["trade_id"]));
    for few in [1, 3, 13] {
        assert_eq!(of(few), Mode::Content { window: None }, "{few}: each tells a pair apart for each second pair");
    }
    assert_eq!(of(20), key(&["trade_id", "side"]));
}

#[test]
fn a_time_is_no_key_though_it_is_unique() {
    let columns = [("trade_time_ms", Type::Long), ("seen_seq", Type::Long)];
    let values = |nth: i64| vec![Value::integer(START_MS + nth), Value::integer(START_MS * 1_000 + nth)];
    let choice = proposed(&sample(&["trade_time_ms", "seen_seq"], values, &columns, values)).choice;
    assert_eq!(choice.mode, Mode::Content { window: None });
}

#[test]
fn a_column_is_explained_by_equal_values_and_not_by_its_name_alone() {
    let renamed = proposed(&with("amount", Type::Long, price));
    assert_eq!(
        renamed.map.iter().map(|line| (line.key.as_str(), line.value.as_str())).collect::<Vec<_>>(),
        [("amount", "price")]
    );
    assert_eq!(renamed.ignore, []);
}

#[test]
fn damage_stays_in_sight_and_a_rule_that_is_not_seen_is_ignored_with_its_reason() {
    let columns = [("id", Type::String), ("price", Type::Long)];
    let of = |every: i64| {
        let row = move |nth: i64| vec![id(nth), if nth % every == 0 { Value::integer(-nth - 1) } else { price(nth) }];
        proposed(&sample(&["id", "price"], |nth| vec![id(nth), price(nth)], &columns, row))
    };
    let damaged = of(4);
    assert_eq!(damaged.ignore, []);
    assert!(
        damaged.undecided[0].starts_with("column price differs from field price in 15 of 60 tied rows"),
        "{damaged:?}"
    );
    let other = of(1);
    assert_eq!(other.ignore.len(), 1);
    assert!(other.ignore[0].1.starts_with("equals the field of its name in hardly any tied row"), "{:?}", other.ignore);
    assert_eq!(
        other.unexplained,
        [
            "column price is not what field price says in nearly all of 60 tied rows: damage, or a rule that the sample does \
          not show"
        ]
    );
    assert!(damaged.unexplained.is_empty() && other.undecided.contains(&other.unexplained[0]));
}

#[test]
fn a_column_without_what_its_field_says_is_no_proof() {
    let columns = [("id", Type::String), ("Price", Type::Long), ("side", Type::String)];
    let side = |nth: i64| text(["buy", "sell"][(nth % 2) as usize].to_owned());
    let of = |price: fn(i64) -> Value, at: fn(i64) -> Value| {
        let message = move |nth: i64| vec![id(nth), Value::integer(nth * 7 + 1_000), side(nth)];
        let row = move |nth: i64| vec![id(nth), price(nth), at(nth)];
        proposed(&sample(&["id", "price", "side"], message, &columns, row)).unexplained
    };
    let (sound, word) = (price as fn(i64) -> Value, (|_| text("UNKNOWN".to_owned())) as fn(i64) -> Value);
    assert!(of(sound, word).is_empty(), "a word for each of few values may be a rule");
    let lost = of(|_| Value::Null, |_| Value::Null);
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(
        lost[0].starts_with("column Price is NULL in every row sampled, and field price has a value in 60 of 60"),
        "{lost:?}"
    );
    let constant = of(|_| Value::integer(0), word);
    assert!(
        constant.len() == 1 && constant[0].starts_with("column Price is not what field price says"),
        "{constant:?}"
    );
}

#[test]
fn the_reason_to_ignore_a_column_is_what_was_seen_in_it() {
    let uuid = |nth: i64| text(format!("{:08x}-1111-4111-8111-111111111111", nth * 7_919 + 5));
    let late = |nth: i64| Value::timestamp_micros((START_MS + 60_000 + nth) * 1_000, true);
    for (evidence, why) in [
        (with("made", Type::String, uuid), "different in every row of 60: a uuid made by the sink, and in no message"),
        (
            with("made", Type::Timestamptz, late),
            "after the message's timestamp in every row: a processing time of the sink",
        ),
        (
            with("made", Type::Int, |_| Value::integer(0)),
            "0 in all 60 rows sampled: a constant of the sink, and in no message",
        ),
        (with("made", Type::String, |_| Value::Null), "NULL in all 60 rows sampled"),
    ] {
        assert_eq!(proposed(&evidence).ignore, [("made".to_owned(), why.to_owned())]);
    }
}

#[test]
fn the_window_is_a_time_of_both_sides_and_that_of_the_partitions_goes_first() {
    let columns = [("id", Type::String), ("sent", Type::Timestamptz), ("traded", Type::Timestamptz)];
    let at = |nth: i64, by: i64| Value::timestamp_micros((START_MS + nth * 7 + by) * 1_000, true);
    let values = move |nth: i64| vec![id(nth), at(nth, 1), at(nth, 2)];
    let mut evidence = sample(&["id", "sent", "traded"], values, &columns, values);
    let window = |evidence: &Evidence| match proposed(evidence).choice.mode {
        Mode::Key { window, .. } => window,
        other => panic!("{other:?}"),
    };
    assert_eq!(window(&evidence).as_deref(), Some("sent"));
    evidence.partitioned_by.insert("traded".to_owned());
    assert_eq!(window(&evidence).as_deref(), Some("traded"));
    evidence.rows.values[3][2] = Value::Null;
    assert_eq!(window(&evidence).as_deref(), Some("sent"), "a NULL has no window");
}

#[test]
fn sides_that_have_nothing_in_common_give_no_proposal() {
    let columns = [("candle", Type::Long)];
    let evidence = sample(&["id"], |nth| vec![id(nth)], &columns, |nth| vec![Value::integer(9_000_000 + nth)]);
    let unpaired = propose(&evidence).expect_err("nothing ties them");
    let Unpaired::Untied { seen } = unpaired else { panic!("{unpaired:?}") };
    assert_eq!(seen[0], "60 messages and 60 rows were held against each other, value by value");
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[test]
fn a_reading_that_fits_half_of_the_messages_does_not_choose_its_own_half_as_ties() {
    // Every other message is at a whole second; the sink cuts all of them.
    let columns = [("at", Type::Timestamptz), ("price", Type::Long)];
    let time =
        |nth: i64| text(format!("2024-08-08T12:00:{:02}.{}Z", nth / 2, if nth % 2 == 0 { "000" } else { "250" }));
    let second = |nth: i64| Value::timestamp_micros((START_MS + nth / 2 * 1_000) * 1_000, true);
    let message = move |nth: i64| vec![time(nth), Value::integer(nth % 7)];
    let evidence = sample(&["at", "price"], message, &columns, move |nth| vec![second(nth), Value::integer(nth % 7)]);
    let proposal = proposed(&evidence);
    assert_eq!(proposal.map.iter().map(|line| line.value.as_str()).collect::<Vec<_>>(), ["date_trunc('second', at)"]);
    assert_eq!(proposal.ties, 60);
}

/// Messages and rows of one number, with a column that is made of several fields.
fn derived(ty: Type, value: impl Fn(i64) -> Value) -> Evidence {
    let fields = ["id", "venue", "p", "q", "pair"];
    let message = |nth: i64| {
        let (p, q) = (Value::string(format!("{nth}.25")), Value::string(format!("0.{}1", nth + 10)));
        let pair = text(format!("{}/USD{}", ["XBT", "ETH", "DOGE"][(nth % 3) as usize], nth % 5));
        vec![id(nth), text(format!("V{}", nth % 4)), p, q, pair]
    };
    let columns = [("id", Type::String), ("made", ty)];
    sample(&fields, message, &columns, move |nth| vec![id(nth), value(nth)])
}

fn decimal(scale: u8) -> Type {
    Type::Decimal { precision: 38, scale }
}

/// The product of `p` and `q`, with five digits behind the point.
fn product(nth: i64) -> i128 {
    i128::from(nth * 100 + 25) * i128::from((nth + 10) * 10 + 1)
}

#[test]
fn a_rule_over_several_fields_is_written_where_every_pair_bears_it_out() {
    let pair = |nth: i64| format!("{}/USD{}", ["XBT", "ETH", "DOGE"][(nth % 3) as usize], nth % 5);
    for (evidence, sql) in [
        (derived(decimal(5), |nth| Value::decimal(product(nth), 5)), "p * q"),
        (derived(decimal(2), |nth| Value::decimal(product(nth) / 1_000, 2)), "p * q - p * q % 0.01"),
        (derived(decimal(2), |nth| Value::decimal((product(nth) + 500) / 1_000, 2)), "round(p * q, 2)"),
        (derived(Type::String, |nth| text(format!("V{}:id-{nth}", nth % 4))), "venue || ':' || id"),
        (derived(Type::String, |nth| text(format!("<id-{nth}>"))), "'<' || id || '>'"),
        (derived(Type::String, move |nth| text(pair(nth).replace('/', ""))), "replace(pair, '/', '')"),
        (derived(Type::String, move |nth| text(pair(nth)[pair(nth).len() - 4..].to_owned())), "right(pair, 4)"),
    ] {
        let proposal = proposed(&evidence);
        let made = proposal.map.iter().find(|line| line.key == "made");
        assert_eq!(made.map(|line| line.value.as_str()), Some(sql), "{proposal:?}");
        assert!(made.is_some_and(|line| line.seen.contains("equal in all 60 tied rows")), "{made:?}");
    }
}

#[test]
fn one_pair_that_differs_or_too_few_pairs_refuse_a_rule() {
    let of = |count: i64, wrong: Option<i64>| {
        let value = move |nth: i64| match wrong == Some(nth) {
            true => Value::decimal(product(nth) + 1, 5),
            false => Value::decimal(product(nth), 5),
        };
        let mut evidence = derived(decimal(5), value);
        evidence.messages.values.truncate(count as usize);
        evidence.rows.values.truncate(count as usize);
        proposed(&evidence)
    };
    assert_eq!(of(60, None).ignore, []);
    assert_eq!(of(60, Some(41)).ignore.len(), 1);
    assert_eq!(of(20, None).ignore, []);
    assert_eq!(of(19, None).ignore.len(), 1);
    let same = |nth: i64| Value::decimal(product(nth % 2), 5);
    assert_eq!(proposed(&derived(decimal(5), same)).ignore.len(), 1, "two values are equal by chance");
}

#[test]
fn a_field_that_a_rule_takes_is_kept_and_has_a_type() {
    let proposal = proposed(&derived(decimal(5), |nth| Value::decimal(product(nth), 5)));
    let types: Vec<(&str, &str)> =
        proposal.fields.iter().map(|line| (line.key.as_str(), line.value.as_str())).collect();
    assert_eq!(types, [("p", "decimal(38, 18)"), ("q", "decimal(38, 18)")]);
    assert_eq!(proposal.drop.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["venue", "pair"]);
}

#[test]
fn a_day_that_may_be_of_either_of_two_times_is_of_none() {
    let columns = [("id", Type::String), ("at", Type::Timestamptz), ("day", Type::Date), ("stored", Type::Timestamptz)];
    let micros = |nth: i64| START_MS * 1_000 + nth * 14_400_000_000;
    let of = |lag: i64| {
        let row = move |nth: i64| {
            let day = i32::try_from(micros(nth).div_euclid(86_400_000_000)).expect("2024");
            let at = |micros| Value::timestamp_micros(micros, true);
            vec![id(nth), at(micros(nth)), Value::Date(day), at(micros(nth) + lag)]
        };
        let message = move |nth: i64| vec![id(nth), Value::integer(micros(nth))];
        let proposal = proposed(&sample(&["id", "us"], message, &columns, row));
        proposal.map.into_iter().find(|line| line.key == "day").map(|line| line.value)
    };
    assert_eq!(of(1), None, "stored within the same day, always");
    assert_eq!(of(40_000_000_000).as_deref(), Some("CAST(date_trunc('day', us) AS DATE)"));
}
