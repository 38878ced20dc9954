//! Escapes in JSON strings: checking them, and writing what they stand for.

use super::cursor::{Fault, Parsed};

/// Checks every escape of a string's content: known letters, four hex digits, surrogates only as whole pairs.
#[cold]
pub(super) fn check(raw: &str) -> Parsed<()> {
    let bytes = raw.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        at += found;
        at += match bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => unicode(bytes, at)?.1,
            _ => return Err(Fault { at, what: "an unknown escape" }),
        };
    }
    Ok(())
}

/// Appends what the content of a checked string stands for.
pub(crate) fn unescape(raw: &str, out: &mut Vec<u8>) {
    let bytes = raw.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        out.extend_from_slice(&bytes[at..at + found]);
        at += found;
        let letter = bytes[at + 1];
        if letter == b'u' {
            let (character, length) = unicode(bytes, at).expect("the string was checked");
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            at += length;
        } else {
            out.push(match letter {
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                itself => itself,
            });
            at += 2;
        }
    }
    out.extend_from_slice(&bytes[at..]);
}

/// The character of the `\uXXXX` at `at`, or of a pair of them, and its length in bytes.
fn unicode(bytes: &[u8], at: usize) -> Parsed<(char, usize)> {
    let lone = Fault { at, what: "a lone surrogate" };
    let high = hex(bytes, at)?;
    if let Some(character) = char::from_u32(high) {
        return Ok((character, 6));
    }
    if high >= 0xdc00 || bytes.get(at + 6..at + 8) != Some(b"\\u") {
        return Err(lone);
    }
    let low = hex(bytes, at + 6)?;
    if !(0xdc00..0xe000).contains(&low) {
        return Err(lone);
    }
    let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    Ok((char::from_u32(code).expect("a pair of surrogates is a character"), 12))
}

fn hex(bytes: &[u8], at: usize) -> Parsed<u32> {
    let fault = Fault { at, what: "an escape without four hex digits" };
    let digits = bytes.get(at + 2..at + 6).ok_or(fault)?;
    digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?)).ok_or(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_what_a_second_parser_makes_of_them() {
        for raw in [r#"a\"b\\c\/d"#, r"\b\f\n\r\t", r"\u0000\u0041\u00e9\u20ac", r"\ud83d\ude00 x", "é\\né", ""] {
            check(raw).expect("sound");
            let mut ours = Vec::new();
            unescape(raw, &mut ours);
            let theirs: String = serde_json::from_str(&format!("\"{raw}\"")).expect("sound");
            assert_eq!(String::from_utf8(ours).expect("UTF-8"), theirs);
        }
    }

    #[test]
    fn half_pairs_and_broken_escapes_are_refused_where_they_stand() {
        for (raw, at) in [
            (r"ab\ud800", 2),
            (r"\udc00\ud800", 0),
            (r"\ud800\u0041", 0),
            (r"\ud800A", 0),
            (r"x\u12", 1),
            (r"\ud83d\u12", 6),
            (r"\", 0),
            (r"\'", 0),
            (r"\u00G0", 0),
        ] {
            assert_eq!(check(raw).map_err(|f| f.at), Err(at), "{raw}");
        }
    }
}
