//! HTTP to the registry, on a thread of its own.
//!
//! Contract: one question at a time. What may pass is asked again: no connection, no answer in time, 408, 429 and 5xx, with
//! growing pauses and a bound; everything else is final at once. The thread owns its runtime, so that callers may stand on
//! any thread, inside or outside of an async context, and ends with the client.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use reqwest::{RequestBuilder, Response, StatusCode, Url};
use validator_core::error_chain::error_chain;

use super::RegistryConfig;
use crate::{TapError, limits};

/// How long and how often is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// One question and its answer.
    pub(super) request: Duration,
    pub(super) attempts: u32,
    /// Before the second attempt; doubles before each further one.
    pub(super) pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(limits::REGISTRY_REQUEST_SECONDS),
            attempts: limits::REGISTRY_ATTEMPTS_MAX,
            pause: Duration::from_millis(limits::REGISTRY_PAUSE_MILLIS),
        }
    }
}

/// A registry's answer.
#[derive(Debug)]
pub(super) enum Reply {
    /// 200
    Found { url: String, body: Vec<u8> },
    /// 404 in a registry's words, with an `error_code` (40401, 40402, 40403).
    NotFound,
}

/// The asking side.
#[derive(Debug)]
pub(super) struct Client {
    base: Url,
    patience: Patience,
    questions: mpsc::Sender<Question>,
}

#[derive(Debug)]
struct Question {
    url: Url,
    reply: mpsc::SyncSender<Result<Reply, TapError>>,
}

impl Client {
    pub(super) fn new(config: &RegistryConfig, patience: Patience) -> Result<Self, TapError> {
        let base = Url::parse(&config.url)
            .map_err(|error| TapError::RegistryClient { what: format!("{} is no URL: {error}", config.url) })?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(TapError::RegistryClient { what: format!("{base} is neither http nor https") });
        }
        let failed = |what: String| TapError::RegistryClient { what };
        let http = reqwest::Client::builder()
            .timeout(patience.request)
            .user_agent(concat!("validator/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(error_chain(&error)))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let (questions, inbox) = mpsc::channel::<Question>();
        let asker = Asker { http, config: config.clone(), patience };
        thread::Builder::new()
            .name("schema-registry".to_owned())
            .spawn(move || {
                for question in inbox {
                    // Nobody waits any more when this fails.
                    let _ = question.reply.send(runtime.block_on(asker.ask(question.url)));
                }
            })
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self { base, patience, questions })
    }

    /// Asks again, in ever longer pauses, for what was not found: who answers may lag behind who registered it.
    pub(super) fn get_late(&self, path: &[&str]) -> Result<Reply, TapError> {
        let mut pause = self.patience.pause;
        for _ in 1..self.patience.attempts {
            thread::sleep(pause);
            pause *= 2;
            if let found @ Reply::Found { .. } = self.get(path)? {
                return Ok(found);
            }
        }
        Ok(Reply::NotFound)
    }

    /// Asks for a path below the base.
    pub(super) fn get(&self, path: &[&str]) -> Result<Reply, TapError> {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("http URLs have a path").pop_if_empty().extend(path);
        let (reply, answer) = mpsc::sync_channel(1);
        let gone = || TapError::RegistryClient { what: "its thread has ended".to_owned() };
        self.questions.send(Question { url, reply }).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }
}

/// The answering side, on the thread.
struct Asker {
    http: reqwest::Client,
    config: RegistryConfig,
    patience: Patience,
}

/// Why an attempt gave nothing.
enum Miss {
    /// It may go better next time.
    Passing(String),
    Final(TapError),
}

impl Asker {
    async fn ask(&self, url: Url) -> Result<Reply, TapError> {
        let begun = Instant::now();
        let mut pause = self.patience.pause;
        let mut attempt = 1;
        loop {
            let last = match self.attempt(&url).await {
                Ok(reply) => return Ok(reply),
                Err(Miss::Final(error)) => return Err(error),
                Err(Miss::Passing(last)) => last,
            };
            if attempt >= self.patience.attempts {
                let seconds = begun.elapsed().as_secs().max(1);
                return Err(TapError::RegistryUnreachable { url: shown(&url), seconds, attempts: attempt, last });
            }
            tracing::warn!(url = shown(&url), attempt, last, "the schema registry is asked again");
            tokio::time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn attempt(&self, url: &Url) -> Result<Reply, Miss> {
        let request = self.authorised(self.http.get(url.clone()));
        let request = request.header("accept", "application/vnd.schemaregistry.v1+json, application/json");
        let answer = request.send().await.map_err(|error| Miss::Passing(error_chain(&error.without_url())))?;
        let status = answer.status();
        match status {
            StatusCode::OK => Ok(Reply::Found { url: shown(url), body: self.body(url, answer).await? }),
            StatusCode::NOT_FOUND => {
                match super::answer::is_coded_error(&self.body(url, answer).await?) {
                    true => Ok(Reply::NotFound),
                    // Of a proxy whose registry is away, or of another server at this URL.
                    false => {
                        Err(Miss::Passing(format!("{status} in no registry's words: is the path of its URL right?")))
                    }
                }
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(Miss::Passing(status.to_string())),
            _ if status.is_server_error() => Err(Miss::Passing(status.to_string())),
            _ => Err(Miss::Final(TapError::RegistryRefused { url: shown(url), status: status.to_string() })),
        }
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        match (&self.config.token, &self.config.user) {
            (Some(token), _) => request.bearer_auth(token),
            (None, Some(user)) => request.basic_auth(user, self.config.password.as_ref()),
            (None, None) => request,
        }
    }

    async fn body(&self, url: &Url, mut answer: Response) -> Result<Vec<u8>, Miss> {
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| Miss::Passing(error_chain(&error.without_url())))? {
            if body.len() + part.len() > limits::REGISTRY_ANSWER_BYTES_MAX {
                let what = format!("it is over {} bytes long", limits::REGISTRY_ANSWER_BYTES_MAX);
                return Err(Miss::Final(TapError::RegistryAnswer { url: shown(url), what }));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }
}

/// The URL without a password in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        // Only URLs that cannot have one refuse.
        let _ = url.set_password(Some("*****"));
    }
    url.to_string()
}
