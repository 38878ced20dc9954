//! The three digests of a row: of the whole, of its identity, of the rest.
//!
//! Contract: the same values give the same digests on both sides; NULL in an identity equals NULL.

use arrow_array::{ArrayRef, BinaryArray};
use validator_core::digest::{Digest, DigestKey, IdentityHash};
use validator_core::encode::{Domain, EncodeError};

use crate::binding::{BoundColumn, BoundIdentity, LeafPath, leaf_field};
use crate::leaves::{Rest, leaf_array};
use crate::row_digest::{DigestSpec, Digester};

/// The compiled digests of one binding.
pub struct IdentityDigests {
    row: Digester,
    identity: Digester,
    rest: Digester,
    leaves: Vec<LeafPath>,
    rest_columns: Rest,
}

impl std::fmt::Debug for IdentityDigests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityDigests").field("leaves", &self.leaves).finish_non_exhaustive()
    }
}

/// The digests of one batch, by row.
#[derive(Debug)]
pub struct RowDigests {
    /// Of all columns.
    pub row: Vec<Digest>,
    /// Of the identity columns.
    pub identity: Vec<IdentityHash>,
    /// Of the other columns.
    pub rest: Vec<Digest>,
}

impl BoundIdentity {
    /// The identity's leaves.
    pub fn leaves(&self) -> Vec<LeafPath> {
        match self {
            BoundIdentity::Offset { topic, partition, offset, .. } => {
                topic.iter().chain(partition).chain([offset]).cloned().collect()
            }
            BoundIdentity::Key { leaves, .. } => leaves.clone(),
        }
    }
}

/// What is digested of whole rows.
pub fn row_spec(columns: &[BoundColumn]) -> DigestSpec {
    DigestSpec { domain: Domain::Row, fields: columns.iter().map(|column| column.field.clone()).collect() }
}

impl IdentityDigests {
    /// Compiles the digests of these columns.
    ///
    /// # Errors
    /// A field that cannot be encoded.
    pub fn new(columns: &[BoundColumn], identity: &BoundIdentity, key: &DigestKey) -> Result<Self, EncodeError> {
        let leaves = identity.leaves();
        // Leaves of one struct share no parent in the encoding: their ids are unique in the schema.
        let identity_fields = leaves.iter().map(|leaf| leaf_field(columns, leaf).clone()).collect();
        let rest_columns = Rest::new(columns, &leaves);
        let identity = Digester::new(&DigestSpec { domain: Domain::Identity, fields: identity_fields }, key)?;
        let rest = DigestSpec { domain: Domain::Rest, fields: rest_columns.fields().to_vec() };
        let rest = Digester::new(&rest, key)?;
        Ok(Self { row: Digester::new(&row_spec(columns), key)?, identity, rest, leaves, rest_columns })
    }

    /// Whether a column (index) holds a part of the identity.
    pub fn in_identity(&self, column: usize) -> bool {
        self.leaves.iter().any(|leaf| leaf[0] == column)
    }

    /// Whether a column (index) holds a part of the rest.
    pub fn in_rest(&self, column: usize) -> bool {
        self.rest_columns.holds(column)
    }

    /// The identity hashes of a batch.
    ///
    /// # Errors
    /// Columns that are not of the bound types.
    pub fn identities(
        &self,
        rows: usize,
        columns: &[ArrayRef],
        inexact: Option<&BinaryArray>,
    ) -> Result<Vec<IdentityHash>, EncodeError> {
        let leaves: Vec<ArrayRef> = self.leaves.iter().map(|leaf| leaf_array(columns, leaf)).collect();
        self.identity.digest(rows, &leaves, inexact, |digests| digests.iter().map(Digest::identity).collect())
    }

    /// The row digests of a batch.
    ///
    /// # Errors
    /// Columns that are not of the bound types.
    pub fn rows(
        &self,
        rows: usize,
        columns: &[ArrayRef],
        inexact: Option<&BinaryArray>,
    ) -> Result<Vec<Digest>, EncodeError> {
        self.row.digest(rows, columns, inexact, <[Digest]>::to_vec)
    }

    /// All three digests of a batch; `inexact` gives the marks that count for a set of columns.
    ///
    /// # Errors
    /// Columns that are not of the bound types.
    pub fn all(
        &self,
        rows: usize,
        columns: &[ArrayRef],
        inexact: impl Fn(&dyn Fn(usize) -> bool) -> Option<BinaryArray>,
    ) -> Result<RowDigests, EncodeError> {
        let whole = inexact(&|_| true);
        let of_identity = inexact(&|column| self.in_identity(column));
        let of_rest = inexact(&|column| self.in_rest(column));
        let rest_arrays = self.rest_columns.project(columns);
        Ok(RowDigests {
            row: self.row.digest(rows, columns, whole.as_ref(), <[Digest]>::to_vec)?,
            identity: self.identities(rows, columns, of_identity.as_ref())?,
            rest: self.rest.digest(rows, &rest_arrays, of_rest.as_ref(), <[Digest]>::to_vec)?,
        })
    }
}
