//! `[compare]`, `[fidelity]` and `[source]`: what is left out, what is promised, and recorded messages.

use std::collections::BTreeMap;

use validator_core::contract::{Compare, Envelope, Fidelity, RecordedSource};
use validator_core::tolerance::Tolerance;

use super::dead_letter::read_dead_letter;
use super::nearest::{list, nearest};
use super::problem::Problem;
use super::section::Section;

/// Least fidelity unless given.
const TARGET_DEFAULT: f64 = 0.9999;
/// How long after its timestamp a message may be on its way in a continuous run, unless given.
pub const SETTLE_MS_OF_RUN: i64 = 120_000;
/// 24 hours.
const GIVE_UP_MS_DEFAULT: i64 = 24 * 60 * 60 * 1000;
/// Greatest share of diverted messages unless given.
const DIVERTED_MAX_DEFAULT: f64 = 0.001;

/// The words of `envelope`.
pub const ENVELOPES: [(&str, Envelope); 3] =
    [("none", Envelope::None), ("kcat", Envelope::Kcat), ("table", Envelope::Table)];

/// Reads `[compare]`.
pub fn read_compare(section: &Section<'_>) -> Compare {
    let compare = Compare {
        ignore: read_reasons(&section.section("ignore")),
        drop: read_reasons(&section.section("drop")),
        tolerate: read_tolerances(&section.section("tolerate")),
        mask: read_mask(section),
        strict_fields: section.flag("strict_fields").unwrap_or(true),
    };
    section.finish();
    compare
}

fn read_reasons(section: &Section<'_>) -> BTreeMap<String, String> {
    let mut reasons = BTreeMap::new();
    for item in section.entries() {
        let Some(reason) = item.text() else { continue };
        if reason.value.trim().is_empty() {
            let problem = Problem::new(format!("`{}` has no reason", item.key))
                .hint("say why, for the one who reads the report: `\"set by the sink\"`");
            section.note_at(problem, &reason.span);
        }
        reasons.insert(item.key, reason.value);
    }
    reasons
}

fn read_tolerances(section: &Section<'_>) -> BTreeMap<String, Tolerance> {
    let mut tolerances = BTreeMap::new();
    for item in section.entries() {
        let Some(text) = item.text() else { continue };
        let words = Tolerance::ALL.map(|(word, _)| word);
        match Tolerance::ALL.iter().find(|(word, _)| *word == text.value) {
            Some((_, tolerance)) => drop(tolerances.insert(item.key, *tolerance)),
            None => {
                let problem = Problem::new(format!("`{}` is no tolerance", text.value));
                let hint = match nearest(&text.value, words) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => format!("there are {}", list(&words, "and")),
                };
                section.note_at(problem.hint(hint), &text.span);
            }
        }
    }
    tolerances
}

fn read_mask(section: &Section<'_>) -> Vec<String> {
    let columns = section.texts("mask").unwrap_or_default();
    for column in columns.iter().filter(|column| column.value.is_empty()) {
        section.note_at(Problem::new("`mask` names no column here"), &column.span);
    }
    let mut columns: Vec<String> = columns.into_iter().map(|column| column.value).collect();
    columns.sort();
    columns.dedup();
    columns
}

/// Reads `[fidelity]`; every key has its default. And whether `settle` is there: its default is that of the command.
pub fn read_fidelity(section: &Section<'_>) -> (Fidelity, bool) {
    let dead_letter = read_dead_letter(&section.section("dead_letter"));
    let target = section.share("target").map_or(TARGET_DEFAULT, |share| share.value);
    let settle = section.duration_ms("settle");
    let give_up = section.duration_ms("give_up");
    let retention = section.duration_ms("retention");
    let fidelity = Fidelity {
        target,
        coverage: section.share("coverage").map_or(target, |share| share.value),
        settle_ms: settle.as_ref().map_or(0, |settle| settle.value),
        give_up_ms: give_up.as_ref().map_or(GIVE_UP_MS_DEFAULT, |give_up| give_up.value),
        retention_ms: retention.as_ref().map(|retention| retention.value),
        diverted_max: section.share("diverted_max").map_or(DIVERTED_MAX_DEFAULT, |share| share.value),
        dead_letter,
    };
    if let Some(late) = give_up.as_ref().or(settle.as_ref())
        && fidelity.give_up_ms < fidelity.settle_ms
    {
        section.note_at(Problem::new("`give_up` comes before `settle` is over"), &late.span);
    }
    if let Some(retention) = &retention {
        // That of a run is not known here.
        let settle_ms = if settle.is_some() { fidelity.settle_ms } else { SETTLE_MS_OF_RUN };
        if retention.value <= settle_ms {
            let problem = Problem::new("`retention` is over before a message is due")
                .hint("leave `retention` out where the table keeps its rows; else it is longer than `settle`");
            section.note_at(problem, &retention.span);
        }
    }
    section.finish();
    (fidelity, settle.is_some())
}

/// Reads `[source]`; the globs stand as they were written.
pub fn read_source(section: &Section<'_>) -> Option<RecordedSource> {
    if !section.is_present() {
        return None;
    }
    let files = section.texts("files");
    match &files {
        None if !section.has("files") => section.missing("files", "files = [\"capture/*.jsonl\"]"),
        Some(files) if files.is_empty() => section.note(Problem::new("`files` is empty")),
        _ => {}
    }
    let envelope = section.choice("envelope", &ENVELOPES, &[]);
    let plain = envelope.as_ref().is_none_or(|envelope| envelope.value == Envelope::None);
    let timestamp = section.optional_text("timestamp");
    if let Some(timestamp) = &timestamp
        && !plain
    {
        let problem = Problem::new("`timestamp` is for `envelope = \"none\"`: other envelopes hold the timestamp")
            .hint("take `timestamp` out");
        section.note_at(problem, &timestamp.span);
    }
    section.finish();
    Some(RecordedSource {
        files: files?.into_iter().map(|file| file.value).collect(),
        envelope: envelope.map_or(Envelope::None, |envelope| envelope.value),
        timestamp: timestamp.map(|timestamp| timestamp.value),
    })
}
