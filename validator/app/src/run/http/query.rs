//! Names and parameters of a request.

use hyper::StatusCode;
use validator_core::verdict::Verdict;

use super::answers::{FindingState, FindingsQuery};
use super::limits::{FINDINGS_DEFAULT, FINDINGS_MAX};
use super::route::Refusal;
use crate::config::list;

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One object with a list.
    Json,
    /// One object a line.
    Lines,
}

/// The text of a part of a path or a query.
///
/// # Errors
/// It is not percent-encoded UTF-8.
pub fn percent_decoded(text: &str) -> Result<String, Refusal> {
    let wrong = || Refusal::wrong("a name is not percent-encoded UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let value = digit().zip(digit()).map(|(high, low)| high * 16 + low);
        bytes.push(value.and_then(|value| u8::try_from(value).ok()).ok_or_else(wrong)?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// The only parameter there may be.
///
/// # Errors
/// There is another.
pub fn named(query: &str, name: &str) -> Result<Option<String>, Refusal> {
    let mut found = None;
    for (key, value) in parameters(query)? {
        if key != name {
            return Err(Refusal::wrong(format!("the only parameter is `{name}`")));
        }
        found = Some(value);
    }
    Ok(found)
}

/// Which findings are asked for, and how they are written.
///
/// # Errors
/// A parameter that is not known, or not what it can be.
pub fn findings_query(query: &str, accepts: &str) -> Result<(FindingsQuery, Format), Refusal> {
    let mut asked = FindingsQuery { states: Vec::new(), verdict: None, after: None, limit: FINDINGS_DEFAULT };
    let is_lines = ["application/x-ndjson", "application/jsonl"].iter().any(|lines| accepts.contains(lines));
    let mut format = if is_lines { Format::Lines } else { Format::Json };
    for (key, value) in parameters(query)? {
        match key.as_str() {
            "state" => {
                for word in value.split(',') {
                    let found = FindingState::ALL.iter().find(|(known, _)| *known == word);
                    let all = FindingState::ALL.map(|(known, _)| known);
                    asked.states.push(found.map(|(_, state)| *state).ok_or_else(|| one_of("state", &all))?);
                }
            }
            "verdict" => {
                let found = Verdict::all().find(|verdict| verdict.as_str() == value);
                let all: Vec<&str> = Verdict::all().map(Verdict::as_str).collect();
                asked.verdict = Some(found.ok_or_else(|| one_of("verdict", &all))?);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=FINDINGS_MAX).contains(limit));
                asked.limit = limit.ok_or_else(|| Refusal::wrong(format!("`limit` is from 1 to {FINDINGS_MAX}")))?;
            }
            "after" => asked.after = Some(value),
            "format" => {
                format = match value.as_str() {
                    "json" => Format::Json,
                    "jsonl" => Format::Lines,
                    _ => return Err(one_of("format", &["json", "jsonl"])),
                }
            }
            _ => return Err(Refusal::wrong("the parameters are `state`, `verdict`, `limit`, `after` and `format`")),
        }
    }
    Ok((asked, format))
}

fn one_of(name: &str, words: &[&str]) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, format!("`{name}` is one of {}", list(words, "and")))
}

/// Each key once.
fn parameters(query: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut all: Vec<(String, String)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let (key, value) = (percent_decoded(key)?, percent_decoded(&value.replace('+', " "))?);
        if all.iter().any(|(known, _)| *known == key) {
            return Err(Refusal::wrong("a parameter stands there twice"));
        }
        all.push((key, value));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_percent_encoded_utf_8_or_refused() {
        assert_eq!(percent_decoded("a%2Fb%20%E6%9D%B1").expect("text"), "a/b 東");
        for wrong in ["%", "%2", "%zz", "%ff", "%+1"] {
            assert_eq!(percent_decoded(wrong).expect_err(wrong).status, StatusCode::BAD_REQUEST);
        }
    }

    #[test]
    fn findings_are_asked_for_by_known_words_alone() {
        let (asked, format) =
            findings_query("state=open,resolved&verdict=missing&limit=7&after=a%2Bb", "").expect("sound");
        assert_eq!(asked.states, [FindingState::Open, FindingState::Resolved]);
        assert_eq!(
            (asked.verdict.map(Verdict::as_str), asked.limit, asked.after.as_deref()),
            (Some("missing"), 7, Some("a+b"))
        );
        assert_eq!(format, Format::Json);
        assert_eq!(findings_query("", "text/html, application/x-ndjson").expect("sound").1, Format::Lines);
        for wrong in
            ["state=opne", "verdict=intakt", "limit=0", "limit=1001", "limit=x", "format=csv", "x=1", "limit=1&limit=2"]
        {
            assert_eq!(findings_query(wrong, "").expect_err(wrong).status, StatusCode::BAD_REQUEST, "{wrong}");
        }
    }
}
