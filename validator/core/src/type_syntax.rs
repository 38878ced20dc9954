//! Iceberg type syntax as people write it in `[fields]`: `decimal(18, 8)`, `struct<p: string, q: list<long>>`, `epoch_ms`.
//!
//! Contract: reads what `Type`'s `Display` prints, and what the Iceberg specification and its tools print as well
//! (`fixed[16]`, `struct<1: p: optional string>`); ids and optionality are dropped: ids inside nested types are 0, fields
//! optional (map keys required). Field names may stand in double quotes or backquotes, and must where they hold `:<>,`.

mod suggest;

use std::fmt;

use thiserror::Error;

use crate::contract::{EpochUnit, FieldType};
use crate::schema::{Field, Type};

use suggest::suggest;

/// Deepest nesting of struct, list and map; Parquet readers stop far earlier.
pub const NESTING_MAX: usize = 32;

/// What is wrong with a type's text, and at which character (1-based).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TypeSyntaxError {
    /// A name that is no type.
    #[error("unknown type `{name}` at character {at}{}", hint(.suggestion))]
    UnknownType {
        /// The name as written.
        name: String,
        /// Where it stands.
        at: usize,
        /// What was probably meant.
        suggestion: Option<&'static str>,
    },
    /// Something else was needed there.
    #[error("expected {wanted} at character {at}, found {found}")]
    Expected {
        /// In words.
        wanted: &'static str,
        /// Where.
        at: usize,
        /// What stands there, in backquotes, or `the end`.
        found: String,
    },
    /// A number out of its range.
    #[error("{what} at character {at} must be {range}")]
    OutOfRange {
        /// What the number is.
        what: &'static str,
        /// Where it stands.
        at: usize,
        /// The range in words.
        range: &'static str,
    },
    /// `epoch_*` inside struct, list or map.
    #[error(
        "{name} at character {at} can only be the type of a whole field; inside a nested type write long and map it"
    )]
    NestedEpoch {
        /// The type's name.
        name: String,
        /// Where it stands.
        at: usize,
    },
    /// Two fields of one name.
    #[error("field `{name}` at character {at} stands twice in its struct")]
    RepeatedField {
        /// The name.
        name: String,
        /// Where the second one stands.
        at: usize,
    },
    /// Nested beyond [`NESTING_MAX`].
    #[error("types nest deeper than {NESTING_MAX} at character {at}")]
    TooDeep {
        /// Where.
        at: usize,
    },
}

fn hint(suggestion: &Option<&'static str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// Reads the type of a message field.
///
/// # Errors
/// What is wrong, and where.
pub fn parse_type(text: &str) -> Result<FieldType, TypeSyntaxError> {
    let mut reader = Reader { text, at: 0 };
    let name = reader.peek_word();
    let epoch = EPOCHS.iter().find(|(epoch, _)| *epoch == name).map(|(_, unit)| *unit);
    let parsed = match epoch {
        Some(unit) => {
            reader.word();
            FieldType::Epoch(unit)
        }
        None => FieldType::Plain(reader.read_type(0)?),
    };
    reader.end()?;
    Ok(parsed)
}

/// Reads a type of a table: as [`parse_type`] without `epoch_*`.
///
/// # Errors
/// What is wrong, and where.
pub fn parse_plain_type(text: &str) -> Result<Type, TypeSyntaxError> {
    let mut reader = Reader { text, at: 0 };
    let parsed = reader.read_type(0)?;
    reader.end()?;
    Ok(parsed)
}

/// The type that values of a message field have: an `epoch_*` field is an instant, `timestamptz_ns` for nanoseconds.
pub fn value_type(field: &FieldType) -> Type {
    match field {
        FieldType::Plain(ty) => ty.clone(),
        FieldType::Epoch(EpochUnit::Nanosecond) => Type::TimestamptzNs,
        FieldType::Epoch(_) => Type::Timestamptz,
    }
}

const EPOCHS: [(&str, EpochUnit); 4] = [
    ("epoch_s", EpochUnit::Second),
    ("epoch_ms", EpochUnit::Millisecond),
    ("epoch_us", EpochUnit::Microsecond),
    ("epoch_ns", EpochUnit::Nanosecond),
];

impl fmt::Display for EpochUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, _) = EPOCHS.iter().find(|(_, unit)| unit == self).expect("every unit has its word");
        f.write_str(word)
    }
}

/// As `[fields]` has it.
impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldType::Plain(ty) => ty.fmt(f),
            FieldType::Epoch(unit) => unit.fmt(f),
        }
    }
}

const PRIMITIVES: [(&str, Type); 14] = [
    ("boolean", Type::Boolean),
    ("int", Type::Int),
    ("long", Type::Long),
    ("float", Type::Float),
    ("double", Type::Double),
    ("date", Type::Date),
    ("time", Type::Time),
    ("timestamp", Type::Timestamp),
    ("timestamptz", Type::Timestamptz),
    ("timestamp_ns", Type::TimestampNs),
    ("timestamptz_ns", Type::TimestamptzNs),
    ("string", Type::String),
    ("uuid", Type::Uuid),
    ("binary", Type::Binary),
];

struct Reader<'a> {
    text: &'a str,
    /// Byte position.
    at: usize,
}

impl<'a> Reader<'a> {
    fn read_type(&mut self, depth: usize) -> Result<Type, TypeSyntaxError> {
        self.space();
        let start = self.place();
        if depth > NESTING_MAX {
            return Err(TypeSyntaxError::TooDeep { at: start });
        }
        let name = self.word();
        if let Some((_, ty)) = PRIMITIVES.iter().find(|(primitive, _)| *primitive == name) {
            return Ok(ty.clone());
        }
        match name {
            "" => Err(self.expected("a type")),
            "decimal" => self.decimal(),
            "fixed" => self.fixed(),
            "struct" => self.fields(depth),
            "list" => {
                self.open()?;
                let ty = self.read_type(depth + 1)?;
                self.close()?;
                Ok(Type::List(Box::new(Field::new(0, "element", false, ty))))
            }
            "map" => {
                self.open()?;
                let key = self.read_type(depth + 1)?;
                self.token(',', "`,` between key and value type")?;
                let value = self.read_type(depth + 1)?;
                self.close()?;
                let (key, value) = (Field::new(0, "key", true, key), Field::new(0, "value", false, value));
                Ok(Type::Map { key: Box::new(key), value: Box::new(value) })
            }
            _ if EPOCHS.iter().any(|(epoch, _)| *epoch == name) => {
                Err(TypeSyntaxError::NestedEpoch { name: name.to_owned(), at: start })
            }
            _ => Err(TypeSyntaxError::UnknownType { name: name.to_owned(), at: start, suggestion: suggest(name) }),
        }
    }

    fn decimal(&mut self) -> Result<Type, TypeSyntaxError> {
        self.token('(', "`(precision, scale)`")?;
        let precision = self.number("precision", 1, 38, "1 to 38")? as u8;
        self.token(',', "`,` and the scale")?;
        let scale = self.number("scale", 0, u32::from(precision), "0 to the precision")? as u8;
        self.token(')', "`)`")?;
        Ok(Type::Decimal { precision, scale })
    }

    fn fixed(&mut self) -> Result<Type, TypeSyntaxError> {
        self.space();
        let close = match self.rest().starts_with('[') {
            true => ']',
            false => ')',
        };
        self.token(if close == ']' { '[' } else { '(' }, "`(length)` or `[length]`")?;
        let width = self.number("length", 1, i32::MAX as u32, "1 to 2147483647")?;
        self.token(close, if close == ']' { "`]`" } else { "`)`" })?;
        Ok(Type::Fixed(width))
    }

    fn fields(&mut self, depth: usize) -> Result<Type, TypeSyntaxError> {
        self.open()?;
        let mut fields: Vec<Field> = Vec::new();
        self.space();
        if self.rest().starts_with('>') {
            self.close()?;
            return Ok(Type::Struct(fields));
        }
        loop {
            self.space();
            let at = self.place();
            let mut name = self.name()?;
            self.token(':', "`:` behind the field's name")?;
            if name.bytes().all(|byte| byte.is_ascii_digit()) && self.id_before_name() {
                name = self.name()?;
                self.token(':', "`:` behind the field's name")?;
            }
            if matches!(self.peek_word(), "optional" | "required") {
                self.word();
            }
            let ty = self.read_type(depth + 1)?;
            if fields.iter().any(|field| field.name == name) {
                return Err(TypeSyntaxError::RepeatedField { name, at });
            }
            fields.push(Field::new(0, name, false, ty));
            self.space();
            match self.rest().starts_with(',') {
                true => self.at += 1,
                false => break,
            }
        }
        self.token('>', "`,` or `>`")?;
        Ok(Type::Struct(fields))
    }

    /// After `1:`, whether a name and another `:` follow, so that the 1 was an id.
    fn id_before_name(&mut self) -> bool {
        let mark = self.at;
        let found = self.name().is_ok() && self.token(':', "`:`").is_ok();
        self.at = mark;
        found
    }

    fn name(&mut self) -> Result<String, TypeSyntaxError> {
        self.space();
        let rest = self.rest();
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '`')) {
            let Some(length) = rest[1..].find(quote) else { return Err(self.expected("a closing quote")) };
            self.at += length + 2;
            return Ok(rest[1..=length].to_owned());
        }
        let name = rest[..rest.find([':', '<', '>', ',', '"', '`']).unwrap_or(rest.len())].trim_end();
        if name.is_empty() {
            return Err(self.expected("a field's name"));
        }
        self.at += name.len();
        Ok(name.to_owned())
    }

    fn number(
        &mut self,
        what: &'static str,
        least: u32,
        most: u32,
        range: &'static str,
    ) -> Result<u32, TypeSyntaxError> {
        self.space();
        let at = self.place();
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Err(self.expected("a number"));
        }
        let number = self.rest()[..digits].parse::<u32>().ok().filter(|number| (least..=most).contains(number));
        self.at += digits;
        number.ok_or(TypeSyntaxError::OutOfRange { what, at, range })
    }

    fn open(&mut self) -> Result<(), TypeSyntaxError> {
        self.token('<', "`<`")
    }

    fn close(&mut self) -> Result<(), TypeSyntaxError> {
        self.token('>', "`>`")
    }

    fn token(&mut self, token: char, wanted: &'static str) -> Result<(), TypeSyntaxError> {
        self.space();
        if !self.rest().starts_with(token) {
            return Err(self.expected(wanted));
        }
        self.at += token.len_utf8();
        Ok(())
    }

    fn end(&mut self) -> Result<(), TypeSyntaxError> {
        self.space();
        if self.rest().is_empty() { Ok(()) } else { Err(self.expected("the end of the type")) }
    }

    fn peek_word(&mut self) -> &'a str {
        self.space();
        let rest = self.rest();
        &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
    }

    fn word(&mut self) -> &'a str {
        let word = self.peek_word();
        self.at += word.len();
        word
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The 1-based character of the position.
    fn place(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }

    fn expected(&self, wanted: &'static str) -> TypeSyntaxError {
        let found = self.rest().chars().next().map_or_else(|| "the end".to_owned(), |c| format!("`{c}`"));
        TypeSyntaxError::Expected { wanted, at: self.place(), found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(name: &str, ty: Type) -> Field {
        Field::new(0, name, false, ty)
    }

    #[test]
    fn every_type_is_read_and_prints_the_same() {
        let texts = [
            "boolean",
            "int",
            "long",
            "float",
            "double",
            "decimal(18, 8)",
            "decimal(38, 38)",
            "decimal(1, 0)",
            "date",
            "time",
            "timestamp",
            "timestamptz",
            "timestamp_ns",
            "timestamptz_ns",
            "string",
            "uuid",
            "fixed(16)",
            "binary",
            "struct<p: string>",
            "struct<a: int, b: struct<c: list<map<string, decimal(9, 2)>>>>",
            "list<long>",
            "map<string, string>",
            "struct<>",
        ];
        for text in texts {
            assert_eq!(parse_plain_type(text).map(|ty| ty.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn epochs_are_instants() {
        for (text, unit) in EPOCHS {
            assert_eq!(parse_type(&format!(" {text} ")), Ok(FieldType::Epoch(unit)));
        }
        assert_eq!(value_type(&FieldType::Epoch(EpochUnit::Millisecond)), Type::Timestamptz);
        assert_eq!(value_type(&FieldType::Epoch(EpochUnit::Nanosecond)), Type::TimestamptzNs);
    }

    #[test]
    fn the_specification_s_other_spellings_are_read() {
        assert_eq!(parse_plain_type("decimal(9,2)"), Ok(Type::Decimal { precision: 9, scale: 2 }));
        assert_eq!(parse_plain_type("fixed[4]"), Ok(Type::Fixed(4)));
        let wanted = Type::Struct(vec![nested("p", Type::String), nested("q", Type::Long)]);
        assert_eq!(parse_plain_type("struct<1: p: optional string, 2: q: required long>"), Ok(wanted));
        let wanted =
            Type::Struct(vec![nested("1", Type::String), nested("a:b", Type::Long), nested("net amount", Type::Int)]);
        assert_eq!(parse_plain_type("struct< 1 : string , `a:b` : long,net amount:int >"), Ok(wanted));
        let Ok(Type::Map { key, value }) = parse_plain_type("map<string,int>") else { panic!("a map") };
        assert!(key.required && !value.required);
    }

    #[test]
    fn errors_say_what_and_where() {
        let cases = [
            ("bigint", "unknown type `bigint` at character 1; did you mean `long`?"),
            ("String", "unknown type `String` at character 1; did you mean `string`?"),
            ("timestmap", "unknown type `timestmap` at character 1; did you mean `timestamp`?"),
            ("list<strng>", "unknown type `strng` at character 6; did you mean `string`?"),
            ("quux", "unknown type `quux` at character 1"),
            ("", "expected a type at character 1, found the end"),
            ("decimal", "expected `(precision, scale)` at character 8, found the end"),
            ("decimal(18)", "expected `,` and the scale at character 11, found `)`"),
            ("decimal(39, 2)", "precision at character 9 must be 1 to 38"),
            ("decimal(4, 5)", "scale at character 12 must be 0 to the precision"),
            ("fixed(0)", "length at character 7 must be 1 to 2147483647"),
            ("struct<a string>", "expected `:` behind the field's name at character 16, found `>`"),
            ("struct<a: string", "expected `,` or `>` at character 17, found the end"),
            ("struct<a: int, a: long>", "field `a` at character 16 stands twice in its struct"),
            ("map<string>", "expected `,` between key and value type at character 11, found `>`"),
            (
                "list<epoch_ms>",
                "epoch_ms at character 6 can only be the type of a whole field; inside a nested type write long and map it",
            ),
            ("long long", "expected the end of the type at character 6, found `l`"),
        ];
        for (text, wanted) in cases {
            assert_eq!(parse_type(text).expect_err(text).to_string(), wanted);
        }
        let deep = "list<".repeat(NESTING_MAX + 1) + "int" + &">".repeat(NESTING_MAX + 1);
        assert_eq!(parse_type(&deep), Err(TypeSyntaxError::TooDeep { at: 5 * (NESTING_MAX + 1) + 1 }));
    }
}
