//! Values that are never printed: passwords, tokens, keys. A file gives them as `"${NAME}"` or `{ file = "path" }`;
//! one that stands in the file itself is taken with a warning.

use std::fmt;
use std::fs;

use toml::de::DeValue;

use super::item::Item;
use super::problem::Problem;
use super::section::Section;
use super::walk::{Located, Walk};

/// A value that shows as `***` wherever it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one who must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Reads a secret: `"${NAME}"`, `{ file = "path" }`, or (with a warning) the value itself.
pub fn read_secret(
    section: &Section<'_>,
    key: &'static str,
    walk: &Walk<'_>,
    warnings: &mut Vec<Problem>,
) -> Option<Located<Secret>> {
    let item = section.item(key)?;
    let DeValue::Table(_) = item.value else {
        warn_of_literal(&item, walk, warnings);
        return item.text().map(|text| item.located(Secret::new(text.value)));
    };
    let table = item.section(key.to_owned());
    let path = table.required_text("file", &format!("{key} = {{ file = \"/run/secrets/{key}\" }}"));
    table.finish();
    let path = path?;
    match fs::read_to_string(walk.file().resolve(&path.value)) {
        Ok(text) => Some(item.located(Secret::new(text.trim_end_matches(['\r', '\n'])))),
        Err(error) => {
            table.note_at(Problem::new(format!("the file of `{key}` cannot be read: {error}")), &path.span);
            None
        }
    }
}

/// Warns of a secret that stands in the file.
pub fn warn_of_literal(item: &Item<'_>, walk: &Walk<'_>, warnings: &mut Vec<Problem>) {
    if let DeValue::String(text) = item.value
        && !text.contains("${")
    {
        let name = item.key.to_ascii_uppercase().replace(['.', '-'], "_");
        let problem = Problem::new(format!("`{}` stands in the file for everyone to read", item.key))
            .hint(format!("write \"${{{name}}}\" and export it, or {{ file = \"…\" }}"));
        warnings.push(problem.at(walk.file(), Some(item.span.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.expose(), "hunter2");
    }
}
