//! `round`, counted: rounding that a contract writes is a tolerance, so each value it changes is counted.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::{DataType, FieldRef};
use datafusion::arrow::compute::kernels::cmp::distinct;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// DataFusion's `round` with a counter of the values it changed.
#[derive(Debug)]
pub struct CountedRound {
    inner: Arc<ScalarUDF>,
    changed: Arc<AtomicU64>,
}

impl CountedRound {
    /// Counts into `changed`.
    pub fn new(changed: Arc<AtomicU64>) -> Self {
        Self { inner: datafusion::functions::math::round(), changed }
    }
}

impl PartialEq for CountedRound {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.changed, &other.changed)
    }
}

impl Eq for CountedRound {}

impl Hash for CountedRound {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.changed).hash(state);
    }
}

impl ScalarUDFImpl for CountedRound {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "round"
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (rows, before) = (args.number_rows, args.args[0].clone());
        let after = self.inner.invoke_with_args(args)?;
        let (before, after_array) = (before.into_array(rows)?, after.to_array(rows)?);
        self.changed.fetch_add(changed(&before, &after_array)?, Ordering::Relaxed);
        Ok(after)
    }
}

/// How many values differ, compared in the wider of the two types.
fn changed(before: &ArrayRef, after: &ArrayRef) -> Result<u64> {
    let after = cast(after, before.data_type())?;
    Ok(distinct(before, &after)?.true_count() as u64)
}
