//! Which types become which: by themselves (columns of the same name), and by a written CAST.
//!
//! Contract (interface.md §2): by itself only what has one reading. Never zoneless → instant, bare number → time, text or
//! number ↔ boolean, text → int. A refusal says what to write instead.

use thiserror::Error;

use crate::schema::{Field, Type};

/// Why one type does not become another.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}{from} does not become {to} by itself: {reason}")]
pub struct NotConvertible {
    /// Where in a nested type, with a trailing `: `; empty at the top.
    pub place: String,
    /// The source's type.
    pub from: String,
    /// The target's type.
    pub to: String,
    /// Why, and what to do.
    pub reason: Reason,
}

/// Why a pair of types is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Reason {
    /// timestamp → timestamptz
    #[error("a time without a zone is no instant; write its zone in [map]")]
    ZonelessToInstant,
    /// number → date, time, timestamp
    #[error(
        "a bare number says neither its unit nor its epoch; declare the field as epoch_s, epoch_ms, epoch_us or epoch_ns in [fields], or write a [map]"
    )]
    NumberToTime,
    /// boolean ↔ number
    #[error("true and false are no numbers; write a CASE in [map]")]
    BooleanAndNumber,
    /// string → int, long
    #[error("text is no integer; declare the field's type in [fields] or write a CAST in [map]")]
    TextToInteger,
    /// string → boolean
    #[error("text is neither true nor false; declare the field's type in [fields] or write a CASE in [map]")]
    TextToBoolean,
    /// anything → string
    #[error("a value has more than one text; write a CAST in [map], or drop the one and ignore the other")]
    ValueToText,
    /// float, double → int, long, decimal
    #[error("a binary float holds hardly any decimal number exactly; write in [map] how it is rounded")]
    FloatToDecimal,
    /// binary ↔ string, uuid → binary
    #[error("bytes have no meaning by themselves; write a decode in [map]")]
    BytesToValue,
    /// date ↔ timestamp, time ↔ timestamp
    #[error("a date, a time of day and a timestamp are three things; write in [map] which part is meant")]
    PartOfTime,
    /// Anything else.
    #[error("they are different kinds of value; write a [map]")]
    OtherKind,
}

/// How much is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// Columns of the same name.
    ByItself,
    /// A written CAST: exact too, but the user said which reading is meant.
    Cast,
}

/// Whether columns of the same name and these types map by themselves.
///
/// # Errors
/// The reason, in words that `check` prints.
pub fn convertible(from: &Type, to: &Type) -> Result<(), NotConvertible> {
    allowed(from, to, "", Leave::ByItself)
}

/// Whether a written CAST may bring the one type to the other: all that [`convertible`] allows, text → int, long, boolean
/// and binary, any value → text, float → exact number, boolean → integer, timestamp (as UTC) → timestamptz, date ↔ timestamp.
///
/// # Errors
/// The reason.
pub fn castable(from: &Type, to: &Type) -> Result<(), NotConvertible> {
    allowed(from, to, "", Leave::Cast)
}

fn allowed(from: &Type, to: &Type, place: &str, leave: Leave) -> Result<(), NotConvertible> {
    match (from, to) {
        (Type::Struct(sources), Type::Struct(targets)) => sources.iter().try_for_each(|source| {
            let same_name = |target: &&Field| target.name == source.name;
            targets.iter().find(same_name).map_or(Ok(()), |target| inner(source, target, place, &source.name, leave))
        }),
        (Type::Struct(sources), Type::Map { key, value }) if key.ty == Type::String => {
            sources.iter().try_for_each(|source| inner(source, value, place, &source.name, leave))
        }
        (Type::List(source), Type::List(target)) => inner(source, target, place, "element", leave),
        (Type::Map { key: k, value: v }, Type::Map { key, value }) => {
            inner(k, key, place, "key", leave).and_then(|()| inner(v, value, place, "value", leave))
        }
        _ => scalar(from, to, leave).map_err(|reason| NotConvertible {
            place: if place.is_empty() { String::new() } else { format!("{place}: ") },
            from: from.to_string(),
            to: to.to_string(),
            reason,
        }),
    }
}

fn inner(source: &Field, target: &Field, place: &str, name: &str, leave: Leave) -> Result<(), NotConvertible> {
    let place = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    allowed(&source.ty, &target.ty, &place, leave)
}

fn scalar(from: &Type, to: &Type, leave: Leave) -> Result<(), Reason> {
    use Type::*;
    let cast = |reason| if leave == Leave::Cast { Ok(()) } else { Err(reason) };
    match (from, to) {
        _ if from == to => Ok(()),
        (String, Decimal { .. } | Float | Double | Date | Time | Uuid) => Ok(()),
        (String, _) if to.is_timestamp() => Ok(()),
        (String, Int | Long) => cast(Reason::TextToInteger),
        (String, Boolean) => cast(Reason::TextToBoolean),
        (String, Binary) => cast(Reason::BytesToValue),
        (Binary | Fixed(_), String) => cast(Reason::BytesToValue),
        (_, String) => cast(Reason::ValueToText),
        (Int | Long | Decimal { .. }, _) if to.is_number() => Ok(()),
        (Float | Double, Float | Double) => Ok(()),
        (Float | Double, Int | Long | Decimal { .. }) => cast(Reason::FloatToDecimal),
        (Boolean, Int | Long) => cast(Reason::BooleanAndNumber),
        (Boolean, _) if to.is_number() => Err(Reason::BooleanAndNumber),
        (_, Boolean) if from.is_number() => Err(Reason::BooleanAndNumber),
        (_, _) if from.is_number() && to.is_temporal() => Err(Reason::NumberToTime),
        (Timestamp | TimestampNs, Timestamptz | TimestamptzNs) => cast(Reason::ZonelessToInstant),
        (_, _) if from.is_timestamp() && to.is_timestamp() => Ok(()),
        (Date, _) if to.is_timestamp() => cast(Reason::PartOfTime),
        (_, Date) if from.is_timestamp() => cast(Reason::PartOfTime),
        (_, _) if from.is_temporal() && to.is_temporal() => Err(Reason::PartOfTime),
        (Binary | Fixed(_), Binary | Fixed(_)) => Ok(()),
        // Sixteen bytes in memory either way, which is all that an expression's result tells.
        (Fixed(16), Uuid) | (Uuid, Fixed(16)) => Ok(()),
        (Uuid, Binary) => cast(Reason::BytesToValue),
        (Binary | Fixed(_), _) | (_, Binary | Fixed(_)) => Err(Reason::BytesToValue),
        _ => Err(Reason::OtherKind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::type_syntax::parse_plain_type;

    fn ty(text: &str) -> Type {
        parse_plain_type(text).expect("a type")
    }

    #[test]
    fn what_has_one_reading_maps_by_itself() {
        let pairs = [
            ("string", "decimal(18, 8)"),
            ("string", "date"),
            ("string", "time"),
            ("string", "timestamp"),
            ("string", "timestamptz"),
            ("string", "timestamptz_ns"),
            ("string", "uuid"),
            ("string", "float"),
            ("string", "double"),
            ("int", "long"),
            ("long", "int"),
            ("long", "decimal(20, 0)"),
            ("decimal(18, 8)", "long"),
            ("decimal(18, 8)", "decimal(10, 2)"),
            ("decimal(18, 8)", "double"),
            ("int", "float"),
            ("float", "double"),
            ("double", "float"),
            ("timestamptz", "timestamp"),
            ("timestamptz", "timestamptz_ns"),
            ("timestamp_ns", "timestamp"),
            ("binary", "fixed(4)"),
            ("fixed(4)", "binary"),
            ("struct<a: string, b: int>", "struct<b: long, a: date>"),
            ("struct<a: string>", "map<string, date>"),
            ("map<string, int>", "map<string, long>"),
            ("list<int>", "list<long>"),
        ];
        for (from, to) in pairs {
            assert_eq!(convertible(&ty(from), &ty(to)), Ok(()), "{from} into {to}");
            assert_eq!(castable(&ty(from), &ty(to)), Ok(()), "{from} into {to}");
        }
    }

    #[test]
    fn what_has_several_readings_is_refused_with_the_reason() {
        let pairs = [
            ("timestamp", "timestamptz", Reason::ZonelessToInstant),
            ("timestamp_ns", "timestamptz", Reason::ZonelessToInstant),
            ("long", "timestamp", Reason::NumberToTime),
            ("long", "timestamptz", Reason::NumberToTime),
            ("int", "date", Reason::NumberToTime),
            ("double", "time", Reason::NumberToTime),
            ("boolean", "int", Reason::BooleanAndNumber),
            ("int", "boolean", Reason::BooleanAndNumber),
            ("boolean", "double", Reason::BooleanAndNumber),
            ("string", "int", Reason::TextToInteger),
            ("string", "long", Reason::TextToInteger),
            ("string", "boolean", Reason::TextToBoolean),
            ("int", "string", Reason::ValueToText),
            ("uuid", "string", Reason::ValueToText),
            ("struct<a: int>", "string", Reason::ValueToText),
            ("double", "decimal(18, 8)", Reason::FloatToDecimal),
            ("binary", "string", Reason::BytesToValue),
            ("string", "binary", Reason::BytesToValue),
            ("date", "timestamp", Reason::PartOfTime),
            ("timestamp", "date", Reason::PartOfTime),
            ("list<int>", "int", Reason::OtherKind),
            ("string", "list<string>", Reason::OtherKind),
        ];
        for (from, to, reason) in pairs {
            assert_eq!(
                convertible(&ty(from), &ty(to)).map_err(|refusal| refusal.reason),
                Err(reason),
                "{from} into {to}"
            );
        }
    }

    #[test]
    fn a_refusal_names_the_place_inside() {
        let refusal =
            convertible(&ty("struct<a: list<struct<t: long>>>"), &ty("struct<a: list<struct<t: timestamptz>>>"));
        let text = refusal.expect_err("a number is no instant").to_string();
        assert!(text.starts_with("a.element.t: long does not become timestamptz by itself: a bare number"), "{text}");
    }

    #[test]
    fn a_cast_says_which_reading_is_meant() {
        for (from, to) in [
            ("string", "int"),
            ("string", "boolean"),
            ("long", "string"),
            ("timestamp", "timestamptz"),
            ("double", "decimal(18, 8)"),
            ("date", "timestamp"),
            ("boolean", "int"),
        ] {
            assert_eq!(castable(&ty(from), &ty(to)), Ok(()), "{from} into {to}");
        }
        for (from, to) in [("long", "timestamptz"), ("int", "boolean"), ("binary", "long")] {
            assert!(castable(&ty(from), &ty(to)).is_err(), "{from} into {to}");
        }
    }
}
