//! One finding as its line of JSON says it, read back for a format of columns.
//!
//! Contract: every key of interface.md section 6, none left out: an unknown key is an error, so that a key that is added
//! there cannot be forgotten here. Values keep their JSON text.

use serde::Deserialize;
use serde_json::value::RawValue;

/// See the module.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is that of the core's Finding")]
pub struct FindingLine {
    pub id: String,
    pub pipeline: String,
    pub verdict: String,
    pub cause: Option<String>,
    pub topic: Option<String>,
    pub partition: Option<i32>,
    pub offset: Option<i64>,
    pub timestamp: Option<String>,
    pub identity: Option<Box<RawValue>>,
    pub columns: Vec<ColumnLine>,
    pub rows: Vec<RowLine>,
    pub copies: i64,
    pub candidates: Vec<CandidateLine>,
    pub related: Option<String>,
    pub snapshot_id: Option<i64>,
    pub operation: Option<String>,
    pub detail: String,
}

/// One of `columns`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnLine {
    pub name: String,
    pub message: Box<RawValue>,
    pub row: Box<RawValue>,
    pub damage: String,
}

/// One of `rows`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowLine {
    pub file: String,
    pub position: Option<i64>,
}

/// One of `candidates`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CandidateLine {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// A value as a text column holds it: NULL, the text itself, or the JSON text of anything else.
///
/// # Errors
/// The JSON cannot be read.
pub fn plain(value: &RawValue) -> Result<Option<String>, serde_json::Error> {
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str(json).map(Some),
        _ if json == "null" => Ok(None),
        _ => Ok(Some(json.to_owned())),
    }
}
