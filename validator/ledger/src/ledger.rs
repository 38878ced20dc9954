//! Opening a ledger: made where there is none, refused where it is not ours to read.
//!
//! Contract: a file that is there is never made anew, however empty it is; a new one appears whole, by its name. One
//! process writes.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteJournalMode;
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Mutex;

use crate::address::{Address, sqlite};
use crate::error::LedgerError;
use crate::fleet::MemberIs;
use crate::limits::{MADE_AGAIN_MILLIS, MADE_SECONDS};
use crate::lock::{FileLock, beside, take_file};
use crate::migrations::{self, FORMAT};
use crate::pipeline::{self, PipelineRow};
use crate::schema::{POSTGRES, SQLITE, statements};
use crate::store::{Access, Connected, Store};
use crate::value::{Kind, Value};

/// What each file of SQLite begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A ledger that this process writes to.
pub struct Ledger {
    pub(crate) store: Arc<Mutex<Store>>,
    // Shared with the books: the lock goes with the last that can write.
    pub(crate) lock: Option<Arc<FileLock>>,
    /// Who takes books over here, in a fleet: whoever holds the seat of a pipeline.
    pub(crate) holder: Option<String>,
}

impl Ledger {
    /// Opens a ledger for writing, makes it where there is none, brings an older one up to this format.
    ///
    /// # Errors
    /// When another process writes to it, it is of a newer validator, damaged, or not a ledger.
    pub async fn open(address: &Address, made_by: &str, now_ms: i64) -> Result<Self, LedgerError> {
        let lock = match address {
            Address::Sqlite(path) => {
                let lock = take_file(path)?;
                if !path.exists() {
                    made_whole(path, made_by, now_ms).await?;
                }
                is_sqlite(path)?;
                Some(Arc::new(lock))
            }
            Address::Postgres(_) => None,
        };
        let connected = address.connect(Access::Alone).await?;
        let mut store = Store::new(address.clone(), connected, Access::Alone);
        if matches!(address, Address::Postgres(_)) {
            made_in_postgres(&mut store, made_by, now_ms).await?;
        }
        let format = migrations::format(&mut store).await?;
        if format < FORMAT {
            migrations::migrate(&mut store, format, migrations::STEPS, made_by).await?;
        }
        store.begin().await?;
        pipelines(&mut store).await?;
        store.commit().await?;
        Ok(Self { store: Arc::new(Mutex::new(store)), lock, holder: None })
    }

    /// Opens a ledger of PostgreSQL as a member of a fleet, beside its other members: a book is taken over by who holds the seat
    /// of its pipeline (see [`crate::Link`]). Makes the ledger, or brings it up to date, where no other member does so first.
    ///
    /// # Errors
    /// [`LedgerError::NotOfAFleet`] of SQLite; when a process writes alone; as [`Ledger::open`].
    pub async fn open_in_fleet(
        address: &Address,
        made_by: &str,
        now_ms: i64,
        member: &MemberIs,
    ) -> Result<Self, LedgerError> {
        let Address::Postgres(_) = address else { return Err(LedgerError::NotOfAFleet { place: address.shown() }) };
        let until = Instant::now() + Duration::from_secs(MADE_SECONDS);
        loop {
            let made = match shared(address).await {
                Ok(Some(store)) => {
                    let (store, holder) = (Arc::new(Mutex::new(store)), Some(member.holder()));
                    return Ok(Self { store, lock: None, holder });
                }
                Ok(None) => Self::open(address, made_by, now_ms).await,
                Err(error) => Err(error),
            };
            match made {
                Ok(made) => made.close().await?,
                // Another member makes it; or somebody writes alone and goes on doing so.
                Err(LedgerError::Held { .. }) if Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(MADE_AGAIN_MILLIS)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Rolls back what a call that was dropped half way has left open: others wait for what it holds.
    pub async fn let_go(&self) {
        self.store.lock().await.let_go().await;
    }

    /// Ends the connection in an orderly way. Books that are still there keep it, and the lock.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn close(self) -> Result<(), LedgerError> {
        let closed = match Arc::try_unwrap(self.store) {
            Ok(store) => store.into_inner().close().await,
            Err(_) => Ok(()),
        };
        drop(self.lock);
        closed
    }
}

/// A connection of a fleet to a ledger of this format; none: it is to be made, or brought up to date.
async fn shared(address: &Address) -> Result<Option<Store>, LedgerError> {
    let mut store = Store::new(address.clone(), address.connect(Access::Beside).await?, Access::Beside);
    let is_ready = is_in_postgres(&mut store).await? && migrations::format(&mut store).await? == FORMAT;
    store.close().await?;
    if !is_ready {
        return Ok(None);
    }
    Ok(Some(Store::new(address.clone(), address.connect(Access::Shared).await?, Access::Shared)))
}

/// A file that is there must be one of SQLite: an empty one would be taken for a new database.
pub(crate) fn is_sqlite(path: &Path) -> Result<(), LedgerError> {
    let failed = |source| LedgerError::File { what: "read", path: path.to_owned(), source };
    let no_ledger = |what| LedgerError::NotALedger { place: path.display().to_string(), what };
    let mut begins = Vec::new();
    File::open(path).map_err(failed)?.take(MAGIC.len() as u64).read_to_end(&mut begins).map_err(failed)?;
    match begins.as_slice() {
        [] => Err(no_ledger("the file is empty")),
        begins if begins == MAGIC => Ok(()),
        _ => Err(no_ledger("the file is not of SQLite")),
    }
}

/// Made under another name, then renamed: who is killed in between leaves no half ledger.
async fn made_whole(path: &Path, made_by: &str, now_ms: i64) -> Result<(), LedgerError> {
    let wal = beside(path, "-wal");
    if wal.exists() {
        let what = "its -wal file is there and it is not";
        return Err(LedgerError::NotALedger { place: path.display().to_string(), what });
    }
    let new = beside(path, ".new");
    let failed = |what| move |source| LedgerError::File { what, path: new_of(path), source };
    if new.exists() {
        std::fs::remove_file(&new).map_err(failed("remove"))?;
    }
    let options = sqlite(&new).create_if_missing(true).journal_mode(SqliteJournalMode::Delete);
    let connected = Connected::Sqlite(options.connect().await?);
    let mut store = Store::new(Address::Sqlite(new.clone()), connected, Access::Alone);
    store.begin().await?;
    for statement in statements(SQLITE) {
        store.statement(&statement).await?;
    }
    first_row(&mut store, made_by, now_ms).await?;
    store.commit().await?;
    store.close().await?;
    // In WAL mode from its first moment under its name: the mode stands in the file.
    sqlite(&new).journal_mode(SqliteJournalMode::Wal).connect().await?.close().await?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(failed("write"))?;
    std::fs::rename(&new, path).map_err(failed("rename"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("write the folder of"))
}

fn new_of(path: &Path) -> std::path::PathBuf {
    beside(path, ".new")
}

async fn made_in_postgres(store: &mut Store, made_by: &str, now_ms: i64) -> Result<(), LedgerError> {
    store.begin().await?;
    if !is_in_postgres(store).await? {
        for statement in statements(POSTGRES) {
            store.statement(&statement).await?;
        }
        first_row(store, made_by, now_ms).await?;
    }
    store.commit().await
}

async fn is_in_postgres(store: &mut Store) -> Result<bool, LedgerError> {
    let sql = "SELECT (to_regclass('ledger') IS NOT NULL)::int::bigint";
    let there = store.rows(sql, &[], &[Kind::Int]).await?;
    Ok(there.first().map(|row| row[0].int()).transpose()? == Some(1))
}

async fn first_row(store: &mut Store, made_by: &str, now_ms: i64) -> Result<(), LedgerError> {
    let roll = pipeline::roll(std::iter::empty(), FORMAT, made_by, now_ms);
    let values: [Value; 4] = [FORMAT.into(), made_by.into(), now_ms.into(), (&roll).into()];
    let sql = "INSERT INTO ledger (number, format, made_by, made_ms, roll) VALUES (1, $1, $2, $3, $4)";
    store.write(sql, &values.iter().collect::<Vec<_>>()).await?;
    Ok(())
}

/// The row of the table `ledger`.
pub(crate) struct Head {
    pub(crate) format: i64,
    pub(crate) made_by: String,
    pub(crate) made_ms: i64,
}

/// All pipelines with their seals; they must be those of the roll.
pub(crate) async fn pipelines(store: &mut Store) -> Result<(Head, Vec<(PipelineRow, [u8; 32])>), LedgerError> {
    let kinds = [Kind::Int, Kind::Text, Kind::Int, Kind::Blob];
    // Members of a fleet add pipelines one after the other.
    let sql = format!("SELECT format, made_by, made_ms, roll FROM ledger{}", store.for_update());
    let rows = store.rows(&sql, &[], &kinds).await?;
    let [row] = rows.as_slice() else { return Err(LedgerError::damaged("its first row is not there")) };
    let head = Head { format: row[0].int()?, made_by: row[1].text()?.to_owned(), made_ms: row[2].int()? };
    let roll: [u8; 32] = row[3].array()?;
    let kinds = [[Kind::Text].as_slice(), &pipeline::KINDS, &[Kind::Blob]].concat();
    let sql = format!("SELECT shown, {}, seal FROM pipelines ORDER BY pipeline", pipeline::COLUMNS);
    let mut all = Vec::new();
    for row in store.rows(&sql, &[], &kinds).await? {
        let [shown, values @ .., seal] = row.as_slice() else {
            return Err(LedgerError::damaged("a row without columns"));
        };
        all.push((PipelineRow::from_values(shown, values)?, seal.array()?));
    }
    if pipeline::roll(all.iter().map(|(row, _)| row.shown.as_str()), head.format, &head.made_by, head.made_ms) != roll {
        return Err(LedgerError::damaged("the pipelines are not those of its roll"));
    }
    Ok((head, all))
}
