//! Some rows of a batch: a selection that is made once and applied to each column.

use arrow_array::{ArrayRef, BooleanArray};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_select::filter::{FilterBuilder, FilterPredicate};

/// A selection.
#[derive(Debug)]
pub struct Selection(FilterPredicate);

impl Selection {
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
        columns.iter().map(|column| self.0.filter(column).expect("a selection is as long as its columns")).collect()
    }

    /// The same of some columns, with their indexes.
    pub fn originals(&self, columns: &[(usize, ArrayRef)]) -> Vec<(usize, ArrayRef)> {
        let (indexes, arrays): (Vec<usize>, Vec<ArrayRef>) = columns.iter().cloned().unzip();
        indexes.into_iter().zip(self.columns(&arrays)).collect()
    }
}
