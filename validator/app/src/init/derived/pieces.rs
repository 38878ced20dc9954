//! Pieces of one text: its end or beginning, a sign taken out of it, a sign put into it.
//!
//! `right(symbol, 4)`, `replace(pair, '/', '')`, `left(symbol, -4) || '/' || right(symbol, 4)`.

use validator_core::schema::Type;
use validator_core::value::Value;

use super::{Derived, Part, Sought};
use crate::init::columns::short;
use crate::init::limits::PIECE_CHARS_MAX;
use crate::init::reading::literal;

/// What is done to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// Its last characters.
    End(usize),
    /// Its first ones.
    Beginning(usize),
    /// All but this sign.
    Without(char),
    /// This sign before so many last characters.
    Parted(char, usize),
}

/// See the module.
pub fn find(sought: &Sought<'_>) -> Option<Derived> {
    if *sought.ty() != Type::String {
        return None;
    }
    sought.fields().find_map(|field| {
        let lesson = sought.lesson(&[field])?;
        let (Value::String(message), Value::String(row)) = (sought.message(lesson, field), sought.row(lesson)) else {
            return None;
        };
        learned(message, row).into_iter().find_map(|piece| of_field(sought, field, piece))
    })
}

fn of_field(sought: &Sought<'_>, field: usize, piece: Piece) -> Option<Derived> {
    let given = |value: &Value| match value {
        Value::Null => Some(Value::Null),
        Value::String(text) => Some(Value::String(piece.of(text))),
        _ => None,
    };
    let says = piece.says(&short(&sought.evidence.messages.fields[field].name));
    let seen = sought.borne_out(&says, |tie| given(sought.message(tie, field)))?;
    Some(Derived { parts: piece.sql(field), seen })
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
    pieces
}

impl Piece {
    fn of(self, text: &str) -> String {
        let count = text.chars().count();
        let end = |of: usize| text.chars().skip(count.saturating_sub(of)).collect::<String>();
        match self {
            Self::End(of) => end(of),
            Self::Beginning(of) => text.chars().take(of).collect(),
            Self::Without(sign) => text.replace(sign, ""),
            Self::Parted(sign, of) => {
                let before: String = text.chars().take(count.saturating_sub(of)).collect();
                format!("{before}{sign}{}", end(of))
            }
        }
    }

    fn sql(self, field: usize) -> Vec<Part> {
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
        }
    }

    fn says(self, name: &str) -> String {
        match self {
            Self::End(of) => format!("the last {of} characters of {name}"),
            Self::Beginning(of) => format!("the first {of} characters of {name}"),
            Self::Without(sign) => format!("{name} without {sign}"),
            Self::Parted(sign, of) => format!("{name} with {sign} before its last {of} characters"),
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
        ] {
            assert_eq!(learned(message, row), [piece], "{message} {row}");
            assert_eq!(piece.of(message), row);
        }
        assert_eq!(learned("BTCUSDT", "ETHUSDT"), []);
        assert_eq!(learned("BTCUSDT", "BTCUSDT"), []);
    }
}
