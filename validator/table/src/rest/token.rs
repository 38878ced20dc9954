//! The bearer token: a given one, or one fetched with client credentials and renewed before it ends.

use std::time::{Duration, Instant};

use reqwest::Url;
use tokio::sync::Mutex;
use validator_core::secret::Secret;

use super::http::{Http, shown};
use super::path::below;
use super::{RestAccess, RestConfig};
use crate::catalog::CatalogError;
use crate::limits::TOKEN_RENEWED_BEFORE_SECONDS;

/// What makes tokens, and the one in use.
#[derive(Debug)]
pub(super) struct Tokens {
    access: RestAccess,
    /// Where client credentials go.
    server: Option<Url>,
    held: Mutex<Option<Held>>,
}

#[derive(Debug, Clone)]
struct Held {
    token: Secret,
    ends: Option<Instant>,
}

impl Tokens {
    pub fn new(config: &RestConfig, base: &Url) -> Result<Self, CatalogError> {
        let server = match &config.access {
            RestAccess::Client { server_uri: Some(uri), .. } => {
                let what = format!("oauth2-server-uri {uri} is no http or https URL");
                let url = Url::parse(uri).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
                Some(url.ok_or(CatalogError::RestSetup { uri: config.uri.clone(), what })?)
            }
            RestAccess::Client { server_uri: None, .. } => below(base, None, "oauth/tokens"),
            _ => None,
        };
        Ok(Self { access: config.access.clone(), server, held: Mutex::default() })
    }

    /// The token to send; `None` where the catalog asks nobody.
    pub async fn current(&self, http: &Http) -> Result<Option<Secret>, CatalogError> {
        match &self.access {
            RestAccess::Open => Ok(None),
            RestAccess::Token(token) => Ok(Some(token.clone())),
            RestAccess::Client { id, secret, parameters, .. } => {
                let mut held = self.held.lock().await;
                let good = held.as_ref().filter(|held| held.ends.is_none_or(|ends| Instant::now() < ends));
                if let Some(held) = good {
                    return Ok(Some(held.token.clone()));
                }
                let fetched = self.fetch(http, id.as_deref(), secret, parameters).await?;
                Ok(Some(held.insert(fetched).token.clone()))
            }
        }
    }

    /// Drops the token that the catalog did not take; whether another one can be had.
    pub async fn renew(&self, refused: &Secret) -> bool {
        if !matches!(self.access, RestAccess::Client { .. }) {
            return false;
        }
        let mut held = self.held.lock().await;
        // Someone else may have renewed it meanwhile.
        if held.as_ref().is_some_and(|held| held.token == *refused) {
            *held = None;
        }
        true
    }

    async fn fetch(
        &self,
        http: &Http,
        id: Option<&str>,
        secret: &Secret,
        parameters: &[(String, String)],
    ) -> Result<Held, CatalogError> {
        let url = self.server.clone().expect("client credentials have a server");
        let mut form = vec![("grant_type", "client_credentials"), ("client_secret", secret.expose())];
        form.extend(id.map(|id| ("client_id", id)));
        form.extend(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        if !parameters.iter().any(|(name, _)| name == "scope") {
            form.push(("scope", "catalog"));
        }
        let wrong = |what: String| CatalogError::RestAnswer { url: shown(&url), what };
        let request = http.client().post(url.clone()).form(&form).build();
        let reply = http.ask(&request.map_err(|error| wrong(error.without_url().to_string()))?).await?;
        if !reply.status.is_success() {
            return Err(reply.refusal());
        }
        let json: serde_json::Value = serde_json::from_slice(&reply.body).map_err(|error| wrong(error.to_string()))?;
        let token = json["access_token"].as_str().filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| wrong("it has no access_token".to_owned()))?;
        let lasts = json["expires_in"].as_u64().map(|seconds| {
            // A token of a short life is used for most of it.
            Duration::from_secs(seconds.saturating_sub(TOKEN_RENEWED_BEFORE_SECONDS.min(seconds / 4)))
        });
        let ends = lasts.and_then(|lasts| Instant::now().checked_add(lasts));
        Ok(Held { token: Secret::new(token), ends })
    }
}
