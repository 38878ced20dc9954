//! `[kafka]` and `[schema_registry]`: the servers of the message side.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::problem::Problem;
use super::secret::{Secret, read_secret, warn_of_literal};
use super::section::Section;
use super::source::sounds_secret;
use super::url::check_url;
use super::walk::Walk;

/// `[kafka]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// Handed to librdkafka as they are.
    pub properties: BTreeMap<String, Secret>,
}

/// `[schema_registry]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaRegistry {
    /// Its path is kept.
    pub url: String,
    /// For basic authentication.
    pub user: Option<String>,
    /// For basic authentication.
    pub password: Option<Secret>,
    /// A bearer token.
    pub token: Option<Secret>,
}

/// Reads `[kafka]`.
pub fn read_kafka(section: &Section<'_>, walk: &Walk<'_>, warnings: &mut Vec<Problem>) -> Option<Kafka> {
    if !section.is_present() {
        return None;
    }
    let brokers = section.required_text("brokers", "brokers = \"localhost:9092\"");
    let mut properties = BTreeMap::new();
    read_properties("", &section.section("properties"), &mut properties, walk, warnings);
    section.finish();
    Some(Kafka { brokers: brokers?.value, properties })
}

/// librdkafka's names have dots, which TOML reads as tables in tables: both ways of writing them are one.
fn read_properties(
    prefix: &str,
    section: &Section<'_>,
    into: &mut BTreeMap<String, Secret>,
    walk: &Walk<'_>,
    warnings: &mut Vec<Problem>,
) {
    for item in section.entries() {
        let name = format!("{prefix}{}", item.key);
        match item.value {
            DeValue::Table(_) => {
                read_properties(&format!("{name}."), &item.section(name.clone()), into, walk, warnings);
                continue;
            }
            _ if matches!(name.as_str(), "bootstrap.servers" | "metadata.broker.list") => {
                section.note_at(
                    Problem::new(format!("`{name}` is `brokers` in [kafka]")).hint(format!("take `{name}` out")),
                    &item.key_span,
                );
            }
            DeValue::Boolean(value) => drop(into.insert(name, Secret::new(value.to_string()))),
            DeValue::Integer(value) => drop(into.insert(name, Secret::new(value.to_string()))),
            DeValue::Float(value) => drop(into.insert(name, Secret::new(value.as_str()))),
            _ => {
                if sounds_secret(&name) {
                    warn_of_literal(&item, walk, warnings);
                }
                into.extend(item.text().map(|text| (name, Secret::new(text.value))));
            }
        }
    }
}

/// Reads `[schema_registry]`.
pub fn read_registry(section: &Section<'_>, walk: &Walk<'_>, warnings: &mut Vec<Problem>) -> Option<SchemaRegistry> {
    if !section.is_present() {
        return None;
    }
    let url = section.required_text("url", "url = \"http://localhost:8081\"");
    let user = section.text("user");
    let password = read_secret(section, "password", walk, warnings);
    let token = read_secret(section, "token", walk, warnings);
    section.not_built("ca");
    section.finish();
    if let (Some(token), Some(_)) = (&token, &user) {
        section.note_at(
            Problem::new("give `token` or `user` and `password`, not both").hint("take `token` out"),
            &token.span,
        );
    }
    if let (Some(password), None) = (&password, &user) {
        section.note_at(
            Problem::new("`password` wants a `user`").hint("write `user = \"validator\"` beside it"),
            &password.span,
        );
    }
    let url = url?;
    check_url(section, "url", &url);
    Some(SchemaRegistry {
        url: url.value,
        user: user.map(|user| user.value),
        password: password.map(|password| password.value),
        token: token.map(|token| token.value),
    })
}
