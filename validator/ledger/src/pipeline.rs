//! A pipeline as the ledger knows it, and the row that says where its last checkpoint is.
//!
//! Contract: the row is sealed: a hash of all its columns, made with the digest key.

use crate::books::{Books, Key};
use crate::error::LedgerError;
use crate::value::{Kind, Value};

/// What makes bags what they are: another of it is another pipeline.
#[derive(Clone, PartialEq, Eq)]
pub struct PipelineIs {
    /// Its name in the configuration.
    pub name: String,
    /// BLAKE3 of what decides which messages and rows are equal.
    pub contract: [u8; 32],
    /// The digest key; only a hash of it is kept.
    pub digest_key: [u8; 32],
    /// The topics, sorted.
    pub topics: Vec<String>,
    /// The table.
    pub table: String,
    /// How messages and rows are matched.
    pub mode: String,
    /// Offsets of a segment.
    pub width: u64,
}

impl std::fmt::Debug for PipelineIs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipelineIs").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PipelineIs {
    pub(crate) fn key(&self) -> Key {
        Key(self.digest_key)
    }

    fn names(&self) -> [Value; 7] {
        [
            self.name.as_str().into(),
            (&self.contract).into(),
            (&shown_key(&self.key())).into(),
            self.topics.join("\n").as_str().into(),
            self.table.as_str().into(),
            self.mode.as_str().into(),
            i64::try_from(self.width).unwrap_or(i64::MAX).into(),
        ]
    }
}

/// Eight bytes that tell keys apart and give none away.
pub(crate) fn shown_key(key: &Key) -> [u8; 8] {
    let hash = blake3::derive_key("validator ledger: which digest key", &key.0);
    std::array::from_fn(|at| hash[at])
}

const WHAT: [&str; 7] = ["name", "contract", "digest key", "topics", "table", "mode", "segment width"];

/// All columns of `pipelines` but the seal, in the order of [`PipelineRow::values`].
pub(crate) const COLUMNS: &str = "pipeline, name, contract, digest_key, topics, table_name, mode, width, fence, \
                                  checkpoint, chain_from, head, books, state, totals";
pub(crate) const KINDS: [Kind; 15] = [
    Kind::Int,
    Kind::Text,
    Kind::Blob,
    Kind::Blob,
    Kind::Text,
    Kind::Text,
    Kind::Text,
    Kind::Int,
    Kind::Int,
    Kind::Int,
    Kind::Int,
    Kind::Blob,
    Kind::Blob,
    Kind::Blob,
    Kind::Blob,
];
const NAMES: std::ops::Range<usize> = 1..8;

/// The row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PipelineRow {
    pub(crate) pipeline: i64,
    /// Its name in this ledger: another one than it was made with after a new beginning. Not sealed: the roll has it.
    pub(crate) shown: String,
    pub(crate) names: Vec<Value>,
    pub(crate) fence: i64,
    pub(crate) checkpoint: i64,
    /// The oldest checkpoint that is kept.
    pub(crate) chain_from: i64,
    pub(crate) head: [u8; 32],
    pub(crate) books: Books,
    pub(crate) state: Vec<u8>,
    pub(crate) totals: Vec<u8>,
}

impl PipelineRow {
    pub(crate) fn new(pipeline: i64, is: &PipelineIs) -> Self {
        let names = is.names().to_vec();
        let head = is.key().of("pipeline", &names);
        Self {
            pipeline,
            shown: is.name.clone(),
            names,
            fence: 0,
            checkpoint: 0,
            chain_from: 1,
            head,
            books: Books::default(),
            state: Vec::new(),
            totals: Vec::new(),
        }
    }

    pub(crate) fn values(&self) -> Vec<Value> {
        let mut all = vec![self.pipeline.into()];
        all.extend(self.names.iter().cloned());
        all.extend([
            self.fence.into(),
            self.checkpoint.into(),
            self.chain_from.into(),
            (&self.head).into(),
            (&self.books.to_bytes()).into(),
            self.state.as_slice().into(),
            self.totals.as_slice().into(),
        ]);
        all
    }

    pub(crate) fn from_values(shown: &Value, values: &[Value]) -> Result<Self, LedgerError> {
        let [pipeline, _, _, _, _, _, _, _, fence, checkpoint, chain_from, head, books, state, totals] = values else {
            return Err(LedgerError::damaged("a pipeline has another number of columns"));
        };
        Ok(Self {
            pipeline: pipeline.int()?,
            shown: shown.text()?.to_owned(),
            names: values[NAMES].to_vec(),
            fence: fence.int()?,
            checkpoint: checkpoint.int()?,
            chain_from: chain_from.int()?,
            head: head.array()?,
            books: Books::from_bytes(&books.array()?),
            state: state.blob()?.to_vec(),
            totals: totals.blob()?.to_vec(),
        })
    }

    /// Offsets of a segment.
    pub(crate) fn width(&self) -> Result<i64, LedgerError> {
        self.names[6].int()
    }

    /// Whether segments are of windows, and not of offsets.
    pub(crate) fn is_by_window(&self) -> Result<bool, LedgerError> {
        Ok(self.names[5].text()? != "offset")
    }

    /// Whether it was made with this digest key.
    pub(crate) fn is_keyed(&self, key: &Key) -> bool {
        self.names[2] == Value::from(&shown_key(key))
    }

    pub(crate) fn seal(&self, key: &Key) -> [u8; 32] {
        key.of("seal", &self.values())
    }

    /// The chain begins with what the pipeline is.
    pub(crate) fn genesis(&self, key: &Key) -> [u8; 32] {
        key.of("pipeline", &self.names)
    }

    /// What it was made as, under this key.
    ///
    /// # Errors
    /// Nobody wrote that.
    pub(crate) fn made_as(&self, digest_key: [u8; 32]) -> Result<PipelineIs, LedgerError> {
        let [name, contract, _, topics, table, mode, width] = &self.names[..] else {
            return Err(LedgerError::damaged("a pipeline has another number of columns"));
        };
        Ok(PipelineIs {
            name: name.text()?.to_owned(),
            contract: contract.array()?,
            digest_key,
            topics: topics.text()?.split('\n').map(str::to_owned).collect(),
            table: table.text()?.to_owned(),
            mode: mode.text()?.to_owned(),
            width: width.int()?.unsigned_abs(),
        })
    }

    /// Refuses another pipeline of the same name.
    pub(crate) fn same_as(&self, is: &PipelineIs) -> Result<(), LedgerError> {
        let differs = self.names.iter().zip(is.names()).position(|(ours, theirs)| *ours != theirs);
        match differs {
            Some(at) => Err(LedgerError::OtherPipeline { name: is.name.clone(), what: WHAT[at] }),
            None => Ok(()),
        }
    }
}

/// The roll of a ledger: which pipelines there are, so that one that vanished is not taken for a new one.
pub(crate) fn roll<'a>(names: impl Iterator<Item = &'a str>, format: i64, made_by: &str, made_ms: i64) -> [u8; 32] {
    let mut names = names.collect::<Vec<_>>();
    names.sort_unstable();
    let mut hasher = blake3::Hasher::new_derive_key("validator ledger: the roll of its pipelines");
    for value in [format.into(), made_by.into(), made_ms.into()].into_iter().chain(names.into_iter().map(Value::from)) {
        value.hash_into(&mut hasher);
    }
    *hasher.finalize().as_bytes()
}
