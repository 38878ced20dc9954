//! A name as SQL writes it, in contracts and queries.

use validator_engine::expr::referenced_names;

/// Words that are SQL's own in any query, although the parser takes some of them for names where an expression begins.
const SQL_WORDS: [&str; 40] = [
    "all",
    "and",
    "any",
    "array",
    "as",
    "between",
    "by",
    "case",
    "cast",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "distinct",
    "else",
    "end",
    "exists",
    "extract",
    "false",
    "from",
    "group",
    "in",
    "interval",
    "is",
    "left",
    "like",
    "not",
    "null",
    "or",
    "order",
    "position",
    "right",
    "select",
    "table",
    "then",
    "time",
    "timestamp",
    "true",
    "when",
    "where",
];

/// The name itself where SQL reads it as one, else in quotes.
pub fn identifier(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_word = SQL_WORDS.contains(&name.to_lowercase().as_str());
    // The parser itself knows the rest of its words: `current_user` is a function.
    let is_name = || referenced_names(name).is_ok_and(|names| names.len() == 1 && names.contains(name));
    // Words that are names where they stand alone, and are none where more follows.
    let goes_on = || {
        referenced_names(&format!("{name} + {name} * 2")).is_ok_and(|names| names.len() == 1 && names.contains(name))
    };
    if is_plain && !is_word && is_name() && goes_on() {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_sql_and_what_is_no_word_are_quoted() {
        for plain in ["price", "T", "_key", "offset", "partition", "topic", "at", "value", "e2"] {
            assert_eq!(identifier(plain), plain);
        }
        for word in [
            "order",
            "select",
            "from",
            "case",
            "CASE",
            "true",
            "null",
            "current_date",
            "interval",
            "not",
            "end",
            "current_user",
        ] {
            assert_eq!(identifier(word), format!("\"{word}\""));
        }
        assert_eq!(identifier("a b"), "\"a b\"");
        assert_eq!(identifier("7a"), "\"7a\"");
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(identifier(""), "\"\"");
    }
}
