//! `row_digest(column…, _inexact)`: the keyed BLAKE3 of each row's canonical bytes, as a DataFusion function.
//!
//! Contract: arguments are the described columns in the described order, then the marks of inexact
//! values (Binary, NULL for a row without any). The result is never NULL.

use std::any::Any;
use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BinaryArray, FixedSizeBinaryArray};
use arrow_buffer::Buffer;
use arrow_schema::{DataType, Field as ArrowField, FieldRef};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use validator_core::digest::{Digest, DigestKey, RowHasher};
use validator_core::encode::{Arena, Domain, EncodeError, RowEncoder};
use validator_core::schema::Field;

/// What is digested: which columns, in which domain. A description, so that a plan can travel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DigestSpec {
    /// The domain: whole rows, identities, or the rest.
    pub domain: Domain,
    /// The columns in the order of the arguments.
    pub fields: Vec<Field>,
}

/// Digests batches by one [`DigestSpec`]; holds the compiled encoder.
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

/// The DataFusion function.
pub struct RowDigest {
    spec: DigestSpec,
    digester: Digester,
    signature: Signature,
}

impl RowDigest {
    /// The function for `spec`.
    ///
    /// # Errors
    /// A column type that has no canonical bytes.
    pub fn new(spec: DigestSpec, key: &DigestKey) -> Result<Self, EncodeError> {
        let digester = Digester::new(&spec, key)?;
        Ok(Self { spec, digester, signature: Signature::variadic_any(Volatility::Immutable) })
    }
}

impl std::fmt::Debug for RowDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowDigest").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl PartialEq for RowDigest {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl Eq for RowDigest {}

impl Hash for RowDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.hash(state);
    }
}

impl ScalarUDFImpl for RowDigest {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "row_digest"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::FixedSizeBinary(32))
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(ArrowField::new(self.name(), DataType::FixedSizeBinary(32), false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut columns = ColumnarValue::values_to_arrays(&args.args)?;
        let marks = columns.pop().ok_or_else(|| exec_datafusion_err!("row_digest without arguments"))?;
        let marks = marks.as_any().downcast_ref::<BinaryArray>().filter(|marks| marks.null_count() < marks.len());
        let bytes = self
            .digester
            .digest(args.number_rows, &columns, marks, |digests| digests.iter().flat_map(|d| d.0).collect::<Vec<u8>>())
            .map_err(|e| exec_datafusion_err!("{e}"))?;
        let array = FixedSizeBinaryArray::try_new(32, Buffer::from_vec(bytes), None)?;
        Ok(ColumnarValue::Array(Arc::new(array)))
    }
}
