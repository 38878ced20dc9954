//! What an S3-compatible store is reached with: properties under the names that Iceberg's other clients use.
//!
//! Contract: no secret is in a `Debug` text. Properties come from the configuration file (each is checked there) and
//! from a REST catalog's answers (what is not known there is none of our business).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use thiserror::Error;
use validator_core::secret::Secret;

/// How an S3-compatible store is reached. What is not given has the default that the field names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Config {
    /// `http://…` or `https://…`; Amazon's own unless given. Plain HTTP is spoken only where this says so.
    pub endpoint: Option<String>,
    /// The region to sign for; `us-east-1` unless given.
    pub region: Option<String>,
    /// The key's name.
    pub access_key_id: Option<String>,
    /// The key.
    pub secret_access_key: Option<Secret>,
    /// What goes with a key of limited life.
    pub session_token: Option<Secret>,
    /// When such a key ends, milliseconds since the epoch.
    pub expires_at_ms: Option<i64>,
    /// `http://host/bucket/key` rather than `http://bucket.host/key`; default: yes with an endpoint, else no.
    pub path_style: Option<bool>,
    /// Requests are not signed; for public buckets.
    pub anonymous: Option<bool>,
    /// Certificates that are trusted beside the system's, PEM.
    pub ca: Option<Pem>,
    /// Until a connection stands; default 5 s.
    pub connect_timeout: Option<Duration>,
    /// Without a byte, until an answer is given up; default 20 s.
    pub request_timeout: Option<Duration>,
}

/// Certificates in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem(pub(crate) Vec<u8>);

impl Pem {
    /// Takes bytes that hold at least one certificate.
    ///
    /// # Errors
    /// Why they do not, for a sentence.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, String> {
        match reqwest::Certificate::from_pem_bundle(&bytes) {
            Ok(found) if !found.is_empty() => Ok(Self(bytes)),
            Ok(_) => Err("there is no BEGIN CERTIFICATE in it".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of PEM", self.0.len())
    }
}

/// Why a property is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PropertyError {
    /// There is no such property.
    #[error("unknown property")]
    Unknown,
    /// Its value is of another kind.
    #[error("wants {expected}")]
    Value {
        /// What is expected, for a sentence.
        expected: &'static str,
    },
}

impl S3Config {
    /// The names of all properties that are texts; `s3.ca` is a file and is set as a field.
    pub const PROPERTIES: [&'static str; 11] = [
        "s3.endpoint",
        "s3.region",
        "client.region",
        "s3.access-key-id",
        "s3.secret-access-key",
        "s3.session-token",
        "s3.session-token-expires-at-ms",
        "s3.path-style-access",
        "s3.allow-anonymous",
        "s3.connect-timeout",
        "s3.request-timeout",
    ];

    /// Sets a property by its name. `client.region` gives way to `s3.region`.
    ///
    /// # Errors
    /// [`PropertyError`].
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), PropertyError> {
        let wants = |expected| PropertyError::Value { expected };
        let flag = || value.parse().map_err(|_| wants("\"true\" or \"false\""));
        let time = || parse_seconds(value).ok_or(wants("seconds above 0, like \"5\", \"2.5\" or \"500ms\""));
        match name {
            "s3.endpoint" => {
                let url = reqwest::Url::parse(value).ok();
                let fine = url.is_some_and(|url| {
                    matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.username().is_empty()
                });
                if !fine {
                    return Err(wants("http:// or https:// and a host"));
                }
                self.endpoint = Some(value.trim_end_matches('/').to_owned());
            }
            "s3.region" => self.region = Some(value.to_owned()),
            "client.region" => drop(self.region.get_or_insert_with(|| value.to_owned())),
            "s3.access-key-id" => self.access_key_id = Some(value.to_owned()),
            "s3.secret-access-key" => self.secret_access_key = Some(Secret::new(value)),
            "s3.session-token" => self.session_token = Some(Secret::new(value)),
            "s3.session-token-expires-at-ms" => {
                self.expires_at_ms = Some(value.parse().map_err(|_| wants("milliseconds since 1970"))?);
            }
            "s3.path-style-access" => self.path_style = Some(flag()?),
            "s3.allow-anonymous" => self.anonymous = Some(flag()?),
            "s3.connect-timeout" => self.connect_timeout = Some(time()?),
            "s3.request-timeout" => self.request_timeout = Some(time()?),
            _ => return Err(PropertyError::Unknown),
        }
        Ok(())
    }

    /// What a server says: properties that are not known, or not understood, are left aside.
    pub(crate) fn of_server(properties: &BTreeMap<String, String>) -> Self {
        let mut config = Self::default();
        // In the order of names `client.region` would come first and stay.
        for (name, value) in properties.iter().rev() {
            let _ = config.set(name, value);
        }
        config
    }

    /// Whether a key of one's own is given.
    pub(crate) fn has_key(&self) -> bool {
        self.access_key_id.is_some() || self.secret_access_key.is_some() || self.anonymous == Some(true)
    }

    /// Field by field this one, else `other`; the parts of a key stay together: never a name of one and a token of
    /// the other.
    pub(crate) fn or(&self, other: &Self) -> Self {
        let key = if self.has_key() { self } else { other };
        Self {
            endpoint: self.endpoint.clone().or_else(|| other.endpoint.clone()),
            region: self.region.clone().or_else(|| other.region.clone()),
            access_key_id: key.access_key_id.clone(),
            secret_access_key: key.secret_access_key.clone(),
            session_token: key.session_token.clone(),
            expires_at_ms: key.expires_at_ms,
            anonymous: key.anonymous,
            path_style: self.path_style.or(other.path_style),
            ca: self.ca.clone().or_else(|| other.ca.clone()),
            connect_timeout: self.connect_timeout.or(other.connect_timeout),
            request_timeout: self.request_timeout.or(other.request_timeout),
        }
    }
}

/// Seconds as other clients write them (`5`, `2.5`), or with a unit (`500ms`, `5s`); above 0.
fn parse_seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds = number.parse::<f64>().ok().filter(|_| plain)? * unit;
    Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_is_known_by_its_name_and_no_other() {
        for name in S3Config::PROPERTIES {
            let values = ["http://h:1", "1", "true"];
            assert!(values.iter().any(|value| S3Config::default().set(name, value).is_ok()), "{name}");
        }
        assert_eq!(S3Config::default().set("s3.endpiont", "http://h"), Err(PropertyError::Unknown));
    }

    #[test]
    fn values_of_another_kind_are_refused() {
        for (name, value) in [
            ("s3.endpoint", "localhost:9000"),
            ("s3.endpoint", "ftp://h"),
            ("s3.endpoint", "http://me:pw@h"),
            ("s3.endpoint", "http://h?x=1"),
            ("s3.path-style-access", "yes"),
            ("s3.connect-timeout", "0"),
            ("s3.connect-timeout", "-1"),
            ("s3.connect-timeout", "1e3"),
            ("s3.request-timeout", "soon"),
            ("s3.session-token-expires-at-ms", "tomorrow"),
        ] {
            assert!(matches!(S3Config::default().set(name, value), Err(PropertyError::Value { .. })), "{name}={value}");
        }
        assert_eq!(parse_seconds("2.5"), Some(Duration::from_millis(2_500)));
        assert_eq!(parse_seconds("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_seconds("60.0"), Some(Duration::from_secs(60)));
    }

    #[test]
    fn the_s3_region_wins_over_the_clients_in_any_order() {
        for names in [["s3.region", "client.region"], ["client.region", "s3.region"]] {
            let mut config = S3Config::default();
            for name in names {
                config.set(name, name).unwrap();
            }
            assert_eq!(config.region.as_deref(), Some("s3.region"));
        }
    }

    #[test]
    fn a_key_is_taken_whole_from_one_side() {
        let (mut own, mut served) = (S3Config::default(), S3Config::default());
        for (name, value) in [("s3.access-key-id", "own"), ("s3.secret-access-key", "own")] {
            own.set(name, value).unwrap();
        }
        for (name, value) in [
            ("s3.access-key-id", "served"),
            ("s3.secret-access-key", "served"),
            ("s3.session-token", "served"),
            ("s3.session-token-expires-at-ms", "7"),
            ("s3.endpoint", "http://served"),
        ] {
            served.set(name, value).unwrap();
        }
        let both = own.or(&served);
        assert_eq!((both.access_key_id.as_deref(), both.session_token, both.expires_at_ms), (Some("own"), None, None));
        assert_eq!(both.endpoint.as_deref(), Some("http://served"));
        assert_eq!(S3Config::default().or(&served).session_token, Some(Secret::new("served")));
    }
}
