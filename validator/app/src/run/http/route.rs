//! From a request to what answers it.
//!
//! Contract: paths are compared as they are, name by name, and lead to no file; what is not understood is refused with a
//! status and one sentence.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::answers::{AnswerError, FindingsPage};
use super::limits::{ANSWER_SECONDS, QUESTIONS_MAX};
use super::query::{Format, findings_query, named, percent_decoded};
use super::{Site, health, shown};
use crate::run::metrics::{self, Process};
use crate::run::status::Status;

/// What all requests are answered from.
pub struct Door {
    site: Site,
    /// Whether only this machine reaches it.
    is_local: bool,
    questions: Semaphore,
}

impl Door {
    /// To a site.
    pub fn new(site: Site, is_local: bool) -> Self {
        Self { site, is_local, questions: Semaphore::new(QUESTIONS_MAX) }
    }
}

/// An answer that is whole.
pub type Answer = Response<Full<Bytes>>;

/// Why a request gets none: status, sentence, and after how many seconds it may be asked again.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// One sentence.
    pub why: String,
}

impl Refusal {
    /// With that status.
    pub fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into() }
    }

    /// The request is wrong.
    pub fn wrong(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }
}

/// Answers a request.
pub async fn answer(door: &Door, request: &Request<Incoming>) -> Answer {
    let answer = match asked(door, request).await {
        Ok(answer) => answer,
        Err(refusal) => {
            let mut answer = json_of(refusal.status, &json!({ "error": refusal.why }));
            if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
                answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            answer
        }
    };
    guarded(answer)
}

/// What a browser must not make of it: nothing is kept, guessed or framed.
fn guarded(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("content-security-policy", HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    answer
}

/// Refuses what is no question to this server.
fn admitted(door: &Door, request: &Request<Incoming>) -> Result<(), Refusal> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD: nothing can be changed here"));
    }
    if !request.body().is_end_stream() {
        return Err(Refusal::wrong("a question has no body"));
    }
    if door.is_local && !is_of_this_machine(request) {
        // A page of a foreign site must not read here under a name that it lets point to this machine.
        return Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "ask for localhost or an address: nothing else is served here",
        ));
    }
    Ok(())
}

async fn asked(door: &Door, request: &Request<Incoming>) -> Result<Answer, Refusal> {
    admitted(door, request)?;
    let query = request.uri().query().unwrap_or_default();
    let path = request.uri().path();
    let names: Vec<&str> = path.split('/').skip(1).collect();
    let site = &door.site;
    let now_ms = (site.now_ms)();
    if !matches!(names[..], ["api", "v1", "pipelines", _, "findings"] | ["readyz"]) && !query.is_empty() {
        return Err(Refusal::wrong(format!("{path} takes no parameters")));
    }
    match names[..] {
        [""] => Ok(plain(
            "/metrics\n/healthz\n/readyz\n/api/v1/pipelines\n/api/v1/pipelines/NAME\n/api/v1/pipelines/NAME/report\n/api/v1/pipelines/NAME/findings\n",
            "text/plain; charset=utf-8",
        )),
        ["metrics"] => {
            let text = metrics::metrics(&site.board.statuses(), &Process::look(), now_ms);
            Ok(plain(&text, metrics::CONTENT_TYPE))
        }
        ["healthz"] => Ok(with_health(health::alive(&site.board.statuses()))),
        ["readyz"] => {
            let statuses = match named(query, "pipeline")? {
                Some(name) => vec![pipeline(site, &name)?],
                None => site.board.statuses(),
            };
            Ok(with_health(health::ready(&statuses)))
        }
        ["api", "v1", "pipelines"] => {
            let all: Vec<_> = site.board.statuses().iter().map(|status| shown::pipeline(status, now_ms)).collect();
            Ok(json_of(StatusCode::OK, &json!({ "pipelines": all })))
        }
        ["api", "v1", "pipelines", name] => {
            let status = pipeline(site, &percent_decoded(name)?)?;
            Ok(json_of(StatusCode::OK, &shown::pipeline(&status, now_ms)))
        }
        ["api", "v1", "pipelines", name, "report"] => {
            let status = pipeline(site, &percent_decoded(name)?)?;
            let answers = site.answers.as_ref().ok_or_else(no_ledger)?;
            let report = in_time(door, answers.report(&status.pipeline, now_ms)).await?;
            Ok(plain(&format!("{report}\n"), "application/json"))
        }
        ["api", "v1", "pipelines", name, "findings"] => {
            let status = pipeline(site, &percent_decoded(name)?)?;
            let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let (query, format) = findings_query(query, accepts)?;
            let answers = site.answers.as_ref().ok_or_else(no_ledger)?;
            let page = in_time(door, answers.findings(&status.pipeline, &query, now_ms)).await?;
            Ok(page_of(page, format))
        }
        _ => Err(Refusal::new(StatusCode::NOT_FOUND, "there is nothing here: / lists what there is")),
    }
}

/// A page of findings as it was asked for; in lines, where the next one begins stands in a header.
fn page_of(page: FindingsPage, format: Format) -> Answer {
    if let Format::Json = format {
        return plain(&shown::page(&page), "application/json");
    }
    let mut answer = plain(&shown::lines(&page), "application/x-ndjson");
    let next = page.next.and_then(|next| HeaderValue::from_str(&next).ok());
    answer.headers_mut().extend(next.map(|next| (hyper::header::HeaderName::from_static("validator-next"), next)));
    answer
}

fn pipeline(site: &Site, name: &str) -> Result<Arc<Status>, Refusal> {
    site.board.status(name).ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "no pipeline of this name runs here"))
}

fn no_ledger() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "this process keeps no ledger to answer from")
}

/// An answer of the ledger, in its turn and in time.
async fn in_time<T>(door: &Door, answer: impl Future<Output = Result<T, AnswerError>>) -> Result<T, Refusal> {
    let in_turn = async {
        let _turn = door.questions.acquire().await;
        answer.await
    };
    let late = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the ledger does not answer in time");
    timeout(Duration::from_secs(ANSWER_SECONDS), in_turn).await.map_err(late)?.map_err(|error| match error {
        AnswerError::NotYet { .. } => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        AnswerError::After => Refusal::wrong(error.to_string()),
        AnswerError::Ledger(ref source) => {
            tracing::warn!(%source, "the ledger could not be read for an answer");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the ledger cannot be read now")
        }
    })
}

/// Whether the name that was asked for is an address, or always this machine.
fn is_of_this_machine(request: &Request<Incoming>) -> bool {
    let Some(host) = request.headers().get(HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

fn with_health((status, body): (StatusCode, serde_json::Value)) -> Answer {
    let mut answer = json_of(status, &body);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    answer
}

fn json_of(status: StatusCode, body: &serde_json::Value) -> Answer {
    let mut answer = plain(&format!("{body}\n"), "application/json");
    *answer.status_mut() = status;
    answer
}

fn plain(text: &str, content_type: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
