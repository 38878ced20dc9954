//! A strict JSON tokenizer over one payload: RFC 8259, numbers as their own text, nothing allocated.
//!
//! The payload must have been checked as UTF-8. Refused: control bytes in strings, unknown escapes, lone surrogates,
//! leading zeros, `NaN`, comments, trailing commas.

use std::borrow::Cow;

use super::escape;

/// What was wrong, and at which byte of the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// 0-based byte in the payload.
    pub(crate) at: usize,
    /// A phrase for a person, without values.
    pub(crate) what: &'static str,
}

pub(crate) type Parsed<T> = Result<T, Fault>;

/// The content of a string between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    /// As it stands in the payload.
    pub(crate) raw: &'a str,
    /// Whether `raw` holds escapes.
    pub(crate) escaped: bool,
    /// The byte of the payload where `raw` starts.
    pub(crate) from: usize,
}

impl<'a> Text<'a> {
    /// What the string stands for.
    pub(crate) fn plain(&self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut bytes = Vec::with_capacity(self.raw.len());
        escape::unescape(self.raw, &mut bytes);
        Cow::Owned(String::from_utf8(bytes).expect("a checked string is UTF-8"))
    }
}

/// The first byte of a value tells its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// Where the reading stands in a payload.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth_left: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str, depth_max: usize) -> Self {
        Self { text, at: 0, depth_left: depth_max }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Goes back to, or on to, a byte where a token starts.
    pub(crate) fn jump(&mut self, at: usize) {
        self.at = at;
    }

    /// The payload's text between two bytes that tokens start or end at.
    pub(crate) fn between(&self, from: usize, to: usize) -> &'a str {
        &self.text[from..to]
    }

    #[cold]
    pub(crate) fn fault<T>(&self, what: &'static str) -> Parsed<T> {
        Err(Fault { at: self.at, what })
    }

    #[inline]
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    #[inline]
    pub(crate) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Skips space and takes `byte` if it comes next.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        self.space();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Skips space; after it nothing may follow.
    pub(crate) fn end(&mut self) -> Parsed<()> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { self.fault("bytes after the end of the document") }
    }

    /// Skips space and says what value comes next, without taking it.
    #[inline]
    pub(crate) fn kind(&mut self) -> Parsed<Kind> {
        self.space();
        match self.peek() {
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => self.fault("no JSON value starts here"),
            None => self.fault("the payload ends where a value is due"),
        }
    }

    /// Takes `true`, `false` or `null`, as [`Cursor::kind`] announced it.
    #[inline]
    pub(crate) fn literal(&mut self, kind: Kind) -> Parsed<()> {
        let word: &[u8] = match kind {
            Kind::True => b"true",
            Kind::False => b"false",
            _ => b"null",
        };
        if self.bytes()[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            self.fault("no JSON value starts here")
        }
    }

    /// Takes a string; the cursor stands on its opening quote.
    #[inline]
    pub(crate) fn string(&mut self) -> Parsed<Text<'a>> {
        let from = self.at + 1;
        let bytes = self.bytes();
        let mut at = from;
        let mut escaped = false;
        loop {
            at = plain_until(bytes, at);
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    // Whatever follows the backslash is no end of the string; `check` looks at it.
                    at += 2;
                }
                Some(_) => {
                    self.at = at;
                    return self.fault("a control byte in a string");
                }
                None => {
                    self.at = self.text.len();
                    return self.fault("the payload ends inside a string");
                }
            }
        }
        let raw = &self.text[from..at];
        if escaped {
            escape::check(raw).map_err(|fault| Fault { at: from + fault.at, ..fault })?;
        }
        self.at = at + 1;
        Ok(Text { raw, escaped, from })
    }

    /// Takes a number; the cursor stands on its first byte.
    #[inline]
    pub(crate) fn number(&mut self) -> Parsed<&'a str> {
        let from = self.at;
        let bytes = self.bytes();
        let mut at = from + usize::from(bytes[from] == b'-');
        let whole = at;
        at = digits_until(bytes, at);
        if at == whole || (bytes[whole] == b'0' && at > whole + 1) {
            self.at = at;
            return self.fault("a number without digits or with leading zeros");
        }
        if bytes.get(at) == Some(&b'.') {
            let fraction = at + 1;
            at = digits_until(bytes, fraction);
            if at == fraction {
                self.at = at;
                return self.fault("a number that ends with its point");
            }
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let exponent = at + 1 + sign;
            at = digits_until(bytes, exponent);
            if at == exponent {
                self.at = at;
                return self.fault("a number without digits in its exponent");
            }
        }
        self.at = at;
        Ok(&self.text[from..at])
    }

    /// Takes `{` or `[`, as [`Cursor::kind`] announced it, and counts a level.
    #[inline]
    pub(crate) fn open(&mut self) -> Parsed<()> {
        let Some(left) = self.depth_left.checked_sub(1) else {
            return self.fault("nested deeper than any payload may be");
        };
        self.depth_left = left;
        self.at += 1;
        Ok(())
    }

    /// Uncounts the level of an object or array whose closing bracket was taken.
    #[inline]
    pub(crate) fn leave(&mut self) {
        self.depth_left += 1;
    }

    /// In an object: whether a key comes next (the cursor then stands on its quote); the closing brace is taken and the
    /// level left.
    #[inline]
    pub(crate) fn next_member(&mut self, first: bool) -> Parsed<bool> {
        self.space();
        match self.peek() {
            Some(b'}') => {
                self.at += 1;
                self.leave();
                return Ok(false);
            }
            Some(b',') if !first => {
                self.at += 1;
                self.space();
            }
            Some(b'"') if first => {}
            Some(_) => return self.fault("`,` or `}` is due here"),
            None => return self.fault("the payload ends inside an object"),
        }
        if self.peek() == Some(b'"') { Ok(true) } else { self.fault("a key is due here") }
    }

    /// Takes the key that [`Cursor::next_member`] announced, and its colon.
    #[inline]
    pub(crate) fn key(&mut self) -> Parsed<Text<'a>> {
        let key = self.string()?;
        if self.take(b':') { Ok(key) } else { self.fault("`:` is due here") }
    }

    /// Takes a key, its quotes and its colon if exactly these bytes come next.
    #[inline]
    pub(crate) fn take_exactly(&mut self, quoted_key: &[u8]) -> bool {
        let there = !quoted_key.is_empty() && self.bytes()[self.at..].starts_with(quoted_key);
        if there {
            self.at += quoted_key.len();
        }
        there
    }

    /// In an object: the next key and its colon, or `None` at the closing brace (which is taken, the level left).
    #[inline]
    pub(crate) fn next_key(&mut self, first: bool) -> Parsed<Option<Text<'a>>> {
        if self.next_member(first)? { self.key().map(Some) } else { Ok(None) }
    }

    /// In an array: whether an element follows; at the closing bracket it is taken and the level left.
    #[inline]
    pub(crate) fn next_element(&mut self, first: bool) -> Parsed<bool> {
        self.space();
        match self.peek() {
            Some(b']') => {
                self.at += 1;
                self.leave();
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if first => Ok(true),
            Some(_) => self.fault("`,` or `]` is due here"),
            None => self.fault("the payload ends inside an array"),
        }
    }

    /// Takes any value, checks it to its end and gives its JSON text.
    pub(crate) fn span(&mut self) -> Parsed<&'a str> {
        self.space();
        let from = self.at;
        self.skip()?;
        Ok(&self.text[from..self.at])
    }

    /// Takes any value and checks it to its end.
    pub(crate) fn skip(&mut self) -> Parsed<()> {
        match self.kind()? {
            Kind::String => self.string().map(drop),
            Kind::Number => self.number().map(drop),
            Kind::Object => {
                self.open()?;
                let mut first = true;
                while self.next_key(first)?.is_some() {
                    first = false;
                    self.skip()?;
                }
                Ok(())
            }
            Kind::Array => {
                self.open()?;
                let mut first = true;
                while self.next_element(first)? {
                    first = false;
                    self.skip()?;
                }
                Ok(())
            }
            literal => self.literal(literal),
        }
    }
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// The first byte at or behind `at` that is a quote, a backslash or a control byte, or the end.
///
/// Eight bytes a step: strings of market data are short, where this beats a call of memchr, and it sees the control
/// bytes that memchr would not.
#[inline]
fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        let quote = word ^ (ONES * u64::from(b'"'));
        let slash = word ^ (ONES * u64::from(b'\\'));
        // A set high bit marks a byte that is zero (or below 0x20); marks above the lowest one may be false.
        let hits = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let hits = hits & HIGHS;
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < bytes.len() && !matches!(bytes[at], b'"' | b'\\' | 0..0x20) {
        at += 1;
    }
    at
}

#[inline]
fn digits_until(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at].is_ascii_digit() {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Parsed<()> {
        let mut cursor = Cursor::new(text, 8);
        cursor.skip()?;
        cursor.end()
    }

    #[test]
    fn accepts_and_refuses_what_a_second_parser_does() {
        let texts = [
            "{}",
            "[]",
            "0",
            "-0",
            "-1.5e+10",
            "1E400",
            "\"\"",
            "\"a\\u00e9\\n\"",
            "true",
            "null",
            " [1, 2 ,{\"a\":[]}] ",
            "\"\\ud83d\\ude00\"",
            "01",
            "1.",
            ".5",
            "+1",
            "-",
            "1e",
            "1e+",
            "tru",
            "nulll",
            "\"",
            "\"\\\"",
            "\"\\x\"",
            "\"\\ud83d\"",
            "\"\\ude00\\ud83d\"",
            "\"\\ud83dx\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"tab\there\"",
            "\"nul\0\"",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{a:1}",
            "{'a':1}",
            "[1 2]",
            "{\"a\":1 \"b\":2}",
            "",
            " ",
            "{",
            "[",
            "[[]",
            "{\"a\":{}",
            "NaN",
            "Infinity",
            "/**/1",
            "1 2",
            "{}{}",
            "{} ,",
            "\u{feff}{}",
            "\"aaaaaaaaaaaaaaaaaaaaaaaa\"",
            "\"aaaaaaaaaaaaaaaaaaa\u{1}aaaa\"",
            "-01",
            "0.0e-0",
            "1.0.0",
        ];
        for text in texts {
            let ours = check(text);
            let theirs = serde_json::from_str::<Box<serde_json::value::RawValue>>(text)
                .and_then(|raw| serde_json::from_str::<serde_json::Value>(raw.get()).map(drop));
            // A number beyond a double is good JSON; the second parser cannot hold it.
            let theirs = theirs.is_ok() || text == "1E400";
            assert_eq!(ours.is_ok(), theirs, "{text:?}: {ours:?}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_not_descended() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(check(&deep(8)), Ok(()));
        assert_eq!(check(&deep(9)).map_err(|f| f.at), Err(8));
        assert!(check(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn a_string_ends_at_its_quote_wherever_it_falls_in_the_eight_bytes() {
        for before in 0..20 {
            for stop in ["\"", "\\n\"", "\u{1f}"] {
                let text = format!("\"{}{stop}{}", "é".repeat(before / 2) + &"x".repeat(before % 2), "\"".repeat(9));
                let mut cursor = Cursor::new(&text, 8);
                match cursor.string() {
                    Ok(found) => assert_eq!(found.raw.len() + 2, cursor.at(), "{text:?}"),
                    Err(fault) => {
                        assert_eq!((stop, fault.at), ("\u{1f}", before + 1), "{text:?}")
                    }
                }
            }
        }
    }
}
