//! Groups of findings: alike in verdict, cause and what they are about.

use validator_core::verdict::{Cause, Verdict};

use crate::value::Value;

/// Bytes of a group's id.
const GROUP_BYTES: usize = 16;

/// What findings of one verdict and cause are about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum About {
    /// The first column that differs.
    Column(String),
    /// A data file, or what stands for the table.
    File(String),
    /// The snapshot that did it.
    Snapshot(i64),
}

impl About {
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Column(name) => format!("column:{name}"),
            Self::File(path) => format!("file:{path}"),
            Self::Snapshot(id) => format!("snapshot:{id}"),
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("column", name) => Some(Self::Column(name.to_owned())),
            ("file", path) => Some(Self::File(path.to_owned())),
            ("snapshot", id) => id.parse().ok().map(Self::Snapshot),
            _ => None,
        }
    }
}

/// The id of a group: 32 hexadecimal digits, of verdict, cause and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(String);

impl GroupId {
    /// The group of findings that are alike.
    pub fn of(verdict: Verdict, cause: Option<Cause>, about: Option<&About>) -> Self {
        let cause = Value::Text(cause.map(|cause| cause.as_str().to_owned()));
        let about = Value::Text(about.map(About::to_text));
        let mut hasher = blake3::Hasher::new();
        [verdict.as_str().into(), cause, about].iter().for_each(|value| value.hash_into(&mut hasher));
        let digits = hasher.finalize().to_hex();
        Self(digits[..2 * GROUP_BYTES].to_owned())
    }

    /// The id of its digits; none where they are no id.
    pub fn from_digits(digits: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (digits.len() == 2 * GROUP_BYTES && digits.bytes().all(is_digit)).then(|| Self(digits.to_owned()))
    }

    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_group_is_about_comes_back_from_its_text() {
        for about in [About::Column("a:b".into()), About::File("s3://lake/a.parquet".into()), About::Snapshot(-3)] {
            assert_eq!(About::from_text(&about.to_text()), Some(about));
        }
        assert_eq!(About::from_text("snapshot:x"), None);
        assert_eq!(About::from_text("else:x"), None);
    }
}
