//! From buffers to Arrow arrays.

use std::sync::Arc;

use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, FixedSizeBinaryArray, ListArray, MapArray, PrimitiveArray,
    StringArray, StructArray,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};

use super::{Column, Data};

impl Column {
    /// Takes the values out as an array of the column's Arrow type; the column is empty afterwards.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        let len = self.len();
        let nulls = self.nulls.finish();
        match &mut self.data {
            Data::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Data::I32(values) => match &self.arrow {
                DataType::Int32 => primitive::<Int32Type>(values, nulls, &self.arrow),
                _ => primitive::<Date32Type>(values, nulls, &self.arrow),
            },
            Data::I64(values) => match &self.arrow {
                DataType::Int64 => primitive::<Int64Type>(values, nulls, &self.arrow),
                DataType::Time64(_) => primitive::<Time64MicrosecondType>(values, nulls, &self.arrow),
                DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                    primitive::<TimestampNanosecondType>(values, nulls, &self.arrow)
                }
                _ => primitive::<TimestampMicrosecondType>(values, nulls, &self.arrow),
            },
            Data::F32(values) => primitive::<Float32Type>(values, nulls, &self.arrow),
            Data::F64(values) => primitive::<Float64Type>(values, nulls, &self.arrow),
            Data::I128(values) => primitive::<Decimal128Type>(values, nulls, &self.arrow),
            Data::Text { offsets, bytes } => {
                let offsets = take_offsets(offsets);
                let values = Buffer::from_vec(take_again(bytes));
                match &self.arrow {
                    // Checks the UTF-8 once more, at memory speed: the safe constructor costs under 1 % of decoding.
                    DataType::Utf8 => Arc::new(
                        StringArray::try_new(offsets, values, nulls).expect("only valid UTF-8 is pushed as text"),
                    ),
                    _ => Arc::new(BinaryArray::new(offsets, values, nulls)),
                }
            }
            Data::Fixed { width, bytes } => {
                let values = Buffer::from_vec(take_again(bytes));
                Arc::new(FixedSizeBinaryArray::new(*width as i32, values, nulls))
            }
            Data::Struct(children) => {
                let DataType::Struct(fields) = &self.arrow else { super::mismatch() };
                let arrays = children.iter_mut().map(Column::finish).collect();
                Arc::new(
                    StructArray::try_new_with_length(fields.clone(), arrays, nulls, len)
                        .expect("children are optional, of their fields' types and of one length"),
                )
            }
            Data::List { offsets, element } => {
                let DataType::List(field) = &self.arrow else { super::mismatch() };
                Arc::new(ListArray::new(field.clone(), take_offsets(offsets), element.finish(), nulls))
            }
            Data::Map { offsets, entries } => {
                let DataType::Map(field, sorted) = &self.arrow else { super::mismatch() };
                let DataType::Struct(pair) = field.data_type() else { super::mismatch() };
                let arrays = entries.iter_mut().map(Column::finish).collect();
                let entries = StructArray::new(pair.clone(), arrays, None);
                Arc::new(MapArray::new(field.clone(), take_offsets(offsets), entries, nulls, *sorted))
            }
        }
    }
}

fn primitive<T: ArrowPrimitiveType>(values: &mut Vec<T::Native>, nulls: Option<NullBuffer>, ty: &DataType) -> ArrayRef {
    let values = ScalarBuffer::from(take_again(values));
    Arc::new(PrimitiveArray::<T>::new(values, nulls).with_data_type(ty.clone()))
}

/// Takes a buffer and leaves an empty one of the same capacity: the next batch is about as large.
fn take_again<T>(values: &mut Vec<T>) -> Vec<T> {
    let next = Vec::with_capacity(values.len());
    std::mem::replace(values, next)
}

fn take_offsets(offsets: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let taken = take_again(offsets);
    offsets.push(0);
    OffsetBuffer::new(ScalarBuffer::from(taken))
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use validator_core::schema::{Field, Type};

    use super::super::optional;
    use super::*;

    fn nested() -> Type {
        optional(&Type::Struct(vec![
            Field::new(0, "a", true, Type::Long),
            Field::new(0, "l", true, Type::List(Box::new(Field::new(0, "element", true, Type::String)))),
            Field::new(
                0,
                "m",
                false,
                Type::Map {
                    key: Box::new(Field::new(0, "key", true, Type::String)),
                    value: Box::new(Field::new(0, "value", true, Type::Fixed(2))),
                },
            ),
        ]))
    }

    fn push_nested(column: &mut Column, n: i64) {
        let Data::Struct(children) = &mut column.data else { panic!("a struct") };
        children[0].push_i64(n);
        let Data::List { element, .. } = &mut children[1].data else { panic!("a list") };
        element.push_bytes(b"x");
        element.push_null();
        children[1].close();
        let Data::Map { entries, .. } = &mut children[2].data else { panic!("a map") };
        entries[0].push_bytes(b"k");
        entries[1].push_bytes(b"vv");
        children[2].close();
        column.close();
    }

    #[test]
    fn finished_arrays_have_the_one_arrow_type_of_their_type() {
        let flat = [
            Type::Boolean,
            Type::Int,
            Type::Long,
            Type::Float,
            Type::Double,
            Type::Decimal { precision: 20, scale: 3 },
            Type::Date,
            Type::Time,
            Type::Timestamp,
            Type::Timestamptz,
            Type::TimestampNs,
            Type::TimestamptzNs,
            Type::String,
            Type::Uuid,
            Type::Fixed(3),
            Type::Binary,
            nested(),
        ];
        for ty in flat {
            let mut column = Column::new(&ty);
            for _ in 0..2 {
                column.push_null();
                column.push_empty();
                let array = column.finish();
                assert_eq!(array.data_type(), &ty.to_arrow(), "{ty}");
                assert_eq!((array.len(), array.null_count()), (2, 1), "{ty}");
                assert_eq!(column.len(), 0);
            }
        }
    }

    #[test]
    fn a_column_cut_back_in_the_middle_of_a_value_equals_one_that_never_saw_it() {
        let mut expected = Column::new(&nested());
        push_nested(&mut expected, 1);
        push_nested(&mut expected, 3);

        let mut column = Column::new(&nested());
        push_nested(&mut column, 1);
        let Data::Struct(children) = &mut column.data else { panic!("a struct") };
        children[0].push_i64(2);
        let Data::List { element, .. } = &mut children[1].data else { panic!("a list") };
        element.push_bytes(b"half");
        let Data::Map { entries, .. } = &mut children[2].data else { panic!("a map") };
        entries[0].push_bytes(b"key without value");
        column.truncate(1);
        push_nested(&mut column, 3);

        assert_eq!(&column.finish(), &expected.finish());
    }
}
