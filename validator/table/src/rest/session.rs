//! A REST catalog that has been asked for its configuration, and the questions to it.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url};

use super::RestConfig;
use super::answer::{LoadedTable, ServerConfig, tables};
use super::http::{Http, Reply, shown};
use super::path::{SEPARATOR, below, encode, namespace, same_origin};
use super::token::Tokens;
use crate::catalog::{CatalogError, TableName};
use crate::limits::REST_PAGES_LISTED_MAX;
use crate::nearest::nearest;

/// Iceberg's own status for a token that has ended.
const TOKEN_ENDED: u16 = 419;

/// An open catalog.
#[derive(Debug)]
pub(super) struct Session {
    http: Http,
    tokens: Tokens,
    base: Url,
    headers: HeaderMap,
    prefix: Option<String>,
    separator: String,
    server: ServerConfig,
    vended: bool,
}

/// A table's answer, and the URL that gave it.
#[derive(Debug)]
pub(super) struct Loaded {
    pub url: String,
    pub answer: LoadedTable,
}

impl Session {
    /// Asks for the catalog's configuration.
    pub async fn open(config: &RestConfig) -> Result<Self, CatalogError> {
        let setup = |what: String| CatalogError::RestSetup { uri: config.uri.clone(), what };
        let base = Url::parse(&config.uri).map_err(|error| setup(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(setup("it is neither http nor https".to_owned()));
        }
        let mut session = Self {
            http: Http::new(config)?,
            tokens: Tokens::new(config, &base)?,
            base,
            headers: headers(config.headers.iter().map(|(name, value)| (name.as_str(), value.expose())))
                .map_err(setup)?,
            prefix: None,
            separator: SEPARATOR.to_owned(),
            server: ServerConfig::default(),
            vended: config.vended,
        };
        session.configure(config).await?;
        Ok(session)
    }

    async fn configure(&mut self, config: &RestConfig) -> Result<(), CatalogError> {
        let mut url = self.url(None, "config")?;
        if let Some(warehouse) = &config.warehouse {
            url.query_pairs_mut().append_pair("warehouse", warehouse);
        }
        let reply = self.ask(url, &[]).await?;
        match reply.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND if !reply.said().kind.is_empty() => {
                return Err(CatalogError::RestNotThere { url: reply.url.clone(), said: reply.said().to_string() });
            }
            _ => return Err(reply.refusal()),
        }
        let wrong = |what| CatalogError::RestAnswer { url: reply.url.clone(), what };
        self.server = ServerConfig::parse(&reply.body).map_err(wrong)?;
        self.prefix = self.server.merged("prefix", config.prefix.as_deref()).filter(|prefix| !prefix.is_empty());
        self.separator = self.server.merged("namespace-separator", None).unwrap_or_else(|| SEPARATOR.to_owned());
        if let Some(uri) = self.server.overrides.get("uri") {
            let moved = Url::parse(uri).ok().filter(|moved| same_origin(&self.base, moved));
            let other = || CatalogError::RestRedirect { url: reply.url.clone(), to: uri.clone() };
            self.base = moved.ok_or_else(other)?;
        }
        let own = std::mem::take(&mut self.headers);
        self.headers = headers(self.server.headers()).map_err(wrong)?;
        self.headers.extend(own);
        Ok(())
    }

    /// A table, as it is now.
    pub async fn load(&self, name: &TableName) -> Result<Loaded, CatalogError> {
        let rest = format!("{}/tables/{}", namespace(&name.namespace, &self.separator), encode(&name.table));
        let delegation: &[(&str, &str)] =
            if self.vended { &[("X-Iceberg-Access-Delegation", "vended-credentials")] } else { &[] };
        let reply = self.ask(self.url(self.prefix.as_deref(), &rest)?, delegation).await?;
        match reply.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND if !reply.said().kind.is_empty() => {
                return Err(CatalogError::NoTable { name: name.to_string(), nearest: self.near(name).await });
            }
            _ => return Err(reply.refusal()),
        }
        let wrong = |what| CatalogError::RestAnswer { url: reply.url.clone(), what };
        let answer = LoadedTable::parse(&reply.body, &self.server).map_err(wrong)?;
        if self.vended && answer.signs_remotely && !answer.has_key() {
            return Err(CatalogError::RestNotBuilt { what: "signing by the catalog (s3.remote-signing-enabled)" });
        }
        Ok(Loaded { url: reply.url, answer })
    }

    /// Tables of the namespace with a name near to one that is not there. A catalog that lists nothing offers nothing.
    async fn near(&self, name: &TableName) -> Vec<String> {
        let mut names = Vec::new();
        let mut page = None;
        for _ in 0..REST_PAGES_LISTED_MAX {
            let Ok((more, next)) = self.list(name, page.as_deref()).await else { break };
            names.extend(more);
            page = next;
            if page.is_none() {
                break;
            }
        }
        let prefix = format!("{}.{}", name.catalog, name.namespace.join("."));
        let near = nearest(&name.table, names.iter().map(String::as_str));
        near.into_iter().map(|table| format!("{prefix}.{table}")).collect()
    }

    async fn list(&self, name: &TableName, page: Option<&str>) -> Result<(Vec<String>, Option<String>), CatalogError> {
        let rest = format!("{}/tables", namespace(&name.namespace, &self.separator));
        let mut url = self.url(self.prefix.as_deref(), &rest)?;
        if let Some(page) = page {
            url.query_pairs_mut().append_pair("pageToken", page);
        }
        let reply = self.ask(url, &[]).await?;
        if reply.status != StatusCode::OK {
            return Err(reply.refusal());
        }
        let what = || "it lists no tables".to_owned();
        tables(&reply.body).ok_or_else(|| CatalogError::RestAnswer { url: reply.url, what: what() })
    }

    /// Asks, once more with a new token where the catalog does not take the old one.
    async fn ask(&self, url: Url, extra: &[(&str, &str)]) -> Result<Reply, CatalogError> {
        let token = self.tokens.current(&self.http).await?;
        let reply = self.ask_with(url.clone(), extra, token.as_ref()).await?;
        let ended = reply.status == StatusCode::UNAUTHORIZED || reply.status.as_u16() == TOKEN_ENDED;
        match token {
            Some(refused) if ended && self.tokens.renew(&refused).await => {
                let token = self.tokens.current(&self.http).await?;
                self.ask_with(url, extra, token.as_ref()).await
            }
            _ => Ok(reply),
        }
    }

    async fn ask_with(
        &self,
        url: Url,
        extra: &[(&str, &str)],
        token: Option<&validator_core::secret::Secret>,
    ) -> Result<Reply, CatalogError> {
        let mut request = self.http.client().get(url.clone()).header("accept", "application/json");
        request = request.headers(self.headers.clone());
        for (name, value) in extra {
            request = request.header(*name, *value);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token.expose());
        }
        let wrong =
            |error: reqwest::Error| CatalogError::RestSetup { uri: shown(&url), what: error.without_url().to_string() };
        self.http.ask(&request.build().map_err(wrong)?).await
    }

    fn url(&self, prefix: Option<&str>, rest: &str) -> Result<Url, CatalogError> {
        let what = || format!("with the prefix {} there is no URL of this host", prefix.unwrap_or("none"));
        below(&self.base, prefix, rest).ok_or_else(|| CatalogError::RestSetup { uri: shown(&self.base), what: what() })
    }
}

fn headers<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let wrong = || format!("{name} is no header that can be sent");
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        map.insert(key, value);
    }
    Ok(map)
}
