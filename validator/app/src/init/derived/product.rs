//! The product of two numbers of the message, as it is, rounded to the column's digits, or cut to them.
//!
//! `p * q`, `round(p * q, 8)`, `p * q - p * q % 0.00000001`. A product that the sink computed in floats is none of these.

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
}

/// See the module.
pub fn find(sought: &Sought<'_>) -> Option<Derived> {
    let Type::Decimal { scale, .. } = *sought.ty() else { return None };
    let is_number =
        |field: &usize| sought.lesson(&[*field]).is_some_and(|lesson| number(sought.message(lesson, *field)).is_some());
    let fields: Vec<usize> = sought.fields().filter(is_number).take(DERIVED_FIELDS_MAX).collect();
    let pairs = fields.iter().enumerate().flat_map(|(at, first)| fields[at + 1..].iter().map(move |s| (*first, *s)));
    pairs
        .flat_map(|pair| [Digits::Kept, Digits::Rounded, Digits::Cut].map(|digits| (pair, digits)))
        .find_map(|((first, second), digits)| of_fields(sought, (first, second), digits, scale))
}

fn of_fields(sought: &Sought<'_>, (first, second): (usize, usize), digits: Digits, scale: u8) -> Option<Derived> {
    let name = |field: usize| short(&sought.evidence.messages.fields[field].name);
    let says = match digits {
        Digits::Kept => format!("{} times {}", name(first), name(second)),
        Digits::Rounded => format!("{} times {}, rounded to {scale} digits", name(first), name(second)),
        Digits::Cut => format!("{} times {}, cut to {scale} digits", name(first), name(second)),
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
    };
    Some(Derived { parts, seen })
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
    let (unscaled, of) = (a.checked_mul(b)?, of_a.checked_add(of_b)?);
    let Some(more) = of.checked_sub(scale).filter(|more| *more > 0) else {
        return Some(Value::decimal(unscaled, of));
    };
    let unit = 10_i128.checked_pow(u32::from(more))?;
    let kept = match digits {
        Digits::Kept if unscaled % unit != 0 => return None,
        Digits::Kept | Digits::Cut => unscaled / unit,
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
        assert_eq!(unit(8), "0.00000001");
        assert_eq!(unit(0), "1");
    }
}
