//! Digests of batches: the described columns into keyed BLAKE3 of their canonical bytes.

use std::cell::RefCell;

use arrow_array::{ArrayRef, BinaryArray};
use validator_core::digest::{Digest, DigestKey, RowHasher};
use validator_core::encode::{Arena, Domain, EncodeError, RowEncoder};
use validator_core::schema::Field;

/// What is digested: which columns, in which domain. A description, so that a plan can travel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DigestSpec {
    /// The domain: whole rows, identities, or the rest.
    pub domain: Domain,
    /// The columns in the order in which they are given.
    pub fields: Vec<Field>,
}

/// Digests batches by one [`DigestSpec`]; holds the compiled encoder.
#[derive(Debug)]
pub struct Digester {
    encoder: RowEncoder,
    hasher: RowHasher,
}

thread_local! {
    /// One arena and one output per thread: batches come thousands a second.
    static SCRATCH: RefCell<(Arena, Vec<Digest>)> = RefCell::new((Arena::default(), Vec::new()));
}

impl Digester {
    /// Compiles `spec`.
    ///
    /// # Errors
    /// A column type that has no canonical bytes.
    pub fn new(spec: &DigestSpec, key: &DigestKey) -> Result<Self, EncodeError> {
        Ok(Self { encoder: RowEncoder::new(spec.domain, &spec.fields)?, hasher: RowHasher::new(key) })
    }

    /// The digests of all rows, given to `take` in row order.
    ///
    /// # Errors
    /// Columns that are not of the described types.
    pub fn digest<R>(
        &self,
        rows: usize,
        columns: &[ArrayRef],
        inexact: Option<&BinaryArray>,
        take: impl FnOnce(&[Digest]) -> R,
    ) -> Result<R, EncodeError> {
        SCRATCH.with_borrow_mut(|(arena, digests)| {
            arena.clear();
            self.encoder.encode(rows, columns, inexact, arena)?;
            self.hasher.digest(arena, digests);
            Ok(take(digests))
        })
    }
}
