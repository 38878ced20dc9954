//! What the registry answers (Confluent Schema Registry API; Apicurio and Redpanda leave out what is the default).

use serde::Deserialize;

use crate::TapError;

/// `GET /schemas/ids/{id}` and `GET /subjects/{subject}/versions/{n}`.
#[derive(Debug, Deserialize)]
pub(super) struct Registered {
    pub(super) schema: String,
    /// Only in answers about a version.
    pub(super) id: Option<u32>,
    #[serde(rename = "schemaType")]
    kind: Option<String>,
    references: Option<Vec<Reference>>,
}

/// Another schema whose names are used.
#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    pub(super) subject: String,
    pub(super) version: i32,
}

/// `GET /subjects/{subject}/versions`.
#[derive(Debug, Deserialize)]
pub(super) struct Versions(pub(super) Vec<i32>);

impl Registered {
    pub(super) fn read(url: &str, body: &[u8]) -> Result<Self, TapError> {
        read(url, body)
    }

    pub(super) fn is_avro(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("avro"))
    }

    pub(super) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("AVRO")
    }

    pub(super) fn references(&self) -> &[Reference] {
        self.references.as_deref().unwrap_or_default()
    }
}

impl Versions {
    pub(super) fn read(url: &str, body: &[u8]) -> Result<Self, TapError> {
        read(url, body)
    }
}

fn read<'a, T: Deserialize<'a>>(url: &str, body: &'a [u8]) -> Result<T, TapError> {
    serde_json::from_slice(body)
        .map_err(|source| TapError::RegistryAnswer { url: url.to_owned(), what: source.to_string() })
}

/// Whether a body is an error of the registry, which has an `error_code`.
pub(super) fn is_coded_error(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Coded {
        #[serde(rename = "error_code")]
        _code: i64,
    }
    serde_json::from_slice::<Coded>(body).is_ok()
}
