//! What the bodies of a ledger say to who only reads it: a report, an export, a proof.
//!
//! Contract: nothing here is needed to go on; what goes on is [`super::Shadow::restore`].

use super::delta::{Damaged, FileChange, FindingChange, FindingPlace, LaneRow};
use super::file::{FileFacts, FileId};
use super::files::KnownFile;
use super::lane::Lane;
use super::pack::{Reader, Writer, whole};
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

/// The same of a finding with these facts: a message that cannot be told and that a dead letter names is diverted, and its facts
/// are as little the state's.
pub fn is_of_event(verdict: Verdict, facts: &[u8]) -> bool {
    let is_text = || Reader::open(facts, "facts").is_err();
    is_told_once(verdict) || verdict == MessageVerdict::Diverted.into() && is_text()
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
    /// Of a message without a row, that nobody can know any more whether it had one.
    pub may_have_stood: bool,
}

impl Facts {
    /// The facts of these bytes.
    ///
    /// # Errors
    /// They are damaged.
    pub fn from_bytes(verdict: Verdict, bytes: &[u8]) -> Result<Self, Damaged> {
        let what = "the facts of a finding";
        if is_of_event(verdict, bytes) {
            let said = String::from_utf8(bytes.to_vec()).map_err(|_| Damaged { what })?;
            return Ok(Self { said: Some(said), ..Self::default() });
        }
        let rows = |from: &mut Reader<'_>| from.list(|from| Some((FileId(from.small()?), from.number()?)));
        whole(bytes, what, |from| {
            let (timestamp_ms, own) = (from.maybe()?, rows(from)?);
            let (_compared, _moved) = (rows(from)?, from.flag()?);
            let copies = from.number()?;
            let may_have_stood = !from.is_empty() && from.flag()?;
            Some(Self { said: None, timestamp_ms, rows: own, copies, may_have_stood })
        })
    }

    /// Bytes that say this.
    pub fn to_bytes(&self) -> Vec<u8> {
        if let Some(said) = &self.said {
            return said.clone().into_bytes();
        }
        let mut to = Writer::of_facts();
        to.maybe(self.timestamp_ms);
        to.number(self.rows.len() as u64);
        for (file, position) in &self.rows {
            to.number(u64::from(file.0));
            to.number(*position);
        }
        // No pairs to be compared, and no identity moved.
        to.number(0);
        to.byte(0);
        to.number(self.copies);
        if self.may_have_stood {
            to.byte(1);
        }
        to.seal()
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

#[cfg(test)]
mod tests {
    use super::super::state_codec::draft_bytes;
    use super::*;
    use crate::judge::Draft;
    use crate::position::{FileIndex, MessageAt, PartitionIndex, RowAt};

    #[test]
    fn the_facts_of_a_draft_come_back() {
        let verdict = Verdict::Message(MessageVerdict::Duplicated);
        let row = RowAt { file: FileIndex(7), position: 9 };
        let draft = Draft {
            verdict,
            cause: None,
            message: Some(MessageAt { partition: PartitionIndex(0), offset: 1 }),
            timestamp_ms: Some(-5),
            rows: vec![row],
            compare: vec![(MessageAt { partition: PartitionIndex(0), offset: 1 }, row)],
            stale: Vec::new(),
            identity_moved: false,
            copies: 2,
            loss: None,
            hole: None,
            equals: None,
        };
        let facts =
            Facts { said: None, timestamp_ms: Some(-5), rows: vec![(FileId(7), 9)], copies: 2, may_have_stood: false };
        assert_eq!(Facts::from_bytes(verdict, &draft_bytes(&draft, false)), Ok(facts.clone()));
        let unseen = Facts { may_have_stood: true, ..facts.clone() };
        assert_eq!(Facts::from_bytes(verdict, &draft_bytes(&draft, true)), Ok(unseen.clone()));
        assert_eq!(Facts::from_bytes(verdict, &unseen.to_bytes()), Ok(unseen));
        assert_eq!(Facts::from_bytes(verdict, &facts.to_bytes()), Ok(facts));
        let said = Facts { said: Some("no JSON".to_owned()), ..Facts::default() };
        assert_eq!(Facts::from_bytes(MessageVerdict::Undecodable.into(), &said.to_bytes()), Ok(said));
        assert!(Facts::from_bytes(verdict, b"no JSON").is_err());
    }
}
