//! Some rows of a batch: a selection that is made once and applied to each column.

use arrow_array::{ArrayRef, BooleanArray};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_select::filter::{FilterBuilder, FilterPredicate};

/// A selection.
#[derive(Debug)]
pub struct Mask(FilterPredicate);

impl Mask {
    /// These rows, ascending, of so many.
    pub fn new(len: usize, rows: &[usize]) -> Self {
        let mut bits = BooleanBufferBuilder::new(len);
        bits.append_n(len, false);
        rows.iter().for_each(|row| bits.set_bit(*row, true));
        let bits: BooleanBuffer = bits.finish();
        Self(FilterBuilder::new(&BooleanArray::new(bits, None)).optimize().build())
    }

    /// The selected rows of each column.
    pub fn columns(&self, columns: &[ArrayRef]) -> Vec<ArrayRef> {
        columns.iter().map(|column| self.0.filter(column).expect("a mask is as long as its columns")).collect()
    }
}
