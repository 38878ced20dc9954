//! The hash of a contract: equal for two files that mean the same, however they are written.
//!
//! Bytes: the label `validator.contract/1`, then every item of the contract in a fixed order as (name, value), each a
//! little-endian u32 length and UTF-8. What is absent has no item; lists repeat theirs. Paths and times relative to now
//! are taken as they are written, so that the hash depends on neither the machine nor the hour.

use std::fmt::Write as _;

use validator_core::contract::{Contract, DeadLetter, Format, Identity, KeyFormat, NullPayload};

use super::bound::{Edge, Instant};
use super::profile::Profile;
use super::terms::ENVELOPES;

/// BLAKE3 of the canonical contract, 64 hexadecimal digits.
pub fn config_hash(contract: &Contract, start: Option<&Edge>, profile: Option<Profile>) -> String {
    let mut bytes = Canonical::default();
    bytes.push("", "validator.contract/1");
    push_equality(&mut bytes, contract, start, profile);
    push_promise(&mut bytes, contract);
    push_source(&mut bytes, contract);
    blake3::hash(&bytes.0).to_hex().to_string()
}

/// BLAKE3 of what decides which messages and rows are equal; what is promised of them, and who is shown what, is not of it.
pub fn books_hash(contract: &Contract, start: Option<&Edge>, profile: Option<Profile>) -> [u8; 32] {
    let mut bytes = Canonical::default();
    bytes.push("", "validator.books/1");
    push_equality(&mut bytes, contract, start, profile);
    push_source(&mut bytes, contract);
    *blake3::hash(&bytes.0).as_bytes()
}

fn push_equality(bytes: &mut Canonical, contract: &Contract, start: Option<&Edge>, profile: Option<Profile>) {
    push_pipeline(bytes, contract, start);
    for (name, ty) in &contract.fields {
        bytes.push2("fields", name, &ty.to_string());
    }
    for (column, sql) in &contract.map {
        bytes.push2("map", column, sql);
    }
    push_identity(bytes, &contract.identity);
    bytes.push_option("identity.profile", profile.map(Profile::name));
    for (column, reason) in &contract.compare.ignore {
        bytes.push2("compare.ignore", column, reason);
    }
    for (field, reason) in &contract.compare.drop {
        bytes.push2("compare.drop", field, reason);
    }
    for (column, tolerance) in &contract.compare.tolerate {
        bytes.push2("compare.tolerate", column, tolerance.word());
    }
}

fn push_promise(bytes: &mut Canonical, contract: &Contract) {
    for column in &contract.compare.mask {
        bytes.push("compare.mask", column);
    }
    bytes.push("compare.strict_fields", &contract.compare.strict_fields.to_string());
    bytes.push("fidelity.target", &contract.fidelity.target.to_string());
    bytes.push("fidelity.coverage", &contract.fidelity.coverage.to_string());
    bytes.push("fidelity.settle_ms", &contract.fidelity.settle_ms.to_string());
    bytes.push("fidelity.give_up_ms", &contract.fidelity.give_up_ms.to_string());
    bytes.push_option("fidelity.retention_ms", contract.fidelity.retention_ms.map(|ms| ms.to_string()).as_deref());
    bytes.push("fidelity.diverted_max", &contract.fidelity.diverted_max.to_string());
    push_dead_letter(bytes, contract.fidelity.dead_letter.as_ref());
}

fn push_dead_letter(bytes: &mut Canonical, dead_letter: Option<&DeadLetter>) {
    let position = match dead_letter {
        None => return,
        Some(DeadLetter::Topic { topic, position }) => {
            bytes.push("fidelity.dead_letter.topic", topic);
            Some(position)
        }
        Some(DeadLetter::Table { table, position }) => {
            bytes.push("fidelity.dead_letter.table", table);
            position.as_ref()
        }
    };
    if let Some(position) = position {
        bytes.push_option("fidelity.dead_letter.position.topic", position.topic.as_deref());
        bytes.push_option("fidelity.dead_letter.position.partition", position.partition.as_deref());
        bytes.push("fidelity.dead_letter.position.offset", &position.offset);
    }
}

fn push_source(bytes: &mut Canonical, contract: &Contract) {
    if let Some(source) = &contract.source {
        for file in &source.files {
            bytes.push("source.files", file);
        }
        let word = ENVELOPES.iter().find(|(_, envelope)| *envelope == source.envelope).map(|(word, _)| *word);
        bytes.push_option("source.envelope", word);
        bytes.push_option("source.timestamp", source.timestamp.as_deref());
    }
}

fn push_pipeline(bytes: &mut Canonical, contract: &Contract, start: Option<&Edge>) {
    bytes.push("pipeline.name", &contract.name);
    for topic in &contract.topics {
        bytes.push("pipeline.topics", topic);
    }
    bytes.push("pipeline.table", &contract.table);
    let format = match contract.format {
        Format::Json => "json",
        Format::Avro => "avro",
        Format::Bytes => "bytes",
        Format::Parquet => "parquet",
    };
    bytes.push("pipeline.format", format);
    bytes.push_option("pipeline.schema", contract.schema.as_ref().and_then(|path| path.to_str()));
    bytes.push_option("pipeline.start", start.map(edge).as_deref());
    bytes.push_option("pipeline.filter", contract.filter.as_deref());
    bytes.push_option("pipeline.row_filter", contract.row_filter.as_deref());
    let null_payload = match contract.null_payload {
        NullPayload::Exclude => "exclude",
        NullPayload::Row => "row",
    };
    bytes.push("pipeline.null_payload", null_payload);
}

fn push_identity(bytes: &mut Canonical, identity: &Identity) {
    match identity {
        Identity::Offset { topic, partition, offset, timestamp, width } => {
            bytes.push("identity.mode", "offset");
            bytes.push_option("identity.topic", topic.as_deref());
            bytes.push_option("identity.partition", partition.as_deref());
            bytes.push("identity.offset", offset);
            bytes.push_option("identity.timestamp", timestamp.as_deref());
            bytes.push("identity.width", &width.to_string());
        }
        Identity::Key { columns, window, every_ms, shards, upsert } => {
            bytes.push("identity.mode", "key");
            for column in columns {
                bytes.push("identity.columns", column);
            }
            bytes.push_option("identity.window", window.as_deref());
            bytes.push("identity.every_ms", &every_ms.to_string());
            bytes.push("identity.shards", &shards.to_string());
            if let Some(upsert) = upsert {
                bytes.push("identity.upsert", "true");
                bytes.push_option("identity.delete_when", upsert.delete_when.as_deref());
                let key = upsert.key.map(|key| match key {
                    KeyFormat::Json => "json",
                    KeyFormat::Avro => "avro",
                });
                bytes.push_option("identity.key", key);
            }
        }
        Identity::Content { window, every_ms, shards } => {
            bytes.push("identity.mode", "content");
            bytes.push_option("identity.window", window.as_deref());
            bytes.push("identity.every_ms", &every_ms.to_string());
            bytes.push("identity.shards", &shards.to_string());
        }
    }
}

fn edge(edge: &Edge) -> String {
    match edge {
        Edge::Earliest => "earliest".to_owned(),
        Edge::Now => "now".to_owned(),
        Edge::Offset(offset) => offset.to_string(),
        Edge::Offsets(offsets) => offsets.iter().fold(String::new(), |mut text, (partition, offset)| {
            let _ = write!(text, "{partition}:{offset},");
            text
        }),
        Edge::Time(Instant::At(nanos)) => format!("at {nanos} ns"),
        Edge::Time(Instant::Ago(ms)) => format!("{ms} ms ago"),
    }
}

/// The bytes that are hashed.
#[derive(Default)]
struct Canonical(Vec<u8>);

impl Canonical {
    fn push(&mut self, name: &str, value: &str) {
        for text in [name, value] {
            let length = u32::try_from(text.len()).expect("no text of a configuration has four gigabytes");
            self.0.extend_from_slice(&length.to_le_bytes());
            self.0.extend_from_slice(text.as_bytes());
        }
    }

    fn push2(&mut self, section: &str, name: &str, value: &str) {
        self.push(section, name);
        self.push("", value);
    }

    fn push_option(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }
}
