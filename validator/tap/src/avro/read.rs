//! One payload into one row of columns.

use super::notes::Notes;
use super::program::{Record, Root, Step, Value};
use super::scalar::{Convert, Outcome, unscaled};
use super::wire::{Read, Wire};
use super::{map, text};
use crate::column::{Column, Data};

/// Reads the whole payload. On failure the columns hold rests of the row that the caller cuts off.
pub(super) fn payload(wire: &mut Wire<'_>, root: &Root, columns: &mut [Column], notes: &mut Notes) -> Read<()> {
    match root {
        Root::Record(record) => {
            for step in &record.steps {
                match step {
                    Step::Column { column, value: read } => {
                        notes.column = Some(*column);
                        value(wire, read, &mut columns[*column], notes)?;
                    }
                    step => skip(wire, step, notes)?,
                }
            }
            notes.column = None;
            record.absent.iter().for_each(|column| columns[*column].push_null());
            wire.end()
        }
        Root::Union(branches) => {
            let branch = wire.branch(branches.len())?;
            payload(wire, &branches[branch], columns, notes)
        }
        Root::Other(what) => wire.fault(format!("its schema is that of {what}, not of a record")),
    }
}

fn skip(wire: &mut Wire<'_>, step: &Step, notes: &mut Notes) -> Read<()> {
    match step {
        Step::Skip(node) => drop(wire.skip(*node, 0)?),
        Step::Unknown { node, unknown } => {
            if wire.skip(*node, 0)? {
                notes.met(*unknown);
            }
        }
        Step::Column { .. } => unreachable!("columns are read"),
    }
    Ok(())
}

/// Reads a value and appends it; whether it is one, and not null.
pub(super) fn value(wire: &mut Wire<'_>, read: &Value, column: &mut Column, notes: &mut Notes) -> Read<bool> {
    match read {
        Value::Nullable { null, value: read } => {
            if wire.branch(2)? == *null {
                column.push_null();
                return Ok(false);
            }
            return value(wire, read, column, notes);
        }
        Value::Boolean => column.push_bool(wire.boolean()?),
        Value::Int => column.push_i32(wire.int()?),
        Value::Long => column.push_i64(wire.long()?),
        Value::Float => column.push_f32(wire.float()?),
        Value::Double => column.push_f64(wire.double()?),
        Value::String => column.push_bytes(wire.text()?.as_bytes()),
        Value::Bytes => column.push_bytes(wire.bytes()?),
        Value::Enum(symbols) => {
            let name = wire.symbol(symbols)?;
            wire.expand(name.len())?;
            column.push_bytes(name.as_bytes());
        }
        Value::Decimal { limit, convert } => {
            let from = wire.at();
            match unscaled(wire.bytes()?) {
                Some(value) if -limit < value && value < *limit => column.push_i128(value),
                _ => {
                    wire.jump(from);
                    let outcome = convert.run(wire, column)?;
                    settle(wire, from, (outcome, convert), column, notes)?;
                }
            }
        }
        Value::Scalar(convert) => {
            let from = wire.at();
            let outcome = convert.run(wire, column)?;
            settle(wire, from, (outcome, convert), column, notes)?;
        }
        Value::Null => {
            column.push_null();
            return Ok(false);
        }
        nested => return self::nested(wire, nested, column, notes),
    }
    Ok(true)
}

fn settle(
    wire: &Wire<'_>,
    from: usize,
    (outcome, convert): (Outcome, &Convert),
    column: &mut Column,
    notes: &mut Notes,
) -> Read<()> {
    match outcome {
        Outcome::Pushed => {}
        Outcome::Rounded => notes.rounded(),
        Outcome::Inexact(text) => {
            notes.inexact(text);
            column.push_null();
        }
        Outcome::Refused => return wire.fault_at(from, format!("the text does not read as {}", convert.to)),
    }
    Ok(())
}

fn nested(wire: &mut Wire<'_>, read: &Value, column: &mut Column, notes: &mut Notes) -> Read<bool> {
    match read {
        Value::Union(branches) => {
            let branch = wire.branch(branches.len())?;
            return value(wire, &branches[branch], column, notes);
        }
        Value::Record(fields) => {
            record(wire, fields, column, notes)?;
            column.close();
        }
        Value::Array(element) => {
            let Data::List { element: elements, .. } = &mut column.data else { unreachable!("{MATCHED}") };
            while let count @ 1.. = wire.block()? {
                for _ in 0..count {
                    value(wire, element, elements, notes)?;
                }
            }
            column.close();
        }
        Value::Map { key, value, node } => {
            let Data::Map { entries, .. } = &mut column.data else { unreachable!("{MATCHED}") };
            map::map(wire, (key, value, *node), entries, notes)?;
            column.close();
        }
        Value::Entries(fields) => {
            let Data::Map { entries, .. } = &mut column.data else { unreachable!("{MATCHED}") };
            let [keys, values] = &mut **entries;
            for (name, field) in fields {
                let before = values.len();
                if value(wire, field, values, notes)? {
                    wire.expand(name.len())?;
                    keys.push_bytes(name.as_bytes());
                } else {
                    values.truncate(before);
                }
            }
            column.close();
        }
        Value::Text(node) => match text::any(*node, wire)? {
            Some(text) => column.push_bytes(text.as_bytes()),
            None => {
                column.push_null();
                return Ok(false);
            }
        },
        Value::Refused { node, why } => {
            let from = wire.at();
            if wire.skip(*node, 0)? {
                return wire.fault_at(from, why.to_string());
            }
            column.push_null();
            return Ok(false);
        }
        _ => unreachable!("the others are read before"),
    }
    Ok(true)
}

const MATCHED: &str = "program and column are made from the same type";

fn record(wire: &mut Wire<'_>, record: &Record, column: &mut Column, notes: &mut Notes) -> Read<()> {
    let Data::Struct(children) = &mut column.data else { unreachable!("{MATCHED}") };
    for step in &record.steps {
        match step {
            Step::Column { column, value: read } => {
                value(wire, read, &mut children[*column], notes)?;
            }
            step => skip(wire, step, notes)?,
        }
    }
    record.absent.iter().for_each(|column| children[*column].push_null());
    Ok(())
}
