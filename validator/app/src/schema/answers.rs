//! The keys of report.json and of a finding: what each is and says, in one place.
//!
//! Contract: the keys are those that the core's `Report` and `Finding` write, in their order; tests compare both with what
//! real runs write. Schemas and the reference pages are made from here.

use serde_json::{Map, Value, json};
use validator_core::figures::Outcome;
use validator_core::hole::HoleReason;
use validator_core::report::REPORT_SCHEMA;
use validator_core::verdict::{Cause, Damage, MessageVerdict, RowVerdict, TableVerdict, Verdict};
use validator_ledger::FindingState;

/// One key of an object.
#[derive(Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What its value is.
    pub shape: Shape,
    /// What it says.
    pub says: &'static str,
    /// Whether each object has it.
    pub is_always: bool,
}

/// Words with their sentences.
type Words = fn() -> Vec<(&'static str, &'static str)>;

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// This text.
    Const(&'static str),
    /// Text.
    Text,
    /// 64 hexadecimal digits.
    Hash,
    /// RFC 3339 in UTC with milliseconds; what no calendar can say is a number of milliseconds.
    Instant,
    /// A whole number from 0.
    Count,
    /// A whole number.
    Whole,
    /// A number from 0 to 1.
    Share,
    /// `true` or `false`.
    Flag,
    /// Any value.
    Any,
    /// One of these words.
    Words(Words),
    /// Text or null, a word or null, …
    OrNull(&'static Shape),
    /// A list.
    List(&'static Shape),
    /// An object with these keys.
    Object(&'static [Field]),
    /// An object whose keys are names of the user's own.
    Named,
    /// An object whose keys are among these words.
    ByWord(Words, &'static Shape),
}

pub(super) const fn field(name: &'static str, shape: Shape, says: &'static str) -> Field {
    Field { name, shape, says, is_always: true }
}

const fn sometimes(name: &'static str, shape: Shape, says: &'static str) -> Field {
    Field { name, shape, says, is_always: false }
}

/// report.json
pub static REPORT: &[Field] = &[
    field(
        "schema",
        Shape::Const(REPORT_SCHEMA),
        "Name and number of this schema. A key is added without a new number, and never gets another meaning.",
    ),
    field("validator", Shape::Text, "The program's version."),
    field("pipeline", Shape::Text, "The pipeline's name."),
    field("outcome", Shape::Words(outcomes), "What it comes to."),
    field("complete", Shape::Flag, "Whether all that the range asked for could be looked at."),
    field("started_at", Shape::Instant, "When the run started."),
    field("finished_at", Shape::Instant, "When it ended."),
    field(
        "judged_at",
        Shape::Instant,
        "The time it judged by: `--as-of`, else that of a snapshot asked for, else its start.",
    ),
    field("elapsed_ms", Shape::Count, "From start to end, milliseconds."),
    field(
        "config_hash",
        Shape::Hash,
        "BLAKE3 of the contract in the pipeline file: equal for two files that mean the same. The command line has no part in it.",
    ),
    field("digest", Shape::Text, "The version of the canonical bytes that were digested."),
    field("fidelity", Shape::Object(FIDELITY), "The figures. One that was not looked at is null, never 0."),
    field(
        "messages",
        Shape::Object(MESSAGES),
        "Messages by verdict. The eleven from `pending` to `unobservable` add up to `consumed`.",
    ),
    field(
        "rows",
        Shape::Object(ROWS),
        "Rows by verdict. `total` = intact + corrupted + copies + phantom + unjudged + unobservable; `out_of_scope` is beside it.",
    ),
    field("partitions", Shape::List(&Shape::Object(PARTITION)), "Those that were read, by topic and partition."),
    field("segments", Shape::Object(SEGMENTS), "The units of proof. `total` = balanced + disputed."),
    field("table", Shape::Object(TABLE), "The table that was judged."),
    field("policy", Shape::List(&Shape::Object(POLICY)), "Tolerances and roundings that changed a value."),
    field("rules", Shape::List(&Shape::Object(RULE)), "Empty in this version."),
    field("findings", Shape::Object(FINDINGS), "How many findings there are."),
    field(
        "warnings",
        Shape::List(&Shape::Text),
        "Sentences for a person, sorted, each once. They never change the outcome.",
    ),
];

static FIDELITY: &[Field] = &[
    field(
        "value",
        Shape::OrNull(&Shape::Share),
        "Fidelity: faithful messages / (due + phantom rows + surplus copies).",
    ),
    field("target", Shape::Share, "The least fidelity that holds."),
    field("completeness", Shape::OrNull(&Shape::Share), "(intact + corrupted + duplicated) / due."),
    field("precision", Shape::OrNull(&Shape::Share), "Faithful messages / (rows − unjudged − unobservable)."),
    field("coverage", Shape::OrNull(&Shape::Share), "due / (due + overdue + undecodable + unobservable)."),
];

static MESSAGES: &[Field] = &[
    field("consumed", Shape::Count, "Messages read."),
    field("pending", Shape::Count, MessageVerdict::Pending.meaning()),
    field("intact", Shape::Count, MessageVerdict::Intact.meaning()),
    field("corrupted", Shape::Count, MessageVerdict::Corrupted.meaning()),
    field("duplicated", Shape::Count, MessageVerdict::Duplicated.meaning()),
    field("missing", Shape::Count, MessageVerdict::Missing.meaning()),
    field("overdue", Shape::Count, MessageVerdict::Overdue.meaning()),
    field("withdrawn", Shape::Count, MessageVerdict::Withdrawn.meaning()),
    field("diverted", Shape::Count, MessageVerdict::Diverted.meaning()),
    field("excluded", Shape::Count, MessageVerdict::Excluded.meaning()),
    field("undecodable", Shape::Count, MessageVerdict::Undecodable.meaning()),
    field("unobservable", Shape::Count, MessageVerdict::Unobservable.meaning()),
    field(
        "late",
        Shape::OrNull(&Shape::Count),
        "Intact messages whose row came after settle; null where that was not looked at, and in `partitions`.",
    ),
    field("duplicated_differing", Shape::Count, "Duplicated messages of which a row differs."),
];

static ROWS: &[Field] = &[
    field("total", Shape::Count, "Rows in scope."),
    field("intact", Shape::Count, RowVerdict::Intact.meaning()),
    field("corrupted", Shape::Count, RowVerdict::Corrupted.meaning()),
    field("copies", Shape::Count, RowVerdict::Copies.meaning()),
    field("phantom", Shape::Count, RowVerdict::Phantom.meaning()),
    field("unjudged", Shape::Count, RowVerdict::Unjudged.meaning()),
    field("unobservable", Shape::Count, RowVerdict::Unobservable.meaning()),
    field("out_of_scope", Shape::Count, RowVerdict::OutOfScope.meaning()),
    field(
        "misrouted",
        Shape::OrNull(&Shape::Count),
        "Rows in a partition tuple that their values do not give; they have one of the other verdicts too. Null where it was not looked at.",
    ),
    field(
        "stale",
        Shape::OrNull(&Shape::Count),
        "Rows that show an older version of their key; null where the table keeps every message.",
    ),
];

static PARTITION: &[Field] = &[
    field("topic", Shape::Text, "Its topic."),
    field("partition", Shape::Whole, "Its number."),
    field("from", Shape::Whole, "The first offset of the range."),
    field("to", Shape::Whole, "The first offset after it; where a broker failed, the position read up to."),
    field("consumed", Shape::Count, "Messages read."),
    field("holes", Shape::List(&Shape::Object(HOLE)), "Runs of offsets that hold no message."),
    field("messages", Shape::Object(MESSAGES), "Messages by verdict."),
];

static HOLE: &[Field] = &[
    field("from", Shape::Whole, "The first offset that is not there."),
    field("to", Shape::Whole, "The first offset after the run."),
    field("reason", Shape::Words(holes), "Why they are not there."),
];

static SEGMENTS: &[Field] = &[
    field("total", Shape::Count, "All; those that hold only rows out of scope are not counted."),
    field("balanced", Shape::Count, "Both sides are equal: every message is in the table once and unaltered."),
    field("disputed", Shape::Count, "The two sides differ."),
    field("judged", Shape::Count, "Of the disputed, those whose every difference has a verdict."),
];

static TABLE: &[Field] = &[
    field("name", Shape::Text, "As the pipeline has it."),
    field("uuid", Shape::OrNull(&Shape::Text), "The table's UUID."),
    field("snapshot_id", Shape::OrNull(&Shape::Whole), "The snapshot; null where the table has none."),
    field("metadata_location", Shape::Text, "The metadata file it was read from."),
    field("files", Shape::Count, "Live data files."),
    field(
        "findings",
        Shape::ByWord(table_verdicts, &Shape::OrNull(&Shape::Count)),
        "Table findings by verdict; only verdicts that were looked for.",
    ),
];

static POLICY: &[Field] = &[
    field("column", Shape::Text, "The column."),
    field("tolerance", Shape::Text, "A word of `[compare] tolerate`, `round` or `rounded_to_double`."),
    field("messages", Shape::Count, "Messages whose value it changed."),
    field(
        "rows",
        Shape::OrNull(&Shape::Count),
        "Rows whose value it changed; of a word only. Null in a continuous run.",
    ),
];

static RULE: &[Field] = &[
    field("name", Shape::Text, "The rule's name."),
    field("expect", Shape::Text, "What it expects."),
    field("on", Shape::Text, "The side it was asked of."),
    field("outcome", Shape::Text, "Its outcome."),
    field("evaluated", Shape::Count, "Values it was asked of."),
    field("unexpected", Shape::Count, "Those that do not meet it."),
];

static FINDINGS: &[Field] = &[
    field("total", Shape::Count, "All findings; excluded messages are none."),
    field("by_cause", Shape::List(&Shape::Object(BY_CAUSE)), "By verdict and cause; the excluded messages too."),
];

static BY_CAUSE: &[Field] = &[
    field("verdict", Shape::Words(verdicts), "The verdict."),
    field("cause", Shape::OrNull(&Shape::Words(causes)), "The cause; null for verdicts that have none."),
    field("count", Shape::Count, "How many."),
];

/// One line of findings.jsonl.
pub static FINDING: &[Field] = &[
    field("id", Shape::Hash, "The same in every run: BLAKE3 of pipeline, verdict and place."),
    field("pipeline", Shape::Text, "The pipeline's name."),
    field("verdict", Shape::Words(verdicts), "What is true."),
    field(
        "cause",
        Shape::OrNull(&Shape::Words(causes)),
        "Why; null for `overdue`, `unobservable`, `misrouted` and findings about a file or the table.",
    ),
    field(
        "topic",
        Shape::OrNull(&Shape::Text),
        "Of the message; null for a finding about a row alone, a file or the table.",
    ),
    field("partition", Shape::OrNull(&Shape::Whole), "Of the message."),
    field("offset", Shape::OrNull(&Shape::Whole), "Of the message."),
    field("timestamp", Shape::OrNull(&Shape::Instant), "Of the message; null where it has none."),
    field(
        "identity",
        Shape::OrNull(&Shape::Named),
        "The identity columns: the message's, for a row alone the row's; null where it is not known, and in mode `content`.",
    ),
    field("columns", Shape::List(&Shape::Object(COLUMN)), "What differs, in the table's order, each column once."),
    field("rows", Shape::List(&Shape::Object(ROW)), "The rows, by file and position."),
    field("copies", Shape::Count, "All n rows of a duplicated message, else 0."),
    field(
        "candidates",
        Shape::List(&Shape::Object(CANDIDATE)),
        "Mode `content`: all equal messages where there are several, the first 100.",
    ),
    field("related", Shape::OrNull(&Shape::Hash), "Mode `content`: the id of the other half of a damaged row."),
    field(
        "snapshot_id",
        Shape::OrNull(&Shape::Whole),
        "The snapshot that added the first row or the file; with cause `removed` the one that took the row away. Null where not known.",
    ),
    field("operation", Shape::OrNull(&Shape::Text), "That snapshot's operation."),
    field("detail", Shape::Text, "One sentence for a person."),
    sometimes(
        "state",
        Shape::Words(states),
        "Of a continuous run, how it stands by now; a single run has no such key.",
    ),
];

static COLUMN: &[Field] = &[
    field("name", Shape::Text, "The column; a path (`book.bids[3].price`) where one leaf of a nested one differs."),
    field(
        "message",
        Shape::Any,
        "What the row should hold. Decimals, long, dates, times, timestamps, UUIDs and bytes (base64) are text with all their digits.",
    ),
    field("row", Shape::Any, "What it holds."),
    field("damage", Shape::Words(damages), "How they differ."),
];

static ROW: &[Field] = &[
    field("file", Shape::Text, "The file's path, as the manifest has it."),
    field("position", Shape::OrNull(&Shape::Count), "The row in the file, from 0; null for a finding about a file."),
];

static CANDIDATE: &[Field] = &[
    field("topic", Shape::Text, "Its topic."),
    field("partition", Shape::Whole, "Its partition."),
    field("offset", Shape::Whole, "Its offset."),
];

fn outcomes() -> Vec<(&'static str, &'static str)> {
    Outcome::ALL.iter().map(|word| (word.as_str(), word.meaning())).collect()
}

fn holes() -> Vec<(&'static str, &'static str)> {
    HoleReason::ALL.iter().map(|word| (word.as_str(), word.meaning())).collect()
}

fn damages() -> Vec<(&'static str, &'static str)> {
    Damage::ALL.iter().map(|word| (word.as_str(), word.meaning())).collect()
}

fn table_verdicts() -> Vec<(&'static str, &'static str)> {
    TableVerdict::ALL.iter().map(|word| (word.as_str(), word.meaning())).collect()
}

fn verdicts() -> Vec<(&'static str, &'static str)> {
    Verdict::all().map(|verdict| (verdict.as_str(), verdict.meaning())).collect()
}

/// Words that several verdicts have as a cause stand once.
fn causes() -> Vec<(&'static str, &'static str)> {
    let mut words: Vec<(&str, &str)> = Vec::new();
    for cause in Verdict::all().flat_map(Cause::of) {
        if !words.iter().any(|(word, _)| *word == cause.as_str()) {
            words.push((cause.as_str(), cause.meaning()));
        }
    }
    words
}

/// How findings of a run stand.
fn states() -> Vec<(&'static str, &'static str)> {
    FindingState::ALL.map(|state| (state.as_str(), state.meaning())).to_vec()
}

/// The schema of an object: all its keys are there but for those that only some have.
pub fn object(fields: &[Field]) -> Value {
    let described = |field: &Field| {
        let mut schema = of_shape(field.shape);
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".into(), field.says.into());
        }
        (field.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = fields.iter().map(described).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.is_always).map(|field| field.name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn of_shape(shape: Shape) -> Value {
    match shape {
        Shape::Const(text) => json!({ "const": text }),
        Shape::Text | Shape::Instant => json!({ "type": "string" }),
        Shape::Hash => json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
        Shape::Count => json!({ "type": "integer", "minimum": 0 }),
        Shape::Whole => json!({ "type": "integer" }),
        Shape::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Any => json!({}),
        Shape::Words(words) => {
            let words: Vec<Value> =
                words().into_iter().map(|(word, says)| json!({ "const": word, "description": says })).collect();
            json!({ "oneOf": words })
        }
        Shape::OrNull(inner) => json!({ "anyOf": [of_shape(*inner), { "type": "null" }] }),
        Shape::List(inner) => json!({ "type": "array", "items": of_shape(*inner) }),
        Shape::Object(fields) => object(fields),
        Shape::Named => json!({ "type": "object" }),
        Shape::ByWord(words, inner) => {
            let keys: Map<String, Value> =
                words().into_iter().map(|(word, _)| (word.to_owned(), of_shape(*inner))).collect();
            json!({ "type": "object", "properties": keys })
        }
    }
}
