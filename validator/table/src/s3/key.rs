//! A key that a catalog lends for a while, and asks for anew before it ends.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;

use super::config::S3Config;
use super::served::{Served, best};
use crate::catalog::CatalogError;
use crate::limits::KEY_RENEWED_BEFORE_SECONDS;

/// Whoever lends the keys.
#[async_trait]
pub(crate) trait Lender: fmt::Debug + Send + Sync {
    /// What is lent now.
    async fn lend(&self) -> Result<Vec<Served>, CatalogError>;
}

/// The key for one prefix.
pub(crate) struct ServedKey {
    lender: Arc<dyn Lender>,
    /// A location under the prefix, by which the key is found again in another answer.
    location: String,
    held: Mutex<Held>,
}

struct Held {
    key: Arc<AwsCredential>,
    expires_at_ms: Option<i64>,
}

impl fmt::Debug for ServedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServedKey").field("location", &self.location).finish_non_exhaustive()
    }
}

impl ServedKey {
    /// `None` when the configuration has no whole key.
    pub fn new(config: &S3Config, location: &str, lender: Arc<dyn Lender>) -> Option<Self> {
        Some(Self { lender, location: location.to_owned(), held: Mutex::new(held(config)?) })
    }

    /// The store says that the key has ended, whatever was promised.
    pub async fn end(&self) {
        self.held.lock().await.expires_at_ms = Some(0);
    }
}

fn held(config: &S3Config) -> Option<Held> {
    let key = AwsCredential {
        key_id: config.access_key_id.clone()?,
        secret_key: config.secret_access_key.as_ref()?.expose().to_owned(),
        token: config.session_token.as_ref().map(|token| token.expose().to_owned()),
    };
    Some(Held { key: Arc::new(key), expires_at_ms: config.expires_at_ms })
}

#[async_trait]
impl CredentialProvider for ServedKey {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut held_now = self.held.lock().await;
        let soon = chrono::Utc::now().timestamp_millis() + KEY_RENEWED_BEFORE_SECONDS * 1000;
        if held_now.expires_at_ms.is_some_and(|ends| ends <= soon) {
            let failed = |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic {
                store: "the catalog's key",
                source,
            };
            let served = self.lender.lend().await.map_err(|error| failed(error.into()))?;
            let renewed = best(&served, &self.location).and_then(|served| held(&served.config));
            *held_now = renewed.ok_or_else(|| failed("the catalog no longer lends a key".into()))?;
        }
        Ok(Arc::clone(&held_now.key))
    }
}
