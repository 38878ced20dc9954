//! Pieces of one text: its end or beginning, a sign taken out of it, a sign put into it, a word in place of another.
//!
//! `right(symbol, 4)`, `replace(pair, '/', '')`, `left(symbol, -4) || '/' || right(symbol, 4)`,
//! `replace(replace(pair, 'XBT', 'BTC'), '/', '')`.

use std::collections::HashSet;

use validator_core::schema::Type;
use validator_core::value::Value;

use super::{Derived, Part, Sought};
use crate::init::columns::short;
use crate::init::limits::{PIECE_CHARS_MAX, PIECE_LESSONS_MAX};
use crate::init::reading::literal;

/// What is done to a text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Its last characters.
    End(usize),
    /// Its first ones.
    Beginning(usize),
    /// All but this sign.
    Without(char),
    /// This sign before so many last characters.
    Parted(char, usize),
    /// The second text wherever the first one is; then without the sign, if there is one.
    Replaced(String, String, Option<char>),
}

/// See the module.
pub fn find(sought: &Sought<'_>) -> Option<Derived> {
    if *sought.ty() != Type::String {
        return None;
    }
    sought.fields().find_map(|field| {
        let mut tried: Vec<Piece> = Vec::new();
        lessons(sought, field).into_iter().find_map(|(message, row)| {
            let new: Vec<Piece> = learned(message, row).into_iter().filter(|piece| !tried.contains(piece)).collect();
            tried.extend(new.iter().cloned());
            new.into_iter().find_map(|piece| of_field(sought, field, piece))
        })
    })
}

/// Texts of the field and what the column has for them: a word that is put in place of another may be in few of them.
fn lessons<'a>(sought: &'a Sought<'_>, field: usize) -> Vec<(&'a str, &'a str)> {
    let mut seen = HashSet::new();
    let pair = |tie| match (sought.message(tie, field), sought.row(tie)) {
        (Value::String(message), Value::String(row)) => Some((message.as_str(), row.as_str())),
        _ => None,
    };
    let pairs = sought.ties.iter().filter_map(pair).filter(|(message, _)| seen.insert(*message));
    pairs.take(PIECE_LESSONS_MAX).collect()
}

fn of_field(sought: &Sought<'_>, field: usize, piece: Piece) -> Option<Derived> {
    let given = |value: &Value| match value {
        Value::Null => Some(Value::Null),
        Value::String(text) => Some(Value::String(piece.of(text))),
        _ => None,
    };
    let says = piece.says(&short(&sought.evidence.messages.fields[field].name));
    let seen = sought.borne_out(&says, |tie| given(sought.message(tie, field)))?;
    Some(Derived { parts: piece.sql(field), seen, tolerance: None })
}

/// What may have made one text of the other.
fn learned(message: &str, row: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (of_message, of_row) = (message.chars().count(), row.chars().count());
    let is_short = of_row > 0 && of_row < of_message && of_row <= PIECE_CHARS_MAX;
    if is_short && message.ends_with(row) {
        pieces.push(Piece::End(of_row));
    }
    if is_short && message.starts_with(row) {
        pieces.push(Piece::Beginning(of_row));
    }
    let is_sign = |c: &char| !c.is_alphanumeric();
    if let Some(sign) = message.chars().filter(is_sign).find(|sign| message.replace(*sign, "") == row) {
        pieces.push(Piece::Without(sign));
    }
    if of_row == of_message + 1 {
        let parted = row.char_indices().filter(|(_, c)| is_sign(c)).find_map(|(at, sign)| {
            let (before, after) = (&row[..at], &row[at + sign.len_utf8()..]);
            let is_parted = !before.is_empty() && message.strip_prefix(before) == Some(after);
            is_parted.then(|| Piece::Parted(sign, after.chars().count()))
        });
        pieces.extend(parted.filter(|piece| matches!(piece, Piece::Parted(_, 1..=PIECE_CHARS_MAX))));
    }
    let signs = message.chars().filter(is_sign).collect::<HashSet<char>>();
    let mut signs: Vec<Option<char>> = std::iter::once(None).chain(signs.into_iter().map(Some)).collect();
    signs.sort_unstable();
    pieces.extend(signs.into_iter().filter_map(|sign| replaced(message, row, sign)));
    pieces
}

/// The one place in which the texts differ, but for the sign.
fn replaced(message: &str, row: &str, sign: Option<char>) -> Option<Piece> {
    let left = sign.map_or_else(|| message.to_owned(), |sign| message.replace(sign, ""));
    let same = |a: &mut dyn Iterator<Item = char>, b: &mut dyn Iterator<Item = char>| {
        a.zip(b).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum::<usize>()
    };
    let begun = same(&mut left.chars(), &mut row.chars());
    let (left, row_left) = (&left[begun..], &row[begun..]);
    let ended = same(&mut left.chars().rev(), &mut row_left.chars().rev());
    let (from, to) = (&left[..left.len() - ended], &row_left[..row_left.len() - ended]);
    let is_word = |text: &str| !text.is_empty() && text.chars().count() <= PIECE_CHARS_MAX;
    let piece = Piece::Replaced(from.to_owned(), to.to_owned(), sign);
    (is_word(from) && is_word(to) && piece.of(message) == row).then_some(piece)
}

impl Piece {
    fn of(&self, text: &str) -> String {
        let count = text.chars().count();
        let end = |of: usize| text.chars().skip(count.saturating_sub(of)).collect::<String>();
        match self {
            Self::End(of) => end(*of),
            Self::Beginning(of) => text.chars().take(*of).collect(),
            Self::Without(sign) => text.replace(*sign, ""),
            Self::Parted(sign, of) => {
                let before: String = text.chars().take(count.saturating_sub(*of)).collect();
                format!("{before}{sign}{}", end(*of))
            }
            Self::Replaced(from, to, sign) => {
                let text = text.replace(from.as_str(), to);
                sign.map_or_else(|| text.clone(), |sign| text.replace(sign, ""))
            }
        }
    }

    fn sql(&self, field: usize) -> Vec<Part> {
        let sql = |text: String| Part::Sql(text);
        let call = |before: &str, after: String| vec![sql(before.to_owned()), Part::Text(field), sql(after)];
        match self {
            Self::End(of) => call("right(", format!(", {of})")),
            Self::Beginning(of) => call("left(", format!(", {of})")),
            Self::Without(sign) => call("replace(", format!(", {}, '')", literal(&sign.to_string()))),
            Self::Parted(sign, of) => {
                let mut parts = call("left(", format!(", -{of}) || {} || ", literal(&sign.to_string())));
                parts.extend(call("right(", format!(", {of})")));
                parts
            }
            Self::Replaced(from, to, None) => call("replace(", format!(", {}, {})", literal(from), literal(to))),
            Self::Replaced(from, to, Some(sign)) => {
                let sign = literal(&sign.to_string());
                call("replace(replace(", format!(", {}, {}), {sign}, '')", literal(from), literal(to)))
            }
        }
    }

    fn says(&self, name: &str) -> String {
        match self {
            Self::End(of) => format!("the last {of} characters of {name}"),
            Self::Beginning(of) => format!("the first {of} characters of {name}"),
            Self::Without(sign) => format!("{name} without {sign}"),
            Self::Parted(sign, of) => format!("{name} with {sign} before its last {of} characters"),
            Self::Replaced(from, to, None) => format!("{name} with {to} for {from}"),
            Self::Replaced(from, to, Some(sign)) => format!("{name} with {to} for {from}, without {sign}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_learned_of_one_pair_and_gives_the_row_back() {
        for (message, row, piece) in [
            ("BTCUSDT", "USDT", Piece::End(4)),
            ("BTC-USD", "BTC", Piece::Beginning(3)),
            ("XBT/USD", "XBTUSD", Piece::Without('/')),
            ("BTCUSDT", "BTC/USDT", Piece::Parted('/', 4)),
            ("XBT/USD", "BTCUSD", Piece::Replaced("XBT".to_owned(), "BTC".to_owned(), Some('/'))),
            ("XBT/USD", "BTC/USD", Piece::Replaced("XBT".to_owned(), "BTC".to_owned(), None)),
            ("BTC-USD", "BTC/USD", Piece::Replaced("-".to_owned(), "/".to_owned(), None)),
        ] {
            assert!(learned(message, row).contains(&piece), "{message} {row}: {:?}", learned(message, row));
            assert_eq!(piece.of(message), row);
        }
        assert_eq!(learned("BTCUSDT", "BTCUSDT"), []);
        assert_eq!(learned("a very long text indeed", "something else altogether"), []);
    }
}
