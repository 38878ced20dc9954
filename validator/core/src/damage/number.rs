//! Damage to int, long, decimal, float and double.

use super::Test;
use super::digits::Digits;
use crate::convert::decimal::POWERS_OF_TEN;
use crate::schema::Type;
use crate::value::Value;
use crate::verdict::Damage;

/// Most digits that a wrong unit moves the point by: from seconds or whole coins to 10^-18.
const UNIT_DIGITS_MAX: i64 = 18;
/// Digits that must be left for a cut to tell where a number comes from. Fewer could be any number.
const TELLING_DIGITS: usize = 4;
/// Digits that must be left where digits *before* the point were cut, or rounding went the longer way.
const LONG_DIGITS: usize = 6;
/// From so many decimal places on, a last digit off by one is the mark of arithmetic in binary floats (faults.md V06).
const FINE_PLACES: u8 = 6;

/// The first class that fits two different numbers.
pub(super) fn class(ty: &Type, message: &Value, row: &Value) -> Option<Damage> {
    if let (Some(message), Some(row)) = (message.as_double(), row.as_double()) {
        // Zero has a sign only here: `-0.0` written as `0.0`.
        if message == -row {
            return Some(Damage::SignFlip);
        }
    }
    let pair = Pair { ty: ty.clone(), message: digits(message)?, row: digits(row)? };
    let classes: [Test<Pair>; 7] = [
        (Damage::SignFlip, Pair::sign_flip),
        (Damage::UnitShift, Pair::unit_shift),
        (Damage::ZoneShift, Pair::zone_shift),
        (Damage::Truncated, Pair::truncated),
        (Damage::PrecisionLost, Pair::precision_lost),
        (Damage::FloatRoundTrip, Pair::float_round_trip),
        (Damage::OverflowWrap, Pair::overflow_wrap),
    ];
    classes.into_iter().find(|(_, fits)| fits(&pair)).map(|(damage, _)| damage)
}

/// A number's digits; an inexact one's from its text.
pub(super) fn digits(value: &Value) -> Option<Digits> {
    match value {
        Value::Number { unscaled, scale } => Some(Digits::of_number(*unscaled, *scale)),
        Value::Float(value) => Digits::of_float(*value),
        Value::Double(value) => Digits::of_double(*value),
        Value::Inexact(text) => Digits::parse(text),
        _ => None,
    }
}

struct Pair {
    ty: Type,
    message: Digits,
    row: Digits,
}

impl Pair {
    /// Digits behind the point that the column holds; none for floats, which have no such end.
    fn scale(&self) -> Option<u8> {
        match self.ty {
            Type::Int | Type::Long => Some(0),
            Type::Decimal { scale, .. } => Some(scale),
            _ => None,
        }
    }

    /// The row is the negated message. Not so at 2^31 and 2^63, whose one bit too many is the sign (faults.md V02).
    fn sign_flip(&self) -> bool {
        let wraps = |end: i128| self.message.unscaled(0) == Some(end + 1);
        self.row == self.message.negated() && !(wraps(i128::from(i32::MAX)) || wraps(i128::from(i64::MAX)))
    }

    /// The row is the message × 10^3k; where that makes it smaller, also cut or rounded to the column's scale.
    fn unit_shift(&self) -> bool {
        let (message, row) = (&self.message, &self.row);
        if message.is_zero() || row.is_zero() || message.negative != row.negative {
            return false;
        }
        // Cut or raised, a number keeps its size but for a carry.
        let moved = row.point - message.point;
        let powers = (-UNIT_DIGITS_MAX..=UNIT_DIGITS_MAX).step_by(3);
        let powers = powers.filter(|power| *power != 0 && (moved - power).abs() <= 1);
        powers.into_iter().any(|power| {
            let shifted = message.shifted(power);
            let cut = |scale: u8| {
                let places = i64::from(scale);
                let (low, high) = (shifted.truncated(places), shifted.raised(places));
                power < 0 && shifted.kept(places) >= TELLING_DIGITS && (*row == low || *row == high)
            };
            *row == shifted || self.scale().is_some_and(cut) || self.scale().is_none() && near(&self.ty, &shifted, row)
        })
    }

    /// Epoch milli-, micro- or nanoseconds of this century in a long, apart as two zones are. (Seconds are left out: any two
    /// ids of that size are a multiple of 900 apart too often.)
    fn zone_shift(&self) -> bool {
        let whole = |digits: &Digits| digits.unscaled(0).filter(|_| self.ty == Type::Long);
        let (Some(message), Some(row)) = (whole(&self.message), whole(&self.row)) else { return false };
        [1_000, 1_000_000, 1_000_000_000].into_iter().any(|per_second: i128| {
            let century = 1_000_000_000 * per_second..4_100_000_000 * per_second;
            century.contains(&message)
                && century.contains(&row)
                && super::instant::zones_apart(row - message, per_second)
        })
    }

    /// The row is the message cut toward zero at some place behind the point, or further left where enough digits remain.
    fn truncated(&self) -> bool {
        let (message, row) = (&self.message, &self.row);
        let is_beginning = row.point == message.point && message.digits.starts_with(&row.digits);
        (row.is_zero() || is_beginning)
            && self.places().any(|places| {
                (places >= 0 || self.message.kept(places) >= LONG_DIGITS) && self.row == self.message.truncated(places)
            })
    }

    /// The row is the message rounded at some place to the nearest, or up where enough digits remain. A number that a
    /// double gives back ends in a zero one time in ten and then looks rounded up; few programs round up.
    fn precision_lost(&self) -> bool {
        let kept = |places: i64| self.message.kept(places);
        let nearest =
            |places: i64| (places >= 0 || kept(places) >= LONG_DIGITS) && self.message.rounds_to(&self.row, places);
        let up = |places: i64| places > 0 && kept(places) >= LONG_DIGITS && self.row == self.message.raised(places);
        self.places().any(nearest) || (self.places().any(up) && !self.float_round_trip())
    }

    /// Places at which the message has digits to lose.
    fn places(&self) -> std::ops::Range<i64> {
        let last = self.message.places();
        last.min(0) - self.message.digits.len() as i64..last
    }

    /// The row is what the message's nearest double or float is as a number of this column, or so near to the message
    /// as only arithmetic in doubles comes; or it is off by one in the last of many places.
    fn float_round_trip(&self) -> bool {
        let Some(scale) = self.scale() else {
            let through_float = f64::from(self.message.to_float()) == self.row.to_double();
            return through_float || near(&self.ty, &self.message, &self.row);
        };
        if self.message.negative != self.row.negative && !self.row.is_zero() {
            return false;
        }
        if let (Some(message), Some(row)) = (self.message.unscaled(scale), self.row.unscaled(scale)) {
            let apart = message.abs_diff(row);
            let near = apart.checked_mul(1 << 50).is_some_and(|apart| apart <= message.unsigned_abs());
            // Near, and itself what some double is at this scale: a flipped bit of a long number mostly is not.
            if (near && self.row_is_double(scale)) || (apart == 1 && scale >= FINE_PLACES) {
                return true;
            }
        }
        let (double, float) = (self.message.to_double(), f64::from(self.message.to_float()));
        if (double - self.row.to_double()).abs() > double.abs() * 1e-6 {
            return false;
        }
        let shortest = [Digits::of_double(double), Digits::of_float(self.message.to_float())];
        let exact = [Digits::of_exact_double(double), Digits::of_exact_double(float)];
        shortest.into_iter().chain(exact).flatten().any(|held| {
            let places = i64::from(scale);
            self.row == held.truncated(places) || held.rounds_to(&self.row, places)
        })
    }

    fn row_is_double(&self, scale: u8) -> bool {
        let double = self.row.to_double();
        let places = i64::from(scale);
        Digits::of_exact_double(double)
            .is_some_and(|held| held.rounds_to(&self.row, places) || self.row == held.truncated(places))
            || Digits::of_double(double).is_some_and(|shortest| shortest == self.row)
    }

    /// The row's integer, or its unscaled value, is the message's in fewer bits or digits; or the end of that range.
    fn overflow_wrap(&self) -> bool {
        let Some(scale) = self.scale() else { return false };
        let Some(row) = self.row.unscaled(scale) else { return false };
        // A fraction is cut before a whole number wraps.
        let whole = self.message.truncated(i64::from(scale));
        let Some(bits) = whole.unscaled_wrapping(scale) else { return false };
        let short = [i128::from(bits as i16), i128::from(bits as u16)];
        let wide = [i128::from(bits as i32), i128::from(bits as u32), i128::from(bits as i64), i128::from(bits as u64)];
        // Unscaled values are multiples of a power of two as often as not: there, few bits that are zero prove nothing.
        let wrapped = match (scale, row) {
            (0, 0) => wide.contains(&0),
            (0, _) => wide.contains(&row) || short.contains(&row),
            (_, row) => row != 0 && wide.contains(&row),
        };
        wrapped || self.saturated(&whole, row, scale) || self.lost_leading_digits(&whole, row, scale)
    }

    fn saturated(&self, whole: &Digits, row: i128, scale: u8) -> bool {
        let mut ends = vec![i128::from(i32::MAX), i128::from(u32::MAX), i128::from(i64::MAX), i128::from(u64::MAX)];
        if let Type::Decimal { precision, .. } = self.ty {
            ends.push(POWERS_OF_TEN[usize::from(precision)] - 1);
        }
        let beyond =
            |end: i128| whole.unscaled(scale).is_none_or(|message| message.unsigned_abs() > end.unsigned_abs());
        ends.into_iter()
            .any(|end| beyond(end) && if whole.negative { row == -end || row == -end - 1 } else { row == end })
    }

    fn lost_leading_digits(&self, whole: &Digits, row: i128, scale: u8) -> bool {
        let Type::Decimal { precision, .. } = self.ty else { return false };
        let (row, digits) = (Digits::of_number(row, scale), i64::from(precision) - i64::from(scale));
        let lost = usize::try_from(whole.point - digits).unwrap_or(0).min(whole.digits.len());
        lost > 0 && row == Digits::new(whole.negative, whole.digits[lost..].into(), digits)
    }
}

/// Whether two floats or doubles are at most a few steps apart, as arithmetic leaves them.
fn near(ty: &Type, a: &Digits, b: &Digits) -> bool {
    const STEPS_MAX: u64 = 4;
    let steps = match ty {
        Type::Float => u64::from(a.to_float().to_bits().abs_diff(b.to_float().to_bits())),
        _ => a.to_double().to_bits().abs_diff(b.to_double().to_bits()),
    };
    a.negative == b.negative && steps <= STEPS_MAX
}
