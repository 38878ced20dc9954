//! `bag(bag)`: the bag of all bags of a group, as a DataFusion aggregate.
//!
//! Contract: argument, state and result are bags of 40 bytes (count, then sum, little-endian), so partial bags of
//! partitions, files and processes merge in any order.

use std::any::Any;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, FixedSizeBinaryArray};
use arrow_buffer::Buffer;
use arrow_schema::{DataType, Field as ArrowField, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};
use validator_core::bag::{BAG_BYTES, Bag};

/// The type of bags.
const BAG: DataType = DataType::FixedSizeBinary(BAG_BYTES as i32);

/// The aggregate function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BagSum {
    signature: Signature,
}

impl Default for BagSum {
    fn default() -> Self {
        Self { signature: Signature::exact(vec![BAG], Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for BagSum {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "bag"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(BAG)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format!("{}[bag]", args.name);
        Ok(vec![Arc::new(ArrowField::new(name, BAG, false))])
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneBag(Bag::default())))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Bags(Vec::new())))
    }

    fn default_value(&self, _data_type: &DataType) -> Result<ScalarValue> {
        Ok(bag_scalar(&Bag::default()))
    }
}

/// The bag in row `row` of a result or state column.
///
/// # Errors
/// The column is not 40 bytes wide.
pub fn bag_at(column: &ArrayRef, row: usize) -> Result<Bag> {
    bag_of(fixed(column)?.value(row))
}

#[derive(Debug)]
struct OneBag(Bag);

impl Accumulator for OneBag {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.merge_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let states = fixed(&states[0])?;
        for row in 0..states.len() {
            self.0.merge(&bag_of(states.value(row))?);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(bag_scalar(&self.0))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![bag_scalar(&self.0)])
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

struct Bags(Vec<Bag>);

impl GroupsAccumulator for Bags {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.0.resize(total_num_groups, Bag::default());
        let bags = fixed(&values[0])?;
        for (row, group) in group_indices.iter().enumerate() {
            if opt_filter.is_none_or(|keep| keep.is_valid(row) && keep.value(row)) {
                self.0[*group].merge(&bag_of(bags.value(row))?);
            }
        }
        Ok(())
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.update_batch(values, group_indices, opt_filter, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let bytes: Vec<u8> = emit_to.take_needed(&mut self.0).iter().flat_map(Bag::to_bytes).collect();
        Ok(Arc::new(FixedSizeBinaryArray::try_new(BAG_BYTES as i32, Buffer::from_vec(bytes), None)?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn size(&self) -> usize {
        self.0.capacity() * size_of::<Bag>()
    }
}

fn fixed(array: &ArrayRef) -> Result<&FixedSizeBinaryArray> {
    array
        .as_any()
        .downcast_ref()
        .ok_or_else(|| exec_datafusion_err!("expected fixed-size bytes, got {}", array.data_type()))
}

fn bag_of(bytes: &[u8]) -> Result<Bag> {
    Bag::from_slice(bytes).ok_or_else(|| exec_datafusion_err!("a bag has {BAG_BYTES} bytes, not {}", bytes.len()))
}

fn bag_scalar(bag: &Bag) -> ScalarValue {
    ScalarValue::FixedSizeBinary(BAG_BYTES as i32, Some(bag.to_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use validator_core::digest::Digest;

    fn column(digests: &[[u8; 32]]) -> ArrayRef {
        let bytes = digests.iter().flat_map(|digest| bag(&[*digest]).to_bytes()).collect::<Vec<u8>>();
        Arc::new(FixedSizeBinaryArray::try_new(BAG_BYTES as i32, Buffer::from_vec(bytes), None).expect("whole bags"))
    }

    fn bag(digests: &[[u8; 32]]) -> Bag {
        let mut bag = Bag::default();
        digests.iter().for_each(|digest| bag.add(&Digest(*digest)));
        bag
    }

    #[test]
    fn partial_bags_merge_to_the_bag_of_all() {
        let all = [[1; 32], [255; 32], [7; 32], [255; 32]];
        let mut left = Bags(Vec::new());
        left.update_batch(&[column(&all[..2])], &[0, 1], None, 2).expect("digests");
        let mut right = Bags(Vec::new());
        right.update_batch(&[column(&all[2..])], &[1, 1], None, 2).expect("digests");
        let state = right.state(EmitTo::All).expect("a state");
        left.merge_batch(&state, &[0, 1], None, 2).expect("bags");
        let merged = left.evaluate(EmitTo::All).expect("bags");
        assert_eq!(bag_at(&merged, 0).expect("a bag"), bag(&all[..1]));
        assert_eq!(bag_at(&merged, 1).expect("a bag"), bag(&all[1..]));
    }

    #[test]
    fn a_column_that_holds_no_bags_is_an_error() {
        let short: ArrayRef =
            Arc::new(FixedSizeBinaryArray::try_new(16, Buffer::from_vec(vec![0u8; 16]), None).expect("16 bytes"));
        assert!(OneBag(Bag::default()).update_batch(&[short]).is_err());
    }
}
