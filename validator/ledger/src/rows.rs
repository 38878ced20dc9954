//! Rows of the core's delta as values of the tables, and back.

use validator_core::finding::FindingId;
use validator_core::position::{PartitionIndex, TopicPartition};
use validator_core::segment::SegmentKey;
use validator_core::shadow::delta::{
    Change, FileChange, FileStanding, FindingPlace, LaneRow, PageRow, ResidueRow, RunChange,
};
use validator_core::shadow::file::{FileId, PathHash};
use validator_core::shadow::page::PageKey;
use validator_core::shadow::told::{Facts, FactsHash, OpenFinding, is_of_event};
use validator_core::verdict::{Cause, Verdict};

use crate::error::LedgerError;
use crate::finding;
use crate::group::GroupId;
use crate::schema::{self, Table};
use crate::value::Value;

/// State of a run or a finding that is true now.
pub(crate) const OPEN: &str = "open";
/// State of one that is true no longer.
pub(crate) const RESOLVED: &str = "resolved";

/// A row to be written.
pub(crate) struct Put {
    pub(crate) table: &'static Table,
    pub(crate) values: Vec<Value>,
    /// Whether a restart reads it.
    pub(crate) open: bool,
}

impl Put {
    pub(crate) fn key(&self) -> &[Value] {
        &self.values[..self.table.keys]
    }
}

pub(crate) fn lane(row: &LaneRow) -> Put {
    let values = vec![
        i64::from(row.lane.0).into(),
        row.tp.topic.as_str().into(),
        i64::from(row.tp.partition).into(),
        row.body.as_slice().into(),
    ];
    Put { table: &schema::LANES, values, open: true }
}

pub(crate) fn lane_back(values: &[Value]) -> Result<LaneRow, LedgerError> {
    Ok(LaneRow {
        lane: PartitionIndex(small(&values[0])?),
        tp: TopicPartition { topic: values[1].text()?.to_owned(), partition: small(&values[2])? },
        body: values[3].blob()?.to_vec(),
    })
}

pub(crate) fn page_key(key: PageKey) -> [Value; 3] {
    [i64::from(key.kind).into(), key.a.into(), key.b.into()]
}

pub(crate) fn page(row: &PageRow) -> Put {
    let mut values = page_key(row.key).to_vec();
    values.extend([i64::from(row.unsettled).into(), row.body.as_slice().into()]);
    Put { table: &schema::PAGES, values, open: row.unsettled }
}

pub(crate) fn page_back(values: &[Value]) -> Result<PageRow, LedgerError> {
    Ok(PageRow {
        key: PageKey { kind: small(&values[0])?, a: values[1].int()?, b: values[2].int()? },
        unsettled: values[3].int()? == 1,
        body: values[4].blob()?.to_vec(),
    })
}

pub(crate) fn file(row: &FileChange) -> Put {
    let (standing, gone) = match row.standing {
        FileStanding::Waiting => (0, None),
        FileStanding::Live => (1, None),
        FileStanding::Gone { since_ms } => (2, Some(since_ms)),
    };
    let values = vec![
        i64::from(row.id.0).into(),
        row.path.as_str().into(),
        (&row.path_hash.0).into(),
        standing.into(),
        Value::Int(gone),
        row.facts.as_slice().into(),
    ];
    Put { table: &schema::FILES, values, open: gone.is_none() }
}

pub(crate) fn file_back(values: &[Value]) -> Result<FileChange, LedgerError> {
    Ok(FileChange {
        id: FileId(small(&values[0])?),
        path: values[1].text()?.to_owned(),
        path_hash: PathHash(values[2].array()?),
        standing: match (values[3].int()?, values[4].int_or_none()) {
            (0, None) => FileStanding::Waiting,
            (1, None) => FileStanding::Live,
            (2, Some(since_ms)) => FileStanding::Gone { since_ms },
            _ => return Err(LedgerError::damaged("a file stands nowhere")),
        },
        facts: values[5].blob()?.to_vec(),
    })
}

pub(crate) fn file_body(file: FileId, body: &[u8]) -> Put {
    Put { table: &schema::FILE_BODIES, values: vec![i64::from(file.0).into(), body.into()], open: false }
}

pub(crate) fn segment_key(segment: SegmentKey) -> Result<Vec<Value>, LedgerError> {
    let (page, slot) = PageKey::of(segment);
    let slot = i64::try_from(slot).map_err(|_| LedgerError::damaged("a slot has no number"))?;
    Ok(page_key(page).into_iter().chain([slot.into()]).collect())
}

pub(crate) fn segment_back(values: &[Value]) -> Result<SegmentKey, LedgerError> {
    let page = PageKey { kind: small(&values[0])?, a: values[1].int()?, b: values[2].int()? };
    page.segment(small::<u32>(&values[3])? as usize).ok_or_else(|| LedgerError::damaged("no segment has that place"))
}

pub(crate) fn residue(segment: SegmentKey, body: &[u8]) -> Result<Put, LedgerError> {
    let mut values = segment_key(segment)?;
    values.push(body.into());
    Ok(Put { table: &schema::RESIDUES, values, open: true })
}

pub(crate) fn residue_back(values: &[Value]) -> Result<ResidueRow, LedgerError> {
    Ok(ResidueRow { segment: segment_back(values)?, body: Some(values[4].blob()?.to_vec()) })
}

pub(crate) fn run_key(run: &RunChange) -> Result<Vec<Value>, LedgerError> {
    let mut values = segment_key(run.segment)?;
    values.push(run.verdict.as_str().into());
    Ok(values)
}

/// A run as it is from now on; `opened_ms`: of the row that is there.
pub(crate) fn run(run: &RunChange, opened_ms: i64, resolved_by: Option<String>) -> Result<Put, LedgerError> {
    let mut values = run_key(run)?;
    let open = run.change != Change::Resolved;
    values.extend([
        cause(run.verdict, run.cause)?,
        i64::try_from(run.messages).unwrap_or(i64::MAX).into(),
        (if open { OPEN } else { RESOLVED }).into(),
        opened_ms.into(),
        run.at_ms.into(),
        Value::Text(resolved_by),
        GroupId::of(run.verdict, run.cause, None).as_str().into(),
    ]);
    Ok(Put { table: &schema::RUNS, values, open })
}

/// Open runs only.
pub(crate) fn run_back(values: &[Value]) -> Result<RunChange, LedgerError> {
    let verdict = verdict_back(&values[4])?;
    Ok(RunChange {
        segment: segment_back(values)?,
        verdict,
        cause: cause_back(verdict, &values[5])?,
        messages: u64::try_from(values[6].int()?).map_err(|_| LedgerError::damaged("a run counts below zero"))?,
        change: if values[8].int()? == values[9].int()? { Change::Opened } else { Change::Changed },
        at_ms: values[9].int()?,
    })
}

/// A cause's word; it must be one that is found again.
pub(crate) fn cause(verdict: Verdict, cause: Option<Cause>) -> Result<Value, LedgerError> {
    match cause {
        Some(cause) if !Cause::of(verdict).contains(&cause) => {
            Err(LedgerError::Contradiction { what: format!("{verdict} cannot have the cause {cause}") })
        }
        cause => Ok(Value::Text(cause.map(|cause| cause.as_str().to_owned()))),
    }
}

pub(crate) fn verdict_back(value: &Value) -> Result<Verdict, LedgerError> {
    let word = value.text()?;
    Verdict::all()
        .find(|verdict| verdict.as_str() == word)
        .ok_or_else(|| LedgerError::damaged("no verdict has that word"))
}

pub(crate) fn cause_back(verdict: Verdict, value: &Value) -> Result<Option<Cause>, LedgerError> {
    let Value::Text(Some(word)) = value else { return Ok(None) };
    let found = Cause::of(verdict).into_iter().find(|cause| cause.as_str() == word);
    found.map(Some).ok_or_else(|| LedgerError::damaged("no cause has that word"))
}

/// Lane, place, file and path of a finding.
pub(crate) fn place(place: &FindingPlace) -> Result<[Value; 4], LedgerError> {
    let none = [Value::Int(None), Value::Int(None), Value::Int(None), Value::Text(None)];
    let [lane, at, file, path] = none;
    Ok(match place {
        FindingPlace::Message { lane, offset } => [i64::from(lane.0).into(), (*offset).into(), file, path],
        FindingPlace::Row { file, position } => {
            let what = || LedgerError::Contradiction { what: format!("row {position} is beyond what a file holds") };
            [lane, i64::try_from(*position).map_err(|_| what())?.into(), i64::from(file.0).into(), path]
        }
        FindingPlace::Table { path } => [lane, at, file, path.as_str().into()],
    })
}

/// What a finding is about.
pub(crate) fn place_back(values: &[Value]) -> Result<FindingPlace, LedgerError> {
    let [lane, at, file, path] = values else { return Err(LedgerError::damaged("a finding has no place")) };
    Ok(match (lane.int_or_none(), file.int_or_none()) {
        (Some(_), None) => FindingPlace::Message { lane: PartitionIndex(small(lane)?), offset: at.int()? },
        (None, Some(_)) => FindingPlace::Row { file: FileId(small(file)?), position: small_count(at)? },
        _ => FindingPlace::Table { path: path.text()?.to_owned() },
    })
}

/// An open finding whose values nobody has read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// The same in every run.
    pub id: FindingId,
    /// What is true.
    pub verdict: Verdict,
    /// Why, as far as it is known.
    pub cause: Option<Cause>,
    /// What it is about.
    pub place: FindingPlace,
    /// What the state machine says of it.
    pub facts: Facts,
    /// Of facts and cause as they stand: its values are of these alone.
    pub of: FactsHash,
}

pub(crate) fn untold_back(values: &[Value]) -> Result<Untold, LedgerError> {
    let verdict = verdict_back(&values[1])?;
    Ok(Untold {
        id: id_back(&values[0])?,
        verdict,
        cause: cause_back(verdict, &values[2])?,
        place: place_back(&values[3..7])?,
        facts: Facts::from_bytes(verdict, values[finding::FACTS].blob()?)?,
        of: finding::stands(values)?,
    })
}

/// An open finding as a restart needs it; none: it does not.
pub(crate) fn finding_back(values: &[Value]) -> Result<Option<OpenFinding>, LedgerError> {
    let verdict = verdict_back(&values[1])?;
    if is_of_event(verdict, values[finding::FACTS].blob()?) {
        return Ok(None);
    }
    Ok(Some(OpenFinding {
        id: id_back(&values[0])?,
        verdict,
        cause: cause_back(verdict, &values[2])?,
        place: place_back(&values[3..7])?,
        facts: FactsHash::of(values[finding::FACTS].blob()?),
    }))
}

pub(crate) fn id_back(value: &Value) -> Result<FindingId, LedgerError> {
    FindingId::from_digits(value.text()?).ok_or_else(|| LedgerError::damaged("a finding has no id"))
}

pub(crate) fn small<T: TryFrom<i64>>(value: &Value) -> Result<T, LedgerError> {
    T::try_from(value.int()?).map_err(|_| LedgerError::damaged("a number is out of its bounds"))
}

/// A count, which is never below zero.
pub(crate) fn small_count(value: &Value) -> Result<u64, LedgerError> {
    u64::try_from(value.int()?).map_err(|_| LedgerError::damaged("a count is below zero"))
}
