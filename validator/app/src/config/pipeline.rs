//! The pipeline file: one topic (or several) → one table, read into the contract.
//!
//! Relative paths start at the file's own folder. The file's places are kept, so that what is found out later (an
//! expression that does not parse, a column that the table does not have) points into it too.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};
use validator_core::contract::{Contract, Envelope, FieldType, Format, NullPayload, RecordedSource};
use validator_core::type_syntax::parse_type;

use super::Loader;
use super::bound::Edge;
use super::error::ConfigError;
use super::hash::config_hash;
use super::identity::read_identity;
use super::problem::Problem;
use super::profile::Profile;
use super::section::Section;
use super::source::SourceFile;
use super::terms::{read_compare, read_fidelity, read_source};
use super::walk::{Located, Places, Walk};

/// Formats of this release, as `format` names them.
const FORMATS: [(&str, Format); 3] = [("json", Format::Json), ("avro", Format::Avro), ("bytes", Format::Bytes)];

/// What `null_payload` can be.
const NULL_PAYLOADS: [(&str, NullPayload); 2] = [("exclude", NullPayload::Exclude), ("row", NullPayload::Row)];

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
        let read = if errors.is_empty() { read_root(&walk.root(table.get_ref()), loader.now_ms) } else { None };
        let (problems, places) = walk.into_findings();
        match read {
            Some(read) if problems.is_empty() => {
                let config_hash = config_hash(&read.contract, read.start.as_ref(), read.profile);
                let contract = resolved(&file, read.contract);
                Ok(Self { file, contract, profile: read.profile, config_hash, places })
            }
            _ => Err(ConfigError::invalid(&file, problems)),
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
        Problem::new(message).at(&self.file, self.span_of(place))
    }

    /// A problem inside the SQL of a key, at a 1-based line and column (in characters) of the expression.
    pub fn problem_in_sql(&self, place: &str, line: usize, column: usize, message: impl Into<String>) -> Problem {
        let span = self.span_of(place);
        let inside = span.as_ref().and_then(|span| inside_text(self.file.text(), span, line, column));
        Problem::new(message).at(&self.file, inside.or(span))
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

/// What one walk over the file finds.
struct Read {
    contract: Contract,
    start: Option<Edge>,
    profile: Option<Profile>,
}

fn read_root(root: &Section<'_>, now_ms: i64) -> Option<Read> {
    for key in ["rules", "alerts"] {
        root.not_built(key);
    }
    let head = read_head(&root.section("pipeline"));
    let fields = read_fields(&root.section("fields"));
    let map = read_map(&root.section("map"));
    let identity = read_identity(&root.section("identity"));
    let compare = read_compare(&root.section("compare"));
    let fidelity = read_fidelity(&root.section("fidelity"));
    let source = read_source(&root.section("source"));
    root.finish();
    refuse_contradictions(root, head.as_ref(), source.as_ref());
    let (identity, profile) = identity?;
    let head = head?;
    let contract = Contract {
        name: head.name,
        topics: head.topics,
        table: head.table,
        format: head.format,
        schema: head.schema.map(Into::into),
        start: head.start.as_ref().map(|start| start.resolve(now_ms)),
        filter: head.filter,
        null_payload: head.null_payload,
        fields,
        map,
        identity,
        compare,
        fidelity,
        source,
    };
    Some(Read { contract, start: head.start, profile })
}

/// What `[pipeline]` says.
struct Head {
    name: String,
    topics: Vec<String>,
    table: String,
    format: Format,
    schema: Option<String>,
    start: Option<Edge>,
    filter: Option<String>,
    null_payload: NullPayload,
}

fn read_head(section: &Section<'_>) -> Option<Head> {
    if !section.is_present() {
        section.note(
            Problem::new("the file has no [pipeline]")
                .hint("a pipeline file starts with [pipeline]: name, topic, table, format"),
        );
        return None;
    }
    let name = section.required_text("name", "name = \"trades\"");
    let topics = read_topics(section);
    let table = section.required_text("table", "table = \"lake.market_data.trades\"");
    let table = table.filter(|table| {
        let whole = table.value.split('.').count() >= 3 && table.value.split('.').all(|part| !part.is_empty());
        if !whole {
            let message = format!("`table` is catalog.namespace.table, not \"{}\"", table.value);
            section.note_at(Problem::new(message), &table.span);
        }
        whole
    });
    if !section.has("format") {
        section.missing("format", "format = \"json\"");
    }
    let format = section.choice("format", &FORMATS, &["protobuf", "parquet"]);
    let schema = section.optional_text("schema");
    if let (Some(schema), Some(format)) = (&schema, &format)
        && format.value != Format::Avro
    {
        section.note_at(Problem::new("`schema` is for `format = \"avro\"`"), &schema.span);
    }
    let start = read_start(section);
    let filter = section.optional_text("filter");
    let null_payload = section.choice("null_payload", &NULL_PAYLOADS, &[]);
    section.not_built("poll");
    section.finish();
    let format = format?.value;
    let by_format = if format == Format::Bytes { NullPayload::Row } else { NullPayload::Exclude };
    Some(Head {
        name: name?.value,
        topics: topics?,
        table: table?.value,
        format,
        schema: schema.map(|schema| schema.value),
        start,
        filter: filter.map(|filter| filter.value),
        null_payload: null_payload.map_or(by_format, |null_payload| null_payload.value),
    })
}

fn read_topics(section: &Section<'_>) -> Option<Vec<String>> {
    let one = section.optional_text("topic");
    let many = section.item("topics");
    let topics = match (one, many) {
        (Some(_), Some(many)) => {
            section.note_at(Problem::new("give `topic` or `topics`, not both"), &many.key_span);
            return None;
        }
        (Some(one), None) => vec![one],
        (None, Some(many)) => {
            let topics = many.texts()?;
            if topics.is_empty() {
                section.note_at(Problem::new("`topics` is empty"), &many.span);
            }
            topics
        }
        (None, None) => {
            if !section.has("topic") {
                section.missing("topic", "topic = \"market.crypto.trades\"");
            }
            return None;
        }
    };
    for (index, topic) in topics.iter().enumerate() {
        check_topic(section, topic);
        if topics[..index].iter().any(|earlier| earlier.value == topic.value) {
            section.note_at(Problem::new(format!("`topics` names `{}` twice", topic.value)), &topic.span);
        }
    }
    Some(topics.into_iter().map(|topic| topic.value).collect())
}

/// Kafka's own rule for topic names: 1 to 249 of letters, digits, `.`, `_` and `-`.
fn check_topic(section: &Section<'_>, topic: &Located<String>) {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if topic.value.is_empty() || topic.value.len() > 249 || !topic.value.chars().all(legal) {
        let problem = Problem::new("no topic can have this name")
            .hint("a topic's name is 1 to 249 letters, digits, `.`, `_` and `-`; patterns are not topics");
        section.note_at(problem, &topic.span);
    }
}

/// `start` is a whole number, a string of `OFFSETS` or `TIME`, or a TOML date-time.
fn read_start(section: &Section<'_>) -> Option<Edge> {
    let item = section.item("start")?;
    let text = match item.value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::String(_) => item.text()?.value,
        _ => return item.wrong("an offset, offsets by partition or a time"),
    };
    match Edge::parse_from(&text) {
        Ok(Edge::Earliest) => None,
        Ok(edge) => Some(edge),
        Err(error) => {
            section.note_at(Problem::new(format!("`start` cannot be \"{text}\": {error}")), &item.span);
            None
        }
    }
}

fn read_fields(section: &Section<'_>) -> Vec<(String, FieldType)> {
    let mut fields = Vec::new();
    for item in section.entries() {
        let Some(text) = item.text() else { continue };
        match parse_type(&text.value) {
            Ok(ty) => fields.push((item.key, ty)),
            Err(error) => {
                let problem = Problem::new(format!("the type of `{}` is not one: {error}", item.key));
                section.note_at(problem, &text.span);
            }
        }
    }
    fields
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

/// What no section can see alone.
fn refuse_contradictions(root: &Section<'_>, head: Option<&Head>, source: Option<&RecordedSource>) {
    let map = root.section("map");
    let ignore = root.section("compare").section("ignore");
    for item in ignore.entries().iter().filter(|item| map.has(&item.key)) {
        let problem = Problem::new(format!("column `{}` is mapped in [map] and ignored here", item.key));
        ignore.note_at(problem.hint("keep one of the two"), &item.key_span);
    }
    let identity = root.section("identity");
    let columns = identity.entries().into_iter().find(|item| item.key == "columns").and_then(|item| item.texts());
    for column in columns.iter().flatten() {
        let whole = column.value.split('.').next().unwrap_or_default();
        for item in ignore.entries().iter().filter(|item| item.key == column.value || item.key == whole) {
            let problem = Problem::new(format!("column `{}` is part of the identity and cannot be ignored", item.key));
            ignore.note_at(problem, &item.key_span);
        }
    }
    let Some(head) = head else { return };
    let fields = root.section("fields");
    if head.format != Format::Json && fields.is_present() {
        let message = "[fields] is for `format = \"json\"`: other formats know the types of their fields";
        fields.note(Problem::new(message));
    }
    let source_section = root.section("source");
    if let Some(RecordedSource { envelope: Envelope::None, files, .. }) = source {
        if head.format == Format::Avro {
            let problem = Problem::new("Avro files with `envelope = \"none\"` are not built yet");
            source_section.note(problem.hint("record messages with `kcat -J`, and write `envelope = \"kcat\"`"));
        }
        if files.iter().any(|file| file.ends_with(".parquet")) {
            let problem = Problem::new("Parquet files with `envelope = \"none\"` are not built yet");
            source_section
                .note(problem.hint("files with topic, partition, offset, key and value are `envelope = \"table\"`"));
        }
    }
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
