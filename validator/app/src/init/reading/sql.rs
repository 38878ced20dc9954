//! A reading as SQL of `[map]`, and as a type of `[fields]`.

use validator_core::contract::EpochUnit;
use validator_core::schema::Type;
use validator_core::value::Value;

use super::{Reading, is_zoned};

impl Reading {
    /// The type that a JSON field is declared as, so that the column or the expression can read it. None: as it is.
    pub fn declared(&self, value: &Value, ty: &Type) -> Option<String> {
        match (self, value) {
            (Self::Same, _) => Some(ty.to_string()),
            (Self::Epoch(unit), _) => Some(unit.to_string()),
            (Self::Times(_) | Self::Digits, _) | (Self::Prefix(_), Value::Number { .. }) => Some("long".to_owned()),
            (Self::Rounded, _) | (Self::EpochText, Value::Number { .. }) => Some("decimal(38, 18)".to_owned()),
            (Self::Cut(_, inner), _) if **inner == Self::Same => {
                Some(if is_zoned(ty) { "timestamptz_ns" } else { "timestamp_ns" }.to_owned())
            }
            (Self::Cut(_, inner), _) => inner.declared(value, ty),
            (Self::Cases(_), Value::Boolean(_)) => Some("boolean".to_owned()),
            (Self::EpochText | Self::Whole | Self::Upper | Self::Lower | Self::Prefix(_) | Self::Cases(_), _) => {
                Some("string".to_owned())
            }
            _ => None,
        }
    }

    /// The field of a format that knows its types, brought to the type that [`Reading::declared`] gives one of JSON.
    pub fn typed(&self, name: &str, value: &Value, ty: &Type) -> Option<String> {
        match self {
            Self::Epoch(unit) => {
                let instant = format!("{}({name})", of_epoch(*unit));
                Some(if is_zoned(ty) { format!("CAST({instant} AS TIMESTAMPTZ)") } else { instant })
            }
            Self::Cut(to_ms, inner) => {
                let inside = inner.typed(name, value, ty)?;
                Self::Cut(*to_ms, Box::new(Self::Same)).sql(&inside, value, ty)
            }
            Self::Rounded if matches!(value, Value::String(_)) => {
                self.sql(&format!("CAST({name} AS DECIMAL(38, 18))"), value, ty)
            }
            _ => None,
        }
    }

    /// The expression over `name`; none where the column of that name needs none.
    pub fn sql(&self, name: &str, value: &Value, ty: &Type) -> Option<String> {
        Some(match self {
            Self::Same | Self::Epoch(_) => return None,
            Self::EpochText => {
                let micros = format!("CAST(CAST({name} AS DECIMAL(38, 6)) * 1000000 AS BIGINT)");
                match ty {
                    Type::Long => micros,
                    _ if is_zoned(ty) => format!("CAST(to_timestamp_micros({micros}) AS TIMESTAMPTZ)"),
                    _ => format!("to_timestamp_micros({micros})"),
                }
            }
            Self::EpochNumber(true) => format!("arrow_cast({name}, 'Int64')"),
            Self::EpochNumber(false) => {
                format!("arrow_cast(arrow_cast({name}, 'Timestamp(Millisecond, Some(\"+00:00\"))'), 'Int64')")
            }
            Self::Whole => format!("CAST({name} AS BIGINT)"),
            Self::Digits => format!("CAST({name} AS VARCHAR)"),
            Self::Times(factor) => format!("{name} * {factor}"),
            Self::Rounded => match ty {
                Type::Decimal { scale, .. } => format!("round({name}, {scale})"),
                _ => return None,
            },
            Self::Cut(to_ms, inner) => {
                let unit = if *to_ms { "millisecond" } else { "second" };
                let inside = inner.sql(name, value, ty).unwrap_or_else(|| name.to_owned());
                format!("date_trunc('{unit}', {inside})")
            }
            Self::Upper => format!("upper({name})"),
            Self::Lower => format!("lower({name})"),
            Self::Prefix(prefix) => {
                let plain = match value {
                    Value::Number { .. } => format!("CAST({name} AS VARCHAR)"),
                    _ => name.to_owned(),
                };
                format!("{} || {plain}", literal(prefix))
            }
            Self::Cases(cases) => {
                let when = |(from, to): &(Value, String)| match from {
                    Value::Boolean(value) => format!("WHEN {value} THEN {}", literal(to)),
                    other => format!("WHEN {} THEN {}", literal(&other.to_string()), literal(to)),
                };
                format!("CASE {name} {} END", cases.iter().map(when).collect::<Vec<_>>().join(" "))
            }
        })
    }
}

/// The function that makes a time of a number of these units since the epoch.
pub fn of_epoch(unit: EpochUnit) -> &'static str {
    match unit {
        EpochUnit::Second => "to_timestamp_seconds",
        EpochUnit::Millisecond => "to_timestamp_millis",
        EpochUnit::Microsecond => "to_timestamp_micros",
        EpochUnit::Nanosecond => "to_timestamp_nanos",
    }
}

/// An SQL text literal.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_cannot_be_left_by_a_quote() {
        assert_eq!(literal("it's'); DROP"), "'it''s''); DROP'");
    }
}
