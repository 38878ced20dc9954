//! Damage to timestamps, dates and times of day.

use super::Test;
use crate::convert::instant::{TextInstant, read_timestamp};
use crate::schema::Type;
use crate::value::Value;
use crate::verdict::Damage;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_DAY: i128 = 86_400 * NANOS_PER_SECOND;
/// The zones of the earth are whole multiples of a quarter of an hour apart,
const ZONE_STEP_SECONDS: i128 = 900;
/// and at most this: UTC+14 and UTC-12.
const ZONES_APART_SECONDS_MAX: i128 = 26 * 3_600;

/// What a time is cut or rounded to, in nanoseconds: µs, ms, s, minute, hour, day.
const CUTS_NANOS: [i128; 6] =
    [1_000, 1_000_000, NANOS_PER_SECOND, 60 * NANOS_PER_SECOND, 3_600 * NANOS_PER_SECOND, NANOS_PER_DAY];

/// A smaller count of steps could come from any time near the epoch.
const TELLING_STEPS: i128 = 1_000;

/// Whether two counts of time differ as two zones do.
pub(super) fn zones_apart(difference: i128, per_second: i128) -> bool {
    difference != 0
        && difference % (ZONE_STEP_SECONDS * per_second) == 0
        && difference.abs() <= ZONES_APART_SECONDS_MAX * per_second
}

/// The first class that fits two different timestamps, dates or times of day.
pub(super) fn class(ty: &Type, message: &Value, row: &Value) -> Option<Damage> {
    match (message, row) {
        // A day off is an instant that was taken for its date in another zone.
        (Value::Date(message), Value::Date(row)) => (message.abs_diff(*row) == 1).then_some(Damage::ZoneShift),
        (_, Value::Time(row)) => time_of_day(message, i128::from(*row) * 1_000),
        (_, Value::Timestamp { .. }) => {
            let step = if matches!(ty, Type::TimestampNs | Type::TimestamptzNs) { 1 } else { 1_000 };
            let pair = Pair { message: nanos(message)?, row: row.epoch_nanos()?, step };
            if pair.message == pair.row {
                return beyond_nanos(message).then_some(Damage::Truncated);
            }
            let classes: [Test<Pair>; 6] = [
                (Damage::UnitShift, Pair::unit_shift),
                (Damage::ZoneShift, |pair| zones_apart(pair.row - pair.message, NANOS_PER_SECOND)),
                (Damage::Truncated, Pair::truncated),
                (Damage::PrecisionLost, Pair::rounded),
                (Damage::FloatRoundTrip, Pair::float_round_trip),
                (Damage::OverflowWrap, Pair::overflow_wrap),
            ];
            classes.into_iter().find(|(_, fits)| fits(&pair)).map(|(damage, _)| damage)
        }
        _ => None,
    }
}

/// Nanoseconds since the epoch; an inexact timestamp's from its text, as far as nanoseconds go.
fn nanos(value: &Value) -> Option<i128> {
    match value {
        Value::Inexact(text) => {
            let TextInstant { seconds, nanos, .. } = read_timestamp(text.as_bytes())?;
            Some(i128::from(seconds) * NANOS_PER_SECOND + i128::from(nanos))
        }
        _ => value.epoch_nanos(),
    }
}

/// Digits beyond the nanosecond, and no leap second, which is no digit too many.
fn beyond_nanos(value: &Value) -> bool {
    matches!(value, Value::Inexact(text) if !text.contains(":60"))
}

fn time_of_day(message: &Value, row: i128) -> Option<Damage> {
    let message = match message {
        Value::Time(micros) => i128::from(*micros) * 1_000,
        // Read as the time of the epoch's day, so that there is one reader of fractions.
        Value::Inexact(text) => nanos(&Value::Inexact(format!("1970-01-01T{text}")))?,
        _ => return None,
    };
    let pair = Pair { message, row, step: 1_000 };
    if row == message {
        return None;
    }
    if (row - message).rem_euclid(NANOS_PER_DAY) % (ZONE_STEP_SECONDS * NANOS_PER_SECOND) == 0 {
        return Some(Damage::ZoneShift);
    }
    match pair {
        _ if pair.truncated() => Some(Damage::Truncated),
        _ if pair.rounded() => Some(Damage::PrecisionLost),
        _ => None,
    }
}

/// Nanoseconds since the epoch, or since midnight, and those in one step of the column.
struct Pair {
    message: i128,
    row: i128,
    step: i128,
}

impl Pair {
    /// The count of the one is 10^3k times that of the other; where it became smaller, cut or rounded to the column's step.
    fn unit_shift(&self) -> bool {
        let (message, row) = (self.message, self.row);
        if message == 0 || row.abs() < TELLING_STEPS * self.step {
            return false;
        }
        [1_000, 1_000_000, 1_000_000_000].into_iter().any(|ratio: i128| {
            message.checked_mul(ratio) == Some(row) || (row - message.div_euclid(ratio)).abs() <= self.step
        })
    }

    /// Down, as clocks do, or toward the epoch, as integer division does before 1970.
    fn truncated(&self) -> bool {
        CUTS_NANOS.into_iter().any(|cut| {
            let (down, toward_epoch) = (self.message.div_euclid(cut) * cut, self.message / cut * cut);
            (self.row == down || self.row == toward_epoch) && self.row != self.message
        })
    }

    /// To the nearest second or finer; of a tie, either neighbour.
    fn rounded(&self) -> bool {
        CUTS_NANOS
            .into_iter()
            .filter(|cut| *cut <= NANOS_PER_SECOND)
            .any(|cut| self.row % cut == 0 && (self.row - self.message).abs() * 2 <= cut)
    }

    /// Through a double that counts seconds, milli-, micro- or nanoseconds.
    fn float_round_trip(&self) -> bool {
        [NANOS_PER_SECOND, 1_000_000, 1_000, 1].into_iter().any(|unit| {
            // The number that a program would hold: the nearest double to the quotient.
            let Ok(count) = decimal_quotient(self.message, unit).parse::<f64>() else { return false };
            let steps = count * (unit as f64) / (self.step as f64);
            [steps.trunc(), steps.floor(), steps.round()].into_iter().any(|steps| steps as i128 * self.step == self.row)
        })
    }

    /// Nanoseconds in 64 bits (1677 to 2262), seconds in 32 (1901 to 2038).
    fn overflow_wrap(&self) -> bool {
        let seconds = self.message.div_euclid(NANOS_PER_SECOND);
        let fraction = self.message.rem_euclid(NANOS_PER_SECOND);
        let of_seconds = |seconds: i128| seconds * NANOS_PER_SECOND + fraction;
        let mut wrapped = vec![i128::from(self.message as i64)];
        wrapped.extend([i128::from(seconds as i32), i128::from(seconds as u32)].map(of_seconds));
        if i64::try_from(self.message).is_err() {
            wrapped.extend([i64::MAX, i64::MIN].map(i128::from));
        }
        let (down, toward_zero) = (|nanos: i128| nanos.div_euclid(self.step), |nanos: i128| nanos / self.step);
        wrapped.into_iter().any(|nanos| [down(nanos), toward_zero(nanos)].contains(&(self.row / self.step)))
    }
}

fn decimal_quotient(nanos: i128, unit: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (whole, rest) = (nanos.abs() / unit, nanos.abs() % unit);
    let width = unit.ilog10() as usize;
    format!("{sign}{whole}.{rest:0>width$}0")
}
