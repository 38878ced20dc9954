//! Damage to text.

use super::encoding;
use crate::verdict::Damage;

/// Names of enumeration constants are no longer.
const ENUM_NAME_BYTES_MAX: usize = 32;

/// The first class that fits two different texts.
pub(super) fn class(message: &str, row: &str) -> Option<Damage> {
    match () {
        () if truncated(message, row) => Some(Damage::Truncated),
        () if enum_remap(message, row) => Some(Damage::EnumRemap),
        () if case_or_trim(message, row) => Some(Damage::CaseOrTrim),
        () if encoding::of_text(message, row) => Some(Damage::Encoding),
        () => None,
    }
}

/// The row is a beginning of the message, and what was cut off is more than white space.
fn truncated(message: &str, row: &str) -> bool {
    message.strip_prefix(row).is_some_and(|rest| !rest.trim().is_empty())
}

/// Both are names of constants, or the row is a constant's number. Two long names that differ in one letter are not two
/// constants.
fn enum_remap(message: &str, row: &str) -> bool {
    let ordinal = !row.is_empty() && row.len() <= 3 && row.bytes().all(|byte| byte.is_ascii_digit());
    enum_name(message) && (ordinal || (enum_name(row) && !one_letter_apart(message, row)))
}

fn enum_name(text: &str) -> bool {
    let letters = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    letters && (2..=ENUM_NAME_BYTES_MAX).contains(&text.len())
}

/// Or one bit apart, whatever their length: `USD` and `UQD`.
fn one_letter_apart(message: &str, row: &str) -> bool {
    let differing: Vec<(u8, u8)> = message.bytes().zip(row.bytes()).filter(|(a, b)| a != b).collect();
    match differing.as_slice() {
        [(a, b)] => message.len() == row.len() && (message.len() >= 4 || (a ^ b).count_ones() == 1),
        _ => false,
    }
}

/// Only the case of letters or white space at the ends differs.
fn case_or_trim(message: &str, row: &str) -> bool {
    let plain = |text: &str| text.trim().to_lowercase();
    plain(message) == plain(row)
}
