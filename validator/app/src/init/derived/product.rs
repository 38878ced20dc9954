//! The product of two numbers of the message, as it is, rounded to the column's digits, or cut to them; or that of two
//! doubles, cut, which is another in some last digits.
//!
//! `p * q`, `round(p * q, 8)`, `p * q - p * q % 0.00000001`,
//! `CAST(trunc(CAST(p AS DOUBLE) * CAST(q AS DOUBLE) * 100000000) AS BIGINT) * 0.00000001`.

use validator_core::convert::Parsed;
use validator_core::convert::decimal::parse_decimal;
use validator_core::schema::Type;
use validator_core::value::Value;

use super::{Derived, Part, Sought};
use crate::init::columns::short;
use crate::init::limits::DERIVED_FIELDS_MAX;

/// What becomes of digits that the column does not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    Kept,
    Rounded,
    Cut,
    /// Of the product of doubles, taken as many times as the column's digits count and cut to a whole number: ClickHouse's
    /// `toDecimal64(toFloat64(p) * toFloat64(q), 8)`.
    CutOfDoubles,
}

/// The plainest first.
const DIGITS: [Digits; 4] = [Digits::Kept, Digits::Rounded, Digits::Cut, Digits::CutOfDoubles];

/// See the module.
pub fn find(sought: &Sought<'_>) -> Option<Derived> {
    let Type::Decimal { scale, .. } = *sought.ty() else { return None };
    let is_number =
        |field: &usize| sought.lesson(&[*field]).is_some_and(|lesson| number(sought.message(lesson, *field)).is_some());
    let fields: Vec<usize> = sought.fields().filter(is_number).take(DERIVED_FIELDS_MAX).collect();
    let pairs = fields.iter().enumerate().flat_map(|(at, first)| fields[at + 1..].iter().map(move |s| (*first, *s)));
    pairs
        .flat_map(|pair| DIGITS.map(|digits| (pair, digits)))
        .find_map(|((first, second), digits)| of_fields(sought, (first, second), digits, scale))
}

fn of_fields(sought: &Sought<'_>, (first, second): (usize, usize), digits: Digits, scale: u8) -> Option<Derived> {
    let name = |field: usize| short(&sought.evidence.messages.fields[field].name);
    let says = match digits {
        Digits::Kept => format!("{} times {}", name(first), name(second)),
        Digits::Rounded => format!("{} times {}, rounded to {scale} digits", name(first), name(second)),
        Digits::Cut => format!("{} times {}, cut to {scale} digits", name(first), name(second)),
        Digits::CutOfDoubles => format!("{} times {} in doubles, cut to {scale} digits", name(first), name(second)),
    };
    let seen = sought.borne_out(&says, |tie| {
        let (a, b) = (sought.message(tie, first), sought.message(tie, second));
        if a.is_null() || b.is_null() {
            return Some(Value::Null);
        }
        product(number(a)?, number(b)?, digits, scale)
    })?;
    let (a, b) = (|| Part::Number(first), || Part::Number(second));
    let sql = |text: String| Part::Sql(text);
    let times = || [a(), sql(" * ".to_owned()), b()];
    let parts: Vec<Part> = match digits {
        Digits::Kept => times().into(),
        Digits::Rounded => {
            std::iter::once(sql("round(".to_owned())).chain(times()).chain([sql(format!(", {scale})"))]).collect()
        }
        Digits::Cut => {
            let end = sql(format!(" % {}", unit(scale)));
            times().into_iter().chain([sql(" - ".to_owned())]).chain(times()).chain([end]).collect()
        }
        Digits::CutOfDoubles => vec![
            sql("CAST(trunc(CAST(".to_owned()),
            a(),
            sql(" AS DOUBLE) * CAST(".to_owned()),
            b(),
            sql(format!(" AS DOUBLE) * {}) AS BIGINT) * {}", 10_i64.checked_pow(scale.into())?, unit(scale))),
        ],
    };
    Some(Derived { parts, seen, tolerance: None })
}

/// One of the column's last digit, as SQL writes it.
fn unit(scale: u8) -> String {
    match scale {
        0 => "1".to_owned(),
        digits => format!("0.{}1", "0".repeat(usize::from(digits) - 1)),
    }
}

/// The number that a value is, or that its text is: its digits and how many of them are behind the point.
fn number(value: &Value) -> Option<(i128, u8)> {
    match value {
        Value::Number { unscaled, scale } => Some((*unscaled, *scale)),
        Value::String(text) => {
            let scale = text.split_once('.').map_or(0, |(_, digits)| digits.len());
            let scale = u8::try_from(scale).ok().filter(|scale| *scale <= 38)?;
            match parse_decimal(text, 38, scale) {
                Parsed::Exact(unscaled) => Some((unscaled, scale)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// None where more digits would be needed than are computed with here, or fewer than the rule takes away.
fn product((a, of_a): (i128, u8), (b, of_b): (i128, u8), digits: Digits, scale: u8) -> Option<Value> {
    if digits == Digits::CutOfDoubles {
        let double = |unscaled, scale| Value::decimal(unscaled, scale).to_string().parse::<f64>().ok();
        let cut = (double(a, of_a)? * double(b, of_b)? * 10_f64.powi(scale.into())).trunc();
        // What a BIGINT holds, and a double tells apart.
        return (cut.abs() < 9.0e18).then(|| Value::decimal(cut as i128, scale));
    }
    let (unscaled, of) = (a.checked_mul(b)?, of_a.checked_add(of_b)?);
    let Some(more) = of.checked_sub(scale).filter(|more| *more > 0) else {
        return Some(Value::decimal(unscaled, of));
    };
    let unit = 10_i128.checked_pow(u32::from(more))?;
    let kept = match digits {
        Digits::Kept if unscaled % unit != 0 => return None,
        Digits::Kept | Digits::Cut | Digits::CutOfDoubles => unscaled / unit,
        // Half of a unit goes away from zero, as `round` does.
        Digits::Rounded => (unscaled.checked_add(unscaled.signum() * (unit / 2))?) / unit,
    };
    Some(Value::decimal(kept, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_kept_rounded_or_cut_and_never_anything_between() {
        let of = |a: &str, b: &str, digits, scale| {
            let number = |text: &str| number(&Value::string(text)).expect("a number");
            product(number(a), number(b), digits, scale).map(|value| value.to_string())
        };
        assert_eq!(of("1.5", "0.5", Digits::Kept, 2).as_deref(), Some("0.75"));
        assert_eq!(of("1.5", "0.5", Digits::Kept, 1), None);
        assert_eq!(of("1.5", "0.5", Digits::Rounded, 1).as_deref(), Some("0.8"));
        assert_eq!(of("-1.5", "0.5", Digits::Rounded, 1).as_deref(), Some("-0.8"));
        assert_eq!(of("-1.5", "0.5", Digits::Cut, 1).as_deref(), Some("-0.7"));
        // 0.1 times 3 is a little more in doubles, 1.1 times 1.1 too; 0.57 times 100 is a little less.
        assert_eq!(of("0.1", "3", Digits::CutOfDoubles, 8).as_deref(), Some("0.3"));
        assert_eq!(of("0.57", "100", Digits::CutOfDoubles, 0).as_deref(), Some("56"));
        assert_eq!(of("0.57", "100", Digits::Cut, 0).as_deref(), Some("57"));
        assert_eq!(unit(8), "0.00000001");
        assert_eq!(unit(0), "1");
    }
}
