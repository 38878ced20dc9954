//! The keys of a replay plan, as `validator replay-plan --format json` writes it.

use super::answers::{Field, Shape, field};
use crate::replay::PLAN_SCHEMA;

/// A replay plan.
pub static REPLAY_PLAN: &[Field] = &[
    field(
        "schema",
        Shape::Const(PLAN_SCHEMA),
        "Name and number of this schema. A key is added without a new number, and never gets another meaning.",
    ),
    field("pipeline", Shape::Text, "The pipeline's name."),
    field("table", Shape::Text, "The table's."),
    field("source", Shape::Words(sources), "Where its findings are from."),
    field("checkpoint", Shape::OrNull(&Shape::Count), "The ledger's checkpoint; null for a file."),
    field("judged_at", Shape::OrNull(&Shape::Instant), "The instant that the checkpoint judges by."),
    field(
        "snapshot_id",
        Shape::OrNull(&Shape::Whole),
        "The snapshot that the checkpoint judged: positions of rows are those in its files.",
    ),
    field("messages", Shape::Object(MESSAGES), "How many messages are to be read into the table again, and why."),
    field(
        "ranges",
        Shape::List(&Shape::Object(RANGE)),
        "These messages, by topic, partition and offset. What a range spans beside them are offsets that hold no message.",
    ),
    field(
        "replaced",
        Shape::List(&Shape::Object(ROWS)),
        "Rows that a message of `ranges` takes the place of: they are to go before it comes.",
    ),
    field("surplus", Shape::List(&Shape::Object(ROWS)), "Copies beside the one row that stays of each message."),
    field(
        "phantoms",
        Shape::List(&Shape::Object(ROWS)),
        "Rows that no message explains. Nothing says that they are wrong to be there.",
    ),
    field(
        "undecided",
        Shape::List(&Shape::Object(UNDECIDED)),
        "What cannot be told from the findings alone; in no other list.",
    ),
    field("ignored", Shape::Count, "Findings that people ignore; in no list."),
];

static MESSAGES: &[Field] = &[
    field("total", Shape::Count, "All: the sum of the others."),
    field("missing", Shape::Count, "Without a row."),
    field("corrupted", Shape::Count, "Whose row differs."),
    field("withdrawn", Shape::Count, "Whose row was there and is gone."),
    field(
        "duplicated",
        Shape::Count,
        "With several rows that differ from each other: all of them go, and the message comes again.",
    ),
];

static RANGE: &[Field] = &[
    field("topic", Shape::Text, "The topic."),
    field("partition", Shape::Whole, "The partition."),
    field("from", Shape::Whole, "The first offset: that of a message of the plan."),
    field("to", Shape::Whole, "One past the last offset, which is that of a message of the plan too."),
    field("messages", Shape::Count, "Messages in it."),
];

static ROWS: &[Field] = &[
    field("file", Shape::Text, "The file's path, as the manifest has it."),
    field("positions", Shape::List(&Shape::Count), "The rows in the file, from 0, ascending."),
    field("predicate", Shape::Text, "These rows and no others, in Spark SQL."),
];

static UNDECIDED: &[Field] = &[
    field("topic", Shape::Text, "The topic."),
    field("partition", Shape::Whole, "The partition."),
    field("from", Shape::OrNull(&Shape::Whole), "The first offset; null where none is known."),
    field("to", Shape::OrNull(&Shape::Whole), "One past the last."),
    field("verdict", Shape::Text, "What is true of them."),
    field("why", Shape::Text, "Why the plan leaves them out."),
];

fn sources() -> Vec<(&'static str, &'static str)> {
    vec![
        ("ledger", "The ledger of `validator run`."),
        ("findings", "A file that `validator reconcile --findings` wrote."),
    ]
}
