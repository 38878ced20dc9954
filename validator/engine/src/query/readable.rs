//! The columns of a table as a query meets them: UUIDs are text, as Spark shows them; all else is as it is in memory.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray, ListArray, MapArray, StringArray, StructArray};
use arrow_schema::{DataType, Field as ArrowField, Fields};
use validator_core::schema::{Field, Type};

/// A column's field.
pub fn field(of: &Field) -> ArrowField {
    ArrowField::new(&of.name, data_type(&of.ty), !of.required)
}

fn data_type(ty: &Type) -> DataType {
    if !holds_uuid(ty) {
        return ty.to_arrow();
    }
    match ty {
        Type::Struct(fields) => DataType::Struct(fields.iter().map(field).collect::<Fields>()),
        Type::List(element) => DataType::List(Arc::new(field(element))),
        Type::Map { key, value } => {
            let entries = DataType::Struct(Fields::from(vec![field(key), field(value)]));
            DataType::Map(Arc::new(ArrowField::new("key_value", entries, false)), false)
        }
        _ => DataType::Utf8,
    }
}

/// Whether a type has to be converted at all.
pub fn holds_uuid(ty: &Type) -> bool {
    match ty {
        Type::Uuid => true,
        Type::Struct(fields) => fields.iter().any(|field| holds_uuid(&field.ty)),
        Type::List(element) => holds_uuid(&element.ty),
        Type::Map { key, value } => holds_uuid(&key.ty) || holds_uuid(&value.ty),
        _ => false,
    }
}

/// The column's values in the type of [`field`].
pub fn array(array: &ArrayRef, ty: &Type) -> ArrayRef {
    if !holds_uuid(ty) {
        return Arc::clone(array);
    }
    match (ty, data_type(ty)) {
        (Type::Struct(fields), DataType::Struct(shown)) => {
            let whole = array.as_struct();
            let columns = fields.iter().zip(whole.columns()).map(|(field, column)| self::array(column, &field.ty));
            let (columns, nulls) = (columns.collect(), whole.nulls().cloned());
            Arc::new(StructArray::new(shown, columns, nulls))
        }
        (Type::List(element), DataType::List(shown)) => {
            let list = array.as_list::<i32>();
            let values = self::array(list.values(), &element.ty);
            Arc::new(ListArray::new(shown, list.offsets().clone(), values, list.nulls().cloned()))
        }
        (Type::Map { key, value }, DataType::Map(shown, sorted)) => {
            let map = array.as_map();
            let DataType::Struct(fields) = shown.data_type() else { return Arc::clone(array) };
            let pair = vec![self::array(map.keys(), &key.ty), self::array(map.values(), &value.ty)];
            let entries = StructArray::new(fields.clone(), pair, None);
            Arc::new(MapArray::new(shown, map.offsets().clone(), entries, map.nulls().cloned(), sorted))
        }
        _ => Arc::new(texts(array.as_fixed_size_binary())),
    }
}

fn texts(array: &FixedSizeBinaryArray) -> StringArray {
    array.iter().map(|bytes| bytes.map(hyphenated)).collect()
}

/// `8-4-4-4-12` hexadecimal digits.
fn hyphenated(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_text_wherever_they_stand() {
        let bytes: Vec<u8> = (0..16).collect();
        let uuids: ArrayRef =
            Arc::new(FixedSizeBinaryArray::try_from_iter(std::iter::once(bytes.as_slice())).expect("16 bytes"));
        let inner = Field::new(2, "u", false, Type::Uuid);
        let ty = Type::Struct(vec![inner.clone()]);
        let whole: ArrayRef = Arc::new(StructArray::new(vec![inner.to_arrow()].into(), vec![uuids], None));
        let shown = array(&whole, &ty);
        assert_eq!(shown.data_type(), field(&Field::new(1, "s", false, ty)).data_type());
        assert_eq!(shown.as_struct().column(0).as_string::<i32>().value(0), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
