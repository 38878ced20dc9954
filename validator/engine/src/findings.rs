//! Findings: drafts of the judge with columns named, both values, blame, and a sentence for a person.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::{StreamExt, stream};
use validator_core::clock::UtcMillis;
use validator_core::contract::Contract;
use validator_core::damage::{self, Cell, DamageContext, Difference};
use validator_core::finding::{Candidate, ColumnDifference, Finding, Named, RowPlace};
use validator_core::judge::{Draft, ModeKind};
use validator_core::position::{MessageAt, RowAt, TopicPartition};
use validator_core::schema::Field;
use validator_core::value::Value;
use validator_core::verdict::{Cause, Damage, MessageVerdict, Verdict};
use validator_table::Pinned;

use crate::binding::{Binding, LeafPath, leaf_field};
use crate::captured::{CapturedValues, Cells};
use crate::dead_letters::DeadLetters;
use crate::limits::{FINDINGS_OF_A_CAUSE_SHOWN, PAIRS_AT_ONCE_MAX};
use crate::message_reader::{MessageSide, ReadError};
use crate::reconcile::RunError;
use crate::related::{Prints, Related};
use crate::removed::Removal;
use crate::swaps::Swaps;
use crate::tolerate::level;
use crate::values::{self, Values};

/// Everything that a finding's evidence comes from.
#[derive(Debug)]
pub struct Evidence {
    /// The pipeline.
    pub contract: Arc<Contract>,
    /// Messages.
    pub messages: MessageSide,
    /// Rows.
    pub pinned: Arc<Pinned>,
    /// The fields of the bound columns.
    pub fields: Arc<[Field]>,
    /// Why messages are undecodable.
    pub details: BTreeMap<MessageAt, String>,
    /// The dead letters, where any are declared.
    pub dead_letters: Option<Arc<DeadLetters>>,
    /// Values that the drill has read.
    pub captured: CapturedValues,
    /// One past the first offsets of each partition, of which every finding is asked for.
    pub heads: Vec<i64>,
}

/// What is told of a draft.
pub enum Told {
    /// Everything.
    Whole(Box<Finding>),
    /// What it is: nobody asks for more.
    Counted {
        /// What is true.
        verdict: Verdict,
        /// Why.
        cause: Option<Cause>,
        /// The first column that differs.
        column: Option<String>,
    },
}

/// Both sides' values of one chunk of drafts.
#[derive(Debug)]
pub struct Sides {
    /// By position.
    pub messages: HashMap<MessageAt, Values>,
    /// By position.
    pub rows: HashMap<RowAt, Values>,
    /// Of captured pairs, by the draft's place in the chunk: the columns that may differ.
    pub pairs: Vec<Option<Vec<Cell>>>,
}

impl Evidence {
    /// What there is to tell of these drafts, in their order, made `threads` chunks at a time and given to `each`; and how
    /// many of them could not be linked, as there are too many. Beyond the first `whole` drafts only the first messages of
    /// a partition and the first findings of each cause are told whole.
    ///
    /// # Errors
    /// The messages could not be read again; those of `each`.
    pub async fn findings(
        self: &Arc<Self>,
        drafts: Vec<Draft>,
        removed: HashMap<MessageAt, Removal>,
        (threads, whole): (usize, usize),
        mut each: impl FnMut(Told) -> Result<(), RunError>,
    ) -> Result<u64, RunError> {
        let (mut linked, mut prints) = (Vec::new(), Prints::default());
        let related = Arc::new(Related::new(self.binding(), &drafts));
        let whole = if related.is_asked() { usize::MAX } else { whole };
        let (drafts, removed) = (Arc::new(drafts), Arc::new(removed));
        let chunks = (0..drafts.len()).step_by(PAIRS_AT_ONCE_MAX).map(|from| {
            let (evidence, drafts, related) = (Arc::clone(self), Arc::clone(&drafts), Arc::clone(&related));
            let removed = Arc::clone(&removed);
            tokio::spawn(async move {
                let chunk = from..(from + PAIRS_AT_ONCE_MAX).min(drafts.len());
                let sides = evidence.sides(&drafts[chunk.clone()], &related).await?;
                let made = tokio::task::spawn_blocking(move || {
                    let prints =
                        related.prints(evidence.binding(), from, &drafts[chunk.clone()], &sides.messages, &sides.rows);
                    (evidence.chunk(&drafts[chunk], &sides, &removed, whole.saturating_sub(from)), prints)
                });
                made.await.map_err(lost)
            })
        });
        let mut chunks = stream::iter(chunks).buffered(threads.max(1));
        while let Some(chunk) = chunks.next().await {
            let (made, printed) = chunk.map_err(lost)??;
            prints.append(printed);
            match related.is_asked() {
                true => linked.extend(made.into_iter().filter_map(Told::whole)),
                false => made.into_iter().try_for_each(&mut each)?,
            }
        }
        prints.link(self.binding(), &mut linked);
        linked.into_iter().map(|finding| Told::Whole(Box::new(finding))).try_for_each(&mut each)?;
        Ok(related.unlinked())
    }

    fn chunk(&self, drafts: &[Draft], sides: &Sides, removed: &HashMap<MessageAt, Removal>, whole: usize) -> Vec<Told> {
        let swaps = Swaps::of(drafts, sides);
        let mut of_kind: HashMap<(Verdict, Option<Cause>), usize> = HashMap::new();
        let tell = |(place, draft): (usize, &Draft)| {
            let differences = match &sides.pairs[place] {
                Some(cells) => self.differences_of(draft, cells, &swaps),
                None => self.differences(draft, sides, &swaps),
            };
            let cause = cause(draft, &differences);
            let so_far = of_kind.entry((draft.verdict, cause)).or_default();
            *so_far += 1;
            let is_first = draft.message.is_some_and(|at| at.offset < self.heads[at.partition.0 as usize]);
            if place < whole || is_first || *so_far <= FINDINGS_OF_A_CAUSE_SHOWN {
                return Told::Whole(Box::new(self.finding(draft, cause, differences, (sides, removed))));
            }
            let column = differences.into_iter().next().map(|difference| difference.column);
            Told::Counted { verdict: draft.verdict, cause, column }
        };
        drafts.iter().enumerate().map(tell).collect()
    }

    /// Whether the message has no values, whatever its verdict: one in the dead letters may be undecodable too.
    fn is_undecodable(&self, at: MessageAt, verdict: Verdict) -> bool {
        verdict == Verdict::Message(MessageVerdict::Undecodable) || self.details.contains_key(&at)
    }

    fn binding(&self) -> &Binding {
        &self.messages.binding
    }

    async fn sides(&self, drafts: &[Draft], related: &Related) -> Result<Sides, ReadError> {
        let by_columns = self.binding().identity.mode() == ModeKind::Key;
        let is_content = self.binding().identity.mode() == ModeKind::Content;
        let mut messages: BTreeSet<MessageAt> = BTreeSet::new();
        let mut rows: BTreeSet<RowAt> = BTreeSet::new();
        let mut sides = Sides { messages: HashMap::new(), rows: HashMap::new(), pairs: vec![None; drafts.len()] };
        let mut cells = Cells::default();
        for (draft, cells_of) in drafts.iter().zip(&mut sides.pairs) {
            *cells_of = self.pair(draft, &mut cells);
            if cells_of.is_some() {
                continue;
            }
            for (message, row) in &draft.compare {
                messages.insert(*message);
                rows.insert(*row);
            }
            match draft.message {
                Some(at) if (by_columns && !self.is_undecodable(at, draft.verdict)) || related.wants(draft) => {
                    messages.insert(at);
                }
                Some(_) => {}
                None if is_content && !related.wants(draft) => {}
                None => rows.extend(draft.rows.first()),
            }
        }
        drop(cells);
        messages.retain(|at| match self.captured.message(*at, self.binding()) {
            Some(values) => sides.messages.insert(*at, values).is_some(),
            None => true,
        });
        rows.retain(|at| match self.captured.row(*at, &self.fields) {
            Some(values) => sides.rows.insert(*at, values).is_some(),
            None => true,
        });
        let side = self.messages.clone();
        let read = tokio::task::spawn_blocking(move || values::of_messages(&side, &messages));
        sides.rows.extend(values::of_rows(&self.pinned, &self.fields, &rows).await);
        sides.messages.extend(read.await.map_err(lost)??);
        Ok(sides)
    }

    fn finding(
        &self,
        draft: &Draft,
        cause: Option<Cause>,
        differences: Vec<Difference>,
        (sides, removed): (&Sides, &HashMap<MessageAt, Removal>),
    ) -> Finding {
        let mut finding = self.bare(draft);
        finding.identity = self.identity(draft, sides);
        finding.columns = differences.into_iter().map(column_difference).collect();
        finding.cause = cause;
        finding.copies = draft.copies;
        if draft.message.is_some() {
            finding.rows = draft.rows.iter().map(|at| self.place(*at)).collect();
        }
        if let Some(first) = draft.rows.first() {
            let file = &self.pinned.files[first.file.0 as usize];
            finding.snapshot_id = Some(file.snapshot_id);
            finding.operation = file.added_by.as_ref().map(|by| by.operation.clone());
        }
        if let Some(removal) = draft.message.and_then(|at| removed.get(&at)) {
            finding.snapshot_id = Some(removal.snapshot_id);
            finding.operation.clone_from(&removal.operation);
        }
        self.binding().mask.hide_keys(&mut finding);
        finding.detail = self.sentence(draft, &finding);
        if let Some(equals) = &draft.equals {
            finding.candidates = equals.candidates.iter().map(|at| self.candidate(*at)).collect();
            finding.detail += &format!("; which of {} equal messages it is cannot be told", equals.messages);
        }
        finding
    }

    fn candidate(&self, at: MessageAt) -> Candidate {
        let tp = self.tp(at);
        Candidate { topic: tp.topic, partition: tp.partition, offset: at.offset }
    }

    fn bare(&self, draft: &Draft) -> Finding {
        let name = &self.contract.name;
        match (draft.message, draft.verdict, draft.rows.first()) {
            (Some(at), Verdict::Message(verdict), _) => {
                let mut finding = Finding::of_message(name, verdict, draft.cause, &self.tp(at), at.offset);
                finding.timestamp = draft.timestamp_ms.map(UtcMillis);
                finding
            }
            (_, verdict, Some(row)) => {
                let place = self.place(*row);
                Finding::of_row(name, verdict, draft.cause, &place.file, row.position)
            }
            (_, verdict, None) => Finding::of_table(name, verdict, draft.cause, &self.pinned.metadata_location),
        }
    }

    fn tp(&self, at: MessageAt) -> TopicPartition {
        self.messages.tap.partitions()[at.partition.0 as usize].tp.clone()
    }

    fn place(&self, at: RowAt) -> RowPlace {
        RowPlace { file: self.pinned.files[at.file.0 as usize].path.clone(), position: Some(at.position) }
    }

    /// The cells of a draft of one captured pair that no tolerance has a say in.
    fn pair(&self, draft: &Draft, cells: &mut Cells) -> Option<Vec<Cell>> {
        let [pair] = draft.compare.as_slice() else { return None };
        let is_plain = self.binding().tolerances.is_empty() && draft.stale.is_empty();
        let is_corrupted = draft.verdict == Verdict::Message(MessageVerdict::Corrupted);
        (is_plain && is_corrupted).then(|| self.captured.pair(*pair, cells, &self.fields)).flatten()
    }

    fn identity(&self, draft: &Draft, sides: &Sides) -> Option<Named> {
        let binding = self.binding();
        let leaves = binding.identity.leaves();
        if leaves.is_empty() {
            return None;
        }
        let name = |leaf: &LeafPath| leaf_name(binding, leaf);
        let values = match draft.message {
            Some(at) => match sides.messages.get(&at).cloned().or_else(|| self.captured.message(at, binding)) {
                Some(values) => values,
                None if binding.identity.is_offset() => return Some(self.position_identity(at, &leaves)),
                None => return None,
            },
            None => Arc::clone(sides.rows.get(draft.rows.first()?)?),
        };
        let json = |leaf: &LeafPath| leaf_value(&values, leaf).to_json_of(&leaf_field(&binding.columns, leaf).ty);
        Some(Named(leaves.iter().map(|leaf| (name(leaf), json(leaf))).collect()))
    }

    /// The identity of mode `offset` needs no second look at the message.
    fn position_identity(&self, at: MessageAt, leaves: &[LeafPath]) -> Named {
        let tp = self.tp(at);
        let crate::binding::BoundIdentity::Offset { topic, partition, .. } = &self.binding().identity else {
            return Named::default();
        };
        let value = |leaf: &LeafPath| {
            if Some(leaf) == topic.as_ref() {
                Value::String(tp.topic.clone())
            } else if Some(leaf) == partition.as_ref() {
                Value::integer(i64::from(tp.partition))
            } else {
                Value::integer(at.offset)
            }
        };
        let columns = &self.binding().columns;
        let json = |leaf: &LeafPath| value(leaf).to_json_of(&leaf_field(columns, leaf).ty);
        Named(leaves.iter().map(|leaf| (leaf_name(self.binding(), leaf), json(leaf))).collect())
    }

    /// The same of a captured pair.
    fn differences_of(&self, draft: &Draft, cells: &[Cell], swaps: &Swaps) -> Vec<Difference> {
        let Some((message, _)) = draft.compare.first() else { return Vec::new() };
        let expected = |column: usize| cells.iter().find(|cell| cell.column == column).map(|cell| &cell.message);
        let other_rows = |column: &str, value: &Value| {
            let index = self.fields.iter().position(|field| field.name == column);
            let pair = index.and_then(|index| Some((index, expected(index)?)));
            pair.is_some_and(|(index, expected)| swaps.exchanged(index, *message, value, expected))
        };
        let context = DamageContext { defaults: &self.pinned.defaults, other_rows: &other_rows, stale: false };
        damage::of_cells(&self.fields, cells, &context)
    }

    /// The columns in which any of the draft's pairs differ, in the table's order, each once, from the first pair that
    /// shows it.
    fn differences(&self, draft: &Draft, sides: &Sides, swaps: &Swaps) -> Vec<Difference> {
        let fields = &self.fields;
        let mut found: Vec<Difference> = Vec::new();
        for (message, row) in &draft.compare {
            let (Some(expected), Some(actual)) = (sides.messages.get(message), sides.rows.get(row)) else { continue };
            let other_rows = |column: &str, value: &Value| {
                let index = fields.iter().position(|field| field.name == column);
                index.is_some_and(|index| swaps.exchanged(index, *message, value, &expected[index]))
            };
            let stale = draft.stale.contains(row);
            let context = DamageContext { defaults: &self.pinned.defaults, other_rows: &other_rows, stale };
            let levelled = level(&self.binding().tolerances, fields, expected, actual);
            for difference in damage::differences(fields, &levelled, actual, &context) {
                if found.iter().all(|other| other.column != difference.column) {
                    found.push(difference);
                }
            }
        }
        let place = |name: &str| fields.iter().position(|field| is_of(name, &field.name));
        found.sort_by_key(|difference| place(&difference.column));
        found
    }
}

fn lost(error: tokio::task::JoinError) -> ReadError {
    ReadError::Lost { tp: "messages".into(), failure: error.to_string() }
}

fn column_difference(difference: Difference) -> ColumnDifference {
    ColumnDifference {
        message: difference.message.to_json_of(&difference.ty),
        row: difference.row.to_json_of(&difference.ty),
        name: difference.column,
        damage: difference.damage,
    }
}

/// The cause of a corrupted message is the damage of its first column.
fn cause(draft: &Draft, differences: &[Difference]) -> Option<Cause> {
    let corrupted = draft.verdict == Verdict::Message(MessageVerdict::Corrupted);
    match draft.cause {
        None if corrupted => Some(Cause::Damage(differences.first().map_or(Damage::Other, |column| column.damage))),
        cause => cause,
    }
}

impl Told {
    fn whole(self) -> Option<Finding> {
        match self {
            Self::Whole(finding) => Some(*finding),
            Self::Counted { .. } => None,
        }
    }
}

/// Whether a difference of this name lies in the column: it is the column, or a leaf of it.
fn is_of(name: &str, column: &str) -> bool {
    name.strip_prefix(column).is_some_and(|leaf| leaf.is_empty() || leaf.starts_with(['.', '[']))
}

/// The dotted name of a leaf.
pub(crate) fn leaf_name(binding: &Binding, leaf: &LeafPath) -> String {
    (1..=leaf.len())
        .map(|depth| leaf_field(&binding.columns, &leaf[..depth]).name.as_str())
        .collect::<Vec<_>>()
        .join(".")
}

/// The value at a leaf of a row's values.
fn leaf_value(values: &[Value], leaf: &[usize]) -> Value {
    leaf[1..].iter().fold(values[leaf[0]].clone(), |value, child| match value {
        Value::Struct(mut fields) if *child < fields.len() => fields.swap_remove(*child).1,
        _ => Value::Null,
    })
}
