//! JSON text as the value that it says: blanks, the order of names, escapes and the spelling of numbers mean nothing.
//!
//! Contract: numbers are exact and are compared as such: `1`, `1.0` and `10e-1` are one number, 0.1 is not the double next
//! to it, -0 is 0. Text that is not one JSON value (RFC 8259), names a key twice, holds half of a surrogate pair or is
//! nested deeper than [`DEPTH_MAX`] has no canonical form, and is compared as the text that it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Levels of objects and arrays; deeper ones would exhaust the stack.
const DEPTH_MAX: usize = 128;

/// Digits that rounding looks at: far more than a decimal has.
const ROUNDED_DIGITS_MAX: usize = 4_096;

/// The canonical text, itself JSON; `None` where there is none.
pub(super) fn canonical(text: &str) -> Option<String> {
    let mut reader = Reader { text, at: 0 };
    let mut out = String::with_capacity(text.len());
    reader.blanks();
    reader.value(&mut out, 0)?;
    reader.blanks();
    (reader.at == text.len()).then_some(out)
}

/// A number as its digits and a power of ten: no digit is lost however many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    /// Neither leading nor trailing zeros; empty for 0.
    digits: String,
    /// The number is 0.digits × 10^exponent.
    exponent: i64,
}

impl Number {
    /// Reads a decimal number: sign, digits, point, digits, exponent.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut reader = Reader { text: text.trim(), at: 0 };
        let number = reader.number()?;
        (reader.at == reader.text.len()).then_some(number)
    }

    fn new(negative: bool, whole: &str, fraction: &str, exponent: i64) -> Option<Self> {
        let all = format!("{whole}{fraction}");
        let leading = all.len() - all.trim_start_matches('0').len();
        let digits = all.trim_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { negative: false, digits, exponent: 0 });
        }
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        Some(Self { negative, digits, exponent: exponent.checked_add(point)? })
    }

    fn write(&self, out: &mut String) {
        if self.digits.is_empty() {
            out.push('0');
            return;
        }
        let shift = self.exponent - self.digits.len() as i64;
        let sign = if self.negative { "-" } else { "" };
        match shift {
            0 => write!(out, "{sign}{}", self.digits),
            _ => write!(out, "{sign}{}e{shift}", self.digits),
        }
        .expect("a string takes everything");
    }

    /// Its unscaled value at a scale, half away from zero; `None` beyond 38 digits.
    pub(super) fn rounded(&self, scale: u8) -> Option<i128> {
        if self.digits.len() > ROUNDED_DIGITS_MAX {
            return None;
        }
        // Digits that stay: those before the point and `scale` behind it.
        let kept = self.exponent.checked_add(i64::from(scale))?;
        if self.digits.is_empty() || kept < 0 {
            return Some(0);
        }
        let kept = usize::try_from(kept).ok().filter(|kept| *kept <= 39)?;
        let (stays, rest) = self.digits.split_at(kept.min(self.digits.len()));
        let zeros = kept - stays.len();
        let mut unscaled: i128 = if stays.is_empty() { 0 } else { stays.parse().ok()? };
        unscaled = unscaled.checked_mul(10_i128.checked_pow(u32::try_from(zeros).ok()?)?)?;
        unscaled += i128::from(rest.as_bytes().first().is_some_and(|digit| *digit >= b'5'));
        Some(if self.negative { -unscaled } else { unscaled })
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str, out: &mut String) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| {
            self.at += word.len();
            out.push_str(word);
        })
    }

    fn value(&mut self, out: &mut String, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' | b'[' if depth >= DEPTH_MAX => None,
            b'{' => self.object(out, depth + 1),
            b'[' => self.array(out, depth + 1),
            b'"' => {
                write_text(&self.string()?, out);
                Some(())
            }
            b't' => self.word("true", out),
            b'f' => self.word("false", out),
            b'n' => self.word("null", out),
            _ => {
                self.number()?.write(out);
                Some(())
            }
        }
    }

    fn object(&mut self, out: &mut String, depth: usize) -> Option<()> {
        self.at += 1;
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        self.blanks();
        if !self.take(b'}') {
            loop {
                self.blanks();
                let name = self.string()?;
                self.blanks();
                self.take(b':').then_some(())?;
                self.blanks();
                let mut value = String::new();
                self.value(&mut value, depth)?;
                if fields.insert(name, value).is_some() {
                    return None;
                }
                self.blanks();
                if self.take(b'}') {
                    break;
                }
                self.take(b',').then_some(())?;
            }
        }
        out.push('{');
        for (index, (name, value)) in fields.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_text(name, out);
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        Some(())
    }

    fn array(&mut self, out: &mut String, depth: usize) -> Option<()> {
        self.at += 1;
        out.push('[');
        self.blanks();
        if !self.take(b']') {
            loop {
                self.blanks();
                self.value(out, depth)?;
                self.blanks();
                if self.take(b']') {
                    break;
                }
                self.take(b',').then_some(())?;
                out.push(',');
            }
        }
        out.push(']');
        Some(())
    }

    fn string(&mut self) -> Option<String> {
        self.take(b'"').then_some(())?;
        let from = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        let whole = self.text.get(from - 1..self.at + 1)?;
        self.at += 1;
        // The parser knows control characters, escapes and surrogate pairs.
        serde_json::from_str(whole).ok()
    }

    fn digits(&mut self) -> &'a str {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        &self.text[from..self.at]
    }

    fn number(&mut self) -> Option<Number> {
        let negative = self.take(b'-');
        let whole = self.digits();
        if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        let mut fraction = "";
        if self.take(b'.') {
            fraction = self.digits();
            (!fraction.is_empty()).then_some(())?;
        }
        let mut exponent = 0;
        if self.take(b'e') || self.take(b'E') {
            let minus = self.take(b'-');
            if !minus {
                self.take(b'+');
            }
            let digits = self.digits();
            let size: i64 = digits.parse().ok()?;
            exponent = if minus { -size } else { size };
        }
        Number::new(negative, whole, fraction, exponent)
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("text is JSON"));
}
