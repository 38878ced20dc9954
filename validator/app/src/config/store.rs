//! `[catalogs.NAME.storage]`: how an S3-compatible store is reached, under the names that Iceberg's other clients use.

use std::fs;

use toml::de::DeValue;
use validator_table::{Pem, PropertyError, S3Config};

use super::item::Item;
use super::keys::line_to_write;
use super::nearest::{list, nearest};
use super::problem::Problem;
use super::secret::secret_of;
use super::section::Section;
use super::walk::{Located, Walk};

/// The one property that is a file.
const CA: &str = "s3.ca";
/// Those that may be `{ file = "…" }` and are never shown.
const SECRETS: [&str; 2] = ["s3.secret-access-key", "s3.session-token"];

/// Reads the properties of a store; a table that is not there has none.
pub fn read_store(section: &Section<'_>, walk: &Walk<'_>, warnings: &mut Vec<Problem>) -> S3Config {
    let mut store = S3Config::default();
    if !section.is_present() {
        return store;
    }
    let mut properties = Vec::new();
    flatten("", section, &mut properties);
    for (name, item) in &properties {
        if let Some(value) = text_of(name, item, walk, warnings) {
            set(&mut store, section, name, item, &value, walk);
        }
    }
    let pair = (store.access_key_id.is_some(), store.secret_access_key.is_some());
    if matches!(pair, (true, false) | (false, true)) || (store.session_token.is_some() && !pair.0) {
        section.note(
            Problem::new("a key is `s3.access-key-id` and `s3.secret-access-key`, both")
                .hint("write the one that is not there, or take the other out"),
        );
    }
    store
}

/// The names have dots, which TOML reads as tables in tables: both ways of writing them are one.
fn flatten<'a>(prefix: &str, section: &Section<'a>, into: &mut Vec<(String, Item<'a>)>) {
    for item in section.entries() {
        let name = format!("{prefix}{}", item.key);
        match item.value {
            DeValue::Table(_) if !SECRETS.contains(&name.as_str()) => {
                flatten(&format!("{name}."), &item.section(name.clone()), into);
            }
            _ => into.push((name, item)),
        }
    }
}

fn text_of(name: &str, item: &Item<'_>, walk: &Walk<'_>, warnings: &mut Vec<Problem>) -> Option<String> {
    match item.value {
        _ if SECRETS.contains(&name) => Some(secret_of(item, name, walk, warnings)?.value.expose().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Integer(value) => Some(value.to_string()),
        DeValue::Float(value) => Some(value.as_str().to_owned()),
        _ => Some(item.text()?.value),
    }
}

fn set(store: &mut S3Config, section: &Section<'_>, name: &str, item: &Item<'_>, value: &str, walk: &Walk<'_>) {
    if name == CA {
        store.ca = read_pem(section, CA, &item.located(value.to_owned()), walk);
        return;
    }
    match store.set(name, value) {
        Ok(()) => {}
        Err(PropertyError::Value { expected }) => {
            let problem = Problem::new(format!("`{name}` is {expected}"));
            let line = line_to_write(&format!("catalogs.lake.storage.{name}")).unwrap_or_default();
            section.note_at(problem.hint(format!("write `{line}`")), &item.span);
        }
        Err(PropertyError::Unknown) => {
            let known = || S3Config::PROPERTIES.into_iter().chain([CA]);
            let hint = match nearest(name, known()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here: {}", list(&known().collect::<Vec<_>>(), "and")),
            };
            let message = format!("unknown property `{name}` in {}", section.title());
            section.note_at(Problem::new(message).hint(hint), &item.key_span);
        }
    }
}

/// Certificates in the file of a key.
pub fn read_pem(section: &Section<'_>, key: &str, path: &Located<String>, walk: &Walk<'_>) -> Option<Pem> {
    let file = walk.file().resolve(&path.value);
    let wrong = |what: String| {
        section.note_at(Problem::new(format!("the file of `{key}` {what}")), &path.span);
        None
    };
    match fs::read(&file).map(Pem::parse) {
        Ok(Ok(pem)) => Some(pem),
        Ok(Err(why)) => wrong(format!("holds no certificate in PEM: {why}")),
        Err(error) => wrong(format!("cannot be read: {error}")),
    }
}
