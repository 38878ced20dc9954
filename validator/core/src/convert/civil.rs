//! Days since 1970-01-01 ↔ year, month, day in the proleptic Gregorian calendar.
//!
//! Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". Own code because the range of a timestamp in
//! microseconds (±292,000 years) is wider than chrono's, and this stands in the hot loop of text conversion.

/// A calendar day. Year 0 is 1 BC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CivilDate {
    /// Astronomical year.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

/// The calendar day that many days after 1970-01-01.
pub fn civil_of_days(days: i64) -> CivilDate {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    CivilDate { year, month, day }
}

/// Days since 1970-01-01 of a calendar day; `None` when there is no such day.
pub fn days_of_civil(year: i64, month: u32, day: u32) -> Option<i64> {
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let shifted_month = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_returns() {
        let (first, last) = (days_of_civil(1_599, 1, 1), days_of_civil(2_401, 12, 31));
        let (first, last) = (first.expect("a day"), last.expect("a day"));
        let mut previous = civil_of_days(first - 1);
        for days in first..=last {
            let CivilDate { year, month, day } = civil_of_days(days);
            assert_eq!(days_of_civil(year, month, day), Some(days));
            assert!((year, month, day) > (previous.year, previous.month, previous.day));
            previous = CivilDate { year, month, day };
        }
    }

    #[test]
    fn known_days() {
        assert_eq!(days_of_civil(1970, 1, 1), Some(0));
        assert_eq!(days_of_civil(1969, 12, 31), Some(-1));
        assert_eq!(days_of_civil(2000, 2, 29), Some(11_016));
        assert_eq!(days_of_civil(1, 1, 1), Some(-719_162));
        assert_eq!(days_of_civil(1900, 2, 29), None);
        assert_eq!(days_of_civil(2024, 4, 31), None);
        assert_eq!(days_of_civil(2024, 13, 1), None);
        assert_eq!(days_of_civil(2024, 1, 0), None);
    }
}
