//! A command line as it can be pasted into a shell.

/// The words of a command, quoted where a POSIX shell would read them otherwise.
pub fn command_line(words: impl IntoIterator<Item = String>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| quoted(&word)).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        let words = ["validator", "reconcile", "my trades.toml", "--source", "*.jsonl", "it's", "", "--to", "0:1,1:2"];
        let expected = r"validator reconcile 'my trades.toml' --source '*.jsonl' 'it'\''s' '' --to 0:1,1:2";
        assert_eq!(command_line(words.map(str::to_owned)), expected);
    }
}
