//! One page of HTML that needs nothing else: no other host, no script, light and dark, printable.
//!
//! Contract: below 2 MB however much was found: the findings that are written are bounded in bytes, and what is left out is
//! counted. The style sheet is the page's only resource; its hash stands in the Content-Security-Policy, so that nothing
//! that came from data could be one.

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::Shown;
use super::chart::budget_bar;
use super::finding::FindingView;
use super::page::{CauseView, PageView};
use crate::render::{count, words};

/// The style sheet.
const CSS: &str = include_str!("../../templates/report.css");

/// Most bytes of all findings on the page.
const FINDINGS_BYTES_MAX: usize = 1_000_000;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    css: &'static str,
    policy: String,
    view: &'a PageView<'a>,
    budget_bar: String,
    causes: Vec<Cause<'a>>,
    words: Vec<(&'static str, &'static str)>,
}

/// A cause with its findings as HTML.
struct Cause<'a> {
    of: &'a CauseView,
    findings: Vec<String>,
    /// What is said of those that are not shown.
    more: Option<String>,
}

#[derive(Template)]
#[template(path = "finding.html")]
struct FindingPart<'a> {
    finding: &'a FindingView,
    /// Whether the related finding stands on this page.
    related_is_here: bool,
}

/// The page.
///
/// # Errors
/// None but those of writing into memory.
pub fn html(shown: &Shown<'_>) -> Result<String, askama::Error> {
    let view = PageView::of(shown);
    let causes = causes(shown, &view)?;
    let hash = STANDARD.encode(Sha256::digest(CSS.as_bytes()));
    let page = Page {
        css: CSS,
        policy: format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"),
        budget_bar: budget_bar(&view.budget),
        causes,
        words: glossary(),
        view: &view,
    };
    page.render()
}

/// The findings of each cause, as many as there is room for.
fn causes<'a>(shown: &Shown<'_>, view: &'a PageView<'_>) -> Result<Vec<Cause<'a>>, askama::Error> {
    let here: std::collections::HashSet<String> =
        view.groups.iter().flat_map(|group| &group.findings).map(|finding| finding.id.to_string()).collect();
    // Each cause has an equal share of the room, and leaves to those behind it what it does not need.
    let mut room = FINDINGS_BYTES_MAX;
    let mut causes = Vec::new();
    for (nth, (of, group)) in view.causes.iter().zip(&view.groups).enumerate() {
        let share = room / (view.groups.len() - nth);
        let mut written = 0;
        let mut findings = Vec::new();
        for finding in &group.findings {
            let finding = FindingView::of(shown, finding);
            let related_is_here = finding.related.as_ref().is_some_and(|id| here.contains(id));
            let part = FindingPart { finding: &finding, related_is_here }.render()?;
            if written + part.len() > share {
                break;
            }
            written += part.len();
            findings.push(part);
        }
        room -= written;
        let rest = group.number - findings.len() as u64;
        let more = (rest > 0).then(|| {
            let place = view.findings_file.as_ref().map_or_else(String::new, |file| format!(" All are in {file}."));
            let shown = if findings.is_empty() { "not shown" } else { "more" };
            format!("{} {shown} of this kind.{place}", count(rest))
        });
        causes.push(Cause { of, findings, more });
    }
    Ok(causes)
}

/// The words that a reader meets, explained.
fn glossary() -> Vec<(&'static str, &'static str)> {
    use validator_core::verdict::MessageVerdict as Message;
    let verdicts = [Message::Intact, Message::Missing, Message::Corrupted, Message::Duplicated, Message::Overdue];
    let mut entries: Vec<(&str, &str)> =
        verdicts.into_iter().map(|verdict| (verdict.as_str(), words::message(verdict))).collect();
    entries.extend([
        ("phantom", "a row of the table that no message explains"),
        ("snapshot", "the state of the table that was judged; it does not change while it is read"),
        ("offset", "the place of a message in its partition of the topic; trades[0]@12 is offset 12 of partition 0"),
        ("segment", "a range of messages that is proven as a whole: where the digests of both sides add up to the same sum, every message of it is in the table exactly once and unaltered"),
        ("disputed", "a segment whose sums differ; it is read again and judged message by message"),
    ]);
    entries
}
