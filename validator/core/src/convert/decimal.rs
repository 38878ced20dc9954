//! Exact decimals from text: the grammar of Java's `BigDecimal`, `[+-] digits [. digits] [e [+-] digits]`.
//!
//! Contract: nothing passes through binary floating point. Text with an exponent of any size costs no more than its
//! length.

use super::Parsed;

/// 10^0 to 10^38.
pub const POWERS_OF_TEN: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let mut i = 1;
    while i < 39 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// The most digits that a decimal of a table has.
pub const DIGITS_MAX: u32 = 38;

/// Text as a decimal of that precision and scale: its unscaled value. Inexact: a number with more digits than fit
/// behind or before the point. Failed: not a number.
pub fn parse_decimal(text: &str, precision: u8, scale: u8) -> Parsed<i128> {
    let limit = POWERS_OF_TEN[usize::from(precision)];
    if let Some(short) = scan_short(text.as_bytes()) {
        return short.to_scale(scale, limit);
    }
    match ScannedDecimal::scan(text.as_bytes()) {
        None => Parsed::Failed,
        Some(scanned) => match scanned.to_scale(scale) {
            Some(unscaled) if unscaled.unsigned_abs() < limit.unsigned_abs() => Parsed::Exact(unscaled),
            _ => Parsed::Inexact,
        },
    }
}

/// Text as a whole number from `least` to `most`; `5`, `5.0` and `5e3` are whole, `5.5` is inexact.
pub fn parse_integer(text: &str, least: i64, most: i64) -> Parsed<i64> {
    match parse_decimal(text, 38, 0) {
        Parsed::Exact(whole) if (i128::from(least)..=i128::from(most)).contains(&whole) => Parsed::Exact(whole as i64),
        Parsed::Exact(_) | Parsed::Inexact => Parsed::Inexact,
        Parsed::Failed => Parsed::Failed,
    }
}

/// Digits of a number's text from the first to the last that is not zero: `0.1200` has 2, `1e6` has 1, `0` none.
pub fn significant_digits(text: &str) -> usize {
    let (mut digits, mut zeros) = (0, 0);
    for byte in text.bytes() {
        match byte {
            b'0' if digits > 0 => zeros += 1,
            b'1'..=b'9' => {
                digits += zeros + 1;
                zeros = 0;
            }
            b'e' | b'E' => break,
            _ => {}
        }
    }
    digits
}

/// Plain notation with at most 18 digits and no exponent, which is what nearly all text is.
struct ShortDecimal {
    unscaled: i64,
    scale: u32,
}

/// `None`: another shape, or not a number.
fn scan_short(text: &[u8]) -> Option<ShortDecimal> {
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 19 || !digits[0].is_ascii_digit() {
        return None;
    }
    // 19 digits fit a u64, so that no step needs a check.
    let (mut unscaled, mut point) = (0_u64, None);
    for (at, &byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            unscaled = unscaled * 10 + u64::from(digit);
        } else if byte == b'.' && point.is_none() {
            point = Some(at);
        } else {
            return None;
        }
    }
    let scale = match point {
        None if digits.len() == 19 => return None,
        None => 0,
        Some(at) => digits.len() - at - 1,
    };
    let unscaled = unscaled as i64;
    Some(ShortDecimal { unscaled: if negative { -unscaled } else { unscaled }, scale: scale as u32 })
}

impl ShortDecimal {
    fn to_scale(&self, scale: u8, limit: i128) -> Parsed<i128> {
        let wanted = u32::from(scale);
        let unscaled = if wanted >= self.scale {
            i128::from(self.unscaled).checked_mul(POWERS_OF_TEN[(wanted - self.scale) as usize])
        } else {
            // 10^18 at most: the text has no more than 18 digits behind the point.
            let power = POWERS_OF_TEN[(self.scale - wanted) as usize] as i64;
            (self.unscaled % power == 0).then(|| i128::from(self.unscaled / power))
        };
        match unscaled {
            Some(unscaled) if -limit < unscaled && unscaled < limit => Parsed::Exact(unscaled),
            _ => Parsed::Inexact,
        }
    }
}

/// A number of any text: ± `mantissa` × 10^`exponent`, the mantissa without trailing zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScannedDecimal {
    /// A minus sign stands before it.
    pub negative: bool,
    /// Up to 38 digits; meaningless when `too_long`.
    pub mantissa: u128,
    /// Saturates at the ends of its range.
    pub exponent: i64,
    /// More than 38 significant digits.
    pub too_long: bool,
}

impl ScannedDecimal {
    /// `None`: not a number.
    pub fn scan(text: &[u8]) -> Option<Self> {
        let (negative, mut rest) = match text.first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let mut scanned = Self { negative, mantissa: 0, exponent: 0, too_long: false };
        // Zeros are held back until a digit follows them: at the end they belong to the exponent.
        let (mut digits, mut zeros, mut seen, mut behind_point) = (0_u32, 0_u32, false, false);
        while let Some((&byte, tail)) = rest.split_first() {
            match byte {
                b'0' => zeros += u32::from(digits > 0),
                b'1'..=b'9' => {
                    digits = digits.saturating_add(zeros + 1);
                    if digits > DIGITS_MAX {
                        scanned.too_long = true;
                    } else {
                        let power = POWERS_OF_TEN[zeros as usize + 1] as u128;
                        scanned.mantissa = scanned.mantissa * power + u128::from(byte - b'0');
                    }
                    zeros = 0;
                }
                b'.' if !behind_point => {
                    behind_point = true;
                    rest = tail;
                    continue;
                }
                b'e' | b'E' => break,
                _ => return None,
            }
            seen = true;
            scanned.exponent -= i64::from(behind_point);
            rest = tail;
        }
        if !seen {
            return None;
        }
        scanned.exponent += i64::from(zeros);
        if let Some((_, exponent)) = rest.split_first() {
            scanned.exponent = scanned.exponent.saturating_add(scan_exponent(exponent)?);
        }
        Some(scanned)
    }

    /// The unscaled value at that scale, if it is exact and has no more than 38 digits.
    pub fn to_scale(&self, scale: u8) -> Option<i128> {
        if self.too_long {
            return None;
        }
        if self.mantissa == 0 {
            return Some(0);
        }
        let power = usize::try_from(self.exponent.saturating_add(i64::from(scale))).ok()?;
        let unscaled = i128::try_from(self.mantissa).ok()?.checked_mul(*POWERS_OF_TEN.get(power)?)?;
        Some(if self.negative { -unscaled } else { unscaled })
    }
}

fn scan_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut exponent = 0_i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        exponent = exponent.saturating_mul(10).saturating_add(i64::from(byte - b'0'));
    }
    Some(if negative { -exponent } else { exponent })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_becomes_the_exact_unscaled_value() {
        let cases = [
            ("0.123456785", 18, 9, Parsed::Exact(123_456_785)),
            ("0.123456785", 18, 8, Parsed::Inexact),
            ("0.12345678000", 18, 8, Parsed::Exact(12_345_678)),
            ("1e-8", 18, 8, Parsed::Exact(1)),
            ("1E3", 18, 8, Parsed::Exact(100_000_000_000)),
            ("1E+3", 4, 0, Parsed::Exact(1_000)),
            ("1E3", 3, 0, Parsed::Inexact),
            ("-0", 18, 8, Parsed::Exact(0)),
            ("-0.00", 18, 0, Parsed::Exact(0)),
            ("007.50", 3, 2, Parsed::Exact(750)),
            ("+7", 3, 2, Parsed::Exact(700)),
            (".5", 3, 2, Parsed::Exact(50)),
            ("5.", 3, 2, Parsed::Exact(500)),
            ("9007199254740993", 38, 0, Parsed::Exact(9_007_199_254_740_993)),
            (
                "12345678901234567890123456789012345678",
                38,
                0,
                Parsed::Exact(12_345_678_901_234_567_890_123_456_789_012_345_678),
            ),
            ("99999999999999999999999999999999999999", 38, 0, Parsed::Exact(10_i128.pow(38) - 1)),
            ("100000000000000000000000000000000000000", 38, 0, Parsed::Inexact),
            ("0.00000000000000000000000000000000000001", 38, 38, Parsed::Exact(1)),
            ("1.00000000000000000000000000000000000000000000000000", 5, 0, Parsed::Exact(1)),
            ("1.00000000000000000000000000000000000000000000000001", 38, 30, Parsed::Inexact),
            ("0e999999999999999999999999", 5, 2, Parsed::Exact(0)),
            ("1e999999999999999999999999", 38, 0, Parsed::Inexact),
            ("1e-999999999999999999999999", 38, 38, Parsed::Inexact),
            ("12345678901234567890", 38, 2, Parsed::Exact(1_234_567_890_123_456_789_000)),
            ("1234567890123456789", 38, 0, Parsed::Exact(1_234_567_890_123_456_789)),
            ("-999999999999999999", 38, 20, Parsed::Exact(-99_999_999_999_999_999_900_000_000_000_000_000_000)),
            ("-999999999999999999", 38, 38, Parsed::Inexact),
        ];
        for (text, precision, scale, wanted) in cases {
            assert_eq!(parse_decimal(text, precision, scale), wanted, "{text} into decimal({precision}, {scale})");
        }
    }

    #[test]
    fn what_is_no_number_fails() {
        for text in [
            "", "-", "+", ".", "-.", "e5", "1e", "1e+", "1.2.3", " 1", "1 ", "1_000", "1,5", "NaN", "Infinity", "0x10",
            "--1", "+-1", "1e5.5", "٣",
        ] {
            assert_eq!(parse_decimal(text, 38, 10), Parsed::Failed, "{text:?}");
        }
    }

    #[test]
    fn integers_are_whole_and_in_range() {
        let int = |text| parse_integer(text, i64::from(i32::MIN), i64::from(i32::MAX));
        assert_eq!(int("-2147483648"), Parsed::Exact(-2_147_483_648));
        assert_eq!(int("2147483648"), Parsed::Inexact);
        assert_eq!(int("1.9"), Parsed::Inexact);
        assert_eq!(int("1.0"), Parsed::Exact(1));
        assert_eq!(int("one"), Parsed::Failed);
        assert_eq!(parse_integer("9223372036854775807", i64::MIN, i64::MAX), Parsed::Exact(i64::MAX));
        assert_eq!(parse_integer("9223372036854775808", i64::MIN, i64::MAX), Parsed::Inexact);
    }

    #[test]
    fn significant_digits_stand_between_the_outer_zeros() {
        for (text, digits) in
            [("0", 0), ("-0.1200", 2), ("1e6", 1), ("1000", 1), ("100.5", 4), ("0.30000000000000004", 17)]
        {
            assert_eq!(significant_digits(text), digits, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_short_way_and_the_general_way_agree(negative: bool, whole in 0_u64..1_000_000_000_000, fraction in "[0-9]{0,12}", precision in 1_u8..=38, scale in 0_u8..=38) {
            prop_assume!(scale <= precision);
            let text = format!("{}{whole}.{fraction}", if negative { "-" } else { "" });
            let general = match ScannedDecimal::scan(text.as_bytes()).and_then(|scanned| scanned.to_scale(scale)) {
                Some(unscaled) if unscaled.unsigned_abs() < POWERS_OF_TEN[usize::from(precision)] as u128 => Parsed::Exact(unscaled),
                _ => Parsed::Inexact,
            };
            prop_assert_eq!(parse_decimal(&text, precision, scale), general);
        }

        #[test]
        fn printed_decimals_return(unscaled in -POWERS_OF_TEN[38] + 1..POWERS_OF_TEN[38], scale in 0_u8..=38) {
            let mut text = String::new();
            crate::value::write_number(&mut text, unscaled, scale).expect("a String takes any text");
            prop_assert_eq!(parse_decimal(&text, 38, scale), Parsed::Exact(unscaled));
        }
    }
}
