//! One message to one channel: a line of the log, a signed POST, or Alertmanager's API v2.
//!
//! Contract: a delivery ends within the time of the limits; redirects are not followed; what a server answers is read as far
//! as the log needs it, and no secret is ever part of an error.

use std::collections::BTreeMap;
use std::time::Duration;

use hmac::{Hmac, Mac};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde_json::{Value, json};
use sha2::Sha256;
use thiserror::Error;
use validator_core::clock::UtcMillis;
use validator_core::error_chain::error_chain;
use validator_core::secret::Secret;

use super::limits::{ANSWER_BYTES_MAX, DELIVERY_SECONDS};
use super::notice::{Notice, NoticeState};
use super::rule::Channel;

/// An alert that is not sent again ends in Alertmanager after so many of its reminders, as Prometheus has it.
const REMINDERS_MISSED: i64 = 4;

/// Why a message was not delivered.
#[derive(Debug, Error)]
pub enum Undelivered {
    /// The channel's URL.
    #[error("the URL of channel {channel} is none: {what}")]
    Url {
        /// The channel.
        channel: String,
        /// What is wrong with it.
        what: String,
    },
    /// The client cannot be made.
    #[error("make the HTTP client of channel {channel}")]
    Client {
        /// The channel.
        channel: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The message is none of ours.
    #[error("read the message")]
    Message(#[source] serde_json::Error),
    /// No answer.
    #[error("ask the server")]
    Ask(#[source] reqwest::Error),
    /// The server does not take it.
    #[error("the server answers {status}: {said}")]
    Answer {
        /// Its status.
        status: StatusCode,
        /// The beginning of its words.
        said: String,
    },
}

impl Undelivered {
    /// Whether it would fail again, for what it says itself.
    pub fn is_final(&self) -> bool {
        let refused = [
            StatusCode::BAD_REQUEST,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            StatusCode::UNPROCESSABLE_ENTITY,
        ];
        match self {
            Self::Message(_) => true,
            Self::Answer { status, .. } => refused.contains(status),
            Self::Url { .. } | Self::Client { .. } | Self::Ask(_) => false,
        }
    }

    /// All of it in one line.
    pub fn why(&self) -> String {
        error_chain(self)
    }
}

/// The way to one channel.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each channel of the process")]
pub enum Delivery {
    /// Lines of the log.
    Log,
    /// A server.
    Http {
        /// Its client.
        client: reqwest::Client,
        /// The whole address.
        url: Url,
        /// What it wants.
        channel: Channel,
        /// The clock of signatures and of Alertmanager's ends.
        now_ms: fn() -> i64,
    },
}

impl Delivery {
    /// To a channel.
    ///
    /// # Errors
    /// Its URL is none, or the client cannot be made.
    pub fn new(name: &str, channel: &Channel, now_ms: fn() -> i64) -> Result<Self, Undelivered> {
        let (url, below): (_, &[&str]) = match channel {
            Channel::Log => return Ok(Self::Log),
            Channel::Webhook { url, .. } => (url, &[]),
            Channel::Alertmanager { url, .. } => (url, &["api", "v2", "alerts"]),
        };
        let wrong = |what: String| Undelivered::Url { channel: name.to_owned(), what };
        let mut url = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("it is neither http nor https".to_owned()));
        }
        if !below.is_empty() {
            url.path_segments_mut().expect("http URLs have a path").pop_if_empty().extend(below);
        }
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(DELIVERY_SECONDS))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("validator/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| Undelivered::Client { channel: name.to_owned(), source })?;
        Ok(Self::Http { client, url, channel: channel.clone(), now_ms })
    }

    /// Delivers a notice.
    ///
    /// # Errors
    /// It was not taken.
    pub async fn deliver(&self, body: &[u8]) -> Result<(), Undelivered> {
        let notice: Notice = serde_json::from_slice(body).map_err(Undelivered::Message)?;
        let Self::Http { client, url, channel, now_ms } = self else {
            say(&notice);
            return Ok(());
        };
        let post = client.post(url.clone()).header("content-type", "application/json");
        let request = match channel {
            Channel::Log => return Ok(()),
            Channel::Webhook { secret, token, .. } => {
                let post = authorised(post, None, None, token.as_ref());
                signed(post, secret.as_ref(), now_ms().div_euclid(1_000), &notice, body)
            }
            Channel::Alertmanager { resend_ms, user, password, token, .. } => {
                let post = authorised(post, user.as_deref(), password.as_ref(), token.as_ref());
                let ends_ms = now_ms().saturating_add(resend_ms.saturating_mul(REMINDERS_MISSED));
                post.body(json!([alert(&notice, ends_ms)]).to_string())
            }
        };
        // The address may hold what only the receiver should know.
        let answer = request.send().await.map_err(|error| Undelivered::Ask(error.without_url()))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(Undelivered::Answer { status: answer.status(), said: said(answer).await })
    }
}

fn authorised(
    post: RequestBuilder,
    user: Option<&str>,
    password: Option<&Secret>,
    token: Option<&Secret>,
) -> RequestBuilder {
    match (token, user) {
        (Some(token), _) => post.bearer_auth(token.expose()),
        (None, Some(user)) => post.basic_auth(user, password.map(Secret::expose)),
        (None, None) => post,
    }
}

/// A webhook's request: the body as it is, and headers that prove who sent it and when.
fn signed(
    post: RequestBuilder,
    secret: Option<&Secret>,
    timestamp: i64,
    notice: &Notice,
    body: &[u8],
) -> RequestBuilder {
    let state = match notice.state {
        NoticeState::Firing => "firing",
        NoticeState::Resolved => "resolved",
    };
    let post = post
        .header("validator-delivery", format!("{}-{state}", notice.id))
        .header("validator-timestamp", timestamp.to_string());
    let post = match secret {
        Some(secret) => post.header("validator-signature", signature(secret.expose().as_bytes(), timestamp, body)),
        None => post,
    };
    post.body(body.to_vec())
}

/// `v1=` and HMAC-SHA256 in hexadecimal over the timestamp (seconds since the epoch, decimal), a full stop and the body.
pub fn signature(secret: &[u8], timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={digits}")
}

/// An alert as Alertmanager takes it. Labels say which alert it is, and so never change while it fires; what changes stands
/// in the annotations.
fn alert(notice: &Notice, ends_ms: i64) -> Value {
    let mut labels = BTreeMap::from([("alertname", notice.alert.clone()), ("pipeline", notice.pipeline.clone())]);
    labels.extend(notice.severity.clone().map(|severity| ("severity", severity)));
    labels.extend(notice.group.iter().map(|(name, word)| (name.as_str(), word.clone())));
    let mut annotations = BTreeMap::from([("summary", notice.summary.clone()), ("when", notice.when.clone())]);
    annotations.extend(notice.says.clone().map(|says| ("description", says)));
    annotations.extend(notice.runbook.clone().map(|runbook| ("runbook_url", runbook)));
    let ends_at = notice.ended_at.clone().unwrap_or_else(|| UtcMillis(ends_ms).to_string());
    json!({ "labels": labels, "annotations": annotations, "startsAt": notice.started_at, "endsAt": ends_at })
}

fn say(notice: &Notice) {
    let Notice { id, alert, pipeline, summary, .. } = notice;
    let severity = notice.severity.as_deref().unwrap_or_default();
    match notice.state {
        NoticeState::Firing => tracing::error!(target: "validator::alerts", id, alert, pipeline, severity, "{summary}"),
        NoticeState::Resolved => {
            tracing::info!(target: "validator::alerts", id, alert, pipeline, severity, "{summary}")
        }
    }
}

/// The beginning of an answer, on one line.
async fn said(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX {
        match answer.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    bytes.truncate(ANSWER_BYTES_MAX);
    let text = String::from_utf8_lossy(&bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
