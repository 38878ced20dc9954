//! Where the records of a block end: its bytes walked by the writer's schema, and nothing judged.
//!
//! Contract: only what places the next record is looked at. Text that is not UTF-8, or an enum without such a symbol, is
//! the fault of its own record alone, found when that is decoded.

use super::schema::{AvroSchema, Kind, NodeId};
use super::wire::{Read, Wire};
use crate::limits;

/// The end of each record, and why not all of `records` were found.
pub(super) fn extents(schema: &AvroSchema, data: &[u8], records: u64) -> (Vec<usize>, Option<String>) {
    let mut wire = Wire::new(data, 0, schema);
    let mut ends = Vec::with_capacity(usize::try_from(records).unwrap_or(0).min(data.len() + 1));
    for number in 0..records {
        if let Err(fault) = pass(&mut wire, schema.root(), 0) {
            let what =
                format!("record {} of {records}: {} (byte {} of its data)", number + 1, fault.what(), fault.at());
            return (ends, Some(what));
        }
        ends.push(wire.at());
    }
    let rest = data.len() - wire.at();
    if rest > 0 {
        // Which of the records is wrong cannot be told: the last one takes what is left, and is refused for it.
        ends.pop();
        return (ends, Some(format!("{rest} bytes follow its {records} records")));
    }
    (ends, None)
}

/// Goes past one value.
fn pass(wire: &mut Wire<'_>, node: NodeId, depth: usize) -> Read<()> {
    let schema = wire.schema;
    match schema.kind(node) {
        Kind::Null => {}
        Kind::Boolean => drop(wire.take(1)?),
        Kind::Int | Kind::Long | Kind::Enum(_) => drop(wire.long()?),
        Kind::Float => drop(wire.take(4)?),
        Kind::Double => drop(wire.take(8)?),
        Kind::Bytes | Kind::String => drop(wire.bytes()?),
        Kind::Fixed(width) => drop(wire.take(*width)?),
        _ if depth >= limits::AVRO_DEPTH_MAX => return wire.fault("values are nested too deep"),
        Kind::Union(branches) => {
            let branch = wire.branch(branches.len())?;
            return pass(wire, branches[branch], depth + 1);
        }
        Kind::Record(fields) => {
            for (_, field) in fields {
                pass(wire, *field, depth + 1)?;
            }
        }
        Kind::Array(items) => {
            while let count @ 1.. = wire.block()? {
                for _ in 0..count {
                    pass(wire, *items, depth + 1)?;
                }
            }
        }
        Kind::Map(values) => {
            while let count @ 1.. = wire.block()? {
                for _ in 0..count {
                    wire.bytes()?;
                    pass(wire, *values, depth + 1)?;
                }
            }
        }
    }
    Ok(())
}
