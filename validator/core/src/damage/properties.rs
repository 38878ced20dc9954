//! Damage done on purpose to random values: the class is named, or one before it that fits as well; and values that have
//! nothing to do with each other are named `other`.
//!
//! The generator is deterministic: a failure prints the pair, and comes again in the next run.

use std::slice::from_ref;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::convert::decimal::POWERS_OF_TEN;

const SAMPLES: usize = 3_000;
const PRICE: Type = Type::Decimal { precision: 18, scale: 8 };

/// Draws samples, and holds `damaged` to name `wanted` in at least `share` of those that changed; the rest must be named by a
/// class before it.
#[track_caller]
fn named<T>(
    wanted: Damage,
    share: f64,
    ty: &Type,
    strategy: impl Strategy<Value = T>,
    damaged: impl Fn(T) -> (Value, Value),
) {
    let mut runner = TestRunner::deterministic();
    let fields = [Field::new(1, "c", false, ty.clone())];
    let (mut changed, mut right) = (0_u32, 0_u32);
    let mut other = Vec::new();
    for _ in 0..SAMPLES {
        let sample = strategy.new_tree(&mut runner).expect("the strategy rejects nothing").current();
        let (message, row) = damaged(sample);
        if message == row {
            continue;
        }
        changed += 1;
        let found = differences(&fields, from_ref(&message), from_ref(&row), &DamageContext::none())[0].damage;
        assert!(found <= wanted, "{ty}: {message} → {row} is {found:?}, not {wanted:?}");
        right += u32::from(found == wanted);
        if found != wanted && other.len() < 10 {
            other.push(format!("{message} → {row}: {found:?}"));
        }
    }
    assert!(changed > SAMPLES as u32 / 10, "only {changed} samples changed");
    let found = f64::from(right) / f64::from(changed);
    assert!(found >= share, "{ty}: {wanted:?} in {found:.4} of {changed}, wanted {share}: {other:#?}");
}

/// Unscaled values of every length up to 10^17.
fn unscaled() -> impl Strategy<Value = i128> {
    (1_i128..POWERS_OF_TEN[17], 0_usize..16, any::<bool>())
        .prop_map(|(number, cut, negative)| (number / POWERS_OF_TEN[cut]) * if negative { -1 } else { 1 })
}

/// Microseconds from 1950 to 2050.
fn micros() -> impl Strategy<Value = i64> {
    -631_152_000_000_000_i64..2_524_608_000_000_000
}

fn price(unscaled: i128) -> Value {
    Value::decimal(unscaled, 8)
}

fn instant(micros: i64) -> Value {
    Value::timestamp_micros(micros, true)
}

/// `unscaled` without its last `digits` digits, rounded half up, as BigDecimal does.
fn half_up(unscaled: i128, digits: usize) -> i128 {
    let power = POWERS_OF_TEN[digits];
    let half = power / 2 * unscaled.signum();
    (unscaled + half) / power * power
}

#[test]
fn numbers() {
    named(Damage::SignFlip, 1.0, &PRICE, unscaled(), |n| (price(n), price(-n)));
    named(Damage::UnitShift, 1.0, &PRICE, unscaled(), |n| (price(n / 1_000), price(n / 1_000 * 1_000)));
    named(Damage::UnitShift, 0.9, &PRICE, 1_i128..POWERS_OF_TEN[17], |n| (price(n), price(n / 1_000)));
    let digits = || (unscaled(), 1_usize..=8);
    named(Damage::Truncated, 0.99, &PRICE, digits(), |(n, d)| {
        (price(n), price(n / POWERS_OF_TEN[d] * POWERS_OF_TEN[d]))
    });
    // Half of all roundings go down, which is truncation.
    named(Damage::PrecisionLost, 0.35, &PRICE, digits(), |(n, d)| (price(n), price(half_up(n, d))));
    let long = (1_i64..i64::MAX, 0_u32..31).prop_map(|(n, shift)| n >> shift);
    named(Damage::OverflowWrap, 0.99, &Type::Long, long, |n| (Value::integer(n), Value::integer(i64::from(n as i32))));
    let text = (1_i64..i64::MAX).prop_map(|n| Value::Inexact(n.to_string()));
    named(Damage::OverflowWrap, 0.99, &Type::Int, text, |message| {
        let whole: i64 = message.to_string().parse().expect("an integer's text");
        (message, Value::integer(i64::from(whole as i32)))
    });
}

#[test]
fn numbers_through_binary_floats() {
    let wide = Type::Decimal { precision: 38, scale: 20 };
    named(Damage::FloatRoundTrip, 0.99, &wide, 1_i128..POWERS_OF_TEN[30], |n| {
        let held: f64 = Value::decimal(n, 20).to_string().parse().expect("a number");
        let row: i128 = format!("{held:.20}").replace('.', "").parse().expect("digits");
        (Value::decimal(n, 20), Value::decimal(row, 20))
    });
    named(Damage::FloatRoundTrip, 0.95, &Type::Long, 1_i64 << 53..i64::MAX - 1_024, |n| {
        (Value::integer(n), Value::integer(n as f64 as i64))
    });
    named(Damage::FloatRoundTrip, 0.95, &Type::Long, 1_i64 << 25..1 << 40, |n| {
        (Value::integer(n), Value::integer(n as f32 as i64))
    });
    // Of a float's seven digits the last are often cut ones of the double.
    named(Damage::FloatRoundTrip, 0.75, &Type::Double, 1e-3..1e9_f64, |n| {
        (Value::Double(n), Value::Double(f64::from(n as f32)))
    });
    // V06: a product in doubles, rounded to the scale.
    let factors = (1_i64..100_000_000_000, 1_i64..100_000_000_000);
    named(Damage::FloatRoundTrip, 0.99, &Type::Decimal { precision: 38, scale: 16 }, factors, |(a, b)| {
        let product = a as f64 / 1e8 * (b as f64 / 1e8);
        let row: i128 = format!("{product:.16}").replace('.', "").parse().expect("digits");
        (Value::decimal(i128::from(a) * i128::from(b), 16), Value::decimal(row, 16))
    });
}

#[test]
fn instants() {
    let zoned = Type::Timestamptz;
    let zones = (micros(), (-104_i64..=104).prop_filter("a shift", |quarters| *quarters != 0));
    named(Damage::ZoneShift, 0.99, &zoned, zones, |(n, quarters)| (instant(n), instant(n + quarters * 900_000_000)));
    for unit in [1_000, 1_000_000, 60_000_000] {
        named(Damage::Truncated, 0.99, &zoned, micros(), |n| (instant(n), instant(n.div_euclid(unit) * unit)));
        named(Damage::Truncated, 0.99, &zoned, micros(), |n| (instant(n), instant(n / unit * unit)));
    }
    // Down is truncation, and before 1970 either way is.
    named(Damage::PrecisionLost, 0.35, &zoned, micros(), |n| {
        (instant(n), instant((n + 500).div_euclid(1_000) * 1_000))
    });
    for ratio in [1_000, 1_000_000] {
        named(Damage::UnitShift, 1.0, &zoned, micros(), |n| (instant(n), instant(n / ratio)));
    }
    named(Damage::UnitShift, 1.0, &zoned, micros(), |n| (instant(n), instant(n * 1_000)));
    let late = 253_402_300_800_000_000_i64 / 25..253_402_300_800_000_000;
    named(Damage::OverflowWrap, 0.95, &zoned, late, |n| (instant(n), instant((i128::from(n) * 1_000) as i64 / 1_000)));
    let nanos = 1_000_000_000_000_000_000_i64..2_000_000_000_000_000_000;
    named(Damage::FloatRoundTrip, 0.98, &Type::TimestamptzNs, nanos, |n| {
        (Value::timestamp_nanos(n, true), Value::timestamp_nanos(n as f64 as i64, true))
    });
}

#[test]
fn texts() {
    let text = Type::String;
    let word = || "[a-zA-Z0-9 ]{1,20}[a-zé]";
    named(Damage::CaseOrTrim, 0.99, &text, word(), |word| {
        (Value::string(format!(" {word}  ")), Value::string(word.to_uppercase()))
    });
    named(Damage::CaseOrTrim, 0.99, &text, word(), |word| (Value::string(format!("{word} \t")), Value::string(word)));
    named(Damage::Truncated, 0.99, &text, (word(), word()), |(a, b)| {
        (Value::string(format!("{a}x{b}")), Value::string(a))
    });
    let foreign = || "[a-z€äöß日한ñ]{3,12}[é€ж]";
    named(Damage::Encoding, 1.0, &text, foreign(), |word| {
        let latin: String = word.bytes().map(char::from).collect();
        (Value::string(word), Value::string(latin))
    });
    named(Damage::Encoding, 0.98, &text, foreign(), |word| {
        let row: String = word.chars().map(|c| if c.is_ascii() { c } else { '\u{fffd}' }).collect();
        (Value::string(word), Value::string(row))
    });
    named(Damage::Encoding, 1.0, &Type::Binary, prop::collection::vec(0x80_u8..0xc0, 1..20), |bytes| {
        (Value::Bytes(bytes.clone()), Value::Bytes(String::from_utf8_lossy(&bytes).into_owned().into_bytes()))
    });
    let enums = prop::sample::subsequence(vec!["BUY", "SELL", "LIMIT", "MARKET", "STOP_LOSS", "TAKE_PROFIT"], 2);
    named(Damage::EnumRemap, 1.0, &text, enums, |pair| (Value::string(pair[0]), Value::string(pair[1])));
}

#[test]
fn flipped_bits() {
    let flip = |share, ty: &Type, width: u32, of: fn(u64) -> Value| {
        named(Damage::BitFlip, share, ty, (any::<u64>(), 0..width), move |(bits, at)| (of(bits), of(bits ^ 1 << at)));
    };
    flip(0.95, &Type::Int, 32, |bits| Value::integer(i64::from(bits as i32)));
    flip(0.95, &Type::Long, 63, |bits| Value::integer((bits >> 1) as i64));
    flip(0.93, &PRICE, 55, |bits| price(i128::from(bits >> 9)));
    flip(0.85, &Type::Double, 64, |bits| Value::Double(f64::from_bits(bits & !(1 << 62) | 1)));
    flip(0.90, &Type::Timestamptz, 50, |bits| instant((bits >> 14) as i64));
    flip(0.90, &Type::Date, 15, |bits| Value::Date((bits & 0x7fff) as i32));
    named(Damage::BitFlip, 1.0, &Type::Uuid, (any::<u128>(), 0_u32..128), |(bits, at)| {
        (Value::Uuid(bits.to_be_bytes()), Value::Uuid((bits ^ 1 << at).to_be_bytes()))
    });
    // One bit of a letter is its case.
    named(Damage::BitFlip, 0.90, &Type::String, ("[a-z0-9]{8,20}", 0_usize..8, 0_u32..7), |(text, at, bit)| {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1_u8 << bit;
        (Value::string(text), Value::string(String::from_utf8(bytes).expect("ASCII stays ASCII")))
    });
}

#[test]
fn columns_of_a_row() {
    let fields = [Field::new(1, "a", false, PRICE), Field::new(2, "b", false, PRICE)];
    let mut runner = TestRunner::deterministic();
    let (mut right, mut changed) = (0_u32, 0_u32);
    for _ in 0..SAMPLES {
        let pair = (unscaled(), unscaled()).new_tree(&mut runner).expect("nothing is rejected").current();
        let (a, b) = (price(pair.0), price(pair.1));
        let found = differences(&fields, &[a.clone(), b.clone()], &[b.clone(), a.clone()], &DamageContext::none());
        if a != b {
            changed += 1;
            assert!(
                found.len() == 2 && found.iter().all(|column| column.damage <= Damage::ColumnSwap),
                "{a} ↔ {b}: {found:?}"
            );
            right += u32::from(found.iter().all(|column| column.damage == Damage::ColumnSwap));
        }
    }
    assert!(f64::from(right) >= 0.97 * f64::from(changed), "{right} of {changed}");
}

#[test]
fn values_that_have_nothing_to_do_with_each_other_are_other() {
    let other = |share, ty: &Type, strategy: BoxedStrategy<(Value, Value)>| {
        named(Damage::Other, share, ty, strategy, |pair| pair)
    };
    let two = |one: BoxedStrategy<Value>| (one.clone(), one).boxed();
    let magnitudes = (any::<i64>(), 0_u32..40).prop_map(|(n, shift)| Value::integer(n >> shift)).boxed();
    other(0.98, &Type::Long, two(magnitudes));
    // Prices of one day, in cents and in full.
    other(0.98, &PRICE, two((6_500_000_i128..6_600_000).prop_map(|cents| price(cents * 1_000_000)).boxed()));
    other(
        0.98,
        &Type::Decimal { precision: 12, scale: 2 },
        two((6_500_000_i128..6_600_000).prop_map(|n| Value::decimal(n, 2)).boxed()),
    );
    other(0.99, &PRICE, two((6_500_000_000_000_i128..6_600_000_000_000).prop_map(price).boxed()));
    other(0.98, &Type::Double, two((65_000.0..66_000.0_f64).prop_map(Value::Double).boxed()));
    // Instants of one hour, ids and words.
    other(0.98, &Type::Timestamptz, two((1_723_075_200_000_000_i64..1_723_078_800_000_000).prop_map(instant).boxed()));
    other(0.98, &Type::Long, two((1_723_075_200_000_i64..1_723_078_800_000).prop_map(Value::integer).boxed()));
    other(1.0, &Type::Uuid, two(any::<u128>().prop_map(|bits| Value::Uuid(bits.to_be_bytes())).boxed()));
    other(0.99, &Type::String, two("[a-z]{3,12} [a-zé]{3,12}".prop_map(Value::String).boxed()));
    other(1.0, &Type::Binary, two(prop::collection::vec(any::<u8>(), 8..20).prop_map(Value::Bytes).boxed()));
}
