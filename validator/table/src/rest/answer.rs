//! The answers of a REST catalog, read as far as they are needed.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::s3::{S3Config, Served};

type Properties = BTreeMap<String, String>;

/// `GET /v1/config`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServerConfig {
    pub defaults: Properties,
    pub overrides: Properties,
}

/// `GET …/tables/NAME`
#[derive(Debug)]
pub(super) struct LoadedTable {
    pub metadata_location: Option<String>,
    /// As the answer writes it, byte for byte.
    pub metadata: Option<Bytes>,
    pub served: Vec<Served>,
    /// The catalog would sign each request to the store by itself.
    pub signs_remotely: bool,
}

impl ServerConfig {
    /// # Errors
    /// What is wrong, for a sentence.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let json: Json = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if !json.is_object() || (json.get("defaults").is_none() && json.get("overrides").is_none()) {
            return Err("it has neither defaults nor overrides, so it is no REST catalog's".to_owned());
        }
        Ok(Self { defaults: properties(&json["defaults"]), overrides: properties(&json["overrides"]) })
    }

    /// A property: the server's override, else one's own, else the server's default.
    pub fn merged(&self, name: &str, own: Option<&str>) -> Option<String> {
        let theirs = |properties: &Properties| properties.get(name).cloned();
        theirs(&self.overrides).or_else(|| own.map(str::to_owned)).or_else(|| theirs(&self.defaults))
    }

    /// Headers that the server wants, `header.NAME`.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.defaults.iter().chain(&self.overrides);
        all.filter_map(|(name, value)| Some((name.strip_prefix("header.")?, value.as_str())))
    }
}

impl LoadedTable {
    /// # Errors
    /// What is wrong, for a sentence.
    pub fn parse(body: &[u8], server: &ServerConfig) -> Result<Self, String> {
        let parts: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let part = |name: &str| -> Json {
            parts.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
        };
        let location = part("metadata-location").as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let metadata = parts.get("metadata").map(|raw| raw.get()).filter(|text| text.starts_with('{'));
        if location.is_none() && metadata.is_none() {
            return Err("it has neither metadata-location nor metadata".to_owned());
        }
        let mut settings = server.defaults.clone();
        settings.extend(server.overrides.clone());
        settings.extend(properties(&part("config")));
        let everywhere = S3Config::of_server(&settings);
        let credentials = part("storage-credentials");
        let lent = credentials.as_array().into_iter().flatten().map(|credential| Served {
            prefix: credential["prefix"].as_str().unwrap_or_default().to_owned(),
            config: S3Config::of_server(&properties(&credential["config"])).or(&everywhere),
        });
        let mut served: Vec<Served> = lent.collect();
        // Behind the credentials of the same prefix, which are the more precise.
        served.insert(0, Served { prefix: String::new(), config: everywhere });
        Ok(Self {
            metadata_location: location,
            metadata: metadata.map(|text| Bytes::copy_from_slice(text.as_bytes())),
            served,
            signs_remotely: settings.get("s3.remote-signing-enabled").is_some_and(|value| value == "true"),
        })
    }

    pub fn has_key(&self) -> bool {
        self.served.iter().any(|served| served.config.has_key())
    }
}

/// Tables of a page, and the token of the next.
pub(super) fn tables(body: &[u8]) -> Option<(Vec<String>, Option<String>)> {
    let json: Json = serde_json::from_slice(body).ok()?;
    let names = json["identifiers"].as_array()?.iter().filter_map(|one| one["name"].as_str().map(str::to_owned));
    let next = json["next-page-token"].as_str().filter(|token| !token.is_empty()).map(str::to_owned);
    Some((names.collect(), next))
}

/// Texts as they are; numbers and flags as their text.
fn properties(json: &Json) -> Properties {
    let text = |value: &Json| match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(_) | Json::Number(_) => Some(value.to_string()),
        _ => None,
    };
    json.as_object().into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use validator_core::secret::Secret;

    fn loaded(body: &str) -> LoadedTable {
        let server = ServerConfig::parse(
            br#"{"defaults":{"s3.region":"d","s3.endpoint":"http://d"},"overrides":{"s3.region":"o"}}"#,
        );
        LoadedTable::parse(body.as_bytes(), &server.unwrap()).unwrap()
    }

    #[test]
    fn overrides_go_before_ones_own_and_those_before_defaults() {
        let body = br#"{"defaults":{"prefix":"d","x":"d","n":1},"overrides":{"prefix":"o","header.X-A":"b"}}"#;
        let config = ServerConfig::parse(body).unwrap();
        assert_eq!(config.merged("prefix", Some("own")).as_deref(), Some("o"));
        assert_eq!(config.merged("x", Some("own")).as_deref(), Some("own"));
        assert_eq!(config.merged("n", None).as_deref(), Some("1"));
        assert_eq!(config.merged("y", None), None);
        assert_eq!(config.headers().collect::<Vec<_>>(), [("X-A", "b")]);
        assert!(ServerConfig::parse(b"[]").is_err() && ServerConfig::parse(b"{}").is_err());
    }

    #[test]
    fn credentials_of_the_longest_prefix_come_over_the_tables_config() {
        let table = loaded(
            r#"{"metadata-location":"s3://b/m.json","metadata":{"a": 1.0},"config":{"s3.access-key-id":"c","s3.secret-access-key":"c"},
                "storage-credentials":[{"prefix":"s3://b/t/","config":{"s3.access-key-id":"t","s3.secret-access-key":"hunter2","s3.session-token":"hunter2"}}]}"#,
        );
        assert_eq!(table.metadata.as_deref(), Some(&br#"{"a": 1.0}"#[..]));
        let [everywhere, lent] = &table.served[..] else { panic!("{table:?}") };
        assert_eq!(everywhere.config.access_key_id.as_deref(), Some("c"));
        assert_eq!(lent.config.session_token, Some(Secret::new("hunter2")));
        assert_eq!((lent.config.region.as_deref(), lent.config.endpoint.as_deref()), (Some("o"), Some("http://d")));
        assert!(!format!("{table:?}").contains("hunter2"));
    }

    #[test]
    fn a_table_has_metadata_somewhere() {
        let server = ServerConfig::default();
        for body in ["", "{}", "[1]", r#"{"metadata-location":null,"metadata":null}"#, r#"{"metadata-location":7}"#] {
            assert!(LoadedTable::parse(body.as_bytes(), &server).is_err(), "{body}");
        }
        assert!(LoadedTable::parse(br#"{"metadata":{}}"#, &server).unwrap().metadata_location.is_none());
    }
}
