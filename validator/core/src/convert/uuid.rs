//! UUIDs from text: hyphenated or 32 hexadecimal digits, any case (RFC 9562 section 4).

use super::Parsed;

/// Text as a UUID's 16 bytes, big-endian. Failed: neither `8-4-4-4-12` nor 32 hexadecimal digits.
pub fn parse_uuid(text: &str) -> Parsed<[u8; 16]> {
    let text = text.as_bytes();
    let hyphenated = match text.len() {
        36 if [8, 13, 18, 23].iter().all(|&at| text[at] == b'-') => true,
        32 => false,
        _ => return Parsed::Failed,
    };
    let mut bytes = [0; 16];
    let mut at = 0;
    for (i, byte) in bytes.iter_mut().enumerate() {
        if hyphenated && matches!(i, 4 | 6 | 8 | 10) {
            at += 1;
        }
        let (Some(high), Some(low)) = (hex(text[at]), hex(text[at + 1])) else { return Parsed::Failed };
        *byte = high << 4 | low;
        at += 2;
    }
    Parsed::Exact(bytes)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn every_form_gives_the_same_bytes() {
        let wanted = Parsed::Exact(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes());
        for text in [
            "01234567-89ab-cdef-0123-456789abcdef",
            "01234567-89AB-CDEF-0123-456789ABCDEF",
            "0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(parse_uuid(text), wanted, "{text}");
        }
        let Parsed::Exact(bytes) = wanted else { unreachable!() };
        assert_eq!(Value::Uuid(bytes).to_string(), "01234567-89ab-cdef-0123-456789abcdef");
    }

    #[test]
    fn other_text_fails() {
        for text in [
            "",
            "01234567-89ab-cdef-0123-456789abcde",
            "01234567-89ab-cdef-0123-456789abcdeg",
            "0123456-789ab-cdef-0123-456789abcdef",
            "{01234567-89ab-cdef-0123-456789abcdef}",
        ] {
            assert_eq!(parse_uuid(text), Parsed::Failed, "{text:?}");
        }
    }
}
