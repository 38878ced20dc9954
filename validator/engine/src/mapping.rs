//! Mapping: a batch of decoded messages becomes the rows they should be.
//!
//! Contract: one output row per message, in order. What a column cannot hold exactly is a mark, what
//! cannot be converted or computed is a fault of that message alone; neither touches its neighbours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StructArray, new_null_array};
use arrow_cast::cast;
use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use arrow_select::concat::concat;
use validator_core::convert::{self, Converted};
use validator_core::schema::{Field, Type};
use validator_tap::Decoded;

use crate::binding::{Binding, ColumnSource, PositionPart};
use crate::expr::{ExprError, MessageExpr};
use crate::map_fault::MapFault;
use crate::map_type::{as_column, compile_column, compile_filter};
use crate::positions::Positions;
use crate::wide_decimal::trimmed;

/// Stands for the filter where a column's index would.
pub const FILTER: usize = usize::MAX;

/// Stands for `delete_when` where a column's index would.
pub const DELETE_WHEN: usize = usize::MAX - 1;

/// A value that its column cannot hold exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The row of the batch.
    pub row: usize,
    /// The column, index into [`Binding::columns`].
    pub column: usize,
    /// The message's own text.
    pub text: String,
}

/// The rows that a batch of messages should be.
#[derive(Debug, Default)]
pub struct Mapped {
    /// One array per bound column, of exactly its Arrow type.
    pub columns: Vec<ArrayRef>,
    /// Inexact values; NULL in the array.
    pub marks: Vec<Mark>,
    /// Row → first column and reason of what could not be mapped.
    pub failed: BTreeMap<usize, (usize, String)>,
    /// Every (row, column) that could not be mapped.
    pub failed_cells: Vec<(usize, usize)>,
    /// Rows that the filter does not keep.
    pub filtered: Vec<usize>,
    /// Rows for which `delete_when` is true.
    pub deleting: Vec<usize>,
}

/// Values that a declared tolerance or a documented rounding changed, by column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyCounts {
    /// (column, tolerance) → messages.
    pub messages: BTreeMap<(String, &'static str), u64>,
}

impl PolicyCounts {
    /// Adds what another thread counted.
    pub fn add(&mut self, other: &PolicyCounts) {
        for (key, count) in &other.messages {
            *self.messages.entry(key.clone()).or_default() += count;
        }
    }
}

/// The compiled mapping of one binding; one per reading thread.
pub struct Mapper {
    binding: Arc<Binding>,
    input: SchemaRef,
    filter: Option<MessageExpr>,
    /// The message fields that the filter refers to, as indexes into `wanted`.
    filter_inputs: Vec<usize>,
    /// `delete_when`, and the message fields that it refers to.
    deletion: Option<(MessageExpr, Vec<usize>)>,
    /// The columns that the message's own key, headers or position make the identity of.
    key_columns: Vec<usize>,
    expressions: Vec<Option<MessageExpr>>,
    /// Per column: how many values a written `round` changed.
    rounded: Vec<Arc<AtomicU64>>,
    /// Per column: the message fields its expression refers to, as indexes into `wanted`.
    inputs: Vec<Vec<usize>>,
    /// The message fields that any expression refers to, and whether a message had a value there.
    sql_fields: BTreeMap<usize, bool>,
    policy: PolicyCounts,
}

impl Mapper {
    /// Compiles every expression of `binding` over the decoder's `fields`.
    ///
    /// # Errors
    /// Each column (or `filter`) whose expression is wrong, and what is wrong with it; at least one.
    pub fn new(binding: Arc<Binding>, fields: &[Field]) -> Result<Self, Vec<(String, ExprError)>> {
        let input = Arc::new(input_schema(&binding, fields));
        let mut wrong = Vec::new();
        let filter = binding
            .filter
            .as_deref()
            .and_then(|sql| compile_filter(sql, &input).map_err(|error| wrong.push(("filter".to_owned(), error))).ok());
        let (filter, names) = filter.unzip();
        let filter_inputs = indexes(fields, &names.unwrap_or_default());
        let deletion = binding.upsert.as_ref().and_then(|upsert| upsert.delete_when.as_deref()).and_then(|sql| {
            let compiled = compile_filter(sql, &input);
            compiled.map_err(|error| wrong.push(("delete_when".to_owned(), error))).ok()
        });
        let deletion = deletion.map(|(expression, names)| (expression, indexes(fields, &names)));
        let (mut expressions, mut rounded, mut inputs) = (Vec::new(), Vec::new(), Vec::new());
        for column in &binding.columns {
            let counter = Arc::new(AtomicU64::new(0));
            let compiled = match &column.source {
                ColumnSource::Sql(sql) => compile_column(sql, &input, &counter, &column.field).map(Some),
                _ => Ok(None),
            };
            let compiled = compiled.map_err(|error| wrong.push((column.field.name.clone(), error))).ok().flatten();
            let (expression, names) = compiled.unzip();
            inputs.push(indexes(fields, &names.unwrap_or_default()));
            expressions.push(expression);
            rounded.push(counter);
        }
        match wrong.is_empty() {
            true => {
                let policy = PolicyCounts::default();
                let of_deletion = deletion.iter().flat_map(|(_, fields)| fields);
                let sql_fields = inputs.iter().flatten().chain(&filter_inputs).chain(of_deletion);
                let sql_fields = sql_fields.map(|field| (*field, false)).collect();
                let names_keys = binding.upsert.as_ref().is_some_and(|upsert| upsert.names_keys);
                let key_columns = binding.identity.leaves().iter().map(|leaf| leaf[0]).filter(|_| names_keys).collect();
                Ok(Self {
                    binding,
                    input,
                    filter,
                    filter_inputs,
                    deletion,
                    key_columns,
                    expressions,
                    rounded,
                    inputs,
                    sql_fields,
                    policy,
                })
            }
            false => Err(wrong),
        }
    }

    /// The tolerances used so far.
    pub fn policy(&self) -> &PolicyCounts {
        &self.policy
    }

    /// The same since this was last asked.
    pub fn take_policy(&mut self) -> PolicyCounts {
        std::mem::take(&mut self.policy)
    }

    /// The message fields that expressions refer to, and whether a message had a value there.
    pub fn sql_fields(&self) -> BTreeMap<String, bool> {
        self.sql_fields.iter().map(|(field, is_there)| (self.input.field(*field).name().clone(), *is_there)).collect()
    }

    /// Maps one batch; `alive[row]` is false for messages that have no fields (undecodable, tombstones).
    pub fn map(&mut self, decoded: &Decoded, positions: &Positions, alive: &[bool]) -> Mapped {
        let batch = self.input_batch(decoded, positions);
        let mut mapped = Mapped::default();
        for (field, is_there) in self.sql_fields.iter_mut().filter(|(_, is_there)| !**is_there) {
            let has_value = decoded.columns[*field].null_count() < decoded.rows;
            *is_there = has_value || decoded.inexact.iter().any(|(_, inexact, _)| inexact == field);
        }
        self.filter_rows(&batch, &decoded.inexact, alive, &mut mapped);
        for index in 0..self.binding.columns.len() {
            let array = self.column(index, decoded, &batch, positions, alive, &mut mapped);
            mapped.columns.push(array);
        }
        for (name, count) in &decoded.rounded_to_double {
            *self.policy.messages.entry((name.clone(), "rounded_to_double")).or_default() += count;
        }
        mapped
    }

    fn input_batch(&self, decoded: &Decoded, positions: &Positions) -> RecordBatch {
        let mut columns = decoded.columns.clone();
        let names = self.input.fields().iter().skip(columns.len());
        columns.extend(names.map(|field| positions.meta(field.name())));
        let options = RecordBatchOptions::new().with_row_count(Some(decoded.rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.input), columns, &options)
            .expect("a decoder delivers its fields' types, one row per message")
    }

    /// A condition sees NULL where a field's value is inexact, and what it says of that NULL is no word about the message:
    /// such a message cannot be judged, and never counts as excluded.
    fn filter_rows(
        &self,
        batch: &RecordBatch,
        inexact: &[(usize, usize, String)],
        alive: &[bool],
        mapped: &mut Mapped,
    ) {
        if let Some(filter) = &self.filter {
            let keep = self.holds((filter, &self.filter_inputs), FILTER, batch, inexact, alive, mapped);
            let dropped = |row: &usize| alive[*row] && !mapped.failed.contains_key(row) && !keep[*row];
            mapped.filtered = (0..batch.num_rows()).filter(dropped).collect();
        }
        if let Some((deletion, inputs)) = &self.deletion {
            let deletes = self.holds((deletion, inputs), DELETE_WHEN, batch, inexact, alive, mapped);
            let deleting = |row: &usize| alive[*row] && !mapped.failed.contains_key(row) && deletes[*row];
            mapped.deleting = (0..batch.num_rows()).filter(deleting).collect();
        }
    }

    /// Whether the condition is true of each row; notes those of which it cannot be told.
    fn holds(
        &self,
        (condition, inputs): (&MessageExpr, &[usize]),
        place: usize,
        batch: &RecordBatch,
        inexact: &[(usize, usize, String)],
        alive: &[bool],
        mapped: &mut Mapped,
    ) -> Vec<bool> {
        for (row, field, text) in inexact {
            if alive[*row] && inputs.contains(field) {
                let name = self.input.field(*field).name();
                let why = format!("field {name} has no exact value for {text}");
                mapped.failed.entry(*row).or_insert((place, why));
            }
        }
        let (holds, faults) = evaluate(condition, batch, &AtomicU64::new(0));
        for (row, fault) in faults {
            if alive[row] {
                mapped.failed.entry(row).or_insert((place, fault.to_string()));
            }
        }
        let holds =
            cast(&holds, &DataType::Boolean).unwrap_or_else(|_| new_null_array(&DataType::Boolean, batch.num_rows()));
        let holds = holds.as_boolean();
        (0..batch.num_rows()).map(|row| holds.is_valid(row) && holds.value(row)).collect()
    }

    fn column(
        &mut self,
        index: usize,
        decoded: &Decoded,
        batch: &RecordBatch,
        positions: &Positions,
        alive: &[bool],
        mapped: &mut Mapped,
    ) -> ArrayRef {
        let binding = Arc::clone(&self.binding);
        let column = &binding.columns[index];
        match &column.source {
            ColumnSource::Position(part) => positions.part(*part, &column.field.ty),
            ColumnSource::PositionStruct(parts) => position_struct(parts, &column.field, positions),
            ColumnSource::Field { index: field, from } => {
                let of_field = decoded.inexact.iter().filter(|(_, f, _)| f == field);
                mapped.marks.extend(of_field.map(|(row, _, text)| Mark {
                    row: *row,
                    column: index,
                    text: text.clone(),
                }));
                let mut converted = convert::convert(&decoded.columns[*field], from, &column.field.ty);
                if matches!(from, Type::Decimal { .. }) {
                    // The field has digits behind those of its column; the message need not have written them.
                    converted.inexact.iter_mut().for_each(|(_, text)| *text = trimmed(text).to_owned());
                }
                self.take(index, converted, alive, mapped)
            }
            ColumnSource::Sql(_) => {
                let Some(expression) = self.expressions[index].clone() else {
                    unreachable!("every SQL source is compiled")
                };
                let (array, faults) = evaluate(&expression, batch, &self.rounded[index]);
                for (row, fault) in faults {
                    self.fault(index, row, fault, alive, mapped);
                }
                let inputs = &self.inputs[index];
                let poisoned = decoded.inexact.iter().filter(|(_, field, _)| inputs.contains(field));
                mapped.marks.extend(poisoned.map(|(row, _, text)| Mark {
                    row: *row,
                    column: index,
                    text: text.clone(),
                }));
                self.count_rounded(index);
                self.take(index, as_column(&array, &column.field.ty), alive, mapped)
            }
        }
    }

    fn take(&mut self, index: usize, converted: Converted, alive: &[bool], mapped: &mut Mapped) -> ArrayRef {
        let name = &self.binding.columns[index].field.name;
        if converted.rounded_to_double > 0 {
            *self.policy.messages.entry((name.clone(), "rounded_to_double")).or_default() +=
                converted.rounded_to_double;
        }
        for (row, text) in converted.inexact {
            self.fault(index, row, MapFault::Inexact(text), alive, mapped);
        }
        for (row, why) in converted.failed {
            self.fault(index, row, MapFault::Failed(why), alive, mapped);
        }
        converted.array
    }

    fn fault(&self, index: usize, row: usize, fault: MapFault, alive: &[bool], mapped: &mut Mapped) {
        match fault {
            // Of such a message the key may still be known, and nothing else is asked.
            _ if !alive[row] && self.key_columns.contains(&index) => mapped.failed_cells.push((row, index)),
            _ if !alive[row] => {}
            MapFault::Inexact(text) => mapped.marks.push(Mark { row, column: index, text }),
            MapFault::Failed(why) => {
                mapped.failed_cells.push((row, index));
                mapped.failed.entry(row).or_insert((index, why));
            }
        }
    }

    fn count_rounded(&mut self, index: usize) {
        let rounded = self.rounded[index].swap(0, Ordering::Relaxed);
        if rounded > 0 {
            let name = self.binding.columns[index].field.name.clone();
            *self.policy.messages.entry((name, "round")).or_default() += rounded;
        }
    }
}

/// Evaluates row by row where it must: a fault halves the batch until it stands alone. What an evaluation that failed has `rounded` does not
/// count: each half counts anew.
fn evaluate(expression: &MessageExpr, batch: &RecordBatch, rounded: &AtomicU64) -> (ArrayRef, Vec<(usize, MapFault)>) {
    fn halves(
        expression: &MessageExpr,
        batch: &RecordBatch,
        rounded: &AtomicU64,
        first: usize,
        faults: &mut Vec<(usize, MapFault)>,
    ) -> ArrayRef {
        let (rows, before) = (batch.num_rows(), rounded.load(Ordering::Relaxed));
        let evaluated = expression.evaluate(batch);
        if evaluated.is_err() {
            rounded.store(before, Ordering::Relaxed);
        }
        match evaluated {
            Ok(array) => array,
            Err(fault) if rows == 1 => {
                faults.push((first, fault));
                new_null_array(expression.data_type(), 1)
            }
            Err(_) => {
                let half = rows / 2;
                let left = halves(expression, &batch.slice(0, half), rounded, first, faults);
                let right = halves(expression, &batch.slice(half, rows - half), rounded, first + half, faults);
                concat(&[&left, &right]).expect("both halves have the expression's type")
            }
        }
    }
    if batch.num_rows() == 0 {
        return (new_null_array(expression.data_type(), 0), Vec::new());
    }
    let mut faults = Vec::new();
    let array = halves(expression, batch, rounded, 0, &mut faults);
    (array, faults)
}

/// Where the fields of these names are.
fn indexes(fields: &[Field], names: &BTreeSet<String>) -> Vec<usize> {
    if names.is_empty() {
        return Vec::new();
    }
    (0..fields.len()).filter(|&index| names.contains(&fields[index].name)).collect()
}

/// The columns that expressions see: the decoder's fields, then the parts of the message that they name.
fn input_schema(binding: &Binding, fields: &[Field]) -> ArrowSchema {
    let delivered = |name: &String| fields.iter().any(|field| field.name == *name);
    let meta = binding.meta_names.iter().filter(|name| !delivered(name));
    let meta = meta.map(|name| ArrowField::new(name, Positions::meta_type(name), true));
    ArrowSchema::new(fields.iter().map(Field::to_arrow).chain(meta).collect::<Vec<_>>())
}

fn position_struct(parts: &[PositionPart], field: &Field, positions: &Positions) -> ArrayRef {
    let Type::Struct(children) = &field.ty else { unreachable!("bound to a struct") };
    let arrays = parts.iter().zip(children).map(|(part, child)| positions.part(*part, &child.ty)).collect();
    let DataType::Struct(fields) = field.ty.to_arrow() else { unreachable!("a struct is a struct") };
    Arc::new(StructArray::try_new(fields, arrays, None).expect("parts have their children's types"))
}
