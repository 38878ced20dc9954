//! The same text or bytes in another encoding: mojibake, replacement characters, normal forms, escapes.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Whether the row is the message in another encoding or normal form.
pub(super) fn of_text(message: &str, row: &str) -> bool {
    mojibake(message, row)
        || mojibake(row, message)
        || replaced(message, row)
        || same_letters(message, row)
        || escaped(message, row)
        || escaped(row, message)
        || row.strip_prefix('\u{feff}') == Some(message)
        || is_text_of(message.as_bytes(), row.as_bytes())
}

/// Whether the row is the message's bytes in another encoding.
pub(super) fn of_bytes(message: &[u8], row: &[u8]) -> bool {
    let as_latin: String = message.iter().map(|&byte| char::from(byte)).collect();
    row == String::from_utf8_lossy(message).as_bytes()
        || row == as_latin.as_bytes()
        || is_text_of(message, row)
        || is_text_of(row, message)
}

/// Whether the row's UUID is the message's with its first three parts in little-endian order (Microsoft's GUID).
pub(super) fn of_uuid(message: &[u8; 16], row: &[u8; 16]) -> bool {
    let mut swapped = *message;
    swapped[..4].reverse();
    swapped[4..6].reverse();
    swapped[6..8].reverse();
    swapped == *row
}

/// Whether the text is the bytes in base64 or hexadecimal digits.
fn is_text_of(bytes: &[u8], text: &[u8]) -> bool {
    let hex = |(byte, pair): (&u8, &[u8])| format!("{byte:02x}").as_bytes().eq_ignore_ascii_case(pair);
    let in_hex = || text.len() == 2 * bytes.len() && bytes.iter().zip(text.chunks(2)).all(hex);
    let in_base64 = || {
        // Four characters for three bytes, the last of them sometimes left out.
        let length = bytes.len().div_ceil(3) * 4;
        (length.saturating_sub(2)..=length).contains(&text.len())
            && [STANDARD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)].iter().any(|encoded| encoded.as_bytes() == text)
    };
    !bytes.is_empty() && (in_hex() || in_base64())
}

/// UTF-8 taken for Latin-1 or Windows-1252, once or twice.
fn mojibake(text: &str, garbled: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    [latin_1, windows_1252].into_iter().any(|decode: fn(u8) -> char| {
        let read = |text: &str| text.bytes().map(decode).collect::<String>();
        let once = read(text);
        once == garbled || read(&once) == garbled
    })
}

fn latin_1(byte: u8) -> char {
    char::from(byte)
}

/// As browsers and Java decode it: the five unassigned bytes are control characters.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte) - 0x80],
        _ => char::from(byte),
    }
}

/// Characters beyond ASCII became `?` or U+FFFD, one for each character or for each of its bytes, or are gone.
fn replaced(message: &str, row: &str) -> bool {
    if message.is_ascii() {
        return false;
    }
    let ascii: String = message.chars().filter(char::is_ascii).collect();
    if ascii == row {
        return true;
    }
    let (mut wanted, mut found) = (message.chars().peekable(), row.chars().peekable());
    let mut replacements = 0;
    while let Some(&character) = wanted.peek() {
        if found.peek() == Some(&character) {
            wanted.next();
            found.next();
            continue;
        }
        let (mut characters, mut bytes, mut marks) = (0, 0, 0);
        while let Some(lost) = wanted.next_if(|character| !character.is_ascii()) {
            characters += 1;
            bytes += lost.len_utf8();
        }
        while found.next_if(|mark| matches!(mark, '?' | '\u{fffd}')).is_some() {
            marks += 1;
        }
        // A literal `?` of the message may follow and have been taken for a mark.
        while marks > characters && wanted.next_if_eq(&'?').is_some() {
            characters += 1;
            bytes += 1;
        }
        if characters == 0 || marks < characters || marks > bytes {
            return false;
        }
        replacements += marks;
    }
    found.next().is_none() && replacements > 0
}

/// Equal when a letter with its combining marks counts as the one composed letter that may stand for it (NFC, NFD). Without
/// the Unicode tables any composed letter is taken for any base with marks; all else must be equal.
fn same_letters(message: &str, row: &str) -> bool {
    let (message, row) = (letters(message), letters(row));
    let composed = |one: &str, other: &str| {
        let mut characters = other.chars();
        let (base, marks) = (characters.next(), characters.as_str());
        let single = one.chars().count() == 1 && !one.is_ascii();
        single && base.is_some_and(char::is_alphabetic) && !marks.is_empty()
    };
    message.len() == row.len()
        && message
            .iter()
            .zip(&row)
            .all(|(a, b)| a == b || composed(a, b) || composed(b, a) || (hangul(a).is_some() && hangul(a) == hangul(b)))
}

/// Each character with the combining marks, or the Hangul jamo, that follow it.
fn letters(text: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = Vec::new();
    let mut previous = '\0';
    for (at, character) in text.char_indices() {
        let joins = combining(character)
            || (jamo(previous) && matches!(character, '\u{1161}'..='\u{1175}' | '\u{11a8}'..='\u{11c2}'));
        if starts.is_empty() || !joins {
            starts.push(at);
        }
        previous = character;
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(&start, end)| &text[start..end]).collect()
}

fn combining(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{487}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}'
        | '\u{93c}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{3099}' | '\u{309a}'
        | '\u{fe20}'..='\u{fe2f}')
}

fn jamo(character: char) -> bool {
    matches!(character, '\u{1100}'..='\u{1112}' | '\u{1161}'..='\u{1175}')
}

/// The syllable that one character or two or three jamo are (Unicode section 3.12).
fn hangul(letter: &str) -> Option<u32> {
    let parts: Vec<u32> = letter.chars().map(u32::from).collect();
    match parts[..] {
        [syllable @ 0xac00..=0xd7a3] => Some(syllable),
        [lead @ 0x1100..=0x1112, vowel @ 0x1161..=0x1175] => {
            Some(0xac00 + ((lead - 0x1100) * 21 + vowel - 0x1161) * 28)
        }
        [lead @ 0x1100..=0x1112, vowel @ 0x1161..=0x1175, tail @ 0x11a8..=0x11c2] => {
            Some(0xac00 + ((lead - 0x1100) * 21 + vowel - 0x1161) * 28 + tail - 0x11a7)
        }
        _ => None,
    }
}

/// The text as JSON writes it, with or without quotes, and with `\u` escapes for all beyond ASCII or not; or with the five
/// entities of XML.
fn escaped(text: &str, written: &str) -> bool {
    let quoted = serde_json::Value::from(text).to_string();
    let ascii: String = quoted.chars().flat_map(json_ascii).collect();
    let inner = |quoted: &str| quoted[1..quoted.len() - 1].to_owned();
    let entities = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let all_entities = entities.replace('"', "&quot;").replace('\'', "&#39;");
    [inner(&quoted), inner(&ascii), quoted, ascii, entities, all_entities].iter().any(|form| form == written)
}

fn json_ascii(character: char) -> Vec<char> {
    if character.is_ascii() {
        return vec![character];
    }
    let mut units = [0; 2];
    character
        .encode_utf16(&mut units)
        .iter()
        .flat_map(|unit| format!("\\u{unit:04x}").chars().collect::<Vec<_>>())
        .collect()
}
