//! From what a sample shows to a pipeline: a pure function.
//!
//! Contract: what it proposes rests on ties of the sample, or on nothing and then says so; where nothing ties the two sides
//! there is no proposal but a reason.

use std::collections::BTreeSet;

use validator_core::contract::Format;
use validator_core::value::Value;

use super::aggregate::aggregated;
use super::columns::{Explanation, dropped, explain, short};
use super::dead_letters::dead_letters;
use super::deletions::by_kafka_key;
use super::derived::{Derived, Part};
use super::evidence::Evidence;
use super::identity::{Choice, Mode, choose};
use super::limits::NAMES_MAX;
use super::lost::{lost, words};
use super::operands::{Declared, Operands, Types, another_type};
use super::own_rows::share;
use super::reading::Reading;
use super::rhythm::Rhythm;
use super::ties::{Ties, tie};
use super::unexplained::unexplained;
use crate::identifier::identifier;

/// One line of `[fields]` or `[map]`, with what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// The comment behind it.
    pub seen: String,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The format.
    pub format: Format,
    /// Which rows are the topic's, where other topics write to the table too.
    pub row_filter: Option<Line>,
    /// `[fields]`.
    pub fields: Vec<Line>,
    /// `[map]`.
    pub map: Vec<Line>,
    /// `[identity]`.
    pub choice: Choice,
    /// `ignore`, with reasons.
    pub ignore: Vec<(String, String)>,
    /// `drop`, with reasons.
    pub drop: Vec<(String, String)>,
    /// `tolerate`: column and word.
    pub tolerate: Vec<(String, String)>,
    /// What values the columns of `map` cannot keep, sentence by sentence.
    pub lost: Vec<String>,
    /// What `settle` rests on.
    pub rhythm: Option<Rhythm>,
    /// Pairs of a message and a row that it rests on.
    pub ties: usize,
    /// By which columns they are tied.
    pub tied_by: Vec<String>,
    /// The tied messages: index into the evidence.
    pub tied_messages: Vec<usize>,
    /// What explains each leaf of the evidence.
    pub explained: Vec<Explanation>,
    /// What the sample could not decide.
    pub undecided: Vec<String>,
    /// Of it, ignored columns in which what a field says may be lost.
    pub unexplained: Vec<String>,
}

/// Why there is no proposal: what was tried, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpaired {
    /// Nothing ties the sides.
    Untied {
        /// Sentence by sentence.
        seen: Vec<String>,
    },
    /// Rows are messages that the sink could not write.
    DeadLetters {
        /// Sentence by sentence.
        seen: Vec<String>,
    },
    /// Rows sum messages up.
    Aggregated {
        /// Sentence by sentence.
        seen: Vec<String>,
    },
}

/// Proposes; of the rows those of the topic, where other topics write to the table too.
///
/// # Errors
/// Nothing ties the sides, or rows stand for several messages or for those that were given up.
pub fn propose(evidence: &Evidence) -> Result<Proposal, Unpaired> {
    let ties = tie(evidence);
    let Some(share) = share(evidence, &ties) else { return propose_of(evidence, &ties) };
    let own = share.of(evidence);
    let proposal = propose_of(&own, &tie(&own))?;
    Ok(Proposal { row_filter: Some(share.line), ..proposal })
}

fn propose_of(evidence: &Evidence, ties: &Ties) -> Result<Proposal, Unpaired> {
    let mut explained = explain(evidence, ties);
    if let Some(seen) = dead_letters(evidence, ties, &explained) {
        return Err(Unpaired::DeadLetters { seen });
    }
    if let Some(seen) = aggregated(evidence, ties, &explained) {
        return Err(Unpaired::Aggregated { seen });
    }
    if ties.ties.is_empty() {
        return Err(unpaired(evidence, ties));
    }
    let says = |(at, explanation): (usize, &Explanation)| {
        let leaf = &evidence.rows.leaves[at];
        !leaf.is_child && matches!(explanation, Explanation::Field { .. })
    };
    if !explained.iter().enumerate().any(says) && !ties.by.iter().any(|by| evidence.messages.fields[by.field].is_meta) {
        return Err(unpaired(evidence, ties));
    }
    let mut choice = choose(evidence, ties, &explained);
    choice.evidence.extend(evidence.claims.said());
    let keyed = by_kafka_key(evidence, &choice.mode, &mut explained);
    let build = Build { evidence, explained: &explained };
    let (fields, map, ignore) = build.lines(&choice);
    let ignored: BTreeSet<String> = ignore.iter().map(|(name, _)| name.clone()).collect();
    let mut drop = dropped(evidence, &build.used(&ignored), &ignored);
    if let Ok(Some(field)) = keyed {
        let name = &evidence.messages.fields[field].name;
        let of_field = drop.iter_mut().filter(|(dropped, _)| dropped == name);
        of_field.for_each(|(_, reason)| *reason = "the Kafka key says the same, and of deletions too".to_owned());
    }
    let (lost, words) = (lost(evidence, &explained, &ignored), words(evidence, &explained, &ignored));
    let unexplained = unexplained(evidence, ties, &explained, &ignored);
    let unnamed = keyed.err().map(str::to_owned);
    let undecided = unnamed
        .into_iter()
        .chain(lost.iter().chain(&unexplained).cloned())
        .chain(words)
        .chain(build.undecided(&choice))
        .collect();
    Ok(Proposal {
        format: evidence.format,
        row_filter: None,
        fields,
        map,
        choice,
        ignore,
        drop,
        tolerate: build.tolerated(&ignored),
        lost,
        rhythm: Rhythm::of(&evidence.commits_ms),
        ties: ties.ties.len(),
        tied_by: ties.by.iter().map(|by| evidence.rows.leaves[by.leaf].path.clone()).collect(),
        tied_messages: ties.ties.iter().map(|tie| tie.message).collect(),
        explained,
        undecided,
        unexplained,
    })
}

fn unpaired(evidence: &Evidence, ties: &Ties) -> Unpaired {
    let (messages, rows) = (evidence.messages.values.len(), evidence.rows.values.len());
    let mut seen = vec![format!("{messages} messages and {rows} rows were held against each other, value by value")];
    let mut pairs = std::collections::HashSet::new();
    let tried = ties.tried.iter().filter(|tried| pairs.insert((tried.leaf, tried.field))).take(3).map(|tried| {
        let (leaf, field) = (&evidence.rows.leaves[tried.leaf].path, &evidence.messages.fields[tried.field].name);
        format!(
            "column {} has {} values of field {}, and they tie no row to one message",
            short(leaf),
            tried.distinct,
            short(field)
        )
    });
    seen.extend(tried);
    if ties.tried.is_empty() {
        seen.push("no column has the values of any field, under any conversion that is known here".to_owned());
    }
    Unpaired::Untied { seen }
}

/// The lines of a file, and what was left open on the way.
struct Build<'a> {
    evidence: &'a Evidence,
    explained: &'a [Explanation],
}

impl Build<'_> {
    /// `[fields]`, `[map]` and `ignore`.
    fn lines(&self, choice: &Choice) -> (Vec<Line>, Vec<Line>, Vec<(String, String)>) {
        let (by_position, beside): (&[String], &[String]) = match &choice.mode {
            Mode::Offset { explained, beside, .. } => (explained, beside),
            _ => (&[], &[]),
        };
        let mut declared = Types::new();
        let (mut map, mut ignore) = (Vec::new(), Vec::new());
        let columns = self.evidence.rows.leaves.iter().enumerate().filter(|(_, leaf)| !leaf.is_child);
        // Columns of their field's name have the first word on its type.
        let mut columns: Vec<usize> =
            columns.filter(|(_, leaf)| !by_position.contains(&leaf.path)).map(|(at, _)| at).collect();
        // Rules over several fields take them as they are read by then.
        columns
            .sort_by_key(|leaf| (matches!(self.explained[*leaf], Explanation::Derived(_)), !self.is_namesake(*leaf)));
        for leaf in columns {
            match self.line(leaf, &mut declared) {
                Ok(Some(line)) => map.push((leaf, line)),
                Ok(None) => {}
                Err(reason) => ignore.push((leaf, reason)),
            }
        }
        map.sort_by_key(|(leaf, _)| *leaf);
        ignore.sort_by_key(|(leaf, _)| *leaf);
        let path = |leaf: usize| self.evidence.rows.leaves[leaf].path.clone();
        let beside = beside.iter().map(|path| (path.clone(), "kept beside the position, and no part of it".to_owned()));
        let ignore = ignore.into_iter().map(|(leaf, reason)| (path(leaf), reason)).chain(beside).collect();
        let fields = declared.into_iter().filter(|(_, declared)| declared.is_written);
        let fields = fields.map(|(key, Declared { ty: value, seen, .. })| Line { key, value, seen }).collect();
        (fields, map.into_iter().map(|(_, line)| line).collect(), ignore)
    }

    /// The line of a column in `[map]`, if it needs one; the reason to ignore it where nothing explains it.
    fn line(&self, leaf: usize, declared: &mut Types) -> Result<Option<Line>, String> {
        let described = &self.evidence.rows.leaves[leaf];
        let (field, reading, equal, of) = match &self.explained[leaf] {
            Explanation::Ignored { reason } => return Err(reason.clone()),
            Explanation::Derived(derived) => return self.derived_line(leaf, derived, declared).map(Some),
            Explanation::Field { field, reading, equal, of } => (*field, reading, *equal, *of),
        };
        let message = &self.evidence.messages.fields[field];
        let (is_namesake, ty) = (message.name == described.path, &described.field.ty);
        let value = self.example(field);
        let seen = format!("equal in {equal} of {of} tied rows");
        let name = identifier(&message.name);
        let typed = if self.evidence.format == Format::Json { None } else { reading.typed(&name, &value, ty) };
        let sql = typed.or_else(|| reading.sql(&name, &value, ty));
        if !message.is_meta
            && let Some(wanted) = self.wanted(leaf, field, reading)
        {
            let is_own = is_namesake && *reading == Reading::Same;
            let known = declared.entry(message.name.clone()).or_insert_with(|| Declared {
                ty: wanted.clone(),
                // The column of its name gives the field its type.
                is_written: !is_own && !wanted.is_empty(),
                seen: seen.clone(),
            });
            if known.ty != wanted {
                return Err(another_type(&message.name));
            }
        }
        let sql = sql.or_else(|| (!is_namesake).then(|| identifier(&message.name)));
        Ok(sql.map(|sql| Line { key: described.path.clone(), value: sql, seen }))
    }

    /// The line of a column that a rule makes.
    fn derived_line(&self, leaf: usize, derived: &Derived, declared: &mut Types) -> Result<Line, String> {
        let operands = Operands { evidence: self.evidence, seen: &derived.seen };
        let parts = derived.parts.iter().map(|part| match part {
            Part::Sql(sql) => Ok(sql.clone()),
            Part::Column(of) => {
                let line = self.line(*of, declared)?;
                Ok(line.map_or_else(|| identifier(&self.evidence.rows.leaves[*of].path), |line| line.value))
            }
            Part::Number(field) => operands.number(*field, declared),
            Part::Text(field) => operands.text(*field, declared),
            Part::Instant(field, unit) => operands.instant(*field, *unit, declared),
            Part::Time(field) => operands.time(*field, declared),
            Part::Nested(field) => operands.nested(*field, declared),
        });
        let value = parts.collect::<Result<String, String>>()?;
        Ok(Line { key: self.evidence.rows.leaves[leaf].path.clone(), value, seen: derived.seen.clone() })
    }

    /// The type that a field has to be read as for a column; none where the format knows its types, empty where any text is
    /// meant.
    fn wanted(&self, leaf: usize, field: usize, reading: &Reading) -> Option<String> {
        let name = &self.evidence.messages.fields[field].name;
        if self.evidence.format != Format::Json {
            return None;
        }
        let wanted = reading.declared(&self.example(field), &self.evidence.rows.leaves[leaf].field.ty);
        // A text that no column is named after needs no type.
        let is_named = self.evidence.schema.field(name).is_some();
        Some(wanted.filter(|wanted| wanted != "string" || is_named).unwrap_or_default())
    }

    /// A value of a field that is there.
    fn example(&self, field: usize) -> Value {
        let there = self.evidence.messages.values.iter().map(|values| &values[field]).find(|value| !value.is_null());
        there.cloned().unwrap_or(Value::Null)
    }

    fn is_namesake(&self, leaf: usize) -> bool {
        match &self.explained[leaf] {
            Explanation::Field { field, .. } => {
                self.evidence.messages.fields[*field].name == self.evidence.rows.leaves[leaf].path
            }
            Explanation::Derived(_) | Explanation::Ignored { .. } => false,
        }
    }

    /// Fields that a column which is not ignored keeps.
    fn used(&self, ignored: &BTreeSet<String>) -> BTreeSet<usize> {
        let leaves = self.evidence.rows.leaves.iter().zip(self.explained);
        leaves
            .filter(|(leaf, _)| !leaf.is_child && !ignored.contains(&leaf.path))
            .flat_map(|(_, explained)| match explained {
                Explanation::Field { field, .. } => vec![*field],
                Explanation::Derived(derived) => self.fields_of(derived),
                Explanation::Ignored { .. } => Vec::new(),
            })
            .collect()
    }

    fn fields_of(&self, derived: &Derived) -> Vec<usize> {
        let field = |part: &Part| match part {
            Part::Sql(_) => None,
            Part::Number(field)
            | Part::Text(field)
            | Part::Instant(field, _)
            | Part::Time(field)
            | Part::Nested(field) => Some(*field),
            Part::Column(leaf) => match &self.explained[*leaf] {
                Explanation::Field { field, .. } => Some(*field),
                _ => None,
            },
        };
        derived.parts.iter().filter_map(field).collect()
    }

    /// The columns that say the same in other words.
    fn tolerated(&self, ignored: &BTreeSet<String>) -> Vec<(String, String)> {
        let leaves = self.evidence.rows.leaves.iter().zip(self.explained);
        let kept = leaves.filter(|(leaf, _)| !leaf.is_child && !ignored.contains(&leaf.path));
        kept.filter_map(|(leaf, explained)| match explained {
            Explanation::Derived(derived) => Some((leaf.path.clone(), derived.tolerance?.word().to_owned())),
            _ => None,
        })
        .collect()
    }

    fn undecided(&self, choice: &Choice) -> Vec<String> {
        let mut open = choice.refused.clone();
        open.extend(self.evidence.claims.against(&choice.mode));
        for (leaf, explained) in self.evidence.rows.leaves.iter().zip(self.explained).filter(|(leaf, _)| !leaf.is_child)
        {
            if let Explanation::Field { field, equal, of, .. } = explained
                && equal < of
            {
                let field = short(&self.evidence.messages.fields[*field].name);
                let (name, differ) = (short(&leaf.path), of - equal);
                open.push(format!("column {name} differs from field {field} in {differ} of {of} tied rows: damage, or a rule that the sample does not show"));
            }
        }
        let columns = self.evidence.schema.fields.len();
        if columns > NAMES_MAX {
            open.push(format!("{} columns behind the first {NAMES_MAX} were not looked at", columns - NAMES_MAX));
        }
        if self.evidence.messages.undecodable > 0 {
            open.push(format!("{} messages sampled cannot be decoded", self.evidence.messages.undecodable));
        }
        let derived = self.evidence.rows.leaves.iter().zip(self.explained);
        let derived: Vec<String> = derived
            .filter(|(_, explained)| matches!(explained, Explanation::Derived(_)))
            .map(|(leaf, _)| short(&leaf.path))
            .collect();
        if !derived.is_empty() && !self.evidence.is_whole {
            open.push(format!(
                "the rules of {} hold in every row sampled; whether they do everywhere, only a whole run tells",
                derived.join(", ")
            ));
        }
        if matches!(choice.mode, Mode::Key { .. }) && !self.evidence.is_whole {
            open.push(
                "the key is unique in the sample; whether it is so everywhere, only a whole run tells".to_owned(),
            );
        }
        if Rhythm::of(&self.evidence.commits_ms).is_none() {
            open.push("settle: fewer than three commits added rows, so there is no rhythm to take it from".to_owned());
        }
        open
    }
}
