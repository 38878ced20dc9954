//! Single Iceberg values (defaults, partition values, bounds) as Arrow values.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float32Array,
    Float64Array, Int32Array, Int64Array, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    TimestampNanosecondArray,
};
use iceberg::spec::{Datum, Literal, PrimitiveLiteral};
use validator_core::schema::{Type, UTC};
use validator_core::value::Value;

use crate::schema::primitive_type;

/// One value as an Arrow array of length 1 and exactly the type of [`Type::to_arrow`]; a value written under a type
/// that has been promoted since (int, float) is promoted. `None`: the value is not one of that type.
pub(crate) fn scalar(value: &Literal, ty: &Type) -> Option<ArrayRef> {
    let Literal::Primitive(value) = value else { return None };
    Some(match (ty, value) {
        (Type::Boolean, PrimitiveLiteral::Boolean(v)) => Arc::new(BooleanArray::from(vec![*v])),
        (Type::Int, PrimitiveLiteral::Int(v)) => Arc::new(Int32Array::from(vec![*v])),
        (Type::Float, PrimitiveLiteral::Float(v)) => Arc::new(Float32Array::from(vec![v.0])),
        (Type::Double, PrimitiveLiteral::Double(v)) => Arc::new(Float64Array::from(vec![v.0])),
        (Type::Double, PrimitiveLiteral::Float(v)) => Arc::new(Float64Array::from(vec![f64::from(v.0)])),
        (Type::Date, PrimitiveLiteral::Int(v)) => Arc::new(Date32Array::from(vec![*v])),
        (Type::String, PrimitiveLiteral::String(v)) => Arc::new(StringArray::from(vec![v.as_str()])),
        (Type::Binary, PrimitiveLiteral::Binary(v)) => Arc::new(BinaryArray::from(vec![v.as_slice()])),
        (Type::Uuid, PrimitiveLiteral::UInt128(v)) => fixed(&v.to_be_bytes(), 16)?,
        (Type::Uuid, PrimitiveLiteral::Binary(v)) => fixed(v, 16)?,
        (Type::Fixed(width), PrimitiveLiteral::Binary(v)) => fixed(v, *width)?,
        (Type::Decimal { precision, scale }, PrimitiveLiteral::Int128(v)) => {
            let array = Decimal128Array::from(vec![*v]).with_precision_and_scale(*precision, *scale as i8);
            Arc::new(array.ok()?)
        }
        (ty, PrimitiveLiteral::Int(v)) => long(i64::from(*v), ty)?,
        (ty, PrimitiveLiteral::Long(v)) => long(*v, ty)?,
        _ => return None,
    })
}

/// A bound of a manifest as a value; `None` where it is beyond what its type can hold.
pub(crate) fn datum_value(datum: &Datum) -> Option<Value> {
    let ty = primitive_type(datum.data_type(), "").ok()?;
    literal_value(&Literal::Primitive(datum.literal().clone()), &ty)
}

/// One value outside of any array.
pub(crate) fn literal_value(literal: &Literal, ty: &Type) -> Option<Value> {
    Some(Value::from_arrow(scalar(literal, ty)?.as_ref(), 0, ty))
}

fn long(value: i64, ty: &Type) -> Option<ArrayRef> {
    Some(match ty {
        Type::Long => Arc::new(Int64Array::from(vec![value])),
        Type::Time => Arc::new(Time64MicrosecondArray::from(vec![value])),
        Type::Timestamp => Arc::new(TimestampMicrosecondArray::from(vec![value])),
        Type::Timestamptz => Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone(UTC)),
        Type::TimestampNs => Arc::new(TimestampNanosecondArray::from(vec![value])),
        Type::TimestamptzNs => Arc::new(TimestampNanosecondArray::from(vec![value]).with_timezone(UTC)),
        _ => return None,
    })
}

fn fixed(bytes: &[u8], width: u32) -> Option<ArrayRef> {
    if bytes.len() != width as usize {
        return None;
    }
    Some(Arc::new(FixedSizeBinaryArray::try_from_iter(std::iter::once(bytes)).ok()?))
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;

    use super::*;

    #[test]
    fn every_scalar_has_the_arrow_type_of_its_type() {
        let long = || Literal::long(7);
        let cases = [
            (Type::Boolean, Literal::bool(true)),
            (Type::Int, Literal::int(7)),
            (Type::Long, Literal::int(7)),
            (Type::Long, long()),
            (Type::Float, Literal::float(1.5)),
            (Type::Double, Literal::float(1.5)),
            (Type::Double, Literal::double(1.5)),
            (Type::Decimal { precision: 18, scale: 8 }, Literal::decimal(7)),
            (Type::Date, Literal::date(7)),
            (Type::Time, long()),
            (Type::Timestamp, long()),
            (Type::Timestamptz, long()),
            (Type::TimestampNs, long()),
            (Type::TimestamptzNs, long()),
            (Type::String, Literal::string("x")),
            (Type::Uuid, Literal::uuid(uuid::Uuid::from_u128(7))),
            (Type::Fixed(3), Literal::fixed([1, 2, 3])),
            (Type::Binary, Literal::binary([1, 2])),
        ];
        for (ty, literal) in cases {
            let array = scalar(&literal, &ty).unwrap_or_else(|| panic!("{ty}"));
            assert_eq!((array.len(), array.data_type()), (1, &ty.to_arrow()), "{ty}");
        }
        assert!(scalar(&Literal::string("x"), &Type::Long).is_none());
        assert!(scalar(&Literal::fixed([1]), &Type::Fixed(2)).is_none());
        assert!(scalar(&Literal::long(1), &Type::Int).is_none());
    }
}
