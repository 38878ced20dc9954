//! A column of one batch, typed once: what its bytes are made of.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use super::arena::Rows;
use super::plan::Plan;
use crate::schema::Type;

/// The type tags of canonical/1.
pub(super) mod tag {
    use crate::schema::Type;

    /// In place of a field id: the end of a row or struct.
    pub const END: u8 = 0x00;
    /// In place of a value in a list or map.
    pub const NULL: u8 = 0x00;
    pub const FALSE: u8 = 0x01;
    pub const TRUE: u8 = 0x02;
    const NUMBER: u8 = 0x03;
    const FLOAT: u8 = 0x04;
    const DATE: u8 = 0x05;
    const TIME: u8 = 0x06;
    const TIMESTAMP: u8 = 0x07;
    const TIMESTAMPTZ: u8 = 0x08;
    const STRING: u8 = 0x09;
    const BYTES: u8 = 0x0a;
    const UUID: u8 = 0x0b;
    const STRUCT: u8 = 0x0c;
    const LIST: u8 = 0x0d;
    const MAP: u8 = 0x0e;

    /// The tag of a type; `None` where the value is its tag.
    pub fn of(ty: &Type) -> Option<u8> {
        Some(match ty {
            Type::Boolean => return None,
            Type::Int | Type::Long | Type::Decimal { .. } => NUMBER,
            Type::Float | Type::Double => FLOAT,
            Type::Date => DATE,
            Type::Time => TIME,
            Type::Timestamp | Type::TimestampNs => TIMESTAMP,
            Type::Timestamptz | Type::TimestamptzNs => TIMESTAMPTZ,
            Type::String => STRING,
            Type::Fixed(_) | Type::Binary => BYTES,
            Type::Uuid => UUID,
            Type::Struct(_) => STRUCT,
            Type::List(_) => LIST,
            Type::Map { .. } => MAP,
        })
    }
}

/// The bytes before every value of a column: at most five of a field id, and a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Prefix {
    /// Little-endian, zero above `len`, so that one store of 8 bytes writes all of it.
    pub word: u64,
    /// 0 to 6.
    pub len: usize,
}

impl Prefix {
    pub const EMPTY: Self = Self { word: 0, len: 0 };

    /// LEB128: seven bits a byte, the lowest first, the top bit set on all but the last.
    pub fn varint(mut number: u32) -> Self {
        let mut prefix = Self::EMPTY;
        while number >= 0x80 {
            prefix = prefix.then(number as u8 | 0x80);
            number >>= 7;
        }
        prefix.then(number as u8)
    }

    /// This prefix and one byte more.
    pub fn then(self, byte: u8) -> Self {
        assert!(self.len < 6, "an id has at most five bytes and a tag one");
        Self { word: self.word | u64::from(byte) << (8 * self.len), len: self.len + 1 }
    }
}

/// A column of one batch.
pub(super) struct Column<'a> {
    pub prefix: Prefix,
    /// Where the column, or a struct that it is in, is NULL.
    pub nulls: Option<NullBuffer>,
    pub values: Values<'a>,
}

/// The values of a column by the form of their bytes. Values under a NULL are not looked at.
pub(super) enum Values<'a> {
    Boolean(&'a BooleanBuffer),
    Int(&'a [i32]),
    Long(&'a [i64]),
    Decimal {
        unscaled: &'a [i128],
        scale: u8,
    },
    Float(&'a [f32]),
    Double(&'a [f64]),
    Date(&'a [i32]),
    Time(&'a [i64]),
    Micros(&'a [i64]),
    Nanos(&'a [i64]),
    /// Length and bytes.
    Bytes {
        offsets: &'a [i32],
        data: &'a [u8],
    },
    /// Length and bytes, all of one width.
    Fixed {
        width: usize,
        data: &'a [u8],
    },
    /// Bytes without a length.
    Uuid(&'a [u8]),
    /// By ascending field id.
    Struct(Vec<Column<'a>>),
    /// Elements, or keys and values: the number of entries, then entry by entry each part's bytes.
    Entries(Entries<'a>),
}

/// Lists and maps: their parts are encoded first, as rows of their own.
pub(super) struct Entries<'a> {
    /// Row `i` has the entries `offsets[i] - offsets[0] .. offsets[i + 1] - offsets[0]`.
    pub offsets: &'a [i32],
    /// Elements, or keys and values.
    pub parts: Vec<Rows>,
    /// A map's entries, those of each row sorted; a list has its own order.
    pub order: Option<Vec<u32>>,
}

impl<'a> Column<'a> {
    /// The column of an array that has the plan's type. `outer`: where a struct around it is NULL.
    pub fn new(plan: &Plan, array: &'a dyn Array, outer: Option<&NullBuffer>) -> Self {
        let nulls = NullBuffer::union(outer, array.nulls()).filter(|nulls| nulls.null_count() > 0);
        let values = Values::new(plan, array, nulls.as_ref());
        Self { prefix: plan.prefix, nulls, values }
    }

    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }
}

impl<'a> Values<'a> {
    fn new(plan: &Plan, array: &'a dyn Array, nulls: Option<&NullBuffer>) -> Self {
        match &plan.ty {
            Type::Boolean => Values::Boolean(array.as_boolean().values()),
            Type::Int => Values::Int(array.as_primitive::<Int32Type>().values()),
            Type::Long => Values::Long(array.as_primitive::<Int64Type>().values()),
            Type::Decimal { scale, .. } => {
                Values::Decimal { unscaled: array.as_primitive::<Decimal128Type>().values(), scale: *scale }
            }
            Type::Float => Values::Float(array.as_primitive::<Float32Type>().values()),
            Type::Double => Values::Double(array.as_primitive::<Float64Type>().values()),
            Type::Date => Values::Date(array.as_primitive::<Date32Type>().values()),
            Type::Time => Values::Time(array.as_primitive::<Time64MicrosecondType>().values()),
            Type::Timestamp | Type::Timestamptz => {
                Values::Micros(array.as_primitive::<TimestampMicrosecondType>().values())
            }
            Type::TimestampNs | Type::TimestamptzNs => {
                Values::Nanos(array.as_primitive::<TimestampNanosecondType>().values())
            }
            Type::String => {
                let array = array.as_string::<i32>();
                Values::Bytes { offsets: array.value_offsets(), data: array.value_data() }
            }
            Type::Binary => {
                let array = array.as_binary::<i32>();
                Values::Bytes { offsets: array.value_offsets(), data: array.value_data() }
            }
            Type::Fixed(width) => {
                Values::Fixed { width: *width as usize, data: array.as_fixed_size_binary().value_data() }
            }
            Type::Uuid => Values::Uuid(array.as_fixed_size_binary().value_data()),
            Type::Struct(_) => {
                let columns = array.as_struct().columns();
                let field = |(place, plan): &(usize, Plan)| Column::new(plan, columns[*place].as_ref(), nulls);
                Values::Struct(plan.children.iter().map(field).collect())
            }
            Type::List(_) => {
                let array = array.as_list::<i32>();
                Values::Entries(Entries::new(plan, array.value_offsets(), &[array.values().as_ref()], nulls))
            }
            Type::Map { .. } => {
                let array = array.as_map();
                let parts = [array.keys().as_ref(), array.values().as_ref()];
                Values::Entries(Entries::new(plan, array.value_offsets(), &parts, nulls))
            }
        }
    }
}

impl<'a> Entries<'a> {
    fn new(plan: &Plan, offsets: &'a [i32], parts: &[&dyn Array], nulls: Option<&NullBuffer>) -> Self {
        let start = offsets[0] as usize;
        let count = offsets[offsets.len() - 1] as usize - start;
        let encode = |(array, (_, plan)): (&&dyn Array, &(usize, Plan))| {
            let array = array.slice(start, count);
            Rows::of_values(&Column::new(plan, array.as_ref(), None), count)
        };
        let parts: Vec<Rows> = parts.iter().zip(&plan.children).map(encode).collect();
        let mut entries = Self { offsets, parts, order: None };
        if let [keys, values] = &entries.parts[..] {
            let mut order: Vec<u32> = (0..count as u32).collect();
            for row in (0..offsets.len() - 1).filter(|row| nulls.is_none_or(|nulls| nulls.is_valid(*row))) {
                order[entries.range(row)].sort_unstable_by_key(|e| (keys.row(*e as usize), values.row(*e as usize)));
            }
            entries.order = Some(order);
        }
        entries
    }

    /// The entries of a row.
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        (self.offsets[row] - self.offsets[0]) as usize..(self.offsets[row + 1] - self.offsets[0]) as usize
    }

    /// The entry that comes at this place.
    pub fn at(&self, place: usize) -> usize {
        self.order.as_ref().map_or(place, |order| order[place] as usize)
    }
}
