//! Values that are never printed: passwords, tokens, keys. A file gives them as `"${NAME}"` or `{ file = "path" }`;
//! one that stands in the file itself is taken with a warning.

use std::fs;

use toml::de::DeValue;
pub use validator_core::secret::Secret;

use super::item::Item;
use super::problem::Problem;
use super::section::Section;
use super::walk::{Located, Walk};

/// Reads a secret: `"${NAME}"`, `{ file = "path" }`, or (with a warning) the value itself.
pub fn read_secret(
    section: &Section<'_>,
    key: &'static str,
    walk: &Walk<'_>,
    warnings: &mut Vec<Problem>,
) -> Option<Located<Secret>> {
    secret_of(&section.item(key)?, key, walk, warnings)
}

/// [`read_secret`], of a key whose name the user chooses or that stands deeper.
pub fn secret_of(item: &Item<'_>, key: &str, walk: &Walk<'_>, warnings: &mut Vec<Problem>) -> Option<Located<Secret>> {
    let DeValue::Table(_) = item.value else {
        warn_of_literal(item, walk, warnings);
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
