//! CAST that never loses: the function that stands in for every CAST of a contract's expressions.
//!
//! Contract: a value comes out equal or the call fails with a [`MapFault`]; the mapping then looks for
//! the one message that caused it. Source: interface, "`[map]`: CAST and the like are exact here".

use std::any::Any;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, new_null_array};
use arrow_cast::display::array_value_to_string;
use arrow_cast::{CastOptions, can_cast_types, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use validator_core::convert;
use validator_core::schema::Type;

use crate::map_fault::MapFault;

/// `exact_cast(value)` to one type; with `attempt`, text that does not parse is NULL (TRY_CAST).
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ExactCast {
    to: DataType,
    attempt: bool,
    signature: Signature,
}

impl ExactCast {
    /// The cast to `to`.
    pub fn new(to: DataType, attempt: bool) -> Self {
        Self { to, attempt, signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ExactCast {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        if self.attempt { "exact_try_cast" } else { "exact_cast" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let from = args.arg_fields[0].data_type();
        if from != &DataType::Null && core_types(from, &self.to).is_none() && !can_cast_types(from, &self.to) {
            return plan_err!("there is no cast from {from} to {}", self.to);
        }
        Ok(Arc::new(Field::new(self.name(), self.to.clone(), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = ColumnarValue::values_to_arrays(&args.args)?.remove(0);
        Ok(ColumnarValue::Array(self.cast(&array)?))
    }
}

impl ExactCast {
    fn cast(&self, array: &ArrayRef) -> Result<ArrayRef> {
        if array.data_type() == &self.to {
            return Ok(Arc::clone(array));
        }
        if array.data_type() == &DataType::Null {
            return Ok(new_null_array(&self.to, array.len()));
        }
        match core_types(array.data_type(), &self.to) {
            Some((from, to)) => {
                let converted = convert::convert(array, &from, &to);
                if let Some((_, text)) = converted.inexact.first() {
                    return Err(MapFault::Inexact(text.clone()).into());
                }
                match converted.failed.first() {
                    Some((_, why)) if !self.attempt => Err(MapFault::Failed(why.clone()).into()),
                    _ => Ok(converted.array),
                }
            }
            None => self.cast_and_back(array),
        }
    }

    /// Casts that the contract's own conversions do not know: Arrow's kernel, held against its way back.
    fn cast_and_back(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let options = CastOptions { safe: self.attempt, ..CastOptions::default() };
        let there = cast_with_options(array, &self.to, &options).map_err(|e| MapFault::Failed(e.to_string()))?;
        let from_text = matches!(array.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        if from_text || !can_cast_types(&self.to, array.data_type()) {
            return Ok(there);
        }
        let back = cast_with_options(&there, array.data_type(), &CastOptions::default())
            .map_err(|e| MapFault::Failed(e.to_string()))?;
        let same: BooleanArray = datafusion::arrow::compute::kernels::cmp::not_distinct(array, &back)?;
        match (0..same.len()).find(|&row| !same.value(row)) {
            Some(row) => Err(MapFault::Inexact(array_value_to_string(array, row)?).into()),
            None => Ok(there),
        }
    }
}

/// Both types as table types, where the contract's own conversion serves.
fn core_types(from: &DataType, to: &DataType) -> Option<(Type, Type)> {
    let (from, to) = (Type::from_arrow(from)?, Type::from_arrow(to)?);
    convert::castable(&from, &to).is_ok().then_some((from, to))
}
