//! The keys of a pipeline file.

use validator_core::limits::{NO_WINDOW_SHARDS, WINDOW_SHARDS};
use validator_core::tolerance::Tolerance;

use super::alerts::ALERT;
use super::{Either, Free, Key, Kind, Table};
use crate::config::head::{FORMATS, NULL_PAYLOADS};
use crate::config::identity::{KEY_FORMATS, MODES, WIDTH_DEFAULT, WIDTH_MAX};
use crate::config::profile::PROFILES;
use crate::config::terms::ENVELOPES;

/// A pipeline file.
pub static PIPELINE_FILE: Table = Table {
    path: "",
    says: "One topic, or several, into one table, with its contract. Paths start at the file's folder. `${NAME}` in any \
           text is filled in from the environment.",
    selector: "",
    either: &[],
    keys: &[
        Key::table("pipeline", &PIPELINE).always(),
        Key::table("fields", &FIELDS),
        Key::table("map", &MAP),
        Key::table("identity", &IDENTITY).always(),
        Key::table("compare", &COMPARE),
        Key::table("fidelity", &FIDELITY),
        Key::table("source", &SOURCE),
        Key::listed("alerts", &ALERT),
    ],
    free: None,
};

static PIPELINE: Table = Table {
    path: "pipeline",
    says: "Which messages go into which table.",
    selector: "",
    either: &[Either { of: &[], keys: ["topic", "topics"] }],
    keys: &[
        Key::new("name", Kind::Text, "\"trades\"", "The pipeline's name in commands, reports and findings.").always(),
        Key::new(
            "topic",
            Kind::Text,
            "\"market.crypto.trades\"",
            "The topic. What begins with `^` is a regular expression: all topics whose names it matches, those to come among them, go into one table.",
        ),
        Key::new(
            "topics",
            Kind::Texts,
            "[\"trades.a\", \"trades.b\"]",
            "Several topics that go into one table, by name or by pattern.",
        ),
        Key::new(
            "table",
            Kind::TableName,
            "\"lake.market_data.trades\"",
            "The table; what stands before the first dot is a catalog of `validator.toml`.",
        )
        .always(),
        Key::new(
            "format",
            Kind::Words(|| FORMATS.map(|(word, _)| word).to_vec()),
            "\"json\"",
            "How payloads are written. `parquet` is for recorded files whose rows are the messages.",
        )
        .always(),
        Key::new(
            "schema",
            Kind::Text,
            "\"trade.avsc\"",
            "A file with the Avro schema of all payloads, where there is no registry; `format = \"avro\"` alone.",
        ),
        Key::new(
            "start",
            Kind::Edge,
            "\"0:100,1:2500\"",
            "The first message that the contract speaks of: an offset, offsets by partition, a time (RFC 3339, or \
             `-2h` back from now) or `earliest`. What lies below is excluded.",
        )
        .or("\"earliest\""),
        Key::new(
            "filter",
            Kind::Sql,
            "\"kind = 'trade'\"",
            "Which messages want a row: SQL over the decoded message; what it drops is excluded.",
        )
        .or("every message"),
        Key::new(
            "row_filter",
            Kind::Sql,
            "\"exchange = 'BINANCE'\"",
            "Which rows of the table are this pipeline's, where several write to it: SQL over the table's columns; all \
             other rows are out of scope.",
        )
        .or("every row"),
        Key::new(
            "null_payload",
            Kind::Words(|| NULL_PAYLOADS.map(|(word, _)| word).to_vec()),
            "\"exclude\"",
            "Whether a message without a payload wants a row.",
        )
        .or("\"row\" for format bytes, else \"exclude\""),
        Key::new("poll", Kind::Duration, "\"2s\"", "How often `run` looks at the table.")
            .or("`poll` in [service] of validator.toml, else \"2s\""),
    ],
    free: None,
};

static FIELDS: Table = Table {
    path: "fields",
    says: "The types of message fields where the format has none (`format = \"json\"` alone), in Iceberg's syntax, and \
           `epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns` for numbers that are instants. A field not listed takes the \
           type of the column of its name; any other is `string`, its JSON text.",
    selector: "",
    either: &[],
    keys: &[],
    free: Some(Free { name: "FIELD", kind: Kind::Type, example: "T = \"epoch_ms\"" }),
};

static MAP: Table = Table {
    path: "map",
    says: "What a column holds: SQL over the message's fields, where the column is not simply the field of its name. \
           CAST is exact here; rounding is written, and counted.",
    selector: "",
    either: &[],
    keys: &[],
    free: Some(Free { name: "COLUMN", kind: Kind::Sql, example: "amount = \"round(price * quantity, 8)\"" }),
};

static IDENTITY: Table = Table {
    path: "identity",
    says: "How a message and its row are paired.",
    selector: "mode",
    either: &[Either { of: &["offset"], keys: ["columns", "profile"] }],
    keys: &[
        Key::new(
            "mode",
            Kind::Words(|| MODES.map(|(word, _)| word).to_vec()),
            "\"offset\"",
            "`offset`: the table keeps topic, partition and offset. `key`: columns are unique for each message. \
             `content`: the table has neither.",
        )
        .always(),
        Key::new(
            "columns",
            Kind::Texts,
            "[\"topic\", \"partition\", \"offset\"]",
            "The columns that pair, dotted where they lie in a struct. Mode `offset`: those of topic (where there is \
             one), partition and offset, in this order.",
        )
        .only(&["offset", "key"])
        .always_for(&["key"]),
        Key::new(
            "profile",
            Kind::Words(|| PROFILES.map(|(word, _)| word).to_vec()),
            "\"kafka-connect\"",
            "A known sink, which names the columns.",
        )
        .only(&["offset"]),
        Key::new("width", Kind::Whole(1, WIDTH_MAX), "4096", "Offsets of a segment, a power of two.")
            .or(WIDTH_DEFAULT_WORDS)
            .only(&["offset"]),
        Key::new("window", Kind::Text, "\"trade_time\"", "The time column that both sides have, which cuts segments.")
            .or("one segment of all times")
            .only(&["key", "content"]),
        Key::new("every", Kind::Duration, "\"1m\"", "How long a window is.")
            .or("\"1m\"")
            .only(&["key", "content"])
            .with("window"),
        Key::new("shards", Kind::Whole(1, NO_WINDOW_SHARDS as i64), "64", "Parts of a window.")
            .or(SHARDS_DEFAULT_WORDS)
            .only(&["key", "content"]),
        Key::new("upsert", Kind::Flag, "true", "Whether the table keeps the last version of each key alone.")
            .or("false")
            .only(&["key"]),
        Key::new(
            "delete_when",
            Kind::Sql,
            "\"op = 'd'\"",
            "Which messages delete their key, beside those without a payload; for `upsert = true`.",
        )
        .only(&["key"])
        .with("upsert"),
        Key::new(
            "key",
            Kind::Words(|| KEY_FORMATS.map(|(word, _)| word).to_vec()),
            "\"json\"",
            "How Kafka keys are written, where deletions have no payload; for `upsert = true`.",
        )
        .only(&["key"])
        .with("upsert"),
    ],
    free: None,
};

const WIDTH_DEFAULT_WORDS: &str = "4096";
const SHARDS_DEFAULT_WORDS: &str = "64; 65536 without a window";
const _: () = assert!(WIDTH_DEFAULT == 4096 && WINDOW_SHARDS == 64 && NO_WINDOW_SHARDS == 65_536);

static COMPARE: Table = Table {
    path: "compare",
    says: "What is left out of the comparison, and what counts as no difference.",
    selector: "",
    either: &[],
    keys: &[
        Key::table("ignore", &IGNORE),
        Key::table("drop", &DROP),
        Key::table("tolerate", &TOLERATE),
        Key::new(
            "mask",
            Kind::Texts,
            "[\"email\"]",
            "Columns whose values nobody is shown, in no output; `validator sql` reads them with `--unmasked` only.",
        ),
        Key::new(
            "strict_fields",
            Kind::Flag,
            "true",
            "Whether a field that no column and no `drop` accounts for breaches; else it is a warning.",
        )
        .or("true"),
    ],
    free: None,
};

static IGNORE: Table = Table {
    path: "compare.ignore",
    says: "Columns that no message explains, each with the reason.",
    selector: "",
    either: &[],
    keys: &[],
    free: Some(Free { name: "COLUMN", kind: Kind::Text, example: "ingested_at = \"set by the sink\"" }),
};

static DROP: Table = Table {
    path: "compare.drop",
    says: "Message fields that no column keeps, each with the reason.",
    selector: "",
    either: &[],
    keys: &[],
    free: Some(Free { name: "FIELD", kind: Kind::Text, example: "debug = \"not wanted in the lake\"" }),
};

static TOLERATE: Table = Table {
    path: "compare.tolerate",
    says: "Differences that are none, by column: both sides are brought to one form first, and the report counts where \
           that changed a value.",
    selector: "",
    either: &[],
    keys: &[],
    free: Some(Free {
        name: "COLUMN",
        kind: Kind::Words(|| Tolerance::ALL.iter().map(|(word, _)| *word).collect()),
        example: "comment = \"empty_is_null\"",
    }),
};

static FIDELITY: Table = Table {
    path: "fidelity",
    says: "What is promised, and how long a message may be on its way.",
    selector: "",
    either: &[],
    keys: &[
        Key::new("target", Kind::Share, "0.9999", "The least fidelity that holds.").or("0.9999"),
        Key::new("coverage", Kind::Share, "0.99", "The least coverage; below it a run is unjudged.").or("`target`"),
        Key::new(
            "settle",
            Kind::Duration,
            "\"2m\"",
            "How long after its timestamp a message may still be on its way; before that it is pending.",
        )
        .or("\"0s\"; in `run` \"2m\""),
        Key::new(
            "give_up",
            Kind::Duration,
            "\"24h\"",
            "The age at which a message without a row is missing in any case, not overdue.",
        )
        .or("\"24h\""),
        Key::new(
            "retention",
            Kind::Duration,
            "\"30d\"",
            "How long after its timestamp the table has to hold the row of a message: one that is older and whose row is \
             gone is excluded, cause `expired`, and not withdrawn. Longer than `settle`.",
        )
        .or("for ever"),
        Key::new(
            "diverted_max",
            Kind::Share,
            "0.001",
            "The greatest share of messages that may be in the dead letters.",
        )
        .or("0.001"),
        Key::table("dead_letter", &DEAD_LETTER),
    ],
    free: None,
};

static DEAD_LETTER: Table = Table {
    path: "fidelity.dead_letter",
    says: "Where the sink puts aside messages that it cannot write: a message without a row that is found there is \
           diverted, not missing.",
    selector: "",
    either: &[Either { of: &[], keys: ["topic", "table"] }],
    keys: &[
        Key::new(
            "topic",
            Kind::Text,
            "\"trades-dlq\"",
            "The topic of dead letters, of the same brokers or in the same recording.",
        ),
        Key::new(
            "headers",
            Kind::Texts,
            "[\"topic\", \"partition\", \"offset\"]",
            "The headers of a dead letter that hold topic, partition and offset of its message, as decimal text or as 4 \
             or 8 bytes; without the topic where the pipeline has one, without the partition where that has one.",
        )
        .or("those of Kafka Connect, `__connect.errors.…`")
        .with("topic"),
        Key::new("table", Kind::TableName, "\"lake.market.trades~dlq\"", "The table of dead letters."),
        Key::new(
            "columns",
            Kind::Texts,
            "[\"topic\", \"partition\", \"offset\"]",
            "Its columns that hold them, paths into structs with dots.",
        )
        .or("those of the known sink whose columns it has")
        .with("table"),
    ],
    free: None,
};

static SOURCE: Table = Table {
    path: "source",
    says: "Recorded messages: files in place of the brokers.",
    selector: "",
    either: &[],
    keys: &[
        Key::new("files", Kind::Texts, "[\"capture/*.jsonl.gz\"]", "Globs of the files.").always(),
        Key::new(
            "envelope",
            Kind::Words(|| ENVELOPES.map(|(word, _)| word).to_vec()),
            "\"kcat\"",
            "How messages lie in the files. `none`: one a line, Avro record or Parquet row. `kcat`: what `kcat -J` \
             prints. `table`: Parquet with topic, partition, offset, timestamp, key, value, headers.",
        )
        .or("\"none\""),
        Key::new(
            "timestamp",
            Kind::Text,
            "\"event_time\"",
            "The field that is the message's timestamp; for `envelope = \"none\"`.",
        ),
    ],
    free: None,
};
