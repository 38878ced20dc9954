//! The three digests of a row: of the whole, of its identity, of the rest.
//!
//! Contract: the same values give the same digests on both sides; NULL in an identity equals NULL. In mode `content` the
//! identity is the first half of the digest of the whole, and there is no rest.

use arrow_array::{ArrayRef, BinaryArray};
use validator_core::digest::{Digest, DigestKey, IdentityHash};
use validator_core::encode::{Domain, EncodeError};
use validator_core::judge::ModeKind;

use crate::binding::{BoundColumn, BoundIdentity, LeafPath, leaf_field};
use crate::digester::{DigestSpec, Digester};
use crate::leaves::{Rest, has_value, leaf_array};

/// The compiled digests of one binding.
pub struct IdentityDigests {
    row: Digester,
    /// None: the whole is the identity.
    part: Option<Part>,
}

/// An identity that is a part of the columns.
struct Part {
    identity: Digester,
    rest: Digester,
    leaves: Vec<LeafPath>,
    rest_columns: Rest,
}

impl std::fmt::Debug for IdentityDigests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let leaves = self.part.as_ref().map(|part| &part.leaves);
        f.debug_struct("IdentityDigests").field("leaves", &leaves).finish_non_exhaustive()
    }
}

/// The digests of one batch, by row.
#[derive(Debug)]
pub struct RowDigests {
    /// Of all columns.
    pub row: Vec<Digest>,
    /// Of the identity columns.
    pub identity: Vec<IdentityHash>,
    /// Of the other columns; all alike in mode `content`, which has none.
    pub rest: Vec<Digest>,
    /// Whether there is any value in the other columns.
    pub has_rest: Vec<bool>,
}

impl BoundIdentity {
    /// The identity's leaves; none in mode `content`.
    pub fn leaves(&self) -> Vec<LeafPath> {
        match self {
            BoundIdentity::Offset { topic, partition, offset, .. } => {
                topic.iter().chain(partition).chain([offset]).cloned().collect()
            }
            BoundIdentity::Key { leaves, .. } => leaves.clone(),
            BoundIdentity::Content { .. } => Vec::new(),
        }
    }

    /// The window column, if there is one.
    pub fn window(&self) -> Option<&LeafPath> {
        match self {
            BoundIdentity::Offset { .. } => None,
            BoundIdentity::Key { window, .. } | BoundIdentity::Content { window, .. } => window.as_ref(),
        }
    }

    /// How the judge pairs by it.
    pub fn mode(&self) -> ModeKind {
        match self {
            BoundIdentity::Offset { .. } => ModeKind::Offset,
            BoundIdentity::Key { .. } => ModeKind::Key,
            BoundIdentity::Content { .. } => ModeKind::Content,
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
        let row = Digester::new(&row_spec(columns), key)?;
        let part = match identity {
            BoundIdentity::Content { .. } => None,
            _ => Some(Part::new(columns, identity.leaves(), key)?),
        };
        Ok(Self { row, part })
    }

    /// Whether a column (index) holds a part of the identity.
    pub fn in_identity(&self, column: usize) -> bool {
        self.part.as_ref().is_none_or(|part| part.leaves.iter().any(|leaf| leaf[0] == column))
    }

    /// Whether a column (index) holds a part of the rest.
    pub fn in_rest(&self, column: usize) -> bool {
        self.part.as_ref().is_some_and(|part| part.rest_columns.holds(column))
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
        match &self.part {
            Some(part) => part.identities(rows, columns, inexact),
            None => self.row.digest(rows, columns, inexact, identities),
        }
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
        let row = self.row.digest(rows, columns, inexact(&|_| true).as_ref(), <[Digest]>::to_vec)?;
        let Some(part) = &self.part else {
            let (rest, has_rest) = (vec![NO_REST; rows], vec![false; rows]);
            return Ok(RowDigests { identity: identities(&row), rest, has_rest, row });
        };
        let of_identity = inexact(&|column| self.in_identity(column));
        let of_rest = inexact(&|column| self.in_rest(column));
        let rest_arrays = part.rest_columns.project(columns);
        Ok(RowDigests {
            row,
            identity: part.identities(rows, columns, of_identity.as_ref())?,
            rest: part.rest.digest(rows, &rest_arrays, of_rest.as_ref(), <[Digest]>::to_vec)?,
            has_rest: (0..rows).map(|row| rest_arrays.iter().any(|array| has_value(array, row))).collect(),
        })
    }
}

/// What stands for the rest where there is none; the judge of mode `content` asks for no rest.
const NO_REST: Digest = Digest([0; 32]);

fn identities(digests: &[Digest]) -> Vec<IdentityHash> {
    digests.iter().map(Digest::identity).collect()
}

impl Part {
    fn new(columns: &[BoundColumn], leaves: Vec<LeafPath>, key: &DigestKey) -> Result<Self, EncodeError> {
        // Leaves of one struct share no parent in the encoding: their ids are unique in the schema.
        let identity_fields = leaves.iter().map(|leaf| leaf_field(columns, leaf).clone()).collect();
        let rest_columns = Rest::new(columns, &leaves);
        let identity = Digester::new(&DigestSpec { domain: Domain::Identity, fields: identity_fields }, key)?;
        let rest = DigestSpec { domain: Domain::Rest, fields: rest_columns.fields().to_vec() };
        let rest = Digester::new(&rest, key)?;
        Ok(Self { identity, rest, leaves, rest_columns })
    }

    fn identities(
        &self,
        rows: usize,
        columns: &[ArrayRef],
        inexact: Option<&BinaryArray>,
    ) -> Result<Vec<IdentityHash>, EncodeError> {
        let leaves: Vec<ArrayRef> = self.leaves.iter().map(|leaf| leaf_array(columns, leaf)).collect();
        self.identity.digest(rows, &leaves, inexact, identities)
    }
}
