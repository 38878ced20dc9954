//! A proposal as the file that a person would have written, with what was seen as comments.
//!
//! Contract: whatever a name, a value or a reason holds, a string stays one string and a comment one line; the file reads
//! back as what was proposed.

use std::fmt::Write as _;

use validator_core::contract::Format;

use super::identity::{Choice, Mode};
use super::origin::Origin;
use super::proposal::{Line, Proposal};
use super::rhythm::{Rhythm, duration};
use crate::config::ENVELOPES;
use crate::render::escape;

/// Characters of a line of comments.
const WIDTH: usize = 110;

/// What a file begins with.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The table.
    pub table: &'a str,
    /// What the proposal rests on, in a sentence.
    pub made: &'a str,
    /// Where messages are read from.
    pub origin: &'a Origin,
}

/// The file.
pub fn pipeline_file(head: &Head<'_>, proposal: &Proposal) -> String {
    let Head { topic, table, made, origin } = *head;
    let mut file = String::new();
    comment(&mut file, &format!("{topic} → {table}, as `validator init` saw them. {made}"));
    file.push_str("\n[pipeline]\n");
    let lines = [
        ("name", pipeline_name(topic)),
        ("topic", topic.to_owned()),
        ("table", table.to_owned()),
        ("format", format_word(proposal.format).to_owned()),
    ];
    lines.iter().for_each(|(key, value)| entry(&mut file, key, value));
    if let Some(schema) = origin.schema.as_ref().filter(|_| proposal.format == Format::Avro) {
        entry(&mut file, "schema", schema);
    }
    if proposal.format == Format::Bytes {
        comment(&mut file, "the table keeps the payload as it is, so it is compared byte by byte and not decoded");
    }
    if let Some(line) = &proposal.row_filter {
        comment(&mut file, &line.seen);
        entry(&mut file, &line.key, &line.value);
    }
    source(&mut file, origin);
    section(
        &mut file,
        "fields",
        "types of message fields where they are not those of the columns of their name",
        &proposal.fields,
    );
    section(&mut file, "map", "columns that are not here map by their names", &proposal.map);
    if !proposal.lost.is_empty() {
        file.push('\n');
        proposal.lost.iter().for_each(|lost| comment(&mut file, lost));
    }
    identity(&mut file, &proposal.choice);
    reasons(&mut file, proposal);
    fidelity(&mut file, proposal.rhythm);
    file
}

/// `[source]`, where messages are read from files.
fn source(file: &mut String, origin: &Origin) {
    if origin.files.is_empty() {
        return;
    }
    let head = "[source]";
    let _ = write!(file, "\n{head:<31} # recorded messages, read in place of the brokers\n");
    list(file, "files", &origin.files);
    let word = ENVELOPES.iter().find(|(_, envelope)| Some(*envelope) == origin.envelope).map(|(word, _)| *word);
    if let Some(word) = word {
        entry(file, "envelope", word);
    }
}

/// The pipeline's name: the topic's words.
fn pipeline_name(topic: &str) -> String {
    topic.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
}

/// The word of `format`.
pub fn format_word(format: Format) -> &'static str {
    match format {
        Format::Json => "json",
        Format::Avro => "avro",
        Format::Bytes => "bytes",
        Format::Parquet => "parquet",
    }
}

fn section(file: &mut String, name: &str, what: &str, lines: &[Line]) {
    if lines.is_empty() {
        return;
    }
    let head = format!("[{name}]");
    let _ = write!(file, "\n{head:<31} # {what}\n");
    for line in lines {
        let text = format!("{} = {}", key(&line.key), string(&line.value));
        let _ = writeln!(file, "{text:<31} # {}", one_line(&line.seen));
    }
}

fn identity(file: &mut String, choice: &Choice) {
    let head = "[identity]";
    let _ = write!(file, "\n{head:<31} # how a row finds its message\n");
    choice.evidence.iter().for_each(|seen| comment(file, seen));
    let of_window = |file: &mut String, window: &Option<String>| {
        if let Some(window) = window {
            entry(file, "window", window);
        }
    };
    match &choice.mode {
        Mode::Offset { profile, columns, .. } => {
            entry(file, "mode", "offset");
            match profile {
                Some(profile) => entry(file, "profile", profile.name()),
                None => list(file, "columns", columns),
            }
        }
        Mode::Key { columns, window } => {
            entry(file, "mode", "key");
            list(file, "columns", columns);
            of_window(file, window);
        }
        Mode::Upsert { columns } => {
            entry(file, "mode", "key");
            list(file, "columns", columns);
            file.push_str("upsert = true\n");
        }
        Mode::Content { window } => {
            entry(file, "mode", "content");
            of_window(file, window);
        }
    }
    choice.refused.iter().for_each(|why| comment(file, &format!("not by offset: {why}")));
}

fn reasons(file: &mut String, proposal: &Proposal) {
    let sections = [
        ("compare.ignore", "columns that no message explains", &proposal.ignore),
        ("compare.drop", "fields that no column keeps", &proposal.drop),
        ("compare.tolerate", "columns that may say the same in other words", &proposal.tolerate),
    ];
    for (name, what, reasons) in sections {
        if reasons.is_empty() {
            continue;
        }
        let head = format!("[{name}]");
        let _ = write!(file, "\n{head:<31} # {what}\n");
        reasons.iter().for_each(|(name, reason)| entry(file, name, &one_line(reason)));
    }
}

fn fidelity(file: &mut String, rhythm: Option<Rhythm>) {
    file.push_str("\n[fidelity]\ntarget = 0.9999\n");
    match rhythm {
        Some(rhythm) => {
            let (commits, median, most) = (rhythm.commits, duration(rhythm.median_ms), duration(rhythm.most_ms));
            let seen = format!(
                "{commits} commits added rows, {median} apart in the median and at most {most} in 95 of 100; settle is twice that"
            );
            comment(file, &seen);
            let settle = rhythm.settle_ms();
            entry(file, "settle", &duration(settle));
            if settle > 86_400_000 {
                entry(file, "give_up", &duration(settle.saturating_mul(2)));
            }
        }
        None => comment(file, "settle = \"…\": too few commits to see a rhythm; how long may a message be on its way?"),
    }
}

fn list(file: &mut String, name: &str, items: &[String]) {
    let items: Vec<String> = items.iter().map(|item| string(item)).collect();
    let _ = writeln!(file, "{name} = [{}]", items.join(", "));
}

fn entry(file: &mut String, name: &str, value: &str) {
    let _ = writeln!(file, "{} = {}", key(name), string(value));
}

/// A comment, broken at spaces.
fn comment(file: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in one_line(text).split(' ').filter(|word| !word.is_empty()) {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.len() > 1 {
            let _ = writeln!(file, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(file, "{line}");
}

/// A foreign text on one line, without anything that a terminal or a reader of TOML would act on.
fn one_line(text: &str) -> String {
    escape(text).into_owned()
}

/// A key: bare where TOML takes it so.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if is_bare { name.to_owned() } else { quoted(name) }
}

/// A string value, which the environment must not fill in.
fn string(value: &str) -> String {
    quoted(&value.replace("${", "$${"))
}

/// A basic string of TOML; what escapes on a terminal is escaped here too.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c == ' ' || !matches!(escape(c.encode_utf8(&mut [0; 4])), std::borrow::Cow::Owned(_)) => out.push(c),
            c => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_name_holds_a_string_stays_one_string() {
        let hostile = "a\"\n[identity]\nmode = \"x\" # \u{1b}[2J \u{202e} ${HOME} \\ 'q' 東";
        let text = format!("{} = {}\n", key(hostile), quoted(hostile));
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        let read: toml::Table = text.parse().expect("it is TOML");
        assert_eq!(read.get(hostile).and_then(|value| value.as_str()), Some(hostile));
    }

    #[test]
    fn a_comment_stays_a_comment() {
        let mut file = String::new();
        comment(&mut file, "column a\n[pipeline]\rname = 1 \u{2028} \u{85} has words");
        assert!(file.lines().all(|line| line.starts_with("# ")), "{file:?}");
        assert_eq!(file.trim_end().chars().filter(|c| c.is_control()).count(), file.matches('\n').count() - 1);
    }
}
