//! Floats and doubles from text and decimals: the correctly rounded IEEE value, which is all such a column promises.
//!
//! Contract: rounded once, straight from the digits to the target (never decimal → double → float). What has more digits
//! than survive is counted by the caller as `rounded_to_double` (interface.md §2).

use super::Parsed;
use super::decimal::significant_digits;

/// Decimal digits that survive in a double.
pub const DOUBLE_DIGITS: usize = 15;
/// Decimal digits that survive in a float.
pub const FLOAT_DIGITS: usize = 6;

/// A correctly rounded value, and whether its text had more digits than survive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounded<T> {
    /// The nearest IEEE value, ties to even.
    pub value: T,
    /// The text had more than 15 (double) or 6 (float) significant digits, or is too small to be other than zero.
    pub rounded: bool,
}

/// Text as a double. `NaN`, `Infinity`, `inf` in any case and with a sign are taken as such. Inexact: a number too large
/// for a double. Failed: not a number.
pub fn parse_double(text: &str) -> Parsed<Rounded<f64>> {
    let Ok(value) = text.parse::<f64>() else { return Parsed::Failed };
    let digits = significant_if_longer(text, DOUBLE_DIGITS);
    finish(value, value.is_infinite(), value == 0.0, digits > DOUBLE_DIGITS, text)
}

/// Text as a float; as [`parse_double`].
pub fn parse_float(text: &str) -> Parsed<Rounded<f32>> {
    let Ok(value) = text.parse::<f32>() else { return Parsed::Failed };
    let digits = significant_if_longer(text, FLOAT_DIGITS);
    finish(value, value.is_infinite(), value == 0.0, digits > FLOAT_DIGITS, text)
}

fn finish<T>(value: T, infinite: bool, zero: bool, long: bool, text: &str) -> Parsed<Rounded<T>> {
    let overflowed = infinite && text.bytes().any(|byte| byte.is_ascii_digit());
    if overflowed {
        return Parsed::Inexact;
    }
    let vanished = zero && significant_digits(text) > 0;
    Parsed::Exact(Rounded { value, rounded: long || vanished })
}

/// Text no longer than `most` cannot have more digits, which spares nearly every value the count.
fn significant_if_longer(text: &str, most: usize) -> usize {
    if text.len() <= most { 0 } else { significant_digits(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_the_nearest_value_and_long_text_is_counted() {
        let double =
            |text, value, rounded| assert_eq!(parse_double(text), Parsed::Exact(Rounded { value, rounded }), "{text}");
        double("0.1", 0.1, false);
        double("-1.5e3", -1_500.0, false);
        double("100000000000000000000", 1e20, false);
        double("0.123456789012345", 0.123_456_789_012_345, false);
        double("0.1234567890123456", 0.123_456_789_012_345_6, true);
        double("9007199254740993", 9_007_199_254_740_992.0, true);
        double("1e-400", 0.0, true);
        double("0.0000000000000000000", 0.0, false);
        double("-Infinity", f64::NEG_INFINITY, false);
        assert_eq!(parse_float("0.123456"), Parsed::Exact(Rounded { value: 0.123_456, rounded: false }));
        assert_eq!(parse_float("0.1234567"), Parsed::Exact(Rounded { value: 0.123_456_7, rounded: true }));
    }

    #[test]
    fn a_float_is_rounded_once() {
        // Through a double this lands on the tie and rounds the other way.
        let text = "1.00000017881393432617187499999999";
        assert_eq!(parse_float(text), Parsed::Exact(Rounded { value: 1.000_000_1, rounded: true }));
        assert_eq!(text.parse::<f64>().expect("a number") as f32, 1.000_000_2);
    }

    #[test]
    fn overflow_is_inexact_and_other_text_fails() {
        assert_eq!(parse_double("1e400"), Parsed::Inexact);
        assert_eq!(parse_float("1e39"), Parsed::Inexact);
        for text in ["", " 1", "1 ", "abc", "1,5", "0x1p3", "1f"] {
            assert_eq!(parse_double(text), Parsed::Failed, "{text:?}");
        }
        assert!(matches!(parse_double("nan"), Parsed::Exact(Rounded { value, .. }) if value.is_nan()));
    }
}
