//! S3-compatible stores: one for each bucket, opened when the first location leads there.
//!
//! Contract: read only; time-outs and retries are bounded ([`crate::limits`]); plain HTTP only where the endpoint says
//! so. What the user configured goes before what a catalog serves, and a key is always of one side.

mod config;
mod http;
mod key;
mod location;
mod served;
mod store;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use crate::limits::{
    STORE_CONNECT_SECONDS, STORE_PAUSE_MILLIS, STORE_PAUSE_MILLIS_MAX, STORE_RETRIES_MAX, STORE_RETRY_SECONDS_MAX,
    STORE_SILENCE_SECONDS,
};
use crate::storage::StorageError;

pub use config::{Pem, PropertyError, S3Config};
pub(crate) use http::LIE;
pub(crate) use key::Lender;
pub(crate) use location::{canonical, split};
pub(crate) use served::Served;

use http::Connector;
use key::ServedKey;
use served::best;
use store::Bucket;

/// A store, and the key of an object in it.
type Route = (Arc<dyn ObjectStore>, String);

/// The buckets of one catalog.
pub(crate) struct Buckets {
    own: S3Config,
    served: Vec<Served>,
    lender: Option<Arc<dyn Lender>>,
    /// By bucket and the served prefix that its settings come from.
    open: Mutex<HashMap<(String, String), Arc<dyn ObjectStore>>>,
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").field("own", &self.own).field("served", &self.served).finish_non_exhaustive()
    }
}

impl Buckets {
    pub fn new(own: S3Config) -> Self {
        Self { own, served: Vec::new(), lender: None, open: Mutex::default() }
    }

    /// The same with what a catalog serves for a table.
    pub fn serving(&self, served: Vec<Served>, lender: Arc<dyn Lender>) -> Self {
        Self { own: self.own.clone(), served, lender: Some(lender), open: Mutex::default() }
    }

    /// The store of a location and the key in it; `None` when the location is not one of S3.
    pub fn route(&self, location: &str) -> Result<Option<Route>, StorageError> {
        let Some((bucket, key)) = split(location) else { return Ok(None) };
        let served = best(&self.served, location);
        let name = (bucket.to_owned(), served.map(|served| served.prefix.clone()).unwrap_or_default());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match open.get(&name) {
            Some(store) => Arc::clone(store),
            None => {
                let store = self.connect(bucket, location, served)?;
                open.insert(name, Arc::clone(&store));
                store
            }
        };
        Ok(Some((store, key.to_owned())))
    }

    fn connect(
        &self,
        bucket: &str,
        location: &str,
        served: Option<&Served>,
    ) -> Result<Arc<dyn ObjectStore>, StorageError> {
        let config = served.map_or_else(|| self.own.clone(), |served| self.own.or(&served.config));
        let lent = match &self.lender {
            Some(lender) if !self.own.has_key() => ServedKey::new(&config, location, Arc::clone(lender)),
            _ => None,
        };
        let key = lent.map(Arc::new);
        let mut builder = builder(&config, bucket);
        builder = match &key {
            Some(key) => builder.with_credentials(Arc::clone(key) as _),
            None => with_key(builder, &config, location)?,
        };
        let inner = builder
            .build()
            .map_err(|source| StorageError::Store { location: location.to_owned(), source: source.into() })?;
        Ok(Arc::new(Bucket { inner, key }))
    }
}

/// Everything but the key.
fn builder(config: &S3Config, bucket: &str) -> AmazonS3Builder {
    let plain = config.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let path_style = config.path_style.unwrap_or(config.endpoint.is_some() || bucket.contains('.'));
    let connector = Connector {
        ca: config.ca.clone(),
        connect: config.connect_timeout.unwrap_or(Duration::from_secs(STORE_CONNECT_SECONDS)),
        silence: config.request_timeout.unwrap_or(Duration::from_secs(STORE_SILENCE_SECONDS)),
    };
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(STORE_PAUSE_MILLIS),
            max_backoff: Duration::from_millis(STORE_PAUSE_MILLIS_MAX),
            base: 2.,
        },
        max_retries: STORE_RETRIES_MAX,
        retry_timeout: Duration::from_secs(STORE_RETRY_SECONDS_MAX),
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_client_options(ClientOptions::new().with_allow_http(plain))
        .with_virtual_hosted_style_request(!path_style)
        .with_retry(retry)
        .with_http_connector(connector);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(if path_style { endpoint.clone() } else { with_bucket(endpoint, bucket) });
    }
    let region = config.region.clone().or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    builder
}

/// `https://host` → `https://bucket.host`
fn with_bucket(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) => format!("{scheme}://{bucket}.{host}"),
        None => endpoint.to_owned(),
    }
}

/// The key: the configured one, else what the environment of an Amazon machine gives.
fn with_key(builder: AmazonS3Builder, config: &S3Config, location: &str) -> Result<AmazonS3Builder, StorageError> {
    /// Keys of the environment and the machine, as Amazon's own clients find them.
    const VARIABLES: [&str; 10] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_ENDPOINT_URL_STS",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ];
    if config.anonymous == Some(true) {
        return Ok(builder.with_skip_signature(true));
    }
    if let (Some(id), Some(secret)) = (&config.access_key_id, &config.secret_access_key) {
        let builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose());
        return Ok(match &config.session_token {
            Some(token) => builder.with_token(token.expose()),
            None => builder,
        });
    }
    let found: Vec<(AmazonS3ConfigKey, String)> =
        VARIABLES.iter().filter_map(|name| Some((name.to_ascii_lowercase().parse().ok()?, variable(name)?))).collect();
    // Only on Amazon's machines is there a service to ask for a key.
    if found.is_empty() && config.endpoint.is_some() {
        return Err(StorageError::NoKey { location: location.to_owned() });
    }
    Ok(found.into_iter().fold(builder, |builder, (key, value)| builder.with_config(key, value)))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_opened_once_for_all_spellings() {
        let mut own = S3Config::default();
        own.set("s3.endpoint", "http://127.0.0.1:1").unwrap();
        own.set("s3.allow-anonymous", "true").unwrap();
        let buckets = Buckets::new(own);
        let store = |location| buckets.route(location).unwrap().unwrap();
        let (first, key) = store("s3://lake/a/b%2Fc");
        assert_eq!(key, "a/b%2Fc");
        assert!(Arc::ptr_eq(&first, &store("s3a://lake/x").0));
        assert!(!Arc::ptr_eq(&first, &store("s3://other/x").0));
        assert!(buckets.route("/lake/a").unwrap().is_none());
    }

    #[test]
    fn an_endpoint_without_a_key_is_said_at_once() {
        if VARIABLES_OF_TEST.iter().any(|name| variable(name).is_some()) {
            return;
        }
        let mut own = S3Config::default();
        own.set("s3.endpoint", "http://127.0.0.1:1").unwrap();
        assert!(matches!(Buckets::new(own).route("s3://lake/a"), Err(StorageError::NoKey { .. })));
    }

    /// A machine that has these has a key.
    const VARIABLES_OF_TEST: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

    #[test]
    fn the_bucket_goes_before_the_host() {
        assert_eq!(with_bucket("https://s3.example:9000", "lake"), "https://lake.s3.example:9000");
    }
}
