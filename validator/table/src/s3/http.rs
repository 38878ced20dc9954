//! The HTTP client under an S3 store: it follows nobody, waits with a bound, and holds an answer against what was asked.
//!
//! Contract: a redirect is never followed, so no key or token reaches another host. An answer to a range is that range
//! or, where the object ends before, up to its end; anything else is asked again. A refusal is cut down to its code and
//! message: the rest of it may repeat the token that was sent. "Not found" is believed only of a key: a bucket that is
//! not there, or a page of some proxy, says nothing about an object.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, RANGE};

use super::config::Pem;
use crate::limits::{LIST_PAGE_BYTES_MAX, REFUSAL_BYTES_MAX, REFUSAL_CHARS_SHOWN, STORE_ANSWER_SECONDS_MAX};

/// Makes the clients of a store.
#[derive(Debug)]
pub(crate) struct Connector {
    pub ca: Option<Pem>,
    pub connect: Duration,
    /// Without a byte.
    pub silence: Duration,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true");
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .https_only(!plain)
            .connect_timeout(self.connect)
            .read_timeout(self.silence)
            .timeout(Duration::from_secs(STORE_ANSWER_SECONDS_MAX))
            .user_agent(concat!("validator/", env!("CARGO_PKG_VERSION")));
        let failed = |error: reqwest::Error| object_store::Error::Generic { store: "S3", source: error.into() };
        if let Some(pem) = &self.ca {
            for certificate in reqwest::Certificate::from_pem_bundle(&pem.0).map_err(failed)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        Ok(HttpClient::new(Guarded(builder.build().map_err(failed)?)))
    }
}

#[derive(Debug)]
struct Guarded(reqwest::Client);

#[async_trait]
impl HttpService for Guarded {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let asked = request.headers().get(RANGE).and_then(|range| Asked::parse(range.to_str().ok()?));
        let is_list = request.uri().query().is_some_and(|query| query.contains("list-type="));
        let answer = HttpService::call(&self.0, request).await?;
        let status = answer.status();
        if status.is_success() {
            let held = match asked {
                Some(asked) => asked.hold(status, answer.headers()),
                None if status == StatusCode::PARTIAL_CONTENT => {
                    Err(Lie { asked: "all of it".to_owned(), answer: status.to_string() })
                }
                None => Ok(()),
            };
            held.map_err(|lie| HttpError::new(HttpErrorKind::Interrupted, lie))?;
            return if is_list { page(answer).await } else { Ok(answer) };
        }
        let (parts, body) = answer.into_parts();
        let said = read_refusal(body).await;
        if status == StatusCode::NOT_FOUND && !said.is_about_the_key() {
            return Err(HttpError::new(HttpErrorKind::Unknown, NotThat { status, said: said.0 }));
        }
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(said.0)))
    }
}

/// A page of a listing, which is held whole.
async fn page(answer: HttpResponse) -> Result<HttpResponse, HttpError> {
    let (parts, body) = answer.into_parts();
    let mut bytes = Vec::new();
    let mut body = body.bytes_stream();
    while let Some(part) = body.next().await {
        bytes.extend_from_slice(&part?);
        if bytes.len() > LIST_PAGE_BYTES_MAX {
            return Err(HttpError::new(HttpErrorKind::Unknown, WrongPage::Long));
        }
    }
    match not_a_page(&String::from_utf8_lossy(&bytes)) {
        Some(wrong) => Err(HttpError::new(HttpErrorKind::Unknown, wrong)),
        None => Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(bytes))),
    }
}

/// Why a text is no page of a listing: what reads it takes every element for optional.
fn not_a_page(text: &str) -> Option<WrongPage> {
    if !text.contains("<ListBucketResult") {
        return Some(WrongPage::Other);
    }
    let goes_on = element(text, "IsTruncated").is_some_and(|truncated| truncated.trim() == "true");
    let where_to = element(text, "NextContinuationToken").is_some_and(|token| !token.is_empty());
    (goes_on && !where_to).then_some(WrongPage::Endless)
}

/// The text of the first element of this name.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0)
}

/// A page that cannot be taken for one of a listing.
#[derive(Debug)]
enum WrongPage {
    /// Longer than any.
    Long,
    /// No listing.
    Other,
    /// It goes on, and does not say where.
    Endless,
}

impl fmt::Display for WrongPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long => write!(f, "a page of a listing is longer than {} MiB", LIST_PAGE_BYTES_MAX >> 20),
            Self::Other => f.write_str("the answer to a request for a listing is none"),
            Self::Endless => f.write_str("a page of a listing says that it goes on, and not where"),
        }
    }
}

impl std::error::Error for WrongPage {}

/// The bytes that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Bounded(Range<u64>),
    From(u64),
    Last(u64),
}

impl Asked {
    /// `bytes=0-9`, `bytes=5-`, `bytes=-100`
    fn parse(header: &str) -> Option<Self> {
        let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
        Some(match (first, last) {
            ("", last) => Self::Last(last.parse().ok()?),
            (first, "") => Self::From(first.parse().ok()?),
            (first, last) => Self::Bounded(first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?),
        })
    }

    /// Whether the answer says that it holds these bytes, and as many as it says.
    fn hold(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), Lie> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let told = || Lie { asked: format!("{self:?}"), answer: format!("{status}, {:?}", text(CONTENT_RANGE)) };
        if status != StatusCode::PARTIAL_CONTENT {
            return Err(told());
        }
        let (range, size) = text(CONTENT_RANGE).and_then(content_range).ok_or_else(told)?;
        let to_the_end = range.end == size;
        let right = match self {
            Self::Bounded(asked) => {
                range.start == asked.start && (range.end == asked.end || (range.end < asked.end && to_the_end))
            }
            Self::From(first) => range.start == *first && to_the_end,
            Self::Last(count) => to_the_end && range.start == size.saturating_sub(*count),
        };
        let length = text(CONTENT_LENGTH).map(str::parse::<u64>);
        let complete = length.is_none_or(|length| length == Ok(range.end - range.start));
        if right && complete { Ok(()) } else { Err(told()) }
    }
}

/// `bytes 0-9/100`: what is there, and the object's size.
fn content_range(header: &str) -> Option<(Range<u64>, u64)> {
    let (range, size) = header.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, end): (u64, u64) = (first.parse().ok()?, last.parse::<u64>().ok()?.checked_add(1)?);
    let size = size.parse().ok()?;
    (first < end && end <= size).then_some((first..end, size))
}

/// The words of an error that tells of an answer to another question.
pub(crate) const LIE: &str = "which is no answer to it";

/// An answer that is not the part that was asked for.
#[derive(Debug)]
struct Lie {
    asked: String,
    answer: String,
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "asked for {}, the store answered {}, {LIE}", self.asked, self.answer)
    }
}

impl std::error::Error for Lie {}

/// A refusal in S3's words, `Code: message`; empty when there were none.
struct Refusal(String);

/// "Not found", but not of the key.
#[derive(Debug)]
struct NotThat {
    status: StatusCode,
    said: String,
}

impl fmt::Display for NotThat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, and not of the object: {}", self.status, self.said)
    }
}

impl std::error::Error for NotThat {}

impl Refusal {
    /// A HEAD has no words: then the status is all there is.
    fn is_about_the_key(&self) -> bool {
        self.0.is_empty() || self.0.starts_with("NoSuchKey") || self.0.starts_with("NoSuchVersion")
    }
}

async fn read_refusal(body: HttpResponseBody) -> Refusal {
    let mut bytes = Vec::new();
    let mut parts = body.bytes_stream();
    while let Some(Ok(part)) = parts.next().await {
        bytes.extend_from_slice(&part[..part.len().min(REFUSAL_BYTES_MAX - bytes.len())]);
        if bytes.len() == REFUSAL_BYTES_MAX {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    Refusal(match element(&text, "Code") {
        Some(code) => {
            let message = element(&text, "Message").map(|message| format!(": {message}")).unwrap_or_default();
            format!("{code}{message}").chars().take(REFUSAL_CHARS_SHOWN).collect()
        }
        None if text.trim().is_empty() => String::new(),
        None => "not in the words of S3".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(asked: &str, status: u16, range: &str, length: Option<u64>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_RANGE, range.parse().unwrap());
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, length.to_string().parse().unwrap());
        }
        Asked::parse(asked).unwrap().hold(StatusCode::from_u16(status).unwrap(), &headers).is_ok()
    }

    #[test]
    fn an_answer_to_a_range_is_that_range() {
        for (asked, range, length, fine) in [
            ("bytes=0-9", "bytes 0-9/100", Some(10), true),
            ("bytes=0-9", "bytes 0-9/100", None, true),
            ("bytes=0-9", "bytes 0-9/100", Some(9), false),
            ("bytes=0-9", "bytes 1-9/100", Some(9), false),
            ("bytes=0-9", "bytes 0-8/100", Some(9), false),
            ("bytes=0-9", "bytes 0-8/9", Some(9), true),
            ("bytes=0-9", "bytes 0-10/100", Some(11), false),
            ("bytes=-10", "bytes 90-99/100", Some(10), true),
            ("bytes=-10", "bytes 80-89/100", Some(10), false),
            ("bytes=-10", "bytes 0-6/7", Some(7), true),
            ("bytes=90-", "bytes 90-99/100", Some(10), true),
            ("bytes=90-", "bytes 91-99/100", Some(9), false),
            ("bytes=0-9", "bytes 9-0/100", None, false),
            ("bytes=0-9", "bytes 0-9/*", None, false),
            ("bytes=0-9", "items 0-9/100", None, false),
            ("bytes=0-18446744073709551614", "bytes 0-18446744073709551615/9", None, false),
        ] {
            assert_eq!(held(asked, 206, range, length), fine, "{asked} {range} {length:?}");
        }
        assert!(!held("bytes=0-9", 200, "bytes 0-9/100", Some(10)));
    }

    #[tokio::test]
    async fn a_refusal_is_cut_down_to_code_and_message() {
        let body = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message>\
                    <CanonicalRequest>x-amz-security-token:s3cr3t</CanonicalRequest></Error>";
        assert_eq!(read_refusal(body.to_owned().into()).await.0, "SignatureDoesNotMatch: No.");
        assert_eq!(read_refusal(String::new().into()).await.0, "");
        assert_eq!(read_refusal("<html>404</html>".to_owned().into()).await.0, "not in the words of S3");
        let long = format!("<Code>{}</Code>", "x".repeat(10_000));
        assert_eq!(read_refusal(long.into()).await.0.len(), REFUSAL_CHARS_SHOWN);
    }
}
