//! Numbers into numbers: int, long, decimal, float, double.
//!
//! Contract: between exact types by integer arithmetic only. A column whose values all fit takes one vectorised pass to
//! see that and one to convert; only a column with a value that does not fit is walked value by value.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray};

use super::decimal::{POWERS_OF_TEN, ScannedDecimal};
use super::float::{Rounded, parse_double, parse_float};
use super::{Marks, Parsed, each, refuse};
use crate::schema::Type;
use crate::value::write_number;

/// An integer that holds a number's unscaled value.
trait Unscaled: Copy {
    fn widen(self) -> i128;
    /// The caller has checked the range.
    fn narrow(value: i128) -> Self;
}

macro_rules! unscaled {
    ($($native:ty),*) => {$(
        impl Unscaled for $native {
            fn widen(self) -> i128 {
                self as i128
            }
            fn narrow(value: i128) -> Self {
                value as $native
            }
        }
    )*};
}
unscaled!(i32, i64, i128);

/// Any number type → any other.
pub(super) fn convert(array: &ArrayRef, from: &Type, to: &Type, marks: &mut Marks) -> ArrayRef {
    match from {
        Type::Int => exact(array.as_primitive::<Int32Type>(), from, 0, to, marks),
        Type::Long => exact(array.as_primitive::<Int64Type>(), from, 0, to, marks),
        Type::Decimal { scale, .. } => exact(array.as_primitive::<Decimal128Type>(), from, *scale, to, marks),
        _ => binary(array, from, to, marks),
    }
}

/// From a type that holds `unscaled` / 10^`scale`.
fn exact<S>(source: &PrimitiveArray<S>, from: &Type, scale: u8, to: &Type, marks: &mut Marks) -> ArrayRef
where
    S: ArrowPrimitiveType<Native: Unscaled>,
{
    match to {
        Type::Int => rescale::<S, Int32Type>(source, from, scale, to, (0, i128::from(i32::MAX)), marks),
        Type::Long => rescale::<S, Int64Type>(source, from, scale, to, (0, i128::from(i64::MAX)), marks),
        Type::Decimal { precision, scale: wanted } => {
            let most = POWERS_OF_TEN[usize::from(*precision)] - 1;
            rescale::<S, Decimal128Type>(source, from, scale, to, (*wanted, most), marks)
        }
        Type::Double => to_double(source, from, scale, marks),
        Type::Float => to_float(source, from, scale, marks),
        _ => refuse(&(Arc::new(source.clone()) as ArrayRef), from, to, marks),
    }
}

/// To another scale, within ±`most` (one less for two's complement integers, whose least value is `-most - 1`).
fn rescale<S, T>(
    source: &PrimitiveArray<S>,
    from: &Type,
    scale: u8,
    to: &Type,
    (wanted, most): (u8, i128),
    marks: &mut Marks,
) -> ArrayRef
where
    S: ArrowPrimitiveType<Native: Unscaled>,
    T: ArrowPrimitiveType<Native: Unscaled>,
{
    let least = if matches!(to, Type::Decimal { .. }) { -most } else { -most - 1 };
    let power = POWERS_OF_TEN[usize::from(wanted.abs_diff(scale))];
    let (up, down) = if wanted >= scale { (power, 1) } else { (1, power) };
    // Before the multiplication, so that it cannot overflow. Truncation keeps exactly the values that fit.
    let (lowest, highest) = (least / up, most / up);
    let fits = |value: i128| {
        if down == 1 {
            lowest <= value && value <= highest
        } else {
            value % down == 0 && (least..=most).contains(&(value / down))
        }
    };
    let resized = |value: i128| if down == 1 { value * up } else { value / down };
    if source.values().iter().all(|value| fits(value.widen())) {
        let converted: PrimitiveArray<T> = source.unary(|value| T::Native::narrow(resized(value.widen())));
        return Arc::new(converted.with_data_type(to.to_arrow()));
    }
    each::<T>(source, from, to, marks, |row| {
        let value = source.value(row).widen();
        if fits(value) { Parsed::Exact(T::Native::narrow(resized(value))) } else { Parsed::Inexact }
    })
}

/// Powers of ten that a double holds exactly.
const DOUBLE_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Powers of ten that a float holds exactly.
const FLOAT_POWERS: [f32; 11] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

fn to_double<S>(source: &PrimitiveArray<S>, from: &Type, scale: u8, marks: &mut Marks) -> ArrayRef
where
    S: ArrowPrimitiveType<Native: Unscaled>,
{
    let (mut text, mut rounded) = (String::new(), 0);
    let power = DOUBLE_POWERS.get(usize::from(scale));
    let converted = each::<Float64Type>(source, from, &Type::Double, marks, |row| {
        let unscaled = source.value(row).widen();
        // Both operands are exact and have no more digits than survive: the one division rounds once (Clinger 1990).
        if let Some(power) = power.filter(|_| unscaled.unsigned_abs() < 1_000_000_000_000_000) {
            return Parsed::Exact(unscaled as f64 / power);
        }
        nearest(parse_double(plain(&mut text, unscaled, scale)), &mut rounded)
    });
    marks.rounded_to_double += rounded;
    converted
}

fn to_float<S>(source: &PrimitiveArray<S>, from: &Type, scale: u8, marks: &mut Marks) -> ArrayRef
where
    S: ArrowPrimitiveType<Native: Unscaled>,
{
    let (mut text, mut rounded) = (String::new(), 0);
    let power = FLOAT_POWERS.get(usize::from(scale));
    let converted = each::<Float32Type>(source, from, &Type::Float, marks, |row| {
        let unscaled = source.value(row).widen();
        if let Some(power) = power.filter(|_| unscaled.unsigned_abs() < 1_000_000) {
            return Parsed::Exact(unscaled as f32 / power);
        }
        nearest(parse_float(plain(&mut text, unscaled, scale)), &mut rounded)
    });
    marks.rounded_to_double += rounded;
    converted
}

/// The number's exact text, for a parser that rounds correctly.
fn plain(text: &mut String, unscaled: i128, scale: u8) -> &str {
    text.clear();
    write_number(text, unscaled, scale).expect("a String takes any text");
    text
}

fn nearest<T>(parsed: Parsed<Rounded<T>>, count: &mut u64) -> Parsed<T> {
    match parsed {
        Parsed::Exact(Rounded { value, rounded }) => {
            *count += u64::from(rounded);
            Parsed::Exact(value)
        }
        Parsed::Inexact => Parsed::Inexact,
        Parsed::Failed => Parsed::Failed,
    }
}

/// From float or double.
fn binary(array: &ArrayRef, from: &Type, to: &Type, marks: &mut Marks) -> ArrayRef {
    if *from == Type::Float && *to == Type::Double {
        return Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float64Type>(f64::from));
    }
    let value = |row: usize| match from {
        Type::Float => f64::from(array.as_primitive::<Float32Type>().value(row)),
        _ => array.as_primitive::<Float64Type>().value(row),
    };
    match to {
        Type::Float => each::<Float32Type>(array, from, to, marks, |row| {
            let (wide, narrow) = (value(row), value(row) as f32);
            let returns = f64::from(narrow).to_bits() == wide.to_bits() || wide.is_nan();
            if returns { Parsed::Exact(narrow) } else { Parsed::Inexact }
        }),
        Type::Decimal { precision, scale } => each::<Decimal128Type>(array, from, to, marks, |row| {
            let most = POWERS_OF_TEN[usize::from(*precision)] - 1;
            binary_to_exact(value(row), *scale, (-most, most))
        }),
        Type::Int => each::<Int32Type>(array, from, to, marks, |row| {
            narrowed(binary_to_exact(value(row), 0, (i128::from(i32::MIN), i128::from(i32::MAX))))
        }),
        Type::Long => each::<Int64Type>(array, from, to, marks, |row| {
            narrowed(binary_to_exact(value(row), 0, (i128::from(i64::MIN), i128::from(i64::MAX))))
        }),
        _ => refuse(array, from, to, marks),
    }
}

fn narrowed<T: Unscaled>(parsed: Parsed<i128>) -> Parsed<T> {
    match parsed {
        Parsed::Exact(value) => Parsed::Exact(T::narrow(value)),
        Parsed::Inexact => Parsed::Inexact,
        Parsed::Failed => Parsed::Failed,
    }
}

/// The double's own value, all of its binary digits, as `unscaled` / 10^`scale`: 0.5 is exact, 0.1 is not.
fn binary_to_exact(value: f64, scale: u8, (least, most): (i128, i128)) -> Parsed<i128> {
    if !value.is_finite() {
        return Parsed::Inexact;
    }
    // A double's expansion ends: with no more digits than this every double is printed exactly.
    const DIGITS_OF_ANY_DOUBLE: usize = 1_074;
    let text = format!("{value:.DIGITS_OF_ANY_DOUBLE$}");
    match ScannedDecimal::scan(text.as_bytes()).and_then(|scanned| scanned.to_scale(scale)) {
        Some(unscaled) if (least..=most).contains(&unscaled) => Parsed::Exact(unscaled),
        _ => Parsed::Inexact,
    }
}
