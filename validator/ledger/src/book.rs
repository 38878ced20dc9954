//! A book: one pipeline of a ledger, opened for writing.
//!
//! Contract: opening takes the pipeline over; a book that was open before is fenced and can write no more.

use std::sync::Arc;

use tokio::sync::Mutex;
use validator_core::shadow::delta::{FileChange, PageRow, Saved};
use validator_core::shadow::file::FileId;
use validator_core::shadow::page::PageKey;

use crate::books::{Index, Key, slot};
use crate::checkpoint::Pending;
use crate::error::LedgerError;
use crate::fleet;
use crate::ignored::Ignored;
use crate::ledger::{self, Ledger};
use crate::lock::FileLock;
use crate::open_findings::{self, OpenCounts, OpenFindings};
use crate::pipeline::{self, PipelineIs, PipelineRow};
use crate::prepared::{Standing, fetched};
use crate::restore::restored;
use crate::rows;
use crate::rows::Untold;
use crate::schema::{FILE_BODIES, FILES, FINDINGS, PAGES, Table};
use crate::store::Store;
use crate::value::{Kind, Value};

/// A pipeline, opened for writing.
pub struct Book {
    pub(crate) store: Arc<Mutex<Store>>,
    pub(crate) name: String,
    pub(crate) key: Key,
    pub(crate) row: PipelineRow,
    pub(crate) index: Index,
    pub(crate) open: OpenCounts,
    /// What people decided.
    pub(crate) ignored: Ignored,
    /// A checkpoint whose commit nobody has confirmed.
    pub(crate) pending: Option<Pending>,
    /// The last checkpoint that was found committed after its caller was told of an error.
    pub(crate) confirmed: Option<u64>,
    /// Held as long as this can write.
    pub(crate) _lock: Option<Arc<FileLock>>,
}

impl Ledger {
    /// Takes a pipeline over, and gives what its last checkpoint saved; a name that is not in the ledger is a new one.
    ///
    /// # Errors
    /// When the name stands for another pipeline, or what is there is not what was written.
    pub async fn book(&self, is: &PipelineIs) -> Result<(Book, Saved), LedgerError> {
        let mut store = self.store.lock().await;
        store.begin().await?;
        match taken(&mut store, is, self.holder.as_deref()).await {
            Ok((row, index, saved, (open, ignored))) => {
                store.commit().await?;
                let store = Arc::clone(&self.store);
                let book = Book {
                    store,
                    name: is.name.clone(),
                    key: is.key(),
                    row,
                    index,
                    open,
                    ignored,
                    pending: None,
                    confirmed: None,
                    _lock: self.lock.clone(),
                };
                Ok((book, saved))
            }
            Err(error) => {
                store.rollback().await;
                Err(error)
            }
        }
    }
}

impl Ledger {
    /// Takes over a pipeline that has a checkpoint, whatever it is made of; none: there is no such one. For who has something to
    /// tell of it while it cannot be followed.
    ///
    /// # Errors
    /// As [`Ledger::book`].
    pub async fn book_again(&self, name: &str, digest_key: [u8; 32]) -> Result<Option<Book>, LedgerError> {
        let mut store = self.store.lock().await;
        store.begin().await?;
        let all = ledger::pipelines(&mut store).await;
        store.rollback().await;
        drop(store);
        let known = all?.1.into_iter().find(|(row, _)| row.shown == name && row.checkpoint > 0);
        let Some((row, _)) = known else { return Ok(None) };
        Ok(Some(self.book(&row.made_as(digest_key)?).await?.0))
    }
}

impl Ledger {
    /// Whether it has a checkpoint of a pipeline of that name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn knows(&self, name: &str) -> Result<bool, LedgerError> {
        let mut store = self.store.lock().await;
        store.begin().await?;
        let all = ledger::pipelines(&mut store).await;
        store.rollback().await;
        Ok(all?.1.iter().any(|(row, _)| row.shown == name && row.checkpoint > 0))
    }

    /// Takes over a pipeline that is in the ledger, as the ledger has it: for who decides about findings and runs nothing.
    ///
    /// # Errors
    /// When there is no such pipeline; as [`Ledger::book_again`].
    pub async fn known_book(&self, name: &str, digest_key: [u8; 32]) -> Result<Book, LedgerError> {
        let book = self.book_again(name, digest_key).await?;
        book.ok_or_else(|| LedgerError::Unknown { name: name.to_owned() })
    }
}

async fn taken(
    store: &mut Store,
    is: &PipelineIs,
    holder: Option<&str>,
) -> Result<(PipelineRow, Index, Saved, (OpenCounts, Ignored)), LedgerError> {
    if let Some(holder) = holder
        && !fleet::is_seated(store, &is.name, holder).await?
    {
        return Err(LedgerError::Fenced { name: is.name.clone() });
    }
    // Whoever had it may be in the middle of a checkpoint: what is read is from behind its end.
    let sql = format!("SELECT pipeline FROM pipelines WHERE shown = $1{}", store.for_update());
    store.rows(&sql, &[&is.name.as_str().into()], &[Kind::Int]).await?;
    let key = is.key();
    let (head, all) = ledger::pipelines(store).await?;
    let known = all.iter().find(|(row, _)| row.shown == is.name);
    let mut row = match known {
        Some((row, seal)) => {
            // Under another key no seal can be read.
            if row.is_keyed(&key) && row.seal(&key) != *seal {
                return Err(LedgerError::damaged(format!("the row of pipeline {} is not what was written", is.name)));
            }
            row.same_as(is)?;
            row.clone()
        }
        None => {
            let number = all.iter().map(|(row, _)| row.pipeline).max().unwrap_or(0) + 1;
            let row = PipelineRow::new(number, is);
            let mut values = row.values();
            values.extend([(&row.seal(&key)).into(), row.shown.as_str().into()]);
            let places = (1..=values.len()).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ");
            let sql = format!("INSERT INTO pipelines ({}, seal, shown) VALUES ({places})", pipeline::COLUMNS);
            store.write(&sql, &values.iter().collect::<Vec<_>>()).await?;
            let names = all.iter().map(|(row, _)| row.shown.as_str()).chain([is.name.as_str()]);
            let roll = pipeline::roll(names, head.format, &head.made_by, head.made_ms);
            store.write("UPDATE ledger SET roll = $1", &[&(&roll).into()]).await?;
            row
        }
    };
    let (index, saved) = restored(store, &key, &row).await?;
    let ignored = Ignored::read(store, row.pipeline).await?;
    // Until the next checkpoint what was ignored at the last one is.
    let sql = "SELECT MAX(at_ms) FROM checkpoints WHERE pipeline = $1";
    let last = store.rows(sql, &[&row.pipeline.into()], &[Kind::Int]).await?;
    let at_ms = last.first().and_then(|last| last[0].int_or_none()).unwrap_or(i64::MAX);
    let open = OpenCounts {
        all: open_findings::counted(store, row.pipeline).await?,
        ignored: ignored.counted(store, row.pipeline, at_ms).await?,
    };
    let before = row.fence;
    row.fence += 1;
    let seal = row.seal(&key);
    let values: [Value; 5] =
        [row.pipeline.into(), before.into(), row.checkpoint.into(), row.fence.into(), (&seal).into()];
    let sql = "UPDATE pipelines SET fence = $4, seal = $5 WHERE pipeline = $1 AND fence = $2 AND checkpoint = $3";
    match store.write(sql, &values.iter().collect::<Vec<_>>()).await? {
        1 => Ok((row, index, saved, (open, ignored))),
        _ => Err(LedgerError::Fenced { name: is.name.clone() }),
    }
}

impl Book {
    /// The number of the last checkpoint.
    pub fn checkpoint_number(&self) -> u64 {
        self.row.checkpoint.unsigned_abs()
    }

    /// Findings that are open, as of the last checkpoint.
    pub fn open_findings(&self) -> &OpenFindings {
        &self.open.all
    }

    /// The same, with those that nobody is to be told of.
    pub fn open_counts(&self) -> &OpenCounts {
        &self.open
    }

    /// Rows whose hashes are held.
    pub fn rows_held(&self) -> usize {
        self.index.len()
    }

    /// How all stood at the last checkpoint: a `Standing`, packed; empty before the first.
    pub fn totals(&self) -> &[u8] {
        &self.row.totals
    }

    /// Pages by key; none: never written.
    ///
    /// # Errors
    /// When a page is not what was written, or the book is fenced.
    pub async fn pages(&mut self, keys: &[PageKey]) -> Result<Vec<(PageKey, Option<PageRow>)>, LedgerError> {
        let wanted = keys.iter().map(|key| rows::page_key(*key).to_vec()).collect();
        let found = self.some(&PAGES, wanted).await?;
        let page = |standing: Option<Standing>| standing.map(|row| rows::page_back(&row.values)).transpose();
        keys.iter().zip(found).map(|(key, standing)| Ok((*key, page(standing)?))).collect()
    }

    /// The bags of files, packed; none: no such file.
    ///
    /// # Errors
    /// When one is not what was written, or the book is fenced.
    pub async fn file_bags(&mut self, files: &[FileId]) -> Result<Vec<(FileId, Option<Vec<u8>>)>, LedgerError> {
        let wanted = files.iter().map(|file| vec![i64::from(file.0).into()]).collect();
        let found = self.some(&FILE_BODIES, wanted).await?;
        let body = |row: Option<Standing>| row.map(|row| row.values[1].blob().map(<[u8]>::to_vec)).transpose();
        files.iter().zip(found).map(|(file, row)| Ok((*file, body(row)?))).collect()
    }

    /// Files by number, live or gone; none: no such file.
    ///
    /// # Errors
    /// When one is not what was written, or the book is fenced.
    pub async fn files(&mut self, files: &[FileId]) -> Result<Vec<(FileId, Option<FileChange>)>, LedgerError> {
        let wanted = files.iter().map(|file| vec![i64::from(file.0).into()]).collect();
        let found = self.some(&FILES, wanted).await?;
        let file = |standing: Option<Standing>| standing.map(|row| rows::file_back(&row.values)).transpose();
        files.iter().zip(found).map(|(id, standing)| Ok((*id, file(standing)?))).collect()
    }

    /// Open findings whose values nobody has read yet, a bounded number.
    ///
    /// # Errors
    /// When the book is fenced, or the database cannot.
    pub async fn untold(&mut self, most: usize) -> Result<Vec<Untold>, LedgerError> {
        let mut store = self.store.lock().await;
        store.begin().await?;
        let found = async {
            standing(&mut store, &self.row, &self.name).await?;
            let sql = format!(
                "SELECT {} FROM findings WHERE pipeline = $1 AND state = 'open' AND evidence IS NULL ORDER BY id LIMIT {most}",
                FINDINGS.names()
            );
            store.rows(&sql, &[&self.row.pipeline.into()], &FINDINGS.kinds()).await
        };
        let found = found.await;
        store.rollback().await;
        found?.iter().map(|values| rows::untold_back(values)).collect()
    }

    /// Rows by key, in the order of the keys. The index says which are there, and what they hash to.
    async fn some(&mut self, table: &Table, keys: Vec<Vec<Value>>) -> Result<Vec<Option<Standing>>, LedgerError> {
        let there = |key: &Vec<Value>| self.index.contains_key(&slot(table, key));
        let known = keys.iter().filter(|key| there(key)).cloned().collect::<Vec<_>>();
        let mut found = if known.is_empty() {
            std::collections::BTreeMap::new()
        } else {
            let mut store = self.store.lock().await;
            store.begin().await?;
            let found = async {
                standing(&mut store, &self.row, &self.name).await?;
                fetched(&mut store, &self.key, table, self.row.pipeline, &known).await
            };
            let found = found.await;
            store.rollback().await;
            found?
        };
        let mut all = Vec::with_capacity(keys.len());
        for key in &keys {
            let slot = slot(table, key);
            let row = found.remove(&slot);
            // A key that is asked for twice is found once; the second finds nothing and is refused.
            if row.as_ref().map(|row| row.hash) != self.index.get(&slot).map(|held| held.hash) {
                let what = format!("a row of {} is not there, or is an older one", table.name);
                return Err(LedgerError::damaged(what));
            }
            all.push(row);
        }
        Ok(all)
    }
}

/// Checkpoint and head as they stand, where the fence is still ours. The row stays locked in PostgreSQL.
pub(crate) async fn standing(store: &mut Store, row: &PipelineRow, name: &str) -> Result<(i64, [u8; 32]), LedgerError> {
    let kinds = [Kind::Int, Kind::Int, Kind::Blob];
    let lock = store.for_update();
    let sql = format!("SELECT fence, checkpoint, head FROM pipelines WHERE pipeline = $1{lock}");
    let rows = store.rows(&sql, &[&row.pipeline.into()], &kinds).await?;
    match rows.as_slice() {
        [now] if now[0].int()? == row.fence => Ok((now[1].int()?, now[2].array()?)),
        [now] if now[0].int()? < row.fence => Err(behind(row, name)),
        [_] => Err(LedgerError::Fenced { name: name.to_owned() }),
        _ => Err(LedgerError::damaged(format!("the row of pipeline {name} is not there"))),
    }
}

/// What it means where the database has neither the last checkpoint nor a later one.
pub(crate) fn behind(row: &PipelineRow, name: &str) -> LedgerError {
    LedgerError::Behind { name: name.to_owned(), checkpoint: row.checkpoint }
}
