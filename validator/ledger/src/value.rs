//! Values of a row as both databases hold them, and the bytes of them that are hashed.

use sqlx::{ColumnIndex, Database, Decode, Type};

use crate::error::LedgerError;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Text,
    Blob,
}

/// One value; an absent one knows its kind, which PostgreSQL asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Blob(Some(value.to_vec()))
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Self::Blob(Some(value.to_vec()))
    }
}

impl Value {
    /// A byte for kind and presence, the length where it varies, the bytes: no two rows have the same.
    pub(crate) fn hash_into(&self, hasher: &mut blake3::Hasher) {
        let mut sized = |tag: u8, bytes: &[u8]| {
            hasher.update(&[tag]);
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        match self {
            Self::Int(Some(value)) => sized(1, &value.to_le_bytes()),
            Self::Text(Some(value)) => sized(2, value.as_bytes()),
            Self::Blob(Some(value)) => sized(3, value),
            Self::Int(None) | Self::Text(None) | Self::Blob(None) => sized(0, &[]),
        }
    }

    pub(crate) fn int(&self) -> Result<i64, LedgerError> {
        match self {
            Self::Int(Some(value)) => Ok(*value),
            _ => Err(absent()),
        }
    }

    pub(crate) fn int_or_none(&self) -> Option<i64> {
        if let Self::Int(value) = self { *value } else { None }
    }

    pub(crate) fn text(&self) -> Result<&str, LedgerError> {
        match self {
            Self::Text(Some(value)) => Ok(value),
            _ => Err(absent()),
        }
    }

    pub(crate) fn blob(&self) -> Result<&[u8], LedgerError> {
        match self {
            Self::Blob(Some(value)) => Ok(value),
            _ => Err(absent()),
        }
    }

    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N], LedgerError> {
        self.blob()?.try_into().map_err(|_| LedgerError::damaged("a value has another length"))
    }
}

fn absent() -> LedgerError {
    LedgerError::damaged("a value is absent that is always there")
}

/// A row of either database as values of the kinds that were asked for.
pub(crate) fn decoded<'r, R>(row: &'r R, kinds: &[Kind]) -> Result<Vec<Value>, LedgerError>
where
    R: sqlx::Row,
    usize: ColumnIndex<R>,
    i64: Type<R::Database> + Decode<'r, R::Database>,
    String: Type<R::Database> + Decode<'r, R::Database>,
    Vec<u8>: Type<R::Database> + Decode<'r, R::Database>,
    R::Database: Database,
{
    let one = |(at, kind): (usize, &Kind)| match kind {
        Kind::Int => row.try_get(at).map(Value::Int),
        Kind::Text => row.try_get(at).map(Value::Text),
        Kind::Blob => row.try_get(at).map(Value::Blob),
    };
    Ok(kinds.iter().enumerate().map(one).collect::<Result<_, sqlx::Error>>()?)
}
