//! How deep a JSON text nests: parsers stop at some level, and their word for it does not say that the text is sound.

/// Levels of objects and arrays that serde_json reads.
pub const JSON_LEVELS_MAX: usize = 127;

/// The deepest level of brackets outside of strings, whether or not the text is JSON.
pub fn json_levels(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_count_outside_of_strings_alone() {
        assert_eq!(json_levels(br#"{"a": [{"b[[[": "\"[["}, [1]]}"#), 3);
        assert_eq!(json_levels(b"1"), 0);
        assert_eq!(json_levels(b"]]]["), 1);
    }

    #[test]
    fn serde_json_reads_just_so_many_levels() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        let read = |levels: usize| serde_json::from_str::<serde_json::Value>(&nested(levels)).is_ok();
        assert!(read(JSON_LEVELS_MAX) && !read(JSON_LEVELS_MAX + 1));
    }
}
