//! Columns under construction that can be cut back to any earlier length.
//!
//! Arrow's own builders cannot take values back; a message that turns out bad in its last byte, or names a key twice,
//! needs exactly that. A finished column has exactly the Arrow type of its [`Type`].

mod finish;

use arrow_buffer::{BooleanBufferBuilder, NullBufferBuilder};
use arrow_schema::DataType;
use validator_core::schema::{Field, Type};

/// One column, or one nested part of one.
#[derive(Debug)]
pub(crate) struct Column {
    arrow: DataType,
    nulls: NullBufferBuilder,
    pub(crate) data: Data,
}

/// The values; null slots hold a zero, an empty text, or nothing in lists.
#[derive(Debug)]
pub(crate) enum Data {
    Boolean(BooleanBufferBuilder),
    /// int, date
    I32(Vec<i32>),
    /// long, time, timestamps
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    /// decimals, unscaled
    I128(Vec<i128>),
    /// string, binary: `offsets` has one entry more than rows
    Text {
        offsets: Vec<i32>,
        bytes: Vec<u8>,
    },
    /// uuid, fixed
    Fixed {
        width: usize,
        bytes: Vec<u8>,
    },
    Struct(Vec<Column>),
    List {
        offsets: Vec<i32>,
        element: Box<Column>,
    },
    Map {
        offsets: Vec<i32>,
        entries: Box<[Column; 2]>,
    },
}

impl Column {
    /// An empty column of that type, as [`optional`] has made it.
    pub(crate) fn new(ty: &Type) -> Self {
        let data = match ty {
            Type::Boolean => Data::Boolean(BooleanBufferBuilder::new(0)),
            Type::Int | Type::Date => Data::I32(Vec::new()),
            Type::Long | Type::Time | Type::Timestamp | Type::Timestamptz | Type::TimestampNs | Type::TimestamptzNs => {
                Data::I64(Vec::new())
            }
            Type::Float => Data::F32(Vec::new()),
            Type::Double => Data::F64(Vec::new()),
            Type::Decimal { .. } => Data::I128(Vec::new()),
            Type::String | Type::Binary => Data::Text { offsets: vec![0], bytes: Vec::new() },
            Type::Uuid => Data::Fixed { width: 16, bytes: Vec::new() },
            Type::Fixed(width) => Data::Fixed { width: *width as usize, bytes: Vec::new() },
            Type::Struct(fields) => Data::Struct(fields.iter().map(|f| Column::new(&f.ty)).collect()),
            Type::List(element) => Data::List { offsets: vec![0], element: Box::new(Column::new(&element.ty)) },
            Type::Map { key, value } => {
                Data::Map { offsets: vec![0], entries: Box::new([Column::new(&key.ty), Column::new(&value.ty)]) }
            }
        };
        Self { arrow: ty.to_arrow(), nulls: NullBufferBuilder::new(0), data }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Appends a NULL; a struct's children get one too.
    pub(crate) fn push_null(&mut self) {
        self.fill_slot();
        self.nulls.append_null();
    }

    /// Appends a zero, an empty text, an empty list, or a struct of NULLs, which is not NULL itself.
    pub(crate) fn push_empty(&mut self) {
        self.fill_slot();
        self.nulls.append_non_null();
    }

    fn fill_slot(&mut self) {
        match &mut self.data {
            Data::Boolean(values) => values.append(false),
            Data::I32(values) => values.push(0),
            Data::I64(values) => values.push(0),
            Data::F32(values) => values.push(0.0),
            Data::F64(values) => values.push(0.0),
            Data::I128(values) => values.push(0),
            Data::Text { offsets, bytes } => offsets.push(bytes.len() as i32),
            Data::Fixed { width, bytes } => bytes.resize(bytes.len() + *width, 0),
            Data::Struct(children) => children.iter_mut().for_each(Column::push_null),
            Data::List { offsets, element } => offsets.push(element.len() as i32),
            Data::Map { offsets, entries } => offsets.push(entries[0].len() as i32),
        }
    }

    #[inline]
    pub(crate) fn push_bool(&mut self, value: bool) {
        let Data::Boolean(values) = &mut self.data else { mismatch() };
        values.append(value);
        self.nulls.append_non_null();
    }

    #[inline]
    pub(crate) fn push_i32(&mut self, value: i32) {
        let Data::I32(values) = &mut self.data else { mismatch() };
        values.push(value);
        self.nulls.append_non_null();
    }

    #[inline]
    pub(crate) fn push_i64(&mut self, value: i64) {
        let Data::I64(values) = &mut self.data else { mismatch() };
        values.push(value);
        self.nulls.append_non_null();
    }

    #[inline]
    pub(crate) fn push_f32(&mut self, value: f32) {
        let Data::F32(values) = &mut self.data else { mismatch() };
        values.push(value);
        self.nulls.append_non_null();
    }

    #[inline]
    pub(crate) fn push_f64(&mut self, value: f64) {
        let Data::F64(values) = &mut self.data else { mismatch() };
        values.push(value);
        self.nulls.append_non_null();
    }

    #[inline]
    pub(crate) fn push_i128(&mut self, value: i128) {
        let Data::I128(values) = &mut self.data else { mismatch() };
        values.push(value);
        self.nulls.append_non_null();
    }

    /// Appends a text, a binary, a uuid or a fixed; a fixed must have its width.
    #[inline]
    pub(crate) fn push_bytes(&mut self, value: &[u8]) {
        match &mut self.data {
            Data::Text { offsets, bytes } => {
                bytes.extend_from_slice(value);
                offsets.push(bytes.len() as i32);
            }
            Data::Fixed { width, bytes } if *width == value.len() => bytes.extend_from_slice(value),
            _ => mismatch(),
        }
        self.nulls.append_non_null();
    }

    /// Appends the text that `write` adds to the buffer.
    #[inline]
    pub(crate) fn push_text_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let Data::Text { offsets, bytes } = &mut self.data else { mismatch() };
        write(bytes);
        offsets.push(bytes.len() as i32);
        self.nulls.append_non_null();
    }

    /// Ends a struct whose children have got one value each, or a list or map whose elements were appended.
    #[inline]
    pub(crate) fn close(&mut self) {
        match &mut self.data {
            Data::Struct(children) => {
                debug_assert!(children.iter().all(|c| c.len() == self.nulls.len() + 1), "every child has its value");
            }
            Data::List { offsets, element } => offsets.push(element.len() as i32),
            Data::Map { offsets, entries } => offsets.push(entries[0].len() as i32),
            _ => mismatch(),
        }
        self.nulls.append_non_null();
    }

    /// Cuts the column back to `len` values, and drops what an unfinished value has left behind them.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.nulls.truncate(len);
        match &mut self.data {
            Data::Boolean(values) => values.truncate(len),
            Data::I32(values) => values.truncate(len),
            Data::I64(values) => values.truncate(len),
            Data::F32(values) => values.truncate(len),
            Data::F64(values) => values.truncate(len),
            Data::I128(values) => values.truncate(len),
            Data::Text { offsets, bytes } => {
                offsets.truncate(len + 1);
                bytes.truncate(offsets[len] as usize);
            }
            Data::Fixed { width, bytes } => bytes.truncate(len * *width),
            Data::Struct(children) => children.iter_mut().for_each(|c| c.truncate(len)),
            Data::List { offsets, element } => {
                offsets.truncate(len + 1);
                element.truncate(offsets[len] as usize);
            }
            Data::Map { offsets, entries } => {
                offsets.truncate(len + 1);
                entries.iter_mut().for_each(|c| c.truncate(offsets[len] as usize));
            }
        }
    }
}

/// A type with every nested field optional (map keys aside) and all ids kept: a message may lack any of them.
pub(crate) fn optional(ty: &Type) -> Type {
    let loosen = |field: &Field| Field::new(field.id, field.name.clone(), false, optional(&field.ty));
    match ty {
        Type::Struct(fields) => Type::Struct(fields.iter().map(loosen).collect()),
        Type::List(element) => Type::List(Box::new(loosen(element))),
        Type::Map { key, value } => Type::Map {
            key: Box::new(Field::new(key.id, key.name.clone(), true, optional(&key.ty))),
            value: Box::new(loosen(value)),
        },
        flat => flat.clone(),
    }
}

/// A decoder pushed a value of another kind than the column it had made for it.
#[cold]
#[inline(never)]
fn mismatch() -> ! {
    unreachable!("decoder and column are made from the same type")
}
