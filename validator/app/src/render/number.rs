//! Numbers for a person: counts with separators, figures that are never rounded up, bytes and durations.

/// `1,234,567`
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 message`, `2,000 messages`
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A figure from 0 to 1, cut (never rounded up) behind two digits more than it has leading nines, at least six. So
/// one message in a hundred million is seen, and a figure below its target never looks like the target.
pub fn figure(value: f64) -> String {
    let gap = 1.0 - value;
    let nines = if gap > 0.0 { (-gap.log10()).ceil().max(0.0) as usize } else { 0 };
    let places = (nines + 2).clamp(6, 17);
    let exact = value.to_string();
    let cut = match exact.split_once('.') {
        Some((whole, places_all)) => format!("{whole}.{}", &places_all[..places_all.len().min(places)]),
        None => return exact,
    };
    let trimmed = cut.trim_end_matches('0').trim_end_matches('.');
    if trimmed == "0" && value > 0.0 { exact } else { trimmed.to_owned() }
}

/// `12.3 GiB`
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let power = ((63 - number.leading_zeros()) / 10).min(6);
    let tenths = (u128::from(number) * 10) >> (10 * power);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[power as usize - 1])
}

/// `850 ms`, `12.3 s`, `4 min 10 s`, `2 h 5 min`
pub fn elapsed(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms / 100 % 10),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms / 1_000 % 60),
        _ => format!("{} h {} min", count(ms / 3_600_000), ms / 60_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (number, text) in cases {
            assert_eq!(count(number), text);
        }
        assert_eq!(counted(1, "message", "messages"), "1 message");
        assert_eq!(counted(0, "message", "messages"), "0 messages");
    }

    #[test]
    fn a_figure_is_never_rounded_up() {
        let cases = [
            (1.0, "1"),
            (0.0, "0"),
            (0.9999, "0.9999"),
            (0.29, "0.29"),
            (9_998.0 / 10_001.0, "0.9997"),
            (0.999_899_999, "0.999899"),
            (0.999_999_95, "0.99999995"),
            (99_999_999.0 / 100_000_000.0, "0.99999999"),
            (1.0 - f64::EPSILON / 2.0, "0.9999999999999999"),
            (1.0e-9, "0.000000001"),
            (2.0 / 3.0, "0.666666"),
        ];
        for (value, text) in cases {
            assert_eq!(figure(value), text);
        }
    }

    #[test]
    fn bytes_and_times_have_units() {
        assert_eq!([bytes(0), bytes(1023), bytes(1024)], ["0 B", "1023 B", "1.0 KiB"]);
        assert_eq!([bytes(1_600_000), bytes(u64::MAX)], ["1.5 MiB", "15.9 EiB"]);
        assert_eq!([elapsed(850), elapsed(12_345), elapsed(250_000)], ["850 ms", "12.3 s", "4 min 10 s"]);
        assert_eq!(elapsed(7_500_000), "2 h 5 min");
    }
}
