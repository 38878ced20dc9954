//! Why `init` writes no file.

use std::path::PathBuf;

use thiserror::Error;

use crate::cli::Exit;

/// See the module.
#[derive(Debug, Error)]
pub enum InitError {
    /// The file is there.
    #[error("{} is there already", path.display())]
    OutputExists {
        /// The file.
        path: PathBuf,
    },
    /// Nothing to look at.
    #[error("topic {topic} holds no message, so nothing shows how its messages become rows")]
    EmptyTopic {
        /// The topic.
        topic: String,
    },
    /// Null payloads only.
    #[error("topic {topic}: all {messages} messages sampled have a null payload")]
    OnlyTombstones {
        /// The topic.
        topic: String,
        /// How many.
        messages: usize,
    },
    /// Nothing to look at.
    #[error("table {table} holds no row, so nothing shows what its sink makes of a message")]
    EmptyTable {
        /// The table.
        table: String,
    },
    /// Rows are there and cannot be read.
    #[error("no row of table {table} can be read: {why}")]
    UnreadableTable {
        /// The table.
        table: String,
        /// The first fault.
        why: String,
    },
    /// Several formats.
    #[error("topic {topic} mixes formats, and none is chosen: {}", shares.join(", "))]
    MixedFormats {
        /// The topic.
        topic: String,
        /// The share of each.
        shares: Vec<String>,
    },
    /// Framed Avro and no registry.
    #[error("messages of topic {topic} name schemas (ids {ids}), and no [schema_registry] says what they are")]
    NoRegistry {
        /// The topic.
        topic: String,
        /// Some of the ids.
        ids: String,
    },
    /// The registry has none of the schemas.
    #[error("messages of topic {topic} name schemas that the registry does not know: ids {ids}")]
    UnknownSchemas {
        /// The topic.
        topic: String,
        /// Some of the ids.
        ids: String,
    },
    /// The schema file is not that of the messages.
    #[error("{undecodable} of {of} messages sampled of topic {topic} cannot be decoded by {}", schema.display())]
    SchemaMisfit {
        /// The topic.
        topic: String,
        /// The file.
        schema: PathBuf,
        /// How many.
        undecodable: usize,
        /// Of how many.
        of: usize,
    },
    /// Nothing says what the payloads are.
    #[error("topic {topic} has no schema: its payloads are {looks}, and no column of the table holds them as they are")]
    NoSchema {
        /// The topic.
        topic: String,
        /// What they look like.
        looks: &'static str,
    },
    /// Rows sum messages up.
    #[error("rows of {table} stand for several messages of {topic} each: {}", seen.join("; "))]
    Aggregated {
        /// The topic.
        topic: String,
        /// The table.
        table: String,
        /// What was seen.
        seen: Vec<String>,
    },
    /// Rows are messages that could not be written elsewhere.
    #[error("rows of {table} are dead letters of {topic}: {}", seen.join("; "))]
    DeadLetters {
        /// The topic.
        topic: String,
        /// The table.
        table: String,
        /// What was seen.
        seen: Vec<String>,
    },
    /// Nothing ties the two.
    #[error("no row of {table} can be paired with a message of {topic}: {}", seen.join("; "))]
    Unpaired {
        /// The topic.
        topic: String,
        /// The table.
        table: String,
        /// What was tried and seen.
        seen: Vec<String>,
    },
}

impl InitError {
    /// 2 for what the user can put right on the command line or in the service file, 3 for what the sides do not show.
    pub fn exit(&self) -> Exit {
        match self {
            Self::OutputExists { .. } | Self::NoRegistry { .. } | Self::SchemaMisfit { .. } => Exit::Usage,
            _ => Exit::Unjudged,
        }
    }

    /// One thing to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::OutputExists { .. } => "name another file, or overwrite it with --force",
            Self::NoRegistry { .. } => "write [schema_registry] with its `url` in validator.toml",
            Self::MixedFormats { .. } => {
                "a pipeline has one format: split the topic, or validate the table of raw bytes"
            }
            Self::UnknownSchemas { .. } => {
                "`curl URL/schemas/ids/ID` shows whether this is the registry of the producers"
            }
            Self::NoSchema { .. } => "where payloads are Avro without a frame, name their schema: --schema FILE.avsc",
            Self::SchemaMisfit { .. } => "name the schema that the producers write with",
            Self::Aggregated { .. } => {
                "a pipeline proves one row for each message: name the table that the sums are made of"
            }
            Self::DeadLetters { .. } => {
                "name the table that the other messages are written to: a run over it lists these as missing"
            }
            Self::Unpaired { .. } => "is it the table of this topic? a larger --sample, or a later run, may show more",
            Self::EmptyTopic { .. } | Self::EmptyTable { .. } => {
                "run it again when the sink has written rows of messages that are still there"
            }
            Self::OnlyTombstones { .. } => "a larger --sample may reach messages that have a payload",
            Self::UnreadableTable { .. } => {
                "`validator sql 'SELECT * FROM CATALOG.NS.TABLE LIMIT 1'` tries the table alone"
            }
        }
    }
}
