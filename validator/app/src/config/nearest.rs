//! "Did you mean": the known name that is nearest to one that is not known.

/// The nearest of the known names, when it is near enough to be meant.
///
/// Near enough is one edit in three characters, or a name that differs only by case, `-`, `_` and `.`.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = plain(name);
    let length = plain.chars().count();
    known
        .into_iter()
        .map(|candidate| (self::plain(candidate), candidate))
        // Lengths that lie too far apart need no comparison, whose time is their product.
        .filter(|(other, candidate)| is_near(other.chars().count().abs_diff(length), candidate, length))
        .map(|(other, candidate)| (strsim::damerau_levenshtein(&plain, &other), candidate))
        .filter(|(edits, candidate)| is_near(*edits, candidate, length))
        .min()
        .map(|(_, candidate)| candidate)
}

/// One edit in three characters of the longer one.
fn is_near(edits: usize, candidate: &str, length: usize) -> bool {
    edits * 3 <= candidate.chars().count().max(length)
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | '.')).flat_map(char::to_lowercase).collect()
}

/// Names as a sentence lists them: `a`, `b` and `c`.
pub fn list(names: &[&str], last_word: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} {last_word} {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["window", "width", "shards", "columns", "settle", "give_up"];
        assert_eq!(nearest("windw", known), Some("window"));
        assert_eq!(nearest("give-up", known), Some("give_up"));
        assert_eq!(nearest("Settle", known), Some("settle"));
        assert_eq!(nearest("wdith", known), Some("width"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("x", known), None);
    }

    #[test]
    fn names_are_listed_as_a_sentence_does() {
        assert_eq!(list(&[], "or"), "");
        assert_eq!(list(&["a"], "or"), "`a`");
        assert_eq!(list(&["a", "b", "c"], "and"), "`a`, `b` and `c`");
    }
}
