//! CAST that never loses: the function that stands in for every CAST of a contract's expressions.
//!
//! Contract: a value comes out equal or the call fails with a [`MapFault`]; the mapping then looks for
//! the one message that caused it. Source: interface, "`[map]`: CAST and the like are exact here".

use std::any::Any;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, new_null_array};
use arrow_cast::display::array_value_to_string;
use arrow_cast::{CastOptions, can_cast_types, cast, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use validator_core::convert::{self, Converted};
use validator_core::schema::Type;

use crate::map_fault::MapFault;
use crate::wide_decimal;

/// `exact_cast(value)` to one type; with `attempt`, text that does not parse is NULL (TRY_CAST).
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ExactCast {
    to: DataType,
    attempt: bool,
    /// The zone in which a wall time is read on its way to an instant, where it is not UTC.
    zone: Option<Arc<str>>,
    signature: Signature,
}

impl ExactCast {
    /// The cast to `to`.
    pub fn new(to: DataType, attempt: bool) -> Self {
        Self { to, attempt, zone: None, signature: Signature::any(1, Volatility::Immutable) }
    }

    /// The same cast to an instant, from wall times of that zone.
    pub fn read_in(self, zone: Arc<str>) -> Self {
        Self { zone: Some(zone), ..self }
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
        match &args.args[0] {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(self.cast(array)?)),
            ColumnarValue::Scalar(value) => {
                let array = self.cast(&value.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
        }
    }
}

impl ExactCast {
    /// The values of `array` in the type of the cast.
    ///
    /// # Errors
    /// A [`MapFault`] where one of them has none.
    pub fn cast(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let from = array.data_type();
        if from == &self.to {
            return Ok(Arc::clone(array));
        }
        if from == &DataType::Null {
            return Ok(new_null_array(&self.to, array.len()));
        }
        if let Some(zone) = &self.zone {
            return self.wall_times(array, zone);
        }
        match (from, &self.to) {
            // Every text is made by the same hand, whatever holds it.
            (_, DataType::Utf8View | DataType::LargeUtf8) if !is_text(from) => {
                let text = Self::new(DataType::Utf8, self.attempt).cast(array)?;
                Ok(cast(&text, &self.to)?)
            }
            (DataType::Decimal128(..), DataType::Decimal256(..)) => self.arrow(array),
            _ if from.is_integer() && matches!(self.to, DataType::Decimal256(..)) => self.arrow(array),
            (DataType::Decimal256(..), _) => match Type::from_arrow(&self.to) {
                Some(to) => self.settle(wide_decimal::narrow(array, &to)),
                None => self.cast_and_back(array),
            },
            _ => match core_types(from, &self.to) {
                Some((from, to)) => self.settle(convert::convert(array, &from, &to)),
                None => self.cast_and_back(array),
            },
        }
    }

    fn settle(&self, converted: Converted) -> Result<ArrayRef> {
        if let Some((_, text)) = converted.inexact.first() {
            return Err(MapFault::Inexact(text.clone()).into());
        }
        match converted.failed.first() {
            Some((_, why)) if !self.attempt => Err(MapFault::Failed(why.clone()).into()),
            // The names and labels inside a list, struct or map may be others.
            _ if converted.array.data_type() != &self.to => Ok(cast(&converted.array, &self.to)?),
            _ => Ok(converted.array),
        }
    }

    /// Arrow's cast, which is exact between these types or fails.
    fn arrow(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let options = CastOptions { safe: self.attempt, ..CastOptions::default() };
        Ok(cast_with_options(array, &self.to, &options).map_err(|e| MapFault::Failed(e.to_string()))?)
    }

    /// Wall times of a zone as instants; one that the zone's clocks skip or show twice is no instant.
    fn wall_times(&self, array: &ArrayRef, zone: &Arc<str>) -> Result<ArrayRef> {
        let DataType::Timestamp(unit, _) = self.to else { unreachable!("only instants have a zone") };
        let there = Self::new(DataType::Timestamp(unit, Some(Arc::clone(zone))), self.attempt).arrow(array)?;
        // The same instants with the label that all have here.
        Ok(cast(&there, &self.to)?)
    }

    /// Casts that the contract's own conversions do not know: Arrow's kernel, held against its way back.
    fn cast_and_back(&self, array: &ArrayRef) -> Result<ArrayRef> {
        if is_text(array.data_type()) || !can_cast_types(&self.to, array.data_type()) {
            return self.arrow(array);
        }
        // What does not fit becomes NULL, which is not what comes back.
        let there = cast(array, &self.to).map_err(|e| MapFault::Failed(e.to_string()))?;
        let back = cast_with_options(&there, array.data_type(), &CastOptions::default())
            .map_err(|e| MapFault::Failed(e.to_string()))?;
        let same: BooleanArray = datafusion::arrow::compute::kernels::cmp::not_distinct(array, &back)?;
        match (0..same.len()).find(|&row| !same.value(row)) {
            Some(row) => Err(MapFault::Inexact(array_value_to_string(array, row)?).into()),
            None => Ok(there),
        }
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Both types as table types, where the contract's own conversion serves.
fn core_types(from: &DataType, to: &DataType) -> Option<(Type, Type)> {
    let (from, to) = (Type::from_arrow(from)?, Type::from_arrow(to)?);
    convert::castable(&from, &to).is_ok().then_some((from, to))
}
