//! The lock that one writing process holds as long as it lives.
//!
//! Contract: it goes with the process, also with one that is killed. It keeps a second process from fencing the first
//! by being started; who writes without it is stopped by the fence.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use sqlx::PgConnection;

use crate::error::LedgerError;
use crate::store::Access;

/// Tells the ledger's lock from those of other programs in the same database.
const ADVISORY_LOCK: i64 = 0x6c65_6467_6572;

/// A path with something after its name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// The lock of a file of SQLite, as long as the value lives.
pub(crate) struct FileLock(File);

impl Drop for FileLock {
    /// Closing is not enough: a child that was forked and has not yet become another program holds the file open too.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Takes the lock of a file of SQLite.
pub(crate) fn take_file(path: &Path) -> Result<FileLock, LedgerError> {
    let lock = beside(path, ".lock");
    let failed = |source| LedgerError::File { what: "open", path: lock.clone(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(FileLock(file)),
        Err(TryLockError::WouldBlock) => Err(LedgerError::Held { place: path.display().to_string() }),
        Err(TryLockError::Error(source)) => Err(LedgerError::File { what: "lock", path: lock, source }),
    }
}

/// Takes the lock of a PostgreSQL database for the life of a connection: alone, or shared with the other members of a fleet.
pub(crate) async fn take_advisory(
    connection: &mut PgConnection,
    access: Access,
    place: impl FnOnce() -> String,
) -> Result<(), LedgerError> {
    let take = match access {
        Access::Shared => "SELECT pg_try_advisory_lock_shared($1)",
        _ => "SELECT pg_try_advisory_lock($1)",
    };
    let taken: bool = sqlx::query_scalar(take).bind(ADVISORY_LOCK).fetch_one(connection).await?;
    if taken { Ok(()) } else { Err(LedgerError::Held { place: place() }) }
}
