//! Dates, times and timestamps from text, and instants from numbers.
//!
//! Contract: RFC 3339 and the ISO 8601 extended forms: `2024-08-08T12:30:45.123456+05:30` with `T`, `t` or a space, seconds
//! and fraction (any number of digits) optional, offset `Z`, `+00`, `+0000`, `+05:30` or none; years of four digits, or
//! of four to six with a sign. Nothing is rounded: digits beyond the unit that are not zero make the value inexact.
//! A second of 60 is a time that no table can hold: inexact, not wrong.

use super::Parsed;
use super::civil::days_of_civil;
use super::decimal::{DIGITS_MAX, ScannedDecimal};
use crate::contract::EpochUnit;

/// What one step of a timestamp in memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstantUnit {
    /// `timestamp`, `timestamptz`.
    Micros,
    /// `timestamp_ns`, `timestamptz_ns`.
    Nanos,
}

/// A timestamp as its text says it, before it is brought to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextInstant {
    /// Seconds since the epoch, in UTC when `zoned`.
    pub seconds: i64,
    /// Nanoseconds since that second.
    pub nanos: u32,
    /// Digits beyond the nanosecond that are not zero, or a leap second (`seconds` is then the second after it).
    pub beyond_nanos: bool,
    /// The text names an offset.
    pub zoned: bool,
}

impl InstantUnit {
    /// Steps in one second.
    pub fn per_second(self) -> i64 {
        match self {
            InstantUnit::Micros => 1_000_000,
            InstantUnit::Nanos => 1_000_000_000,
        }
    }
}

/// Text as a timestamp: steps of `unit` since the epoch.
///
/// `zoned`: the target is an instant, and text without an offset fails; else the target is a wall time, and text with an
/// offset is its UTC wall time. Inexact: finer than the unit, or out of its range. Failed: not a timestamp.
pub fn parse_timestamp(text: &str, zoned: bool, unit: InstantUnit) -> Parsed<i64> {
    let Some(instant) = read_timestamp(text.as_bytes()) else { return Parsed::Failed };
    if zoned && !instant.zoned {
        return Parsed::Failed;
    }
    let nanos_per_step = (1_000_000_000 / unit.per_second()) as u32;
    if instant.beyond_nanos || instant.nanos % nanos_per_step != 0 {
        return Parsed::Inexact;
    }
    let steps =
        i128::from(instant.seconds) * i128::from(unit.per_second()) + i128::from(instant.nanos / nanos_per_step);
    i64::try_from(steps).map_or(Parsed::Inexact, Parsed::Exact)
}

/// Text as a date, `YYYY-MM-DD`: days since 1970-01-01.
pub fn parse_date(text: &str) -> Parsed<i32> {
    let mut cursor = Cursor(text.as_bytes());
    match cursor.date() {
        Some(days) if cursor.0.is_empty() => i32::try_from(days).map_or(Parsed::Inexact, Parsed::Exact),
        _ => Parsed::Failed,
    }
}

/// Text as a time of day, `HH:MM[:SS[.fraction]]` without an offset: microseconds since midnight.
pub fn parse_time(text: &str) -> Parsed<i64> {
    let mut cursor = Cursor(text.as_bytes());
    match cursor.time() {
        Some(time) if cursor.0.is_empty() => {
            if time.leap || time.beyond_nanos || time.nanos % 1_000 != 0 {
                return Parsed::Inexact;
            }
            Parsed::Exact(time.seconds * 1_000_000 + i64::from(time.nanos / 1_000))
        }
        _ => Parsed::Failed,
    }
}

/// The text of a number that counts `epoch` units since 1970-01-01, fractions allowed, as steps of `unit`.
pub fn parse_epoch(text: &str, epoch: EpochUnit, unit: InstantUnit) -> Parsed<i64> {
    let Some(mut number) = ScannedDecimal::scan(text.as_bytes()) else { return Parsed::Failed };
    let digits_below_second = |unit: i64| unit.ilog10() as i64;
    let shift = digits_below_second(unit.per_second()) - i64::from(epoch_digits(epoch));
    number.exponent = number.exponent.saturating_add(shift);
    match number.to_scale(0).map(i64::try_from) {
        Some(Ok(steps)) => Parsed::Exact(steps),
        _ => Parsed::Inexact,
    }
}

/// A whole number of `epoch` units since 1970-01-01 as steps of `unit`.
pub fn epoch_instant(number: i64, epoch: EpochUnit, unit: InstantUnit) -> Parsed<i64> {
    let shift = unit.per_second().ilog10() as i32 - epoch_digits(epoch);
    let power = 10_i64.pow(shift.unsigned_abs());
    if shift >= 0 {
        number.checked_mul(power).map_or(Parsed::Inexact, Parsed::Exact)
    } else if number % power == 0 {
        Parsed::Exact(number / power)
    } else {
        Parsed::Inexact
    }
}

fn epoch_digits(epoch: EpochUnit) -> i32 {
    match epoch {
        EpochUnit::Second => 0,
        EpochUnit::Millisecond => 3,
        EpochUnit::Microsecond => 6,
        EpochUnit::Nanosecond => 9,
    }
}

/// Reads a timestamp's text; `None`: not a timestamp.
pub fn read_timestamp(text: &[u8]) -> Option<TextInstant> {
    let mut cursor = Cursor(text);
    let days = cursor.date()?;
    match cursor.next()? {
        b'T' | b't' | b' ' => {}
        _ => return None,
    }
    let time = cursor.time()?;
    let offset = cursor.offset()?;
    if !cursor.0.is_empty() {
        return None;
    }
    Some(TextInstant {
        seconds: days * 86_400 + time.seconds - offset.unwrap_or(0),
        nanos: time.nanos,
        beyond_nanos: time.beyond_nanos || time.leap,
        zoned: offset.is_some(),
    })
}

struct TimeOfDay {
    seconds: i64,
    nanos: u32,
    beyond_nanos: bool,
    leap: bool,
}

/// The text that is still to be read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    /// Two digits, at most `most`.
    fn two(&mut self, most: u32) -> Option<u32> {
        let [tens, ones, rest @ ..] = self.0 else { return None };
        if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
            return None;
        }
        self.0 = rest;
        let number = u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
        (number <= most).then_some(number)
    }

    fn date(&mut self) -> Option<i64> {
        let sign = match self.0.first()? {
            b'+' => 1,
            b'-' => -1,
            _ => 0,
        };
        if sign != 0 {
            self.0 = &self.0[1..];
        }
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits != 4 && (sign == 0 || !(4..=6).contains(&digits)) {
            return None;
        }
        let (year, rest) = self.0.split_at(digits);
        self.0 = rest;
        let year = year.iter().fold(0, |year, byte| year * 10 + i64::from(byte - b'0'));
        let month = self.skip(b'-').then(|| self.two(12))??;
        let day = self.skip(b'-').then(|| self.two(31))??;
        days_of_civil(if sign < 0 { -year } else { year }, month, day)
    }

    fn time(&mut self) -> Option<TimeOfDay> {
        let hour = self.two(23)?;
        let minute = self.skip(b':').then(|| self.two(59))??;
        let mut time = TimeOfDay { seconds: 0, nanos: 0, beyond_nanos: false, leap: false };
        let mut second = 0;
        if self.skip(b':') {
            second = self.two(60)?;
            time.leap = second == 60;
            if self.skip(b'.') || self.skip(b',') {
                (time.nanos, time.beyond_nanos) = self.fraction()?;
            }
        }
        time.seconds = i64::from(hour * 3_600 + minute * 60 + second);
        Some(time)
    }

    /// At least one digit: nanoseconds, and whether there is more behind them.
    fn fraction(&mut self) -> Option<(u32, bool)> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let (fraction, rest) = self.0.split_at(digits);
        self.0 = rest;
        let (held, beyond) = fraction.split_at(digits.min(9));
        let nanos = held.iter().fold(0, |nanos, byte| nanos * 10 + u32::from(byte - b'0'));
        Some((nanos * 10_u32.pow(9 - held.len() as u32), beyond.iter().any(|&byte| byte != b'0')))
    }

    /// Seconds east of UTC; `Some(None)`: there is no offset. One space may stand before it.
    fn offset(&mut self) -> Option<Option<i64>> {
        if self.0.is_empty() {
            return Some(None);
        }
        self.skip(b' ');
        let sign = match self.next()? {
            b'Z' | b'z' => return Some(Some(0)),
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let hours = self.two(23)?;
        let minutes = match self.skip(b':') || !self.0.is_empty() {
            true => self.two(59)?,
            false => 0,
        };
        let seconds = if self.skip(b':') { self.two(59)? } else { 0 };
        Some(Some(sign * i64::from(hours * 3_600 + minutes * 60 + seconds)))
    }
}

const _: () = assert!(DIGITS_MAX >= 19, "every i64 count of steps can be scanned");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::value::Value;

    const T: i64 = 1_723_075_200; // 2024-08-08T00:00:00Z

    #[test]
    fn instants_are_read_in_every_form() {
        let cases = [
            ("2024-08-08T00:00:00Z", T * 1_000_000),
            ("2024-08-08 00:00:00+00", T * 1_000_000),
            ("2024-08-08t00:00:00.000000z", T * 1_000_000),
            ("2024-08-08T05:30:00+0530", T * 1_000_000),
            ("2024-08-08T05:30:00.260514+05:30", T * 1_000_000 + 260_514),
            ("2024-08-07T17:00-07:00", T * 1_000_000),
            ("2024-08-08 00:00:00.5 +00:00", T * 1_000_000 + 500_000),
            ("2024-08-08T00:00:00.123456000000Z", T * 1_000_000 + 123_456),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
            ("+12024-01-01T00:00:00Z", 317_273_587_200_000_000),
        ];
        for (text, micros) in cases {
            assert_eq!(parse_timestamp(text, true, InstantUnit::Micros), Parsed::Exact(micros), "{text}");
        }
    }

    #[test]
    fn a_wall_time_takes_zoneless_text_as_it_is_and_zoned_text_in_utc() {
        let wall = |text| parse_timestamp(text, false, InstantUnit::Micros);
        assert_eq!(wall("2024-08-08T00:00:00"), Parsed::Exact(T * 1_000_000));
        assert_eq!(wall("2024-08-08T02:00:00+02:00"), Parsed::Exact(T * 1_000_000));
        assert_eq!(parse_timestamp("2024-08-08T00:00:00", true, InstantUnit::Micros), Parsed::Failed);
    }

    #[test]
    fn what_the_unit_cannot_hold_is_inexact() {
        let micros = |text| parse_timestamp(text, true, InstantUnit::Micros);
        let nanos = |text| parse_timestamp(text, true, InstantUnit::Nanos);
        assert_eq!(micros("2024-08-08T00:00:00.123456789Z"), Parsed::Inexact);
        assert_eq!(nanos("2024-08-08T00:00:00.123456789Z"), Parsed::Exact(T * 1_000_000_000 + 123_456_789));
        assert_eq!(nanos("2024-08-08T00:00:00.1234567890Z"), Parsed::Exact(T * 1_000_000_000 + 123_456_789));
        assert_eq!(nanos("2024-08-08T00:00:00.1234567891Z"), Parsed::Inexact);
        assert_eq!(nanos("1677-09-21T00:12:43.145224191Z"), Parsed::Inexact);
        assert_eq!(nanos("1677-09-21T00:12:43.145224192Z"), Parsed::Exact(i64::MIN));
        assert_eq!(micros("2016-12-31T23:59:60Z"), Parsed::Inexact);
    }

    #[test]
    fn what_is_no_timestamp_fails() {
        let texts = [
            "",
            "2024-08-08",
            "2024-08-08T",
            "2024-08-08T24:00:00Z",
            "2024-02-30T00:00:00Z",
            "2024-8-8T00:00:00Z",
            "24-08-08T00:00:00Z",
            "2024-08-08T00:00:00.Z",
            "2024-08-08T00:00:00 ",
            "2024-08-08T00:00:00ZZ",
            "2024-08-08T00:00:00+5",
            "2024-08-08T00:00:00+05:3",
            "2024-08-08T00:00:00+24:00",
            "2024-08-08T00:61:00Z",
            "1723075200",
            "2024-08-08_00:00:00Z",
            "12024-01-01T00:00:00Z",
            "2024-08-08T00:00:00 UTC",
        ];
        for text in texts {
            assert_eq!(parse_timestamp(text, false, InstantUnit::Micros), Parsed::Failed, "{text:?}");
        }
    }

    #[test]
    fn dates_and_times_of_day() {
        assert_eq!(parse_date("2024-08-08"), Parsed::Exact(19_943));
        assert_eq!(parse_date("0001-01-01"), Parsed::Exact(-719_162));
        assert_eq!(parse_date("2024-08-08T00:00:00Z"), Parsed::Failed);
        assert_eq!(parse_date("2023-02-29"), Parsed::Failed);
        assert_eq!(parse_time("12:30"), Parsed::Exact(45_000_000_000));
        assert_eq!(parse_time("23:59:59.999999"), Parsed::Exact(86_399_999_999));
        assert_eq!(parse_time("23:59:59.9999999"), Parsed::Inexact);
        assert_eq!(parse_time("24:00:00"), Parsed::Failed);
        assert_eq!(parse_time("12:30Z"), Parsed::Failed);
    }

    #[test]
    fn epochs_of_every_unit() {
        use EpochUnit::*;
        let micros = |text, epoch| parse_epoch(text, epoch, InstantUnit::Micros);
        assert_eq!(micros("1723075200", Second), Parsed::Exact(T * 1_000_000));
        assert_eq!(micros("1534614057.321597", Second), Parsed::Exact(1_534_614_057_321_597));
        assert_eq!(micros("1.7230752e12", Millisecond), Parsed::Exact(T * 1_000_000));
        assert_eq!(micros("1723075200000123", Microsecond), Parsed::Exact(T * 1_000_000 + 123));
        assert_eq!(micros("1723075200000123456", Nanosecond), Parsed::Inexact);
        assert_eq!(micros("1723075200000123000", Nanosecond), Parsed::Exact(T * 1_000_000 + 123));
        assert_eq!(micros("9223372036854775807", Second), Parsed::Inexact);
        assert_eq!(micros("soon", Second), Parsed::Failed);
        assert_eq!(epoch_instant(-1, Millisecond, InstantUnit::Nanos), Parsed::Exact(-1_000_000));
        assert_eq!(epoch_instant(1_001, Nanosecond, InstantUnit::Micros), Parsed::Inexact);
        assert_eq!(epoch_instant(i64::MAX, Second, InstantUnit::Micros), Parsed::Inexact);
    }

    proptest! {
        #[test]
        fn printed_timestamps_return(nanos: i64, zoned: bool, micros: i64) {
            let text = Value::timestamp_nanos(nanos, zoned).to_string();
            prop_assert_eq!(parse_timestamp(&text, zoned, InstantUnit::Nanos), Parsed::Exact(nanos), "{}", text);
            let text = Value::timestamp_micros(micros, zoned).to_string();
            prop_assert_eq!(parse_timestamp(&text, zoned, InstantUnit::Micros), Parsed::Exact(micros), "{}", text);
        }

        #[test]
        fn an_epoch_as_number_and_as_text_agree(number: i64) {
            for epoch in [EpochUnit::Second, EpochUnit::Millisecond, EpochUnit::Microsecond, EpochUnit::Nanosecond] {
                for unit in [InstantUnit::Micros, InstantUnit::Nanos] {
                    prop_assert_eq!(epoch_instant(number, epoch, unit), parse_epoch(&number.to_string(), epoch, unit));
                }
            }
        }
    }
}
