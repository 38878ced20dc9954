//! A checkpoint: one transaction that holds everything.
//!
//! Contract: after an error the database stands at the last checkpoint or at this one, and the same posting can be given
//! again: where it was committed although nobody said so, that is found out and nothing is written twice.

use validator_core::shadow::delta::Delta;

use crate::address::Address;
use crate::book::{Book, behind, standing};
use crate::books::{Held, Link, Slot, changes};
use crate::error::LedgerError;
use crate::ignored::Ignored;
use crate::limits::{FILE_PAGE_BYTES, ROWS_PER_STATEMENT, TOTALS_EVERY_MS, WAL_PAGES};
use crate::open_findings::{Ignoring, OpenCounts, Tell, Told};
use crate::pipeline::PipelineRow;
use crate::posting::Posting;
use crate::prepared::{Prepared, Preparing};
use crate::prune;
use crate::schema::TABLES;
use crate::store::Store;
use crate::value::{Kind, Value};
use crate::{alerts, fleet, inbox, marks, outbox};

/// A checkpoint that is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Its number.
    pub checkpoint: u64,
    /// The head of the chain.
    pub head: [u8; 32],
}

/// A checkpoint that was given to the database, and what becomes of the book when it is committed.
pub(crate) struct Pending {
    row: PipelineRow,
    index: Vec<(Slot, Option<Held>)>,
    open: OpenCounts,
    ignored: Ignored,
    bytes: usize,
}

impl Book {
    /// Writes a checkpoint; its number is one more than that of the last.
    ///
    /// # Errors
    /// When the book is fenced, the posting does not fit what is there, or the database cannot.
    pub async fn checkpoint(&mut self, posting: &Posting<'_>) -> Result<Written, LedgerError> {
        self.checkpoint_telling(posting, &mut |_| Told::default()).await
    }

    /// The same, with what is to be told of it in the same transaction. `tell` is not asked where an earlier try turns out to
    /// be committed: what it said then is what stands.
    ///
    /// # Errors
    /// As [`Book::checkpoint`].
    pub async fn checkpoint_telling(
        &mut self,
        posting: &Posting<'_>,
        tell: &mut Tell<'_>,
    ) -> Result<Written, LedgerError> {
        let store = std::sync::Arc::clone(&self.store);
        let mut store = store.lock().await;
        self.settled(&mut store).await?;
        let number = posting.delta.checkpoint;
        if std::mem::take(&mut self.confirmed).is_some_and(|confirmed| confirmed == number) {
            return Ok(self.written());
        }
        if number != self.checkpoint_number() + 1 {
            let what = format!("checkpoint {number} does not follow {}", self.checkpoint_number());
            return Err(LedgerError::Contradiction { what });
        }
        store.begin().await?;
        let bytes = match self.write(&mut store, posting, tell).await {
            Ok(pending) => self.pending.insert(pending).bytes,
            Err(error) => {
                store.rollback().await;
                return Err(error);
            }
        };
        if let Err(error) = store.commit().await {
            store.rollback().await;
            // Where this cannot be found out now, the next call finds it out.
            self.settled(&mut store).await?;
            if self.confirmed.take() != Some(number) {
                return Err(error);
            }
        } else if let Some(pending) = self.pending.take() {
            self.accept(pending);
        }
        if bytes > WAL_PAGES as usize * FILE_PAGE_BYTES as usize && matches!(store.address(), Address::Sqlite(_)) {
            // A WAL that stays large costs readers time; nothing is lost where a reader keeps it from being folded.
            let _ = store.statement("PRAGMA wal_checkpoint(TRUNCATE)").await;
        }
        Ok(self.written())
    }

    fn written(&self) -> Written {
        Written { checkpoint: self.checkpoint_number(), head: self.row.head }
    }

    /// Finds out what became of a commit that was not confirmed.
    async fn settled(&mut self, store: &mut Store) -> Result<(), LedgerError> {
        let Some(pending) = &self.pending else { return Ok(()) };
        store.begin().await?;
        let now = standing(store, &self.row, &self.name).await;
        store.rollback().await;
        let (checkpoint, head) = now?;
        if (checkpoint, head) == (pending.row.checkpoint, pending.row.head) {
            self.confirmed = Some(checkpoint.unsigned_abs());
            if let Some(pending) = self.pending.take() {
                self.accept(pending);
            }
        } else if (checkpoint, head) == (self.row.checkpoint, self.row.head) {
            self.pending = None;
        } else {
            return Err(self.displaced(checkpoint));
        }
        Ok(())
    }

    /// Why the last checkpoint of the database is not ours.
    fn displaced(&self, checkpoint: i64) -> LedgerError {
        match checkpoint < self.row.checkpoint {
            true => behind(&self.row, &self.name),
            false => LedgerError::Fenced { name: self.name.clone() },
        }
    }

    fn accept(&mut self, pending: Pending) {
        self.row = pending.row;
        (self.open, self.ignored) = (pending.open, pending.ignored);
        for (slot, held) in pending.index {
            match held {
                Some(held) => self.index.insert(slot, held),
                None => self.index.remove(&slot),
            };
        }
    }

    /// A delta of the next checkpoint in which nothing changes.
    pub(crate) async fn unchanged(&self) -> Result<Delta, LedgerError> {
        let mut store = self.store.lock().await;
        store.begin().await?;
        let sql = "SELECT judged_at_ms, snapshot FROM checkpoints WHERE pipeline = $1 AND checkpoint = $2";
        let values = [self.row.pipeline.into(), self.row.checkpoint.into()];
        let rows = store.rows(sql, &[&values[0], &values[1]], &[Kind::Int; 2]).await;
        store.rollback().await;
        let rows = rows?;
        let Some(last) = rows.first() else {
            return Err(LedgerError::Contradiction { what: "there is no checkpoint yet".to_owned() });
        };
        Ok(Delta {
            checkpoint: self.checkpoint_number() + 1,
            judged_at_ms: last[0].int()?,
            snapshot: last[1].int_or_none(),
            state: self.row.state.clone(),
            totals: self.row.totals.clone(),
            ..Delta::default()
        })
    }

    /// All statements but the first and the last.
    async fn write(
        &self,
        store: &mut Store,
        posting: &Posting<'_>,
        tell: &mut Tell<'_>,
    ) -> Result<Pending, LedgerError> {
        let now = standing(store, &self.row, &self.name).await?;
        if now != (self.row.checkpoint, self.row.head) {
            return Err(self.displaced(now.0));
        }
        let delta = posting.delta;
        let pipeline = self.row.pipeline;
        let mut ignored = self.ignored.clone();
        posting.marks.iter().for_each(|mark| ignored.note(mark));
        let ignoring = Ignoring { what: &ignored, now_ms: posting.at_ms };
        let mut preparing = Preparing::new(self.key, &self.index, self.row.books, self.row.width()?, ignoring);
        preparing.delta(store, pipeline, delta, posting.evidence).await?;
        let before = OpenCounts {
            all: self.open.all.clone(),
            // Decisions come and end.
            ignored: ignored.counted(store, pipeline, posting.at_ms).await?,
        };
        let open = preparing.made.shift.over(&before);
        let Told { alerts: told, mail } = tell(&open);
        alerts::put(&[posting.alerts, told.as_slice()].concat(), &mut preparing)?;
        marks::put(store, pipeline, posting.marks, &mut preparing).await?;
        inbox::take(store, pipeline, posting.taken).await?;
        fleet::taken(store, &self.name, posting.parcels).await?;
        let mut row = self.row.clone();
        if let Some(keep) = &posting.keep {
            prune::findings(store, pipeline, keep, posting.at_ms, &mut preparing).await?;
            prune::files(store, pipeline, keep, posting.at_ms, &mut preparing).await?;
            row.chain_from = prune::chain(store, &self.row, keep, posting.at_ms).await?;
            prune::mail(store, pipeline, keep, posting.at_ms).await?;
        }
        let made = preparing.done();
        let bytes = put(store, pipeline, &made).await?;
        outbox::put(store, pipeline, posting.mail, posting.at_ms).await?;
        outbox::put(store, pipeline, &mail, posting.at_ms).await?;
        let link = Link {
            checkpoint: self.row.checkpoint + 1,
            at_ms: posting.at_ms,
            judged_at_ms: delta.judged_at_ms,
            snapshot: delta.snapshot,
            changes: changes(&self.key, made.changes),
            books: made.books,
            state: self.key.of("state", &[delta.state.as_slice().into()]),
            totals: self.key.of("totals", &[delta.totals.as_slice().into()]),
            prev: self.row.head,
        };
        row.checkpoint = link.checkpoint;
        row.head = link.hash(&self.key);
        row.books = link.books;
        row.state.clone_from(&delta.state);
        row.totals.clone_from(&delta.totals);
        self.link(store, &link, &row).await?;
        Ok(Pending { row, index: made.index, open, ignored, bytes })
    }

    async fn link(&self, store: &mut Store, link: &Link, row: &PipelineRow) -> Result<(), LedgerError> {
        let mut values = vec![Value::from(row.pipeline)];
        values.extend(link.values());
        values.extend([row.totals.as_slice().into(), (&row.head).into()]);
        let sql = "INSERT INTO checkpoints (pipeline, checkpoint, at_ms, judged_at_ms, snapshot, changes, books, state, \
                   totals_hash, prev, totals, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        store.write(sql, &values.iter().collect::<Vec<_>>()).await?;
        let minute = link.at_ms.div_euclid(TOTALS_EVERY_MS) * TOTALS_EVERY_MS;
        let values: [Value; 3] = [row.pipeline.into(), self.row.checkpoint.into(), minute.into()];
        let sql = "UPDATE checkpoints SET totals = NULL WHERE pipeline = $1 AND checkpoint = $2 AND at_ms >= $3";
        store.write(sql, &values.iter().collect::<Vec<_>>()).await?;
        let values: [Value; 10] = [
            row.pipeline.into(),
            row.fence.into(),
            self.row.checkpoint.into(),
            row.checkpoint.into(),
            row.chain_from.into(),
            (&row.head).into(),
            (&row.books.to_bytes()).into(),
            row.state.as_slice().into(),
            row.totals.as_slice().into(),
            (&row.seal(&self.key)).into(),
        ];
        let sql = "UPDATE pipelines SET checkpoint = $4, chain_from = $5, head = $6, books = $7, state = $8, totals = $9, \
                   seal = $10 WHERE pipeline = $1 AND fence = $2 AND checkpoint = $3";
        match store.write(sql, &values.iter().collect::<Vec<_>>()).await? {
            1 => Ok(()),
            _ => Err(LedgerError::Fenced { name: self.name.clone() }),
        }
    }
}

/// Writes and removes the rows, many a statement; how many bytes of bodies there were.
async fn put(store: &mut Store, pipeline: i64, made: &Prepared) -> Result<usize, LedgerError> {
    let pipeline = Value::from(pipeline);
    let mut bytes = 0;
    for table in TABLES {
        let rows = made.puts.iter().filter(|(put, _)| put.table.tag == table.tag).collect::<Vec<_>>();
        for some in rows.chunks(ROWS_PER_STATEMENT) {
            let hashes = some.iter().map(|(_, hash)| Value::from(hash)).collect::<Vec<_>>();
            let mut values = vec![&pipeline];
            for ((put, _), hash) in some.iter().zip(&hashes) {
                values.push(hash);
                values.extend(&put.values);
                bytes += put.values.iter().map(|value| value.blob().map_or(0, <[u8]>::len)).sum::<usize>();
            }
            store.write(&table.upsert(some.len()), &values).await?;
        }
    }
    for (table, key) in &made.deletes {
        let values = std::iter::once(&pipeline).chain(key).collect::<Vec<_>>();
        if store.write(&table.delete(), &values).await? != 1 {
            return Err(LedgerError::damaged(format!("a row of {} is not there", table.name)));
        }
    }
    Ok(bytes)
}
