//! The pipeline file: one topic (or several) → one table, read into the contract.
//!
//! Relative paths start at the file's own folder. The file's places are kept, so that what is found out later (an
//! expression that does not parse, a column that the table does not have) points into it too.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use validator_core::contract::{Contract, Envelope, FieldType, Format, Identity, NullPayload, RecordedSource};
use validator_core::type_syntax::{TypeSyntaxError, parse_type};
use validator_engine::expr;

use super::Loader;
use super::alerts::read_alerts;
use super::bound::Edge;
use super::contradiction::refuse_contradictions;
use super::error::ConfigError;
use super::hash::{books_hash, config_hash};
use super::head::read_head;
use super::identity::read_identity;
use super::keys::line_to_write;
use super::problem::Problem;
use super::profile::Profile;
use super::section::Section;
use super::source::SourceFile;
use super::terms::{read_compare, read_fidelity, read_source};
use super::walk::{Places, Walk};
use crate::run::alerts::Rule;

/// A pipeline file that was read.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The contract; its paths are resolved, its times absolute. With a profile, `identity` is the profile's first
    /// layout: [`Profile::resolve`] gives the one that the table has.
    pub contract: Contract,
    /// The sink named by `profile`.
    pub profile: Option<Profile>,
    /// Whether the file says `settle`; else it is that of the command.
    pub has_settle: bool,
    /// How often `run` looks at the table, in milliseconds; none: as the service says.
    pub poll_ms: Option<i64>,
    /// BLAKE3 of what decides which messages and rows are equal: what may not change while a ledger goes on.
    pub books_hash: [u8; 32],
    /// Its alerts; they have no say in verdicts.
    pub alerts: Vec<Rule>,
    /// BLAKE3 of the canonical contract as the file gives it, in hexadecimal: equal for files that mean the same.
    pub config_hash: String,
    places: Places,
}

impl Pipeline {
    /// Reads a pipeline file.
    ///
    /// # Errors
    /// All that is wrong with the file.
    pub fn read(file: Arc<SourceFile>, loader: &Loader<'_>) -> Result<Self, ConfigError> {
        let (table, errors) = DeTable::parse_recoverable(file.text());
        let walk = Walk::new(&file, loader.environment);
        walk.refused(&errors);
        let read = if errors.is_empty() { read_root(&walk.root(table.get_ref()), &file, loader.now_ms) } else { None };
        let (problems, places) = walk.into_findings("pipeline");
        match read {
            Some(read) if problems.is_empty() => {
                let config_hash = config_hash(&read.contract, read.start.as_ref(), read.profile);
                let books_hash = books_hash(&read.contract, read.start.as_ref(), read.profile);
                let (has_settle, poll_ms) = (read.has_settle, read.poll_ms);
                let contract = resolved(&file, read.contract);
                Ok(Self {
                    file,
                    contract,
                    profile: read.profile,
                    has_settle,
                    poll_ms,
                    alerts: read.alerts,
                    books_hash,
                    config_hash,
                    places,
                })
            }
            _ => {
                let mut all = problems;
                all.extend(wrong_expressions(&file, table.get_ref()));
                all.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
                Err(ConfigError::invalid(&file, all))
            }
        }
    }

    /// Replaces the source by files named on the command line, which start at the working folder.
    pub fn read_from_files(&mut self, files: Vec<String>, envelope: Option<Envelope>) {
        let declared = self.contract.source.take();
        let envelope = envelope.or(declared.as_ref().map(|source| source.envelope)).unwrap_or(Envelope::None);
        let timestamp = declared.and_then(|source| source.timestamp).filter(|_| envelope == Envelope::None);
        self.contract.source = Some(RecordedSource { files, envelope, timestamp });
    }

    /// The catalog's name: what stands before the first dot of `table`.
    pub fn catalog_name(&self) -> &str {
        self.contract.table.split('.').next().unwrap_or_default()
    }

    /// A problem with the value of a key: `map.side`, `fields.T`, `identity.columns`, `pipeline.topic`. Where the file
    /// has no such key it points at the nearest section around it.
    pub fn problem_at(&self, place: &str, message: impl Into<String>) -> Problem {
        self.problem(place, message, self.span_of(place))
    }

    /// A problem inside the SQL of a key, at a 1-based line and column (in characters) of the expression.
    pub fn problem_in_sql(&self, place: &str, line: usize, column: usize, message: impl Into<String>) -> Problem {
        let span = self.span_of(place);
        let inside = span.as_ref().and_then(|span| inside_text(self.file.text(), span, line, column));
        self.problem(place, message, inside.or(span))
    }

    /// A problem in words of the SQL parser: where they end in a line and a column, these are the place.
    pub fn problem_of_sql(&self, place: &str, words: &str) -> Problem {
        match placed_words(words) {
            Some((message, line, column)) => self.problem_in_sql(place, line, column, message),
            None => self.problem_at(place, words),
        }
    }

    /// A problem with a name that the value of a key holds: at the name's first place in it.
    pub fn problem_at_word(&self, place: &str, word: &str, message: impl Into<String>) -> Problem {
        let span = self.span_of(place);
        let inside = span.as_ref().and_then(|span| {
            let text = self.file.text().get(span.clone())?;
            let beside = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            let alone =
                |at: &usize| beside(text[..*at].chars().next_back()) && beside(text[at + word.len()..].chars().next());
            let at = text.match_indices(word).map(|(at, _)| at).find(alone)? + span.start;
            Some(at..at + word.len())
        });
        self.problem(place, message, inside.or(span))
    }

    /// With a line that could stand at the place as its hint; who knows better gives another.
    fn problem(&self, place: &str, message: impl Into<String>, span: Option<Range<usize>>) -> Problem {
        let problem = Problem::new(message).at(&self.file, span);
        match line_to_write(place) {
            _ if is_sql(place) => problem.hint(SQL_HINT),
            Some(line) => problem.hint(format!("write a line like `{line}`")),
            None => problem.hint("`validator schema pipeline` says what each key may be"),
        }
    }

    fn span_of(&self, place: &str) -> Option<Range<usize>> {
        let mut place = place;
        loop {
            if let Some(span) = self.places.get(place) {
                return Some(span.clone());
            }
            place = &place[..place.rfind('.')?];
        }
    }
}

/// Words of the SQL parser without the line and the column that they end in.
fn placed_words(words: &str) -> Option<(&str, usize, usize)> {
    let (message, at) = words.rsplit_once(" at Line: ")?;
    let (line, column) = at.split_once(", Column: ")?;
    Some((message, line.parse().ok()?, column.parse().ok()?))
}

/// The wrong expressions of a file that something else is wrong with too, so that all of it is told at once.
fn wrong_expressions(file: &Arc<SourceFile>, root: &DeTable<'_>) -> Vec<Problem> {
    let table = |key: &str| match root.get(key).map(Spanned::get_ref) {
        Some(DeValue::Table(table)) => Some(table),
        _ => None,
    };
    let map = table("map").into_iter().flatten().map(|(_, value)| value);
    let filters = ["filter", "row_filter"];
    let filters = filters.into_iter().filter_map(|key| table("pipeline")?.get(key));
    let delete_when = table("identity").and_then(|table| table.get("delete_when"));
    let wrong = |value: &Spanned<DeValue<'_>>| {
        // An empty one is told already, and one of the environment's is looked at when it is known.
        let DeValue::String(sql) = value.get_ref() else { return None };
        let error = expr::check_alone(sql).err().filter(|_| !sql.trim().is_empty() && !sql.contains("${"))?.to_string();
        let (message, inside) = match placed_words(&error) {
            Some((message, line, column)) => (message, inside_text(file.text(), &value.span(), line, column)),
            None => (error.as_str(), None),
        };
        Some(Problem::new(message).at(file, Some(inside.unwrap_or(value.span()))).hint(SQL_HINT))
    };
    map.chain(filters).chain(delete_when).filter_map(wrong).collect()
}

/// Whether the value of a key is an expression.
fn is_sql(place: &str) -> bool {
    place.starts_with("map.") || matches!(place, "pipeline.filter" | "pipeline.row_filter" | "identity.delete_when")
}

/// What an expression is.
const SQL_HINT: &str = "write SQL over the fields of a message, like `round(price * quantity, 8)`";

/// What one walk over the file finds.
struct Read {
    contract: Contract,
    start: Option<Edge>,
    profile: Option<Profile>,
    has_settle: bool,
    poll_ms: Option<i64>,
    alerts: Vec<Rule>,
}

fn read_root(root: &Section<'_>, file: &SourceFile, now_ms: i64) -> Option<Read> {
    root.not_built("rules");
    let alerts = read_alerts(root, None);
    let head = read_head(&root.section("pipeline"));
    let fields = read_fields(&root.section("fields"), file.text());
    let map = read_map(&root.section("map"));
    let identity = read_identity(&root.section("identity"));
    let compare = read_compare(&root.section("compare"));
    let (fidelity, has_settle) = read_fidelity(&root.section("fidelity"));
    let source = read_source(&root.section("source"));
    root.finish();
    refuse_contradictions(root, head.as_ref().and_then(|head| head.format), source.as_ref());
    let (identity, profile) = identity?;
    let head = head?;
    let format = head.format?;
    let is_upsert = matches!(identity, Identity::Key { upsert: Some(_), .. });
    if is_upsert && head.null_payload == Some(NullPayload::Row) {
        let problem = Problem::new("in an upsert table a null payload deletes its key, and is no row");
        root.section("pipeline").note_value("null_payload", problem.hint("take `null_payload` out"));
    }
    let keeps_null = format == Format::Bytes && !is_upsert;
    let by_format = if keeps_null { NullPayload::Row } else { NullPayload::Exclude };
    let contract = Contract {
        name: head.name?,
        topics: head.topics?,
        table: head.table?,
        format,
        schema: head.schema.map(Into::into),
        start: head.start.as_ref().map(|start| start.resolve(now_ms)),
        filter: head.filter,
        row_filter: head.row_filter,
        null_payload: head.null_payload.unwrap_or(by_format),
        fields,
        map,
        identity,
        compare,
        fidelity,
        source,
    };
    Some(Read { contract, start: head.start, profile, has_settle, poll_ms: head.poll_ms, alerts })
}

fn read_fields(section: &Section<'_>, text_of_file: &str) -> Vec<(String, FieldType)> {
    let mut fields = Vec::new();
    for item in section.entries() {
        let Some(text) = item.text() else { continue };
        match parse_type(&text.value) {
            Ok(ty) => fields.push((item.key, ty)),
            Err(error) => {
                let inside = inside_text(text_of_file, &text.span, 1, character_of(&error));
                let problem = Problem::new(format!("the type of `{}` is not one: {error}", item.key));
                section.note_at(problem, &inside.unwrap_or(text.span));
            }
        }
    }
    fields
}

/// The 1-based character of a type's text at which it is wrong.
fn character_of(error: &TypeSyntaxError) -> usize {
    match error {
        TypeSyntaxError::UnknownType { at, .. }
        | TypeSyntaxError::Expected { at, .. }
        | TypeSyntaxError::OutOfRange { at, .. }
        | TypeSyntaxError::NestedEpoch { at, .. }
        | TypeSyntaxError::RepeatedField { at, .. }
        | TypeSyntaxError::TooDeep { at } => *at,
    }
}

fn read_map(section: &Section<'_>) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for item in section.entries() {
        let Some(sql) = item.text() else { continue };
        if sql.value.trim().is_empty() {
            section.note_at(Problem::new(format!("the expression of `{}` is empty", item.key)), &sql.span);
        }
        map.insert(item.key, sql.value);
    }
    map
}

/// The contract with its paths resolved against the file's folder.
fn resolved(file: &SourceFile, mut contract: Contract) -> Contract {
    contract.schema = contract.schema.map(|schema| file.resolve(&schema.to_string_lossy()));
    if let Some(source) = &mut contract.source {
        for glob in &mut source.files {
            *glob = file.resolve_glob(glob);
        }
    }
    contract
}

/// The byte of a TOML string's content at a line and column, when the string is written without escapes.
fn inside_text(text: &str, span: &Range<usize>, line: usize, column: usize) -> Option<Range<usize>> {
    let raw = text.get(span.clone())?;
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| raw.starts_with(quotes))?;
    let mut content = raw.strip_prefix(quotes)?.strip_suffix(quotes)?;
    let mut start = span.start + quotes.len();
    if quotes.starts_with('"') && content.contains('\\') || content.contains("${") {
        return None;
    }
    if quotes.len() == 3
        && let Some(rest) = content.strip_prefix("\r\n").or_else(|| content.strip_prefix('\n'))
    {
        start += content.len() - rest.len();
        content = rest;
    }
    let line_start: usize = content.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let in_line = content.get(line_start..)?.split('\n').next()?;
    let (at, _) = in_line.char_indices().nth(column.checked_sub(1)?)?;
    let word = in_line[at..].split(|c: char| !c.is_alphanumeric() && c != '_').next().map_or(0, str::len);
    let at = start + line_start + at;
    Some(at..at + word.max(1))
}
