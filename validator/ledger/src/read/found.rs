//! A finding as the ledger has it.

use std::collections::{BTreeMap, BTreeSet};

use validator_core::finding::FindingId;
use validator_core::position::TopicPartition;
use validator_core::shadow::delta::FindingPlace;
use validator_core::shadow::file::FileId;
use validator_core::shadow::told::Facts;
use validator_core::verdict::{Cause, Verdict};

use super::state::FindingState;
use crate::error::LedgerError;
use crate::finding::ResolvedBy;
use crate::group::{About, GroupId};
use crate::limits::KEYS_PER_STATEMENT;
use crate::marks::{MARK_COLUMNS, MARK_KINDS, Mark, mark_back};
use crate::rows;
use crate::store::Store;
use crate::value::{Kind, Value};

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRow {
    /// The same in every run.
    pub id: FindingId,
    /// What is true.
    pub verdict: Verdict,
    /// Why.
    pub cause: Option<Cause>,
    /// What it is about.
    pub place: Place,
    /// What holds of it.
    pub state: FindingState,
    /// How often it opened.
    pub times: u64,
    /// When it opened for the first time: an instant that the state judged by, as all of these.
    pub first_ms: i64,
    /// When it opened last.
    pub opened_ms: i64,
    /// When it changed last; of a resolved one: when it was resolved.
    pub changed_ms: i64,
    /// What resolved it.
    pub resolved_by: Option<ResolvedBy>,
    /// Its group.
    pub group: GroupId,
    /// What it groups by, beside verdict and cause.
    pub about: Option<About>,
    /// One sentence, where it was told once.
    pub said: Option<String>,
    /// The message's Kafka timestamp.
    pub timestamp_ms: Option<i64>,
    /// Its rows: file and position. Of a file that nothing asks for any more the name is not known.
    pub rows: Vec<(String, u64)>,
    /// Copies, of a duplicated message.
    pub copies: u64,
    /// Its values, as they were given; none: they are not read yet.
    pub evidence: Option<Vec<u8>>,
    /// What people decided last.
    pub mark: Option<Mark>,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A message.
    Message {
        /// Its partition.
        tp: TopicPartition,
        /// Its offset.
        offset: i64,
    },
    /// A row alone.
    Row {
        /// Its file.
        file: String,
        /// Its position in it.
        position: u64,
    },
    /// The table or a file.
    Table {
        /// The path, or what stands for it.
        path: String,
    },
}

const OWN: [&str; 16] = [
    "id",
    "verdict",
    "cause",
    "lane",
    "place",
    "file",
    "path",
    "times",
    "first_ms",
    "opened_ms",
    "changed_ms",
    "resolved_by",
    "group_id",
    "about",
    "facts",
    "evidence",
];

/// What [`Raw::back`] needs of a row `f` with the mark `m`; `standing` says how it stands.
pub(super) fn columns(standing: &str, marked: bool) -> (String, Vec<Kind>) {
    let own = OWN.map(|name| format!("f.{name}")).join(", ");
    // Without marks there is no `m`.
    let of_mark = |name: &str, kind: &Kind| match (marked, kind) {
        (true, _) => format!("m.{name}"),
        (false, Kind::Int) => "CAST(NULL AS BIGINT)".to_owned(),
        (false, _) => "CAST(NULL AS TEXT)".to_owned(),
    };
    let mark = MARK_COLUMNS.iter().zip(&MARK_KINDS).map(|(name, kind)| of_mark(name, kind));
    let mark = mark.collect::<Vec<_>>().join(", ");
    let text = [Kind::Text; 3];
    let place = [Kind::Int, Kind::Int, Kind::Int, Kind::Text];
    let life = [Kind::Int, Kind::Int, Kind::Int, Kind::Int, Kind::Text, Kind::Text, Kind::Text];
    let bodies = [Kind::Blob, Kind::Blob, Kind::Text];
    let kinds = [text.as_slice(), &place, &life, &bodies, &MARK_KINDS].concat();
    (format!("{own}, {standing}, {mark}"), kinds)
}

/// A finding whose files have numbers and no names yet.
pub(super) struct Raw {
    row: FindingRow,
    place: FindingPlace,
    facts: Facts,
}

impl Raw {
    pub fn back(values: &[Value], lanes: &[TopicPartition]) -> Result<Self, LedgerError> {
        let verdict = rows::verdict_back(&values[1])?;
        let place = rows::place_back(&values[3..7])?;
        let facts = Facts::from_bytes(verdict, values[14].blob()?)?;
        let about = values[13].text().ok().map(|text| {
            About::from_text(text).ok_or_else(|| LedgerError::damaged("a finding is about nothing that is known"))
        });
        let mark = if values[17].text().is_ok() { Some(mark_back(&values[17..])?) } else { None };
        let row = FindingRow {
            id: rows::id_back(&values[0])?,
            verdict,
            cause: rows::cause_back(verdict, &values[2])?,
            place: match &place {
                FindingPlace::Message { lane, offset } => {
                    let tp = lanes.get(lane.0 as usize).cloned();
                    let tp = tp.ok_or_else(|| LedgerError::damaged("a finding is of no partition"))?;
                    Place::Message { tp, offset: *offset }
                }
                FindingPlace::Row { file, position } => Place::Row { file: nameless(*file), position: *position },
                FindingPlace::Table { path } => Place::Table { path: path.clone() },
            },
            state: FindingState::back(&values[16])?,
            times: rows::small_count(&values[7])?,
            first_ms: values[8].int()?,
            opened_ms: values[9].int()?,
            changed_ms: values[10].int()?,
            resolved_by: ResolvedBy::from_value(&values[11])?,
            group: GroupId::from_digits(values[12].text()?)
                .ok_or_else(|| LedgerError::damaged("a finding has no group"))?,
            about: about.transpose()?,
            said: facts.said.clone(),
            timestamp_ms: facts.timestamp_ms,
            rows: Vec::new(),
            copies: facts.copies,
            evidence: values[15].blob().ok().map(<[u8]>::to_vec),
            mark,
        };
        Ok(Self { row, place, facts })
    }

    pub fn id(&self) -> &FindingId {
        &self.row.id
    }

    /// Whether it lies in one of these files, or is about that path.
    pub fn is_of(&self, files: &[FileId], path: &str) -> bool {
        let in_rows = self.facts.rows.iter().any(|(file, _)| files.contains(file));
        in_rows
            || match &self.place {
                FindingPlace::Row { file, .. } => files.contains(file),
                FindingPlace::Table { path: own } => own == path,
                FindingPlace::Message { .. } => false,
            }
    }

    fn files(&self) -> impl Iterator<Item = FileId> {
        let own = match self.place {
            FindingPlace::Row { file, .. } => Some(file),
            _ => None,
        };
        self.facts.rows.iter().map(|(file, _)| *file).chain(own)
    }
}

/// What stands for the name of a file that nothing asks for any more.
fn nameless(file: FileId) -> String {
    format!("file {}", file.0)
}

/// Whether that stands for a file whose name is not known any more.
pub fn is_nameless(path: &str) -> bool {
    path.strip_prefix("file ").is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Gives files their names.
pub(super) async fn named(store: &mut Store, pipeline: i64, raw: Vec<Raw>) -> Result<Vec<FindingRow>, LedgerError> {
    let files: BTreeSet<FileId> = raw.iter().flat_map(Raw::files).collect();
    let numbers = files.iter().map(|file| Value::from(i64::from(file.0))).collect::<Vec<_>>();
    let mut names = BTreeMap::new();
    for some in numbers.chunks(KEYS_PER_STATEMENT) {
        let places = (2..some.len() + 2).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT file, path FROM files WHERE pipeline = $1 AND file IN ({places})");
        let pipeline = Value::from(pipeline);
        let values = std::iter::once(&pipeline).chain(some).collect::<Vec<_>>();
        for row in store.rows(&sql, &values, &[Kind::Int, Kind::Text]).await? {
            names.insert(FileId(rows::small(&row[0])?), row[1].text()?.to_owned());
        }
    }
    let name = |file: FileId| names.get(&file).cloned().unwrap_or_else(|| nameless(file));
    let one = |raw: Raw| {
        let Raw { mut row, place, facts } = raw;
        if let FindingPlace::Row { file, position } = place {
            row.place = Place::Row { file: name(file), position };
        }
        row.rows = facts.rows.into_iter().map(|(file, position)| (name(file), position)).collect();
        row
    };
    Ok(raw.into_iter().map(one).collect())
}
