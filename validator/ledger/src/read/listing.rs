//! Lists of findings: all that are asked for, however many, a bounded number at a time.
//!
//! Contract: findings by id, then runs by segment. What a page ends with is where the next one begins, whatever changed in
//! between: nothing is shown twice.

use validator_core::finding::FindingId;

use super::filter::{Asked, FindingFilter};
use super::found::{FindingRow, Raw, columns, named};
use super::runs::{self, RunKey, RunRow};
use super::state::{FINDINGS_MARKED, Marked, STANDING, marked};
use super::{ReadLedger, row_of};
use crate::error::LedgerError;
use crate::limits::LISTED_ROWS;
use crate::marks::{MARK_COLUMNS, MARK_KINDS, Mark, mark_back};
use crate::pipeline::PipelineRow;
use crate::store::Store;
use crate::value::{Kind, Value};

/// One of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// A finding.
    Finding(Box<FindingRow>),
    /// A whole segment of messages that have one verdict.
    Run(RunRow),
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingPage {
    /// What is on it.
    pub listed: Vec<Listed>,
    /// What the next page is asked for with; none: this is the last.
    pub next: Option<String>,
}

/// Where a list goes on.
enum Cursor {
    Findings(Option<String>),
    Runs(Option<RunKey>),
}

impl Cursor {
    fn from_text(text: Option<&str>) -> Result<Self, LedgerError> {
        let Some(text) = text else { return Ok(Self::Findings(None)) };
        let refused = || LedgerError::Cursor { after: text.to_owned() };
        if let Some(id) = text.strip_prefix('f') {
            return FindingId::from_digits(id).map(|_| Self::Findings(Some(id.to_owned()))).ok_or_else(refused);
        }
        let key = text.strip_prefix('r').ok_or_else(refused)?;
        if key.is_empty() {
            return Ok(Self::Runs(None));
        }
        let parts = key.split('.').collect::<Vec<_>>();
        let [kind, a, b, slot, verdict] = parts.as_slice() else { return Err(refused()) };
        let number = |text: &str| text.parse::<i64>().map_err(|_| refused());
        let key = [number(kind)?, number(a)?, number(b)?, number(slot)?];
        Ok(Self::Runs(Some((key, (*verdict).to_owned()))))
    }

    fn to_text(&self) -> String {
        match self {
            Self::Findings(id) => format!("f{}", id.as_deref().unwrap_or_default()),
            Self::Runs(None) => "r".to_owned(),
            Self::Runs(Some(([kind, a, b, slot], verdict))) => format!("r{kind}.{a}.{b}.{slot}.{verdict}"),
        }
    }
}

impl ReadLedger {
    /// A page of findings and runs: at most `limit`, after what the page before ended with.
    ///
    /// # Errors
    /// When there is no such pipeline, `after` is of no page, or the ledger is damaged.
    pub async fn findings(
        &mut self,
        name: &str,
        filter: &FindingFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<FindingPage, LedgerError> {
        let cursor = Cursor::from_text(after)?;
        self.store.begin().await?;
        let page = async {
            let mut list = List::new(&mut self.store, name, filter).await?;
            list.page(&mut self.store, cursor, limit).await
        };
        let page = page.await;
        self.store.rollback().await;
        let (listed, next) = page?;
        Ok(FindingPage { listed, next: next.map(|next| next.to_text()) })
    }

    /// Hands over all findings and runs of one checkpoint, one at a time, holding few; says which checkpoint, none before
    /// the first.
    ///
    /// # Errors
    /// When there is no such pipeline, it is damaged, or what takes them refuses.
    pub async fn each_finding(
        &mut self,
        name: &str,
        filter: &FindingFilter,
        mut take: impl FnMut(Listed) -> Result<(), LedgerError>,
    ) -> Result<Option<Seen>, LedgerError> {
        self.store.begin().await?;
        let done = async {
            let mut list = List::new(&mut self.store, name, filter).await?;
            let mut cursor = Some(Cursor::Findings(None));
            while let Some(from) = cursor {
                let (listed, next) = list.page(&mut self.store, from, LISTED_ROWS).await?;
                listed.into_iter().try_for_each(&mut take)?;
                cursor = next;
            }
            seen(&mut self.store, &list.row).await
        };
        let done = done.await;
        self.store.rollback().await;
        done
    }

    /// One finding by its id, with everything that people decided about it, oldest first; none: it is not in the ledger. A
    /// message in a run has a finding of that verdict and no row of its own: it is found by its offset.
    ///
    /// # Errors
    /// When there is no such pipeline, or it is damaged.
    pub async fn finding(
        &mut self,
        name: &str,
        id: &FindingId,
        now_ms: i64,
    ) -> Result<Option<(FindingRow, Vec<Mark>)>, LedgerError> {
        self.store.begin().await?;
        let found = finding(&mut self.store, name, id, now_ms).await;
        self.store.rollback().await;
        found
    }
}

/// What a list was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The last checkpoint.
    pub checkpoint: u64,
    /// The instant that it judges by, milliseconds since the epoch.
    pub judged_at_ms: i64,
    /// The snapshot whose live set it has.
    pub snapshot: Option<i64>,
}

async fn seen(store: &mut Store, row: &PipelineRow) -> Result<Option<Seen>, LedgerError> {
    let sql = "SELECT judged_at_ms, snapshot FROM checkpoints WHERE pipeline = $1 AND checkpoint = $2";
    let found = store.rows(sql, &[&row.pipeline.into(), &row.checkpoint.into()], &[Kind::Int; 2]).await?;
    let one = |link: &Vec<Value>| {
        let (judged_at_ms, snapshot) = (link[0].int()?, link[1].int_or_none());
        Ok(Seen { checkpoint: row.checkpoint.unsigned_abs(), judged_at_ms, snapshot })
    };
    found.first().map(one).transpose()
}

impl ReadLedger {
    /// Ids of findings that begin with these digits, a few; the whole id of a finding is its own beginning.
    ///
    /// # Errors
    /// When there is no such pipeline, or it is damaged.
    pub async fn ids_from(&mut self, name: &str, digits: &str) -> Result<Vec<FindingId>, LedgerError> {
        self.store.begin().await?;
        let found = async {
            let (row, _) = row_of(&mut self.store, name).await?;
            let sql = "SELECT id FROM findings WHERE pipeline = $1 AND id >= $2 AND id < $3 ORDER BY id LIMIT 3";
            let values: [Value; 3] = [row.pipeline.into(), digits.into(), format!("{digits}g").as_str().into()];
            self.store.rows(sql, &values.iter().collect::<Vec<_>>(), &[Kind::Text]).await
        };
        let found = found.await;
        self.store.rollback().await;
        found?.iter().map(|row| crate::rows::id_back(&row[0])).collect()
    }
}

struct List<'a> {
    row: PipelineRow,
    asked: Asked<'a>,
    marked: Marked,
}

impl<'a> List<'a> {
    async fn new(store: &mut Store, name: &str, filter: &'a FindingFilter) -> Result<Self, LedgerError> {
        let (row, _) = row_of(store, name).await?;
        let asked = Asked::new(store, row.pipeline, filter).await?;
        let marked = marked(store, row.pipeline).await?;
        Ok(Self { row, asked, marked })
    }

    async fn page(
        &mut self,
        store: &mut Store,
        mut cursor: Cursor,
        limit: usize,
    ) -> Result<(Vec<Listed>, Option<Cursor>), LedgerError> {
        let limit = limit.max(1);
        let mut listed = Vec::new();
        while let Cursor::Findings(after) = &mut cursor {
            let wanted = (limit - listed.len()).min(LISTED_ROWS);
            let (found, last) = self.findings(store, after.as_deref(), wanted).await?;
            listed.extend(found.into_iter().map(|row| Listed::Finding(Box::new(row))));
            cursor = last.map_or(Cursor::Runs(None), |id| Cursor::Findings(Some(id)));
            if listed.len() >= limit {
                return Ok((listed, Some(cursor)));
            }
        }
        let Cursor::Runs(after) = &mut cursor else { return Ok((listed, None)) };
        while listed.len() < limit {
            let wanted = (limit - listed.len()).min(LISTED_ROWS);
            let width = self.row.width()?;
            let (found, last) = runs::page(store, &self.asked, &self.marked, width, after.as_ref(), wanted).await?;
            listed.extend(found.into_iter().map(Listed::Run));
            if last.is_none() {
                return Ok((listed, None));
            }
            *after = last;
        }
        Ok((listed, Some(cursor)))
    }

    /// Findings of one statement, and the last id that was looked at; none: there are no more.
    async fn findings(
        &self,
        store: &mut Store,
        after: Option<&str>,
        most: usize,
    ) -> Result<(Vec<FindingRow>, Option<String>), LedgerError> {
        let (mut conditions, mut values) = self.asked.conditions(self.marked.standing, "f.lane");
        if let Some(offset) = self.asked.filter.offset {
            values.push(offset.into());
            conditions.push_str(&format!(" AND f.place = ${}", values.len()));
        }
        if let Some(after) = after {
            values.push(after.into());
            conditions.push_str(&format!(" AND f.id > ${}", values.len()));
        }
        // Rows of a file are named in the facts, which the database cannot search.
        let path = self.asked.filter.file.as_deref();
        let looked_at = if path.is_some() { LISTED_ROWS } else { most };
        let (names, kinds) = columns(self.marked.standing, self.marked.findings == FINDINGS_MARKED);
        let from = self.marked.findings;
        let sql = format!("SELECT {names} FROM {from} WHERE {conditions} ORDER BY f.id LIMIT {looked_at}");
        let mut raw = Vec::new();
        for row in store.rows(&sql, &values.iter().collect::<Vec<_>>(), &kinds).await? {
            raw.push(Raw::back(&row, &self.asked.lanes)?);
        }
        let id = |raw: &Raw| raw.id().as_str().to_owned();
        let mut last = raw.last().filter(|_| raw.len() == looked_at).map(id);
        if let Some(path) = path {
            raw.retain(|raw| raw.is_of(&self.asked.files, path));
            if raw.len() > most {
                raw.truncate(most);
                last = raw.last().map(id);
            }
        }
        Ok((named(store, self.row.pipeline, raw).await?, last))
    }
}

async fn finding(
    store: &mut Store,
    name: &str,
    id: &FindingId,
    now_ms: i64,
) -> Result<Option<(FindingRow, Vec<Mark>)>, LedgerError> {
    let (row, _) = row_of(store, name).await?;
    let lanes = super::report::partitions(store, row.pipeline).await?;
    let (names, kinds) = columns(STANDING, true);
    let sql = format!("SELECT {names} FROM {FINDINGS_MARKED} WHERE f.pipeline = $1 AND f.id = $3");
    let values: [Value; 3] = [row.pipeline.into(), now_ms.into(), id.as_str().into()];
    let found = store.rows(&sql, &values.iter().collect::<Vec<_>>(), &kinds).await?;
    let Some(found) = found.first() else { return Ok(None) };
    let raw = vec![Raw::back(found, &lanes)?];
    let mut rows = named(store, row.pipeline, raw).await?;
    let Some(finding) = rows.pop() else { return Ok(None) };
    let sql = format!(
        "SELECT {} FROM marks WHERE pipeline = $1 AND target IN ($2, $3) ORDER BY number",
        MARK_COLUMNS.join(", ")
    );
    let values: [Value; 3] = [row.pipeline.into(), id.as_str().into(), finding.group.as_str().into()];
    let marks = store.rows(&sql, &values.iter().collect::<Vec<_>>(), &MARK_KINDS).await?;
    let marks = marks.iter().map(|mark| mark_back(mark)).collect::<Result<_, _>>()?;
    Ok(Some((finding, marks)))
}
