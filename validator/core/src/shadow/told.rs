//! What the bodies of a ledger say to who only reads it: a report, an export, a proof.
//!
//! Contract: nothing here is needed to go on; what goes on is [`super::Shadow::restore`].

use super::KnownFile;
use super::delta::{Damaged, FileChange, FindingChange, FindingPlace, LaneRow};
use super::file::{FileFacts, FileId};
use super::lane::Lane;
use super::pack::{Reader, whole};
use crate::finding::FindingId;
use crate::verdict::{Cause, MessageVerdict, Verdict};

/// The first 16 bytes of the plain BLAKE3 of a finding's facts: enough to see whether they are still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactsHash(pub [u8; 16]);

impl FactsHash {
    /// Of facts as a delta has them.
    pub fn of(facts: &[u8]) -> Self {
        let mut first = [0; 16];
        first.copy_from_slice(&blake3::hash(facts).as_bytes()[..16]);
        Self(first)
    }
}

/// A finding that is open, as a restart needs it: a million of them must not be held with all that they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFinding {
    /// The same in every run.
    pub id: FindingId,
    /// What is true.
    pub verdict: Verdict,
    /// Why.
    pub cause: Option<Cause>,
    /// What it is about.
    pub place: FindingPlace,
    /// Of its facts.
    pub facts: FactsHash,
}

impl From<&FindingChange> for OpenFinding {
    fn from(change: &FindingChange) -> Self {
        let FindingChange { id, verdict, cause, place, facts, .. } = change;
        let facts = FactsHash::of(facts);
        Self { id: id.clone(), verdict: *verdict, cause: *cause, place: place.clone(), facts }
    }
}

/// Whether findings of this verdict are told once, by the event that they follow from: a restart does not ask for them.
pub fn is_told_once(verdict: Verdict) -> bool {
    verdict == Verdict::Message(MessageVerdict::Undecodable) || matches!(verdict, Verdict::Table(_))
}

/// What a finding says beside its place, verdict and cause.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// One sentence, of a finding that was told once.
    pub said: Option<String>,
    /// The message's Kafka timestamp.
    pub timestamp_ms: Option<i64>,
    /// Its rows: file, position.
    pub rows: Vec<(FileId, u64)>,
    /// Copies, of a duplicated message.
    pub copies: u64,
}

impl Facts {
    /// The facts of these bytes.
    ///
    /// # Errors
    /// They are damaged.
    pub fn from_bytes(verdict: Verdict, bytes: &[u8]) -> Result<Self, Damaged> {
        let what = "the facts of a finding";
        if is_told_once(verdict) {
            let said = String::from_utf8(bytes.to_vec()).map_err(|_| Damaged { what })?;
            return Ok(Self { said: Some(said), ..Self::default() });
        }
        let rows = |from: &mut Reader<'_>| from.list(|from| Some((FileId(from.small()?), from.number()?)));
        whole(bytes, what, |from| {
            let (timestamp_ms, own) = (from.maybe()?, rows(from)?);
            let (_compared, _moved) = (rows(from)?, from.flag()?);
            Some(Self { said: None, timestamp_ms, rows: own, copies: from.number()? })
        })
    }
}

/// The partition of a row.
///
/// # Errors
/// Its body is damaged.
pub fn lane_of(row: LaneRow) -> Result<Lane, Damaged> {
    Lane::from_bytes(row.tp, &row.body)
}

/// A file of a row: what its manifest entries say, and rows of one live entry.
///
/// # Errors
/// Its facts are damaged.
pub fn file_of(row: &FileChange) -> Result<(FileFacts, u64), Damaged> {
    let file = KnownFile::from_bytes(row.id, row.path.clone(), &row.facts)?;
    Ok((file.facts, file.rows))
}
