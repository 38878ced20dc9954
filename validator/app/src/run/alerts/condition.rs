//! The condition of an alert: comparisons of figures, with `and`, `or`, `not` and parentheses.
//!
//! Contract: three-valued. A comparison with a figure that is not known is not known, and what is not known neither fires
//! nor resolves.

use std::fmt;

use super::figure::Figure;
use super::parse::{ConditionError, parse};

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All of them.
    All(Vec<Condition>),
    /// One of them at least.
    Any(Vec<Condition>),
    /// The opposite.
    Not(Box<Condition>),
    /// A comparison.
    Compare(Comparison),
    /// A flag.
    Is(Figure, String),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The figure.
    pub figure: Figure,
    /// As it is written: `burn_rate(1h)`.
    pub written: String,
    /// How it is compared.
    pub by: Relation,
    /// What with; durations in seconds, shares as fractions.
    pub limit: f64,
    /// As it is written: `5m`.
    pub limit_written: String,
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

impl Relation {
    /// All, with their signs; the longer of two that begin alike stands first.
    pub const ALL: [(&'static str, Self); 6] = [
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        ("==", Self::Equal),
        ("!=", Self::Unequal),
        (">", Self::Above),
        ("<", Self::Below),
    ];

    /// Whether it holds.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Above => left > right,
            Self::AtLeast => left >= right,
            Self::Below => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
            Self::Unequal => left != right,
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, relation)| relation == self).map_or("", |(sign, _)| sign))
    }
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        parse(text)
    }

    /// Whether it holds; `value` gives a figure, flags as 0 and 1.
    pub fn holds(&self, value: &dyn Fn(Figure) -> Option<f64>) -> Option<bool> {
        match self {
            Self::All(parts) => all(parts.iter().map(|part| part.holds(value))),
            Self::Any(parts) => all(parts.iter().map(|part| part.holds(value).map(|holds| !holds))).map(|none| !none),
            Self::Not(part) => part.holds(value).map(|holds| !holds),
            Self::Compare(compare) => value(compare.figure).map(|left| compare.by.holds(left, compare.limit)),
            Self::Is(figure, _) => value(*figure).map(|flag| flag != 0.0),
        }
    }

    /// Its figures, in the order in which they are written; one that stands twice is told once.
    pub fn figures(&self) -> Vec<(Figure, &str)> {
        let mut all: Vec<(Figure, &str)> = Vec::new();
        self.each_figure(&mut |figure, written| {
            if !all.iter().any(|(known, _)| *known == figure) {
                all.push((figure, written));
            }
        });
        all
    }

    fn each_figure<'c>(&'c self, each: &mut dyn FnMut(Figure, &'c str)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_figure(each)),
            Self::Not(part) => part.each_figure(each),
            Self::Compare(compare) => each(compare.figure, &compare.written),
            Self::Is(figure, written) => each(*figure, written),
        }
    }
}

/// False if one is false, true if all are true, else unknown.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut holds = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            None => holds = None,
            Some(true) => {}
        }
    }
    holds
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            parts.iter().enumerate().try_for_each(|(at, part)| {
                let before = if at == 0 { "" } else { word };
                match part {
                    Self::All(_) | Self::Any(_) => write!(f, "{before}({part})"),
                    _ => write!(f, "{before}{part}"),
                }
            })
        };
        match self {
            Self::All(parts) => joined(f, parts, " and "),
            Self::Any(parts) => joined(f, parts, " or "),
            Self::Not(part) => match part.as_ref() {
                Self::Is(..) => write!(f, "not {part}"),
                _ => write!(f, "not ({part})"),
            },
            Self::Compare(one) => write!(f, "{} {} {}", one.written, one.by, one.limit_written),
            Self::Is(_, written) => f.write_str(written),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_decides_only_where_the_rest_does_not() {
        let value = |figure: Figure| match figure {
            Figure::Lag => Some(5.0),
            Figure::Degraded => Some(1.0),
            _ => None,
        };
        let cases = [
            ("lag > 4", Some(true)),
            ("lag > 5", Some(false)),
            ("fidelity < 0.5", None),
            ("lag > 4 and fidelity < 0.5", None),
            ("lag > 5 and fidelity < 0.5", Some(false)),
            ("lag > 4 or fidelity < 0.5", Some(true)),
            ("lag > 5 or fidelity < 0.5", None),
            ("not fidelity < 0.5", None),
            ("not lag > 5 and degraded", Some(true)),
            ("not (lag > 4 or degraded)", Some(false)),
        ];
        for (text, expected) in cases {
            let condition = Condition::parse(text).expect(text);
            assert_eq!(condition.holds(&value), expected, "{text}");
        }
    }

    #[test]
    fn a_condition_is_shown_as_it_means() {
        let cases = [
            ("lag>4", "lag > 4"),
            ("burn_rate(1h) > 14.4 and burn_rate( 5m ) > 14.4", "burn_rate(1h) > 14.4 and burn_rate(5m) > 14.4"),
            ("lag > 1 and (lag < 9 or degraded)", "lag > 1 and (lag < 9 or degraded)"),
            ("not cannot_judge", "not cannot_judge"),
            ("not (age > 5m)", "not (age > 5m)"),
            ("fidelity(1h) < 99.99%", "fidelity(1h) < 99.99%"),
        ];
        for (text, shown) in cases {
            let condition = Condition::parse(text).expect(text);
            assert_eq!(condition.to_string(), shown);
            assert_eq!(Condition::parse(shown).expect(shown), condition);
        }
    }
}
