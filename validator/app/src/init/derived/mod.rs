//! Derivations: columns that a rule makes of fields, or of none, where no single reading of one field gives them.
//!
//! Contract: a rule is proposed only where it gives the row's value in every tied pair, in at least `DERIVED_TIES_LEAST`
//! of them and with at least `DERIVED_DISTINCT_LEAST` different values; one pair that differs refuses it (the JSON text of the
//! field of the column's name excepted). Each file of this
//! folder is one kind of rule, and [`RULES`] the list of them, the plainest first.

mod affixes;
mod calendar;
pub(super) mod constant;
mod joined;
mod json_object;
mod json_text;
mod pieces;
mod product;

use std::collections::HashSet;

use validator_core::contract::EpochUnit;
use validator_core::schema::Type;
use validator_core::tolerance::Tolerance;
use validator_core::value::Value;

use super::columns::Explanation;
use super::evidence::Evidence;
use super::limits::{DERIVED_DISTINCT_LEAST, DERIVED_TIES_LEAST};
use super::ties::{Tie, Ties};

/// A piece of the SQL of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Words as they are.
    Sql(String),
    /// A field, read as a number.
    Number(usize),
    /// A field, read as text.
    Text(usize),
    /// A field that counts these units since the epoch, read as an instant.
    Instant(usize, EpochUnit),
    /// A field that is an instant.
    Time(usize),
    /// A field, a list or a map of texts, read as what it is.
    Nested(usize),
    /// What another column is made of.
    Column(usize),
}

/// A rule that every tied pair bears out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// Its SQL.
    pub parts: Vec<Part>,
    /// How many rows bore it out, for the comment.
    pub seen: String,
    /// The differences that are none: a text may say the same in other words.
    pub tolerance: Option<Tolerance>,
}

/// The kinds of rules, the plainest first.
const RULES: [fn(&Sought<'_>) -> Option<Derived>; 8] = [
    constant::find,
    affixes::find,
    pieces::find,
    json_text::find,
    json_object::find,
    calendar::find,
    joined::find,
    product::find,
];

/// A column that no reading of a field explains, and the pairs that a rule must fit.
pub struct Sought<'a> {
    evidence: &'a Evidence,
    ties: &'a [Tie],
    explained: &'a [Explanation],
    leaf: usize,
}

/// The rule of a column, if the pairs show one.
pub fn find(evidence: &Evidence, ties: &Ties, explained: &[Explanation], leaf: usize) -> Option<Derived> {
    let sought = Sought { evidence, ties: &ties.ties, explained, leaf };
    RULES.iter().find_map(|rule| rule(&sought))
}

/// The rule of a text that is made of one other, if the pairs show one: it holds for values too that were not sampled, where
/// a word for each of those that were does not.
pub fn find_piece(evidence: &Evidence, ties: &Ties, explained: &[Explanation], leaf: usize) -> Option<Derived> {
    pieces::find(&Sought { evidence, ties: &ties.ties, explained, leaf })
}

impl Sought<'_> {
    fn ty(&self) -> &Type {
        &self.evidence.rows.leaves[self.leaf].field.ty
    }

    fn name(&self) -> &str {
        &self.evidence.rows.leaves[self.leaf].path
    }

    /// Fields of the payload.
    fn fields(&self) -> impl Iterator<Item = usize> + '_ {
        let fields = self.evidence.messages.fields.iter().enumerate();
        fields.filter(|(_, field)| !field.is_meta).map(|(at, _)| at)
    }

    fn message(&self, tie: &Tie, field: usize) -> &Value {
        &self.evidence.messages.values[tie.message][field]
    }

    fn row(&self, tie: &Tie) -> &Value {
        &self.evidence.rows.values[tie.row][self.leaf]
    }

    /// The first pair in which the column and these fields have values: what a rule is learned from.
    fn lesson(&self, fields: &[usize]) -> Option<&Tie> {
        let is_there =
            |tie: &&Tie| !self.row(tie).is_null() && fields.iter().all(|field| !self.message(tie, *field).is_null());
        self.ties.iter().find(is_there)
    }

    /// What speaks for a rule; none where a pair speaks against it or too few were seen. `given` gives NULL for a message
    /// without the fields, and none for one that the rule does not fit.
    fn borne_out(&self, says: &str, given: impl Fn(&Tie) -> Option<Value>) -> Option<String> {
        self.borne_out_in(100, says, given)
    }

    /// The same where so many of a hundred pairs bear it out: for a rule that is one conversion of the field of the column's
    /// name, what differs in few of them is damage.
    fn borne_out_in(&self, of_100: usize, says: &str, given: impl Fn(&Tie) -> Option<Value>) -> Option<String> {
        let mut distinct: HashSet<String> = HashSet::new();
        let (mut seen, mut equal, mut all) = (0, 0, 0);
        for tie in self.ties {
            let row = self.row(tie);
            all += 1;
            if given(tie).is_some_and(|given| given == *row || is_same_number(&given, row)) {
                equal += 1;
                seen += usize::from(!row.is_null());
                distinct.insert(row.to_string());
            } else if of_100 == 100 {
                return None;
            }
        }
        distinct.remove(&Value::Null.to_string());
        let is_enough = seen >= DERIVED_TIES_LEAST && distinct.len() >= DERIVED_DISTINCT_LEAST;
        let different = distinct.len();
        (is_enough && equal * 100 >= all * of_100).then(|| match equal == all {
            true => format!("{says}: equal in all {seen} tied rows, {different} different values"),
            false => format!("{says}: equal in {equal} of {all} tied rows, {different} different values"),
        })
    }
}

fn is_same_number(a: &Value, b: &Value) -> bool {
    matches!((a, b), (Value::Number { .. }, Value::Number { .. })) && a.order(b) == Some(std::cmp::Ordering::Equal)
}

/// The text of a field's value: text itself, or the digits of a whole number.
fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number { unscaled, scale: 0 } => Some(unscaled.to_string()),
        _ => None,
    }
}
