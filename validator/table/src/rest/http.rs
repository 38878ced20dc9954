//! One exchange with a REST catalog, repeated where that may help.
//!
//! Contract: repeated are no connection, no answer in time, a cut answer, 408, 429 and 5xx, with growing pauses and a
//! bound on attempts and time; everything else is final. A redirect is followed on the same host only, and only for a
//! question; an answer is read up to a bound.

use std::time::{Duration, Instant};

use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Request, Response, StatusCode, Url};
use validator_core::error_chain::error_chain;

use super::RestConfig;
use super::path::same_origin;
use crate::catalog::CatalogError;
use crate::limits::{
    REFUSAL_CHARS_SHOWN, REST_ANSWER_BYTES_MAX, REST_ATTEMPTS_MAX, REST_CONNECT_SECONDS, REST_PAUSE_MILLIS,
    REST_REDIRECTS_MAX, REST_REPEATED_SECONDS_MAX, REST_RETRY_AFTER_SECONDS_MAX, REST_SECONDS,
};

/// The client.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    answer_bytes_max: u64,
}

/// An answer that is final, whatever it says.
#[derive(Debug)]
pub(super) struct Reply {
    /// As it may be shown.
    pub url: String,
    pub status: StatusCode,
    pub body: Vec<u8>,
}

/// Why an attempt gave nothing.
enum Miss {
    /// It may go better next time; not before the pause, where the server names one.
    Passing(String, Option<Duration>),
    Final(CatalogError),
}

impl Http {
    pub fn new(config: &RestConfig) -> Result<Self, CatalogError> {
        let failed = |what: String| CatalogError::RestSetup { uri: config.uri.clone(), what };
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(REST_CONNECT_SECONDS))
            .timeout(config.timeout.unwrap_or(Duration::from_secs(REST_SECONDS)))
            .user_agent(concat!("validator/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = &config.ca {
            let certificates =
                reqwest::Certificate::from_pem_bundle(&pem.0).map_err(|error| failed(error_chain(&error)))?;
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(|error| failed(error_chain(&error)))?;
        Ok(Self { client, answer_bytes_max: REST_ANSWER_BYTES_MAX })
    }

    /// The client's own builder of requests.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Asks until there is an answer that is final.
    pub async fn ask(&self, request: &Request) -> Result<Reply, CatalogError> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(REST_PAUSE_MILLIS);
        let mut attempts = 1;
        loop {
            let (last, wait) = match self.attempt(request).await {
                Ok(reply) => return Ok(reply),
                Err(Miss::Final(error)) => return Err(error),
                Err(Miss::Passing(last, wait)) => (last, wait),
            };
            if attempts >= REST_ATTEMPTS_MAX || begun.elapsed() > Duration::from_secs(REST_REPEATED_SECONDS_MAX) {
                let (url, seconds) = (shown(request.url()), begun.elapsed().as_secs().max(1));
                return Err(CatalogError::RestSilent { url, seconds, attempts, last });
            }
            tracing::warn!(url = shown(request.url()), attempts, last, "the catalog is asked again");
            tokio::time::sleep(wait.unwrap_or(pause)).await;
            pause *= 2;
            attempts += 1;
        }
    }

    async fn attempt(&self, request: &Request) -> Result<Reply, Miss> {
        let mut request = copy(request)?;
        for _ in 0..=REST_REDIRECTS_MAX {
            let (url, question) = (request.url().clone(), request.method() == reqwest::Method::GET);
            let next = copy(&request)?;
            let answer = self.client.execute(request).await.map_err(|error| passing(&error.without_url()))?;
            let status = answer.status();
            if status.is_redirection() {
                let to = answer.headers().get(LOCATION).and_then(|to| url.join(to.to_str().ok()?).ok());
                request = next;
                *request.url_mut() = allowed(&url, to, question).map_err(Miss::Final)?;
                continue;
            }
            let again = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
            if again || status.is_server_error() {
                return Err(Miss::Passing(status.to_string(), retry_after(&answer)));
            }
            let body = body(&url, answer, self.answer_bytes_max).await?;
            return Ok(Reply { url: shown(&url), status, body });
        }
        let what = format!("it redirects more than {REST_REDIRECTS_MAX} times");
        Err(Miss::Final(CatalogError::RestAnswer { url: shown(request.url()), what }))
    }
}

/// Where a redirect may lead.
fn allowed(from: &Url, to: Option<Url>, question: bool) -> Result<Url, CatalogError> {
    match to {
        Some(to) if question && same_origin(from, &to) => Ok(to),
        to => {
            let to = to.map_or("nowhere".to_owned(), |to| to.origin().ascii_serialization());
            Err(CatalogError::RestRedirect { url: shown(from), to })
        }
    }
}

fn copy(request: &Request) -> Result<Request, Miss> {
    let streamed =
        || CatalogError::RestAnswer { url: shown(request.url()), what: "its question cannot be repeated".to_owned() };
    request.try_clone().ok_or_else(|| Miss::Final(streamed()))
}

fn passing(error: &reqwest::Error) -> Miss {
    Miss::Passing(error_chain(error), None)
}

fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds: u64 = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds.min(REST_RETRY_AFTER_SECONDS_MAX)))
}

async fn body(url: &Url, mut answer: Response, bytes_max: u64) -> Result<Vec<u8>, Miss> {
    let too_long = || {
        let what = format!("it is over {bytes_max} bytes long");
        Miss::Final(CatalogError::RestAnswer { url: shown(url), what })
    };
    if answer.content_length().is_some_and(|length| length > bytes_max) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|error| passing(&error.without_url()))? {
        if (body.len() + part.len()) as u64 > bytes_max {
            return Err(too_long());
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

impl Reply {
    /// What the server says of its refusal: Iceberg's words or OAuth's, empty when neither.
    pub fn said(&self) -> Said {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let error = &json["error"];
        let (kind, message) = match error {
            serde_json::Value::String(kind) => (kind.clone(), text(&json["error_description"])),
            error => (text(&error["type"]), text(&error["message"])),
        };
        Said { kind, message: message.chars().take(REFUSAL_CHARS_SHOWN).collect() }
    }

    /// The reply as the refusal it is.
    pub fn refusal(&self) -> CatalogError {
        CatalogError::RestRefused {
            url: self.url.clone(),
            status: self.status.to_string(),
            said: self.said().to_string(),
        }
    }
}

/// A refusal's own words.
pub(super) struct Said {
    /// `NoSuchTableException`, `invalid_client`; empty when the server is no REST catalog.
    pub kind: String,
    pub message: String,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.kind.is_empty(), self.message.is_empty()) {
            (true, true) => Ok(()),
            (true, false) => write!(f, ": {}", self.message),
            (false, true) => write!(f, ": {}", self.kind),
            (false, false) => write!(f, ": {}: {}", self.kind, self.message),
        }
    }
}

/// The URL without a password and without a query, which may hold anything.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // URLs that cannot have one refuse.
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use fixtures_harness::{Ending, HttpStub, Reply};

    use super::*;

    #[tokio::test]
    async fn an_answer_without_end_is_read_up_to_the_bound() {
        let stub = HttpStub::start(|_| Reply::new(200, vec![b' '; 1_000]).ending(Ending::Endless));
        let config = RestConfig { uri: stub.url(), ..RestConfig::default() };
        let http = Http { answer_bytes_max: 10_500, ..Http::new(&config).unwrap() };
        let request = http.client().get(stub.url()).build().unwrap();
        let told = http.ask(&request).await.unwrap_err().to_string();
        assert!(told.ends_with("it is over 10500 bytes long"), "{told}");
        assert_eq!(stub.asked().len(), 1);
    }
}
