//! Avro payloads by hand, and decoders of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use validator_core::contract::FieldType;
use validator_core::schema::Type;
use validator_tap::{AvroDecoder, Decoder, RegistryConfig, Schemas, WantedField};

use crate::stub_registry::Stub;
use crate::support::payload;

/// Bytes in Avro's encoding.
#[derive(Debug, Clone, Default)]
pub struct Body(pub Vec<u8>);

impl Body {
    pub fn long(mut self, value: i64) -> Self {
        let mut raw = ((value << 1) ^ (value >> 63)) as u64;
        while raw >= 0x80 {
            self.0.push(raw as u8 | 0x80);
            raw >>= 7;
        }
        self.0.push(raw as u8);
        self
    }

    pub fn bytes(self, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.long(i64::try_from(value.len()).expect("short")).raw(value)
    }

    pub fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }
}

/// An empty body.
pub fn body() -> Body {
    Body::default()
}

/// A payload in Confluent's frame.
pub fn framed(id: u32, body: &Body) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), &body.0].concat()
}

/// A record schema of these fields, given as JSON.
pub fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)
}

/// Schemas of a file that holds this one.
pub fn in_file(schema: &str) -> Arc<Schemas> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("schema.avsc");
    std::fs::write(&path, schema).expect("a file");
    Arc::new(Schemas::file(path).expect("a schema"))
}

/// Schemas of a registry.
pub fn at(stub: &Stub) -> Arc<Schemas> {
    let config = RegistryConfig { url: stub.url(), ..RegistryConfig::default() };
    Arc::new(Schemas::registry(config).expect("a client"))
}

/// A decoder of typed fields.
pub fn decoder(schemas: &Arc<Schemas>, fields: &[(&str, Type)]) -> AvroDecoder {
    dropping(schemas, fields, &[])
}

pub fn dropping(schemas: &Arc<Schemas>, fields: &[(&str, Type)], dropped: &[&str]) -> AvroDecoder {
    let wanted =
        fields.iter().map(|(name, ty)| WantedField::typed(*name, FieldType::Plain(ty.clone()))).collect::<Vec<_>>();
    let dropped: BTreeSet<String> = dropped.iter().map(|d| (*d).to_owned()).collect();
    AvroDecoder::new(wanted, dropped, schemas.clone()).expect("each field once")
}

/// Decodes a payload that must be sound.
pub fn decode_one(decoder: &mut AvroDecoder, bytes: &[u8]) {
    assert_eq!(decoder.append(&payload(bytes)).expect("the source is fine"), None);
}
