//! The life of a finding: open, resolved by itself, open again under the same id; with its values, and what it groups by.
//!
//! Contract: a finding is changed and resolved when it is open. One that is opened while it is open happened once more. What
//! resolved it is what the same checkpoint says: another finding on the same place, or the snapshot that it stands at.

use std::collections::{BTreeMap, BTreeSet};

use validator_core::finding::FindingId;
use validator_core::segment::SegmentKey;
use validator_core::shadow::delta::{Change, Delta, FindingChange, FindingPlace, RunChange};
use validator_core::shadow::file::FileId;
use validator_core::shadow::told::{FactsHash, is_of_event};

use crate::books::{Held, slot};
use crate::error::LedgerError;
use crate::group::{About, GroupId};
use crate::posting::Evidence;
use crate::prepared::{Preparing, Standing, fetched, fits};
use crate::rows::{self, OPEN, Put, RESOLVED};
use crate::schema::{FILES, FINDINGS};
use crate::store::Store;
use crate::value::Value;

// Columns of `findings`.
pub(crate) const CAUSE: usize = 2;
pub(crate) const STATE: usize = 7;
pub(crate) const TIMES: usize = 8;
pub(crate) const FIRST_MS: usize = 9;
pub(crate) const OPENED_MS: usize = 10;
pub(crate) const GROUP: usize = 13;
const ABOUT: usize = 14;
pub(crate) const FACTS: usize = 15;
const EVIDENCE: usize = 16;

/// What resolved a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolvedBy {
    /// Another finding on the same message or row is true instead.
    Finding(FindingId),
    /// Findings on single messages are true instead of one on the whole segment.
    Findings,
    /// The table stood at this snapshot when it was true no longer.
    Snapshot(i64),
}

impl ResolvedBy {
    fn to_text(&self) -> String {
        match self {
            Self::Finding(id) => format!("finding:{id}"),
            Self::Findings => "findings:".to_owned(),
            Self::Snapshot(id) => format!("snapshot:{id}"),
        }
    }

    pub(crate) fn from_value(value: &Value) -> Result<Option<Self>, LedgerError> {
        let Value::Text(Some(text)) = value else { return Ok(None) };
        let by = match text.split_once(':') {
            Some(("finding", id)) => FindingId::from_digits(id).map(Self::Finding),
            Some(("findings", "")) => Some(Self::Findings),
            Some(("snapshot", id)) => id.parse().ok().map(Self::Snapshot),
            _ => None,
        };
        by.map(Some).ok_or_else(|| LedgerError::damaged("nothing resolves a finding in that way"))
    }
}

/// What resolved a run; none: it is not resolved, or nobody can tell.
pub(crate) fn run_resolved_by(delta: &Delta, run: &RunChange, width: i64) -> Option<String> {
    if run.change != Change::Resolved {
        return None;
    }
    let SegmentKey::Offsets { partition, index } = run.segment else { return None };
    let inside = |finding: &FindingChange| match finding.place {
        FindingPlace::Message { lane, offset } => lane == partition && offset.div_euclid(width.max(1)) == index,
        _ => false,
    };
    let split = delta.findings.iter().any(|finding| finding.change == Change::Opened && inside(finding));
    let by = if split { Some(ResolvedBy::Findings) } else { delta.snapshot.map(ResolvedBy::Snapshot) };
    by.map(|by| by.to_text())
}

/// The last word on a finding of a checkpoint, and what came of it before.
struct Word<'a> {
    finding: &'a FindingChange,
    change: Change,
}

/// What one checkpoint says of findings beside the findings themselves.
struct Around<'a> {
    opened: BTreeMap<&'a FindingPlace, &'a FindingId>,
    snapshot: Option<i64>,
    paths: BTreeMap<FileId, String>,
    evidence: BTreeMap<&'a str, &'a Evidence>,
}

impl Around<'_> {
    fn resolved_by(&self, finding: &FindingChange) -> Option<ResolvedBy> {
        let other = self.opened.get(&finding.place).filter(|id| **id != &finding.id);
        other.map(|id| ResolvedBy::Finding((*id).clone())).or(self.snapshot.map(ResolvedBy::Snapshot))
    }

    fn about(&self, place: &FindingPlace) -> Option<About> {
        match place {
            FindingPlace::Message { .. } => None,
            FindingPlace::Row { file, .. } => self.paths.get(file).cloned().map(About::File),
            FindingPlace::Table { path } => (!path.is_empty()).then(|| About::File(path.clone())),
        }
    }
}

impl Preparing<'_> {
    /// Findings of a delta, and evidence, also of findings that this delta does not change.
    pub(crate) async fn findings(
        &mut self,
        store: &mut Store,
        pipeline: i64,
        delta: &Delta,
        evidence: &[Evidence],
    ) -> Result<(), LedgerError> {
        let words = last_words(&delta.findings);
        let around = self.around(store, pipeline, delta, evidence).await?;
        let ids: BTreeSet<&str> = words.keys().chain(around.evidence.keys()).copied().collect();
        let keys = ids.iter().map(|id| vec![Value::from(*id)]).collect::<Vec<_>>();
        let there = fetched(store, &self.key, &FINDINGS, pipeline, &keys).await?;
        for (id, key) in ids.into_iter().zip(&keys) {
            let before = there.get(&slot(&FINDINGS, key));
            let mut values = match (words.get(id), before) {
                (Some(word), before) => finding_values(word, before.map(|row| row.values.as_slice()), &around)?,
                (None, Some(before)) => before.values.clone(),
                // It opened and was resolved between two checkpoints.
                (None, None) => continue,
            };
            if let Some(evidence) = around.evidence.get(id)
                && is_of(evidence, &values)?
            {
                values[EVIDENCE] = evidence.body.as_slice().into();
                if evidence.cause.is_some() {
                    values[CAUSE] = rows::cause(rows::verdict_back(&values[1])?, evidence.cause)?;
                }
                if let Some(about) = &evidence.about {
                    group(&mut values, Some(about))?;
                }
            }
            let open = values[STATE].text()? == OPEN;
            if let Some(before) = before {
                self.made.shift.finding(&before.values, -1, self.ignoring)?;
            }
            self.made.shift.finding(&values, 1, self.ignoring)?;
            let before = before.map(held_finding).transpose()?;
            self.put_over(Put { table: &FINDINGS, values, open }, before)?;
        }
        Ok(())
    }

    /// Paths of files that findings lie in are of this delta, or in the ledger.
    async fn around<'a>(
        &self,
        store: &mut Store,
        pipeline: i64,
        delta: &'a Delta,
        evidence: &'a [Evidence],
    ) -> Result<Around<'a>, LedgerError> {
        let opened = delta.findings.iter().filter(|finding| finding.change == Change::Opened);
        let opened = opened.map(|finding| (&finding.place, &finding.id)).collect();
        let files = delta.findings.iter().filter_map(|finding| match finding.place {
            FindingPlace::Row { file, .. } => Some(file),
            _ => None,
        });
        let mut wanted: BTreeSet<FileId> = files.collect();
        let changed = delta.files_new.iter().map(|row| &row.file).chain(&delta.files_changed);
        let mut paths: BTreeMap<FileId, String> =
            changed.filter(|file| wanted.contains(&file.id)).map(|file| (file.id, file.path.clone())).collect();
        wanted.retain(|file| !paths.contains_key(file));
        let keys = wanted.iter().map(|file| vec![i64::from(file.0).into()]).collect::<Vec<_>>();
        for row in fetched(store, &self.key, &FILES, pipeline, &keys).await?.into_values() {
            let file = rows::file_back(&row.values)?;
            paths.insert(file.id, file.path);
        }
        let evidence = evidence.iter().map(|one| (one.finding.as_str(), one)).collect();
        Ok(Around { opened, snapshot: delta.snapshot, paths, evidence })
    }
}

/// Of a finding that is told several times the last word holds; one that is resolved and opened at once has changed.
fn last_words(findings: &[FindingChange]) -> BTreeMap<&str, Word<'_>> {
    let mut words: BTreeMap<&str, Word<'_>> = BTreeMap::new();
    for finding in findings {
        let resolved = words.get(finding.id.as_str()).is_some_and(|word| word.finding.change == Change::Resolved);
        let change = if resolved && finding.change == Change::Opened { Change::Changed } else { finding.change };
        words.insert(finding.id.as_str(), Word { finding, change });
    }
    words
}

/// What a finding says, in a hash: facts and cause. Values were read of it while nobody had told it, so that the cause is the
/// state machine's.
pub(crate) fn stands(values: &[Value]) -> Result<FactsHash, LedgerError> {
    let cause = match &values[CAUSE] {
        Value::Text(Some(cause)) => cause.as_str(),
        _ => "",
    };
    Ok(FactsHash::of(&[values[FACTS].blob()?, cause.as_bytes()].concat()))
}

/// Whether values are of what the finding says.
fn is_of(evidence: &Evidence, values: &[Value]) -> Result<bool, LedgerError> {
    Ok(match evidence.of {
        Some(of) => of == stands(values)?,
        None => true,
    })
}

fn held_finding(row: &Standing) -> Result<Held, LedgerError> {
    Ok(Held { hash: row.hash, open: row.values[STATE].text()? == OPEN })
}

/// The row of a finding after a change.
fn finding_values(word: &Word<'_>, before: Option<&[Value]>, around: &Around<'_>) -> Result<Vec<Value>, LedgerError> {
    let Word { finding, change } = *word;
    let open = before.map(|row| row[STATE].text()).transpose()? == Some(OPEN);
    fits(change, open, || format!("finding {}", finding.id.as_str()))?;
    let cause = rows::cause(finding.verdict, finding.cause)?;
    let of_before = |at: usize, or: i64| before.map_or(Ok(or), |row| row[at].int());
    let times = of_before(TIMES, 0)? + i64::from(change == Change::Opened);
    let first_ms = of_before(FIRST_MS, finding.at_ms)?;
    let opened_ms = if open { of_before(OPENED_MS, finding.at_ms)? } else { finding.at_ms };
    let resolved = change == Change::Resolved;
    // What was resolved keeps what it was; what is true in another way needs other evidence.
    let (facts, evidence) = match before {
        Some(row) if resolved => (row[FACTS].clone(), row[EVIDENCE].clone()),
        // What an event told stays as it was said: its rows are others.
        Some(row) if finding.facts.is_empty() && is_of_event(finding.verdict, row[FACTS].blob()?) => {
            (row[FACTS].clone(), Value::Blob(None))
        }
        _ => (finding.facts.as_slice().into(), Value::Blob(None)),
    };
    let resolved_by = around.resolved_by(finding).filter(|_| resolved).map(|by| by.to_text());
    let [lane, at, file, path] = rows::place(&finding.place)?;
    // Until other evidence comes it groups as it did.
    let known = before.filter(|row| row[CAUSE] == cause).and_then(|row| About::from_text(row[ABOUT].text().ok()?));
    let mut values = vec![
        finding.id.as_str().into(),
        finding.verdict.as_str().into(),
        cause,
        lane,
        at,
        file,
        path,
        (if resolved { RESOLVED } else { OPEN }).into(),
        times.into(),
        first_ms.into(),
        opened_ms.into(),
        finding.at_ms.into(),
        Value::Text(resolved_by),
        Value::Text(None),
        Value::Text(None),
        facts,
        evidence,
    ];
    group(&mut values, known.or_else(|| around.about(&finding.place)).as_ref())?;
    Ok(values)
}

fn group(values: &mut [Value], about: Option<&About>) -> Result<(), LedgerError> {
    let verdict = rows::verdict_back(&values[1])?;
    let cause = rows::cause_back(verdict, &values[CAUSE])?;
    values[GROUP] = GroupId::of(verdict, cause, about).as_str().into();
    values[ABOUT] = Value::Text(about.map(About::to_text));
    Ok(())
}
