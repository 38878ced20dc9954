//! Decimals of up to 76 digits, in which products and quotients are computed, brought back to the types of a table.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, StringArray};
use arrow_buffer::i256;
use arrow_schema::DataType;
use validator_core::convert::decimal::POWERS_OF_TEN;
use validator_core::convert::{self, Converted};
use validator_core::schema::Type;

/// Digits of the widest decimal that is computed with.
pub const WIDE_DIGITS_MAX: u8 = 76;

/// 10^`exponent`; `None` beyond 10^76.
pub fn power_of_ten(exponent: u8) -> Option<i256> {
    (exponent <= WIDE_DIGITS_MAX).then(|| i256::from_i128(10).checked_pow(u32::from(exponent))).flatten()
}

/// Brings a column of wide decimals to `to`, by the rules of [`convert::convert`].
pub fn narrow(array: &ArrayRef, to: &Type) -> Converted {
    let wide = array.as_primitive::<Decimal256Type>();
    if let (Type::Decimal { precision, scale }, DataType::Decimal256(_, from)) = (to, wide.data_type()) {
        return to_decimal(wide, *from, *precision, *scale);
    }
    let text = (0..wide.len()).map(|row| wide.is_valid(row).then(|| text(wide, row)));
    let text: ArrayRef = Arc::new(text.collect::<StringArray>());
    convert::convert(&text, &Type::String, to)
}

/// The number without zeros at its end.
pub fn text(wide: &PrimitiveArray<Decimal256Type>, row: usize) -> String {
    trimmed(&wide.value_as_string(row)).to_owned()
}

/// A decimal's text without the zeros behind its last digit.
pub fn trimmed(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

fn to_decimal(wide: &PrimitiveArray<Decimal256Type>, from: i8, precision: u8, scale: u8) -> Converted {
    let most = POWERS_OF_TEN[usize::from(precision)];
    let mut inexact = Vec::new();
    let narrowed = wide.iter().enumerate().map(|(row, value)| {
        let value = value?;
        let fits = rescaled(value, i16::from(scale) - i16::from(from))
            .and_then(i256::to_i128)
            .filter(|unscaled| -most < *unscaled && *unscaled < most);
        if fits.is_none() {
            inexact.push((row, text(wide, row)));
        }
        fits
    });
    let narrowed: PrimitiveArray<Decimal128Type> = narrowed.collect();
    let array = Arc::new(narrowed.with_data_type(DataType::Decimal128(precision, scale as i8)));
    Converted { array, inexact, failed: Vec::new(), rounded_to_double: 0 }
}

/// `value` × 10^`by`, where that is a whole number of the same kind.
fn rescaled(value: i256, by: i16) -> Option<i256> {
    let power = power_of_ten(u8::try_from(by.unsigned_abs()).ok()?)?;
    match by >= 0 {
        true => value.checked_mul(power),
        false => (value.checked_rem(power)? == i256::ZERO).then(|| value.checked_div(power))?,
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Decimal256Array;

    use super::*;

    fn wide(values: &[&str], scale: i8) -> ArrayRef {
        let value = |text: &&str| text.parse::<i256>().expect("an integer");
        let array = Decimal256Array::from_iter_values(values.iter().map(value));
        Arc::new(array.with_precision_and_scale(76, scale).expect("76 digits"))
    }

    #[test]
    fn what_fits_comes_back_and_what_does_not_is_marked_with_its_text() {
        let array = wide(&["97500180000000000000000000000000000000000", "1", "-10"], 36);
        let narrowed = narrow(&array, &Type::Decimal { precision: 18, scale: 8 });
        assert_eq!(narrowed.array.as_primitive::<Decimal128Type>().value(0), 9_750_018_000_000);
        assert!(narrowed.array.is_null(1) && narrowed.array.is_null(2));
        let text = |digits: &str| format!("{digits:0>36}");
        assert_eq!(narrowed.inexact[0], (1, format!("0.{}", text("1"))));
        assert_eq!(narrowed.inexact[1], (2, format!("-0.{}", text("10").trim_end_matches('0'))));
    }

    #[test]
    fn other_types_take_the_number_they_can_hold() {
        let array = wide(&["250", "200"], 2);
        assert_eq!(narrow(&array, &Type::Long).inexact, [(0, "2.5".to_owned())]);
        let doubles = narrow(&array, &Type::Double);
        assert!(doubles.inexact.is_empty() && doubles.failed.is_empty());
    }
}
