//! The ledger's own books: a bag of the hashes of all rows, and the chain of its checkpoints.
//!
//! Contract: a row's hash is made with the digest key of its pipeline of everything in the row. Bags add and remove, so
//! a checkpoint costs what it changes; a full scan proves them.

use std::collections::HashMap;

use validator_core::bag::{BAG_BYTES, Bag};
use validator_core::digest::Digest;

use crate::error::LedgerError;
use crate::schema::Table;
use crate::value::Value;

/// Bytes of the durable form of [`Books`].
const BOOKS_BYTES: usize = 3 * BAG_BYTES;

/// The key of a pipeline's hashes.
#[derive(Clone, Copy)]
pub(crate) struct Key(pub(crate) [u8; 32]);

impl Key {
    pub(crate) fn row(&self, table: &Table, values: &[Value]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&[table.tag]);
        values.iter().for_each(|value| value.hash_into(&mut hasher));
        *hasher.finalize().as_bytes()
    }

    /// Of what is no row, told apart by a name.
    pub(crate) fn of(&self, name: &str, values: &[Value]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        Value::from(name).hash_into(&mut hasher);
        values.iter().for_each(|value| value.hash_into(&mut hasher));
        *hasher.finalize().as_bytes()
    }
}

/// A key of any table in 16 bytes.
pub(crate) type Slot = [u8; 16];

pub(crate) fn slot(table: &Table, key: &[Value]) -> Slot {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[table.tag]);
    key.iter().for_each(|value| value.hash_into(&mut hasher));
    let mut slot = [0; 16];
    hasher.finalize_xof().fill(&mut slot);
    slot
}

/// The hash of a row, and whether a restart reads the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) hash: [u8; 32],
    pub(crate) open: bool,
}

/// The hashes of all rows of resident tables.
pub(crate) type Index = HashMap<Slot, Held>;

/// Three bags of row hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Books {
    /// Of all rows but the findings.
    pub(crate) resident: Bag,
    /// Of those that a restart reads, so that a restart proves that it has them all.
    pub(crate) open: Bag,
    /// Of all findings.
    pub(crate) findings: Bag,
}

impl Books {
    pub(crate) fn add(&mut self, table: &Table, held: Held) {
        self.change(table, held, Bag::add);
    }

    pub(crate) fn remove(&mut self, table: &Table, held: Held) {
        self.change(table, held, Bag::remove);
    }

    fn change(&mut self, table: &Table, held: Held, change: impl Fn(&mut Bag, &Digest)) {
        let digest = Digest(held.hash);
        change(if table.resident { &mut self.resident } else { &mut self.findings }, &digest);
        if held.open {
            change(&mut self.open, &digest);
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; BOOKS_BYTES] {
        let mut bytes = [0; BOOKS_BYTES];
        for (chunk, bag) in
            bytes.as_chunks_mut::<BAG_BYTES>().0.iter_mut().zip([self.resident, self.open, self.findings])
        {
            *chunk = bag.to_bytes();
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; BOOKS_BYTES]) -> Self {
        let [resident, open, findings] = bytes.as_chunks::<BAG_BYTES>().0 else { unreachable!("three bags") };
        let bag = Bag::from_bytes;
        Self { resident: bag(resident), open: bag(open), findings: bag(findings) }
    }
}

/// One change of a row: its slot, its hash before and after.
pub(crate) type RowChange = (Slot, Option<[u8; 32]>, Option<[u8; 32]>);

/// The hash of everything that a checkpoint changed, in whatever order it came.
pub(crate) fn changes(key: &Key, mut rows: Vec<RowChange>) -> [u8; 32] {
    rows.sort_unstable();
    let mut hasher = blake3::Hasher::new_keyed(&key.0);
    for (slot, before, after) in rows {
        hasher.update(&slot);
        hasher.update(&before.unwrap_or_default());
        hasher.update(&after.unwrap_or_default());
    }
    *hasher.finalize().as_bytes()
}

/// A link of the chain, as the table `checkpoints` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) checkpoint: i64,
    pub(crate) at_ms: i64,
    pub(crate) judged_at_ms: i64,
    pub(crate) snapshot: Option<i64>,
    pub(crate) changes: [u8; 32],
    pub(crate) books: Books,
    /// The hash of the state's bytes.
    pub(crate) state: [u8; 32],
    /// The hash of the counts' bytes.
    pub(crate) totals: [u8; 32],
    pub(crate) prev: [u8; 32],
}

impl Link {
    /// All columns but the pipeline, the counts themselves and the hash.
    pub(crate) fn values(&self) -> Vec<Value> {
        vec![
            self.checkpoint.into(),
            self.at_ms.into(),
            self.judged_at_ms.into(),
            Value::Int(self.snapshot),
            (&self.changes).into(),
            (&self.books.to_bytes()).into(),
            (&self.state).into(),
            (&self.totals).into(),
            (&self.prev).into(),
        ]
    }

    pub(crate) fn hash(&self, key: &Key) -> [u8; 32] {
        key.of("checkpoint", &self.values())
    }

    fn from_values(values: &[Value]) -> Result<Self, LedgerError> {
        let [checkpoint, at_ms, judged_at_ms, snapshot, changes, books, state, totals, prev] = values else {
            return Err(LedgerError::damaged("a checkpoint has another number of columns"));
        };
        Ok(Self {
            checkpoint: checkpoint.int()?,
            at_ms: at_ms.int()?,
            judged_at_ms: judged_at_ms.int()?,
            snapshot: snapshot.int_or_none(),
            changes: changes.array()?,
            books: Books::from_bytes(&books.array()?),
            state: state.array()?,
            totals: totals.array()?,
            prev: prev.array()?,
        })
    }

    /// A row of `checkpoints` without its pipeline: the link, its counts where they are kept, and the hash that stands there.
    #[expect(clippy::type_complexity, reason = "a link, what stands beside it, its hash")]
    pub(crate) fn from_row(row: &[Value]) -> Result<(Self, Option<&[u8]>, [u8; 32]), LedgerError> {
        let [values @ .., totals, hash] = row else {
            return Err(LedgerError::damaged("a checkpoint has another number of columns"));
        };
        Ok((Self::from_values(values)?, totals.blob().ok(), hash.array()?))
    }

    /// Whether these are its counts.
    pub(crate) fn has_totals(&self, key: &Key, totals: &[u8]) -> bool {
        self.totals == key.of("totals", &[totals.into()])
    }
}
