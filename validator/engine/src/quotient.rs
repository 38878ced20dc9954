//! Decimal division: exact, or cut where a written `round` around it says how many digits count.
//!
//! Contract: a quotient without `round` comes out equal or the call fails with a [`MapFault`]. Below a `round` the last
//! digit is never 0 where more digits follow, so that rounding half away from zero gives what the endless quotient gives
//! and sees that something was rounded.

use std::any::Any;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Decimal256Type;
use arrow_array::{Array, PrimitiveArray};
use arrow_buffer::i256;
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::map_fault::MapFault;
use crate::wide_decimal::{WIDE_DIGITS_MAX, power_of_ten, text};

/// Digits behind the point that an exact quotient has beyond those of its two numbers.
const DIGITS_MORE: i16 = 10;

/// `quotient(dividend, divisor)` of two wide decimals.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Quotient {
    /// Digits behind the point that a `round` around it keeps.
    rounded_to: Option<i16>,
    /// Whether every quotient ends: the divisor is a literal of nothing but twos and fives.
    ends: bool,
    signature: Signature,
}

impl Quotient {
    /// An exact quotient; `ends` where the divisor leaves no other.
    pub fn exact(ends: bool) -> Self {
        Self { rounded_to: None, ends, signature: Signature::any(2, Volatility::Immutable) }
    }

    /// A quotient of which `digits` behind the point are kept by the `round` around it.
    pub fn rounded(digits: i16) -> Self {
        Self { rounded_to: Some(digits), ends: true, signature: Signature::any(2, Volatility::Immutable) }
    }

    /// Whether a message's quotient may have no end while nobody says how it is rounded.
    pub fn is_open(&self) -> bool {
        !self.ends
    }

    fn types(&self, args: &[DataType]) -> Result<(i16, DataType)> {
        let [DataType::Decimal256(digits, dividend), DataType::Decimal256(_, divisor)] = args else {
            return plan_err!("a quotient is made of two wide decimals");
        };
        let (digits, dividend, divisor) = (i16::from(*digits), i16::from(*dividend), i16::from(*divisor));
        let whole = digits - dividend + divisor;
        let room = i16::from(WIDE_DIGITS_MAX) - whole;
        let scale = match self.rounded_to {
            // One digit to round by, one to tell that more follow.
            Some(kept) if (kept + 2).max(dividend) > room => {
                return plan_err!("round to {kept} digits needs a quotient of more than {WIDE_DIGITS_MAX} digits");
            }
            Some(kept) => (kept + 2).max(dividend),
            None => (dividend.max(divisor) + DIGITS_MORE).min(room),
        };
        let shift = scale - dividend + divisor;
        if shift < 0 || scale < 0 {
            return plan_err!("a quotient of these numbers has more than {WIDE_DIGITS_MAX} digits");
        }
        let precision = (whole + scale).clamp(1, i16::from(WIDE_DIGITS_MAX));
        Ok((shift, DataType::Decimal256(precision as u8, scale as i8)))
    }

    fn divide(&self, dividend: i256, divisor: i256, power: i256) -> Result<Option<i256>, MapFault> {
        if divisor == i256::ZERO {
            return Err(MapFault::Failed("division by zero".to_owned()));
        }
        let overflow = || MapFault::Failed("the dividend has too many digits".to_owned());
        let shifted = dividend.checked_mul(power).ok_or_else(overflow)?;
        let cut = shifted.checked_div(divisor).ok_or_else(overflow)?;
        if shifted.checked_rem(divisor).ok_or_else(overflow)? == i256::ZERO {
            return Ok(Some(cut));
        }
        if self.rounded_to.is_none() {
            return Ok(None);
        }
        let ends_in_zero = cut.checked_rem(i256::from_i128(10)) == Some(i256::ZERO);
        let sign = if dividend.is_negative() == divisor.is_negative() { i256::ONE } else { i256::MINUS_ONE };
        Ok(Some(if ends_in_zero { cut.wrapping_add(sign) } else { cut }))
    }
}

impl ScalarUDFImpl for Quotient {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "quotient"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.types(arg_types)?.1)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(self.name(), self.types(&types)?.1, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let (shift, data_type) = self.types(&types)?;
        let power = u8::try_from(shift).ok().and_then(power_of_ten);
        let power = power.ok_or_else(|| MapFault::Failed("the quotient has too many digits".to_owned()))?;
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [dividends, divisors] = [&arrays[0], &arrays[1]].map(|array| array.as_primitive::<Decimal256Type>());
        let mut quotients = Vec::with_capacity(dividends.len());
        for row in 0..dividends.len() {
            if dividends.is_null(row) || divisors.is_null(row) {
                quotients.push(None);
                continue;
            }
            match self.divide(dividends.value(row), divisors.value(row), power)? {
                None => {
                    return Err(MapFault::Inexact(format!("{} / {}", text(dividends, row), text(divisors, row))).into());
                }
                exact => quotients.push(exact),
            }
        }
        let quotients: PrimitiveArray<Decimal256Type> = quotients.into_iter().collect();
        Ok(ColumnarValue::Array(Arc::new(quotients.with_data_type(data_type))))
    }
}
