//! Durations (`90s`, `2m`, `1h30m`) and sizes (`512MiB`, `2GiB`): numbers always with their unit.

use std::time::Duration;

/// What a duration looks like, for messages.
pub const DURATION_EXAMPLES: &str = "a duration with a unit, like \"90s\", \"2m\", \"1h30m\" or \"24h\"";

/// What a size looks like, for messages.
pub const SIZE_EXAMPLES: &str = "a size with a unit, like \"512MiB\" or \"2GiB\"";

/// Units of sizes and their bytes; the longer name of two stands first.
const SIZE_UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// Reads a duration with its unit.
pub fn parse_duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text.trim()).ok()
}

/// Reads a duration with its unit as whole milliseconds; what is finer than a millisecond is refused.
pub fn parse_duration_ms(text: &str) -> Option<i64> {
    let duration = parse_duration(text)?;
    let whole = duration.subsec_nanos() % 1_000_000 == 0;
    i64::try_from(duration.as_millis()).ok().filter(|_| whole)
}

/// Reads a size with its unit as bytes; at least one byte.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, factor) =
        SIZE_UNITS.iter().find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, *factor)))?;
    let number = number.trim_end();
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(factor).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_want_a_unit() {
        let cases = [
            ("90s", Some(90_000)),
            ("2m", Some(120_000)),
            ("24h", Some(86_400_000)),
            ("1h30m", Some(5_400_000)),
            ("250ms", Some(250)),
            ("0s", Some(0)),
            ("90", None),
            ("-90s", None),
            ("1.5h", Some(5_400_000)),
            ("10us", None),
            ("", None),
            ("99999999999999999999s", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_duration_ms(text), expected, "{text}");
        }
    }

    #[test]
    fn sizes_want_a_unit() {
        let cases = [
            ("2GiB", Some(2 << 30)),
            ("512 MiB", Some(512 << 20)),
            ("1kB", Some(1000)),
            ("10MB", Some(10_000_000)),
            ("7B", Some(7)),
            ("0B", None),
            ("2", None),
            ("GiB", None),
            ("+1GiB", None),
            ("-1GiB", None),
            ("1.5GiB", None),
            ("99999999999TiB", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_size(text), expected, "{text}");
        }
    }
}
