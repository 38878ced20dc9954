//! The name of a field, as SQL reads it.

/// Words that SQL takes for its own at the beginning of an expression.
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

/// A field's name in SQL: in quotes where it is no plain word.
pub fn identifier(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !SQL_WORDS.contains(&name.to_lowercase().as_str());
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
